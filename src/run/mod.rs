//! One execution of a pipeline, from its sources to the commit.
//!
//! `fetch` -> `read` -> `build` -> `check` -> `write` -> `commit`. Each step leaves something that can be looked at;
//! `--from snapshot` starts at `read`. A record is kept in the private store also when the run fails.

mod assemble;
mod build;
mod cells;
mod changes;
mod checks;
mod describe;
mod drift;
mod erase;
mod error;
mod finish;
mod gate;
mod geocode;
pub mod history;
mod intake;
pub mod lease;
mod ledger;
mod long;
mod offer;
mod ordered;
mod owner;
mod profile;
pub mod project;
mod read_back;
mod record;
mod reference;
mod rejects;
mod reproduce;
mod sample;
mod scratch;
mod stage;
mod testing;
mod turn;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tracing::{instrument, warn};

use crate::config::load::ProjectFiles;
use crate::config::pipeline::{Pipeline, Project};
use crate::engine::{Engine, EngineOptions};
use crate::id::{ReleaseId, RunId};
use crate::model::ModelPlan;
use crate::publish::commit::{Committed, commit, json_bytes, judge, log};
use crate::publish::freshness::note;
use crate::publish::withdraw::{Stores, settle};
use crate::quality::gate::{Acceptance, Bound};
use crate::release::{Attempt, LogEntry, LogKind, Turn, Went, replaced, states};
use crate::source::Transfer;
use crate::store::{Store, StoreError, StoreKey};
use crate::territory::{Cog, Seeds};

pub use erase::{Demanded, ErasedRecord, erase};
pub use error::{RunError, Unreproducible};
pub use lease::{Desk, Lease, LeaseError, Taken};
pub use ledger::LedgerCounts;
pub use record::{FailedCheck, PublishedTable, RunOutcome, RunRecord, SourceUse, StepRecord, TableUse};
pub use reproduce::{FileDifference, Reproduced, reproduce};
pub use sample::{SampledRow, TableSample, sample};
pub use testing::{CaseOutcome, Difference, Sign, Verdict, test};
pub use turn::hold;

use assemble::Assembled;
use build::Builder;
use intake::{Intake, Intaker};
use profile::{Begun, Profile};
use stage::Staged;

/// Memory that SQL may take before it spills to disk.
const ENGINE_MEMORY: usize = 256 << 20;

/// Where a run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum From {
    /// At the sources.
    #[default]
    Source,
    /// At the last snapshots, without touching a source.
    Snapshot,
}

/// How a run is to go.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Where it starts.
    pub from: From,
    /// Whether to stop before the commit.
    pub dry_run: bool,
    /// Bounds of the gate that a person lets through.
    pub acceptance: Acceptance,
    /// The lease and the slot that it publishes under; [`run`] sees to it.
    pub turn: Option<Turn>,
    /// The time of the run.
    pub now: DateTime<Utc>,
    /// The time when it is asked, RFC 3339, UTC.
    pub clock: fn() -> String,
    /// Environment variables: credentials of stores and sources.
    pub env: BTreeMap<String, String>,
}

/// Is told what a run is doing.
pub trait Reporter: Send + Sync {
    /// A step begins.
    fn step(&self, text: &str);
}

/// A project and the pipeline of it that runs.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its files, for the digest.
    pub files: &'a ProjectFiles,
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// Its models in order.
    pub plan: &'a ModelPlan,
}

/// What has been found out so far; becomes the record.
struct Progress<'a> {
    record: RunRecord,
    reporter: &'a dyn Reporter,
    profile: &'a Profile,
    step: Option<Begun>,
    /// How the sources went that were asked.
    went: BTreeMap<String, Went>,
    /// How the parts of the sources came that were asked.
    transfers: BTreeMap<String, Vec<Transfer>>,
}

impl Progress<'_> {
    fn step(&mut self, name: &str, text: &str) {
        self.end_step();
        self.reporter.step(text);
        self.step = Some(self.profile.begin(name));
    }

    fn end_step(&mut self) {
        if let Some(step) = self.step.take() {
            self.profile.end(&step, None, None);
        }
    }
}

/// Runs a pipeline that nobody else is running; while somebody is, it waits. Failures are in the record, which is also kept
/// in the private store.
pub async fn run(job: Job<'_>, options: &RunOptions, reporter: &dyn Reporter) -> RunRecord {
    let lease = turn::wait(job, options, reporter).await;
    under(job, options, reporter, lease, None).await
}

