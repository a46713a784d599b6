//! Why a statement is not answered, and what that is called in each protocol.

use std::time::Duration;

use tonic::Code;

use crate::diagnostic::Problem;
use crate::engine::{EngineError, Fault, QueryError};
use crate::serve::error::ServeError;

/// Where in a statement something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Characters before it in the whole statement.
    pub characters: usize,
}

/// Why a statement is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The statement is wrong, or asks for what is not allowed; places are in a file called `query`.
    #[error("{}", first(.0))]
    Problems(Vec<Problem>),
    /// As many statements as may run and wait are this client's.
    #[error("this client has {most} queries running or waiting, and may not have more")]
    TooManyOfClient {
        /// The most.
        most: usize,
    },
    /// It was not its turn for too long.
    #[error("the server is busy: it was not this query's turn within {} s", waited.as_secs())]
    Busy {
        /// How long it waited.
        waited: Duration,
    },
    /// It took too long, reading the answer included.
    #[error("the query and the reading of its answer took more than {} s", limit.as_secs())]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// Its answer has too many rows.
    #[error("the answer has more than {limit} rows")]
    TooManyRows {
        /// The limit.
        limit: u64,
    },
    /// Its answer is too large.
    #[error("the answer has more than {limit} bytes")]
    TooManyBytes {
        /// The limit.
        limit: u64,
    },
    /// It needs more memory or disk than one statement may have.
    #[error("the query needs more than the {} MiB of memory that one query may use", limit >> 20)]
    Memory {
        /// The limit.
        limit: u64,
    },
    /// A value that it computes does not exist.
    #[error("{0}")]
    Value(String),
    /// Whoever asked has left or cancelled it.
    #[error("the query was cancelled")]
    Cancelled,
    /// What is published cannot be read.
    #[error("what is published cannot be read just now")]
    Store,
    /// Something went wrong that should not.
    #[error("something went wrong here; it is in the log of the server")]
    Internal,
}

fn first(problems: &[Problem]) -> &str {
    problems.first().map_or("the query is refused", |problem| problem.message.as_str())
}

impl Refusal {
    /// From what the engine says; what happened inside is logged here, once.
    pub(super) fn of_engine(error: &EngineError, memory: u64) -> Self {
        match error.fault() {
            Fault::Memory => Self::Memory { limit: memory },
            Fault::Value(message) => Self::Value(message),
            Fault::Store => {
                tracing::error!(error = error as &dyn std::error::Error, "A query could not read what is published");
                Self::Store
            }
            Fault::Bug => {
                tracing::error!(error = error as &dyn std::error::Error, "A query failed for a reason of ours");
                Self::Internal
            }
        }
    }

    /// From what the engine says of a statement.
    pub(super) fn of_query(error: QueryError, memory: u64) -> Self {
        match error {
            QueryError::Problems(problems) => Self::Problems(problems),
            QueryError::Engine(error) => Self::of_engine(&error, memory),
        }
    }

    /// A stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Problems(problems) => problems.first().map_or("sql::refused", |problem| problem.code),
            Self::TooManyOfClient { .. } => "too_many_queries",
            Self::Busy { .. } => "busy",
            Self::Timeout { .. } => "timeout",
            Self::TooManyRows { .. } => "too_many_rows",
            Self::TooManyBytes { .. } => "too_many_bytes",
            Self::Memory { .. } => "memory",
            Self::Value(_) => "sql::value",
            Self::Cancelled => "cancelled",
            Self::Store => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Problems(problems) => problems.first()?.help.as_deref(),
            Self::TooManyOfClient { .. } => Some("wait for the answers, or ask one after the other"),
            Self::Busy { .. } | Self::Store => Some("ask again in a moment"),
            Self::Timeout { .. } | Self::Memory { .. } => {
                Some("ask for less, or download the Parquet files of the release and query them on your own machine")
            }
            Self::TooManyRows { .. } | Self::TooManyBytes { .. } => {
                Some("add a WHERE or a LIMIT; for whole tables download the files of the release")
            }
            Self::Value(_) => {
                Some("TRY_CAST gives NULL where a text is no number; NULLIF keeps a divisor from being 0")
            }
            Self::Cancelled | Self::Internal => None,
        }
    }

    /// Where in the statement.
    pub fn place(&self) -> Option<Place> {
        let Self::Problems(problems) = self else { return None };
        problems.iter().find_map(place)
    }

    /// Its status in HTTP.
    pub fn status(&self) -> u16 {
        match self {
            Self::Problems(_) if self.code() == "sql::gone" => 410,
            Self::Problems(_) => 400,
            Self::TooManyOfClient { .. } => 429,
            Self::Busy { .. } | Self::Store => 503,
            Self::Timeout { .. }
            | Self::TooManyRows { .. }
            | Self::TooManyBytes { .. }
            | Self::Memory { .. }
            | Self::Value(_) => 422,
            Self::Cancelled => 499,
            Self::Internal => 500,
        }
    }

    /// Its SQLSTATE in the `PostgreSQL` protocol.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Problems(_) => match self.code() {
                "sql::syntax" | "sql::one_select" => "42601",
                "sql::unknown_table" | "sql::gone" => "42P01",
                "sql::unknown_column" => "42703",
                "sql::ambiguous_column" => "42702",
                "sql::duplicate_column" => "42701",
                "sql::unknown_function" => "42883",
                "sql::group_by" => "42803",
                "sql::type_mismatch" => "42804",
                "sql::parameters" => "08P01",
                "sql::refused" | "sql::not_deterministic" => "42501",
                "sql::unsupported" | "sql::changed" => "0A000",
                "sql::too_long" | "sql::too_wide" => "54000",
                _ => "42000",
            },
            Self::TooManyOfClient { .. } | Self::Busy { .. } => "53300",
            Self::Timeout { .. } | Self::Cancelled => "57014",
            Self::TooManyRows { .. } | Self::TooManyBytes { .. } => "54000",
            Self::Memory { .. } => "53200",
            Self::Value(message) if message.contains("Divide by zero") => "22012",
            Self::Value(_) => "22000",
            Self::Store => "58030",
            Self::Internal => "XX000",
        }
    }

    /// Its code in gRPC.
    pub fn grpc(&self) -> Code {
        match self {
            Self::Problems(_) => match self.code() {
                "sql::unknown_table" | "sql::gone" => Code::NotFound,
                "sql::refused" | "sql::not_deterministic" => Code::PermissionDenied,
                "sql::changed" => Code::FailedPrecondition,
                "sql::too_long" | "sql::too_wide" => Code::ResourceExhausted,
                _ => Code::InvalidArgument,
            },
            Self::TooManyOfClient { .. }
            | Self::Busy { .. }
            | Self::TooManyRows { .. }
            | Self::TooManyBytes { .. }
            | Self::Memory { .. } => Code::ResourceExhausted,
            Self::Timeout { .. } => Code::DeadlineExceeded,
            Self::Value(_) => Code::InvalidArgument,
            Self::Cancelled => Code::Cancelled,
            Self::Store => Code::Unavailable,
            Self::Internal => Code::Internal,
        }
    }
}

/// Where a problem is.
pub(super) fn place(problem: &Problem) -> Option<Place> {
    let (file, (span, _)) = (problem.file.as_ref()?, problem.label.as_ref()?);
    let (line, column) = file.position(span.start);
    let characters = file.text.get(..span.start).map_or(0, |before| before.chars().count());
    Some(Place { line, column, characters })
}

impl From<ServeError> for Refusal {
    /// What is published could not be looked at; it was logged where it was noticed.
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Internal => Self::Internal,
            _ => Self::Store,
        }
    }
}
