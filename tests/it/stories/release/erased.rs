//! A legal demand to erase a record: it is nowhere afterwards, and everything else is as it was.

mod elsewhere;
mod forms;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use rstest::rstest;
use serde_json::json;

use super::bench::{Bench, DATASET, Place};
use super::{PUBLIC, SHIPPED, an_association, answer, answers_file, files};
use crate::harness::sample::{agrees, answers, public_id};
use crate::harness::{Project, python, walk};

const PLANTED: &str = "Zyxomma l’effacée";
const CONTACT: &str = "Quetzal Vrombissant";
const REASON: &str = "Demande d’effacement (RGPD, article 17).";

/// An answer that is shown with what it says.
fn shown() -> String {
    let mut all = answers().into_iter();
    all.find(|(_, answer)| agrees(answer, "bf_consentement") && agrees(answer, "bf_consentement_reponses")).unwrap().0
}

fn erase<'a>(dataset: &'a str, key: &'a str) -> [&'a str; 7] {
    ["releases", "erase", dataset, "--key", key, "--because", REASON]
}

#[track_caller]
fn is_nowhere(folder: &Path, texts: &[&str]) {
    let mut arguments = vec![folder];
    arguments.extend(texts.iter().map(Path::new));
    let printed = python("erased.py", &arguments);
    assert!(printed.trim_end().ends_with(" files, 0 found"), "{printed}");
}

/// Files of a release that hold numbers, not rows: all that are not of the directory, and no metadata.
fn aggregates(project: &Project, release: &str) -> BTreeMap<String, Vec<u8>> {
    let mut all = files(project, &format!("{PUBLIC}/releases/{release}"));
    let data = |name: &str| [".csv", ".parquet", ".geojson", ".svg"].iter().any(|ending| name.ends_with(ending));
    all.retain(|name, _| data(name) && name != "dictionary.csv" && !name.starts_with("structures."));
    all
}

#[test]
fn an_erased_record_is_in_no_byte_of_either_store_and_aggregates_stay() {
    let project = Project::shipped();
    let page = shown();
    answer(&project, &page, "bf_titre", PLANTED);
    project.edit_json(&answers_file(), |entries| {
        entries[&page]["bf_contact_nom"] = json!(CONTACT);
        // Listed among the cells that do not fit.
        entries[&page]["bf_siret"] = json!("Quetzal 12");
    });
    project.run();
    let other = an_association();
    assert_ne!(other, page);
    answer(&project, &other, "bf_statut", "autre");
    project.run();
    let releases = project.releases(SHIPPED);
    let [first, second] = releases.as_slice() else { panic!("{releases:?}") };
    project.essaim(&["releases", "withdraw", &format!("{SHIPPED}@{first}"), "--because", "Essai."]).expect(0);
    let (before, rows) = (aggregates(&project, second), project.csv(SHIPPED, "structures"));
    assert_eq!(rows.iter().filter(|row| row["nom"] == PLANTED).count(), 1);

    let output = project.essaim(&erase(SHIPPED, &page)).expect(0);
    assert!(output.stderr.contains("2 releases rewritten, 2 snapshots"), "{}", output.stderr);
    let id = public_id(&page);
    is_nowhere(&project.path("data"), &[PLANTED, CONTACT, "Quetzal 12", &page, &id]);

    let (first, second) = (format!("{first}-r1"), format!("{second}-r1"));
    assert_eq!(project.releases(SHIPPED), [second.as_str()]);
    assert!(aggregates(&project, &second) == before, "a number changed");
    let left: Vec<_> = rows.into_iter().filter(|row| row["id"] != id).collect();
    assert_eq!(project.csv(SHIPPED, "structures"), left);
    assert!(files(&project, &format!("{PUBLIC}/latest")) == files(&project, &format!("{PUBLIC}/releases/{second}")));
    let old = second.trim_end_matches("-r1");
    let tomb = files(&project, &format!("{PUBLIC}/releases/{old}"));
    assert_eq!(tomb.keys().collect::<Vec<_>>(), ["ERASED.json"]);
    let notice: serde_json::Value = serde_json::from_slice(&tomb["ERASED.json"]).unwrap();
    assert_eq!((&notice["reason"], &notice["replaced_by"]), (&json!(REASON), &json!(second)));
    let verified = project.essaim(&["releases", "verify"]).expect(0);
    assert!(verified.stderr.contains("2 releases") && verified.stderr.contains("0 faults, 0 stale"), "{verified:?}");
    let asked = project.essaim(&["query", "SELECT 1", "--release", old]).expect(2);
    assert!(asked.stderr.contains("was rewritten as") && asked.stderr.contains(REASON), "{}", asked.stderr);
    let rebuilt = project.essaim(&["reproduce", &format!("{SHIPPED}@{second}")]).expect(1);
    assert!(rebuilt.stderr.contains("it was rewritten by an erasure"), "{}", rebuilt.stderr);

    // The withdrawn one comes back without the record, too.
    project.essaim(&["releases", "restore", &format!("{SHIPPED}@{first}"), "--because", "Essai."]).expect(0);
    project.essaim(&["releases", "verify"]).expect(0);
    is_nowhere(&project.path("data"), &[PLANTED, CONTACT, &page, &id]);
    let printed = python("readers.py", &[&project.path(&format!("{PUBLIC}/releases/{first}"))]);
    assert!(printed.trim_end().ends_with(", 0 failed"), "{printed}");
}

