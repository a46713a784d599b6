//! Where connectors put their parts: the private store.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::Seek as _;
use std::io::Write as _;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;

use crate::id::Hasher;
use crate::id::SourceId;
use crate::source::PartInfo;
use crate::source::PartSink;
use crate::source::Transfer;
use crate::source::Validators;
use crate::source::error::SourceError;
use crate::source::snapshot::Snapshot;
use crate::source::snapshot::SnapshotPart;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::StoreKey;

/// Keeps each part in a temporary file while its digest, and with it its name in the store, is not known.
#[derive(Debug)]
pub(super) struct StoreSink<'a> {
    store: &'a Store,
    source: &'a SourceId,
    now: &'a str,
    /// The parts of the last snapshot whose bytes are still there.
    last: BTreeMap<&'a str, &'a SnapshotPart>,
    current: Option<Current>,
    parts: Vec<SnapshotPart>,
    transfers: Vec<Transfer>,
    /// Attempts that failed since the last part came, and since when.
    failed: u32,
    since: Instant,
}

#[derive(Debug)]
struct Current {
    info: PartInfo,
    file: File,
    hasher: Hasher,
    size: u64,
}

impl<'a> StoreSink<'a> {
    pub(super) async fn new(
        store: &'a Store,
        source: &'a SourceId,
        last: Option<&'a Snapshot>,
        now: &'a str,
    ) -> Result<Self, SourceError> {
        let mut still_there = BTreeMap::new();
        for (snapshot, part) in last.iter().flat_map(|last| last.parts.iter().map(move |part| (last, part))) {
            if store.exists(&snapshot.key_of(part)).await.map_err(storing)? {
                still_there.insert(part.name.as_str(), part);
            }
        }
        Ok(Self {
            store,
            source,
            now,
            last: still_there,
            current: None,
            parts: Vec::new(),
            transfers: Vec::new(),
            failed: 0,
            since: Instant::now(),
        })
    }

    /// The parts in the order in which they came, and how they came. One that was never finished is dropped.
    pub(super) fn into_parts(self) -> (Vec<SnapshotPart>, Vec<Transfer>) {
        (self.parts, self.transfers)
    }

    fn came(&mut self, part: &str, url: &str, status: Option<u16>, bytes: u64) {
        let duration_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (part, url) = (part.to_owned(), url.to_owned());
        self.transfers.push(Transfer { part, url, status, bytes, attempts: self.failed + 1, duration_ms });
        (self.failed, self.since) = (0, Instant::now());
    }

    fn push(&mut self, part: SnapshotPart) -> Result<(), SourceError> {
        if self.parts.iter().any(|other| other.name == part.name) {
            return Err(SourceError::DuplicatePart { part: part.name });
        }
        self.parts.push(part);
        Ok(())
    }
}

#[async_trait]
impl PartSink for StoreSink<'_> {
    fn known(&self, name: &str, url: &str) -> Option<Validators> {
        let part = self.last.get(name).filter(|part| part.url == url)?;
        let validators = Validators { etag: part.etag.clone(), last_modified: part.last_modified.clone() };
        Some(validators).filter(|validators| !validators.is_empty())
    }

    async fn begin(&mut self, part: PartInfo) -> Result<(), SourceError> {
        // The file has no name: it is gone whatever happens to us.
        let file = tempfile::tempfile().map_err(temporary(&part.name))?;
        self.current = Some(Current { info: part, file, hasher: Hasher::default(), size: 0 });
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), SourceError> {
        let Some(current) = &mut self.current else {
            return Err(SourceError::OutsidePart { source_id: self.source.clone() });
        };
        current.hasher.update(&bytes);
        current.size += bytes.len() as u64;
        current.file.write_all(&bytes).map_err(temporary(&current.info.name))
    }

    async fn finish(&mut self) -> Result<(), SourceError> {
        let Some(Current { info, mut file, hasher, size }) = self.current.take() else {
            return Err(SourceError::OutsidePart { source_id: self.source.clone() });
        };
        let digest = hasher.finish();
        self.came(&info.name, &info.url, info.status, size);
        // Only what an index names is known to be whole: a part left by a run that was killed is written again.
        if !self.last.values().any(|part| part.digest == digest) {
            file.rewind().map_err(temporary(&info.name))?;
            let key = StoreKey::SnapshotPart { source: self.source.clone(), digest };
            self.store.put_open_file(&key, file).await.map_err(storing)?;
        }
        self.push(SnapshotPart {
            name: info.name,
            url: info.url,
            final_url: info.final_url,
            status: info.status,
            etag: info.validators.etag,
            last_modified: info.validators.last_modified,
            content_type: info.content_type,
            digest,
            bytes: size,
            fetched_at: self.now.to_owned(),
        })
    }

    async fn unchanged(&mut self, name: &str) -> Result<(), SourceError> {
        self.current = None;
        match self.last.get(name).copied() {
            Some(part) => {
                self.came(name, &part.url, Some(304), 0);
                self.push(part.clone())
            }
            None => Err(SourceError::OutsidePart { source_id: self.source.clone() }),
        }
    }

    fn again(&mut self, _name: &str) {
        self.failed += 1;
    }
}

fn temporary(part: &str) -> impl Fn(io::Error) -> SourceError {
    let part = part.to_owned();
    move |source| SourceError::TemporaryFile { part: part.clone(), source }
}

fn storing(source: StoreError) -> SourceError {
    SourceError::Store { action: "store a part of a snapshot", source: Box::new(source) }
}
