//! Rows of another table that the rows at hand belong to, found by what both have.
//!
//! Texts are compared folded (case, accents, punctuation and blanks do not matter), `st` and `ste` as `saint` and `sainte`,
//! and numbers without the zeros before them: a spreadsheet takes the zero from `01000`. Keys that several rows of the other
//! table have find none: nothing is guessed.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use rustc_hash::FxHashMap;

use super::row::{Header, RawRow};
use crate::config::pipeline::Match;
use crate::contract::fold::fold;

/// Between the parts of a key; texts hold no control characters.
const SEPARATOR: char = '\u{1f}';
/// Most spellings of one way that are remembered.
const REMEMBERED: usize = 1 << 18;
/// A key that several rows have.
const SEVERAL: u32 = u32::MAX;

/// The rows of another table, ready to be found.
#[derive(Debug, Clone)]
pub struct Reference {
    rows: RecordBatch,
    ways: Vec<Arc<FxHashMap<String, u32>>>,
}

impl Reference {
    /// Columns of the other table that are asked for.
    pub fn columns(spec: &Match) -> Vec<String> {
        let keys = spec.by.iter().flatten().map(|(_, theirs)| theirs);
        let mut columns: Vec<String> = keys.chain(spec.columns.iter().map(|(_, theirs)| theirs)).cloned().collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// From the rows of the other table, with the columns that [`Reference::columns`] names.
    pub fn new(spec: &Match, rows: RecordBatch) -> Result<Self, ArrowError> {
        let ways = spec.by.iter().map(|way| Ok(Arc::new(keys(way, &rows)?))).collect::<Result<_, ArrowError>>()?;
        Ok(Self { rows, ways })
    }
}

/// The rows by the key of one way.
fn keys(way: &[(String, String)], rows: &RecordBatch) -> Result<FxHashMap<String, u32>, ArrowError> {
    let texts = way.iter().map(|(_, theirs)| cast(column(rows, theirs)?, &DataType::Utf8));
    let texts = texts.collect::<Result<Vec<ArrayRef>, ArrowError>>()?;
    let mut found = FxHashMap::default();
    for row in 0..rows.num_rows() {
        if texts.iter().any(|texts| texts.is_null(row)) {
            continue;
        }
        let mut key = String::new();
        for texts in &texts {
            append(&mut key, texts.as_string::<i32>().value(row));
        }
        let at = u32::try_from(row).unwrap_or(SEVERAL);
        found.entry(key).and_modify(|known| *known = SEVERAL).or_insert(at);
    }
    Ok(found)
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    let missing = || ArrowError::SchemaError(format!("column `{name}` of the other table is missing"));
    rows.column_by_name(name).ok_or_else(missing)
}

/// Adds one part to a key.
fn append(key: &mut String, text: &str) {
    let folded = fold(text);
    let digits = !folded.is_empty() && folded.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        key.push_str(folded.trim_start_matches('0'));
    } else {
        for (nth, word) in folded.split(' ').enumerate() {
            if nth > 0 {
                key.push(' ');
            }
            key.push_str(match word {
                "st" => "saint",
                "ste" => "sainte",
                word => word,
            });
        }
    }
    key.push(SEPARATOR);
}

/// One way to find a row.
#[derive(Debug)]
struct Way {
    wanted: Vec<[String; 1]>,
    at: Vec<usize>,
    rows: Arc<FxHashMap<String, u32>>,
    seen: FxHashMap<Box<[u8]>, Option<u32>>,
}

impl Way {
    fn find(&mut self, row: &RawRow<'_>, missing: &[String], raw: &mut Vec<u8>) -> Option<u32> {
        if self.at.len() != self.wanted.len() {
            return None;
        }
        raw.clear();
        for at in &self.at {
            let cell = row.cell(*at);
            if !cell.is_filled(missing) {
                return None;
            }
            raw.extend_from_slice(cell.bytes().unwrap_or_default());
            raw.push(b'\x1f');
        }
        if let Some(known) = self.seen.get(raw.as_slice()) {
            return *known;
        }
        let mut key = String::new();
        for at in &self.at {
            append(&mut key, &String::from_utf8_lossy(row.cell(*at).bytes().unwrap_or_default()));
        }
        let found = self.rows.get(&key).copied().filter(|row| *row != SEVERAL);
        if self.seen.len() < REMEMBERED {
            self.seen.insert(raw.as_slice().into(), found);
        }
        found
    }
}

/// Finds the rows of one table in another, and keeps what it found.
#[derive(Debug)]
pub(super) struct Matcher {
    columns: Vec<(usize, ArrayRef)>,
    ways: Vec<Way>,
    found: Vec<Option<u32>>,
    raw: Vec<u8>,
    /// Texts that stand for nothing.
    missing: Vec<String>,
    /// Why a row that none is found for must go.
    pub(super) reason: Option<String>,
}

impl Matcher {
    /// A matcher that has found nothing.
    pub(super) fn new(spec: &Match, reference: &Reference, missing: &[String]) -> Result<Self, ArrowError> {
        let ways = spec.by.iter().zip(&reference.ways).map(|(way, rows)| Way {
            wanted: way.iter().map(|(own, _)| [own.clone()]).collect(),
            at: Vec::new(),
            rows: Arc::clone(rows),
            seen: FxHashMap::default(),
        });
        let columns = spec.columns.iter().map(|(at, theirs)| Ok((*at, Arc::clone(column(&reference.rows, theirs)?))));
        Ok(Self {
            ways: ways.collect(),
            columns: columns.collect::<Result<_, ArrowError>>()?,
            found: Vec::new(),
            raw: Vec::new(),
            missing: missing.to_vec(),
            reason: spec.missing.clone(),
        })
    }

    /// Names of the source columns that are read.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &[String]> {
        self.ways.iter().flat_map(|way| &way.wanted).map(<[String; 1]>::as_slice)
    }

    /// Finds the source columns; gives those that the source does not have.
    pub(super) fn bind(&mut self, header: &Header) -> Vec<Vec<String>> {
        let mut absent = Vec::new();
        for way in &mut self.ways {
            way.at = way.wanted.iter().filter_map(|[name]| header.position(name)).collect();
            let lacks = way.wanted.iter().filter(|[name]| header.position(name).is_none());
            absent.extend(lacks.map(|name| name.to_vec()));
            way.seen.clear();
        }
        absent
    }

    /// The row of the other table that a row belongs to.
    pub(super) fn find(&mut self, row: &RawRow<'_>) -> Option<u32> {
        let Self { ways, missing, raw, .. } = self;
        ways.iter_mut().find_map(|way| way.find(row, missing, raw))
    }

    /// Keeps what was found for a row that stays.
    pub(super) fn push(&mut self, found: Option<u32>) {
        self.found.push(found);
    }

    /// The columns that the rows found fill, by their index in the contract; nothing is kept.
    pub(super) fn finish(&mut self) -> Result<Vec<(usize, ArrayRef)>, ArrowError> {
        let rows = UInt32Array::from(std::mem::take(&mut self.found));
        self.columns.iter().map(|(at, column)| Ok((*at, take(column, &rows, None)?))).collect()
    }
}
