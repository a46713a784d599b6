//! An erased record goes from lists of changes, from what is kept of columns, and from other pipelines, too.

use std::fs::File;
use std::path::Path;

use arrow::array::AsArray as _;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rstest::rstest;

use super::super::bench::{Bench, DATASET, Place};
use super::super::{PUBLIC, SHIPPED, answer, files};
use super::{PLANTED, erase, is_nowhere};
use crate::harness::Project;
use crate::harness::sample::{agrees, answers, public_id};

/// Table, key, column and text after it of each line of a list of changes.
fn lines(list: &Path) -> Vec<[String; 4]> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(list).unwrap()).unwrap().build().unwrap();
    let mut lines = Vec::new();
    for batch in reader.map(Result::unwrap) {
        let cell = |name: &str, row: usize| {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            column.iter().nth(row).flatten().unwrap_or_default().to_owned()
        };
        lines.extend((0..batch.num_rows()).map(|row| ["table", "key", "column", "after"].map(|name| cell(name, row))));
    }
    lines
}

#[test]
fn the_list_of_changes_loses_the_lines_of_an_erased_record_and_no_other() {
    let project = Project::shipped();
    project.run();
    let shows =
        |answer: &serde_json::Value| agrees(answer, "bf_consentement") && agrees(answer, "bf_consentement_reponses");
    let pages: Vec<String> = answers().into_iter().filter(|(_, answer)| shows(answer)).map(|(page, _)| page).collect();
    answer(&project, &pages[0], "bf_titre", PLANTED);
    answer(&project, &pages[1], "bf_titre", "Un autre nom");
    project.run();
    let second = project.releases(SHIPPED).pop().unwrap();
    let before = lines(&project.latest(SHIPPED).join("changes.parquet"));
    let (id, other) = (public_id(&pages[0]), public_id(&pages[1]));
    let is_of = |line: &[String; 4], id: &str| line[1].contains(id) || line[3].contains(id);
    assert!(before.iter().any(|line| is_of(line, &id) && line[3] == PLANTED), "{before:?}");
    assert!(before.iter().any(|line| is_of(line, &other) && line[3] == "Un autre nom"), "{before:?}");

    project.essaim(&erase(SHIPPED, &pages[0])).expect(0);
    let folder = project.path(&format!("{PUBLIC}/releases/{second}-r1"));
    let after = lines(&folder.join("changes.parquet"));
    let left: Vec<_> = before.iter().filter(|line| !is_of(line, &id)).cloned().collect();
    assert!(left.len() < before.len() && after == left, "{after:?}");
    let kept = files(&project, &format!("{PUBLIC}/releases/{second}-r1"));
    assert!(!kept.contains_key("changes.html") && kept.contains_key("changes.json"), "{:?}", kept.keys());
    let readme = String::from_utf8(kept["README.md"].clone()).unwrap();
    assert!(!readme.contains("changes.html") && readme.contains(&format!("| {} |", after.len())), "{readme}");
    is_nowhere(&project.path("data"), &[PLANTED, &id]);
    let printed = crate::harness::python("readers.py", &[&folder]);
    assert!(printed.trim_end().ends_with(", 0 failed"), "{printed}");
}

pub(super) const SEVENTH: [&str; 7] = ["releases", "erase", DATASET, "--key", "7", "--because", "Essai."];

/// Twenty places, of which the seventh has a state of its own.
fn states(state: &str) -> String {
    let row = |id: u32| format!("{id},Lieu {id},{}\n", if id == 7 { state } else { "ouvert" });
    format!("id,nom,etat\n{}", (1..=20).map(row).collect::<String>())
}

#[rstest]
#[case::long("Zyxomma vert")]
#[case::short("Zyx")]
fn what_an_erased_record_alone_says_in_a_closed_column_is_forgotten(#[case] option: &str) {
    let bench = Bench::new(Place::Folder);
    let project = &bench.project;
    project.write("seeds/codes/etats.csv", "code,label,label_en\nouvert,Ouvert,Open\n");
    project.edit_json("schemas/lieux.schema.json", |contract| {
        contract["fields"].as_array_mut().unwrap().push(serde_json::json!({
            "name": "etat", "type": "string", "title": "État", "description": "État.",
            "essaim": {"visibility": "public", "codes": "etats"},
        }));
    });
    project.write("seeds/lieux.csv", states("ouvert"));
    project.run();
    project.write("seeds/lieux.csv", states(option));
    project.run();
    let kept = || project.read("data/private/columns/lieux/lieux.json");
    assert!(kept().contains(option), "{}", kept());
    let quoted = format!("`{option}`");
    assert!(project.record()["tables"][0]["changes"].to_string().contains(&quoted), "{}", project.record());
    project.essaim(&SEVENTH).expect(0);
    assert!(kept().contains("ouvert"), "{}", kept());
    is_nowhere(&project.path("data"), &[option]);
    project.essaim(&["releases", "verify"]).expect(0);
}

