// What needs no browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { table } from "../src/console/api.js";
import { asked } from "../src/console/index.js";
import { pointed, position } from "../src/console/problem.js";
import { spelled } from "../src/console/result.js";
import { told } from "../src/map/card.js";
import { folded, Places } from "../src/map/data.js";
import { answerId, chosen, open, questions } from "../src/map/filters.js";
import { read, written } from "../src/map/link.js";
import { packed, unpacked } from "../src/outlines.js";

const labels = new Map([
  ["ptce", { text: "Réseau des PTCE", lang: "fr" }],
  ["cress", { text: "CRESS", lang: "fr" }],
]);

function places() {
  const made = new Places([
    {
      table: "structures",
      title: "Annuaire",
      name: "nom",
      key: ["id"],
      columns: [
        { name: "id", title: "Identifiant" },
        { name: "nom", title: "Nom" },
        { name: "reseaux", title: "Réseaux", labels },
        { name: "longitude", title: "Longitude" },
        { name: "lieu_methode", title: "Méthode" },
        { name: "reponses_publiees", title: "Réponses publiées", type: "boolean" },
      ],
    },
    {
      table: "implantations",
      title: "Implantations",
      name: "nom",
      key: ["reseau", "id"],
      kind: { name: "reseau", labels: new Map([["fai", { text: "Fabriques", lang: "fr" }]]) },
      columns: [],
    },
  ]);
  const feature = (properties, point = [2, 48]) => ({
    geometry: point && { type: "Point", coordinates: point },
    properties,
  });
  made.add(0, [
    feature({ id: "a", nom: "Échelle", reseaux: ["ptce", "cress"], region: "Bretagne", lieu_methode: "x", reponses_publiees: true }),
    feature({ id: "b", nom: "Muette", reseaux: [], region: "Corse", reponses_publiees: false }),
    feature({ id: "c", nom: "Sans position" }, null),
  ]);
  made.add(1, [feature({ reseau: "fai", id: "1", nom: "Fabrique" }), feature({ reseau: "autre", id: "2", nom: "Autre" })]);
  return made;
}

test("a table that gathers networks is one kind of place per network", () => {
  const { kinds, length, nowhere } = places();
  assert.deepEqual(
    kinds.map(({ id, text, count }) => [id, text, count]),
    [
      ["structures", "Annuaire", 2],
      ["implantations.fai", "Fabriques", 1],
      ["implantations.autre", "Implantations", 1],
    ],
  );
  assert.equal(length, 4);
  assert.equal(nowhere, 1);
});

test("filters leave what fits, and who gave no answer fits no answer", () => {
  const all = places();
  const left = (choice) => chosen(all, { ...open(), ...choice }).map((place) => all.name(place));
  assert.equal(left({}).length, 4);
  assert.deepEqual(left({ answers: new Map([["reseaux", "cress"]]) }), ["Échelle"]);
  assert.deepEqual(left({ hidden: new Set(["structures"]) }), ["Fabrique", "Autre"]);
  assert.deepEqual(left({ region: "Corse" }), ["Muette"]);
  assert.deepEqual(left({ text: "ECHELLE bret" }), ["Échelle"]);
  assert.deepEqual(left({ answers: new Map([["reponses_publiees", "false"]]) }), ["Muette"]);
  const asked = questions(all, { yes: "oui", no: "non" }).map(({ name, counts }) => [name, Object.fromEntries(counts)]);
  assert.deepEqual(asked, [
    ["reseaux", { ptce: 1, cress: 1 }],
    ["reponses_publiees", { true: 1, false: 1 }],
  ]);
});

test("no list of answers is called as another part of the map", () => {
  const taken = ["region", "text", "list", "card", "help"].map((name) => `map-${name}`);
  for (const name of ["region", "text", "list", "card", "help", "is-region"]) assert.ok(!taken.includes(answerId(name)));
});

