//! Streaming into a store while the digest is taken.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use bytes::BytesMut;
use object_store::Attributes;
use object_store::MultipartUpload;
use object_store::ObjectStore;
use object_store::PutMultipartOptions;
use object_store::PutOptions;
use object_store::path::Path as ObjectPath;
use tokio::task::JoinSet;

use crate::id::Digest;
use crate::id::Hasher;
use crate::store::error::StoreError;
use crate::store::fault;

/// Size of a part of an upload; all but the last must be equal, and 5 MiB at least.
const PART_SIZE: usize = 8 << 20;
/// Parts under way at the same time.
const PARALLEL_PARTS: usize = 4;

/// Takes bytes for one object; the object appears, whole, when [`StoreWriter::finish`] returns.
///
/// At most some tens of megabytes are held in memory. When `write` or `finish` fails, what was sent is removed. A writer that
/// is not wanted any more must be aborted: dropped, it leaves no object, but on S3 the parts that were sent stay until a
/// lifecycle rule of the bucket removes them.
///
/// Why not `object_store::buffered::BufWriter`: it leaves the parts on the server when one of them fails while it finishes.
pub struct StoreWriter {
    handle: Arc<dyn ObjectStore>,
    path: ObjectPath,
    attributes: Attributes,
    place: String,
    buffer: BytesMut,
    upload: Option<Box<dyn MultipartUpload>>,
    parts: JoinSet<object_store::Result<()>>,
    hasher: Hasher,
    size: u64,
}

impl fmt::Debug for StoreWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreWriter").field("place", &self.place).field("size", &self.size).finish_non_exhaustive()
    }
}

impl StoreWriter {
    pub(crate) fn new(handle: Arc<dyn ObjectStore>, path: ObjectPath, attributes: Attributes, place: String) -> Self {
        Self {
            handle,
            path,
            attributes,
            place,
            buffer: BytesMut::new(),
            upload: None,
            parts: JoinSet::new(),
            hasher: Hasher::default(),
            size: 0,
        }
    }

    /// Bytes taken so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.hasher.update(&bytes);
        self.size += bytes.len() as u64;
        self.buffer.extend_from_slice(&bytes);
        // More than one part stays buffered until more comes, so that the last part is never empty.
        while self.buffer.len() > PART_SIZE {
            let part = self.buffer.split_to(PART_SIZE).freeze();
            if let Err(source) = self.send_part(part).await {
                return Err(self.failed(source).await);
            }
        }
        Ok(())
    }

    /// Ends the object; gives the digest and the size of all that was written.
    pub async fn finish(mut self) -> Result<(Digest, u64), StoreError> {
        match self.complete().await {
            Ok(()) => Ok((self.hasher.finish(), self.size)),
            Err(source) => Err(self.failed(source).await),
        }
    }

    /// Gives up: no object appears, and what was sent of it is removed.
    pub async fn abort(mut self) {
        self.remove_parts().await;
    }

    async fn send_part(&mut self, part: Bytes) -> object_store::Result<()> {
        fault::point()?;
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let options = PutMultipartOptions { attributes: self.attributes.clone(), ..Default::default() };
                none.insert(self.handle.put_multipart_opts(&self.path, options).await?)
            }
        };
        while self.parts.len() >= PARALLEL_PARTS {
            join_one(&mut self.parts).await?;
        }
        self.parts.spawn(upload.put_part(part.into()));
        Ok(())
    }

    async fn complete(&mut self) -> object_store::Result<()> {
        fault::point()?;
        let rest = self.buffer.split().freeze();
        if self.upload.is_none() {
            let options = PutOptions { attributes: self.attributes.clone(), ..Default::default() };
            return self.handle.put_opts(&self.path, rest.into(), options).await.map(|_| ());
        }
        self.send_part(rest).await?;
        while !self.parts.is_empty() {
            join_one(&mut self.parts).await?;
        }
        fault::point()?;
        match &mut self.upload {
            Some(upload) => upload.complete().await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn failed(&mut self, source: object_store::Error) -> StoreError {
        self.remove_parts().await;
        StoreError::Operation { action: "write", place: self.place.clone(), source }
    }

    async fn remove_parts(&mut self) {
        self.parts.shutdown().await;
        if let Some(mut upload) = self.upload.take()
            && let Err(error) = upload.abort().await
        {
            let place = &self.place;
            tracing::warn!(place = %place, %error, "Could not remove the unfinished upload of `{place}`");
        }
    }
}

async fn join_one(parts: &mut JoinSet<object_store::Result<()>>) -> object_store::Result<()> {
    match parts.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(source)) => Err(object_store::Error::JoinError { source }),
        None => Ok(()),
    }
}
