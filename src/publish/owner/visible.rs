//! Which cells may be shown to the owner of a source.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::words;
use crate::config::pipeline::{Mapping, OptionColumns, TableSpec};
use crate::config::reading::means;
use crate::contract::{Code, CodeList, Contract, Visibility};
use crate::diagnostic::nearest;
use crate::territory::rule;

/// Which cells of a table and of its source may be shown: those of public columns, and of source columns that fill public
/// columns only. What no column names is not shown, nor what a public id is made of.
#[derive(Debug, Clone)]
pub struct Visible {
    columns: BTreeSet<String>,
    /// Names of source columns, or patterns with one `*`, whose cells may be shown.
    shown: Vec<String>,
    /// The same of those that may not, whatever else they fill.
    hidden: Vec<String>,
    /// Columns of the primary key.
    pub(super) key: Vec<String>,
    /// Whether the key may be shown.
    key_shown: bool,
    /// Columns of the contract and the source columns that fill them.
    origins: Vec<(String, String)>,
    /// Whether no column of the source is hidden, so that cells may be shown that stand in the wrong column.
    whole: bool,
    /// Closed columns of the contract.
    closed: Vec<Closed>,
    /// Columns of the source that were asked about.
    known: RefCell<FxHashMap<String, Arc<Known>>>,
}

/// What is known of a column of a source.
#[derive(Debug)]
struct Known {
    shown: bool,
    /// Closed columns of the contract that it fills, by position.
    fills: Vec<usize>,
}

impl Visible {
    /// What may be shown of a table and of the columns that its source has.
    pub fn of(table: &TableSpec, source_columns: &[String]) -> Self {
        let contract = &table.contract;
        let mut visible = Self {
            columns: contract.public_columns().map(|column| column.name.clone()).collect(),
            shown: Vec::new(),
            hidden: Vec::new(),
            key: contract.primary_key.clone(),
            key_shown: contract.primary_key.iter().all(|name| is_public(contract, name)),
            origins: Vec::new(),
            whole: false,
            closed: Vec::new(),
            known: RefCell::default(),
        };
        for mapping in &table.mappings {
            visible.take(contract, mapping);
        }
        if let Some(place) = &table.place {
            let texts = [
                (&place.code_insee, "code_insee"),
                (&place.code_postal, "code_postal"),
                (&place.commune, "commune"),
                (&place.departement, "departement"),
                (&place.region, "region"),
                (&place.longitude, "longitude"),
                (&place.latitude, "latitude"),
            ];
            for (names, column) in texts {
                let column = contract.column(column);
                if column.is_some_and(|column| column.visibility == Visibility::Public) {
                    visible.shown.extend(names.iter().cloned());
                } else if column.is_some_and(|column| column.visibility != Visibility::Undeclared) {
                    visible.hidden.extend(names.iter().cloned());
                }
            }
        }
        // What a column is made of may hold more than the column.
        for derived in table.derived.iter().rev() {
            let group = format!("{}.", derived.name);
            let named = |name: &String| *name == derived.name || name.starts_with(&group);
            if visible.hidden.iter().any(named) {
                visible.hidden.extend(derived.from.iter().cloned());
            }
            for (_, origin) in &mut visible.origins {
                if named(origin) {
                    *origin = derived.from.join(" / ");
                }
            }
        }
        visible.whole = source_columns.iter().all(|column| visible.source(column));
        visible
    }

    /// Whether the cells of a row may be shown that do not line up with the header.
    pub(super) fn misaligned(&self) -> bool {
        self.whole
    }

    fn take(&mut self, contract: &Contract, mapping: &Mapping) {
        let Some(column) = contract.columns.get(mapping.column) else { return };
        let names = mapping.from.iter().cloned().chain(ticks(mapping));
        let names: Vec<String> = names.collect();
        self.origins.push((column.name.clone(), names.join(" / ")));
        if let Some(list) = &column.codes {
            self.closed.push(Closed::new(column.name.clone(), names.clone(), Arc::clone(list)));
        }
        if mapping.keyed {
            // The value behind a public id is what the id hides: it is shown only where another column is filled by it.
            self.columns.remove(&column.name);
        } else if column.visibility == Visibility::Public {
            self.shown.extend(names);
        } else {
            self.hidden.extend(names);
        }
        let other = mapping.other.and_then(|at| contract.columns.get(at)).unwrap_or(column);
        let others = if other.visibility == Visibility::Public { &mut self.shown } else { &mut self.hidden };
        others.extend(mapping.other_from.iter().cloned());
    }

