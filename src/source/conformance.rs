//! One suite for every connector: a connector is done when it passes.

mod services;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use chrono::DateTime;
use chrono::Utc;
use futures::TryStreamExt as _;
use rstest::rstest;
use url::Url;

use super::upstream::Reply;
use super::upstream::Upstream;
use super::*;
use crate::config::pipeline::{FileSource, HttpSource, SafeUrl};
use crate::id::Digest;
use crate::id::SourceId;
use crate::store::Store;
use crate::store::StoreFolder;
use crate::store::StoreKey;

#[derive(Debug, Clone, Copy)]
enum Kind {
    LocalFile,
    Object,
    Http,
}

/// A source that the suite can fill, and the private store that it is fetched to.
struct Fixture {
    kind: Kind,
    upstream: Upstream,
    bucket: Store,
    private: Store,
    folder: tempfile::TempDir,
}

impl Fixture {
    async fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().file_name().unwrap().to_str().unwrap().to_owned();
        Self {
            kind,
            upstream: Upstream::start().await,
            bucket: open(&format!("memory://bucket-{name}"), folder.path()),
            private: open("private", folder.path()),
            folder,
        }
    }

    async fn set(&self, part: &str, bytes: &[u8]) {
        match self.kind {
            Kind::LocalFile => std::fs::write(self.folder.path().join(part), bytes).unwrap(),
            Kind::Object => {
                let key = StoreKey::Page { path: part.to_owned() };
                self.bucket.put(&key, Bytes::copy_from_slice(bytes)).await.unwrap();
            }
            Kind::Http => self.upstream.on(&format!("/{part}"), [Reply::ok(bytes.to_vec())]),
        }
    }

    fn connector(&self, parts: &[&str]) -> Box<dyn Connector> {
        let named = |address: &dyn Fn(&str) -> String| {
            parts.iter().map(|part| ((*part).to_owned(), address(part))).collect::<Vec<_>>()
        };
        let base = self.folder.path().to_path_buf();
        let kind = match self.kind {
            Kind::LocalFile => SourceKind::File(FileSource { parts: named(&|part| part.to_owned()), base }),
            Kind::Object => {
                SourceKind::File(FileSource { parts: named(&|part| format!("{}{part}", self.bucket.url())), base })
            }
            Kind::Http => SourceKind::Http(HttpSource {
                parts: named(&|part| self.upstream.url(&format!("/{part}")))
                    .into_iter()
                    .map(|(name, url)| (name, SafeUrl::from(Url::parse(&url).unwrap())))
                    .collect(),
                settings: upstream::settings(),
                ..HttpSource::default()
            }),
        };
        connector(&kind, &BTreeMap::new()).unwrap()
    }

    async fn fetch(&self, parts: &[&str], now: &str) -> Result<Fetched, SourceError> {
        let now: DateTime<Utc> = now.parse().unwrap();
        fetch(&self.private, &source(), self.connector(parts).as_ref(), now).await
    }

    async fn read(&self, snapshot: &Snapshot, part: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut reader = open_part(&self.private, snapshot, part).await.unwrap();
        reader.read_to_end(&mut bytes).unwrap();
        let streamed: Vec<Bytes> =
            stream_part(&self.private, snapshot, part).await.unwrap().try_collect().await.unwrap();
        assert!(streamed.concat() == bytes, "reader and stream differ");
        bytes
    }
}

fn open(url: &str, base: &Path) -> Store {
    Store::open(url, base, &BTreeMap::new()).unwrap()
}

fn source() -> SourceId {
    "questionnaire".parse().unwrap()
}

const FIRST: &str = "2026-11-22T02:30:00Z";
const SECOND: &str = "2026-11-23T02:30:00Z";

#[rstest]
#[tokio::test]
async fn parts_come_in_the_order_declared_and_byte_for_byte(
    #[values(Kind::LocalFile, Kind::Object, Kind::Http)] kind: Kind,
) {
    let fixture = Fixture::new(kind).await;
    let large: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    fixture.set("form.json", b"{\"not\": interpreted").await;
    fixture.set("entries.json", &large).await;
    fixture.set("empty.json", b"").await;
    fixture.set("bytes.json", b"\xef\xbb\xbf\xff\x00\r\n").await;
    let Fetched { snapshot, changed, .. } =
        fixture.fetch(&["form.json", "entries.json", "empty.json", "bytes.json"], FIRST).await.unwrap();
    assert!(changed);
    assert_eq!((snapshot.number, snapshot.fetched_at.as_str()), (1, FIRST));
    let names: Vec<_> = snapshot.parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["form.json", "entries.json", "empty.json", "bytes.json"]);
    assert_eq!(fixture.read(&snapshot, "form.json").await, b"{\"not\": interpreted");
    assert!(fixture.read(&snapshot, "entries.json").await == large);
    assert_eq!(fixture.read(&snapshot, "empty.json").await, b"");
    assert_eq!(fixture.read(&snapshot, "bytes.json").await, b"\xef\xbb\xbf\xff\x00\r\n");
    let part = snapshot.part("entries.json").unwrap();
    assert_eq!((part.bytes, part.digest), (large.len() as u64, Digest::of(&large)));
    assert_eq!(latest(&fixture.private, &source()).await.unwrap(), Some(snapshot));
}

