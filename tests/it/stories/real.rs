//! Real registries and surveys, as they were found, by declared mapping alone.
//!
//! The files are not part of the repository: where they are not beside it (`../shared/data`, or the folder that
//! `ESSAIM_REAL_DATA` names), these stories are skipped with a line that says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rstest::rstest;

use crate::harness::{Project, copy, python, repository, rows, walk};

/// The folder with the files.
fn data() -> Option<PathBuf> {
    let named = std::env::var("ESSAIM_REAL_DATA").map(PathBuf::from);
    let folder = named.unwrap_or_else(|_unset| repository().join("../shared/data"));
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: no real files in {}; ESSAIM_REAL_DATA names their folder", folder.display());
    None
}

/// A project over real files.
fn project(name: &str, data: &Path) -> Project {
    let mut project = Project::empty();
    copy(&repository().join("tests/real").join(name), &project.path(""));
    project.set("ESSAIM_DATA", data.to_str().unwrap());
    project.set("ESSAIM_KEY", "cle-de-test-des-projets-reels");
    project.set("ESSAIM_PDL", "tiers-lieux-pdl-2021-02-02.csv");
    project
}

#[rstest]
#[case("tiers-lieux-cget-2019")]
#[case("tiers-lieux-pays-de-la-loire")]
#[case("pat-auvergne-rhone-alpes")]
#[case("ptce-laureats")]
#[case("fabriques-de-territoire")]
#[case("mediation-centre-val-de-loire")]
#[case("mediation-maine-et-loire")]
#[case("mediation-la-reunion")]
#[case("sirene-ess-numerique")]
#[case("inclusion-epernay")]
#[case("inclusion-epernay-csv")]
#[case("inclusion-pyrenees-atlantiques")]
#[case("patrimoine-vaud")]
#[case("patrimoine-vaud-csv")]
#[case("patrimoine-vaud-codes")]
fn a_real_file_comes_out_as_other_eyes_read_it(#[case] name: &str) {
    let Some(data) = data() else { return };
    let project = project(name, &data);
    project.run();
    let folder = project.path("");
    let said = python("real.py", &[&folder, Path::new(name), &data]);
    print!("{said}");
}

/// Every file there is.
fn files(data: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["registries", "surveys"] {
        walk(&data.join(folder), &mut |path| {
            if path.extension().is_some_and(|ending| ending != "md") {
                files.push(path.to_path_buf());
            }
        });
    }
    files.sort();
    files
}

#[test]
fn a_project_drafted_from_any_of_them_runs_at_once_and_publishes_nothing() {
    let Some(data) = data() else { return };
    for file in files(&data) {
        let project = Project::empty();
        project.essaim(&["init", "projet", "--from", file.to_str().unwrap()]).expect(0);
        let output = project.essaim(&["--project", "projet", "run"]).expect(0);
        assert!(output.stdout.ends_with("nothing-public\t-\n"), "{}: {}", file.display(), output.stdout);
    }
}

/// The answers of an export of the same survey, by their number.
fn answers(name: &str, data: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let project = project(name, data);
    project.run();
    let answers = rows(&project.latest(name).join("reponses.csv"));
    answers.into_iter().map(|row| (row["id"].clone(), row)).collect()
}

#[test]
fn exports_of_one_survey_with_labels_and_with_codes_give_the_same_table() {
    let Some(data) = data() else { return };
    let labels = answers("patrimoine-vaud", &data);
    assert_eq!(labels, answers("patrimoine-vaud-csv", &data), "the spreadsheet and the CSV");
    let codes = answers("patrimoine-vaud-codes", &data);
    assert_eq!(labels.len(), 348);
    for (id, row) in &labels {
        for (column, label) in row {
            // This export with codes took "not asked" for "no".
            let lost = column == "participation" && label.is_empty() && codes[id][column] == "non";
            assert!(lost || column.ends_with("_statut") || *label == codes[id][column], "{id} {column}: {label}");
        }
    }
}

#[test]
fn a_register_whose_column_and_options_were_renamed_stops_a_mapping_that_knows_the_first_snapshot_only() {
    let Some(data) = data() else { return };
    let mut project = project("tiers-lieux-pays-de-la-loire", &data);
    let pipeline = "pipelines/tiers-lieux-pays-de-la-loire.toml";
    project.replace(pipeline, "drift = \"accept\"\n", "");
    project.replace(pipeline, "from = [\"MODELE_JURIDIQUE\", \"MODÈLE JURIDIQUE\"]", "from = \"MODÈLE JURIDIQUE\"");
    project.replace("seeds/codes/modele_juridique.csv", "scic_scop,SCIC ou SCOP,,SCIC|", "scic_scop,SCIC,,");
    project.run();
    project.set("ESSAIM_PDL", "tiers-lieux-pdl-2021-11-06.csv");
    let output = project.essaim(&["run"]).expect(1);
    let line = "from = [\"MODELE_JURIDIQUE\", \"MODÈLE JURIDIQUE\"]";
    assert!(output.stderr.contains(line), "{}", output.stderr);
    project.replace(pipeline, "from = \"MODÈLE JURIDIQUE\"", line);
    let output = project.run();
    // The second file has `SCIC ou SCOP` alone in 11 cells; the first has none.
    let option = "has the new option `SCIC ou SCOP` in 11 cells: if it means `scic_scop`, which no row has any longer, \
                  make that line of seeds/codes/modele_juridique.csv \
                  `scic_scop,SCIC,,SCOP|CAE|Coopérative|SCIC envisagée|SCIC ou SCOP`";
    assert!(output.stderr.contains(option), "{}", output.stderr);
}

#[test]
fn the_second_snapshot_of_a_register_is_read_by_the_same_mapping() {
    let Some(data) = data() else { return };
    let mut project = project("tiers-lieux-pays-de-la-loire", &data);
    project.run();
    project.set("ESSAIM_PDL", "tiers-lieux-pdl-2021-11-06.csv");
    let output = project.run();
    assert!(output.stdout.contains("\tpublished\t"), "{}", output.stdout);
    let changes: Vec<String> = serde_json::from_value(project.record()["tables"][0]["changes"].clone()).unwrap();
    for told in [
        "source column `MODÈLE JURIDIQUE` is gone and `MODELE_JURIDIQUE` is new",
        "in column `sources` no row has `cget` (66 before) any longer",
        "column `modele_juridique` has the new option `SCIC ou SCOP  SARL/SAS/SA` in 1 cell: if it means `scic_scop`",
    ] {
        assert!(changes.iter().any(|change| change.contains(told)), "{told} is not in {changes:#?}");
    }
    assert_eq!(changes.len(), 7, "the other four are new columns: {changes:#?}");
    let places = rows(&project.latest("tiers-lieux-pays-de-la-loire").join("tiers_lieux.csv"));
    assert_eq!(places.len(), 124);
    // The point was put right in this snapshot: with the département that the owner names it refutes the geocoder's code.
    let usine = places.iter().find(|place| place["nom"].starts_with("L'Usine")).unwrap();
    assert_eq!((usine["code_departement"].as_str(), usine["code_insee"].as_str()), ("85", ""));
    let told = places.iter().filter(|place| !place["modele_juridique"].is_empty()).count();
    assert_eq!(told, 123, "one place names two models, which is listed; a lost column would leave all empty");
    assert_eq!(places.iter().filter(|place| place["fabrique_de_territoire"] == "true").count(), 13);
}
