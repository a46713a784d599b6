//! Tables for the tests of this layer, and what comes out of them.

mod cells;
mod csv;
mod figures;
mod matching;
mod readers;
mod roundtrip;
mod rows;
mod shifts;
mod yeswiki;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::UInt64Type;
use arrow::util::display::array_value_to_string;

use super::{Chunk, ChunkSink, NormaliseError, Normaliser, Part, ROW, SinkError, Summary};
use crate::config::pipeline::{CsvSpec, Drift, Keep, Mapping, ReaderSpec, Secret, TableSpec};
use crate::contract::arrow::CODES_KEY;
use crate::contract::{CodeList, parse};
use crate::diagnostic::{Problems, SourceFile};

/// Stands for null in what tests compare.
const NULL: &str = "∅";

/// A CSV as most are.
fn comma() -> CsvSpec {
    CsvSpec::default()
}

/// A mapping that reads the source column of a name as it is.
fn mapping(column: usize, from: &str) -> Mapping {
    Mapping { column, from: vec![from.to_owned()], ..Mapping::default() }
}

/// A table whose columns are read from source columns of the same names. `fields` is the inside of a schema's list,
/// `rest` what follows it, `lists` are names and lines of code lists.
fn table(fields: &str, rest: &str, lists: &[(&str, &str)], reader: ReaderSpec) -> TableSpec {
    let problems = Problems::new();
    let read = |(name, lines): &(&str, &str)| {
        let file = SourceFile::new(format!("{name}.csv"), format!("code,label,label_en,aliases\n{lines}"));
        ((*name).to_owned(), CodeList::parse(name, &file, &problems).unwrap())
    };
    let lists: BTreeMap<_, _> = lists.iter().map(read).collect();
    let schema = SourceFile::new("t.schema.json", format!("{{\"fields\": [{fields}]{rest}}}"));
    let contract = parse::parse(&"t".parse().unwrap(), &schema, &lists, &problems).unwrap();
    assert_eq!(problems.into_sorted(), []);
    let mappings = contract.columns.iter().enumerate().map(|(at, column)| mapping(at, &column.name)).collect();
    TableSpec {
        name: "t".parse().unwrap(),
        source: "s".parse().unwrap(),
        contract: Arc::new(contract),
        reader,
        parts: None,
        members: None,
        explode: None,
        derived: Vec::new(),
        mappings,
        place: None,
        rejects: Vec::new(),
        keep: Keep::First,
        duplicate: None,
        matched: None,
        reject_table: None,
        drift: Drift::Stop,
        consent: None,
    }
}

/// A table with a key `id` and some more columns, read from CSV.
fn keyed_table(more: &str, lists: &[(&str, &str)]) -> TableSpec {
    let comma_before = if more.is_empty() { "" } else { ", " };
    let fields = format!("{{\"name\": \"id\", \"type\": \"string\"}}{comma_before}{more}");
    table(&fields, ", \"primaryKey\": \"id\"", lists, ReaderSpec::Csv(comma()))
}

/// Everything that a run handed on.
#[derive(Debug, Default)]
struct Collected {
    chunks: Vec<Chunk>,
}

impl ChunkSink for Collected {
    fn take(&mut self, chunk: Chunk) -> Result<(), SinkError> {
        self.chunks.push(chunk);
        Ok(())
    }
}

impl Collected {
    /// A column as texts; sets of codes as their codes joined by `|`.
    fn column(&self, name: &str) -> Vec<String> {
        let mut out = Vec::new();
        for chunk in &self.chunks {
            let at = chunk.batch.schema().index_of(name).unwrap();
            let field = chunk.batch.schema().field(at).clone();
            let array = chunk.batch.column(at);
            for row in 0..array.len() {
                out.push(if array.is_null(row) {
                    NULL.to_owned()
                } else if let Some(codes) = field.metadata().get(CODES_KEY) {
                    let bits = array.as_primitive::<UInt64Type>().value(row);
                    let codes = codes.split('|').enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
                    codes.map(|(_, code)| code).collect::<Vec<_>>().join("|")
                } else {
                    array_value_to_string(array, row).unwrap()
                });
            }
        }
        out
    }

    /// Numbers of the rows.
    fn rows(&self) -> Vec<u64> {
        let columns = self.chunks.iter().map(|chunk| chunk.batch.column_by_name(ROW).unwrap());
        columns.flat_map(|column| column.as_primitive::<UInt64Type>().values().to_vec()).collect()
    }

    /// Row, line and reason of the rejects.
    fn rejects(&self) -> Vec<(u64, Option<u64>, &str)> {
        let rejects = self.chunks.iter().flat_map(|chunk| &chunk.rejects);
        rejects.map(|reject| (reject.row, reject.line, reject.reason.as_str())).collect()
    }

    /// Row, column, value and reason of the unfit cells.
    fn unfit(&self) -> Vec<(u64, &str, &str, &str)> {
        let cells = self.chunks.iter().flat_map(|chunk| &chunk.unfit);
        cells.map(|cell| (cell.row, &*cell.column, &*cell.value, &*cell.reason)).collect()
    }

    /// Column, before, rule and after of the corrections.
    fn corrections(&self) -> Vec<(&str, &str, &str, &str)> {
        let cells = self.chunks.iter().flat_map(|chunk| &chunk.corrections);
        cells.map(|cell| (&*cell.column, &*cell.before, &*cell.rule, &*cell.after)).collect()
    }
}

fn part(name: &str, bytes: impl Into<Vec<u8>>) -> Part {
    (name.to_owned(), Box::new(Cursor::new(bytes.into())))
}

fn run(table: &TableSpec, parts: Vec<Part>) -> Result<(Summary, Collected), NormaliseError> {
    let mut collected = Collected::default();
    let summary = Normaliser::new(table, &Secret::new("clé")).run(parts, &mut collected)?;
    Ok((summary, collected))
}

/// Runs one CSV.
fn run_csv(table: &TableSpec, bytes: impl Into<Vec<u8>>) -> (Summary, Collected) {
    run(table, vec![part("a.csv", bytes)]).unwrap()
}

/// Runs one CSV that must fail.
fn fail_csv(table: &TableSpec, bytes: impl Into<Vec<u8>>) -> NormaliseError {
    run(table, vec![part("a.csv", bytes)]).unwrap_err()
}
