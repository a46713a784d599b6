//! What to write when cells no longer fit: the same decoder that refused them is asked which mapping would read them.

use std::collections::BTreeMap;

use crate::config::pipeline::{Mapping, TableSpec};
use crate::contract::fold::fold;
use crate::contract::{Code, CodeList, Column, Kind, Visibility};
use crate::normalise::{ColumnShape, fitting};

/// Formats of dates that sources write, the likelier first.
const FORMATS: [&str; 15] = [
    "%d/%m/%Y",
    "%Y-%m-%d",
    "%d-%m-%Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%d/%m/%y",
    "%m/%d/%Y",
    "%Y%m%d",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
];
/// Separators of options that sources write.
const SEPARATORS: [&str; 8] = [";", ",", "|", "/", "–", "-", "\n", " "];
/// Longest text behind a number that is taken for a unit.
const UNIT: usize = 12;
/// Most words of a yes-or-no column that are told.
const WORDS: usize = 6;
/// How alike two options must be for one to be taken for the other (Jaro-Winkler).
const ALIKE: f64 = 0.85;

/// A mapping that may read what came, and the words for it in the pipeline file.
struct Candidate {
    mapping: Mapping,
    line: String,
}

/// What to write so that the cells of the column at a position are read again.
pub(super) fn mapping(table: &TableSpec, at: usize, shape: &ColumnShape) -> String {
    let contract = &table.contract;
    let nothing = format!(
        "they are read as empty; map another source column, or say in schemas/{}.schema.json what they are now",
        table.name
    );
    let Some(column) = contract.columns.get(at) else { return nothing };
    let Some(own) = table.mappings.iter().find(|mapping| mapping.column == at) else { return nothing };
    let texts = || shape.texts.keys().map(String::as_str);
    let mut best: Option<(usize, Candidate)> = None;
    for candidate in candidates(column, own, shape) {
        let fits = fitting(column, &candidate.mapping, &contract.missing_values, texts());
        if fits * 2 > shape.texts.len() && best.as_ref().is_none_or(|(most, _)| fits > *most) {
            best = Some((fits, candidate));
        }
    }
    match (best, column.kind) {
        (Some((_, Candidate { line, .. })), _) => {
            format!("write {line} in the line `{}` of [table.{}.columns]", column.name, table.name)
        }
        // What is told stands in logs that anyone may read.
        (None, _) if column.visibility != Visibility::Public => {
            format!("{} cells; see the private list unfit/{}.csv of the run", shape.unfit, table.name)
        }
        (None, Kind::Boolean) => words(&table.name, column, &shape.texts).unwrap_or(nothing),
        (None, Kind::Code | Kind::Codes) => "add its options to the code list, as told below".to_owned(),
        (None, _) => nothing,
    }
}

fn candidates(column: &Column, own: &Mapping, shape: &ColumnShape) -> Vec<Candidate> {
    let with = |line: String, change: &dyn Fn(&mut Mapping)| {
        let mut mapping = own.clone();
        change(&mut mapping);
        Candidate { mapping, line }
    };
    match column.kind {
        Kind::Date | Kind::DateTime => {
            // Where some cells are as before, both formats are needed.
            let before = match own.formats.as_slice() {
                _ if shape.unfit == shape.filled => Vec::new(),
                [] => vec!["%Y-%m-%d".to_owned()],
                formats => formats.to_vec(),
            };
            let formats = |new: &str| [vec![new.to_owned()], before.clone()].concat();
            let line = |formats: &[String]| match formats {
                [only] => format!("format = {only:?}"),
                several => format!("format = {several:?}"),
            };
            let new = FORMATS.iter().filter(|new| !own.formats.iter().any(|known| known == *new));
            new.map(|new| with(line(&formats(new)), &|mapping| mapping.formats = formats(new))).collect()
        }
        Kind::Integer | Kind::Number => numbers(column, own, &shape.texts),
        Kind::Codes => {
            let line = |separator: &&str| {
                with(format!("separator = {separator:?}"), &|mapping| {
                    mapping.separator = Some((*separator).to_owned());
                })
            };
            SEPARATORS.iter().map(line).collect()
        }
        Kind::Text | Kind::Uri | Kind::Siret | Kind::Code if !own.html => {
            vec![with("html = true".to_owned(), &|mapping| mapping.html = true)]
        }
        _ => Vec::new(),
    }
}

