//! The files of a released table: Parquet, CSV for machines, CSV for spreadsheets set to French, and GeoJSON.
//!
//! [`write_table`] reads the rows once and writes all files beside each other. The same rows give the same bytes,
//! however they were cut into batches. All files hold the same values:
//!
//! - an empty text is null, and `-0` is `0`;
//! - the coordinates of a place have at most seven decimals (about 1 cm), and shapes follow the right-hand rule;
//! - a list is an array in Parquet and GeoJSON, and its items joined by `|` in a CSV, where an empty list is empty, as
//!   null is.
//!
//! The CSV for spreadsheets has `;`, a byte order mark, decimal commas, `22/11/2026`, `vrai` and `faux`. Codes stand in it
//! as they are: a spreadsheet that opens it by double click shows `01` as `1`, and only its import dialogue keeps the
//! zero. A shape of more than 32,767 characters, the most that a spreadsheet takes in a cell, is left out of it.
//!
//! A text that a spreadsheet would run as a formula is written as it is, and listed, for a check to decide upon.

mod cell;
mod csv;
mod error;
mod geojson;
mod parquet;
mod prepare;
mod shape;
pub(super) mod sink;

#[cfg(test)]
mod tests;

use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::BatchCoalescer;
use arrow::error::ArrowError;

use crate::contract::Contract;
use crate::id::{Digest, TableName};

use self::csv::CsvFile;
use self::parquet::ParquetFile;
use cell::{Cells, Style};
pub use error::FormatError;
use geojson::GeoJsonFile;
use prepare::{Place, Prepared, Preparer};

/// Rows of a batch that is written; pages of a Parquet file depend on it.
pub const BATCH_ROWS: usize = 8192;

/// Most cells that are listed of one kind.
pub const MAX_FLAWS: usize = 100;

/// How files are written. Other options give other bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatOptions {
    /// Level of zstd in Parquet, 1 to 22.
    pub zstd_level: i32,
    /// Most rows of a row group of Parquet, which is also what is held in memory.
    pub row_group_rows: usize,
    /// Whether there is a CSV for spreadsheets set to French.
    pub excel_fr: bool,
    /// Whether the Parquet file of a table with places has them as shapes too (GeoParquet).
    pub geoparquet: bool,
    /// Who wrote a Parquet file.
    pub created_by: String,
}

