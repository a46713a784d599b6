//! Records that somebody demanded to be erased: telling them among the rows of a source, and cutting them out of its bytes.
//!
//! A record is told by its key. What is kept of it is a keyed digest, so that a list of erased records names nobody.

mod cut;

use std::collections::BTreeSet;
use std::sync::Arc;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

pub use self::cut::cut;

use super::chunk::Remark;
use super::decode::notes::Notes;
use super::decode::{ColumnDecoder, Status};
use super::derive::Derive;
use super::error::NormaliseError;
use super::row::{Header, RawRow, Rows, Slot};
use super::{Part, read, reject, unpack};
use crate::config::pipeline::{ReaderSpec, Secret, TableSpec};
use crate::id::TableName;

/// Tells the erased records of one table.
#[derive(Debug, Clone)]
pub struct Erased {
    table: TableSpec,
    key: Secret,
    columns: Vec<usize>,
    marks: Arc<BTreeSet<Vec<String>>>,
    reader: KeyReader,
}

/// Decodes the key columns of a row; empty after a clone.
#[derive(Debug, Default)]
struct KeyReader {
    decoders: Vec<ColumnDecoder>,
    notes: Notes,
}

impl Clone for KeyReader {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// The keyed digest of the text of a key column.
pub fn mark(key: &Secret, table: &TableName, column: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("erased:{table}:{column}:").as_bytes());
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

impl Erased {
    /// Records of a table whose `columns` bear one of some lists of marks; `None` when the table has no such columns.
    pub fn new(table: &TableSpec, key: &Secret, columns: &[String], marks: BTreeSet<Vec<String>>) -> Option<Self> {
        let find = |name: &String| table.contract.columns.iter().position(|column| column.name == *name);
        let columns: Vec<usize> = columns.iter().map(find).collect::<Option<_>>()?;
        let (table, key, marks) = (table.clone(), key.clone(), Arc::new(marks));
        Some(Self { table, key, columns, marks, reader: KeyReader::default() })
    }

    /// The columns that are looked at.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter_map(|at| self.table.contract.columns.get(*at)).map(|column| column.name.as_str())
    }

    /// The table.
    pub fn table(&self) -> &TableSpec {
        &self.table
    }

    /// Learns the columns of the rows that follow.
    pub(super) fn bind(&mut self, header: &Header) {
        let entities = matches!(self.table.reader, ReaderSpec::YesWiki(_));
        let contract = &self.table.contract;
        self.reader.decoders = self
            .columns
            .iter()
            .map(|at| {
                let mapping = self.table.mappings.iter().find(|mapping| mapping.column == *at);
                let secret = (&self.key, self.table.name.as_str());
                let mut decoder =
                    ColumnDecoder::new(&contract.columns[*at], mapping, &contract.missing_values, entities, secret);
                decoder.bind(header);
                decoder
            })
            .collect();
    }

    /// The texts of the key columns of a row; none when one of them has none.
    fn texts(&mut self, row: &RawRow<'_>) -> Option<Vec<String>> {
        let KeyReader { decoders, notes } = &mut self.reader;
        let mut texts = Some(Vec::with_capacity(decoders.len()));
        for decoder in decoders {
            notes.begin(row.number);
            let status = decoder.push(row, "", None, notes);
            let mut text = String::new();
            if status == Status::Answered {
                decoder.write_last(&mut text);
            }
            decoder.truncate(0);
            notes.drop_row();
            texts = texts.filter(|_| !text.is_empty()).map(|mut texts| {
                texts.push(text);
                texts
            });
        }
        texts.filter(|texts| !texts.is_empty())
    }

    /// The marks of a key.
    fn marks_of(&self, texts: &[String]) -> Vec<String> {
        let columns = self.columns().zip(texts);
        columns.map(|(column, text)| mark(&self.key, &self.table.name, column, text)).collect()
    }

    /// Whether the texts of the key columns are those of an erased record.
    pub fn has_texts(&self, texts: &[String]) -> bool {
        texts.len() == self.columns.len() && self.marks.contains(&self.marks_of(texts))
    }

    /// Whether a row is that of an erased record.
    pub(super) fn has(&mut self, row: &RawRow<'_>) -> bool {
        self.texts(row).is_some_and(|texts| self.has_texts(&texts))
    }

    /// Whether cells, each under the name of its source column, are those of an erased record.
    pub fn has_cells(&mut self, cells: &[(String, String)]) -> bool {
        let (bytes, slots, names) = row_of(cells);
        self.bind(&Header::new("", names, false));
        self.has(&RawRow { number: 1, last_line: None, bytes: &bytes, slots: &slots })
    }

