//! Many mistakes in one go, for people and for machines.

use insta::assert_snapshot;
use serde_json::Value;

use super::{DIRECTORY, FUNDING, PIPELINE, checked, model, seen};
use crate::harness::Project;

/// One mistake of every kind of file.
fn change(project: &Project) {
    project.replace("essaim.toml", "private = ", "privat = ");
    project.replace("essaim.toml", "key = \"essaim-demonstration-key\"", "key = \"${env:ESSAIM_KEY}\"");
    project.replace(PIPELINE, "keywords = ", "keyword = ");
    project.replace(PIPELINE, "statut_juridique = \"bf_statut\"", "statut_juridque = \"bf_statut\"");
    project.replace(
        PIPELINE,
        "{ column = \"stades\", kind = \"multi\" }",
        "{ column = \"stades\", kind = \"single\" }",
    );
    project.replace(PIPELINE, "  \"financement\",", "  \"financements\",");
    project.replace(
        "schemas/fabriques.schema.json",
        "\"name\": \"territoire\", \"type\": \"string\"",
        "\"name\": \"territoire\", \"type\": \"strng\"",
    );
    project.replace("schemas/tiers_lieux.schema.json", "\"primaryKey\": [\"id\"]", "\"primaryKey\": [\"id\",]");
    project.replace(DIRECTORY, "    site_web,\n", "    site_wb,\n");
    project.replace(FUNDING, "FROM indicateurs\nWHERE question", "FROM indicateurs\nWHERE qestion");
    model(project, "poule", "SELECT un FROM oeuf\n");
    model(project, "oeuf", "SELECT un FROM poule\n");
    project.write("sql/cooperation-territoriale/essai.sql", "SELECT 1 AS un");
}

#[test]
fn all_mistakes_of_all_files_are_reported_in_one_go() {
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn a_run_reports_what_a_check_reports() {
    let project = Project::shipped();
    change(&project);
    assert_eq!(seen(&project, &["run"]), seen(&project, &["check"]));
}

#[test]
fn machines_get_one_object_a_line_with_file_line_and_column() {
    let project = Project::shipped();
    change(&project);
    let output = seen(&project, &["check", "--log-format", "json"]);
    let problems: Vec<Value> = output.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(problems.len() >= 10, "{}", output.stderr);
    let mut placed = 0;
    for problem in &problems {
        assert_eq!(problem["level"], "problem");
        assert!(problem["code"].as_str().is_some_and(|code| code.contains("::")), "{problem}");
        assert!(problem["help"].is_string(), "every problem says what to do: {problem}");
        let (Some(file), Some(line), Some(column)) =
            (problem["file"].as_str(), problem["line"].as_u64(), problem["column"].as_u64())
        else {
            continue;
        };
        placed += 1;
        let text = project.read(file);
        let written = text.lines().nth(usize::try_from(line).unwrap() - 1).unwrap();
        assert!(usize::try_from(column).unwrap() <= written.chars().count(), "{problem} is in line `{written}`");
    }
    assert!(placed >= 10, "{}", output.stderr);
    let files: Vec<&str> = problems.iter().filter_map(|problem| problem["file"].as_str()).collect();
    assert!(files.is_sorted(), "{files:?}");
    let exact = problems
        .iter()
        .find(|problem| problem["code"] == "sql::unknown_column" && problem["file"] == DIRECTORY)
        .unwrap();
    assert_eq!((exact["line"].as_u64(), exact["column"].as_u64()), (Some(18), Some(5)));
    assert_snapshot!(output.stderr);
}
