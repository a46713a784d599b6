//! Taking a record out of releases: each that holds it is written again as `…-r1`, and its log entry replaces the old one.
//!
//! Tables lose the record's rows; everything else is copied as it is, aggregates too: numbers that were counted again would
//! give the record away by subtraction. The old bytes are deleted once the log says so, by
//! [`settle`](super::withdraw::settle).

mod rows;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::TryStreamExt as _;
use tracing::info;

pub use self::rows::{Group, Test, Traces};

use self::rows::Rewritten;
use self::texts::Patch;
use super::commit::{append, json_bytes, log};
use super::error::PublishError;
use super::withdraw::{Stores, private_key, public_key};
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::release::{
    ErasureRecord, FileRecord, LogEntry, LogKind, Manifest, ReleaseState, TableRecord, content_digest, replaced,
    states, sums,
};
use crate::store::{Created, Store, StoreError, StoreKey};

/// Rewrites releases without a record.
#[derive(Debug, Clone, Copy)]
pub struct Rewriter<'a> {
    /// The two stores.
    pub stores: Stores<'a>,
    /// The dataset.
    pub dataset: &'a DatasetId,
    /// What tells the record's rows.
    pub traces: &'a Traces,
    /// Folder for files on their way.
    pub folder: &'a Path,
    /// Random id of the demand; what is written is the same when the demand is carried out again.
    pub attempt: &'a str,
    /// When the demand was made, RFC 3339, UTC.
    pub at: &'a str,
    /// Why, in words that are published.
    pub reason: &'a str,
}

/// A release as it is stored.
struct Old<'a> {
    release: &'a ReleaseId,
    withdrawn: bool,
    manifest: Manifest,
}

/// A release that holds the record, and what comes in its place.
struct Held<'a> {
    old: Old<'a>,
    state: ReleaseState<'a>,
    /// Its files that hold the record, without it.
    files: Vec<Rewritten>,
    attempt: String,
    new: ReleaseId,
    claim: Digest,
}

/// Ids that were replaced, each with what took its place, in the order of the log.
fn replacements(entries: &[(u64, LogEntry)]) -> impl Iterator<Item = (&ReleaseId, &ReleaseId)> {
    replaced(entries).into_iter().filter_map(|(old, entry)| Some((old, entry.release.as_ref()?)))
}

/// What a release is called now.
fn present<'a>(
    release: Option<&'a ReleaseId>,
    renamed: impl Iterator<Item = (&'a ReleaseId, &'a ReleaseId)>,
) -> Option<&'a ReleaseId> {
    renamed.fold(release, |now, (old, new)| if now == Some(old) { Some(new) } else { now })
}

