//! What is derived from the log: `latest/`, copies of the current release's files for people, `releases.json`, and the
//! site.
//!
//! The manifest of `latest/` says which release it is a copy of: it is taken away before a file changes and brought when all
//! others are there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt as _;

use super::commit::{ATTEMPTS, log, manifest_of};
use super::error::PublishError;
use super::freshness::write_releases;
use super::site;
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::release::{LogEntry, Manifest, current};
use crate::store::{Store, StoreError, StoreFolder, StoreKey};

const MANIFEST: &str = "manifest.json";

fn failed(dataset: &DatasetId) -> impl Fn(StoreError) -> PublishError + '_ {
    move |source| PublishError::Store { dataset: dataset.clone(), source: Box::new(source) }
}

fn key(dataset: &DatasetId, path: &str) -> StoreKey {
    StoreKey::Latest { dataset: dataset.clone(), path: path.to_owned() }
}

/// Brings what is derived from the log in line with it.
///
/// Every byte of `latest/` is read: what people download is repaired whatever happened to it. Several writers may copy
/// into it at once, each its own release; whoever finds at the end that the log went on begins again, so that the last
/// one to end copies the newest release.
pub async fn refresh(store: &Store, dataset: &DatasetId, entries: &[(u64, LogEntry)]) -> Result<(), PublishError> {
    let fail = failed(dataset);
    let mut entries = Cow::Borrowed(entries);
    for _ in 0..ATTEMPTS {
        bring(store, dataset, &entries).await?;
        write_releases(store, dataset, &entries).await?;
        let numbers = store.numbers(&StoreFolder::Log { dataset: dataset.clone() }).await.map_err(&fail)?;
        if numbers.last() <= entries.last().map(|(number, _)| number) {
            return site::refresh(store, dataset, &entries).await;
        }
        entries = Cow::Owned(log(store, dataset).await?);
    }
    Err(PublishError::Contended { dataset: dataset.clone(), attempts: ATTEMPTS })
}

/// The same, with every byte of every page: those of releases are taken at their word otherwise.
pub async fn rebuild(store: &Store, dataset: &DatasetId, entries: &[(u64, LogEntry)]) -> Result<(), PublishError> {
    refresh(store, dataset, entries).await?;
    site::rebuild(store, dataset, &log(store, dataset).await?).await
}

/// Makes `latest/` a copy of the current release, unless it is; empties it when that release has no copies.
async fn bring(store: &Store, dataset: &DatasetId, entries: &[(u64, LogEntry)]) -> Result<(), PublishError> {
    let folder = StoreFolder::Latest { dataset: dataset.clone() };
    let listed = listed(store, dataset, &folder).await?;
    let shown = current(entries).and_then(|(_, entry)| Some((entry.release.clone()?, entry.manifest?)));
    let shown = match shown {
        Some((release, _)) if !manifest_of(store, dataset, &release).await?.latest => None,
        shown => shown,
    };
    let is_right = match &shown {
        Some((_, manifest)) => is_copy(store, dataset, *manifest, &listed).await?,
        None => listed.is_empty(),
    };
    if is_right {
        return Ok(());
    }
    let fail = failed(dataset);
    store.sweep(&folder, Duration::ZERO).await.map_err(&fail)?;
    if listed.contains_key(MANIFEST) {
        store.delete(&key(dataset, MANIFEST)).await.map_err(&fail)?;
    }
    let files = match &shown {
        Some((release, manifest)) => files_of(store, dataset, release, *manifest).await?,
        None => BTreeMap::new(),
    };
    for path in listed.keys().filter(|path| *path != MANIFEST && !files.contains_key(*path)) {
        store.delete(&key(dataset, path)).await.map_err(&fail)?;
    }
    let Some((release, _)) = shown else { return Ok(()) };
    let mut paths: Vec<(&String, &(Digest, u64))> = files.iter().collect();
    paths.sort_by_key(|(path, _)| *path == MANIFEST);
    for (path, file) in paths {
        let from = StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path: path.clone() };
        let stream = store.get_stream(&from).await.map_err(&fail)?;
        let stream = stream.ok_or_else(|| PublishError::ReadBack { path: path.clone() })?;
        let stream = stream.map_err(std::io::Error::other);
        if store.put_stream(&key(dataset, path), stream).await.map_err(&fail)? != *file {
            return Err(PublishError::ReadBack { path: path.clone() });
        }
    }
    Ok(())
}

/// Sizes of the files of a folder, by path below it.
async fn listed(
    store: &Store,
    dataset: &DatasetId,
    folder: &StoreFolder,
) -> Result<BTreeMap<String, u64>, PublishError> {
    let prefix = format!("{}/", folder.path());
    let listed = store.list(folder).await.map_err(failed(dataset))?;
    let below = |(path, size): &(String, u64)| Some((path.strip_prefix(&prefix)?.to_owned(), *size));
    Ok(listed.iter().filter_map(below).collect())
}

/// Whether `latest/` holds the files of the release with that manifest, byte by byte, and no other.
async fn is_copy(
    store: &Store,
    dataset: &DatasetId,
    manifest: Digest,
    listed: &BTreeMap<String, u64>,
) -> Result<bool, PublishError> {
    let fail = failed(dataset);
    let Some(bytes) = store.get(&key(dataset, MANIFEST)).await.map_err(&fail)? else { return Ok(false) };
    if Digest::of(&bytes) != manifest {
        return Ok(false);
    }
    let Ok(parsed) = serde_json::from_slice::<Manifest>(&bytes) else { return Ok(false) };
    let expected = parsed.contents(&bytes);
    if !expected.iter().map(|(path, (_, size))| (path, size)).eq(listed) {
        return Ok(false);
    }
    for (path, file) in expected {
        if store.digest_of(&key(dataset, &path)).await.map_err(&fail)? != Some(file) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The files of a release with their digests and sizes, by its manifest, which is the one that the log names.
async fn files_of(
    store: &Store,
    dataset: &DatasetId,
    release: &ReleaseId,
    manifest: Digest,
) -> Result<BTreeMap<String, (Digest, u64)>, PublishError> {
    let key = StoreKey::Manifest { dataset: dataset.clone(), release: release.clone() };
    let bytes = store.get(&key).await.map_err(failed(dataset))?;
    let bytes = bytes.ok_or_else(|| PublishError::NoManifest { dataset: dataset.clone(), release: release.clone() })?;
    if Digest::of(&bytes) != manifest {
        return Err(PublishError::ReadBack { path: MANIFEST.to_owned() });
    }
    let parsed: Manifest = serde_json::from_slice(&bytes).map_err(|source| PublishError::Manifest {
        dataset: dataset.clone(),
        release: release.clone(),
        source,
    })?;
    Ok(parsed.contents(&bytes))
}
