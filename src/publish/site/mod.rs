//! The site: a catalogue, a page for each dataset and one for each of its releases, in the public store itself. French, with
//! an English version beside it; nothing from another host, whole without script and when opened from a disk. Script adds to
//! them where the program has it. Beside the pages stands what others follow them by: Atom feeds, and the catalogue that
//! harvesters read.
//!
//! It is derived from the log, from published files, and from `releases.json`, and from nothing else. What is there and says
//! the same is not written again.

mod app;
mod changed;
mod console;
mod editions;
mod feed;
mod harvest;
mod jsonld;
mod map;
mod page;
mod quality;
mod read;
mod release;
mod sheet;
mod texts;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tracing::warn;

use self::read::Facts;
use self::release::{Leaf, Told};
use super::commit::{ATTEMPTS, log};
use super::error::PublishError;
use super::page::STYLE;
use super::words::{self, Language};
use crate::id::{DatasetId, ReleaseId};
use crate::release::LogEntry;
use crate::store::{Store, StoreError, StoreFolder, StoreKey};

/// The table whose rows are shown large.
const KEY_FIGURES: &str = "chiffres_cles";
/// Rows of a table that are shown.
const PREVIEW: usize = 5;
/// The drawn map.
const MAP: &str = "map.svg";
/// The style of all pages of the site, once in the whole store.
const CSS: &str = "site.css";
/// Pages of releases that are looked at at once.
const AT_ONCE: usize = 16;

fn failed(dataset: &DatasetId) -> impl Fn(StoreError) -> PublishError + '_ {
    move |source| PublishError::Store { dataset: dataset.clone(), source: Box::new(source) }
}

/// The pages of one dataset and of the catalogue, as they should be now; those of its releases are made one by one.
#[derive(Debug)]
struct Site {
    facts: Facts,
    /// Style and scripts, which pages name.
    assets: Vec<(StoreKey, Bytes)>,
    pages: Vec<(StoreKey, Bytes)>,
    catalogue: Vec<(StoreKey, Bytes)>,
    /// Whether the dataset is the first one of the catalogue.
    first: bool,
    /// What should not be there.
    gone: Vec<StoreKey>,
}

/// Paths of the scripts of this program, and of their style.
pub(super) fn assets() -> impl Iterator<Item = String> {
    app::files().map(|(key, _)| key.path())
}

fn own(dataset: &DatasetId, path: &str) -> StoreKey {
    StoreKey::DatasetPage { dataset: dataset.clone(), path: path.to_owned() }
}

fn top(path: &str) -> StoreKey {
    StoreKey::Page { path: path.to_owned() }
}

async fn site(store: &Store, dataset: &DatasetId, entries: &[(u64, LogEntry)]) -> Result<Site, PublishError> {
    let facts = read::facts(store, dataset, entries).await?;
    let cards = read::cards(store, &facts).await?;
    let (mut pages, mut gone) = (Vec::new(), Vec::new());
    match &facts.release {
        Some(release) if !release.layers.is_empty() => {
            let manifest = &release.manifest;
            let map = map::svg(&release.layers, &manifest.title, manifest.synthetic);
            pages.push((own(dataset, MAP), Bytes::from(map)));
        }
        _ => gone.push(own(dataset, MAP)),
    }
    let news = feed::of_dataset(&facts, entries)?;
    let harvested = harvest::catalogue(store, &facts, &cards).await?;
    let style = Bytes::from([STYLE, include_str!("../../../web/site/site.css")].concat());
    let assets = std::iter::once((top(CSS), style)).chain(app::files()).collect();
    let mut catalogue = vec![(top(feed::PATH), feed::of_all(store, &facts, &news, &cards).await?)];
    for language in Language::ALL {
        pages.push((own(dataset, language.page()), Bytes::from(page::dataset(language, &facts)?)));
        let console = own(dataset, console::path(language));
        match console::page(language, &facts)? {
            Some(page) => pages.push((console, Bytes::from(page))),
            None => gone.push(console),
        }
        let bytes = page::catalogue(language, &cards, harvested.is_some())?;
        catalogue.push((top(language.page()), Bytes::from(bytes)));
    }
    pages.push((own(dataset, feed::PATH), feed::written(&news)?));
    match harvested {
        Some(bytes) => catalogue.push((top(harvest::PATH), bytes)),
        None => gone.push(top(harvest::PATH)),
    }
    let first = cards.iter().map(|card| &card.dataset).min().is_none_or(|name| name == dataset.as_str());
    Ok(Site { facts, assets, pages, catalogue, first, gone })
}

