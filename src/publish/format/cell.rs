//! Cells of a release as text: one reader per column and batch, so that no cell looks its type up or allocates.

use std::io::Write as _;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Float64Array, Int64Array, ListArray, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::temporal_conversions::{date32_to_datetime, timestamp_us_to_datetime};
use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

use super::shape;
use crate::contract::arrow::Listed;

/// Text between the items of a list in a cell.
pub(super) const ITEM_SEPARATOR: char = '|';

/// Most characters that a cell of a spreadsheet takes.
const SPREADSHEET_CELL: usize = 32_767;

/// How values are written in a CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// For machines: `48.1`, `2026-11-22`, `true`.
    Canonical,
    /// For spreadsheets set to French: `48,1`, `22/11/2026`, `vrai`.
    French,
}

/// The cells of one column in one batch.
#[derive(Debug)]
pub(super) enum Cells<'a> {
    Text(&'a StringArray),
    /// The texts of a list, and which of them stand in a CSV as they are.
    Listed(Listed<'a>, Vec<bool>),
    Integer(&'a Int64Array),
    Number(&'a Float64Array),
    Boolean(&'a BooleanArray),
    Date(&'a Date32Array),
    DateTime(&'a TimestampMicrosecondArray),
    List(&'a ListArray, &'a StringArray),
    Shape(&'a BinaryArray),
}

impl<'a> Cells<'a> {
    /// The cells of a column; `None` when its type is none of those that a release holds.
    pub(super) fn of(array: &'a ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Dictionary(..) => {
                let listed = Listed::of(array)?;
                // A list that is longer than the batch is not looked through.
                let short = listed.texts.len() <= listed.rows();
                let plain = listed.texts.iter().filter(|_| short).map(|text| text.is_none_or(is_plain)).collect();
                Self::Listed(listed, plain)
            }
            DataType::Int64 => Self::Integer(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Self::Number(array.as_primitive::<Float64Type>()),
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Date32 => Self::Date(array.as_primitive::<Date32Type>()),
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                Self::DateTime(array.as_primitive::<TimestampMicrosecondType>())
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Self::List(list, list.values().as_string_opt()?)
            }
            DataType::Binary => Self::Shape(array.as_binary()),
            _ => return None,
        })
    }

    /// Whether there is nothing in the cell.
    pub(super) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Text(cells) => cells.is_null(row),
            Self::Listed(cells, _) => cells.key(row).is_none(),
            Self::Integer(cells) => cells.is_null(row),
            Self::Number(cells) => cells.is_null(row),
            Self::Boolean(cells) => cells.is_null(row),
            Self::Date(cells) => cells.is_null(row),
            Self::DateTime(cells) => cells.is_null(row),
            Self::List(cells, _) => cells.is_null(row),
            Self::Shape(cells) => cells.is_null(row),
        }
    }

    /// Whether its cells are texts, which a spreadsheet may take for something else.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Listed(..) | Self::List(..))
    }

    /// Whether a cell may hold what ends a cell of a CSV, or what a spreadsheet takes for something else.
    pub(super) fn is_special(&self, row: usize) -> bool {
        match self {
            Self::Listed(cells, plain) => {
                cells.key(row).is_some_and(|key| !plain.get(key).copied().unwrap_or_default())
            }
            Self::Text(_) | Self::List(..) | Self::Shape(_) => true,
            _ => false,
        }
    }

    /// The cell as it stands in a CSV, empty for null. `scratch` is overwritten.
    pub(super) fn text<'s>(&'s self, row: usize, style: Style, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        if self.is_null(row) {
            return b"";
        }
        scratch.clear();
        match self {
            Self::Text(cells) => return cells.value(row).as_bytes(),
            Self::Listed(cells, _) => return cells.text(row).unwrap_or_default().as_bytes(),
            Self::Integer(cells) => push_integer(cells.value(row), scratch),
            Self::Number(cells) => {
                push_number(cells.value(row), scratch);
                if style == Style::French {
                    scratch.iter_mut().filter(|byte| **byte == b'.').for_each(|byte| *byte = b',');
                }
            }
            Self::Boolean(cells) => scratch.extend_from_slice(match (style, cells.value(row)) {
                (Style::Canonical, true) => b"true",
                (Style::Canonical, false) => b"false",
                (Style::French, true) => b"vrai",
                (Style::French, false) => b"faux",
            }),
            Self::Date(cells) => push_date(date(cells.value(row)), style, scratch),
            Self::DateTime(cells) => push_date_time(date_time(cells.value(row)), style, scratch),
            Self::List(cells, items) => {
                for (at, item) in range(cells, row).enumerate() {
                    if at > 0 {
                        push(scratch, format_args!("{ITEM_SEPARATOR}"));
                    }
                    scratch.extend_from_slice(item_of(items, item).unwrap_or_default().as_bytes());
                }
            }
            Self::Shape(cells) => {
                if let Ok(shape) = shape::read(cells.value(row)) {
                    shape::push_wkt(&shape, scratch);
                }
                if style == Style::French && scratch.len() > SPREADSHEET_CELL {
                    scratch.clear();
                }
            }
        }
        scratch
    }

    /// Writes the cell as JSON; a shape becomes a GeoJSON geometry.
    pub(super) fn push_json(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match self {
            Self::Text(cells) => push_json_text(cells.value(row), out),
            Self::Listed(cells, _) => push_json_text(cells.text(row).unwrap_or_default(), out),
            Self::Integer(cells) => push_integer(cells.value(row), out),
            Self::Number(cells) => push_number(cells.value(row), out),
            Self::Boolean(cells) => out.extend_from_slice(if cells.value(row) { b"true" } else { b"false" }),
            Self::Date(cells) => {
                out.push(b'"');
                push_date(date(cells.value(row)), Style::Canonical, out);
                out.push(b'"');
            }
            Self::DateTime(cells) => {
                out.push(b'"');
                push_date_time(date_time(cells.value(row)), Style::Canonical, out);
                out.push(b'"');
            }
            Self::List(cells, items) => {
                out.push(b'[');
                for (at, item) in range(cells, row).enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    match item_of(items, item) {
                        Some(item) => push_json_text(item, out),
                        None => out.extend_from_slice(b"null"),
                    }
                }
                out.push(b']');
            }
            Self::Shape(cells) => match shape::read(cells.value(row)) {
                Ok(shape) => shape::push_geojson(&shape, out),
                Err(_) => out.extend_from_slice(b"null"),
            },
        }
    }

    /// Whether the list in the cell can be read back from its items joined.
    pub(super) fn is_joinable(&self, row: usize) -> bool {
        match self {
            Self::List(cells, items) if !cells.is_null(row) => range(cells, row).all(|item| {
                item_of(items, item).is_some_and(|item| !item.is_empty() && !item.contains(ITEM_SEPARATOR))
            }),
            _ => true,
        }
    }
}

