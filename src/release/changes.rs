//! `changes.json`: what changed since another release, counted. The changes themselves stand in `changes.parquet`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::diff::{Incomparable, OtherColumns};
use crate::id::{DatasetId, ReleaseId};

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// A cell of it is another.
    Changed,
}

impl ChangeKind {
    /// Its name in the files of a release.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// How a table stands beside the one of the other release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableState {
    /// It says the same.
    Same,
    /// Rows were compared.
    Compared,
    /// The older release does not have it.
    Added,
    /// The newer release does not have it.
    Removed,
    /// Rows could not be compared.
    NotCompared,
}

/// Why causes could not be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotTold {
    /// The older snapshots are not kept any more.
    SnapshotsGone,
    /// The older geography is not kept.
    ReferenceGone,
    /// The older program is not there, and the project's files moved, too.
    OtherProgram,
    /// The present project cannot be run on the older inputs.
    CannotBeRun,
    /// The releases do not follow each other, and nothing is run to compare them.
    NotRun,
}

/// Changes of one table, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableChanges {
    /// Name.
    pub table: String,
    /// Title for people.
    pub title: String,
    /// How it was compared.
    pub state: TableState,
    /// Why its rows could not be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Incomparable>,
    /// Rows in the older release.
    pub rows_before: Option<u64>,
    /// Rows in the newer release.
    pub rows_after: Option<u64>,
    /// Columns that are not compared.
    #[serde(default)]
    pub columns: OtherColumns,
    /// Rows that are new.
    pub added: u64,
    /// Rows that are gone.
    pub removed: u64,
    /// How many of those are told by this number only: an entry or a consent may have been withdrawn.
    pub removed_unlisted: u64,
    /// Rows with other cells.
    pub changed: u64,
    /// How many of those are told, in part or whole, by this number only: an answer may have been withdrawn, or the cell held
    /// a personal value.
    pub changed_unlisted: u64,
    /// Changed cells that are listed, by column.
    pub cells: BTreeMap<String, u64>,
    /// Changes that are listed, by cause.
    pub causes: BTreeMap<String, u64>,
}

impl TableChanges {
    /// A table that was not compared row by row.
    pub fn new(table: &str, title: &str, state: TableState) -> Self {
        Self {
            table: table.to_owned(),
            title: title.to_owned(),
            state,
            reason: None,
            rows_before: None,
            rows_after: None,
            columns: OtherColumns::default(),
            added: 0,
            removed: 0,
            removed_unlisted: 0,
            changed: 0,
            changed_unlisted: 0,
            cells: BTreeMap::new(),
            causes: BTreeMap::new(),
        }
    }

    /// Whether nothing is to be told of it.
    pub fn is_quiet(&self) -> bool {
        let states = matches!(self.state, TableState::Same | TableState::Compared);
        states && self.columns.is_quiet() && self.added + self.removed + self.changed == 0
    }
}

/// What changed from one release to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSummary {
    /// The dataset.
    pub dataset: DatasetId,
    /// The older release.
    pub previous: ReleaseId,
    /// The newer release.
    pub release: ReleaseId,
    /// Inputs that moved between them.
    pub moved: Vec<Cause>,
    /// Sources that moved between them.
    pub sources: Vec<String>,
    /// Whether each change could be given to one of these.
    pub told_apart: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_told: Vec<NotTold>,
    /// Tables, in the order of the newer release, then those that are gone.
    pub tables: Vec<TableChanges>,
}
