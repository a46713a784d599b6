//! The create-only entries of a dataset's log. The highest publish that is not withdrawn is current.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::id::{DatasetId, Digest, ReleaseId};

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
}

/// An entry of a log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("log entry {number} of `{dataset}` cannot be read")]
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
    let parse = |(number, bytes): &(u64, Bytes)| match serde_json::from_slice(bytes) {
        Ok(entry) => Ok((*number, entry)),
        Err(source) => Err(LogError { dataset: dataset.clone(), number: *number, source }),
    };
    entries.iter().map(parse).collect()
}

/// Releases that are visible, oldest first, each once.
fn visible(log: &[(u64, LogEntry)]) -> Vec<(u64, &LogEntry)> {
    let mut shown: Vec<(u64, &LogEntry)> = Vec::new();
    let mut withdrawn: Vec<(u64, &LogEntry)> = Vec::new();
    for (number, entry) in log {
        match entry.kind {
            LogKind::Publish => shown.push((*number, entry)),
            LogKind::Withdraw => {
                let (gone, kept) = shown.into_iter().partition(|(_, e)| e.release == entry.release);
                shown = kept;
                withdrawn.extend::<Vec<_>>(gone);
            }
            LogKind::Restore => {
                let (back, gone) = withdrawn.into_iter().partition(|(_, e)| e.release == entry.release);
                withdrawn = gone;
                shown.extend::<Vec<_>>(back);
                shown.sort_by_key(|(number, _)| *number);
            }
            LogKind::Erase | LogKind::Fence => {}
        }
    }
    shown
}

/// The current release: the highest publish that is not withdrawn.
pub fn current(log: &[(u64, LogEntry)]) -> Option<(u64, &LogEntry)> {
    visible(log).pop()
}

/// `releases.json`: all visible releases for machines, derived from the log.
pub fn releases_json(dataset: &DatasetId, log: &[(u64, LogEntry)]) -> serde_json::Value {
    let releases: Vec<_> = visible(log)
        .into_iter()
        .map(|(number, entry)| {
            json!({
                "release": entry.release,
                "log": number,
                "issued": entry.at,
                "verified_at": entry.verified_at,
                "manifest_sha256": entry.manifest,
            })
        })
        .collect();
    let latest = current(log).and_then(|(_, entry)| entry.release.as_ref());
    json!({ "dataset": dataset, "latest": latest, "releases": releases })
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
    fn an_empty_log_has_no_current_release() {
        assert_eq!(current_of(&[]), None);
    }
}
