//! From bytes to rows: the registry with its planted dirt, row by row against the answer sheet, and the recorded answers of
//! two versions of `YesWiki`, cell by cell against a second reading.

mod dirt;
mod yeswiki;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::Project;
use crate::harness::sample::{REGISTRY, answer_sheet, planted, planted_ids, registry, registry_text};

const SHIPPED: &str = "cooperations-territoriales";
const PIPELINE: &str = "pipelines/cooperations-territoriales.toml";

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("{row} has no text `{key}`"))
}

fn number(row: &Value, key: &str) -> String {
    row[key].as_u64().unwrap_or_else(|| panic!("{row} has no number `{key}`")).to_string()
}

/// The shipped project, which also publishes the registry as it was normalised.
fn with_registry_published() -> Project {
    let project = Project::shipped();
    project.replace(PIPELINE, "  \"maillage_departements\",\n]", "  \"maillage_departements\",\n  \"tiers_lieux\",\n]");
    project
}

/// Some columns of a ledger, sorted.
fn listed(rows: &[BTreeMap<String, String>], columns: &[&str]) -> Vec<Vec<String>> {
    let cells = |row: &BTreeMap<String, String>| columns.iter().map(|column| row[*column].clone()).collect();
    let mut listed: Vec<Vec<String>> = rows.iter().map(cells).collect();
    listed.sort();
    listed
}

fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    rows
}

fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

#[test]
fn the_registry_loses_exactly_the_rows_of_the_answer_sheet() {
    let project = Project::shipped();
    project.run();
    let mut expected = Vec::new();
    for kind in ["too_few_cells", "too_many_cells"] {
        expected
            .extend(planted(REGISTRY, kind).iter().map(|row| cells([&number(row, "record"), "nombre_de_cellules"])));
    }
    expected.extend(planted(REGISTRY, "id_missing").iter().map(|row| cells([&number(row, "record"), "cle_manquante"])));
    expected
        .extend(planted(REGISTRY, "duplicate_id").iter().map(|row| cells([&number(row, "older_record"), "doublon"])));
    assert_eq!(expected.len(), 9);
    assert_eq!(listed(&project.ledger("rejects", "tiers_lieux"), &["ligne", "motif"]), sorted(expected));
    assert!(project.ledger("rejects", "fabriques").is_empty());
    assert!(project.ledger("rejects", "reponses").is_empty());
}

#[test]
fn a_rejected_row_is_kept_with_its_cells_and_its_line() {
    let project = Project::shipped();
    project.run();
    let rejects = project.ledger("rejects", "tiers_lieux");
    let of = |motif: &str| rejects.iter().filter(|row| row["motif"] == motif).collect::<Vec<_>>();
    for reject in of("nombre_de_cellules").into_iter().chain(of("cle_manquante")) {
        let raw: BTreeMap<String, String> = serde_json::from_str(&reject["brut"]).unwrap();
        let record = reject["ligne"].parse::<usize>().unwrap();
        for (column, cell) in &registry()[record - 1] {
            assert_eq!(raw.get(column), Some(cell), "record {record}");
        }
        let line: usize = reject["position"].parse().unwrap();
        let before = registry_text().lines().take(line - 1).collect::<Vec<_>>().join("\n");
        let name = &registry()[record - 1]["NOM"];
        assert!(
            registry_text().lines().nth(line - 1).unwrap().contains(name.as_str()),
            "line {line} is not record {record}"
        );
        assert!(!before.contains(name.as_str()));
    }
    let few = of("nombre_de_cellules").into_iter().find(|row| row["ligne"] == "201").unwrap();
    assert_eq!(few["explication"], "La ligne a 12 cellules, l'en-tête en a 14.");
    assert_eq!(of("cle_manquante")[0]["explication"], "La clé `id` est vide.");
}

