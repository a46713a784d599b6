//! The releases of a dataset as the site tells of them: from the log alone.

use std::collections::BTreeMap;

use crate::id::{Digest, ReleaseId};
use crate::release::{LogEntry, replaced, states};

/// Shown releases that the page of a dataset lists; withdrawn and erased ones are always there.
const LISTED: usize = 20;

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Edition {
    pub(super) release: String,
    /// `current`, `published`, `withdrawn` or `erased`.
    pub(super) state: &'static str,
    pub(super) issued: String,
    pub(super) version: Option<String>,
    /// When it was withdrawn or rewritten.
    pub(super) ended: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) replaced_by: Option<String>,
    /// Whether it is known what changed with it, which its page tells.
    pub(super) changes: bool,
    /// Digest of its manifest.
    #[serde(skip)]
    pub(super) manifest: Option<Digest>,
}

impl Edition {
    /// Whether everyone may read its files.
    pub(super) fn is_shown(&self) -> bool {
        matches!(self.state, "current" | "published")
    }
}

/// Every release that was ever published, newest first; those that were rewritten stand at the end. `shown` is the current
/// one.
pub(super) fn all(entries: &[(u64, LogEntry)], shown: Option<&ReleaseId>) -> Vec<Edition> {
    let mut all = Vec::new();
    for state in states(entries) {
        let Some(id) = state.release() else { continue };
        let word = match state.withdrawn {
            Some(_) => "withdrawn",
            None if Some(id) == shown => "current",
            None => "published",
        };
        all.push(Edition {
            release: id.to_string(),
            state: word,
            issued: state.published.at.clone(),
            version: state.published.version.clone(),
            ended: state.withdrawn.map(|entry| entry.at.clone()),
            reason: state.withdrawn.and_then(|entry| entry.reason.clone()),
            replaced_by: None,
            changes: false,
            manifest: state.published.manifest,
        });
    }
    all.reverse();
    let first: BTreeMap<&ReleaseId, &str> =
        entries.iter().filter_map(|(_, entry)| Some((entry.release.as_ref()?, entry.at.as_str()))).rev().collect();
    for (old, entry) in replaced(entries).into_iter().rev() {
        all.push(Edition {
            release: old.to_string(),
            state: "erased",
            issued: first.get(old).map(|at| (*at).to_owned()).unwrap_or_default(),
            version: None,
            ended: Some(entry.at.clone()),
            reason: entry.reason.clone(),
            replaced_by: entry.release.as_ref().map(ToString::to_string),
            changes: false,
            manifest: None,
        });
    }
    all
}

/// The releases that the page of a dataset lists, and how many it does not.
pub(super) fn listed(all: &[Edition]) -> (Vec<&Edition>, usize) {
    let mut seen = 0;
    let kept = all.iter().filter(|edition| {
        seen += usize::from(edition.is_shown());
        !edition.is_shown() || seen <= LISTED
    });
    let kept: Vec<&Edition> = kept.collect();
    let more = all.len() - kept.len();
    (kept, more)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::release::{LogKind, parse_log};

    fn log(lines: &[(LogKind, &str, Option<&str>)]) -> Vec<(u64, LogEntry)> {
        let entries = lines.iter().zip(1_u64..).map(|((kind, release, replaces), number)| {
            let entry = serde_json::json!({
                "kind": kind, "release": release, "manifest": null, "content": null, "attempt": "a",
                "at": format!("2026-12-0{number}T00:00:00Z"), "verified_at": null, "reason": "Parce que.",
                "replaces": replaces,
            });
            (number, Bytes::from(entry.to_string()))
        });
        parse_log(&"lieux".parse().unwrap(), &entries.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn withdrawn_and_erased_releases_are_listed_with_their_reason() {
        let entries = log(&[
            (LogKind::Publish, "2026-12-01", None),
            (LogKind::Publish, "2026-12-02", None),
            (LogKind::Withdraw, "2026-12-02", None),
            (LogKind::Erase, "2026-12-01-r1", Some("2026-12-01")),
        ]);
        let all = all(&entries, "2026-12-01-r1".parse().ok().as_ref());
        let (versions, more) = listed(&all);
        let told: Vec<_> = versions.iter().map(|version| (version.release.as_str(), version.state)).collect();
        assert_eq!(told, [("2026-12-02", "withdrawn"), ("2026-12-01-r1", "current"), ("2026-12-01", "erased")]);
        assert_eq!(more, 0);
        assert!(versions.iter().filter(|version| version.ended.is_some()).all(|version| version.reason.is_some()));
        assert_eq!(versions[2].replaced_by.as_deref(), Some("2026-12-01-r1"));
        assert_eq!(versions[2].issued, "2026-12-01T00:00:00Z");
    }

    #[test]
    fn only_the_newest_of_many_releases_are_listed_and_every_withdrawn_one() {
        let names: Vec<String> = (1..=28).map(|day| format!("2026-11-{day:02}")).collect();
        let mut lines: Vec<_> = names.iter().map(|name| (LogKind::Publish, name.as_str(), None)).collect();
        lines.push((LogKind::Withdraw, "2026-11-01", None));
        let all = all(&log(&lines), "2026-11-28".parse().ok().as_ref());
        let (versions, more) = listed(&all);
        assert_eq!((versions.len(), more), (21, 7));
        assert_eq!(versions.last().map(|version| version.state), Some("withdrawn"));
    }
}
