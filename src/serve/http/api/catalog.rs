//! Datasets and releases.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Asked, Keep, Links, Named, ROOT, answer, known, named, release_path};
use crate::publish::freshness::freshness;
use crate::serve::error::ServeError;
use crate::serve::http::Site;
use crate::serve::published::{Dataset, Standing};

/// Where to begin.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Root {
    /// Version of the program.
    version: &'static str,
    /// What there is.
    #[schema(value_type = BTreeMap<String, String>)]
    links: Links,
}

/// All datasets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Datasets {
    /// Datasets, by name.
    datasets: Vec<DatasetSummary>,
}

/// A dataset in short.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DatasetSummary {
    /// Its name: lower-case letters, digits and `-`.
    dataset: String,
    /// Its title, in French.
    title: String,
    /// What it is about, in French.
    description: String,
    /// SPDX identifier of its licence.
    licence: String,
    /// Whether the answers in it were invented.
    synthetic: bool,
    /// Its current release; none when none is published.
    latest: Option<String>,
    /// When that was published, RFC 3339, UTC.
    issued: Option<String>,
    #[schema(value_type = BTreeMap<String, String>)]
    links: Links,
}

/// A dataset.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DatasetDetail {
    #[serde(flatten)]
    summary: DatasetSummary,
    /// Words to find it by.
    #[schema(value_type = Vec<String>)]
    keywords: serde_json::Value,
    /// Tables of the current release.
    tables: Vec<String>,
    /// How fresh it is, and each of its sources: last attempt, last success, last change, failures since.
    #[schema(value_type = Object)]
    freshness: serde_json::Value,
    /// Its releases, newest first.
    releases: Vec<ReleaseSummary>,
}

/// All releases of a dataset.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Releases {
    /// The dataset.
    dataset: String,
    /// Its releases, newest first.
    releases: Vec<ReleaseSummary>,
}

/// A release in short.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReleaseSummary {
    /// Its id: a date, with a count from the second of a day on.
    release: String,
    /// `current`, `published`, `withdrawn` or `erased`.
    status: &'static str,
    /// When it was published, RFC 3339, UTC; not told of what is gone.
    issued: Option<String>,
    /// Since when it is gone, RFC 3339, UTC.
    gone_at: Option<String>,
    /// Why it is gone.
    reason: Option<String>,
    /// The release in its place, after a record was erased from it.
    replaced_by: Option<String>,
    #[schema(value_type = BTreeMap<String, String>)]
    links: Links,
}

/// A file of a release.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct File {
    /// Path below the release.
    path: String,
    /// Address on this server.
    url: String,
    /// Media type.
    media_type: String,
    /// Size.
    bytes: u64,
    /// SHA-256.
    sha256: String,
    /// Rows, of a table.
    rows: Option<u64>,
}

/// A source of a release.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "as the manifest names it")]
pub(super) struct Source {
    /// Name in the pipeline.
    source: String,
    /// Title.
    title: String,
    /// SPDX identifier of its licence.
    licence: String,
    /// When it was fetched, RFC 3339, UTC.
    fetched_at: String,
}

/// A release.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReleaseDetail {
    /// The dataset.
    dataset: String,
    /// Its id.
    release: String,
    /// Whether it is the current one.
    current: bool,
    /// Title of the dataset, in French.
    title: String,
    /// When it was published, RFC 3339, UTC.
    issued: String,
    /// Version of its contract.
    version: String,
    /// SPDX identifier of its licence.
    licence: String,
    /// Whether the answers in it were invented.
    synthetic: bool,
    /// The release before.
    previous: Option<String>,
    /// Its tables.
    tables: Vec<String>,
    /// Its files.
    files: Vec<File>,
    /// What it was made from.
    sources: Vec<Source>,
    #[schema(value_type = BTreeMap<String, String>)]
    links: Links,
}

