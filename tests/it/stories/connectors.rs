//! Connectors: what services answer, replayed over HTTP, and what is released of it.

mod examples;
mod geocoder;
mod limesurvey;
mod mistakes;
mod network;
mod odk;
mod secrets;

use std::collections::BTreeMap;
use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Project, Reply, Upstream, copy, repository};

const SHIPPED: &str = "cooperations-territoriales";
const EXAMPLE: &str = "docs/examples/yeswiki";
const KEY: &str = "cle-7Q2xZ9-tres-secrete";

/// A project that publishes names by id of one source.
fn project(source: &str, table: &str) -> Project {
    let mut project = Project::empty();
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
             [table.lieux]\nsource = \"lieux\"\n{table}\n\
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
    project.set("CLE_TEST", KEY);
    project
}

/// Names by id in the current release.
fn published(project: &Project) -> BTreeMap<String, String> {
    project.csv("lieux", "lieux").into_iter().map(|row| (row["id"].clone(), row["nom"].clone())).collect()
}

fn names(expected: &[(&str, &str)]) -> BTreeMap<String, String> {
    expected.iter().map(|(id, nom)| ((*id).to_owned(), (*nom).to_owned())).collect()
}

/// First lines of the requests, without method and version.
fn asked(upstream: &Upstream) -> Vec<String> {
    upstream.requests().iter().map(|request| request[0].split(' ').nth(1).unwrap().to_owned()).collect()
}

fn sent_key(upstream: &Upstream, scheme: &str) -> bool {
    let header = format!("authorization: {scheme} {KEY}").to_lowercase();
    upstream.requests().iter().all(|request| request.iter().any(|line| line.to_lowercase() == header))
}

fn holds_no_key(project: &Project) {
    for (name, bytes) in &project.stored() {
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{name} holds the key");
    }
}

fn busy() -> Reply {
    Reply::status("429 Too Many Requests").header("Retry-After", "0")
}

fn refused() -> Reply {
    Reply::status("401 Unauthorized")
}

/// A recorded answer of a wiki.
fn recorded(version: &str, name: &str) -> Vec<u8> {
    fs::read(repository().join("tests/fixtures/yeswiki").join(version).join(name)).unwrap()
}

/// Form, lists and entries of a wiki.
fn answers(version: &str, entries: &str) -> Vec<Reply> {
    ["form.json", "lists.json", entries].map(|name| Reply::ok(recorded(version, name))).into()
}

fn wiki(upstream: &Upstream, more: &str) -> Project {
    project(
        &format!(
            "[source.lieux.yeswiki]\nurl = \"{}\"\nform_id = \"5\"\nfirst_delay = 0.001\n{more}",
            upstream.url("w")
        ),
        "yeswiki = { form_id = \"5\", lists = \"lists\" }\n[table.lieux.columns]\nid = \"id_fiche\"\nnom = \"bf_titre\"",
    )
}

/// Titles by id, read without the program.
fn titles(version: &str, entries: &str) -> BTreeMap<String, String> {
    let entries: Value = serde_json::from_slice(&recorded(version, entries)).unwrap();
    let entries = entries.as_object().unwrap().iter();
    entries.map(|(id, entry)| (id.clone(), entry["bf_titre"].as_str().unwrap().to_owned())).collect()
}

#[rstest]
#[case::current("doryphore-dev", 9)]
#[case::older("v4.4.4", 3)]
fn a_wiki_of_either_version_is_fetched_and_released(#[case] version: &str, #[case] entries: usize) {
    let upstream = Upstream::start(answers(version, "entries.json"));
    let project = wiki(&upstream, "");
    project.run();
    let released = published(&project);
    assert_eq!(released.len(), entries);
    assert_eq!(released, titles(version, "entries.json"));
    assert_eq!(asked(&upstream), ["/w/?api/forms/5", "/w/?BazaR/json&demand=lists", "/w/?api/forms/5/entries"]);
    let snapshot = project.json("data/private/snapshots/lieux/00000000000000000001.json");
    let parts: Vec<&str> =
        snapshot["parts"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!(parts, ["form", "lists", "entries"]);
}

#[test]
fn a_wrong_key_of_a_wiki_is_found_out_before_its_public_answers_are_taken() {
    let mut replies = vec![refused()];
    replies.extend(answers("doryphore-dev", "entries.json"));
    let upstream = Upstream::start(replies);
    let project = wiki(&upstream, "key = \"${env:CLE_TEST}\"");
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("the key of the source is not accepted"), "{}", output.stderr);
    assert!(output.stderr.contains("?api/triples/x answered 401 Unauthorized"), "{}", output.stderr);
    assert!(!output.stderr.contains(KEY), "{}", output.stderr);
    assert_eq!(asked(&upstream), ["/w/?api/triples/x"]);
    assert!(!project.path("data/public/lieux").exists());
    holds_no_key(&project);
}