impl Rewriter<'_> {
    /// Rewrites every release that holds the record; gives old and new ids, the oldest first.
    ///
    /// The newest one is written first: lines of its changes may be told to be the record's by the release before alone, which
    /// must be there still, also for whoever goes on after a kill.
    pub async fn rewrite_all(&self) -> Result<Vec<(ReleaseId, ReleaseId)>, PublishError> {
        let entries = log(self.stores.public, self.dataset).await?;
        let mut held = Vec::new();
        for state in states(&entries) {
            let Some(release) = &state.published.release else { continue };
            let old = self.old(state, release).await?;
            let files = self.without(&old, &entries).await?;
            if !files.is_empty() {
                let attempt = format!("{}-{release}", self.attempt);
                let (new, claim) = self.claim(release, &attempt).await?;
                held.push(Held { old, state, files, attempt, new, claim });
            }
        }
        let renamed: Vec<(ReleaseId, ReleaseId)> =
            held.iter().map(|held| (held.old.release.clone(), held.new.clone())).collect();
        for held in held.iter().rev() {
            self.rewrite(held, &entries, &renamed).await?;
            let (release, new) = (held.old.release, &held.new);
            info!(release.id = %release, "Rewrote release {release} as {new}");
        }
        Ok(renamed)
    }

    /// Whether any release holds the record.
    pub async fn is_anywhere(&self) -> Result<bool, PublishError> {
        let entries = log(self.stores.public, self.dataset).await?;
        for state in states(&entries) {
            let Some(release) = state.release() else { continue };
            let old = self.old(state, release).await?;
            if !self.without(&old, &entries).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn failed(&self) -> impl Fn(StoreError) -> PublishError + '_ {
        |source| PublishError::Store { dataset: self.dataset.clone(), source: Box::new(source) }
    }

    /// Where the files of a release are: a withdrawn one is in the private store.
    fn place(&self, withdrawn: bool, release: &ReleaseId, path: &str) -> (&Store, StoreKey) {
        if withdrawn {
            (self.stores.private, private_key(self.dataset, release, path))
        } else {
            (self.stores.public, public_key(self.dataset, release, path))
        }
    }

    async fn old<'r>(&self, state: ReleaseState<'_>, release: &'r ReleaseId) -> Result<Old<'r>, PublishError> {
        let withdrawn = state.withdrawn.is_some();
        let (store, key) = self.place(withdrawn, release, "manifest.json");
        let (dataset, release_id) = (self.dataset.clone(), release.clone());
        let bytes = store.get(&key).await.map_err(self.failed())?;
        let bytes = bytes.ok_or(PublishError::NoManifest { dataset, release: release_id })?;
        let manifest = serde_json::from_slice(&bytes).map_err(|source| PublishError::Manifest {
            dataset: self.dataset.clone(),
            release: release.clone(),
            source,
        })?;
        Ok(Old { release, withdrawn, manifest })
    }

    /// The files of a release that hold the record, written without it; none when it does not hold it.
    async fn without(&self, old: &Old<'_>, entries: &[(u64, LogEntry)]) -> Result<Vec<Rewritten>, PublishError> {
        let mut rewritten = Vec::new();
        for (table, groups, path) in self.suspects(old) {
            let local = self.fetch(old, &path).await?;
            rewritten.extend(rows::without(&local, table, &groups, self.traces, &self.scratch(old, "new")?)?);
            let known = |file: &FileRecord| rewritten.iter().any(|new: &Rewritten| new.path == file.path);
            if rewritten.iter().any(|new| new.path == path) {
                // Other forms of the same rows, which nobody here can write: drawings show a bar for each.
                let forms = old
                    .manifest
                    .files
                    .iter()
                    .filter(|file| file.path.starts_with(&format!("{}.", table.name)) && !known(file));
                let dropped: Vec<Rewritten> = forms.map(|file| Rewritten::dropped(&file.path)).collect();
                rewritten.extend(dropped);
            }
        }
        if old.manifest.files.iter().any(|file| file.path == rows::CHANGES) {
            let local = self.fetch(old, rows::CHANGES).await?;
            let mut gone = self.keys(old).await?;
            if let Some(before) = self.before(old, entries).await? {
                gone.extend(self.keys(&before).await?);
            }
            let cut = rows::changes_without(&local, self.traces, &old.manifest, &gone, &self.scratch(old, "new")?)?;
            if let Some(cut) = cut {
                rewritten.push(cut);
                rewritten.push(Rewritten::dropped("changes.html"));
            }
        }
        Ok(rewritten)
    }

    /// Tables of a release that may hold the record, with what tells it and the path of their rows.
    fn suspects<'r>(&self, old: &'r Old<'_>) -> Vec<(&'r TableRecord, Vec<Group>, String)> {
        let suspect = |table: &'r TableRecord| {
            let (groups, path) = (self.traces.of(table), format!("{}.parquet", table.name));
            let is_there = old.manifest.files.iter().any(|file| file.path == path);
            (is_there && !groups.is_empty()).then_some((table, groups, path))
        };
        old.manifest.tables.iter().filter_map(suspect).collect()
    }

    /// Table and key, as lists of changes write it, of every row of a release that is the record's.
    async fn keys(&self, old: &Old<'_>) -> Result<BTreeSet<(String, String)>, PublishError> {
        let mut keys = BTreeSet::new();
        for (table, groups, path) in self.suspects(old) {
            let found = rows::keys(&self.fetch(old, &path).await?, table, &groups)?;
            keys.extend(found.into_iter().map(|key| (table.name.clone(), key)));
        }
        Ok(keys)
    }

    /// The release that another one was compared with, under its present id; none when it is not there any more.
    async fn before<'e>(&self, old: &Old<'_>, entries: &'e [(u64, LogEntry)]) -> Result<Option<Old<'e>>, PublishError> {
        let previous = present(old.manifest.previous.as_ref(), replacements(entries));
        let found = states(entries).into_iter().find(|state| previous.is_some() && state.release() == previous);
        match found.and_then(|state| Some((state, state.published.release.as_ref()?))) {
            Some((state, release)) => Ok(Some(self.old(state, release).await?)),
            None => Ok(None),
        }
    }

    fn scratch(&self, old: &Old<'_>, name: &str) -> Result<PathBuf, PublishError> {
        let folder = self.folder.join(old.release.as_str()).join(name);
        std::fs::create_dir_all(&folder).map_err(|source| PublishError::Local { path: folder.clone(), source })?;
        Ok(folder)
    }

    /// A local copy of a file of a release.
    async fn fetch(&self, old: &Old<'_>, path: &str) -> Result<PathBuf, PublishError> {
        let (store, key) = self.place(old.withdrawn, old.release, path);
        let target = self.scratch(old, "old")?.join(path.replace('/', "-"));
        if target.exists() {
            return Ok(target);
        }
        let copied = store.get_file(&key, &target).await.map_err(self.failed())?;
        copied.ok_or_else(|| PublishError::ReadBack { path: path.to_owned() })?;
        Ok(target)
    }

    /// Writes a release without the record, and the log entry that puts it in the place of the old one.
    async fn rewrite(
        &self,
        held: &Held<'_>,
        entries: &[(u64, LogEntry)],
        renamed: &[(ReleaseId, ReleaseId)],
    ) -> Result<(), PublishError> {
        let (old, release) = (&held.old, held.old.release);
        let (digest, content) = self.write(held, self.manifest(held, entries, renamed)).await?;
        let entry = LogEntry {
            kind: LogKind::Erase,
            release: Some(held.new.clone()),
            manifest: Some(digest),
            content: Some(content),
            attempt: held.attempt.clone(),
            at: self.at.to_owned(),
            verified_at: Some(self.at.to_owned()),
            reason: Some(self.reason.to_owned()),
            replaces: Some(release.clone()),
            before: None,
            claim: Some(held.claim),
            version: held.state.published.version.clone(),
            token: None,
            slot: None,
            withdrawal: None,
            digest: None,
        };
        append(self.stores.public, self.dataset, |entries| {
            let now = states(entries).into_iter().find(|state| state.release() == Some(release));
            match now {
                None => Ok(None),
                Some(now) if now.withdrawn.is_some() == old.withdrawn => Ok(Some(entry.clone())),
                // Withdrawn or restored meanwhile: the files are in the wrong place.
                Some(_) => Err(PublishError::Contended { dataset: self.dataset.clone(), attempts: 1 }),
            }
        })
        .await
        .map(|_| ())
    }

    /// Takes the next free id of the rewritten release. The same demand takes the same one again.
    async fn claim(&self, release: &ReleaseId, attempt: &str) -> Result<(ReleaseId, Digest), PublishError> {
        let mut new = release.next_rewrite();
        loop {
            let key = StoreKey::Claim { dataset: self.dataset.clone(), release: new.clone() };
            let body = json_bytes(&serde_json::json!({ "release": new, "attempt": attempt, "at": self.at }));
            let digest = Digest::of(&body);
            match self.stores.public.create_exclusive(&key, body, attempt).await.map_err(self.failed())? {
                Created::Won => return Ok((new, digest)),
                Created::Lost(_) => new = new.next_rewrite(),
            }
        }
    }

    /// Writes all files of the rewritten release and reads them back; gives the digests of its manifest and content.
    async fn write(&self, held: &Held<'_>, mut manifest: Manifest) -> Result<(Digest, Digest), PublishError> {
        let Held { old, new, files, .. } = held;
        let patch = Patch::new(&old.manifest, &manifest);
        let mut written: BTreeMap<String, Digest> = BTreeMap::new();
        for file in &mut manifest.files {
            let (store, target) = self.place(old.withdrawn, new, &file.path);
            if let Some(local) = files.iter().find(|new| new.path == file.path).and_then(|new| new.local.as_ref()) {
                store.put_file(&target, local).await.map_err(self.failed())?;
            } else {
                let (_, from) = self.place(old.withdrawn, old.release, &file.path);
                let missing = || PublishError::ReadBack { path: file.path.clone() };
                if Patch::is_about(&file.path) {
                    let bytes = store.get(&from).await.map_err(self.failed())?.ok_or_else(missing)?;
                    let bytes = patch.apply(&file.path, &bytes);
                    (file.bytes, file.sha256) = (bytes.len() as u64, Digest::of(&bytes));
                    store.put(&target, bytes).await.map_err(self.failed())?;
                } else {
                    let stream = store.get_stream(&from).await.map_err(self.failed())?.ok_or_else(missing)?;
                    let stream = stream.map_err(std::io::Error::other);
                    store.put_stream(&target, stream).await.map_err(self.failed())?;
                }
            }
            written.insert(file.path.clone(), file.sha256);
        }
        let bytes = json_bytes(&manifest);
        written.insert("manifest.json".to_owned(), Digest::of(&bytes));
        self.put(old, new, "manifest.json", bytes).await?;
        let sums = Bytes::from(sums(written.iter().map(|(path, digest)| (path.as_str(), digest))));
        written.insert("SHA256SUMS".to_owned(), Digest::of(&sums));
        self.put(old, new, "SHA256SUMS", sums).await?;
        let places: Vec<(&Store, StoreKey)> = written.keys().map(|path| self.place(old.withdrawn, new, path)).collect();
        let keys: Vec<StoreKey> = places.iter().map(|(_, key)| key.clone()).collect();
        if let Some((store, _)) = places.first() {
            store.sync(&keys).await.map_err(self.failed())?;
        }
        for ((path, digest), (store, key)) in written.iter().zip(&places) {
            let found = store.digest_of(key).await.map_err(self.failed())?;
            if found.is_none_or(|(found, _)| found != *digest) {
                return Err(PublishError::ReadBack { path: path.clone() });
            }
        }
        Ok((written["manifest.json"], manifest.content))
    }

    async fn put(&self, old: &Old<'_>, new: &ReleaseId, path: &str, bytes: Bytes) -> Result<(), PublishError> {
        let (store, key) = self.place(old.withdrawn, new, path);
        store.put(&key, bytes).await.map_err(self.failed())
    }

    /// The manifest of the rewritten release, before its metadata files are known.
    fn manifest(&self, held: &Held<'_>, entries: &[(u64, LogEntry)], renamed: &[(ReleaseId, ReleaseId)]) -> Manifest {
        let Held { old, new, files, .. } = held;
        let mut manifest = Manifest { release: new.clone(), ..old.manifest.clone() };
        for written in files {
            match &written.local {
                None => manifest.files.retain(|file| file.path != written.path),
                Some(_) => {
                    for file in manifest.files.iter_mut().filter(|file| file.path == written.path) {
                        (file.bytes, file.sha256) = (written.bytes, written.digest);
                        file.rows = file.rows.and(Some(written.rows));
                    }
                    let table = written.path.strip_suffix(".parquet");
                    for table in manifest.tables.iter_mut().filter(|known| Some(known.name.as_str()) == table) {
                        table.rows = written.rows;
                        for column in table.columns.iter_mut().filter(|column| column.empty.is_some()) {
                            column.empty = written.empty.get(&column.name).copied();
                        }
                    }
                }
            }
        }
        // The release before may have been rewritten, more than once, and will be now.
        let renamed = replacements(entries).chain(renamed.iter().map(|(old, new)| (old, new)));
        manifest.previous = present(old.manifest.previous.as_ref(), renamed).cloned();
        manifest.erasure = Some(ErasureRecord {
            replaces: old.release.clone(),
            at: self.at.to_owned(),
            reason: self.reason.to_owned(),
        });
        // Without the digest of its texts an old release has a content that no run will meet again.
        let texts = manifest.texts.unwrap_or(manifest.content);
        let data: Vec<FileRecord> =
            manifest.files.iter().filter(|file| file.path != "dictionary.csv").cloned().collect();
        manifest.content = content_digest(&data, &texts);
        manifest
    }
}