#[test]
fn the_registry_is_corrected_exactly_where_the_answer_sheet_says() {
    let project = Project::shipped();
    project.run();
    let mut expected = Vec::new();
    let mut expect = |kind: &str, column: &str, rule: &str, after: &dyn Fn(&Value) -> String| {
        for row in planted(REGISTRY, kind) {
            expected.push(cells([&number(&row, "record"), column, rule, &after(&row)]));
        }
    };
    expect("siret_spaced", "siret", "espaces_siret", &|row| text(row, "siret").to_owned());
    expect("entity_amp", "nom", "entites_html", &|row| text(row, "name").to_owned());
    expect("entity_apostrophe", "nom", "entites_html", &|row| text(row, "name").to_owned());
    expect("former_insee_code", "lieu", "ancien_code", &|row| text(row, "code_insee").to_owned());
    expect("lost_leading_zero", "lieu", "code_insee_forme", &|row| text(row, "code_insee").to_owned());
    let found = project.ledger("corrections", "tiers_lieux");
    let rules: BTreeSet<&str> = ["espaces_siret", "entites_html", "ancien_code", "code_insee_forme"].into();
    let with_value: Vec<_> = found.iter().filter(|row| rules.contains(row["regle"].as_str())).cloned().collect();
    assert_eq!(listed(&with_value, &["ligne", "colonne", "regle", "apres"]), sorted(expected));
    let mut expected = Vec::new();
    for (kind, rule) in [
        ("cedex", "cedex"),
        ("lost_leading_zero", "code_postal_forme"),
        ("swapped_coordinates", "coordonnees_inversees"),
        ("zero_coordinates", "coordonnees_nulles"),
        ("out_of_bounds_coordinates", "coordonnees_hors_limites"),
    ] {
        expected.extend(planted(REGISTRY, kind).iter().map(|row| cells([&number(row, "record"), "lieu", rule])));
    }
    let others: Vec<_> = found.iter().filter(|row| !rules.contains(row["regle"].as_str())).cloned().collect();
    assert_eq!(listed(&others, &["ligne", "colonne", "regle"]), sorted(expected));
    assert!(project.ledger("corrections", "fabriques").is_empty());
}

#[test]
fn every_cell_that_does_not_fit_is_listed_with_its_value() {
    let project = Project::shipped();
    project.run();
    let mut expected = Vec::new();
    for (kind, column, reason) in [
        ("siret_invalid", "siret", "siret_cle"),
        ("siret_scientific", "siret", "notation_scientifique"),
        ("boolean_invalid", "ouvert", "booleen_illisible"),
        ("date_invalid", "date_ouverture", "date_illisible"),
    ] {
        let row = |row: &Value| cells([&number(row, "record"), text(row, "id"), column, text(row, "value"), reason]);
        expected.extend(planted(REGISTRY, kind).iter().map(row));
    }
    let found = project.ledger("unfit", "tiers_lieux");
    assert_eq!(listed(&found, &["ligne", "cle", "colonne", "valeur", "motif"]), sorted(expected));
    assert!(project.ledger("unfit", "fabriques").is_empty());
}

#[test]
fn the_dirt_of_the_answers_is_listed_by_row_and_rule() {
    use crate::harness::sample::{ANSWERS, answers, public_id};
    let project = Project::shipped();
    project.run();
    let row = |id: &str| (answers().iter().position(|(page, _)| page == id).unwrap() + 1).to_string();
    let mut expected = Vec::new();
    for planted in planted(ANSWERS, "siret_invalid") {
        let id = text(&planted, "id");
        expected.push(cells([&row(id), &public_id(id), "siret", text(&planted, "value")]));
    }
    for planted in planted(ANSWERS, "unknown_option") {
        let id = text(&planted, "id");
        expected.push(cells([&row(id), &public_id(id), "thematiques", text(&planted, "key")]));
    }
    assert_eq!(listed(&project.ledger("unfit", "reponses"), &["ligne", "cle", "colonne", "valeur"]), sorted(expected));
    let corrections = project.ledger("corrections", "reponses");
    let rows_of = |rule: &str| {
        let rows: Vec<_> = corrections.iter().filter(|row| row["regle"] == rule).cloned().collect();
        listed(&rows, &["ligne"])
    };
    for (kind, rule) in [
        ("cedex", "cedex"),
        ("lost_leading_zero", "code_postal_forme"),
        ("swapped_coordinates", "coordonnees_inversees"),
        ("siret_spaced", "espaces_siret"),
        ("exclusive_conflict", "option_exclusive"),
        ("url_without_scheme", "schema_ajoute"),
    ] {
        let expected = planted_ids(ANSWERS, kind).iter().map(|id| cells([&row(id)])).collect();
        assert_eq!(rows_of(rule), sorted(expected), "{rule}");
    }
    let exclusive = corrections.iter().find(|row| row["regle"] == "option_exclusive").unwrap();
    let mut kept: Vec<&str> = exclusive["apres"].split('|').collect();
    kept.sort_unstable();
    assert_eq!(Value::from(kept), planted(ANSWERS, "exclusive_conflict")[0]["kept"]);
}