#[test]
fn an_expired_key_of_a_wiki_leaves_the_last_good_answers_published() {
    let mut replies = vec![Reply::ok("[]")];
    replies.extend(answers("doryphore-dev", "entries-admin.json"));
    replies.push(refused());
    let upstream = Upstream::start(replies);
    let project = wiki(&upstream, "key = \"${env:CLE_TEST}\"");
    project.run();
    let before = published(&project);
    assert_eq!(before, titles("doryphore-dev", "entries-admin.json"));
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("the key of the source is not accepted"), "{}", output.stderr);
    assert_eq!(published(&project), before);
    assert_eq!(asked(&upstream).len(), 5);
    assert!(sent_key(&upstream, "Bearer"));
    holds_no_key(&project);
}

#[test]
fn a_wiki_that_asks_for_patience_gets_it() {
    let mut replies = answers("doryphore-dev", "entries.json");
    replies.insert(2, busy());
    let upstream = Upstream::start(replies);
    let project = wiki(&upstream, "");
    project.run();
    assert_eq!(published(&project), titles("doryphore-dev", "entries.json"));
    assert_eq!(asked(&upstream).len(), 4);
}

#[test]
fn a_wiki_whose_form_lost_a_question_that_is_read_keeps_the_last_release() {
    let mut form: Value = serde_json::from_slice(&recorded("doryphore-dev", "form.json")).unwrap();
    form["prepared"].as_array_mut().unwrap().retain(|field| field["id"] != "bf_titre");
    let mut entries: Value = serde_json::from_slice(&recorded("doryphore-dev", "entries.json")).unwrap();
    for entry in entries.as_object_mut().unwrap().values_mut() {
        entry.as_object_mut().unwrap().remove("bf_titre");
    }
    let mut replies = answers("doryphore-dev", "entries.json");
    let lists = recorded("doryphore-dev", "lists.json");
    replies.extend([form.to_string().into_bytes(), lists, entries.to_string().into_bytes()].map(Reply::ok));
    let upstream = Upstream::start(replies);
    let project = wiki(&upstream, "");
    project.run();
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("bf_titre"), "{}", output.stderr);
    assert_eq!(published(&project), titles("doryphore-dev", "entries.json"));
}

#[test]
fn the_live_example_differs_from_the_shipped_pipeline_in_its_source_table_only() {
    let read = |folder: &str| {
        let text = fs::read_to_string(repository().join(folder).join(format!("pipelines/{SHIPPED}.toml"))).unwrap();
        let (before, rest) = text.split_once("[source.questionnaire.").unwrap();
        let (_, after) = rest.split_once("\n\n").unwrap();
        (before.to_owned(), after.to_owned())
    };
    assert_eq!(read(EXAMPLE), read("."));
    for name in ["essaim.toml", "schemas", "sql", "seeds"] {
        let linked = fs::canonicalize(repository().join(EXAMPLE).join(name)).unwrap();
        assert_eq!(linked, fs::canonicalize(repository().join(name)).unwrap());
    }
}

