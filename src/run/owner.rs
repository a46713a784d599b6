//! What the owner of each registry is told: made of the lists of a run, kept beside its record.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use super::error::RunError;
use super::intake::Intake;
use super::ledger::OF_TABLE;
use super::stage::Staged;
use super::{Job, Progress, private_failed};
use crate::config::pipeline::{Pipeline, Source, TableSpec};
use crate::id::{SourceId, TableName};
use crate::normalise::reject::DUPLICATE;
use crate::publish::owner::{At, Case, Cells, Letter, Lists, OwnerError, TableReport, html, placed};
use crate::source::Snapshot;
use crate::store::{Store, StoreKey};

/// Folder beside a run's record.
const FOLDER: &str = "proprietaires";

/// A line of the list of rejects.
#[derive(Debug, Deserialize)]
struct RejectLine {
    ligne: String,
    position: String,
    motif: String,
    colonne: String,
    explication: String,
    cellules: String,
    brut: String,
}

/// A line of the list of unfit cells.
#[derive(Debug, Deserialize)]
struct CellLine {
    ligne: String,
    position: String,
    cle: String,
    colonne: String,
    valeur: String,
    motif: String,
}

/// A line of the list of corrections.
#[derive(Debug, Deserialize)]
struct CorrectionLine {
    ligne: String,
    position: String,
    cle: String,
    colonne: String,
    avant: String,
    regle: String,
    apres: String,
}

/// A table of a source: how it is read, and what was read.
struct Told {
    spec: TableSpec,
    source_columns: Vec<String>,
    report: TableReport,
    rejects: Option<PathBuf>,
    unfit: Option<PathBuf>,
    corrections: Option<PathBuf>,
}

/// Pages and lists that are being written beside other work.
pub(super) struct Telling {
    source: SourceId,
    files: [PathBuf; 2],
    table: TableName,
    task: JoinHandle<Result<(), RunError>>,
}

/// Begins to write the pages and lists of all registries. A survey has none: its rows are people's answers.
pub(super) fn begin(job: Job<'_>, intake: &Intake, folder: &Path) -> Vec<Telling> {
    let mut begun = Vec::new();
    for source in &job.pipeline.sources {
        let Some(snapshot) = intake.snapshots.iter().find(|snapshot| snapshot.source == source.id) else { continue };
        let tables = job.pipeline.tables.iter().zip(&intake.staged).filter(|(spec, _)| spec.source == source.id);
        let tables: Vec<Told> = tables.map(|(spec, table)| told(spec, table)).collect();
        let Some(first) = tables.first().map(|told| told.spec.name.clone()) else { continue };
        if tables.iter().any(|told| is_survey(job.pipeline, &told.spec)) {
            continue;
        }
        let letter = letter(job, source, snapshot);
        let target = folder.join(format!("{FOLDER}-{}", source.id));
        let (id, files) = (source.id.clone(), [target.with_extension("html"), target.with_extension("csv")]);
        let paths = files.clone();
        let task = tokio::task::spawn_blocking(move || write(&id, &letter, tables, &paths));
        begun.push(Telling { source: source.id.clone(), files, table: first, task });
    }
    begun
}

/// Keeps what was begun beside the record of the run.
pub(super) async fn keep(begun: Vec<Telling>, private: &Store, progress: &mut Progress<'_>) -> Result<(), RunError> {
    for Telling { source, files, table, task } in begun {
        task.await.map_err(|_panic| RunError::Stopped { table })??;
        for (file, ending) in files.iter().zip(["html", "csv"]) {
            let name = format!("{FOLDER}/{source}.{ending}");
            let key = StoreKey::RunFile { run: progress.record.run.clone(), name };
            private.put_file(&key, file).await.map_err(private_failed)?;
        }
        progress.record.owners.push(source.to_string());
    }
    Ok(())
}

/// Whether the rows of a table are answers of people.
fn is_survey(pipeline: &Pipeline, table: &TableSpec) -> bool {
    let counted = pipeline.questionnaire.as_ref().is_some_and(|questionnaire| questionnaire.table == table.name);
    table.consent.is_some() || counted
}

fn letter(job: Job<'_>, source: &Source, snapshot: &Snapshot) -> Letter {
    let several = snapshot.parts.len() > 1;
    Letter {
        source: source.id.to_string(),
        title: source.title.clone(),
        owner: source.publisher.clone(),
        homepage: source.homepage.clone(),
        fetched: day(&snapshot.fetched_at),
        parts: snapshot.parts.iter().filter(|_| several).map(|part| part.name.clone()).collect(),
        dataset: job.pipeline.title.clone(),
        publisher: job.project.publisher.name.clone(),
        contact: job.project.publisher.email.clone(),
        synthetic: job.pipeline.synthetic,
    }
}

