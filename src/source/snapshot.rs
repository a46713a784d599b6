//! Snapshots: the bytes of a source as fetched, immutable, each part under its digest, with where it came from.

use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::SecondsFormat;
use chrono::Utc;
use serde::Deserialize;
use serde::Serialize;

use crate::id::Digest;
use crate::id::SourceId;
use crate::source::Connector;
use crate::source::Transfer;
use crate::source::error::SourceError;
use crate::source::sink::StoreSink;
use crate::store::Created;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::StoreFolder;
use crate::store::StoreKey;

/// What was fetched from a source at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The source.
    pub source: SourceId,
    /// Its number among the snapshots of the source, from 1.
    pub number: u64,
    /// When it was fetched, RFC 3339 in UTC.
    pub fetched_at: String,
    /// The parts in the order declared.
    pub parts: Vec<SnapshotPart>,
    /// Digest of the names and digests of the parts, and of nothing else: unchanged content has an unchanged digest.
    pub digest: Digest,
    /// Keyed digests that the snapshot had before records were erased from it, as manifests cite them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<String>,
}

/// One named document of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPart {
    /// Its name.
    pub name: String,
    /// Where it came from, without secrets.
    pub url: String,
    /// Where redirects led to, without secrets and without its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_url: Option<String>,
    /// The HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The `ETag` that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The `Last-Modified` that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// The media type that the source states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// When its bytes came, RFC 3339 in UTC.
    pub fetched_at: String,
}

/// The outcome of [`fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The snapshot now current: a new one, or the last one when the source has not changed.
    pub snapshot: Snapshot,
    /// Whether it is new.
    pub changed: bool,
    /// How its parts came.
    pub transfers: Vec<Transfer>,
}

/// The index as it lies in the store: with the attempt that wrote it.
#[derive(Serialize)]
struct StoredIndex<'a> {
    attempt: &'a str,
    #[serde(flatten)]
    snapshot: &'a Snapshot,
}

#[derive(Serialize)]
struct DigestedPart<'a> {
    digest: Digest,
    name: &'a str,
}

impl Snapshot {
    /// The file or address that the part without a name came from.
    pub fn nameless(&self) -> Option<&str> {
        let part = self.parts.iter().find(|part| part.name.is_empty())?;
        Some(part.url.strip_prefix("file:").unwrap_or(&part.url))
    }

    /// The part of that name.
    pub fn part(&self, name: &str) -> Result<&SnapshotPart, SourceError> {
        self.parts.iter().find(|part| part.name == name).ok_or_else(|| SourceError::UnknownPart {
            source_id: self.source.clone(),
            number: self.number,
            part: name.to_owned(),
            known: self.parts.iter().map(|part| format!("`{}`", part.name)).collect::<Vec<_>>().join(", "),
        })
    }

    /// Where the bytes of a part lie.
    pub fn key_of(&self, part: &SnapshotPart) -> StoreKey {
        StoreKey::SnapshotPart { source: self.source.clone(), digest: part.digest }
    }

    pub(super) fn missing(&self, part: &SnapshotPart) -> SourceError {
        SourceError::MissingBytes { source_id: self.source.clone(), number: self.number, part: part.name.clone() }
    }
}

/// Fetches a source into the private store: parts under their digests, then, when the content differs from that of the last
/// snapshot, a new index. `now` is the time to be written down.
#[tracing::instrument(skip_all, fields(source.id = %source))]
pub async fn fetch(
    store: &Store,
    source: &SourceId,
    connector: &dyn Connector,
    now: DateTime<Utc>,
) -> Result<Fetched, SourceError> {
    let last = latest(store, source).await?;
    let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut sink = StoreSink::new(store, source, last.as_ref(), &now).await?;
    connector.fetch(&mut sink).await?;
    let (parts, transfers) = sink.into_parts();
    if parts.is_empty() {
        return Err(SourceError::NoParts { source_id: source.clone() });
    }
    let number = last.as_ref().map_or(0, |last| last.number) + 1;
    let digest = digest_of(&parts).map_err(|error| bad_index(source, number, error))?;
    let new = Snapshot { source: source.clone(), number, fetched_at: now, parts, digest, erased: Vec::new() };
    let (snapshot, changed) = commit(store, new, last).await?;
    Ok(Fetched { snapshot, changed, transfers })
}

/// Writes the index unless the last snapshot, also one that somebody else has just made, has the same content. Gives the
/// snapshot that is current now, and whether it is new.
async fn commit(store: &Store, mut new: Snapshot, mut last: Option<Snapshot>) -> Result<(Snapshot, bool), SourceError> {
    let attempt = hex::encode(rand::random::<[u8; 16]>());
    let keys: BTreeSet<_> = new.parts.iter().map(|part| part.digest).collect();
    let keys: Vec<_> =
        keys.into_iter().map(|digest| StoreKey::SnapshotPart { source: new.source.clone(), digest }).collect();
    store.sync(&keys).await.map_err(storing)?;
    loop {
        if let Some(last) = last
            && last.digest == new.digest
        {
            return Ok((last, false));
        }
        let index = StoredIndex { attempt: &attempt, snapshot: &new };
        let index = serde_json::to_vec_pretty(&index).map_err(|error| bad_index(&new.source, new.number, error))?;
        let key = StoreKey::SnapshotIndex { source: new.source.clone(), n: new.number };
        match store.create_exclusive(&key, index.into(), &attempt).await.map_err(storing)? {
            Created::Won => return Ok((new, true)),
            Created::Lost(theirs) => {
                last = Some(parse_index(&new.source, new.number, &theirs)?);
                new.number += 1;
            }
        }
    }
}

