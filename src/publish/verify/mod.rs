//! Reading everything back: log, claims, manifests, sums and files, as anybody could; and what only the project sees, the
//! files of withdrawn releases.

mod files;

use std::collections::BTreeSet;

pub(super) use self::files::{files_of, kept_of};

use self::files::copies_of;

use super::commit::{log, manifest_of};
use super::error::PublishError;
use super::freshness::freshness;
use super::site;
use super::withdraw::{NOTICE, Stores, TOMBSTONE};
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::release::{LogEntry, LogKind, ReleaseState, current, releases_json, replaced, states};
use crate::store::{Store, StoreError, StoreFolder, StoreKey};

/// Something that is not as the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// Path in the store.
    pub place: String,
    /// What is wrong, in words.
    pub detail: String,
    /// Whether a killed command left it so: the next run finishes what that one began, and nothing is lost.
    pub stale: bool,
}

/// What was read, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Releases.
    pub releases: u64,
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Verified {
    fn wrong(&mut self, code: &'static str, place: impl Into<String>, detail: impl Into<String>) {
        self.findings.push(Finding { code, place: place.into(), detail: detail.into(), stale: false });
    }

    fn stale(&mut self, place: impl Into<String>, detail: impl Into<String>) {
        self.findings.push(Finding { code: "stale", place: place.into(), detail: detail.into(), stale: true });
    }

    fn add(&mut self, other: Self) {
        self.releases += other.releases;
        self.files += other.files;
        self.bytes += other.bytes;
        self.findings.extend(other.findings);
    }

    /// Whether nothing is wrong but what the next run repairs.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.stale)
    }
}

fn failed(dataset: &DatasetId) -> impl Fn(StoreError) -> PublishError + '_ {
    move |source| PublishError::Store { dataset: dataset.clone(), source: Box::new(source) }
}

/// Verifies a dataset, or one release of it. The derived files are looked at with the whole dataset only.
pub async fn verify(
    stores: Stores<'_>,
    dataset: &DatasetId,
    only: Option<&ReleaseId>,
) -> Result<Verified, PublishError> {
    let store = stores.public;
    let entries = log(store, dataset).await?;
    let mut all = Verified::default();
    for state in states(&entries) {
        let Some(release) = state.release() else { continue };
        if only.is_none_or(|only| only == release) {
            claim_of(store, dataset, state, &mut all).await?;
            let found = match state.withdrawn {
                Some(withdrawal) => {
                    notice_of(store, dataset, release, withdrawal, &mut all).await?;
                    kept_of(stores, dataset, release, state.published).await?
                }
                None => files_of(store, dataset, release, state.published).await?,
            };
            all.add(found);
        }
    }
    if only.is_none() {
        for (old, _) in replaced(&entries) {
            buried(store, dataset, old, &mut all).await?;
        }
        chained(dataset, &entries, &mut all);
        doubled(&entries, &mut all);
        derived(store, dataset, &entries, &mut all).await?;
    }
    Ok(all)
}

/// Every entry names the one before it as it is.
fn chained(dataset: &DatasetId, entries: &[(u64, LogEntry)], all: &mut Verified) {
    let mut before = None;
    for (number, entry) in entries {
        if entry.before != before {
            let changed = StoreKey::LogEntry { dataset: dataset.clone(), n: number.saturating_sub(1) };
            all.wrong("log_changed", changed.path(), format!("entry {number} names it otherwise"));
        }
        before = entry.digest;
    }
}

/// No release is published twice, and no attempt wrote two entries.
fn doubled(entries: &[(u64, LogEntry)], all: &mut Verified) {
    let (mut releases, mut attempts) = (BTreeSet::new(), BTreeSet::new());
    for (number, entry) in entries {
        let publishes = matches!(entry.kind, LogKind::Publish | LogKind::Erase);
        if publishes && !releases.insert(&entry.release) {
            all.wrong(
                "published_twice",
                format!("log entry {number}"),
                "publishes a release that was published before",
            );
        }
        if !attempts.insert(&entry.attempt) {
            all.wrong("attempt_twice", format!("log entry {number}"), "was written by an attempt that wrote another");
        }
    }
}

/// The claim of a release is by the attempt that published it.
async fn claim_of(
    store: &Store,
    dataset: &DatasetId,
    state: ReleaseState<'_>,
    all: &mut Verified,
) -> Result<(), PublishError> {
    let Some(release) = state.release() else { return Ok(()) };
    let key = StoreKey::Claim { dataset: dataset.clone(), release: release.clone() };
    let bytes = store.get(&key).await.map_err(failed(dataset))?;
    let changed = bytes.as_ref().is_some_and(|bytes| state.published.claim != Some(Digest::of(bytes)));
    let claim: Option<serde_json::Value> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match claim.as_ref().and_then(|claim| claim.get("attempt")?.as_str()) {
        None => all.wrong("claim_missing", key.path(), "the release has no readable claim"),
        Some(attempt) if attempt != state.published.attempt => {
            all.wrong("claim_of_another", key.path(), "the release was claimed by another attempt than published it");
        }
        Some(_) if changed => all.wrong("claim_changed", key.path(), "the claim is not the one that the log names"),
        Some(_) => {}
    }
    Ok(())
}