#[rstest]
#[tokio::test]
async fn unchanged_content_makes_no_snapshot_and_changed_content_does(
    #[values(Kind::LocalFile, Kind::Object, Kind::Http)] kind: Kind,
) {
    let fixture = Fixture::new(kind).await;
    fixture.set("a", b"one").await;
    fixture.set("b", b"two").await;
    let first = fixture.fetch(&["a", "b"], FIRST).await.unwrap().snapshot;
    let again = fixture.fetch(&["a", "b"], SECOND).await.unwrap();
    assert_eq!((again.snapshot, again.changed), (first.clone(), false));

    fixture.set("b", b"three").await;
    let changed = fixture.fetch(&["a", "b"], SECOND).await.unwrap();
    assert!(changed.changed);
    assert_eq!(changed.snapshot.number, 2);
    assert_ne!(changed.snapshot.digest, first.digest);
    assert_eq!(fixture.read(&first, "b").await, b"two");

    fixture.set("b", b"two").await;
    let back = fixture.fetch(&["a", "b"], SECOND).await.unwrap().snapshot;
    assert_eq!((back.number, back.digest), (3, first.digest));
    assert_eq!(latest(&fixture.private, &source()).await.unwrap(), Some(back));
}

#[rstest]
#[tokio::test]
async fn a_part_that_is_missing_leaves_no_snapshot(#[values(Kind::LocalFile, Kind::Object, Kind::Http)] kind: Kind) {
    let fixture = Fixture::new(kind).await;
    fixture.set("a", b"one").await;
    let error = fixture.fetch(&["a", "missing"], FIRST).await.unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(!error.is_transient());
    assert_eq!(latest(&fixture.private, &source()).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn two_parts_of_one_name_and_no_part_at_all_are_errors(
    #[values(Kind::LocalFile, Kind::Object, Kind::Http)] kind: Kind,
) {
    let fixture = Fixture::new(kind).await;
    fixture.set("a", b"one").await;
    let twice = fixture.fetch(&["a", "a"], FIRST).await.unwrap_err();
    assert!(matches!(&twice, SourceError::DuplicatePart { part } if part == "a"), "{twice:?}");
    let none = fixture.fetch(&[], FIRST).await.unwrap_err();
    assert!(matches!(none, SourceError::NoParts { .. }), "{none:?}");
}

#[tokio::test]
async fn the_digest_of_a_snapshot_is_that_of_names_and_bytes() {
    let (files, http) = (Fixture::new(Kind::LocalFile).await, Fixture::new(Kind::Http).await);
    for fixture in [&files, &http] {
        fixture.set("a", b"one").await;
    }
    let file = files.fetch(&["a"], FIRST).await.unwrap().snapshot;
    let document = http.fetch(&["a"], SECOND).await.unwrap().snapshot;
    assert_eq!(file.digest, document.digest);
    let one = Digest::of(b"one");
    assert_eq!(file.digest, Digest::of(format!(r#"[{{"digest":"{one}","name":"a"}}]"#).as_bytes()));
}

#[tokio::test]
async fn two_fetches_at_once_make_one_snapshot() {
    let fixture = Fixture::new(Kind::LocalFile).await;
    fixture.set("a", b"one").await;
    let (one, two) = tokio::join!(fixture.fetch(&["a"], FIRST), fixture.fetch(&["a"], SECOND));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.snapshot, two.snapshot);
    assert!(one.changed != two.changed);
}

#[tokio::test]
async fn damaged_and_missing_bytes_are_noticed() {
    let fixture = Fixture::new(Kind::LocalFile).await;
    fixture.set("a", b"one").await;
    let snapshot = fixture.fetch(&["a"], FIRST).await.unwrap().snapshot;
    let key = snapshot.key_of(snapshot.part("a").unwrap());
    fixture.private.put(&key, Bytes::from_static(b"won")).await.unwrap();

    let mut reader = open_part(&fixture.private, &snapshot, "a").await.unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    let streamed = stream_part(&fixture.private, &snapshot, "a").await.unwrap().try_collect::<Vec<_>>().await;
    assert!(matches!(streamed, Err(SourceError::DamagedPart { .. })), "{streamed:?}");

    fixture.private.delete(&key).await.unwrap();
    let error = open_part(&fixture.private, &snapshot, "a").await.unwrap_err();
    assert!(matches!(error, SourceError::MissingBytes { .. }), "{error:?}");
    let error = open_part(&fixture.private, &snapshot, "b").await.unwrap_err();
    assert_eq!(error.to_string(), "snapshot 1 of `questionnaire` has no part `b`; it has `a`");

    // Fetched again, the bytes are back, and the snapshot is the same.
    assert!(!fixture.fetch(&["a"], SECOND).await.unwrap().changed);
    assert_eq!(fixture.read(&snapshot, "a").await, b"one");
}

#[tokio::test]
async fn a_part_is_read_from_a_store_that_is_no_folder() {
    let mut fixture = Fixture::new(Kind::LocalFile).await;
    fixture.private = fixture.bucket.clone();
    fixture.set("a", b"one").await;
    let snapshot = fixture.fetch(&["a"], FIRST).await.unwrap().snapshot;
    assert_eq!(fixture.read(&snapshot, "a").await, b"one");
}

#[tokio::test]
async fn what_is_stored_is_the_index_and_the_parts_by_digest() {
    let fixture = Fixture::new(Kind::LocalFile).await;
    fixture.set("a", b"one").await;
    fixture.fetch(&["a"], FIRST).await.unwrap();
    let stored = fixture.private.list(&StoreFolder::Root).await.unwrap();
    let paths: Vec<_> = stored.into_iter().map(|(path, _)| path).collect();
    let part = format!("snapshots/questionnaire/parts/{}", Digest::of(b"one"));
    assert_eq!(paths, ["snapshots/questionnaire/00000000000000000001.json".to_owned(), part]);
    let index = std::fs::read_to_string(fixture.folder.path().join("private").join(&paths[0])).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    assert_eq!(index["parts"][0]["url"], "file:a");
    assert_eq!(index["parts"][0]["fetched_at"], FIRST);
}
