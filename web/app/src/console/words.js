// What the console says, in both languages.

const WORDS = {
  at: ["ligne", "line"],
  at_column: ["colonne", "column"],
  cancel: ["Arrêter", "Stop"],
  cancelled: ["Requête arrêtée.", "Query stopped."],
  clear: ["Effacer l’historique", "Clear the history"],
  copied: ["Lien copié.", "Link copied."],
  copy: ["Copier le lien de cette requête", "Copy the link to this query"],
  download: ["Télécharger tout le résultat\u00a0:", "Download the whole result:"],
  empty: ["(vide)", "(empty)"],
  history: ["Historique (sur cet appareil seulement)", "History (on this device only)"],
  milliseconds: ["ms", "ms"],
  next: ["Suivantes", "Next"],
  no_server: [
    "Ce site est servi comme de simples fichiers\u00a0: aucune requête ne peut y être exécutée. Les mêmes tables s’interrogent chez vous, avec DuckDB\u00a0: voir ci-dessous.",
    "This site is served as plain files: no query can run here. The same tables can be queried on your machine, with DuckDB: see below.",
  ],
  of: ["sur", "of"],
  pages: ["Pages du résultat", "Pages of the result"],
  previous: ["Précédentes", "Previous"],
  query: ["Requête SQL", "SQL query"],
  read: ["Lu dans", "Read from"],
  result: ["Résultat", "Result"],
  row: ["ligne", "row"],
  rows: ["lignes", "rows"],
  run: ["Exécuter", "Run"],
  run_hint: ["Ctrl + Entrée exécute la requête.", "Ctrl + Enter runs the query."],
  running: ["La requête est en cours…", "The query is running…"],
  unreachable: ["Le serveur ne répond pas\u00a0:", "The server does not answer:"],
};

/** The words of a language, by key. */
export function words(language) {
  const at = language === "fr" ? 0 : 1;
  return Object.fromEntries(Object.entries(WORDS).map(([key, both]) => [key, both[at]]));
}
