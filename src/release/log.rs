//! The create-only entries of a dataset's log. The highest publish that is not withdrawn is current.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::freshness::DatasetFreshness;
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::store::StoreKey;

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// Makes a release visible.
    Publish,
    /// Takes a release out of sight.
    Withdraw,
    /// Brings a withdrawn release back.
    Restore,
    /// Replaces releases after a legal demand.
    Erase,
    /// Stops writers that lost their lease.
    Fence,
}

/// What a withdrawal says of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withdrawal {
    /// What it says is wrong or may not stand: no run publishes the same again without a word.
    #[default]
    Content,
    /// Its stored bytes are not those that were written: what it says may be published again.
    Damaged,
}

/// One entry of a dataset's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// What it does.
    pub kind: LogKind,
    /// The release it is about; a fence has none.
    pub release: Option<ReleaseId>,
    /// Digest of the release's `manifest.json`.
    pub manifest: Option<Digest>,
    /// Digest of what the release says, clocks and ids left out.
    pub content: Option<Digest>,
    /// Random id of the attempt that wrote it.
    pub attempt: String,
    /// When it was written, RFC 3339, UTC.
    pub at: String,
    /// When every file had been read back through the store, RFC 3339, UTC.
    pub verified_at: Option<String>,
    /// Why a release was withdrawn, restored or erased, in the words of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The release that a rewritten one stands in for, after an erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ReleaseId>,
    /// Digest of the entry before, so that no entry can change unseen; the last one's is in `releases.json`.
    #[serde(default)]
    pub before: Option<Digest>,
    /// Digest of the claim of a published release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Digest>,
    /// Version of the contract of a published release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The token of the lease under which it was written; none for what a person asked for. A fence stops all below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
    /// The slot of the schedule that a release was made for, RFC 3339, UTC. A slot publishes once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// What a withdrawal says of the release; entries of the first versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawal: Option<Withdrawal>,
    /// Digest of the entry itself, known once it is stored.
    #[serde(skip)]
    pub digest: Option<Digest>,
}

/// Under which lease a release is written, and for which slot of the schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Token of the lease.
    pub token: u64,
    /// The slot, RFC 3339, UTC; none for a run that somebody asked for.
    pub slot: Option<String>,
}

/// The token of the highest fence of a log.
pub fn fence(log: &[(u64, LogEntry)]) -> Option<u64> {
    log.iter().filter(|(_, entry)| entry.kind == LogKind::Fence).filter_map(|(_, entry)| entry.token).max()
}

/// The release that was published for a slot of the schedule.
pub fn of_slot<'a>(log: &'a [(u64, LogEntry)], slot: &str) -> Option<&'a ReleaseId> {
    let (_, entry) = log.iter().find(|(_, entry)| entry.slot.as_deref() == Some(slot))?;
    entry.release.as_ref()
}

/// An entry of a log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read", StoreKey::LogEntry { dataset: dataset.clone(), n: *number }.path())]
pub struct LogError {
    /// The dataset.
    pub dataset: DatasetId,
    /// The entry.
    pub number: u64,
    /// Why.
    pub source: serde_json::Error,
}

/// Reads the entries of a log.
pub fn parse_log(dataset: &DatasetId, entries: &[(u64, Bytes)]) -> Result<Vec<(u64, LogEntry)>, LogError> {
    let parse = |(number, bytes): &(u64, Bytes)| match serde_json::from_slice::<LogEntry>(bytes) {
        Ok(entry) => Ok((*number, LogEntry { digest: Some(Digest::of(bytes)), ..entry })),
        Err(source) => Err(LogError { dataset: dataset.clone(), number: *number, source }),
    };
    entries.iter().map(parse).collect()
}

/// What a log says about one release.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseState<'a> {
    /// Number of the entry that published it, or the release that it stands in for.
    pub number: u64,
    /// The entry that published it: that of the erasure, when it was rewritten.
    pub published: &'a LogEntry,
    /// The entry that withdrew it, when it is withdrawn.
    pub withdrawn: Option<&'a LogEntry>,
}

