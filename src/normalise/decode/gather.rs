//! What a cell is before it is decoded: gathered from one column per option, looked up, or not shown at all.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::config::pipeline::{Lookup, Mapping, OptionColumns, Ticks};
use crate::contract::fold::fold;
use crate::contract::{CodeList, Column};
use crate::normalise::row::{Header, RawCell, RawRow, tidy};
use crate::normalise::scalar::text;

/// Between gathered items: no text has it.
pub(super) const ITEMS: u8 = 0x1f;
/// Most distinct texts whose meaning is remembered.
const REMEMBERED: usize = 4096;
/// Code of the option that takes free text.
pub(super) const OTHER: &str = "autre";
/// Texts that tick an option where none is declared.
const TICKED: [&str; 12] = ["x", "1", "oui", "o", "yes", "y", "true", "vrai", "coche", "✔", "✓", "☑"];
/// Texts that do not.
const UNTICKED: [&str; 7] = ["0", "non", "no", "n", "false", "faux", "☐"];

/// Texts that mean that the question was not shown.
#[derive(Debug, Default)]
pub(super) struct NotShown {
    folded: FxHashSet<String>,
    known: FxHashMap<Box<[u8]>, bool>,
}

impl NotShown {
    pub(super) fn new(mapping: Option<&Mapping>) -> Self {
        let texts = mapping.iter().flat_map(|mapping| &mapping.not_shown);
        Self { folded: texts.map(|text| fold(text)).collect(), known: FxHashMap::default() }
    }

    /// Whether a cell says so.
    pub(super) fn has(&mut self, bytes: &[u8]) -> bool {
        if self.folded.is_empty() {
            return false;
        }
        if let Some(known) = self.known.get(bytes) {
            return *known;
        }
        let has = std::str::from_utf8(bytes).is_ok_and(|text| self.folded.contains(&fold(text)));
        if self.known.len() < REMEMBERED {
            self.known.insert(bytes.into(), has);
        }
        has
    }
}

/// What stands in the place of texts.
#[derive(Debug)]
pub(super) struct Replacements {
    lookup: Arc<Lookup>,
    known: FxHashMap<Box<[u8]>, Option<Arc<str>>>,
}

impl Replacements {
    pub(super) fn new(lookup: &Arc<Lookup>) -> Self {
        Self { lookup: Arc::clone(lookup), known: FxHashMap::default() }
    }

    /// What stands in the place of a text, when something does.
    pub(super) fn of(&mut self, bytes: &[u8]) -> Option<Arc<str>> {
        if let Some(known) = self.known.get(bytes) {
            return known.clone();
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let found = self.lookup.values.get(&fold(text)).map(|value| Arc::from(value.as_str()));
        if self.known.len() < REMEMBERED {
            self.known.insert(bytes.into(), found.clone());
        }
        found
    }
}

/// What a cell of an option's column says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tick {
    Ticked,
    Unticked,
    /// An option by its text, or free text.
    Text,
}

/// One source column.
#[derive(Debug)]
struct OptionColumn {
    at: usize,
    /// The option's code; none when only the cells say it.
    code: Option<String>,
}

/// What the columns of a question say about a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gathered {
    /// Items are in the buffer, perhaps none.
    Items,
    /// No column is there, or none was shown.
    NotShown,
    /// The source holds all of them back.
    Masked,
    /// The cell at this position cannot be read, so that nobody knows which options are ticked.
    Faulty(usize),
}

/// Gathers one column per option into one cell.
#[derive(Debug)]
pub(super) struct Gatherer {
    ticks: Ticks,
    list: Option<Arc<CodeList>>,
    ticked: FxHashSet<String>,
    unticked: FxHashSet<String>,
    columns: Vec<OptionColumn>,
    known: FxHashMap<Box<[u8]>, Tick>,
    /// Codes and texts, each ended by [`ITEMS`].
    pub(super) items: Vec<u8>,
    /// Free text of the column of the option `autre`.
    pub(super) other: String,
}

