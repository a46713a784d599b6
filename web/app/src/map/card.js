// The card of one place: what is published of it.

import { button, element } from "../dom.js";

/** Columns that say how a position was found, or that another column says in words. */
const QUIET = new Set(["longitude", "latitude", "position_origine", "code_departement", "code_region"]);
const quiet = (name) => QUIET.has(name) || name.startsWith("lieu_");

/** The columns of a place that say something, with what they say. */
export function told(places, place) {
  const layer = places.layerOf(place);
  const row = places.rows[place];
  const full = (cell) => !(cell === null || cell === undefined || cell === "" || (Array.isArray(cell) && cell.length === 0));
  // The name is the title, and the kind stands below it.
  const said = (name) => name === layer.name || name === layer.kind?.name;
  const columns = layer.columns.filter(({ name }) => !said(name) && !quiet(name) && full(row[name]));
  return columns.map((column) => [column, row[column.name]]);
}

export class Card {
  constructor(places, { t, number, language, close, closer, address }) {
    Object.assign(this, { places, t, number, language, close, closer, address });
    this.element = element("section", {
      class: "map-card",
      "aria-labelledby": "map-card",
      hidden: true,
      on: {
        keydown: (event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          this.close();
        },
      },
    });
  }

  /** A cell in words. */
  value({ labels, uri, type }, cell) {
    if (Array.isArray(cell)) {
      return element("ul", {}, ...cell.map((one) => element("li", {}, this.value({ labels, uri }, one))));
    }
    const label = labels?.get(cell);
    if (label) return element("span", label);
    if (typeof cell === "boolean") return cell ? this.t.yes : this.t.no;
    if (uri && /^https?:\/\//.test(cell)) return element("a", { href: cell, rel: "noopener noreferrer", text: cell });
    if (type === "date") return element("time", { datetime: cell, text: cell });
    return element("span", { lang: "fr", text: typeof cell === "number" ? this.number(cell) : String(cell) });
  }

  show(place) {
    const { places, t } = this;
    const kind = places.kind[place];
    const { text, lang } = places.kinds[kind];
    const title = element("h3", { id: "map-card", tabindex: "-1", lang: "fr", text: places.name(place) });
    const rows = told(places, place).flatMap(([column, cell]) => [
      element("dt", column.title),
      element("dd", {}, this.value(column, cell)),
    ]);
    const approximate = places.rows[place].position_origine === "centre_commune";
    this.element.replaceChildren(
      button(t.close, () => this.close(), { class: "close" }),
      title,
      element("p", { class: "soft" }, element("span", { class: `dot ${"abcd"[kind % 4]}` }), element("span", { lang, text })),
      ...(approximate ? [element("p", { class: "soft", text: t.approximate })] : []),
      element("dl", {}, ...rows),
      element(
        "p",
        { class: "actions" },
        button(t.go_closer, () => this.closer(place), { class: "plain" }),
        element("a", { href: this.address(place), text: t.link }),
      ),
    );
    this.element.hidden = false;
    return title;
  }

  hide() {
    this.element.hidden = true;
    this.element.replaceChildren();
  }
}
