//! Where data comes from: files, web servers, and the snapshots that are kept of both.

use std::collections::BTreeMap;
use std::fs;

use crate::harness::{Project, Reply, Upstream, copy, repository, rows};

const SHIPPED: &str = "cooperations-territoriales";

/// A project that publishes one table of one source as it is.
fn places(source: &str) -> Project {
    let project = Project::empty();
    copy(&repository().join("seeds/cog"), &project.path("seeds/cog"));
    project.write(
        "essaim.toml",
        "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\
         [network]\nprivate_addresses = true\npause = 0\n[publisher]\nname = \"Essai\"\n",
    );
    project.write(
        "pipelines/lieux.toml",
        format!(
            "title = \"Lieux\"\ndescription = \"Lieux d’essai\"\nlicence = \"etalab-2.0\"\n\
             [source.lieux]\nlicence = \"etalab-2.0\"\n{source}\n\
             [table.lieux]\nsource = \"lieux\"\ncsv = {{}}\n\
             [publish]\ntables = [\"lieux\"]\n"
        ),
    );
    project.write(
        "schemas/lieux.schema.json",
        r#"{"title": "Lieux", "fields": [
            {"name": "id", "type": "string", "constraints": {"required": true}, "essaim": {"visibility": "public"}},
            {"name": "nom", "type": "string", "essaim": {"visibility": "public"}}
        ], "primaryKey": ["id"]}"#,
    );
    project
}

/// A project whose source is a web server.
fn web(upstream: &Upstream, settings: &str) -> Project {
    places(&format!("[source.lieux.http]\nurl = \"{}\"\n{settings}", upstream.url("lieux.csv")))
}

/// Names by id in the current release.
fn published(project: &Project) -> Vec<(String, String)> {
    let rows = project.csv("lieux", "lieux");
    rows.into_iter().map(|row| (row["id"].clone(), row["nom"].clone())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, nom)| ((*id).to_owned(), (*nom).to_owned())).collect()
}

fn snapshot(project: &Project, source: &str, number: u64) -> serde_json::Value {
    project.json(&format!("data/private/snapshots/{source}/{number:020}.json"))
}

fn snapshots(project: &Project, source: &str) -> usize {
    let entries = fs::read_dir(project.path(&format!("data/private/snapshots/{source}"))).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "json")).count()
}

fn header(request: &[String], name: &str) -> Option<String> {
    let values = request.iter().filter_map(|line| line.split_once(": "));
    values.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
}

#[test]
fn one_file_is_read_and_released() {
    let project = places("file.path = \"lieux.csv\"");
    project.write("lieux.csv", "id,nom\nb,Deux\na,Un\n");
    project.run();
    assert_eq!(published(&project), pairs(&[("a", "Un"), ("b", "Deux")]));
}

#[test]
fn a_glob_reads_all_its_files_in_the_order_of_their_names() {
    let project = places("file.path = \"lieux/*.csv\"");
    project.write("lieux/2.csv", "nom,id\nSecond,a\nTrois,c\n");
    project.write("lieux/1.csv", "id,nom\na,Premier\nb,Deux\n");
    project.write("lieux/3.txt", "id,nom\nd,Jamais\n");
    project.write("lieux/plus/4.csv", "id,nom\ne,Jamais\n");
    project.run();
    assert_eq!(published(&project), pairs(&[("a", "Premier"), ("b", "Deux"), ("c", "Trois")]));
    let rejects = project.ledger("rejects", "lieux");
    assert_eq!(rejects.len(), 1, "{rejects:?}");
    assert_eq!((rejects[0]["ligne"].as_str(), rejects[0]["motif"].as_str()), ("3", "doublon"));
    let snapshot = snapshot(&project, "lieux", 1);
    let names: Vec<&str> =
        snapshot["parts"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["1.csv", "2.csv"]);
}

#[test]
fn a_missing_file_is_named_with_its_absolute_place() {
    let project = places("file.path = \"absent/lieux.csv\"");
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("[PROJECT]/absent/lieux.csv"), "{}", output.stderr);
    assert!(output.stderr.contains("cannot fetch source `lieux`"), "{}", output.stderr);
    assert!(output.stderr.contains("check the path in the pipeline file"), "{}", output.stderr);
    assert_eq!(output.stdout, "lieux\tfailed\t-\n");
    assert!(!project.path("data/public/lieux").exists());
    assert_eq!(project.record()["outcome"], "failed");
}

