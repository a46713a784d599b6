//! A run that is killed at any moment leaves a whole log, and the next run publishes.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rstest::rstest;

use super::{PUBLIC, SHIPPED, entry, files, log_length, sha256};
use crate::harness::Project;

/// Whether a file or folder is there whose path below `data` has these parts; `*` stands for any name.
fn exists(folder: &Path, parts: &[&str]) -> bool {
    let Some((first, rest)) = parts.split_first() else { return folder.exists() };
    if *first != "*" {
        return exists(&folder.join(first), rest);
    }
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.filter_map(Result::ok).any(|entry| exists(&entry.path(), rest))
}

/// Starts a run and kills it as soon as something is there, or lets it end when it is faster.
fn killed_when(project: &Project, parts: &[&str]) {
    let mut run = project.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let patience = Instant::now() + Duration::from_mins(2);
    while !exists(&project.path("data"), parts) && run.try_wait().unwrap().is_none() {
        assert!(Instant::now() < patience, "{parts:?} never came");
        std::thread::yield_now();
    }
    run.kill().unwrap();
    run.wait().unwrap();
}

/// Every entry of the log is whole, numbered without gap, and its release is complete.
fn log_is_whole(project: &Project) -> usize {
    let length = log_length(project);
    for number in 1..=length as u64 {
        let entry = entry(project, number);
        let release = entry["release"].as_str().unwrap();
        let folder = format!("{PUBLIC}/releases/{release}");
        let found = files(project, &folder);
        assert_eq!(entry["manifest"], sha256(&found["manifest.json"]));
        let sums = String::from_utf8(found["SHA256SUMS"].clone()).unwrap();
        assert_eq!(sums.lines().count(), found.len() - 1, "{release} is not complete");
        for (digest, path) in sums.lines().map(|line| line.split_once("  ").unwrap()) {
            assert_eq!(sha256(&found[path]), digest, "{path} of {release}");
        }
    }
    length
}

#[rstest]
#[case::while_fetching(&["private", "snapshots", "*", "parts", "*"])]
#[case::with_one_snapshot(&["private", "snapshots", "fabriques", "*"])]
#[case::while_keeping_lists(&["private", "runs", "*", "rejects", "*"])]
#[case::with_a_claim(&["public", SHIPPED, "claims", "*"])]
#[case::while_writing(&["public", SHIPPED, "releases", "*", "*"])]
#[case::with_a_manifest(&["public", SHIPPED, "releases", "*", "manifest.json"])]
#[case::before_reading_back(&["public", SHIPPED, "releases", "*", "SHA256SUMS"])]
#[case::at_the_commit(&["public", SHIPPED, "log", "*"])]
#[case::while_refreshing(&["public", SHIPPED, "latest", "*"])]
fn a_killed_run_leaves_a_whole_log_and_the_next_one_publishes(#[case] moment: &[&str]) {
    let project = Project::shipped();
    killed_when(&project, moment);
    let committed = log_is_whole(&project);
    assert!(committed <= 1);
    project.run();
    assert_eq!(log_is_whole(&project), 1, "the killed run had committed {committed}");
    let release = project.releases(SHIPPED).pop().unwrap();
    let (latest, released) = (format!("{PUBLIC}/latest"), format!("{PUBLIC}/releases/{release}"));
    let (latest, released) = (files(&project, &latest), files(&project, &released));
    assert!(latest.keys().eq(released.keys()), "{:?}", latest.keys());
    assert!(latest == released, "latest/ is another release");
    assert_eq!(project.csv(SHIPPED, "structures").len(), 49);
    // Nothing of the killed run is in the way of the one after.
    let output = project.run();
    assert!(output.stdout.starts_with(&format!("{SHIPPED}\tunchanged\t")), "{}", output.stdout);
}

#[test]
fn a_run_that_is_killed_again_and_again_never_spoils_the_last_release() {
    let project = Project::shipped();
    project.run();
    let release = project.releases(SHIPPED).pop().unwrap();
    let before = files(&project, &format!("{PUBLIC}/releases/{release}"));
    let page = super::an_association();
    super::answer(&project, &page, "bf_statut", "scic");
    // Each attempt leaves a claim of its own; the next one waits for one more.
    for attempt in 2..=4 {
        let mut run = project.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let claims = project.path(&format!("{PUBLIC}/claims"));
        let patience = Instant::now() + Duration::from_mins(2);
        while fs::read_dir(&claims).unwrap().count() < attempt && run.try_wait().unwrap().is_none() {
            assert!(Instant::now() < patience);
            std::thread::yield_now();
        }
        run.kill().unwrap();
        run.wait().unwrap();
        log_is_whole(&project);
        assert!(files(&project, &format!("{PUBLIC}/releases/{release}")) == before, "the last release changed");
    }
    project.run();
    assert_eq!(log_is_whole(&project), 2);
    assert_eq!(project.releases(SHIPPED).len(), 2);
}
