//! The site and every published file: whole or in part, as it is or compressed, and only what the log shows.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::Site;
use super::condition::{Verdict, judge, names, range_counts};
use super::encoding::takes_gzip;
use super::pages;
use super::path::{Wanted, wanted};
use super::range::{Part, part};
use super::resource::{Facts, Form, Resource, Shared, value};
use super::told::{Class, Told};
use crate::id::{DatasetId, ReleaseId};
use crate::serve::error::ServeError;
use crate::serve::published::{FRESH, PATIENCE, SOON, STALE, patient_for};
use crate::store::{Object, StoreKey, media_type_of};

/// What a path leads to.
enum Found {
    /// A file.
    File(Shared, Class),
    /// Another address, relative to the one that was asked for.
    Moved(StatusCode, String),
    /// A page that the server makes.
    Page(Response),
}

/// Answers a request for a file.
pub(super) async fn serve(State(site): State<Arc<Site>>, request: Request) -> Response {
    let (method, headers) = (request.method(), request.headers());
    if method != Method::GET && method != Method::HEAD {
        return pages::refusal(ServeError::Method { allow: "GET, HEAD, OPTIONS" }, headers);
    }
    let path = request.uri().path();
    let answer = match found(&site, path, method, headers).await {
        // What was replaced meanwhile is looked for once more.
        Ok(None) => found(&site, path, method, headers).await,
        answer => answer,
    };
    match answer {
        Ok(Some(response)) => response,
        Ok(None) => pages::refusal(ServeError::Unavailable, headers),
        Err(error) => pages::refusal(error, headers),
    }
}

/// The answer; nothing when the file was replaced between the look at it and the reading.
async fn found(site: &Site, path: &str, method: &Method, headers: &HeaderMap) -> Result<Option<Response>, ServeError> {
    match find(site, path).await? {
        Found::File(resource, class) => answer(site, &resource, class, method, headers).await,
        Found::Moved(status, to) => Ok(Some(moved(status, &to))),
        Found::Page(response) => Ok(Some(response)),
    }
}

fn moved(status: StatusCode, to: &str) -> Response {
    let mut response = status.into_response();
    response.headers_mut().insert(header::LOCATION, value(to));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.extensions_mut().insert(Told { class: Class::Page, path: None });
    response
}

fn nothing() -> ServeError {
    ServeError::not_found("nothing is published at this address")
}

async fn find(site: &Site, raw: &str) -> Result<Found, ServeError> {
    match wanted(raw).ok_or_else(nothing)? {
        Wanted::Page { path } => page(site, raw, &path, |path| StoreKey::Page { path }).await,
        Wanted::DatasetPage { dataset, path } => {
            let key = |path| StoreKey::DatasetPage { dataset: dataset.clone(), path };
            page(site, raw, &path, key).await
        }
        Wanted::LogEntry { dataset, n } => {
            let known = site.published.dataset(&dataset).await?;
            if n == 0 || n > known.version() {
                return Err(nothing());
            }
            let found = derived(site, StoreKey::LogEntry { dataset, n }).await?;
            found.map(|file| Found::File(file, Class::Log)).ok_or_else(nothing)
        }
        Wanted::ReleaseFile { dataset, release: Some(release), path } => {
            released(site, raw, &dataset, &release, &path).await
        }
        Wanted::ReleaseFile { dataset, release: None, path } => latest(site, &dataset, &path).await,
    }
}

/// A page or file that is derived from the log; of a folder its index.
async fn page(
    site: &Site,
    raw: &str,
    path: &str,
    key: impl Fn(String) -> StoreKey + Send + Sync,
) -> Result<Found, ServeError> {
    let index = |folder: &str| key(format!("{folder}index.html"));
    if path.is_empty() || path.ends_with('/') {
        let found = derived(site, index(path)).await?;
        return found.map(|file| Found::File(file, Class::Page)).ok_or_else(nothing);
    }
    if let Some(file) = derived(site, key(path.to_owned())).await? {
        let class = if media_type_of(path).starts_with("text/html") { Class::Page } else { Class::File };
        return Ok(Found::File(file, class));
    }
    let name = raw.rsplit('/').next().unwrap_or(raw);
    if !name.contains('.') && derived(site, index(&format!("{path}/"))).await?.is_some() {
        return Ok(Found::Moved(StatusCode::PERMANENT_REDIRECT, format!("{name}/")));
    }
    Err(nothing())
}

