//! `catalog.jsonld`: all datasets for harvesters (DCAT-AP), put together from the `catalog.jsonld` of each current release.

use bytes::Bytes;
use serde_json::{Value, json};

use super::read::{Card, Facts, text};
use super::texts;
use super::words::Language;
use crate::id::{DatasetId, ReleaseId};
use crate::publish::PublishError;
use crate::publish::commit::json_bytes;
use crate::publish::metadata::{dcat_context, french};
use crate::store::{Store, StoreError, StoreKey};

/// Name of the file, at the top and in each release.
pub(super) const PATH: &str = "catalog.jsonld";

/// The catalogue; none as long as no release describes itself so.
pub(super) async fn catalogue(store: &Store, facts: &Facts, cards: &[Card]) -> Result<Option<Bytes>, PublishError> {
    let mut found: Vec<Value> = Vec::new();
    let mut names: Vec<(DatasetId, ReleaseId)> = cards.iter().filter_map(current).collect();
    names.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (dataset, release) in names {
        found.extend(of_release(store, dataset, release).await.map_err(super::failed(&facts.dataset))?);
    }
    let Some(first) = found.first() else { return Ok(None) };
    // Every homepage is the dataset's folder below the root.
    let homepage = text(&first["foaf:homepage"]["@id"]);
    let root = homepage.trim_end_matches('/').rsplit_once('/').map_or("", |(root, _)| root);
    let words = texts::of(Language::French);
    let word = |key: &str| words.get(key).copied().unwrap_or_default();
    let publisher = text(&first["dct:publisher"]["foaf:name"]["@value"]);
    let newest = found.iter().map(|each| &each["dct:modified"]).max_by_key(|time| text(&time["@value"]));
    let mut catalogue = json!({
        "@context": dcat_context(),
        "@id": format!("{root}/#catalogue"),
        "@type": "dcat:Catalog",
        "dct:title": french(&format!("{} – {publisher}", word("catalogue"))),
        "dct:description": french(word("catalogue_lead")),
        "dct:publisher": first["dct:publisher"],
        "dct:language": first["dct:language"],
        "foaf:homepage": { "@id": format!("{root}/"), "@type": "foaf:Document" },
        "dct:modified": newest,
    });
    if found.iter().all(|each| each["dct:license"] == first["dct:license"]) {
        catalogue["dct:license"] = first["dct:license"].clone();
    }
    let datasets = found.iter().flat_map(|each| each["dcat:dataset"].as_array().into_iter().flatten());
    catalogue["dcat:dataset"] = datasets.cloned().collect();
    Ok(Some(json_bytes(&catalogue)))
}

fn current(card: &Card) -> Option<(DatasetId, ReleaseId)> {
    Some((card.dataset.parse().ok()?, card.release.as_ref()?.parse().ok()?))
}

/// What a release says of itself; releases of the first versions say nothing.
async fn of_release(store: &Store, dataset: DatasetId, release: ReleaseId) -> Result<Option<Value>, StoreError> {
    let bytes = store.get(&StoreKey::ReleaseFile { dataset, release, path: PATH.to_owned() }).await?;
    let found: Option<Value> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(found.filter(|found| found["dcat:dataset"].is_array()))
}
