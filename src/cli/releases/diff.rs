//! `essaim releases diff A B`: what changed between any two releases.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{dataset_of, entries_of, failed, resolve};
use crate::cli::Exit;
use crate::cli::printer::{Printer, Text};
use crate::cli::project::Checked;
use crate::id::{DatasetId, ReleaseId};
use crate::publish::changes::{
    Change, LIST, ListWriter, ListedBatches, SUMMARY, Versions, compare, differing, fetch_file, fetch_tables, read_list,
};
use crate::publish::commit::manifest_of;
use crate::release::{ChangeKind, ChangeSummary, Inputs, Manifest, NotTold, Steps, TableChanges, TableState, states};
use crate::store::Store;

/// Changes that the table for people shows of each table.
const SHOWN: usize = 20;

/// Arguments of a difference.
#[derive(Debug, Args)]
pub(super) struct DiffArguments {
    /// Release, or dataset@release; `latest` is the current one
    a: String,
    /// Another release of the same dataset
    b: String,
    /// How the answer is written
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    format: Format,
    /// Only this table
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Write to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Counts and the first changes of each table, for people
    Table,
    /// One object with all changes and the counts
    Json,
    /// All changes, as `changes.parquet` of a release has them
    Parquet,
}

/// A difference on the local disk.
struct Difference {
    summary: ChangeSummary,
    list: PathBuf,
    _folder: tempfile::TempDir,
}

/// Compares two releases.
pub(super) async fn diff(
    checked: &Checked,
    store: &Store,
    arguments: &DiffArguments,
    printer: &Printer,
) -> Result<(), Exit> {
    let (dataset, older, newer) = named(checked, store, arguments, printer).await?;
    let manifest = async |release| manifest_of(store, &dataset, release).await.map_err(|error| failed(&error, printer));
    let (before, after) = (manifest(&older).await?, manifest(&newer).await?);
    if let Some(table) = &arguments.table {
        let known = |manifest: &Manifest| manifest.tables.iter().any(|known| known.name == *table);
        if !known(&before) && !known(&after) {
            let names: Vec<&str> = after.tables.iter().map(|table| table.name.as_str()).collect();
            let line = format!("`{dataset}` publishes no table `{table}`; it publishes: {}", names.join(", "));
            return Err(mistake(line, printer));
        }
    }
    let mut difference = match stored(store, &before, &after, printer).await? {
        Some(difference) => difference,
        None => computed(store, &before, &after, printer).await?,
    };
    if let Some(table) = &arguments.table {
        difference.summary.tables.retain(|counts| counts.table == *table);
    }
    write(&difference, arguments, printer)
}

fn mistake(line: String, printer: &Printer) -> Exit {
    printer.failure_lines(&[line]);
    Exit::Mistake
}

/// The dataset that is meant, and its two releases, the older one first: told the other way round, what somebody withdrew
/// would be told as new.
async fn named(
    checked: &Checked,
    store: &Store,
    arguments: &DiffArguments,
    printer: &Printer,
) -> Result<(DatasetId, ReleaseId, ReleaseId), Exit> {
    let split = |text: &'_ str| match text.split_once('@') {
        Some((dataset, release)) => (Some(dataset.to_owned()), release.to_owned()),
        None => (None, text.to_owned()),
    };
    let ((one, a), (other, b)) = (split(&arguments.a), split(&arguments.b));
    let dataset = match (one.as_ref().or(other.as_ref()), checked.project.pipelines.as_slice()) {
        (Some(name), _) => dataset_of(checked, name, printer)?.clone(),
        (None, [only]) => only.id.clone(),
        (None, _) => {
            let line = format!("say of which dataset: `DATASET@{a}`; `essaim releases list` shows them");
            return Err(mistake(line, printer));
        }
    };
    if one.is_some_and(|name| name != dataset.as_str()) || other.is_some_and(|name| name != dataset.as_str()) {
        let line = "both releases must be of one dataset: different datasets have no rows in common";
        return Err(mistake(line.to_owned(), printer));
    }
    let wanted = async |release: &str| {
        let release = (release != "latest").then_some(release);
        resolve(store, &dataset, release, printer).await
    };
    let (a, b) = (wanted(&a).await?, wanted(&b).await?);
    let entries = entries_of(store, &dataset, printer).await?;
    let number = |release: &ReleaseId| states(&entries).iter().find(|s| s.release() == Some(release)).map(|s| s.number);
    if number(&a) <= number(&b) {
        return Ok((dataset, a, b));
    }
    printer.talk(&format!("{a} is the newer release: told from {b} to {a}\n"));
    Ok((dataset, b, a))
}

fn scratch(printer: &Printer) -> Result<tempfile::TempDir, Exit> {
    tempfile::Builder::new().prefix("essaim-").tempdir().map_err(|error| failed(&error, printer))
}

