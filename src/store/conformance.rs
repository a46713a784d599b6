//! One suite for every kind of store: in memory, on the local disk, in a bucket of a real S3 server.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use rstest::rstest;

use super::faulty::FaultyStore;
use super::faulty::PutFault;
use super::s3::BUCKET;
use super::s3::S3Server;
use super::*;
use crate::id::DatasetId;

/// A store and what must live as long as it.
struct Fixture {
    store: Store,
    server: Option<S3Server>,
    folder: tempfile::TempDir,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Memory,
    Local,
    S3,
}

fn fixture(kind: Kind) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let none = BTreeMap::new();
    let mut server = None;
    let store = match kind {
        Kind::Memory => {
            let url = format!("memory://{}/below/here", folder.path().file_name().unwrap().to_str().unwrap());
            Store::open(&url, folder.path(), &none).unwrap()
        }
        Kind::Local => Store::open("data/pri vé~%20", folder.path(), &none).unwrap(),
        Kind::S3 => {
            let started = S3Server::start();
            let env = started.env().map(|(name, value)| (name.to_owned(), value)).into();
            assert!(started.folder().is_dir());
            server = Some(started);
            Store::open(&format!("s3://{BUCKET}/below/here"), folder.path(), &env).unwrap()
        }
    };
    Fixture { store, server, folder }
}

fn dataset() -> DatasetId {
    "cooperations".parse().unwrap()
}

fn page(path: &str) -> StoreKey {
    StoreKey::Page { path: path.to_owned() }
}

fn log(n: u64) -> StoreKey {
    StoreKey::LogEntry { dataset: dataset(), n }
}