/// Runs a pipeline for a slot of its schedule, under a lease that was taken for it. The slot is done at the end, however the
/// run went; it is left for the next who asks when the future is dropped.
pub async fn run_slot(
    job: Job<'_>,
    options: &RunOptions,
    reporter: &dyn Reporter,
    (lease, slot): (Lease, DateTime<Utc>),
) -> RunRecord {
    under(job, options, reporter, Ok((lease, options.now)), Some(slot)).await
}

/// Runs a pipeline under a lease.
#[instrument(skip_all, fields(pipeline.id = %job.pipeline.id))]
async fn under(
    job: Job<'_>,
    options: &RunOptions,
    reporter: &dyn Reporter,
    lease: Result<(Lease, DateTime<Utc>), RunError>,
    slot: Option<DateTime<Utc>>,
) -> RunRecord {
    let started = Instant::now();
    let mut options = options.clone();
    if let Ok((lease, now)) = &lease {
        let slot = slot.map(|slot| slot.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        options.turn = Some(Turn { token: lease.token, slot });
        options.now = *now;
    }
    let options = &options;
    let attempt = hex::encode(rand::random::<[u8; 8]>());
    let id = format!("{}-{}", options.now.format("%Y%m%dT%H%M%SZ"), attempt.get(..8).unwrap_or(&attempt));
    let run: RunId = id.parse().expect("a time and hexadecimal digits make a run id");
    let record = RunRecord::begun(run, job.pipeline, options);
    let profile = Profile::default();
    let (went, transfers) = (BTreeMap::new(), BTreeMap::new());
    let mut progress = Progress { record, reporter, profile: &profile, step: None, went, transfers };
    let (outcome, lease) = match lease {
        Ok((lease, _)) => (steps(job, options, (&attempt, lease.fence), &mut progress).await, Some(lease)),
        Err(error) => (Err(error), None),
    };
    progress.end_step();
    let Progress { mut record, went, .. } = progress;
    record.steps = profile.take();
    record.outcome = outcome.unwrap_or_else(|error| RunOutcome::Failed {
        code: error.code().to_owned(),
        source: error.source_id().map(ToString::to_string),
        error: chain(&error),
    });
    record.duration_ms = started.elapsed().as_secs_f64() * 1000.0;
    if !options.dry_run
        && !record.is_superseded()
        && let Err(error) = tell(job, options, &record, went).await
    {
        warn!(error = %error, "How fresh `{}` is could not be written", job.pipeline.id);
    }
    if let Err(error) = keep(job, options, &record).await {
        warn!(error = %error, "The record of run `{}` could not be kept", record.run);
    }
    if let Some(lease) = lease
        && let Err(error) = lease.release(slot.is_some(), options.now).await
    {
        warn!(error = %error, "The lease of `{}` could not be given back", job.pipeline.id);
    }
    record
}

/// An error and its causes, outermost first.
pub fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut lines = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        lines.push(error.to_string());
        cause = error.source();
    }
    lines
}

fn store(job: Job<'_>, which: &'static str, options: &RunOptions) -> Result<Store, RunError> {
    let url = if which == "private" { &job.project.private_store } else { &job.project.public_store };
    Store::open(url, &job.project.root, &options.env)
        .map_err(|source| RunError::Store { which, source: Box::new(source) })
}

/// Tells in `releases.json` how the run went.
async fn tell(
    job: Job<'_>,
    options: &RunOptions,
    record: &RunRecord,
    mut sources: BTreeMap<String, Went>,
) -> Result<(), RunError> {
    let wrong = sources.iter().find(|(_, went)| matches!(went, Went::Wrong { .. })).map(|(name, _)| name.clone());
    // Nobody asked the sources when the run began at their snapshots.
    if options.from == From::Snapshot {
        sources.clear();
    }
    let held_back = record.sources.iter().find(|source| source.held_back.is_some());
    let changed = matches!(record.outcome, RunOutcome::Published { .. });
    let (dataset, failed_source) = match (&record.outcome, held_back) {
        (RunOutcome::Failed { code, source, .. }, _) => (Went::Wrong { code: code.clone() }, source.clone().or(wrong)),
        (RunOutcome::Blocked, _) => (Went::Wrong { code: record.blocked_by().to_owned() }, None),
        (_, Some(source)) => (Went::Wrong { code: "source_held_back".to_owned() }, Some(source.source.clone())),
        _ => (Went::Well { changed }, None),
    };
    let attempt = Attempt { at: record.started_at.clone(), dataset, changed, sources, failed_source };
    let public = store(job, "public", options)?;
    note(&public, &job.pipeline.id, &attempt).await.map_err(|source| RunError::Publish(Box::new(source)))
}

