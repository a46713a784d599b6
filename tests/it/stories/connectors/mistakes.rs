//! Mistakes in the table of a connector.

use rstest::rstest;

use super::project;

#[rstest]
#[case::page(
    "yeswiki = { url = \"https://w.example/?PagePrincipale\", form_id = \"5\" }",
    "pipeline::base_url",
    "?PagePrincipale"
)]
#[case::form("yeswiki = { url = \"https://w.example/\", form_id = \"cinq\" }", "pipeline::form_id", "\"cinq\"")]
#[case::key(
    "grist = { url = \"https://g.example/\", document = \"d\", table = \"T\", key = \"abc\" }",
    "pipeline::key_in_file",
    "\"abc\""
)]
#[case::name("kobo = { url = \"https://k.example/\", asset = \"assets/aXy\" }", "pipeline::service_name", "assets/aXy")]
#[case::missing("datagouv = { dataset = \"pat\" }", "file::missing_key", "resource")]
#[case::unknown("gogocarto = { url = \"https://c.example/\", categories = \"1\" }", "file::unknown_key", "categories")]
#[case::two_ways(
    "http = { url = \"https://a.example/\", paging = { next = \"n\", page = \"p\" } }",
    "pipeline::paging",
    "exactly one of"
)]
#[case::no_rows("http = { url = \"https://a.example/\", paging = { page = \"p\" } }", "file::missing_key", "rows")]
#[case::no_parameter(
    "http = { url = \"https://a.example/\", paging = { cursor = \"c\" } }",
    "file::missing_key",
    "parameter"
)]
#[case::unused(
    "http = { url = \"https://a.example/\", paging = { next = \"c\", first = 0 } }",
    "pipeline::paging",
    "goes with `page`"
)]
#[case::parts(
    "http = { parts = { a = \"https://a.example/\" }, paging = { next = \"n\" } }",
    "pipeline::paging",
    "named part"
)]
fn a_mistake_in_a_connectors_table_is_shown_with_its_place(
    #[case] source: &str,
    #[case] code: &str,
    #[case] shown: &str,
) {
    let project = project(source, "csv = {}");
    let output = project.essaim(&["check"]).expect(2);
    assert!(output.stderr.contains(code) && output.stderr.contains(shown), "{}", output.stderr);
    assert!(output.stderr.ends_with("1 problem found\n"), "{}", output.stderr);
}
