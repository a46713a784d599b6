//! The two stores, private and public, over `object_store`. No other module names that crate.
//!
//! A [`Store`] is a folder: on the local disk, in memory, or in a bucket of S3, Azure or Google. What all of them can do is
//! all that is used: whole objects, created exclusively where it matters, never changed in place. The differences are
//! levelled here: a local folder takes no attributes and needs to be told to bring things to the disk; lists come
//! unsorted from it; deleting what is not there is an error only for some.

mod create;
mod error;
mod fault;
mod key;
mod local;
mod open;
mod read;
mod writer;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod faulty;
#[cfg(test)]
#[path = "../../tests/it/harness/s3.rs"]
mod s3;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use chrono::DateTime;
use chrono::Utc;
use futures::Stream;
use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use object_store::Attribute;
use object_store::Attributes;
use object_store::ObjectStore;
use object_store::ObjectStoreExt as _;
use object_store::PutOptions;
use object_store::path::Path as ObjectPath;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use url::Url;

pub use create::Created;
pub use error::StoreError;
pub use key::StoreFolder;
pub use key::StoreKey;
pub use key::media_type_of;
pub use read::Object;
pub use read::Opened;
pub use writer::StoreWriter;

use crate::id::Digest;
use crate::id::Hasher;

/// Bytes of an object as they arrive.
pub type ByteStream = BoxStream<'static, Result<Bytes, StoreError>>;

const CHUNK_SIZE: usize = 1 << 18;

/// A place for objects. Clones share it.
#[derive(Clone)]
pub struct Store {
    handle: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
    root_url: Url,
    attributes: bool,
    folder: Option<PathBuf>,
    /// The local folder may be used past `handle`.
    direct: bool,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.url()).finish()
    }
}

impl Store {
    /// Opens the store at `url`: a folder (relative ones start at `base`; made when missing), `file:///folder`,
    /// `s3://bucket/folder`, `az://container/folder`, `gs://bucket/folder` or `memory://name`.
    ///
    /// Credentials and settings of buckets are the variables `AWS_*`, `AZURE_*` and `GOOGLE_*` of `env`. In one
    /// process the same `memory://` name is the same store.
    pub fn open(url: &str, base: &Path, env: &BTreeMap<String, String>) -> Result<Self, StoreError> {
        fault::arm(env);
        open::open(url, base, env)
    }

    /// The same place behind another client: `wrap` receives the present one. Made for faults and counters in tests.
    #[must_use]
    pub fn wrapped(mut self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        self.handle = wrap(self.handle);
        self.direct = false;
        self
    }

