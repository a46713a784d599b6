//! What the pages are made of: published files of the current release, the log, and `releases.json`. Nothing else is
//! read, so that a page cannot tell what the release withholds.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::Value;

use super::editions::{self, Edition};
use super::feed;
use super::map::Layer;
use super::sheet::Sheet;
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::publish::PublishError;
use crate::publish::changes::SUMMARY;
use crate::publish::freshness::freshness;
use crate::release::{ChangeSummary, DatasetFreshness, FileRecord, LogEntry, Manifest, TableRecord, current};
use crate::store::{Store, StoreError, StoreFolder, StoreKey};

/// Rows of a table that is drawn as a figure, or of key figures.
const WHOLE: usize = 200;
/// A CSV up to this size is read whole and held against its digest; of a larger one the beginning is read.
const LARGE: u64 = 2 << 20;
/// A GeoJSON above this size is not drawn.
const TOO_LARGE: u64 = 64 << 20;

/// What is known of a dataset.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) dataset: DatasetId,
    pub(super) release: Option<Release>,
    pub(super) freshness: DatasetFreshness,
    /// All that were ever published, newest first.
    pub(super) editions: Vec<Edition>,
    /// What changed with each of the newest ones that are shown.
    pub(super) summaries: BTreeMap<String, ChangeSummary>,
}

/// The current release.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) manifest: Manifest,
    pub(super) package: Value,
    pub(super) gate: Value,
    /// In the order of the manifest.
    pub(super) tables: Vec<TableFacts>,
    pub(super) layers: Vec<Layer>,
}

/// A table with its first rows.
#[derive(Debug)]
pub(super) struct TableFacts {
    pub(super) record: TableRecord,
    pub(super) files: Vec<FileRecord>,
    pub(super) sheet: Sheet,
    /// The figure that is drawn of it.
    pub(super) figure: Option<String>,
    /// What a row is, in the words of the contract.
    pub(super) description: String,
}

/// A dataset in the catalogue.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Card {
    pub(super) dataset: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) publisher: String,
    pub(super) licence: String,
    pub(super) synthetic: bool,
    pub(super) release: Option<String>,
    pub(super) issued: String,
    pub(super) tables: usize,
}

fn failed(dataset: &DatasetId) -> impl Fn(StoreError) -> PublishError + '_ {
    move |source| PublishError::Store { dataset: dataset.clone(), source: Box::new(source) }
}

fn key_of(dataset: &DatasetId, release: &ReleaseId, path: &str) -> StoreKey {
    StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path: path.to_owned() }
}

/// Reads a whole file of the release, and holds it against its digest.
async fn file(store: &Store, manifest: &Manifest, file: &FileRecord) -> Result<Bytes, PublishError> {
    let dataset = &manifest.dataset;
    let bytes = store.get(&key_of(dataset, &manifest.release, &file.path)).await.map_err(failed(dataset))?;
    let intact = bytes.filter(|bytes| Digest::of(bytes) == file.sha256);
    intact.ok_or_else(|| PublishError::ReadBack { path: file.path.clone() })
}

