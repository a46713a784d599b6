// The list beside the map: the places in view, or those of one spot, a page at a time.

import { button, element } from "../dom.js";

const PAGE = 20;

export class List {
  constructor(places, { t, number, choose, back }) {
    Object.assign(this, { places, t, number, choose, back });
    this.shown = [];
    this.page = 0;
    /** Whether the list holds the places of one spot, whatever the map shows. */
    this.pinned = false;
    this.title = element("h3", { tabindex: "-1", id: "map-list" });
    this.rows = element("ol", { on: { keydown: (event) => this.move(event) } });
    this.none = element("p", { class: "soft", text: t.none });
    this.pages = element("nav", { class: "pages", "aria-label": t.pages });
    this.element = element("section", { class: "map-list", "aria-labelledby": "map-list" });
    this.element.append(this.title, this.none, this.rows, this.pages);
  }

  /** Shows the places in view; a list of one spot stays until it is left. */
  follow(visible) {
    if (!this.pinned) this.show(visible);
  }

  /** Shows the places of one spot. */
  pin(places) {
    this.pinned = true;
    this.show(places);
    this.title.focus();
  }

  unpin() {
    this.pinned = false;
  }

  show(shown) {
    const same = shown.length === this.shown.length && shown.every((place, at) => place === this.shown[at]);
    if (same && this.drawn === this.pinned) return;
    this.shown = shown;
    this.page = 0;
    this.draw();
  }

  draw() {
    const { t, number, shown, page, places } = this;
    this.drawn = this.pinned;
    const first = page * PAGE;
    const part = shown.slice(first, first + PAGE);
    this.title.textContent = `${this.pinned ? t.here : t.visible} (${number(shown.length)})`;
    this.none.hidden = part.length > 0;
    this.rows.start = first + 1;
    const row = (place) => {
      const dot = element("span", { class: `dot ${"abcd"[places.kind[place] % 4]}` });
      const name = element("span", { lang: "fr", text: places.name(place) });
      const where = element("span", { class: "soft", lang: "fr", text: places.where(place) });
      const open = () => this.choose(place);
      const face = element("button", { type: "button", "data-place": place, on: { click: open } }, dot, name, " ", where);
      return element("li", {}, face);
    };
    this.rows.replaceChildren(...part.map(row));
    this.turn(first, part.length);
  }

  /** The buttons to other pages. */
  turn(first, length) {
    const { t, number, shown } = this;
    const buttons = [];
    if (this.pinned) buttons.push(button(t.back, () => this.back(), { class: "plain" }));
    if (shown.length > PAGE) {
      const go = (step) => () => {
        this.page += step;
        this.draw();
        this.title.focus();
      };
      const range = `${number(first + 1)}–${number(first + length)} ${t.of} ${number(shown.length)}`;
      buttons.push(button(t.previous, go(-1), { disabled: this.page === 0 }));
      buttons.push(element("span", { class: "soft", text: range }));
      buttons.push(button(t.next, go(1), { disabled: first + PAGE >= shown.length }));
    }
    this.pages.replaceChildren(...buttons);
    this.pages.hidden = buttons.length === 0;
  }

  /** Up and down lead from place to place. */
  move(event) {
    const buttons = [...this.rows.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    buttons[next]?.focus();
  }

  /** Gives the focus back to a place of the list, or to its title. */
  focus(place) {
    (this.rows.querySelector(`[data-place="${place}"]`) ?? this.title).focus();
  }
}
