//! One column: where its cells come from, what they hold, and their statuses.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, StringArray};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::code::{CodeSet, OneCode, separator_of};
use super::gather::{Gathered, Gatherer, NotShown, Replacements};
use super::list::TextLists;
use super::notes::Notes;
use super::numbers::Numbers;
use super::store::Values;
use super::text::{Form, Html, Keyed, TextColumn};
use super::{Cell, Fit, Status, day, held, join, moment, ordered};
use crate::config::pipeline::{Mapping, Secret};
use crate::contract::arrow::STATUSES;
use crate::contract::{Column, Kind};
use crate::normalise::duplicates::Rank;
use crate::normalise::row::{Header, Options, RawCell, RawRow};
use crate::normalise::scalar::boolean::Booleans;
use crate::normalise::scalar::date::Dates;
use crate::normalise::scalar::text;

/// Where the cells of a column come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Source columns.
    Cells,
    /// One source column per option.
    Ticks,
    /// A declared value.
    Constant,
    /// Nowhere.
    Absent,
}

/// What is promised of cells that one from elsewhere would not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// Any text will do.
    Nothing,
    /// A pattern that texts match.
    Pattern,
    /// A type.
    Type,
}

/// What a column holds.
#[derive(Debug)]
enum Held {
    Text(TextColumn),
    Integer(Values<i64>, Numbers),
    Number(Values<f64>, Numbers),
    Boolean(Values<bool>, Booleans, Option<Arc<Options>>),
    Date(Values<i32>, Dates),
    DateTime(Values<i64>, Dates),
    Code(OneCode),
    Codes(CodeSet),
    Texts(TextLists),
    /// Shapes are made by models, no source has them; also a public id in a column that holds no text.
    Nothing(usize, Column),
}

/// A column that is being filled.
#[derive(Debug)]
pub(in crate::normalise) struct ColumnDecoder {
    pub(in crate::normalise) name: String,
    pub(in crate::normalise) required: bool,
    from: Vec<String>,
    constant: Option<String>,
    /// Column that takes the free text of this one's option `autre`.
    pub(in crate::normalise) other: Option<usize>,
    missing: Vec<String>,
    origin: Origin,
    /// Positions of the source columns; the first filled one is read.
    at: Vec<usize>,
    ticks: Option<Gatherer>,
    not_shown: NotShown,
    /// For columns without codes; those with codes look their items up themselves.
    lookup: Option<Replacements>,
    other_from: Vec<String>,
    other_at: Vec<usize>,
    held: Held,
    statuses: Option<(Values<i16>, ArrayRef)>,
    promise: Promise,
    /// Whether the last cell could not be read at all.
    faulty: bool,
    /// The column of the contract, for its constraints.
    rule: Column,
}

