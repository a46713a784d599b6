//! Taking a release out of sight, and bringing it back.
//!
//! The log entry decides. After a withdrawal the release's files move to the private store and a notice with the reason
//! stays in their place. Before a restore the private files are read, then they are copied back and read back; when that
//! fails they are taken away again. What a killed process leaves half moved, [`settle`] brings in line with the log.
//!
//! A run that read the log before a restore may still delete public files after it. So a restore leaves the private
//! copies where they are: whoever settles next finds what is missing and brings it again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::json;
use tracing::{info, warn};

use super::commit::{append, json_bytes, log};
use super::error::PublishError;
use super::latest::refresh;
use super::verify::{Finding, Verified, files_of, kept_of};
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::release::{LogEntry, LogKind, Manifest, ReleaseState, Withdrawal, replaced, states};
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
pub async fn withdraw(stores: Stores<'_>, demand: &Demand, why: Withdrawal) -> Result<bool, PublishError> {
    let done = append(stores.public, &demand.dataset, |entries| {
        let state = find(entries, demand)?;
        let entry = || LogEntry { withdrawal: Some(why), ..entry(LogKind::Withdraw, state.published, demand) };
        Ok(state.withdrawn.is_none().then(entry))
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
        // Nothing becomes public before all of it was found whole.
        whole(&demand.release, kept_of(stores, dataset, &demand.release, state.published).await?)?;
    }
    let done = match bring_and_tell(stores, demand, state).await {
        Ok(done) => done,
        Err(error) => {
            // The log decides, also where its answer was lost.
            let settled = match log(stores.public, dataset).await {
                Ok(entries) => settle(stores, dataset, &entries).await,
                Err(error) => Err(error),
            };
            if let Err(error) = settled {
                let release = &demand.release;
                warn!(release.id = %release, error = %error, "Files of release {release} may be public until the next run takes them away");
            }
            return Err(error);
        }
    };
    let entries = log(stores.public, dataset).await?;
    settle(stores, dataset, &entries).await?;
    refresh(stores.public, dataset, &entries).await?;
    Ok(done.is_some())
}

/// Copies the files of a withdrawn release back and writes the log entry that makes it visible.
async fn bring_and_tell(
    stores: Stores<'_>,
    demand: &Demand,
    state: ReleaseState<'_>,
) -> Result<Option<u64>, PublishError> {
    if state.withdrawn.is_some() {
        bring_back(stores, &demand.dataset, &demand.release, state.published).await?;
    }
    append(stores.public, &demand.dataset, |entries| {
        let state = find(entries, demand)?;
        Ok(state.withdrawn.is_some().then(|| entry(LogKind::Restore, state.published, demand)))
    })
    .await
}

/// Fails with the first file of a release that is not as it should be.
fn whole(release: &ReleaseId, found: Verified) -> Result<(), PublishError> {
    match found.findings.into_iter().find(|finding| !finding.stale) {
        Some(Finding { place, detail, .. }) => Err(PublishError::NotWhole { release: release.clone(), place, detail }),
        None => Ok(()),
    }
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
        withdrawal: None,
        digest: None,
    }
}

/// Brings the folders of all releases in line with the log.
pub async fn settle(stores: Stores<'_>, dataset: &DatasetId, entries: &[(u64, LogEntry)]) -> Result<(), PublishError> {
    let kept = kept(stores, dataset).await?;
    for state in states(entries) {
        let Some(release) = state.release() else { continue };
        match state.withdrawn {
            Some(withdrawal) => take_away(stores, dataset, state.published, withdrawal).await?,
            None => tidy(stores, dataset, release, state.published, kept.contains(release.as_str())).await?,
        }
    }
    for (old, erasure) in replaced(entries) {
        bury(stores, dataset, old, erasure).await?;
    }
    Ok(())
}

/// Releases of which the private store has files.
async fn kept(stores: Stores<'_>, dataset: &DatasetId) -> Result<BTreeSet<String>, PublishError> {
    let listed = paths(stores.private, &StoreFolder::AllWithdrawn { dataset: dataset.clone() }).await;
    let listed = listed.map_err(failed(dataset))?;
    Ok(listed.iter().filter_map(|path| path.split_once('/')).map(|(release, _)| release.to_owned()).collect())
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
    Ok(sizes(store, folder).await?.into_keys().collect())
}

/// The same with their sizes.
async fn sizes(store: &Store, folder: &StoreFolder) -> Result<BTreeMap<String, u64>, StoreError> {
    let prefix = format!("{}/", folder.path());
    let listed = store.list(folder).await?;
    let below = |(path, size): &(String, u64)| Some((path.strip_prefix(&prefix)?.to_owned(), *size));
    Ok(listed.iter().filter_map(below).collect())
}

