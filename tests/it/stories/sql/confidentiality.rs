//! What a release withholds is not to be had in SQL either.

use std::collections::BTreeSet;

use super::server::Server;
use crate::harness::{Project, sample};

const SCHEMA: &str = "cooperations_territoriales";

/// The shipped project with its survey, published.
fn survey() -> Project {
    let project = Project::shipped();
    project.run();
    project
}

/// Cells of an answer.
#[track_caller]
fn cells(server: &Server, sql: &str) -> Vec<String> {
    let rows = server.post(sql).expect(200).json()["rows"].take();
    let rows = rows.as_array().unwrap().iter();
    rows.flat_map(|row| row.as_array().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()).collect()
}

#[test]
fn the_catalogue_of_a_server_holds_published_tables_and_columns_only() {
    let project = survey();
    let server = Server::start(&project);
    let sql = "SELECT DISTINCT table_name FROM information_schema.tables WHERE table_schema <> 'information_schema'";
    let seen: BTreeSet<String> = cells(&server, sql).into_iter().collect();
    let text = project.read("pipelines/cooperations-territoriales.toml").parse::<toml::Table>().unwrap();
    let published: BTreeSet<String> =
        text["publish"]["tables"].as_array().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(seen, published);
    let sql = "SELECT table_name || '.' || column_name FROM information_schema.columns \
               WHERE table_schema NOT IN ('information_schema', 'public')";
    let seen: BTreeSet<String> = cells(&server, sql).into_iter().collect();
    let mut public = BTreeSet::new();
    for table in text["publish"]["tables"].as_array().unwrap() {
        let table = table.as_str().unwrap();
        for field in project.json(&format!("schemas/{table}.schema.json"))["fields"].as_array().unwrap() {
            if field["essaim"]["visibility"] == "public" {
                public.insert(format!("\"{table}.{}\"", field["name"].as_str().unwrap()));
            }
        }
    }
    let hidden: Vec<&String> = seen.iter().filter(|column| !public.contains(*column)).collect();
    // Labels stand beside public codes, geometries and their boxes beside public places.
    let derived =
        |column: &str| ["_libelle\"", "_label\"", ".geometry\"", ".bbox\""].iter().any(|end| column.ends_with(end));
    assert!(hidden.iter().all(|column| derived(column)), "{hidden:?}");
}

#[test]
fn private_tables_columns_snapshots_and_runs_cannot_be_named() {
    let project = survey();
    let server = Server::start(&project);
    let release = project.releases("cooperations-territoriales")[0].clone();
    for sql in [
        "SELECT * FROM reponses".to_owned(),
        "SELECT contact_courriel FROM reponses".to_owned(),
        "SELECT contact_courriel FROM structures".to_owned(),
        format!("SELECT * FROM {SCHEMA}.reponses"),
        format!("SELECT * FROM \"{SCHEMA}@{release}\".reponses"),
        "SELECT * FROM indicateurs_groupes".to_owned(),
        "SELECT * FROM rejects".to_owned(),
        "SELECT * FROM snapshots".to_owned(),
        "SELECT * FROM runs".to_owned(),
        "SELECT * FROM run_reasons".to_owned(),
        format!("SELECT * FROM {SCHEMA}.\"../../../private/runs\""),
        format!("SELECT * FROM {SCHEMA}.\"gate.json\""),
        "SELECT * FROM \"private\".runs".to_owned(),
        "SELECT __ligne FROM structures".to_owned(),
    ] {
        let reply = server.post(&sql).expect(400).json();
        let code = reply["code"].as_str().unwrap();
        assert!(matches!(code, "sql::unknown_table" | "sql::unknown_column"), "{sql}: {reply}");
        let told = reply.to_string();
        assert!(!told.contains("contact_courriel\",") && !told.contains("/data/"), "{sql}: {told}");
    }
}

#[test]
fn no_personal_value_of_the_sample_is_in_any_cell_of_any_table() {
    let project = survey();
    let server = Server::start(&project);
    let mut secrets = BTreeSet::new();
    for (_, answer) in sample::answers() {
        for (field, value) in answer.as_object().unwrap() {
            let personal = field.starts_with("bf_contact") || field == "user";
            if let Some(text) = value.as_str().filter(|text| personal && text.len() > 5) {
                secrets.insert(text.to_owned());
            }
        }
    }
    assert!(secrets.len() > 60, "the sample has names and addresses to look for: {}", secrets.len());
    let tables = cells(
        &server,
        "SELECT DISTINCT table_name FROM information_schema.tables WHERE table_schema <> 'information_schema'",
    );
    for table in tables {
        let table = table.trim_matches('"');
        let text = server.ask(&format!("SELECT * FROM {table}"), "jsonl").expect(200).text();
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "`{table}` holds a personal value");
        }
    }
}