/// Where to begin
#[utoipa::path(get, path = "/api/v1", tag = "catalogue", responses((status = 200, body = Root)))]
pub(super) async fn root(headers: HeaderMap) -> Response {
    let links = [
        ("datasets", format!("{ROOT}/datasets")),
        ("description", "/api/openapi.json".to_owned()),
        ("site", "/".to_owned()),
    ];
    let root = Root { version: env!("CARGO_PKG_VERSION"), links: links.into() };
    answer(&root, None, Keep::Short, &headers)
}

/// All datasets
#[utoipa::path(get, path = "/api/v1/datasets", tag = "catalogue", responses((status = 200, body = Datasets)))]
pub(super) async fn datasets(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Response, ServeError> {
    let (mut datasets, mut keep) = (Vec::new(), Keep::Short);
    for dataset in site.published.datasets().await? {
        match summary(&site, &dataset).await {
            Ok(summary) => datasets.push(summary),
            // Why was logged where it was noticed; the others can be told of.
            Err(_) => keep = Keep::Not,
        }
    }
    Ok(answer(&Datasets { datasets }, None, keep, &headers))
}

/// A dataset: its current release, how fresh it is, all its releases
#[utoipa::path(
    get, path = "/api/v1/datasets/{dataset}", tag = "catalogue",
    params(("dataset" = String, Path, description = "Name of the dataset")),
    responses((status = 200, body = DatasetDetail), (status = 404, description = "There is no such dataset"))
)]
pub(super) async fn dataset(
    State(site): State<Arc<Site>>,
    parts: Named<String>,
    headers: HeaderMap,
) -> Result<Response, ServeError> {
    let dataset = known(&site, &named(parts)?).await?;
    let known = freshness(site.published.store(), &dataset.id).await;
    let known = known.map_err(|error| ServeError::unavailable(&error))?;
    let (mut tables, mut keywords) = (Vec::new(), serde_json::Value::Array(Vec::new()));
    if dataset.latest.is_some() {
        let asked = Asked::find(&site, dataset.id.as_str(), "latest").await?;
        tables = names(&asked);
        if let Some(found) = asked.document(&site, PACKAGE).await?.get("keywords") {
            keywords = found.clone();
        }
    }
    let detail = DatasetDetail {
        summary: summary(&site, &dataset).await?,
        keywords,
        tables,
        freshness: serde_json::to_value(&known).unwrap_or_default(),
        releases: summaries(&dataset),
    };
    Ok(answer(&detail, None, Keep::Short, &headers))
}

/// All releases of a dataset, those that are gone too, with the reason
#[utoipa::path(
    get, path = "/api/v1/datasets/{dataset}/releases", tag = "catalogue",
    params(("dataset" = String, Path, description = "Name of the dataset")),
    responses((status = 200, body = Releases), (status = 404, description = "There is no such dataset"))
)]
pub(super) async fn releases(
    State(site): State<Arc<Site>>,
    parts: Named<String>,
    headers: HeaderMap,
) -> Result<Response, ServeError> {
    let dataset = known(&site, &named(parts)?).await?;
    let releases = Releases { dataset: dataset.id.to_string(), releases: summaries(&dataset) };
    Ok(answer(&releases, Some(&dataset), Keep::Short, &headers))
}

