//! Mistakes that need no meaning to be seen: keys, types, syntax, encoding.

use insta::assert_snapshot;
use rstest::rstest;

use super::{DIRECTORY, PIPELINE, checked, seen};
use crate::harness::Project;

#[test]
fn an_unknown_key_of_the_project_names_the_nearest() {
    assert_snapshot!(checked(|p| p.replace("essaim.toml", "private = ", "privat = ")).snapshot());
}

#[test]
fn an_unknown_section_of_the_project_names_the_nearest() {
    assert_snapshot!(checked(|p| p.replace("essaim.toml", "[stores]", "[store]")).snapshot());
}

#[test]
fn an_unknown_key_of_a_pipeline_names_the_nearest() {
    assert_snapshot!(checked(|p| p.replace(PIPELINE, "keywords = ", "keyword = ")).snapshot());
}

#[test]
fn an_unknown_key_deep_in_a_pipeline_names_the_nearest() {
    assert_snapshot!(checked(|p| p.replace(PIPELINE, "{ delimiter = \",\" }", "{ delimeter = \",\" }")).snapshot());
}

#[test]
fn an_unknown_key_of_a_contract_names_the_nearest() {
    assert_snapshot!(
        checked(|p| p.replace("schemas/fabriques.schema.json", "\"primaryKey\"", "\"primarykey\"")).snapshot()
    );
}

#[test]
fn an_unknown_visibility_names_the_nearest() {
    let from = "\"example\": \"Pays de Rennes\", \"essaim\": {\"visibility\": \"public\"}";
    let to = "\"example\": \"Pays de Rennes\", \"essaim\": {\"visibility\": \"publique\"}";
    assert_snapshot!(checked(|p| p.replace("schemas/fabriques.schema.json", from, to)).snapshot());
}

#[test]
fn a_wrong_type_says_what_is_expected() {
    assert_snapshot!(checked(|p| p.replace(PIPELINE, "smallest_cell = 5", "smallest_cell = \"cinq\"")).snapshot());
}

#[test]
fn a_wrong_type_is_not_followed_by_mistakes_that_nobody_made() {
    let output = checked(|p| p.replace(PIPELINE, "synthetic = true", "synthetic = \"oui\""));
    assert!(output.stderr.ends_with("1 problem found\n"), "{}", output.stderr);
    assert_snapshot!(output.snapshot());
}

#[test]
fn a_missing_key_is_named() {
    let from = "title = \"Coopérations territoriales : les structures qui les accompagnent\"\n";
    assert_snapshot!(checked(|p| p.replace(PIPELINE, from, "")).snapshot());
}

#[test]
fn a_missing_key_of_a_section_points_at_the_section() {
    assert_snapshot!(
        checked(|p| p.replace(
            PIPELINE,
            "title = \"Tiers-lieux (exemple synthétique)\"\nlicence = \"etalab-2.0\"\n",
            ""
        ))
        .snapshot()
    );
}

#[test]
fn a_missing_section_is_named() {
    let change = |p: &Project| p.write("essaim.toml", p.read("essaim.toml").split("[publisher]").next().unwrap());
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn a_key_given_twice_is_reported() {
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, "version = \"1.0.0\"", "version = \"1.0.0\"\nversion = \"1.1.0\"")).snapshot()
    );
}

#[test]
fn toml_that_cannot_be_read_has_its_place() {
    assert_snapshot!(
        checked(|p| p.replace(PIPELINE, "licence = \"etalab-2.0\"\nsynthetic", "licence = etalab-2.0\nsynthetic"))
            .snapshot()
    );
}

#[test]
fn an_open_text_in_toml_has_its_place() {
    assert_snapshot!(
        checked(|p| p.replace("essaim.toml", "public = \"data/public\"", "public = \"data/public")).snapshot()
    );
}

#[test]
fn json_that_cannot_be_read_has_its_place() {
    let change = |p: &Project| {
        p.replace("schemas/fabriques.schema.json", "\"primaryKey\": [\"id\"]", "\"primaryKey\": [\"id\",]");
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn json_with_a_missing_comma_has_its_place() {
    let change =
        |p: &Project| p.replace("schemas/fabriques.schema.json", "\"name\": \"fabriques\",", "\"name\": \"fabriques\"");
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn a_pipeline_in_another_encoding_is_reported_once() {
    let change = |p: &Project| {
        let text = p.read(PIPELINE).replacen("Coopérations territoriales", "Coop\u{1}rations territoriales", 1);
        let bytes: Vec<u8> = text.bytes().map(|byte| if byte == 1 { 0xe9 } else { byte }).collect();
        p.write(PIPELINE, bytes);
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn sql_in_another_encoding_is_reported_once() {
    let change =
        |p: &Project| p.write(DIRECTORY, [b"-- Coop\xe9rations\n".as_slice(), p.read(DIRECTORY).as_bytes()].concat());
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn a_folder_of_models_without_pipeline_is_reported() {
    assert_snapshot!(checked(|p| p.write("sql/cooperation-territoriale/essai.sql", "SELECT 1 AS un")).snapshot());
}

#[test]
fn a_project_without_pipeline_says_so() {
    let change = |p: &Project| {
        std::fs::remove_dir_all(p.path("pipelines")).unwrap();
        std::fs::remove_dir_all(p.path("sql")).unwrap();
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn a_pipeline_with_a_name_that_is_no_dataset_is_reported() {
    let change = |p: &Project| {
        std::fs::rename(p.path(PIPELINE), p.path("pipelines/Coopérations.toml")).unwrap();
        std::fs::remove_dir_all(p.path("sql")).unwrap();
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn an_unknown_pipeline_on_the_command_line_names_the_nearest() {
    let project = Project::shipped();
    assert_snapshot!(seen(&project, &["run", "cooperation-territoriale"]).snapshot());
}

#[test]
fn a_pipeline_that_is_like_no_other_is_answered_with_those_that_exist() {
    let project = Project::shipped();
    assert_snapshot!(seen(&project, &["check", "zzz"]).snapshot());
}

#[rstest]
#[case("en", "the site's English folder")]
#[case("assets", "the folder of the site's scripts")]
#[case("api", "an address of `essaim serve`")]
#[case("sql", "an address of `essaim serve`")]
#[case("healthz", "an address of `essaim serve`")]
#[case("readyz", "an address of `essaim serve`")]
#[case("metrics", "an address of `essaim serve`")]
fn a_pipeline_with_a_name_that_the_site_needs_is_reported(#[case] name: &str, #[case] what: &str) {
    let output = checked(|p| p.write(&format!("pipelines/{name}.toml"), "title = \"Essai\"\n"));
    assert!(output.stderr.contains(&format!("`{name}` is {what}")), "{}", output.stderr);
    assert!(
        output.stderr.contains("rename the file") && output.stderr.ends_with("1 problem found\n"),
        "{}",
        output.stderr
    );
}
