//! Erasing a record after a legal demand: from snapshots, from what runs kept, and from every release. Decision record 6
//! says what goes and what stays.
//!
//! The demand is written down first, with keyed digests in the place of the key. From then on readers leave the record out,
//! and whoever comes next, the same command or a run, finishes what a killed process began: everything is found again by
//! those digests. Snapshots go last, for they tell what else is the record's.

mod kept;
mod snapshots;
mod traces;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use super::error::{Drifted, RunError};
use super::{Job, RunOptions, private_failed};
use crate::config::pipeline::{Secret, TableSpec};
use crate::id::{DatasetId, ReleaseId, TableName};
use crate::normalise::erase::{Erased, mark};
use crate::publish::PublishError;
use crate::publish::commit::{json_bytes, log, refresh};
use crate::publish::erase::Rewriter;
use crate::publish::gc::{Age, collect};
use crate::publish::withdraw::{Stores, settle};
use crate::store::{Created, Store, StoreFolder, StoreKey};

/// What somebody demands to be erased.
#[derive(Debug, Clone)]
pub struct Demanded {
    /// The record's key, as its source writes it; several columns of a key are joined by `|`.
    pub key: String,
    /// Its table; needed when several tables have a record with the key.
    pub table: Option<TableName>,
    /// Why, in words that are published.
    pub reason: String,
}

/// What was erased.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasedRecord {
    /// The table of the record.
    pub table: String,
    /// Whether the same was demanded before.
    pub before: bool,
    /// Releases that were rewritten, before and after.
    pub releases: Vec<(ReleaseId, ReleaseId)>,
    /// Snapshots that lost the record.
    pub snapshots: u64,
    /// Parts of snapshots that went as a whole.
    pub dropped: Vec<String>,
    /// Files beside run records that lost rows or went.
    pub files: u64,
    /// Published tables that read the record's table, of which nobody can tell which rows are the record's.
    pub unsure: Vec<String>,
}

/// A demand as it is stored: nobody's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    attempt: String,
    at: String,
    reason: String,
    tables: Vec<Marked>,
    done: Option<String>,
}

/// A table that holds the record, and what its key columns have, as keyed digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marked {
    table: TableName,
    columns: Vec<String>,
    marks: Vec<String>,
    /// Whether a table of another source has a record with the same key.
    #[serde(default)]
    rival: bool,
}

impl Marked {
    fn erased(&self, spec: &TableSpec, key: &Secret) -> Option<Erased> {
        Erased::new(spec, key, &self.columns, BTreeSet::from([self.marks.clone()]))
    }
}

/// All demands of a dataset.
pub(super) async fn demands(private: &Store, dataset: &DatasetId) -> Result<Vec<(u64, Stored)>, RunError> {
    let folder = StoreFolder::Erasures { dataset: dataset.clone() };
    let mut demands = Vec::new();
    for n in private.numbers(&folder).await.map_err(private_failed)? {
        let key = StoreKey::Erasure { dataset: dataset.clone(), n };
        let bytes = private.get(&key).await.map_err(private_failed)?.unwrap_or_default();
        let demand = serde_json::from_slice(&bytes);
        let bad = |source| RunError::Demand { dataset: dataset.clone(), number: n, source };
        demands.push((n, demand.map_err(bad)?));
    }
    Ok(demands)
}

/// What tells the erased records of a table.
pub(super) fn left_out(demands: &[(u64, Stored)], table: &TableSpec, key: &Secret) -> Vec<Erased> {
    let marked = demands.iter().flat_map(|(_, demand)| &demand.tables).filter(|marked| marked.table == table.name);
    marked.filter_map(|marked| marked.erased(table, key)).collect()
}

/// Finishes what was demanded and not done, because a process was killed.
pub(super) async fn finish(
    job: Job<'_>,
    options: &RunOptions,
    stores: Stores<'_>,
    folder: &Path,
) -> Result<(), RunError> {
    for (n, demand) in demands(stores.private, &job.pipeline.id).await? {
        if demand.done.is_none() {
            carry_out(job, options, stores, folder, (n, demand)).await?;
        }
    }
    Ok(())
}

