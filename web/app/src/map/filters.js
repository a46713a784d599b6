// Which places are shown: kinds, région, answers, words.

import { button, element, settled } from "../dom.js";
import { folded } from "./data.js";

/** What a cell holds, as a list of texts. */
function held(cell) {
  if (cell === null || cell === undefined) return [];
  return Array.isArray(cell) ? cell : [String(cell)];
}

/** The choice of a person; everything is shown by default. */
export function open() {
  return { hidden: new Set(), region: "", answers: new Map(), text: "" };
}

/** The places that a choice leaves. */
export function chosen(places, choice) {
  const words = folded(choice.text).split(/\s+/).filter(Boolean);
  const answers = [...choice.answers];
  const hidden = places.kinds.map(({ id }) => choice.hidden.has(id));
  const fits = (place) => {
    if (hidden[places.kind[place]]) return false;
    const row = places.rows[place];
    if (choice.region && row.region !== choice.region) return false;
    if (!answers.every(([column, code]) => held(row[column]).includes(code))) return false;
    return words.every((word) => places.text(place).includes(word));
  };
  const left = [];
  for (let place = 0; place < places.length; place += 1) if (fits(place)) left.push(place);
  return left;
}

/** Columns of codes, and of yes and no, each once, with how many places gave each answer. */
export function questions(places, t) {
  const found = new Map();
  const plain = (text) => ({ text });
  const either = new Map([
    ["true", plain(t.yes)],
    ["false", plain(t.no)],
  ]);
  for (const layer of places.layers) {
    for (const column of layer.columns) {
      const labels = column.type === "boolean" ? either : column.labels;
      if (labels && column !== layer.kind && !found.has(column.name)) {
        found.set(column.name, { ...column, labels, counts: new Map() });
      }
    }
  }
  for (const row of places.rows) {
    for (const [name, { counts }] of found) {
      for (const code of held(row[name])) counts.set(code, (counts.get(code) ?? 0) + 1);
    }
  }
  return [...found.values()].filter(({ counts }) => counts.size > 0);
}

/** The id of the list of a column's answers: no column is called as another part of the map is. */
export function answerId(name) {
  return `map-is-${name}`;
}

function select(id, label, first, options, value, heard) {
  const list = element(
    "select",
    { id, on: { change: ({ target }) => heard(target.value) } },
    element("option", { value: "", text: first }),
    ...options.map(([code, text, tongue]) => element("option", { value: code, text, lang: tongue })),
  );
  list.value = value;
  return element("p", { class: "field" }, element("label", { for: id, ...label }), list);
}

/** The form with the filters. `changed` is called after each change of the choice. */
export class Filters {
  constructor(places, choice, { t, number, changed }) {
    Object.assign(this, { places, choice, t, number, changed });
    this.questions = questions(places, t);
    this.element = element("form", {
      class: "map-filters",
      "aria-label": t.filters,
      on: { submit: (event) => event.preventDefault() },
    });
    this.draw();
  }

  /** Shows the choice as it is now. */
  draw() {
    const { t, choice, changed } = this;
    const search = element("input", {
      id: "map-text",
      type: "search",
      autocomplete: "off",
      on: {
        input: settled(150, ({ target }) => {
          choice.text = target.value;
          changed();
        }),
      },
    });
    search.value = choice.text;
    this.element.replaceChildren(
      this.kinds(),
      element(
        "div",
        { class: "fields" },
        element("p", { class: "field" }, element("label", { for: "map-text", text: t.search }), search),
        this.regions(),
        element("p", { class: "field" }, button(t.clear, () => this.clear(), { class: "plain" })),
      ),
      ...this.answers(),
    );
  }

  kinds() {
    const { places, choice, changed } = this;
    const boxes = places.kinds.map(({ id, text, lang, count }, at) => {
      const box = element("input", {
        type: "checkbox",
        name: "kind",
        value: id,
        on: {
          change: ({ target }) => {
            if (target.checked) choice.hidden.delete(id);
            else choice.hidden.add(id);
            changed();
          },
        },
      });
      box.checked = !choice.hidden.has(id);
      const dot = element("span", { class: `dot ${"abcd"[at % 4]}` });
      return element("label", {}, box, dot, element("span", { lang, text }), ` (${this.number(count)})`);
    });
    return element("fieldset", { class: "kinds" }, element("legend", { text: this.t.kinds }), ...boxes);
  }

  regions() {
    const { places, choice, changed, t } = this;
    const names = [...new Set(places.rows.map((row) => row.region).filter(Boolean))];
    if (names.length < 2) return null;
    const options = names.sort((a, b) => a.localeCompare(b, "fr")).map((name) => [name, name, "fr"]);
    return select("map-region", { text: t.region }, t.all_regions, options, choice.region, (name) => {
      choice.region = name;
      changed(true);
    });
  }

  answers() {
    const { choice, changed, t } = this;
    if (this.questions.length === 0) return [];
    const lists = this.questions.map(({ name, title, labels, counts }) => {
      const options = [...labels].filter(([code]) => counts.has(code));
      const texts = options.map(([code, { text, lang }]) => [code, `${text} (${this.number(counts.get(code))})`, lang]);
      return select(answerId(name), title, t.any, texts, choice.answers.get(name) ?? "", (code) => {
        if (code) choice.answers.set(name, code);
        else choice.answers.delete(name);
        changed();
      });
    });
    const more = element(
      "details",
      { open: choice.answers.size > 0 },
      element("summary", { text: t.answers }),
      element("p", { class: "soft", text: t.answers_note }),
      element("div", { class: "fields" }, ...lists),
    );
    return [more];
  }

  clear() {
    Object.assign(this.choice, open());
    this.draw();
    this.element.querySelector("#map-text").focus();
    this.changed();
  }
}
