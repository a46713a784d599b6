//! What runs kept in the private store: rows of a record go from the lists beside their records; any other file that holds
//! a text of the record goes as a whole.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::Value;

use super::Marked;
use super::snapshots::Found;
use crate::contract::fold::fold;
use crate::contract::{CodeList, Kind};
use crate::id::{RunId, TableName};
use crate::normalise::erase::Erased;
use crate::publish::commit::json_bytes;
use crate::quality::drift::KnownSource;
use crate::run::{Job, RunError, private_failed};
use crate::store::{Store, StoreFolder, StoreKey};

/// Lists of a run that are cut row by row.
const LISTS: [&str; 3] = ["rejects", "unfit", "corrections"];
/// Files in which bytes do not show what is inside.
const CLOSED: [&str; 5] = [".parquet", ".gz", ".zip", ".xlsx", ".zst"];
/// Shortest text that tells a record; shorter ones are everybody's.
const TELLING: usize = 5;

/// What tells a record in the files of a run.
struct Looked {
    /// By table.
    tables: BTreeMap<String, Erased>,
    texts: Texts,
}

/// Texts of the record.
struct Texts {
    /// What it says: long enough to be nobody else's.
    said: BTreeSet<String>,
    /// Its keys, and short texts that are no option where one is asked for, found as whole words.
    keys: BTreeSet<String>,
}

impl Texts {
    fn of(found: &[Found], marked: &[Marked]) -> Self {
        let (long, short): (BTreeSet<String>, BTreeSet<String>) =
            found.iter().flat_map(unfit_of).partition(|text| telling(text));
        let said = found.iter().flat_map(|found| words_of(found, &[])).chain(long).collect();
        let own =
            |found: &Found| marked.iter().find(|marked| marked.table == found.table.name).map(|m| m.columns.clone());
        let keys = found.iter().flat_map(|found| {
            let names = own(found).unwrap_or_default();
            cells_of(found, |column| names.contains(column)).filter(|text| !text.is_empty()).collect::<Vec<_>>()
        });
        Self { keys: keys.chain(short).collect(), said }
    }

    fn are_in(&self, text: &str) -> bool {
        let apart = |text: &str, at: usize, long: usize| {
            let before = text.get(..at).is_some_and(|before| before.ends_with(char::is_alphanumeric));
            let after = text.get(at + long..).is_some_and(|after| after.starts_with(char::is_alphanumeric));
            !before && !after
        };
        self.said.iter().any(|wanted| text.contains(wanted.as_str()))
            || self.keys.iter().any(|key| text.match_indices(key.as_str()).any(|(at, _)| apart(text, at, key.len())))
    }
}

/// Whether a text is long enough to be nobody else's.
fn telling(text: &str) -> bool {
    text.chars().count() >= TELLING
}

/// Takes what the record alone says out of what is kept of the sources' columns; gives how many files were changed.
pub(super) async fn forget(job: Job<'_>, private: &Store, found: &[Found]) -> Result<u64, RunError> {
    let mut texts: BTreeMap<&TableName, BTreeSet<String>> = BTreeMap::new();
    for found in found {
        texts.entry(&found.table.name).or_default().extend(unfit_of(found).iter().map(|text| fold(text)));
    }
    let mut changed = 0;
    for (table, texts) in texts {
        let key = StoreKey::SourceColumns { dataset: job.pipeline.id.clone(), table: table.clone() };
        let document = private.get(&key).await.map_err(private_failed)?;
        let Some(known) = document.as_ref().and_then(|document| KnownSource::read(document)) else { continue };
        let mut left = known.clone();
        for cells in left.cells.values_mut() {
            cells.unknown.retain(|option, _| !texts.contains(&fold(option)));
        }
        if left != known {
            private.put(&key, json_bytes(&left)).await.map_err(private_failed)?;
            changed += 1;
        }
    }
    Ok(changed)
}