/// A file whose bytes may be replaced: it is held against the store when that was not done within [`FRESH`]. When the store
/// does not answer, what is in memory is served as long as what the log last said is.
async fn derived(site: &Site, key: StoreKey) -> Result<Option<Shared>, ServeError> {
    let path = key.path();
    let kept = site.kept.get(&path);
    let now = site.now();
    let age = |at: u64| if at == 0 { Duration::MAX } else { Duration::from_millis(now.saturating_sub(at)) };
    if let Some(kept) = &kept {
        let tried = kept.tried.load(Ordering::Acquire);
        // One request asks the store; the others that come meanwhile take what is known.
        let mine = || kept.tried.compare_exchange(tried, now, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if age(kept.checked.load(Ordering::Acquire)) < STALE && (age(tried) < FRESH || !mine()) {
            return Ok(Some(Arc::clone(kept)));
        }
    }
    let usable = kept.clone().filter(|kept| age(kept.checked.load(Ordering::Acquire)) < STALE);
    let store = site.published.store();
    let looked = async {
        let time = if usable.is_some() { SOON } else { PATIENCE };
        let Some(object) = patient_for(time, store.look(&key)).await? else { return Ok(None) };
        if let Some(kept) = kept
            && kept.facts.object == object
        {
            kept.checked.store(now, Ordering::Release);
            return Ok(Some(kept));
        }
        let facts = Facts { shown_as: key.clone(), key, digest: None, object, location: None };
        let opened = Resource::open(store, facts, 0, now).await?;
        Ok(opened.map(|resource| keep(site, &path, resource)))
    };
    match looked.await {
        Err(ServeError::Unavailable) if usable.is_some() => Ok(usable),
        looked => looked,
    }
}

fn keep(site: &Site, key: &str, resource: Resource) -> Shared {
    let shared = Arc::new(resource);
    site.kept.put(key, &shared, shared.weight());
    shared
}

/// A file of a release, which is there because the log and the manifest say so.
async fn released(
    site: &Site,
    raw: &str,
    dataset: &DatasetId,
    release: &ReleaseId,
    path: &str,
) -> Result<Found, ServeError> {
    let known = site.published.dataset(dataset).await?;
    let visible = known.release(Some(release))?;
    if path.is_empty() {
        if !raw.ends_with('/') {
            return Ok(Found::Moved(StatusCode::PERMANENT_REDIRECT, format!("{release}/")));
        }
        let contents = site.published.contents(dataset, visible).await?;
        let mut response = pages::folder(visible, &contents);
        response.extensions_mut().insert(Told { class: Class::Page, path: None });
        return Ok(Found::Page(response));
    }
    let shown_as = StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path: path.to_owned() };
    let asked = shown_as.path();
    if let Some(kept) = site.kept.get(&asked)
        && kept.version == known.version()
    {
        return Ok(Found::File(kept, Class::File));
    }
    let contents = site.published.contents(dataset, visible).await?;
    let (digest, length) = *contents.files.get(path).ok_or_else(|| missing(dataset, release, path, &contents.files))?;
    let object = Object { size: length, modified: visible.modified, tag: None };
    let facts = Facts { key: shown_as.clone(), shown_as, digest: Some(digest), object, location: None };
    open(site, &asked, facts, known.version()).await
}

/// A file of the current release, which is found by the log: nobody waits for copies. Pages lead to the release itself, so
/// that all they name is of one release.
async fn latest(site: &Site, dataset: &DatasetId, path: &str) -> Result<Found, ServeError> {
    let known = site.published.dataset(dataset).await?;
    let release = known.release(None)?;
    let up = "../".repeat(path.matches('/').count() + 1);
    if path.is_empty() || media_type_of(path).starts_with("text/html") {
        return Ok(Found::Moved(StatusCode::TEMPORARY_REDIRECT, format!("{up}releases/{}/{path}", release.id)));
    }
    let shown_as = StoreKey::Latest { dataset: dataset.clone(), path: path.to_owned() };
    let asked = shown_as.path();
    if let Some(kept) = site.kept.get(&asked)
        && kept.version == known.version()
    {
        return Ok(Found::File(kept, Class::Latest));
    }
    let contents = site.published.contents(dataset, release).await?;
    let (digest, length) =
        *contents.files.get(path).ok_or_else(|| missing(dataset, &release.id, path, &contents.files))?;
    // When a release is withdrawn an older one is current again: what was last changed is what the log says now.
    let object = Object { size: length, modified: known.modified, tag: None };
    let location = Some(format!("{up}releases/{}/{path}", release.id));
    let key = StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.id.clone(), path: path.to_owned() };
    let facts = Facts { key, shown_as, digest: Some(digest), object, location };
    open(site, &asked, facts, known.version()).await
}

