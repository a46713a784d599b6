// Queries that were run on this device. Nobody else sees them.

const KEY = "essaim-queries";
const MOST = 20;

/** The queries, newest first. A browser that keeps nothing has none. */
export function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((query) => typeof query === "string") : [];
  } catch {
    return [];
  }
}

function keep(queries) {
  try {
    if (queries.length === 0) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, JSON.stringify(queries));
  } catch {
    // A browser that keeps nothing, or that has no room left.
  }
}

/** Puts a query at the top. */
export function remember(query) {
  keep([query, ...recall().filter((known) => known !== query)].slice(0, MOST));
}

export function forget() {
  keep([]);
}
