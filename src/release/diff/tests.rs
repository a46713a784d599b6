use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::release::{ColumnRecord, RowsOf};

/// A version of a table: two columns beside the key.
type Version = BTreeMap<(String, i64), (Option<String>, Option<i64>)>;

fn schema() -> SchemaRef {
    let field = |name: &str, kind| Field::new(name, kind, true);
    Arc::new(Schema::new(vec![
        field("nom", DataType::Utf8),
        field("rang", DataType::Int64),
        field("texte", DataType::Utf8),
        field("nombre", DataType::Int64),
    ]))
}

fn batch<'a>(
    rows: impl Iterator<Item = (&'a (String, i64), &'a (Option<String>, Option<i64>))> + Clone,
) -> RecordBatch {
    let names: StringArray = rows.clone().map(|((name, _), _)| Some(name.as_str())).collect();
    let ranks: Int64Array = rows.clone().map(|((_, rank), _)| Some(*rank)).collect();
    let texts: StringArray = rows.clone().map(|(_, (text, _))| text.as_deref()).collect();
    let numbers: Int64Array = rows.map(|(_, (_, number))| *number).collect();
    RecordBatch::try_new(schema(), vec![Arc::new(names), Arc::new(ranks), Arc::new(texts), Arc::new(numbers)]).unwrap()
}

/// The rows in batches of some size, an empty one among them.
fn batches(version: &Version, size: usize) -> Batches<'_> {
    let rows: Vec<_> = version.iter().collect();
    let cut: Vec<_> = rows.chunks(size).map(|rows| Ok(batch(rows.iter().copied()))).collect();
    let nothing = std::iter::once_with(|| Ok(batch([].into_iter())));
    Box::new(nothing.chain(cut))
}

fn key(place: Place<'_>) -> (String, i64) {
    let name = place.batch.column(0).as_string::<i32>().value(place.row).to_owned();
    (name, place.batch.column(1).as_primitive::<Int64Type>().value(place.row))
}

fn cells(place: Place<'_>) -> (Option<String>, Option<i64>) {
    let (texts, numbers) =
        (place.batch.column(2).as_string::<i32>(), place.batch.column(3).as_primitive::<Int64Type>());
    let text = texts.is_valid(place.row).then(|| texts.value(place.row).to_owned());
    (text, numbers.is_valid(place.row).then(|| numbers.value(place.row)))
}

/// Bits of the steps between neighbours that are not the same.
fn steps<T: PartialEq>(values: &[T]) -> Taken {
    values.windows(2).enumerate().fold(0, |taken, (at, pair)| if pair[0] == pair[1] { taken } else { taken | 1 << at })
}

fn version() -> impl Strategy<Value = Version> {
    let key = ("[ab]{0,2}", 0..4_i64);
    let cells = (proptest::option::of("[xy]?"), proptest::option::of(0..3_i64));
    proptest::collection::btree_map(key, cells, 0..14)
}

proptest! {
    #[test]
    fn the_difference_applied_to_the_first_gives_the_last(
        versions in proptest::collection::vec(version(), 2..5),
        size in 1..6_usize,
    ) {
        let (first, last) = (&versions[0], &versions[versions.len() - 1]);
        let mut patched = first.clone();
        let mut seen = Vec::new();
        let read = versions.iter().enumerate().map(|(at, version)| batches(version, size + at)).collect();
        diff::<DiffError>(&schema(), 2, read, |change| {
            let row = match change {
                RowChange::Added { row, .. } | RowChange::Removed { row, .. } => *row,
                RowChange::Changed { after, .. } => *after,
            };
            let key = key(row);
            let of_each: Vec<_> = versions.iter().map(|version| version.get(&key)).collect();
            match change {
                RowChange::Added { row, taken } => {
                    assert_eq!(patched.insert(key.clone(), cells(*row)), None);
                    assert_eq!(*taken, steps(&of_each.iter().map(Option::is_some).collect::<Vec<_>>()));
                }
                RowChange::Removed { taken, .. } => {
                    assert!(patched.remove(&key).is_some());
                    assert_eq!(*taken, steps(&of_each.iter().map(Option::is_some).collect::<Vec<_>>()));
                }
                RowChange::Changed { before, after, cells: changed } => {
                    let row = patched.get_mut(&key).unwrap();
                    assert_eq!(*row, cells(*before));
                    for cell in changed {
                        let taken = match cell.column {
                            2 => {
                                row.0 = cells(*after).0;
                                steps(&of_each.iter().map(|row| row.map(|row| &row.0)).collect::<Vec<_>>())
                            }
                            _ => {
                                row.1 = cells(*after).1;
                                steps(&of_each.iter().map(|row| row.map(|row| &row.1)).collect::<Vec<_>>())
                            }
                        };
                        assert_eq!(cell.taken, taken);
                    }
                }
            }
            seen.push(key);
            Ok(())
        })
        .unwrap();
        prop_assert_eq!(&patched, last);
        prop_assert!(seen.is_sorted(), "{:?}", seen);
        let keys = first.keys().chain(last.keys()).collect::<std::collections::BTreeSet<_>>();
        let differ = keys.into_iter().filter(|key| first.get(*key) != last.get(*key)).count();
        prop_assert_eq!(seen.len(), differ, "a row that is the same is told");
    }
}

