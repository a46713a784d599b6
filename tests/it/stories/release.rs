//! Releases: what makes one, what is in it, what stays as it was, and what happens when something goes wrong on the way.

mod bench;
mod changelog;
mod changes;
mod described;
mod erased;
mod killed;
mod large;
mod reproduced;
mod swept;
mod tls;
mod withdrawn;
mod writers;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};
use sha2::Digest as _;

use crate::harness::sample::{ANSWERS, answers};
use crate::harness::{Project, rows, walk};

const SHIPPED: &str = "cooperations-territoriales";
const PUBLIC: &str = "data/public/cooperations-territoriales";

fn sha256(bytes: &[u8]) -> String {
    hex::encode(sha2::Sha256::digest(bytes))
}

fn answers_file() -> String {
    format!("seeds/exemple/{ANSWERS}")
}

/// Changes one field of one answer.
fn answer(project: &Project, page: &str, field: &str, value: &str) {
    project.edit_json(&answers_file(), |entries| {
        let cell = &mut entries[page][field];
        assert!(cell.is_string(), "{page} has no text {field}");
        *cell = json!(value);
    });
}

/// The first answer whose status is `association`.
fn an_association() -> String {
    answers().into_iter().find(|(_, answer)| answer["bf_statut"] == "association").unwrap().0
}

/// Files of the public store, without the folder that is only a copy when `copies` says so.
fn public(project: &Project) -> BTreeMap<String, Vec<u8>> {
    project.public()
}

/// Files below a folder, by path.
fn files(project: &Project, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let root = project.path(folder);
    let mut files = BTreeMap::new();
    walk(&root, &mut |path| {
        files.insert(path.strip_prefix(&root).unwrap().display().to_string(), fs::read(path).unwrap());
    });
    files
}

fn entry(project: &Project, number: u64) -> Value {
    project.json(&format!("{PUBLIC}/log/{number:020}.json"))
}

/// Entries of the log; a killed run may leave the beginning of one, under a name that is none of an entry.
fn log_length(project: &Project) -> usize {
    let Ok(entries) = fs::read_dir(project.path(&format!("{PUBLIC}/log"))) else { return 0 };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.strip_suffix(".json").is_some_and(|number| number.len() == 20)).count()
}

#[test]
fn an_unchanged_run_publishes_nothing_and_touches_no_public_byte_but_the_freshness() {
    let project = Project::shipped();
    let first = project.run();
    assert_eq!(first.stdout, format!("{SHIPPED}\tpublished\t[DATE]\n"));
    let before = public(&project);
    let output = project.run();
    assert_eq!(output.stdout, format!("{SHIPPED}\tunchanged\t[DATE]\n"));
    assert!(public(&project) == before, "an unchanged run changed the public store");
    assert_eq!(log_length(&project), 1);
    let claims = fs::read_dir(project.path(&format!("{PUBLIC}/claims"))).unwrap().count();
    assert_eq!(claims, 1);
    assert_eq!(project.record()["outcome"], "unchanged");
}

#[test]
fn a_changed_answer_makes_a_second_release_and_leaves_the_first_as_it_was() {
    let project = Project::shipped();
    project.run();
    let first = project.releases(SHIPPED).pop().unwrap();
    let before = files(&project, &format!("{PUBLIC}/releases/{first}"));
    let log = fs::read(project.path(&format!("{PUBLIC}/log/{:020}.json", 1))).unwrap();
    answer(&project, &an_association(), "bf_statut", "scic");
    project.run();
    let releases = project.releases(SHIPPED);
    assert_eq!(releases.len(), 2);
    assert_eq!(releases[0], first);
    // The second of the day; or the first of the next, should midnight have passed.
    assert!(releases[1] == format!("{first}.2") || !releases[1].starts_with(&first), "{releases:?}");
    assert!(files(&project, &format!("{PUBLIC}/releases/{first}")) == before, "the first release changed");
    assert_eq!(fs::read(project.path(&format!("{PUBLIC}/log/{:020}.json", 1))).unwrap(), log);
    let manifest = |release: &str| project.json(&format!("{PUBLIC}/releases/{release}/manifest.json"));
    assert_eq!(manifest(&first)["previous"], Value::Null);
    assert_eq!(manifest(&releases[1])["previous"], json!(first));
    assert_eq!(manifest(&releases[1])["release"], json!(releases[1]));
    assert_eq!(project.json(&format!("{PUBLIC}/releases.json"))["latest"], json!(releases[1]));
    assert_eq!(
        files(&project, &format!("{PUBLIC}/latest")),
        files(&project, &format!("{PUBLIC}/releases/{}", releases[1]))
    );
}