fn entry(attempt: &str) -> Bytes {
    format!(r#"{{"kind":"publish","attempt":"{attempt}"}}"#).into()
}

#[rstest]
#[tokio::test]
async fn objects_come_back_as_they_went(#[values(Kind::Memory, Kind::Local, Kind::S3)] kind: Kind) {
    let Fixture { store, .. } = &fixture(kind);
    let key = page("figures/une figure.svg");
    assert_eq!(store.get(&key).await.unwrap(), None);
    assert!(!store.exists(&key).await.unwrap());
    assert_eq!(store.digest_of(&key).await.unwrap(), None);
    assert!(store.get_stream(&key).await.unwrap().is_none());

    store.put(&key, Bytes::from_static(b"one")).await.unwrap();
    store.put(&key, Bytes::from_static(b"two")).await.unwrap();
    store.sync(std::slice::from_ref(&key)).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap().unwrap(), "two");
    assert!(store.exists(&key).await.unwrap());
    assert_eq!(store.digest_of(&key).await.unwrap(), Some((Digest::of(b"two"), 3)));

    store.delete(&key).await.unwrap();
    store.delete(&key).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn files_of_any_size_are_streamed_and_digested(#[values(Kind::Memory, Kind::Local, Kind::S3)] kind: Kind) {
    let fixture = fixture(kind);
    let store = &fixture.store;
    for size in [0_usize, 1, 8 << 20, (16 << 20) + 1] {
        let bytes: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let file = fixture.folder.path().join("input");
        std::fs::write(&file, &bytes).unwrap();
        let key = page(&format!("size-{size}"));
        let expected = (Digest::of(&bytes), size as u64);
        store.put_file(&key, &file).await.unwrap();
        assert_eq!(store.digest_of(&key).await.unwrap(), Some(expected));
        let read: Vec<Bytes> = store.get_stream(&key).await.unwrap().unwrap().try_collect().await.unwrap();
        assert!(read.concat() == bytes, "{size} bytes differ");
    }
}

#[rstest]
#[tokio::test]
async fn an_object_that_is_given_up_does_not_appear(#[values(Kind::Memory, Kind::Local, Kind::S3)] kind: Kind) {
    let Fixture { store, .. } = &fixture(kind);
    for n in [1, 12] {
        let mebibytes = std::iter::repeat_n(Bytes::from(vec![7; 1 << 20]), n).map(Ok);
        let cut = std::iter::once(Err(io::ErrorKind::UnexpectedEof.into()));
        let stream = futures::stream::iter(mebibytes.chain(cut));
        let error = store.put_stream(&page("cut"), stream).await.unwrap_err();
        assert!(matches!(error, StoreError::Input { .. }), "{error}");
        assert!(!store.exists(&page("cut")).await.unwrap());
    }
    assert_eq!(store.list(&StoreFolder::Root).await.unwrap(), []);
}

#[rstest]
#[tokio::test]
async fn lists_are_sorted_and_start_at_the_root(#[values(Kind::Memory, Kind::Local, Kind::S3)] kind: Kind) {
    let Fixture { store, .. } = &fixture(kind);
    let folder = StoreFolder::Latest { dataset: dataset() };
    assert_eq!(store.list(&folder).await.unwrap(), []);
    for path in ["b.csv", "a/z.csv", "a.csv", "c.csv"] {
        let key = StoreKey::Latest { dataset: dataset(), path: path.into() };
        store.put(&key, Bytes::from_static(b"12345")).await.unwrap();
    }
    store.put(&StoreKey::DatasetPage { dataset: dataset(), path: "latest.html".into() }, Bytes::new()).await.unwrap();
    let listed = store.list(&folder).await.unwrap();
    let expected = ["a.csv", "a/z.csv", "b.csv", "c.csv"].map(|path| (format!("cooperations/latest/{path}"), 5));
    assert_eq!(listed, expected);
    assert_eq!(store.list(&StoreFolder::Root).await.unwrap().len(), 5);
}

#[rstest]
#[tokio::test]
async fn one_of_two_creators_wins_and_the_other_sees_why(#[values(Kind::Memory, Kind::Local, Kind::S3)] kind: Kind) {
    let Fixture { store, .. } = &fixture(kind);
    assert_eq!(store.create_exclusive(&log(1), entry("a"), "a").await.unwrap(), Created::Won);
    assert_eq!(store.create_exclusive(&log(1), entry("b"), "b").await.unwrap(), Created::Lost(entry("a")));
    // Asked again, the winner is told the same.
    assert_eq!(store.create_exclusive(&log(1), entry("a"), "a").await.unwrap(), Created::Won);
    assert_eq!(store.list(&StoreFolder::Root).await.unwrap().len(), 1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_creators_exactly_one_wins(#[values(Kind::Memory, Kind::Local, Kind::S3)] kind: Kind) {
    let fixture = fixture(kind);
    let store = &fixture.store;
    let writers = (0..16).map(|n| {
        let (store, attempt) = (store.clone(), format!("writer-{n}"));
        tokio::spawn(async move { store.create_exclusive(&log(1), entry(&attempt), &attempt).await.unwrap() })
    });
    let outcomes = futures::future::try_join_all(writers).await.unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Created::Won).count(), 1);
    let written = store.get(&log(1)).await.unwrap().unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == Created::Won || *outcome == Created::Lost(written.clone())));
    if let Some(server) = &fixture.server {
        assert!(server.conflicts() > 0, "of {} requests none met another writer", server.requests());
    }
}

#[rstest]
#[case::answer_lost(&[PutFault::AnswerLost])]
#[case::own_retry_meets_it(&[PutFault::OwnRetryMeetsIt])]
#[case::broken_then_fine(&[PutFault::Broken, PutFault::Broken])]
#[case::false_conflict(&[PutFault::FalseConflict])]
#[case::broken_then_answer_lost(&[PutFault::Broken, PutFault::AnswerLost])]
#[tokio::test]
async fn a_create_with_faults_still_wins(
    #[values(Kind::Memory, Kind::Local, Kind::S3)] kind: Kind,
    #[case] faults: &[PutFault],
) {
    let Fixture { store, .. } = &fixture(kind);
    let faulty = store.clone().wrapped(|inner| FaultyStore::wrap(inner, faults));
    assert_eq!(faulty.create_exclusive(&log(1), entry("mine"), "mine").await.unwrap(), Created::Won);
    assert_eq!(store.read_log(&dataset()).await.unwrap(), [(1, entry("mine"))]);
}

#[rstest]
#[tokio::test]
async fn a_create_that_breaks_still_sees_that_it_lost(#[values(Kind::Memory, Kind::Local, Kind::S3)] kind: Kind) {
    let Fixture { store, .. } = &fixture(kind);
    store.create_exclusive(&log(1), entry("theirs"), "theirs").await.unwrap();
    let faulty = store.clone().wrapped(|inner| FaultyStore::wrap(inner, &[PutFault::Broken]));
    let outcome = faulty.create_exclusive(&log(1), entry("mine"), "mine").await.unwrap();
    assert_eq!(outcome, Created::Lost(entry("theirs")));
}

