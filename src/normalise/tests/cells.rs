//! Cells, cast by contract.

use std::sync::Arc;

use rstest::rstest;

use super::{Collected, keyed_table, run_csv};
use crate::config::pipeline::{Lookup, Mapping, TableSpec};
use crate::normalise::Summary;

const LIST: &str = "formation,Formation des élus,,\ningenierie,Ingénierie de projet,,ingé\naucun,Aucune,,\nautre,Autre,,Autre (précisez)\nnsp,Ne sait pas,,\nlieu,Autre lieu,,\n";

/// Runs one cell through a column `c` that a schema field describes.
fn one(field: &str, cell: &str, change: impl Fn(&mut Mapping)) -> (Summary, Collected) {
    let mut table = cell_table(field);
    change(&mut table.mappings[1]);
    run_csv(&table, format!("id,c\nk,\"{}\"\n", cell.replace('"', "\"\"")))
}

fn cell_table(field: &str) -> TableSpec {
    let own = if field.contains("\"essaim\"") { "" } else { r#", "essaim": {"status": true}"# };
    keyed_table(&format!("{{\"name\": \"c\", {field}{own}}}"), &[("l", LIST)])
}

fn value(out: &Collected) -> (String, String) {
    (out.column("c").remove(0), out.column("c_statut").remove(0))
}

fn pair(value: &str, status: &str) -> (String, String) {
    (value.to_owned(), status.to_owned())
}

#[rstest]
#[case::text(r#""type": "string""#, " été ", "été", "answered")]
#[case::blank_text(r#""type": "string""#, " \u{a0} ", "∅", "empty")]
#[case::text_behind_a_byte_order_mark(r#""type": "string""#, "\u{feff}été\u{200b}", "été", "answered")]
#[case::integer_behind_a_blank_of_no_width(r#""type": "integer""#, "\u{200b}12", "12", "answered")]
#[case::nothing_that_is_seen(r#""type": "string""#, "\u{feff}\u{200b}", "∅", "empty")]
#[case::integer(r#""type": "integer""#, "1 234", "1234", "answered")]
#[case::number(r#""type": "number""#, "-3.5", "-3.5", "answered")]
#[case::not_a_number(r#""type": "number""#, "NaN", "∅", "unknown")]
#[case::boolean(r#""type": "boolean""#, "OUI", "true", "answered")]
#[case::declared_booleans(
    r#""type": "boolean", "trueValues": ["actif"], "falseValues": ["fermé"]"#,
    "Ferme",
    "false",
    "answered"
)]
#[case::date(r#""type": "date""#, "2024-02-29", "2024-02-29", "answered")]
#[case::no_such_date(r#""type": "date""#, "2023-02-29", "∅", "unknown")]
#[case::date_time(r#""type": "datetime""#, "2024-02-29T10:11:12", "2024-02-29T10:11:12", "answered")]
#[case::uri(r#""type": "string", "format": "uri""#, "https://example.org", "https://example.org", "answered")]
#[case::siret(r#""type": "string", "format": "siret""#, "73282932000074", "73282932000074", "answered")]
#[case::too_small(r#""type": "integer", "constraints": {"minimum": 1}"#, "0", "∅", "unknown")]
#[case::too_large(r#""type": "number", "constraints": {"maximum": 1}"#, "1.5", "∅", "unknown")]
#[case::within(r#""type": "integer", "constraints": {"minimum": 0, "maximum": 1}"#, "1", "1", "answered")]
#[case::pattern(r#""type": "string", "constraints": {"pattern": "[A-Z]{2}"}"#, "AB", "AB", "answered")]
#[case::pattern_not_met(r#""type": "string", "constraints": {"pattern": "[A-Z]{2}"}"#, "ABC", "∅", "unknown")]
#[case::list(r#""type": "list""#, "a| b ||c", "[a, b, c]", "answered")]
#[case::empty_list(r#""type": "list""#, " | ", "∅", "empty")]
fn kinds_are_cast(#[case] field: &str, #[case] cell: &str, #[case] expected: &str, #[case] status: &str) {
    let (summary, out) = one(field, cell, |_| {});
    assert_eq!(value(&out), pair(expected, status));
    assert_eq!(summary.unfit, u64::from(status == "unknown"));
}

