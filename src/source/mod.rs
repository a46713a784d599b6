//! Where data comes from, and the snapshots that are taken of it.
//!
//! A [`Connector`] fetches one kind of source: `file.rs`, `http.rs`, `yeswiki.rs`… Those behind HTTP share one client
//! (`client.rs`), those that give their rows page by page one loop (`paging.rs`). A connector moves bytes and never interprets them. What it moves
//! goes through a [`PartSink`] into the private store, where `snapshot.rs` keeps it as a [`Snapshot`]: named parts, each under
//! the digest of its bytes.
//!
//! A new connector is a file, a variant of [`SourceKind`] and an arm in [`connector`]; it is done when it passes
//! `conformance.rs`.

mod client;
mod datagouv;
mod error;
mod file;
mod geocoder;
mod gogocarto;
mod grist;
mod http;
mod kobo;
mod limesurvey;
mod notify;
mod odk;
mod paging;
mod part;
mod redirect;
mod scan;
mod sink;
mod snapshot;
mod yeswiki;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod upstream;

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use crate::config::pipeline::SourceKind;

pub use error::HttpFault;
pub use error::SourceError;
pub use error::WaitingFor;
pub use geocoder::ANSWERS;
pub use geocoder::AddressAnswer;
pub use geocoder::AddressQuestion;
pub use geocoder::Answers;
pub use geocoder::Geocoder;
pub use notify::notify;
pub use part::PartReader;
pub use part::PartStream;
pub use part::open_part;
pub use part::stream_part;
pub use snapshot::Fetched;
pub use snapshot::Snapshot;
pub use snapshot::SnapshotPart;
pub use snapshot::all;
pub use snapshot::drop_unreferenced;
pub use snapshot::fetch;
pub use snapshot::find;
pub use snapshot::latest;
pub use snapshot::numbered;
pub use snapshot::replace;

/// Fetches one kind of source. Moves bytes; never interprets them.
#[async_trait]
pub trait Connector: Debug + Send + Sync {
    /// Streams every part of the snapshot (form, entries, page 1...) into `parts`, in the order declared. Reads no more of
    /// a part than moves it on.
    ///
    /// Transient failures were already retried when this returns an error. No memory is needed beyond a few chunks.
    async fn fetch(&self, parts: &mut dyn PartSink) -> Result<(), SourceError>;
}

/// Takes the parts of a snapshot, one after the other.
#[async_trait]
pub trait PartSink: Send {
    /// What the server said about this part when it was last fetched from the same URL, as long as its bytes are still there.
    fn known(&self, name: &str, url: &str) -> Option<Validators>;
    /// Begins a part. What was written of an unfinished part is dropped: an attempt that failed begins again.
    async fn begin(&mut self, part: PartInfo) -> Result<(), SourceError>;
    /// Takes the next bytes of the part that was begun.
    async fn write(&mut self, bytes: Bytes) -> Result<(), SourceError>;
    /// Ends the part that was begun.
    async fn finish(&mut self) -> Result<(), SourceError>;
    /// Says that a part which is `known` is the same as then.
    async fn unchanged(&mut self, name: &str) -> Result<(), SourceError>;
    /// Says that a part is asked for once more, for the last attempt failed.
    fn again(&mut self, _name: &str) {}
}

/// How a part came.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Transfer {
    /// The part.
    pub part: String,
    /// Where it came from, without secrets.
    pub url: String,
    /// The HTTP status: 304 when it was not sent again.
    pub status: Option<u16>,
    /// Bytes that came.
    pub bytes: u64,
    /// Attempts in all.
    pub attempts: u32,
    /// Time since the part before it, in milliseconds.
    pub duration_ms: u64,
}

/// What is known of a part before its bytes come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartInfo {
    /// Its name in the snapshot.
    pub name: String,
    /// Where it came from, without secrets.
    pub url: String,
    /// Where redirects led to, without secrets and without its query.
    pub final_url: Option<String>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The media type that the source states.
    pub content_type: Option<String>,
    /// What to ask with next time.
    pub validators: Validators,
}

/// What a server gives to be asked whether a document has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The `ETag` header.
    pub etag: Option<String>,
    /// The `Last-Modified` header.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there is nothing to ask with.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// The connector for a source. `env` gives credentials of buckets (`AWS_*`...) and the proxy (`HTTPS_PROXY`...).
pub fn connector(kind: &SourceKind, env: &BTreeMap<String, String>) -> Result<Box<dyn Connector>, SourceError> {
    match kind {
        SourceKind::File(source) => Ok(Box::new(file::FileConnector::new(source.clone(), env.clone()))),
        SourceKind::Http(source) => Ok(Box::new(http::HttpConnector::new(source.clone(), env)?)),
        SourceKind::YesWiki(source) => Ok(Box::new(yeswiki::YesWikiConnector::new(source.clone(), env)?)),
        SourceKind::Grist(source) => Ok(Box::new(grist::GristConnector::new(source.clone(), env)?)),
        SourceKind::DataGouv(source) => Ok(Box::new(datagouv::DataGouvConnector::new(source.clone(), env)?)),
        SourceKind::Kobo(source) => Ok(Box::new(kobo::KoboConnector::new(source.clone(), env)?)),
        SourceKind::LimeSurvey(source) => Ok(Box::new(limesurvey::LimeSurveyConnector::new(source.clone(), env)?)),
        SourceKind::Odk(source) => Ok(Box::new(odk::OdkConnector::new(source.clone(), env)?)),
        // It is asked when the rows are known; by itself it has no answers.
        SourceKind::Geocoder(source) => Ok(Box::new(Answers { url: source.url.to_string(), ..Answers::default() })),
        SourceKind::GogoCarto(source) => Ok(Box::new(gogocarto::GogoCartoConnector::new(source.clone(), env)?)),
    }
}