/// The changelog that the newer release holds, when it is about the older one: it tells causes apart.
async fn stored(
    store: &Store,
    before: &Manifest,
    after: &Manifest,
    printer: &Printer,
) -> Result<Option<Difference>, Exit> {
    if after.previous.as_ref() != Some(&before.release) {
        return Ok(None);
    }
    let folder = scratch(printer)?;
    for path in [LIST, SUMMARY] {
        let fetched = fetch_file(store, after, path, folder.path()).await.map_err(|error| failed(&error, printer))?;
        if !fetched {
            return Ok(None);
        }
    }
    let text = fs::read(folder.path().join(SUMMARY)).map_err(|error| failed(&error, printer))?;
    let summary = serde_json::from_slice(&text).map_err(|error| failed(&error, printer))?;
    Ok(Some(Difference { summary, list: folder.path().join(LIST), _folder: folder }))
}

/// The difference of two releases, computed from their Parquet files. Nothing is run: when several inputs moved, causes
/// are not told apart.
async fn computed(store: &Store, before: &Manifest, after: &Manifest, printer: &Printer) -> Result<Difference, Exit> {
    let folder = scratch(printer)?;
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let tables = differing(before, after);
    let mut unreadable = BTreeSet::new();
    for (manifest, folder) in [(before, &old), (after, &new)] {
        fs::create_dir_all(folder).map_err(|error| failed(&error, printer))?;
        let fetched = fetch_tables(store, manifest, &tables, folder).await;
        unreadable.extend(fetched.map_err(|error| failed(&error, printer))?);
    }
    let (was, is) = (Inputs::of(before), Inputs::of(after));
    let moved = was.moved(&is);
    let steps = Steps::new(vec![moved.clone()]);
    let told_apart = steps.told_apart();
    let list = folder.path().join(LIST);
    let versions = Versions { folders: vec![old, new], steps, unreadable };
    let compared = compare(before, after, &versions, &list).map_err(|error| failed(&error, printer))?;
    let summary = ChangeSummary {
        dataset: after.dataset.clone(),
        previous: before.release.clone(),
        release: after.release.clone(),
        not_told: if moved.len() > 1 { vec![NotTold::NotRun] } else { Vec::new() },
        moved,
        sources: was.sources_moved(&is),
        told_apart,
        tables: compared.tables,
    };
    Ok(Difference { summary, list, _folder: folder })
}

/// Where the answer goes.
fn output(path: Option<&Path>, printer: &Printer) -> Result<Box<dyn Write + Send>, Exit> {
    match path {
        None => Ok(Box::new(std::io::stdout())),
        Some(path) => match fs::File::create(path) {
            Ok(file) => Ok(Box::new(std::io::BufWriter::new(file))),
            Err(error) => {
                printer.failure_lines(&[format!("cannot write {}", path.display()), error.to_string()]);
                Err(Exit::Failed)
            }
        },
    }
}

fn write(difference: &Difference, arguments: &DiffArguments, printer: &Printer) -> Result<(), Exit> {
    let path = arguments.output.as_deref();
    let batches = read_list(&difference.list, arguments.table.clone()).map_err(|error| failed(&error, printer))?;
    match (arguments.format, path) {
        (Format::Table, None) => {
            let shown = first_of_each(batches).map_err(|error| failed(&error, printer))?;
            printer.data(&describe(&difference.summary, &shown));
            Ok(())
        }
        (Format::Table, Some(_)) => {
            let shown = first_of_each(batches).map_err(|error| failed(&error, printer))?;
            let mut out = output(path, printer)?;
            let text = describe(&difference.summary, &shown);
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| failed(&error, printer))
        }
        (Format::Json, _) => {
            let out = output(path, printer)?;
            write_json(&difference.summary, batches, out).map_err(|error| failed(&error, printer))
        }
        (Format::Parquet, _) => {
            let copy = difference.list.with_extension("copy.parquet");
            copy_list(batches, &copy).map_err(|error| failed(error.as_ref(), printer))?;
            let mut out = output(path, printer)?;
            let mut copy = fs::File::open(&copy).map_err(|error| failed(&error, printer))?;
            std::io::copy(&mut copy, &mut out).and_then(|_| out.flush()).map_err(|error| failed(&error, printer))
        }
    }
}

/// The first lines of each table.
fn first_of_each(batches: ListedBatches) -> Result<Vec<Change>, ArrowError> {
    let mut shown: Vec<Change> = Vec::new();
    let mut of_table: BTreeMap<String, usize> = BTreeMap::new();
    for batch in batches {
        for change in Change::of(&batch?) {
            let count = of_table.entry(change.table.clone()).or_default();
            *count += 1;
            if *count <= SHOWN {
                shown.push(change);
            }
        }
    }
    Ok(shown)
}

/// One object: the changes, one on a line, then the counts.
fn write_json(summary: &ChangeSummary, batches: ListedBatches, mut out: impl Write) -> Result<(), ArrowError> {
    out.write_all(b"{\"changes\":[\n")?;
    let mut between: &[u8] = b"";
    for batch in batches {
        let mut lines = LineDelimitedWriter::new(Vec::new());
        lines.write(&batch?)?;
        lines.finish()?;
        for line in lines.into_inner().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            out.write_all(between)?;
            out.write_all(line)?;
            between = b",\n";
        }
    }
    out.write_all(b"\n]")?;
    if let Value::Object(counts) = json!(summary) {
        for (name, value) in counts {
            write!(out, ",\n{}:{value}", json!(name))?;
        }
    }
    out.write_all(b"}\n")?;
    Ok(out.flush()?)
}

