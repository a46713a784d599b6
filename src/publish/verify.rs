//! Reading everything back: log, claims, manifests, sums and files, as anybody could.

use std::collections::{BTreeMap, BTreeSet};

use super::commit::log;
use super::error::PublishError;
use super::freshness::freshness;
use super::withdraw::{NOTICE, TOMBSTONE};
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::release::{LogEntry, LogKind, Manifest, ReleaseState, current, releases_json, replaced, states};
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
    /// Whether the next run repairs it by itself.
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
pub async fn verify(store: &Store, dataset: &DatasetId, only: Option<&ReleaseId>) -> Result<Verified, PublishError> {
    let entries = log(store, dataset).await?;
    let mut all = Verified::default();
    for state in states(&entries) {
        let Some(release) = state.release() else { continue };
        if only.is_none_or(|only| only == release) {
            claim_of(store, dataset, state, &mut all).await?;
            all.add(match state.withdrawn {
                Some(withdrawal) => notice_of(store, dataset, release, withdrawal).await?,
                None => files_of(store, dataset, release, state.published).await?,
            });
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

/// A withdrawn release is a notice and nothing else.
async fn notice_of(
    store: &Store,
    dataset: &DatasetId,
    release: &ReleaseId,
    withdrawal: &LogEntry,
) -> Result<Verified, PublishError> {
    let mut found = Verified { releases: 1, ..Verified::default() };
    let folder = StoreFolder::Release { dataset: dataset.clone(), release: release.clone() };
    let listed = store.list(&folder).await.map_err(failed(dataset))?;
    let notice = format!("{}/{NOTICE}", folder.path());
    if !listed.iter().any(|(path, _)| *path == notice) {
        found.stale(notice.clone(), format!("the notice of the withdrawal of {} is missing", withdrawal.at));
    }
    for (path, _) in listed.iter().filter(|(path, _)| *path != notice) {
        found.stale(path.clone(), "the release is withdrawn and this file is still public");
    }
    Ok(found)
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

/// The files of a visible release: each is there with the size and digest that manifest and sums say, and no other is.
pub(super) async fn files_of(
    store: &Store,
    dataset: &DatasetId,
    release: &ReleaseId,
    published: &LogEntry,
) -> Result<Verified, PublishError> {
    let fail = failed(dataset);
    let mut found = Verified { releases: 1, ..Verified::default() };
    let key = StoreKey::Manifest { dataset: dataset.clone(), release: release.clone() };
    let Some(bytes) = store.get(&key).await.map_err(&fail)? else {
        found.wrong("file_missing", key.path(), "the manifest is missing");
        return Ok(found);
    };
    let digest = Digest::of(&bytes);
    if published.manifest != Some(digest) {
        found.wrong("manifest_changed", key.path(), "the manifest is not the one that the log names");
    }
    let manifest: Manifest = match serde_json::from_slice(&bytes) {
        Ok(manifest) => manifest,
        Err(error) => {
            found.wrong("manifest_unreadable", key.path(), error.to_string());
            return Ok(found);
        }
    };
    if manifest.release != *release || manifest.dataset != *dataset {
        found.wrong(
            "manifest_of_another",
            key.path(),
            format!("it is that of {}@{}", manifest.dataset, manifest.release),
        );
    }
    let mut expected: BTreeMap<String, (Digest, Option<u64>)> =
        manifest.files.iter().map(|file| (file.path.clone(), (file.sha256, Some(file.bytes)))).collect();
    expected.insert("manifest.json".to_owned(), (digest, Some(bytes.len() as u64)));
    sums_of(store, dataset, release, &expected, &mut found).await?;
    for (path, (digest, size)) in &expected {
        let key = StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path: path.clone() };
        match store.digest_of(&key).await.map_err(&fail)? {
            None => found.wrong("file_missing", key.path(), "the manifest lists it and it is not there"),
            Some((read, bytes)) => {
                (found.files, found.bytes) = (found.files + 1, found.bytes + bytes);
                if read != *digest {
                    found.wrong(
                        "file_changed",
                        key.path(),
                        format!("its SHA-256 is {read}, the manifest says {digest}"),
                    );
                } else if size.is_some_and(|size| size != bytes) {
                    found.wrong(
                        "size_differs",
                        key.path(),
                        format!("it has {bytes} bytes, the manifest says otherwise"),
                    );
                }
            }
        }
    }
    let folder = StoreFolder::Release { dataset: dataset.clone(), release: release.clone() };
    let prefix = format!("{}/", folder.path());
    for (path, _) in store.list(&folder).await.map_err(&fail)? {
        let below = path.strip_prefix(&prefix).unwrap_or(&path);
        if below == NOTICE {
            found.stale(path.clone(), "the release is not withdrawn and the notice is still there");
        } else if below != "SHA256SUMS" && !expected.contains_key(below) {
            found.wrong("file_unlisted", path.clone(), "the manifest does not list it");
        }
    }
    Ok(found)
}

/// `SHA256SUMS` says what the manifest says.
async fn sums_of(
    store: &Store,
    dataset: &DatasetId,
    release: &ReleaseId,
    expected: &BTreeMap<String, (Digest, Option<u64>)>,
    found: &mut Verified,
) -> Result<(), PublishError> {
    let key = StoreKey::Sums { dataset: dataset.clone(), release: release.clone() };
    let Some(bytes) = store.get(&key).await.map_err(failed(dataset))? else {
        found.wrong("file_missing", key.path(), "the sums are missing");
        return Ok(());
    };
    let text = String::from_utf8_lossy(&bytes);
    let listed: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once("  ").map(|(digest, path)| (path, digest))).collect();
    let agree = listed.len() == expected.len()
        && expected.iter().all(|(path, (digest, _))| listed.get(path.as_str()) == Some(&digest.to_string().as_str()));
    if !agree {
        found.wrong("sums_differ", key.path(), "the sums and the manifest do not say the same");
    }
    found.files += 1;
    found.bytes += bytes.len() as u64;
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
    let shown = store.digest_of(&marker).await.map_err(&fail)?.map(|(digest, _)| digest);
    if shown != current(entries).and_then(|(_, entry)| entry.manifest) {
        all.stale(marker.path(), "latest/ is not a copy of the current release");
    }
    Ok(())
}