impl ReleaseState<'_> {
    /// The release.
    pub fn release(&self) -> Option<&ReleaseId> {
        self.published.release.as_ref()
    }
}

/// Every release that was published, in the order of the log, and whether it is withdrawn now. One that was rewritten stands
/// in the place of what it replaces.
pub fn states(log: &[(u64, LogEntry)]) -> Vec<ReleaseState<'_>> {
    let mut states: Vec<ReleaseState<'_>> = Vec::new();
    for (number, entry) in log {
        let about = states.iter_mut().filter(|state| state.published.release == entry.release);
        match entry.kind {
            LogKind::Publish => states.push(ReleaseState { number: *number, published: entry, withdrawn: None }),
            LogKind::Withdraw => about.for_each(|state| state.withdrawn = Some(entry)),
            LogKind::Restore => about.for_each(|state| state.withdrawn = None),
            LogKind::Erase => {
                let old = states.iter_mut().filter(|state| state.release() == entry.replaces.as_ref());
                old.for_each(|state| state.published = entry);
            }
            LogKind::Fence => {}
        }
    }
    states
}

/// Releases that were rewritten after a demand to erase a record, each with the entry that replaced it.
pub fn replaced(log: &[(u64, LogEntry)]) -> Vec<(&ReleaseId, &LogEntry)> {
    let erasures = log.iter().filter(|(_, entry)| entry.kind == LogKind::Erase);
    erasures.filter_map(|(_, entry)| Some((entry.replaces.as_ref()?, entry))).collect()
}

/// Releases that were withdrawn for what they say, and said what has this digest.
pub fn taken_back(log: &[(u64, LogEntry)], content: Digest) -> Vec<ReleaseState<'_>> {
    let for_content = |entry: &LogEntry| entry.withdrawal.unwrap_or_default() == Withdrawal::Content;
    let same = |state: &ReleaseState<'_>| state.published.content == Some(content);
    states(log).into_iter().filter(|state| state.withdrawn.is_some_and(for_content) && same(state)).collect()
}

/// The current release: the highest publish that is not withdrawn.
pub fn current(log: &[(u64, LogEntry)]) -> Option<(u64, &LogEntry)> {
    let state = states(log).into_iter().rfind(|state| state.withdrawn.is_none());
    state.map(|state| (state.number, state.published))
}

/// Version of the form of `releases.json`: what reads it may rely on its members as long as the first number stays.
const FORM: &str = "1.0.0";

