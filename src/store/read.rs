//! Objects as a server hands them on: their size and age, and any part of their bytes.

use std::io;
use std::io::SeekFrom;
use std::ops::Range;

use bytes::Bytes;
use chrono::DateTime;
use chrono::Utc;
use futures::StreamExt as _;
use futures::TryStreamExt as _;
use object_store::GetOptions;
use object_store::GetResultPayload;
use object_store::ObjectMeta;
use object_store::ObjectStoreExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncSeekExt as _;

use crate::store::ByteStream;
use crate::store::CHUNK_SIZE;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::StoreFolder;
use crate::store::StoreKey;

/// What a store says of an object without giving its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Size in bytes.
    pub size: u64,
    /// When it was last changed.
    pub modified: DateTime<Utc>,
    /// The store's own mark of this state of it, without quotes.
    pub tag: Option<String>,
}

/// An object that is being read.
pub struct Opened {
    /// What it was like when it was opened.
    pub object: Object,
    /// The bytes that were asked for, as they arrive.
    pub bytes: ByteStream,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("object", &self.object).finish_non_exhaustive()
    }
}

impl From<&ObjectMeta> for Object {
    fn from(meta: &ObjectMeta) -> Self {
        let tag = meta.e_tag.as_deref().map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned());
        Self { size: meta.size, modified: meta.last_modified, tag }
    }
}

impl Store {
    /// What an object is like, `None` when there is none.
    pub async fn look(&self, key: &StoreKey) -> Result<Option<Object>, StoreError> {
        let path = key.path();
        let head = absent_when_impossible(self.handle.head(&self.object_path(&path)?).await);
        Ok(self.none_when_absent("look for", &path, head)?.as_ref().map(Object::from))
    }

    /// Whether the store answers: its folder is there, or its bucket lists it.
    pub async fn answers(&self) -> Result<(), StoreError> {
        let Some(folder) = &self.folder else { return self.folders(&StoreFolder::Root).await.map(drop) };
        let listed = tokio::fs::read_dir(folder).await;
        listed.map(drop).map_err(|source| StoreError::Disk { action: "list", path: folder.clone(), source })
    }

    /// Opens an object for reading, all of it or some of its bytes, which must not end behind its own; `None` when there
    /// is none. What is replaced meanwhile is read to its end as it was, or ends in an error.
    pub async fn read(&self, key: &StoreKey, range: Option<Range<u64>>) -> Result<Option<Opened>, StoreError> {
        let path = key.path();
        let options = GetOptions { range: range.map(Into::into), ..Default::default() };
        let found = absent_when_impossible(self.handle.get_opts(&self.object_path(&path)?, options).await);
        let Some(found) = self.none_when_absent("read", &path, found)? else { return Ok(None) };
        let object = Object::from(&found.meta);
        let place = self.place(&path);
        let failed = move |source| StoreError::Operation { action: "read", place: place.clone(), source };
        let bytes = match found.payload {
            GetResultPayload::Stream(bytes) => bytes.map_err(failed).boxed(),
            GetResultPayload::File(file, path) => pieces(tokio::fs::File::from_std(file), found.range, path),
        };
        Ok(Some(Opened { object, bytes }))
    }
}

/// Strangers ask for names that a disk cannot have, or for what stands below a file: that is not there, too.
fn absent_when_impossible<T>(result: object_store::Result<T>) -> object_store::Result<T> {
    result.map_err(|error| match super::error::io_cause(&error).map(io::Error::kind) {
        Some(io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename) => {
            object_store::Error::NotFound { path: String::new(), source: Box::new(error) }
        }
        _ => error,
    })
}