#[test]
fn a_glob_without_a_match_names_the_folder_that_was_searched() {
    let project = places("file.path = \"lieux/*.csv\"");
    project.write("lieux/notes.txt", "rien");
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("looked in `[PROJECT]/lieux`"), "{}", output.stderr);
}

#[test]
fn a_file_outside_the_project_is_published_without_its_folder() {
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().join("lieux.csv");
    fs::write(&path, "id,nom\na,Un\n").unwrap();
    let project = places(&format!("file.path = \"{}\"", path.display()));
    project.run();
    assert_eq!(published(&project), pairs(&[("a", "Un")]));
    let folder = outside.path().to_str().unwrap();
    for (name, bytes) in project.stored().iter().filter(|(name, _)| name.starts_with("public/")) {
        assert!(!String::from_utf8_lossy(bytes).contains(folder), "{name} tells where the file lies");
    }
    let manifest = project.json("data/public/lieux/latest/manifest.json");
    assert_eq!(manifest["sources"][0]["parts"][0]["url"], "file:lieux.csv");
}

#[test]
fn a_web_server_is_fetched_and_released() {
    let upstream = Upstream::start(vec![
        Reply::ok("id,nom\na,Un\n").header("ETag", "\"v1\"").header("Last-Modified", "Sat, 21 Nov 2026 08:00:00 GMT"),
    ]);
    let project = web(&upstream, "");
    project.run();
    assert_eq!(published(&project), pairs(&[("a", "Un")]));
    let part = &snapshot(&project, "lieux", 1)["parts"][0];
    assert_eq!(part["status"], 200);
    assert_eq!(part["etag"], "\"v1\"");
    assert_eq!(part["last_modified"], "Sat, 21 Nov 2026 08:00:00 GMT");
    assert_eq!(part["url"], upstream.url("lieux.csv"));
    let requests = upstream.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0][0], "GET /lieux.csv HTTP/1.1");
}

#[test]
fn a_server_that_is_down_for_a_moment_is_asked_again() {
    let down = || Reply::status("503 Service Unavailable");
    let upstream = Upstream::start(vec![down(), down(), Reply::ok("id,nom\na,Un\n")]);
    let project = web(&upstream, "first_delay = 0.001");
    project.run();
    assert_eq!(upstream.requests().len(), 3);
    assert_eq!(published(&project), pairs(&[("a", "Un")]));
}

#[test]
fn a_server_that_stays_down_fails_the_run_and_says_how_often_it_was_asked() {
    let upstream = Upstream::start(vec![Reply::status("503 Service Unavailable"); 9]);
    let project = web(&upstream, "first_delay = 0.001\nattempts = 3");
    let output = project.essaim(&["run"]).expect(1);
    assert_eq!(upstream.requests().len(), 3);
    assert!(output.stderr.contains("GET http://[HOST]/lieux.csv failed at attempt 3"), "{}", output.stderr);
    assert!(output.stderr.contains("503 Service Unavailable"), "{}", output.stderr);
}

#[test]
fn retry_after_decides_how_long_to_wait() {
    let busy = Reply::status("429 Too Many Requests").header("Retry-After", "0");
    let upstream = Upstream::start(vec![busy, Reply::ok("id,nom\na,Un\n")]);
    // By its own delay the second attempt would lie beyond the time that the download has.
    let project = web(&upstream, "first_delay = 50\ntotal_timeout = 40");
    project.run();
    assert_eq!(upstream.requests().len(), 2);
    assert_eq!(published(&project), pairs(&[("a", "Un")]));
}

#[test]
fn a_wrong_address_is_asked_once_and_says_what_to_do() {
    let upstream = Upstream::start(vec![Reply::status("404 Not Found"), Reply::ok("id,nom\na,Un\n")]);
    let project = web(&upstream, "first_delay = 0.001");
    let output = project.essaim(&["run"]).expect(1);
    assert_eq!(upstream.requests().len(), 1);
    assert!(output.stderr.contains("404 Not Found; check the address of the source"), "{}", output.stderr);
    assert!(!project.path("data/public/lieux").exists());
}

