use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use insta::assert_snapshot;

use super::long::Lister;
use crate::config::pipeline::Long;
use crate::contract::CodeList;
use crate::contract::parse::{CodeLists, parse};
use crate::diagnostic::{Problems, SourceFile};

const SCHEMA: &str = r#"{
  "fields": [
    {"name": "id", "type": "string"},
    {"name": "usages", "type": "list", "essaim": {"codes": "usages", "multi": true}},
    {"name": "freins", "type": "list", "essaim": {"codes": "freins", "multi": true}}
  ],
  "primaryKey": "id"
}"#;

fn lister() -> Lister {
    let problems = Problems::new();
    let list = |(name, codes): (&str, &[&str])| {
        let lines: Vec<String> = codes.iter().map(|code| format!("{code},{code} !\n")).collect();
        let file = SourceFile::new(name, format!("code,label\n{}", lines.concat()));
        (name.to_owned(), CodeList::parse(name, &file, &problems).unwrap())
    };
    // Codes do not stand in their order.
    let lists: [(&str, &[&str]); 2] = [("usages", &["site", "atelier", "cafe"]), ("freins", &["temps", "argent"])];
    let lists: CodeLists = lists.into_iter().map(list).collect();
    let file = SourceFile::new("s.json", SCHEMA);
    let contract = parse(&"lieux".parse().unwrap(), &file, &lists, &problems).unwrap();
    assert_eq!(problems.into_sorted(), []);
    let (name, table) = ("choix".parse().unwrap(), contract.name.clone());
    Lister::new(&Long { name, table, contract: Arc::new(contract), questions: vec![1, 2] })
}

fn answers(ids: &[&str], usages: Vec<Option<u64>>, freins: Vec<Option<u64>>) -> RecordBatch {
    let lister = lister();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(ids.to_vec())),
        Arc::new(UInt64Array::from(freins)),
        Arc::new(UInt64Array::from(usages)),
    ];
    assert_eq!(lister.columns(), ["id", "freins", "usages"]);
    let fields = lister.columns().into_iter().zip(&columns);
    let fields = fields.map(|(name, column)| Field::new(name, column.data_type().clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
}

#[test]
fn options_come_by_row_then_by_question_then_by_code() {
    let batch = answers(&["a", "b", "c"], vec![Some(0b111), None, Some(0b010)], vec![Some(0b11), Some(0), Some(0b01)]);
    let mut listed = Vec::new();
    let whole = lister().list(&batch, &mut |batch| {
        listed.push(batch);
        true
    });
    assert!(whole.unwrap());
    assert_snapshot!(pretty_format_batches(&listed).unwrap(), @r"
    +----+----------+----------+
    | id | question | modalite |
    +----+----------+----------+
    | a  | freins   | argent   |
    | a  | freins   | temps    |
    | a  | usages   | atelier  |
    | a  | usages   | cafe     |
    | a  | usages   | site     |
    | c  | freins   | temps    |
    | c  | usages   | atelier  |
    +----+----------+----------+
    ");
}

#[test]
fn many_options_come_in_several_batches_until_no_more_are_wanted() {
    let ids: Vec<String> = (0..9_000).map(|at| format!("{at:05}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let batch = answers(&ids, vec![Some(0b111); ids.len()], vec![None; ids.len()]);
    let mut rows = Vec::new();
    let whole = lister().list(&batch, &mut |batch| {
        rows.push(batch.num_rows());
        true
    });
    assert!(whole.unwrap());
    assert_eq!((rows.iter().sum::<usize>(), rows.len()), (27_000, 4));
    let mut batches = 0;
    let whole = lister().list(&batch, &mut |_| {
        batches += 1;
        false
    });
    assert!(!whole.unwrap());
    assert_eq!(batches, 1);
}
