//! Intermediate tables: one Parquet file each in a folder that goes with the run.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::error::RunError;

/// Rows of a row group: the most that is held in memory before it goes to disk.
const ROW_GROUP: usize = 65_536;

fn scratch_error(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> RunError {
    RunError::Scratch { path: path.to_owned(), source: source.into() }
}

/// Writes one intermediate table.
#[derive(Debug)]
pub(super) struct ScratchWriter {
    path: PathBuf,
    writer: ArrowWriter<File>,
    rows: u64,
}

impl ScratchWriter {
    /// Starts the file of a table.
    pub(super) fn create(path: PathBuf, schema: SchemaRef) -> Result<Self, RunError> {
        let file = File::create(&path).map_err(|error| scratch_error(&path, error))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_statistics_enabled(EnabledStatistics::None)
            .build();
        let writer =
            ArrowWriter::try_new(file, schema, Some(properties)).map_err(|error| scratch_error(&path, error))?;
        Ok(Self { path, writer, rows: 0 })
    }

    /// Takes in the next rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), RunError> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|error| scratch_error(&self.path, error))
    }

    /// Ends the file: its path and its rows.
    pub(super) fn finish(self) -> Result<(PathBuf, u64), RunError> {
        self.writer.close().map_err(|error| scratch_error(&self.path, error))?;
        Ok((self.path, self.rows))
    }
}

/// Reads an intermediate table, all columns or those that are named, in file order.
pub(super) fn read(path: &Path, columns: Option<&[String]>) -> Result<ParquetRecordBatchReader, RunError> {
    let file = File::open(path).map_err(|error| scratch_error(path, error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| scratch_error(path, error))?;
    let mask = match columns {
        None => ProjectionMask::all(),
        Some(names) => {
            let roots = names.iter().filter_map(|name| builder.schema().index_of(name).ok());
            ProjectionMask::roots(builder.parquet_schema(), roots)
        }
    };
    builder.with_projection(mask).with_batch_size(8192).build().map_err(|error| scratch_error(path, error))
}

/// Schema of an intermediate table.
pub(super) fn schema(path: &Path) -> Result<SchemaRef, RunError> {
    let file = File::open(path).map_err(|error| scratch_error(path, error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| scratch_error(path, error))?;
    Ok(Arc::clone(builder.schema()))
}
