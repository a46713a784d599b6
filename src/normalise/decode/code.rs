//! Codes of closed questions: one of a list, or a set of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::UInt64Type;
use arrow::error::ArrowError;
use rustc_hash::FxHashMap;

use super::store::Values;
use super::{Cell, Fit};
use crate::config::pipeline::Mapping;
use crate::contract::fold::fold;
use crate::contract::{Code, CodeList, Column};
use crate::normalise::row::Options;
use crate::normalise::scalar::text;

/// Code of the option that takes free text.
const OTHER: &str = "autre";
/// Most distinct texts whose meaning is remembered, and the longest of them.
const REMEMBERED: (usize, usize) = (65_536, 256);
/// Between a parent's label and a child's in a tree of options.
const TREE: char = '➤';

/// What one text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// The code at this position.
    Known(u16),
    /// Nothing.
    Blank,
    /// No option.
    Unknown,
    /// The option `autre`, with free text.
    Free(u16),
}

/// Finds what texts mean, each distinct text once.
#[derive(Debug)]
struct Meanings {
    list: Option<Arc<CodeList>>,
    missing: Vec<String>,
    html: bool,
    /// Position of the option `autre`.
    other: Option<u16>,
    /// Whether its text has a column, so that any text that is no option is taken for it.
    keeps_other: bool,
    options: Option<Arc<Options>>,
    known: FxHashMap<Box<[u8]>, Item>,
    /// Texts before a colon, and whether all that can follow them is free text.
    openings: FxHashMap<Box<[u8]>, bool>,
}

impl Meanings {
    fn new(column: &Column, mapping: Option<&Mapping>, html: bool, missing: &[String]) -> Self {
        Self {
            list: column.codes.clone(),
            missing: missing.to_vec(),
            html,
            other: column.codes.as_ref().and_then(|list| list.position(OTHER)),
            keeps_other: mapping.is_some_and(|mapping| mapping.other.is_some()),
            options: None,
            known: FxHashMap::default(),
            openings: FxHashMap::default(),
        }
    }

    fn bind(&mut self, options: Option<&Arc<Options>>) {
        if self.options.as_ref() != options {
            self.options = options.cloned();
            self.known.clear();
        }
    }

    fn find(&self, text: &str) -> Option<u16> {
        self.list.as_ref()?.find(text)
    }

    #[inline]
    fn item(&mut self, raw: &[u8]) -> Item {
        if let Some(item) = self.known.get(raw) {
            return *item;
        }
        if let Some(other) = self.opens_free_text(raw) {
            return Item::Free(other);
        }
        let item = self.look_up(raw);
        let (most, longest) = REMEMBERED;
        if !matches!(item, Item::Free(_)) && self.known.len() < most && raw.len() <= longest {
            self.known.insert(raw.into(), item);
        }
        item
    }

    /// The option `autre` when a text begins with it and a colon. Free texts are nearly all different: looking up what
    /// stands before the colon spares folding each of them.
    fn opens_free_text(&mut self, raw: &[u8]) -> Option<u16> {
        let other = self.other.filter(|_| self.options.is_none())?;
        let opening = raw.get(..memchr::memchr(b':', raw)?)?;
        let opens = if let Some(known) = self.openings.get(opening) {
            *known
        } else {
            let opens = self.opens(opening, other);
            let (most, longest) = REMEMBERED;
            if self.openings.len() < most && opening.len() <= longest {
                self.openings.insert(opening.into(), opens);
            }
            opens
        };
        opens.then_some(other)
    }

    /// Whether a text means `autre`, and no code is spelled with this text and something after it.
    fn opens(&self, opening: &[u8], other: u16) -> bool {
        let (Some(list), Ok(text)) = (&self.list, std::str::from_utf8(opening)) else { return false };
        let start = format!("{} ", fold(text));
        let longer = |spelling: &String| fold(spelling).starts_with(&start);
        let spelled = |code: &Code| longer(&code.code) || longer(&code.label) || code.aliases.iter().any(longer);
        list.find(text) == Some(other) && !list.codes.iter().any(spelled)
    }

