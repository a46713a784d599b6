//! What may not be published, and is refused before anything is fetched.

use insta::assert_snapshot;

use super::{FUNDING, PIPELINE, checked, model, published, seen, texts};
use crate::harness::Project;

#[test]
fn publishing_the_groupings_is_refused() {
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, "  \"indicateurs\",", "  \"indicateurs\",\n  \"indicateurs_groupes\","))
            .snapshot()
    );
}

#[test]
fn publishing_a_model_that_reads_the_groupings_is_refused() {
    assert_snapshot!(checked(|p| p.replace(FUNDING, "FROM indicateurs\n", "FROM indicateurs_groupes\n")).snapshot());
}

#[test]
fn publishing_the_groupings_by_way_of_another_model_is_refused() {
    let change = |p: &Project| {
        model(p, "detour", "SELECT * FROM indicateurs_groupes\n");
        p.replace(FUNDING, "FROM indicateurs\n", "FROM detour\n");
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn publishing_a_personal_column_is_refused_with_its_path() {
    let change = |p: &Project| {
        model(p, "contacts", "SELECT id, lower(contact_courriel) AS adresse FROM reponses\n");
        p.replace(PIPELINE, "# The release", "[model.contacts]\npersonal = true\n\n# The release");
        published(p, "annuaire", "SELECT id, adresse AS contact\nFROM contacts\n", &texts(&["id", "contact"]));
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn publishing_a_personal_column_stops_a_run_before_anything_is_fetched() {
    let project = Project::shipped();
    published(
        &project,
        "annuaire",
        "SELECT nom, contact_courriel AS contact\nFROM reponses\n",
        &texts(&["nom", "contact"]),
    );
    assert_snapshot!(seen(&project, &["run"]).snapshot());
}

#[test]
fn an_aggregate_of_a_personal_column_is_refused() {
    let change = |p: &Project| {
        published(
            p,
            "annuaire",
            "SELECT region, max(contact_courriel) AS contact\nFROM reponses\nGROUP BY region\n",
            &texts(&["region", "contact"]),
        );
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn a_model_that_reads_a_personal_column_must_say_so() {
    assert_snapshot!(checked(|p| model(p, "contacts", "SELECT id, contact_courriel FROM reponses\n")).snapshot());
}

#[test]
fn a_model_that_says_so_may_read_a_personal_column() {
    let project = Project::shipped();
    model(&project, "contacts", "SELECT id, contact_courriel FROM reponses\n");
    project.replace(PIPELINE, "# The release", "[model.contacts]\npersonal = true\n\n# The release");
    project.essaim(&["check"]).expect(0);
}

#[test]
fn publishing_a_model_that_is_declared_personal_is_refused() {
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, "# The release", "[model.structures]\npersonal = true\n\n# The release"))
            .snapshot()
    );
}

#[test]
fn publishing_single_answers_is_refused_with_their_path() {
    let change = |p: &Project| {
        published(p, "statuts", "SELECT id, statut_juridique AS statut\nFROM reponses\n", &texts(&["id", "statut"]));
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn publishing_the_table_of_answers_is_refused() {
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, "  \"structures\",", "  \"structures\",\n  \"reponses\",")).snapshot()
    );
}

#[test]
fn choosing_rows_by_an_answer_is_refused() {
    let change = |p: &Project| {
        published(
            p,
            "demandeurs",
            "SELECT id, nom\nFROM reponses\nWHERE contient(besoins, 'formation')\n",
            &texts(&["id", "nom"]),
        );
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn choosing_shown_rows_by_an_answer_that_may_not_be_shown_is_refused() {
    let sql = "SELECT s.id, s.nom\nFROM reponses_publiques AS s\nJOIN reponses AS r ON s.id = r.id\nWHERE contient(r.besoins, 'formation')\n";
    assert_snapshot!(checked(|p| published(p, "demandeurs", sql, &texts(&["id", "nom"]))).snapshot());
}

#[test]
fn a_table_of_aggregates_that_does_not_say_what_protects_it_is_refused() {
    let schema = "{\n  \"fields\": [\n    {\"name\": \"n\", \"type\": \"integer\", \"essaim\": {\"visibility\": \"public\"}}\n  ],\n  \"primaryKey\": [\"n\"]\n}\n";
    assert_snapshot!(checked(|p| published(p, "combien", "SELECT count(*) AS n\nFROM reponses\n", schema)).snapshot());
}

#[test]
fn a_column_that_is_restricted_in_a_registry_is_refused() {
    let change = |p: &Project| {
        let (from, to) = (
            "\"example\": \"Pays de Rennes\", \"essaim\": {\"visibility\": \"public\"}",
            "\"example\": \"Pays de Rennes\"",
        );
        p.replace("schemas/fabriques.schema.json", from, to);
        published(p, "territoires", "SELECT id, territoire\nFROM fabriques\n", &texts(&["id", "territoire"]));
    };
    assert_snapshot!(checked(change).snapshot());
}