#[test]
fn the_live_example_releases_what_the_shipped_pipeline_releases() {
    let sample = |part: &str| {
        let name = format!("seeds/exemple/questionnaire.synthetique.{part}.json");
        Reply::ok(fs::read(repository().join(name)).unwrap())
    };
    let upstream = Upstream::start(vec![Reply::ok("[]"), sample("form"), sample("lists"), sample("entries")]);
    let mut live = Project::empty();
    for name in ["essaim.toml", "pipelines", "schemas", "sql", "seeds"] {
        copy(&repository().join(EXAMPLE).join(name), &live.path(name));
    }
    live.replace(&format!("pipelines/{SHIPPED}.toml"), "https://wiki.example.org/", &upstream.url(""));
    examples::on_this_machine(&live);
    live.set("YESWIKI_KEY", KEY);
    live.run();
    assert_eq!(asked(&upstream).len(), 4);
    let shipped = Project::shipped();
    shipped.run();
    let mut compared = 0;
    for entry in fs::read_dir(shipped.latest(SHIPPED)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "csv") && !path.ends_with("dictionary.csv") {
            let other = fs::read(live.latest(SHIPPED).join(path.file_name().unwrap())).unwrap();
            assert!(fs::read(&path).unwrap() == other, "{} differs", path.display());
            compared += 1;
        }
    }
    assert_eq!(compared, 22, "eleven tables, each twice");
    holds_no_key(&live);
}

fn grist(upstream: &Upstream) -> Project {
    project(
        &format!(
            "[source.lieux.grist]\nurl = \"{}\"\ndocument = \"kP3u\"\ntable = \"Lieux\"\nkey = \"${{env:CLE_TEST}}\"\n\
             first_delay = 0.001",
            upstream.url("")
        ),
        "parts = \"records\"\njson = { rows = \"records\" }\n[table.lieux.columns]\nnom = \"fields.Nom\"",
    )
}

fn grist_answers(column: &str) -> [Reply; 2] {
    let columns = json!({"columns": [{"id": column, "fields": {"label": "Nom", "type": "Text"}}]});
    let records = json!({"records": [
        {"id": 1, "fields": {column: "Un, à l’ouest"}}, {"id": 3, "fields": {column: "Trois"}}
    ]});
    [columns, records].map(|answer| Reply::ok(answer.to_string()))
}

#[test]
fn a_grist_table_is_fetched_and_released() {
    let mut replies = vec![busy()];
    replies.extend(grist_answers("Nom"));
    replies.extend([refused()]);
    let upstream = Upstream::start(replies);
    let project = grist(&upstream);
    project.run();
    let expected = names(&[("1", "Un, à l’ouest"), ("3", "Trois")]);
    assert_eq!(published(&project), expected);
    let (columns, records) = ("/api/docs/kP3u/tables/Lieux/columns", "/api/docs/kP3u/tables/Lieux/records?sort=id");
    assert_eq!(asked(&upstream), [columns, columns, records]);
    // The key expires.
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("401 Unauthorized; check the credentials of the source"), "{}", output.stderr);
    assert_eq!(published(&project), expected);
    assert!(sent_key(&upstream, "Bearer"));
    holds_no_key(&project);
}

#[test]
fn a_grist_column_that_is_renamed_keeps_the_last_release() {
    let replies = [grist_answers("Nom"), grist_answers("Nom_complet")].concat();
    let upstream = Upstream::start(replies);
    let project = grist(&upstream);
    project.run();
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("fields.Nom_complet"), "{}", output.stderr);
    assert_eq!(published(&project), names(&[("1", "Un, à l’ouest"), ("3", "Trois")]));
}

fn page(rows: &[(&str, &str)], more: Value) -> Reply {
    let rows: Vec<Value> = rows.iter().map(|(id, nom)| json!({"id": id, "nom": nom})).collect();
    let mut page = more;
    page["lignes"] = rows.into();
    Reply::ok(page.to_string())
}

fn paged(upstream: &Upstream, paging: &str) -> Project {
    project(
        &format!(
            "[source.lieux.http]\nurl = \"{}\"\nfirst_delay = 0.001\npaging = {paging}\n\
             headers.Authorization = \"Bearer ${{env:CLE_TEST}}\"",
            upstream.url("rows?n=2")
        ),
        "parts = \"page-*\"\njson = { rows = \"lignes\" }",
    )
}

