//! Texts that say where a row is, kept as the source has them.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::error::ArrowError;

use super::store::Texts;
use super::text::labels;
use crate::normalise::row::{Header, Options, RawRow};
use crate::normalise::scalar::text;

/// A text of the source that helps to find the place of a row: trimmed, entities decoded, never cast.
#[derive(Debug)]
pub(in crate::normalise) struct PlaceText {
    pub(in crate::normalise) wanted: Vec<String>,
    at: Vec<usize>,
    options: Option<Arc<Options>>,
    texts: Texts,
}

impl PlaceText {
    /// The first of some source columns.
    pub(in crate::normalise) fn new(wanted: &[String]) -> Self {
        Self { wanted: wanted.to_vec(), at: Vec::new(), options: None, texts: Texts::new() }
    }

    /// Finds the source column; `false` when one is declared and the source does not have it.
    pub(in crate::normalise) fn bind(&mut self, header: &Header) -> bool {
        self.at = header.bound(&self.wanted);
        self.options = self.at.first().and_then(|at| header.options_of(*at)).cloned();
        self.wanted.is_empty() || !self.at.is_empty()
    }

    /// Appends the text of a row.
    pub(in crate::normalise) fn push(&mut self, row: &RawRow<'_>) {
        let raw = row.first_filled(&self.at, &[]).bytes().unwrap_or(b"");
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
