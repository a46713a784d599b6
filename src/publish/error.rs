//! What can go wrong while a release is written.

use std::path::PathBuf;

use crate::id::{DatasetId, InvalidId, ReleaseId, TableName};
use crate::release::LogError;
use crate::release::diff::DiffError;
use crate::store::StoreError;

/// A release could not be written. Nothing of it is visible.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The store failed.
    #[error("cannot write the release of `{dataset}` to the public store")]
    Store {
        /// The dataset.
        dataset: DatasetId,
        /// Why.
        source: Box<StoreError>,
    },
    /// The log cannot be read.
    #[error("cannot read the log of `{dataset}` in the public store")]
    ReadLog {
        /// The dataset.
        dataset: DatasetId,
        /// Why.
        source: Box<StoreError>,
    },
    /// The log is damaged.
    #[error("the log of `{dataset}` is damaged")]
    Log {
        /// The dataset.
        dataset: DatasetId,
        /// Why.
        source: Box<LogError>,
    },
    /// The log lost its last entries.
    #[error(
        "the log of `{dataset}` ends at entry {last}, and releases.json tells of entry {told}: entries are lost; restore \
         `{dataset}/log/` from a backup"
    )]
    LogCut {
        /// The dataset.
        dataset: DatasetId,
        /// The last entry that `releases.json` tells of.
        told: u64,
        /// The last entry that is there.
        last: u64,
    },
    /// Somebody else took the lease over, and has fenced this writer off.
    #[error("a newer run of `{dataset}` took over (lease {by}, this run has {token}); nothing was published")]
    Superseded {
        /// The dataset.
        dataset: DatasetId,
        /// The token of this writer's lease.
        token: u64,
        /// The token of the fence.
        by: u64,
    },
    /// A file was read back other than it was written.
    #[error("`{path}` was read back from the public store with other bytes than were written")]
    ReadBack {
        /// The file.
        path: String,
    },
    /// Files of a release, kept or brought back, are not those that were published.
    #[error("release `{release}` is not whole: {place}: {detail}; bring that file from a backup and try again")]
    NotWhole {
        /// The release.
        release: ReleaseId,
        /// The file.
        place: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A file of a release cannot be written without an erased record.
    #[error("cannot rewrite `{path}` without the erased record")]
    Rewrite {
        /// The file.
        path: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A local file cannot be read or written.
    #[error("cannot access {}", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A release id cannot be made.
    #[error("cannot name a release of the day")]
    Id(#[from] InvalidId),
    /// A page cannot be drawn.
    #[error("cannot draw `{page}`")]
    Page {
        /// The page.
        page: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A release is not in the log.
    #[error("`{dataset}` has no release `{release}`")]
    NoRelease {
        /// The dataset.
        dataset: DatasetId,
        /// The release.
        release: ReleaseId,
    },
    /// A release that the log shows has no manifest.
    #[error(
        "release `{release}` of `{dataset}` has no manifest.json in the public store: `essaim releases verify` tells more"
    )]
    NoManifest {
        /// The dataset.
        dataset: DatasetId,
        /// The release.
        release: ReleaseId,
    },
    /// The manifest of a release is damaged.
    #[error("manifest.json of release `{release}` of `{dataset}` cannot be read")]
    Manifest {
        /// The dataset.
        dataset: DatasetId,
        /// The release.
        release: ReleaseId,
        /// Why.
        source: serde_json::Error,
    },
    /// A table cannot be compared with that of the release before.
    #[error("cannot compare table `{table}` with that of the release before")]
    Compare {
        /// The table.
        table: TableName,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What changed since another release cannot be listed.
    #[error("cannot list the changes of `{table}` between releases `{before}` and `{after}`")]
    Changes {
        /// The table, or the file of the list.
        table: String,
        /// The older release.
        before: ReleaseId,
        /// The newer release.
        after: ReleaseId,
        /// Why.
        source: Box<ChangesError>,
    },
    /// Somebody else kept committing.
    #[error("`{dataset}` was published by others {attempts} times while this release waited")]
    Contended {
        /// The dataset.
        dataset: DatasetId,
        /// How often.
        attempts: u32,
    },
}

/// Changes cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// Rows cannot be compared.
    #[error("cannot compare the rows")]
    Rows(#[from] DiffError),
    /// A Parquet file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The list cannot be written.
    #[error("cannot write the list of changes")]
    Write(#[source] Box<dyn std::error::Error + Send + Sync>),
}
