//! Erasing a record after a legal demand: from snapshots, from what runs kept, and from every release. Decision record 6
//! says what goes and what stays.
//!
//! The demand is written down first, with keyed digests in the place of the key. From then on readers leave the record out,
//! and whoever comes next, the same command or a run, finishes what a killed process began: everything is found again by
//! those digests. Snapshots go last, for they tell what else is the record's; other pipelines may read them, too, and are
//! asked for the same before.

mod kept;
mod others;
mod snapshots;
mod traces;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::error::{Drifted, RunError};
use super::{Job, RunOptions, private_failed};
use crate::config::pipeline::{Secret, TableSpec};
use crate::id::{DatasetId, ReleaseId, TableName};
use crate::normalise::erase::{Erased, mark};
use crate::publish::PublishError;
use crate::publish::commit::{json_bytes, log};
use crate::publish::erase::Rewriter;
use crate::publish::gc::{Age, collect};
use crate::publish::latest::refresh;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedRecord {
    /// The dataset.
    pub dataset: DatasetId,
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
    /// Other pipelines that read the record's source without its key, of which nobody can tell whether they show it.
    pub blind: Vec<String>,
}

/// A demand as it is stored: nobody's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    attempt: String,
    at: String,
    reason: String,
    tables: Vec<Marked>,
    /// Whether runs and releases are without the record; snapshots wait for all pipelines that read them.
    #[serde(default)]
    rewritten: bool,
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
        if demand.done.is_some() {
            continue;
        }
        let mut left = Planned { job, table: String::new(), before: false, demand, n };
        let mut erased = rewrite(options, stores, folder, &mut left).await?;
        match others::waiting(job, stores.private, &left.demand).await? {
            Some(other) => warn!(
                "The snapshots of an erased record are kept until `{other}` has been run, which reads them too; the same \
                 command once more does all of it"
            ),
            None => cut(options, stores, left, &mut erased).await?,
        }
    }
    Ok(())
}

/// A demand that is carried out for one dataset.
struct Planned<'a> {
    job: Job<'a>,
    /// The table of the record.
    table: String,
    /// Whether the same was demanded and done before.
    before: bool,
    demand: Stored,
    /// Its number, 0 as long as it is not written down.
    n: u64,
}

/// Erases a record of the dataset of the first job, and from the datasets of all others that read its source.
pub async fn erase(
    job: Job<'_>,
    others: &[Job<'_>],
    options: &RunOptions,
    demanded: &Demanded,
) -> Result<Vec<ErasedRecord>, RunError> {
    let (private, public) = (super::store(job, "private", options)?, super::store(job, "public", options)?);
    let stores = Stores { public: &public, private: &private };
    let folder = tempfile::Builder::new()
        .prefix("essaim-")
        .tempdir()
        .map_err(|source| RunError::Scratch { path: std::env::temp_dir(), source: Box::new(source) })?;
    let folder = folder.path();
    let known = demands(&private, &job.pipeline.id).await?;
    let candidates: Vec<Candidate<'_>> = job
        .pipeline
        .tables
        .iter()
        .filter_map(|table| Some(Candidate { table, marked: marked(job, table, &demanded.key)? }))
        .collect();
    let wanted = |table: &TableSpec| demanded.table.as_ref().is_none_or(|wanted| *wanted == table.name);
    let mut before = candidates.iter().filter(|candidate| wanted(candidate.table));
    let (table, named) = match before.find_map(|candidate| Some((candidate.table, again(&known, &candidate.marked)?))) {
        Some((table, (n, demand))) => {
            let before = demand.done.is_some();
            (table, Planned { job, table: table.name.to_string(), before, demand, n })
        }
        None => {
            let Candidate { table, marked } = choose(job, stores, folder, candidates, &wanted).await?;
            (table, planned(job, table.name.to_string(), options, &demanded.reason, marked))
        }
    };
    let mut all = vec![named];
    let mut blind = Vec::new();
    for other in others {
        match others::plan(*other, (job, table), options, stores, folder, demanded).await? {
            others::Other::Has(planned) => all.push(planned),
            others::Other::MayHave => blind.push(other.pipeline.id.to_string()),
            others::Other::HasNot => {}
        }
    }
    for planned in all.iter_mut().filter(|planned| planned.n == 0) {
        let dataset = &planned.job.pipeline.id;
        let first = demands(&private, dataset).await?.last().map_or(1, |(n, _)| n + 1);
        planned.n = write_down(&private, dataset, &planned.demand, first).await?;
    }
    let mut erased = Vec::new();
    for planned in &mut all {
        erased.push(rewrite(options, stores, folder, planned).await?);
    }
    for (planned, erased) in all.into_iter().zip(&mut erased) {
        cut(options, stores, planned, erased).await?;
    }
    if let Some(first) = erased.first_mut() {
        first.blind = blind;
    }
    Ok(erased)
}

/// A demand that was not made before.
fn planned<'a>(job: Job<'a>, table: String, options: &RunOptions, reason: &str, tables: Vec<Marked>) -> Planned<'a> {
    let demand = Stored {
        attempt: hex::encode(rand::random::<[u8; 8]>()),
        at: (options.clock)(),
        reason: reason.to_owned(),
        tables,
        rewritten: false,
        done: None,
    };
    Planned { job, table, before: false, demand, n: 0 }
}

/// The same demand, when it was made before.
fn again(known: &[(u64, Stored)], marked: &[Marked]) -> Option<(u64, Stored)> {
    known.iter().find(|(_, demand)| same(&demand.tables, marked)).cloned()
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

/// Source columns of a key, each with those that stand in for it, and the key's texts.
struct Key<'a> {
    from: Vec<Vec<String>>,
    texts: Vec<&'a str>,
}