/// The list again: what it says of one table has another size.
fn copy_list(batches: ListedBatches, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut list = ListWriter::create(path)?;
    for batch in batches {
        for change in Change::of(&batch?) {
            list.push(&change)?;
        }
    }
    list.finish()?;
    Ok(())
}

/// Counts and the first changes, for people.
fn describe(summary: &ChangeSummary, shown: &[Change]) -> String {
    let mut out = Text::default();
    out.line(format_args!("{}  from {} to {}", summary.dataset, summary.previous, summary.release));
    let moved: Vec<&str> = summary.moved.iter().map(|cause| cause.as_str()).collect();
    let sources = if summary.sources.is_empty() { String::new() } else { format!(" ({})", summary.sources.join(", ")) };
    out.line(format_args!(
        "moved: {}{sources}",
        if moved.is_empty() { "nothing known".to_owned() } else { moved.join(", ") }
    ));
    for reason in &summary.not_told {
        out.line(format_args!("causes not told apart: {}", why(*reason)));
    }
    let (quiet, loud): (Vec<_>, Vec<_>) = summary.tables.iter().partition(|table| table.is_quiet());
    for table in &loud {
        section(&mut out, table, shown);
    }
    if !quiet.is_empty() {
        let names: Vec<&str> = quiet.iter().map(|table| table.table.as_str()).collect();
        out.line(format_args!("\nwithout changes: {}", names.join(", ")));
    }
    out.finish()
}

fn why(reason: NotTold) -> &'static str {
    match reason {
        NotTold::SnapshotsGone => "the snapshots of that time are not kept any more",
        NotTold::ReferenceGone => "the geography of that time is not kept",
        NotTold::OtherProgram => "the program of that time is not there, and the project moved, too",
        NotTold::CannotBeRun => "the present project cannot be run on the data of that time",
        NotTold::NotRun => {
            "several inputs moved, and nothing is run to compare two releases that do not follow each other"
        }
    }
}

fn section(out: &mut Text, table: &TableChanges, shown: &[Change]) {
    let rows = |rows: Option<u64>| rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string());
    let (before, after) = (rows(table.rows_before), rows(table.rows_after));
    match table.state {
        TableState::Same | TableState::Compared => out.line(format_args!(
            "\n{}: {before} -> {after} rows, {} added, {} removed, {} changed",
            table.table, table.added, table.removed, table.changed
        )),
        TableState::Added => out.line(format_args!("\n{}: new table, {after} rows", table.table)),
        TableState::Removed => out.line(format_args!("\n{}: table removed, had {before} rows", table.table)),
        TableState::NotCompared => {
            let reason =
                table.reason.map_or_else(String::new, |reason| format!(": {}", json!(reason)).replace('"', ""));
            out.line(format_args!("\n{}: {before} -> {after} rows, rows not compared{reason}", table.table));
        }
    }
    for (what, columns) in [
        ("added", &table.columns.added),
        ("removed", &table.columns.removed),
        ("of another type", &table.columns.retyped),
    ] {
        if !columns.is_empty() {
            out.line(format_args!("  columns {what}: {}", columns.join(", ")));
        }
    }
    if table.removed_unlisted > 0 {
        out.line(format_args!("  {} of the removed rows are counted only", table.removed_unlisted));
    }
    if table.changed_unlisted > 0 {
        out.line(format_args!(
            "  {} of the changed rows are counted only: answers are no longer shown",
            table.changed_unlisted
        ));
    }
    let lines: Vec<&Change> = shown.iter().filter(|change| change.table == table.table).collect();
    for change in &lines {
        let text = |cell: &Option<String>| cell.as_ref().map_or_else(|| "(empty)".to_owned(), |cell| quoted(cell));
        let (key, cause) = (&change.key, &change.cause);
        match (change.kind, &change.column) {
            (ChangeKind::Added, _) => out.line(format_args!("  + {key}  [{cause}]")),
            (ChangeKind::Removed, _) => out.line(format_args!("  - {key}  [{cause}]")),
            (ChangeKind::Changed, column) => {
                let column = column.as_deref().unwrap_or_default();
                let (before, after) = (text(&change.before), text(&change.after));
                out.line(format_args!("  ~ {key}  {column}: {before} -> {after}  [{cause}]"));
            }
        }
    }
    let listed: u64 = table.causes.values().sum();
    let left = listed.saturating_sub(lines.len() as u64);
    if left > 0 {
        out.line(format_args!("  … and {left} more: --format json or parquet has all"));
    }
}

/// A cell on one line, not too long.
fn quoted(cell: &str) -> String {
    let mut short: String = cell.chars().take(80).collect();
    if short.len() < cell.len() {
        short.push('…');
    }
    json!(short).to_string()
}
