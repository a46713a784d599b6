//! Building a release once more, from its inputs, and comparing it byte by byte.
//!
//! The inputs are the snapshots that its manifest cites, the project files, the version of the program, and the release
//! before; `issued` is replayed. All of it is written to a scratch store by the same code that publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rand::random;
use serde::Deserialize;

use super::assemble::{keyed, project_digest};
use super::changes::Changelog;
use super::error::{RunError, Unreproducible};
use super::intake::Intaker;
use super::profile::Profile;
use super::record::RunRecord;
use super::{Job, Progress, Reporter, RunOptions, make, private_failed, reference, store};
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::publish::PublishError;
use crate::publish::commit::{Previous, log, manifest_of, write};
use crate::quality::gate::Bound;
use crate::release::{Manifest, states};
use crate::source::{self, Snapshot};
use crate::store::{Store, StoreError, StoreFolder, StoreKey, media_type_of};
use crate::territory::Seeds;

/// A file that came out otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDifference {
    /// Path below the release's folder.
    pub path: String,
    /// SHA-256 of the published file; none when the release has no such file.
    pub published: Option<Digest>,
    /// SHA-256 of the file as it was built now; none when none was.
    pub rebuilt: Option<Digest>,
    /// Of a text file: the first line that differs, its number and both texts.
    pub line: Option<(u64, String, String)>,
}

/// What a release and its second building have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reproduced {
    /// Files that were compared.
    pub files: u64,
    /// Files that differ, by path; none when the release is identical.
    pub differences: Vec<FileDifference>,
}

/// Builds a release from its inputs and compares it with what is published.
pub async fn reproduce(
    job: Job<'_>,
    options: &RunOptions,
    release: &ReleaseId,
    reporter: &dyn Reporter,
) -> Result<Reproduced, RunError> {
    let dataset = &job.pipeline.id;
    let (private, public) = (store(job, "private", options)?, store(job, "public", options)?);
    let manifest = manifest(&public, dataset, release).await?;
    same_makers(job, &manifest)?;
    let snapshots = inputs(job, &private, &manifest).await?;
    let folder = tempfile::Builder::new()
        .prefix("essaim-")
        .tempdir()
        .map_err(|source| RunError::Scratch { path: std::env::temp_dir(), source: Box::new(source) })?;
    let issued: DateTime<Utc> =
        manifest.issued.parse().map_err(|source| refuse(release, Unreproducible::Issued(source)))?;
    let options = RunOptions { now: issued, ..options.clone() };
    let attempt = hex::encode(random::<[u8; 8]>());
    let run = attempt.parse().expect("hexadecimal digits make a run id");
    let profile = Profile::default();
    let mut progress = Progress {
        record: RunRecord::begun(run, job.pipeline, &options),
        reporter,
        profile: &profile,
        step: None,
        went: BTreeMap::new(),
        transfers: BTreeMap::new(),
    };
    let seeds = geography(job, &private, &manifest, folder.path()).await?;
    let cog = Arc::new(seeds.cog().map_err(|source| RunError::Territory(Box::new(source)))?);
    progress.step("read", "Reading and placing rows");
    let intaker = Intaker {
        job,
        options: &options,
        private: &private,
        cog: &cog,
        folder: folder.path(),
        withdrawn: BTreeSet::new(),
        published: BTreeMap::new(),
    };
    let intake = intaker.again(snapshots).await?;
    let mut made = make(job, &options, &intake, (&cog, &seeds), folder.path(), &mut progress).await?;
    for source in &mut made.sources {
        let cited = manifest.sources.iter().find(|cited| cited.source == source.source);
        source.held_back = cited.and_then(|cited| cited.held_back.clone());
    }
    let published = |source| RunError::Publish(Box::new(source));
    let previous = previous(&public, dataset, &manifest).await?;
    let scratch = Store::open(&folder.path().join("store").to_string_lossy(), folder.path(), &BTreeMap::new());
    let scratch = scratch.map_err(|source| RunError::Store { which: "scratch", source: Box::new(source) })?;
    progress.step("compare", "Comparing with the release");
    let changelog = Changelog {
        assembled: &made,
        public: &public,
        private: &private,
        snapshots: &intake.snapshots,
        seeds: &seeds,
        cog: &cog,
        folder: folder.path(),
    };
    let candidate = made.candidate(job.pipeline, &options, &attempt, &changelog);
    let bounds = bounds(&public, dataset, release).await?;
    write(&scratch, &candidate, release, previous.as_ref(), &bounds).await.map_err(published)?;
    compare(&public, &scratch, dataset, release).await
}

