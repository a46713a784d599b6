//! Codes of closed questions: one of a list, or a set of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::UInt64Type;
use arrow::error::ArrowError;
use rustc_hash::FxHashMap;

use super::gather::{ITEMS, OTHER, Replacements, listed};
use super::store::Values;
use super::{Cell, Fit, held};
use crate::config::pipeline::Mapping;
use crate::contract::fold::fold;
use crate::contract::{Broken, Code, CodeList, Column};
use crate::normalise::row::Options;
use crate::normalise::scalar::text;

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
    lookup: Option<Replacements>,
    /// Characters after which the tool cut options.
    cut_at: Option<usize>,
    /// Whether all codes are whole numbers, so that a text that begins with one means it.
    scale: bool,
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
            lookup: mapping.and_then(|mapping| mapping.lookup.as_ref()).map(Replacements::new),
            cut_at: mapping.and_then(|mapping| mapping.cut_at),
            scale: column.codes.as_ref().is_some_and(|list| list.code_names().all(|code| code.parse::<i64>().is_ok())),
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

    fn look_up(&mut self, raw: &[u8]) -> Item {
        let replaced = self.lookup.as_mut().and_then(|lookup| lookup.of(text::trim(raw)));
        let raw = replaced.as_ref().map_or(raw, |text| text.as_bytes());
        let Ok(text) = std::str::from_utf8(text::trim(raw)) else { return Item::Unknown };
        if text.is_empty() || self.missing.iter().any(|missing| missing == text) {
            return Item::Blank;
        }
        if let Some(options) = &self.options {
            return self.of_option(text, options).map_or(Item::Unknown, Item::Known);
        }
        if let Some(at) = self.find(text).or_else(|| self.of_scale(text)).or_else(|| self.of_cut(raw)) {
            return Item::Known(at);
        }
        match self.other {
            Some(other) if self.keeps_other || self.after_other(text).is_some() => Item::Free(other),
            _ => Item::Unknown,
        }
    }

    /// The grade that a text such as `1 (pas du tout)` begins with.
    fn of_scale(&self, text: &str) -> Option<u16> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').filter(|end| self.scale && *end > 0)?;
        self.list.as_ref()?.position(text.get(..end)?)
    }

    /// The only option that begins with a text that the tool cut.
    fn of_cut(&self, raw: &[u8]) -> Option<u16> {
        let text = std::str::from_utf8(raw).ok()?;
        let start = fold(text);
        if text.chars().count() < self.cut_at? || start.is_empty() {
            return None;
        }
        let list = self.list.as_ref()?;
        let begins = |spelling: &String| fold(spelling).starts_with(&start);
        let means = |code: &Code| begins(&code.label) || begins(&code.code) || code.aliases.iter().any(begins);
        let mut found = (0_u16..).zip(&list.codes).filter(|(_, code)| means(code)).map(|(at, _)| at);
        found.next().filter(|_| found.next().is_none())
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
        let one = match raw.strip_suffix(&[ITEMS]) {
            Some(items) if items.contains(&ITEMS) => return Fit::Unfit("plusieurs_reponses"),
            Some(only) => only,
            None => raw,
        };
        let at = match self.meanings.item(one) {
            Item::Known(at) => at,
            Item::Free(at) => {
                add_free(cell.free.as_deref_mut(), self.meanings.free_text(one));
                at
            }
            Item::Blank => match self.meanings.other.filter(|_| !cell.other.is_empty()) {
                Some(other) => other,
                None => return Fit::Empty,
            },
            Item::Unknown => return Fit::Unfit("code_inconnu"),
        };
        let code = self.meanings.list.as_ref().and_then(|list| list.get(at));
        if let Some(broken) = code.and_then(|code| cell.rule.broken_by_text(&code.code)) {
            return Fit::Unfit(broken.reason());
        }
        if !cell.other.is_empty() {
            add_free(cell.free.as_deref_mut(), cell.other);
        }
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
    /// Whether options hold the separator.
    labels: bool,
    exclusive: u64,
}

impl CodeSet {
    pub(super) fn new(column: &Column, mapping: Option<&Mapping>, html: bool, missing: &[String]) -> Self {
        let bit = |code: &String| column.codes.as_ref().and_then(|list| list.position(code)).and_then(bit_of);
        Self {
            meanings: Meanings::new(column, mapping, html, missing),
            values: Values::new(),
            separator: separator_of(column, mapping),
            labels: mapping.is_some_and(|mapping| mapping.labels),
            exclusive: column.exclusive.iter().filter_map(bit).fold(0, |all, bit| all | bit),
        }
    }

    pub(super) fn bind(&mut self, options: Option<&Arc<Options>>) {
        self.meanings.bind(options);
    }

