//! Rejects, unfit cells and corrections of one table: files beside the run's record, in the private store.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::normalise::reject::ERASED;
use crate::normalise::{Correction, Reject, UnfitCell};

use super::error::RunError;

/// Columns of the list of rejects; `cellules` says whose columns the cells of `brut` are.
const REJECTS: [&str; 7] = ["ligne", "position", "motif", "colonne", "explication", "cellules", "brut"];
/// The cells of a reject are those of the source.
const OF_SOURCE: &str = "source";
/// The cells of a reject are those of the table.
pub(super) const OF_TABLE: &str = "table";

/// One list that grows while a table is read.
#[derive(Debug)]
struct List {
    path: PathBuf,
    header: &'static [&'static str],
    writer: Option<csv::Writer<File>>,
}

impl List {
    fn new(path: PathBuf, header: &'static [&'static str]) -> Self {
        Self { path, header, writer: None }
    }

    fn write(&mut self, cells: &[&str]) -> Result<(), RunError> {
        self.append(cells).map_err(|source| RunError::Scratch { path: self.path.clone(), source: Box::new(source) })
    }

    fn append(&mut self, cells: &[&str]) -> csv::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            empty => {
                let mut writer = csv::Writer::from_path(&self.path)?;
                writer.write_record(self.header)?;
                empty.insert(writer)
            }
        };
        writer.write_record(cells)
    }

    fn finish(mut self) -> Result<Option<PathBuf>, RunError> {
        match self.writer.take() {
            None => Ok(None),
            Some(mut writer) => match writer.flush() {
                Ok(()) => Ok(Some(self.path)),
                Err(source) => Err(RunError::Scratch { path: self.path, source: Box::new(source) }),
            },
        }
    }
}

/// A line as it is listed; blank where the source has none.
fn position(line: Option<u64>) -> String {
    line.map(|line| line.to_string()).unwrap_or_default()
}

/// Counts of what a ledger holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct LedgerCounts {
    /// Rejected rows by reason.
    pub rejects: BTreeMap<String, u64>,
    /// Unfit cells by column.
    pub unfit: BTreeMap<String, u64>,
    /// Automatic corrections by rule.
    pub corrections: BTreeMap<String, u64>,
}

/// Keeps what did not go through as it was.
#[derive(Debug)]
pub(super) struct Ledger {
    rejects: List,
    unfit: List,
    corrections: List,
    pub(super) counts: LedgerCounts,
}

impl Ledger {
    /// An empty ledger of a table, in a folder of the run.
    pub(super) fn new(folder: &Path, table: &str) -> Self {
        let path = |kind: &str| folder.join(format!("{kind}-{table}.csv"));
        Self {
            rejects: List::new(path("rejects"), &REJECTS),
            unfit: List::new(path("cellules"), &["ligne", "position", "cle", "colonne", "valeur", "motif"]),
            corrections: List::new(
                path("corrections"),
                &["ligne", "position", "cle", "colonne", "avant", "regle", "apres"],
            ),
            counts: LedgerCounts::default(),
        }
    }

    /// Keeps a rejected row, with the cells that the source has.
    pub(super) fn reject(&mut self, reject: &Reject) -> Result<(), RunError> {
        self.rejected(reject, OF_SOURCE)
    }

    /// Keeps a row that a newer one beat, with the cells that the table had.
    pub(super) fn beaten(&mut self, reject: &Reject) -> Result<(), RunError> {
        self.rejected(reject, OF_TABLE)
    }

    fn rejected(&mut self, reject: &Reject, cells: &str) -> Result<(), RunError> {
        *self.counts.rejects.entry(reject.reason.clone()).or_default() += 1;
        if reject.reason == ERASED {
            return Ok(());
        }
        let raw: serde_json::Map<String, serde_json::Value> =
            reject.raw.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let (line, column) = (position(reject.line), reject.column.as_deref().unwrap_or(""));
        let raw = serde_json::Value::Object(raw).to_string();
        self.rejects.write(&[&reject.row.to_string(), &line, &reject.reason, column, &reject.detail, cells, &raw])
    }

    /// Keeps a cell that did not fit.
    pub(super) fn unfit(&mut self, cell: &UnfitCell) -> Result<(), RunError> {
        *self.counts.unfit.entry(cell.column.clone()).or_default() += 1;
        self.unfit.write(&[
            &cell.row.to_string(),
            &position(cell.line),
            &cell.key,
            &cell.column,
            &cell.value,
            &cell.reason,
        ])
    }

    /// Keeps a correction.
    pub(super) fn correction(&mut self, fix: &Correction) -> Result<(), RunError> {
        *self.counts.corrections.entry(fix.rule.clone()).or_default() += 1;
        let row = fix.row.to_string();
        self.corrections.write(&[&row, &position(fix.line), &fix.key, &fix.column, &fix.before, &fix.rule, &fix.after])
    }

    /// Ends the lists: the files that hold something, by the name they have beside the run's record.
    pub(super) fn finish(self, table: &str) -> Result<(LedgerCounts, Vec<(String, PathBuf)>), RunError> {
        let mut files = Vec::new();
        for (folder, list) in [("rejects", self.rejects), ("unfit", self.unfit), ("corrections", self.corrections)] {
            if let Some(path) = list.finish()? {
                files.push((format!("{folder}/{table}.csv"), path));
            }
        }
        Ok((self.counts, files))
    }
}