#[test]
fn a_source_that_still_has_an_erased_record_does_not_bring_it_back() {
    let project = Project::shipped();
    let page = shown();
    answer(&project, &page, "bf_titre", PLANTED);
    project.run();
    project.essaim(&erase(SHIPPED, &page)).expect(0);
    project.essaim(&["run", "--from", "snapshot"]).expect(0);
    is_nowhere(&project.path("data"), &[PLANTED, &page]);
    project.run();
    is_nowhere(&project.path("data/public"), &[PLANTED, &page, &public_id(&page)]);
    is_nowhere(&project.path("data/private/runs"), &[PLANTED, &page]);
    let record = project.record();
    assert_eq!(record["tables"][0]["rejects"]["efface"], 1, "{record}");
    assert!(project.ledger("rejects", "reponses").iter().all(|row| row["motif"] != "efface"));
    project.essaim(&["releases", "verify"]).expect(0);
    // Asked again, the command cuts it out of what the source sent since.
    let again = project.essaim(&erase(SHIPPED, &page)).expect(0);
    assert!(again.stderr.contains("erased again"), "{}", again.stderr);
    is_nowhere(&project.path("data"), &[PLANTED, &page]);
}

#[test]
fn a_row_of_a_registry_is_cut_out_of_its_bytes_and_every_other_byte_stays() {
    let project = Project::shipped();
    project.run();
    let registry = fs::read(project.path("seeds/exemple/tiers-lieux.synthetique.csv")).unwrap();
    let lines: Vec<&[u8]> = registry.split_inclusive(|byte| *byte == b'\n').collect();
    let left: Vec<u8> =
        lines.iter().filter(|line| !line.starts_with(b"TL-0047;")).flat_map(|line| line.to_vec()).collect();
    assert!(left.len() < registry.len());
    let before = project.csv(SHIPPED, "reseaux_implantations").len();
    project.essaim(&erase(SHIPPED, "TL-0047")).expect(0);
    assert_eq!(project.csv(SHIPPED, "reseaux_implantations").len(), before - 1);
    let mut parts = Vec::new();
    walk(&project.path("data/private/snapshots/tiers-lieux/parts"), &mut |path| parts.push(fs::read(path).unwrap()));
    assert!(parts == [left], "the snapshot is not the registry without the row");
    is_nowhere(&project.path("data"), &["TL-0047"]);
    project.essaim(&["releases", "verify"]).expect(0);
}

#[test]
fn of_two_registries_with_one_key_only_the_one_that_is_named_loses_its_row() {
    let project = Project::shipped();
    project.replace("seeds/exemple/fabriques-a-initiatives.synthetique.csv", "\nFAI-02,", "\nTL-0047,");
    project.run();
    let both = |project: &Project| {
        let rows = project.csv(SHIPPED, "reseaux_implantations").into_iter();
        let rows = rows.filter(|row| row["id"] == "TL-0047").map(|row| row["reseau"].clone());
        rows.collect::<Vec<_>>()
    };
    assert_eq!(both(&project), ["fabrique_a_initiatives", "tiers_lieu"]);
    let before = project.stored_without_leases();
    let output = project.essaim(&erase(SHIPPED, "TL-0047")).expect(2);
    assert!(output.stderr.contains("say which one with --table"), "{}", output.stderr);
    assert!(output.stderr.contains("fabriques; tiers_lieux"), "{}", output.stderr);
    assert!(project.stored_without_leases() == before);
    project.essaim(&[&erase(SHIPPED, "TL-0047")[..], &["--table", "tiers_lieux"]].concat()).expect(0);
    assert_eq!(both(&project), ["fabrique_a_initiatives"]);
    project.essaim(&["releases", "verify"]).expect(0);
}

