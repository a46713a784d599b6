//! Reading the parts of a snapshot. Who reads a part to its end knows that the bytes are those that were fetched.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek as _;
use std::io::Write as _;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;

use crate::id::Digest;
use crate::id::Hasher;
use crate::source::error::SourceError;
use crate::source::snapshot::Snapshot;
use crate::store::Store;
use crate::store::StoreError;

/// Bytes of a part as they arrive.
pub type PartStream = BoxStream<'static, Result<Bytes, SourceError>>;

/// The bytes of a part as they arrive. After the last ones comes an error when they are not those that were fetched.
pub async fn stream_part(store: &Store, snapshot: &Snapshot, name: &str) -> Result<PartStream, SourceError> {
    let part = snapshot.part(name)?;
    let stream = store.get_stream(&snapshot.key_of(part)).await.map_err(reading)?;
    let stream = stream.ok_or_else(|| snapshot.missing(part))?.map_err(reading);
    let start = (stream, Some(Expected::of(snapshot, name)?));
    let verified = futures::stream::try_unfold(start, |(mut stream, mut expected)| async move {
        match stream.try_next().await? {
            Some(bytes) => {
                if let Some(expected) = &mut expected {
                    expected.hasher.update(&bytes);
                }
                Ok(Some((bytes, (stream, expected))))
            }
            None => expected.take().map_or(Ok(()), Expected::verify).map(|()| None),
        }
    });
    Ok(verified.boxed())
}

/// A blocking reader over a part: over the file of a local store, else over a temporary copy.
///
/// Its last read fails when the bytes are not those that were fetched.
pub async fn open_part(store: &Store, snapshot: &Snapshot, name: &str) -> Result<PartReader, SourceError> {
    let part = snapshot.part(name)?;
    let path = store.local_path(&snapshot.key_of(part)).map_err(reading)?;
    let file = match path {
        Some(path) => match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(snapshot.missing(part)),
            Err(source) => return Err(SourceError::ReadFile { part: part.name.clone(), path, source }),
        },
        None => temporary_copy(&part.name, stream_part(store, snapshot, name).await?).await?,
    };
    Ok(PartReader { file, expected: Some(Expected::of(snapshot, name)?) })
}

async fn temporary_copy(part: &str, mut stream: PartStream) -> Result<File, SourceError> {
    let failed = |source| SourceError::TemporaryFile { part: part.to_owned(), source };
    let mut file = tempfile::tempfile().map_err(failed)?;
    while let Some(bytes) = stream.try_next().await? {
        file.write_all(&bytes).map_err(failed)?;
    }
    file.rewind().map_err(failed)?;
    Ok(file)
}

/// The bytes of a part; see [`open_part`].
#[derive(Debug)]
pub struct PartReader {
    file: File,
    /// Gone once the end was reached.
    expected: Option<Expected>,
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        if n == 0 && !buffer.is_empty() {
            self.expected.take().map_or(Ok(()), Expected::verify).map_err(io::Error::other)?;
        } else if let Some(expected) = &mut self.expected {
            expected.hasher.update(buffer.get(..n).unwrap_or_default());
        }
        Ok(n)
    }
}

/// What the bytes that pass by must come to.
#[derive(Debug)]
struct Expected {
    part: String,
    place: String,
    digest: Digest,
    hasher: Hasher,
}

impl Expected {
    fn of(snapshot: &Snapshot, name: &str) -> Result<Self, SourceError> {
        let part = snapshot.part(name)?;
        let place = snapshot.key_of(part).path();
        Ok(Self { part: name.to_owned(), place, digest: part.digest, hasher: Hasher::default() })
    }

    fn verify(self) -> Result<(), SourceError> {
        let found = self.hasher.finish();
        if found == self.digest {
            return Ok(());
        }
        Err(SourceError::DamagedPart { part: self.part, place: self.place, expected: self.digest, found })
    }
}

fn reading(source: StoreError) -> SourceError {
    SourceError::Store { action: "read a part of a snapshot", source: Box::new(source) }
}
