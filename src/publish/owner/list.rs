//! The cases of one table, as they come: all go to the CSV, the first of each list to the page.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;

use super::{OwnerError, SHOWN, Visible, words};
use crate::config::pipeline::TableSpec;
use crate::disclosure::scan;
use crate::normalise::reject::DUPLICATE;

/// Longest text of a cell on the page, in characters.
const LONGEST: usize = 90;
/// Cells of a rejected row that are on the page.
const CELLS: usize = 8;
/// What stands in the place of a value that may not be shown.
const HIDDEN: &str = "(non montré)";
/// Columns of the CSV.
const HEADER: [&str; 11] = [
    "table",
    "nature",
    "ligne",
    "enregistrement",
    "cle",
    "code",
    "explication",
    "colonne",
    "avant",
    "apres",
    "cellules",
];

/// What a list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Rows that are not in the table.
    Reject,
    /// Rows that another row of the same key stands for.
    Duplicate,
    /// Points that cannot be right.
    Place,
    /// Cells that could not be read.
    Cell,
    /// What was put right by itself.
    Correction,
}

impl Kind {
    /// What a case is called in the CSV.
    fn name(self) -> &'static str {
        match self {
            Self::Reject => "rejet",
            Self::Duplicate => "doublon",
            Self::Place => "lieu",
            Self::Cell => "cellule",
            Self::Correction => "correction",
        }
    }
}

/// Cells of a rejected row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells<'a> {
    /// Columns and cells of the source.
    Source(&'a [(String, String)]),
    /// Columns and cells of the table.
    Table(&'a [(String, String)]),
}

/// A case, as the lists beside a run's record have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case<'a> {
    /// A rejected row.
    Reject {
        /// Reason.
        reason: &'a str,
        /// Column that decided; may be empty.
        column: &'a str,
        /// Explanation; quotes cells, for some reasons.
        detail: &'a str,
        /// Its cells.
        cells: Cells<'a>,
    },
    /// A cell that does not fit.
    Cell {
        /// Reason.
        reason: &'a str,
        /// Column of the contract.
        column: &'a str,
        /// What the source has.
        value: &'a str,
    },
    /// A correction.
    Correction {
        /// Rule.
        rule: &'a str,
        /// Column of the contract, or `lieu`.
        column: &'a str,
        /// What the source has.
        before: &'a str,
        /// What the table has.
        after: &'a str,
    },
}

/// Where a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At<'a> {
    /// Number of the row in the source.
    pub row: &'a str,
    /// Line of the file; empty where it has none.
    pub line: &'a str,
    /// Primary key of the row; empty for a rejected one.
    pub key: &'a str,
}

/// A case on the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Entry {
    line: String,
    row: String,
    key: String,
    label: String,
    /// What is known beyond the reason.
    note: String,
    column: String,
    /// Whether the values may not be shown.
    hidden: bool,
    before: String,
    after: String,
    cells: Vec<(String, String)>,
}

/// Why cases are in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Reason {
    label: String,
    sentence: String,
    cases: u64,
}

/// A list on the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    kind: Kind,
    total: u64,
    /// Whether some case has a line, or a key.
    lines: bool,
    keys: bool,
    reasons: Vec<Reason>,
    entries: Vec<Entry>,
}

/// The lists of one source: a CSV that grows, and what the page shows of the table at hand.
pub struct Lists<'a, W: Write> {
    csv: csv::Writer<W>,
    table: Option<(&'a TableSpec, Visible)>,
    listed: BTreeMap<Kind, (BTreeMap<String, u64>, Vec<Entry>)>,
}

impl<W: Write> std::fmt::Debug for Lists<'_, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lists").field("listed", &self.listed).finish_non_exhaustive()
    }
}

impl<'a, W: Write> Lists<'a, W> {
    /// Begins the CSV: semicolons and a byte order mark, so that a French spreadsheet opens it as it is.
    pub fn new(mut writer: W) -> Result<Self, OwnerError> {
        writer.write_all("\u{feff}".as_bytes()).map_err(|source| OwnerError::Csv(source.into()))?;
        let mut csv = csv::WriterBuilder::new().delimiter(b';').terminator(csv::Terminator::CRLF).from_writer(writer);
        csv.write_record(HEADER).map_err(OwnerError::Csv)?;
        Ok(Self { csv, table: None, listed: BTreeMap::new() })
    }

    /// The cases that follow are of this table.
    pub fn begin(&mut self, table: &'a TableSpec, source_columns: &[String]) {
        self.table = Some((table, Visible::of(table, source_columns)));
    }

    /// Takes a case in.
    pub fn take(&mut self, at: At<'_>, case: Case<'_>) -> Result<(), OwnerError> {
        let Some((table, visible)) = &self.table else { return Ok(()) };
        let (kind, code, entry) = entry(visible, at, case);
        let (label, sentence) = words::of(kind, &code, table, visible);
        let mut cells = Vec::with_capacity(entry.cells.len());
        cells.extend(entry.cells.iter().map(|(name, value)| format!("{name} : {value}")));
        let hidden = || HIDDEN.to_owned();
        let (before, after) =
            if entry.hidden { (hidden(), hidden()) } else { (entry.before.clone(), entry.after.clone()) };
        let explained = if entry.note.is_empty() { sentence } else { format!("{sentence} {}", entry.note) };
        let record = [
            &table.contract.title,
            kind.name(),
            &entry.line,
            &entry.row,
            &entry.key,
            &code,
            &explained,
            &entry.column,
            &before,
            &after,
            &cells.join(" | "),
        ]
        .map(harmless);
        self.csv.write_record(&record).map_err(OwnerError::Csv)?;
        let (reasons, entries) = self.listed.entry(kind).or_default();
        *reasons.entry(code).or_default() += 1;
        if entries.len() < SHOWN {
            entries.push(entry.for_page(label));
        }
        Ok(())
    }

