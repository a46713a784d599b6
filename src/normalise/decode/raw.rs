//! Cells kept as the source has them.

use arrow::array::ArrayRef;
use arrow::error::ArrowError;

use super::store::Texts;
use crate::normalise::row::{Header, RawRow};

/// The cells of one source column, neither trimmed nor cast. An empty cell is null.
#[derive(Debug)]
pub(in crate::normalise) struct RawText {
    wanted: [String; 1],
    at: Option<usize>,
    texts: Texts,
}

impl RawText {
    /// The cells of a source column.
    pub(in crate::normalise) fn new(wanted: &str) -> Self {
        Self { wanted: [wanted.to_owned()], at: None, texts: Texts::new() }
    }

    /// Name of the source column.
    pub(in crate::normalise) fn wanted(&self) -> &[String] {
        &self.wanted
    }

    /// Finds the source column.
    pub(in crate::normalise) fn bind(&mut self, header: &Header) {
        self.at = header.position(&self.wanted[0]);
    }

    /// Appends the cell of a row.
    pub(in crate::normalise) fn push(&mut self, row: &RawRow<'_>) {
        let bytes = self.at.and_then(|at| row.cell(at).shown()).filter(|bytes| !bytes.is_empty());
        self.texts.push(bytes.map(String::from_utf8_lossy).as_deref());
    }

    /// Bytes of texts since the last batch.
    pub(in crate::normalise) fn bytes(&self) -> usize {
        self.texts.bytes()
    }

    /// The column as Arrow's, and empties it.
    pub(in crate::normalise) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        self.texts.finish()
    }
}