    /// Whether cells of a column of the contract may be shown.
    pub fn column(&self, name: &str) -> bool {
        self.columns.contains(name)
    }

    /// Whether a value of a column of the contract may be shown for what it is: in a closed column an option, or what looks
    /// like one that is spelled wrong. Anything else there may be a name or a remark that somebody typed.
    pub(super) fn value(&self, column: &str, value: &str) -> bool {
        self.closed.iter().filter(|closed| closed.column == column).all(|closed| closed.is_option(value))
    }

    /// The same of a value of a source column.
    pub(super) fn source_value(&self, source: &str, value: &str) -> bool {
        self.known(source).fills.iter().filter_map(|at| self.closed.get(*at)).all(|closed| closed.is_option(value))
    }

    /// Whether cells of a source column may be shown.
    pub fn source(&self, name: &str) -> bool {
        self.known(name).shown
    }

    /// Names are compared as people spell them: once for each column, not once for each cell.
    fn known(&self, source: &str) -> Arc<Known> {
        if let Some(known) = self.known.borrow().get(source) {
            return Arc::clone(known);
        }
        let fills = |closed: &Closed| closed.sources.iter().any(|name| means(name, source));
        let fills = self.closed.iter().enumerate().filter(|(_, closed)| fills(closed)).map(|(at, _)| at).collect();
        let named = |known: &String| means(known, source);
        // A column of a group may be named by its last part alone.
        let last = source.rsplit_once(" > ").map(|(_, last)| last);
        let hides = |known: &String| named(known) || last.is_some_and(|last| means(known, last));
        let shown = self.shown.iter().any(named) && !self.hidden.iter().any(hides);
        let known = Arc::new(Known { shown, fills });
        self.known.borrow_mut().insert(source.to_owned(), Arc::clone(&known));
        known
    }

    /// Whether the texts of a correction of a place may be shown. Those of a rule that is not known here are not.
    pub fn place(&self, code: &str) -> bool {
        let columns: &[&str] = match code {
            rule::INSEE_FORM | rule::FORMER_CODE | rule::INSEE_REFUTED => &["code_insee"],
            rule::INSEE_DOUBTED => &["region", "code_postal", "commune", "departement", "code_insee"],
            rule::POSTAL_FORM | rule::POSTAL_UNREADABLE => &["code_postal"],
            rule::CEDEX => &["commune"],
            rule::FORMER_REGION => &["region"],
            code if words::is_of_point(code) => &["longitude", "latitude"],
            _ => return false,
        };
        columns.iter().all(|column| self.column(column))
    }

    /// The key of a row, when it may be shown.
    pub fn key<'a>(&self, key: &'a str) -> &'a str {
        if self.key_shown { key } else { "" }
    }

    /// Names of the source columns that fill a column of the contract; its own name when none does.
    pub fn origin<'a>(&'a self, column: &'a str) -> &'a str {
        self.filled_by(column).unwrap_or(column)
    }

    /// Names of the source columns that fill a column of the contract.
    pub(super) fn filled_by(&self, column: &str) -> Option<&str> {
        let found = self.origins.iter().find(|(name, origin)| name == column && !origin.is_empty());
        found.map(|(_, origin)| origin.as_str())
    }

    /// Columns of the primary key, as the source names them.
    pub(super) fn key_names(&self) -> String {
        self.key.iter().map(|name| self.origin(name)).collect::<Vec<_>>().join(", ")
    }
}

/// Longest text that is a mark, a number or a code rather than a word, in characters.
const MARK: usize = 3;

/// Most texts of a column that are remembered.
const JUDGED: usize = 10_000;