impl Default for FormatOptions {
    fn default() -> Self {
        Self {
            zstd_level: 9,
            row_group_rows: 100_000,
            excel_fr: true,
            geoparquet: true,
            created_by: concat!("essaim version ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// A format that tables are released in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// Parquet; GeoParquet 1.1 when rows have a place.
    Parquet,
    /// CSV by RFC 4180.
    Csv,
    /// CSV for spreadsheets set to French.
    ExcelFr,
    /// GeoJSON by RFC 7946.
    GeoJson,
}

impl Content {
    /// Name of the file of a table.
    pub fn file_name(self, table: &TableName) -> String {
        match self {
            Self::Parquet => format!("{table}.parquet"),
            Self::Csv => format!("{table}.csv"),
            Self::ExcelFr => format!("{table}.excel-fr.csv"),
            Self::GeoJson => format!("{table}.geojson"),
        }
    }

    /// Media type that the file is served with.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Csv | Self::ExcelFr => "text/csv; charset=utf-8",
            Self::GeoJson => "application/geo+json",
        }
    }
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenFile {
    /// Path below the folder written to, with `/`.
    pub path: String,
    /// Its format.
    pub content: Content,
    /// Media type that it is served with.
    pub media_type: &'static str,
    /// Size.
    pub bytes: u64,
    /// Digest of its bytes, taken while they were written.
    pub digest: Digest,
    /// Rows of the table.
    pub rows: u64,
    /// West, south, east and north of all places of the table.
    pub bbox: Option<[f64; 4]>,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The column.
    pub column: String,
    /// The row, from 1.
    pub row: u64,
}

/// A table that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its files: Parquet, CSV, CSV for spreadsheets unless it is not wanted, and GeoJSON when rows have a place.
    pub files: Vec<WrittenFile>,
    /// Number of rows.
    pub rows: u64,
    /// Cells that a spreadsheet would run, the first [`MAX_FLAWS`].
    pub formulas: Vec<Cell>,
    /// Lists that cannot be read back from a CSV, because an item is empty or holds `|`, the first [`MAX_FLAWS`].
    pub lists: Vec<Cell>,
}

/// Writes all files of a table into `dir`, in one pass.
///
/// `batches` have the columns of [`Contract::public_schema`] and come in the ascending order of the primary key, when all of
/// it is public; another order is refused, for the Parquet file promises this one.
pub fn write_table(
    dir: &Path,
    contract: &Contract,
    batches: &mut dyn Iterator<Item = Result<RecordBatch, ArrowError>>,
    options: &FormatOptions,
) -> Result<Written, FormatError> {
    let failed = |source| FormatError::Rows { table: contract.name.to_string(), source };
    let mut preparer = Preparer::new(contract)?;
    let mut writers = Writers::create(dir, contract, options)?;
    let mut coalescer = BatchCoalescer::new(contract.public_schema(), BATCH_ROWS);
    for batch in batches {
        coalescer.push_batch(preparer.conform(&batch.map_err(failed)?)?).map_err(failed)?;
        while let Some(batch) = coalescer.next_completed_batch() {
            writers.write(&preparer.prepare(&batch)?)?;
        }
    }
    coalescer.finish_buffered_batch().map_err(failed)?;
    while let Some(batch) = coalescer.next_completed_batch() {
        writers.write(&preparer.prepare(&batch)?)?;
    }
    writers.finish(&contract.name, preparer)
}

/// A cell as it stands in the CSV for machines; none when there is nothing in it.
pub fn cell_text(column: &ArrayRef, row: usize) -> Option<String> {
    let cells = Cells::of(column).filter(|cells| !cells.is_null(row))?;
    let mut scratch = Vec::new();
    Some(String::from_utf8_lossy(cells.text(row, Style::Canonical, &mut scratch)).into_owned())
}

/// Writes a cell as it stands in the GeoJSON; null when there is nothing in it, or nothing that a release holds.
pub fn push_json(column: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    match Cells::of(column) {
        Some(cells) => cells.push_json(row, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// The files of a table being written.
struct Writers {
    names: Vec<String>,
    parquet: ParquetFile,
    csv: CsvFile,
    excel: Option<CsvFile>,
    geojson: Option<GeoJsonFile>,
}

impl Writers {
    fn create(dir: &Path, contract: &Contract, options: &FormatOptions) -> Result<Self, FormatError> {
        let names: Vec<String> = contract.public_columns().map(|column| column.name.clone()).collect();
        let path = |content: Content| dir.join(content.file_name(&contract.name));
        let place = Place::of(contract);
        let geojson = match place {
            Some(place) => Some(GeoJsonFile::create(&path(Content::GeoJson), contract, place)?),
            None => None,
        };
        Ok(Self {
            parquet: ParquetFile::create(
                &path(Content::Parquet),
                contract,
                place.filter(|_| options.geoparquet),
                options,
            )?,
            csv: CsvFile::create(&path(Content::Csv), Style::Canonical, &names)?,
            excel: (options.excel_fr)
                .then(|| CsvFile::create(&path(Content::ExcelFr), Style::French, &names))
                .transpose()?,
            geojson,
            names,
        })
    }

    fn write(&mut self, rows: &Prepared) -> Result<(), FormatError> {
        self.parquet.write(rows)?;
        let columns: Vec<Cells<'_>> = rows.batch.columns().iter().filter_map(Cells::of).collect();
        self.csv.write(&self.names, &columns, rows.batch.num_rows(), rows.first_row)?;
        if let Some(excel) = &mut self.excel {
            excel.write(&self.names, &columns, rows.batch.num_rows(), rows.first_row)?;
        }
        match &mut self.geojson {
            Some(geojson) => geojson.write(&columns, &rows.places),
            None => Ok(()),
        }
    }

    fn finish(self, table: &TableName, preparer: Preparer<'_>) -> Result<Written, FormatError> {
        let (rows, extent) = preparer.finish();
        let written = |content: Content, (bytes, digest): (u64, Digest)| WrittenFile {
            path: content.file_name(table),
            content,
            media_type: content.media_type(),
            bytes,
            digest,
            rows,
            bbox: extent.bounds,
        };
        let parquet = self.parquet.finish(&extent)?;
        let (bytes, digest, flaws) = self.csv.finish()?;
        let mut files = vec![written(Content::Parquet, parquet), written(Content::Csv, (bytes, digest))];
        if let Some(excel) = self.excel {
            let (bytes, digest, _) = excel.finish()?;
            files.push(written(Content::ExcelFr, (bytes, digest)));
        }
        if let Some(geojson) = self.geojson {
            files.push(written(Content::GeoJson, geojson.finish(extent.bounds)?));
        }
        Ok(Written { files, rows, formulas: flaws.formulas, lists: flaws.lists })
    }
}
