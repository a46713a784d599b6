// The console: a query, its result, and a link that holds it.

import { button, element, numbers } from "../dom.js";
import { Refused, run } from "./api.js";
import { forget, recall, remember } from "./history.js";
import { position, shown } from "./problem.js";
import { Result } from "./result.js";
import { words } from "./words.js";

const START = "#q=";

/** The query that an address holds. */
export function asked(hash) {
  if (!hash.startsWith(START)) return null;
  try {
    return decodeURIComponent(hash.slice(START.length));
  } catch {
    return null;
  }
}

class Console {
  constructor(place) {
    const language = document.documentElement.lang;
    Object.assign(this, { place, t: words(language), number: numbers(language) });
    this.endpoint = place.dataset.console;
    this.result = new Result(this.t, this.number);
    this.text = element("textarea", {
      id: "console-query",
      rows: "8",
      spellcheck: "false",
      autocapitalize: "off",
      autocomplete: "off",
      "aria-describedby": "console-hint console-problem",
      on: { keydown: (event) => this.pressed(event) },
    });
    this.start = button(this.t.run, () => this.run(), { class: "main" });
    this.stop = button(this.t.cancel, () => this.running?.abort(), { disabled: true });
    this.status = element("p", { role: "status", class: "console-status" });
    this.problem = element("div", { role: "alert", id: "console-problem", class: "console-problem" });
    this.past = element("div", { class: "console-history" });
  }

  begin() {
    const { t } = this;
    this.place.append(
      element("label", { for: "console-query", text: t.query }),
      this.text,
      element("p", { class: "soft", id: "console-hint", text: t.run_hint }),
      element("p", { class: "actions" }, this.start, this.stop, button(t.copy, () => this.copy(), { class: "plain" })),
      this.problem,
      this.status,
      this.result.element,
      this.past,
    );
    this.place.dataset.script = "ready";
    this.place.hidden = false;
    this.lists();
    this.drawPast();
    addEventListener("hashchange", () => this.follow());
    if (!this.follow()) this.text.value = document.querySelector("[data-example]")?.textContent ?? "";
  }

  /** Examples and columns on the page become buttons. */
  lists() {
    for (const example of document.querySelectorAll("[data-example]")) {
      const use = button(example.dataset.example, () => this.use(example.textContent), { class: "plain" });
      example.closest("li").querySelector("[data-use]").replaceChildren(use);
    }
    for (const name of document.querySelectorAll("[data-insert]")) {
      const insert = button(name.textContent, () => this.insert(name.dataset.insert), { class: "name" });
      name.replaceChildren(insert);
    }
  }

  /** Runs the query of the address, if it holds one. */
  follow() {
    const query = asked(location.hash);
    if (query === null || query === this.address) return query !== null;
    this.text.value = query;
    this.run();
    return true;
  }

  use(query) {
    this.text.value = query;
    this.text.focus();
  }

  /** Puts a name where the cursor is. */
  insert(name) {
    this.text.focus();
    this.text.setRangeText(name, this.text.selectionStart, this.text.selectionEnd, "end");
  }

  pressed(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.run();
  }

  /** The address of the page with the query in it. */
  link(query) {
    this.address = query;
    history.replaceState(history.state, "", START + encodeURIComponent(query));
    return location.href;
  }

  async copy() {
    const link = this.link(this.text.value);
    try {
      await navigator.clipboard.writeText(link);
      this.status.textContent = this.t.copied;
    } catch {
      // A browser that gives no clipboard: the address bar holds the link.
      this.status.replaceChildren(element("a", { href: link, text: link }));
    }
  }

  async run() {
    const { t } = this;
    const query = this.text.value;
    if (!query.trim()) return;
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.stop.disabled = false;
    this.problem.replaceChildren();
    this.text.removeAttribute("aria-invalid");
    this.status.textContent = t.running;
    this.result.clear();
    this.link(query);
    const started = performance.now();
    try {
      const table = await run(this.endpoint, query, running.signal);
      const source = { endpoint: this.endpoint, query, stem: this.place.dataset.stem };
      const { count } = this.result.show(table, Math.round(performance.now() - started), source);
      this.status.textContent = count;
      remember(query);
      this.drawPast();
    } catch (error) {
      // A query that another one took the place of has nothing to say.
      if (this.running === running) this.failed(query, error);
    } finally {
      if (this.running === running) {
        this.running = undefined;
        this.stop.disabled = true;
      }
    }
  }

  failed(query, error) {
    const { t } = this;
    this.status.textContent = "";
    if (error.name === "AbortError") {
      this.status.textContent = t.cancelled;
    } else if (error instanceof Refused && error.kind === "problem") {
      this.problem.replaceChildren(...shown(query, error.problem, t));
      this.text.setAttribute("aria-invalid", "true");
      const { line, column } = error.problem;
      if (line && column) {
        const at = position(query, { line, column });
        this.text.focus();
        this.text.setSelectionRange(at, at);
      }
    } else if (error instanceof Refused && error.kind === "none") {
      this.problem.append(element("p", { text: t.no_server }));
    } else if (error instanceof Refused) {
      this.problem.append(element("p", { text: `${t.unreachable} ${error.message}` }));
    } else {
      throw error;
    }
  }

  /** The queries that were run before. */
  drawPast() {
    const { t } = this;
    const queries = recall();
    this.past.hidden = queries.length === 0;
    const open = this.past.querySelector("details")?.open ?? false;
    const row = (query) => element("li", {}, button(query, () => this.use(query), { class: "query" }));
    this.past.replaceChildren(
      element(
        "details",
        { open },
        element("summary", { text: t.history }),
        element("ul", {}, ...queries.map(row)),
        button(t.clear, () => {
          forget();
          this.drawPast();
          this.text.focus();
        }),
      ),
    );
  }
}

/** Starts the console in its place. */
export async function start(place) {
  new Console(place).begin();
}
