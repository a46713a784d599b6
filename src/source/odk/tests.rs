use chrono::DateTime;
use rstest::rstest;
use url::Url;

use super::*;
use crate::config::pipeline::HttpSettings;
use crate::source::Snapshot;
use crate::source::fetch;
use crate::source::upstream::Reply;
use crate::source::upstream::Upstream;
use crate::source::upstream::settings;
use crate::store::Store;

const FORM: &str = "/v1/projects/7/forms/enquete";

async fn run(upstream: &Upstream, adapt: impl FnOnce(&mut OdkSource)) -> Result<Snapshot, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("private", folder.path(), &BTreeMap::new()).unwrap();
    let mut source = OdkSource {
        url: Url::parse(&upstream.url("/")).unwrap().into(),
        project: 7,
        form: "enquete".to_owned(),
        account: Some((Secret::new("robot@geheim.example"), Secret::new("mot-geheim"))),
        basic: false,
        repeats: vec!["membres".to_owned()],
        page: 2,
        settings: HttpSettings { attempts: 2, ..settings() },
    };
    adapt(&mut source);
    let connector = OdkConnector::new(source, &BTreeMap::new())?;
    assert!(!format!("{connector:?}").contains("geheim"), "{connector:?}");
    let fetched = fetch(&store, &"enquete".parse().unwrap(), &connector, DateTime::UNIX_EPOCH).await?;
    Ok(fetched.snapshot)
}

async fn central() -> Upstream {
    let upstream = Upstream::start().await;
    upstream.on("/v1/sessions", [Reply::ok(r#"{"token": "jeton-geheim", "expiresAt": "2026-12-01T00:00:00Z"}"#)]);
    upstream.on("/v1/sessions/current", [Reply::ok(r#"{"success": true}"#)]);
    upstream.on(&format!("{FORM}/fields?odata=true"), [Reply::ok(r#"[{"path": "/nom"}]"#)]);
    upstream.on(&format!("{FORM}.xml"), [Reply::ok("<?xml version=\"1.0\"?><h:html/>")]);
    let rows = format!("{FORM}.svc/Submissions");
    let next = upstream.url(&format!("{rows}?%24skiptoken=x"));
    let first = json!({"value": [{"__id": "a"}, {"__id": "b"}], "@odata.count": 3, "@odata.nextLink": next});
    upstream.on(&format!("{rows}?$top=2&$count=true"), [Reply::ok(first.to_string())]);
    let last = json!({"value": [{"__id": "c"}], "@odata.count": 3});
    upstream.on(&format!("{rows}?%24skiptoken=x"), [Reply::ok(last.to_string())]);
    let none = json!({"value": [], "@odata.count": 0});
    upstream.on(&format!("{rows}.membres?$top=2&$count=true"), [Reply::ok(none.to_string())]);
    upstream
}

#[tokio::test]
async fn a_form_is_fetched_with_its_repeats_in_one_session() {
    let upstream = central().await;
    let snapshot = run(&upstream, |_| {}).await.unwrap();
    let names: Vec<_> = snapshot.parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["fields", "form", "submissions-0001", "submissions-0002", "membres-0001"]);
    let seen = upstream.seen();
    let (first, rest) = seen.split_first().unwrap();
    assert_eq!((first.method.as_str(), first.header("authorization")), ("POST", None));
    assert_eq!(first.body, r#"{"email":"robot@geheim.example","password":"mot-geheim"}"#);
    assert!(rest.iter().all(|request| request.header("authorization") == Some("Bearer jeton-geheim")));
    assert_eq!((rest.last().unwrap().method.as_str(), rest.len()), ("DELETE", 6));
    assert!(!format!("{snapshot:?}").contains("geheim"), "{snapshot:?}");
}

#[tokio::test]
async fn an_account_may_go_along_with_each_request_and_a_public_form_needs_none() {
    let upstream = central().await;
    run(&upstream, |source| source.basic = true).await.unwrap();
    let header = "Basic cm9ib3RAZ2VoZWltLmV4YW1wbGU6bW90LWdlaGVpbQ==";
    assert!(upstream.seen().iter().all(|request| request.header("authorization") == Some(header)));
    let upstream = central().await;
    run(&upstream, |source| source.account = None).await.unwrap();
    assert!(upstream.seen().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let upstream = central().await;
    upstream.on("/v1/sessions", [Reply::status(401)]);
    let error = run(&upstream, |_| {}).await.unwrap_err();
    assert!(matches!(error, SourceError::LoginRefused { .. }), "{error:?}");
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_session_that_is_refused_later_ends_the_fetch_and_the_session() {
    let upstream = central().await;
    upstream.on(&format!("{FORM}.svc/Submissions?%24skiptoken=x"), [Reply::status(401)]);
    let error = run(&upstream, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("`submissions-0002`"), "{error}");
    assert_eq!(upstream.seen().last().unwrap().method, "DELETE");
}

#[tokio::test]
async fn a_token_that_the_server_no_longer_knows_gives_an_empty_page_which_is_noticed() {
    let upstream = central().await;
    let empty = json!({"value": [], "@odata.count": 3});
    upstream.on(&format!("{FORM}.svc/Submissions?%24skiptoken=x"), [Reply::ok(empty.to_string())]);
    let error = run(&upstream, |_| {}).await.unwrap_err();
    assert!(matches!(error, SourceError::Incomplete { announced: 3, collected: 2, .. }), "{error:?}");
}

#[rstest]
#[case("", "")]
#[case("a", "YQ==")]
#[case("ab", "YWI=")]
#[case("abc", "YWJj")]
#[case("é?>", "w6k/Pg==")]
fn names_and_passwords_are_encoded(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(base64(text.as_bytes()), expected);
}
