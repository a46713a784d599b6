//! Taking a release out of sight, and bringing it back.
//!
//! The log entry decides. After a withdrawal the release's files move to the private store and a notice with the reason
//! stays in their place; before a restore they come back and are read back. What a killed process leaves half moved,
//! [`settle`] brings in line with the log.

use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::json;
use tracing::info;

use super::commit::{append, json_bytes, log, refresh};
use super::error::PublishError;
use super::verify::files_of;
use crate::id::{DatasetId, ReleaseId};
use crate::release::{LogEntry, LogKind, ReleaseState, replaced, states};
use crate::store::{Store, StoreError, StoreFolder, StoreKey};

/// The file that stands in the place of a withdrawn release.
pub const NOTICE: &str = "WITHDRAWN.json";

/// The file that stands in the place of a release that was rewritten after an erasure.
pub const TOMBSTONE: &str = "ERASED.json";

/// Who changes which release, why and when.
#[derive(Debug, Clone)]
pub struct Demand {
    /// The dataset.
    pub dataset: DatasetId,
    /// The release.
    pub release: ReleaseId,
    /// Why, in words that are published.
    pub reason: String,
    /// Random id of this attempt.
    pub attempt: String,
    /// The time, RFC 3339, UTC.
    pub at: String,
}

/// The two stores.
#[derive(Debug, Clone, Copy)]
pub struct Stores<'a> {
    /// Where releases are.
    pub public: &'a Store,
    /// Where withdrawn ones go.
    pub private: &'a Store,
}

fn failed(dataset: &DatasetId) -> impl Fn(StoreError) -> PublishError + '_ {
    move |source| PublishError::Store { dataset: dataset.clone(), source: Box::new(source) }
}

fn find<'a>(entries: &'a [(u64, LogEntry)], demand: &Demand) -> Result<ReleaseState<'a>, PublishError> {
    let found = states(entries).into_iter().find(|state| state.release() == Some(&demand.release));
    found.ok_or_else(|| PublishError::NoRelease { dataset: demand.dataset.clone(), release: demand.release.clone() })
}

/// Withdraws a release. `false` when it was withdrawn already.
pub async fn withdraw(stores: Stores<'_>, demand: &Demand) -> Result<bool, PublishError> {
    let done = append(stores.public, &demand.dataset, |entries| {
        let state = find(entries, demand)?;
        Ok(state.withdrawn.is_none().then(|| entry(LogKind::Withdraw, state.published, demand)))
    })
    .await?;
    if done.is_some() {
        info!(release.id = %demand.release, "Withdrew release {}", demand.release);
    }
    let entries = log(stores.public, &demand.dataset).await?;
    settle(stores, &demand.dataset, &entries).await?;
    refresh(stores.public, &demand.dataset, &entries).await?;
    Ok(done.is_some())
}

/// Restores a withdrawn release, once all its files are back and were read back. `false` when it was not withdrawn.
pub async fn restore(stores: Stores<'_>, demand: &Demand) -> Result<bool, PublishError> {
    let dataset = &demand.dataset;
    let entries = log(stores.public, dataset).await?;
    settle(stores, dataset, &entries).await?;
    let state = find(&entries, demand)?;
    if state.withdrawn.is_some() {
        bring_back(stores, dataset, &demand.release, state.published).await?;
    }
    let done = append(stores.public, dataset, |entries| {
        let state = find(entries, demand)?;
        Ok(state.withdrawn.is_some().then(|| entry(LogKind::Restore, state.published, demand)))
    })
    .await?;
    let entries = log(stores.public, dataset).await?;
    settle(stores, dataset, &entries).await?;
    refresh(stores.public, dataset, &entries).await?;
    Ok(done.is_some())
}

fn entry(kind: LogKind, published: &LogEntry, demand: &Demand) -> LogEntry {
    LogEntry {
        kind,
        release: Some(demand.release.clone()),
        manifest: published.manifest,
        content: published.content,
        attempt: demand.attempt.clone(),
        at: demand.at.clone(),
        verified_at: None,
        reason: Some(demand.reason.clone()),
        replaces: None,
        before: None,
        claim: None,
        version: None,
        token: None,
        slot: None,
        digest: None,
    }
}

/// Brings the folders of all releases in line with the log.
pub async fn settle(stores: Stores<'_>, dataset: &DatasetId, entries: &[(u64, LogEntry)]) -> Result<(), PublishError> {
    for state in states(entries) {
        let Some(release) = state.release() else { continue };
        match state.withdrawn {
            Some(withdrawal) => take_away(stores, dataset, release, withdrawal).await?,
            None => tidy(stores, dataset, release, state.published).await?,
        }
    }
    for (old, erasure) in replaced(entries) {
        bury(stores, dataset, old, erasure).await?;
    }
    Ok(())
}

/// Leaves the notice of an erasure in the place of a release and deletes all that was there, in both stores.
async fn bury(
    stores: Stores<'_>,
    dataset: &DatasetId,
    release: &ReleaseId,
    erasure: &LogEntry,
) -> Result<(), PublishError> {
    let fail = failed(dataset);
    let notice = public_key(dataset, release, TOMBSTONE);
    let body = json!({
        "dataset": dataset, "release": release, "replaced_by": erasure.release, "erased_at": erasure.at,
        "reason": erasure.reason,
    });
    let body: Bytes = json_bytes(&body);
    if stores.public.get(&notice).await.map_err(&fail)?.as_ref() != Some(&body) {
        stores.public.put(&notice, body).await.map_err(&fail)?;
        stores.public.sync(std::slice::from_ref(&notice)).await.map_err(&fail)?;
    }
    let shown = StoreFolder::Release { dataset: dataset.clone(), release: release.clone() };
    for path in paths(stores.public, &shown).await.map_err(&fail)?.iter().filter(|path| *path != TOMBSTONE) {
        stores.public.delete(&public_key(dataset, release, path)).await.map_err(&fail)?;
    }
    let kept = StoreFolder::Withdrawn { dataset: dataset.clone(), release: release.clone() };
    for path in paths(stores.private, &kept).await.map_err(&fail)? {
        stores.private.delete(&private_key(dataset, release, &path)).await.map_err(&fail)?;
    }
    Ok(())
}

