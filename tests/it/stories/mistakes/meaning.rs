//! Mistakes in what project files mean: names, types, licences, keys of the environment.

use insta::assert_snapshot;
use rstest::rstest;

use super::{FUNDING, PIPELINE, checked, model, published, seen, texts};
use crate::harness::Project;

#[test]
fn an_unknown_published_table_names_the_nearest() {
    assert_snapshot!(checked(|p| p.replace(PIPELINE, "  \"financement\",", "  \"financements\",")).snapshot());
}

#[test]
fn an_unknown_source_names_the_nearest() {
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, "source = \"tiers-lieux\"", "source = \"tiers_lieux\"")).snapshot()
    );
}

#[test]
fn an_unknown_column_of_a_mapping_names_the_nearest() {
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, "statut_juridique = \"bf_statut\"", "statut_juridque = \"bf_statut\""))
            .snapshot()
    );
}

#[test]
fn an_unknown_column_of_a_question_names_the_nearest() {
    assert_snapshot!(checked(|p| p.replace(PIPELINE, "{ column = \"stades\",", "{ column = \"stade\",")).snapshot());
}

#[test]
fn an_unknown_column_of_a_figure_names_the_nearest() {
    let from = "value = \"part_repondants\"\nunit = \"percent\"";
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, from, "value = \"part_repondant\"\nunit = \"percent\"")).snapshot()
    );
}

#[test]
fn an_unknown_code_list_names_the_nearest() {
    let (from, to) =
        ("\"codes\": \"besoins\", \"multi\": true, \"status\"", "\"codes\": \"besoin\", \"multi\": true, \"status\"");
    assert_snapshot!(checked(|p| p.replace("schemas/reponses.schema.json", from, to)).snapshot());
}

#[test]
fn an_unknown_code_names_the_nearest() {
    assert_snapshot!(checked(|p| p.replace("schemas/reponses.schema.json", "[\"aucun\"]", "[\"aucune\"]")).snapshot());
}

#[test]
fn a_code_list_with_one_spelling_for_two_codes_is_reported() {
    assert_snapshot!(
        checked(|p| p.write("seeds/codes/stades.csv", format!("{}émergence,x,,\n", p.read("seeds/codes/stades.csv"))))
            .snapshot()
    );
}

#[test]
fn a_table_without_contract_says_which_file_is_missing() {
    assert_snapshot!(checked(|p| std::fs::remove_file(p.path("schemas/fabriques.schema.json")).unwrap()).snapshot());
}

#[test]
fn a_published_model_without_contract_says_which_file_to_write() {
    let change = |p: &Project| {
        model(p, "essai", "SELECT id FROM fabriques");
        p.replace(PIPELINE, "  \"financement\",", "  \"financement\",\n  \"essai\",");
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn a_model_with_the_name_of_a_table_is_refused() {
    assert_snapshot!(checked(|p| model(p, "fabriques", "SELECT 1 AS un")).snapshot());
}

#[test]
fn a_model_with_the_name_of_a_reference_table_is_refused() {
    assert_snapshot!(checked(|p| model(p, "communes", "SELECT 1 AS un")).snapshot());
}

#[test]
fn a_table_declared_twice_is_refused() {
    let twice = "[table.fabriques]\nsource = \"fabriques\"\ncsv = { delimiter = \",\" }\n\n[table.fabriques]\nsource = \"fabriques\"";
    assert_snapshot!(checked(|p| p.replace(PIPELINE, "[table.fabriques]\nsource = \"fabriques\"", twice)).snapshot());
}

#[test]
fn a_table_published_twice_is_refused() {
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, "  \"constats\",\n", "  \"constats\",\n  \"constats\",\n")).snapshot()
    );
}

#[test]
fn a_question_asked_twice_is_refused() {
    let line = "  { column = \"stades\", kind = \"multi\" },\n";
    assert_snapshot!(checked(|p| p.replace(PIPELINE, line, &line.repeat(2))).snapshot());
}

