use chrono::DateTime;
use rstest::rstest;

use super::*;
use crate::config::pipeline::HttpSettings;
use crate::config::pipeline::Secret;
use crate::source::Fetched;
use crate::source::fetch;
use crate::source::upstream::Reply;
use crate::source::upstream::Upstream;
use crate::source::upstream::settings;
use crate::store::Store;

async fn run(base: &str, key: Option<&str>) -> Result<Fetched, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("private", folder.path(), &BTreeMap::new()).unwrap();
    let headers = key.map(|key| ("Authorization".to_owned(), Secret::new(format!("Bearer {key}"))));
    let source = YesWikiSource {
        url: Url::parse(base).unwrap().into(),
        form_id: "5".to_owned(),
        lists: true,
        with_key: key.is_some(),
        settings: HttpSettings { headers: headers.into_iter().collect(), ..settings() },
    };
    let connector = YesWikiConnector::new(source, &BTreeMap::new())?;
    assert!(!format!("{connector:?}").contains("geheim"), "{connector:?}");
    fetch(&store, &"wiki".parse().unwrap(), &connector, DateTime::UNIX_EPOCH).await
}

async fn wiki() -> Upstream {
    let upstream = Upstream::start().await;
    upstream.on("/wiki/?api/forms/5", [Reply::ok("form")]);
    upstream.on("/wiki/?BazaR/json&demand=lists", [Reply::ok("lists")]);
    upstream.on("/wiki/?api/forms/5/entries", [Reply::ok("entries")]);
    upstream
}

#[tokio::test]
async fn a_wiki_that_everybody_reads_is_asked_three_times() {
    let upstream = wiki().await;
    let snapshot = run(&upstream.url("/wiki/"), None).await.unwrap().snapshot;
    let names: Vec<_> = snapshot.parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["form", "lists", "entries"]);
    assert_eq!(snapshot.parts[2].url, upstream.url("/wiki/?api/forms/5/entries"));
    assert_eq!(upstream.seen().len(), 3);
}

#[tokio::test]
async fn a_key_is_held_against_a_closed_route_first() {
    let upstream = wiki().await;
    upstream.on("/wiki/?api/triples/x", [Reply::ok("[]")]);
    let snapshot = run(&upstream.url("/wiki/"), Some("geheim")).await.unwrap().snapshot;
    assert_eq!(snapshot.parts.len(), 3);
    let seen = upstream.seen();
    assert_eq!(seen[0].target, "/wiki/?api/triples/x");
    assert!(seen.iter().all(|request| request.header("authorization") == Some("Bearer geheim")));
}

#[rstest]
#[case::unknown(401)]
#[case::closed(403)]
#[tokio::test]
async fn a_key_that_is_not_accepted_ends_the_fetch_before_strangers_answers_are_taken(#[case] status: u16) {
    let upstream = wiki().await;
    upstream.on("/wiki/?api/triples/x", [Reply::status(status)]);
    let error = run(&upstream.url("/wiki/"), Some("geheim")).await.unwrap_err();
    assert!(matches!(error, SourceError::KeyRefused { status: said, .. } if said == status), "{error:?}");
    assert!(!error.is_transient() && !format!("{error} {error:?}").contains("geheim"));
    assert_eq!(upstream.seen().len(), 1);
}
