//! The page of a release: it stays, whatever becomes of the release.

use std::fs;

use rstest::rstest;

use super::{crawled, page, parsed, plain, small, text_of};
use crate::harness::Project;

const DATASET: &str = "lieux";

/// Another state of the source: a row more, a row less, a name changed.
pub(super) fn next(project: &Project, n: u32) {
    let text = project.read("seeds/lieux.csv");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.retain(|line| !line.starts_with("L-02;"));
    for line in lines.iter_mut().filter(|line| line.starts_with("L-01;")) {
        *line = format!("L-01;Le Hangar n° {n};co-working;35000;RENNES;120,5 m²;01/09/2019;ouvert;hangar@example.org");
    }
    lines.push(format!("L-{};Le Quai {n};fablab;35000;Rennes;50;01/09/2023;ouvert;", 10 + n));
    project.write("seeds/lieux.csv", lines.join("\n") + "\n");
}

/// A project with `n` releases and their ids, the oldest first.
pub(super) fn released(n: u32) -> (Project, Vec<String>) {
    let project = small();
    project.run();
    for n in 1..n {
        next(&project, n);
        // One of six places is gone: a person says that this is meant.
        project.essaim(&["run", "--accept", "source_rows:lieux", "--because", "Un lieu a fermé."]);
        project.essaim(&["run"]).expect(0);
    }
    let releases = project.releases(DATASET);
    assert_eq!(releases.len(), usize::try_from(n).unwrap());
    (project, releases)
}

fn of(project: &Project, release: &str, name: &str) -> String {
    page(project, &format!("{DATASET}/versions/{release}/{name}")).replace("&#x2f;", "/")
}

#[test]
fn each_release_has_a_page_in_both_languages_that_tells_what_changed() {
    let (project, releases) = released(3);
    for (at, release) in releases.iter().enumerate() {
        let folder = format!("data/public/{DATASET}/releases/{release}");
        let manifest = project.json(&format!("{folder}/manifest.json"));
        let gate = project.json(&format!("{folder}/gate.json"));
        for name in ["index.html", "en/index.html"] {
            let text = of(&project, release, name);
            let document = parsed(&text);
            println!("{release}/{name}: {} bytes", text.len());
            // Every file with its size and digest, and the manifest's own.
            for file in manifest["files"].as_array().unwrap() {
                let path = file["path"].as_str().unwrap();
                let row = document.descendants().find(|node| {
                    node.tag_name().name() == "a"
                        && node.attribute("href").unwrap().ends_with(&format!("/{path}"))
                        && node.ancestors().any(|up| up.attribute("class") == Some("files"))
                });
                let row = row.unwrap_or_else(|| panic!("{path} is not on the page")).ancestors().nth(2).unwrap();
                assert!(text_of(row).contains(file["sha256"].as_str().unwrap()), "{path}");
            }
            let bytes = fs::read(project.path(&format!("{folder}/manifest.json"))).unwrap();
            assert!(text.contains(&crate::stories::site::sha256(&bytes)));
            assert!(text.contains(&format!("/{DATASET}/versions/{release}/</p>")), "it cites its own page: {text}");
            let bounds = gate["bounds"].as_array().unwrap().len();
            assert!(plain(&text).contains(&bounds.to_string()));
            // Its neighbours.
            let link = |rel: &str| {
                let found = document
                    .descendants()
                    .find(|node| node.tag_name().name() == "link" && node.attribute("rel") == Some(rel));
                found.map(|node| {
                    node.attribute("href")
                        .unwrap()
                        .split('/')
                        .rev()
                        .nth(if name == "index.html" { 1 } else { 2 })
                        .unwrap()
                        .to_owned()
                })
            };
            assert_eq!(link("prev").as_ref(), at.checked_sub(1).map(|before| &releases[before]));
            assert_eq!(link("next").as_ref(), releases.get(at + 1));
        }
    }
    // The changelog is that of the release's own counts.
    let second = &releases[1];
    let counts = project.json(&format!("data/public/{DATASET}/releases/{second}/changes.json"));
    let sum = |member: &str| -> u64 {
        counts["tables"].as_array().unwrap().iter().map(|table| table[member].as_u64().unwrap()).sum()
    };
    let (added, removed, changed) = (sum("added"), sum("removed"), sum("changed"));
    assert!(added > 0 && removed > 0 && changed > 0, "{counts}");
    let spaced = |text: &str| text.replace(['\u{A0}', '\u{202F}'], " ");
    let french = spaced(&of(&project, second, "index.html"));
    let lines = if added == 1 { "ligne ajoutée" } else { "lignes ajoutées" };
    assert!(french.contains(&format!("{added} {lines}, {removed} retirée")), "{french}");
    assert!(french.contains("Origine des changements : les sources"), "{french}");
    let english = spaced(&of(&project, second, "en/index.html"));
    let rows = if added == 1 { "row added" } else { "rows added" };
    assert!(english.contains(&format!("{added} {rows}, {removed} removed, {changed} changed")), "{english}");
    let first = of(&project, &releases[0], "index.html");
    assert!(first.contains("C’est la première version publiée"), "{first}");
    crawled(&fs::canonicalize(project.path("data/public")).unwrap());
}

