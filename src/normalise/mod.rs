//! From the bytes of a snapshot to rows as a contract promises them.
//!
//! ```text
//! parts ──▶ reader ──▶ rows ──▶ column decoders ──▶ verdict ──▶ chunks
//!           csv,       (bytes)   (by contract)       kept or     (batch, rejects,
//!           yeswiki                                  rejected    unfit cells, corrections)
//! ```
//!
//! Rows are pushed: a reader hands over one row after the other, in blocks from a thread of its own (`ferry`); the
//! assembler decodes it straight into the columns of the batch at hand, and cuts them back when the row must go. Memory is bounded by one batch, its lists and, where the
//! contract has a primary key, 32 bytes a row.
//!
//! Every row ends in a batch or in the rejects. A row that loses against a *later* one with the same key has left in a
//! batch already: [`Summary::duplicates`] names such rows, and whoever stores the batches takes them out by `__row`.
//!
//! # Why not an iterator of chunks
//!
//! JSON is read by a visitor, which cannot be suspended; a CSV can be, but one way for both is simpler, and the caller
//! decides on which thread the pushing is done.

mod assemble;
mod book;
mod charset;
mod chunk;
mod crs;
mod csv;
mod decode;
mod derive;
mod duplicates;
pub mod erase;
mod error;
mod explode;
mod ferry;
mod first;
mod grid;
mod head;
mod json;
mod look;
mod matching;
mod parquet;
pub mod reject;
mod row;
mod sample;
mod scalar;
mod shape;
mod sheet;
mod shift;
mod unpack;
mod witness;
mod yeswiki;

#[cfg(test)]
mod tests;

use std::io::Read;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

pub use self::book::{SheetHead, sheets};
pub use self::chunk::{BATCH_ROWS, Chunk, ChunkSink, Correction, Reject, Remark, Summary, UnfitCell};
pub use self::decode::listed_items;
pub use self::error::{NormaliseError, SinkError};
pub use self::head::{Head, head};
pub use self::look::{Look, look, tells_apart};
pub use self::matching::Reference;
pub use self::sample::{RawSample, Sample};
pub use self::shape::{ColumnShape, fitting};

use self::assemble::Assembler;
use self::derive::Derive;
use self::erase::LeftOut;
use self::explode::Exploded;
use self::matching::Matcher;
use self::row::Rows;
use self::unpack::Zips;
use self::witness::Witness;
use crate::config::pipeline::{Keep, ReaderSpec, Secret, TableSpec};
use crate::id::TableName;

/// Column with the number of a row in its source, from 1, over all parts.
pub const ROW: &str = "__row";

/// Columns with the texts that say where a row is, for tables that have a place.
pub const PLACE_TEXTS: [&str; 7] = [
    "__place_code_insee",
    "__place_code_postal",
    "__place_commune",
    "__place_departement",
    "__place_region",
    "__place_longitude",
    "__place_latitude",
];

/// A named document of a snapshot.
pub type Part = (String, Box<dyn Read + Send>);

/// What columns begin with that hold cells as the source has them, for the table of rejects: a row that stays may lose
/// later against another with the same key.
pub const RAW: &str = "__raw_";

/// Source columns that rows keep as they are.
fn kept_raw(table: &TableSpec) -> &[(String, String)] {
    match &table.reject_table {
        Some(rejects) if table.keep != Keep::First => &rejects.columns,
        _ => &[],
    }
}

/// Schema of the batches: the contract's columns and statuses, [`ROW`], [`PLACE_TEXTS`] where rows have a place, and the
/// columns of [`RAW`].
///
/// Columns without a mapping are null here, even where the contract requires them: a later step fills them.
pub fn staged_schema(table: &TableSpec) -> SchemaRef {
    let coded = table.contract.coded_schema();
    let mapped = |at: usize| table.mappings.iter().any(|mapping| mapping.column == at);
    let columns = table.contract.columns.len();
    let mut fields: Vec<Arc<Field>> = coded
        .fields()
        .iter()
        .enumerate()
        .map(|(at, field)| {
            if at < columns && !mapped(at) {
                Arc::new(field.as_ref().clone().with_nullable(true))
            } else {
                Arc::clone(field)
            }
        })
        .collect();
    fields.push(Arc::new(Field::new(ROW, DataType::UInt64, false)));
    if table.place.is_some() {
        fields.extend(PLACE_TEXTS.map(|name| Arc::new(Field::new(name, DataType::Utf8, true))));
    }
    let raw = kept_raw(table).iter();
    fields.extend(raw.map(|(name, _)| Arc::new(Field::new(format!("{RAW}{name}"), DataType::Utf8, true))));
    Arc::new(Schema::new(fields))
}

