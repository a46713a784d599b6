//! The first rows of a part, held back until there are enough of them to tell what is usual there.

use super::row::{RawRow, Slot};

/// Rows that are held back.
const ROWS: usize = 64;
/// Most bytes of them.
const BYTES: usize = 1 << 20;

/// A row of its own.
#[derive(Debug, Clone)]
pub(super) struct OwnedRow {
    number: u64,
    last_line: Option<u64>,
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

impl OwnedRow {
    /// The row, as a reader hands it over.
    pub(super) fn borrow(&self) -> RawRow<'_> {
        RawRow { number: self.number, last_line: self.last_line, bytes: &self.bytes, slots: &self.slots }
    }
}

impl From<&RawRow<'_>> for OwnedRow {
    fn from(row: &RawRow<'_>) -> Self {
        let RawRow { number, last_line, bytes, slots } = *row;
        Self { number, last_line, bytes: bytes.to_vec(), slots: slots.to_vec() }
    }
}

/// A row that waits.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// To be decoded.
    Row(OwnedRow),
    /// Refused by its reader, with the reason and the explanation.
    Refused(OwnedRow, String, String),
}

/// Rows that wait.
#[derive(Debug, Default)]
pub(super) struct First {
    rows: Vec<Held>,
    bytes: usize,
    over: bool,
}

impl First {
    /// Of a part whose rows need not wait.
    pub(super) fn none() -> Self {
        Self { over: true, ..Self::default() }
    }

    /// Whether rows wait no more.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Holds a row back; `true` when there are enough.
    pub(super) fn hold(&mut self, row: &RawRow<'_>, refused: Option<(&str, String)>) -> bool {
        self.bytes += row.bytes.len();
        let row = OwnedRow::from(row);
        self.rows.push(match refused {
            None => Held::Row(row),
            Some((reason, detail)) => Held::Refused(row, reason.to_owned(), detail),
        });
        self.rows.len() >= ROWS || self.bytes >= BYTES
    }

    /// The rows that waited; no others will.
    pub(super) fn end(&mut self) -> Vec<Held> {
        std::mem::replace(self, Self::none()).rows
    }
}