/// Brings the pages of a dataset and the catalogue in line with what is published. A page of a release that says what it was
/// made from is taken at its word.
///
/// Two datasets that are published at once may each write a catalogue that lacks what is new of the other: the next run, or
/// `essaim catalog rebuild`, writes it whole.
pub(super) async fn refresh(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
) -> Result<(), PublishError> {
    bring(store, dataset, entries, false).await
}

/// The same, with every byte of the pages of all releases.
pub(super) async fn rebuild(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
) -> Result<(), PublishError> {
    bring(store, dataset, entries, true).await
}

async fn bring(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
    whole: bool,
) -> Result<(), PublishError> {
    let mut entries = Cow::Borrowed(entries);
    for _ in 0..ATTEMPTS {
        write(store, dataset, &entries, whole).await?;
        // Whoever wrote pages of an older log over those of a newer one begins again.
        let numbers = store.numbers(&StoreFolder::Log { dataset: dataset.clone() }).await.map_err(failed(dataset))?;
        if numbers.last() <= entries.last().map(|(number, _)| number) {
            return Ok(());
        }
        entries = Cow::Owned(log(store, dataset).await?);
    }
    Err(PublishError::Contended { dataset: dataset.clone(), attempts: ATTEMPTS })
}

async fn write(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
    whole: bool,
) -> Result<(), PublishError> {
    let fail = failed(dataset);
    let site = site(store, dataset, entries).await?;
    // One that cannot be written keeps no other from being right.
    let mut done = Ok(());
    for (key, bytes) in site.assets {
        done = done.and(put(store, &key, bytes).await.map_err(&fail));
    }
    for leaf in due(store, &site.facts, whole).await? {
        match leaf_pages(store, &site.facts, leaf).await {
            Ok(pages) => {
                for (key, bytes) in pages {
                    done = done.and(put(store, &key, bytes).await.map_err(&fail));
                }
            }
            Err(error) if whole => done = done.and(Err(error)),
            // A damaged file of an old release is no reason to fail whoever publishes another one.
            Err(error) => {
                let release = leaf.edition.release.as_str();
                warn!(release.id = release, error = %error, "The page of release {release} could not be made");
            }
        }
    }
    for (key, bytes) in site.pages.into_iter().chain(site.catalogue) {
        done = done.and(put(store, &key, bytes).await.map_err(&fail));
    }
    for key in &site.gone {
        done = done.and(remove(store, key).await.map_err(&fail));
    }
    done
}

/// The releases whose pages may not be as they should: all of them, when every byte counts.
async fn due<'a>(store: &Store, facts: &'a Facts, whole: bool) -> Result<Vec<Leaf<'a>>, PublishError> {
    let leaves = release::leaves(&facts.editions);
    if whole {
        return Ok(leaves);
    }
    let looked = leaves.iter().map(|leaf| {
        let recipe = leaf.recipe(facts);
        let keys = Language::ALL.map(|language| own(&facts.dataset, &leaf.path(language)));
        async move {
            for key in keys {
                let page = store.get(&key).await?;
                if !page.is_some_and(|page| Leaf::is_of(&page, recipe)) {
                    return Ok::<_, StoreError>(true);
                }
            }
            Ok(false)
        }
    });
    let looked: Vec<bool> = stream::iter(looked.collect::<Vec<_>>())
        .buffered(AT_ONCE)
        .try_collect()
        .await
        .map_err(failed(&facts.dataset))?;
    Ok(leaves.into_iter().zip(looked).filter_map(|(leaf, due)| due.then_some(leaf)).collect())
}

/// The pages of a release as they should be.
async fn leaf_pages(store: &Store, facts: &Facts, leaf: Leaf<'_>) -> Result<Vec<(StoreKey, Bytes)>, PublishError> {
    let edition = leaf.edition;
    let told = match edition.release.parse::<ReleaseId>() {
        Ok(id) if edition.is_shown() => {
            let release = read::outline(store, &facts.dataset, &id, edition.manifest).await?;
            let summary = read::summary(store, &release.manifest).await?;
            Some(Told { release, summary })
        }
        _ => None,
    };
    let page = |language: Language| {
        let bytes = release::page(language, facts, leaf, told.as_ref())?;
        Ok((own(&facts.dataset, &leaf.path(language)), Bytes::from(bytes)))
    };
    Language::ALL.into_iter().map(page).collect()
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
    let mut pages = Vec::new();
    for leaf in release::leaves(&site.facts.editions) {
        pages.extend(leaf_pages(store, &site.facts, leaf).await?);
    }
    pages.extend(site.pages);
    pages.extend(site.assets.into_iter().chain(site.catalogue).filter(|_| site.first));
    let mut stale = Vec::new();
    for (key, bytes) in pages {
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