/// The last snapshot of a source, `None` before the first.
pub async fn latest(store: &Store, source: &SourceId) -> Result<Option<Snapshot>, SourceError> {
    let folder = StoreFolder::Snapshots { source: source.clone() };
    let Some(number) = store.numbers(&folder).await.map_err(reading)?.pop() else { return Ok(None) };
    numbered(store, source, number).await
}

/// The snapshot of a source with that number, `None` when there is none.
pub async fn numbered(store: &Store, source: &SourceId, number: u64) -> Result<Option<Snapshot>, SourceError> {
    let key = StoreKey::SnapshotIndex { source: source.clone(), n: number };
    match store.get(&key).await.map_err(reading)? {
        Some(index) => parse_index(source, number, &index).map(Some),
        None => Ok(None),
    }
}

/// The newest snapshot of a source that is the wanted one, as far as snapshots are kept.
pub async fn find(
    store: &Store,
    source: &SourceId,
    wanted: impl Fn(&Snapshot) -> bool + Send,
) -> Result<Option<Snapshot>, SourceError> {
    let folder = StoreFolder::Snapshots { source: source.clone() };
    for number in store.numbers(&folder).await.map_err(reading)?.into_iter().rev() {
        let key = StoreKey::SnapshotIndex { source: source.clone(), n: number };
        let Some(index) = store.get(&key).await.map_err(reading)? else { continue };
        let snapshot = parse_index(source, number, &index)?;
        if wanted(&snapshot) {
            return Ok(Some(snapshot));
        }
    }
    Ok(None)
}

/// All snapshots of a source that are still there, the last one first.
pub async fn all(store: &Store, source: &SourceId) -> Result<Vec<Snapshot>, SourceError> {
    let folder = StoreFolder::Snapshots { source: source.clone() };
    let mut snapshots = Vec::new();
    for number in store.numbers(&folder).await.map_err(reading)?.into_iter().rev() {
        let key = StoreKey::SnapshotIndex { source: source.clone(), n: number };
        if let Some(index) = store.get(&key).await.map_err(reading)? {
            snapshots.push(parse_index(source, number, &index)?);
        }
    }
    Ok(snapshots)
}

/// Puts a snapshot that lost a record in the place of what it was; `cited` is the keyed digest that it had. Its old bytes
/// go with [`drop_unreferenced`].
pub async fn replace(
    store: &Store,
    old: &Snapshot,
    parts: Vec<SnapshotPart>,
    cited: String,
) -> Result<Snapshot, SourceError> {
    let bad = |error| bad_index(&old.source, old.number, error);
    let mut new = Snapshot { digest: digest_of(&parts).map_err(bad)?, parts, ..old.clone() };
    new.erased.push(cited);
    let attempt = hex::encode(rand::random::<[u8; 16]>());
    let index = StoredIndex { attempt: &attempt, snapshot: &new };
    let index = serde_json::to_vec_pretty(&index).map_err(bad)?;
    let key = StoreKey::SnapshotIndex { source: new.source.clone(), n: new.number };
    store.put(&key, index.into()).await.map_err(storing)?;
    store.sync(&[key]).await.map_err(storing)?;
    Ok(new)
}

/// Deletes the parts of a source that no snapshot names: what a killed fetch left, and what was replaced. Nobody may be
/// fetching the source meanwhile.
pub async fn drop_unreferenced(store: &Store, source: &SourceId) -> Result<(), SourceError> {
    let named: BTreeSet<String> = all(store, source)
        .await?
        .iter()
        .flat_map(|snapshot| snapshot.parts.iter().map(|part| snapshot.key_of(part).path()).collect::<Vec<_>>())
        .collect();
    let folder = StoreFolder::SnapshotParts { source: source.clone() };
    for (path, _) in store.list(&folder).await.map_err(reading)? {
        let name = path.rsplit('/').next().and_then(|name| name.parse::<Digest>().ok());
        if let Some(digest) = name.filter(|_| !named.contains(&path)) {
            let key = StoreKey::SnapshotPart { source: source.clone(), digest };
            store.delete(&key).await.map_err(storing)?;
        }
    }
    store.sweep(&folder, std::time::Duration::ZERO).await.map_err(storing)?;
    Ok(())
}

fn digest_of(parts: &[SnapshotPart]) -> serde_json::Result<Digest> {
    let parts: Vec<_> = parts.iter().map(|part| DigestedPart { digest: part.digest, name: &part.name }).collect();
    Ok(Digest::of(&serde_json::to_vec(&parts)?))
}

fn parse_index(source: &SourceId, number: u64, index: &[u8]) -> Result<Snapshot, SourceError> {
    serde_json::from_slice(index).map_err(|error| bad_index(source, number, error))
}

fn bad_index(source_id: &SourceId, number: u64, source: serde_json::Error) -> SourceError {
    SourceError::BadIndex { source_id: source_id.clone(), number, source }
}

fn storing(source: StoreError) -> SourceError {
    SourceError::Store { action: "store a snapshot", source: Box::new(source) }
}

fn reading(source: StoreError) -> SourceError {
    SourceError::Store { action: "read the last snapshot", source: Box::new(source) }
}
