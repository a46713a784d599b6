//! Collecting what killed runs and other builds of the program left behind, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::commit::log;
use super::error::PublishError;
use crate::id::{DatasetId, ReleaseId};
use crate::release::{LogEntry, ReleaseState, replaced, states};
use crate::store::{Store, StoreError, StoreFolder, StoreKey};

/// What was found, and removed unless it was only looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Files of releases that were never published, by path.
    pub files: Vec<String>,
    /// Unfinished files of writers that were killed.
    pub unfinished: u64,
}

/// How old what is collected must be, and when it is now.
#[derive(Debug, Clone, Copy)]
pub struct Age {
    /// The time now.
    pub now: DateTime<Utc>,
    /// What was changed later than this ago may belong to a run that goes on.
    pub at_least: Duration,
}

impl Age {
    fn is_reached(&self, changed: DateTime<Utc>) -> bool {
        (self.now - changed).to_std().is_ok_and(|elapsed| elapsed >= self.at_least)
    }
}

/// Collects the files of releases that no log entry published and that nothing has touched for some time. Claims stay: a
/// claimed id is never used again.
pub async fn collect(store: &Store, dataset: &DatasetId, age: Age, dry_run: bool) -> Result<Collected, PublishError> {
    let fail = |source: StoreError| PublishError::Store { dataset: dataset.clone(), source: Box::new(source) };
    let folder = StoreFolder::Releases { dataset: dataset.clone() };
    let prefix = format!("{}/", folder.path());
    // Listed before the log is read: what is published meanwhile is in the log then.
    let listed = store.list_dated(&folder).await.map_err(fail)?;
    let entries = log(store, dataset).await?;
    let mut files = orphans(&entries, &prefix, &listed, age);
    // The manifest and the sums go last, as they came.
    files.sort_by_key(|path| (path.ends_with("/manifest.json") || path.ends_with("/SHA256SUMS"), path.clone()));
    let mut unfinished = 0;
    if !dry_run {
        for path in &files {
            let Some((release, below)) = path.strip_prefix(&prefix).and_then(|path| path.split_once('/')) else {
                continue;
            };
            let Ok(release) = release.parse() else { continue };
            let key = StoreKey::ReleaseFile { dataset: dataset.clone(), release, path: below.to_owned() };
            store.delete(&key).await.map_err(fail)?;
        }
        for folder in [folder, StoreFolder::Latest { dataset: dataset.clone() }] {
            unfinished += store.sweep(&folder, age.at_least).await.map_err(fail)?;
        }
    }
    Ok(Collected { files, unfinished })
}

/// Collects scripts and styles of the site that this program does not have and that are old enough; gives how many. Pages
/// name them: those of the datasets in `own` were made by this program, and a store that has others keeps everything.
pub async fn collect_assets(store: &Store, own: &[DatasetId], age: Age) -> Result<u64, PublishError> {
    let Some(first) = own.first() else { return Ok(0) };
    let fail = |source: StoreError| PublishError::Store { dataset: first.clone(), source: Box::new(source) };
    let names = store.folders(&StoreFolder::Root).await.map_err(fail)?;
    for dataset in names.iter().filter_map(|name| name.parse::<DatasetId>().ok()) {
        let log = StoreFolder::Log { dataset: dataset.clone() };
        if !own.contains(&dataset) && !store.numbers(&log).await.map_err(fail)?.is_empty() {
            return Ok(0);
        }
    }
    let known: BTreeSet<String> = super::site::assets().collect();
    let mut gone = 0;
    for (path, changed) in store.list_dated(&StoreFolder::Assets).await.map_err(fail)? {
        if !known.contains(&path) && age.is_reached(changed) {
            store.delete(&StoreKey::Page { path }).await.map_err(fail)?;
            gone += 1;
        }
    }
    Ok(gone)
}

/// Files of release folders that were never published, when the youngest file of the folder is old enough.
fn orphans(entries: &[(u64, LogEntry)], prefix: &str, listed: &[(String, DateTime<Utc>)], age: Age) -> Vec<String> {
    let shown = states(entries);
    let known = shown.iter().filter_map(ReleaseState::release).chain(replaced(entries).into_iter().map(|(old, _)| old));
    let published: BTreeSet<&str> = known.map(ReleaseId::as_str).collect();
    let release_of = |path: &str| path.strip_prefix(prefix)?.split_once('/').map(|(release, _)| release.to_owned());
    let young: BTreeSet<String> = listed
        .iter()
        .filter(|(_, changed)| !age.is_reached(*changed))
        .filter_map(|(path, _)| release_of(path))
        .collect();
    let orphan = |path: &str| {
        release_of(path).is_some_and(|release| !published.contains(release.as_str()) && !young.contains(&release))
    };
    listed.iter().filter(|(path, _)| orphan(path)).map(|(path, _)| path.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::LogKind;

    fn published(release: &str) -> LogEntry {
        LogEntry {
            kind: LogKind::Publish,
            release: Some(release.parse().unwrap()),
            manifest: None,
            content: None,
            attempt: release.to_owned(),
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

    #[test]
    fn only_old_folders_that_were_never_published_are_orphans() {
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let hours = |hours: i64| now - chrono::Duration::hours(hours);
        let listed = [
            ("d/releases/2026-11-20/a.csv".to_owned(), hours(48)),
            ("d/releases/2026-11-21/a.csv".to_owned(), hours(48)),
            ("d/releases/2026-11-21/b.csv".to_owned(), hours(47)),
            ("d/releases/2026-11-22/a.csv".to_owned(), hours(48)),
            ("d/releases/2026-11-22/b.csv".to_owned(), hours(1)),
        ];
        let age = Age { now, at_least: Duration::from_hours(24) };
        let found = orphans(&[(1, published("2026-11-20"))], "d/releases/", &listed, age);
        assert_eq!(found, ["d/releases/2026-11-21/a.csv", "d/releases/2026-11-21/b.csv"]);
    }
}
