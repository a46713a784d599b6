//! The example projects of docs/examples, each run against a server that replays what its service answers.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::{KEY, asked, busy, holds_no_key, refused};
use crate::harness::{Project, Reply, Upstream, copy, repository};

/// Columns and cells of a row.
pub(super) type Cells = BTreeMap<String, String>;

pub(super) fn cell(column: &str, text: impl Into<String>) -> (String, String) {
    (column.to_owned(), text.into())
}

/// A number of a payload as text; nothing for `null` and what is not there.
pub(super) fn number(value: &Value) -> String {
    value.as_f64().map_or_else(String::new, |number| number.to_string())
}

/// A recorded answer.
pub(super) fn fixture(name: &str) -> Value {
    serde_json::from_slice(&fs::read(repository().join("tests/fixtures").join(name)).unwrap()).unwrap()
}

/// A copy of an example whose pipeline has other texts in some places, so that it asks a server of this machine.
pub(super) fn example(name: &str, pipeline: &str, changes: &[(&str, String)]) -> Project {
    let project = Project::empty();
    for entry in fs::read_dir(repository().join("docs/examples").join(name)).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &project.path(entry.file_name().to_str().unwrap()));
    }
    for (from, to) in changes {
        project.replace(&format!("pipelines/{pipeline}.toml"), from, to);
    }
    on_this_machine(&project);
    project
}

/// Lets a project call servers of this machine.
pub(super) fn on_this_machine(project: &Project) {
    let settings = project.read("essaim.toml") + "\n[network]\nprivate_addresses = true\npause = 0\n";
    project.write("essaim.toml", settings);
}

/// Rows of the current release, without the columns of labels.
pub(super) fn released(project: &Project, dataset: &str, table: &str) -> Vec<Cells> {
    let mut rows = project.csv(dataset, table);
    for row in &mut rows {
        row.retain(|column, _| !column.ends_with("_libelle"));
    }
    rows
}

fn reasons(project: &Project, table: &str) -> Vec<String> {
    project.ledger("rejects", table).into_iter().map(|row| row["motif"].clone()).collect()
}

#[test]
fn the_kobo_example_releases_places_and_the_members_of_their_repeats() {
    let results = fixture("kobo/results.json");
    let results = results.as_array().unwrap();
    let page = |rows: &[Value], next: Value| {
        Reply::ok(json!({"count": results.len(), "next": next, "previous": null, "results": rows}).to_string())
    };
    let form = json!({"content": {"survey": [], "choices": []}});
    let mut renamed = results.clone();
    for row in &mut renamed {
        let name = row.as_object_mut().unwrap().remove("identite/nom").unwrap();
        row["identite/nom_du_lieu"] = name;
    }
    let upstream = Upstream::start(vec![
        Reply::ok(form.to_string()),
        page(&results[..2], "?format=json&limit=2&start=2".into()),
        busy(),
        page(&results[2..], Value::Null),
        // The question was renamed; then the key is wrong.
        Reply::ok(form.to_string()),
        page(&renamed, Value::Null),
        refused(),
    ]);
    let mut project = example("kobo", "lieux", &[("https://eu.kobotoolbox.org/", upstream.url(""))]);
    project.set("KOBO_TOKEN", KEY);
    project.run();

    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let kept = |row: &&Value| {
        row["_validation_status"]["uid"] != "validation_status_not_approved"
            && !text(row, "identite/nom").starts_with("Test")
    };
    let places = results.iter().filter(kept).map(|row| {
        let place = text(row, "localisation");
        let coordinate = |nth| place.split(' ').nth(nth).unwrap_or_default().trim_end_matches('0').to_owned();
        Cells::from([
            cell("id", text(row, "meta/rootUuid")),
            cell("nom", text(row, "identite/nom")),
            cell("statut", text(row, "identite/statut").replace("other", "autre")),
            cell("statut_autre", text(row, "identite/statut_other")),
            cell("modalites", text(row, "identite/modalites").replace(' ', "|")),
            cell("latitude", coordinate(0)),
            cell("longitude", coordinate(1)),
        ])
    });
    assert_eq!(released(&project, "lieux", "lieux"), places.collect::<Vec<_>>());
    let members = results.iter().filter(kept).flat_map(|row| {
        let members = row["membres"].as_array().into_iter().flatten().enumerate();
        members.map(|(at, member)| {
            Cells::from([
                cell("lieu", text(row, "meta/rootUuid")),
                cell("rang", (at + 1).to_string()),
                cell("role", text(member, "membres/role")),
                cell("heures", text(member, "membres/heures")),
            ])
        })
    });
    assert_eq!(released(&project, "lieux", "membres"), members.collect::<Vec<_>>());
    assert_eq!(reasons(&project, "lieux"), ["refuse_a_la_relecture", "saisie_de_test"]);
    let remarks = project.record()["tables"].to_string();
    assert!(remarks.contains("1 pièce jointe n'est pas reprise."), "{remarks}");
    let before = released(&project, "lieux", "lieux");
    for why in ["identite/nom_du_lieu", "401 Unauthorized; check the credentials"] {
        let output = project.essaim(&["run"]).expect(1);
        assert!(output.stderr.contains(why), "{why}\n{}", output.stderr);
        assert_eq!(released(&project, "lieux", "lieux"), before);
    }
    holds_no_key(&project);
}