/// Erases a record.
pub async fn erase(job: Job<'_>, options: &RunOptions, demanded: &Demanded) -> Result<ErasedRecord, RunError> {
    let (private, public) = (super::store(job, "private", options)?, super::store(job, "public", options)?);
    let stores = Stores { public: &public, private: &private };
    let folder = tempfile::Builder::new()
        .prefix("essaim-")
        .tempdir()
        .map_err(|source| RunError::Scratch { path: std::env::temp_dir(), source: Box::new(source) })?;
    let dataset = &job.pipeline.id;
    let known = demands(&private, dataset).await?;
    let candidates: Vec<Candidate<'_>> = job
        .pipeline
        .tables
        .iter()
        .filter_map(|table| Some(Candidate { table, marked: marked(job, table, &demanded.key)? }))
        .collect();
    let wanted = |table: &TableSpec| demanded.table.as_ref().is_none_or(|wanted| *wanted == table.name);
    let again = |marked: &[Marked]| known.iter().find(|(_, demand)| same(&demand.tables, marked)).cloned();
    let mut before = candidates.iter().filter(|candidate| wanted(candidate.table));
    if let Some((table, demand)) = before.find_map(|candidate| Some((candidate.table, again(&candidate.marked)?))) {
        let before = demand.1.done.is_some();
        let mut erased = carry_out(job, options, stores, folder.path(), demand).await?;
        (erased.table, erased.before) = (table.name.to_string(), before);
        return Ok(erased);
    }
    let Candidate { table, marked } = choose(job, stores, folder.path(), candidates, &wanted).await?;
    let demand = Stored {
        attempt: hex::encode(rand::random::<[u8; 8]>()),
        at: (options.clock)(),
        reason: demanded.reason.clone(),
        tables: marked,
        done: None,
    };
    let n = write_down(&private, dataset, &demand, known.last().map_or(1, |(n, _)| n + 1)).await?;
    let mut erased = carry_out(job, options, stores, folder.path(), (n, demand)).await?;
    erased.table = table.name.to_string();
    Ok(erased)
}

/// A table that may have the record, and all tables that then hold it.
struct Candidate<'a> {
    table: &'a TableSpec,
    marked: Vec<Marked>,
}

/// Whether two demands are about the same record.
fn same(one: &[Marked], other: &[Marked]) -> bool {
    let marks = |marked: &[Marked]| marked.iter().map(|marked| (marked.table.clone(), marked.marks.clone())).collect();
    let (one, other): (BTreeSet<_>, BTreeSet<_>) = (marks(one), marks(other));
    one == other
}

/// The table that has the record: by the snapshots, and only when these have expired by the releases.
async fn choose<'a>(
    job: Job<'_>,
    stores: Stores<'_>,
    folder: &Path,
    candidates: Vec<Candidate<'a>>,
    wanted: &(dyn Fn(&TableSpec) -> bool + Sync),
) -> Result<Candidate<'a>, RunError> {
    let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
    for candidate in candidates {
        let found = snapshots::scan(job, stores.private, &candidate.marked).await?;
        if found.is_empty() { elsewhere.push(candidate) } else { here.push(candidate) }
    }
    let sources: BTreeSet<_> = here.iter().map(|candidate| candidate.table.source.clone()).collect();
    for marked in here.iter_mut().flat_map(|candidate| &mut candidate.marked) {
        marked.rival = sources.len() > 1;
    }
    here.retain(|candidate| wanted(candidate.table));
    if here.is_empty() {
        for candidate in elsewhere.into_iter().filter(|candidate| wanted(candidate.table)) {
            if is_released(job, stores, folder, &candidate.marked).await? {
                here.push(candidate);
            }
        }
    }
    let first = here.first().map(|candidate| candidate.table.source.clone());
    if here.iter().any(|candidate| Some(&candidate.table.source) != first.as_ref()) {
        let tables = here.iter().map(|candidate| candidate.table.name.to_string()).collect();
        return Err(RunError::SeveralRecords { source: Drifted(tables) });
    }
    here.into_iter().next().ok_or_else(|| RunError::NoRecord { dataset: job.pipeline.id.clone() })
}

