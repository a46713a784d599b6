//! What readers hand over: a header, then rows whose cells are bytes of one buffer.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::error::NormaliseError;

/// Where a cell is in its row's bytes, or why it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// From the first to before the second offset.
    At(usize, usize),
    /// Nothing was answered.
    Empty,
    /// The source has no such cell in this row: it was not shown.
    Missing,
    /// The source holds it back.
    Masked,
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RawCell<'a> {
    /// UTF-8 bytes as the source has them.
    Bytes(&'a [u8]),
    /// Nothing was answered.
    Empty,
    /// Not shown.
    Missing,
    /// Held back.
    Masked,
}

/// One row, borrowed from its reader.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawRow<'a> {
    /// From 1, over all parts.
    pub(super) number: u64,
    /// Line at which the row ends, where the source has lines; [`RawRow::line`] is where it starts.
    pub(super) last_line: Option<u64>,
    /// The cells' bytes.
    pub(super) bytes: &'a [u8],
    /// Where each cell is, in the order of the header.
    pub(super) slots: &'a [Slot],
}

impl<'a> RawRow<'a> {
    /// A cell by its position in the header.
    pub(super) fn cell(&self, at: usize) -> RawCell<'a> {
        match self.slots.get(at) {
            Some(Slot::At(from, to)) => self.bytes.get(*from..*to).map_or(RawCell::Missing, RawCell::Bytes),
            Some(Slot::Empty) => RawCell::Empty,
            Some(Slot::Masked) => RawCell::Masked,
            Some(Slot::Missing) | None => RawCell::Missing,
        }
    }

    /// Line at which the row starts.
    pub(super) fn line(&self) -> Option<u64> {
        let feeds = memchr::memchr_iter(b'\n', self.bytes).count();
        self.last_line.map(|line| line.saturating_sub(feeds as u64))
    }
}

/// Keys of a closed question and what they stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options(pub(super) FxHashMap<String, String>);

impl Options {
    /// The label of a key, entities decoded.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

/// The columns of a part.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// The part.
    pub(super) part: String,
    /// Names, in the order of the cells.
    pub(super) names: Vec<String>,
    /// Options of the columns that are closed questions with keys; empty when there are none at all.
    pub(super) options: Vec<Option<Arc<Options>>>,
    /// Whether cells are told by their position, so that a row can be shifted.
    pub(super) positional: bool,
}

impl Header {
    /// Position of the first of some names that is there.
    pub(super) fn find(&self, wanted: &[String]) -> Option<usize> {
        wanted.iter().find_map(|name| self.names.iter().position(|known| known == name))
    }

    /// Options of a column.
    pub(super) fn options_of(&self, at: usize) -> Option<&Arc<Options>> {
        self.options.get(at).and_then(Option::as_ref)
    }
}

/// Takes rows in. Each call either keeps the row or rejects it, and counts it.
pub(super) trait Rows {
    /// The columns of the rows that follow.
    fn header(&mut self, header: Header) -> Result<(), NormaliseError>;
    /// One row.
    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError>;
    /// One row that its reader cannot accept.
    fn refuse(&mut self, row: &RawRow<'_>, reason: &str, detail: String) -> Result<(), NormaliseError>;
}