#[rstest]
#[case::code("formation", "formation", "answered")]
#[case::label(" FORMATION  des elus ", "formation", "answered")]
#[case::alias("Ingé", "ingenierie", "answered")]
#[case::nothing("", "∅", "empty")]
#[case::no_such_code("couture", "∅", "unknown")]
#[case::other_with_its_text("Autre : couture", "autre", "answered")]
#[case::other_without_text("Autre :", "autre", "answered")]
#[case::a_label_that_begins_like_other("Autre : lieu", "lieu", "answered")]
#[case::other_beside_such_a_label("Autre : chose", "autre", "answered")]
#[case::a_colon_after_another_option("Formation des élus : oui", "∅", "unknown")]
fn codes_are_found_without_case_and_accents(#[case] cell: &str, #[case] expected: &str, #[case] status: &str) {
    let (_, out) = one(r#""type": "string", "essaim": {"codes": "l", "status": true}"#, cell, |_| {});
    assert_eq!(value(&out), pair(expected, status));
}

const MULTI: &str =
    r#""type": "list", "essaim": {"codes": "l", "multi": true, "exclusive": ["aucun", "nsp"], "status": true}"#;

#[rstest]
#[case::two("Ingénierie de projet;formation", "formation|ingenierie", "answered", &[])]
#[case::one_twice("formation;Formation des élus;", "formation", "answered", &[])]
#[case::nothing(" ; ", "∅", "empty", &[])]
#[case::one_that_is_unknown("formation;couture", "formation", "answered", &["couture"])]
#[case::only_unknown("couture;tricot", "∅", "unknown", &["couture", "tricot"])]
#[case::an_exclusive_alone("Aucune", "aucun", "answered", &[])]
#[case::other_with_its_text("formation;Autre : couture", "formation|autre", "answered", &[])]
#[case::two_exclusives("Aucune;Ne sait pas", "∅", "unknown", &["Aucune;Ne sait pas"])]
fn sets_keep_what_is_known(#[case] cell: &str, #[case] expected: &str, #[case] status: &str, #[case] unknown: &[&str]) {
    let (_, out) = one(MULTI, cell, |mapping| mapping.separator = Some(";".into()));
    assert_eq!(value(&out), pair(expected, status));
    assert_eq!(out.unfit().iter().map(|cell| cell.2).collect::<Vec<_>>(), unknown);
}

#[test]
fn an_exclusive_option_goes_when_others_are_ticked() {
    let (_, out) = one(MULTI, "Aucune;formation", |mapping| mapping.separator = Some(";".into()));
    assert_eq!(value(&out), pair("formation", "answered"));
    assert_eq!(out.corrections(), [("c", "formation|aucun", "option_exclusive", "formation")]);
}

#[rstest]
#[case::not_shown("-", "∅", "not_shown")]
#[case::another_sign_is_a_value("?", "aucun", "answered")]
#[case::looked_up("✔", "formation", "answered")]
#[case::no_such_sign("✘", "∅", "unknown")]
fn signs_are_values_of_their_own(#[case] cell: &str, #[case] expected: &str, #[case] status: &str) {
    let values = [("✔", "formation"), ("?", "aucun")].map(|(text, code)| (text.to_owned(), code.to_owned()));
    let lookup = Arc::new(Lookup { name: "signes".into(), values: values.into() });
    let (_, out) = one(MULTI, cell, |mapping| {
        mapping.not_shown = vec!["-".into(), "—".into()];
        mapping.lookup = Some(Arc::clone(&lookup));
    });
    assert_eq!(value(&out), pair(expected, status));
}

#[test]
fn a_separator_of_several_bytes_parts_items_and_the_default_is_a_bar() {
    let (_, out) = one(MULTI, "formation / ingé", |mapping| mapping.separator = Some(" / ".into()));
    assert_eq!(value(&out).0, "formation|ingenierie");
    let (_, out) = one(MULTI, "formation|ingenierie", |_| {});
    assert_eq!(value(&out).0, "formation|ingenierie");
}

#[rstest]
#[case::texts_that_are_no_option("formation;couture;tricot", "", "formation|autre", "couture ; tricot")]
#[case::the_marked_text("Autre : couture", "", "autre", "couture")]
#[case::beside_its_own_column("couture", "broderie", "autre", "broderie ; couture")]
#[case::none("formation", "broderie", "formation", "broderie")]
#[case::none_at_all("formation", "", "formation", "∅")]
fn free_text_goes_to_the_column_that_takes_it(
    #[case] cell: &str,
    #[case] own: &str,
    #[case] codes: &str,
    #[case] free: &str,
) {
    // The column that takes the text stands before the one that gives it.
    let more = format!(r#"{{"name": "libre", "type": "string"}}, {{"name": "c", {MULTI}}}"#);
    let mut table = keyed_table(&more, &[("l", LIST)]);
    table.mappings[2].separator = Some(";".into());
    table.mappings[2].other = Some(1);
    let (summary, out) = run_csv(&table, format!("id,libre,c\nk,{own},{cell}\nl,,\n"));
    assert_eq!((&*out.column("c")[0], &*out.column("libre")[0]), (codes, free));
    assert_eq!((&*out.column("c")[1], &*out.column("libre")[1]), ("∅", "∅"), "nothing is left for the next row");
    assert_eq!(summary.unfit, 0);
}

#[rstest]
#[case::entities(r#""type": "string""#, "A &amp; B", true, "A & B", Some("entites_html"))]
#[case::entities_that_are_not_declared(r#""type": "string""#, "A &amp; B", false, "A &amp; B", None)]
#[case::an_entity_that_is_a_blank(r#""type": "string""#, "&nbsp;", true, "∅", Some("entites_html"))]
#[case::control_characters(r#""type": "string""#, "A\u{0}B", false, "AB", Some("caracteres_de_controle"))]
#[case::lost_zero(
    r#""type": "string", "constraints": {"pattern": "[0-9]{5}"}"#,
    "1000",
    false,
    "01000",
    Some("zeros_de_tete")
)]
#[case::too_many_lost_zeros(r#""type": "string", "constraints": {"pattern": "[0-9]{5}"}"#, "10", false, "∅", None)]
#[case::no_scheme(
    r#""type": "string", "format": "uri""#,
    "www.example.org",
    false,
    "https://www.example.org",
    Some("schema_ajoute")
)]
#[case::blanks_in_a_number(
    r#""type": "string", "format": "siret""#,
    "732 829 320 00074",
    false,
    "73282932000074",
    Some("espaces_siret")
)]
#[case::entities_and_separators(MULTI, "Formation des &eacute;lus;ing&eacute;", true, "formation|ingenierie", None)]
fn mended_cells_are_listed(
    #[case] field: &str,
    #[case] cell: &str,
    #[case] html: bool,
    #[case] expected: &str,
    #[case] rule: Option<&str>,
) {
    let (summary, out) = one(field, cell, |mapping| {
        mapping.html = html;
        mapping.separator = Some(";".into());
    });
    assert_eq!(value(&out).0, expected);
    let rules: Vec<&str> = out.corrections().iter().map(|correction| correction.2).collect();
    assert_eq!(rules, rule.into_iter().collect::<Vec<_>>());
    assert_eq!(summary.corrections, rules.len() as u64);
}