/// The files of a release by its manifest, wherever that is; nothing is known when it is in neither store, or not the one
/// that the log names.
async fn contents(
    stores: Stores<'_>,
    dataset: &DatasetId,
    published: &LogEntry,
) -> Result<BTreeMap<String, (Digest, u64)>, PublishError> {
    let Some(release) = &published.release else { return Ok(BTreeMap::new()) };
    let (private, public) =
        (private_key(dataset, release, "manifest.json"), public_key(dataset, release, "manifest.json"));
    for (store, key) in [(stores.private, private), (stores.public, public)] {
        let bytes = store.get(&key).await.map_err(failed(dataset))?;
        let bytes = bytes.filter(|bytes| published.manifest == Some(Digest::of(bytes)));
        if let Some(bytes) = bytes
            && let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes)
        {
            return Ok(manifest.contents(&bytes));
        }
    }
    Ok(BTreeMap::new())
}

/// Moves the files of a withdrawn release to the private store and leaves the notice. The manifest goes last, so that
/// what is half moved can be told. A private copy that is whole stays as it is.
async fn take_away(
    stores: Stores<'_>,
    dataset: &DatasetId,
    published: &LogEntry,
    withdrawal: &LogEntry,
) -> Result<(), PublishError> {
    let fail = failed(dataset);
    let Some(release) = &published.release else { return Ok(()) };
    let folder = StoreFolder::Release { dataset: dataset.clone(), release: release.clone() };
    let mut left = paths(stores.public, &folder).await.map_err(&fail)?;
    left.retain(|path| path != NOTICE);
    left.sort_by_key(|path| (path == "manifest.json", path.clone()));
    let files = if left.is_empty() { BTreeMap::new() } else { contents(stores, dataset, published).await? };
    for path in &left {
        let (from, to) = (public_key(dataset, release, path), private_key(dataset, release, path));
        let kept = stores.private.digest_of(&to).await.map_err(&fail)?;
        if kept.is_some() && kept.as_ref() == files.get(path) {
            continue;
        }
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
    if left.is_empty() {
        return Ok(());
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

/// Copies the files of a withdrawn release that are not there back to the public store, and reads all of them back.
async fn bring_back(
    stores: Stores<'_>,
    dataset: &DatasetId,
    release: &ReleaseId,
    published: &LogEntry,
) -> Result<(), PublishError> {
    let fail = failed(dataset);
    let files = contents(stores, dataset, published).await?;
    let folder = StoreFolder::Withdrawn { dataset: dataset.clone(), release: release.clone() };
    for path in paths(stores.private, &folder).await.map_err(&fail)? {
        let (from, to) = (private_key(dataset, release, &path), public_key(dataset, release, &path));
        let shown = stores.public.digest_of(&to).await.map_err(&fail)?;
        if shown.is_some() && shown.as_ref() == files.get(&path) {
            continue;
        }
        copy(stores.private, &from, stores.public, &to).await.map_err(&fail)?;
        stores.public.sync(std::slice::from_ref(&to)).await.map_err(&fail)?;
    }
    whole(release, files_of(stores.public, dataset, release, published).await?)
}

/// Brings back what is missing of a visible release that was restored, and removes the notice once all of it is there.
async fn tidy(
    stores: Stores<'_>,
    dataset: &DatasetId,
    release: &ReleaseId,
    published: &LogEntry,
    kept: bool,
) -> Result<(), PublishError> {
    let fail = failed(dataset);
    let notice = public_key(dataset, release, NOTICE);
    let noticed = stores.public.exists(&notice).await.map_err(&fail)?;
    if kept {
        let shown = StoreFolder::Release { dataset: dataset.clone(), release: release.clone() };
        let mut shown = sizes(stores.public, &shown).await.map_err(&fail)?;
        shown.remove(NOTICE);
        let kept = StoreFolder::Withdrawn { dataset: dataset.clone(), release: release.clone() };
        if noticed || shown != sizes(stores.private, &kept).await.map_err(&fail)? {
            bring_back(stores, dataset, release, published).await?;
        }
    }
    if noticed {
        stores.public.delete(&notice).await.map_err(&fail)?;
    }
    Ok(())
}

async fn copy(from: &Store, key: &StoreKey, to: &Store, target: &StoreKey) -> Result<(), StoreError> {
    if let Some(stream) = from.get_stream(key).await? {
        to.put_stream(target, stream.map_err(std::io::Error::other)).await?;
    }
    Ok(())
}
