//! Objects as a server hands them on: their size and age, and any part of their bytes.

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
        let head = self.handle.head(&self.object_path(&path)?).await;
        Ok(self.none_when_absent("look for", &path, head)?.as_ref().map(Object::from))
    }

    /// Opens an object for reading, all of it or some of its bytes, which must not end behind its own; `None` when there
    /// is none. What is replaced meanwhile is read to its end as it was, or ends in an error.
    pub async fn read(&self, key: &StoreKey, range: Option<Range<u64>>) -> Result<Option<Opened>, StoreError> {
        let path = key.path();
        let options = GetOptions { range: range.map(Into::into), ..Default::default() };
        let found = self.handle.get_opts(&self.object_path(&path)?, options).await;
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
            0 => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)),
            _ => Ok(Some((Bytes::from(piece), (file, at, end, false)))),
        }
    });
    let failed = move |source| StoreError::Disk { action: "read", path: path.clone(), source };
    pieces.map_err(failed).boxed()
}