impl ColumnDecoder {
    /// A column of a contract and how it is filled; without a mapping it stays empty.
    pub(in crate::normalise) fn new(
        column: &Column,
        mapping: Option<&Mapping>,
        missing: &[String],
        entities: bool,
        (key, table): (&Secret, &str),
    ) -> Self {
        let html = entities || mapping.is_some_and(|mapping| mapping.html);
        let numbers = || Numbers::new(column, mapping);
        let dates = || Dates::new(mapping.map_or(&[], |mapping| &mapping.formats));
        let texts = Html { entities: html, tags: mapping.is_some_and(|mapping| mapping.html) };
        let form = |form: Form| Held::Text(TextColumn::new(form, texts, missing));
        let keyed = mapping.is_some_and(|mapping| mapping.keyed);
        let held = match column.kind {
            Kind::Text | Kind::Uri | Kind::Siret if keyed => form(Form::Keyed(Keyed::new(key, table))),
            _ if keyed => Held::Nothing(0, column.clone()),
            Kind::Text => form(Form::Free),
            Kind::Uri => form(Form::Uri),
            Kind::Siret => form(Form::Siret),
            Kind::Integer => Held::Integer(Values::new(), numbers()),
            Kind::Number => Held::Number(Values::new(), numbers()),
            Kind::Boolean => {
                Held::Boolean(Values::new(), Booleans::new(&column.true_values, &column.false_values), None)
            }
            Kind::Date => Held::Date(Values::new(), dates()),
            Kind::DateTime => Held::DateTime(Values::new(), dates()),
            Kind::Code => Held::Code(OneCode::new(column, mapping, html, missing)),
            Kind::Codes => Held::Codes(CodeSet::new(column, mapping, html, missing)),
            Kind::Texts => Held::Texts(TextLists::new(separator_of(column, mapping), html)),
            Kind::Geometry => Held::Nothing(0, column.clone()),
        };
        let dictionary = || -> ArrayRef { Arc::new(StringArray::from_iter_values(STATUSES)) };
        Self {
            name: column.name.clone(),
            required: column.required && mapping.is_some(),
            from: mapping.map_or_else(Vec::new, |mapping| mapping.from.clone()),
            constant: mapping.and_then(|mapping| mapping.constant.clone()),
            other: mapping.and_then(|mapping| mapping.other),
            missing: missing.to_vec(),
            origin: Origin::Absent,
            at: Vec::new(),
            ticks: mapping.and_then(|mapping| mapping.ticks.as_ref()).map(|ticks| Gatherer::new(ticks, column)),
            not_shown: NotShown::new(mapping),
            lookup: mapping
                .and_then(|mapping| mapping.lookup.as_ref())
                .filter(|_| !matches!(column.kind, Kind::Code | Kind::Codes))
                .map(Replacements::new),
            other_from: mapping.map_or_else(Vec::new, |mapping| mapping.other_from.clone()),
            other_at: Vec::new(),
            held,
            statuses: column.status.then(|| (Values::new(), dictionary())),
            promise: match column.kind {
                Kind::Text if column.pattern.is_some() => Promise::Pattern,
                Kind::Text | Kind::Texts | Kind::Geometry => Promise::Nothing,
                _ => Promise::Type,
            },
            faulty: false,
            rule: column.clone(),
        }
    }

    /// Names of the source columns that may fill this one.
    pub(in crate::normalise) fn wanted(&self) -> &[String] {
        &self.from
    }

    /// Names of the source columns that say more about its cells: options of their own, free text.
    pub(in crate::normalise) fn wanted_beside(&self) -> impl Iterator<Item = &String> {
        let named = self.ticks.as_ref().map_or(&[][..], Gatherer::named);
        named.iter().map(|(_, name)| name).chain(&self.other_from)
    }

    /// Finds the source column; `false` when one is declared and the source does not have it.
    pub(in crate::normalise) fn bind(&mut self, header: &Header) -> bool {
        self.at = header.bound(&self.from);
        self.other_at = header.bound(&self.other_from);
        let ticks = self.ticks.as_mut().map(|ticks| ticks.bind(header));
        self.origin = match (self.at.first(), &self.constant, ticks) {
            (_, Some(_), _) => Origin::Constant,
            (_, None, Some(true)) => Origin::Ticks,
            (Some(_), None, None) => Origin::Cells,
            (_, None, _) => Origin::Absent,
        };
        let options = self.at.first().and_then(|at| header.options_of(*at));
        match &mut self.held {
            Held::Text(texts) => texts.bind(options),
            Held::Boolean(_, _, known) => *known = options.cloned(),
            Held::Texts(texts) => texts.bind(options),
            Held::Code(code) => code.bind(options),
            Held::Codes(codes) => codes.bind(options),
            _ => {}
        }
        (self.from.is_empty() && self.ticks.is_none()) || self.origin != Origin::Absent
    }

    /// Whether its cells can tell that a row is shifted.
    pub(in crate::normalise) fn is_checked(&self) -> bool {
        self.promise != Promise::Nothing && self.origin == Origin::Cells
    }

    /// The one source column that is read.
    pub(in crate::normalise) fn position(&self) -> Option<usize> {
        self.at.first().copied().filter(|_| self.at.len() == 1)
    }

    /// Whether few texts fit; a number or yes and no may be anything.
    pub(in crate::normalise) fn is_strict(&self) -> bool {
        !matches!(self.held, Held::Integer(..) | Held::Number(..) | Held::Boolean(..))
    }

    /// Whether the last cell could not be read at all.
    pub(in crate::normalise) fn was_faulty(&self) -> bool {
        self.faulty
    }