async fn open(site: &Site, asked: &str, facts: Facts, version: u64) -> Result<Found, ServeError> {
    let class = if facts.location.is_some() { Class::Latest } else { Class::File };
    let key = facts.key.clone();
    match Resource::open(site.published.store(), facts, version, site.now()).await? {
        Some(resource) => Ok(Found::File(keep(site, asked, resource), class)),
        None => Err(vanished(site, &key).await),
    }
}

/// Why a file that the manifest lists is not there: the release was withdrawn just now, or the store lost it.
async fn vanished(site: &Site, key: &StoreKey) -> ServeError {
    if let StoreKey::ReleaseFile { dataset, release, .. } = key {
        site.published.doubt(dataset);
        if let Ok(known) = site.published.dataset(dataset).await
            && let Err(gone) = known.release(Some(release))
        {
            return gone;
        }
    }
    tracing::error!(path = %key.path(), "`{}` is published and not there", key.path());
    ServeError::Unavailable
}

fn missing<T>(
    dataset: &DatasetId,
    release: &ReleaseId,
    path: &str,
    files: &std::collections::BTreeMap<String, T>,
) -> ServeError {
    let suggestion = crate::diagnostic::nearest(path, files.keys().map(String::as_str)).map(str::to_owned);
    ServeError::NotFound { detail: format!("release {release} of `{dataset}` has no such file"), suggestion }
}

/// Sends a file, or what the client's conditions and ranges leave of it.
async fn answer(
    site: &Site,
    resource: &Shared,
    class: Class,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Response>, ServeError> {
    let wants_part = method == Method::GET && headers.contains_key(header::RANGE);
    let mut form = &resource.plain;
    // Who asks about the file as it is, by its digest, is answered about that.
    if !wants_part && takes_gzip(headers) && !names(headers, &form.tag) {
        let (compressed, added) = resource.compressed(site.published.store()).await?;
        if added > 0 {
            site.kept.grew(&resource.facts.shown_as.path(), added);
        }
        form = compressed.unwrap_or(form);
    }
    let mark = resource.mark(form);
    let mut response = match judge(headers, mark) {
        Verdict::Failed => return Err(ServeError::Precondition),
        Verdict::NotModified => Some(not_modified(form)),
        Verdict::Send => {
            let range = headers.get(header::RANGE).filter(|_| wants_part).and_then(|range| range.to_str().ok());
            let range = range.filter(|_| range_counts(headers, mark, resource.is_unchanging()));
            match range.map_or(Part::Whole, |range| part(range, form.size)) {
                Part::Outside => return Err(ServeError::Range { size: form.size }),
                Part::Whole => send(site, resource, form, None, method).await?,
                Part::Bytes(range) => send(site, resource, form, Some(range), method).await?,
            }
        }
    };
    if let Some(response) = &mut response {
        response.extensions_mut().insert(Told { class, path: Some(Arc::clone(resource)) });
    }
    Ok(response)
}

/// Headers that tell a client what it has, without those that tell of a body.
fn not_modified(form: &Form) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    let kept = [
        header::ETAG,
        header::LAST_MODIFIED,
        header::CACHE_CONTROL,
        header::VARY,
        header::CONTENT_LOCATION,
        header::CONTENT_SECURITY_POLICY,
    ];
    for name in kept {
        if let Some(value) = form.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// A form of a file, or a part of it; nothing when it is not what it was.
async fn send(
    site: &Site,
    resource: &Resource,
    form: &Form,
    part: Option<Range<u64>>,
    method: &Method,
) -> Result<Option<Response>, ServeError> {
    let range = part.clone().unwrap_or(0..form.size);
    let body = match &form.bytes {
        // What is not sent is not read either.
        _ if method == Method::HEAD => Body::empty(),
        Some(bytes) => {
            let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len());
            Body::from(bytes.slice(at(range.start)..at(range.end)))
        }
        None => match resource.stream(site.published.store(), range.clone()).await? {
            Some(stream) => Body::from_stream(stream),
            None if resource.facts.digest.is_some() => return Err(vanished(site, &resource.facts.key).await),
            None => {
                resource.doubt();
                return Ok(None);
            }
        },
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    *headers = form.headers.clone();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    if part.is_some() {
        headers.insert(header::CONTENT_RANGE, value(&format!("bytes {}-{}/{}", range.start, range.end - 1, form.size)));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(Some(response))
}