async fn keep(job: Job<'_>, options: &RunOptions, record: &RunRecord) -> Result<(), RunError> {
    let private = store(job, "private", options)?;
    let key = StoreKey::RunRecord { run: record.run.clone() };
    private.put(&key, json_bytes(record)).await.map_err(private_failed)
}

fn private_failed(source: StoreError) -> RunError {
    RunError::Store { which: "private", source: Box::new(source) }
}

/// Takes all steps. However they end, what was published is read back as the project says, also what a run published
/// that was killed before it could.
async fn steps(
    job: Job<'_>,
    options: &RunOptions,
    (attempt, fence): (&str, bool),
    progress: &mut Progress<'_>,
) -> Result<RunOutcome, RunError> {
    let outcome = deliver(job, options, (attempt, fence), progress).await;
    if options.dry_run {
        return outcome;
    }
    match (outcome, read_back::settle(job, options, progress).await) {
        (Ok(outcome), read) => read.map(|()| outcome),
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(unread)) => {
            warn!(error = %chain(&unread).join(": "), "What was published before could not be read back");
            Err(error)
        }
    }
}

/// From the sources to the commit.
async fn deliver(
    job: Job<'_>,
    options: &RunOptions,
    (attempt, fence): (&str, bool),
    progress: &mut Progress<'_>,
) -> Result<RunOutcome, RunError> {
    let private = store(job, "private", options)?;
    let public = store(job, "public", options)?;
    if fence {
        turn::raise_fence(job, options, &public).await?;
    }
    let folder = tempfile::Builder::new()
        .prefix("essaim-")
        .tempdir()
        .map_err(|source| RunError::Scratch { path: std::env::temp_dir(), source: Box::new(source) })?;
    erase::finish(job, options, Stores { public: &public, private: &private }, folder.path()).await?;
    progress.step("read", "Fetching and reading sources");
    let seeds = Seeds::of(&job.project.root);
    let cog = Arc::new(seeds.cog().map_err(|source| RunError::Territory(Box::new(source)))?);
    let entries = log(&public, &job.pipeline.id).await.map_err(|source| RunError::Publish(Box::new(source)))?;
    let intaker = Intaker {
        job,
        options,
        private: &private,
        cog: &cog,
        folder: folder.path(),
        withdrawn: withdrawn(&entries),
        published: attempts(&entries),
    };
    let intake = intaker.take(progress).await?;
    record_tables(&intake.staged, progress);
    keep_ledgers(&private, &intake.staged, progress).await?;
    drift::judge(job, &intake.staged)?;
    let letters = owner::begin(job, &intake, folder.path());
    if job.pipeline.published.is_empty() {
        owner::keep(letters, &private, progress).await?;
        drift::keep(job, &private, &intake.staged).await?;
        intaker.keep(&intake, None).await?;
        return Ok(RunOutcome::NothingPublic);
    }
    let assembled = make(job, options, &intake, (&cog, &seeds), folder.path(), progress).await;
    owner::keep(letters, &private, progress).await?;
    let assembled = assembled?;
    if progress.record.failed_checks.iter().any(|check| check.severity == "block") {
        return Ok(RunOutcome::Blocked);
    }
    let changelog = changes::Changelog {
        assembled: &assembled,
        public: &public,
        private: &private,
        snapshots: &intake.snapshots,
        seeds: &seeds,
        cog: &cog,
        folder: folder.path(),
    };
    let candidate = assembled.candidate(job.pipeline, options, attempt, &changelog);
    let published = |source| RunError::Publish(Box::new(source));
    if options.dry_run {
        progress.record.bounds = judge(&public, &candidate).await.map_err(published)?;
        let blocked = progress.record.bounds.iter().any(Bound::blocks);
        return Ok(if blocked { RunOutcome::Blocked } else { RunOutcome::DryRun });
    }
    reference::keep(&private, &seeds, assembled.reference).await?;
    progress.step("commit", "Publishing");
    let stores = Stores { public: &public, private: &private };
    let entries = log(&public, &job.pipeline.id).await.map_err(published)?;
    settle(stores, &job.pipeline.id, &entries).await.map_err(published)?;
    intaker.expect(&intake, attempt).await?;
    read_back::expect(job, &private, attempt).await?;
    let (outcome, release) = match commit(&public, &candidate).await.map_err(published)? {
        Committed::Published { release, number, stale, bounds } => {
            progress.record.bounds = bounds;
            (RunOutcome::Published { release: release.clone(), log: number, stale }, release)
        }
        Committed::Unchanged { release } => (RunOutcome::Unchanged { release: release.clone() }, release),
        Committed::Blocked { bounds } => {
            progress.record.bounds = bounds;
            return Ok(RunOutcome::Blocked);
        }
    };
    drift::keep(job, &private, &intake.staged).await?;
    intaker.keep(&intake, Some(&release)).await?;
    Ok(outcome)
}