impl Gatherer {
    pub(super) fn new(ticks: &Ticks, column: &Column) -> Self {
        let folded = |declared: &[String], usual: &[&str]| -> FxHashSet<String> {
            if declared.is_empty() {
                usual.iter().map(|text| fold(text)).collect()
            } else {
                declared.iter().map(|text| fold(text)).collect()
            }
        };
        Self {
            ticked: folded(&ticks.ticked, &TICKED),
            unticked: folded(&ticks.unticked, &UNTICKED),
            ticks: ticks.clone(),
            list: column.codes.clone(),
            columns: Vec::new(),
            known: FxHashMap::default(),
            items: Vec::new(),
            other: String::new(),
        }
    }

    /// Codes and names of the columns, where they are declared one by one.
    pub(super) fn named(&self) -> &[(String, String)] {
        match &self.ticks.columns {
            OptionColumns::Named(named) => named,
            OptionColumns::Pattern(_) => &[],
        }
    }

    /// Finds the columns; `false` when the source has none of them.
    pub(super) fn bind(&mut self, header: &Header) -> bool {
        self.columns = match &self.ticks.columns {
            OptionColumns::Named(named) => named
                .iter()
                .filter_map(|(code, name)| Some(OptionColumn { at: header.position(name)?, code: Some(code.clone()) }))
                .collect(),
            OptionColumns::Pattern(pattern) => self.matching(&tidy(pattern), header),
        };
        !self.columns.is_empty()
    }

    fn matching(&self, pattern: &str, header: &Header) -> Vec<OptionColumn> {
        let (before, after) = pattern.split_once('*').unwrap_or((pattern, ""));
        let option = |name: &str| {
            let middle = name.strip_prefix(before)?.strip_suffix(after)?.trim();
            // A repeated name bears a number.
            let plain =
                middle.rsplit_once('#').filter(|(_, n)| n.parse::<u32>().is_ok()).map_or(middle, |(plain, _)| plain);
            let list = self.list.as_ref()?;
            let found = list.find(middle).or_else(|| list.find(plain)).and_then(|at| list.get(at));
            Some(found.map(|code| code.code.clone()))
        };
        let columns = header.names.iter().enumerate();
        columns.filter_map(|(at, name)| Some(OptionColumn { at, code: option(name)? })).collect()
    }

    /// Gathers the cells of a row.
    pub(super) fn gather(&mut self, row: &RawRow<'_>, missing: &[String], not_shown: &mut NotShown) -> Gathered {
        self.items.clear();
        self.other.clear();
        let (mut shown, mut masked, mut faulty) = (false, false, None);
        let columns = std::mem::take(&mut self.columns);
        for column in &columns {
            let cell = row.cell(column.at);
            masked |= cell == RawCell::Masked;
            if matches!(cell, RawCell::Faulty(..)) {
                faulty.get_or_insert(column.at);
            }
            let Some(bytes) = cell.bytes() else {
                shown |= cell == RawCell::Empty;
                continue;
            };
            if !cell.is_filled(missing) {
                shown = true;
                continue;
            }
            let trimmed = text::trim(bytes);
            if not_shown.has(trimmed) {
                continue;
            }
            shown = true;
            match self.tick(trimmed) {
                Tick::Unticked => {}
                Tick::Ticked => match &column.code {
                    Some(code) => self.item(code.as_bytes()),
                    // A tick in a column that names no option of the list is an option that nobody knows.
                    None => self.item(trimmed),
                },
                Tick::Text => self.take_text(column.code.as_deref(), trimmed),
            }
        }
        self.columns = columns;
        match (faulty, shown, masked) {
            (Some(at), ..) => Gathered::Faulty(at),
            (None, true, _) => Gathered::Items,
            (None, false, true) => Gathered::Masked,
            (None, false, false) => Gathered::NotShown,
        }
    }

    fn take_text(&mut self, code: Option<&str>, trimmed: &[u8]) {
        let Ok(text) = std::str::from_utf8(trimmed) else { return self.item(trimmed) };
        let known = self.list.as_ref().and_then(|list| list.find(text));
        match code {
            Some(OTHER) if known.is_none() => {
                if !self.other.is_empty() {
                    self.other.push_str(" ; ");
                }
                self.other.push_str(text);
            }
            _ => self.item(trimmed),
        }
    }

    fn item(&mut self, item: &[u8]) {
        self.items.extend_from_slice(item);
        self.items.push(ITEMS);
    }

