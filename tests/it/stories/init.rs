//! From a file to a project.

use crate::harness::{Project, rows};

const LIEUX: &str = "Identifiant;Nom du lieu;Statut;Code postal;Ville;Surface;Courriel du contact;Ouverture\n\
    1;Le Hangar;Association;35000;Rennes;120,5;a@example.org;01/09/2019\n\
    2;La Grange;Commune;29000;Quimper;80;b@example.org;15/01/2020\n\
    3;L’Atelier;association;22000;Saint-Brieuc;1 250,75;c@example.org;03/05/2021\n\
    4;Le Moulin;Commune;56000;Vannes;64;d@example.org;20/11/2018\n\
    5;La Halle;Association;35400;Saint-Malo;300;e@example.org;02/02/2022\n\
    6;Le Lavoir;Commune;29200;Brest;45,5;f@example.org;30/06/2017\n";

fn drafted() -> Project {
    let project = Project::empty();
    project.write("lieux.csv", LIEUX);
    let output = project.essaim(&["init", "projet", "--from", "lieux.csv"]).expect(0);
    for line in ["courriel_du_contact", "PERSONAL", "gives the place (code_postal)", "one of 2 options", "the key"] {
        assert!(output.stderr.contains(line), "{line}: {}", output.stderr);
    }
    project
}

#[test]
fn a_file_becomes_a_project_that_runs_at_once_and_publishes_nothing() {
    let project = drafted();
    let output = project.essaim(&["--project", "projet", "run"]).expect(0);
    assert!(output.stdout.ends_with("nothing-public\t-\n"), "{}", output.stdout);
    assert!(
        output.stderr.contains("6 rows, 6 kept") && output.stderr.contains("code_postal_et_nom 6"),
        "{}",
        output.stderr
    );
    assert!(!project.path("projet/data/public/lieux").exists(), "something was published");
    let schema = project.read("projet/schemas/lieux.schema.json");
    assert!(!schema.contains("\"public\"") && schema.matches("\"personal\"").count() == 1, "{schema}");
}

#[test]
fn what_a_person_makes_public_is_published_and_nothing_else() {
    let project = drafted();
    let schema = project.read("projet/schemas/lieux.schema.json");
    let schema =
        schema.replace("\"title\":\"Identifiant\"", "\"title\":\"Identifiant\",\"essaim\":{\"visibility\":\"public\"}");
    let schema = schema.replace("\"codes\":\"lieux_statut\"", "\"codes\":\"lieux_statut\",\"visibility\":\"public\"");
    let schema =
        schema.replace("\"title\":\"Surface\"", "\"title\":\"Surface\",\"essaim\":{\"visibility\":\"public\"}");
    project.write("projet/schemas/lieux.schema.json", schema);
    project.replace("projet/pipelines/lieux.toml", "tables = []", "tables = [\"lieux\"]");
    project.essaim(&["--project", "projet", "run"]).expect(0);
    let lieux = rows(&project.path("projet/data/public/lieux/latest/lieux.csv"));
    assert_eq!(lieux.len(), 6);
    assert_eq!(lieux[2].keys().collect::<Vec<_>>(), ["identifiant", "statut", "surface"]);
    assert_eq!((lieux[2]["statut"].as_str(), lieux[2]["surface"].as_str()), ("association", "1250.75"));
}

#[test]
fn existing_files_are_kept() {
    let project = drafted();
    project.write("projet/essaim.toml", "# à moi");
    let output = project.essaim(&["init", "projet", "--from", "lieux.csv"]).expect(2);
    assert!(output.stderr.contains("nothing is overwritten"), "{}", output.stderr);
    assert_eq!(project.read("projet/essaim.toml"), "# à moi");
}

#[test]
fn a_file_that_is_none_of_the_known_ones_is_refused_with_a_reason() {
    let project = Project::empty();
    project.write("vide.csv", "");
    let output = project.essaim(&["init", "projet", "--from", "vide.csv"]).expect(1);
    assert!(output.stderr.contains("has no header") || output.stderr.contains("no rows"), "{}", output.stderr);
    assert!(!project.path("projet").exists());
}