test("a card tells what is published and no more", () => {
  const all = places();
  assert.deepEqual(
    told(all, 0).map(([column]) => column.name),
    ["id", "reseaux", "reponses_publiees"],
  );
  assert.deepEqual(
    told(all, 1).map(([column]) => column.name),
    ["id", "reponses_publiees"],
  );
});

test("a place is found again by its address", () => {
  const all = places();
  for (let place = 0; place < all.length; place += 1) assert.equal(all.find(all.address(place)), place);
  assert.equal(all.find("structures:gone"), undefined);
});

test("what an address says of a view is read back", () => {
  const view = { zoom: 6.25, latitude: 46.5, longitude: -1.25 };
  const choice = {
    hidden: new Set(["a.b", "structures"]),
    region: "Provence-Alpes-Côte d’Azur",
    answers: new Map([["reseaux", "ptce"]]),
    text: "à & b=c#?",
  };
  const back = read(written({ view, choice, open: "structures:1~2" }));
  assert.deepEqual(back, { view, choice, open: "structures:1~2" });
});

test("an address that says something else asks for nothing", () => {
  for (const hash of ["", "#map", "#tables", "#map?view=a/b/c", "#map?%", "#map?view=1/2"]) {
    assert.deepEqual(read(hash), { view: null, choice: open(), open: null }, hash);
  }
});

test("outlines come back as they were", () => {
  const seeds = (name) => JSON.parse(readFileSync(new URL(`../../../seeds/cog/${name}`, import.meta.url), "utf8"));
  const [departements, regions] = [seeds("departements.geojson"), seeds("regions.geojson")];
  const text = packed(departements, regions);
  const back = unpacked(JSON.parse(text));
  assert.equal(back.departements.length, departements.features.length);
  const first = departements.features[0].geometry.coordinates[0];
  assert.deepEqual(back.departements[0][0], first.map(([longitude, latitude]) => [latitude, longitude]));
  assert.ok(text.length < 160_000, `${text.length} bytes`);
});

test("a caret stands below the letter that is meant", () => {
  const query = "SELECT nom,\n\tcomune\nFROM t";
  assert.equal(pointed(query, { line: 2, column: 2 }), "\tcomune\n\t^");
  assert.equal(pointed("SELECT 'é𝄞', x", { line: 1, column: 13 }), "SELECT 'é𝄞', x\n            ^");
  assert.equal(pointed(query, { line: 9, column: 1 }), null);
  assert.equal(pointed(query, {}), null);
  assert.equal(position(query, { line: 2, column: 2 }), query.indexOf("comune"));
  assert.equal(position("SELECT '𝄞', x", { line: 1, column: 13 }), "SELECT '𝄞', x".length - 1);
});

test("cells are spelled as they are", () => {
  assert.deepEqual([null, 0, false, ["a"], "<b>"].map(spelled), ["", "0", "false", '["a"]', "<b>"]);
});

test("a document that is no table is no answer of a server that runs SQL", () => {
  const answer = { columns: [{ name: "n" }], rows: [[1]] };
  assert.deepEqual(table({ ok: true, status: 200 }, answer), { ...answer, releases: [] });
  const wrong = [[true, 200, null], [true, 200, []], [true, 200, { rows: 3 }], [false, 404, { message: "?" }], [false, 404, answer]];
  for (const [ok, status, other] of wrong) {
    assert.throws(() => table({ ok, status }, other), (error) => error.kind === "none", JSON.stringify(other));
  }
  assert.throws(() => table({ ok: false, status: 502 }, {}), (error) => error.kind === "lost");
});

test("a link holds any query", () => {
  const query = "SELECT '#é%' AS \"a b\"\nFROM t -- 100 %";
  assert.equal(asked(`#q=${encodeURIComponent(query)}`), query);
  assert.equal(asked("#q=%"), null);
  assert.equal(asked("#tables"), null);
});

test("accents and capitals do not matter when searching", () => {
  assert.equal(folded("Œuvre ÉLÉGANTE Ça"), "œuvre elegante ca");
});
