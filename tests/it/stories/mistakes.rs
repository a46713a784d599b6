//! What a person sees who made a mistake in a project file. Every snapshot is exit code, stdout and stderr.

mod checks;
mod crosstab;
mod disclosure;
mod files;
mod gate;
mod long;
mod many;
mod mapping;
mod matching;
mod meaning;
mod sql;

use crate::harness::{Output, Project};

const PIPELINE: &str = "pipelines/cooperations-territoriales.toml";
const KEY_FIGURES: &str = "sql/cooperations-territoriales/chiffres_cles.sql";
const FUNDING: &str = "sql/cooperations-territoriales/financement.sql";
const DIRECTORY: &str = "sql/cooperations-territoriales/structures.sql";
const PLACES: &str = "sql/cooperations-territoriales/reseaux_implantations.sql";

/// Changes the shipped project and checks it. A mistake ends with 2, says nothing on stdout and leaves nothing behind.
#[track_caller]
fn checked(change: impl FnOnce(&Project)) -> Output {
    let project = Project::shipped();
    change(&project);
    seen(&project, &["check"])
}

#[track_caller]
fn seen(project: &Project, arguments: &[&str]) -> Output {
    let output = project.essaim(arguments).expect(2);
    assert_eq!(output.stdout, "", "mistakes are talk, not data");
    assert!(!project.path("data").exists(), "nothing is fetched or written before all mistakes are gone");
    output
}

/// Adds a model without contract: it stays inside.
fn model(project: &Project, name: &str, sql: &str) {
    project.write(&format!("sql/cooperations-territoriales/{name}.sql"), sql);
}

/// Writes a published model with its contract.
fn published(project: &Project, name: &str, sql: &str, schema: &str) {
    model(project, name, sql);
    project.write(&format!("schemas/{name}.schema.json"), schema);
    project.replace(
        PIPELINE,
        "  \"maillage_departements\",\n]",
        &format!("  \"maillage_departements\",\n  \"{name}\",\n]"),
    );
}

/// A contract with public text columns.
fn texts(columns: &[&str]) -> String {
    let field = |name: &&str| {
        format!("{{\"name\": \"{name}\", \"type\": \"string\", \"essaim\": {{\"visibility\": \"public\"}}}}")
    };
    let fields: Vec<String> = columns.iter().map(field).collect();
    format!("{{\n  \"fields\": [\n    {}\n  ],\n  \"primaryKey\": [\"{}\"]\n}}\n", fields.join(",\n    "), columns[0])
}
