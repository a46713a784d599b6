//! What can fail besides the SQL itself.

use std::error::Error;

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;

use crate::diagnostic::Problem;

/// Why a receiver of batches did not take one.
pub type SinkError = Box<dyn Error + Send + Sync>;

/// The engine failed at something that was asked rightly.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine could not be made.
    #[error("could not {operation}")]
    Setup {
        /// What was being done.
        operation: &'static str,
        /// What happened.
        source: Box<DataFusionError>,
    },
    /// A table could not be registered.
    #[error("could not register table `{table}`")]
    Register {
        /// The table.
        table: String,
        /// What happened.
        source: Box<DataFusionError>,
    },
    /// A stored file does not have the shape that it should have.
    #[error("column `{column}` of table `{table}` is stored as {found}, not as {expected}")]
    Stored {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Type in the file, or `nothing`.
        found: String,
        /// Type that was promised.
        expected: String,
    },
    /// A model that was checked no longer plans: its inputs have changed since.
    #[error("model `{table}` ({sql_file}) no longer fits its inputs: {}", first_message(.problems))]
    Changed {
        /// The model.
        table: String,
        /// Its file.
        sql_file: String,
        /// What is wrong with it now.
        problems: Vec<Problem>,
    },
    /// A column of the target is not among the model's.
    #[error("model `{table}` ({sql_file}) has no column `{column}`")]
    MissingColumn {
        /// The model.
        table: String,
        /// Its file.
        sql_file: String,
        /// The column.
        column: String,
    },
    /// A statement failed while it ran.
    #[error("could not {operation} `{table}` ({sql_file})")]
    Execute {
        /// What was being done.
        operation: &'static str,
        /// The model, or `query`.
        table: String,
        /// Its file.
        sql_file: String,
        /// What happened.
        source: Box<DataFusionError>,
    },
    /// Rows do not fit the target's schema, such as a null in a required column.
    #[error("rows of model `{table}` ({sql_file}) do not fit its contract")]
    Unfit {
        /// The model.
        table: String,
        /// Its file.
        sql_file: String,
        /// What happened.
        source: ArrowError,
    },
    /// The receiver did not take a batch.
    #[error("could not hand over rows of `{table}`")]
    Sink {
        /// The model.
        table: String,
        /// What happened.
        source: SinkError,
    },
}

fn first_message(problems: &[Problem]) -> &str {
    problems.first().map_or("", |problem| problem.message.as_str())
}

impl EngineError {
    pub(super) fn setup(operation: &'static str, source: DataFusionError) -> Self {
        Self::Setup { operation, source: Box::new(source) }
    }

    pub(super) fn register(table: &str, source: impl Into<DataFusionError>) -> Self {
        Self::Register { table: table.to_owned(), source: Box::new(source.into()) }
    }

    /// Whether the memory limit was hit: more memory, or less at a time, would help.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            Self::Setup { source, .. } | Self::Register { source, .. } | Self::Execute { source, .. } => {
                matches!(source.find_root(), DataFusionError::ResourcesExhausted(_))
            }
            Self::Stored { .. }
            | Self::Changed { .. }
            | Self::MissingColumn { .. }
            | Self::Unfit { .. }
            | Self::Sink { .. } => false,
        }
    }
}

/// Whose fault it is that the engine failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// More memory or disk was needed than there is.
    Memory,
    /// A value that the statement computes does not exist, such as a division by zero; in words.
    Value(String),
    /// A file could not be read.
    Store,
    /// Something that should not happen.
    Bug,
}

impl EngineError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Setup { source, .. } | Self::Register { source, .. } | Self::Execute { source, .. } => fault(source),
            Self::Unfit { source, .. } => Fault::Value(source.to_string()),
            Self::Stored { .. } | Self::Changed { .. } | Self::MissingColumn { .. } | Self::Sink { .. } => Fault::Bug,
        }
    }
}

fn fault(error: &DataFusionError) -> Fault {
    let root = error.find_root();
    let told = || {
        let text = root.strip_backtrace();
        let text = text.lines().next().unwrap_or_default();
        let (_, text) = text.rsplit_once("error: ").unwrap_or(("", text));
        Fault::Value(text.to_owned())
    };
    match root {
        DataFusionError::ResourcesExhausted(_) => Fault::Memory,
        // The limit of what is spilled comes wrapped in whatever wrote the file.
        _ if root.to_string().contains("max_temp_directory_size") => Fault::Memory,
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::IoError(..)
            | ArrowError::ExternalError(_)
            | ArrowError::ParquetError(_)
            | ArrowError::IpcError(_) => Fault::Store,
            ArrowError::MemoryError(_)
            | ArrowError::DictionaryKeyOverflowError
            | ArrowError::OffsetOverflowError(_) => Fault::Memory,
            _ => told(),
        },
        DataFusionError::Execution(_)
        | DataFusionError::Plan(_)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::SchemaError(..) => told(),
        DataFusionError::ObjectStore(_)
        | DataFusionError::ParquetError(_)
        | DataFusionError::IoError(_)
        | DataFusionError::External(_) => Fault::Store,
        _ => Fault::Bug,
    }
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The SQL is wrong; places are in a file called `query`.
    #[error("the query has {} mistake(s)", .0.len())]
    Problems(Vec<Problem>),
    /// The SQL is right, and answering it failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
