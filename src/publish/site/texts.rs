//! Every word of the pages, in both languages. A key that a template uses and this table has not is an error, and a test
//! finds a key that no template uses.

use std::collections::BTreeMap;

use super::words::Language;

/// Key, French, English.
const TEXTS: &[[&str; 3]] = &[
    ["accepted", "acceptées par décision", "accepted by decision"],
    ["all_releases", "Toutes les versions, pour les machines :", "All releases, for machines:"],
    ["base_is", "La base de chaque chiffre est à côté de lui.", "Each figure has its base beside it."],
    ["because", "motif :", "reason:"],
    ["catalogue", "Données ouvertes", "Open data"],
    [
        "catalogue_lead",
        "Jeux de données versionnés, avec leur dictionnaire, leurs contrôles et leur provenance.",
        "Versioned datasets, each with its dictionary, its checks and where it comes from.",
    ],
    ["changes", "Changements", "Changes"],
    ["changes_since", "Ce qui a changé depuis la version précédente", "What changed since the release before"],
    ["check", "Contrôle", "Check"],
    ["checks", "Contrôles", "Checks"],
    ["checks_all", "Tous les contrôles passent.", "Every check passes."],
    ["checks_by_table", "Contrôles par table", "Checks by table"],
    ["checks_failed", "Contrôles qui ne passent pas", "Checks that fail"],
    ["citation", "Citation", "Citation"],
    ["cite", "Citer ces données", "Cite this data"],
    ["colon", "\u{A0}: ", ": "],
    ["columns", "colonnes", "columns"],
    ["contact", "Contact", "Contact"],
    [
        "contact_lead",
        "Une question, une erreur, une donnée à retirer :",
        "A question, a mistake, something to be taken out:",
    ],
    ["corrections", "Corrections automatiques", "Automatic corrections"],
    ["current", "actuelle", "current"],
    ["datasets", "Jeux de données", "Datasets"],
    ["dataset_kind", "Jeu de données", "Dataset"],
    ["day_of", "du", "of"],
    ["dictionary", "Dictionnaire des données", "Data dictionary"],
    [
        "dictionary_lead",
        "ce que veut dire chaque table et chaque colonne (en français)",
        "what each table and column means (in French)",
    ],
    ["downloads", "Téléchargements", "Downloads"],
    ["drawing_language", "", "The drawings are in French; the table beside each says the same."],
    ["erased", "réécrite", "rewritten"],
    ["erased_as", "remplacée par", "replaced by"],
    ["failing_rows", "Lignes", "Rows"],
    ["failures", "Échecs depuis", "Failures since"],
    ["figure_of", "Dessin de", "Drawing of"],
    [
        "figure_same",
        "les mêmes nombres sont dans le tableau qui suit",
        "the same numbers are in the table that follows",
    ],
    ["figures", "Figures", "Figures"],
    ["file", "Fichier", "File"],
    ["first_rows", "Premières lignes", "First rows"],
    ["freshness", "Fraîcheur", "Freshness"],
    ["format_csv", "CSV", "CSV"],
    ["format_excel", "CSV pour tableur français", "CSV for French spreadsheets"],
    ["format_geojson", "GeoJSON", "GeoJSON"],
    ["format_parquet", "Parquet", "Parquet"],
    ["format_svg", "Figure (SVG)", "Figure (SVG)"],
    ["gate", "Décision de publication", "Decision to publish"],
    ["gate_held", "bornes respectées sur", "bounds hold, of"],
    [
        "gate_lead",
        "Avant d’être publiée, une version est comparée à la précédente.",
        "Before it is published, a release is compared with the one before.",
    ],
    ["in_base", "sur", "of"],
    ["intact", "Vérifier les fichiers téléchargés :", "To verify downloaded files:"],
    ["issued", "Publiée le", "Issued"],
    ["key_figures", "Chiffres clés", "Key figures"],
    ["label", "Libellé", "Label"],
    ["last_change", "Dernier changement", "Last change"],
    ["last_success", "Dernière réussite", "Last success"],
    [
        "latest_lead",
        "Les adresses ci-dessous sont celles de cette version, qui ne change pas. Pour suivre la version actuelle, remplacez",
        "The addresses below are those of this release, which does not change. To follow the current one, replace",
    ],
    ["latest_by", "par", "by"],
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
        "Carte de France : un point par lieu publié. Le tableau qui suit les compte par région.",
        "Map of France: a dot for each published place. The table that follows counts them by region.",
    ],
    ["map_elsewhere", "sans position, ou hors de la carte", "without a position, or off the map"],
    [
        "map_frames",
        "Encarts, de haut en bas : Guadeloupe, Martinique, Guyane, La Réunion, Mayotte. Contours : IGN, Admin Express, Licence Ouverte 2.0.",
        "Insets from top to bottom: Guadeloupe, Martinique, Guyane, La Réunion, Mayotte. Outlines: IGN, Admin Express, Licence Ouverte 2.0.",
    ],
    ["map_places", "lieux sur la carte", "places on the map"],
    ["map_regions", "Lieux par région", "Places by region"],
    ["media_type", "Type", "Type"],
    ["more_releases", "versions plus anciennes sont dans releases.json", "older releases are in releases.json"],
    ["never", "jamais", "never"],
    ["none_published", "Aucune version n’est publiée actuellement.", "No release is published at present."],
    ["none_yet", "Aucun jeu de données n’est encore publié.", "No dataset has been published yet."],
    ["number", "Nombre", "Number"],
    ["of_dataset", "le jeu de données", "the dataset"],
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
        "QGIS : Couche, Ajouter une couche, Ajouter une couche vecteur, protocole HTTP(S), adresse :",
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
    ["rows", "lignes", "rows"],
    ["secret", "retenu", "withheld"],
    ["secret_rows", "lignes dont les nombres sont retenus", "rows with withheld numbers"],
    ["share", "Part", "Share"],
    ["shown_above", "Toutes ses lignes sont à côté de sa figure.", "All of its rows are beside its figure."],
    ["size", "Taille", "Size"],
    ["skip", "Aller au contenu", "Skip to content"],
    ["source", "Source", "Source"],
    ["sources_held", "Réponses plus anciennes que la dernière tentative :", "Answers older than the last attempt:"],
    [
        "spreadsheet",
        "Tableur (Excel ou LibreOffice en français) : téléchargez ce fichier et ouvrez-le.",
        "Spreadsheet (Excel or LibreOffice; semicolons and decimal commas, as in French): download this file and open it.",
    ],
    ["state", "État", "State"],
    ["synthetic", "Données synthétiques : aucune structure réelle.", "Synthetic data: no real organisation."],
    ["synthetic_mark", "données synthétiques", "synthetic data"],
    [
        "synthetic_some",
        "Les jeux de données marqués « données synthétiques » sont inventés : aucune structure réelle.",
        "Datasets marked “synthetic data” are made up: no real organisation.",
    ],
    ["table", "Table", "Table"],
    ["tables_word", "tables", "tables"],
    ["tables", "Tables et fichiers", "Tables and files"],
    ["fetched", "Reçue le", "Fetched"],
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
        // Looked up by a value: states of releases and formats of files.
        let looked_up =
            |key: &str| key.starts_with("format_") || ["current", "published", "withdrawn", "erased"].contains(&key);
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