    /// What the cell of a row would be here; the column keeps its `len` rows.
    pub(in crate::normalise) fn would_be(&mut self, row: &RawRow<'_>, len: usize) -> Status {
        let status = self.push(row, "", None, &mut Notes::default());
        self.truncate(len);
        status
    }

    /// Appends the cell of a row. `extra` is free text that another column has for this one, `free` takes this one's.
    pub(in crate::normalise) fn push(
        &mut self,
        row: &RawRow<'_>,
        extra: &str,
        free: Option<&mut String>,
        notes: &mut Notes,
    ) -> Status {
        self.faulty = false;
        let mut gathered = "";
        let raw = match self.origin {
            Origin::Ticks => match &mut self.ticks {
                Some(ticks) => match ticks.gather(row, &self.missing, &mut self.not_shown) {
                    Gathered::Items => {
                        gathered = ticks.other.as_str();
                        RawCell::Bytes(&ticks.items)
                    }
                    Gathered::Masked => RawCell::Masked,
                    Gathered::NotShown => RawCell::Missing,
                    Gathered::Faulty(at) => row.cell(at),
                },
                None => RawCell::Missing,
            },
            Origin::Cells => row.first_filled(&self.at, &self.missing),
            Origin::Constant => RawCell::Bytes(self.constant.as_deref().unwrap_or("").as_bytes()),
            Origin::Absent => RawCell::Missing,
        };
        let raw = match raw {
            RawCell::Bytes(bytes) | RawCell::Typed(bytes) if self.not_shown.has(text::trim(bytes)) => RawCell::Missing,
            raw => raw,
        };
        let other = row.first_filled(&self.other_at, &self.missing);
        if let RawCell::Faulty(bytes, reason) = other {
            notes.unfit(&self.name, &String::from_utf8_lossy(bytes), reason);
        }
        let other = if other.is_filled(&self.missing) { other.bytes().map_or(&b""[..], text::trim) } else { b"" };
        let other = if gathered.is_empty() { std::str::from_utf8(other).unwrap_or("") } else { gathered };
        let raw = match raw {
            // A free text alone ticks its option.
            RawCell::Empty | RawCell::Missing if !other.is_empty() => RawCell::Bytes(b""),
            raw => raw,
        };
        if let (RawCell::Faulty(bytes, reason), false) = (raw, extra.is_empty()) {
            notes.unfit(&self.name, &String::from_utf8_lossy(bytes), reason);
        }
        let joined = (!extra.is_empty()).then(|| join(raw, extra));
        let raw = joined.as_ref().map_or(raw, |text| RawCell::Bytes(text.as_bytes()));
        let status = match raw {
            RawCell::Bytes(bytes) | RawCell::Typed(bytes) => {
                let typed = matches!(raw, RawCell::Typed(_));
                let mut cell = Cell { column: &self.name, rule: &self.rule, typed, notes, other, free };
                let trimmed = text::trim(bytes);
                if text::has_invisible_edge(bytes) {
                    let after = String::from_utf8_lossy(trimmed);
                    cell.notes.corrected(cell.column, &String::from_utf8_lossy(bytes), text::NOISE, &after);
                }
                let replaced = self.lookup.as_mut().and_then(|lookup| lookup.of(trimmed));
                let bytes = replaced.as_ref().map_or(bytes, |text| text.as_bytes());
                if let Some(after) = &replaced {
                    cell.notes.corrected(cell.column, &String::from_utf8_lossy(trimmed), "correspondance", after);
                }
                match self.held.push(bytes, &self.missing, &mut cell) {
                    Fit::Answered => Status::Answered,
                    Fit::Empty => Status::Empty,
                    Fit::Listed => Status::Unknown,
                    Fit::Unfit(reason) => {
                        let value = String::from_utf8_lossy(text::trim(bytes));
                        cell.notes.unfit(cell.column, &value, reason);
                        Status::Unknown
                    }
                }
            }
            RawCell::Faulty(bytes, reason) => {
                self.faulty = true;
                notes.unfit(&self.name, &String::from_utf8_lossy(text::trim(bytes)), reason);
                Status::Unknown
            }
            RawCell::Empty => Status::Empty,
            RawCell::Missing => Status::NotShown,
            RawCell::Masked => Status::Masked,
        };
        if status != Status::Answered {
            self.held.push_null();
        }
        if let Some((statuses, _)) = &mut self.statuses {
            statuses.push(Some(status as i16));
        }
        status
    }