/// The tables that would hold a record with a key: the table itself, and those that have the key from the same source.
fn marked(job: Job<'_>, table: &TableSpec, key: &str) -> Option<Vec<Marked>> {
    let mapping = |spec: &TableSpec, name: &str| {
        let at = spec.contract.columns.iter().position(|column| column.name == name)?;
        spec.mappings.iter().find(|mapping| mapping.column == at && mapping.constant.is_none()).cloned()
    };
    let columns: Vec<String> = table
        .contract
        .primary_key
        .iter()
        .filter(|name| mapping(table, name).is_some_and(|mapping| !mapping.from.is_empty()))
        .cloned()
        .collect();
    let texts: Vec<&str> = if columns.len() == 1 { vec![key] } else { key.split('|').collect() };
    if columns.is_empty() || table.explode.is_some() || texts.len() != columns.len() {
        return None;
    }
    let from: Vec<Vec<String>> =
        columns.iter().filter_map(|name| mapping(table, name)).map(|mapping| mapping.from).collect();
    let holder = |spec: &TableSpec| {
        let bears = |from: &Vec<String>| {
            let found = spec.mappings.iter().find(|mapping| mapping.from == *from && mapping.constant.is_none())?;
            spec.contract.columns.get(found.column).map(|column| column.name.clone())
        };
        let columns: Vec<String> = from.iter().map(bears).collect::<Option<_>>()?;
        let key = Erased::key_of(spec, &job.project.key, &columns, &texts)?;
        let marks = columns.iter().zip(&key).map(|(column, text)| mark(&job.project.key, &spec.name, column, text));
        Some(Marked { table: spec.name.clone(), marks: marks.collect(), columns: columns.clone(), rival: false })
    };
    holder(table)?;
    Some(job.pipeline.tables.iter().filter(|spec| spec.source == table.source).filter_map(holder).collect())
}

/// Whether any release shows a record.
async fn is_released(job: Job<'_>, stores: Stores<'_>, folder: &Path, marked: &[Marked]) -> Result<bool, RunError> {
    let (traces, _) = traces::traces(job, marked, &[]);
    let dataset = &job.pipeline.id;
    let rewriter = Rewriter { stores, dataset, traces: &traces, folder, attempt: "", at: "", reason: "" };
    rewriter.is_anywhere().await.map_err(published)
}

fn published(source: PublishError) -> RunError {
    RunError::Publish(Box::new(source))
}

/// Writes a demand down, under the first number that is free.
async fn write_down(private: &Store, dataset: &DatasetId, demand: &Stored, first: u64) -> Result<u64, RunError> {
    let mut n = first;
    loop {
        let key = StoreKey::Erasure { dataset: dataset.clone(), n };
        match private.create_exclusive(&key, json_bytes(demand), &demand.attempt).await.map_err(private_failed)? {
            Created::Won => return Ok(n),
            Created::Lost(_) => n += 1,
        }
    }
}

/// Carries a demand out. Every step finds by itself what is left to do.
async fn carry_out(
    job: Job<'_>,
    options: &RunOptions,
    stores: Stores<'_>,
    folder: &Path,
    (n, demand): (u64, Stored),
) -> Result<ErasedRecord, RunError> {
    let dataset = &job.pipeline.id;
    let entries = log(stores.public, dataset).await.map_err(published)?;
    settle(stores, dataset, &entries).await.map_err(published)?;
    let found = snapshots::scan(job, stores.private, &demand.tables).await?;
    let (traces, unsure) = traces::traces(job, &demand.tables, &found);
    let mut erased = ErasedRecord { unsure, ..ErasedRecord::default() };
    erased.files = kept::clean(job, stores.private, &demand.tables, &found).await?;
    let rewriter = Rewriter {
        stores,
        dataset,
        traces: &traces,
        folder,
        attempt: &demand.attempt,
        at: &demand.at,
        reason: &demand.reason,
    };
    erased.releases = rewriter.rewrite_all().await.map_err(published)?;
    let entries = log(stores.public, dataset).await.map_err(published)?;
    settle(stores, dataset, &entries).await.map_err(published)?;
    refresh(stores.public, dataset, &entries).await.map_err(published)?;
    // What killed runs left was never published, and may hold the record.
    let now = DateTime::parse_from_rfc3339(&(options.clock)()).map_or(options.now, |now| now.to_utc());
    let age = Age { now: now + Duration::from_mins(1), at_least: Duration::ZERO };
    collect(stores.public, dataset, age, false).await.map_err(published)?;
    let (snapshots, dropped) = snapshots::cut_all(job, stores.private, &demand.tables).await?;
    (erased.snapshots, erased.dropped) = (snapshots, dropped);
    let done = Stored { done: Some((options.clock)()), ..demand };
    let key = StoreKey::Erasure { dataset: dataset.clone(), n };
    stores.private.put(&key, json_bytes(&done)).await.map_err(private_failed)?;
    Ok(erased)
}