/// The options of a closed column.
#[derive(Debug, Clone)]
struct Closed {
    column: String,
    /// Names of the source columns that it is read from.
    sources: Vec<String>,
    list: Arc<CodeList>,
    /// Most bytes of a text that can be an option spelled wrong: what is longer was never one.
    longest: usize,
    /// Texts that were judged: a list of rejects has few different ones, and each is held against all options.
    judged: RefCell<FxHashMap<String, bool>>,
}

impl Closed {
    fn new(column: String, sources: Vec<String>, list: Arc<CodeList>) -> Self {
        let spellings = list.codes.iter().flat_map(spellings).map(str::len);
        let longest = spellings.max().unwrap_or(0) * 2;
        Self { column, sources, list, longest, judged: RefCell::default() }
    }

    /// Whether a text is an option of the list, or some of them, or nearly.
    fn is_option(&self, text: &str) -> bool {
        let parted = |separators: &[char]| {
            let items = text.split(separators).map(|item| item.trim_matches(['[', ']', '"', '{', '}', ' ']));
            items.filter(|item| !item.is_empty()).all(|item| self.knows(item))
        };
        // Parts are few and come again; whole cells of several options are nearly all different.
        parted(&[';', '|', '\n', ',']) || self.knows(text.trim()) || parted(&[' '])
    }

    fn knows(&self, text: &str) -> bool {
        if text.chars().count() <= MARK {
            return true;
        }
        if let Some(known) = self.judged.borrow().get(text) {
            return *known;
        }
        let spellings = self.list.codes.iter().flat_map(spellings);
        let known =
            self.list.find(text).is_some() || (text.len() <= self.longest && nearest(text, spellings).is_some());
        let mut judged = self.judged.borrow_mut();
        if judged.len() < JUDGED {
            judged.insert(text.to_owned(), known);
        }
        known
    }
}

fn spellings(code: &Code) -> impl Iterator<Item = &str> {
    [&code.code, &code.label, &code.label_en].into_iter().chain(&code.aliases).map(String::as_str)
}

fn is_public(contract: &Contract, name: &str) -> bool {
    contract.column(name).is_some_and(|column| column.visibility == Visibility::Public)
}

/// Names of the columns of a question with one column per option.
fn ticks(mapping: &Mapping) -> Vec<String> {
    match mapping.ticks.as_ref().map(|ticks| &ticks.columns) {
        Some(OptionColumns::Pattern(pattern)) => vec![pattern.clone()],
        Some(OptionColumns::Named(named)) => named.iter().map(|(_, name)| name.clone()).collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const DOUBTED: [&str; 5] = ["region", "code_postal", "commune", "departement", "code_insee"];

    fn of(columns: &[&str]) -> Visible {
        Visible {
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            shown: Vec::new(),
            hidden: Vec::new(),
            key: Vec::new(),
            key_shown: true,
            origins: Vec::new(),
            whole: false,
            closed: Vec::new(),
            known: RefCell::default(),
        }
    }

    #[rstest]
    #[case::refuted_code(rule::INSEE_REFUTED, &["code_insee"])]
    #[case::doubted_code(rule::INSEE_DOUBTED, &DOUBTED)]
    #[case::form(rule::INSEE_FORM, &["code_insee"])]
    #[case::point(rule::FAR_POINT, &["longitude", "latitude"])]
    fn the_texts_of_a_correction_are_shown_when_all_that_they_hold_is_public(
        #[case] rule: &str,
        #[case] needed: &[&str],
    ) {
        assert!(of(needed).place(rule));
        for hidden in needed {
            let mut visible = of(&DOUBTED);
            visible.columns.extend(["longitude".to_owned(), "latitude".to_owned(), "region".to_owned()]);
            visible.columns.remove(*hidden);
            assert!(!visible.place(rule), "without {hidden}");
        }
    }

    #[test]
    fn the_texts_of_an_unknown_correction_are_not_shown() {
        assert!(!of(&["longitude", "latitude", "code_insee"]).place("nouvelle_regle"));
    }
}
