//! The official geography of each release, kept in the private store: without it nobody could tell later what changed
//! because of a new one.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use bytes::Bytes;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::error::RunError;
use super::private_failed;
use crate::id::Digest;
use crate::store::{Store, StoreKey};
use crate::territory::Seeds;

/// Keeps the files under their digest, once.
pub(super) async fn keep(private: &Store, seeds: &Seeds, digest: Digest) -> Result<(), RunError> {
    let key = StoreKey::Reference { digest };
    if private.exists(&key).await.map_err(private_failed)? {
        return Ok(());
    }
    let archive = pack(seeds)?;
    private.put(&key, archive).await.map_err(private_failed)?;
    private.sync(std::slice::from_ref(&key)).await.map_err(private_failed)
}

fn pack(seeds: &Seeds) -> Result<Bytes, RunError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| RunError::Reference { source };
    let files = seeds.files().map_err(|source| RunError::Territory(Box::new(source)))?;
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in files {
        archive.start_file(name, options).map_err(|error| failed(error.into()))?;
        archive.write_all(&bytes).map_err(|error| failed(error.into()))?;
    }
    let archive = archive.finish().map_err(|error| failed(error.into()))?;
    Ok(archive.into_inner().into())
}

/// Brings the files of a digest into a folder; none when they are not kept, or not as they were.
pub(super) async fn fetch(private: &Store, digest: Digest, folder: &Path) -> Result<Option<Seeds>, RunError> {
    let archive = private.get(&StoreKey::Reference { digest }).await.map_err(private_failed)?;
    let Some(archive) = archive else { return Ok(None) };
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| RunError::Reference { source };
    fs::create_dir_all(folder).map_err(|error| failed(error.into()))?;
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(|error| failed(error.into()))?;
    archive.extract(folder).map_err(|error| failed(error.into()))?;
    let seeds = Seeds::in_folder(folder.to_owned());
    let found = seeds.digest().map_err(|source| RunError::Territory(Box::new(source)))?;
    Ok((found == digest).then_some(seeds))
}
