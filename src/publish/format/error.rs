//! What keeps a table from being written.

use std::io;
use std::path::PathBuf;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

/// A table that could not be written; the files begun are left behind, and are of no use.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A file could not be created.
    #[error("cannot create `{path}`")]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system gives no further thread.
    #[error("cannot start a thread to write files on")]
    Thread {
        /// Why.
        source: io::Error,
    },
    /// A file was given up after an error that was told before.
    #[error("the files of the table were given up")]
    Stopped,
    /// A Parquet file could not be written.
    #[error("cannot write `{path}`")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
    /// The level of compression does not exist.
    #[error("zstd has no level {level}")]
    Level {
        /// The level asked for.
        level: i32,
        /// Why.
        source: ParquetError,
    },
    /// The rows could not be computed.
    #[error("cannot compute the rows of table `{table}`")]
    Rows {
        /// The table.
        table: String,
        /// Why.
        source: ArrowError,
    },
    /// The rows are not of the shape that the contract promises.
    #[error("table `{table}` was promised with {expected}, its rows have {found}")]
    Shape {
        /// The table.
        table: String,
        /// The column that was promised, or their number.
        expected: String,
        /// What came.
        found: String,
    },
    /// The contract has a column whose name is that of a column which the writer adds.
    #[error("table `{table}` has a column `{column}`, a name that the writer needs for the place of its rows")]
    NameTaken {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A cell that no file of a release may hold.
    #[error("table `{table}`, row {row}, column `{column}`: {reason}")]
    Cell {
        /// The table.
        table: String,
        /// The row, from 1.
        row: u64,
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The rows are not in the order of the primary key.
    #[error("table `{table}` is not in the order of its primary key: row {row} belongs before the one above it")]
    Order {
        /// The table.
        table: String,
        /// The row, from 1.
        row: u64,
    },
}
