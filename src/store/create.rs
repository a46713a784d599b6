//! Entries that only one writer can make, and the logs made of them.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::TryStreamExt as _;
use object_store::PutMode;
use object_store::PutOptions;

use crate::id::DatasetId;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::fault;
use crate::store::key::StoreFolder;
use crate::store::key::StoreKey;
use crate::store::local;

/// How often a create is tried before its outcome is given up as unknown.
const ATTEMPTS: u32 = 7;
const FIRST_DELAY: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 100 });
/// Log entries read at the same time.
const PARALLEL_READS: usize = 16;

/// The outcome of [`Store::create_exclusive`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The entry is ours, made now or by an earlier attempt whose answer was lost.
    Won,
    /// Somebody else made it; these are the bytes that are there.
    Lost(Bytes),
}

impl Store {
    /// Creates an object that must not exist yet; of all writers exactly one wins.
    ///
    /// `bytes` is a JSON object whose member `attempt` is `attempt`, a text that no other writer uses. A store that says
    /// "already exists" may mean our own earlier attempt, and one that cuts the connection may have written all the
    /// same; so after any error the object is read back, and its attempt says whose it is. On a local folder the object
    /// is on the disk when this returns.
    pub async fn create_exclusive(&self, key: &StoreKey, bytes: Bytes, attempt: &str) -> Result<Created, StoreError> {
        if attempt_of(&bytes).as_deref() != Some(attempt) {
            return Err(StoreError::MissingAttempt { place: self.place(&key.path()) });
        }
        let mut delay = FIRST_DELAY;
        let mut tried = 1;
        loop {
            let Err(put_error) = self.create_once(key, &bytes).await else { return Ok(Created::Won) };
            let error = match self.get(key).await {
                Ok(Some(found)) if attempt_of(&found).as_deref() == Some(attempt) => return Ok(Created::Won),
                Ok(Some(found)) => return Ok(Created::Lost(found)),
                // Refused for good, and nothing was written.
                Ok(None) if !put_error.is_already_there() && !put_error.is_transient() => return Err(put_error),
                Ok(None) => put_error,
                Err(get_error) => get_error,
            };
            if tried == ATTEMPTS {
                let place = self.place(&key.path());
                return Err(StoreError::Unsettled { place, attempts: tried, source: Box::new(error) });
            }
            tracing::debug!(place = %key.path(), attempt = tried, %error, "Creating `{}` again", key.path());
            tokio::time::sleep(delay.mul_f64(rand::random_range(0.5..1.5))).await;
            delay *= 2;
            tried += 1;
        }
    }

    async fn create_once(&self, key: &StoreKey, bytes: &Bytes) -> Result<(), StoreError> {
        fault::point().map_err(|source| self.failed("create", &key.path(), source))?;
        if let (true, Some(folder), Some(path)) = (self.direct, &self.folder, self.local_path(key)?) {
            let (folder, bytes) = (folder.clone(), bytes.clone());
            return super::blocking(move || local::create_durable(&folder, &path, &bytes)).await;
        }
        let options = PutOptions { mode: PutMode::Create, attributes: self.attributes_of(key), ..Default::default() };
        let path = self.object_path(&key.path())?;
        match self.handle.put_opts(&path, bytes.clone().into(), options).await {
            Ok(_) => self.sync(std::slice::from_ref(key)).await,
            Err(source) => Err(self.failed("create", &key.path(), source)),
        }
    }

    /// The number of the next entry of a dataset's log; the first is 1.
    pub async fn next_log_number(&self, dataset: &DatasetId) -> Result<u64, StoreError> {
        let folder = StoreFolder::Log { dataset: dataset.clone() };
        let numbers = self.numbers(&folder).await?;
        self.check_dense(&folder, &numbers)?;
        Ok(numbers.len() as u64 + 1)
    }

    /// All entries of a dataset's log in order. A missing entry is an error: what it said cannot be guessed.
    pub async fn read_log(&self, dataset: &DatasetId) -> Result<Vec<(u64, Bytes)>, StoreError> {
        let folder = StoreFolder::Log { dataset: dataset.clone() };
        let numbers = self.numbers(&folder).await?;
        self.check_dense(&folder, &numbers)?;
        let reads = numbers.into_iter().map(|n| {
            let (folder, key) = (folder.clone(), StoreKey::LogEntry { dataset: dataset.clone(), n });
            async move {
                let gone = || StoreError::LogGap { place: self.place(&folder.path()), expected: n, found: n + 1 };
                Ok((n, self.get(&key).await?.ok_or_else(gone)?))
            }
        });
        futures::stream::iter(reads).buffered(PARALLEL_READS).try_collect().await
    }

    /// The numbers in a folder of numbered entries, in order. Folders below it are not looked at.
    pub async fn numbers(&self, folder: &StoreFolder) -> Result<Vec<u64>, StoreError> {
        let path = folder.path();
        let listed = match self.handle.list_with_delimiter(Some(&self.object_path(&path)?)).await {
            Ok(listed) => listed,
            Err(object_store::Error::NotFound { .. }) => return Ok(Vec::new()),
            Err(source) => return Err(self.failed("list", &path, source)),
        };
        let mut numbers = Vec::with_capacity(listed.objects.len());
        for object in listed.objects {
            let name = object.location.filename().unwrap_or_default();
            // Other files, such as those a desktop leaves, are none of ours.
            let Some(stem) = name.strip_suffix(".json") else { continue };
            let number = stem.parse().ok().filter(|_| stem.len() == 20);
            numbers
                .push(number.ok_or_else(|| StoreError::StrangeEntry { place: self.place(&format!("{path}/{name}")) })?);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn check_dense(&self, folder: &StoreFolder, numbers: &[u64]) -> Result<(), StoreError> {
        match (1..).zip(numbers).find(|(expected, found)| expected != *found) {
            None => Ok(()),
            Some((expected, &found)) => Err(StoreError::LogGap { place: self.place(&folder.path()), expected, found }),
        }
    }
}

fn attempt_of(entry: &[u8]) -> Option<String> {
    let entry: serde_json::Value = serde_json::from_slice(entry).ok()?;
    Some(entry.get("attempt")?.as_str()?.to_owned())
}