    /// The client for the engine, to be registered for [`Store::root_url`]. It sees the whole bucket or disk.
    pub fn handle(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.handle)
    }

    /// The store as a URL with a slash at its end, without secrets. Joined with the path of a key it is the object's URL.
    pub fn root_url(&self) -> &Url {
        &self.root_url
    }

    /// The store as people know it, without secrets: a folder, or a URL.
    pub fn url(&self) -> String {
        match &self.folder {
            Some(folder) => folder.display().to_string(),
            None => self.root_url.to_string(),
        }
    }

    /// The file that a key is, when the store is a local folder.
    pub fn local_path(&self, key: &StoreKey) -> Result<Option<PathBuf>, StoreError> {
        let path = key.path();
        self.object_path(&path)?;
        Ok(self.folder.as_ref().map(|folder| folder.join(path)))
    }

    /// Stores `bytes`, in place of what is there.
    pub async fn put(&self, key: &StoreKey, bytes: Bytes) -> Result<(), StoreError> {
        let path = key.path();
        let options = PutOptions { attributes: self.attributes_of(key), ..Default::default() };
        fault::point().map_err(|source| self.failed("write", &path, source))?;
        match self.handle.put_opts(&self.object_path(&path)?, bytes.into(), options).await {
            Ok(_) => Ok(()),
            Err(source) => Err(self.failed("write", &path, source)),
        }
    }

    /// Starts an object that is written piece by piece.
    pub fn writer(&self, key: &StoreKey) -> Result<StoreWriter, StoreError> {
        let path = key.path();
        let object = self.object_path(&path)?;
        Ok(StoreWriter::new(self.handle(), object, self.attributes_of(key), self.place(&path)))
    }

    /// Stores the bytes of a stream; nothing is stored when the stream ends in an error.
    pub async fn put_stream(
        &self,
        key: &StoreKey,
        bytes: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<(Digest, u64), StoreError> {
        let mut writer = self.writer(key)?;
        let mut bytes = std::pin::pin!(bytes);
        while let Some(next) = bytes.next().await {
            match next {
                Ok(next) => writer.write(next).await?,
                Err(source) => {
                    writer.abort().await;
                    return Err(StoreError::Input { place: self.place(&key.path()), source });
                }
            }
        }
        writer.finish().await
    }

    /// Stores a local file, which must not be changed any more: a store on the same disk may keep it under a second name.
    pub async fn put_file(&self, key: &StoreKey, file: &Path) -> Result<(), StoreError> {
        if let Some(target) = self.direct_path(key)? {
            return self.bring(key, local::Source::Finished(file.to_owned()), target).await;
        }
        let opened = tokio::fs::File::open(file).await;
        let opened = opened.map_err(|source| StoreError::Disk { action: "read", path: file.to_path_buf(), source })?;
        self.put_stream(key, chunks(opened)).await.map(|_| ())
    }

    /// Stores what stands in an open file, from where it is read next.
    pub async fn put_open_file(&self, key: &StoreKey, file: std::fs::File) -> Result<(), StoreError> {
        match self.direct_path(key)? {
            Some(target) => self.bring(key, local::Source::Nameless(file), target).await,
            None => self.put_stream(key, chunks(tokio::fs::File::from_std(file))).await.map(|_| ()),
        }
    }

    /// Folder of the store and file of a key, where they may be used past the client.
    fn direct_path(&self, key: &StoreKey) -> Result<Option<(PathBuf, PathBuf)>, StoreError> {
        let folder = self.folder.clone().filter(|_| self.direct);
        Ok(folder.zip(self.local_path(key)?))
    }

    async fn bring(
        &self,
        key: &StoreKey,
        source: local::Source,
        (folder, path): (PathBuf, PathBuf),
    ) -> Result<(), StoreError> {
        fault::point().map_err(|source| self.failed("write", &key.path(), source))?;
        blocking(move || local::copy_file(&folder, source, &path)).await
    }

    /// The bytes of an object, `None` when there is none.
    pub async fn get(&self, key: &StoreKey) -> Result<Option<Bytes>, StoreError> {
        let path = key.path();
        let bytes = match self.handle.get(&self.object_path(&path)?).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        self.none_when_absent("read", &path, bytes)
    }

    /// The bytes of an object as they arrive, `None` when there is none.
    pub async fn get_stream(&self, key: &StoreKey) -> Result<Option<ByteStream>, StoreError> {
        self.stream_path(&key.path()).await
    }

    /// The bytes of an object by its path, for stores whose contents are not ours and have no key.
    pub async fn stream_path(&self, path: &str) -> Result<Option<ByteStream>, StoreError> {
        let found = self.handle.get(&self.object_path(path)?).await;
        let Some(found) = self.none_when_absent("read", path, found)? else { return Ok(None) };
        let place = self.place(path);
        let failed = move |source| StoreError::Operation { action: "read", place: place.clone(), source };
        Ok(Some(found.into_stream().map_err(failed).boxed()))
    }

    /// Digest and size of an object's bytes, read now; `None` when there is none.
    pub async fn digest_of(&self, key: &StoreKey) -> Result<Option<(Digest, u64)>, StoreError> {
        if let (true, Some(path)) = (self.direct, self.local_path(key)?) {
            return blocking(move || local::digest_of_file(&path)).await;
        }
        let Some(mut stream) = self.get_stream(key).await? else { return Ok(None) };
        let mut hasher = Hasher::default();
        let mut size = 0;
        while let Some(bytes) = stream.try_next().await? {
            hasher.update(&bytes);
            size += bytes.len() as u64;
        }
        Ok(Some((hasher.finish(), size)))
    }

    /// Copies an object's bytes into a local file; gives their digest and size, `None` when there is no object.
    pub async fn get_file(&self, key: &StoreKey, target: &Path) -> Result<Option<(Digest, u64)>, StoreError> {
        let Some(mut stream) = self.get_stream(key).await? else { return Ok(None) };
        let disk = |source| StoreError::Disk { action: "write", path: target.to_owned(), source };
        let mut file = tokio::fs::File::create(target).await.map_err(disk)?;
        let mut hasher = Hasher::default();
        let mut size = 0;
        while let Some(bytes) = stream.try_next().await? {
            hasher.update(&bytes);
            size += bytes.len() as u64;
            file.write_all(&bytes).await.map_err(disk)?;
        }
        file.flush().await.map_err(disk)?;
        Ok(Some((hasher.finish(), size)))
    }

    /// Whether there is an object.
    pub async fn exists(&self, key: &StoreKey) -> Result<bool, StoreError> {
        let path = key.path();
        let head = self.handle.head(&self.object_path(&path)?).await;
        Ok(self.none_when_absent("look for", &path, head)?.is_some())
    }

    /// All objects below a folder with their sizes, sorted by path. Paths are those of keys, from the store's root.
    pub async fn list(&self, folder: &StoreFolder) -> Result<Vec<(String, u64)>, StoreError> {
        let path = folder.path();
        let prefix = self.object_path(&path)?;
        let mut found: Vec<(String, u64)> = Vec::new();
        let mut listing = self.handle.list(Some(&prefix));
        loop {
            match listing.try_next().await {
                Ok(Some(object)) => found.push((self.below_root(&object.location), object.size)),
                Ok(None) => break,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(self.failed("list", &path, source)),
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Names of the folders that stand in a folder, sorted. A bucket answers without naming what is below them.
    pub async fn folders(&self, folder: &StoreFolder) -> Result<Vec<String>, StoreError> {
        let path = folder.path();
        let listed = self.handle.list_with_delimiter(Some(&self.object_path(&path)?)).await;
        let listed = match listed {
            Ok(listed) => listed.common_prefixes,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(source) => return Err(self.failed("list", &path, source)),
        };
        let mut names: Vec<String> = listed.iter().filter_map(|prefix| prefix.filename().map(str::to_owned)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Removes an object. One that is not there is fine.
    pub async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let path = key.path();
        fault::point().map_err(|source| self.failed("delete", &path, source))?;
        let deleted = self.handle.delete(&self.object_path(&path)?).await;
        self.none_when_absent("delete", &path, deleted).map(|_| ())
    }

    /// All objects below a folder with the time of their last change, sorted by path.
    pub async fn list_dated(&self, folder: &StoreFolder) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
        let path = folder.path();
        let prefix = self.object_path(&path)?;
        let mut found: Vec<(String, DateTime<Utc>)> = Vec::new();
        let mut listing = self.handle.list(Some(&prefix));
        loop {
            match listing.try_next().await {
                Ok(Some(object)) => found.push((self.below_root(&object.location), object.last_modified)),
                Ok(None) => break,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(self.failed("list", &path, source)),
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Removes what killed writers left unfinished in a local folder and was not changed for `age`. With an age of zero
    /// nobody may be writing there. Gives the number of files.
    pub async fn sweep(&self, folder: &StoreFolder, age: Duration) -> Result<u64, StoreError> {
        let Some(root) = self.folder.clone() else { return Ok(0) };
        let folder = root.join(folder.path());
        blocking(move || local::sweep(&folder, age)).await
    }

    /// Makes sure that objects survive a power cut: on a local folder files and folders are brought to the disk;
    /// other stores promise it with every answer.
    pub async fn sync(&self, keys: &[StoreKey]) -> Result<(), StoreError> {
        fault::point().map_err(|source| self.failed("bring to the disk", "", source))?;
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let mut paths = Vec::with_capacity(keys.len());
        for key in keys {
            paths.extend(self.local_path(key)?);
        }
        blocking(move || local::sync_files(&folder, &paths)).await
    }

    fn attributes_of(&self, key: &StoreKey) -> Attributes {
        if !self.attributes {
            return Attributes::default();
        }
        let mut attributes = Attributes::from_iter([
            (Attribute::ContentType, key.media_type()),
            (Attribute::CacheControl, key.cache_control()),
        ]);
        if let Some(disposition) = key.content_disposition() {
            attributes.insert(Attribute::ContentDisposition, disposition.into());
        }
        attributes
    }

    /// The path for the client; refuses paths that leave the store or would be spelled differently in it.
    fn object_path(&self, path: &str) -> Result<ObjectPath, StoreError> {
        if path.is_empty() {
            return Ok(self.prefix.clone());
        }
        let invalid = || StoreError::InvalidPath { path: path.to_owned() };
        // The local store takes `name#1` for an unfinished upload, and URLs end at `#`.
        let outside = |part: &str| matches!(part, "." | "..") || (self.folder.is_some() && part.contains('#'));
        let plain =
            ObjectPath::parse(path).ok().filter(|parsed| parsed.as_ref() == path && !path.split('/').any(outside));
        let plain = plain.ok_or_else(invalid)?;
        if self.prefix.is_root() {
            return Ok(plain);
        }
        ObjectPath::parse(format!("{}/{plain}", self.prefix)).ok().ok_or_else(invalid)
    }

    fn below_root(&self, location: &ObjectPath) -> String {
        let location = location.as_ref();
        let below = location.strip_prefix(self.prefix.as_ref()).unwrap_or(location);
        below.trim_start_matches('/').to_owned()
    }

    fn place(&self, path: &str) -> String {
        let root = self.url();
        format!("{}/{path}", root.trim_end_matches('/'))
    }

    fn failed(&self, action: &'static str, path: &str, source: object_store::Error) -> StoreError {
        StoreError::Operation { action, place: self.place(path), source }
    }

    fn none_when_absent<T>(
        &self,
        action: &'static str,
        path: &str,
        result: object_store::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.failed(action, path, source)),
        }
    }
}

/// A file's bytes in chunks.
pub(crate) fn chunks(file: tokio::fs::File) -> impl Stream<Item = io::Result<Bytes>> + Send {
    futures::stream::try_unfold(file, |mut file| async move {
        let mut buffer = BytesMut::with_capacity(CHUNK_SIZE);
        let n = file.read_buf(&mut buffer).await?;
        Ok((n > 0).then(|| (buffer.freeze(), file)))
    })
}

/// Runs what waits for the disk where it holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(source) => Err(StoreError::Operation {
            action: "wait for the disk in",
            place: "a worker thread".to_owned(),
            source: object_store::Error::JoinError { source },
        }),
    }
}
