//! Withdrawing, restoring, verifying and collecting releases.

use std::fs;
use std::path::Path;

use super::{PUBLIC, SHIPPED, an_association, answer, files};
use crate::harness::Project;
use crate::harness::s3::{BUCKET, S3Server};

/// A project with two releases, and their ids.
fn two_releases() -> (Project, String, String) {
    let project = Project::shipped();
    project.run();
    answer(&project, &an_association(), "bf_statut", "autre");
    project.run();
    let releases = project.releases(SHIPPED);
    let [first, second] = releases.as_slice() else { panic!("{releases:?}") };
    let (first, second) = (first.clone(), second.clone());
    (project, first, second)
}

fn name(release: &str) -> String {
    format!("{SHIPPED}@{release}")
}

#[test]
fn a_withdrawn_release_leaves_a_notice_and_the_one_before_is_latest() {
    let (project, first, second) = two_releases();
    let before = files(&project, &format!("{PUBLIC}/releases/{second}"));
    let withdrawn = ["releases", "withdraw", &name(&second), "--because", "Une colonne était décalée."];
    project.essaim(&withdrawn).expect(0);
    let left = files(&project, &format!("{PUBLIC}/releases/{second}"));
    assert_eq!(left.keys().collect::<Vec<_>>(), ["WITHDRAWN.json"]);
    let notice: serde_json::Value = serde_json::from_slice(&left["WITHDRAWN.json"]).unwrap();
    assert_eq!(notice["reason"], "Une colonne était décalée.");
    assert_eq!(project.releases(SHIPPED), [first.as_str()]);
    let latest = files(&project, &format!("{PUBLIC}/latest"));
    assert!(latest == files(&project, &format!("{PUBLIC}/releases/{first}")), "latest/ is another release");
    assert!(files(&project, &format!("data/private/withdrawn/{SHIPPED}/{second}")) == before);
    let listed = project.essaim(&["releases", "list"]).expect(0).stdout;
    assert!(listed.lines().nth(1).unwrap().ends_with("withdrawn"), "{listed}");
    let asked = project.essaim(&["query", "SELECT 1", "--release", &second]).expect(2);
    assert!(asked.stderr.contains("was withdrawn on") && asked.stderr.contains("décalée"), "{}", asked.stderr);
    project.essaim(&["releases", "verify"]).expect(0);
    assert!(project.essaim(&withdrawn).expect(0).stderr.contains("was withdrawn before"));

    project.essaim(&["releases", "restore", &name(&second), "--because", "La colonne était juste."]).expect(0);
    assert!(files(&project, &format!("{PUBLIC}/releases/{second}")) == before, "the release came back otherwise");
    assert!(files(&project, &format!("{PUBLIC}/latest")) == before);
    assert_eq!(project.releases(SHIPPED), [first, second]);
    let verified = project.essaim(&["releases", "verify"]).expect(0);
    assert_eq!(verified.stdout, "");
    assert!(verified.stderr.contains("0 faults, 0 stale"), "{}", verified.stderr);
}

#[test]
fn the_only_release_can_be_withdrawn_and_the_next_run_publishes_again() {
    let project = Project::shipped();
    project.run();
    let release = project.releases(SHIPPED).pop().unwrap();
    project.essaim(&["releases", "withdraw", &name(&release), "--because", "Essai."]).expect(0);
    assert_eq!(project.releases(SHIPPED), Vec::<String>::new());
    assert!(files(&project, &format!("{PUBLIC}/latest")).is_empty());
    let asked = project.essaim(&["query", "SELECT 1"]).expect(2);
    assert!(asked.stderr.contains("are withdrawn"), "{}", asked.stderr);
    project.run();
    let releases = project.releases(SHIPPED);
    assert!(releases.len() == 1 && releases[0] != release, "{releases:?}");
    project.essaim(&["releases", "verify"]).expect(0);
}