/// A release: its files with their digests, its tables, its sources
#[utoipa::path(
    get, path = "/api/v1/datasets/{dataset}/releases/{release}", tag = "catalogue",
    params(
        ("dataset" = String, Path, description = "Name of the dataset"),
        ("release" = String, Path, description = "Id of the release, or `latest`")
    ),
    responses(
        (status = 200, body = ReleaseDetail),
        (status = 404, description = "There is no such release"),
        (status = 410, description = "It was withdrawn or rewritten; `reason` says why", content_type = "application/problem+json")
    )
)]
pub(super) async fn release(
    State(site): State<Arc<Site>>,
    parts: Named<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ServeError> {
    let (dataset, release) = named(parts)?;
    let asked = Asked::find(&site, &dataset, &release).await?;
    let manifest = &asked.contents.manifest;
    let known = |path: &str| manifest.files.iter().find(|file| file.path == path);
    let files = asked.contents.files.iter().map(|(path, (digest, bytes))| File {
        path: path.clone(),
        url: asked.file(path),
        media_type: crate::store::media_type_of(path).to_owned(),
        bytes: *bytes,
        sha256: digest.to_string(),
        rows: known(path).and_then(|file| file.rows),
    });
    let sources = manifest.sources.iter().map(|source| Source {
        source: source.source.clone(),
        title: source.title.clone(),
        licence: source.licence.clone(),
        fetched_at: source.fetched_at.clone(),
    });
    let links = [
        ("self", asked.path()),
        ("tables", format!("{}/tables", asked.path())),
        ("files", asked.file("")),
        ("manifest", asked.file("manifest.json")),
    ];
    let detail = ReleaseDetail {
        dataset: asked.dataset.id.to_string(),
        release: asked.release.id.to_string(),
        current: asked.dataset.latest.as_ref().is_some_and(|latest| latest.id == asked.release.id),
        title: manifest.title.clone(),
        issued: asked.release.issued.clone(),
        version: manifest.version.clone(),
        licence: manifest.licence.clone(),
        synthetic: manifest.synthetic,
        previous: manifest.previous.as_ref().map(ToString::to_string),
        tables: names(&asked),
        files: files.collect(),
        sources: sources.collect(),
        links: links.into(),
    };
    // Whether it is the current one may be otherwise tomorrow.
    Ok(answer(&detail, Some(&asked.dataset), Keep::Short, &headers))
}

/// The descriptor of a release, which has texts that the manifest has not.
pub(super) const PACKAGE: &str = "datapackage.json";

fn names(asked: &Asked) -> Vec<String> {
    asked.contents.manifest.tables.iter().map(|table| table.name.clone()).collect()
}

async fn summary(site: &Site, dataset: &Dataset) -> Result<DatasetSummary, ServeError> {
    let path = format!("{ROOT}/datasets/{}", dataset.id);
    let mut links: Links =
        [("self", path.clone()), ("releases", format!("{path}/releases")), ("page", format!("/{}/", dataset.id))]
            .into();
    let mut summary = DatasetSummary {
        dataset: dataset.id.to_string(),
        title: dataset.id.to_string(),
        description: String::new(),
        licence: String::new(),
        synthetic: false,
        latest: None,
        issued: None,
        links: Links::new(),
    };
    if dataset.latest.is_some() {
        let asked = Asked::find(site, dataset.id.as_str(), "latest").await?;
        let package = asked.document(site, PACKAGE).await?;
        let manifest = &asked.contents.manifest;
        summary.title.clone_from(&manifest.title);
        package["description"].as_str().unwrap_or_default().clone_into(&mut summary.description);
        summary.licence.clone_from(&manifest.licence);
        summary.synthetic = manifest.synthetic;
        summary.latest = Some(asked.release.id.to_string());
        summary.issued = Some(asked.release.issued.clone());
        links.insert("latest", format!("{path}/releases/latest"));
        links.insert("tables", format!("{path}/releases/latest/tables"));
    }
    summary.links = links;
    Ok(summary)
}

fn summaries(dataset: &Dataset) -> Vec<ReleaseSummary> {
    let current = dataset.latest.as_ref().map(|latest| &latest.id);
    let all = dataset.releases().into_iter().rev().map(|(id, standing)| match standing {
        Standing::Visible(release) => ReleaseSummary {
            release: id.to_string(),
            status: if current == Some(id) { "current" } else { "published" },
            issued: Some(release.issued.clone()),
            gone_at: None,
            reason: None,
            replaced_by: None,
            links: [("self", release_path(dataset, id)), ("files", format!("/{}/releases/{id}/", dataset.id))].into(),
        },
        Standing::Gone(gone) => ReleaseSummary {
            release: id.to_string(),
            status: if gone.replaced_by.is_some() { "erased" } else { "withdrawn" },
            issued: None,
            gone_at: Some(gone.at.clone()),
            reason: gone.reason.clone(),
            replaced_by: gone.replaced_by.as_ref().map(ToString::to_string),
            links: gone.replaced_by.iter().map(|new| ("replaced_by", release_path(dataset, new))).collect(),
        },
    });
    all.collect()
}