    /// Cuts the column back to `len` rows.
    pub(in crate::normalise) fn truncate(&mut self, len: usize) {
        self.held.truncate(len);
        if let Some((statuses, _)) = &mut self.statuses {
            statuses.truncate(len);
        }
    }

    /// The column as Arrow's, and empties it.
    pub(in crate::normalise) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        self.held.finish()
    }

    /// The statuses as Arrow's, and empties them.
    pub(in crate::normalise) fn finish_statuses(&mut self) -> Option<Result<ArrayRef, ArrowError>> {
        let (statuses, dictionary) = self.statuses.as_mut()?;
        Some(statuses.finish_dictionary(dictionary))
    }

    /// Bytes of texts since the last batch.
    pub(in crate::normalise) fn bytes(&self) -> usize {
        match &self.held {
            Held::Text(column) => column.texts.bytes(),
            Held::Texts(texts) => texts.lists.bytes(),
            _ => 0,
        }
    }

    /// Adds the last value, as text, to a key.
    pub(in crate::normalise) fn write_last(&self, key: &mut String) {
        let written = match &self.held {
            Held::Text(column) => {
                key.push_str(column.texts.last().unwrap_or(""));
                Ok(())
            }
            Held::Integer(values, ..) => values.last().map_or(Ok(()), |value| write!(key, "{value}")),
            Held::DateTime(values, _) => values.last().map_or(Ok(()), |value| write!(key, "{}", moment(value))),
            Held::Number(values, ..) => values.last().map_or(Ok(()), |value| write!(key, "{value}")),
            Held::Boolean(values, ..) => values.last().map_or(Ok(()), |value| write!(key, "{value}")),
            Held::Date(values, _) => values.last().map_or(Ok(()), |value| write!(key, "{}", day(value))),
            Held::Code(code) => {
                key.push_str(code.last().unwrap_or(""));
                Ok(())
            }
            Held::Codes(codes) => codes.values.last().map_or(Ok(()), |bits| write!(key, "{}", codes.names(bits))),
            Held::Texts(..) | Held::Nothing(..) => Ok(()),
        };
        debug_assert!(written.is_ok(), "writing to a text cannot fail");
    }

    /// The last value, for comparing rows with one key; null is the smallest.
    pub(in crate::normalise) fn rank(&self) -> Rank<'_> {
        let number = |value: Option<i64>| Rank::Number(value.unwrap_or(i64::MIN));
        match &self.held {
            Held::Text(column) => Rank::Text(column.texts.last().unwrap_or("")),
            Held::Integer(values, ..) | Held::DateTime(values, _) => number(values.last()),
            Held::Number(values, ..) => number(values.last().map(ordered)),
            Held::Boolean(values, ..) => number(values.last().map(i64::from)),
            Held::Date(values, _) => number(values.last().map(i64::from)),
            Held::Code(code) => number(code.values.last().map(i64::from)),
            Held::Codes(codes) => number(codes.values.last().map(|bits| i64::from(bits.count_ones()))),
            Held::Texts(..) | Held::Nothing(..) => number(None),
        }
    }
}