    pub(super) fn push(&mut self, raw: &[u8], cell: &mut Cell<'_>) -> Fit {
        let decoded = self.meanings.decoded(raw);
        let raw = decoded.as_ref().map_or(raw, String::as_bytes);
        let list = if self.meanings.options.is_none() { listed(raw) } else { None };
        let (raw, separator): (&[u8], &[u8]) = match &list {
            Some(items) => (items, &[ITEMS]),
            None if raw.last() == Some(&ITEMS) => (raw, &[ITEMS]),
            None if self.meanings.options.is_some() => (raw, b","),
            None => (raw, &self.separator),
        };
        let mut found = Bits::default();
        if self.labels && separator != [ITEMS] {
            for piece in longest_first(raw, separator, &self.meanings, cell) {
                found.take(&mut self.meanings, piece, cell);
            }
        } else {
            for piece in pieces(raw, separator) {
                found.take(&mut self.meanings, piece, cell);
            }
        }
        let Bits { mut bits, unknown } = found;
        if let Some(bit) = self.meanings.other.and_then(bit_of).filter(|_| !cell.other.is_empty()) {
            bits |= bit;
            add_free(cell.free.as_deref_mut(), cell.other);
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
                let constrained = cell.rule.constrains(Broken::Length) || cell.rule.constrains(Broken::Enum);
                let fit = held(constrained.then(|| cell.rule.broken_by_items(self.codes_of(bits))).flatten());
                if fit == Fit::Answered {
                    self.values.push(Some(bits));
                }
                fit
            }
        }
    }

    fn codes_of(&self, bits: u64) -> impl Iterator<Item = &str> {
        let list = self.meanings.list.iter().flat_map(|list| list.code_names());
        let ticked = list.enumerate().filter(move |(at, _)| *at < 64 && bits >> at & 1 == 1);
        ticked.map(|(_, code)| code)
    }

    /// The codes of a set, as published.
    pub(super) fn names(&self, bits: u64) -> String {
        self.codes_of(bits).collect::<Vec<_>>().join("|")
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        self.values.finish::<UInt64Type>()
    }
}

/// Options of a cell.
#[derive(Default)]
struct Bits {
    bits: u64,
    unknown: bool,
}

impl Bits {
    /// Takes one item in.
    #[inline]
    fn take(&mut self, meanings: &mut Meanings, piece: &[u8], cell: &mut Cell<'_>) {
        let at = match meanings.item(piece) {
            Item::Known(at) => Some(at),
            Item::Free(at) => {
                add_free(cell.free.as_deref_mut(), meanings.free_text(piece));
                Some(at)
            }
            Item::Blank => return,
            Item::Unknown => None,
        };
        if let Some(bit) = at.and_then(bit_of) {
            self.bits |= bit;
        } else {
            self.unknown = true;
            let text = String::from_utf8_lossy(text::trim(piece));
            cell.notes.unfit(cell.column, &text, "option_inconnue");
        }
    }
}

/// The items of a cell whose options may hold the separator: from the left, the longest text that is an option. A cell
/// that can be read in two ways is listed, with what was taken.
fn longest_first<'a>(raw: &'a [u8], separator: &'a [u8], meanings: &Meanings, cell: &mut Cell<'_>) -> Vec<&'a [u8]> {
    let mut ends = Vec::new();
    let mut start = 0;
    for piece in pieces(raw, separator) {
        ends.push((start, start + piece.len()));
        start += piece.len() + separator.len();
    }
    let known = |from: usize, to: usize| {
        let text = raw.get(from..to).and_then(|text| std::str::from_utf8(text).ok());
        text.is_some_and(|text| meanings.find(text).is_some())
    };
    let (mut items, mut at) = (Vec::new(), 0);
    while let Some((from, own_end)) = ends.get(at).copied() {
        let last = (at..ends.len()).rev().find(|last| ends.get(*last).is_some_and(|(_, to)| known(from, *to)));
        let last = last.unwrap_or(at);
        let to = ends.get(last).map_or(own_end, |(_, to)| *to);
        let item = raw.get(from..to).unwrap_or(&[]);
        if last > at && ends.get(at..=last).is_some_and(|parts| parts.iter().all(|(from, to)| known(*from, *to))) {
            let whole = String::from_utf8_lossy(raw);
            cell.notes.corrected(cell.column, &whole, "lecture_ambigue", &String::from_utf8_lossy(item));
        }
        items.push(item);
        at = last + 1;
    }
    items
}

fn bit_of(at: u16) -> Option<u64> {
    1_u64.checked_shl(u32::from(at))
}

/// What parts the items of a cell: as the mapping or the contract declares, else `|` as in the lists that we publish.
pub(super) fn separator_of(column: &Column, mapping: Option<&Mapping>) -> Vec<u8> {
    let declared = mapping.and_then(|mapping| mapping.separator.as_deref()).filter(|text| !text.is_empty());
    declared.or(column.delimiter.as_deref()).unwrap_or("|").as_bytes().to_vec()
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
