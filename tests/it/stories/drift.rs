//! A source whose columns change between two runs.

use crate::harness::{Project, rows};

const ESSAIM: &str = r#"[project]
public_url = "https://donnees.example.org/"
key = "essaim-demonstration-key"

[publisher]
name = "Essaim (démonstration)"

[stores]
private = "data/private"
public = "data/public"
"#;

const PIPELINE: &str = r#"title = "Lieux"
description = "Des lieux inventés."
licence = "etalab-2.0"
synthetic = true

[source.lieux]
licence = "etalab-2.0"
file.path = "seeds/lieux.csv"

[table.lieux]
source = "lieux"
csv = {}

[table.lieux.columns]
modele = "MODÈLE JURIDIQUE"

[publish]
tables = ["lieux"]
"#;

const SCHEMA: &str = r#"{"title": "Lieux", "description": "Des lieux inventés.", "primaryKey": "id", "fields": [
  {"name": "id", "type": "string", "title": "Identifiant", "description": "Identifiant.", "essaim": {"visibility": "public"}},
  {"name": "modele", "type": "string", "title": "Modèle", "description": "Modèle.", "essaim": {"visibility": "public"}}]}"#;

/// A project that has read its source once, and whose source then renames a column and gets a new one.
fn renamed() -> Project {
    let project = Project::empty();
    project.write("essaim.toml", ESSAIM);
    project.write("pipelines/lieux.toml", PIPELINE);
    project.write("schemas/lieux.schema.json", SCHEMA);
    project.write("seeds/lieux.csv", "id,MODÈLE JURIDIQUE\n1,association\n2,scic\n");
    project.run();
    project.write("seeds/lieux.csv", "id,MODELE_JURIDIQUE,PHOTO\n1,association,a.jpeg\n2,scic,b.jpeg\n");
    project
}

#[test]
fn a_renamed_column_stops_the_run_with_the_line_to_write_and_the_last_release_stays() {
    let project = renamed();
    let before = project.stored();
    let output = project.essaim(&["run"]).expect(1);
    let line = "from = [\"MODELE_JURIDIQUE\", \"MODÈLE JURIDIQUE\"]";
    assert!(output.stderr.contains(line) && output.stderr.contains("drift = \"nulls\""), "{}", output.stderr);
    let after = project.stored();
    let public = |path: &&String| path.starts_with("public/");
    assert!(before.keys().filter(public).eq(after.keys().filter(public)));
    assert_eq!(project.record()["tables"][0]["changes"].as_array().unwrap().len(), 2);

    project.replace(
        "pipelines/lieux.toml",
        "\"MODÈLE JURIDIQUE\"",
        "{ from = [\"MODELE_JURIDIQUE\", \"MODÈLE JURIDIQUE\"] }",
    );
    let output = project.run();
    assert!(output.stderr.contains("changed: source column `PHOTO` is new"), "{}", output.stderr);
    assert!(output.stdout.contains("\tunchanged\t"), "the same cells are the same release: {}", output.stdout);
}

#[test]
fn a_table_may_go_on_without_a_column_and_then_knows_its_new_shape() {
    let project = renamed();
    project.replace("pipelines/lieux.toml", "csv = {}", "csv = {}\ndrift = \"nulls\"");
    let output = project.run();
    assert!(output.stderr.contains("is gone and `MODELE_JURIDIQUE` is new"), "{}", output.stderr);
    let lieux = rows(&project.latest("lieux").join("lieux.csv"));
    assert!(lieux.len() == 2 && lieux.iter().all(|row| row["modele"].is_empty()));
    assert!(!project.run().stderr.contains("is gone"), "it is told once");
}