#[test]
fn the_grist_example_releases_lists_of_choices_and_leaves_drafts_out() {
    let columns = json!({"columns": [{"id": "Nom", "fields": {"label": "Nom", "type": "Text"}}]});
    let row = |id: u32, nom: &str, statut: Value, modalites: Value, draft: bool| {
        json!({"id": id, "fields": {
            "Nom": nom, "Statut": statut, "Modalites": modalites, "Longitude": -4.1, "Latitude": 47.99,
            "Brouillon": draft, "Photos": ["L", 7, 8]
        }})
    };
    let records = json!({"records": [
        row(1, "Un, « à l’ouest »", "Association".into(), json!(["L", "Formation", "Ingénierie"]), false),
        row(4, "Deux", Value::Null, Value::Null, false),
        row(5, "Brouillon", Value::Null, Value::Null, true),
    ]});
    let upstream = Upstream::start(vec![Reply::ok(columns.to_string()), Reply::ok(records.to_string())]);
    let mut project = example("grist", "lieux", &[("https://grist.numerique.gouv.fr/", upstream.url(""))]);
    project.set("GRIST_KEY", KEY);
    project.run();
    let expected = |id: &str, nom: &str, statut: &str, modalites: &str| {
        Cells::from([
            cell("id", id),
            cell("nom", nom),
            cell("statut", statut),
            cell("modalites", modalites),
            cell("longitude", "-4.1"),
            cell("latitude", "47.99"),
        ])
    };
    assert_eq!(
        released(&project, "lieux", "lieux"),
        [expected("1", "Un, « à l’ouest »", "asso", "formation|ingenierie"), expected("4", "Deux", "", "")]
    );
    assert_eq!(reasons(&project, "lieux"), ["brouillon"]);
    holds_no_key(&project);
}

