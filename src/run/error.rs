//! Why a run failed.

use std::path::PathBuf;

use crate::engine::EngineError;
use crate::id::{SourceId, TableName};
use crate::normalise::NormaliseError;
use crate::publish::PublishError;
use crate::publish::owner::OwnerError;
use crate::source::SourceError;
use crate::store::StoreError;
use crate::territory::TerritoryError;

/// What changed in a source, in words.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Drifted(pub Vec<String>);

/// Bounds that a source breaks, in words.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Refused(pub Vec<String>);

/// A run could not be finished. The last good release stays visible.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A source could not be fetched.
    #[error("cannot fetch source `{id}`")]
    Source {
        /// The source.
        id: SourceId,
        /// Why.
        source: Box<SourceError>,
    },
    /// There is no snapshot to start from.
    #[error("source `{id}` has no snapshot yet: run once without `--from snapshot`")]
    NoSnapshot {
        /// The source.
        id: SourceId,
    },
    /// A source's bytes could not be made into rows.
    #[error("cannot normalise table `{table}`")]
    Normalise {
        /// The table.
        table: TableName,
        /// Why.
        source: Box<NormaliseError>,
    },
    /// A source gives less than it must.
    #[error(
        "source `{id}` gives less than it must; look at the source, or let it through with --accept BOUND --because TEXT"
    )]
    Refused {
        /// The source.
        id: SourceId,
        /// What is wrong, a code.
        code: &'static str,
        /// The bounds that it breaks, in words.
        source: Refused,
    },
    /// A release is not what was published when it is read through its public address; it was withdrawn.
    #[error("release `{release}` was withdrawn: it does not read back through {url}")]
    ReadBack {
        /// The release.
        release: crate::id::ReleaseId,
        /// Its public address.
        url: String,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A source has no longer the columns that a table reads, or their cells no longer fit.
    #[error(
        "the source of table `{table}` changed since it was last read; correct the pipeline, or let the table go on \
         without these cells with drift = \"nulls\""
    )]
    Drift {
        /// The table.
        table: TableName,
        /// What changed, in words.
        source: Drifted,
    },
    /// The official geography cannot be read.
    #[error("cannot read the official geography")]
    Territory(#[source] Box<TerritoryError>),
    /// The official geography cannot be kept, or read from where it is kept.
    #[error("cannot keep the official geography beside the snapshots")]
    Reference {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// SQL could not be run.
    #[error("cannot build table `{table}`")]
    Engine {
        /// The table.
        table: TableName,
        /// Why.
        source: Box<EngineError>,
    },
    /// SQL that was planned against contracts cannot be planned against data: a defect.
    #[error("cannot plan table `{table}` on its data: {}", problems.first().map_or("", |problem| &problem.message))]
    Plan {
        /// The table.
        table: TableName,
        /// What is wrong.
        problems: Vec<crate::diagnostic::Problem>,
    },
    /// The engine could not be started.
    #[error("cannot start the SQL engine")]
    EngineStart(#[source] Box<EngineError>),
    /// A batch is not what it should be: a defect.
    #[error("cannot handle the rows of table `{table}`")]
    Arrow {
        /// The table.
        table: TableName,
        /// Why.
        source: arrow::error::ArrowError,
    },
    /// The files of a table cannot be written.
    #[error("cannot write the files of table `{table}`")]
    Format {
        /// The table.
        table: TableName,
        /// Why.
        source: Box<crate::publish::format::FormatError>,
    },
    /// The rows that fail a check cannot be written down.
    #[error("cannot keep the rows that fail the check of `{table}`")]
    Sample {
        /// The table or the check.
        table: TableName,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A scratch file cannot be written or read.
    #[error("cannot use the scratch file {}", path.display())]
    Scratch {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A store failed.
    #[error("cannot use the {which} store")]
    Store {
        /// `private` or `public`.
        which: &'static str,
        /// Why.
        source: Box<StoreError>,
    },
    /// What is told to the owner of a source cannot be written.
    #[error("cannot tell the owner of source `{id}` what was found")]
    Owner {
        /// The source.
        id: SourceId,
        /// Why.
        source: Box<OwnerError>,
    },
    /// The release could not be written.
    #[error("cannot publish")]
    Publish(#[source] Box<PublishError>),
    /// A thread ended by a panic: a defect.
    #[error("the step that makes table `{table}` stopped unexpectedly")]
    Stopped {
        /// The table.
        table: TableName,
    },
}

impl RunError {
    /// What was wrong, a stable code without values: `releases.json` tells it to everyone.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source { source, .. } => match source.as_ref() {
                SourceError::Store { .. } | SourceError::TemporaryFile { .. } => "store_failed",
                SourceError::MissingBytes { .. }
                | SourceError::DamagedPart { .. }
                | SourceError::BadIndex { .. }
                | SourceError::UnknownPart { .. } => "snapshot_damaged",
                _ => "source_unreachable",
            },
            Self::NoSnapshot { .. } => "no_snapshot",
            Self::Normalise { .. } => "source_unreadable",
            Self::Refused { code, .. } => code,
            Self::Drift { .. } => "source_changed",
            Self::ReadBack { .. } => "read_back_failed",
            Self::Store { .. } => "store_failed",
            Self::Publish(_) => "publish_failed",
            Self::Territory(_)
            | Self::Reference { .. }
            | Self::Engine { .. }
            | Self::Plan { .. }
            | Self::EngineStart(_)
            | Self::Arrow { .. }
            | Self::Format { .. }
            | Self::Sample { .. }
            | Self::Scratch { .. }
            | Self::Owner { .. }
            | Self::Stopped { .. } => "build_failed",
        }
    }

    /// The source that failed, when it was one.
    pub fn source_id(&self) -> Option<&SourceId> {
        match self {
            Self::Source { id, .. } | Self::NoSnapshot { id } | Self::Refused { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Whether an older snapshot of the source can take the place of what failed.
    pub(super) fn is_of_the_source(&self) -> bool {
        matches!(
            self.code(),
            "source_unreachable" | "source_unreadable" | "source_rows" | "source_rejects" | "source_empty"
        )
    }
}
