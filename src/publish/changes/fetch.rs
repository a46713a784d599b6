//! Files of a release brought to the local disk, their digests verified.

use std::collections::BTreeSet;
use std::path::Path;

use futures::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tracing::warn;

use crate::id::{Hasher, TableName};
use crate::publish::PublishError;
use crate::publish::format::Content;
use crate::release::Manifest;
use crate::store::{Store, StoreKey};

/// Copies a file of a release into a folder; says whether it is there with the bytes that the manifest tells.
pub async fn fetch_file(store: &Store, manifest: &Manifest, path: &str, folder: &Path) -> Result<bool, PublishError> {
    let Some(file) = manifest.files.iter().find(|file| file.path == path) else { return Ok(false) };
    let failed = |source| PublishError::Store { dataset: manifest.dataset.clone(), source: Box::new(source) };
    let target = folder.join(path);
    let local = |source| PublishError::Local { path: target.clone(), source };
    let (dataset, release) = (manifest.dataset.clone(), manifest.release.clone());
    let key = StoreKey::ReleaseFile { dataset, release, path: path.to_owned() };
    let Some(mut stream) = store.get_stream(&key).await.map_err(failed)? else { return Ok(false) };
    let mut copy = tokio::fs::File::create(&target).await.map_err(local)?;
    let mut hasher = Hasher::default();
    while let Some(bytes) = stream.try_next().await.map_err(failed)? {
        hasher.update(&bytes);
        copy.write_all(&bytes).await.map_err(local)?;
    }
    copy.flush().await.map_err(local)?;
    Ok(hasher.finish() == file.sha256)
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