#[test]
fn the_datagouv_example_releases_a_registry_and_its_communes() {
    // Written in Windows-1252, as the registry is.
    let mut file = b"id;lien_vers_la_fiche_pat;nom_administratif;nom_usuel;communes_code_insee\n".to_vec();
    file.extend_from_slice(
        b"891;https://france-pat.fr/pat/redon/;\"Programme de REDON; Agglom\xe9ration\";;35145,56232\n",
    );
    file.extend_from_slice(b"12;;Autre;L\x92autre;2A004\n");
    let renamed = file.strip_prefix(b"id;").unwrap();
    let renamed = [b"numero;".as_slice(), renamed].concat();
    let files = Upstream::start(vec![Reply::ok(file), busy(), Reply::ok(renamed), refused()]);
    let resource = "96606cae-0b3b-4910-9d8b-65e3dd7f1bda";
    let dataset = json!({"resources": [{"id": resource, "title": "pats.csv", "url": files.url("pats.csv")}]});
    let upstream = Upstream::start(vec![Reply::ok(dataset.to_string()); 3]);
    let project = example(
        "datagouv",
        "projets",
        &[("url = \"https://www.data.gouv.fr/\"", format!("url = \"{}\"", upstream.url("")))],
    );
    project.run();
    let row = |id: &str, nom: &str, lien: &str| Cells::from([cell("id", id), cell("nom", nom), cell("lien", lien)]);
    let expected =
        [row("12", "L’autre", ""), row("891", "Programme de REDON; Agglomération", "https://france-pat.fr/pat/redon/")];
    assert_eq!(released(&project, "projets", "projets"), expected);
    let row = |projet: &str, code: &str| Cells::from([cell("projet", projet), cell("code_insee", code)]);
    let expected = [row("12", "2A004"), row("891", "35145"), row("891", "56232")];
    assert_eq!(released(&project, "projets", "projets_communes"), expected);
    for why in ["`numero`", "401 Unauthorized"] {
        let output = project.essaim(&["run"]).expect(1);
        assert!(output.stderr.contains(why), "{why}\n{}", output.stderr);
        assert_eq!(released(&project, "projets", "projets_communes"), expected);
    }
}

#[test]
fn the_example_with_pages_releases_the_rows_of_all_of_them() {
    let page = |id: &str, nom: &str, next: Value| {
        Reply::ok(json!({"data": [{"id": id, "nom": nom}], "links": {"next": next}, "meta": {"count": 2}}).to_string())
    };
    let upstream = Upstream::start(vec![page("a", "Un", "?after=a".into()), page("b", "Deux", Value::Null)]);
    let mut project = example("http-paging", "lieux", &[("https://api.example.org/", upstream.url(""))]);
    project.set("API_KEY", KEY);
    project.run();
    let row = |id: &str, nom: &str| Cells::from([cell("id", id), cell("nom", nom)]);
    assert_eq!(released(&project, "lieux", "lieux"), [row("a", "Un"), row("b", "Deux")]);
    assert_eq!(asked(&upstream), ["/lieux?limit=100&sort=id", "/lieux?after=a"]);
    holds_no_key(&project);
}

#[test]
fn the_gogocarto_example_releases_addresses_of_both_forms() {
    let elements = json!({"ontology": "gogofull", "data": [
        {"id": "a", "name": "Un", "geo": {"latitude": 47.99, "longitude": -4.1}, "images": ["u.jpg"],
         "address": {"streetAddress": "3 rue du Port", "addressLocality": "Quimper"}},
        {"id": "b", "name": "Deux", "streetaddress": "Le Bourg", "address": {"addressLocality": "Saint yrieix"}}
    ]});
    let upstream = Upstream::start(vec![Reply::ok("[]"), Reply::ok(elements.to_string())]);
    let project = example("gogocarto", "lieux", &[("https://carte.gogocarto.fr/", upstream.url(""))]);
    project.run();
    let row = |id: &str, nom: &str, adresse: &str, commune: &str, (longitude, latitude): (&str, &str)| {
        Cells::from([
            cell("id", id),
            cell("nom", nom),
            cell("adresse", adresse),
            cell("commune", commune),
            cell("longitude", longitude),
            cell("latitude", latitude),
        ])
    };
    let expected = [
        row("a", "Un", "3 rue du Port", "Quimper", ("-4.1", "47.99")),
        row("b", "Deux", "Le Bourg", "Saint yrieix", ("", "")),
    ];
    assert_eq!(released(&project, "lieux", "lieux"), expected);
}
