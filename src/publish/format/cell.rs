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
        matches!(self, Self::Text(_) | Self::List(..))
    }

    /// The cell as it stands in a CSV, empty for null. `scratch` is overwritten.
    pub(super) fn text<'s>(&'s self, row: usize, style: Style, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        if self.is_null(row) {
            return b"";
        }
        if let Self::Text(cells) = self {
            return cells.value(row).as_bytes();
        }
        scratch.clear();
        match self {
            Self::Text(_) => {}
            Self::Integer(cells) => push(scratch, format_args!("{}", cells.value(row))),
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
            Self::Integer(cells) => push(out, format_args!("{}", cells.value(row))),
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

fn push_date(date: Option<NaiveDate>, style: Style, out: &mut Vec<u8>) {
    if let Some(date) = date {
        let (year, month, day) = (date.year(), date.month(), date.day());
        match style {
            Style::Canonical => push(out, format_args!("{year:04}-{month:02}-{day:02}")),
            Style::French => push(out, format_args!("{day:02}/{month:02}/{year:04}")),
        }
    }
}

/// A fraction of a second is written when there is one.
fn push_date_time(at: Option<NaiveDateTime>, style: Style, out: &mut Vec<u8>) {
    let Some(at) = at else { return };
    push_date(Some(at.date()), style, out);
    out.push(if style == Style::French { b' ' } else { b'T' });
    push(out, format_args!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()));
    let micros = at.nanosecond() / 1000;
    if micros > 0 {
        push(out, format_args!("{}{micros:06}", if style == Style::French { ',' } else { '.' }));
    }
}