#[test]
fn taking_a_change_back_makes_a_third_release_with_the_data_of_the_first() {
    let project = Project::shipped();
    project.run();
    let page = an_association();
    answer(&project, &page, "bf_statut", "scic");
    project.run();
    answer(&project, &page, "bf_statut", "association");
    project.run();
    let releases = project.releases(SHIPPED);
    assert_eq!(releases.len(), 3);
    let data = |release: &str| {
        let mut files = files(&project, &format!("{PUBLIC}/releases/{release}"));
        files.retain(|name, _| is_data(name));
        files
    };
    assert!(data(&releases[0]) == data(&releases[2]));
    assert!(data(&releases[0]) != data(&releases[1]));
}

/// Data files; the others say when and as what they were issued.
fn is_data(name: &str) -> bool {
    let data = [".csv", ".parquet", ".geojson", ".svg"].iter().any(|ending| name.ends_with(ending));
    data && name != "dictionary.csv" && !name.starts_with("changes.")
}

#[test]
fn manifest_and_sums_say_what_is_in_the_release() {
    let project = Project::shipped();
    project.run();
    let release = project.releases(SHIPPED).pop().unwrap();
    let files = files(&project, &format!("{PUBLIC}/releases/{release}"));
    let sums: BTreeMap<String, String> = project
        .read(&format!("{PUBLIC}/releases/{release}/SHA256SUMS"))
        .lines()
        .map(|line| line.split_once("  ").map(|(digest, path)| (path.to_owned(), digest.to_owned())).unwrap())
        .collect();
    let computed: BTreeMap<String, String> = files
        .iter()
        .filter(|(name, _)| *name != "SHA256SUMS")
        .map(|(name, bytes)| (name.clone(), sha256(bytes)))
        .collect();
    assert_eq!(sums, computed);
    let manifest = project.json(&format!("{PUBLIC}/releases/{release}/manifest.json"));
    let mut listed = BTreeSet::new();
    for file in manifest["files"].as_array().unwrap() {
        let path = file["path"].as_str().unwrap();
        assert_eq!(file["sha256"], json!(computed[path]), "{path}");
        assert_eq!(file["bytes"], json!(files[path].len()), "{path}");
        listed.insert(path.to_owned());
        if path.ends_with(".csv") && !path.ends_with(".excel-fr.csv") && path != "dictionary.csv" {
            let found = rows(&project.path(&format!("{PUBLIC}/releases/{release}/{path}"))).len();
            assert_eq!(file["rows"], json!(found), "{path}");
        }
    }
    let expected = computed.keys().filter(|name| *name != "manifest.json").cloned().collect::<BTreeSet<_>>();
    assert_eq!(listed, expected);
    let tables = manifest["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 11);
    for table in tables {
        let name = table["name"].as_str().unwrap();
        for ending in ["csv", "excel-fr.csv", "parquet"] {
            assert!(files.contains_key(&format!("{name}.{ending}")), "{name}.{ending} is missing");
        }
        assert!(files.contains_key(&format!("schemas/{name}.schema.json")));
        assert_eq!(table["rows"], json!(project.csv(SHIPPED, name).len()));
    }
    let said = ["CITATION.cff", "LICENSE", "README.md", "catalog.jsonld", "croissant.json", "csv-metadata.json"];
    let more = ["datapackage.json", "dictionary.csv", "dictionary.html", "gate.json", "index.html"];
    for name in said.into_iter().chain(more) {
        assert!(files.contains_key(name), "{name} is missing");
    }
    for table in ["structures", "reseaux_implantations", "maillage_regions", "maillage_departements"] {
        assert!(files.contains_key(&format!("{table}.geojson")), "{table} has a place");
    }
    for figure in ["figure_1_echelle_action", "figure_2_types_accompagnes", "figure_3_modalites"] {
        assert!(files.contains_key(&format!("{figure}.svg")), "{figure} is not drawn");
    }
}

#[test]
fn a_log_entry_says_what_was_published_and_that_it_was_verified() {
    let project = Project::shipped();
    project.run();
    let entry = entry(&project, 1);
    let fields: BTreeSet<&str> = entry.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        BTreeSet::from([
            "kind",
            "release",
            "manifest",
            "content",
            "attempt",
            "at",
            "verified_at",
            "before",
            "claim",
            "version",
            "token"
        ])
    );
    let release = project.releases(SHIPPED).pop().unwrap();
    let manifest = fs::read(project.path(&format!("{PUBLIC}/releases/{release}/manifest.json"))).unwrap();
    assert_eq!(entry["kind"], "publish");
    assert_eq!(entry["release"], json!(release));
    assert_eq!(entry["manifest"], json!(sha256(&manifest)));
    assert_eq!(entry["content"], serde_json::from_slice::<Value>(&manifest).unwrap()["content"]);
    let claim = project.json(&format!("{PUBLIC}/claims/{release}.json"));
    assert_eq!(claim["attempt"], entry["attempt"]);
    let text = |key: &str| entry[key].as_str().unwrap().to_owned();
    assert!(text("attempt").len() >= 16, "an attempt id that can be met twice");
    assert!(text("verified_at") >= text("at"), "{entry}");
    assert_eq!(project.json(&format!("{PUBLIC}/latest/manifest.json"))["issued"], entry["at"]);
}