/// Of a withdrawn release everyone sees a notice and nothing else.
async fn notice_of(
    store: &Store,
    dataset: &DatasetId,
    release: &ReleaseId,
    withdrawal: &LogEntry,
    all: &mut Verified,
) -> Result<(), PublishError> {
    let folder = StoreFolder::Release { dataset: dataset.clone(), release: release.clone() };
    let listed = store.list(&folder).await.map_err(failed(dataset))?;
    let notice = format!("{}/{NOTICE}", folder.path());
    if !listed.iter().any(|(path, _)| *path == notice) {
        all.stale(notice.clone(), format!("the notice of the withdrawal of {} is missing", withdrawal.at));
    }
    for (path, _) in listed.iter().filter(|(path, _)| *path != notice) {
        all.stale(path.clone(), "the release is withdrawn and this file is still public");
    }
    Ok(())
}

/// Of a release that was rewritten nothing is left but the notice.
async fn buried(
    store: &Store,
    dataset: &DatasetId,
    release: &ReleaseId,
    all: &mut Verified,
) -> Result<(), PublishError> {
    let folder = StoreFolder::Release { dataset: dataset.clone(), release: release.clone() };
    let notice = format!("{}/{TOMBSTONE}", folder.path());
    let listed = store.list(&folder).await.map_err(failed(dataset))?;
    if !listed.iter().any(|(path, _)| *path == notice) {
        all.stale(notice.clone(), "the notice of the erasure is missing");
    }
    for (path, _) in listed.iter().filter(|(path, _)| *path != notice) {
        all.stale(path.clone(), "a record was erased from the release and this file is still there");
    }
    Ok(())
}

/// What is derived from the log is as it would be made now.
async fn derived(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
    all: &mut Verified,
) -> Result<(), PublishError> {
    let fail = failed(dataset);
    if entries.is_empty() {
        return Ok(());
    }
    let key = StoreKey::Releases { dataset: dataset.clone() };
    let now = store.get(&key).await.map_err(&fail)?;
    let now: Option<serde_json::Value> = now.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    // How fresh it is is no matter of the log.
    let known = freshness(store, dataset).await?;
    if now.as_ref() != Some(&releases_json(dataset, entries, &known)) {
        all.stale(key.path(), "it is not what the log says now");
    }
    let head = now.as_ref().and_then(|now| now.get("log"));
    if let Some((number, digest)) = head.and_then(|head| Some((head.get("entry")?.as_u64()?, head.get("sha256")?)))
        && let Some((_, entry)) = entries.iter().find(|(known, _)| *known == number)
        && Some(digest.as_str().unwrap_or("")) != entry.digest.map(|digest| digest.to_string()).as_deref()
    {
        let entry = StoreKey::LogEntry { dataset: dataset.clone(), n: number };
        all.wrong("log_changed", entry.path(), "releases.json names it otherwise");
    }
    let marker = StoreKey::Latest { dataset: dataset.clone(), path: "manifest.json".to_owned() };
    let shown = store.get(&marker).await.map_err(&fail)?;
    let digest = shown.as_ref().map(|bytes| Digest::of(bytes));
    let mut copied = current(entries);
    if let Some(release) = copied.and_then(|(_, entry)| entry.release.as_ref())
        // A manifest that cannot be read is told elsewhere.
        && manifest_of(store, dataset, release).await.is_ok_and(|manifest| !manifest.latest)
    {
        copied = None;
    }
    match (copied, shown) {
        (Some((_, entry)), Some(bytes)) if entry.manifest == digest => {
            all.add(copies_of(store, dataset, &bytes).await?);
        }
        (None, None) => {}
        _ => all.stale(marker.path(), "latest/ is not a copy of the current release"),
    }
    // Pages are made of files that are known to be whole; where one is not, it is told and the pages wait.
    if all.is_sound() {
        match site::stale(store, dataset, entries).await {
            Ok(pages) => pages.into_iter().for_each(|page| all.stale(page, "the page is not as it would be made now")),
            Err(error) => {
                let index = StoreKey::DatasetPage { dataset: dataset.clone(), path: "index.html".to_owned() };
                all.stale(index.path(), format!("the page cannot be made: {error}"));
            }
        }
    }
    Ok(())
}
