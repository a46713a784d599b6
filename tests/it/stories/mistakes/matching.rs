//! Mistakes about other tables: rows that are matched, rejects as a table, which of several rows stays, order without a key.

use insta::assert_snapshot;

use super::seen;
use crate::stories::matching::{PIPELINE, project};

/// What is said when a text of a file is another.
#[track_caller]
fn changed(file: &str, from: &str, to: &str) -> String {
    let project = project();
    project.replace(file, from, to);
    seen(&project, &["check"]).snapshot()
}

#[test]
fn a_table_that_is_declared_later_cannot_be_matched() {
    assert_snapshot!(changed(PIPELINE, "table = \"membres\"", "table = \"demandes\""));
}

#[test]
fn a_source_that_is_fetched_later_cannot_be_matched() {
    let project = project();
    let members = "[source.membres]\nlicence = \"etalab-2.0\"\nfile.path = \"seeds/membres.csv\"\n\n";
    project.replace(PIPELINE, members, "");
    project.replace(PIPELINE, "[table.membres]", &format!("{members}[table.membres]"));
    assert_snapshot!(seen(&project, &["check"]).snapshot());
}

#[test]
fn columns_that_either_table_lacks_are_named() {
    assert_snapshot!(changed(
        PIPELINE,
        "{ categorie = \"categorie\" }",
        "{ categori = \"categorie\", categorie = \"categories\" }"
    ));
}

#[test]
fn a_way_by_a_column_that_is_not_there_is_named() {
    assert_snapshot!(changed(PIPELINE, "{ MEMBRE = \"membre\" }", "{ MEMBRE = \"membres\" }"));
}

#[test]
fn a_matched_column_of_another_type_is_refused() {
    let column = r#"{"name": "categorie", "type": "string", "essaim": {"visibility": "public"}}"#;
    assert_snapshot!(changed("schemas/demandes.schema.json", column, &column.replace("string", "integer")));
}

#[test]
fn a_matched_column_that_is_not_public_there_is_refused() {
    let column = r#"{"name": "categorie", "type": "string", "essaim": {"visibility": "public"}}"#;
    assert_snapshot!(changed("schemas/membres.schema.json", column, r#"{"name": "categorie", "type": "string"}"#));
}

#[test]
fn a_column_that_is_matched_and_mapped_is_refused() {
    assert_snapshot!(changed(
        PIPELINE,
        "[table.demandes.columns]\n",
        "[table.demandes.columns]\ncategorie = \"CATEGORIE\"\n"
    ));
}

#[test]
fn rejects_under_a_name_that_is_taken_are_refused() {
    assert_snapshot!(changed(PIPELINE, "table = \"rejets_demandes\"", "table = \"membres\""));
}

#[test]
fn rejects_under_the_name_of_their_own_table_a_later_one_or_a_model_are_refused() {
    let later = "[publish]";
    for name in ["demandes", "plus_tard", "rejets"] {
        let project = project();
        project.replace(PIPELINE, "table = \"rejets_demandes\"", &format!("table = \"{name}\""));
        let table = "[table.plus_tard]\nsource = \"membres\"\ncontract = \"membres\"\ncsv = {}\n\n";
        project.replace(PIPELINE, later, &format!("{table}{later}"));
        let said = seen(&project, &["check"]).stderr;
        assert!(said.contains("pipeline::duplicate_name") && said.contains(&format!("`{name}`")), "{name}: {said}");
    }
}

#[test]
fn a_cell_of_a_reject_under_the_name_of_its_reason_is_refused() {
    assert_snapshot!(changed(PIPELINE, "{ numero_brut = \"NUMERO\" }", "{ motif = \"NUMERO\" }"));
}

#[test]
fn publishing_a_rejected_cell_that_nothing_public_reads_is_refused() {
    assert_snapshot!(changed(PIPELINE, "{ numero_brut = \"NUMERO\" }", "{ numero_brut = \"TELEPHONE\" }"));
}

#[test]
fn publishing_the_rejects_of_a_survey_is_refused() {
    assert_snapshot!(changed(
        PIPELINE,
        "[table.demandes.match]",
        "[questionnaire]\ntable = \"demandes\"\nquestion = [{ column = \"avis\", kind = \"single\" }]\n\n[table.demandes.match]"
    ));
}

#[test]
fn the_oldest_and_the_newest_cannot_both_stay() {
    assert_snapshot!(changed(PIPELINE, "oldest = \"recue\"", "oldest = \"recue\", newest = \"recue\""));
}

#[test]
fn a_rule_about_an_unread_column_that_is_not_there_is_named() {
    assert_snapshot!(changed(PIPELINE, "unread = \"recue\"", "unread = \"reçue\""));
}

#[test]
fn an_order_beside_a_key_is_refused() {
    let key = "\"primaryKey\": \"numero\"";
    assert_snapshot!(changed(
        "schemas/demandes.schema.json",
        key,
        &format!("{key}, \"essaim\": {{\"order\": [\"recue\"]}}")
    ));
}
