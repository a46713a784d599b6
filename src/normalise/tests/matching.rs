//! Rows of another table, the reasons that a project words itself, and the cells that a reject keeps.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};

use super::{Collected, keyed_table, part, run_csv};
use crate::config::pipeline::{Keep, Match, RejectRule, RejectTable, Secret, TableSpec};
use crate::normalise::{Normaliser, RAW, Reference, Summary};

const PLACED: &str = r#"{"name": "code_insee", "type": "string"}, {"name": "lon", "type": "number"}"#;

/// Four communes, two of which share name and postal code.
fn communes() -> RecordBatch {
    let texts = |values: &[&str]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let numbers = Arc::new(Float64Array::from(vec![Some(1.0), Some(2.0), None, Some(4.0)])) as ArrayRef;
    RecordBatch::try_from_iter([
        ("code", texts(&["01004", "2A004", "35238", "35239"])),
        ("cp", texts(&["01500", "20000", "35000", "35000"])),
        ("nom", texts(&["Ambérieu", "Saint-Ajac", "Rennes", "Rennes"])),
        ("lon", numbers),
    ])
    .unwrap()
}

fn matched(missing: Option<&str>) -> TableSpec {
    let pair = |own: &str, theirs: &str| (own.to_owned(), theirs.to_owned());
    let mut table = keyed_table(PLACED, &[]);
    table.mappings.truncate(1);
    table.matched = Some(Match {
        table: "communes_lues".parse().unwrap(),
        by: vec![vec![pair("insee", "code")], vec![pair("cp", "cp"), pair("ville", "nom")]],
        columns: vec![(1, "code".to_owned()), (2, "lon".to_owned())],
        missing: missing.map(str::to_owned),
    });
    table
}

fn run_matched(table: &TableSpec, text: &str) -> (Summary, Collected) {
    let mut out = Collected::default();
    let reference = Reference::new(table.matched.as_ref().unwrap(), communes()).unwrap();
    let normaliser = Normaliser::new(table, &Secret::new("k")).matching(Some(reference));
    let summary = normaliser.run(vec![part("a.csv", text)], &mut out).unwrap();
    (summary, out)
}

#[test]
fn rows_are_found_by_the_first_way_that_leads_to_one() {
    let lines =
        "a,01004,,\nb, 2a004 ,35000,Rennes\nc,99999,1500,AMBERIEU\nd,,20000,St Ajac\ne,1004,,\nf,,35000,Rennes\ng,,,\n";
    let (summary, out) = run_matched(&matched(None), &format!("id,insee,cp,ville\n{lines}"));
    let codes = ["01004", "2A004", "01004", "2A004", "01004", "∅", "∅"];
    assert_eq!(out.column("code_insee"), codes, "a key that two rows have leads to none");
    assert_eq!(out.column("lon"), ["1.0", "2.0", "1.0", "2.0", "1.0", "∅", "∅"]);
    assert_eq!((summary.kept, summary.columns_missing), (7, Vec::<String>::new()));
}

#[test]
fn a_row_that_leads_nowhere_is_rejected_where_the_project_says_so() {
    let lines = "a,01004,,\nb,x,,\na,99999,,\n";
    let (summary, out) = run_matched(&matched(Some("commune_introuvable")), &format!("id,insee,cp,ville\n{lines}"));
    let rejects = [(2, Some(3), "commune_introuvable"), (3, Some(4), "commune_introuvable")];
    assert_eq!(out.rejects(), rejects, "before it is held against rows with its key");
    assert_eq!(out.chunks[0].rejects[0].detail, "Aucune ligne de `communes_lues` ne correspond à celle-ci.");
    assert_eq!(summary.kept, 1);
}

#[test]
fn a_source_without_the_columns_of_a_way_is_told_and_goes_by_the_others() {
    let (summary, out) = run_matched(&matched(None), "id,insee\na,35238\nb,\n");
    assert_eq!(out.column("code_insee"), ["35238", "∅"]);
    assert_eq!(summary.columns_missing, ["cp", "ville"]);
}

#[test]
fn the_first_rule_that_holds_says_why_a_row_goes() {
    let mut table = keyed_table(r#"{"name": "d", "type": "date", "constraints": {"required": true}}"#, &[]);
    let rule = |column: &str, unread, values: &[&str], reason: &str| RejectRule {
        column: column.to_owned(),
        unread,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        negated: true,
        reason: reason.to_owned(),
        ..RejectRule::default()
    };
    table.rejects = vec![
        rule("id", Some(0), &[], "id_manquant"),
        rule("d", Some(1), &[], "date_invalide"),
        rule("oui", None, &["oui"], "refus"),
    ];
    let (_, out) = run_csv(&table, "id,d,oui\n,x,non\na,31/02/2024,non\nb,2024-01-01,non\nc,2024-01-01,oui\n");
    let reasons: Vec<&str> = out.rejects().into_iter().map(|(_, _, reason)| reason).collect();
    assert_eq!(reasons, ["id_manquant", "date_invalide", "refus"]);
    assert_eq!(out.chunks[0].rejects[1].detail, "La colonne `d` ne se lit pas : « 31/02/2024 » (date_illisible).");
}

#[test]
fn the_oldest_of_several_rows_stays_and_the_others_keep_their_cells_as_they_were() {
    let mut table = keyed_table(r#"{"name": "n", "type": "integer"}"#, &[]);
    table.keep = Keep::Oldest(1);
    table.duplicate = Some("deja_vu".to_owned());
    table.reject_table = Some(RejectTable {
        table: "rejets".parse().unwrap(),
        columns: vec![("id_brut".to_owned(), "id".to_owned()), ("n_brut".to_owned(), "n".to_owned())],
    });
    let (summary, out) = run_csv(&table, "id,n\n k , 7\nk,9\n k,5\nl,\n");
    assert_eq!(out.rejects(), [(2, Some(3), "deja_vu"), (1, None, "deja_vu")]);
    assert_eq!((out.rows(), summary.duplicates), (vec![1, 3, 4], vec![1]));
    assert_eq!(out.column(&format!("{RAW}id_brut")), [" k ", " k", "l"]);
    assert_eq!(out.column(&format!("{RAW}n_brut")), [" 7", "5", "∅"]);
    let details: Vec<&str> = out.chunks.iter().flat_map(|c| &c.rejects).map(|reject| reject.detail.as_str()).collect();
    assert_eq!(details[0], "Même clé que la ligne 1, qui n'est pas plus récente.");
    assert_eq!(details[1], "Même clé que la ligne 3, plus ancienne, qui est gardée.");
}

#[test]
fn numbers_of_a_source_with_both_decimal_marks_are_read() {
    let mut table = keyed_table(r#"{"name": "n", "type": "number"}"#, &[]);
    table.mappings[1].decimal_comma = true;
    table.mappings[1].decimal_either = true;
    let (_, out) = run_csv(&table, "id,n\na,\"2,5\"\nb,2.5\nc,-9.999\nd,\"1.234,5\"\n");
    assert_eq!(out.column("n"), ["2.5", "2.5", "-9.999", "1234.5"]);
}