/// Cleans the files of all runs of the dataset; gives how many were changed.
pub(super) async fn clean(job: Job<'_>, private: &Store, marked: &[Marked], found: &[Found]) -> Result<u64, RunError> {
    let mut runs: BTreeMap<RunId, Vec<String>> = BTreeMap::new();
    for (path, _) in private.list(&StoreFolder::Runs).await.map_err(private_failed)? {
        let below = path.strip_prefix("runs/").and_then(|below| below.split_once('/'));
        if let Some((Ok(run), name)) = below.map(|(run, name)| (run.parse(), name)) {
            runs.entry(run).or_default().push(name.to_owned());
        }
    }
    let mut looked = Looked { tables: BTreeMap::new(), texts: Texts::of(found, marked) };
    for marked in marked {
        let spec = job.pipeline.tables.iter().find(|table| table.name == marked.table);
        if let Some(erased) = spec.and_then(|spec| marked.erased(spec, &job.project.key)) {
            looked.tables.insert(marked.table.to_string(), erased);
        }
    }
    let all = rows_of(found, |_| true);
    let mut changed = 0;
    for (run, names) in runs {
        let record = private.get(&StoreKey::RunRecord { run: run.clone() }).await.map_err(private_failed)?;
        let record: Option<Value> = record.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if record.as_ref().is_some_and(|record| record["pipeline"] != job.pipeline.id.as_str()) {
            continue;
        }
        let rows = rows_of(found, |found| is_read(record.as_ref(), found));
        for name in names {
            let key = StoreKey::RunFile { run: run.clone(), name: name.clone() };
            let bytes = private.get(&key).await.map_err(private_failed)?.unwrap_or_default();
            // Lists of an answer that the gate refused: nobody knows which snapshot their row numbers are of.
            let (refused, below) = match name.strip_prefix("refused/") {
                Some(below) => (true, below),
                None => (false, name.as_str()),
            };
            let list = below.split_once('/').filter(|(list, _)| LISTS.contains(list));
            let table = list.and_then(|(_, file)| file.strip_suffix(".csv"));
            let left = match table.and_then(|table| Some((table, looked.tables.get_mut(table)?))) {
                // Without a record nobody knows which snapshot its row numbers are of.
                Some(_) if record.is_none() => Left::Nothing,
                Some((table, erased)) => {
                    rows_left(&bytes, erased, if refused { all.get(table) } else { rows.get(table) })
                }
                None if name == "record.json" => scrubbed(&bytes, &looked.texts),
                None if CLOSED.iter().any(|ending| name.ends_with(ending)) => Left::Nothing,
                None if holds(&bytes, &looked.texts) => Left::Nothing,
                None => Left::All,
            };
            match left {
                Left::All => continue,
                Left::Some(bytes) => private.put(&key, bytes).await.map_err(private_failed)?,
                Left::Nothing => private.delete(&key).await.map_err(private_failed)?,
            }
            changed += 1;
        }
    }
    private.sweep(&StoreFolder::Runs, std::time::Duration::ZERO).await.map_err(private_failed)?;
    Ok(changed)
}

/// What is left of a file.
enum Left {
    All,
    Some(Bytes),
    Nothing,
}

/// Whether a run read a snapshot.
fn is_read(record: Option<&Value>, found: &Found) -> bool {
    let sources = record.and_then(|record| record["sources"].as_array()).map_or(&[][..], Vec::as_slice);
    sources.iter().any(|source| {
        source["source"] == found.table.source.as_str() && source["snapshot"].as_u64() == Some(found.number)
    })
}

/// Row numbers of the record by table, in some snapshots.
fn rows_of(found: &[Found], of: impl Fn(&Found) -> bool) -> BTreeMap<String, BTreeSet<String>> {
    let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for found in found.iter().filter(|found| found.table.explode.is_none() && of(found)) {
        let numbers = found.hits.iter().map(|hit| hit.row.to_string());
        rows.entry(found.table.name.to_string()).or_default().extend(numbers);
    }
    rows
}

/// What a record says in the columns of texts, but for some of them. Places and options are everybody's.
pub(super) fn words_of(found: &Found, without: &[String]) -> BTreeSet<String> {
    let columns = &found.table.contract.columns;
    let text = |name: &String| {
        let kind = columns.iter().find(|column| column.name == *name).map(|column| column.kind);
        matches!(kind, Some(Kind::Text | Kind::Uri | Kind::Siret)) && !without.contains(name)
    };
    cells_of(found, text).filter(|text| telling(text)).collect()
}

/// What the record says that is no option where one is asked for, and no number, date or yes where one of these is: the
/// lists of what did not fit quote it, and what is kept of a closed column counts it.
fn unfit_of(found: &Found) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for mapping in &found.table.mappings {
        let Some(column) = found.table.contract.columns.get(mapping.column) else { continue };
        let names: Vec<&String> = mapping.from.iter().chain(&mapping.other_from).collect();
        let cells = found.hits.iter().flat_map(|hit| &hit.cells).filter(|(name, _)| names.contains(&name));
        for text in cells.map(|(_, text)| text.trim()).filter(|text| !text.is_empty()) {
            match &column.codes {
                Some(list) => texts.extend(no_options(list, text, mapping.separator.as_deref())),
                None if matches!(column.kind, Kind::Text | Kind::Uri | Kind::Siret) => {}
                None if text.chars().any(char::is_alphabetic) && telling(text) => {
                    texts.insert(text.to_owned());
                }
                None => {}
            }
        }
    }
    texts
}

/// Items of a cell of a closed column that are in no list; the cell as a whole when none of them is.
fn no_options(list: &CodeList, text: &str, separator: Option<&str>) -> Vec<String> {
    if list.find(text).is_some() {
        return Vec::new();
    }
    let around = |c: char| c.is_whitespace() || "[]{}\"".contains(c);
    let items: Vec<&str> = match separator {
        Some(separator) if !separator.is_empty() => text.split(separator).collect(),
        _ => text.split([',', ';', '|', '\n']).collect(),
    };
    let items: Vec<&str> = items.iter().map(|item| item.trim_matches(around)).filter(|item| !item.is_empty()).collect();
    let unknown: Vec<&str> = items.iter().copied().filter(|item| list.find(item).is_none()).collect();
    let whole = (unknown.len() == items.len()).then_some(text);
    unknown.into_iter().chain(whole).map(str::to_owned).collect()
}

