//! What each source gives: its snapshot, the tables read from it, and what takes their place when it gives nothing good.
//!
//! A source that does not answer, cannot be read or breaks a bound never wipes data: the snapshot that was used when it
//! was last good is used once more, and the run says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::drift;
use super::erase;
use super::error::{Refused, RunError};
use super::geocode;
use super::profile::Profile;
use super::stage::{self, Parts, Staged};
use super::{From, Job, Progress, RunOptions, SourceUse, chain, private_failed, store};
use crate::config::pipeline::{Drift, OnFailure, Source, SourceKind, TableSpec};
use crate::id::{ReleaseId, SourceId};
use crate::publish::commit::json_bytes;
use crate::publish::freshness::freshness;
use crate::quality::gate::{Bound, ReadShape, SourceShape, TableShape, source_bounds};
use crate::release::Went;
use crate::source::{Snapshot, connector, fetch, latest, numbered, open_part};
use crate::store::{Store, StoreKey};
use crate::territory::Cog;

/// Codes of the bounds that a source can break, which begin their ids.
const CODES: [&str; 3] = ["source_rows", "source_rejects", "source_empty"];

/// Columns of a table that its source does not have, or whose cells no longer fit.
pub(super) fn lost_columns<'a>(spec: &'a TableSpec, staged: &'a Staged) -> Vec<&'a str> {
    let lost = spec.mappings.iter().filter(|mapping| staged.columns_missing.contains(&mapping.from.join(" | ")));
    let lost = lost.map(|mapping| spec.contract.columns[mapping.column].name.as_str());
    lost.chain(drift::lost_columns(staged)).collect()
}

/// What all sources gave.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// The snapshot of each source, in the order of the pipeline.
    pub(super) snapshots: Vec<Snapshot>,
    /// All tables, in the order of the pipeline.
    pub(super) staged: Vec<Staged>,
    /// What was wrong with the last answer of the sources whose last good snapshot is used: a code.
    pub(super) held_back: BTreeMap<SourceId, &'static str>,
    /// Bounds of the snapshots that are used.
    pub(super) bounds: Vec<Bound>,
    /// Columns that their source no longer has, of tables that may go on without them.
    pub(super) given_up: BTreeSet<String>,
    shapes: BTreeMap<SourceId, SourceShape>,
}

/// What is known of a source when it was good, and of the release that was current then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Good {
    snapshot: u64,
    shape: SourceShape,
    release: Option<ReleaseId>,
    /// The attempt that was about to publish it: it was good when the log has that attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<String>,
}

/// Times that a source was good, the newest last, that are remembered: a withdrawal goes back to the one before.
const REMEMBERED: usize = 10;

/// One snapshot as it was read.
struct Taken {
    snapshot: Snapshot,
    new: bool,
    staged: Vec<(usize, Staged)>,
    shape: SourceShape,
    bounds: Vec<Bound>,
}

/// Fetches and reads all sources of a pipeline.
pub(super) struct Intaker<'a> {
    pub(super) job: Job<'a>,
    pub(super) options: &'a RunOptions,
    pub(super) private: &'a Store,
    pub(super) cog: &'a Arc<Cog>,
    pub(super) folder: &'a Path,
    /// Releases that are withdrawn: what was good for them is not.
    pub(super) withdrawn: BTreeSet<ReleaseId>,
    /// Attempts that published, each with its release.
    pub(super) published: BTreeMap<String, ReleaseId>,
}