#[test]
fn a_withdrawn_release_is_marked_everywhere_at_once_and_its_page_stays() {
    let (project, releases) = released(3);
    let second = &releases[1];
    let before = project.public();
    let why = "Une colonne <était> décalée.";
    project.essaim(&["releases", "withdraw", &format!("{DATASET}@{second}"), "--because", why]).expect(0);
    let escaped = "Une colonne &lt;était&gt; décalée.";
    for (name, word) in [("index.html", "Version retirée"), ("en/index.html", "Release withdrawn")] {
        let text = of(&project, second, name);
        parsed(&text);
        assert!(text.contains(word) && text.contains(escaped), "{text}");
        assert!(!text.contains("id=\"files\"") && !text.contains("manifest.json"), "its files are not offered: {text}");
        // Those before and after it still lead to it.
        for release in [&releases[0], &releases[2]] {
            assert!(of(&project, release, name).contains(second.as_str()));
        }
        let list = page(&project, &format!("{DATASET}/{name}"));
        let row = parsed(&list)
            .descendants()
            .find(|node| node.tag_name().name() == "tr" && text_of(*node).starts_with(second.as_str()))
            .map(text_of);
        assert!(row.is_some_and(|row| row.contains(why)), "{list}");
    }
    for feed in [format!("{DATASET}/feed.atom"), "feed.atom".to_owned()] {
        let text = page(&project, &feed);
        assert!(text.contains(&format!("version {second} retirée")) && text.contains(escaped), "{text}");
        assert!(text.contains("Cette version a été retirée depuis."), "{text}");
    }
    crawled(&fs::canonicalize(project.path("data/public")).unwrap());
    let said = project.essaim(&["releases", "verify"]).expect(0).stderr;
    assert!(said.contains("0 faults, 0 stale"), "{said}");
    project.essaim(&["releases", "restore", &format!("{DATASET}@{second}"), "--because", "Corrigée."]).expect(0);
    let now = project.public();
    for (path, bytes) in before.iter().filter(|(path, _)| path.contains("/versions/")) {
        assert!(now[path] == *bytes, "{path}");
    }
}

#[rstest]
#[case::of_which_nothing_changed("L-03")]
#[case::with_lines_in_the_list_of_changes("L-01")]
fn a_rewritten_release_leaves_a_page_that_leads_to_what_replaced_it(#[case] key: &str) {
    let (project, releases) = released(2);
    assert!(project.read("seeds/lieux.csv").contains(&format!("{key};")));
    project.essaim(&["releases", "erase", DATASET, "--key", key, "--because", "Demande."]).expect(0);
    for release in &releases {
        let text = of(&project, release, "index.html");
        assert!(text.contains("Version réécrite") && text.contains("Demande."), "{text}");
        assert!(text.contains(&format!("../{release}-r1/index.html")), "{text}");
        let new = of(&project, &format!("{release}-r1"), "index.html");
        assert!(new.contains(&format!("../{release}/index.html")) && new.contains("id=\"files\""), "{new}");
        assert!(new.contains(&format!("/{DATASET}/versions/{release}-r1/</p>")), "{new}");
    }
    crawled(&fs::canonicalize(project.path("data/public")).unwrap());
    let said = project.essaim(&["releases", "verify"]).expect(0).stderr;
    assert!(said.contains("0 faults, 0 stale"), "{said}");
}

#[test]
fn pages_of_older_releases_are_left_alone_and_an_altered_one_is_found_and_mended() {
    let (project, releases) = released(2);
    let path = format!("data/public/{DATASET}/versions/{}/index.html", releases[0]);
    let changed = || fs::metadata(project.path(&path)).unwrap().modified().unwrap();
    let before = changed();
    next(&project, 7);
    project.essaim(&["run"]).expect(0);
    assert_eq!(changed(), before, "two releases later nothing else is to be said of it");
    let good = project.read(&path);
    project.replace(&path, "<main id=\"content\">", "<main id=\"content\"><p>Faux.</p>");
    let output = project.essaim(&["releases", "verify"]).expect(0);
    assert!(output.stderr.contains("0 faults, 1 stale"), "{}{}", output.stdout, output.stderr);
    project.essaim(&["catalog", "rebuild"]).expect(0);
    assert_eq!(project.read(&path), good);
    // One that is lost is made again by any run.
    fs::remove_dir_all(project.path(&format!("data/public/{DATASET}/versions"))).unwrap();
    project.run();
    assert_eq!(project.read(&path), good);
    let said = project.essaim(&["releases", "verify"]).expect(0).stderr;
    assert!(said.contains("0 faults, 0 stale"), "{said}");
}

#[test]
fn a_damaged_file_of_an_old_release_keeps_no_other_page_from_being_right() {
    let (project, releases) = released(3);
    let damaged = format!("data/public/{DATASET}/releases/{}/gate.json", releases[0]);
    let good = project.read(&damaged);
    project.write(&damaged, "{");
    // The first release has no such row, and the page of the first one should say what follows it now.
    let erased = project.essaim(&["releases", "erase", DATASET, "--key", "L-11", "--because", "Demande."]).expect(0);
    assert!(erased.stderr.contains("The page of release [DATE] could not be made"), "{}", erased.stderr);
    for release in &releases[1..] {
        assert!(of(&project, release, "index.html").contains("Version réécrite"));
        assert!(of(&project, &format!("{release}-r1"), "index.html").contains("id=\"files\""));
    }
    let verified = project.essaim(&["releases", "verify"]).expect(1);
    assert!(verified.stdout.contains("gate.json") || verified.stderr.contains("gate.json"), "{verified:?}");
    let rebuilt = project.essaim(&["catalog", "rebuild"]).expect(1);
    assert!(rebuilt.stderr.contains("gate.json"), "who asks for every page is told of the one that is missing");
    project.write(&damaged, good);
    project.essaim(&["run"]).expect(0);
    let said = project.essaim(&["releases", "verify"]).expect(0).stderr;
    assert!(said.contains("0 faults, 0 stale"), "{said}");
}
