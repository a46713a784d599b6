//! The commit: claim an id, write the files, the manifest and the sums, read all of it back, and last create the next
//! log entry. That last create makes the release visible; nothing else does.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use tracing::{info, warn};

use super::error::PublishError;
use super::latest::refresh;
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::quality::gate::Bound;
use crate::release::{
    LogEntry, LogKind, Manifest, ReleaseState, Turn, current, fence, of_slot, parse_log, sums, taken_back,
};
use crate::store::{Created, Store, StoreError, StoreFolder, StoreKey};

/// How often a lost race for the next log entry is run again.
pub(super) const ATTEMPTS: u32 = 50;

/// A data file of a candidate, on local disk.
#[derive(Debug, Clone)]
pub struct LocalFile {
    /// Path below the release's folder.
    pub path: String,
    /// Where it is now.
    pub local: PathBuf,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// The release that a candidate follows.
#[derive(Debug, Clone)]
pub struct Previous {
    /// Its id.
    pub release: ReleaseId,
    /// What is in it.
    pub manifest: Manifest,
}

/// What a candidate adds to its data files.
#[derive(Debug)]
pub struct Finished {
    /// Data files that depend on the release before, such as the list of changes.
    pub files: Vec<LocalFile>,
    /// Metadata files: path and bytes.
    pub metadata: Vec<(String, Bytes)>,
    /// The manifest, which lists all of them but itself and `SHA256SUMS`; these two are written by the commit.
    pub manifest: Manifest,
}

/// What knows the release before, and the release id, only while it is committed: the gate, metadata and the manifest.
#[async_trait]
pub trait Finish: Send + Sync {
    /// Judges the candidate against the release before, and against withdrawn ones that said the same. Asked again when
    /// another release came in between.
    async fn judge(
        &self,
        store: &Store,
        previous: Option<&Previous>,
        taken_back: &[ReleaseState<'_>],
    ) -> Result<Vec<Bound>, PublishError>;
    /// Makes the rest of the release, with what the gate found. Asked again like `judge`.
    async fn finish(
        &self,
        release: &ReleaseId,
        previous: Option<&Previous>,
        bounds: &[Bound],
    ) -> Result<Finished, PublishError>;
}

/// A release that waits for its commit.
pub struct Candidate<'a> {
    /// The dataset.
    pub dataset: DatasetId,
    /// Its day in the pipeline's zone, `YYYY-MM-DD`.
    pub date: String,
    /// When it is issued, RFC 3339, UTC.
    pub issued: String,
    /// Version of its contract.
    pub version: String,
    /// Random id of this attempt.
    pub attempt: String,
    /// The lease and the slot that it is made under, when there is one.
    pub turn: Option<Turn>,
    /// Digest of what it says.
    pub content: Digest,
    /// Data files.
    pub files: Vec<LocalFile>,
    /// The time, RFC 3339, UTC, when it is asked: the log says when everything had been read back.
    pub clock: fn() -> String,
    /// Makes the rest once the id is known.
    pub finish: &'a dyn Finish,
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate")
            .field("dataset", &self.dataset)
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Committed {
    /// The release is visible.
    Published {
        /// Its id.
        release: ReleaseId,
        /// The log entry that made it visible.
        number: u64,
        /// Derived files that could not be refreshed: the release stands, the next run repairs them.
        stale: Option<String>,
        /// What the gate found.
        bounds: Vec<Bound>,
    },
    /// The current release already says the same.
    Unchanged {
        /// The current release.
        release: ReleaseId,
    },
    /// The gate does not let it through; nothing was claimed or written.
    Blocked {
        /// What the gate found.
        bounds: Vec<Bound>,
    },
}

/// The log of a dataset. Its end is held against `releases.json`, which was read before: a log that lost entries is told,
/// not written on.
pub async fn log(store: &Store, dataset: &DatasetId) -> Result<Vec<(u64, LogEntry)>, PublishError> {
    let told = head(store, dataset).await?;
    let entries = store.read_log(dataset).await;
    let entries =
        entries.map_err(|source| PublishError::ReadLog { dataset: dataset.clone(), source: Box::new(source) })?;
    let last = entries.last().map_or(0, |(number, _)| *number);
    if told > last {
        return Err(PublishError::LogCut { dataset: dataset.clone(), told, last });
    }
    parse_log(dataset, &entries)
        .map_err(|source| PublishError::Log { dataset: dataset.clone(), source: Box::new(source) })
}

/// The last entry that `releases.json` tells of, 0 when it tells of none.
async fn head(store: &Store, dataset: &DatasetId) -> Result<u64, PublishError> {
    let bytes =
        store.get(&StoreKey::Releases { dataset: dataset.clone() }).await.map_err(|source| failed(dataset, source))?;
    let json: Option<serde_json::Value> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(json.and_then(|json| json.get("log")?.get("entry")?.as_u64()).unwrap_or(0))
}

fn failed(dataset: &DatasetId, source: StoreError) -> PublishError {
    PublishError::Store { dataset: dataset.clone(), source: Box::new(source) }
}

/// Publishes a candidate, or finds that nothing changed.
pub async fn commit(store: &Store, candidate: &Candidate<'_>) -> Result<Committed, PublishError> {
    let dataset = &candidate.dataset;
    let mut entries = log(store, dataset).await?;
    fenced(&entries, candidate)?;
    if let Some(release) = unchanged(&entries, candidate) {
        let stale = refresh(store, dataset, &entries).await.err();
        if let Some(error) = stale {
            warn!(dataset = %dataset, error = %error, "Derived files could not be refreshed");
        }
        return Ok(Committed::Unchanged { release });
    }
    let mut claimed = None;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            entries = log(store, dataset).await?;
            fenced(&entries, candidate)?;
            if let Some(release) = unchanged(&entries, candidate) {
                return Ok(Committed::Unchanged { release });
            }
        }
        let previous = previous(store, dataset, &entries).await?;
        let again = taken_back(&entries, candidate.content);
        let bounds = candidate.finish.judge(store, previous.as_ref(), &again).await?;
        if bounds.iter().any(Bound::blocks) {
            return Ok(Committed::Blocked { bounds });
        }
        if claimed.is_none() {
            claimed = Some(claim(store, candidate).await?);
        }
        let Some((release, claim)) = &claimed else { continue };
        let manifest = write(store, candidate, release, previous.as_ref(), &bounds).await?;
        let entry = LogEntry {
            kind: LogKind::Publish,
            release: Some(release.clone()),
            manifest: Some(manifest),
            content: Some(candidate.content),
            attempt: candidate.attempt.clone(),
            at: candidate.issued.clone(),
            verified_at: Some((candidate.clock)()),
            reason: None,
            replaces: None,
            before: None,
            claim: Some(*claim),
            version: Some(candidate.version.clone()),
            token: candidate.turn.as_ref().map(|turn| turn.token),
            slot: candidate.turn.as_ref().and_then(|turn| turn.slot.clone()),
            withdrawal: None,
            digest: None,
        };
        let release = release.clone();
        if let Some((number, entry)) = try_append(store, dataset, &entries, entry).await? {
            info!(release.id = %release, log = number, "Committed release {release}");
            entries.push((number, entry));
            let stale = refresh(store, dataset, &entries).await.err().map(|error| error.to_string());
            return Ok(Committed::Published { release, number, stale, bounds });
        }
    }
    Err(PublishError::Contended { dataset: dataset.clone(), attempts: ATTEMPTS })
}