/// Hands the rows of all parts over.
fn read(
    reader: &ReaderSpec,
    members: Option<&str>,
    table: &TableName,
    parts: Vec<Part>,
    rows: &mut dyn Rows,
) -> Result<(), NormaliseError> {
    if parts.is_empty() {
        let (part, known) = ("*".to_owned(), "none at all".to_owned());
        return Err(NormaliseError::MissingPart { table: table.clone(), part, known });
    }
    // A spreadsheet may be a ZIP itself.
    let zips = if matches!(reader, ReaderSpec::Sheet(_)) { Zips::Documents } else { Zips::Members(members) };
    let parts = unpack::unpack(parts, zips, table)?;
    match reader {
        ReaderSpec::Csv(spec) => csv::read(spec, table, parts, rows),
        ReaderSpec::Json(spec) => json::read(json::Kind::Plain(spec), table, parts, rows),
        ReaderSpec::GeoJson => json::read(json::Kind::Geo, table, parts, rows),
        ReaderSpec::Sheet(spec) => sheet::read(spec, table, parts, rows),
        ReaderSpec::Parquet => parquet::read(table, parts, rows),
        ReaderSpec::YesWiki(spec) => {
            let ignored = yeswiki::read(spec, table, parts, rows)?;
            rows.ignore(ignored);
            Ok(())
        }
    }
}

/// Makes the rows of one table.
#[derive(Debug, Clone)]
pub struct Normaliser {
    table: TableSpec,
    key: Secret,
    erased: Vec<erase::Erased>,
    reference: Option<Reference>,
}

impl Normaliser {
    /// For a table; `key` makes public row ids.
    pub fn new(table: &TableSpec, key: &Secret) -> Self {
        Self { table: table.clone(), key: key.clone(), erased: Vec::new(), reference: None }
    }

    /// With the rows of the other table that its own belong to. Without them the columns that they fill are empty.
    #[must_use]
    pub fn matching(self, reference: Option<Reference>) -> Self {
        Self { reference, ..self }
    }

    /// Leaves out records that were erased.
    #[must_use]
    pub fn without(self, erased: Vec<erase::Erased>) -> Self {
        Self { erased, ..self }
    }

    /// Reads all parts and hands the rows on, in their order. Blocks; the sink is called on this thread.
    ///
    /// After an error what the sink was given is not the table, and must be thrown away.
    pub fn run(&self, parts: Vec<Part>, sink: &mut dyn ChunkSink) -> Result<Summary, NormaliseError> {
        let table = &self.table;
        let matcher = table.matched.as_ref().zip(self.reference.as_ref());
        let matcher = matcher.map(|(spec, rows)| Matcher::new(spec, rows, &table.contract.missing_values)).transpose();
        let matcher = matcher.map_err(|source| NormaliseError::Batch { table: table.name.clone(), source })?;
        let mut rows = Assembler::new(table, &self.key, matcher, sink);
        let parts = unpack::choose(parts, table.parts.as_deref(), &table.name)?;
        let mut left = LeftOut::new(self.erased.clone(), &mut rows);
        let mut derived = Derive::new(table, &mut left);
        let columns = match &table.explode {
            Some(explode) => self.witnessed(parts, &mut Exploded::new(table, explode, &mut derived))?,
            None => self.witnessed(parts, &mut derived)?,
        };
        Ok(Summary { source_columns: columns, ..rows.finish()? })
    }

    /// What it is when a receiver of chunks did not take one.
    pub fn stopped(&self, source: SinkError) -> NormaliseError {
        NormaliseError::Sink { table: self.table.name.clone(), source }
    }

    /// Reads all parts into `rows`; gives the columns of the source.
    fn witnessed(&self, parts: Vec<Part>, rows: &mut dyn Rows) -> Result<Vec<String>, NormaliseError> {
        let table = &self.table;
        ferry::beside(&table.name, rows, |rows| {
            let mut witness = Witness::new(rows);
            read(&table.reader, table.members.as_deref(), &table.name, parts, &mut witness)?;
            Ok(witness.columns)
        })
    }
}
