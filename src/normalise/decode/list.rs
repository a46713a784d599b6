//! Lists of texts.

use std::sync::Arc;

use super::code::pieces;
use super::gather::{ITEMS, listed};
use super::store::Lists;
use super::{Fit, held};
use crate::contract::Column;
use crate::normalise::row::Options;
use crate::normalise::scalar::text;

/// A column of lists of texts.
#[derive(Debug)]
pub(super) struct TextLists {
    pub(super) lists: Lists,
    separator: Vec<u8>,
    /// Whether entities are decoded.
    html: bool,
    /// Labels of a closed question.
    options: Option<Arc<Options>>,
}

impl TextLists {
    pub(super) fn new(separator: Vec<u8>, html: bool) -> Self {
        Self { lists: Lists::new(), separator, html, options: None }
    }

    pub(super) fn bind(&mut self, options: Option<&Arc<Options>>) {
        self.options = options.cloned();
    }

    /// Appends a list: of a closed question the labels. Entities are decoded before it is parted, since `;` may both end one
    /// and part two items.
    pub(super) fn push(&mut self, trimmed: &[u8], rule: &Column) -> Fit {
        let options = self.options.as_deref();
        let decoded = std::str::from_utf8(trimmed).ok().filter(|_| self.html).map(text::without_entities);
        let trimmed = decoded.as_ref().map_or(trimmed, |text| text.as_bytes());
        let list = if options.is_none() { listed(trimmed) } else { None };
        let (trimmed, separator): (&[u8], &[u8]) = match &list {
            Some(items) => (items, &[ITEMS]),
            None if options.is_some() => (trimmed, b","),
            None => (trimmed, &self.separator),
        };
        let (mut count, mut stranger) = (0, false);
        for piece in pieces(trimmed, separator) {
            let piece = String::from_utf8_lossy(text::trim(piece));
            let piece = text::without_noise(&piece);
            let item = options.and_then(|options| options.label(&piece)).map_or(&*piece, str::trim);
            if !item.is_empty() {
                self.lists.push_item(item);
                count += 1;
                stranger |= rule.is_stranger(item);
            }
        }
        if count == 0 {
            return Fit::Empty;
        }
        let fit = held(rule.broken_by_list(count, stranger));
        if fit == Fit::Answered {
            self.lists.end(true);
        } else {
            self.lists.drop_open();
        }
        fit
    }
}
