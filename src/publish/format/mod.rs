//! The files of a released table: Parquet, CSV for machines, CSV for spreadsheets set to French, and GeoJSON.
//!
//! [`TableWriter`] takes the rows once and writes all files beside each other. The same rows give the same bytes,
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
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

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
use sink::Sums;

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
            zstd_level: 3,
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
    /// Their SHA-512, hexadecimal.
    pub sha512: String,
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

/// Writes all files of a table into `dir`, in one pass; see [`TableWriter`].
pub fn write_table(
    dir: &Path,
    contract: &Contract,
    batches: &mut dyn Iterator<Item = Result<RecordBatch, ArrowError>>,
    options: &FormatOptions,
) -> Result<Written, FormatError> {
    let mut writer = TableWriter::create(dir, contract, options)?;
    for batch in batches {
        writer.write(&batch.map_err(|source| writer.failed(source))?)?;
    }
    writer.finish()
}

/// Writes all files of a table as its rows come.
///
/// Rows have the columns of [`Contract::public_schema`], in which texts may be held as dictionaries, and come in the
/// ascending order of the primary key, when all of it is public; another order is refused, for the Parquet file promises
/// this one. The files are written on two threads beside the one that brings the rows, which waits when they fall behind.
pub struct TableWriter<'c> {
    contract: &'c Contract,
    preparer: Preparer<'c>,
    coalescer: Option<BatchCoalescer>,
    writers: Writers,
}

impl std::fmt::Debug for TableWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter").field("table", &self.contract.name).finish_non_exhaustive()
    }
}

impl<'c> TableWriter<'c> {
    /// Begins the files of a table.
    pub fn create(dir: &Path, contract: &'c Contract, options: &FormatOptions) -> Result<Self, FormatError> {
        let writers = Writers::create(dir, contract, options)?;
        Ok(Self { contract, preparer: Preparer::new(contract), coalescer: None, writers })
    }

    fn failed(&self, source: ArrowError) -> FormatError {
        FormatError::Rows { table: self.contract.name.to_string(), source }
    }

    /// Takes in the next rows. After an error the table is of no use.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), FormatError> {
        let batch = self.preparer.conform(batch)?;
        // Rows that come in batches of this size are not copied.
        if batch.num_rows() == BATCH_ROWS && self.coalescer.as_ref().is_none_or(BatchCoalescer::is_empty) {
            return self.writers.write(self.preparer.prepare(&batch)?);
        }
        let coalescer = self.coalescer.get_or_insert_with(|| BatchCoalescer::new(batch.schema(), BATCH_ROWS));
        if let Err(source) = coalescer.push_batch(batch) {
            return Err(self.failed(source));
        }
        self.hand_on()
    }

    fn hand_on(&mut self) -> Result<(), FormatError> {
        while let Some(batch) = self.coalescer.as_mut().and_then(BatchCoalescer::next_completed_batch) {
            self.writers.write(self.preparer.prepare(&batch)?)?;
        }
        Ok(())
    }

    /// Ends the files.
    pub fn finish(mut self) -> Result<Written, FormatError> {
        if let Some(Err(source)) = self.coalescer.as_mut().map(BatchCoalescer::finish_buffered_batch) {
            return Err(self.failed(source));
        }
        self.hand_on()?;
        self.writers.finish(&self.contract.name, self.preparer)
    }
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

/// Batches that wait for a lane at the most.
const WAITING: usize = 2;

/// Files that one thread writes.
struct Lane<T> {
    rows: Option<SyncSender<Arc<Prepared>>>,
    thread: Option<JoinHandle<Result<T, FormatError>>>,
}

impl<T: Send + 'static> Lane<T> {
    fn start(
        name: &str,
        mut files: T,
        write: fn(&mut T, &Prepared) -> Result<(), FormatError>,
    ) -> Result<Self, FormatError> {
        let (rows, received) = sync_channel::<Arc<Prepared>>(WAITING);
        let work = move || {
            for rows in received {
                write(&mut files, &rows)?;
            }
            Ok(files)
        };
        match std::thread::Builder::new().name(name.to_owned()).spawn(work) {
            Ok(thread) => Ok(Self { rows: Some(rows), thread: Some(thread) }),
            Err(source) => Err(FormatError::Thread { source }),
        }
    }

    /// Hands rows on; tells what went wrong when the thread takes no more.
    fn send(&mut self, rows: Arc<Prepared>) -> Result<(), FormatError> {
        match &self.rows {
            Some(lane) if lane.send(rows).is_ok() => Ok(()),
            _ => self.end().and(Err(FormatError::Stopped)),
        }
    }

    /// Waits for the thread.
    fn end(&mut self) -> Result<T, FormatError> {
        self.rows = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(written)) => written,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(FormatError::Stopped),
        }
    }
}

/// The files that are text.
struct Texts {
    names: Vec<String>,
    csv: CsvFile,
    excel: Option<CsvFile>,
    geojson: Option<GeoJsonFile>,
}

impl Texts {
    fn write(&mut self, rows: &Prepared) -> Result<(), FormatError> {
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
}

/// The files of a table being written.
struct Writers {
    parquet: Lane<ParquetFile>,
    texts: Lane<Texts>,
}

impl Writers {
    fn create(dir: &Path, contract: &Contract, options: &FormatOptions) -> Result<Self, FormatError> {
        let names: Vec<String> = contract.public_columns().map(|column| column.name.clone()).collect();
        let path = |content: Content| dir.join(content.file_name(&contract.name));
        let place = Place::of(contract);
        let parquet_place = place.filter(|_| options.geoparquet);
        let parquet = ParquetFile::create(&path(Content::Parquet), contract, parquet_place, options)?;
        let csv = |content: Content, style: Style| CsvFile::create(&path(content), style, &names);
        let texts = Texts {
            csv: csv(Content::Csv, Style::Canonical)?,
            excel: options.excel_fr.then(|| csv(Content::ExcelFr, Style::French)).transpose()?,
            geojson: place.map(|place| GeoJsonFile::create(&path(Content::GeoJson), contract, place)).transpose()?,
            names,
        };
        let parquet = Lane::start("write-parquet", parquet, ParquetFile::write)?;
        Ok(Self { parquet, texts: Lane::start("write-texts", texts, Texts::write)? })
    }

    fn write(&mut self, rows: Prepared) -> Result<(), FormatError> {
        let rows = Arc::new(rows);
        self.parquet.send(Arc::clone(&rows))?;
        self.texts.send(rows)
    }

    fn finish(mut self, table: &TableName, preparer: Preparer<'_>) -> Result<Written, FormatError> {
        let (rows, extent) = preparer.finish();
        let written = |content: Content, Sums { bytes, digest, sha512 }: Sums| WrittenFile {
            path: content.file_name(table),
            content,
            media_type: content.media_type(),
            bytes,
            digest,
            sha512,
            rows,
            bbox: extent.bounds,
        };
        let (parquet, texts) = (self.parquet.end()?, self.texts.end()?);
        let parquet = parquet.finish(&extent)?;
        let (csv, flaws) = texts.csv.finish()?;
        let mut files = vec![written(Content::Parquet, parquet), written(Content::Csv, csv)];
        if let Some(excel) = texts.excel {
            files.push(written(Content::ExcelFr, excel.finish()?.0));
        }
        if let Some(geojson) = texts.geojson {
            files.push(written(Content::GeoJson, geojson.finish(extent.bounds)?));
        }
        Ok(Written { files, rows, formulas: flaws.formulas, lists: flaws.lists })
    }
}