fn refuse(release: &ReleaseId, source: Unreproducible) -> RunError {
    RunError::Unreproducible { release: release.clone(), source: Box::new(source) }
}

/// The manifest of a release that is visible.
async fn manifest(public: &Store, dataset: &DatasetId, release: &ReleaseId) -> Result<Manifest, RunError> {
    let published = |source| RunError::Publish(Box::new(source));
    let entries = log(public, dataset).await.map_err(published)?;
    let state = states(&entries).into_iter().find(|state| state.release() == Some(release));
    let Some(state) = state else {
        return Err(published(PublishError::NoRelease { dataset: dataset.clone(), release: release.clone() }));
    };
    if state.withdrawn.is_some() {
        return Err(refuse(release, Unreproducible::Withdrawn));
    }
    manifest_of(public, dataset, release).await.map_err(published)
}

/// Refuses when the project files or the program are others than those that made the release.
fn same_makers(job: Job<'_>, manifest: &Manifest) -> Result<(), RunError> {
    let engine = concat!("essaim ", env!("CARGO_PKG_VERSION"));
    let found = if manifest.release.rewritten() > 0 {
        Unreproducible::Rewritten
    } else if manifest.engine != engine {
        Unreproducible::Program { then: manifest.engine.clone(), now: engine.to_owned() }
    } else if manifest.project != project_digest(job) {
        Unreproducible::Project
    } else {
        return Ok(());
    };
    Err(refuse(&manifest.release, found))
}

/// The official geography that made a release: the project's own, or the one that was kept.
async fn geography(job: Job<'_>, private: &Store, manifest: &Manifest, folder: &Path) -> Result<Seeds, RunError> {
    let seeds = Seeds::of(&job.project.root);
    let now = seeds.digest().map_err(|source| RunError::Territory(Box::new(source)))?;
    match manifest.reference {
        Some(then) if then != now => {
            let kept = reference::fetch(private, then, &folder.join("cog")).await?;
            kept.ok_or_else(|| refuse(&manifest.release, Unreproducible::Geography))
        }
        _ => Ok(seeds),
    }
}

/// The snapshots that a manifest cites, in the order of the pipeline.
async fn inputs(job: Job<'_>, private: &Store, manifest: &Manifest) -> Result<Vec<Snapshot>, RunError> {
    let mut snapshots = Vec::new();
    for source in &job.pipeline.sources {
        let failed = |error| RunError::Source { id: source.id.clone(), source: Box::new(error) };
        let cited = manifest.sources.iter().find(|cited| cited.source == source.id.as_str());
        let gone = |at: &str| {
            refuse(&manifest.release, Unreproducible::Snapshot { id: source.id.clone(), fetched_at: at.to_owned() })
        };
        let cited = cited.ok_or_else(|| gone("?"))?;
        // The content of a source may come back: it is the one that was fetched then.
        let is_it = |snapshot: &Snapshot| {
            snapshot.fetched_at == cited.fetched_at
                && keyed(job, "snapshot", &snapshot.digest.to_string()) == cited.snapshot
        };
        let found = source::find(private, &source.id, is_it).await.map_err(failed)?;
        let Some(snapshot) = found else {
            let all = source::all(private, &source.id).await.map_err(failed)?;
            if all.iter().any(|snapshot| snapshot.erased.contains(&cited.snapshot)) {
                return Err(refuse(&manifest.release, Unreproducible::Erased { id: source.id.clone() }));
            }
            return Err(gone(&cited.fetched_at));
        };
        for part in &snapshot.parts {
            if !private.exists(&snapshot.key_of(part)).await.map_err(private_failed)? {
                return Err(gone(&cited.fetched_at));
            }
        }
        snapshots.push(snapshot);
    }
    Ok(snapshots)
}

