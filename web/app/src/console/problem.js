// A mistake in a query, shown as the compiler of the program does: the line, a caret below it, the message, a help.

import { element } from "../dom.js";

/** The line of a query that a problem points at, with a caret below its column; none when it points nowhere. */
export function pointed(query, { line, column, length = 1 }) {
  const text = query.split("\n")[line - 1];
  if (text === undefined || !(column >= 1)) return null;
  const before = [...text].slice(0, column - 1);
  // A tab stays a tab, so that the caret stands below its letter.
  const blank = before.map((letter) => (letter === "\t" ? "\t" : " ")).join("");
  const width = Math.max(1, Math.min(length, [...text].length - column + 1));
  return `${text}\n${blank}${"^".repeat(width)}`;
}

/** The position in a text of a line and column, both from one. */
export function position(query, { line, column }) {
  const lines = query.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const letters = [...(lines[line - 1] ?? "")].slice(0, column - 1).join("");
  return before + letters.length;
}

/** What is shown of one mistake. */
function mistake(query, { message, label, help, ...place }, t) {
  const caret = pointed(query, place);
  const where = caret ? ` (${t.at} ${place.line}, ${t.at_column} ${place.column})` : "";
  return [
    element("p", {}, element("strong", { lang: "en", text: message }), where),
    caret ? element("pre", { tabindex: "0", text: label ? `${caret} ${label}` : caret }) : null,
    help ? element("p", { lang: "en", text: help }) : null,
  ].filter(Boolean);
}

/** What is shown of a refusal: all mistakes of the query, or why it was not run. */
export function shown(query, refusal, t) {
  const { problems = [], detail, title, ...rest } = refusal;
  const mistakes = problems.length > 0 ? problems : [{ ...rest, message: detail ?? title }];
  return mistakes.flatMap((one) => mistake(query, one, t));
}
