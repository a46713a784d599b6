// The places of a release: its published GeoJSON, and what datapackage.json says of their columns.

/** Columns that a name is looked for in. */
const NAMES = ["nom", "name", "titre", "title", "libelle", "label"];
/** Columns that say where a place is, when they are there. */
const WHERE = ["commune", "departement", "region"];

async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json();
}

/** The labels of a column's codes in a language, each with the language that it is in; none when it has no codes. */
function labels(field, language) {
  const codes = field.essaim?.codes ?? field.categories;
  if (!codes) return null;
  const label = ({ value, label, label_en: english }) =>
    language === "en" && english ? [value, { text: english, lang: "en" }] : [value, { text: label ?? value, lang: "fr" }];
  return new Map(codes.map(label));
}

/** A column as the map needs it. */
function column(field, language) {
  const { name, type, format } = field;
  const english = language === "en" ? field.essaim?.title_en : undefined;
  const title = english ? { text: english, lang: "en" } : { text: field.title || name, lang: "fr" };
  return { name, title, type, uri: format === "uri", labels: labels(field, language) };
}

/**
 * The column that tells kinds of places apart: one with codes that belongs to the key, as in a table that gathers the
 * places of several networks.
 */
function kindColumn(schema, columns) {
  const key = [schema.primaryKey ?? []].flat();
  return key.length > 1 ? columns.find((known) => key.includes(known.name) && known.labels) : undefined;
}

/** Reads a layer: a table with its columns. */
function layer({ table, title }, resource, language) {
  const schema = resource?.schema ?? { fields: [] };
  const columns = schema.fields.map((field) => column(field, language));
  const name = NAMES.find((known) => columns.some((there) => there.name === known));
  const key = [schema.primaryKey ?? []].flat();
  return { table, title, columns, name, key, kind: kindColumn(schema, columns) };
}

/** A text without accents and capitals, for searching. */
export function folded(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** All places of all layers, with the kinds that they are of. */
export class Places {
  constructor(layers) {
    this.layers = layers;
    /** What is shown and hidden together: a layer, or a kind in it. */
    this.kinds = [];
    this.longitude = [];
    this.latitude = [];
    this.kind = [];
    this.rows = [];
    /** Rows without a position, by layer. */
    this.nowhere = 0;
    this.texts = null;
    this.points = null;
  }

  /** Takes the features of a layer. */
  add(at, features) {
    const layer = this.layers[at];
    const known = new Map();
    for (const { geometry, properties } of features) {
      if (geometry?.type !== "Point") {
        this.nowhere += 1;
        continue;
      }
      const code = layer.kind ? properties[layer.kind.name] : "";
      if (!known.has(code)) {
        const label = layer.kind?.labels.get(code) ?? { text: layer.title, lang: "fr" };
        const id = layer.kind ? `${layer.table}.${code}` : layer.table;
        known.set(code, this.kinds.push({ layer: at, id, ...label, count: 0 }) - 1);
      }
      const kind = known.get(code);
      this.kinds[kind].count += 1;
      this.longitude.push(geometry.coordinates[0]);
      this.latitude.push(geometry.coordinates[1]);
      this.kind.push(kind);
      this.rows.push(properties);
    }
  }

  get length() {
    return this.rows.length;
  }

  layerOf(place) {
    return this.layers[this.kinds[this.kind[place]].layer];
  }

  name(place) {
    const { name } = this.layerOf(place);
    return String((name && this.rows[place][name]) || this.id(place));
  }

  /** Where a place is, in words. */
  where(place) {
    const row = this.rows[place];
    const [commune, departement] = [row.commune, row.departement];
    if (commune && departement && commune !== departement) return `${commune} (${departement})`;
    return String(commune ?? departement ?? row.region ?? "");
  }

  /** What tells a place from the others of its layer. */
  id(place) {
    const { key } = this.layerOf(place);
    return key.map((name) => this.rows[place][name] ?? "").join("~");
  }

  /** The place with an address; none when there is no such one (any more). */
  find(address) {
    for (let place = 0; place < this.length; place += 1) {
      if (this.address(place) === address) return place;
    }
    return undefined;
  }

  /** What the address of the page calls a place. */
  address(place) {
    return `${this.layerOf(place).table}:${this.id(place)}`;
  }

  /** Name and place, for searching. Made at the first search. */
  text(place) {
    this.texts ??= this.rows.map((row, at) => folded([this.name(at), ...WHERE.map((name) => row[name] ?? "")].join(" ")));
    return this.texts[place];
  }

  /** A place as the index of clusters wants it: its kinds are the bits of a number. Made once. */
  point(place) {
    this.points ??= this.rows.map((_, at) => ({
      type: "Feature",
      properties: { place: at, kinds: 1 << this.kind[at] % 31 },
      geometry: { type: "Point", coordinates: [this.longitude[at], this.latitude[at]] },
    }));
    return this.points[place];
  }
}

/** Fetches the layers that the page names. */
export async function load(named, packageUrl, language) {
  const [described, ...collections] = await Promise.all([packageUrl, ...named.map(({ url }) => url)].map(fetched));
  const resource = (table) => described.resources.find((known) => known.name === table);
  const places = new Places(named.map((one) => layer(one, resource(one.table), language)));
  collections.forEach(({ features }, at) => places.add(at, features));
  return places;
}
