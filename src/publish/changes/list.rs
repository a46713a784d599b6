//! `changes.parquet`: one line for a row that came or went, one for each changed cell.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, BooleanArray, RecordBatch, StringBuilder};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use crate::id::Digest;
use crate::publish::error::ChangesError;
use crate::publish::format::sink::Sink;
use crate::publish::format::{BATCH_ROWS, FormatOptions};
use crate::release::ChangeKind;

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: String,
    /// Cells of the primary key, joined by `|`.
    pub key: String,
    /// What happened to the row.
    pub kind: ChangeKind,
    /// The changed column; none for a row that came or went.
    pub column: Option<String>,
    /// The cell before, as it stands in the CSV.
    pub before: Option<String>,
    /// The cell after.
    pub after: Option<String>,
    /// Why.
    pub cause: String,
}

/// Columns of the list, and whether each line has one.
const COLUMNS: [(&str, bool); 7] = [
    ("table", true),
    ("key", true),
    ("change", true),
    ("column", false),
    ("before", false),
    ("after", false),
    ("cause", true),
];

fn schema() -> SchemaRef {
    let field = |(name, required): (&str, bool)| Field::new(name, DataType::Utf8, !required);
    Arc::new(Schema::new(COLUMNS.map(field).to_vec()))
}

fn write_failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ChangesError {
    ChangesError::Write(source.into())
}

/// The list while it is written. The same lines give the same bytes.
pub struct ListWriter {
    writer: ArrowWriter<Sink>,
    columns: [StringBuilder; 7],
    waiting: usize,
    lines: u64,
}

impl std::fmt::Debug for ListWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListWriter").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl ListWriter {
    /// Starts a list.
    pub fn create(path: &Path) -> Result<Self, ChangesError> {
        let options = FormatOptions::default();
        let level = ZstdLevel::try_new(options.zstd_level).map_err(write_failed)?;
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::ZSTD(level))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_max_row_group_row_count(Some(options.row_group_rows))
            .set_created_by(options.created_by)
            .set_key_value_metadata(None)
            .build();
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let sink = Sink::create(path).map_err(write_failed)?;
        let writer = ArrowWriter::try_new_with_options(sink, schema(), options).map_err(write_failed)?;
        Ok(Self { writer, columns: std::array::from_fn(|_| StringBuilder::new()), waiting: 0, lines: 0 })
    }

    /// Appends a line.
    pub fn push(&mut self, change: &Change) -> Result<(), ChangesError> {
        let cells = [
            Some(change.table.as_str()),
            Some(&change.key),
            Some(change.kind.as_str()),
            change.column.as_deref(),
            change.before.as_deref(),
            change.after.as_deref(),
            Some(&change.cause),
        ];
        for (builder, cell) in self.columns.iter_mut().zip(cells) {
            builder.append_option(cell);
        }
        self.lines += 1;
        self.waiting += 1;
        if self.waiting == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ChangesError> {
        self.waiting = 0;
        let columns = self.columns.iter_mut().map(|builder| Arc::new(builder.finish()) as _).collect();
        let batch = RecordBatch::try_new(schema(), columns).map_err(write_failed)?;
        self.writer.write(&batch).map_err(write_failed)
    }

    /// Ends the list: its size, its digest and its lines.
    pub fn finish(mut self) -> Result<(u64, Digest, u64), ChangesError> {
        if self.waiting > 0 {
            self.flush()?;
        }
        let lines = self.lines;
        let sums = self.writer.into_inner().map_err(write_failed)?.finish().map_err(write_failed)?;
        Ok((sums.bytes, sums.digest, lines))
    }
}

/// Lines of a list, batch by batch.
pub type ListedBatches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

/// Reads a list, or what it says of one table.
pub fn read_list(path: &Path, table: Option<String>) -> Result<ListedBatches, ChangesError> {
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| ChangesError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(|error| failed(Box::new(error)))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(Box::new(error)))?;
    let reader = reader.with_batch_size(BATCH_ROWS).build().map_err(|error| failed(Box::new(error)))?;
    Ok(Box::new(reader.map(move |batch| {
        let batch = batch?;
        let Some(table) = &table else { return Ok(batch) };
        let tables = batch.column(0).as_string_opt::<i32>();
        let tables = tables.ok_or_else(|| ArrowError::SchemaError("the first column holds no texts".to_owned()))?;
        let wanted: BooleanArray = tables.iter().map(|name| Some(name == Some(table))).collect();
        filter_record_batch(&batch, &wanted)
    })))
}

/// Lines of a batch.
impl Change {
    /// The lines of a batch of the list; those that are none are left out.
    pub fn of(batch: &RecordBatch) -> Vec<Self> {
        let cell = |column: usize, row: usize| {
            let texts = batch.columns().get(column)?.as_string_opt::<i32>()?;
            texts.is_valid(row).then(|| texts.value(row).to_owned())
        };
        let line = |row: usize| {
            let kind = match cell(2, row)?.as_str() {
                "added" => ChangeKind::Added,
                "removed" => ChangeKind::Removed,
                _ => ChangeKind::Changed,
            };
            Some(Self {
                table: cell(0, row)?,
                key: cell(1, row)?,
                kind,
                column: cell(3, row),
                before: cell(4, row),
                after: cell(5, row),
                cause: cell(6, row)?,
            })
        };
        (0..batch.num_rows()).filter_map(line).collect()
    }
}
