//! Intermediate tables: one Arrow IPC file each in a folder that goes with the run. They are written once and read a few times
//! by the same program, so that nothing is encoded or compressed: columns stand in the file as they stand in memory.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::error::RunError;
use crate::engine::SCRATCH;

/// Batches of a table in file order.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

fn scratch_error(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> RunError {
    RunError::Scratch { path: path.to_owned(), source: source.into() }
}

/// File of an intermediate table.
pub(super) fn file(folder: &Path, table: &str) -> PathBuf {
    folder.join(format!("{table}.{SCRATCH}"))
}

/// Writes one intermediate table.
pub(super) struct ScratchWriter {
    path: PathBuf,
    writer: FileWriter<File>,
    rows: u64,
}

impl fmt::Debug for ScratchWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScratchWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ScratchWriter {
    /// Starts the file of a table.
    pub(super) fn create(path: PathBuf, schema: &SchemaRef) -> Result<Self, RunError> {
        let file = File::create(&path).map_err(|error| scratch_error(&path, error))?;
        let writer = FileWriter::try_new(file, schema).map_err(|error| scratch_error(&path, error))?;
        Ok(Self { path, writer, rows: 0 })
    }

    /// Takes in the next rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), RunError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|error| scratch_error(&self.path, error))
    }

    /// Ends the file: its path and its rows.
    pub(super) fn finish(mut self) -> Result<(PathBuf, u64), RunError> {
        self.writer.finish().map_err(|error| scratch_error(&self.path, error))?;
        Ok((self.path, self.rows))
    }
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension != SCRATCH)
}

/// Reads a table, all columns or those that are named: an intermediate one, or the Parquet file of a release.
pub(super) fn read(path: &Path, columns: Option<&[String]>) -> Result<Batches, RunError> {
    let file = File::open(path).map_err(|error| scratch_error(path, error))?;
    if is_parquet(path) {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| scratch_error(path, error))?;
        let mask = match columns {
            None => ProjectionMask::all(),
            Some(names) => {
                let roots = names.iter().filter_map(|name| builder.schema().index_of(name).ok());
                ProjectionMask::roots(builder.parquet_schema(), roots)
            }
        };
        let reader = builder.with_projection(mask).with_batch_size(8192).build();
        return Ok(Box::new(reader.map_err(|error| scratch_error(path, error))?));
    }
    let stored = schema(path)?;
    let mut projection: Option<Vec<usize>> =
        columns.map(|names| names.iter().filter_map(|name| stored.index_of(name).ok()).collect());
    if let Some(places) = &mut projection {
        places.sort_unstable();
        places.dedup();
    }
    let reader = FileReader::try_new(file, projection).map_err(|error| scratch_error(path, error))?;
    Ok(Box::new(reader))
}

/// Schema of a table in a file.
pub(super) fn schema(path: &Path) -> Result<SchemaRef, RunError> {
    let file = File::open(path).map_err(|error| scratch_error(path, error))?;
    if is_parquet(path) {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| scratch_error(path, error))?;
        return Ok(SchemaRef::clone(builder.schema()));
    }
    let reader = FileReader::try_new(file, None).map_err(|error| scratch_error(path, error))?;
    Ok(reader.schema())
}
