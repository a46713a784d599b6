//! Files that should be those of a release: where everyone sees it, in `latest/`, and, of a withdrawn one, in the private
//! store.

use super::{Verified, failed};
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::publish::PublishError;
use crate::publish::withdraw::{NOTICE, Stores, private_key, public_key};
use crate::release::{LogEntry, Manifest};
use crate::store::{Store, StoreError, StoreFolder, StoreKey};

/// What is wrong with a file: a code and words.
type Wrong = Option<(&'static str, String)>;

/// Reads a file and holds it against the digest and size that it should have.
async fn read(
    store: &Store,
    key: &StoreKey,
    (digest, size): (Digest, u64),
    found: &mut Verified,
) -> Result<Wrong, StoreError> {
    let Some((read, bytes)) = store.digest_of(key).await? else {
        return Ok(Some(("file_missing", "the manifest lists it and it is not there".to_owned())));
    };
    (found.files, found.bytes) = (found.files + 1, found.bytes + bytes);
    if read != digest {
        return Ok(Some(("file_changed", format!("its SHA-256 is {read}, the manifest says {digest}"))));
    }
    Ok((bytes != size).then(|| ("size_differs", format!("it has {bytes} bytes, the manifest says {size}"))))
}

/// A manifest as it is stored, held against the log and its place; none when it cannot be read.
fn manifest_of(
    bytes: &[u8],
    dataset: &DatasetId,
    release: &ReleaseId,
    published: &LogEntry,
    place: &str,
    found: &mut Verified,
) -> Option<Manifest> {
    if published.manifest != Some(Digest::of(bytes)) {
        found.wrong("manifest_changed", place, "the manifest is not the one that the log names");
    }
    let manifest: Manifest = match serde_json::from_slice(bytes) {
        Ok(manifest) => manifest,
        Err(error) => {
            found.wrong("manifest_unreadable", place, error.to_string());
            return None;
        }
    };
    if manifest.release != *release || manifest.dataset != *dataset {
        let other = format!("it is that of {}@{}", manifest.dataset, manifest.release);
        found.wrong("manifest_of_another", place, other);
    }
    Some(manifest)
}

/// The files of a visible release: each is there with the size and digest that manifest and sums say, and no other is.
pub(in crate::publish) async fn files_of(
    store: &Store,
    dataset: &DatasetId,
    release: &ReleaseId,
    published: &LogEntry,
) -> Result<Verified, PublishError> {
    let fail = failed(dataset);
    let mut found = Verified { releases: 1, ..Verified::default() };
    let key = public_key(dataset, release, "manifest.json");
    let Some(bytes) = store.get(&key).await.map_err(&fail)? else {
        found.wrong("file_missing", key.path(), "the manifest is missing");
        return Ok(found);
    };
    let Some(manifest) = manifest_of(&bytes, dataset, release, published, &key.path(), &mut found) else {
        return Ok(found);
    };
    let expected = manifest.contents(&bytes);
    for (path, file) in &expected {
        let key = public_key(dataset, release, path);
        match read(store, &key, *file, &mut found).await.map_err(&fail)? {
            Some(("file_changed" | "size_differs", _)) if path == "SHA256SUMS" => {
                found.wrong("sums_differ", key.path(), "the sums and the manifest do not say the same");
            }
            Some((code, detail)) => found.wrong(code, key.path(), detail),
            None => {}
        }
    }
    let folder = StoreFolder::Release { dataset: dataset.clone(), release: release.clone() };
    let prefix = format!("{}/", folder.path());
    for (path, _) in store.list(&folder).await.map_err(&fail)? {
        let below = path.strip_prefix(&prefix).unwrap_or(&path);
        if below == NOTICE {
            found.stale(path.clone(), "the release is not withdrawn and the notice is still there");
        } else if !expected.contains_key(below) {
            found.wrong("file_unlisted", path.clone(), "the manifest does not list it");
        }
    }
    Ok(found)
}

/// The files of a withdrawn release, from which it can be restored. One that is still public is on its way.
pub(in crate::publish) async fn kept_of(
    stores: Stores<'_>,
    dataset: &DatasetId,
    release: &ReleaseId,
    published: &LogEntry,
) -> Result<Verified, PublishError> {
    let fail = failed(dataset);
    let mut found = Verified { releases: 1, ..Verified::default() };
    let place = |path: &str| format!("{} in the private store", private_key(dataset, release, path).path());
    let kept = stores.private.get(&private_key(dataset, release, "manifest.json")).await.map_err(&fail)?;
    let bytes = match kept {
        Some(kept) => Some(kept),
        None => stores.public.get(&public_key(dataset, release, "manifest.json")).await.map_err(&fail)?,
    };
    let Some(bytes) = bytes else {
        let said = "the manifest of the withdrawn release is missing: it cannot be restored";
        found.wrong("file_missing", place("manifest.json"), said);
        return Ok(found);
    };
    let manifest = manifest_of(&bytes, dataset, release, published, &place("manifest.json"), &mut found);
    let Some(manifest) = manifest else { return Ok(found) };
    for (path, file) in manifest.contents(&bytes) {
        let (kept, shown) = (private_key(dataset, release, &path), public_key(dataset, release, &path));
        let Some((code, detail)) = read(stores.private, &kept, file, &mut found).await.map_err(&fail)? else {
            continue;
        };
        let on_its_way = stores.public.digest_of(&shown).await.map_err(&fail)?.is_some_and(|shown| shown == file);
        if !on_its_way {
            found.wrong(code, place(&path), detail);
        }
    }
    Ok(found)
}

/// The files of `latest/`, when its manifest is that of the current release. A file that is another was not left so by a
/// killed command: these take the manifest away first and bring it last.
pub(super) async fn copies_of(store: &Store, dataset: &DatasetId, manifest: &[u8]) -> Result<Verified, PublishError> {
    let fail = failed(dataset);
    let mut found = Verified::default();
    let Ok(parsed) = serde_json::from_slice::<Manifest>(manifest) else { return Ok(found) };
    let expected = parsed.contents(manifest);
    let key = |path: &str| StoreKey::Latest { dataset: dataset.clone(), path: path.to_owned() };
    for (path, file) in &expected {
        if let Some((code, detail)) = read(store, &key(path), *file, &mut found).await.map_err(&fail)? {
            found.wrong(code, key(path).path(), format!("{detail}; the next run copies it again"));
        }
    }
    let folder = StoreFolder::Latest { dataset: dataset.clone() };
    let prefix = format!("{}/", folder.path());
    for (path, _) in store.list(&folder).await.map_err(&fail)? {
        if path.strip_prefix(&prefix).is_some_and(|below| !expected.contains_key(below)) {
            found.wrong("file_unlisted", path.clone(), "the release has no such file; the next run removes it");
        }
    }
    Ok(found)
}