/// Whether a text stands in any CSV as it is, and means nothing to a spreadsheet.
fn is_plain(text: &str) -> bool {
    let special = |byte: u8| matches!(byte, b',' | b';' | b'"' | b'\r' | b'\n' | b'\t' | b'=' | b'@' | b'+' | b'-');
    !text.bytes().any(special)
}

fn range(cells: &ListArray, row: usize) -> std::ops::Range<usize> {
    let offset = |at: usize| cells.value_offsets().get(at).map_or(0, |offset| usize::try_from(*offset).unwrap_or(0));
    offset(row)..offset(row + 1)
}

fn item_of(items: &StringArray, at: usize) -> Option<&str> {
    items.is_valid(at).then(|| items.value(at))
}

/// Writes into memory, which does not fail.
pub(super) fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes what it is given");
}

fn push_integer(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes the shortest decimal text that reads back as the number, without exponent.
pub(super) fn push_number(number: f64, out: &mut Vec<u8>) {
    push(out, format_args!("{}", number + 0.0));
}

/// Writes a JSON string.
pub(super) fn push_json_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a vector takes what it is given, and a text is JSON");
}

/// The day of a cell, when it has a four-digit year.
pub(super) fn date(days: i32) -> Option<NaiveDate> {
    date32_to_datetime(days).map(|at| at.date()).filter(|date| (0..=9999).contains(&date.year()))
}

/// Day and time of a cell, when it has a four-digit year.
pub(super) fn date_time(micros: i64) -> Option<NaiveDateTime> {
    timestamp_us_to_datetime(micros).filter(|at| (0..=9999).contains(&at.year()))
}

/// Writes a number of at most two digits with both.
fn push_two(number: u32, out: &mut Vec<u8>) {
    let digit = |number: u32| b'0' + u8::try_from(number % 10).unwrap_or(0);
    out.extend_from_slice(&[digit(number / 10), digit(number)]);
}

fn push_date(date: Option<NaiveDate>, style: Style, out: &mut Vec<u8>) {
    let Some(date) = date else { return };
    let year = u32::try_from(date.year()).unwrap_or(0);
    let push_year = |out: &mut Vec<u8>| {
        push_two(year / 100, out);
        push_two(year % 100, out);
    };
    if style == Style::French {
        push_two(date.day(), out);
        out.push(b'/');
        push_two(date.month(), out);
        out.push(b'/');
        push_year(out);
    } else {
        push_year(out);
        out.push(b'-');
        push_two(date.month(), out);
        out.push(b'-');
        push_two(date.day(), out);
    }
}

/// A fraction of a second is written when there is one.
fn push_date_time(at: Option<NaiveDateTime>, style: Style, out: &mut Vec<u8>) {
    let Some(at) = at else { return };
    push_date(Some(at.date()), style, out);
    out.push(if style == Style::French { b' ' } else { b'T' });
    push_two(at.hour(), out);
    out.push(b':');
    push_two(at.minute(), out);
    out.push(b':');
    push_two(at.second(), out);
    let micros = at.nanosecond() / 1000;
    if micros > 0 {
        push(out, format_args!("{}{micros:06}", if style == Style::French { ',' } else { '.' }));
    }
}