#[test]
fn declared_missing_values_mean_nothing() {
    let fields = r#"{"name": "n", "type": "integer", "essaim": {"status": true}}, {"name": "c", "type": "string", "essaim": {"codes": "l", "status": true}}"#;
    let mut table = keyed_table(fields, &[("l", LIST)]);
    Arc::make_mut(&mut table.contract).missing_values = vec!["-".into(), "NC".into()];
    let (summary, out) = run_csv(&table, "id,n,c\n1,-, NC \n2,,\n3,x,nc\n");
    assert_eq!(out.column("n_statut"), ["empty", "empty", "unknown"]);
    assert_eq!(out.column("c_statut"), ["empty", "empty", "unknown"]);
    assert_eq!(summary.unfit, 2);
}

#[test]
fn decimal_commas_and_date_formats_are_declared() {
    let (_, out) = one(r#""type": "number""#, "1 234,5", |mapping| mapping.decimal_comma = true);
    assert_eq!(value(&out), pair("1234.5", "answered"));
    let (_, out) = one(r#""type": "date""#, "1/2/2024", |mapping| mapping.formats = vec!["%d/%m/%Y".into()]);
    assert_eq!(value(&out), pair("2024-02-01", "answered"));
}

#[test]
fn a_constant_fills_every_row_and_needs_no_source_column() {
    let mut table = cell_table(r#""type": "string", "essaim": {"codes": "l", "status": true}"#);
    table.mappings[1].constant = Some("Formation des élus".into());
    table.mappings[1].from.clear();
    let (summary, out) = run_csv(&table, "id\n1\n2\n");
    assert_eq!(out.column("c"), ["formation", "formation"]);
    assert!(summary.columns_missing.is_empty());
}

#[test]
fn a_public_id_is_keyed_and_of_fixed_length() {
    let (_, out) = one(r#""type": "string""#, " Fiche1 ", |mapping| mapping.keyed = true);
    // printf 't:Fiche1' | openssl dgst -sha256 -hmac 'clé' | cut -c1-16
    assert_eq!(value(&out), pair("a198a2d44f84f5b4", "answered"));
}

#[test]
fn a_keyed_column_that_is_no_text_stays_empty() {
    let (_, out) = one(r#""type": "integer""#, "12", |mapping| mapping.keyed = true);
    assert_eq!(value(&out), pair("∅", "unknown"));
}
