//! What is published, as the logs of the public store say it, kept in memory and held against the store again and again:
//! a release that is published or withdrawn is noticed within [`FRESH`], without a restart and without a list per request.
//!
//! Nothing is ever written: serving needs to read and to list, no more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::{Instant, timeout};

use crate::id::{DatasetId, Digest, ReleaseId};
use crate::publish::PublishError;
use crate::publish::commit::log;
use crate::release::{LogEntry, LogKind, Manifest, parse_log, replaced, states};
use crate::serve::error::{Gone, ServeError};
use crate::store::{Store, StoreError, StoreFolder, StoreKey};

/// How old what is known may be before it is held against the store again.
pub const FRESH: Duration = Duration::from_secs(1);
/// How old it may be when the store does not answer.
pub(super) const STALE: Duration = Duration::from_secs(30);

/// Time that the store has to answer when what it last said may be served instead.
pub(super) const SOON: Duration = Duration::from_secs(2);
/// Time that the store has to answer; its client tries again and again for longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for the store, not for ever.
pub(super) async fn patient<T: Send>(
    asked: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, ServeError> {
    patient_for(PATIENCE, asked).await
}

/// The same for some time.
pub(super) async fn patient_for<T: Send>(
    time: Duration,
    asked: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, ServeError> {
    match timeout(time, asked).await {
        Ok(answer) => answer.map_err(|error| ServeError::unavailable(&error)),
        Err(_) => {
            tracing::error!("The public store gave no answer in time");
            Err(ServeError::Unavailable)
        }
    }
}

/// A release that is visible.
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// When it was published, RFC 3339, UTC.
    pub issued: String,
    /// The same as a time.
    pub modified: DateTime<Utc>,
    /// Digest of its manifest, which the log names.
    digest: Option<Digest>,
    contents: OnceCell<Arc<Contents>>,
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Release").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is in a release.
#[derive(Debug)]
pub struct Contents {
    /// Its manifest.
    pub manifest: Manifest,
    /// Digest and size of every file by path.
    pub files: BTreeMap<String, (Digest, u64)>,
}

/// Where a release stands.
#[derive(Debug, Clone)]
pub enum Standing {
    /// Everybody may read it.
    Visible(Arc<Release>),
    /// It was withdrawn or erased.
    Gone(Box<Gone>),
}

/// A dataset, as its log was at one moment.
#[derive(Debug)]
pub struct Dataset {
    /// Its name.
    pub id: DatasetId,
    /// Its log.
    pub entries: Vec<(u64, LogEntry)>,
    /// Its current release.
    pub latest: Option<Arc<Release>>,
    /// When its log last changed.
    pub modified: DateTime<Utc>,
    standings: BTreeMap<ReleaseId, Standing>,
}

impl Dataset {
    fn new(id: DatasetId, entries: Vec<(u64, LogEntry)>, before: Option<&Self>) -> Self {
        let kept = |release: &ReleaseId, entry: &LogEntry| match before?.standings.get(release)? {
            Standing::Visible(release) if release.digest == entry.manifest => Some(Arc::clone(release)),
            _ => None,
        };
        let (mut standings, mut latest) = (BTreeMap::new(), None);
        for state in states(&entries) {
            let Some(release) = state.release() else { continue };
            let standing = match state.withdrawn {
                Some(entry) => Standing::Gone(Box::new(gone(&id, release, entry, None))),
                None => {
                    let visible = kept(release, state.published);
                    let visible = visible.unwrap_or_else(|| Arc::new(Release::new(release, state.published)));
                    latest = Some(Arc::clone(&visible));
                    Standing::Visible(visible)
                }
            };
            standings.insert(release.clone(), standing);
        }
        for (old, entry) in replaced(&entries) {
            standings.insert(old.clone(), Standing::Gone(Box::new(gone(&id, old, entry, entry.release.clone()))));
        }
        let changes = entries.iter().filter(|(_, entry)| entry.kind != LogKind::Fence);
        let modified = changes.map(|(_, entry)| time(&entry.at)).max().unwrap_or_default();
        Self { id, entries, latest, modified, standings }
    }

    /// Number of the last entry of its log: another one says that something changed.
    pub fn version(&self) -> u64 {
        self.entries.last().map_or(0, |(number, _)| *number)
    }

    /// All releases that its log tells of, oldest first.
    pub fn releases(&self) -> Vec<(&ReleaseId, &Standing)> {
        let mut all: Vec<_> = self.standings.iter().collect();
        all.sort_by_key(|(id, _)| id.sort_key());
        all
    }

    /// A release that may be read: the named one, or the current one.
    pub fn release(&self, id: Option<&ReleaseId>) -> Result<&Arc<Release>, ServeError> {
        let Some(id) = id else {
            let none = || ServeError::not_found(format!("no release of `{}` is published", self.id));
            return self.latest.as_ref().ok_or_else(none);
        };
        match self.standings.get(id) {
            Some(Standing::Visible(release)) => Ok(release),
            Some(Standing::Gone(gone)) => Err(ServeError::Gone(gone.clone())),
            None => Err(ServeError::NotFound {
                detail: format!("`{}` has no release `{id}`", self.id),
                suggestion: self.latest.as_ref().map(|latest| latest.id.to_string()),
            }),
        }
    }
}

impl Release {
    fn new(id: &ReleaseId, published: &LogEntry) -> Self {
        Self {
            id: id.clone(),
            issued: published.at.clone(),
            modified: time(&published.at),
            digest: published.manifest,
            contents: OnceCell::new(),
        }
    }
}

fn gone(dataset: &DatasetId, release: &ReleaseId, entry: &LogEntry, replaced_by: Option<ReleaseId>) -> Gone {
    Gone {
        dataset: dataset.clone(),
        release: release.clone(),
        at: entry.at.clone(),
        reason: entry.reason.clone(),
        replaced_by,
    }
}

/// A time of the log; the epoch when it cannot be read, which makes a copy of anybody's older.
fn time(at: &str) -> DateTime<Utc> {
    at.parse().unwrap_or_default()
}

/// What is known of something, and when it was last held against the store.
#[derive(Debug)]
struct Slot<T> {
    /// What the store said last; nothing when it was not there.
    known: RwLock<Option<Arc<T>>>,
    /// When it was, in milliseconds since the start; 0 for never.
    checked: AtomicU64,
    /// When the store failed last.
    failed: AtomicU64,
    checking: Mutex<()>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        let (checked, failed, checking) = (AtomicU64::default(), AtomicU64::default(), Mutex::default());
        Self { known: RwLock::new(None), checked, failed, checking }
    }
}

impl<T> Slot<T> {
    fn known(&self) -> Option<Arc<T>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// All that is published. Clones share it.
#[derive(Debug, Clone)]
pub struct Published(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    started: Instant,
    slots: RwLock<HashMap<DatasetId, Arc<Slot<Dataset>>>>,
    /// Names of the folders of the store.
    folders: Slot<BTreeSet<String>>,
}

impl Published {
    /// What is published in a store.
    pub fn new(store: Store) -> Self {
        let (slots, folders) = (RwLock::default(), Slot::default());
        Self(Arc::new(Inner { store, started: Instant::now(), slots, folders }))
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Whether the store answers.
    pub async fn answers(&self) -> Result<(), StoreError> {
        self.0.store.answers().await
    }

    /// Names of the folders at the top of the store.
    pub async fn folders(&self) -> Result<Arc<BTreeSet<String>>, ServeError> {
        let read = |_| async {
            let names = self.0.store.folders(&StoreFolder::Root).await?;
            Ok::<_, StoreError>(Some(Arc::new(names.into_iter().collect::<BTreeSet<String>>())))
        };
        Ok(self.current(&self.0.folders, "the list of datasets", read).await?.unwrap_or_default())
    }

    /// All datasets that have a log, by name. One whose log cannot be read is left out, and told of in the server's log.
    pub async fn datasets(&self) -> Result<Vec<Arc<Dataset>>, ServeError> {
        let folders = self.folders().await?;
        let ids: Vec<DatasetId> = folders.iter().filter_map(|name| name.parse().ok()).collect();
        // All at once: a store that does not answer is waited for once.
        let mut all = Vec::new();
        for found in join_all(ids.iter().map(|id| self.dataset(id))).await {
            match found {
                Ok(dataset) => all.push(dataset),
                Err(ServeError::NotFound { .. } | ServeError::Unavailable) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// A dataset as it is now: what is known of it was held against its log within [`FRESH`], or just now.
    pub async fn dataset(&self, id: &DatasetId) -> Result<Arc<Dataset>, ServeError> {
        let Some(slot) = self.slot(id).await? else { return Err(self.unknown(id).await) };
        match self.current(&slot, &format!("the log of `{id}`"), |known| self.read(id, known)).await? {
            Some(known) => Ok(known),
            None => Err(self.unknown(id).await),
        }
    }

    /// What is known of something, held against the store within [`FRESH`], or just now by `read`. When the store does not
    /// answer, what it last said within [`STALE`] is good enough, and nobody waits long for it.
    async fn current<T, E, F>(
        &self,
        slot: &Slot<T>,
        what: &str,
        read: impl FnOnce(Option<Arc<T>>) -> F + Send,
    ) -> Result<Option<Arc<T>>, ServeError>
    where
        T: Send + Sync,
        E: std::error::Error + Send + 'static,
        F: Future<Output = Result<Option<Arc<T>>, E>> + Send,
    {
        if let Some(answer) = self.at_once(slot, 1) {
            return answer;
        }
        // One request asks the store; the others that come meanwhile take what is known, unless that is too old.
        let _turn = match (slot.checking.try_lock(), self.at_once(slot, 2)) {
            (Ok(turn), _) => turn,
            (Err(_), Some(Ok(Some(known)))) => return Ok(Some(known)),
            (Err(_), _) => match timeout(self.patience(slot), slot.checking.lock()).await {
                Ok(turn) => turn,
                Err(_) if self.is_usable(slot) => return Ok(slot.known()),
                Err(_) => return Err(ServeError::Unavailable),
            },
        };
        if let Some(answer) = self.at_once(slot, 1) {
            return answer;
        }
        let failure = match timeout(self.patience(slot), read(slot.known())).await {
            Ok(Ok(found)) => {
                slot.known.write().unwrap_or_else(PoisonError::into_inner).clone_from(&found);
                slot.checked.store(self.now(), Ordering::Release);
                return Ok(found);
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        slot.failed.store(self.now(), Ordering::Release);
        let told = failure.as_ref().map_or_else(|| "no answer in time".to_owned(), ToString::to_string);
        if self.is_usable(slot) {
            tracing::warn!(error = told, "The store did not give {what}; what it last said is served");
            return Ok(slot.known());
        }
        let error = failure.as_ref().map(|error| error as &dyn std::error::Error);
        tracing::error!(error, "The store did not give {what}: {told}");
        Err(ServeError::Unavailable)
    }

    /// What can be said without asking the store: it was asked within so many times [`FRESH`], or failed just now.
    fn at_once<T>(&self, slot: &Slot<T>, times: u64) -> Option<Result<Option<Arc<T>>, ServeError>> {
        let fresh = times * millis(FRESH);
        if self.since(&slot.checked) < fresh {
            return Some(Ok(slot.known()));
        }
        let failed = self.since(&slot.failed) < fresh;
        failed.then(|| if self.is_usable(slot) { Ok(slot.known()) } else { Err(ServeError::Unavailable) })
    }

    /// Whether what the store last said may be served when it does not answer.
    fn is_usable<T>(&self, slot: &Slot<T>) -> bool {
        self.since(&slot.checked) < millis(STALE)
    }

    /// How long the store is waited for.
    fn patience<T>(&self, slot: &Slot<T>) -> Duration {
        if self.is_usable(slot) { SOON } else { PATIENCE }
    }

    /// Where a dataset is kept; nothing for a name that no folder has, so that made-up ones take no memory.
    async fn slot(&self, id: &DatasetId) -> Result<Option<Arc<Slot<Dataset>>>, ServeError> {
        let found = self.0.slots.read().unwrap_or_else(PoisonError::into_inner).get(id).map(Arc::clone);
        if found.is_some() {
            return Ok(found);
        }
        if !self.folders().await?.contains(id.as_str()) {
            return Ok(None);
        }
        let mut slots = self.0.slots.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(Arc::clone(slots.entry(id.clone()).or_default())))
    }

    async fn unknown(&self, id: &DatasetId) -> ServeError {
        let folders = self.folders().await.unwrap_or_default();
        let names = folders.iter().map(String::as_str);
        let suggestion = crate::diagnostic::nearest(id.as_str(), names).map(str::to_owned);
        ServeError::NotFound { detail: format!("there is no dataset `{id}`"), suggestion }
    }

    /// Reads a log, or what was added to it: an entry that is there never changes, and the next one has the next number.
    async fn read(&self, id: &DatasetId, known: Option<Arc<Dataset>>) -> Result<Option<Arc<Dataset>>, PublishError> {
        let store = &self.0.store;
        let Some(known) = known else {
            let entries = log(store, id).await?;
            return Ok((!entries.is_empty()).then(|| Arc::new(Dataset::new(id.clone(), entries, None))));
        };
        let mut added = Vec::new();
        let mut n = known.version() + 1;
        let failed = |source: StoreError| PublishError::ReadLog { dataset: id.clone(), source: Box::new(source) };
        while let Some(bytes) = store.get(&StoreKey::LogEntry { dataset: id.clone(), n }).await.map_err(failed)? {
            added.push((n, bytes));
            n += 1;
        }
        if added.is_empty() {
            return Ok(Some(known));
        }
        let added = parse_log(id, &added)
            .map_err(|source| PublishError::Log { dataset: id.clone(), source: Box::new(source) })?;
        let entries = known.entries.iter().cloned().chain(added).collect();
        Ok(Some(Arc::new(Dataset::new(id.clone(), entries, Some(&known)))))
    }

    /// What is in a release; its manifest is the one that the log names.
    pub async fn contents(&self, dataset: &DatasetId, release: &Release) -> Result<Arc<Contents>, ServeError> {
        let read = || async {
            let key = StoreKey::Manifest { dataset: dataset.clone(), release: release.id.clone() };
            let bytes = patient(self.0.store.get(&key)).await?;
            let intact = bytes.filter(|bytes| Some(Digest::of(bytes)) == release.digest);
            let parsed = intact.and_then(|bytes| {
                let manifest: Manifest = serde_json::from_slice(&bytes).ok()?;
                Some(Contents { files: manifest.contents(&bytes), manifest })
            });
            let damaged = || ServeError::unavailable(&PublishError::ReadBack { path: key.path() });
            parsed.map(Arc::new).ok_or_else(damaged)
        };
        release.contents.get_or_try_init(read).await.map(Arc::clone)
    }

    /// What is known of a dataset may have changed: it is held against the store before the next answer.
    pub fn doubt(&self, id: &DatasetId) {
        if let Some(slot) = self.0.slots.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            slot.checked.store(0, Ordering::Release);
        }
    }

    /// Milliseconds since something happened.
    fn since(&self, at: &AtomicU64) -> u64 {
        match at.load(Ordering::Acquire) {
            0 => u64::MAX,
            at => self.now().saturating_sub(at),
        }
    }

    /// Milliseconds since the start, never 0.
    fn now(&self) -> u64 {
        millis(self.0.started.elapsed()).max(1)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> Published {
        Published::new(Store::open("memory://published", std::path::Path::new("."), &BTreeMap::new()).unwrap())
    }

    fn says(n: u8) -> std::future::Ready<Result<Option<Arc<u8>>, StoreError>> {
        std::future::ready(Ok(Some(Arc::new(n))))
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_waited_for_a_moment_and_what_it_last_said_is_served_for_half_a_minute() {
        let (published, slot) = (published(), Slot::<u8>::default());
        let hangs = |_| std::future::pending::<Result<Option<Arc<u8>>, StoreError>>();
        assert_eq!(published.current(&slot, "it", |_| says(1)).await, Ok(Some(Arc::new(1))));
        let began = Instant::now();
        tokio::time::advance(FRESH).await;
        while published.current(&slot, "it", hangs).await == Ok(Some(Arc::new(1))) {
            let before = Instant::now();
            // Nobody else asks it again at once, nor waits.
            let many = join_all((0..9).map(|_| published.current(&slot, "it", hangs))).await;
            assert!(many.iter().all(|one| *one == Ok(Some(Arc::new(1)))));
            assert_eq!(before.elapsed(), Duration::ZERO);
            tokio::time::advance(FRESH).await;
        }
        assert!((STALE..STALE + 2 * PATIENCE).contains(&began.elapsed()), "{:?}", began.elapsed());
        tokio::time::advance(FRESH).await;
        let before = Instant::now();
        let many = join_all((0..9).map(|_| published.current(&slot, "it", hangs))).await;
        assert!(many.iter().all(|one| *one == Err(ServeError::Unavailable)));
        assert!(before.elapsed() < PATIENCE + FRESH, "they wait together, not one after the other");
        tokio::time::advance(FRESH).await;
        assert_eq!(published.current(&slot, "it", |_| says(2)).await, Ok(Some(Arc::new(2))));
    }
}