#[rstest]
#[case::link("{ next = \"liens.suite\", rows = \"lignes\" }", &["/rows?n=2", "/rows?n=2&p=b"])]
#[case::cursor("{ cursor = \"curseur\", parameter = \"p\" }", &["/rows?n=2", "/rows?n=2&p=b"])]
#[case::offset("{ offset = \"p\", rows = \"lignes\" }", &["/rows?n=2&p=0", "/rows?n=2&p=2", "/rows?n=2&p=3"])]
#[case::number("{ page = \"p\", rows = \"lignes\", total = \"total\" }", &["/rows?n=2&p=1", "/rows?n=2&p=2"])]
fn rows_that_come_in_pages_are_released_together(#[case] paging: &str, #[case] expected: &[&str]) {
    let upstream = Upstream::start(vec![
        page(&[("a", "Un"), ("b", "Deux")], json!({"liens": {"suite": "?n=2&p=b"}, "curseur": "b", "total": 3})),
        busy(),
        page(&[("c", "Trois")], json!({"liens": {"suite": null}, "curseur": null, "total": 3})),
        page(&[], json!({"total": 3})),
    ]);
    let project = paged(&upstream, paging);
    project.run();
    assert_eq!(published(&project), names(&[("a", "Un"), ("b", "Deux"), ("c", "Trois")]));
    let mut asked = asked(&upstream);
    assert_eq!(asked.remove(1), asked[1], "the busy page is asked for twice");
    assert_eq!(asked, expected);
    assert!(sent_key(&upstream, "Bearer"));
    holds_no_key(&project);
}

#[test]
fn pages_that_lose_their_rows_or_their_key_keep_the_last_release() {
    let first = || page(&[("a", "Un")], json!({"total": 2}));
    let upstream = Upstream::start(vec![
        first(),
        page(&[("b", "Deux")], json!({"total": 2})),
        // One row is announced and never comes.
        first(),
        page(&[], json!({"total": 2})),
        // Another schema, a page for people, a key that has expired.
        Reply::ok("{\"total\": 2, \"rows\": []}"),
        Reply::ok("<!doctype html><title>Connexion</title>"),
        refused(),
    ]);
    let project = paged(&upstream, "{ offset = \"p\", rows = \"lignes\", total = \"total\" }");
    project.run();
    let expected = names(&[("a", "Un"), ("b", "Deux")]);
    for why in [
        "hold 1 rows and announce 2",
        "the page has no list at `lignes`",
        "the answer is a page for people, not data",
        "401 Unauthorized; check the credentials of the source",
    ] {
        let output = project.essaim(&["run"]).expect(1);
        assert!(output.stderr.contains(why), "{why}\n{}", output.stderr);
        assert_eq!(published(&project), expected);
    }
    assert_eq!(asked(&upstream).len(), 7);
}

#[test]
fn a_resource_of_data_gouv_is_fetched_from_todays_address() {
    // The address of the file is that of the server itself, known only once it runs: a second server gives the file.
    let files = Upstream::start(vec![
        Reply::ok("id;nom\na;Un\n"),
        Reply::status("302 Found").header("Location", "/pats-20250710.csv"),
        Reply::ok("id;nom\na;Un\nb;Deux\n"),
    ]);
    let dataset = |title: &str, file: &str| {
        let url = files.url(file);
        Reply::ok(json!({"id": "d", "resources": [{"id": "r1", "title": title, "url": url}]}).to_string())
    };
    let upstream = Upstream::start(vec![
        dataset("pats.csv", "pats-20250224.csv"),
        busy(),
        dataset("pats.csv", "latest"),
        dataset("renommé.csv", "latest"),
    ]);
    let project = project(
        &format!(
            "[source.lieux.datagouv]\nurl = \"{}\"\ndataset = \"pat\"\nresource = \"pats.csv\"\nfirst_delay = 0.001",
            upstream.url("")
        ),
        "csv = { delimiter = \";\" }",
    );
    project.run();
    assert_eq!(published(&project), names(&[("a", "Un")]));
    project.run();
    assert_eq!(published(&project), names(&[("a", "Un"), ("b", "Deux")]));
    assert_eq!(asked(&upstream), ["/api/1/datasets/pat/"; 3]);
    assert_eq!(asked(&files), ["/pats-20250224.csv", "/latest", "/pats-20250710.csv"]);
    let part =
        |number: u32| project.json(&format!("data/private/snapshots/lieux/{number:020}.json"))["parts"][0].clone();
    assert_eq!(part(1)["url"], files.url("pats-20250224.csv"));
    assert_eq!(part(1).get("final_url"), None);
    assert_eq!(
        (&part(2)["url"], &part(2)["final_url"]),
        (&files.url("latest").into(), &files.url("pats-20250710.csv").into())
    );
    // A title that was changed.
    let output = project.essaim(&["run"]).expect(1);
    assert!(
        output.stderr.contains("no resource of the id or title `pats.csv`; it has `r1` (renommé.csv)"),
        "{}",
        output.stderr
    );
    assert_eq!(published(&project), names(&[("a", "Un"), ("b", "Deux")]));
}

