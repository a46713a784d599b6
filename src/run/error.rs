//! Why a run failed.

use std::path::PathBuf;

use super::lease::LeaseError;
use crate::engine::EngineError;
use crate::id::{DatasetId, ReleaseId, SourceId, TableName};
use crate::normalise::NormaliseError;
use crate::publish::PublishError;
use crate::publish::owner::OwnerError;
use crate::source::{Snapshot, SourceError};
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

/// Why a release cannot be built from its inputs any more.
#[derive(Debug, thiserror::Error)]
pub enum Unreproducible {
    /// Its files are in the private store.
    #[error("it is withdrawn: `essaim releases restore` brings it back")]
    Withdrawn,
    /// It was made from another release, not from snapshots.
    #[error("it was rewritten by an erasure: its tables keep what was counted before, and its inputs are gone")]
    Rewritten,
    /// Another program made it.
    #[error("it was made by {then}, and this is {now}")]
    Program {
        /// The program that made it.
        then: String,
        /// This one.
        now: String,
    },
    /// Other project files made it.
    #[error("the project files changed since: check out the revision that made it, and ask again")]
    Project,
    /// Another official geography made it.
    #[error("the official geography changed since, and the private store does not have the old one")]
    Geography,
    /// A snapshot is not there any more.
    #[error(
        "the snapshot of source `{id}` of {fetched_at} is not in the private store: it has expired, or another store made the release"
    )]
    Snapshot {
        /// The source.
        id: SourceId,
        /// When it was fetched.
        fetched_at: String,
    },
    /// A snapshot has lost a record.
    #[error("a record was erased from the snapshot of source `{id}` that it was made from")]
    Erased {
        /// The source.
        id: SourceId,
    },
    /// The release before is not there any more.
    #[error("the release before, `{release}`, is withdrawn or was rewritten")]
    Previous {
        /// The release before.
        release: ReleaseId,
    },
    /// Its time cannot be read.
    #[error("the time in its manifest cannot be read")]
    Issued(#[source] chrono::ParseError),
}

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
        release: ReleaseId,
        /// Its public address.
        url: String,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is remembered of a source is damaged.
    #[error(
        "cannot read `{place}` in the private store, which says when the source was last good; restore it from a backup, \
         or remove it to begin anew without that measure"
    )]
    SourceState {
        /// Path in the private store.
        place: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A release could not be read through its public address; it stays.
    #[error("release `{release}` is published and could not be read back through {url}: is the server up?")]
    ReadBackUnreachable {
        /// The release.
        release: ReleaseId,
        /// Its public address.
        url: String,
        /// Why.
        source: Box<SourceError>,
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
    /// A cross-table does not fit into memory.
    #[error(
        "cross-table `{table}` has more than {most} rows: group by a column with fewer values, or count fewer questions"
    )]
    Crosstab {
        /// The cross-table.
        table: TableName,
        /// Most rows that it may have.
        most: usize,
    },
    /// The files of a table cannot be written.
    #[error("cannot write the files of table `{table}`")]
    Format {
        /// The table.
        table: TableName,
        /// Why.
        source: Box<crate::publish::format::FormatError>,
    },
    /// A figure cannot be drawn.
    #[error("cannot draw the figure of table `{table}`")]
    Figure {
        /// The table.
        table: TableName,
        /// Why.
        source: Box<crate::publish::figure::PictureError>,
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
    /// A source gave nothing good, and what it last gave is too old to take its place.
    #[error(
        "source `{id}` gave nothing good, and the last time that it did, {last}, is longer ago than `max_age` allows"
    )]
    TooOld {
        /// The source.
        id: SourceId,
        /// When it last gave something good, RFC 3339, UTC.
        last: String,
        /// What was wrong with the last answer.
        source: Box<Self>,
    },
    /// The lease of the dataset could not be had.
    #[error("cannot have the dataset for this run alone")]
    Lease(#[source] Box<LeaseError>),
    /// The release could not be written.
    #[error("cannot publish")]
    Publish(#[source] Box<PublishError>),
    /// A release cannot be built from its inputs any more.
    #[error("cannot rebuild release `{release}`")]
    Unreproducible {
        /// The release.
        release: ReleaseId,
        /// Why.
        source: Box<Unreproducible>,
    },
    /// The record to be erased is nowhere.
    #[error("no snapshot and no release of `{dataset}` has a record with that key; nothing was erased")]
    NoRecord {
        /// The dataset.
        dataset: DatasetId,
    },
    /// Several tables have a record with the key.
    #[error("several tables have a record with that key: say which one with --table; nothing was erased")]
    SeveralRecords {
        /// The tables.
        #[source]
        source: Drifted,
    },
    /// A demand to erase a record cannot be read.
    #[error("demand {number} to erase a record of `{dataset}` cannot be read")]
    Demand {
        /// The dataset.
        dataset: DatasetId,
        /// The demand.
        number: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// A thread ended by a panic: a defect.
    #[error("the step that makes table `{table}` stopped unexpectedly")]
    Stopped {
        /// The table.
        table: TableName,
    },
}

impl RunError {
    /// Says which file of a snapshot could not be read, where its part has no name.
    pub(super) fn of_snapshot(self, snapshot: &Snapshot) -> Self {
        match (self, snapshot.nameless()) {
            (Self::Normalise { table, source }, Some(file)) => {
                Self::Normalise { table, source: Box::new(source.of_file(file)) }
            }
            (error, _) => error,
        }
    }

    /// What was wrong, a stable code without values: `releases.json` tells it to everyone.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source { source, .. } => match source.as_ref() {
                SourceError::Store { .. } | SourceError::TemporaryFile { .. } => "store_failed",
                SourceError::MissingBytes { .. }
                | SourceError::DamagedPart { .. }
                | SourceError::BadIndex { .. }
                | SourceError::UnknownPart { .. } => "snapshot_damaged",
                error if error.is_unreadable() => "source_unreadable",
                _ => "source_unreachable",
            },
            Self::NoSnapshot { .. } => "no_snapshot",
            Self::Normalise { .. } => "source_unreadable",
            Self::Refused { code, .. } => code,
            Self::Drift { .. } => "source_changed",
            Self::TooOld { .. } => "source_too_old",
            Self::ReadBack { .. } => "read_back_failed",
            Self::ReadBackUnreachable { .. } => "read_back_unreachable",
            Self::SourceState { .. } | Self::Store { .. } | Self::Lease(_) => "store_failed",
            Self::Unreproducible { .. } => "not_reproducible",
            Self::NoRecord { .. } | Self::SeveralRecords { .. } | Self::Demand { .. } => "not_erased",
            Self::Publish(source) if matches!(source.as_ref(), PublishError::Superseded { .. }) => "superseded",
            Self::Publish(_) => "publish_failed",
            Self::Territory(_)
            | Self::Reference { .. }
            | Self::Engine { .. }
            | Self::Plan { .. }
            | Self::EngineStart(_)
            | Self::Arrow { .. }
            | Self::Crosstab { .. }
            | Self::Format { .. }
            | Self::Figure { .. }
            | Self::Sample { .. }
            | Self::Scratch { .. }
            | Self::Owner { .. }
            | Self::Stopped { .. } => "build_failed",
        }
    }

    /// The source that failed, when it was one.
    pub fn source_id(&self) -> Option<&SourceId> {
        match self {
            Self::Source { id, .. } | Self::NoSnapshot { id } | Self::Refused { id, .. } | Self::TooOld { id, .. } => {
                Some(id)
            }
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