    fn look_up(&self, raw: &[u8]) -> Item {
        let Ok(text) = std::str::from_utf8(text::trim(raw)) else { return Item::Unknown };
        if text.is_empty() || self.missing.iter().any(|missing| missing == text) {
            return Item::Blank;
        }
        if let Some(options) = &self.options {
            return self.of_option(text, options).map_or(Item::Unknown, Item::Known);
        }
        if let Some(at) = self.find(text) {
            return Item::Known(at);
        }
        match self.other {
            Some(other) if self.keeps_other || self.after_other(text).is_some() => Item::Free(other),
            _ => Item::Unknown,
        }
    }

    /// The code of a key of a form's options: by its label, by the last part of a tree's label, by the key itself.
    fn of_option(&self, key: &str, options: &Options) -> Option<u16> {
        let by_label = options.label(key).and_then(|label| {
            self.find(label).or_else(|| label.rsplit_once(TREE).and_then(|(_, last)| self.find(last)))
        });
        by_label.or_else(|| self.find(key))
    }

    /// The text after `Autre :`.
    fn after_other<'a>(&self, text: &'a str) -> Option<&'a str> {
        let (before, after) = text.split_once(':')?;
        (self.other.is_some() && self.find(before) == self.other).then(|| after.trim())
    }

    /// The free text of an item.
    fn free_text<'a>(&self, raw: &'a [u8]) -> &'a str {
        let text = std::str::from_utf8(text::trim(raw)).unwrap_or("");
        self.after_other(text).unwrap_or(text)
    }

    /// Cells with entities are decoded as a whole, since `;` may both end an entity and part two items.
    fn decoded(&self, raw: &[u8]) -> Option<String> {
        let text = if self.html { std::str::from_utf8(raw).ok()? } else { return None };
        match text::without_entities(text) {
            std::borrow::Cow::Owned(decoded) => Some(decoded),
            std::borrow::Cow::Borrowed(_) => None,
        }
    }
}

/// Adds a free text to those of its row.
fn add_free(free: Option<&mut String>, text: &str) {
    if let Some(free) = free.filter(|_| !text.is_empty()) {
        if !free.is_empty() {
            free.push_str(" ; ");
        }
        free.push_str(text);
    }
}

/// One code of a list.
#[derive(Debug)]
pub(super) struct OneCode {
    meanings: Meanings,
    pub(super) values: Values<i16>,
    dictionary: ArrayRef,
}

impl OneCode {
    pub(super) fn new(column: &Column, mapping: Option<&Mapping>, html: bool, missing: &[String]) -> Self {
        let codes: Vec<&str> = column.codes.iter().flat_map(|list| list.code_names()).collect();
        Self {
            meanings: Meanings::new(column, mapping, html, missing),
            values: Values::new(),
            dictionary: Arc::new(StringArray::from(codes)),
        }
    }

    pub(super) fn bind(&mut self, options: Option<&Arc<Options>>) {
        self.meanings.bind(options);
    }

    pub(super) fn push(&mut self, raw: &[u8], cell: &mut Cell<'_>) -> Fit {
        let decoded = self.meanings.decoded(raw);
        let raw = decoded.as_ref().map_or(raw, String::as_bytes);
        let at = match self.meanings.item(raw) {
            Item::Known(at) => at,
            Item::Free(at) => {
                add_free(cell.free.as_deref_mut(), self.meanings.free_text(raw));
                at
            }
            Item::Blank => return Fit::Empty,
            Item::Unknown => return Fit::Unfit("code_inconnu"),
        };
        match i16::try_from(at) {
            Ok(at) => {
                self.values.push(Some(at));
                Fit::Answered
            }
            Err(_) => Fit::Unfit("liste_trop_longue"),
        }
    }