impl Held {
    /// Appends what the bytes mean, when they mean something.
    #[inline]
    fn push(&mut self, raw: &[u8], missing: &[String], cell: &mut Cell<'_>) -> Fit {
        match self {
            Self::Code(code) => return code.push(raw, cell),
            Self::Codes(codes) => return codes.push(raw, cell),
            _ => {}
        }
        let trimmed = text::trim(raw);
        if trimmed.is_empty() || missing.iter().any(|missing| missing.as_bytes() == trimmed) {
            return Fit::Empty;
        }
        match self {
            Self::Text(column) => column.push(trimmed, cell),
            Self::Integer(values, numbers) => match numbers.integer(trimmed, cell) {
                #[expect(clippy::cast_precision_loss, reason = "bounds that people declare are small")]
                Ok(value) => keep(values, value, held(cell.rule.broken_by_number(value as f64))),
                Err(reason) => Fit::Unfit(reason),
            },
            Self::Number(values, numbers) => match numbers.number(trimmed, cell) {
                Ok(value) => keep(values, value, held(cell.rule.broken_by_number(value))),
                Err(reason) => Fit::Unfit(reason),
            },
            Self::Boolean(values, ..) if cell.typed && matches!(trimmed, b"true" | b"false") => {
                keep_flag(values, trimmed == b"true", cell.rule)
            }
            Self::Boolean(values, booleans, options) => match boolean(trimmed, booleans, options.as_deref()) {
                Ok(value) => keep_flag(values, value, cell.rule),
                Err(reason) => Fit::Unfit(reason),
            },
            Self::Date(values, dates) => match dates.date(trimmed, cell.typed) {
                Ok(value) => keep(values, value, held(cell.rule.broken_by_number(f64::from(value)))),
                Err(reason) => Fit::Unfit(reason),
            },
            Self::DateTime(values, dates) => match dates.date_time(trimmed, cell.typed) {
                #[expect(clippy::cast_precision_loss, reason = "microseconds of this age are exact in a float")]
                Ok(value) => keep(values, value, held(cell.rule.broken_by_number(value as f64))),
                Err(reason) => Fit::Unfit(reason),
            },
            Self::Texts(texts) => texts.push(trimmed, cell.rule),
            Self::Nothing(..) | Self::Code(_) | Self::Codes(_) => Fit::Unfit("type_non_lu"),
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Text(column) => column.texts.push(None),
            Self::Integer(values, ..) | Self::DateTime(values, _) => values.push(None),
            Self::Number(values, ..) => values.push(None),
            Self::Boolean(values, ..) => values.push(None),
            Self::Date(values, _) => values.push(None),
            Self::Code(code) => code.values.push(None),
            Self::Codes(codes) => codes.values.push(None),
            Self::Texts(texts) => texts.lists.end(false),
            Self::Nothing(rows, _) => *rows += 1,
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Self::Text(column) => column.texts.truncate(len),
            Self::Integer(values, ..) | Self::DateTime(values, _) => values.truncate(len),
            Self::Number(values, ..) => values.truncate(len),
            Self::Boolean(values, ..) => values.truncate(len),
            Self::Date(values, _) => values.truncate(len),
            Self::Code(code) => code.values.truncate(len),
            Self::Codes(codes) => codes.values.truncate(len),
            Self::Texts(texts) => texts.lists.truncate(len),
            Self::Nothing(rows, _) => *rows = len,
        }
    }

    fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Text(column) => column.texts.finish()?,
            Self::Integer(values, ..) => values.finish::<Int64Type>(),
            Self::Number(values, ..) => values.finish::<Float64Type>(),
            Self::Boolean(values, ..) => values.finish_booleans(),
            Self::Date(values, _) => values.finish::<Date32Type>(),
            Self::DateTime(values, _) => values.finish::<TimestampMicrosecondType>(),
            Self::Code(code) => code.finish()?,
            Self::Codes(codes) => codes.finish(),
            Self::Texts(texts) => texts.lists.finish()?,
            Self::Nothing(rows, column) => {
                let rows = std::mem::take(rows);
                match column.kind {
                    Kind::Geometry => Arc::new(BinaryArray::new_null(rows)),
                    _ => arrow::array::new_null_array(&column.coded_type(), rows),
                }
            }
        })
    }
}

#[inline]
fn keep<T: Copy + Default>(values: &mut Values<T>, value: T, fit: Fit) -> Fit {
    if fit == Fit::Answered {
        values.push(Some(value));
    }
    fit
}

fn keep_flag(values: &mut Values<bool>, value: bool, rule: &Column) -> Fit {
    keep(values, value, held(rule.broken_by_number(f64::from(u8::from(value)))))
}

/// Yes or no: of a closed question the label, else the key.
fn boolean(trimmed: &[u8], booleans: &Booleans, options: Option<&Options>) -> Result<bool, &'static str> {
    let Ok(text) = std::str::from_utf8(trimmed) else { return Err("texte_illisible") };
    let by_label = options.and_then(|options| options.label(text)).and_then(|label| booleans.read(label).ok());
    by_label.map_or_else(|| booleans.read(text), Ok)
}
