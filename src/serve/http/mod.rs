//! The HTTP server of `essaim serve`: the site and every file of the public store, the API, health and metrics.
//!
//! The log decides what is shown, at every request: files that no entry of it names do not exist here, whatever lies in
//! the store, and those of a withdrawn release are gone, with the reason. What others add (SQL) is a router of theirs that
//! [`Server::start`] takes in.

mod access;
mod answer;
mod api;
mod cache;
mod client;
mod condition;
mod encoding;
mod files;
mod flight;
mod listen;
mod metrics;
mod pages;
mod path;
mod policy;
mod range;
mod resource;
mod router;
mod told;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::published::Published;
pub use access::AccessLog;
use api::KeptRows;
use cache::Cache;
use flight::Flights;
pub use listen::Limits;
pub use metrics::Metrics;
use resource::Kept;

use super::operations::Health;
use super::sql::SqlService;

/// Bytes of small files that are kept in memory.
const MEMORY: usize = 96 << 20;
/// Bytes of JSON documents.
const DOCUMENTS: usize = 16 << 20;
/// Bytes of answers of the API.
const ANSWERS: usize = 32 << 20;

/// What a server is made of.
pub struct Parts {
    /// What is published.
    pub published: Published,
    /// What connections may take.
    pub limits: Limits,
    /// Where requests are written down, if anywhere.
    pub access: Option<AccessLog>,
    /// What else runs in this process: whether it ails, and what it measures.
    pub beside: Vec<Arc<dyn Health>>,
    /// SQL, which rows are asked for through.
    pub sql: SqlService,
    /// Routes of others.
    pub more: Router,
    /// The time.
    pub now: fn() -> DateTime<Utc>,
}

impl Parts {
    /// What is published, and nothing else.
    pub fn new(published: Published, sql: SqlService, now: fn() -> DateTime<Utc>) -> Self {
        let (limits, beside, more) = (Limits::default(), Vec::new(), Router::new());
        Self { published, limits, access: None, beside, sql, more, now }
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("published", &self.published)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What all requests share.
struct Site {
    published: Published,
    kept: Kept,
    /// JSON documents of releases, by their digest.
    documents: Cache<serde_json::Value>,
    /// Rows that were asked for, by what they are known by.
    answers: Cache<KeptRows>,
    /// Rows that are being asked for.
    asking: Flights<KeptRows>,
    sql: SqlService,
    metrics: Metrics,
    limits: Limits,
    access: Option<AccessLog>,
    beside: Vec<Arc<dyn Health>>,
    started: Instant,
    now_utc: fn() -> DateTime<Utc>,
}

impl Site {
    /// Milliseconds since the start, never 0.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

/// A server that answers until it is told to stop.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    site: Arc<Site>,
    stop: watch::Sender<bool>,
    task: JoinHandle<bool>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts to listen on an address.
    pub async fn start(address: &str, parts: Parts) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let Parts { published, limits, access, beside, sql, more, now } = parts;
        let site = Arc::new(Site {
            published,
            kept: Kept::new(MEMORY),
            documents: Cache::new(DOCUMENTS),
            answers: Cache::new(ANSWERS),
            asking: Flights::default(),
            sql,
            metrics: Metrics::default(),
            limits,
            access,
            beside,
            started: Instant::now(),
            now_utc: now,
        });
        let router = router::router(&site, more);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(listen::listen(listener, router, Arc::clone(&site), stopped));
        Ok(Self { address, site, stop, task })
    }

    /// Takes no more connections, and ends once the requests that are under way are answered, or their time is over. Gives
    /// whether all of them were answered.
    pub async fn stop(self) -> bool {
        let told = self.stop.send(true).is_ok();
        let ended = self.task.await.unwrap_or(false);
        if let Some(access) = &self.site.access {
            access.flush().await;
        }
        told && ended
    }
}