    /// What a key, written as the source writes it, is in the table.
    pub fn key_of(table: &TableSpec, key: &Secret, columns: &[String], texts: &[&str]) -> Option<Vec<String>> {
        let mut erased = Self::new(table, key, columns, BTreeSet::new())?;
        let mapping = |at: &usize| table.mappings.iter().find(|mapping| mapping.column == *at);
        let names = erased.columns.iter().map(|at| Some(mapping(at)?.from.first()?.clone()));
        let names: Vec<String> = names.collect::<Option<_>>()?;
        let cells: Vec<(String, String)> = names.into_iter().zip(texts.iter().map(|text| (*text).to_owned())).collect();
        let (bytes, slots, names) = row_of(&cells);
        erased.bind(&Header::new("", names, false));
        erased.texts(&RawRow { number: 1, last_line: None, bytes: &bytes, slots: &slots })
    }
}

fn row_of(cells: &[(String, String)]) -> (Vec<u8>, Vec<Slot>, Vec<String>) {
    let mut bytes = Vec::new();
    let mut slots = Vec::with_capacity(cells.len());
    for (_, text) in cells {
        let from = bytes.len();
        bytes.extend_from_slice(text.as_bytes());
        slots.push(Slot::At(from, bytes.len()));
    }
    (bytes, slots, cells.iter().map(|(name, _)| name.clone()).collect())
}

/// Leaves out the rows of erased records: they are counted, and nothing of them is kept.
pub(super) struct LeftOut<'a> {
    erased: Vec<Erased>,
    rows: &'a mut dyn Rows,
}

impl<'a> LeftOut<'a> {
    pub(super) fn new(erased: Vec<Erased>, rows: &'a mut dyn Rows) -> Self {
        Self { erased, rows }
    }

    fn is_erased(&mut self, row: &RawRow<'_>) -> bool {
        self.erased.iter_mut().any(|erased| erased.has(row))
    }

    fn leave_out(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        let nothing = RawRow { number: row.number, last_line: None, bytes: b"", slots: &[] };
        self.rows.refuse(&nothing, reject::ERASED, String::new())
    }
}

impl Rows for LeftOut<'_> {
    fn header(&mut self, header: Header) -> Result<(), NormaliseError> {
        for erased in &mut self.erased {
            erased.bind(&header);
        }
        self.rows.header(header)
    }

    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        if self.is_erased(row) { self.leave_out(row) } else { self.rows.row(row) }
    }

    fn refuse(&mut self, row: &RawRow<'_>, reason: &str, detail: String) -> Result<(), NormaliseError> {
        if self.is_erased(row) { self.leave_out(row) } else { self.rows.refuse(row, reason, detail) }
    }

    fn remark(&mut self, remark: Remark) {
        self.rows.remark(remark);
    }

    fn ignore(&mut self, members: u64) {
        self.rows.ignore(members);
    }
}

/// A row of an erased record in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The part; of a packed one `part!member`.
    pub part: String,
    /// Its number among the rows of the part, from 1.
    pub nth: u64,
    /// Its number in the source, from 1, over all parts.
    pub row: u64,
    /// First and last line, where the source has lines.
    pub lines: Option<(u64, u64)>,
    /// Source columns and cells.
    pub cells: Vec<(String, String)>,
}

/// The rows of erased records among all rows of a table's parts, and how many rows there are.
pub fn find(erased: &Erased, parts: Vec<Part>) -> Result<(Vec<Hit>, u64), NormaliseError> {
    let table = &erased.table.clone();
    let header = Header::new("", Vec::new(), false);
    let mut finder = Finder { erased: erased.clone(), header, nth: 0, rows: 0, hits: Vec::new() };
    let parts = unpack::choose(parts, table.parts.as_deref(), &table.name)?;
    let mut derived = Derive::new(table, &mut finder);
    read(&table.reader, table.members.as_deref(), &table.name, parts, &mut derived)?;
    Ok((finder.hits, finder.rows))
}

struct Finder {
    erased: Erased,
    header: Header,
    nth: u64,
    rows: u64,
    hits: Vec<Hit>,
}

impl Finder {
    fn look(&mut self, row: &RawRow<'_>) {
        (self.nth, self.rows) = (self.nth + 1, self.rows + 1);
        if self.erased.has(row) {
            let kept = reject::reject(row, &self.header, "", String::new(), None);
            let lines = row.last_line.map(|last| (row.line().unwrap_or(last), last));
            let part = self.header.part.clone();
            self.hits.push(Hit { part, nth: self.nth, row: row.number, lines, cells: kept.raw });
        }
    }
}

impl Rows for Finder {
    fn header(&mut self, header: Header) -> Result<(), NormaliseError> {
        if header.part != self.header.part {
            self.nth = 0;
        }
        self.erased.bind(&header);
        self.header = header;
        Ok(())
    }

    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        self.look(row);
        Ok(())
    }

    fn refuse(&mut self, row: &RawRow<'_>, _: &str, _: String) -> Result<(), NormaliseError> {
        self.look(row);
        Ok(())
    }

    fn remark(&mut self, _: Remark) {}

    fn ignore(&mut self, _: u64) {}
}