/// The release that came before, as the commit had it.
async fn previous(public: &Store, dataset: &DatasetId, manifest: &Manifest) -> Result<Option<Previous>, RunError> {
    let Some(before) = manifest.previous.clone() else { return Ok(None) };
    match manifest_of(public, dataset, &before).await {
        Ok(manifest) => Ok(Some(Previous { release: before, manifest })),
        Err(PublishError::NoManifest { .. }) => {
            Err(refuse(&manifest.release, Unreproducible::Previous { release: before }))
        }
        Err(source) => Err(RunError::Publish(Box::new(source))),
    }
}

/// What the gate found, as the release tells it: what sources gave before, and what a person accepted, is an input too.
async fn bounds(public: &Store, dataset: &DatasetId, release: &ReleaseId) -> Result<Vec<Bound>, RunError> {
    let path = "gate.json".to_owned();
    let key = StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path };
    let bytes = public.get(&key).await;
    let bytes = bytes.map_err(|source| RunError::Store { which: "public", source: Box::new(source) })?;
    let gate: Option<Gate> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(gate.map(|gate| gate.bounds).unwrap_or_default())
}

/// The part of `gate.json` that is replayed.
#[derive(Deserialize)]
struct Gate {
    bounds: Vec<Bound>,
}

/// Compares the two folders of a release, file by file.
async fn compare(
    public: &Store,
    scratch: &Store,
    dataset: &DatasetId,
    release: &ReleaseId,
) -> Result<Reproduced, RunError> {
    let public_failed = |source| RunError::Store { which: "public", source: Box::new(source) };
    let scratch_failed = |source| RunError::Store { which: "scratch", source: Box::new(source) };
    let folder = StoreFolder::Release { dataset: dataset.clone(), release: release.clone() };
    let mut paths = public.list(&folder).await.map_err(public_failed)?;
    paths.extend(scratch.list(&folder).await.map_err(scratch_failed)?);
    let prefix = format!("{}/", folder.path());
    let mut paths: Vec<&str> = paths.iter().filter_map(|(path, _)| path.strip_prefix(&prefix)).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut found = Reproduced::default();
    for path in paths {
        let key = StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path: path.to_owned() };
        let published = public.digest_of(&key).await.map_err(public_failed)?.map(|(digest, _)| digest);
        let rebuilt = scratch.digest_of(&key).await.map_err(scratch_failed)?.map(|(digest, _)| digest);
        found.files += 1;
        if published != rebuilt {
            let text = media_type_of(path).starts_with("text/csv") && published.is_some() && rebuilt.is_some();
            let line = if text { first_line(public, scratch, &key).await? } else { None };
            found.differences.push(FileDifference { path: path.to_owned(), published, rebuilt, line });
        }
    }
    Ok(found)
}

/// The first line in which two texts differ.
async fn first_line(
    public: &Store,
    scratch: &Store,
    key: &StoreKey,
) -> Result<Option<(u64, String, String)>, RunError> {
    let one =
        lines(public, key).await.map_err(|source| RunError::Store { which: "public", source: Box::new(source) })?;
    let other =
        lines(scratch, key).await.map_err(|source| RunError::Store { which: "scratch", source: Box::new(source) })?;
    let (mut one, mut other) = (one.lines(), other.lines());
    for number in 1.. {
        match (one.next(), other.next()) {
            (None, None) => break,
            (here, there) if here != there => {
                let text = |line: Option<&str>| line.unwrap_or("").to_owned();
                return Ok(Some((number, text(here), text(there))));
            }
            _ => {}
        }
    }
    Ok(None)
}

async fn lines(store: &Store, key: &StoreKey) -> Result<String, StoreError> {
    let bytes = store.get(key).await?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