#[rstest]
#[case::in_a_batch(8)]
#[case::between_batches(1)]
fn rows_out_of_order_are_refused(#[case] size: usize) {
    let row = |name: &str| ((name.to_owned(), 0), (None, None));
    let rows = [row("b"), row("a")];
    let cut: Vec<_> = rows.chunks(size).map(|rows| Ok(batch(rows.iter().map(|(key, cells)| (key, cells))))).collect();
    let versions: Vec<Batches<'_>> = vec![Box::new(std::iter::empty()), Box::new(cut.into_iter())];
    let error = diff::<DiffError>(&schema(), 2, versions, |_| Ok(())).unwrap_err();
    assert!(matches!(error, DiffError::Order { version: 1 }), "{error}");
}

fn table(key: &[&str], columns: &[(&str, &str, bool)]) -> TableRecord {
    TableRecord {
        name: "t".to_owned(),
        title: "T".to_owned(),
        rows: 0,
        secret_rows: 0,
        rows_of: RowsOf::Entries,
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        columns: columns
            .iter()
            .map(|(name, kind, volatile)| ColumnRecord {
                name: (*name).to_owned(),
                kind: (*kind).to_owned(),
                volatile: *volatile,
                unit: None,
                required: None,
                options: None,
                empty: None,
            })
            .collect(),
    }
}

#[test]
fn columns_that_only_one_release_has_are_told_apart_from_cells() {
    let old = table(
        &["id"],
        &[
            ("id", "Utf8", false),
            ("nom", "Utf8", false),
            ("vu", "Date32", false),
            ("n", "Int64", false),
            ("x", "Utf8", false),
        ],
    );
    let new = table(
        &["id"],
        &[
            ("y", "Utf8", false),
            ("n", "Float64", false),
            ("nom", "Utf8", false),
            ("id", "Utf8", false),
            ("vu", "Date32", true),
        ],
    );
    let (others, shape) = shape(&old, &new);
    assert_eq!(shape, Ok(Shape { key: vec!["id".to_owned()], cells: vec!["nom".to_owned()] }));
    assert_eq!(
        others,
        OtherColumns {
            added: vec!["y".to_owned()],
            removed: vec!["x".to_owned()],
            retyped: vec!["n".to_owned()],
            volatile: vec!["vu".to_owned()],
        }
    );
    assert!(!others.is_quiet());
}

#[rstest]
#[case::none(&[], &[], Incomparable::NoKey)]
#[case::not_public(&["secret"], &["secret"], Incomparable::NoKey)]
#[case::gone(&["id"], &[], Incomparable::NoKey)]
#[case::another(&["id"], &["nom"], Incomparable::OtherKey)]
#[case::another_type(&["n"], &["n"], Incomparable::OtherKeyType)]
fn tables_without_one_key_are_not_compared(
    #[case] before: &[&str],
    #[case] after: &[&str],
    #[case] expected: Incomparable,
) {
    let old = table(before, &[("id", "Utf8", false), ("nom", "Utf8", false), ("n", "Int64", false)]);
    let new = table(after, &[("id", "Utf8", false), ("nom", "Utf8", false), ("n", "Utf8", false)]);
    assert_eq!(shape(&old, &new).1, Err(expected));
}