fn told(spec: &TableSpec, table: &Staged) -> Told {
    let duplicates = table.counts.rejects.get(DUPLICATE).copied().unwrap_or_default();
    let rejected: u64 = table.counts.rejects.values().sum();
    let file = |list: &str| {
        let name = format!("{list}/{}.csv", table.name);
        table.files.iter().find(|(known, _)| *known == name).map(|(_, path)| path.clone())
    };
    let mut methods: Vec<(&'static str, u64)> =
        table.methods.iter().map(|(method, rows)| (placed(method), *rows)).collect();
    methods.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    Told {
        spec: spec.clone(),
        source_columns: table.source_columns.clone(),
        report: TableReport {
            title: spec.contract.title.clone(),
            read: table.read,
            kept: table.kept,
            rejected: rejected - duplicates,
            duplicates,
            placed: methods,
            lists: Vec::new(),
        },
        rejects: file("rejects"),
        unfit: file("unfit"),
        corrections: file("corrections"),
    }
}

fn write(id: &SourceId, letter: &Letter, mut tables: Vec<Told>, files: &[PathBuf; 2]) -> Result<(), RunError> {
    let [page, list] = files;
    let scratch = |path: &Path, source: Box<dyn std::error::Error + Send + Sync>| RunError::Scratch {
        path: path.to_owned(),
        source,
    };
    let failed = |source: OwnerError| RunError::Owner { id: id.clone(), source: Box::new(source) };
    let csv = File::create(list).map_err(|source| scratch(list, source.into()))?;
    let mut reports = Vec::with_capacity(tables.len());
    {
        let mut lists = Lists::new(BufWriter::new(csv)).map_err(failed)?;
        for told in &tables {
            lists.begin(&told.spec, &told.source_columns);
            cases(told, &mut lists, id)?;
            reports.push(lists.end());
        }
        lists.finish().map_err(failed)?;
    }
    for (told, lists) in tables.iter_mut().zip(reports) {
        told.report.lists = lists;
    }
    let reports: Vec<TableReport> = tables.into_iter().map(|told| told.report).collect();
    let text = html(letter, &reports).map_err(failed)?;
    std::fs::write(page, text).map_err(|source| scratch(page, source.into()))
}

/// Hands the cases of a table on, list by list.
fn cases(told: &Told, lists: &mut Lists<'_, BufWriter<File>>, id: &SourceId) -> Result<(), RunError> {
    let failed = |source: OwnerError| RunError::Owner { id: id.clone(), source: Box::new(source) };
    each(told.rejects.as_deref(), |line: RejectLine| {
        let raw: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line.brut).unwrap_or_default();
        let raw = raw.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
        let raw: Vec<(String, String)> = raw.collect();
        let cells = if line.cellules == OF_TABLE { Cells::Table(&raw) } else { Cells::Source(&raw) };
        let (reason, column, detail) = (&line.motif, &line.colonne, &line.explication);
        let at = At { row: &line.ligne, line: &line.position, key: "" };
        lists.take(at, Case::Reject { reason, column, detail, cells }).map_err(failed)
    })?;
    each(told.unfit.as_deref(), |line: CellLine| {
        let at = At { row: &line.ligne, line: &line.position, key: &line.cle };
        let (reason, column, value) = (&line.motif, &line.colonne, &line.valeur);
        lists.take(at, Case::Cell { reason, column, value }).map_err(failed)
    })?;
    each(told.corrections.as_deref(), |line: CorrectionLine| {
        let at = At { row: &line.ligne, line: &line.position, key: &line.cle };
        let (rule, column, before, after) = (&line.regle, &line.colonne, &line.avant, &line.apres);
        lists.take(at, Case::Correction { rule, column, before, after }).map_err(failed)
    })
}

/// Reads a list line by line.
fn each<T: DeserializeOwned>(
    path: Option<&Path>,
    mut take: impl FnMut(T) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let Some(path) = path else { return Ok(()) };
    let failed = |source: csv::Error| RunError::Scratch { path: path.to_owned(), source: Box::new(source) };
    let mut reader = csv::Reader::from_path(path).map_err(failed)?;
    for line in reader.deserialize() {
        take(line.map_err(failed)?)?;
    }
    Ok(())
}

/// The day of a moment in RFC 3339, in French.
fn day(moment: &str) -> String {
    const MONTHS: [&str; 12] = [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ];
    let date: Vec<&str> = moment.split('T').next().unwrap_or(moment).split('-').collect();
    let [year, month, day] = date.as_slice() else { return moment.to_owned() };
    let name = month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let day = match day.trim_start_matches('0') {
        "1" => "1er",
        day => day,
    };
    name.map_or_else(|| moment.to_owned(), |name| format!("{day} {name} {year}"))
}
