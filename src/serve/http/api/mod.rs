//! The API: datasets, releases, tables and their rows, as JSON, and rows as CSV and GeoJSON too. Read-only, without keys; the
//! description for programs is made from the code ([`openapi`]).

mod catalog;
mod form;
mod openapi;
mod query;
mod rows;
mod tables;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Site;
use super::condition::{Mark, Verdict, judge};
use super::resource::{dated, http_date, value};
use crate::id::{Digest, ReleaseId};
use crate::serve::error::ServeError;
use crate::serve::published::{Contents, Dataset, Release, patient};
use crate::store::StoreKey;

/// Where the API begins.
const ROOT: &str = "/api/v1";

/// Links from one thing to what belongs to it: what it is, and its path.
type Links = BTreeMap<&'static str, String>;

pub(super) use rows::KeptRows;

/// The routes of the API.
pub(super) fn routes() -> Router<Arc<Site>> {
    let release = "/api/v1/datasets/{dataset}/releases/{release}";
    let rows = |ending: &str| format!("{release}/tables/{{table}}/rows{ending}");
    Router::new()
        .route("/api/openapi.json", get(openapi::document))
        .route(ROOT, get(catalog::root))
        .route("/api/v1/datasets", get(catalog::datasets))
        .route("/api/v1/datasets/{dataset}", get(catalog::dataset))
        .route("/api/v1/datasets/{dataset}/releases", get(catalog::releases))
        .route(release, get(catalog::release))
        .route(&format!("{release}/tables"), get(tables::tables))
        .route(&format!("{release}/tables/{{table}}"), get(tables::table))
        .route(&rows(""), get(rows::negotiated))
        .route(&rows(".json"), get(rows::json))
        .route(&rows(".csv"), get(rows::csv))
        .route(&rows(".geojson"), get(rows::geojson))
        .route("/api/{*rest}", get(nothing))
}

async fn nothing() -> ServeError {
    ServeError::NotFound {
        detail: "the API has no such path; /api/openapi.json lists all".to_owned(),
        suggestion: Some(ROOT.to_owned()),
    }
}

/// A release that somebody asks the API about.
struct Asked {
    dataset: Arc<Dataset>,
    release: Arc<Release>,
    contents: Arc<Contents>,
    /// Whether it was asked for as `latest`: another one may be that tomorrow.
    floating: bool,
}

impl Asked {
    /// Looks a dataset up by its name, and a release by its id or as `latest`.
    async fn find(site: &Site, dataset: &str, release: &str) -> Result<Self, ServeError> {
        let dataset = known(site, dataset).await?;
        let floating = release == "latest";
        let id: Option<ReleaseId> = if floating { None } else { Some(release_id(&dataset, release)?) };
        let release = Arc::clone(dataset.release(id.as_ref())?);
        let contents = site.published.contents(&dataset.id, &release).await?;
        Ok(Self { dataset, release, contents, floating })
    }

    /// Path of the release in the API, by its id.
    fn path(&self) -> String {
        release_path(&self.dataset, &self.release.id)
    }

    /// Path of a file of the release.
    fn file(&self, path: &str) -> String {
        format!("/{}/releases/{}/{path}", self.dataset.id, self.release.id)
    }

    /// How long others may keep what is said of it.
    fn keep(&self) -> Keep {
        if self.floating { Keep::Short } else { Keep::Day }
    }

    /// A JSON document of the release; null when it has no such file.
    async fn document(&self, site: &Site, path: &str) -> Result<Arc<serde_json::Value>, ServeError> {
        let key = StoreKey::ReleaseFile {
            dataset: self.dataset.id.clone(),
            release: self.release.id.clone(),
            path: path.to_owned(),
        };
        let Some((digest, length)) = self.contents.files.get(path).copied() else { return Ok(Arc::default()) };
        let place = digest.to_string();
        if let Some(kept) = site.documents.get(&place) {
            return Ok(kept);
        }
        let bytes = patient(site.published.store().get(&key)).await?;
        let intact = bytes.filter(|bytes| Digest::of(bytes) == digest);
        let parsed = intact.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(parsed) = parsed else {
            tracing::error!(path = %key.path(), "`{}` is not what its manifest says", key.path());
            return Err(ServeError::Unavailable);
        };
        let document = Arc::new(parsed);
        // A document in memory takes some times the bytes of its text.
        site.documents.put(&place, &document, usize::try_from(length).unwrap_or(usize::MAX).saturating_mul(4));
        Ok(document)
    }
}

fn release_path(dataset: &Dataset, release: &ReleaseId) -> String {
    format!("{ROOT}/datasets/{}/releases/{release}", dataset.id)
}

/// A dataset by its name.
async fn known(site: &Site, name: &str) -> Result<Arc<Dataset>, ServeError> {
    let id = name.parse().ok().ok_or_else(|| ServeError::not_found("no dataset has such a name"))?;
    site.published.dataset(&id).await
}

fn release_id(dataset: &Dataset, text: &str) -> Result<ReleaseId, ServeError> {
    text.parse().ok().ok_or_else(|| ServeError::NotFound {
        detail: format!("`{}` has no such release: write its date, such as 2026-11-22, or `latest`", dataset.id),
        suggestion: dataset.latest.as_ref().map(|latest| latest.id.to_string()),
    })
}

/// The parts of a path that a route names.
type Named<T> = Result<axum::extract::Path<T>, PathRejection>;

fn named<T>(parts: Named<T>) -> Result<T, ServeError> {
    parts.ok().map(|parts| parts.0).ok_or_else(|| ServeError::not_found("the path is no text"))
}

/// How long others may keep an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// It is about a release, which stays as it is.
    Day,
    /// It is about what may be published next.
    Short,
    /// It is not whole, because a part of it cannot be read just now.
    Not,
}

impl Keep {
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Day => "public, max-age=86400",
            Self::Short => "public, max-age=60, must-revalidate",
            Self::Not => "no-store",
        })
    }
}

/// A JSON answer, or that the client has it.
fn answer(value: &impl Serialize, dataset: Option<&Dataset>, keep: Keep, headers: &HeaderMap) -> Response {
    let mut body = serde_json::to_vec(value).unwrap_or_default();
    body.push(b'\n');
    let body = Bytes::from(body);
    let tag = format!("\"{}\"", Digest::of(&body));
    let modified = dataset.and_then(|dataset| dated(dataset.modified));
    tagged(&tag, modified, keep, headers, || (HeaderValue::from_static("application/json"), body))
}

/// An answer that is known by a tag, or that the client has it.
fn tagged(
    tag: &str,
    modified: Option<DateTime<Utc>>,
    keep: Keep,
    headers: &HeaderMap,
    body: impl FnOnce() -> (HeaderValue, Bytes),
) -> Response {
    let mut response = match judge(headers, Mark { tag, modified }) {
        Verdict::Failed => return ServeError::Precondition.into_response(),
        Verdict::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Verdict::Send => {
            let (media_type, bytes) = body();
            let mut response = Response::new(Body::from(bytes));
            response.headers_mut().insert(header::CONTENT_TYPE, media_type);
            response
        }
    };
    let set = response.headers_mut();
    set.insert(header::ETAG, value(tag));
    set.insert(header::CACHE_CONTROL, keep.header());
    if let Some(modified) = modified {
        set.insert(header::LAST_MODIFIED, value(&http_date(modified)));
    }
    response
}
