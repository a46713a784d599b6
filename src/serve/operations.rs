//! What those who operate a service ask it: is it alive, is it well, how much of what.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Media type of what is measured.
pub(super) const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a service says of itself.
pub trait Health: Send + Sync + 'static {
    /// Why it is not alive, when it is not.
    fn ails(&self) -> Option<String>;
    /// What is measured, in the text format of `OpenMetrics`.
    fn metrics(&self) -> String;
}

/// A server that answers until it is told to stop.
pub struct Operations {
    /// Where it listens.
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Operations {
    /// Ends it, once the requests that are under way are answered.
    pub async fn stop(self) {
        drop(self.stop);
        drop(self.task.await);
    }
}

/// Serves `/healthz` and `/metrics` on an address.
pub async fn operations(address: &str, health: Arc<impl Health>) -> std::io::Result<Operations> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let measured = Arc::clone(&health);
    let router = Router::new()
        .route("/healthz", get(move || async move { all_well([health.as_ref() as &dyn Health]) }))
        .route("/metrics", get(move || async move { metrics(measured.as_ref()) }));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        drop(stopped.await);
    });
    let task = tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "The server of health and metrics ended: {error}");
        }
    });
    Ok(Operations { address, stop, task })
}

/// The answer to `/healthz`: whether none of them ails.
pub(super) fn all_well<'a>(all: impl IntoIterator<Item = &'a dyn Health>) -> (StatusCode, String) {
    match all.into_iter().find_map(Health::ails) {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

fn metrics(health: &impl Health) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, METRICS)], health.metrics())
}