    /// Ends a table: its lists, as the page shows them.
    pub fn end(&mut self) -> Vec<Listed> {
        let Some((table, visible)) = self.table.take() else { return Vec::new() };
        let listed = std::mem::take(&mut self.listed).into_iter().map(|(kind, (reasons, entries))| {
            let total = reasons.values().sum();
            let mut reasons: Vec<Reason> = reasons
                .into_iter()
                .map(|(code, cases)| {
                    let (label, sentence) = words::of(kind, &code, table, &visible);
                    Reason { label, sentence, cases }
                })
                .collect();
            reasons.sort_by_key(|reason| std::cmp::Reverse(reason.cases));
            let lines = entries.iter().any(|entry| !entry.line.is_empty());
            let keys = entries.iter().any(|entry| !entry.key.is_empty());
            Listed { kind, total, lines, keys, reasons, entries }
        });
        listed.collect()
    }

    /// Ends the CSV.
    pub fn finish(mut self) -> Result<(), OwnerError> {
        self.csv.flush().map_err(|source| OwnerError::Csv(source.into()))
    }
}

impl Entry {
    /// What the page has room for.
    fn for_page(mut self, label: String) -> Self {
        self.label = label;
        self.cells.truncate(CELLS);
        let texts = self.cells.iter_mut().map(|(_, value)| value);
        for text in texts.chain([&mut self.before, &mut self.after, &mut self.key]) {
            if let Some((cut, _)) = text.char_indices().nth(LONGEST) {
                text.truncate(cut);
                text.push('…');
            }
        }
        self
    }
}

/// What may be shown of a case, its list, and its code.
fn entry(visible: &Visible, at: At<'_>, case: Case<'_>) -> (Kind, String, Entry) {
    let text = |text: &str| scan::without(text).into_owned();
    let mut entry =
        Entry { line: at.line.to_owned(), row: at.row.to_owned(), key: text(visible.key(at.key)), ..Entry::default() };
    match case {
        Case::Reject { reason, column, detail, cells } => {
            visible.origin(column).clone_into(&mut entry.column);
            if visible.misaligned() || !words::is_misaligned(reason) {
                entry.cells = shown(visible, cells);
                entry.key = text(&key_of(visible, cells));
            }
            if words::is_safe(reason) {
                entry.note = words::detail(reason, detail);
            }
            let kind = if reason == DUPLICATE { Kind::Duplicate } else { Kind::Reject };
            (kind, reason.to_owned(), entry)
        }
        Case::Cell { reason, column, value } => {
            visible.origin(column).clone_into(&mut entry.column);
            entry.hidden = !visible.column(column) || !visible.value(column, value);
            entry.before = if entry.hidden { String::new() } else { text(value) };
            (Kind::Cell, reason.to_owned(), entry)
        }
        Case::Correction { rule, column, before, after } => {
            let place = column == "lieu";
            let own = || visible.column(column) && visible.value(column, before);
            entry.hidden = !(if place { visible.place(rule) } else { own() });
            if !entry.hidden {
                (entry.before, entry.after) = (text(before), text(after));
            }
            if place { "lieu" } else { visible.origin(column) }.clone_into(&mut entry.column);
            let kind = if place && words::is_of_point(rule) { Kind::Place } else { Kind::Correction };
            (kind, rule.to_owned(), entry)
        }
    }
}

/// The cells of a rejected row that may be shown, by the names that the source has for them.
fn shown(visible: &Visible, cells: Cells<'_>) -> Vec<(String, String)> {
    let name_of = |name: &str| match cells {
        Cells::Source(_) => visible.source(name).then(|| name.to_owned()),
        Cells::Table(_) => visible.filled_by(name).filter(|_| visible.column(name)).map(str::to_owned),
    };
    let (Cells::Source(all) | Cells::Table(all)) = cells;
    let fits = |name: &str, value: &str| match cells {
        Cells::Source(_) => visible.source_value(name, value),
        Cells::Table(_) => visible.value(name, value),
    };
    let filled = all.iter().filter(|(_, value)| !value.trim().is_empty());
    filled
        .filter_map(|(name, value)| {
            let own = name_of(name)?;
            let shown = if fits(name, value) { scan::without(value).into_owned() } else { HIDDEN.to_owned() };
            Some((own, shown))
        })
        .collect()
}

/// The key of a rejected row, where its cells tell it and it may be shown.
fn key_of(visible: &Visible, cells: Cells<'_>) -> String {
    let find = |cells: &[(String, String)], name: &str| {
        cells.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let parts: Vec<String> = match cells {
        Cells::Source(cells) => visible
            .key
            .iter()
            .map(|column| visible.origin(column))
            .map(|name| if visible.source(name) { find(cells, name) } else { String::new() })
            .collect(),
        Cells::Table(cells) => visible.key.iter().map(|column| find(cells, column)).collect(),
    };
    if parts.iter().any(String::is_empty) { String::new() } else { visible.key(&parts.join(" | ")).to_owned() }
}

/// A cell that no spreadsheet takes for a formula: this list is made to be opened in one.
fn harmless(cell: &str) -> String {
    let number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | ',' | ' ');
    let formula = match cell.chars().next() {
        Some('=' | '@' | '\t' | '\r') => true,
        Some('+' | '-') => !cell.chars().all(number),
        _ => false,
    };
    if formula { format!("'{cell}") } else { cell.to_owned() }
}
