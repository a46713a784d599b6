//! A published file, ready to be sent: what is known of it, and its bytes when they are few.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::{OnceCell, Semaphore};

use super::condition::Mark;
use super::encoding;
use super::policy;
use crate::id::Digest;
use crate::serve::error::ServeError;
use crate::serve::published::patient;
use crate::store::{ByteStream, Object, Store, StoreError, StoreKey};

/// Files up to this size are kept in memory.
pub(super) const SMALL: u64 = 1 << 20;

/// A file in one of its forms.
#[derive(Debug)]
pub(super) struct Form {
    /// Its entity tag, quoted.
    pub(super) tag: String,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Its size.
    pub(super) size: u64,
    /// Its bytes, when they are in memory.
    pub(super) bytes: Option<Bytes>,
}

/// What is known of a file before its bytes are read.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Where it is.
    pub(super) key: StoreKey,
    /// As what it is asked for: how long it may be kept, and under which name, goes by this.
    pub(super) shown_as: StoreKey,
    /// Its digest, when a manifest tells it.
    pub(super) digest: Option<Digest>,
    /// What the store says of it.
    pub(super) object: Object,
    /// Where the same bytes stay for ever, as a relative reference.
    pub(super) location: Option<String>,
}

/// A published file.
#[derive(Debug)]
pub(super) struct Resource {
    /// What is known of it.
    pub(super) facts: Facts,
    /// As it is stored.
    pub(super) plain: Form,
    /// Compressed, once somebody asked for that; nothing when it does not gain by it.
    gzip: OnceCell<Option<Form>>,
    /// The last entry of the log when it was resolved, for files of releases.
    pub(super) version: u64,
    /// When the store last said that it is so, in milliseconds since the start, for all others.
    pub(super) checked: AtomicU64,
    /// When the store was last asked.
    pub(super) tried: AtomicU64,
}

/// How many files are compressed at once.
static COMPRESSORS: Semaphore = Semaphore::const_new(2);

impl Resource {
    /// Reads what has to be known of a file; nothing when it is not there.
    pub(super) async fn open(
        store: &Store,
        mut facts: Facts,
        version: u64,
        now: u64,
    ) -> Result<Option<Self>, ServeError> {
        let media_type = facts.key.media_type();
        let small = facts.object.size <= SMALL;
        let wanted = match (small, policy::is_document(media_type)) {
            (true, _) => facts.object.size,
            (false, true) => facts.object.size.min(policy::HEAD as u64),
            (false, false) => 0,
        };
        let head = match wanted {
            0 => Bytes::new(),
            _ => match read(store, &mut facts, 0..wanted).await? {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        if let Some(digest) = facts.digest
            && small
            && digest != Digest::of(&head)
        {
            tracing::error!(path = %facts.key.path(), "`{}` is not what its manifest says", facts.key.path());
            return Err(ServeError::Unavailable);
        }
        let tag = match facts.digest {
            Some(digest) => digest.to_string(),
            None if small => Digest::of(&head).to_string(),
            None => tag_of(&facts.object),
        };
        let headers = headers(&facts, &tag, policy::is_document(media_type).then_some(head.as_ref()));
        let plain = Form { tag: format!("\"{tag}\""), headers, size: facts.object.size, bytes: small.then_some(head) };
        Ok(Some(Self {
            facts,
            plain,
            gzip: OnceCell::new(),
            version,
            checked: AtomicU64::new(now),
            tried: AtomicU64::new(now),
        }))
    }

    /// What it is known by.
    pub(super) fn mark<'a>(&self, form: &'a Form) -> Mark<'a> {
        Mark { tag: &form.tag, modified: dated(self.facts.object.modified) }
    }

    /// Whether its bytes never change under its address.
    pub(super) fn is_unchanging(&self) -> bool {
        matches!(self.facts.shown_as, StoreKey::ReleaseFile { .. } | StoreKey::LogEntry { .. })
    }

    /// It is not what it was: the store is asked before the next answer.
    pub(super) fn doubt(&self) {
        self.checked.store(0, Ordering::Release);
        self.tried.store(0, Ordering::Release);
    }

    /// Bytes that it takes in memory.
    pub(super) fn weight(&self) -> usize {
        self.plain.bytes.as_ref().map_or(0, Bytes::len)
    }