/// A part of a file in large pieces: the client of the local disk gives small ones.
fn pieces(file: tokio::fs::File, range: Range<u64>, path: std::path::PathBuf) -> ByteStream {
    let state = (file, range.start, range.end, range.start > 0);
    let pieces = futures::stream::try_unfold(state, |(mut file, at, end, seek)| async move {
        if seek {
            file.seek(SeekFrom::Start(at)).await?;
        }
        let size = usize::try_from(end - at).unwrap_or(usize::MAX).min(CHUNK_SIZE);
        if size == 0 {
            return Ok(None);
        }
        let mut piece = bytes::BytesMut::zeroed(size);
        let n = file.read(&mut piece).await?;
        piece.truncate(n);
        let at = at + n as u64;
        match n {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => Ok(Some((Bytes::from(piece), (file, at, end, false)))),
        }
    });
    let failed = move |source| StoreError::Disk { action: "read", path: path.clone(), source };
    pieces.map_err(failed).boxed()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::BytesMut;

    use super::*;
    use crate::store::s3::BUCKET;
    use crate::store::s3::S3Server;

    fn page(path: &str) -> StoreKey {
        StoreKey::Page { path: path.to_owned() }
    }

    async fn bytes(store: &Store, key: &StoreKey, range: Option<Range<u64>>) -> Vec<u8> {
        let opened = store.read(key, range).await.unwrap().unwrap();
        let all = opened.bytes.try_fold(BytesMut::new(), async |mut all, piece| {
            all.extend_from_slice(&piece);
            Ok(all)
        });
        all.await.unwrap().to_vec()
    }

    async fn is_read_whole_and_in_parts(store: &Store) {
        let (key, text) = (page("folder/a.txt"), b"0123456789".repeat(60_000));
        store.put(&key, text.clone().into()).await.unwrap();
        let seen = store.look(&key).await.unwrap().unwrap();
        assert_eq!(seen.size, text.len() as u64);
        assert!(seen.tag.as_ref().is_some_and(|tag| !tag.contains('"')));
        assert_eq!(store.read(&key, None).await.unwrap().unwrap().object, seen);
        assert_eq!(store.read(&key, Some(3..5)).await.unwrap().unwrap().object, seen);
        assert!(bytes(store, &key, None).await == text);
        assert_eq!(bytes(store, &key, Some(3..7)).await, b"3456");
        assert!(bytes(store, &key, Some(5..590_000)).await == text[5..590_000]);
        store.put(&key, Bytes::from_static(b"other")).await.unwrap();
        assert_ne!(store.look(&key).await.unwrap().unwrap(), seen, "another state has another mark");
        are_not_there(store, &[page("folder/b.txt"), page("nowhere/a.txt")]).await;
    }

    async fn are_not_there(store: &Store, keys: &[StoreKey]) {
        for absent in keys {
            assert_eq!(store.look(absent).await.unwrap(), None, "{absent:?}");
            assert!(store.read(absent, None).await.unwrap().is_none(), "{absent:?}");
        }
    }

    #[tokio::test]
    async fn objects_of_a_folder_are_read_whole_and_in_parts() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().display().to_string(), folder.path(), &BTreeMap::new()).unwrap();
        is_read_whole_and_in_parts(&store).await;
        // Names that a disk takes in another way than an object store.
        are_not_there(&store, &[page("folder"), page("folder/a.txt/b"), page(&"long".repeat(200))]).await;
    }

    #[tokio::test]
    async fn objects_in_memory_are_read_whole_and_in_parts() {
        let store = Store::open("memory://read", std::path::Path::new("."), &BTreeMap::new()).unwrap();
        is_read_whole_and_in_parts(&store).await;
    }

    #[tokio::test]
    async fn objects_of_a_bucket_are_read_whole_and_in_parts_and_reading_writes_nothing() {
        let server = S3Server::start();
        let env = server.env().map(|(name, value)| (name.to_owned(), value)).into();
        let store = Store::open(&format!("s3://{BUCKET}/public"), std::path::Path::new("."), &env).unwrap();
        is_read_whole_and_in_parts(&store).await;
        let written = server.writes();
        assert_eq!(written, 2);
        bytes(&store, &page("folder/a.txt"), None).await;
        assert_eq!(server.writes(), written);
    }
}