#[test]
fn the_submissions_of_a_kobo_project_are_fetched_page_by_page() {
    let row = |id: &str, nom: &str| json!({"_id": 1, "meta/rootUuid": id, "identite/nom": nom, "_attachments": []});
    let results = |next: Value, rows: Vec<Value>| {
        Reply::ok(json!({"count": 3, "next": next, "previous": null, "results": rows}).to_string())
    };
    let form = || Reply::ok(json!({"content": {"survey": [{"$autoname": "nom", "type": "text"}]}}).to_string());
    let upstream = Upstream::start(vec![
        form(),
        results("?format=json&limit=2&start=2".into(), vec![row("a", "Un"), row("b", "Deux")]),
        busy(),
        results(Value::Null, vec![row("c", "Trois")]),
        // The account may see fewer rows than there are.
        form(),
        results(Value::Null, vec![row("a", "Un")]),
        // Its token has expired.
        refused(),
    ]);
    let project = project(
        &format!(
            "[source.lieux.kobo]\nurl = \"{}\"\nasset = \"aXy\"\nkey = \"${{env:CLE_TEST}}\"\nfirst_delay = 0.001",
            upstream.url("")
        ),
        "parts = \"page-*\"\njson = { rows = \"results\" }\n\
         [table.lieux.columns]\nid = \"meta/rootUuid\"\nnom = \"identite/nom\"",
    );
    project.run();
    let expected = names(&[("a", "Un"), ("b", "Deux"), ("c", "Trois")]);
    assert_eq!(published(&project), expected);
    for why in ["hold 1 rows and announce 3", "401 Unauthorized; check the credentials"] {
        let output = project.essaim(&["run"]).expect(1);
        assert!(output.stderr.contains(why), "{}", output.stderr);
        assert_eq!(published(&project), expected);
    }
    let asked = asked(&upstream);
    assert_eq!(asked[0], "/api/v2/assets/aXy/?format=json");
    assert_eq!(asked[1], "/api/v2/assets/aXy/data/?format=json&limit=1000&start=0&sort=%7B%22_id%22%3A1%7D");
    assert_eq!(asked[3], "/api/v2/assets/aXy/data/?format=json&limit=2&start=2");
    assert!(sent_key(&upstream, "Token"));
    holds_no_key(&project);
}

#[test]
fn the_elements_of_a_gogocarto_map_are_fetched_and_released() {
    let elements = |member: &str| {
        Reply::ok(
            json!({"ontology": "gogofull", "data": [
                {"id": "a", member: "Un", "geo": {"latitude": 47.9, "longitude": -4.1}}, {"id": "b", member: "Deux"}
            ]})
            .to_string(),
        )
    };
    let upstream = Upstream::start(vec![
        Reply::ok("[]"),
        busy(),
        elements("name"),
        Reply::ok("[]"),
        elements("title"),
        Reply::status("403 Forbidden"),
    ]);
    let project = project(
        &format!(
            "[source.lieux.gogocarto]\nurl = \"{}\"\nquery = \"categories=1,2\"\nfirst_delay = 0.001",
            upstream.url("carte")
        ),
        "parts = \"elements\"\njson = { rows = \"data\" }\n[table.lieux.columns]\nnom = \"name\"",
    );
    project.run();
    let expected = names(&[("a", "Un"), ("b", "Deux")]);
    assert_eq!(published(&project), expected);
    let elements = "/carte/api/elements.json?categories=1,2";
    assert_eq!(asked(&upstream), ["/carte/api/taxonomy.json", elements, elements]);
    for why in ["`name`", "403 Forbidden; check the credentials"] {
        let output = project.essaim(&["run"]).expect(1);
        assert!(output.stderr.contains(why), "{}", output.stderr);
        assert_eq!(published(&project), expected);
    }
}
