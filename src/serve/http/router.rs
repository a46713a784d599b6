//! All routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::time::timeout;

use super::Site;
use super::answer::around;
use super::api;
use super::files;
use super::metrics::joined;
use crate::serve::error::ServeError;
use crate::serve::operations::{METRICS, all_well};
use crate::serve::sql::SQL;

/// Time that the store has to answer `/readyz`.
const READY_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// All routes of the server. What no route matches is a file, or nothing.
pub(super) fn router(site: &Arc<Site>, more: Router) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .merge(api::routes())
        .merge(more.with_state(()))
        .fallback(files::serve)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(site), around))
        .with_state(Arc::clone(site))
}

async fn wrong_method(uri: Uri) -> Response {
    let allow = if uri.path() == SQL { "GET, HEAD, POST, OPTIONS" } else { "GET, HEAD, OPTIONS" };
    ServeError::Method { allow }.into_response()
}

/// Whether the process is alive, and what runs beside it too.
async fn healthz(State(site): State<Arc<Site>>) -> Response {
    all_well(site.beside.iter().map(AsRef::as_ref)).into_response()
}

/// Whether it can answer: the store does.
async fn readyz(State(site): State<Arc<Site>>) -> Response {
    match timeout(READY_WITHIN, site.published.answers()).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(error)) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "The public store does not answer: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, "the public store does not answer\n").into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the public store does not answer in time\n").into_response(),
    }
}

async fn metrics(State(site): State<Arc<Site>>) -> Response {
    site.metrics.seen(site.sql.running(), site.kept.bytes() + site.documents.bytes() + site.answers.bytes());
    let mut texts = vec![site.metrics.text()];
    texts.extend(site.beside.iter().map(|beside| beside.metrics()));
    ([(header::CONTENT_TYPE, METRICS)], joined(texts.iter().map(String::as_str))).into_response()
}