async fn json(store: &Store, manifest: &Manifest, path: &str) -> Result<Value, PublishError> {
    let Some(record) = manifest.files.iter().find(|file| file.path == path) else { return Ok(Value::Null) };
    let bytes = file(store, manifest, record).await?;
    Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// The first rows of a CSV.
async fn sheet(store: &Store, manifest: &Manifest, record: &FileRecord, most: usize) -> Result<Sheet, PublishError> {
    if record.bytes <= LARGE {
        return Ok(Sheet::parse(&file(store, manifest, record).await?, most, true));
    }
    let dataset = &manifest.dataset;
    let key = key_of(dataset, &manifest.release, &record.path);
    let stream = store.get_stream(&key).await.map_err(failed(dataset))?;
    let mut stream = stream.ok_or_else(|| PublishError::ReadBack { path: record.path.clone() })?;
    let mut head = Vec::new();
    while u64::try_from(head.len()).unwrap_or(u64::MAX) < LARGE {
        match stream.try_next().await.map_err(failed(dataset))? {
            Some(chunk) => head.extend_from_slice(&chunk),
            None => return Ok(Sheet::parse(&head, most, true)),
        }
    }
    Ok(Sheet::parse(&head, most, false))
}

/// Reads what a release says of itself, without its tables. `digest` is that of its manifest.
pub(super) async fn outline(
    store: &Store,
    dataset: &DatasetId,
    id: &ReleaseId,
    digest: Option<Digest>,
) -> Result<Release, PublishError> {
    let key = StoreKey::Manifest { dataset: dataset.clone(), release: id.clone() };
    let bytes = store.get(&key).await.map_err(failed(dataset))?;
    let bytes = bytes.ok_or_else(|| PublishError::NoManifest { dataset: dataset.clone(), release: id.clone() })?;
    if digest != Some(Digest::of(&bytes)) {
        return Err(PublishError::ReadBack { path: "manifest.json".to_owned() });
    }
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|source| PublishError::Manifest {
        dataset: dataset.clone(),
        release: id.clone(),
        source,
    })?;
    let package = json(store, &manifest, "datapackage.json").await?;
    let gate = json(store, &manifest, "gate.json").await?;
    Ok(Release { manifest, package, gate, tables: Vec::new(), layers: Vec::new() })
}

/// What changed with a release, as `changes.json` counts it; none for the first.
pub(super) async fn summary(store: &Store, manifest: &Manifest) -> Result<Option<ChangeSummary>, PublishError> {
    let json = json(store, manifest, SUMMARY).await?;
    Ok(serde_json::from_value(json).ok())
}

/// Reads the current release.
async fn release(store: &Store, dataset: &DatasetId, entry: &LogEntry) -> Result<Option<Release>, PublishError> {
    let Some(id) = &entry.release else { return Ok(None) };
    let mut release = outline(store, dataset, id, entry.manifest).await?;
    let manifest = &release.manifest;
    for record in &manifest.tables {
        let found = table(store, manifest, &release.package, record).await?;
        if let Some(layer) = layer(store, manifest, record, &found.files).await? {
            release.layers.push(layer);
        }
        release.tables.push(found);
    }
    Ok(Some(release))
}

/// What `datapackage.json` says of a table.
fn described(package: &Value, table: &str) -> String {
    let mut resources = package["resources"].as_array().into_iter().flatten();
    resources
        .find(|resource| resource["name"] == table)
        .map(|resource| text(&resource["description"]))
        .unwrap_or_default()
}

async fn table(
    store: &Store,
    manifest: &Manifest,
    package: &Value,
    record: &TableRecord,
) -> Result<TableFacts, PublishError> {
    let prefix = format!("{}.", record.name);
    let mut files: Vec<FileRecord> =
        manifest.files.iter().filter(|file| file.path.starts_with(&prefix)).cloned().collect();
    let figure = files.iter().find(|file| file.path == format!("{prefix}svg")).map(|file| file.path.clone());
    files.retain(|file| !file.path.contains('/'));
    let csv = format!("{prefix}csv");
    let most = if figure.is_some() || record.name == super::KEY_FIGURES { WHOLE } else { super::PREVIEW };
    let sheet = match files.iter().find(|file| file.path == csv) {
        Some(file) => sheet(store, manifest, file, most).await?,
        None => Sheet::default(),
    };
    Ok(TableFacts { record: record.clone(), files, sheet, figure, description: described(package, &record.name) })
}

/// The places of a table, when its rows are points.
async fn layer(
    store: &Store,
    manifest: &Manifest,
    record: &TableRecord,
    files: &[FileRecord],
) -> Result<Option<Layer>, PublishError> {
    let has = |name: &str| record.columns.iter().any(|column| column.name == name);
    let path = format!("{}.geojson", record.name);
    let Some(found) = files.iter().find(|file| file.path == path) else { return Ok(None) };
    if !has("longitude") || !has("latitude") || found.bytes > TOO_LARGE {
        return Ok(None);
    }
    Ok(Layer::parse(&record.name, &record.title, &file(store, manifest, found).await?))
}