#[test]
fn the_counts_of_every_table_add_up() {
    let project = Project::shipped();
    project.run();
    let record = project.record();
    let manifest = project.json("data/public/cooperations-territoriales/latest/manifest.json");
    let expected = [("reponses", 62, 62, 0), ("fabriques", 30, 30, 0), ("tiers_lieux", 300, 291, 9)];
    let tables = record["tables"].as_array().unwrap();
    assert_eq!(tables.len(), expected.len());
    for (table, (name, read, kept, rejected)) in tables.iter().zip(expected) {
        assert_eq!(table["table"], name);
        assert_eq!((table["read"].as_u64(), table["kept"].as_u64()), (Some(read), Some(kept)), "{name}");
        let by_reason =
            table["rejects"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>();
        assert_eq!(by_reason, rejected, "{name}");
        assert_eq!(project.ledger("rejects", name).len() as u64, rejected, "{name}");
        let placed = table["placed"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>();
        // Every row that passed the reader is placed, also one that a later duplicate takes out.
        assert!((kept..=read).contains(&placed), "{name}: {placed} placed of {kept}");
        for (list, counts) in [("unfit", &table["unfit"]), ("corrections", &table["corrections"])] {
            let counted = counts.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>();
            assert_eq!(project.ledger(list, name).len() as u64, counted, "{list} of {name}");
        }
        assert_eq!(manifest["read"][name], read);
    }
    let rejects = &manifest["rejects"]["tiers_lieux"];
    assert_eq!(rejects, &serde_json::json!({"cle_manquante": 1, "doublon": 6, "nombre_de_cellules": 2}));
    let sheet = answer_sheet(REGISTRY);
    assert_eq!(sheet["expected"]["accepted"], 291);
}

#[test]
fn every_row_of_the_registry_ends_in_the_table_or_in_the_rejects() {
    let project = Project::shipped();
    project.run();
    let rejected: BTreeSet<usize> =
        project.ledger("rejects", "tiers_lieux").iter().map(|row| row["ligne"].parse().unwrap()).collect();
    let published: Vec<String> = project
        .csv(SHIPPED, "reseaux_implantations")
        .into_iter()
        .filter(|row| row["reseau"] == "tiers_lieu")
        .map(|row| row["id"].clone())
        .collect();
    let records = registry();
    assert_eq!(records.len(), 300);
    let kept: BTreeSet<String> = (1..)
        .zip(&records)
        .filter(|(record, _)| !rejected.contains(record))
        .map(|(_, row)| row["ID"].clone())
        .collect();
    assert_eq!(published.len(), 291);
    assert_eq!(kept, published.into_iter().collect::<BTreeSet<_>>());
}

/// Records of the registry that stay, by id.
fn kept() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut gone: BTreeSet<u64> = BTreeSet::new();
    for (kind, key) in [
        ("too_few_cells", "record"),
        ("too_many_cells", "record"),
        ("id_missing", "record"),
        ("duplicate_id", "older_record"),
    ] {
        gone.extend(planted(REGISTRY, kind).iter().map(|row| row[key].as_u64().unwrap()));
    }
    let kept = (1..).zip(registry()).filter(|(record, _)| !gone.contains(record));
    kept.map(|(_, row)| (row["ID"].clone(), row)).collect()
}

#[test]
fn every_cell_of_the_registry_is_read_as_a_person_reads_it() {
    let project = with_registry_published();
    project.run();
    let named: BTreeMap<String, String> = ["entity_amp", "entity_apostrophe"]
        .iter()
        .flat_map(|kind| planted(REGISTRY, kind))
        .map(|row| (text(&row, "id").to_owned(), text(&row, "name").to_owned()))
        .collect();
    let unfit = |kind: &str| planted_ids(REGISTRY, kind).into_iter().collect::<BTreeSet<_>>();
    let no_siret: BTreeSet<String> = &unfit("siret_invalid") | &unfit("siret_scientific");
    let (no_boolean, no_date) = (unfit("boolean_invalid"), unfit("date_invalid"));
    let day = |text: &str| match text.split('/').collect::<Vec<_>>()[..] {
        [day, month, year] => format!("{year}-{month}-{day}"),
        _ => String::new(),
    };
    let kept = kept();
    let rows = project.csv(SHIPPED, "tiers_lieux");
    assert_eq!(rows.len(), 291);
    for row in rows {
        let id = &row["id"];
        let raw = &kept[id];
        let same = |column: &str, expected: &str| assert_eq!(row[column], expected, "{column} of {id}");
        same("nom", named.get(id).unwrap_or(&raw["NOM"]));
        same("adresse", &raw["ADRESSE"]);
        same("siret", &if no_siret.contains(id) { String::new() } else { raw["SIRET"].replace(' ', "") });
        let open = raw["OUVERT"].to_lowercase().replace("oui", "true").replace("non", "false");
        same("ouvert", if no_boolean.contains(id) { "" } else { &open });
        same("date_ouverture", &if no_date.contains(id) { String::new() } else { day(&raw["DATE_OUVERTURE"]) });
        same("date_maj", &day(&raw["DATE_MAJ"]));
        same("site_web", &raw["SITE"]);
        let surface = |text: &str| (!text.is_empty()).then(|| text.replace(',', ".").parse::<f64>().unwrap());
        assert_eq!(surface(&row["surface_m2"]), surface(&raw["SURFACE_M2"]), "surface of {id}");
    }
    let lines: usize = kept.values().filter(|row| row["ADRESSE"].contains('\n')).count();
    let quotes: usize = kept.values().filter(|row| row["NOM"].contains('"')).count();
    let delimiters: usize = kept.values().filter(|row| row["ADRESSE"].contains(';')).count();
    assert_eq!((lines, quotes, delimiters), (6, 3, 3), "the sample lost its dirt");
}

#[test]
fn of_two_rows_with_one_id_the_newest_stays() {
    let project = with_registry_published();
    project.run();
    let rows = project.csv(SHIPPED, "tiers_lieux");
    for planted in planted(REGISTRY, "duplicate_id") {
        let found: Vec<_> = rows.iter().filter(|row| row["id"] == text(&planted, "id")).collect();
        assert_eq!(found.len(), 1);
        let date = text(&planted, "date_maj").split('/').rev().collect::<Vec<_>>().join("-");
        assert_eq!(found[0]["date_maj"], date, "{planted}");
    }
}

/// The table of places of a project.
fn table(project: &Project) -> Vec<u8> {
    project.run();
    std::fs::read(project.latest(SHIPPED).join("tiers_lieux.csv")).unwrap()
}

#[test]
fn one_registry_gives_one_table_in_every_encoding() {
    let file = format!("seeds/exemple/{REGISTRY}");
    let windows = table(&with_registry_published());
    for mark in ["", "\u{feff}"] {
        let project = with_registry_published();
        project.write(&file, format!("{mark}{}", registry_text()));
        project.replace(PIPELINE, "encoding = \"windows-1252\"", "encoding = \"utf-8\"");
        assert!(table(&project) == windows, "UTF-8 with the mark {mark:?} gives another table");
    }
}

#[test]
fn a_file_in_another_encoding_than_declared_loses_no_row_silently() {
    let project = with_registry_published();
    project.replace(PIPELINE, "encoding = \"windows-1252\"", "encoding = \"utf-8\"");
    let output = project.essaim(&["run"]).expect(1);
    let said = "all 300 rows of source `tiers-lieux` were rejected (source_rejects:tiers-lieux)";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    let rejects = project.ledger("refused/rejects", "tiers_lieux");
    let unreadable = rejects.iter().filter(|row| row["motif"] == "texte_illisible").count();
    let with_accents = registry().iter().filter(|row| row.values().any(|cell| !cell.is_ascii())).count();
    assert_eq!(unreadable, with_accents);
    assert_eq!(rejects.len(), 300);
}

#[test]
fn the_header_is_in_the_row_that_is_declared() {
    let expected = table(&with_registry_published());
    let project = with_registry_published();
    let preamble = b"Export du registre;synth\xe9tique\r\n\"du 21/11/2026; \xe0 8 h\"\r\n";
    let original = std::fs::read(project.path("seeds/exemple").join(REGISTRY)).unwrap();
    project.write(&format!("seeds/exemple/{REGISTRY}"), [preamble.as_slice(), &original].concat());
    project.replace(PIPELINE, "encoding = \"windows-1252\" }", "encoding = \"windows-1252\", header_row = 3 }");
    assert!(table(&project) == expected, "two lines before the header change the table");
}

#[test]
fn a_column_that_the_source_does_not_have_is_reported() {
    let project = Project::shipped();
    project.replace(PIPELINE, "site_web = \"SITE\"", "site_web = \"SITE_INTERNET\"");
    let output = project.run();
    assert!(output.stderr.contains("not in the source: SITE_INTERNET"), "{}", output.stderr);
    assert_eq!(project.record()["tables"][2]["columns_missing"], serde_json::json!(["SITE_INTERNET"]));
}
