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

const KEY: &str = "session-geheim-32";

async fn run(upstream: &Upstream) -> Result<Snapshot, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("private", folder.path(), &BTreeMap::new()).unwrap();
    let source = LimeSurveySource {
        url: Url::parse(&upstream.url("/rc")).unwrap().into(),
        survey: 123_456,
        user: Secret::new("robot-geheim"),
        password: Secret::new("mot-geheim"),
        language: Some("fr".to_owned()),
        completion: "all".to_owned(),
        page: 2,
        settings: HttpSettings { attempts: 2, ..settings() },
    };
    let connector = LimeSurveyConnector::new(source, &BTreeMap::new())?;
    assert!(!format!("{connector:?}").contains("geheim"), "{connector:?}");
    let fetched = fetch(&store, &"enquete".parse().unwrap(), &connector, DateTime::UNIX_EPOCH).await?;
    Ok(fetched.snapshot)
}

fn result(value: &Value) -> Reply {
    Reply::ok(json!({"id": 1, "result": value, "error": null}).to_string())
}

fn status(text: &str) -> Reply {
    result(&json!({"status": text}))
}

/// Rows of these ids, as a file in base64; `WyJ…` was made by another program.
fn file(base64: &str) -> Reply {
    Reply::ok(format!(r#"{{"id":1,"result":"{base64}","error":null}}"#))
}

/// `{"responses":[{"id":"1"},{"id":"2"},{"id":"5"}]}`
const THREE: &str = "eyJyZXNwb25zZXMiOlt7ImlkIjoiMSJ9LHsiaWQiOiIyIn0seyJpZCI6IjUifV19";
/// `{"responses":[{"id":"1"},{"id":"2"}]}`
const TWO: &str = "eyJyZXNwb25zZXMiOlt7ImlkIjoiMSJ9LHsiaWQiOiIyIn1dfQ==";
/// `{"responses":[{"5":{"id":"5"}}]}`
const ONE: &str = "eyJyZXNwb25zZXMiOlt7IjUiOnsiaWQiOiI1In19XX0=";
/// `{"responses":[{"id":"","Q1":""}]}`
const NONE: &str = "eyJyZXNwb25zZXMiOlt7ImlkIjoiIiwiUTEiOiIifV19";

async fn survey() -> Upstream {
    let upstream = Upstream::start().await;
    upstream.on("/rc#get_session_key", [result(&json!(KEY))]);
    upstream.on("/rc#get_survey_properties", [result(&json!({"language": "fr", "active": "Y"}))]);
    let questions = json!([
        {"id": 7, "qid": "7", "parent_qid": "0", "title": "Q1"}, {"id": 8, "qid": 8, "parent_qid": 7, "title": "SQ001"}
    ]);
    upstream.on("/rc#list_questions", [result(&questions)]);
    upstream.on("/rc#get_question_properties", [result(&json!({"title": "Q1", "answeroptions": {}}))]);
    upstream.on("/rc#export_responses", [file(THREE)]);
    upstream.on("/rc#export_responses:1", [file(TWO)]);
    upstream.on("/rc#export_responses:5", [file(ONE)]);
    upstream.on("/rc#release_session_key", [result(&json!("OK"))]);
    upstream
}

fn methods(upstream: &Upstream) -> Vec<String> {
    upstream.seen().into_iter().map(|request| request.target.replace("/rc#", "")).collect()
}

#[tokio::test]
async fn a_survey_is_fetched_with_its_questions_and_its_responses_by_ranges_of_ids() {
    let upstream = survey().await;
    let snapshot = run(&upstream).await.unwrap();
    let names: Vec<_> = snapshot.parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["survey", "questions", "question-7", "responses-0001", "responses-0002"]);
    let plain = br#"{"responses":[{"id":"1"},{"id":"2"}]}"#;
    assert_eq!(snapshot.parts[3].digest, crate::id::Digest::of(plain));
    assert_eq!(
        methods(&upstream),
        [
            "get_session_key",
            "get_survey_properties",
            "list_questions",
            "get_question_properties",
            "export_responses",
            "export_responses:1",
            "export_responses:5",
            "release_session_key"
        ]
    );
    let seen = upstream.seen();
    let bodies: Vec<Value> = seen.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    let range = json!([KEY, 123_456, "json", "fr", "all", "code", "short", 1, 2, null]);
    assert_eq!(bodies[5]["params"], range);
    assert!(seen.iter().all(|request| request.method == "POST"));
    assert!(!format!("{snapshot:?}").contains("geheim"), "{snapshot:?}");
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let upstream = survey().await;
    upstream.on("/rc#get_session_key", [status("Invalid user name or password: mot-geheim")]);
    let error = run(&upstream).await.unwrap_err();
    assert!(matches!(error, SourceError::LoginRefused { .. }), "{error:?}");
    assert!(error.to_string().contains("answered Invalid user name or password: ***; check name"), "{error}");
    assert_eq!(methods(&upstream), ["get_session_key"]);
    assert!(!error.is_transient());
}

#[rstest]
#[case::expired("/rc#list_questions", "Invalid session key", "the session has ended")]
#[case::forbidden("/rc#export_responses", "No permission", "the right to read the survey")]
#[case::inactive("/rc#export_responses", "No Data, survey table does not exist.", "that it is active")]
#[case::between("/rc#export_responses:5", "Invalid session key", "the session has ended")]
#[tokio::test]
async fn an_error_in_an_answer_ends_the_fetch_and_the_session(
    #[case] target: &str,
    #[case] text: &str,
    #[case] advice: &str,
) {
    let upstream = survey().await;
    upstream.on(target, [status(text)]);
    let error = run(&upstream).await.unwrap_err().to_string();
    assert!(error.contains(text) && error.contains(advice) && !error.contains("geheim"), "{error}");
    assert_eq!(methods(&upstream).last().unwrap(), "release_session_key");
}

#[rstest]
#[case::nobody_answered(status(NO_RESPONSES))]
#[case::a_row_of_nothing(file(NONE))]
#[tokio::test]
async fn a_survey_without_responses_has_a_part_without_rows(#[case] ids: Reply) {
    let upstream = survey().await;
    upstream.on("/rc#export_responses", [ids]);
    let part = run(&upstream).await.unwrap().parts.pop().unwrap();
    assert_eq!((part.name.as_str(), part.digest), ("responses-0001", crate::id::Digest::of(NO_ROWS)));
}

#[tokio::test]
async fn responses_that_are_announced_and_do_not_come_are_noticed() {
    let upstream = survey().await;
    upstream.on("/rc#export_responses:5", [file(NONE)]);
    let error = run(&upstream).await.unwrap_err();
    let (announced, collected) = (3, 2);
    assert!(
        matches!(&error, SourceError::Incomplete { announced: a, collected: c, .. } if (*a, *c) == (announced, collected)),
        "{error:?}"
    );
}

#[rstest]
#[case::cut_in_the_file(Reply::ok(r#"{"id":1,"result":"eyJyZXNwb25z}"#))]
#[case::broken_base64(Reply::ok(r#"{"id":1,"result":"eyJy!XNwb25z","error":null}"#))]
#[case::busy(Reply::status(429).header("retry-after", "0"))]
#[tokio::test]
async fn an_export_that_breaks_once_is_asked_for_again(#[case] broken: Reply) {
    let upstream = survey().await;
    upstream.on("/rc#export_responses:5", [broken, file(ONE)]);
    assert_eq!(run(&upstream).await.unwrap().parts.len(), 5);
}

#[rstest]
#[case::page(Reply::ok("<!doctype html><title>LimeSurvey</title>"), "a page for people")]
#[case::nothing(Reply::ok(""), "the JSON-RPC interface turned on")]
#[case::no_key(result(&json!({"key": 1})), "the JSON-RPC interface turned on")]
#[tokio::test]
async fn a_service_without_its_interface_says_what_to_do(#[case] reply: Reply, #[case] advice: &str) {
    let upstream = survey().await;
    upstream.on("/rc#get_session_key", [reply]);
    let error = run(&upstream).await.unwrap_err();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let text = causes.map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(text.contains(advice), "{text}");
}
