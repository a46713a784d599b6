//! Files of a release brought to the local disk, their digests verified.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use tracing::warn;

use crate::id::{Digest, Hasher, TableName};
use crate::publish::PublishError;
use crate::publish::format::Content;
use crate::release::Manifest;
use crate::store::{Store, StoreKey};

/// Copies a file of a release into a folder, unless it was brought there before; says whether it is there with the bytes
/// that the manifest tells.
pub async fn fetch_file(store: &Store, manifest: &Manifest, path: &str, folder: &Path) -> Result<bool, PublishError> {
    let Some(file) = manifest.files.iter().find(|file| file.path == path) else { return Ok(false) };
    let failed = |source| PublishError::Store { dataset: manifest.dataset.clone(), source: Box::new(source) };
    let (dataset, release) = (manifest.dataset.clone(), manifest.release.clone());
    let key = StoreKey::ReleaseFile { dataset, release, path: path.to_owned() };
    let target = folder.join(path);
    if digest_of(&target).await.is_some_and(|digest| digest == file.sha256) {
        return Ok(true);
    }
    let copied = store.get_file(&key, &target).await.map_err(failed)?;
    Ok(copied.is_some_and(|(digest, _)| digest == file.sha256))
}

/// Digest of a local file; none when there is none that can be read.
async fn digest_of(path: &Path) -> Option<Digest> {
    let path = path.to_owned();
    let read = move || {
        let mut hasher = Hasher::default();
        let mut file = File::open(path).ok()?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).ok()? {
                0 => return Some(hasher.finish()),
                n => hasher.update(buffer.get(..n)?),
            }
        }
    };
    tokio::task::spawn_blocking(read).await.ok()?
}

/// Copies the Parquet files of tables into a folder. Gives the tables whose file is missing or damaged.
pub async fn fetch_tables(
    store: &Store,
    manifest: &Manifest,
    tables: &[String],
    folder: &Path,
) -> Result<BTreeSet<String>, PublishError> {
    let mut unreadable = BTreeSet::new();
    for table in tables {
        let whole = match table.parse::<TableName>() {
            Ok(name) => fetch_file(store, manifest, &Content::Parquet.file_name(&name), folder).await?,
            Err(_) => false,
        };
        if !whole {
            let release = &manifest.release;
            warn!(table.name = %table, release.id = %release, "The Parquet file of `{table}` in release {release} is missing or damaged: its rows are not compared");
            unreadable.insert(table.clone());
        }
    }
    Ok(unreadable)
}