/// Attempts that published, each with its release.
fn attempts(entries: &[(u64, LogEntry)]) -> BTreeMap<String, ReleaseId> {
    let published = entries.iter().filter(|(_, entry)| entry.kind == LogKind::Publish);
    published.filter_map(|(_, entry)| Some((entry.attempt.clone(), entry.release.clone()?))).collect()
}

/// Releases that are out of sight, also by the ids that they had before a record was erased from them.
fn withdrawn(entries: &[(u64, LogEntry)]) -> BTreeSet<ReleaseId> {
    let states = states(entries);
    let hidden = states.iter().filter(|state| state.withdrawn.is_some());
    let mut hidden: BTreeSet<ReleaseId> = hidden.filter_map(|state| state.release().cloned()).collect();
    for (old, erasure) in replaced(entries).into_iter().rev() {
        if erasure.release.as_ref().is_some_and(|new| hidden.contains(new)) {
            hidden.insert(old.clone());
        }
    }
    hidden
}

fn engine(folder: &Path) -> Result<Engine, RunError> {
    let options = EngineOptions {
        memory_bytes: ENGINE_MEMORY,
        temp_dir: folder.to_owned(),
        partitions: std::thread::available_parallelism().map_or(1, usize::from),
        split_files: false,
    };
    Engine::new(&options).map_err(|source| RunError::EngineStart(Box::new(source)))
}

/// From intermediate tables to everything of a release but its id.
async fn make<'a>(
    job: Job<'a>,
    options: &RunOptions,
    intake: &Intake,
    (cog, seeds): (&Cog, &Seeds),
    folder: &Path,
    progress: &mut Progress<'_>,
) -> Result<Assembled<'a>, RunError> {
    progress.step("build", "Counting answers, running models and writing files");
    let engine = engine(folder)?;
    let release = folder.join("release");
    std::fs::create_dir_all(&release)
        .map_err(|source| RunError::Scratch { path: release.clone(), source: Box::new(source) })?;
    let (pipeline, profile) = (job.pipeline, progress.profile);
    let builder =
        Builder { pipeline, engine: &engine, folder, release: &release, wanted: &pipeline.published, profile };
    builder.reference(cog, seeds)?;
    builder.tables(&intake.staged).await?;
    builder.counts(&intake.staged)?;
    let models = builder.models(job.plan).await?;
    progress.step("check", "Checking tables");
    assemble::assemble(job, options, &builder, models, intake, seeds, progress).await
}

fn record_tables(staged: &[Staged], progress: &mut Progress<'_>) {
    for table in staged {
        progress.record.tables.push(TableUse {
            table: table.name.to_string(),
            read: table.read,
            kept: table.kept,
            counts: table.counts.clone(),
            placed: table.methods.clone(),
            columns_missing: table.columns_missing.clone(),
            changes: table.changes.iter().map(ToString::to_string).collect(),
            ignored: table.ignored,
            remarks: table.remarks.clone(),
        });
    }
}

/// Rejects, unfit cells and corrections go to the private store, beside the record.
async fn keep_ledgers(private: &Store, staged: &[Staged], progress: &Progress<'_>) -> Result<(), RunError> {
    for (name, path) in staged.iter().flat_map(|table| &table.files) {
        let key = StoreKey::RunFile { run: progress.record.run.clone(), name: name.clone() };
        private.put_file(&key, path).await.map_err(private_failed)?;
    }
    Ok(())
}

/// Bytes of a text file of a release.
fn text(content: impl Into<String>) -> Bytes {
    Bytes::from(content.into())
}
