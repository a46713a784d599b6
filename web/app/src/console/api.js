// The SQL of the server that the page came from, if it has one.

/** Forms that a result can be downloaded in, by the word that the server knows them by. */
export const FORMATS = [
  ["csv", "CSV"],
  ["parquet", "Parquet"],
  ["json", "JSON"],
  ["arrow", "Arrow"],
];

/** What went wrong, for the person who wrote the query. `kind`: `problem`, `none` (no server that runs SQL), `lost`. */
export class Refused extends Error {
  constructor(kind, problem = {}) {
    super(problem.detail ?? problem.title ?? kind);
    this.kind = kind;
    this.problem = problem;
  }
}

/** The address that answers a query. */
export function address(endpoint, query, format) {
  const url = new URL(endpoint, document.baseURI);
  url.search = new URLSearchParams({ q: query, format }).toString();
  return url.href;
}

/** A document whose whole numbers keep all their digits: those that no number holds become texts. */
function parsed(text) {
  const whole = (value) => typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return JSON.parse(text, (_, value, context) => (whole(value) ? (context?.source ?? value) : value));
}

/** Runs a query. `signal` stops it. */
export async function run(endpoint, query, signal) {
  let response;
  try {
    response = await fetch(address(endpoint, query, "json"), { signal, headers: { accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("lost", { detail: error.message });
  }
  const type = response.headers.get("content-type") ?? "";
  if (type.includes("problem+json")) throw new Refused("problem", await response.json());
  // A host of plain files answers with a page of its own.
  if (!type.includes("json")) throw new Refused(response.status >= 500 ? "lost" : "none", { detail: `${response.status}` });
  let answer;
  try {
    answer = parsed(await response.text());
  } catch (error) {
    if (error.name === "AbortError") throw error;
    // An answer that was cut off under way.
    throw new Refused("lost", { detail: error.message });
  }
  return table(response, answer);
}

/** The table in an answer. Another host may answer every address with a document of its own. */
export function table({ ok, status }, answer) {
  const { columns, rows, releases = [] } = answer ?? {};
  if (!ok || ![columns, rows, releases].every(Array.isArray)) {
    throw new Refused(status >= 500 ? "lost" : "none", { detail: `${status}` });
  }
  return { columns, rows, releases };
}
