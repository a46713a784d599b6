//! Lists of cells that did not go straight in, of the rows since the last chunk.

use crate::normalise::chunk::{Correction, UnfitCell};

/// Unfit cells and corrections. Those of the row at hand can be taken back when it is rejected.
#[derive(Debug, Default)]
pub(in crate::normalise) struct Notes {
    /// Cells that do not fit.
    pub(in crate::normalise) unfit: Vec<UnfitCell>,
    /// Cells that were mended.
    pub(in crate::normalise) corrections: Vec<Correction>,
    row: u64,
    settled: (usize, usize),
}

impl Notes {
    /// Begins a row.
    pub(in crate::normalise) fn begin(&mut self, row: u64) {
        self.row = row;
        self.settled = (self.unfit.len(), self.corrections.len());
    }

    /// Lists a cell that does not fit.
    pub(in crate::normalise) fn unfit(&mut self, column: &str, value: &str, reason: &str) {
        self.unfit.push(UnfitCell {
            row: self.row,
            line: None,
            key: String::new(),
            column: column.to_owned(),
            value: value.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Lists a cell that was mended.
    pub(in crate::normalise) fn corrected(&mut self, column: &str, before: &str, rule: &str, after: &str) {
        self.corrections.push(Correction {
            row: self.row,
            line: None,
            key: String::new(),
            column: column.to_owned(),
            before: before.to_owned(),
            rule: rule.to_owned(),
            after: after.to_owned(),
        });
    }

    /// Unfit cells of the row at hand.
    pub(in crate::normalise) fn of_row(&self) -> &[UnfitCell] {
        self.unfit.get(self.settled.0..).unwrap_or(&[])
    }

    /// Whether the row at hand has none.
    pub(in crate::normalise) fn is_clean(&self) -> bool {
        self.settled == (self.unfit.len(), self.corrections.len())
    }

    /// The row stays: its notes bear its key and its line.
    pub(in crate::normalise) fn keep(&mut self, key: &str, line: Option<u64>) {
        for note in self.unfit.iter_mut().skip(self.settled.0) {
            key.clone_into(&mut note.key);
            note.line = line;
        }
        for note in self.corrections.iter_mut().skip(self.settled.1) {
            key.clone_into(&mut note.key);
            note.line = line;
        }
    }

    /// The row is rejected: its notes go, its reject says what was wrong.
    pub(in crate::normalise) fn drop_row(&mut self) {
        self.unfit.truncate(self.settled.0);
        self.corrections.truncate(self.settled.1);
    }
}