#[test]
fn a_changed_byte_in_any_stored_file_is_found_and_named() {
    let (project, _, _) = two_releases();
    let mut changed = 0;
    for (path, bytes) in project.stored() {
        let derived = [format!("public/{SHIPPED}/latest/"), format!("public/{SHIPPED}/releases.json")];
        if !path.starts_with("public/") || derived.iter().any(|start| path.starts_with(start)) || bytes.is_empty() {
            continue;
        }
        let file = project.path("data").join(&path);
        let mut other = bytes.clone();
        let middle = other.len() / 2;
        other[middle] ^= 1;
        fs::write(&file, &other).unwrap();
        // One in nine, and all that are not data: each costs a whole reading.
        if changed % 9 == 0 || !path.contains("/releases/") {
            let output = project.essaim(&["releases", "verify"]);
            assert_eq!(output.code, 1, "{path} was changed and not found");
            let file = path.rsplit('/').next().unwrap();
            let named = output.stdout.contains(file) || output.stderr.contains(file);
            let claimed = path.contains("/claims/") && output.stdout.contains("claim");
            assert!(named || claimed, "{path} is not named:\n{}{}", output.stdout, output.stderr);
        }
        changed += 1;
        fs::write(&file, &bytes).unwrap();
    }
    assert!(changed > 100, "{changed}");
    project.essaim(&["releases", "verify"]).expect(0);
}

#[test]
fn collecting_removes_old_orphans_and_nothing_else() {
    let (project, _, _) = two_releases();
    project.write(&format!("{PUBLIC}/releases/2020-01-01/structures.csv"), "a\n1\n");
    project.write(&format!("{PUBLIC}/releases/2020-01-01/manifest.json"), "{}");
    project.write(&format!("{PUBLIC}/latest/structures.csv#1"), "unfinished");
    let before = project.stored();
    let spared = project.essaim(&["releases", "gc"]).expect(0);
    assert_eq!(spared.stdout, "", "what is young may belong to a run");
    assert_eq!(project.stored(), before);
    let told = project.essaim(&["releases", "gc", "--older-than", "0", "--dry-run"]).expect(0);
    assert_eq!(told.stdout.lines().count(), 2, "{}", told.stdout);
    assert_eq!(project.stored(), before);
    project.essaim(&["releases", "gc", "--older-than", "0"]).expect(0);
    let after = project.stored();
    let gone: Vec<&String> = before.keys().filter(|path| !after.contains_key(*path)).collect();
    let is_orphan = |path: &String| path.contains("/2020-01-01/") || path.ends_with("#1");
    assert!(gone.len() == 3 && gone.iter().all(|path| is_orphan(path)), "{gone:?}");
    assert!(after.iter().all(|(path, bytes)| before.get(path) == Some(bytes)));
}

#[test]
fn a_release_can_live_in_a_bucket() {
    let server = S3Server::start();
    let mut project = Project::shipped();
    for (name, value) in server.env() {
        project.set(name, &value);
    }
    for (name, folder) in [("public", "data/public"), ("private", "data/private")] {
        project.replace("essaim.toml", &format!("\"{folder}\""), &format!("\"s3://{BUCKET}/{name}\""));
    }
    let first = project.run();
    assert!(first.stdout.contains("\tpublished\t"), "{}", first.stdout);
    assert!(project.run().stdout.contains("\tunchanged\t"));
    answer(&project, &an_association(), "bf_statut", "autre");
    project.run();
    let count = "SELECT count(*) AS n FROM structures";
    assert!(project.essaim(&["query", count, "--format", "csv"]).expect(0).stdout.contains("49"));
    let listed = project.essaim(&["releases", "list"]).expect(0).stdout;
    let releases: Vec<&str> = listed.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
    let [_, second] = releases.as_slice() else { panic!("{listed}") };
    let _ = second;
    let verified = project.essaim(&["releases", "verify"]).expect(0);
    assert!(verified.stderr.contains("2 releases") && verified.stderr.contains("0 faults, 0 stale"), "{verified:?}");
    assert!(!project.path("data").exists(), "something was written beside the bucket");
    assert!(server.requests() > 100 && Path::new(&project.path("seeds")).exists());
}
