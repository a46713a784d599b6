//! `releases.json`: what the log says, and how fresh the dataset is.

use serde::Deserialize;
use tracing::warn;

use super::commit::{json_bytes, log};
use super::error::PublishError;
use super::site;
use crate::id::{DatasetId, Digest};
use crate::release::{Attempt, DatasetFreshness, LogEntry, releases_json};
use crate::store::{Store, StoreError, StoreKey};

fn failed(dataset: &DatasetId) -> impl Fn(StoreError) -> PublishError + '_ {
    move |source| PublishError::Store { dataset: dataset.clone(), source: Box::new(source) }
}

/// The part of `releases.json` that the log does not say.
#[derive(Deserialize)]
struct Written {
    freshness: DatasetFreshness,
    freshness_sha256: Digest,
}

/// How fresh a dataset is, as it was last written; nothing is known when nothing intact is there.
pub async fn freshness(store: &Store, dataset: &DatasetId) -> Result<DatasetFreshness, PublishError> {
    let key = StoreKey::Releases { dataset: dataset.clone() };
    let bytes = store.get(&key).await.map_err(failed(dataset))?;
    let written: Option<Written> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let intact = written.filter(|written| written.freshness_sha256 == written.freshness.digest());
    Ok(intact.map(|written| written.freshness).unwrap_or_default())
}

/// Writes `releases.json` from the log, and keeps what it says about freshness.
pub(super) async fn write_releases(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
) -> Result<(), PublishError> {
    let freshness = freshness(store, dataset).await?;
    put(store, dataset, entries, &freshness).await
}

/// Takes in what a run has to say about freshness. A dataset that was never published has no `releases.json`.
///
/// The site tells it too; pages that cannot be written are no reason to fail. Two runs at once may each overwrite what the other said: a log entry decides what is published, this only tells of it.
pub async fn note(store: &Store, dataset: &DatasetId, attempt: &Attempt) -> Result<(), PublishError> {
    let entries = log(store, dataset).await?;
    if entries.is_empty() {
        return Ok(());
    }
    let mut freshness = freshness(store, dataset).await?;
    freshness.note(attempt);
    put(store, dataset, &entries, &freshness).await?;
    if let Err(error) = site::refresh(store, dataset, &entries).await {
        let error: &dyn std::error::Error = &error;
        warn!(dataset = %dataset, error, "The pages of the site could not be written; the next run repairs them");
    }
    Ok(())
}

async fn put(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
    freshness: &DatasetFreshness,
) -> Result<(), PublishError> {
    let key = StoreKey::Releases { dataset: dataset.clone() };
    let json = releases_json(dataset, entries, freshness);
    store.put(&key, json_bytes(&json)).await.map_err(failed(dataset))
}
