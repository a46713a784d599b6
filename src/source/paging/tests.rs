use std::collections::BTreeMap;

use chrono::DateTime;
use rstest::rstest;
use url::Url;

use super::*;
use crate::config::pipeline::HttpSettings;
use crate::config::pipeline::HttpSource;
use crate::secret::Secret;
use crate::source::Fetched;
use crate::source::fetch;
use crate::source::http::HttpConnector;
use crate::source::upstream::Reply;
use crate::source::upstream::Upstream;
use crate::source::upstream::settings;
use crate::store::Store;

fn path(text: &str) -> Vec<String> {
    text.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn links() -> Paging {
    Paging::new(PagingStep::Next { path: path("next") })
}

fn counted(step: PagingStep) -> Paging {
    Paging { rows: Some(path("rows")), ..Paging::new(step) }
}

async fn run(url: String, paging: Paging) -> Result<Fetched, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("private", folder.path(), &BTreeMap::new()).unwrap();
    let settings = HttpSettings {
        attempts: 3,
        headers: vec![("Authorization".to_owned(), Secret::new("Bearer geheim"))],
        ..settings()
    };
    let parts = vec![(String::new(), Url::parse(&url).unwrap().into())];
    let source = HttpSource { parts, paging: Some(paging), settings, ..HttpSource::default() };
    let connector = HttpConnector::new(source, &BTreeMap::new())?;
    fetch(&store, &"source".parse().unwrap(), &connector, DateTime::UNIX_EPOCH).await
}

fn targets(upstream: &Upstream) -> Vec<String> {
    upstream.seen().into_iter().map(|request| request.target).collect()
}

fn names(fetched: &Fetched) -> Vec<&str> {
    fetched.snapshot.parts.iter().map(|part| part.name.as_str()).collect()
}