#[test]
fn a_key_that_nobody_has_or_a_reason_that_names_it_changes_nothing() {
    let project = Project::shipped();
    project.run();
    let before = project.stored_without_leases();
    let output = project.essaim(&erase(SHIPPED, "PersonneNeLaConnait")).expect(1);
    assert!(output.stderr.contains("nothing was erased"), "{}", output.stderr);
    let named = ["releases", "erase", SHIPPED, "--key", "TL-0047", "--because", "Le lieu TL-0047 le veut."];
    let output = project.essaim(&named).expect(2);
    assert!(output.stderr.contains("may not name the record"), "{}", output.stderr);
    let wrong = [&erase(SHIPPED, "TL-0047")[..], &["--table", "ailleurs"]].concat();
    let output = project.essaim(&wrong).expect(2);
    assert!(output.stderr.contains("it has: reponses, fabriques, tiers_lieux"), "{}", output.stderr);
    assert!(project.stored_without_leases() == before);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

fn zip(name: &str, text: &str) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(text.as_bytes()).unwrap();
    archive.finish().unwrap().into_inner()
}

const JSON: &str =
    r#"{"total": 3, "lieux": [{"id": "a", "nom": "A"}, {"id": "zyx", "nom": "Zyxomma"}, {"id": "c", "nom": "C"}]}"#;
const LINES: &str =
    "{\"id\": \"a\", \"nom\": \"A\"}\n{\"id\": \"zyx\", \"nom\": \"Zyx\\nomma\"}\n{\"id\": \"c\", \"nom\": \"C\"}\n";
const GEO: &str = r#"{"type": "FeatureCollection", "features": [
  {"type": "Feature", "properties": {"id": "zyx", "nom": "Zyxomma"}, "geometry": null},
  {"type": "Feature", "properties": {"id": "c", "nom": "C"}, "geometry": null}]}"#;

#[rstest]
#[case::json("json = { rows = \"lieux\" }", JSON.as_bytes().to_vec(), false)]
#[case::json_lines("json = { lines = true }", LINES.as_bytes().to_vec(), false)]
#[case::packed_lines("json = { lines = true }", gzip(LINES), false)]
#[case::geojson("geojson = {}", GEO.as_bytes().to_vec(), false)]
#[case::packed_members("csv = {}", zip("lieux.csv", "id,nom\na,A\nzyx,Zyxomma\n"), true)]
fn a_record_goes_from_every_kind_of_source(#[case] reader: &str, #[case] bytes: Vec<u8>, #[case] whole: bool) {
    let bench = Bench::new(Place::Folder);
    let project = &bench.project;
    project.replace("pipelines/lieux.toml", "csv = {}", reader);
    project.replace("pipelines/lieux.toml", "seeds/lieux.csv", "seeds/lieux.bin");
    project.write("seeds/lieux.bin", bytes);
    project.run();
    assert!(project.csv(DATASET, "lieux").iter().any(|row| row["id"] == "zyx"));
    let output = project.essaim(&erase(DATASET, "zyx")).expect(0);
    assert_eq!(output.stderr.contains("deleted as a whole"), whole, "{}", output.stderr);
    assert!(project.csv(DATASET, "lieux").iter().all(|row| row["id"] != "zyx"));
    is_nowhere(&project.path("data"), &["zyx", "Zyxomma", "Zyx\nomma"]);
    let run = project.essaim(&["run", "--from", "snapshot"]);
    if whole {
        assert!(run.code == 1 && run.stderr.contains("part"), "{}{}", run.stdout, run.stderr);
    } else {
        assert_eq!(run.stdout, format!("{DATASET}\tunchanged\t[DATE]-r1\n"), "{}", run.stderr);
    }
    project.essaim(&["releases", "verify"]).expect(0);
}