    fn tick(&mut self, trimmed: &[u8]) -> Tick {
        if let Some(known) = self.known.get(trimmed) {
            return known.clone();
        }
        let tick = match std::str::from_utf8(trimmed).map(fold) {
            Ok(folded) if self.ticked.contains(&folded) => Tick::Ticked,
            Ok(folded) if self.unticked.contains(&folded) => Tick::Unticked,
            _ => Tick::Text,
        };
        if self.known.len() < REMEMBERED {
            self.known.insert(trimmed.into(), tick.clone());
        }
        tick
    }
}

/// Items of a text that is a JSON list or a `PostgreSQL` array.
pub fn listed_items(text: &str) -> Option<Vec<String>> {
    let bytes = listed(text.as_bytes())?;
    let items = bytes.split(|byte| *byte == ITEMS).filter(|item| !item.is_empty());
    Some(items.map(|item| String::from_utf8_lossy(item).into_owned()).collect())
}

/// Items of a JSON list, or of a `PostgreSQL` array, each ended by [`ITEMS`]; none when the cell is neither.
pub(super) fn listed(raw: &[u8]) -> Option<Vec<u8>> {
    let trimmed = text::trim(raw);
    let items = match (trimmed.first()?, trimmed.last()?) {
        (b'[', b']') => json_items(trimmed)?,
        (b'{', b'}') => postgres_items(std::str::from_utf8(trimmed.get(1..trimmed.len() - 1)?).ok()?)?,
        _ => return None,
    };
    let mut out = Vec::with_capacity(raw.len());
    for item in items {
        out.extend(item.bytes().filter(|byte| *byte != ITEMS));
        out.push(ITEMS);
    }
    Some(out)
}

fn json_items(text: &[u8]) -> Option<Vec<String>> {
    let values: Vec<serde_json::Value> = serde_json::from_slice(text).ok()?;
    let mut items: Vec<String> = values
        .into_iter()
        .filter_map(|value| match value {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text),
            other => Some(other.to_string()),
        })
        .collect();
    // Grist marks its lists.
    if items.first().is_some_and(|first| first == "L") {
        items.remove(0);
    }
    Some(items)
}

/// The items of `{a,"b, c",NULL}`, without the braces.
fn postgres_items(text: &str) -> Option<Vec<String>> {
    let (mut items, mut item) = (Vec::new(), String::new());
    let (mut quoted, mut was_quoted) = (false, false);
    let mut chars = text.chars();
    let mut end = |item: &mut String, was_quoted: &mut bool| {
        let text = std::mem::take(item);
        let trimmed = if *was_quoted { text } else { text.trim().to_owned() };
        if !trimmed.is_empty() && (*was_quoted || trimmed != "NULL") {
            items.push(trimmed);
        }
        *was_quoted = false;
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => item.push(chars.next()?),
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            ',' if !quoted => end(&mut item, &mut was_quoted),
            '{' | '}' if !quoted => return None,
            c => item.push(c),
        }
    }
    end(&mut item, &mut was_quoted);
    (!quoted).then_some(items)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn items(raw: &str) -> Option<Vec<String>> {
        let bytes = listed(raw.as_bytes())?;
        let items = bytes.split(|byte| *byte == ITEMS).filter(|item| !item.is_empty());
        Some(items.map(|item| String::from_utf8(item.to_vec()).unwrap()).collect())
    }

    #[rstest]
    #[case::json(r#"["a","b, c",3,null]"#, Some(vec!["a", "b, c", "3"]))]
    #[case::grist(r#"["L","a"]"#, Some(vec!["a"]))]
    #[case::no_item("[]", Some(vec![]))]
    #[case::postgres(r#"{a,"b, \"c\"",NULL, d }"#, Some(vec!["a", "b, \"c\"", "d"]))]
    #[case::a_text_in_brackets("[sans objet]", None)]
    #[case::a_text_in_braces("{a{b}}", None)]
    #[case::a_text("a,b", None)]
    fn lists_are_known_by_their_marks(#[case] raw: &str, #[case] expected: Option<Vec<&str>>) {
        assert_eq!(items(raw), expected.map(|items| items.into_iter().map(str::to_owned).collect()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let framed = [b"{".as_slice(), &bytes, b"}"].concat();
            prop_assert!(listed(&bytes).is_none_or(|items| items.len() <= bytes.len() * 6 + 1));
            prop_assert!(listed(&framed).is_none_or(|items| items.len() <= framed.len() + 1));
        }
    }
}
