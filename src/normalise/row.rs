//! What readers hand over: a header, then rows whose cells are bytes of one buffer.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::chunk::Remark;
use super::error::NormaliseError;
use super::scalar::text;
use crate::id::TableName;

/// Where a cell is in its row's bytes, or why it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// From the first to before the second offset.
    At(usize, usize),
    /// The same, written by the reader from a value that has a type in the source: a number with a decimal point, an
    /// ISO 8601 date or date-time, `true` or `false`, a JSON list.
    Typed(usize, usize),
    /// The same, of a cell that cannot be read: an error of a formula, bytes that are no text. With a stable code.
    Faulty(usize, usize, &'static str),
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
    /// A cell that cannot be read, and why: it is listed as one that does not fit.
    Faulty(&'a [u8], &'static str),
    /// Nothing was answered.
    Empty,
    /// Not shown.
    Missing,
    /// Held back.
    Masked,
}

impl<'a> RawCell<'a> {
    /// The bytes, when there are any that can be read.
    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) | Self::Typed(bytes) => Some(bytes),
            Self::Faulty(..) | Self::Empty | Self::Missing | Self::Masked => None,
        }
    }

    /// What a person who looks at the source sees, which may not be readable.
    pub(super) fn shown(self) -> Option<&'a [u8]> {
        match self {
            Self::Faulty(bytes, _) => Some(bytes),
            cell => cell.bytes(),
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
            Some(Slot::Faulty(from, to, code)) => RawCell::Faulty(self.bytes.get(*from..*to).unwrap_or(&[]), code),
            Some(Slot::Empty) => RawCell::Empty,
            Some(Slot::Masked) => RawCell::Masked,
            Some(Slot::Missing) | None => RawCell::Missing,
        }
    }

    /// The first filled cell of some; when none is, one that cannot be read, else what the first of them that the row has
    /// says.
    pub(super) fn first_filled(&self, at: &[usize], missing: &[String]) -> RawCell<'a> {
        if let [only] = at {
            return self.cell(*only);
        }
        let mut nothing = RawCell::Missing;
        for cell in at.iter().map(|at| self.cell(*at)) {
            if cell.is_filled(missing) {
                return cell;
            }
            let faulty = |cell| matches!(cell, RawCell::Faulty(..));
            if nothing == RawCell::Missing || (faulty(cell) && !faulty(nothing)) {
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
    pub(super) repeated: Vec<Repeated>,
    /// Whether cells are told by their position, so that each row must have as many as the header.
    pub(super) positional: bool,
    /// Whether columns come to be known row by row: the header may be told again, longer, for the same part.
    pub(super) grows: bool,
    /// Coordinate system that the part declares for its shapes, as it is written there.
    pub(super) crs: Option<String>,
}

/// A name that several columns bear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repeated {
    /// The name.
    pub(super) name: String,
    /// Positions of the columns.
    pub(super) at: Vec<usize>,
}

impl Header {
    /// A header of columns that all have a name of their own.
    pub(super) fn new(part: impl Into<String>, names: Vec<String>, positional: bool) -> Self {
        let (options, repeated) = (Vec::new(), Vec::new());
        Self { part: part.into(), names, options, repeated, positional, grows: false, crs: None }
    }

    /// A header whose repeated names are numbered, until all columns have a name of their own.
    pub(super) fn numbered(part: &str, mut names: Vec<String>, positional: bool) -> Self {
        let mut repeated: Vec<Repeated> = Vec::new();
        loop {
            let mut places: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
            for (at, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
                places.entry(name).or_default().push(at);
            }
            let several = places.into_iter().filter(|(_, at)| at.len() > 1);
            let found: Vec<Repeated> = several.map(|(name, at)| Repeated { name: name.to_owned(), at }).collect();
            if found.is_empty() {
                break;
            }
            for Repeated { name, at } in &found {
                for (nth, at) in at.iter().enumerate() {
                    names[*at] = format!("{name}#{}", nth + 1);
                }
            }
            repeated.extend(found);
        }
        repeated.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Self { repeated, ..Self::new(part, names, positional) }
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

    /// Fails when one of some names is borne by several columns.
    pub(super) fn refuse_ambiguous<'w>(
        &self,
        table: &TableName,
        wanted: impl IntoIterator<Item = &'w String>,
    ) -> Result<(), NormaliseError> {
        if self.repeated.is_empty() {
            return Ok(());
        }
        let of = |name: &String| self.repeated.iter().find(|repeated| repeated.name == *name);
        let mut asked = wanted.into_iter().map(|name| tidy(name)).filter(|name| !self.names.contains(name));
        let Some((column, repeated)) = asked.find_map(|name| of(&name).map(|known| (name, known))) else {
            return Ok(());
        };
        let mut names = repeated.at.iter().filter_map(|at| self.names.get(*at)).cloned();
        let (first, second) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
        Err(NormaliseError::RepeatedColumn {
            table: table.clone(),
            part: self.part.clone(),
            column,
            count: repeated.at.len(),
            numbered: Box::new([first, second]),
        })
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

/// A name as it is compared.
pub(super) use crate::config::reading::spelled as tidy;

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