#[test]
fn the_same_inputs_give_the_same_bytes_in_another_folder_zone_and_language() {
    let one = Project::shipped();
    let mut other = Project::shipped();
    other.set("TZ", "Pacific/Auckland");
    other.set("LANG", "tr_TR.UTF-8");
    other.set("LC_ALL", "tr_TR.UTF-8");
    one.run();
    other.run();
    let data = |project: &Project| {
        let mut files = files(project, &format!("{PUBLIC}/latest"));
        files.retain(|name, _| is_data(name));
        files
    };
    let (one, other) = (data(&one), data(&other));
    assert_eq!(one.len(), 40, "{:?}", one.keys());
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in &one {
        assert!(other[name] == *bytes, "{name} differs");
    }
}

#[test]
fn the_order_of_the_answers_does_not_matter() {
    let one = Project::shipped();
    one.run();
    let other = Project::shipped();
    other.edit_json(&answers_file(), |entries| {
        let turned: serde_json::Map<String, Value> =
            entries.as_object().unwrap().iter().rev().map(|(page, entry)| (page.clone(), entry.clone())).collect();
        *entries = Value::Object(turned);
    });
    other.run();
    for (name, bytes) in files(&one, &format!("{PUBLIC}/latest")).iter().filter(|(name, _)| is_data(name)) {
        assert!(fs::read(other.latest(SHIPPED).join(name)).unwrap() == *bytes, "{name} differs");
    }
}

#[test]
fn the_next_run_repairs_what_is_derived_from_the_log() {
    let project = Project::shipped();
    project.run();
    let before = public(&project);
    fs::remove_dir_all(project.path(&format!("{PUBLIC}/latest"))).unwrap();
    fs::remove_file(project.path(&format!("{PUBLIC}/releases.json"))).unwrap();
    let output = project.run();
    assert_eq!(output.stdout, format!("{SHIPPED}\tunchanged\t[DATE]\n"));
    assert!(public(&project) == before, "latest/ or releases.json is not as it was");
}

#[test]
fn a_half_written_latest_is_repaired_too() {
    let project = Project::shipped();
    project.run();
    let before = public(&project);
    project.write(&format!("{PUBLIC}/latest/manifest.json"), "{");
    project.write(&format!("{PUBLIC}/latest/structures.csv"), "id\r\n");
    project.write(&format!("{PUBLIC}/latest/ancienne_table.csv"), "id\r\n");
    project.run();
    assert!(public(&project) == before, "latest/ is not as it was");
}

