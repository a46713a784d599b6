//! Every word of the pages, in both languages. A key that a template uses and this table has not is an error, and a test
//! finds a key that no template uses.

use std::collections::BTreeMap;

use super::words::Language;

/// Key, French, English.
const TEXTS: &[[&str; 3]] = &[
    ["accepted", "acceptées par décision", "accepted by decision"],
    ["added", "Ajoutées", "Added"],
    ["all_releases", "Toutes les versions, pour les machines\u{A0}:", "All releases, for machines:"],
    ["base_is", "La base de chaque chiffre est à côté de lui.", "Each figure has its base beside it."],
    ["breaks", "Incompatible avec la version précédente.", "Not compatible with the release before."],
    ["by_cause", "Changements par cause", "Changes by cause"],
    ["by_table", "Tables qui ont changé", "Tables that changed"],
    ["catalogue", "Données ouvertes", "Open data"],
    [
        "catalogue_lead",
        "Jeux de données versionnés, avec leur dictionnaire, leurs contrôles et leur provenance.",
        "Versioned datasets, each with its dictionary, its checks and where it comes from.",
    ],
    ["cause", "Cause", "Cause"],
    ["changed", "Modifiées", "Changed"],
    ["changes", "Changements", "Changes"],
    ["changes_rows", "Changements ligne par ligne", "Changes row by row"],
    ["changes_rows_lead", "une page (en français), et les fichiers", "a page (in French), and the files"],
    ["changes_since", "Ce qui a changé depuis la version précédente", "What changed since the release before"],
    ["changes_since_one", "Ce qui a changé depuis la version", "What changed since release"],
    [
        "changes_unknown",
        "Les changements de cette version n’ont pas été comptés.",
        "The changes of this release were not counted.",
    ],
    ["check", "Contrôle", "Check"],
    ["checks", "Contrôles", "Checks"],
    ["checks_all", "Tous les contrôles passent.", "Every check passes."],
    ["checks_by_table", "Contrôles par table", "Checks by table"],
    ["checks_failed", "Contrôles qui ne passent pas", "Checks that fail"],
    ["citation", "Citation", "Citation"],
    ["cite", "Citer ces données", "Cite this data"],
    ["cite_release", "Citer cette version", "Cite this release"],
    ["colon", "\u{A0}: ", ": "],
    ["columns", "colonnes", "columns"],
    ["contact", "Contact", "Contact"],
    [
        "contact_lead",
        "Une question, une erreur, une donnée à retirer\u{A0}:",
        "A question, a mistake, something to be taken out:",
    ],
    ["contract", "structure des données", "structure of the data"],
    ["contract_changes", "Changements de structure", "Changes of structure"],
    ["corrections", "Corrections automatiques", "Automatic corrections"],
    ["current", "actuelle", "current"],
    ["dataset_kind", "Jeu de données", "Dataset"],
    ["datasets", "Jeux de données", "Datasets"],
    ["day_of", "du", "of"],
    ["dictionary", "Dictionnaire des données", "Data dictionary"],
    [
        "dictionary_lead",
        "ce que veut dire chaque table et chaque colonne (en français)",
        "what each table and column means (in French)",
    ],
    ["download", "Télécharger", "Download"],
    ["downloads", "Téléchargements", "Downloads"],
    ["drawing_language", "", "The drawings are in French; the table beside each says the same."],
    ["erased", "réécrite", "rewritten"],
    ["erased_as", "remplacée par", "replaced by"],
    ["failing_rows", "Lignes", "Rows"],
    ["failures", "Échecs depuis", "Failures since"],
    ["fetched", "Reçue le", "Fetched"],
    ["figure_of", "Dessin de", "Drawing of"],
    [
        "figure_same",
        "les mêmes nombres sont dans le tableau qui suit",
        "the same numbers are in the table that follows",
    ],
    ["figures", "Figures", "Figures"],
    ["file", "Fichier", "File"],
    ["files", "Fichiers", "Files"],
    [
        "files_erased",
        "Un enregistrement a été effacé de cette version à la demande d’une personne\u{A0}: ses fichiers ont été réécrits sous un autre nom et ne sont plus diffusés ici.",
        "A record was erased from this release on request: its files were written again under another name and are no longer offered here.",
    ],
    [
        "files_lead",
        "Ces fichiers ne changent jamais. Chaque empreinte permet de vérifier une copie.",
        "These files never change. Each digest lets you verify a copy.",
    ],
    [
        "files_withdrawn",
        "Les fichiers de cette version ne sont plus diffusés. Cette page reste, pour celles et ceux qui l’ont citée ou téléchargée.",
        "The files of this release are no longer offered. This page stays for those who cited or downloaded it.",
    ],
    [
        "first_release",
        "C’est la première version publiée\u{A0}: il n’y a rien à comparer.",
        "This is the first release: there is nothing to compare it with.",
    ],
    ["first_rows", "Premières lignes", "First rows"],
    ["follow", "Pour être averti des nouvelles versions\u{A0}:", "To be told of new releases:"],
    [
        "follow_all",
        "Pour être averti des nouvelles versions de tous les jeux de données\u{A0}:",
        "To be told of new releases of all datasets:",
    ],
    ["format_csv", "CSV", "CSV"],
    ["format_excel", "CSV pour tableur français", "CSV for French spreadsheets"],
    ["format_geojson", "GeoJSON", "GeoJSON"],
    ["format_parquet", "Parquet", "Parquet"],
    ["format_png", "PNG", "PNG"],
    ["format_svg", "SVG", "SVG"],
    ["freshness", "Fraîcheur", "Freshness"],
    ["gate", "Décision de publication", "Decision to publish"],
    ["gate_held", "Bornes respectées", "Bounds that hold"],
    [
        "gate_lead",
        "Avant d’être publiée, une version est comparée à la précédente.",
        "Before it is published, a release is compared with the one before.",
    ],
    ["harvest", "Pour les moissonneurs (DCAT-AP)\u{A0}:", "For harvesters (DCAT-AP):"],
    ["in_base", "sur", "of"],
    ["instead", "À utiliser à la place", "Use instead"],
    ["intact", "Vérifier les fichiers téléchargés\u{A0}:", "To verify downloaded files:"],
    ["is_erased", "Version réécrite", "Release rewritten"],
    ["is_withdrawn", "Version retirée", "Release withdrawn"],
    ["issued", "Publiée le", "Issued"],
    ["key_figures", "Chiffres clés", "Key figures"],
    ["label", "Libellé", "Label"],
    ["last_change", "Dernier changement", "Last change"],
    ["last_success", "Dernière réussite", "Last success"],
    ["latest_by", "par", "by"],
    [
        "latest_lead",
        "Les adresses ci-dessous sont celles de cette version, qui ne change pas. Pour suivre la version actuelle, remplacez",
        "The addresses below are those of this release, which does not change. To follow the current one, replace",
    ],
    ["licence", "Licence", "Licence"],
    ["manifest", "Manifeste", "Manifest"],
    [
        "manifest_lead",
        "chaque fichier avec son empreinte, chaque source, chaque contrôle",
        "every file with its digest, every source, every check",
    ],
    ["map", "Carte", "Map"],
    [
        "map_alt",
        "Carte de France\u{A0}: un point par lieu publié. Le tableau qui suit les compte par région.",
        "Map of France: a dot for each published place. The table that follows counts them by region.",
    ],
    ["map_elsewhere", "sans position, ou hors de la carte", "without a position, or off the map"],
    [
        "map_frames",
        "Encarts, de haut en bas\u{A0}: Guadeloupe, Martinique, Guyane, La Réunion, Mayotte. Contours\u{A0}: IGN, Admin Express, Licence Ouverte 2.0.",
        "Insets from top to bottom: Guadeloupe, Martinique, Guyane, La Réunion, Mayotte. Outlines: IGN, Admin Express, Licence Ouverte 2.0.",
    ],
    ["map_places", "lieux sur la carte", "places on the map"],
    ["map_regions", "Lieux par région", "Places by region"],
    ["media_type", "Type", "Type"],
    ["more_releases", "versions plus anciennes sont dans releases.json", "older releases are in releases.json"],
    ["moved", "Origine des changements", "Where the changes come from"],
    ["never", "jamais", "never"],
    ["newer", "il existe une version plus récente, sur", "there is a newer one, on"],
    [
        "no_script",
        "Les pages de ce site n’ont pas de script\u{A0}: le programme a été construit sans Node.",
        "The pages of this site have no script: the program was built without Node.",
    ],
    ["none_published", "Aucune version n’est publiée actuellement.", "No release is published at present."],
    ["none_yet", "Aucun jeu de données n’est encore publié.", "No dataset has been published yet."],
    ["not_apart", "Ces causes n’ont pas pu être séparées.", "These causes could not be told apart."],
    [
        "nothing_before",
        "Aucune version visible ne la précédait\u{A0}: il n’y a rien à comparer.",
        "No visible release came before it: there is nothing to compare it with.",
    ],
    ["notice", "Avis de retrait, pour les machines", "Notice, for machines"],
    ["number", "Nombre", "Number"],
    ["of_dataset", "le jeu de données", "the dataset"],
    ["on", "le", "on"],
    ["on_this_page", "Sur cette page", "On this page"],
    ["only_language", "", "Titles, descriptions and reasons are in French, as they were published."],
    ["other_files", "Autres fichiers", "Other files"],
    ["other_language", "English", "Français"],
    ["other_tag", "en", "fr"],
    ["outcome", "Réussis", "Passed"],
    ["part_name", "Partie", "Part"],
    ["provenance", "Provenance", "Where it comes from"],
    ["published", "publiée", "published"],
    ["publisher", "Producteur", "Publisher"],
    ["python", "Python (pandas, pyarrow, geopandas)", "Python (pandas, pyarrow, geopandas)"],
    [
        "qgis",
        "QGIS\u{A0}: Couche, Ajouter une couche, Ajouter une couche vecteur, protocole HTTP(S), adresse\u{A0}:",
        "QGIS: Layer, Add Layer, Add Vector Layer, protocol HTTP(S), address:",
    ],
    ["quality", "Qualité", "Quality"],
    ["read", "Lignes lues", "Rows read"],
    ["reason", "Motif", "Reason"],
    ["region", "Région", "Region"],
    ["rejects", "Lignes rejetées", "Rows rejected"],
    ["rejects_lead", "Ce qui a été lu, rejeté et corrigé", "What was read, rejected and corrected"],
    ["release", "Version", "Release"],
    ["releases", "Versions", "Releases"],
    ["removed", "Retirées", "Removed"],
    ["rewritten", "Cette version remplace la version", "This release stands in for release"],
    ["rows", "lignes", "rows"],
    ["rows_after", "Lignes après", "Rows after"],
    ["rows_before", "Lignes avant", "Rows before"],
    ["secret", "retenu", "withheld"],
    ["secret_rows", "lignes dont les nombres sont retenus", "rows with withheld numbers"],
    ["share", "Part", "Share"],
    ["shown_above", "Toutes ses lignes sont à côté de sa figure.", "All of its rows are beside its figure."],
    ["size", "Taille", "Size"],
    ["skip", "Aller au contenu", "Skip to content"],
    ["source", "Source", "Source"],
    [
        "sources_held",
        "Réponses plus anciennes que la dernière tentative\u{A0}:",
        "Answers older than the last attempt:",
    ],
    [
        "spreadsheet",
        "Tableur (Excel ou LibreOffice en français)\u{A0}: téléchargez ce fichier et ouvrez-le.",
        "Spreadsheet (Excel or LibreOffice; semicolons and decimal commas, as in French): download this file and open it.",
    ],
    ["sql", "Interroger en SQL", "Query in SQL"],
    ["sql_column", "Colonne", "Column"],
    ["sql_columns", "Colonnes de", "Columns of"],
    [
        "sql_curl",
        "Si ce site est servi par «\u{A0}essaim serve\u{A0}», son adresse /sql répond en JSON, CSV, Parquet ou Arrow.",
        "If this site is served by “essaim serve”, its address /sql answers in JSON, CSV, Parquet or Arrow.",
    ],
    [
        "sql_duckdb",
        "Sans rien demander à un serveur, DuckDB lit les fichiers publiés.",
        "With nothing to ask of a server, DuckDB reads the published files.",
    ],
    ["sql_elsewhere", "Depuis vos outils", "From your own tools"],
    ["sql_example_figures", "Les chiffres clés", "The key figures"],
    ["sql_example_regions", "Lieux par région", "Places by region"],
    ["sql_example_release", "Une version précise", "A given release"],
    ["sql_example_rows", "Les premières lignes", "The first rows"],
    ["sql_examples", "Exemples", "Examples"],
    [
        "sql_lead",
        "Chaque table publiée peut être interrogée, dans sa version actuelle ou dans une version précise. La lecture seule est permise.",
        "Every published table can be queried, as it is now or as a given release has it. Reading is all that is allowed.",
    ],
    ["sql_link", "exemples, tables et colonnes", "examples, tables and columns"],
    ["sql_names", "La version actuelle d’une table s’appelle", "The current version of a table is called"],
    ["sql_pinned", "Dans une version précise, elle s’appelle", "In a given release it is called"],
    [
        "sql_psql",
        "Si ce site est servi par «\u{A0}essaim serve --pg\u{A0}», psql, R ou un tableur s’y connectent comme à PostgreSQL.",
        "If this site is served by “essaim serve --pg”, psql, R or a spreadsheet connect as to PostgreSQL.",
    ],
    ["sql_tables", "Tables et colonnes", "Tables and columns"],
    ["sql_type", "Type", "Type"],
    ["state", "État", "State"],
    ["step_after", "Suivante\u{A0}:", "Next:"],
    ["step_all", "Toutes les versions", "All releases"],
    ["step_before", "Précédente\u{A0}:", "Before:"],
    ["synthetic", "Données synthétiques\u{A0}: aucune structure réelle.", "Synthetic data: no real organisation."],
    ["synthetic_mark", "données synthétiques", "synthetic data"],
    [
        "synthetic_some",
        "Les jeux de données marqués «\u{A0}données synthétiques\u{A0}» sont inventés\u{A0}: aucune structure réelle.",
        "Datasets marked “synthetic data” are made up: no real organisation.",
    ],
    ["table", "Table", "Table"],
    ["tables", "Tables et fichiers", "Tables and files"],
    ["tables_word", "tables", "tables"],
    ["the_page", "la page du jeu de données", "the page of the dataset"],
    ["unfit", "Cellules illisibles", "Cells that do not fit"],
    ["use", "Utiliser ces données", "Use this data"],
    ["withdrawn", "retirée", "withdrawn"],
];