/// `releases.json`: all releases for machines, derived from the log, and how fresh the dataset is.
pub fn releases_json(dataset: &DatasetId, log: &[(u64, LogEntry)], freshness: &DatasetFreshness) -> serde_json::Value {
    let (withdrawn, shown): (Vec<_>, Vec<_>) = states(log).into_iter().partition(|state| state.withdrawn.is_some());
    let releases: Vec<_> = shown
        .iter()
        .map(|ReleaseState { number, published, .. }| {
            json!({
                "release": published.release,
                "log": number,
                "version": published.version,
                "issued": published.at,
                "verified_at": published.verified_at,
                "manifest_sha256": published.manifest,
            })
        })
        .collect();
    let withdrawn: Vec<_> = withdrawn
        .iter()
        .filter_map(|state| Some((state.release()?, state.withdrawn?)))
        .map(|(release, entry)| {
            json!({
                "release": release,
                "withdrawn_at": entry.at,
                "withdrawal": entry.withdrawal.unwrap_or_default(),
                "reason": entry.reason,
            })
        })
        .collect();
    let latest = current(log).and_then(|(_, entry)| entry.release.as_ref());
    let head = log.last().map(|(number, entry)| json!({ "entry": number, "sha256": entry.digest }));
    let erased: Vec<_> = replaced(log)
        .into_iter()
        .map(|(release, entry)| {
            json!({ "release": release, "replaced_by": entry.release, "erased_at": entry.at, "reason": entry.reason })
        })
        .collect();
    let mut all = json!({
        "schema_version": FORM,
        "dataset": dataset,
        "latest": latest,
        "freshness": freshness,
        "freshness_sha256": freshness.digest(),
        "log": head,
        "releases": releases,
        "withdrawn": withdrawn,
    });
    if !erased.is_empty() {
        all["erased"] = json!(erased);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: LogKind, release: &str) -> LogEntry {
        LogEntry {
            kind,
            release: Some(release.parse().unwrap()),
            manifest: None,
            content: None,
            attempt: String::new(),
            at: String::new(),
            verified_at: None,
            reason: None,
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

    fn current_of(entries: &[LogEntry]) -> Option<String> {
        let log: Vec<_> = (1..).zip(entries.iter().cloned()).collect();
        current(&log).and_then(|(_, entry)| entry.release.as_ref().map(ToString::to_string))
    }

    #[test]
    fn the_highest_publish_that_is_not_withdrawn_is_current() {
        let mut log = vec![entry(LogKind::Publish, "2026-11-22"), entry(LogKind::Publish, "2026-11-23")];
        assert_eq!(current_of(&log).as_deref(), Some("2026-11-23"));
        log.push(entry(LogKind::Withdraw, "2026-11-23"));
        assert_eq!(current_of(&log).as_deref(), Some("2026-11-22"));
        log.push(entry(LogKind::Restore, "2026-11-23"));
        assert_eq!(current_of(&log).as_deref(), Some("2026-11-23"));
    }

    #[test]
    fn a_rewritten_release_stands_in_the_place_of_the_old_one() {
        let erase = |old: &str, new: &str| LogEntry { replaces: old.parse().ok(), ..entry(LogKind::Erase, new) };
        let mut log = vec![entry(LogKind::Publish, "2026-11-22"), entry(LogKind::Publish, "2026-11-23")];
        log.push(erase("2026-11-22", "2026-11-22-r1"));
        assert_eq!(current_of(&log).as_deref(), Some("2026-11-23"), "the newer one stays the current one");
        log.push(erase("2026-11-23", "2026-11-23-r1"));
        log.push(erase("2026-11-23-r1", "2026-11-23-r2"));
        assert_eq!(current_of(&log).as_deref(), Some("2026-11-23-r2"));
        log.push(entry(LogKind::Withdraw, "2026-11-23-r2"));
        assert_eq!(current_of(&log).as_deref(), Some("2026-11-22-r1"));
    }

    #[test]
    fn what_was_withdrawn_for_what_it_says_is_told_and_what_was_damaged_is_not() {
        let (content, other) = (Some(Digest::of(b"content")), Some(Digest::of(b"other")));
        let publish = |release: &str, content: Option<Digest>| LogEntry { content, ..entry(LogKind::Publish, release) };
        let damaged = Some(Withdrawal::Damaged);
        let log = [
            publish("2026-11-20", content),
            publish("2026-11-21", other),
            publish("2026-11-22", content),
            publish("2026-11-23", content),
            publish("2026-11-24", content),
            entry(LogKind::Withdraw, "2026-11-20"),
            entry(LogKind::Withdraw, "2026-11-21"),
            LogEntry { withdrawal: damaged, ..entry(LogKind::Withdraw, "2026-11-22") },
            entry(LogKind::Withdraw, "2026-11-23"),
            entry(LogKind::Restore, "2026-11-23"),
        ];
        let log: Vec<_> = (1..).zip(log).collect();
        let found = taken_back(&log, Digest::of(b"content"));
        let found: Vec<_> = found.iter().filter_map(|state| state.release()).map(ReleaseId::as_str).collect();
        assert_eq!(found, ["2026-11-20"]);
    }

    #[test]
    fn an_empty_log_has_no_current_release() {
        assert_eq!(current_of(&[]), None);
    }
}