#[test]
fn a_code_in_two_groups_is_refused() {
    let (from, to) = ("recode.autre = [\"fondation\",", "recode.autre = [\"scop\", \"fondation\",");
    assert_snapshot!(checked(|p| p.replace(PIPELINE, from, to)).snapshot());
}

#[test]
fn a_column_declared_twice_is_refused() {
    let line = "    {\"name\": \"territoire\", \"type\": \"string\", \"title\": \"Territoire\", \"example\": \"Pays de Rennes\", \"essaim\": {\"visibility\": \"public\"}},\n";
    assert_snapshot!(checked(|p| p.replace("schemas/fabriques.schema.json", line, &line.repeat(2))).snapshot());
}

#[test]
fn a_question_that_does_not_fit_its_column_is_refused() {
    let (from, to) =
        ("{ column = \"statut_juridique\", kind = \"single\" }", "{ column = \"statut_juridique\", kind = \"multi\" }");
    assert_snapshot!(checked(|p| p.replace(PIPELINE, from, to)).snapshot());
}

#[test]
fn a_consent_that_is_no_boolean_is_refused() {
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, "consent = { row = \"consentement\",", "consent = { row = \"nom\","))
            .snapshot()
    );
}

#[test]
fn a_date_format_for_a_column_that_is_no_date_is_refused() {
    let (from, to) = ("ouvert = \"OUVERT\"", "ouvert = { from = \"OUVERT\", format = \"%d/%m/%Y\" }");
    assert_snapshot!(checked(|p| p.replace(PIPELINE, from, to)).snapshot());
}

#[test]
fn a_date_format_that_cannot_be_read_is_refused() {
    let (from, to) =
        ("{ from = \"DATE_MAJ\", format = \"%d/%m/%Y\" }", "{ from = \"DATE_MAJ\", format = \"%d/%Q/%Y\" }");
    assert_snapshot!(checked(|p| p.replace(PIPELINE, from, to)).snapshot());
}

#[test]
fn a_model_whose_column_has_another_type_than_promised_is_refused() {
    assert_snapshot!(checked(|p| p.replace(FUNDING, "    n,\n", "    CAST(n AS VARCHAR) AS n,\n")).snapshot());
}

#[test]
fn a_column_that_no_contract_declares_is_refused() {
    assert_snapshot!(
        checked(|p| p.replace(FUNDING, "    mentions,\n", "    mentions,\n    n + 1 AS n_plus_un,\n")).snapshot()
    );
}

#[test]
fn a_promised_column_that_no_model_makes_is_refused() {
    assert_snapshot!(checked(|p| p.replace(FUNDING, "    mentions,\n", "")).snapshot());
}

#[test]
fn a_pattern_that_cannot_be_read_is_refused() {
    let (from, to) = (
        "\"example\": \"FAI-01\", \"constraints\": {\"required\": true}",
        "\"example\": \"FAI-01\", \"constraints\": {\"required\": true, \"pattern\": \"FAI-[0-9\"}",
    );
    assert_snapshot!(checked(|p| p.replace("schemas/fabriques.schema.json", from, to)).snapshot());
}

#[test]
fn an_unknown_type_names_the_nearest() {
    let (from, to) =
        ("\"name\": \"territoire\", \"type\": \"string\"", "\"name\": \"territoire\", \"type\": \"strng\"");
    assert_snapshot!(checked(|p| p.replace("schemas/fabriques.schema.json", from, to)).snapshot());
}

#[test]
fn a_key_column_that_does_not_exist_names_the_nearest() {
    assert_snapshot!(
        checked(|p| p.replace(
            "schemas/fabriques.schema.json",
            "\"primaryKey\": [\"id\"]",
            "\"primaryKey\": [\"ide\"]"
        ))
        .snapshot()
    );
}

#[test]
fn a_missing_environment_variable_names_one_that_is_set() {
    let mut project = Project::shipped();
    project.set("ESSAIM_KEZ", "une-cle-de-trente-deux-signes-000");
    project.replace("essaim.toml", "key = \"essaim-demonstration-key\"", "key = \"${env:ESSAIM_KEY}\"");
    assert_snapshot!(seen(&project, &["check"]).snapshot());
    assert_snapshot!("a_missing_environment_variable_stops_a_run", seen(&project, &["run"]).snapshot());
}

