//! What readers hand over: a header, then rows whose cells are bytes of one buffer.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::chunk::Remark;
use super::error::NormaliseError;
use super::scalar::text;

/// Where a cell is in its row's bytes, or why it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// From the first to before the second offset.
    At(usize, usize),
    /// The same, written by the reader from a value that has a type in the source: a number with a decimal point, an
    /// ISO 8601 date or date-time, `true` or `false`, a JSON list.
    Typed(usize, usize),
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
    /// A value that has a type in the source: see [`Slot::Typed`].
    Typed(&'a [u8]),
    /// Nothing was answered.
    Empty,
    /// Not shown.
    Missing,
    /// Held back.
    Masked,
}

impl<'a> RawCell<'a> {
    /// The bytes, when there are any.
    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) | Self::Typed(bytes) => Some(bytes),
            Self::Empty | Self::Missing | Self::Masked => None,
        }
    }

    /// Whether there is something in it that does not stand for nothing.
    pub(super) fn is_filled(self, missing: &[String]) -> bool {
        let trimmed = self.bytes().map_or(&b""[..], text::trim);
        !trimmed.is_empty() && !missing.iter().any(|missing| missing.as_bytes() == trimmed)
    }
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
            Some(Slot::Typed(from, to)) => self.bytes.get(*from..*to).map_or(RawCell::Missing, RawCell::Typed),
            Some(Slot::Empty) => RawCell::Empty,
            Some(Slot::Masked) => RawCell::Masked,
            Some(Slot::Missing) | None => RawCell::Missing,
        }
    }

    /// The first filled cell of some; when none is, what the first of them that the row has says.
    pub(super) fn first_filled(&self, at: &[usize], missing: &[String]) -> RawCell<'a> {
        if let [only] = at {
            return self.cell(*only);
        }
        let mut nothing = RawCell::Missing;
        for cell in at.iter().map(|at| self.cell(*at)) {
            if cell.is_filled(missing) {
                return cell;
            }
            if nothing == RawCell::Missing {
                nothing = cell;
            }
        }
        nothing
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
    /// Names that several columns bear; [`Header::names`] numbers these columns: `Name#1`, `Name#2`.
    pub(super) repeated: Vec<String>,
    /// Whether cells are told by their position, so that each row must have as many as the header.
    pub(super) positional: bool,
    /// Whether columns come to be known row by row: the header may be told again, longer, for the same part.
    pub(super) grows: bool,
}

impl Header {
    /// A header of columns that all have a name of their own.
    pub(super) fn new(part: impl Into<String>, names: Vec<String>, positional: bool) -> Self {
        let (options, repeated) = (Vec::new(), Vec::new());
        Self { part: part.into(), names, options, repeated, positional, grows: false }
    }

    /// Position of a source column: by its name, by `#3` for the third, by the last part of `Group > Name` when one
    /// column only has it.
    pub(super) fn position(&self, wanted: &str) -> Option<usize> {
        let wanted = tidy(wanted);
        if let Some(at) = self.names.iter().position(|known| *known == wanted) {
            return Some(at);
        }
        if let Some(nth) = wanted.strip_prefix('#').and_then(|nth| nth.parse::<usize>().ok()) {
            return nth.checked_sub(1).filter(|at| *at < self.names.len());
        }
        let last = |name: &String| name.rsplit_once(GROUP).is_some_and(|(_, last)| last == wanted);
        let mut found = self.names.iter().enumerate().filter(|(_, name)| last(name)).map(|(at, _)| at);
        found.next().filter(|_| found.next().is_none())
    }

    /// Positions of those of some names that are there, in the order of the names.
    pub(super) fn positions(&self, wanted: &[String]) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for at in wanted.iter().filter_map(|name| self.position(name)) {
            if !found.contains(&at) {
                found.push(at);
            }
        }
        found
    }

    /// One of some names that several columns bear, and how many do.
    pub(super) fn ambiguous(&self, wanted: &[String]) -> Option<(String, usize)> {
        let name = wanted.iter().map(|name| tidy(name)).find(|name| self.repeated.contains(name))?;
        let start = format!("{name}#");
        let count = self.names.iter().filter(|known| known.starts_with(&start)).count();
        Some((name, count))
    }

    /// Positions of the columns to read, the first filled one of each row. Of closed questions with keys only the first
    /// is read, since keys mean other things in other columns.
    pub(super) fn bound(&self, wanted: &[String]) -> Vec<usize> {
        let mut found = self.positions(wanted);
        if !self.options.is_empty() {
            found.truncate(1);
        }
        found
    }

    /// Options of a column.
    pub(super) fn options_of(&self, at: usize) -> Option<&Arc<Options>> {
        self.options.get(at).and_then(Option::as_ref)
    }
}

/// Between the name of a group of columns and the name of a column of it.
pub(super) const GROUP: &str = " > ";

/// A name as it is compared: runs of blanks, no-break ones and line feeds included, are one space.
pub(super) fn tidy(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Takes rows in. Each call either keeps the row or rejects it, and counts it.
pub(super) trait Rows {
    /// The columns of the rows that follow.
    fn header(&mut self, header: Header) -> Result<(), NormaliseError>;
    /// One row.
    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError>;
    /// One row that its reader cannot accept.
    fn refuse(&mut self, row: &RawRow<'_>, reason: &str, detail: String) -> Result<(), NormaliseError>;
    /// Something that a person should know about a part.
    fn remark(&mut self, remark: Remark);
    /// So many members of the source that are no rows.
    fn ignore(&mut self, members: u64);
}