    /// The last code.
    pub(super) fn last(&self) -> Option<&str> {
        let at = u16::try_from(self.values.last()?).ok()?;
        self.meanings.list.as_ref()?.get(at).map(|code| code.code.as_str())
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        self.values.finish_dictionary(&self.dictionary)
    }
}

/// A set of codes, as bits.
#[derive(Debug)]
pub(super) struct CodeSet {
    meanings: Meanings,
    pub(super) values: Values<u64>,
    separator: Vec<u8>,
    exclusive: u64,
}

impl CodeSet {
    pub(super) fn new(column: &Column, mapping: Option<&Mapping>, html: bool, missing: &[String]) -> Self {
        let bit = |code: &String| column.codes.as_ref().and_then(|list| list.position(code)).and_then(bit_of);
        Self {
            meanings: Meanings::new(column, mapping, html, missing),
            values: Values::new(),
            separator: separator_of(mapping),
            exclusive: column.exclusive.iter().filter_map(bit).fold(0, |all, bit| all | bit),
        }
    }

    pub(super) fn bind(&mut self, options: Option<&Arc<Options>>) {
        self.meanings.bind(options);
    }

    pub(super) fn push(&mut self, raw: &[u8], cell: &mut Cell<'_>) -> Fit {
        let decoded = self.meanings.decoded(raw);
        let raw = decoded.as_ref().map_or(raw, String::as_bytes);
        let separator: &[u8] = if self.meanings.options.is_some() { b"," } else { &self.separator };
        let (mut bits, mut unknown) = (0_u64, false);
        for piece in pieces(raw, separator) {
            let at = match self.meanings.item(piece) {
                Item::Known(at) => Some(at),
                Item::Free(at) => {
                    add_free(cell.free.as_deref_mut(), self.meanings.free_text(piece));
                    Some(at)
                }
                Item::Blank => continue,
                Item::Unknown => None,
            };
            if let Some(bit) = at.and_then(bit_of) {
                bits |= bit;
            } else {
                unknown = true;
                let text = String::from_utf8_lossy(text::trim(piece));
                cell.notes.unfit(cell.column, &text, "option_inconnue");
            }
        }
        if bits & self.exclusive != 0 && bits.count_ones() > 1 {
            let others = bits & !self.exclusive;
            if others == 0 {
                return Fit::Unfit("options_exclusives");
            }
            cell.notes.corrected(cell.column, &self.names(bits), "option_exclusive", &self.names(others));
            bits = others;
        }
        match (bits, unknown) {
            (0, true) => Fit::Listed,
            (0, false) => Fit::Empty,
            _ => {
                self.values.push(Some(bits));
                Fit::Answered
            }
        }
    }

    /// The codes of a set, as published.
    pub(super) fn names(&self, bits: u64) -> String {
        let list = self.meanings.list.iter().flat_map(|list| list.code_names());
        let ticked = list.enumerate().filter(|(at, _)| *at < 64 && bits >> at & 1 == 1);
        ticked.map(|(_, code)| code).collect::<Vec<_>>().join("|")
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        self.values.finish::<UInt64Type>()
    }
}

fn bit_of(at: u16) -> Option<u64> {
    1_u64.checked_shl(u32::from(at))
}

/// What parts the items of a cell: as declared, else `|` as in the lists that we publish.
pub(super) fn separator_of(mapping: Option<&Mapping>) -> Vec<u8> {
    let declared = mapping.and_then(|mapping| mapping.separator.as_deref()).filter(|text| !text.is_empty());
    declared.unwrap_or("|").as_bytes().to_vec()
}

/// The pieces of a cell between its separators.
pub(super) fn pieces<'a>(raw: &'a [u8], separator: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(raw);
    std::iter::from_fn(move || {
        let whole = rest?;
        let found = match separator {
            [byte] => memchr::memchr(*byte, whole),
            _ => memchr::memmem::find(whole, separator),
        };
        if let Some(at) = found {
            rest = whole.get(at + separator.len()..);
            whole.get(..at)
        } else {
            rest = None;
            Some(whole)
        }
    })
}