#[test]
fn an_unchanged_document_is_not_sent_twice() {
    let first =
        Reply::ok("id,nom\na,Un\n").header("ETag", "\"v1\"").header("Last-Modified", "Sat, 21 Nov 2026 08:00:00 GMT");
    let upstream = Upstream::start(vec![first, Reply::status("304 Not Modified"), Reply::ok("id,nom\na,Autre\n")]);
    let project = web(&upstream, "");
    project.run();
    let before = project.stored();
    let output = project.run();
    assert_eq!(output.stdout, "lieux\tunchanged\t[DATE]\n");
    let requests = upstream.requests();
    assert_eq!(header(&requests[0], "If-None-Match"), None);
    assert_eq!(header(&requests[0], "If-Modified-Since"), None);
    assert_eq!(header(&requests[1], "If-None-Match").as_deref(), Some("\"v1\""));
    assert_eq!(header(&requests[1], "If-Modified-Since").as_deref(), Some("Sat, 21 Nov 2026 08:00:00 GMT"));
    let kept = |files: BTreeMap<String, Vec<u8>>| -> Vec<_> {
        let told = |name: &str| {
            let of_runs = ["private/runs/", "private/leases/"].iter().any(|folder| name.starts_with(folder));
            of_runs || name.ends_with("/releases.json") || name.ends_with("/index.html")
        };
        files.into_iter().filter(|(name, _)| !told(name)).collect()
    };
    assert_eq!(kept(project.stored()), kept(before));
    project.run();
    assert_eq!(published(&project), pairs(&[("a", "Autre")]));
    assert_eq!(snapshots(&project, "lieux"), 2);
    assert_eq!(project.releases("lieux").len(), 2);
}

#[test]
fn a_document_over_the_limit_is_refused_and_the_last_release_stays() {
    let long = format!("id,nom\na,{}\n", "x".repeat(2000));
    let upstream = Upstream::start(vec![Reply::ok("id,nom\na,Un\n"), Reply::ok(long)]);
    let project = web(&upstream, "max_bytes = 1000");
    project.run();
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("larger than the limit of 1000 bytes; raise `max_bytes`"), "{}", output.stderr);
    assert_eq!(snapshots(&project, "lieux"), 1);
    assert_eq!(published(&project), pairs(&[("a", "Un")]));
    assert_eq!(project.releases("lieux").len(), 1);
}

#[test]
fn a_secret_header_is_sent_and_stays_nowhere() {
    const SECRET: &str = "jeton-7Q2xZ9-tres-secret";
    let upstream = Upstream::start(vec![
        Reply::ok("id,nom\na,Un\n"),
        Reply::status("401 Unauthorized"),
        Reply::status("503 Service Unavailable"),
        Reply::ok("id,nom\na,Deux\n"),
    ]);
    let mut project = web(&upstream, "first_delay = 0.001\nheaders.Authorization = \"Bearer ${env:JETON_TEST}\"");
    project.set("JETON_TEST", SECRET);
    let outputs = [
        project.essaim(&["run", "-vv"]).expect(0),
        project.essaim(&["run", "-vv"]).expect(1),
        project.essaim(&["run", "-vv", "--log-format", "json"]).expect(0),
        project.essaim(&["releases", "show", "lieux"]).expect(0),
    ];
    let requests = upstream.requests();
    assert_eq!(requests.len(), 4);
    for request in &requests {
        assert_eq!(header(request, "Authorization"), Some(format!("Bearer {SECRET}")));
    }
    for output in &outputs {
        assert!(!output.stdout.contains(SECRET) && !output.stderr.contains(SECRET), "{}", output.snapshot());
    }
    let files = project.stored();
    assert!(!files.is_empty());
    for (name, bytes) in &files {
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{name} holds the secret");
    }
    assert!(outputs[1].stderr.contains("check the credentials of the source"), "{}", outputs[1].stderr);
}