#[tokio::test]
async fn links_are_followed_to_the_last_page() {
    let upstream = Upstream::start().await;
    upstream.on("/rows?a=%5B1%5D", [Reply::ok(format!(r#"{{"next": "{}"}}"#, upstream.url("/rows?a=%5B1%5D&p=2")))]);
    upstream.on("/rows?a=%5B1%5D&p=2", [Reply::ok(r#"{"next": "?p=3"}"#)]);
    upstream.on("/rows?p=3", [Reply::ok(r#"{"next": null}"#)]);
    let fetched = run(upstream.url("/rows?a=%5B1%5D"), links()).await.unwrap();
    assert_eq!(names(&fetched), ["page-0001", "page-0002", "page-0003"]);
    assert_eq!(targets(&upstream), ["/rows?a=%5B1%5D", "/rows?a=%5B1%5D&p=2", "/rows?p=3"]);
    assert!(upstream.seen().iter().all(|request| request.header("authorization") == Some("Bearer geheim")));
}

#[tokio::test]
async fn the_cursor_of_a_page_asks_for_the_next() {
    let upstream = Upstream::start().await;
    upstream.on("/rows?n=2", [Reply::ok(r#"{"page": {"after": "a b&c"}}"#)]);
    upstream.on("/rows?n=2&after=a+b%26c", [Reply::ok(r#"{"page": {"after": ""}}"#)]);
    let step = PagingStep::Cursor { path: path("page.after"), parameter: "after".to_owned() };
    let fetched = run(upstream.url("/rows?n=2"), Paging::new(step)).await.unwrap();
    assert_eq!(names(&fetched), ["page-0001", "page-0002"]);
}

#[tokio::test]
async fn an_offset_grows_by_the_rows_that_came_whatever_was_asked_for() {
    let upstream = Upstream::start().await;
    upstream.on("/?api/rows&limit=1000&start=0", [Reply::ok(r#"{"rows": [1, 2]}"#)]);
    upstream.on("/?api/rows&limit=1000&start=2", [Reply::ok(r#"{"rows": [3]}"#)]);
    upstream.on("/?api/rows&limit=1000&start=3", [Reply::ok(r#"{"rows": []}"#)]);
    let step = PagingStep::Offset { parameter: "start".to_owned() };
    let fetched = run(upstream.url("/?api/rows&limit=1000&start=7"), counted(step)).await.unwrap();
    assert_eq!(names(&fetched).len(), 3);
}

#[tokio::test]
async fn numbered_pages_end_with_the_announced_number_of_rows() {
    let upstream = Upstream::start().await;
    upstream.on("/rows?page=1", [Reply::ok(r#"{"count": 3, "rows": [1, 2]}"#)]);
    upstream.on("/rows?page=2", [Reply::ok(r#"{"count": 3, "rows": [3]}"#)]);
    let step = PagingStep::Page { parameter: "page".to_owned(), first: 1 };
    let paging = Paging { total: Some(path("count")), ..counted(step) };
    run(upstream.url("/rows"), paging).await.unwrap();
    assert_eq!(targets(&upstream), ["/rows?page=1", "/rows?page=2"]);
}

#[tokio::test]
async fn rows_that_are_announced_and_do_not_come_are_missed() {
    let upstream = Upstream::start().await;
    upstream.on("/rows", [Reply::ok(r#"{"count": 120, "next": null, "rows": [1, 2]}"#)]);
    let paging = Paging { rows: Some(path("rows")), total: Some(path("count")), ..links() };
    let error = run(upstream.url("/rows"), paging).await.unwrap_err();
    assert!(matches!(error, SourceError::Incomplete { announced: 120, collected: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn a_page_that_fails_is_tried_again_and_read_anew() {
    let upstream = Upstream::start().await;
    let first = r#"{"next": "?p=2", "rows": [1]}"#;
    upstream.on(
        "/rows",
        [
            Reply::ok(first.as_bytes()[..20].to_vec()).header("content-length", "29").then_cut(),
            Reply::status(429).header("retry-after", "0"),
            Reply::ok(first),
        ],
    );
    upstream.on("/rows?p=2", [Reply::ok(r#"{"rows": [2]}"#)]);
    let fetched = run(upstream.url("/rows"), links()).await.unwrap();
    assert_eq!(fetched.snapshot.parts[0].digest, crate::id::Digest::of(first.as_bytes()));
    assert_eq!(names(&fetched), ["page-0001", "page-0002"]);
    assert_eq!(upstream.seen().len(), 4);
}

#[tokio::test]
async fn a_page_is_never_asked_for_by_what_was_known_of_it() {
    let upstream = Upstream::start().await;
    upstream.on("/rows", [Reply::ok(r#"{"next": null}"#).header("etag", "\"v1\"")]);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("private", folder.path(), &BTreeMap::new()).unwrap();
    let parts = vec![(String::new(), Url::parse(&upstream.url("/rows")).unwrap().into())];
    let source = HttpSource { parts, paging: Some(links()), settings: settings(), ..HttpSource::default() };
    let connector = HttpConnector::new(source, &BTreeMap::new()).unwrap();
    for changed in [true, false] {
        let id = "source".parse().unwrap();
        assert_eq!(fetch(&store, &id, &connector, DateTime::UNIX_EPOCH).await.unwrap().changed, changed);
    }
    assert!(upstream.seen().iter().all(|request| request.header("if-none-match").is_none()));
}

#[rstest]
#[case::another_host(r#"{"next": "http://127.0.0.2:1/rows"}"#, "leads to another host")]
#[case::another_scheme(r#"{"next": "file:///etc/passwd"}"#, "only http and https are followed")]
#[case::itself(r#"{"next": "/rows"}"#, "leads back to a page that was read already")]
#[tokio::test]
async fn some_links_lead_nowhere(#[case] page: &'static str, #[case] why: &str) {
    let upstream = Upstream::start().await;
    upstream.on("/rows", [Reply::ok(page)]);
    let error = run(upstream.url("/rows"), links()).await.unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    assert!(matches!(&error, SourceError::NextPage { part, .. } if part == "page-0001"), "{error:?}");
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn pages_without_end_end() {
    let upstream = Upstream::start().await;
    for number in 1..=5 {
        upstream.on(&format!("/rows?page={number}"), [Reply::ok(r#"{"rows": [1]}"#)]);
    }
    let step = PagingStep::Page { parameter: "page".to_owned(), first: 1 };
    let error = run(upstream.url("/rows"), Paging { max_pages: 3, ..counted(step) }).await.unwrap_err();
    assert!(error.to_string().contains("3 pages were read; raise `max_pages`"), "{error}");
    assert_eq!(upstream.seen().len(), 3);
}

#[rstest]
#[case::no_json("Connexion", "is not the JSON document")]
#[case::another_schema(r#"{"lines": []}"#, "the page has no list at `rows`")]
#[tokio::test]
async fn a_page_of_another_form_is_an_error_and_not_the_end(#[case] body: &'static str, #[case] why: &str) {
    let upstream = Upstream::start().await;
    upstream.on("/rows?start=0", [Reply::ok(body)]);
    let step = PagingStep::Offset { parameter: "start".to_owned() };
    let error = run(upstream.url("/rows"), counted(step)).await.unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}
