//! The site: a catalogue and a page for each dataset, in the public store itself. French, with an English version beside
//! it; no script, nothing from another host, whole when opened from a disk.
//!
//! It is derived from the log, from published files of the current release and from `releases.json`, and from nothing
//! else. What is there and says the same is not written again.

mod jsonld;
mod map;
mod page;
mod quality;
mod read;
mod sheet;
mod texts;
mod words;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;

use self::words::Language;
use super::commit::{ATTEMPTS, log};
use super::error::PublishError;
use crate::id::DatasetId;
use crate::release::LogEntry;
use crate::store::{Store, StoreError, StoreFolder, StoreKey};

/// The table whose rows are shown large.
const KEY_FIGURES: &str = "chiffres_cles";
/// Rows of a table that are shown.
const PREVIEW: usize = 5;
/// The drawn map.
const MAP: &str = "map.svg";

fn failed(dataset: &DatasetId) -> impl Fn(StoreError) -> PublishError + '_ {
    move |source| PublishError::Store { dataset: dataset.clone(), source: Box::new(source) }
}

/// The pages of one dataset and of the catalogue, as they should be now.
#[derive(Debug)]
struct Site {
    pages: Vec<(StoreKey, Bytes)>,
    catalogue: Vec<(StoreKey, Bytes)>,
    /// Whether the dataset is the first one of the catalogue.
    first: bool,
    /// What should not be there.
    gone: Vec<StoreKey>,
}

async fn site(store: &Store, dataset: &DatasetId, entries: &[(u64, LogEntry)]) -> Result<Site, PublishError> {
    let facts = read::facts(store, dataset, entries).await?;
    let cards = read::cards(store, &facts).await?;
    let own = |path: &str| StoreKey::DatasetPage { dataset: dataset.clone(), path: path.to_owned() };
    let (mut pages, mut catalogue, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    match &facts.release {
        Some(release) if !release.layers.is_empty() => {
            let manifest = &release.manifest;
            pages.push((own(MAP), Bytes::from(map::svg(&release.layers, &manifest.title, manifest.synthetic))));
        }
        _ => gone.push(own(MAP)),
    }
    for language in Language::ALL {
        pages.push((own(language.page()), Bytes::from(page::dataset(language, &facts)?)));
        let key = StoreKey::Page { path: language.page().to_owned() };
        catalogue.push((key, Bytes::from(page::catalogue(language, &cards)?)));
    }
    let first = cards.iter().map(|card| &card.dataset).min().is_none_or(|name| name == dataset.as_str());
    Ok(Site { pages, catalogue, first, gone })
}

/// Brings the pages of a dataset and the catalogue in line with what is published.
///
/// Two datasets that are published at once may each write a catalogue that lacks what is new of the other: the next run, or
/// `essaim catalog rebuild`, writes it whole.
pub(super) async fn refresh(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
) -> Result<(), PublishError> {
    let mut entries = Cow::Borrowed(entries);
    for _ in 0..ATTEMPTS {
        write(store, dataset, &entries).await?;
        // Whoever wrote pages of an older log over those of a newer one begins again.
        let numbers = store.numbers(&StoreFolder::Log { dataset: dataset.clone() }).await.map_err(failed(dataset))?;
        if numbers.last() <= entries.last().map(|(number, _)| number) {
            return Ok(());
        }
        entries = Cow::Owned(log(store, dataset).await?);
    }
    Err(PublishError::Contended { dataset: dataset.clone(), attempts: ATTEMPTS })
}

async fn write(store: &Store, dataset: &DatasetId, entries: &[(u64, LogEntry)]) -> Result<(), PublishError> {
    let site = site(store, dataset, entries).await?;
    // One that cannot be written keeps no other from being right.
    let mut done = Ok(());
    for (key, bytes) in site.pages.into_iter().chain(site.catalogue) {
        done = done.and(put(store, &key, bytes).await);
    }
    for key in &site.gone {
        done = done.and(remove(store, key).await);
    }
    done.map_err(failed(dataset))
}

async fn put(store: &Store, key: &StoreKey, bytes: Bytes) -> Result<(), StoreError> {
    if store.get(key).await?.as_ref() == Some(&bytes) { Ok(()) } else { store.put(key, bytes).await }
}

async fn remove(store: &Store, key: &StoreKey) -> Result<(), StoreError> {
    if store.exists(key).await? { store.delete(key).await } else { Ok(()) }
}

/// Pages that are not as they should be. The catalogue is told of once, with the first of the datasets.
pub(super) async fn stale(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
) -> Result<Vec<String>, PublishError> {
    let fail = failed(dataset);
    let site = site(store, dataset, entries).await?;
    let mut stale = Vec::new();
    let catalogue = site.catalogue.into_iter().filter(|_| site.first);
    for (key, bytes) in site.pages.into_iter().chain(catalogue) {
        if store.get(&key).await.map_err(&fail)?.as_ref() != Some(&bytes) {
            stale.push(key.path());
        }
    }
    for key in &site.gone {
        if store.exists(key).await.map_err(&fail)? {
            stale.push(key.path());
        }
    }
    Ok(stale)
}
