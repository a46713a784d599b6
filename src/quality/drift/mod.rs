//! What changed in the shape of a source since the snapshot that was read before: columns, what their cells hold,
//! options of closed columns. Each change says what to write.

mod cells;
mod columns;
mod suggest;

#[cfg(test)]
mod tests;

use std::fmt;

pub use cells::{KnownCells, KnownSource};

use crate::config::pipeline::TableSpec;
use crate::normalise::ColumnShape;

/// How many cells of how many filled ones do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit {
    /// Cells of which nothing fits.
    pub cells: u64,
    /// Filled cells.
    pub of: u64,
}

/// A change of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A column is gone.
    Gone {
        /// Its name.
        column: String,
        /// Whether the table reads it and has nothing in its place.
        used: bool,
    },
    /// A column is gone, and a new one looks like it.
    Renamed {
        /// The name before.
        before: String,
        /// The name now.
        now: String,
        /// Whether the table reads it and has nothing in its place.
        used: bool,
    },
    /// A column is new.
    New {
        /// Its name.
        column: String,
    },
    /// Cells that used to fit a column of the table do not any longer.
    Retyped {
        /// The column of the contract.
        column: String,
        /// What its cells should be, as a plural.
        wanted: &'static str,
        /// How it was.
        before: Unfit,
        /// How it is.
        now: Unfit,
        /// Whether more than half of what the column had is lost.
        lost: bool,
        /// What to write.
        advice: String,
    },
    /// A closed column holds an option that is not in its list, and was not there before.
    NewOption {
        /// The column of the contract.
        column: String,
        /// The option, as the source writes it.
        option: String,
        /// Cells that hold it.
        cells: u64,
        /// What to write.
        advice: String,
    },
    /// More new options than are told one by one.
    MoreOptions {
        /// The column of the contract.
        column: String,
        /// How many.
        count: usize,
    },
    /// Options that no row has any longer.
    LostOptions {
        /// The column of the contract.
        column: String,
        /// Codes, and the rows that had them.
        options: Vec<(String, u64)>,
    },
}

impl Change {
    /// Whether cells that the table had are empty now, so many that a release should not go on without a word. Options
    /// come and go: they are told, and stop nothing.
    pub fn is_felt(&self) -> bool {
        match self {
            Self::Gone { used: felt, .. } | Self::Renamed { used: felt, .. } | Self::Retyped { lost: felt, .. } => {
                *felt
            }
            Self::New { .. } | Self::NewOption { .. } | Self::MoreOptions { .. } | Self::LostOptions { .. } => false,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { column, used: true } => write!(f, "source column `{column}` is gone, and the table reads it"),
            Self::Gone { column, .. } => write!(f, "source column `{column}` is gone"),
            Self::Renamed { before, now, used: true } => write!(
                f,
                "source column `{before}` is gone and `{now}` is new: if it is the same, write both where the pipeline \
                 names it, from = [\"{now}\", \"{before}\"]"
            ),
            Self::Renamed { before, now, .. } => {
                write!(f, "source column `{before}` is gone and `{now}` is new, which looks like it")
            }
            Self::New { column } => write!(f, "source column `{column}` is new"),
            Self::Retyped { column, wanted, before, now, advice, .. } => write!(
                f,
                "in column `{column}` {} of {} filled cells are no {wanted} ({} of {} before): {advice}",
                now.cells, now.of, before.cells, before.of
            ),
            Self::NewOption { column, option, cells, advice } => {
                let s = if *cells == 1 { "" } else { "s" };
                write!(f, "column `{column}` has the new option `{option}` in {cells} cell{s}: {advice}")
            }
            Self::MoreOptions { column, count } => {
                write!(f, "column `{column}` has {count} more new options, which are in the list of unfit cells")
            }
            Self::LostOptions { column, options } => {
                let options: Vec<String> =
                    options.iter().map(|(code, rows)| format!("`{code}` ({rows} before)")).collect();
                write!(f, "in column `{column}` no row has {} any longer", options.join(", "))
            }
        }
    }
}

/// What changed between the snapshot of a table's source that was read before and the one that was just read. `shapes`
/// are those of the columns, in the order of the contract.
pub fn changes(before: &KnownSource, now: &KnownSource, shapes: &[ColumnShape], table: &TableSpec) -> Vec<Change> {
    let mut changes = columns::changes(&before.columns, &now.columns, table);
    for (at, column) in table.contract.columns.iter().enumerate() {
        let kept = before.cells.get(&column.name).zip(now.cells.get(&column.name));
        if let Some(((before, now), shape)) = kept.zip(shapes.get(at)) {
            changes.extend(cells::changes(table, at, before, now, shape));
        }
    }
    changes
}
