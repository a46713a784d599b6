//! What is published, as the logs of the public store say it, kept in memory and held against the store again and again:
//! a release that is published or withdrawn is noticed within [`FRESH`], without a restart and without a list per request.
//!
//! Nothing is ever written: serving needs to read and to list, no more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;

use crate::id::{DatasetId, Digest, ReleaseId};
use crate::publish::PublishError;
use crate::publish::commit::log;
use crate::release::{LogEntry, LogKind, Manifest, parse_log, replaced, states};
use crate::serve::error::{Gone, ServeError};
use crate::store::{Store, StoreError, StoreFolder, StoreKey};

/// How old what is known may be before it is held against the store again.
pub const FRESH: Duration = Duration::from_secs(1);
/// How old it may be when the store does not answer.
const STALE: Duration = Duration::from_secs(30);

/// Time that the store has to answer; its client tries again and again for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for the store, not for ever.
pub(super) async fn patient<T: Send>(
    asked: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, ServeError> {
    match timeout(PATIENCE, asked).await {
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

/// What is known of one dataset, and when it was last held against the store.
#[derive(Debug, Default)]
struct Slot {
    known: RwLock<Option<Arc<Dataset>>>,
    /// When it was, in milliseconds since the start; 0 for never.
    checked: AtomicU64,
    /// When the store failed last.
    failed: AtomicU64,
    checking: Mutex<()>,
}

impl Slot {
    fn known(&self) -> Option<Arc<Dataset>> {
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
    slots: RwLock<HashMap<DatasetId, Arc<Slot>>>,
    /// Names of the folders of the store, and when they were listed.
    folders: Mutex<Option<(Instant, Arc<BTreeSet<String>>)>>,
}

impl Published {
    /// What is published in a store.
    pub fn new(store: Store) -> Self {
        let (slots, folders) = (RwLock::default(), Mutex::default());
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
        let mut folders = self.0.folders.lock().await;
        if let Some((at, names)) = folders.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(names));
        }
        let names = patient(self.0.store.folders(&StoreFolder::Root)).await?;
        let names = Arc::new(names.into_iter().collect::<BTreeSet<String>>());
        *folders = Some((Instant::now(), Arc::clone(&names)));
        Ok(names)
    }

    /// All datasets that have a log, by name. One whose log cannot be read is left out, and told of in the server's log.
    pub async fn datasets(&self) -> Result<Vec<Arc<Dataset>>, ServeError> {
        let mut all = Vec::new();
        for name in self.folders().await?.iter() {
            let Ok(id) = name.parse::<DatasetId>() else { continue };
            match self.dataset(&id).await {
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
        if let Some(known) = self.good(&slot, 1) {
            return match known {
                Some(known) => Ok(known),
                None => Err(self.unknown(id).await),
            };
        }
        // One request asks the store; the others that come meanwhile take what is known, unless that is too old.
        let turn = match (slot.checking.try_lock(), self.good(&slot, 2)) {
            (Ok(turn), _) => turn,
            (Err(_), Some(Some(known))) => return Ok(known),
            (Err(_), _) => slot.checking.lock().await,
        };
        if let Some(Some(known)) = self.good(&slot, 1) {
            return Ok(known);
        }
        let answer = self.look(id, &slot).await;
        drop(turn);
        answer
    }

    /// What is known of a dataset, when it was held against the store within so many times [`FRESH`]. A store that failed
    /// just now is not asked again at once.
    #[expect(clippy::option_option, reason = "whether it is known, and whether it is there")]
    fn good(&self, slot: &Slot, times: u64) -> Option<Option<Arc<Dataset>>> {
        let fresh = times * millis(FRESH);
        let (age, tried) = (self.since(&slot.checked), self.since(&slot.failed));
        (age < fresh || (tried < fresh && age < millis(STALE))).then(|| slot.known())
    }

    /// Holds what is known of a dataset against the store.
    async fn look(&self, id: &DatasetId, slot: &Slot) -> Result<Arc<Dataset>, ServeError> {
        let known = slot.known();
        let read = timeout(PATIENCE, self.read(id, known.clone())).await;
        let failure = match read {
            Ok(Ok(found)) => {
                slot.known.write().unwrap_or_else(PoisonError::into_inner).clone_from(&found);
                slot.checked.store(self.now(), Ordering::Release);
                return match found {
                    Some(dataset) => Ok(dataset),
                    None => Err(self.unknown(id).await),
                };
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        slot.failed.store(self.now(), Ordering::Release);
        let told = failure.as_ref().map_or_else(|| "no answer in time".to_owned(), ToString::to_string);
        match known {
            Some(known) if self.since(&slot.checked) < millis(STALE) => {
                tracing::warn!(dataset = %id, error = told, "The log of `{id}` could not be read; what it last said is served");
                Ok(known)
            }
            _ => {
                let error = failure.as_ref().map(|error| error as &dyn std::error::Error);
                tracing::error!(dataset = %id, error, "The log of `{id}` could not be read: {told}");
                Err(ServeError::Unavailable)
            }
        }
    }

    /// Where a dataset is kept; nothing for a name that no folder has, so that made-up ones take no memory.
    async fn slot(&self, id: &DatasetId) -> Result<Option<Arc<Slot>>, ServeError> {
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