/// What the gate says of a candidate as things stand, without committing it.
pub async fn judge(store: &Store, candidate: &Candidate<'_>) -> Result<Vec<Bound>, PublishError> {
    let entries = log(store, &candidate.dataset).await?;
    let previous = previous(store, &candidate.dataset, &entries).await?;
    candidate.finish.judge(store, previous.as_ref(), &taken_back(&entries, candidate.content)).await
}

/// Appends an entry that is made from the log as it stands, again when somebody else was faster; none is appended when
/// `make` finds nothing to do. Gives the entry's number.
pub(super) async fn append(
    store: &Store,
    dataset: &DatasetId,
    make: impl Fn(&[(u64, LogEntry)]) -> Result<Option<LogEntry>, PublishError> + Send,
) -> Result<Option<u64>, PublishError> {
    for _ in 0..ATTEMPTS {
        let entries = log(store, dataset).await?;
        let Some(entry) = make(&entries)? else { return Ok(None) };
        if let Some((number, _)) = try_append(store, dataset, &entries, entry).await? {
            return Ok(Some(number));
        }
    }
    Err(PublishError::Contended { dataset: dataset.clone(), attempts: ATTEMPTS })
}

/// Creates the entry after `entries`; none when somebody else was faster.
async fn try_append(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
    mut entry: LogEntry,
) -> Result<Option<(u64, LogEntry)>, PublishError> {
    let fail = |source| failed(dataset, source);
    let (number, before) = entries.last().map_or((1, None), |(number, last)| (number + 1, last.digest));
    entry.before = before;
    let bytes = json_bytes(&entry);
    entry.digest = Some(Digest::of(&bytes));
    let key = StoreKey::LogEntry { dataset: dataset.clone(), n: number };
    match store.create_exclusive(&key, bytes, &entry.attempt).await.map_err(fail)? {
        Created::Won => {
            store.sync(&[key]).await.map_err(fail)?;
            Ok(Some((number, entry)))
        }
        Created::Lost(_) => Ok(None),
    }
}