/// The key of a table as its source writes it; none when the table cannot tell its records by a key.
fn key_of<'a>(table: &TableSpec, key: &'a str) -> Option<Key<'a>> {
    let mapping = |name: &String| {
        let at = table.contract.columns.iter().position(|column| column.name == *name)?;
        table.mappings.iter().find(|mapping| mapping.column == at && mapping.constant.is_none())
    };
    let from: Vec<Vec<String>> = table
        .contract
        .primary_key
        .iter()
        .filter_map(mapping)
        .filter(|mapping| !mapping.from.is_empty())
        .map(|mapping| mapping.from.clone())
        .collect();
    let texts: Vec<&str> = if from.len() == 1 { vec![key] } else { key.split('|').collect() };
    let told = !from.is_empty() && table.explode.is_none() && texts.len() == from.len();
    told.then_some(Key { from, texts })
}

/// What tells a record in a table that reads the columns of its key.
fn holder(job: Job<'_>, spec: &TableSpec, key: &Key<'_>) -> Option<Marked> {
    let bears = |from: &Vec<String>| {
        let found = spec.mappings.iter().find(|mapping| mapping.from == *from && mapping.constant.is_none())?;
        spec.contract.columns.get(found.column).map(|column| column.name.clone())
    };
    let columns: Vec<String> = key.from.iter().map(bears).collect::<Option<_>>()?;
    let texts = Erased::key_of(spec, &job.project.key, &columns, &key.texts)?;
    let marks = columns.iter().zip(&texts).map(|(column, text)| mark(&job.project.key, &spec.name, column, text));
    Some(Marked { table: spec.name.clone(), marks: marks.collect(), columns: columns.clone(), rival: false })
}

/// The tables that would hold a record with a key: the table itself, and those that have the key from the same source.
fn marked(job: Job<'_>, table: &TableSpec, key: &str) -> Option<Vec<Marked>> {
    let key = key_of(table, key)?;
    holder(job, table, &key)?;
    let same = job.pipeline.tables.iter().filter(|spec| spec.source == table.source);
    Some(same.filter_map(|spec| holder(job, spec, &key)).collect())
}

/// Whether any release shows a record.
async fn is_released(job: Job<'_>, stores: Stores<'_>, folder: &Path, marked: &[Marked]) -> Result<bool, RunError> {
    let (traces, _) = traces::traces(job, marked, &[]);
    let dataset = &job.pipeline.id;
    let folder = &folder.join(dataset.as_str());
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

/// Takes the record out of what runs kept and out of every release. Every step finds by itself what is left to do.
async fn rewrite(
    options: &RunOptions,
    stores: Stores<'_>,
    folder: &Path,
    planned: &mut Planned<'_>,
) -> Result<ErasedRecord, RunError> {
    let (job, demand) = (planned.job, &planned.demand);
    let dataset = &job.pipeline.id;
    let entries = log(stores.public, dataset).await.map_err(published)?;
    settle(stores, dataset, &entries).await.map_err(published)?;
    let found = snapshots::scan(job, stores.private, &demand.tables).await?;
    let (traces, unsure) = traces::traces(job, &demand.tables, &found);
    let files = kept::clean(job, stores.private, &demand.tables, &found).await?;
    let files = files + kept::forget(job, stores.private, &found).await?;
    let rewriter = Rewriter {
        stores,
        dataset,
        traces: &traces,
        folder: &folder.join(dataset.as_str()),
        attempt: &demand.attempt,
        at: &demand.at,
        reason: &demand.reason,
    };
    let releases = rewriter.rewrite_all().await.map_err(published)?;
    let entries = log(stores.public, dataset).await.map_err(published)?;
    settle(stores, dataset, &entries).await.map_err(published)?;
    refresh(stores.public, dataset, &entries).await.map_err(published)?;
    // What killed runs left was never published, and may hold the record.
    let now = DateTime::parse_from_rfc3339(&(options.clock)()).map_or(options.now, |now| now.to_utc());
    let age = Age { now: now + Duration::from_mins(1), at_least: Duration::ZERO };
    collect(stores.public, dataset, age, false).await.map_err(published)?;
    planned.demand.rewritten = true;
    let key = StoreKey::Erasure { dataset: dataset.clone(), n: planned.n };
    stores.private.put(&key, json_bytes(&planned.demand)).await.map_err(private_failed)?;
    Ok(ErasedRecord {
        dataset: dataset.clone(),
        table: planned.table.clone(),
        before: planned.before,
        releases,
        snapshots: 0,
        dropped: Vec::new(),
        files,
        unsure,
        blind: Vec::new(),
    })
}

/// Cuts the record out of the snapshots, and says that the demand is done.
async fn cut(
    options: &RunOptions,
    stores: Stores<'_>,
    planned: Planned<'_>,
    erased: &mut ErasedRecord,
) -> Result<(), RunError> {
    let (job, n) = (planned.job, planned.n);
    let (snapshots, dropped) = snapshots::cut_all(job, stores.private, &planned.demand.tables).await?;
    (erased.snapshots, erased.dropped) = (snapshots, dropped);
    let done = Stored { done: Some((options.clock)()), ..planned.demand };
    let key = StoreKey::Erasure { dataset: job.pipeline.id.clone(), n };
    stores.private.put(&key, json_bytes(&done)).await.map_err(private_failed)
}
