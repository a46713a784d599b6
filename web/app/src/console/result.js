// A result as a table, a page at a time.

import { button, element } from "../dom.js";
import { address, FORMATS } from "./api.js";

const PAGE = 50;

/** Types whose cells stand to the right. */
const NUMERIC = new Set(["integer", "number"]);

/** A cell as text. */
export function spelled(cell) {
  if (cell === null || cell === undefined) return "";
  return typeof cell === "object" ? JSON.stringify(cell) : String(cell);
}

export class Result {
  constructor(t, number) {
    Object.assign(this, { t, number });
    this.element = element("section", { class: "console-result", "aria-labelledby": "console-result", hidden: true });
  }

  clear() {
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  /** Shows what a query gave. */
  show({ columns, rows, releases }, milliseconds, { endpoint, query, stem }) {
    const { t, number } = this;
    Object.assign(this, { columns, rows, page: 0 });
    const count = `${number(rows.length)} ${rows.length === 1 ? t.row : t.rows}`;
    const title = element("h2", { id: "console-result", tabindex: "-1", text: t.result });
    this.body = element("tbody", { lang: "fr" });
    const head = columns.map((column) =>
      element("th", { scope: "col", class: this.is_number(column) && "number" }, element("code", { text: column.name })),
    );
    const table = element(
      "table",
      {},
      element("caption", { id: "console-caption", text: `${count}, ${number(milliseconds)} ${t.milliseconds}` }),
      element("thead", {}, element("tr", {}, ...head)),
      this.body,
    );
    const downloads = FORMATS.flatMap(([format, name]) => [
      " ",
      element("a", { href: address(endpoint, query, format), download: `${stem}.${format}`, text: name }),
    ]);
    const read = releases.map(({ dataset, release }) => `${dataset}@${release}`);
    this.pages = element("nav", { class: "pages", "aria-label": t.pages });
    this.element.replaceChildren(
      title,
      element("p", {}, t.download, ...downloads),
      element("p", { class: "soft", text: read.length > 0 ? `${t.read} ${read.join(", ")}` : "" }),
      element(
        "div",
        { class: "scroll", role: "region", "aria-labelledby": "console-caption", tabindex: "0" },
        table,
      ),
      this.pages,
    );
    this.element.hidden = false;
    this.draw();
    return { title, count };
  }

  is_number({ type }) {
    return NUMERIC.has(type);
  }

  draw() {
    const { t, number, rows, columns, page } = this;
    const first = page * PAGE;
    const part = rows.slice(first, first + PAGE);
    const cell = (value, at) => {
      const attributes = { class: this.is_number(columns[at]) && "number" };
      return value === null || value === undefined
        ? element("td", { ...attributes, class: "soft" }, element("span", { "aria-label": t.empty, role: "img", text: "–" }))
        : element("td", { ...attributes, text: spelled(value) });
    };
    this.body.replaceChildren(...part.map((row) => element("tr", {}, ...row.map(cell))));
    const go = (step) => () => {
      this.page += step;
      this.draw();
      this.element.querySelector("h2").focus();
    };
    const range = `${number(first + 1)}–${number(first + part.length)} ${t.of} ${number(rows.length)}`;
    this.pages.replaceChildren(
      button(t.previous, go(-1), { disabled: page === 0 }),
      element("span", { class: "soft", text: range }),
      button(t.next, go(1), { disabled: first + PAGE >= rows.length }),
    );
    this.pages.hidden = rows.length <= PAGE;
  }
}