pub(super) fn public_key(dataset: &DatasetId, release: &ReleaseId, path: &str) -> StoreKey {
    StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path: path.to_owned() }
}

pub(super) fn private_key(dataset: &DatasetId, release: &ReleaseId, path: &str) -> StoreKey {
    StoreKey::WithdrawnFile { dataset: dataset.clone(), release: release.clone(), path: path.to_owned() }
}

/// Paths of the objects below a folder, from the folder on.
async fn paths(store: &Store, folder: &StoreFolder) -> Result<Vec<String>, StoreError> {
    let prefix = format!("{}/", folder.path());
    let listed = store.list(folder).await?;
    Ok(listed.iter().filter_map(|(path, _)| path.strip_prefix(&prefix)).map(str::to_owned).collect())
}

/// Moves the files of a withdrawn release to the private store and leaves the notice. The manifest goes last, so that
/// what is half moved can be told.
async fn take_away(
    stores: Stores<'_>,
    dataset: &DatasetId,
    release: &ReleaseId,
    withdrawal: &LogEntry,
) -> Result<(), PublishError> {
    let fail = failed(dataset);
    let folder = StoreFolder::Release { dataset: dataset.clone(), release: release.clone() };
    let mut left = paths(stores.public, &folder).await.map_err(&fail)?;
    left.retain(|path| path != NOTICE);
    left.sort_by_key(|path| (path == "manifest.json", path.clone()));
    for path in &left {
        let (from, to) = (public_key(dataset, release, path), private_key(dataset, release, path));
        copy(stores.public, &from, stores.private, &to).await.map_err(&fail)?;
        stores.private.sync(std::slice::from_ref(&to)).await.map_err(&fail)?;
    }
    let notice = public_key(dataset, release, NOTICE);
    let body = json!({
        "dataset": dataset, "release": release, "withdrawn_at": withdrawal.at, "reason": withdrawal.reason,
    });
    let body: Bytes = json_bytes(&body);
    if stores.public.get(&notice).await.map_err(&fail)?.as_ref() != Some(&body) {
        stores.public.put(&notice, body).await.map_err(&fail)?;
        stores.public.sync(std::slice::from_ref(&notice)).await.map_err(&fail)?;
    }
    // A restore may have gone through meanwhile: then the public files are those that everyone sees.
    let entries = log(stores.public, dataset).await?;
    let now = states(&entries).into_iter().find(|state| state.release() == Some(release));
    if now.is_none_or(|state| state.withdrawn.is_none()) {
        return Ok(());
    }
    for path in &left {
        stores.public.delete(&public_key(dataset, release, path)).await.map_err(&fail)?;
    }
    Ok(())
}

/// Copies the files of a withdrawn release back to the public store, and reads them back.
async fn bring_back(
    stores: Stores<'_>,
    dataset: &DatasetId,
    release: &ReleaseId,
    published: &LogEntry,
) -> Result<(), PublishError> {
    let fail = failed(dataset);
    let folder = StoreFolder::Withdrawn { dataset: dataset.clone(), release: release.clone() };
    for path in paths(stores.private, &folder).await.map_err(&fail)? {
        let (from, to) = (private_key(dataset, release, &path), public_key(dataset, release, &path));
        copy(stores.private, &from, stores.public, &to).await.map_err(&fail)?;
        stores.public.sync(std::slice::from_ref(&to)).await.map_err(&fail)?;
    }
    let findings = files_of(stores.public, dataset, release, published).await?.findings;
    match findings.into_iter().find(|finding| !finding.stale) {
        Some(finding) => Err(PublishError::ReadBack { path: finding.place }),
        None => Ok(()),
    }
}

/// Removes the notice and the private copies of a release that is visible, once all of it is there.
async fn tidy(
    stores: Stores<'_>,
    dataset: &DatasetId,
    release: &ReleaseId,
    published: &LogEntry,
) -> Result<(), PublishError> {
    let fail = failed(dataset);
    let notice = public_key(dataset, release, NOTICE);
    if !stores.public.exists(&notice).await.map_err(&fail)? {
        return Ok(());
    }
    let folder = StoreFolder::Withdrawn { dataset: dataset.clone(), release: release.clone() };
    let copies = paths(stores.private, &folder).await.map_err(&fail)?;
    if !copies.is_empty() {
        bring_back(stores, dataset, release, published).await?;
    }
    stores.public.delete(&notice).await.map_err(&fail)?;
    for path in copies {
        stores.private.delete(&private_key(dataset, release, &path)).await.map_err(&fail)?;
    }
    Ok(())
}

async fn copy(from: &Store, key: &StoreKey, to: &Store, target: &StoreKey) -> Result<(), StoreError> {
    if let Some(stream) = from.get_stream(key).await? {
        to.put_stream(target, stream.map_err(std::io::Error::other)).await?;
    }
    Ok(())
}