#[test]
fn a_gap_in_the_log_is_reported_and_nothing_is_published_over_it() {
    let project = Project::shipped();
    project.run();
    let page = an_association();
    answer(&project, &page, "bf_statut", "scic");
    project.run();
    fs::remove_file(project.path(&format!("{PUBLIC}/log/{:020}.json", 1))).unwrap();
    answer(&project, &page, "bf_statut", "autre");
    let before = public(&project);
    let output = project.essaim(&["run"]).expect(1);
    assert!(
        output.stderr.contains("has no entry 1, but an entry 2; restore the missing entry from a backup"),
        "{}",
        output.stderr
    );
    assert!(public(&project) == before, "something was published over a damaged log");
    let output = project.essaim(&["releases", "list"]).expect(1);
    assert!(output.stderr.contains("has no entry 1"), "{}", output.stderr);
}

#[test]
fn an_unreadable_log_entry_is_reported_and_nothing_is_published_over_it() {
    let project = Project::shipped();
    project.run();
    project.write(&format!("{PUBLIC}/log/{:020}.json", 1), "{\"kind\": \"publ");
    let before = public(&project);
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("00000000000000000001.json cannot be read"), "{}", output.stderr);
    assert!(public(&project) == before);
}

#[test]
fn a_release_id_that_somebody_else_took_is_left_to_them() {
    let project = Project::shipped();
    let zone = chrono_tz::Europe::Paris;
    #[expect(clippy::disallowed_methods, reason = "the id that is taken is that of today")]
    let today = chrono::Utc::now().with_timezone(&zone).date_naive();
    let theirs = "{\"attempt\": \"theirs\"}";
    // Both, should midnight pass.
    for day in [today, today.succ_opt().unwrap()] {
        project.write(&format!("{PUBLIC}/claims/{day}.json"), theirs);
        project.write(&format!("{PUBLIC}/releases/{day}/structures.csv"), "theirs");
    }
    project.run();
    let release = project.releases(SHIPPED).pop().unwrap();
    let (day, count) = release.split_once('.').unwrap();
    assert_eq!(count, "2");
    assert_eq!(project.read(&format!("{PUBLIC}/claims/{day}.json")), theirs);
    assert_eq!(project.read(&format!("{PUBLIC}/releases/{day}/structures.csv")), "theirs");
    assert_eq!(entry(&project, 1)["release"], json!(release));
}

#[test]
fn a_blocked_run_publishes_nothing_and_the_last_release_stays_visible() {
    let project = Project::shipped();
    project.run();
    let before = public(&project);
    let registry = "seeds/exemple/fabriques-a-initiatives.synthetique.csv";
    let text = project.read(registry);
    let name = "Fabrique à initiatives synthétique 01,";
    assert_eq!(text.matches(name).count(), 1);
    project.write(registry, text.replace(name, "=1+1,"));
    let output = project.essaim(&["run"]).expect(1);
    assert_eq!(output.stdout, format!("{SHIPPED}\tblocked\t-\n"));
    assert!(output.stderr.contains("blocked, nothing published; the last release stays visible"), "{}", output.stderr);
    assert!(output.stderr.contains("block no_formula of `reseaux_implantations`: 1 rows"), "{}", output.stderr);
    assert!(public(&project) == before, "a blocked run changed the public store");
    let record = project.record();
    assert_eq!(record["outcome"], "blocked");
    assert_eq!(record["failed_checks"][0]["id"], "no_formula");
    let query = project.essaim(&["query", "SELECT count(*) AS n FROM structures", "--format", "csv"]).expect(0);
    assert_eq!(query.stdout, "n\n49\n");
    project.write(registry, text);
    assert_eq!(project.run().stdout, format!("{SHIPPED}\tunchanged\t[DATE]\n"));
}

#[test]
fn a_dry_run_makes_everything_and_publishes_nothing() {
    let project = Project::shipped();
    let output = project.essaim(&["run", "--dry-run"]).expect(0);
    assert_eq!(output.stdout, format!("{SHIPPED}\tdry-run\t-\n"));
    assert_eq!(project.record()["published"].as_array().unwrap().len(), 11);
    assert!(!project.path(PUBLIC).exists());
}
