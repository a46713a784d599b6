//! Crash points: a command is killed at each of its writes in turn; what is left is whole, and the next run repairs it.
//!
//! Every tenth point is tried; with `ESSAIM_SWEEP=all` (`just sweep`) every one.

use std::collections::BTreeMap;
use std::path::Path;

use rstest::rstest;

use super::bench::{Bench, DATASET, Place};

/// From one point that is tried to the next.
fn step() -> u64 {
    if std::env::var("ESSAIM_SWEEP").is_ok_and(|sweep| sweep == "all") { 1 } else { 10 }
}

/// Kills a command at its points, one after the other. After each, everything is as the log says, the listing is one of
/// `before` and `after`, and once the command and a run have gone through, nothing is left to repair.
fn sweep(bench: &Bench, arguments: &[&str]) -> (u64, u64) {
    bench.keep();
    let before = bench.listed();
    bench.project.essaim(arguments).expect(0);
    let after = bench.listed();
    let (mut tried, mut n) = (0, 1);
    loop {
        bench.go_back();
        if !bench.killed_at(n, arguments) {
            break;
        }
        tried += 1;
        let verified = bench.project.essaim(&["releases", "verify"]);
        assert_eq!(verified.code, 0, "killed at {n}: {}{}", verified.stdout, verified.stderr);
        let listed = bench.listed();
        assert!(listed == before || listed == after, "killed at {n}: {listed:?}");
        bench.project.essaim(arguments).expect(0);
        bench.project.run();
        let verified = bench.project.essaim(&["releases", "verify"]).expect(0);
        assert!(verified.stderr.contains("0 faults, 0 stale"), "killed at {n}: {}{}", verified.stdout, verified.stderr);
        let shown = |listed: &BTreeMap<String, bool>| listed.values().filter(|withdrawn| !**withdrawn).count();
        let now = bench.listed();
        assert!(shown(&now) >= shown(&after), "killed at {n}: {now:?} instead of {after:?}");
        n += step();
    }
    (tried, n)
}

#[rstest]
#[case::in_a_folder(Place::Folder)]
#[case::in_a_bucket(Place::Bucket)]
fn a_publication_can_die_at_any_write(#[case] place: Place) {
    let bench = Bench::new(place);
    bench.project.run();
    bench.source(2);
    let (tried, last) = sweep(&bench, &["run"]);
    assert!(tried >= 4, "only {tried} points up to {last}");
    println!("publish, {place:?}: {tried} points of {last} tried and survived");
}

/// A store that goes away in the middle of a publication, for a moment or for good.
#[rstest]
#[case::once_in_a_folder(Place::Folder, "fail")]
#[case::for_good_in_a_folder(Place::Folder, "down")]
#[case::for_good_in_a_bucket(Place::Bucket, "down")]
fn a_publication_whose_store_fails_at_any_write_says_so_and_spoils_nothing(#[case] place: Place, #[case] kind: &str) {
    let bench = Bench::new(place);
    bench.project.run();
    bench.source(2);
    bench.keep();
    let before = bench.listed();
    bench.project.run();
    let after = bench.listed();
    let (mut tried, mut n) = (0, 1);
    loop {
        bench.go_back();
        // A single failure may be made good on the spot; one that lasts is told, as long as there is an n-th point.
        if !bench.failing_at("down", n, &["run"]).1.contains("failed on purpose") {
            break;
        }
        bench.go_back();
        let (code, said) = bench.failing_at(kind, n, &["run"]);
        tried += 1;
        let verified = bench.project.essaim(&["releases", "verify"]);
        assert_eq!(verified.code, 0, "failed at {n}: {}{}", verified.stdout, verified.stderr);
        let listed = bench.listed();
        assert!(listed == before || listed == after, "failed at {n}: {listed:?}");
        assert!(code == 1 || listed == after, "failed at {n}, said nothing of it and published nothing: {said}");
        bench.project.run();
        let verified = bench.project.essaim(&["releases", "verify"]).expect(0);
        assert!(verified.stderr.contains("0 faults, 0 stale"), "failed at {n}: {}", verified.stdout);
        assert_eq!(bench.listed().len(), after.len(), "failed at {n}");
        n += step();
    }
    assert!(tried >= 4, "only {tried} points up to {n}");
    println!("publish with a store that fails ({kind}), {place:?}: {tried} points of {n} tried and survived");
}