/// The words of a language by key.
pub(super) fn of(language: Language) -> BTreeMap<&'static str, &'static str> {
    let word = |[key, french, english]: &[&'static str; 3]| match language {
        Language::French => (*key, *french),
        Language::English => (*key, *english),
    };
    TEXTS.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn every_word_is_used_and_said_once() {
        let used = Regex::new(r"\bt\.([a-z_]+)").unwrap();
        let templates: String = crate::publish::site::page::TEMPLATES.iter().map(|(_, text)| *text).collect();
        let mut wanted: Vec<&str> =
            used.captures_iter(&templates).filter_map(|found| found.get(1)).map(|key| key.as_str()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        // Looked up by a value: states of releases, formats of files, examples of queries.
        let looked_up = |key: &str| {
            let families = ["format_", "sql_example_"];
            families.iter().any(|family| key.starts_with(family))
                || ["current", "published", "withdrawn", "erased"].contains(&key)
        };
        let mut said: Vec<&str> = TEXTS.iter().map(|[key, ..]| *key).collect();
        said.sort_unstable();
        let doubled: Vec<_> = said.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(doubled.is_empty(), "{doubled:?}");
        let unsaid: Vec<_> = wanted.iter().filter(|key| !said.contains(key)).collect();
        assert!(unsaid.is_empty(), "not in the table: {unsaid:?}");
        let unused: Vec<_> = said.iter().filter(|key| !wanted.contains(key) && !looked_up(key)).collect();
        assert!(unused.is_empty(), "in no template: {unused:?}");
    }
}