    /// The compressed form, when it is there or to be had; with the bytes that were added to it by this call.
    pub(super) async fn compressed(&self, store: &Store) -> Result<(Option<&Form>, usize), ServeError> {
        let size = self.plain.size;
        let gains = encoding::gains(self.facts.key.media_type());
        if !gains || !(encoding::SMALLEST..=encoding::LARGEST).contains(&size) {
            return Ok((None, 0));
        }
        if let Some(made) = self.gzip.get() {
            return Ok((made.as_ref(), 0));
        }
        let mut added = 0;
        let made = self
            .gzip
            .get_or_try_init(async || {
                let _turn = COMPRESSORS.acquire().await;
                let bytes = match &self.plain.bytes {
                    Some(bytes) => futures::stream::iter(pieces(bytes)).boxed(),
                    None => match self.stream(store, 0..size).await? {
                        Some(bytes) => bytes,
                        None => return Ok(None),
                    },
                };
                let made = encoding::gzip(bytes, size).await.map_err(|error| ServeError::unavailable(&error))?;
                added = made.as_ref().map_or(0, Vec::len);
                Ok(made.map(|bytes| self.form_of(bytes.into())))
            })
            .await?;
        Ok((made.as_ref(), added))
    }

    fn form_of(&self, bytes: Bytes) -> Form {
        let tag = format!("{}-gzip\"", self.plain.tag.trim_end_matches('"'));
        let mut headers = self.plain.headers.clone();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.remove(header::ACCEPT_RANGES);
        headers.insert(header::ETAG, value(&tag));
        Form { tag, headers, size: bytes.len() as u64, bytes: Some(bytes) }
    }

    /// Some of its bytes, from the store; nothing when it is not what it was.
    pub(super) async fn stream(&self, store: &Store, range: Range<u64>) -> Result<Option<ByteStream>, ServeError> {
        let opened = patient(store.read(&self.facts.key, Some(range))).await?;
        let same = opened.filter(|opened| match self.facts.digest {
            // The time of a file of a release is that of its log entry.
            Some(_) => opened.object.size == self.facts.object.size,
            None => opened.object == self.facts.object,
        });
        Ok(same.map(|opened| opened.bytes))
    }
}

/// The store's own mark of a state of an object, or one made of what it says.
fn tag_of(object: &Object) -> String {
    let made = || format!("{:x}-{:x}", object.modified.timestamp_micros(), object.size);
    object.tag.clone().unwrap_or_else(made)
}

/// A large piece of memory in small ones.
fn pieces(bytes: &Bytes) -> Vec<Result<Bytes, StoreError>> {
    let at = (0..bytes.len()).step_by(1 << 16);
    at.map(|at| Ok(bytes.slice(at..bytes.len().min(at + (1 << 16))))).collect()
}

/// The first bytes of a file; what the store says of it meanwhile is taken over where no manifest does.
async fn read(store: &Store, facts: &mut Facts, range: Range<u64>) -> Result<Option<Bytes>, ServeError> {
    let whole = range.end == facts.object.size;
    let range = if whole { None } else { Some(range) };
    let Some(opened) = patient(store.read(&facts.key, range)).await? else { return Ok(None) };
    if facts.digest.is_none() {
        facts.object = opened.object;
    } else if opened.object.size != facts.object.size {
        tracing::error!(path = %facts.key.path(), "`{}` is not what its manifest says", facts.key.path());
        return Err(ServeError::Unavailable);
    }
    let read = opened.bytes.try_fold(BytesMut::new(), async |mut all, piece| {
        all.extend_from_slice(&piece);
        Ok(all)
    });
    Ok(Some(patient(read).await?.freeze()))
}

/// All headers but those of one answer: its length, its range.
fn headers(facts: &Facts, tag: &str, document: Option<&[u8]>) -> HeaderMap {
    let media_type = facts.key.media_type();
    let mut headers = HeaderMap::with_capacity(24);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(facts.shown_as.cache_control()));
    headers.insert(header::ETAG, value(&format!("\"{tag}\"")));
    if let Some(modified) = dated(facts.object.modified) {
        headers.insert(header::LAST_MODIFIED, value(&http_date(modified)));
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if encoding::gains(media_type) {
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if let Some(name) = facts.shown_as.content_disposition() {
        headers.insert(header::CONTENT_DISPOSITION, value(&name));
    }
    if let Some(location) = &facts.location {
        headers.insert(header::CONTENT_LOCATION, value(location));
    }
    if let Some(document) = document {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy::of_document(document));
    }
    headers
}

/// A time, unless it stands for none.
pub(super) fn dated(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (at != DateTime::<Utc>::default()).then_some(at)
}

/// A time as HTTP writes it.
pub(super) fn http_date(at: DateTime<Utc>) -> String {
    httpdate::fmt_http_date(at.into())
}

/// A value that is made of names, digits and dates.
pub(super) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// What is kept of files.
pub(super) type Kept = super::cache::Cache<Resource>;

/// A file that is kept, or was just opened.
pub(super) type Shared = Arc<Resource>;
