//! Columns of a table, each filled from the cells of one source column as its contract says.

mod code;
mod column;
mod gather;
mod list;
pub(super) mod notes;
mod numbers;
mod place;
mod raw;
pub(super) mod store;
mod text;

pub(super) use column::ColumnDecoder;
pub use gather::listed_items;
pub(super) use place::{PlaceForm, PlaceText};
pub(super) use raw::RawText;

use self::notes::Notes;
use super::row::RawCell;
use super::scalar::{Unreadable, text as texts};
use crate::contract::{Broken, Column};

/// What became of a cell, in the order of [`STATUSES`](crate::contract::arrow::STATUSES).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub(super) enum Status {
    /// It has a value.
    Answered = 0,
    /// The question was not answered.
    Empty = 1,
    /// The question was not shown, or the source has no such column.
    NotShown = 2,
    /// The source holds the answer back.
    Masked = 3,
    /// There is an answer that does not fit.
    Unknown = 4,
}

/// What a decoder made of a cell. It has appended a value only when it says `Answered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// A value was appended.
    Answered,
    /// There is nothing in the cell.
    Empty,
    /// It does not fit.
    Unfit(Unreadable),
    /// It does not fit, and is listed already.
    Listed,
}

/// What a broken constraint makes of a cell.
fn held(broken: Option<Broken>) -> Fit {
    broken.map_or(Fit::Answered, |broken| Fit::Unfit(broken.reason()))
}

/// What a decoder needs to know beside the bytes.
#[derive(Debug)]
struct Cell<'a> {
    /// Name of the column.
    column: &'a str,
    /// The column of the contract, for its constraints.
    rule: &'a Column,
    /// Whether the bytes were written from a value that has a type in the source.
    typed: bool,
    /// Where unfit cells and corrections are listed.
    notes: &'a mut Notes,
    /// Free text that a column of its own has for the option `autre`; it ticks the option.
    other: &'a str,
    /// Where free text of the option `autre` goes.
    free: Option<&'a mut String>,
}

/// A day as text.
fn day(days: i32) -> String {
    chrono::NaiveDate::from_num_days_from_ce_opt(days.saturating_add(719_163))
        .map_or_else(|| days.to_string(), |date| date.to_string())
}

/// A moment as text.
fn moment(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros)
        .map_or_else(|| micros.to_string(), |moment| moment.naive_utc().format("%Y-%m-%d %H:%M:%S%.f").to_string())
}

/// A whole number that compares as a number does.
fn ordered(value: f64) -> i64 {
    let bits = i64::from_ne_bytes(value.to_bits().to_ne_bytes());
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

/// A cell's own text and what another column adds to it.
fn join(raw: RawCell<'_>, extra: &str) -> String {
    match raw {
        RawCell::Bytes(bytes) | RawCell::Typed(bytes) => {
            let own = String::from_utf8_lossy(texts::trim(bytes)).into_owned();
            if own.is_empty() || own == extra { extra.to_owned() } else { format!("{own} ; {extra}") }
        }
        RawCell::Faulty(..) | RawCell::Empty | RawCell::Missing | RawCell::Masked => extra.to_owned(),
    }
}
