//! How the numbers of a column are read: decimal mark, units.

use super::Cell;
use crate::config::pipeline::Mapping;
use crate::contract::Column;
use crate::normalise::scalar::{Unreadable, number, text};

/// How the numbers of a column are read.
#[derive(Debug)]
pub(super) struct Numbers {
    comma: bool,
    /// A comma is decimal where there is one, a point elsewhere.
    either: bool,
    /// Units and their factors, the longest first.
    units: Vec<(String, f64)>,
}

impl Numbers {
    pub(super) fn new(column: &Column, mapping: Option<&Mapping>) -> Self {
        let mut units = mapping.map_or_else(Vec::new, |mapping| mapping.units.clone());
        units.sort_by_key(|(unit, _)| std::cmp::Reverse(unit.len()));
        let comma = column.decimal_comma || mapping.is_some_and(|mapping| mapping.decimal_comma);
        Self { comma, either: mapping.is_some_and(|mapping| mapping.decimal_either), units }
    }

    /// Whether a text has a decimal comma.
    fn comma(&self, text: &[u8]) -> bool {
        if self.either { text.contains(&b',') } else { self.comma }
    }

    /// A whole number.
    pub(super) fn integer(&self, trimmed: &[u8], cell: &mut Cell<'_>) -> Result<i64, Unreadable> {
        let read = number::integer(trimmed, self.comma(trimmed) && !cell.typed);
        if read.is_ok() || self.units.is_empty() {
            return read;
        }
        let value = self.with_unit(trimmed, cell).ok_or("nombre_illisible")?;
        number::integer(value.to_string().as_bytes(), false)
    }

    /// A decimal number.
    pub(super) fn number(&self, trimmed: &[u8], cell: &mut Cell<'_>) -> Result<f64, Unreadable> {
        let read = number::number(trimmed, self.comma(trimmed) && !cell.typed);
        if read.is_ok() || self.units.is_empty() {
            return read;
        }
        self.with_unit(trimmed, cell).ok_or("nombre_illisible")
    }

    /// A number with a unit behind it, in the unit of the contract.
    fn with_unit(&self, trimmed: &[u8], cell: &mut Cell<'_>) -> Option<f64> {
        let text = std::str::from_utf8(trimmed).ok()?;
        let lower = text.to_lowercase();
        let (unit, factor) = self.units.iter().find(|(unit, _)| lower.ends_with(&unit.to_lowercase()))?;
        let rest = text.get(..text.len().checked_sub(unit.len())?)?;
        let value = number::number(text::trim(rest.as_bytes()), self.comma(rest.as_bytes())).ok()? * factor;
        if (factor - 1.0).abs() > f64::EPSILON {
            cell.notes.corrected(cell.column, text, "unite", &value.to_string());
        }
        Some(value)
    }
}