/// Whether a fence stands in the log above the candidate's lease: somebody took its place.
fn fenced(entries: &[(u64, LogEntry)], candidate: &Candidate<'_>) -> Result<(), PublishError> {
    let token = candidate.turn.as_ref().map(|turn| turn.token);
    match (token, fence(entries)) {
        (Some(token), Some(above)) if above > token => {
            Err(PublishError::Superseded { dataset: candidate.dataset.clone(), token, by: above })
        }
        _ => Ok(()),
    }
}

/// Stops all writers of a dataset whose lease is older than `token`, for good.
pub async fn raise_fence(
    store: &Store,
    dataset: &DatasetId,
    token: u64,
    attempt: &str,
    at: &str,
) -> Result<(), PublishError> {
    let made = append(store, dataset, |entries| {
        if let Some(above) = fence(entries).filter(|above| *above > token) {
            return Err(PublishError::Superseded { dataset: dataset.clone(), token, by: above });
        }
        Ok(Some(LogEntry {
            kind: LogKind::Fence,
            release: None,
            manifest: None,
            content: None,
            attempt: attempt.to_owned(),
            at: at.to_owned(),
            verified_at: None,
            reason: None,
            replaces: None,
            before: None,
            claim: None,
            version: None,
            withdrawal: None,
            token: Some(token),
            slot: None,
            digest: None,
        }))
    });
    made.await.map(|_| ())
}

/// The release that makes another one needless: the current one that says the same, or one that the slot already has.
fn unchanged(entries: &[(u64, LogEntry)], candidate: &Candidate<'_>) -> Option<ReleaseId> {
    let slot = candidate.turn.as_ref().and_then(|turn| turn.slot.as_deref());
    if let Some(release) = slot.and_then(|slot| of_slot(entries, slot)) {
        return Some(release.clone());
    }
    let (_, entry) = current(entries)?;
    entry.release.clone().filter(|_| entry.content == Some(candidate.content))
}

/// The current release with its manifest.
pub async fn previous(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
) -> Result<Option<Previous>, PublishError> {
    let Some(release) = current(entries).and_then(|(_, entry)| entry.release.clone()) else { return Ok(None) };
    let manifest = manifest_of(store, dataset, &release).await?;
    Ok(Some(Previous { release, manifest }))
}

/// The manifest of a release whose files are in the public store.
pub async fn manifest_of(store: &Store, dataset: &DatasetId, release: &ReleaseId) -> Result<Manifest, PublishError> {
    let key = StoreKey::Manifest { dataset: dataset.clone(), release: release.clone() };
    let bytes = store.get(&key).await.map_err(|source| failed(dataset, source))?;
    let bytes = bytes.ok_or_else(|| PublishError::NoManifest { dataset: dataset.clone(), release: release.clone() })?;
    serde_json::from_slice(&bytes).map_err(|source| PublishError::Manifest {
        dataset: dataset.clone(),
        release: release.clone(),
        source,
    })
}

