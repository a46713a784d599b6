//! Texts that say where a row is, kept as the source has them.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::error::ArrowError;

use super::store::Texts;
use super::text::labels;
use crate::normalise::decode::Status;
use crate::normalise::row::{Header, Options, RawCell, RawRow};
use crate::normalise::scalar::{number, text};

/// What a text about a place looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::normalise) enum PlaceForm {
    /// Like anything.
    Any,
    /// An INSEE code.
    Insee,
    /// A postal code.
    Postal,
    /// A coordinate.
    Number,
}

impl PlaceForm {
    fn fits(self, text: &str) -> bool {
        let dense = || text.bytes().filter(|byte| !byte.is_ascii_whitespace());
        match self {
            Self::Any => true,
            Self::Insee => {
                let digits = |byte: u8| byte.is_ascii_digit();
                let corsica = text.get(1..2).is_some_and(|second| matches!(second, "A" | "B" | "a" | "b"));
                let digit_count = text.bytes().filter(|byte| digits(*byte)).count();
                matches!((text.len(), digit_count), (4, 4) | (5, 5)) || (text.len() == 5 && digit_count == 4 && corsica)
            }
            Self::Postal => matches!(dense().count(), 4 | 5) && dense().all(|byte| byte.is_ascii_digit()),
            Self::Number => number::number(text.as_bytes(), text.contains(',')).is_ok(),
        }
    }
}

/// A text of the source that helps to find the place of a row: trimmed, entities decoded, never cast.
#[derive(Debug)]
pub(in crate::normalise) struct PlaceText {
    pub(in crate::normalise) wanted: Vec<String>,
    at: Vec<usize>,
    options: Option<Arc<Options>>,
    texts: Texts,
    form: PlaceForm,
    /// Texts that stand for nothing.
    missing: Vec<String>,
}

impl PlaceText {
    /// The first of some source columns.
    pub(in crate::normalise) fn new(wanted: &[String], form: PlaceForm, missing: &[String]) -> Self {
        let (wanted, missing) = (wanted.to_vec(), missing.to_vec());
        Self { wanted, at: Vec::new(), options: None, texts: Texts::new(), form, missing }
    }

    /// The one source column that is read.
    pub(in crate::normalise) fn position(&self) -> Option<usize> {
        self.at.first().copied().filter(|_| self.at.len() == 1)
    }

    /// Whether its cells can tell that a row is shifted.
    pub(in crate::normalise) fn is_checked(&self) -> bool {
        self.form != PlaceForm::Any && !self.at.is_empty()
    }

    /// Whether few texts fit.
    pub(in crate::normalise) fn is_strict(&self) -> bool {
        self.form != PlaceForm::Number
    }

    /// What the cell of a row would be here.
    pub(in crate::normalise) fn would_be(&self, row: &RawRow<'_>) -> Status {
        let cell = row.first_filled(&self.at, &self.missing);
        if !cell.is_filled(&self.missing) {
            return if cell == RawCell::Missing { Status::NotShown } else { Status::Empty };
        }
        let text = std::str::from_utf8(text::trim(cell.bytes().unwrap_or_default())).unwrap_or_default();
        let text = text.strip_suffix(".0").filter(|_| self.form != PlaceForm::Number).unwrap_or(text);
        if self.form.fits(text) { Status::Answered } else { Status::Unknown }
    }

    /// Finds the source column; `false` when one is declared and the source does not have it.
    pub(in crate::normalise) fn bind(&mut self, header: &Header) -> bool {
        self.at = header.bound(&self.wanted);
        self.options = self.at.first().and_then(|at| header.options_of(*at)).cloned();
        self.wanted.is_empty() || !self.at.is_empty()
    }

    /// Appends the text of a row.
    pub(in crate::normalise) fn push(&mut self, row: &RawRow<'_>) {
        let cell = row.first_filled(&self.at, &self.missing);
        let raw = cell.bytes().filter(|_| cell.is_filled(&self.missing)).unwrap_or(b"");
        let raw = std::str::from_utf8(text::trim(raw)).unwrap_or("");
        let value = match &self.options {
            Some(options) => labels(raw, options),
            None => text::without_entities(raw),
        };
        let value = text::without_noise(&value);
        // A code that went through a table calculation: `84200.0`.
        let value = value.trim();
        let whole = value.strip_suffix(".0").filter(|whole| whole.bytes().all(|byte| byte.is_ascii_digit()));
        let value = whole.unwrap_or(value);
        self.texts.push((!value.is_empty()).then_some(value));
    }

    /// Cuts the column back to `len` rows.
    pub(in crate::normalise) fn truncate(&mut self, len: usize) {
        self.texts.truncate(len);
    }

    /// Bytes of texts since the last batch.
    pub(in crate::normalise) fn bytes(&self) -> usize {
        self.texts.bytes()
    }

    /// The column as Arrow's, and empties it.
    pub(in crate::normalise) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        self.texts.finish()
    }
}
