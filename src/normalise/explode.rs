//! Child tables: one row for each item of a cell.

use super::chunk::Remark;
use super::error::NormaliseError;
use super::row::{Header, RawCell, RawRow, Rows, Slot, tidy};
use super::scalar::html;
use super::scalar::text;
use crate::config::pipeline::{Explode, TableSpec};
use crate::id::TableName;

/// Column with the rank of an item in its cell.
const RANK: &str = "#item";

/// An item of a cell.
enum Item {
    Text(String),
    /// Members of an object: column, value, and whether it has a type.
    Object(Vec<(String, String, bool)>),
}

/// Hands each item on as a row.
pub(super) struct Exploded<'a> {
    table: &'a TableName,
    spec: &'a Explode,
    /// Whether the items are HTML, so that `;` may end an entity.
    html: bool,
    /// The source's header.
    header: Header,
    at: Option<usize>,
    /// Columns of items that are objects, behind the source's and the rank.
    members: Vec<String>,
    number: u64,
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    rows: &'a mut dyn Rows,
}

impl<'a> Exploded<'a> {
    pub(super) fn new(table: &'a TableSpec, spec: &'a Explode, rows: &'a mut dyn Rows) -> Self {
        let column = tidy(&spec.column);
        let html =
            table.mappings.iter().any(|mapping| mapping.html && mapping.from.iter().any(|name| tidy(name) == column));
        Self {
            table: &table.name,
            spec,
            html,
            header: Header::new("", Vec::new(), false),
            at: None,
            members: Vec::new(),
            number: 0,
            bytes: Vec::new(),
            slots: Vec::new(),
            rows,
        }
    }

    fn tell(&mut self) -> Result<(), NormaliseError> {
        let mut header = self.header.clone();
        header.names.push(RANK.to_owned());
        header.names.extend(self.members.iter().cloned());
        if !header.options.is_empty() {
            header.options.resize(header.names.len(), None);
        }
        // Members of objects come to be known item by item.
        header.grows |= !self.members.is_empty();
        self.rows.header(header)
    }

    fn items(&self, cell: &[u8]) -> Vec<Item> {
        let trimmed = text::trim(cell);
        if trimmed.first() == Some(&b'[')
            && let Ok(values) = serde_json::from_slice::<Vec<serde_json::Value>>(trimmed)
        {
            return values.into_iter().filter_map(|value| self.item(value)).collect();
        }
        let whole = String::from_utf8_lossy(cell);
        let pieces =
            if self.html { html::split(&whole, &self.spec.separators) } else { split(&whole, &self.spec.separators) };
        let pieces = pieces.into_iter().map(str::trim).filter(|piece| !piece.is_empty());
        pieces.map(|piece| Item::Text(piece.to_owned())).collect()
    }

    fn item(&self, value: serde_json::Value) -> Option<Item> {
        match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(Item::Text(text)),
            serde_json::Value::Object(members) => {
                let member = |(name, value): (String, serde_json::Value)| {
                    let name = tidy(&format!("{}.{name}", self.spec.column));
                    match value {
                        serde_json::Value::Null => None,
                        serde_json::Value::String(text) => Some((name, text, false)),
                        other => Some((name, other.to_string(), true)),
                    }
                };
                Some(Item::Object(members.into_iter().filter_map(member).collect()))
            }
            other => Some(Item::Text(other.to_string())),
        }
    }

    fn hand_on(&mut self, row: &RawRow<'_>, at: usize, rank: usize, item: Item) -> Result<(), NormaliseError> {
        self.bytes.clear();
        self.bytes.extend_from_slice(row.bytes);
        self.slots.clear();
        self.slots.extend_from_slice(row.slots);
        let put = |bytes: &mut Vec<u8>, text: &str| {
            let from = bytes.len();
            bytes.extend_from_slice(text.as_bytes());
            (from, bytes.len())
        };
        let (from, to) = put(&mut self.bytes, &rank.to_string());
        self.slots.push(Slot::Typed(from, to));
        self.slots.resize(self.header.names.len() + 1 + self.members.len(), Slot::Missing);
        match item {
            Item::Text(text) => {
                let (from, to) = put(&mut self.bytes, &text);
                if let Some(slot) = self.slots.get_mut(at) {
                    *slot = Slot::At(from, to);
                }
            }
            Item::Object(members) => {
                let known = self.members.len();
                for (name, text, typed) in members {
                    let nth = self.members.iter().position(|member| *member == name).unwrap_or_else(|| {
                        self.members.push(name);
                        self.members.len() - 1
                    });
                    let place = self.header.names.len() + 1 + nth;
                    if self.slots.len() <= place {
                        self.slots.resize(place + 1, Slot::Missing);
                    }
                    let (from, to) = put(&mut self.bytes, &text);
                    if let Some(slot) = self.slots.get_mut(place) {
                        *slot = if typed { Slot::Typed(from, to) } else { Slot::At(from, to) };
                    }
                }
                if self.members.len() > known {
                    self.tell()?;
                }
            }
        }
        self.number += 1;
        // The line of the parent, not that of the texts that were added.
        let feeds = memchr::memchr_iter(b'\n', self.bytes.get(row.bytes.len()..).unwrap_or(&[])).count() as u64;
        let last_line = row.last_line.map(|line| line + feeds);
        self.rows.row(&RawRow { number: self.number, last_line, bytes: &self.bytes, slots: &self.slots })
    }
}

/// The pieces of a text between separators.
fn split<'t>(text: &'t str, separators: &[String]) -> Vec<&'t str> {
    let mut pieces = vec![text];
    for separator in separators.iter().filter(|separator| !separator.is_empty()) {
        pieces = pieces.into_iter().flat_map(|piece| piece.split(separator.as_str())).collect();
    }
    pieces
}

impl Rows for Exploded<'_> {
    fn header(&mut self, header: Header) -> Result<(), NormaliseError> {
        header.refuse_ambiguous(self.table, [&self.spec.column])?;
        self.at = header.position(&self.spec.column);
        self.header = header;
        self.tell()
    }

    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        if row.slots.len() != self.header.names.len() {
            self.number += 1;
            return self.rows.row(&RawRow { number: self.number, ..*row });
        }
        let (at, items) = match self.at.map(|at| (at, row.cell(at))) {
            Some((at, RawCell::Bytes(cell) | RawCell::Typed(cell))) => (at, self.items(cell)),
            // Nobody knows how many items it has: it is one, which its column lists.
            Some((at, RawCell::Faulty(..))) => (at, vec![Item::Object(Vec::new())]),
            _ => (0, Vec::new()),
        };
        if items.is_empty() {
            self.rows.ignore(1);
        }
        for (nth, item) in items.into_iter().enumerate() {
            self.hand_on(row, at, nth + 1, item)?;
        }
        Ok(())
    }

    fn refuse(&mut self, row: &RawRow<'_>, reason: &str, detail: String) -> Result<(), NormaliseError> {
        self.number += 1;
        self.rows.refuse(&RawRow { number: self.number, ..*row }, reason, detail)
    }

    fn remark(&mut self, remark: Remark) {
        self.rows.remark(remark);
    }

    fn ignore(&mut self, members: u64) {
        self.rows.ignore(members);
    }
}
