//! A client that fails on purpose.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::CopyOptions;
use object_store::GetOptions;
use object_store::GetResult;
use object_store::ListResult;
use object_store::MultipartUpload;
use object_store::ObjectMeta;
use object_store::ObjectStore;
use object_store::PutMultipartOptions;
use object_store::PutOptions;
use object_store::PutPayload;
use object_store::PutResult;
use object_store::Result;
use object_store::path::Path;

/// What happens at a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutFault {
    /// It goes through.
    None,
    /// The object is written, and the answer is lost.
    AnswerLost,
    /// The object is written, and the client's own retry meets it.
    OwnRetryMeetsIt,
    /// Nothing is written, the connection breaks.
    Broken,
    /// Nothing is written, and the store says "already exists" (S3: 409 while another request is under way).
    FalseConflict,
    /// Nothing is written, for want of permission.
    Denied,
}

/// Plays the faults one after the other, one per put; then all goes through.
pub(crate) struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    puts: Mutex<VecDeque<PutFault>>,
}

impl FaultyStore {
    pub(crate) fn wrap(inner: Arc<dyn ObjectStore>, puts: &[PutFault]) -> Arc<dyn ObjectStore> {
        Arc::new(Self { inner, puts: Mutex::new(puts.iter().copied().collect()) })
    }

    fn next(&self) -> PutFault {
        self.puts.lock().unwrap().pop_front().unwrap_or(PutFault::None)
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

fn broken() -> object_store::Error {
    object_store::Error::Generic { store: "FaultyStore", source: "connection reset".into() }
}

fn exists(path: &Path) -> object_store::Error {
    object_store::Error::AlreadyExists { path: path.to_string(), source: "409 Conflict".into() }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        match self.next() {
            PutFault::None => self.inner.put_opts(location, payload, opts).await,
            PutFault::AnswerLost => {
                self.inner.put_opts(location, payload, opts).await?;
                Err(broken())
            }
            PutFault::OwnRetryMeetsIt => {
                self.inner.put_opts(location, payload, opts).await?;
                Err(exists(location))
            }
            PutFault::Broken => Err(broken()),
            PutFault::FalseConflict => Err(exists(location)),
            PutFault::Denied => {
                Err(object_store::Error::PermissionDenied { path: location.to_string(), source: "403".into() })
            }
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