#[rstest]
#[case::withdraw_in_a_folder(Place::Folder, "withdraw")]
#[case::withdraw_in_a_bucket(Place::Bucket, "withdraw")]
#[case::restore_in_a_folder(Place::Folder, "restore")]
#[case::restore_in_a_bucket(Place::Bucket, "restore")]
fn a_withdrawal_and_a_restore_can_die_at_any_write(#[case] place: Place, #[case] command: &str) {
    let bench = Bench::new(place);
    bench.project.run();
    bench.source(2);
    bench.project.run();
    let newest = bench.listed().into_keys().next_back().unwrap();
    let release = format!("{DATASET}@{newest}");
    // The older one is shown meanwhile, and is what the source says again.
    bench.source(1);
    if command == "restore" {
        bench.project.essaim(&["releases", "withdraw", &release, "--because", "Essai."]).expect(0);
    }
    let (tried, last) = sweep(&bench, &["releases", command, &release, "--because", "Essai."]);
    assert!(tried >= 3, "only {tried} points up to {last}");
    println!("{command}, {place:?}: {tried} points of {last} tried and survived");
}

#[rstest]
#[case::in_a_folder(Place::Folder)]
#[case::in_a_bucket(Place::Bucket)]
fn a_collection_can_die_at_any_delete(#[case] place: Place) {
    let bench = Bench::new(place);
    bench.project.run();
    bench.source(2);
    bench.keep();
    let mut n = 10;
    while orphans(&bench.stores()) == 0 {
        // Each claim that a killed run leaves is one more to step over for the next: every run begins from the same.
        bench.go_back();
        assert!(bench.killed_at(n, &["run"]), "the run ended before it wrote a file of a release");
        n += 3;
    }
    let (tried, last) = sweep(&bench, &["releases", "gc", "--older-than", "0"]);
    assert!(tried >= 1, "only {tried} points up to {last}");
    println!("gc, {place:?}: {tried} points of {last} tried and survived");
}

#[rstest]
#[case::in_a_folder(Place::Folder)]
#[case::in_a_bucket(Place::Bucket)]
fn an_erasure_can_die_at_any_write(#[case] place: Place) {
    let bench = Bench::new(place);
    bench.project.run();
    let (tried, last) = sweep(&bench, &["releases", "erase", DATASET, "--key", "7", "--because", "Essai."]);
    assert!(tried >= 4, "only {tried} points up to {last}");
    println!("erase, {place:?}: {tried} points of {last} tried and survived");
}

/// A page that is there names a style and scripts that are there, whenever the one who writes them is killed.
#[test]
fn a_page_never_stands_without_the_style_and_the_scripts_that_it_names() {
    let bench = Bench::new(Place::Folder);
    let project = &bench.project;
    project.run();
    let public = project.path("data/public");
    for file in ["index.html", "site.css", "lieux/index.html", "lieux/sql.html"] {
        std::fs::remove_file(public.join(file)).unwrap();
    }
    for folder in ["en", "assets", "lieux/en", "lieux/versions"] {
        // A program that was built without scripts has no assets.
        drop(std::fs::remove_dir_all(public.join(folder)));
    }
    bench.keep();
    let named = regex::Regex::new(r#"(?:href|src)="([^"]*(?:\.css|\.js))""#).unwrap();
    let (mut seen, mut n) = (0, 1);
    loop {
        bench.go_back();
        if !bench.killed_at(n, &["run"]) {
            break;
        }
        crate::harness::walk(&public, &mut |path| {
            if path.extension().is_none_or(|extension| extension != "html") {
                return;
            }
            let text = std::fs::read_to_string(path).unwrap().replace("&#x2f;", "/");
            for name in named.captures_iter(&text).map(|found| found[1].to_owned()) {
                seen += 1;
                let aim = path.parent().unwrap().join(&name);
                assert!(aim.is_file(), "killed at {n}: {} names {name}", path.display());
            }
        });
        n += step().min(3);
    }
    assert!(seen > 0, "no page was ever there");
}

/// Files below release folders beyond those of one release: a killed publication left some.
fn orphans(stores: &Path) -> usize {
    let mut folders = std::collections::BTreeSet::new();
    crate::harness::walk(stores, &mut |path| {
        let text = path.to_string_lossy().into_owned();
        if let Some((_, below)) = text.split_once("/releases/") {
            folders.insert(below.split('/').next().unwrap().to_owned());
        }
    });
    folders.len().saturating_sub(1)
}
