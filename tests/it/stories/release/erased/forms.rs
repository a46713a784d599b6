//! An erased record goes from what was drawn of it, and from lists of changes that call it by another name.

use std::fs;

use serde_json::json;

use super::super::bench::{Bench, DATASET, Place};
use super::super::files;
use super::elsewhere::SEVENTH;
use super::is_nowhere;
use crate::harness::Project;

const GONE: &str = "Zyxomma";
const PUBLIC: &str = "data/public/lieux";

/// Twenty places with a number each, of which the seventh has a name of its own.
fn numbered(project: &Project) {
    let name = |id: u32| if id == 7 { GONE.to_owned() } else { format!("Lieu {id:02}") };
    let row = |id: u32| format!("{id},{},{}\n", name(id), id * 10);
    project.write("seeds/lieux.csv", format!("id,nom,postes\n{}", (1..=20).map(row).collect::<String>()));
    project.edit_json("schemas/lieux.schema.json", |contract| {
        contract["fields"].as_array_mut().unwrap().push(json!({
            "name": "postes", "type": "integer", "title": "Postes", "description": "Postes de travail.",
            "essaim": {"visibility": "public"},
        }));
    });
}

#[test]
fn a_figure_with_a_bar_of_the_record_goes_with_its_row() {
    let bench = Bench::new(Place::Folder);
    let project = &bench.project;
    numbered(project);
    let figure = "tables = [\"lieux\"]\n[[publish.figure]]\ntable = \"lieux\"\ntitle = \"Postes\"\nlabel = \"nom\"\nvalue = \"postes\"\n";
    project.replace("pipelines/lieux.toml", "tables = [\"lieux\"]\n", figure);
    project.run();
    let drawn = |folder: &str| files(project, &format!("{PUBLIC}/{folder}"));
    let shown = drawn("latest");
    assert!(shown.contains_key("lieux.png") && String::from_utf8_lossy(&shown["lieux.svg"]).contains(GONE));
    project.essaim(&SEVENTH).expect(0);
    is_nowhere(&project.path("data"), &[GONE]);
    let release = project.releases(DATASET).pop().unwrap();
    let left = drawn(&format!("releases/{release}"));
    assert!(!left.contains_key("lieux.svg") && !left.contains_key("lieux.png"), "{:?}", left.keys());
    for (name, bytes) in left.iter().filter(|(name, _)| !name.starts_with("lieux.")) {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("lieux.svg") && !text.contains("lieux.png"), "{name} names a drawing that is gone");
        assert!(!name.ends_with(".html") || text.contains(">lieux.csv</a>"), "{name} names no file any more");
    }
    let verified = project.essaim(&["releases", "verify"]).expect(0);
    assert!(verified.stderr.contains("0 faults, 0 stale"), "{}{}", verified.stdout, verified.stderr);
    // The next release is drawn of the rows that are left.
    project.essaim(&["run", "--from", "snapshot"]).expect(0);
    assert!(drawn("latest").contains_key("lieux.svg"));
    is_nowhere(&project.path("data"), &[GONE]);
}

/// Two releases of places and of their ranks, by which lists of changes call them: the record is the last one in the first
/// release, and one further down in the second.
fn ranked() -> Bench {
    let bench = Bench::new(Place::Folder);
    let project = &bench.project;
    numbered(project);
    project.replace("pipelines/lieux.toml", "tables = [\"lieux\"]", "tables = [\"lieux\", \"rangs\"]");
    project.write("sql/lieux/rangs.sql", "SELECT row_number() OVER (ORDER BY nom) AS rang, id, nom FROM lieux\n");
    let field = |name: &str, kind: &str| json!({"name": name, "type": kind, "title": name, "description": "Inventé.", "essaim": {"visibility": "public"}});
    let fields = [field("rang", "integer"), field("id", "string"), field("nom", "string")];
    let contract = json!({"title": "Rangs", "description": "Des rangs.", "primaryKey": "rang", "fields": fields});
    project.write("schemas/rangs.schema.json", contract.to_string());
    project.run();
    let rows = project.read("seeds/lieux.csv");
    project.write("seeds/lieux.csv", format!("{rows}21,Au début,5\n"));
    project.run();
    bench
}

#[test]
fn lists_of_changes_that_call_rows_by_their_rank_lose_those_of_the_record() {
    let bench = ranked();
    let project = &bench.project;
    let releases = project.releases(DATASET);
    let rows = |release: &str| project.json(&format!("{PUBLIC}/releases/{release}/manifest.json"))["files"].clone();
    let lines = |release: &str| {
        let all = rows(release);
        let list = all.as_array().unwrap().iter().find(|file| file["path"] == "changes.parquet");
        list.unwrap()["rows"].as_u64().unwrap()
    };
    let before = lines(&releases[1]);
    project.essaim(&SEVENTH).expect(0);
    is_nowhere(&project.path("data"), &[GONE]);
    let now = project.releases(DATASET);
    assert_eq!(now, releases.iter().map(|release| format!("{release}-r1")).collect::<Vec<_>>());
    // Twenty ranks have another place, of two cells each; two of them are or were the record's.
    assert!((1..before).contains(&lines(&now[1])), "{} of {before} lines are left", lines(&now[1]));
    let manifest = project.json(&format!("{PUBLIC}/releases/{}/manifest.json", now[1]));
    assert_eq!(manifest["previous"], json!(now[0]), "the release before is called by its present name");
    let verified = project.essaim(&["releases", "verify"]).expect(0);
    assert!(verified.stderr.contains("0 faults, 0 stale"), "{}{}", verified.stdout, verified.stderr);
}

#[test]
fn ranks_of_the_record_are_found_also_after_a_kill_between_two_releases() {
    let bench = ranked();
    let project = &bench.project;
    bench.keep();
    let entries = || fs::read_dir(project.path(&format!("{PUBLIC}/log"))).unwrap().count();
    let published = entries();
    // The first point at which one of the two releases is rewritten and the other one is not.
    let (mut low, mut high) = (1, 1024);
    while low < high {
        let middle = u64::midpoint(low, high);
        bench.go_back();
        bench.killed_at(middle, &SEVENTH);
        if entries() > published { high = middle } else { low = middle + 1 }
    }
    bench.go_back();
    assert!(bench.killed_at(low, &SEVENTH), "the command was never killed");
    assert_eq!(entries(), published + 1);
    project.essaim(&["run", "--from", "snapshot"]).expect(0);
    is_nowhere(&project.path("data"), &[GONE]);
    let verified = project.essaim(&["releases", "verify"]).expect(0);
    assert!(verified.stderr.contains("0 faults, 0 stale"), "{}{}", verified.stdout, verified.stderr);
}