/// All that is known of a dataset.
pub(super) async fn facts(
    store: &Store,
    dataset: &DatasetId,
    entries: &[(u64, LogEntry)],
) -> Result<Facts, PublishError> {
    let release = match current(entries) {
        Some((_, entry)) => release(store, dataset, entry).await?,
        None => None,
    };
    let shown = release.as_ref().map(|release| release.manifest.release.clone());
    let mut editions = editions::all(entries, shown.as_ref());
    let mut summaries = BTreeMap::new();
    for edition in editions.iter_mut().filter(|edition| edition.is_shown()).take(feed::EVENTS) {
        let Ok(id) = edition.release.parse::<ReleaseId>() else { continue };
        let bytes = store.get(&key_of(dataset, &id, SUMMARY)).await.map_err(failed(dataset))?;
        if let Some(summary) = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            edition.changes = true;
            summaries.insert(edition.release.clone(), summary);
        }
    }
    let freshness = freshness(store, dataset).await?;
    Ok(Facts { dataset: dataset.clone(), release, freshness, editions, summaries })
}

/// The datasets of the store by title. Another dataset that cannot be read is told by its name alone: this one's pages do
/// not wait for it.
pub(super) async fn cards(store: &Store, own: &Facts) -> Result<Vec<Card>, PublishError> {
    let names = store.folders(&StoreFolder::Root).await.map_err(failed(&own.dataset))?;
    let mut cards = vec![match &own.release {
        Some(release) => card(&own.dataset, &release.manifest, &release.package),
        None => bare(&own.dataset),
    }];
    for dataset in names.iter().filter_map(|name| name.parse::<DatasetId>().ok()) {
        if dataset != own.dataset {
            cards.extend(other(store, &dataset).await);
        }
    }
    cards.sort_by(|a, b| (&a.title, &a.dataset).cmp(&(&b.title, &b.dataset)));
    Ok(cards)
}

/// What `releases.json` of another dataset leads to; none when the folder is no dataset.
async fn other(store: &Store, dataset: &DatasetId) -> Option<Card> {
    let bytes = store.get(&StoreKey::Releases { dataset: dataset.clone() }).await.ok()??;
    let releases: Value = serde_json::from_slice(&bytes).ok()?;
    let Some(release) = releases["latest"].as_str().and_then(|id| id.parse::<ReleaseId>().ok()) else {
        return Some(bare(dataset));
    };
    let manifest = store.get(&StoreKey::Manifest { dataset: dataset.clone(), release }).await.ok().flatten();
    let manifest: Option<Manifest> = manifest.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(manifest) = manifest else { return Some(bare(dataset)) };
    let package = json(store, &manifest, "datapackage.json").await.unwrap_or(Value::Null);
    Some(card(dataset, &manifest, &package))
}

fn bare(dataset: &DatasetId) -> Card {
    Card {
        dataset: dataset.to_string(),
        title: dataset.to_string(),
        description: String::new(),
        publisher: String::new(),
        licence: String::new(),
        synthetic: false,
        release: None,
        issued: String::new(),
        tables: 0,
    }
}

fn card(dataset: &DatasetId, manifest: &Manifest, package: &Value) -> Card {
    Card {
        dataset: dataset.to_string(),
        title: manifest.title.clone(),
        description: description(package),
        publisher: text(&package["contributors"][0]["title"]),
        licence: licence(manifest, package),
        synthetic: manifest.synthetic,
        release: Some(manifest.release.to_string()),
        issued: manifest.issued.clone(),
        tables: manifest.tables.len(),
    }
}

/// A text of a JSON document; empty when there is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The description without the sentence that the banner says.
pub(super) fn description(package: &Value) -> String {
    without_notice(&text(&package["description"]))
}

/// A text without the sentence that the banner says.
pub(super) fn without_notice(text: &str) -> String {
    text.strip_prefix(crate::publish::metadata::SYNTHETIC).unwrap_or(text).trim().to_owned()
}

/// The licence's title.
pub(super) fn licence(manifest: &Manifest, package: &Value) -> String {
    let title = text(&package["licenses"][0]["title"]);
    if title.is_empty() { manifest.licence.clone() } else { title }
}