#[test]
fn a_variable_that_is_not_set_is_a_mistake_before_anything_is_fetched() {
    let upstream = Upstream::start(vec![Reply::ok("id,nom\na,Un\n")]);
    let project = web(&upstream, "headers.Authorization = \"Bearer ${env:JETON_TEST}\"");
    let output = project.essaim(&["run"]).expect(2);
    assert!(output.stderr.contains("JETON_TEST"), "{}", output.stderr);
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn a_run_from_snapshots_needs_no_source() {
    let project = Project::shipped();
    project.run();
    let before = project.stored();
    fs::remove_dir_all(project.path("seeds/exemple")).unwrap();
    project.essaim(&["run"]).expect(1);
    let output = project.essaim(&["run", "--from", "snapshot"]).expect(0);
    assert_eq!(output.stdout, format!("{SHIPPED}\tunchanged\t[DATE]\n"));
    fs::remove_dir_all(project.path("data/public")).unwrap();
    project.essaim(&["run", "--from", "snapshot"]).expect(0);
    let after = project.stored();
    let tables: Vec<&String> =
        before.keys().filter(|name| name.contains("/latest/") && name.ends_with(".csv")).collect();
    assert_eq!(tables.len(), 23, "eleven tables, each twice, and the dictionary");
    for name in tables.into_iter().filter(|name| !name.ends_with("dictionary.csv")) {
        assert!(before[name] == after[name], "{name} differs");
    }
}

#[test]
fn a_run_from_snapshots_without_a_snapshot_says_so() {
    let project = Project::shipped();
    let output = project.essaim(&["run", "--from", "snapshot"]).expect(1);
    let message = "source `questionnaire` has no snapshot yet: run once without `--from snapshot`";
    assert!(output.stderr.contains(message), "{}", output.stderr);
    assert!(!project.path("data/public").join(SHIPPED).exists());
}

#[test]
fn a_snapshot_holds_named_parts_byte_for_byte() {
    let project = Project::shipped();
    project.run();
    let sample = "seeds/exemple/questionnaire.synthetique";
    let expected = [
        (
            "questionnaire",
            vec![
                ("form", format!("{sample}.form.json")),
                ("lists", format!("{sample}.lists.json")),
                ("entries", format!("{sample}.entries.json")),
            ],
        ),
        ("fabriques", vec![("", "seeds/exemple/fabriques-a-initiatives.synthetique.csv".to_owned())]),
        ("tiers-lieux", vec![("", "seeds/exemple/tiers-lieux.synthetique.csv".to_owned())]),
    ];
    for (source, files) in expected {
        let snapshot = snapshot(&project, source, 1);
        let parts = snapshot["parts"].as_array().unwrap();
        assert_eq!(parts.len(), files.len());
        let stored = fs::read_dir(project.path(&format!("data/private/snapshots/{source}/parts"))).unwrap().count();
        assert_eq!(stored, files.len());
        for (part, (name, file)) in parts.iter().zip(files) {
            assert_eq!(part["name"], name);
            assert_eq!(part["url"], format!("file:{file}"));
            let digest = part["digest"].as_str().unwrap();
            let bytes = fs::read(project.path(&format!("data/private/snapshots/{source}/parts/{digest}"))).unwrap();
            assert!(bytes == fs::read(repository().join(&file)).unwrap(), "{file} is not as it was");
            assert_eq!(part["bytes"], bytes.len());
            assert_eq!(digest, sha256(&bytes));
        }
    }
}

#[test]
fn a_damaged_snapshot_is_not_read() {
    let project = places("file.path = \"lieux.csv\"");
    project.write("lieux.csv", "id,nom\na,Un\n");
    project.run();
    let digest = snapshot(&project, "lieux", 1)["parts"][0]["digest"].as_str().unwrap().to_owned();
    project.write(&format!("data/private/snapshots/lieux/parts/{digest}"), "id,nom\na,Faux\n");
    let output = project.essaim(&["run", "--from", "snapshot"]).expect(1);
    assert!(output.stderr.contains("is damaged"), "{}", output.stderr);
    let release = project.releases("lieux").pop().unwrap();
    let released = rows(&project.path(&format!("data/public/lieux/releases/{release}/lieux.csv")));
    assert_eq!(released[0]["nom"], "Un");
    assert_eq!(project.releases("lieux").len(), 1);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}
