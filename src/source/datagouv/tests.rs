use chrono::DateTime;
use rstest::rstest;

use super::*;
use crate::source::Snapshot;
use crate::source::fetch;
use crate::source::upstream::Reply;
use crate::source::upstream::Upstream;
use crate::source::upstream::settings;
use crate::store::Store;

const ID: &str = "96606cae-0b3b-4910-9d8b-65e3dd7f1bda";

async fn portal() -> Upstream {
    let upstream = Upstream::start().await;
    let resource = |id: &str, title: &str, path: &str| {
        format!(r#"{{"id": "{id}", "title": "{title}", "url": "{}", "format": "csv"}}"#, upstream.url(path))
    };
    let resources = [
        resource(ID, "pats.csv", "/resources/pats-20250224.csv"),
        resource("4f2a6bed", "autre.csv", "/latest"),
        resource("5", "double", "/a"),
        resource("6", "double", "/b"),
        r#"{"id": "7", "title": null, "url": "no address"}"#.to_owned(),
    ];
    let dataset = format!(r#"{{"metrics": {{"views": 12}}, "resources": [{}]}}"#, resources.join(", "));
    upstream.on("/api/1/datasets/pat/", [Reply::ok(dataset)]);
    upstream.on("/resources/pats-20250224.csv", [Reply::ok("a,b\n")]);
    upstream.on("/latest", [Reply::redirect("/resources/autre-2.csv?signed=geheim")]);
    upstream.on("/resources/autre-2.csv?signed=geheim", [Reply::ok("c,d\n")]);
    upstream
}

async fn run(upstream: &Upstream, resource: &str) -> Result<Snapshot, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("private", folder.path(), &BTreeMap::new()).unwrap();
    let source = DataGouvSource {
        url: Url::parse(&upstream.url("/")).unwrap().into(),
        dataset: "pat".to_owned(),
        resource: resource.to_owned(),
        settings: settings(),
    };
    let connector = DataGouvConnector::new(source, &BTreeMap::new())?;
    Ok(fetch(&store, &"pat".parse().unwrap(), &connector, DateTime::UNIX_EPOCH).await?.snapshot)
}

#[rstest]
#[case::id(ID)]
#[case::title("pats.csv")]
#[tokio::test]
async fn a_resource_is_found_and_todays_address_is_kept(#[case] resource: &str) {
    let upstream = portal().await;
    let snapshot = run(&upstream, resource).await.unwrap();
    assert_eq!(snapshot.parts.len(), 1, "the description counts visits and is no part");
    let part = &snapshot.parts[0];
    assert_eq!((part.url.as_str(), part.bytes), (upstream.url("/resources/pats-20250224.csv").as_str(), 4));
    assert_eq!(part.final_url, None);
}

#[tokio::test]
async fn where_redirects_led_to_is_kept_without_what_may_be_secret() {
    let upstream = portal().await;
    let part = run(&upstream, "autre.csv").await.unwrap().parts.remove(0);
    assert_eq!(part.url, upstream.url("/latest"));
    assert_eq!(part.final_url, Some(upstream.url("/resources/autre-2.csv")));
}

#[rstest]
#[case::unknown("pat.csv", "has no resource of the id or title `pat.csv`; it has `96606cae")]
#[case::ambiguous("double", "has several resources of the id or title `double`")]
#[case::no_address("7", "is not the description of a dataset")]
#[tokio::test]
async fn a_resource_that_cannot_be_chosen_is_an_error(#[case] resource: &str, #[case] why: &str) {
    let error = run(&portal().await, resource).await.unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}