#[test]
fn an_environment_variable_that_is_set_is_no_mistake() {
    let mut project = Project::shipped();
    project.set("ESSAIM_KEY", "une-cle-de-trente-deux-signes-000");
    project.replace("essaim.toml", "key = \"essaim-demonstration-key\"", "key = \"${env:ESSAIM_KEY}\"");
    project.essaim(&["check"]).expect(0);
}

#[test]
fn a_real_survey_is_refused_with_the_printed_key() {
    assert_snapshot!(checked(|p| p.replace(PIPELINE, "synthetic = true\n", "synthetic = false\n")).snapshot());
}

#[test]
fn licences_that_do_not_mix_are_refused() {
    let (from, to) = (
        "title = \"Fabriques à initiatives (exemple synthétique)\"\nlicence = \"etalab-2.0\"",
        "title = \"Fabriques à initiatives (exemple synthétique)\"\nlicence = \"ODbL-1.0\"",
    );
    assert_snapshot!(checked(|p| p.replace(PIPELINE, from, to)).snapshot());
}

#[test]
fn an_unknown_licence_of_a_release_names_the_nearest() {
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, "licence = \"etalab-2.0\"\nsynthetic", "licence = \"etalab-2\"\nsynthetic"))
            .snapshot()
    );
}

#[test]
fn an_unknown_licence_of_a_source_is_answered_with_those_that_are_known() {
    let (from, to) = (
        "title = \"Fabriques à initiatives (exemple synthétique)\"\nlicence = \"etalab-2.0\"",
        "title = \"Fabriques à initiatives (exemple synthétique)\"\nlicence = \"libre\"",
    );
    assert_snapshot!(checked(|p| p.replace(PIPELINE, from, to)).snapshot());
}

#[test]
fn a_source_with_two_connectors_is_refused() {
    let from = "file.path = \"seeds/exemple/tiers-lieux.synthetique.csv\"";
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, from, &format!("{from}\nhttp.url = \"https://example.org/t.csv\""))).snapshot()
    );
}

#[test]
fn a_table_without_reader_is_refused() {
    assert_snapshot!(checked(|p| p.replace(PIPELINE, "csv = { delimiter = \",\" }\n", "")).snapshot());
}

#[test]
fn an_address_and_a_pattern_that_cannot_be_read_are_refused() {
    let change = |p: &Project| {
        p.replace(
            PIPELINE,
            "file.path = \"seeds/exemple/tiers-lieux.synthetique.csv\"",
            "http.url = \"example.org/t.csv\"",
        );
        p.replace(
            PIPELINE,
            "file.path = \"seeds/exemple/fabriques-a-initiatives.synthetique.csv\"",
            "file.path = \"seeds/[a.csv\"",
        );
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn an_unknown_time_zone_names_the_nearest() {
    assert_snapshot!(checked(|p| p.replace(PIPELINE, "\"Europe/Paris\"", "\"Europe/Pari\"")).snapshot());
}

#[test]
fn a_smallest_cell_that_protects_nobody_is_refused() {
    assert_snapshot!(checked(|p| p.replace(PIPELINE, "smallest_cell = 5", "smallest_cell = 2")).snapshot());
}

#[test]
fn a_model_may_have_a_contract_without_being_published() {
    let change = |p: &Project| {
        model(p, "essai", "SELECT id FROM fabriques");
        p.write("schemas/essai.schema.json", texts(&["id"]));
    };
    let project = Project::shipped();
    change(&project);
    project.essaim(&["check"]).expect(0);
}

#[rstest]
#[case("changes")]
#[case("dictionary")]
fn a_published_table_with_the_name_of_a_file_of_every_release_is_reported(#[case] name: &str) {
    let output = checked(|p| published(p, name, "SELECT id FROM fabriques\n", &texts(&["id"])));
    assert!(output.stderr.contains(&format!("a published table cannot be called `{name}`")), "{}", output.stderr);
    assert!(output.stderr.contains("rename the table"), "{}", output.stderr);
}
