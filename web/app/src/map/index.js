// The map of a dataset, in place of the drawn one.

import { button, element, numbers, settled } from "../dom.js";
import { unpacked } from "../outlines.js";
import { Card } from "./card.js";
import { load } from "./data.js";
import { chosen, Filters, open } from "./filters.js";
import { read, written } from "./link.js";
import { List } from "./list.js";
import { PARTS, View } from "./view.js";
import { words } from "./words.js";

/** The layers that the legend of the drawn map names. */
function named(section) {
  return [...section.querySelectorAll("[data-layer]")].map((item) => ({
    table: item.dataset.layer,
    title: item.querySelector("[lang]").textContent,
    url: new URL(item.dataset.places, document.baseURI).href,
  }));
}

/** All parts of the map and what they tell each other. */
class App {
  constructor(section, places, language) {
    Object.assign(this, { section, places, language, t: words(language), number: numbers(language) });
    this.choice = open();
    const { t, number } = this;
    this.canvas = element("div", { class: "map-canvas", role: "application", "aria-label": t.map, "aria-describedby": "map-help" });
    this.status = element("p", { class: "map-status", role: "status" });
    this.list = new List(places, {
      t,
      number,
      choose: (place) => this.show(place, () => this.list.focus(place)),
      back: () => {
        this.list.unpin();
        this.moved();
        this.list.title.focus();
      },
    });
    this.card = new Card(places, {
      t,
      number,
      language,
      close: () => this.close(),
      closer: (place) => this.view.closer(place),
      address: (place) => written({ view: this.view.get(), choice: this.choice, open: places.address(place) }),
    });
    this.filters = new Filters(places, this.choice, { t, number, changed: (goes) => this.filter(goes) });
    this.element = this.layout();
  }

  layout() {
    const { t } = this;
    const parts = Object.keys(PARTS).map((name) => button(name, () => this.view.part(name), { lang: "fr" }));
    const icon = (sign, label, heard) => button(sign, heard, { "aria-label": label, title: label });
    const tools = element(
      "div",
      { class: "map-tools", role: "group", "aria-label": t.controls },
      icon("+", t.in, () => this.view.zoom(1)),
      icon("−", t.out, () => this.view.zoom(-1)),
      icon("↑", t.up, () => this.view.pan(0, -1)),
      icon("↓", t.down, () => this.view.pan(0, 1)),
      icon("←", t.left, () => this.view.pan(-1, 0)),
      icon("→", t.right, () => this.view.pan(1, 0)),
    );
    const touch = matchMedia("(pointer: coarse)").matches;
    return element(
      "div",
      { class: "map-app" },
      this.filters.element,
      element(
        "div",
        { class: "map-parts", role: "group", "aria-label": t.go_to },
        button(t.all, () => this.view.fit(this.left)),
        ...parts,
      ),
      element(
        "div",
        { class: "map-split" },
        element("div", { class: "map-frame" }, this.canvas, tools),
        element("div", { class: "map-side" }, this.card.element, this.list.element),
      ),
      this.status,
      element("p", { class: "soft", id: "map-help", text: touch ? t.help_touch : t.help_mouse }),
      // The drawn map says so too, and is hidden where there is script.
      element("p", { class: "soft", text: t.outlines }),
    );
  }

  /** Puts the map on the page, at what the address asks for. */
  begin(outlines) {
    // Where the drawn map stands, which is hidden from now on.
    this.section.querySelector("figure").before(this.element);
    this.section.dataset.script = "ready";
    this.canvas.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
    for (const use of ["pointerdown", "keydown", "wheel", "click", "change"]) {
      this.element.addEventListener(use, () => (this.used = true), { capture: true, passive: true });
    }
    this.view = new View(this.canvas, this.places, {
      moved: settled(80, () => this.moved()),
      place: (place) => this.show(place, () => this.canvas.focus()),
      spot: (places) => this.list.pin(places),
    });
    const asked = read(location.hash);
    this.take(asked);
    this.left = chosen(this.places, this.choice);
    if (asked.view) this.view.set(asked.view);
    else this.view.part("Métropole");
    this.view.outline(outlines);
    this.view.show(this.left);
    // A dataset of another part of the world would open on an empty list.
    if (!asked.view && this.view.visible().length === 0) this.view.fit(this.left);
    this.moved();
    if (asked.open) this.reopen(asked.open);
    addEventListener("hashchange", () => this.follow());
  }

  take({ choice }) {
    Object.assign(this.choice, choice);
    this.filters.draw();
  }

  /** Goes where another address leads. */
  follow() {
    if (!location.hash.startsWith("#map?")) return;
    const asked = read(location.hash);
    this.take(asked);
    this.filter(false);
    if (asked.view) this.view.set(asked.view);
    if (asked.open) this.reopen(asked.open);
  }

  reopen(address) {
    const place = this.places.find(address);
    if (place !== undefined) this.show(place, () => this.list.focus(place));
  }

  /** Shows what the filters leave; `goes` moves the map there. */
  filter(goes) {
    this.left = chosen(this.places, this.choice);
    this.list.unpin();
    this.view.show(this.left);
    if (goes && this.choice.region) this.view.fit(this.left);
    this.moved();
  }

  moved() {
    const { t, number, places, left } = this;
    const visible = this.view.visible();
    this.list.follow(visible);
    const word = left.length === 1 || (left.length === 0 && this.language === "fr") ? t.place : t.places;
    const among = `${number(left.length)} ${word} ${t.of} ${number(places.length)}`;
    const counts = `${among}, ${number(visible.length)} ${t.in_view}`;
    const nowhere = places.nowhere > 0 ? ` (${number(places.nowhere)} ${t.nowhere})` : "";
    this.status.textContent = counts + nowhere;
    this.remember();
  }

  /** Keeps the address of the page in step, once somebody used the map. */
  remember() {
    const { choice } = this;
    const open = this.view.open === undefined ? null : this.places.address(this.view.open);
    const address = written({ view: this.view.get(), choice, open });
    // What everybody gets needs no address.
    if (this.used || location.hash.startsWith("#map?")) history.replaceState(history.state, "", address);
  }

  /** Opens the card of a place. `back` gives the focus back when it closes. */
  show(place, back) {
    this.back = back;
    const title = this.card.show(place);
    this.view.choose(place);
    title.focus();
    this.remember();
  }

  close() {
    if (this.view.open === undefined) return;
    this.card.hide();
    this.view.choose(undefined);
    this.remember();
    this.back?.();
  }
}

/** Starts the map in its section. */
export async function start(section, beside) {
  const language = document.documentElement.lang;
  const t = words(language);
  const note = element("p", { class: "soft", role: "status", text: t.loading });
  section.querySelector("figure").before(note);
  let app;
  try {
    const outlines = fetch(beside(OUTLINES)).then((response) => response.json());
    const packageUrl = new URL(section.dataset.map, document.baseURI).href;
    const places = await load(named(section), packageUrl, language);
    app = new App(section, places, language);
    app.begin(unpacked(await outlines));
    performance.mark("essaim-map");
    note.remove();
  } catch (error) {
    app?.element.remove();
    note.textContent = t.failed;
    throw error;
  }
}