impl Intaker<'_> {
    /// Takes in all sources, one after the other.
    pub(super) async fn take(&self, progress: &mut Progress<'_>) -> Result<Intake, RunError> {
        let mut intake = Intake::default();
        let mut staged = Vec::new();
        // A geocoder is asked once the rows are known.
        let asked_later = |source: &&Source| matches!(source.kind, SourceKind::Geocoder(_));
        for source in self.job.pipeline.sources.iter().filter(|source| !asked_later(source)) {
            let good = self.good(source).await?;
            let taken = match self.newest(source, good.as_ref(), progress).await {
                Ok(taken) => {
                    progress.went.insert(source.id.to_string(), Went::Well { changed: taken.new });
                    taken
                }
                Err(error) => {
                    let code = error.code();
                    progress.went.insert(source.id.to_string(), Went::Wrong { code: code.to_owned() });
                    let taken = self.last_good(source, good, error).await?;
                    intake.held_back.insert(source.id.clone(), code);
                    taken
                }
            };
            progress.record.sources.push(SourceUse {
                source: source.id.to_string(),
                snapshot: taken.snapshot.number,
                new: taken.new,
                bytes: taken.snapshot.parts.iter().map(|part| part.bytes).sum(),
                fetched_at: taken.snapshot.fetched_at.clone(),
                held_back: intake.held_back.get(&source.id).map(|code| (*code).to_owned()),
                transfers: progress.transfers.remove(source.id.as_str()).unwrap_or_default(),
            });
            intake.shapes.insert(source.id.clone(), taken.shape);
            intake.snapshots.push(taken.snapshot);
            intake.bounds.extend(taken.bounds);
            staged.extend(taken.staged);
        }
        geocode::take(self, &mut staged, &mut intake, progress).await?;
        self.gather(&mut intake, staged);
        Ok(intake)
    }

    /// Reads sources once more from the snapshots that a release was made from.
    pub(super) async fn again(&self, snapshots: Vec<Snapshot>) -> Result<Intake, RunError> {
        let mut intake = Intake::default();
        let mut staged = Vec::new();
        for snapshot in snapshots {
            let source = self.job.pipeline.sources.iter().find(|source| source.id == snapshot.source);
            let Some(source) = source else { continue };
            let taken = self.read(source, None, snapshot, &Profile::default()).await?;
            intake.snapshots.push(taken.snapshot);
            staged.extend(taken.staged);
        }
        for (at, table) in &mut staged {
            let spec = &self.job.pipeline.tables[*at];
            geocode::place(self.job, self.private, &intake.snapshots, spec, table).await?;
        }
        self.gather(&mut intake, staged);
        Ok(intake)
    }

    /// Puts the tables of all sources in the order of the pipeline.
    fn gather(&self, intake: &mut Intake, mut staged: Vec<(usize, Staged)>) {
        staged.sort_by_key(|(at, _)| *at);
        let tables = &self.job.pipeline.tables;
        for (at, table) in staged.iter().filter(|(at, _)| tables[*at].drift != Drift::Stop) {
            intake.given_up.extend(lost_columns(&tables[*at], table).into_iter().map(str::to_owned));
        }
        intake.staged = staged.into_iter().map(|(_, staged)| staged).collect();
    }

    /// The newest snapshot: of the source itself, or the last that was fetched.
    async fn newest(
        &self,
        source: &Source,
        good: Option<&Good>,
        progress: &mut Progress<'_>,
    ) -> Result<Taken, RunError> {
        let failed = |error| RunError::Source { id: source.id.clone(), source: Box::new(error) };
        let (snapshot, new) = match self.options.from {
            From::Snapshot => {
                let last = latest(self.private, &source.id).await.map_err(failed)?;
                (last.ok_or_else(|| RunError::NoSnapshot { id: source.id.clone() })?, false)
            }
            From::Source => {
                progress.reporter.step(&format!("Fetching source {}", source.id));
                let connector = connector(&source.kind, &self.options.env).map_err(failed)?;
                let begun = progress.profile.begin(format!("read:fetch:{}", source.id));
                let fetched = fetch(self.private, &source.id, connector.as_ref(), self.options.now).await;
                let fetched = fetched.map_err(failed)?;
                progress.profile.end(&begun, None, Some(fetched.snapshot.parts.iter().map(|part| part.bytes).sum()));
                progress.transfers.insert(source.id.to_string(), fetched.transfers);
                (fetched.snapshot, fetched.changed)
            }
        };
        let mut taken = self.read(source, good, snapshot, progress.profile).await?;
        taken.new = new;
        // A table that stops for cells that no longer fit tells more than the bounds that they break.
        let retyped = |table| drift::lost_columns(table).next().is_some();
        let stops = |at: usize, table| retyped(table) && drift::stops(&self.job.pipeline.tables[at], table);
        if taken.staged.iter().any(|(at, table)| stops(*at, table)) {
            return Ok(taken);
        }
        self.judged(source, taken, progress).await
    }

    /// Refuses a snapshot that breaks a bound; what was rejected of it is kept.
    async fn judged(&self, source: &Source, taken: Taken, progress: &Progress<'_>) -> Result<Taken, RunError> {
        let broken: Vec<&Bound> = taken.bounds.iter().filter(|bound| bound.blocks()).collect();
        let Some(first) = broken.first() else { return Ok(taken) };
        let code = CODES.into_iter().find(|code| first.id.starts_with(code)).unwrap_or("source_rows");
        for (name, path) in taken.staged.iter().flat_map(|(_, table)| &table.files) {
            let key = StoreKey::RunFile { run: progress.record.run.clone(), name: format!("refused/{name}") };
            self.private.put_file(&key, path).await.map_err(private_failed)?;
        }
        let changes = taken.staged.iter().flat_map(|(_, table)| &table.changes).map(ToString::to_string);
        let said = broken.iter().map(|bound| format!("{} ({})", bound.said, bound.id)).chain(changes).collect();
        Err(RunError::Refused { id: source.id.clone(), code, source: Refused(said) })
    }

    /// The snapshot that was used when the source was last good, in the place of one with which `error` was the matter.
    async fn last_good(&self, source: &Source, good: Option<Good>, error: RunError) -> Result<Taken, RunError> {
        let Some(good) = good.filter(|_| error.is_of_the_source() && source.gate.on_failure == OnFailure::LastGood)
        else {
            return Err(error);
        };
        let failed = |error| RunError::Source { id: source.id.clone(), source: Box::new(error) };
        let Some(snapshot) = numbered(self.private, &source.id, good.snapshot).await.map_err(failed)? else {
            return Err(error);
        };
        if let Some(limit) = source.gate.max_age {
            let last = self.last_success(source, &snapshot).await?;
            if (self.options.now - last).to_std().unwrap_or_default() > limit {
                let last = last.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                return Err(RunError::TooOld { id: source.id.clone(), last, source: Box::new(error) });
            }
        }
        // Where the last good snapshot no longer passes either, the project changed, and the first error tells more.
        let Ok(taken) = self.read(source, Some(&good), snapshot, &Profile::default()).await else { return Err(error) };
        if taken.bounds.iter().any(Bound::blocks) {
            return Err(error);
        }
        warn!(
            source.id = %source.id,
            "Source `{}` gave nothing good; snapshot {} of {} is used in its place: {}",
            source.id, taken.snapshot.number, taken.snapshot.fetched_at, chain(&error).join(": ")
        );
        Ok(taken)
    }

    /// When a source last gave something good, be it what it had given before.
    async fn last_success(&self, source: &Source, snapshot: &Snapshot) -> Result<DateTime<Utc>, RunError> {
        let public = store(self.job, "public", self.options)?;
        let known = freshness(&public, &self.job.pipeline.id).await;
        let known = known.map_err(|source| RunError::Publish(Box::new(source)))?;
        let told = known.sources.get(source.id.as_str()).and_then(|known| known.last_success.as_ref());
        Ok(told.unwrap_or(&snapshot.fetched_at).parse().unwrap_or_default())
    }

    /// Reads the tables of a source from a snapshot, and judges what it gave.
    async fn read(
        &self,
        source: &Source,
        good: Option<&Good>,
        snapshot: Snapshot,
        profile: &Profile,
    ) -> Result<Taken, RunError> {
        let mut staged = Vec::new();
        let mut shape = SourceShape::default();
        let demands = erase::demands(self.private, &self.job.pipeline.id).await?;
        for (at, table) in self.job.pipeline.tables.iter().enumerate().filter(|(_, table)| table.source == source.id) {
            let begun = profile.begin(format!("read:table:{}", table.name));
            let parts = parts(self.private, &snapshot, table).await?;
            let (spec, key) = (table.clone(), self.job.project.key.clone());
            let erased = erase::left_out(&demands, table, &key);
            let (cog, folder) = (Arc::clone(self.cog), self.folder.to_owned());
            let task = tokio::task::spawn_blocking(move || stage::stage(&spec, (&key, erased), parts, &cog, &folder));
            let staged_table = task.await.map_err(|_panic| RunError::Stopped { table: table.name.clone() })?;
            let mut staged_table = staged_table.map_err(|error| error.of_snapshot(&snapshot))?;
            profile.end(&begun, Some(staged_table.read), None);
            staged_table.changes = drift::since(self.job, self.private, table, &staged_table).await?;
            let table = staged_table;
            let lost = lost_columns(&self.job.pipeline.tables[at], &table);
            let mut empty = table.empty.clone();
            let contract = &self.job.pipeline.tables[at].contract;
            empty.retain(|column, _| contract.column(column).is_some() && !lost.contains(&column.as_str()));
            let kept = TableShape { rows: table.kept, empty };
            let read = ReadShape { read: table.read, rejected: table.read.saturating_sub(table.kept), kept };
            shape.tables.insert(table.name.to_string(), read);
            staged.push((at, table));
        }
        // A source that no table reads gives no rows, and need not.
        let mut bounds = if staged.is_empty() {
            Vec::new()
        } else {
            source_bounds(source.id.as_str(), &source.gate, good.map(|good| &good.shape), &shape)
        };
        self.options.acceptance.apply(&mut bounds);
        Ok(Taken { snapshot, new: false, staged, shape, bounds })
    }

    fn key(&self, source: &SourceId) -> StoreKey {
        StoreKey::SourceState { dataset: self.job.pipeline.id.clone(), source: source.clone() }
    }

    /// All times that are remembered. What a run was about to publish counts when it did, also when it died right after.
    async fn all_good(&self, source: &SourceId) -> Result<Vec<Good>, RunError> {
        let key = self.key(source);
        let Some(bytes) = self.private.get(&key).await.map_err(private_failed)? else { return Ok(Vec::new()) };
        let all: Vec<Good> =
            serde_json::from_slice(&bytes).map_err(|source| RunError::SourceState { place: key.path(), source })?;
        let known = |good: Good| match &good.attempt {
            None => Some(good),
            Some(attempt) => {
                let release = self.published.get(attempt)?.clone();
                Some(Good { release: Some(release), attempt: None, ..good })
            }
        };
        Ok(all.into_iter().filter_map(known).collect())
    }

    /// The last time that the source was good and that no withdrawal has taken back.
    async fn good(&self, source: &Source) -> Result<Option<Good>, RunError> {
        let stands = |good: &Good| good.release.as_ref().is_none_or(|release| !self.withdrawn.contains(release));
        Ok(self.all_good(&source.id).await?.into_iter().rev().find(stands))
    }

    /// Writes down what the sources gave before it is published, so that it is the measure from the commit on.
    pub(super) async fn expect(&self, intake: &Intake, attempt: &str) -> Result<(), RunError> {
        for (source, good) in goods(intake, None, Some(attempt)) {
            let all = self.all_good(source).await?;
            let same = |last: &Good| last.snapshot == good.snapshot && last.shape == good.shape;
            if !all.last().is_some_and(same) {
                self.remember(source, all, good).await?;
            }
        }
        Ok(())
    }

    /// Keeps what the sources gave as good, once a run went through.
    pub(super) async fn keep(&self, intake: &Intake, release: Option<&ReleaseId>) -> Result<(), RunError> {
        for (source, good) in goods(intake, release, None) {
            let all = self.all_good(source).await?;
            if all.last() != Some(&good) {
                self.remember(source, all, good).await?;
            }
        }
        Ok(())
    }

    async fn remember(&self, source: &SourceId, mut all: Vec<Good>, good: Good) -> Result<(), RunError> {
        all.push(good);
        all.drain(..all.len().saturating_sub(REMEMBERED));
        self.private.put(&self.key(source), json_bytes(&all)).await.map_err(private_failed)
    }
}

/// What the sources gave that were not held back.
fn goods<'a>(
    intake: &'a Intake,
    release: Option<&'a ReleaseId>,
    attempt: Option<&'a str>,
) -> impl Iterator<Item = (&'a SourceId, Good)> {
    let good = move |snapshot: &'a Snapshot| {
        let good = Good {
            snapshot: snapshot.number,
            shape: intake.shapes.get(&snapshot.source).cloned().unwrap_or_default(),
            release: release.cloned(),
            attempt: attempt.map(str::to_owned),
        };
        (&snapshot.source, good)
    };
    intake.snapshots.iter().filter(|snapshot| !intake.held_back.contains_key(&snapshot.source)).map(good)
}

/// The parts of a snapshot, for a table that is read from it.
pub(super) async fn parts(private: &Store, snapshot: &Snapshot, table: &TableSpec) -> Result<Parts, RunError> {
    let mut parts: Parts = Vec::new();
    for part in &snapshot.parts {
        let reader = open_part(private, snapshot, &part.name).await;
        let reader =
            reader.map_err(|source| RunError::Source { id: table.source.clone(), source: Box::new(source) })?;
        parts.push((part.name.clone(), Box::new(reader)));
    }
    Ok(parts)
}