#[tokio::test]
async fn a_create_that_never_gets_through_says_that_nothing_is_known() {
    let Fixture { store, .. } = &fixture(Kind::Memory);
    let faulty = store.clone().wrapped(|inner| FaultyStore::wrap(inner, &[PutFault::Broken; 50]));
    let error = faulty.create_exclusive(&log(1), entry("mine"), "mine").await.unwrap_err();
    assert!(matches!(error, StoreError::Unsettled { attempts: 7, .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_create_that_is_refused_for_good_is_not_tried_again() {
    let Fixture { store, .. } = &fixture(Kind::Memory);
    let faulty = store.clone().wrapped(|inner| FaultyStore::wrap(inner, &[PutFault::Denied]));
    let error = faulty.create_exclusive(&log(1), entry("mine"), "mine").await.unwrap_err();
    assert!(!error.is_transient(), "{error:?}");
    assert_eq!(store.get(&log(1)).await.unwrap(), None);
}

#[tokio::test]
async fn an_entry_without_its_attempt_is_refused() {
    let Fixture { store, .. } = &fixture(Kind::Memory);
    let error = store.create_exclusive(&log(1), entry("a"), "b").await.unwrap_err();
    assert!(matches!(error, StoreError::MissingAttempt { .. }), "{error:?}");
}

#[rstest]
#[tokio::test]
async fn a_log_is_read_in_order_and_must_be_dense(#[values(Kind::Memory, Kind::Local, Kind::S3)] kind: Kind) {
    let Fixture { store, .. } = &fixture(kind);
    assert_eq!(store.next_log_number(&dataset()).await.unwrap(), 1);
    assert_eq!(store.read_log(&dataset()).await.unwrap(), []);
    for n in 1..=12 {
        assert_eq!(store.next_log_number(&dataset()).await.unwrap(), n);
        let attempt = format!("attempt-{n}");
        store.create_exclusive(&log(n), entry(&attempt), &attempt).await.unwrap();
    }
    let entries = store.read_log(&dataset()).await.unwrap();
    assert!(entries.iter().map(|(n, _)| *n).eq(1..=12));
    assert_eq!(entries[10].1, entry("attempt-11"));

    store.delete(&log(5)).await.unwrap();
    for error in [store.read_log(&dataset()).await.unwrap_err(), store.next_log_number(&dataset()).await.unwrap_err()] {
        assert!(matches!(error, StoreError::LogGap { expected: 5, found: 6, .. }), "{error:?}");
        assert!(error.to_string().contains("has no entry 5"), "{error}");
    }
}

#[tokio::test]
async fn a_log_with_a_strange_name_is_refused_and_other_files_are_ignored() {
    let Fixture { store, .. } = &fixture(Kind::Memory);
    store.create_exclusive(&log(1), entry("a"), "a").await.unwrap();
    let beside = |name: &str| StoreKey::DatasetPage { dataset: dataset(), path: format!("log/{name}") };
    store.put(&beside(".DS_Store"), Bytes::new()).await.unwrap();
    assert_eq!(store.next_log_number(&dataset()).await.unwrap(), 2);
    store.put(&beside("2.json"), Bytes::new()).await.unwrap();
    assert!(matches!(store.next_log_number(&dataset()).await.unwrap_err(), StoreError::StrangeEntry { .. }));
}

#[rstest]
#[case::up("../outside")]
#[case::up_inside("a/../../outside")]
#[case::dot("./a")]
#[case::absolute("/etc/passwd")]
#[case::empty_part("a//b")]
#[case::line_feed("a\nb")]
#[case::like_an_unfinished_upload("a.csv#1")]
#[tokio::test]
async fn paths_cannot_leave_the_store(#[case] path: &str) {
    let Fixture { store, .. } = &fixture(Kind::Local);
    let error = store.put(&page(path), Bytes::new()).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidPath { .. }), "{error:?}");
}

#[rstest]
#[tokio::test]
async fn attributes_are_sent_where_they_are_kept(#[values(Kind::Memory, Kind::S3)] kind: Kind) {
    let Fixture { store, .. } = &fixture(kind);
    let file = |path: &str| StoreKey::ReleaseFile {
        dataset: dataset(),
        release: "2026-11-22".parse().unwrap(),
        path: path.to_owned(),
    };
    store.put(&file("a.csv"), Bytes::from_static(b"a")).await.unwrap();
    let large = futures::stream::iter(std::iter::repeat_n(Bytes::from(vec![0; 6 << 20]), 2).map(Ok));
    store.put_stream(&file("b.csv"), large).await.unwrap();
    for path in ["a.csv", "b.csv"] {
        let path = store.object_path(&file(path).path()).unwrap();
        let attributes = store.handle().get(&path).await.unwrap().attributes;
        assert_eq!(attributes.get(&Attribute::ContentType).unwrap().as_ref(), "text/csv; charset=utf-8");
        assert_eq!(attributes.get(&Attribute::CacheControl).unwrap().as_ref(), "public, max-age=86400");
    }
}

#[test]
fn the_same_memory_address_is_the_same_store() {
    let open = |url: &str| Store::open(url, Path::new("/"), &BTreeMap::new()).unwrap();
    let (a, b, c) = (open("memory://same"), open("memory://same"), open("memory://other"));
    assert!(Arc::ptr_eq(&a.handle(), &b.handle()));
    assert!(!Arc::ptr_eq(&a.handle(), &c.handle()));
    assert_eq!(a.url(), "memory://same/");
}

#[test]
fn a_local_store_is_made_and_has_a_url_that_the_engine_can_use() {
    let base = tempfile::tempdir().unwrap();
    let root = base.path().canonicalize().unwrap();
    let store = Store::open("data/public", base.path(), &BTreeMap::new()).unwrap();
    assert!(root.join("data/public").is_dir());
    assert_eq!(store.root_url().to_file_path(), Ok(root.join("data/public/")));
    let same = Store::open(store.root_url().as_str(), Path::new("/"), &BTreeMap::new()).unwrap();
    assert_eq!(same.url(), store.url());
}

#[rstest]
#[case::azure("az://container/public", "az://container/public/")]
#[case::google("gs://bucket/public/", "gs://bucket/public/")]
#[case::amazon("s3://bucket", "s3://bucket/")]
fn buckets_are_opened_with_credentials_from_the_environment(#[case] url: &str, #[case] root: &str) {
    let env = [
        ("AZURE_STORAGE_ACCOUNT_NAME", "konto"),
        ("AZURE_STORAGE_ACCOUNT_KEY", "Z2VoZWlt"),
        ("GOOGLE_SKIP_SIGNATURE", "true"),
        ("AWS_ACCESS_KEY_ID", "konto"),
        ("AWS_SECRET_ACCESS_KEY", "geheim"),
    ];
    let store = Store::open(url, Path::new("/"), &env.map(|(k, v)| (k.to_owned(), v.to_owned())).into()).unwrap();
    assert_eq!(store.url(), root);
    assert_eq!(format!("{store:?}"), format!("Store({root:?})"));
}

#[rstest]
#[case::scheme("ftp://example.org/a")]
#[case::web("https://example.org/a?token=geheim")]
#[case::password("ftp://nobody:geheim@example.org/a")]
#[case::unreadable("s3://nobody:geheim@exa mple/a?token=geheim")]
#[case::memory_without_a_name("memory:///")]
fn unknown_addresses_are_refused_without_showing_secrets(#[case] url: &str) {
    let error = Store::open(url, Path::new("/"), &BTreeMap::new()).unwrap_err();
    assert!(matches!(error, StoreError::UnknownStore { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("geheim"), "{error:?}");
}

#[tokio::test]
async fn what_the_disk_refuses_is_not_transient_and_names_the_file() {
    let Fixture { store, .. } = &fixture(Kind::Local);
    store.put(&page("a"), Bytes::from_static(b"a file")).await.unwrap();
    let error = store.put(&page("a/b"), Bytes::new()).await.unwrap_err();
    assert!(!error.is_transient(), "{error:?}");
    assert!(error.to_string().ends_with("/a/b`"), "{error}");
}