/// A pipeline of one table that is read from a file.
fn pipeline(project: &Project, name: &str, source: &str, table: &str, fields: &[&str]) {
    project.write(
        &format!("pipelines/{name}.toml"),
        format!(
            "title = \"{name}\"\ndescription = \"Des lieux inventés.\"\nlicence = \"etalab-2.0\"\nsynthetic = true\n\
             [source.{source}]\nlicence = \"etalab-2.0\"\nfile.path = \"seeds/{source}.csv\"\n\
             [table.{table}]\nsource = \"{source}\"\ncsv = {{}}\n[publish]\ntables = [\"{table}\"]\n"
        ),
    );
    let field = |name: &&str| {
        serde_json::json!({"name": name, "type": "string", "title": name, "description": "Inventé.",
            "essaim": {"visibility": "public"}})
    };
    let fields_json: Vec<_> = fields.iter().map(field).collect();
    let contract = serde_json::json!({"title": table, "description": "Des lieux inventés.", "primaryKey": fields[0],
        "fields": fields_json});
    project.write(&format!("schemas/{table}.schema.json"), contract.to_string());
}

#[test]
fn a_record_goes_from_every_pipeline_that_reads_its_source() {
    let bench = Bench::new(Place::Folder);
    let project = &bench.project;
    project.write("seeds/autres.csv", "id,nom\n7,Autre lieu 7\n8,Autre lieu 8\n");
    pipeline(project, "annuaire", "lieux", "adresses", &["id", "nom"]);
    pipeline(project, "autres", "autres", "autres", &["id", "nom"]);
    pipeline(project, "noms", "lieux", "noms", &["nom"]);
    project.run();
    let gone = "Lieu 7 état 1";
    let output = project.essaim(&SEVENTH).expect(0);
    assert_eq!(output.stdout, "lieux\t[DATE]\t[DATE]-r1\nannuaire\t[DATE]\t[DATE]-r1\n");
    assert!(output.stderr.contains("erased a record of `adresses` from annuaire: 1 releases"), "{}", output.stderr);
    assert!(output.stderr.contains("look at `noms` yourself: it reads the same source without"), "{}", output.stderr);
    for folder in ["data/private", "data/public/lieux", "data/public/annuaire"] {
        is_nowhere(&project.path(folder), &[gone]);
    }
    assert_eq!(project.csv("annuaire", "adresses").len(), 19);
    assert_eq!(project.csv("autres", "autres").len(), 2, "another registry has the same key");
    let verified = project.essaim(&["releases", "verify"]).expect(0);
    assert!(!verified.stderr.contains("1 faults"), "{}", verified.stderr);
    let run = project.essaim(&["run", "annuaire"]).expect(0);
    assert_eq!(run.stdout, "annuaire\tunchanged\t[DATE]-r1\n", "the source still has it, and does not bring it back");
    let again = project.essaim(&SEVENTH).expect(0);
    assert!(again.stderr.matches("erased again").count() == 2, "{}", again.stderr);
    is_nowhere(&project.path("data/private"), &[gone]);
}

#[test]
fn another_pipeline_keeps_the_record_of_another_registry_with_the_same_key() {
    let bench = Bench::new(Place::Folder);
    let project = &bench.project;
    project.write("seeds/autres.csv", "id,nom\n7,Autre lieu 7\n8,Autre lieu 8\n");
    pipeline(project, "reunion", "lieux", "tous", &["id", "nom"]);
    let one = "[table.tous]\nsource = \"lieux\"\ncsv = {}\n";
    let two = "[source.autres]\nlicence = \"etalab-2.0\"\nfile.path = \"seeds/autres.csv\"\n\
               [table.premiers]\nsource = \"lieux\"\ncsv = {}\n[table.seconds]\nsource = \"autres\"\ncsv = {}\n";
    project.replace("pipelines/reunion.toml", one, two);
    let contract = project.read("schemas/tous.schema.json");
    project.write("schemas/premiers.schema.json", &contract);
    project.write("schemas/seconds.schema.json", &contract);
    project.edit_json("schemas/tous.schema.json", |contract| {
        contract["primaryKey"] = serde_json::json!(["id", "nom"]);
    });
    let sql = "SELECT id, nom FROM premiers UNION ALL SELECT id, nom FROM seconds\n";
    project.write("sql/reunion/tous.sql", sql);
    project.run();
    let sevenths = || {
        let rows = project.csv("reunion", "tous").into_iter().filter(|row| row["id"] == "7");
        rows.map(|row| row["nom"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(sevenths(), ["Autre lieu 7", "Lieu 7 état 1"]);
    project.essaim(&SEVENTH).expect(0);
    assert_eq!(sevenths(), ["Autre lieu 7"]);
    is_nowhere(&project.path("data"), &["Lieu 7 état 1"]);
    project.essaim(&["releases", "verify"]).expect(0);
}

#[test]
fn a_killed_erasure_keeps_the_snapshots_until_every_pipeline_is_without_the_record() {
    let bench = Bench::new(Place::Folder);
    let project = &bench.project;
    pipeline(project, "annuaire", "lieux", "adresses", &["id", "nom"]);
    project.run();
    bench.keep();
    let demands = |dataset: &str| project.path(&format!("data/private/erasures/{dataset}/{:020}.json", 1)).exists();
    let mut n = 1;
    loop {
        bench.go_back();
        assert!(bench.killed_at(n, &SEVENTH), "the command ended before it was asked for everywhere");
        if demands(DATASET) && demands("annuaire") {
            break;
        }
        n += 1;
    }
    for pipeline in [DATASET, "annuaire", DATASET] {
        project.essaim(&["run", "--from", "snapshot", pipeline]).expect(0);
    }
    is_nowhere(&project.path("data"), &["Lieu 7 état 1"]);
    project.essaim(&["releases", "verify"]).expect(0);
}