/// Takes the first id of the day that is free. Gives the digest of the claim, too.
async fn claim(store: &Store, candidate: &Candidate<'_>) -> Result<(ReleaseId, Digest), PublishError> {
    let dataset = &candidate.dataset;
    let mut count = 1;
    loop {
        let release = ReleaseId::of(&candidate.date, count)?;
        let key = StoreKey::Claim { dataset: dataset.clone(), release: release.clone() };
        let body = serde_json::json!({ "release": release, "attempt": candidate.attempt, "at": candidate.issued });
        let body = json_bytes(&body);
        let digest = Digest::of(&body);
        let created = store.create_exclusive(&key, body, &candidate.attempt).await;
        match created.map_err(|source| failed(dataset, source))? {
            Created::Won => return Ok((release, digest)),
            Created::Lost(_) => count += 1,
        }
    }
}

/// Writes files, manifest and sums, makes them durable, and reads everything back. Gives the manifest's digest.
pub async fn write(
    store: &Store,
    candidate: &Candidate<'_>,
    release: &ReleaseId,
    previous: Option<&Previous>,
    bounds: &[Bound],
) -> Result<Digest, PublishError> {
    let dataset = &candidate.dataset;
    let Finished { files, metadata, manifest } = candidate.finish.finish(release, previous, bounds).await?;
    let key = |path: &str| StoreKey::ReleaseFile {
        dataset: dataset.clone(),
        release: release.clone(),
        path: path.to_owned(),
    };
    let mut written: Vec<(StoreKey, String, Digest)> = Vec::new();
    for file in candidate.files.iter().chain(&files) {
        let target = key(&file.path);
        store.put_file(&target, &file.local).await.map_err(|source| failed(dataset, source))?;
        written.push((target, file.path.clone(), file.digest));
    }
    for (path, bytes) in metadata {
        let target = key(&path);
        let digest = Digest::of(&bytes);
        store.put(&target, bytes).await.map_err(|source| failed(dataset, source))?;
        written.push((target, path, digest));
    }
    let manifest_bytes = json_bytes(&manifest);
    let manifest_digest = Digest::of(&manifest_bytes);
    let target = StoreKey::Manifest { dataset: dataset.clone(), release: release.clone() };
    store.put(&target, manifest_bytes).await.map_err(|source| failed(dataset, source))?;
    written.push((target, "manifest.json".to_owned(), manifest_digest));
    let sums = Bytes::from(sums(written.iter().map(|(_, path, digest)| (path.as_str(), digest))));
    let target = StoreKey::Sums { dataset: dataset.clone(), release: release.clone() };
    let sums_digest = Digest::of(&sums);
    store.put(&target, sums).await.map_err(|source| failed(dataset, source))?;
    written.push((target, "SHA256SUMS".to_owned(), sums_digest));
    let known: BTreeSet<&str> = written.iter().map(|(_, path, _)| path.as_str()).collect();
    remove_others(store, dataset, release, &known).await?;
    let keys: Vec<StoreKey> = written.iter().map(|(key, _, _)| key.clone()).collect();
    store.sync(&keys).await.map_err(|source| failed(dataset, source))?;
    for (key, path, digest) in written {
        let found = store.digest_of(&key).await.map_err(|source| failed(dataset, source))?;
        if found.is_none_or(|(found, _)| found != digest) {
            return Err(PublishError::ReadBack { path });
        }
    }
    Ok(manifest_digest)
}

/// Takes away what an earlier turn of the same attempt left in the claimed folder. It compared with the release that was
/// current then, which may be withdrawn now.
async fn remove_others(
    store: &Store,
    dataset: &DatasetId,
    release: &ReleaseId,
    written: &BTreeSet<&str>,
) -> Result<(), PublishError> {
    let folder = StoreFolder::Release { dataset: dataset.clone(), release: release.clone() };
    let prefix = format!("{}/", folder.path());
    let listed = store.list(&folder).await.map_err(|source| failed(dataset, source))?;
    for path in listed.iter().filter_map(|(path, _)| path.strip_prefix(&prefix)) {
        if !written.contains(path) {
            let other =
                StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path: path.to_owned() };
            store.delete(&other).await.map_err(|source| failed(dataset, source))?;
        }
    }
    Ok(())
}

/// Pretty JSON with a line end.
pub fn json_bytes(value: &impl serde::Serialize) -> Bytes {
    let mut bytes = serde_json::to_vec_pretty(value).expect("our own structures have text keys only");
    bytes.push(b'\n');
    bytes.into()
}