/// Cells of the record that some columns are read from.
fn cells_of(found: &Found, of: impl Fn(&String) -> bool) -> impl Iterator<Item = String> {
    let Found { table, hits, .. } = found;
    let wanted = |at: usize| table.contract.columns.get(at).is_some_and(|column| of(&column.name));
    let mappings = table.mappings.iter().filter(|mapping| wanted(mapping.column));
    let names: BTreeSet<String> = mappings.flat_map(|mapping| mapping.from.iter().cloned()).collect();
    let cells = hits.iter().flat_map(|hit| &hit.cells);
    cells.filter(move |(name, _)| names.contains(name)).map(|(_, text)| text.trim().to_owned())
}

/// Whether a file holds a text of the record, however it is written there.
fn holds(bytes: &[u8], texts: &Texts) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let unquoted = text.replace("\\\"", "\"").replace("\\n", "\n").replace("\\\\", "\\").replace("\"\"", "\"");
    texts.are_in(&text) || texts.are_in(&unquoted) || texts.are_in(&html_escape::decode_html_entities(&text))
}

/// Members of a run's record that may quote cells.
const QUOTING: [&str; 4] = ["failed_checks", "bounds", "tables", "error"];

/// A record without the texts of the erased one.
fn scrubbed(bytes: &Bytes, texts: &Texts) -> Left {
    if !holds(bytes, texts) {
        return Left::All;
    }
    let Ok(mut record) = serde_json::from_slice::<Value>(bytes) else { return Left::Nothing };
    for name in QUOTING {
        if let Some(member) = record.get_mut(name) {
            scrub(member, texts);
        }
    }
    Left::Some(json_bytes(&record))
}

fn scrub(value: &mut Value, texts: &Texts) {
    match value {
        Value::String(text) if texts.are_in(text) => "…".clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| scrub(item, texts)),
        Value::Object(members) => members.values_mut().for_each(|member| scrub(member, texts)),
        _ => {}
    }
}

/// A list without the rows of the record; a list that cannot be read goes as a whole.
fn rows_left(bytes: &Bytes, erased: &mut Erased, rows: Option<&BTreeSet<String>>) -> Left {
    cut(bytes, erased, rows).unwrap_or(Left::Nothing)
}

fn cut(bytes: &Bytes, erased: &mut Erased, rows: Option<&BTreeSet<String>>) -> Result<Left, csv::Error> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes.as_ref());
    let header = reader.headers()?.clone();
    let at = |name: &str| header.iter().position(|known| known == name);
    let (row, key, raw) = (at("ligne"), at("cle"), at("brut"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header)?;
    let (mut all, mut kept) = (0_u64, 0_u64);
    for record in reader.records() {
        let record = record?;
        let cell = |at: Option<usize>| at.and_then(|at| record.get(at));
        let same_row = cell(row).is_some_and(|row| rows.is_some_and(|rows| rows.contains(row)));
        let same_key = cell(key).is_some_and(|key| {
            let texts = |separator: &str| key.split(separator).map(|text| text.trim().to_owned()).collect::<Vec<_>>();
            erased.has_texts(&[key.to_owned()]) || erased.has_texts(&texts("|"))
        });
        let gone = same_row || same_key || cell(raw).is_some_and(|raw| is_of(raw, erased));
        all += 1;
        if !gone {
            kept += 1;
            writer.write_record(&record)?;
        }
    }
    if kept == all {
        return Ok(Left::All);
    }
    if kept == 0 {
        return Ok(Left::Nothing);
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(Left::Some(bytes.into()))
}

/// Whether the raw cells of a reject are those of the record: under the names of the source, or of the table.
fn is_of(raw: &str, erased: &mut Erased) -> bool {
    let cells: serde_json::Map<String, Value> = serde_json::from_str(raw).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let typed: Option<Vec<String>> = erased.columns().map(|name| cells.get(name).map(text)).collect();
    if typed.is_some_and(|typed| erased.has_texts(&typed)) {
        return true;
    }
    let cells: Vec<(String, String)> = cells.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    erased.has_cells(&cells)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::diagnostic::{Problems, SourceFile};

    #[rstest]
    #[case::an_option("Culture", None, &[])]
    #[case::options("culture, Formation", None, &[])]
    #[case::one_of_several("culture, Zyxomma", None, &["Zyxomma"])]
    #[case::a_text_of_its_own("Zyxomma, la seule", None, &["Zyxomma", "la seule", "Zyxomma, la seule"])]
    #[case::a_declared_separator("culture / Zyx, omma", Some("/"), &["Zyx, omma"])]
    #[case::a_list("[\"culture\",\"Zyxomma\"]", None, &["Zyxomma"])]
    fn what_is_no_option_is_found(#[case] text: &str, #[case] separator: Option<&str>, #[case] expected: &[&str]) {
        let file = SourceFile::new("seeds/codes/t.csv", "code,label\nculture,Culture\nformation,Formation\n");
        let list = CodeList::parse("t", &file, &Problems::default()).unwrap();
        assert_eq!(no_options(&list, text, separator), expected);
    }
}
