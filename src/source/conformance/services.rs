//! The promises of every connector, for those whose parts the service names.

use std::collections::BTreeMap;

use rstest::rstest;
use url::Url;

use super::open;
use super::{FIRST, SECOND};
use crate::config::pipeline::{
    DataGouvSource, GogoCartoSource, GristSource, HttpSettings, HttpSource, KoboSource, LimeSurveySource, OdkSource,
    Paging, PagingStep, SafeUrl, Secret, SourceKind, YesWikiSource,
};
use crate::source::upstream::{Reply, Upstream, settings};
use crate::source::{Fetched, SourceError, connector, fetch, latest};
use crate::store::Store;

#[derive(Debug, Clone, Copy)]
enum Service {
    YesWiki,
    Grist,
    DataGouv,
    Kobo,
    GogoCarto,
    LimeSurvey,
    Odk,
    Pages,
}

/// Two responses of a survey, and what they are in base64.
const RESPONSES: (&str, &str) =
    (r#"{"responses":[{"id":"1"},{"id":"2"}]}"#, "eyJyZXNwb25zZXMiOlt7ImlkIjoiMSJ9LHsiaWQiOiIyIn1dfQ==");
/// The same with a blank after it.
const RESPONSES_CHANGED: &str = "eyJyZXNwb25zZXMiOlt7ImlkIjoiMSJ9LHsiaWQiOiIyIn1dfSA=";

impl Service {
    /// Targets and names of its parts, in their order, and a body for each.
    fn parts(self, upstream: &Upstream) -> Vec<(&'static str, &'static str, String)> {
        let body = |text: &str| text.to_owned();
        match self {
            Self::YesWiki => vec![
                ("/?api/forms/5", "form", body("\u{feff}{\"form\": 5}\r\n")),
                ("/?BazaR/json&demand=lists", "lists", body("{}")),
                ("/?api/forms/5/entries", "entries", body("{\"A\": {}}")),
            ],
            Self::Grist => vec![
                ("/api/docs/doc/tables/Reponses/columns", "columns", body("{\"columns\": []}")),
                ("/api/docs/doc/tables/Reponses/records?sort=id", "records", body("{\"records\": []}")),
            ],
            Self::DataGouv => vec![("/file.csv", "", body("a;b\r\n1;2\r\n"))],
            Self::Kobo => {
                let next = upstream.url("/api/v2/assets/aXy/data/?start=1");
                vec![
                    ("/api/v2/assets/aXy/?format=json", "form", body("{\"content\": {}}")),
                    (
                        "/api/v2/assets/aXy/data/?format=json&limit=1000&start=0&sort=%7B%22_id%22%3A1%7D",
                        "page-0001",
                        format!("{{\"count\": 2, \"next\": \"{next}\", \"results\": [1]}}"),
                    ),
                    (
                        "/api/v2/assets/aXy/data/?start=1",
                        "page-0002",
                        body("{\"count\": 2, \"next\": null, \"results\": [2]}"),
                    ),
                ]
            }
            Self::GogoCarto => vec![
                ("/api/taxonomy.json", "taxonomy", body("[]")),
                ("/api/elements.json?categories=1,2", "elements", body("{\"data\": []}")),
            ],
            Self::LimeSurvey => vec![
                ("/rc/#get_survey_properties", "survey", body("{\"result\": {\"language\": \"fr\"}}")),
                ("/rc/#list_questions", "questions", body("{\"result\": [{\"qid\": \"7\", \"parent_qid\": 0}]}")),
                ("/rc/#get_question_properties", "question-7", body("{\"result\": {\"title\": \"Q1\"}}")),
                ("/rc/#export_responses:1", "responses-0001", body(RESPONSES.0)),
            ],
            Self::Odk => vec![
                ("/v1/projects/7/forms/f/fields?odata=true", "fields", body("[]")),
                ("/v1/projects/7/forms/f.xml", "form", body("<?xml version=\"1.0\"?><h:html/>\r\n")),
                (
                    "/v1/projects/7/forms/f.svc/Submissions?$top=10&$count=true",
                    "submissions-0001",
                    body("{\"value\": [{}], \"@odata.count\": 1}"),
                ),
            ],
            Self::Pages => vec![
                ("/rows", "page-0001", body("{\"next\": \"/more\"}")),
                ("/more", "page-0002", body("{\"next\": null}")),
            ],
        }
    }

    /// What the service sends for a part.
    fn sent(self, name: &str, body: String) -> String {
        match (self, name) {
            (Self::LimeSurvey, "responses-0001") => {
                let file = if body == RESPONSES.0 { RESPONSES.1 } else { RESPONSES_CHANGED };
                format!("{{\"id\":1,\"result\":\"{file}\",\"error\":null}}")
            }
            _ => body,
        }
    }

    /// What is asked for beside the parts.
    fn asides(self, upstream: &Upstream) {
        upstream.on("/rc/#get_session_key", [Reply::ok("{\"result\": \"session-geheim\"}")]);
        upstream.on("/rc/#export_responses", [Reply::ok(self.sent("responses-0001", RESPONSES.0.to_owned()))]);
        upstream.on("/rc/#release_session_key", [Reply::ok("{\"result\": \"OK\"}")]);
        upstream.on("/v1/sessions", [Reply::ok("{\"token\": \"jeton-geheim\"}")]);
        upstream.on("/v1/sessions/current", [Reply::ok("{}")]);
        let resource = format!(r#"{{"resources": [{{"id": "file", "url": "{}"}}]}}"#, upstream.url("/file.csv"));
        upstream.on("/api/1/datasets/d/", [Reply::ok(resource)]);
    }

    fn kind(self, upstream: &Upstream) -> SourceKind {
        let url = |target: &str| SafeUrl::from(Url::parse(&upstream.url(target)).unwrap());
        let headers = vec![("Authorization".to_owned(), Secret::new("Bearer geheim"))];
        let settings = HttpSettings { headers, attempts: 2, ..settings() };
        let (base, name) = (url("/"), |text: &str| text.to_owned());
        match self {
            Self::YesWiki => SourceKind::YesWiki(YesWikiSource {
                url: base,
                form_id: name("5"),
                lists: true,
                with_key: false,
                settings,
            }),
            Self::Grist => {
                SourceKind::Grist(GristSource { url: base, document: name("doc"), table: name("Reponses"), settings })
            }
            Self::DataGouv => {
                SourceKind::DataGouv(DataGouvSource { url: base, dataset: name("d"), resource: name("file"), settings })
            }
            Self::Kobo => SourceKind::Kobo(KoboSource { url: base, asset: name("aXy"), settings }),
            Self::GogoCarto => {
                let query = Some(name("categories=1,2"));
                SourceKind::GogoCarto(GogoCartoSource { url: base, query, taxonomy: true, settings })
            }
            Self::LimeSurvey => SourceKind::LimeSurvey(LimeSurveySource {
                url: url("/rc/"),
                survey: 5,
                user: Secret::new("robot-geheim"),
                password: Secret::new("mot-geheim"),
                language: None,
                completion: name("all"),
                page: 10,
                settings,
            }),
            Self::Odk => SourceKind::Odk(OdkSource {
                url: base,
                project: 7,
                form: name("f"),
                account: Some((Secret::new("robot-geheim"), Secret::new("mot-geheim"))),
                basic: false,
                repeats: Vec::new(),
                page: 10,
                settings: HttpSettings { headers: Vec::new(), ..settings },
            }),
            Self::Pages => SourceKind::Http(HttpSource {
                parts: vec![(String::new(), url("/rows"))],
                paging: Some(Paging::new(PagingStep::Next { path: vec![name("next")] })),
                settings,
                ..HttpSource::default()
            }),
        }
    }
}

struct Fixture {
    service: Service,
    upstream: Upstream,
    private: Store,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn new(service: Service) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (private, upstream) = (open("private", folder.path()), Upstream::start().await);
        service.asides(&upstream);
        for (target, name, body) in service.parts(&upstream) {
            upstream.on(target, [Reply::ok(service.sent(name, body))]);
        }
        Self { service, upstream, private, _folder: folder }
    }

    async fn fetch(&self, now: &str) -> Result<Fetched, SourceError> {
        let connector = connector(&self.service.kind(&self.upstream), &BTreeMap::new()).unwrap();
        assert!(!format!("{connector:?}").contains("geheim"), "{connector:?}");
        fetch(&self.private, &super::source(), connector.as_ref(), now.parse().unwrap()).await
    }

    async fn bytes(&self, fetched: &Fetched) -> Vec<(String, Vec<u8>)> {
        let mut parts = Vec::new();
        for part in &fetched.snapshot.parts {
            let bytes = self.private.get(&fetched.snapshot.key_of(part)).await.unwrap().unwrap();
            parts.push((part.name.clone(), bytes.to_vec()));
        }
        parts
    }
}

#[rstest]
#[tokio::test]
async fn parts_come_in_their_order_and_byte_for_byte_and_unchanged_ones_make_no_snapshot(
    #[values(
        Service::YesWiki,
        Service::Grist,
        Service::DataGouv,
        Service::Kobo,
        Service::GogoCarto,
        Service::LimeSurvey,
        Service::Odk,
        Service::Pages
    )]
    service: Service,
) {
    let fixture = Fixture::new(service).await;
    let fetched = fixture.fetch(FIRST).await.unwrap();
    let parts = service.parts(&fixture.upstream);
    let expected: Vec<_> =
        parts.iter().map(|(_, name, body)| ((*name).to_owned(), body.clone().into_bytes())).collect();
    assert_eq!(fixture.bytes(&fetched).await, expected);
    assert!(!fixture.fetch(SECOND).await.unwrap().changed);

    let (target, name, body) = parts.last().unwrap();
    fixture.upstream.on(target, [Reply::ok(service.sent(name, format!("{body} ")))]);
    let changed = fixture.fetch(SECOND).await.unwrap();
    assert_eq!((changed.changed, changed.snapshot.number), (true, 2));
    assert!(!format!("{changed:?}").contains("geheim"));
}

#[rstest]
#[tokio::test]
async fn a_part_that_is_missing_leaves_no_snapshot_and_one_that_fails_once_is_tried_again(
    #[values(
        Service::YesWiki,
        Service::Grist,
        Service::DataGouv,
        Service::Kobo,
        Service::GogoCarto,
        Service::LimeSurvey,
        Service::Odk,
        Service::Pages
    )]
    service: Service,
) {
    let fixture = Fixture::new(service).await;
    let parts = service.parts(&fixture.upstream);
    let (target, name, body) = parts.last().unwrap();
    fixture.upstream.on(target, [Reply::status(404)]);
    let error = fixture.fetch(FIRST).await.unwrap_err();
    // The only part of a source has no name.
    let told = if name.is_empty() { "could not download: GET".to_owned() } else { format!("`{name}`") };
    assert!(error.to_string().contains(&told) && !error.is_transient(), "{error}");
    assert_eq!(latest(&fixture.private, &super::source()).await.unwrap(), None);

    fixture
        .upstream
        .on(target, [Reply::status(429).header("retry-after", "0"), Reply::ok(service.sent(name, body.clone()))]);
    assert_eq!(fixture.fetch(SECOND).await.unwrap().snapshot.parts.len(), parts.len());
}