/// Decimal marks, and units behind the numbers.
fn numbers(column: &Column, own: &Mapping, texts: &BTreeMap<String, u64>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let unit = unit(texts).filter(|_| column.visibility == Visibility::Public);
    for decimal_comma in [own.decimal_comma, !own.decimal_comma] {
        let mark = if decimal_comma { "," } else { "." };
        let decimal = (decimal_comma != own.decimal_comma).then(|| format!("decimal = {mark:?}"));
        if let Some(line) = &decimal {
            candidates.push(Candidate { mapping: Mapping { decimal_comma, ..own.clone() }, line: line.clone() });
        }
        let Some(unit) = &unit else { continue };
        let mut units = own.units.clone();
        units.push((unit.clone(), 1.0));
        let known = units.iter().map(|(unit, factor)| format!("{unit:?} = {factor}")).collect::<Vec<_>>().join(", ");
        let lines: Vec<String> = decimal.into_iter().chain([format!("units = {{ {known} }}")]).collect();
        let other = column.unit.as_ref().filter(|own| fold(own) != fold(unit));
        let factor = other.map_or_else(String::new, |own| format!(", with what one {unit} is in {own} in place of 1,"));
        let line = format!("{}{factor}", lines.join(", "));
        candidates.push(Candidate { mapping: Mapping { decimal_comma, units, ..own.clone() }, line });
    }
    candidates
}

/// The text that stands behind most of the numbers.
fn unit(texts: &BTreeMap<String, u64>) -> Option<String> {
    let mut units: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts.keys().filter(|text| text.starts_with(|c: char| c.is_ascii_digit() || c == '-')) {
        let unit = text.trim_start_matches(|c: char| !c.is_alphabetic() && !matches!(c, '%' | '€' | '$')).trim();
        if !unit.is_empty() && unit.chars().count() <= UNIT {
            *units.entry(unit).or_default() += 1;
        }
    }
    let (unit, count) = units.into_iter().max_by_key(|(_, count)| *count)?;
    (count * 2 > texts.len()).then(|| unit.to_owned())
}

/// Words that stand where yes and no were.
fn words(table: &crate::id::TableName, column: &Column, texts: &BTreeMap<String, u64>) -> Option<String> {
    if column.visibility != Visibility::Public || texts.len() > WORDS {
        return None;
    }
    let words: Vec<String> = texts.keys().map(|word| format!("`{word}`")).collect();
    Some(format!(
        "say in schemas/{table}.schema.json which of {} are its trueValues and which its falseValues",
        words.join(", ")
    ))
}

/// What to write for an option that is not in a list: the line of the code that it may mean, or a line of its own. `gone`
/// are codes that no row has any longer, `new` is how many options are new.
pub(super) fn option(list: &CodeList, option: &str, gone: &[(String, u64)], new: usize) -> String {
    let file = format!("seeds/codes/{}.csv", list.name);
    let code = fold(option).replace(' ', "_");
    let own = line(&[&code, option, "", ""]);
    // `|` stands between aliases.
    let known = nearest(list, option, gone, new).filter(|_| !option.contains('|'));
    let Some(known) = known else { return format!("add it to {file} as {own}") };
    let aliases: Vec<&str> = known.aliases.iter().map(String::as_str).chain([option]).collect();
    let mended = line(&[&known.code, &known.label, &known.label_en, &aliases.join("|")]);
    let gone = gone.iter().any(|(code, _)| *code == known.code);
    let gone = if gone { ", which no row has any longer" } else { "" };
    format!("if it means `{}`{gone}, make that line of {file} {mended}; if not, add {own}", known.code)
}

/// The code that an option may mean: one that looks like it, those that are gone first; or the only one that is gone when
/// there is one new option.
fn nearest<'a>(list: &'a CodeList, option: &str, gone: &[(String, u64)], new: usize) -> Option<&'a Code> {
    let folded = fold(option);
    let alike = |code: &Code| {
        let spellings = [&code.code, &code.label].into_iter().chain(&code.aliases);
        spellings.map(|spelling| strsim::jaro_winkler(&folded, &fold(spelling))).fold(0.0, f64::max)
    };
    let is_gone = |code: &&Code| gone.iter().any(|(name, _)| *name == code.code);
    let best = |codes: &mut dyn Iterator<Item = &'a Code>| {
        codes.map(|code| (alike(code), code)).filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let among_gone = best(&mut list.codes.iter().filter(is_gone));
    let only = || list.codes.iter().find(is_gone).filter(|_| gone.len() == 1 && new == 1);
    among_gone.or_else(|| best(&mut list.codes.iter())).map(|(_, code)| code).or_else(only)
}

/// A line of a CSV file.
fn line(cells: &[&str]) -> String {
    let quoted = |cell: &&str| {
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            (*cell).to_owned()
        }
    };
    format!("`{}`", cells.iter().map(quoted).collect::<Vec<_>>().join(","))
}
