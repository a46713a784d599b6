//! SQL over HTTP: `GET /sql?q=…&format=…`, and `POST /sql` with the statement as text or in JSON.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::body::{Length, body};
use super::format::AnswerFormat;
use super::refusal::place;
use super::{Client, Prepared, Refusal, SqlService};
use crate::diagnostic::Problem;
use crate::diagnostic::render::{self, Style};
use crate::engine::ScalarValue;
use crate::id::{DatasetId, ReleaseId};
use crate::serve::accept::best;
use crate::serve::error::PROBLEM;

/// Where statements are sent to.
pub const SQL: &str = "/sql";
/// Says which releases an answer is read from.
const RELEASES: HeaderName = HeaderName::from_static("essaim-releases");
/// What a body may have beside the statement: the values of parameters.
const BESIDE: u64 = 64 << 10;
/// Time for a body to come.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// The route `/sql`. Connections must leave [`ConnectInfo`] in their requests' extensions: turns are counted by address.
pub fn router(service: SqlService) -> Router {
    Router::new().route(SQL, get(ask).post(ask)).with_state(service)
}

/// What is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    q: String,
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    parameters: Vec<Value>,
}

/// Why a request is not even looked at as SQL.
#[derive(Debug, PartialEq, Eq)]
struct Mistake {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

fn mistake(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Mistake {
    Mistake { status, code, detail: detail.into() }
}

async fn ask(State(service): State<SqlService>, request: Request) -> Response {
    let client = Client::new(address(&request));
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let length = if request.version() < Version::HTTP_11 { Length::Whole } else { Length::Streamed };
    let (asked, format) = match read(&service, request, &headers).await {
        Ok(read) => read,
        Err(mistake) => return refused(mistake.status, mistake.code, &mistake.detail, &json!({})),
    };
    let answer = if method == Method::HEAD {
        look(&service, &client, &asked, format).await
    } else {
        answer(&service, &client, asked, format, length).await
    };
    answer.unwrap_or_else(|refusal| told(&refusal))
}

/// Who asks. Without an address everybody is one client.
fn address(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip())
}

async fn read(service: &SqlService, request: Request, headers: &HeaderMap) -> Result<(Asked, AnswerFormat), Mistake> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let mut asked = of_query(&query)?;
    if request.method() == Method::POST {
        let most = usize::try_from(service.limits().statement_bytes + BESIDE).unwrap_or(usize::MAX);
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let text = text(request.into_body(), most).await?;
        match content_type.as_str() {
            "text/plain" | "application/sql" | "" => asked.q = text,
            "application/json" => {
                let body: Asked = serde_json::from_str(&text).map_err(|error| {
                    bad_request(format!(
                        "the body is not as it should be ({error}): {{\"q\": \"SELECT …\", \"format\": \"csv\", \
                         \"parameters\": [1, \"a\"]}}"
                    ))
                })?;
                asked = Asked { format: body.format.or(asked.format), ..body };
            }
            other => {
                let detail = format!("`{other}` is not read here: send text/plain or application/json");
                return Err(mistake(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
            }
        }
    }
    if asked.q.trim().is_empty() {
        let detail = "there is no query: write /sql?q=SELECT…, or send it as the body of a POST";
        return Err(mistake(StatusCode::BAD_REQUEST, "bad_parameter", detail));
    }
    let format = format(asked.format.as_deref(), headers)?;
    Ok((asked, format))
}

fn bad_request(detail: impl Into<String>) -> Mistake {
    mistake(StatusCode::BAD_REQUEST, "bad_request", detail)
}

/// The body of a request, which has to come in time.
async fn text(body: Body, most: usize) -> Result<String, Mistake> {
    let late = || {
        let detail = format!("the body did not come within {} s", BODY_WITHIN.as_secs());
        mistake(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail)
    };
    let bytes = timeout(BODY_WITHIN, to_bytes(body, most)).await.ok().ok_or_else(late)?;
    let too_large =
        |_| mistake(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", format!("at most {most} bytes are read"));
    String::from_utf8(bytes.map_err(too_large)?.into()).ok().ok_or_else(|| bad_request("the body is not UTF-8"))
}

/// The parameters of an address.
fn of_query(query: &str) -> Result<Asked, Mistake> {
    let mut asked = Asked::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "q" => asked.q = value.into_owned(),
            "format" => asked.format = Some(value.into_owned()),
            other => {
                let detail = format!("there is no parameter `{other}`, only `q` and `format`");
                return Err(mistake(StatusCode::BAD_REQUEST, "bad_parameter", detail));
            }
        }
    }
    Ok(asked)
}

/// The form of the answer: the one that is named, else the best that the client takes.
fn format(named: Option<&str>, headers: &HeaderMap) -> Result<AnswerFormat, Mistake> {
    let all = || AnswerFormat::ALL.map(AnswerFormat::name).join(", ");
    if let Some(name) = named {
        return AnswerFormat::named(name).ok_or_else(|| {
            let detail = format!("`{name}` is no format; there are {}", all());
            mistake(StatusCode::BAD_REQUEST, "bad_parameter", detail)
        });
    }
    best(headers, &AnswerFormat::ALL, AnswerFormat::media_type).ok_or_else(|| {
        let types = AnswerFormat::ALL.map(AnswerFormat::media_type).join("; ");
        mistake(StatusCode::NOT_ACCEPTABLE, "not_acceptable", format!("answers are to be had as {types}"))
    })
}

async fn answer(
    service: &SqlService,
    client: &Client,
    asked: Asked,
    format: AnswerFormat,
    length: Length,
) -> Result<Response, Refusal> {
    let rows = if asked.parameters.is_empty() {
        service.query(client, &asked.q, Vec::new()).await?
    } else {
        let prepared = service.prepare(client, &asked.q).await?;
        let values = values(&prepared, &asked.parameters)?;
        service.execute(client, &prepared, values).await?
    };
    let releases = Arc::clone(&rows.releases);
    Ok(respond(body(rows, format, length).await?, format, &releases))
}

/// What an answer would be like, without computing it.
async fn look(service: &SqlService, client: &Client, asked: &Asked, format: AnswerFormat) -> Result<Response, Refusal> {
    let prepared = service.prepare(client, &asked.q).await?;
    Ok(respond(Body::empty(), format, prepared.releases()))
}

fn respond(body: Body, format: AnswerFormat, releases: &[(DatasetId, ReleaseId)]) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    let names: Vec<String> = releases.iter().map(|(dataset, release)| format!("{dataset}@{release}")).collect();
    if let Ok(value) = HeaderValue::from_str(&names.join(", ")) {
        headers.insert(RELEASES, value);
    }
    if matches!(format, AnswerFormat::Parquet | AnswerFormat::Csv | AnswerFormat::Arrow) {
        let value = HeaderValue::from_str(&format!("attachment; filename=\"query.{}\"", format.name()));
        if let Ok(value) = value {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
    }
    response
}

/// Values of parameters in the types that the statement has for them.
fn values(prepared: &Prepared, typed: &[Value]) -> Result<Vec<ScalarValue>, Refusal> {
    let wrong = |at: usize, what: String| {
        let problem = Problem::of_project("sql::parameters", format!("${} {what}", at + 1));
        Refusal::Problems(vec![problem.help("give numbers, texts, true, false or null, one for each of $1, $2…")])
    };
    let value = |(at, value): (usize, &Value)| {
        let scalar = match value {
            Value::Null => ScalarValue::Null,
            Value::Bool(flag) => ScalarValue::Boolean(Some(*flag)),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => ScalarValue::Int64(Some(whole)),
                None => ScalarValue::Float64(number.as_f64()),
            },
            Value::String(text) => ScalarValue::Utf8(Some(text.clone())),
            Value::Array(_) | Value::Object(_) => return Err(wrong(at, "is neither a number nor a text".to_owned())),
        };
        match prepared.parameters().get(at).cloned().flatten() {
            None => Ok(scalar),
            Some(to) => scalar.cast_to(&to).ok().ok_or_else(|| wrong(at, format!("is {value}, which is no {to}"))),
        }
    };
    typed.iter().enumerate().map(value).collect()
}

/// A refusal as problem details (RFC 9457), with every mistake of the statement in its place.
fn told(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut more = json!({});
    if let Some(help) = refusal.help() {
        more["help"] = json!(help);
    }
    if let Some(place) = refusal.place() {
        more["line"] = json!(place.line);
        more["column"] = json!(place.column);
    }
    if let Refusal::Problems(problems) = refusal {
        let of = |problem: &Problem| {
            let place = place(problem);
            json!({
                "code": problem.code, "message": problem.message, "help": problem.help,
                "line": place.map(|place| place.line), "column": place.map(|place| place.column),
                "label": problem.label.as_ref().map(|(_, label)| label),
            })
        };
        more["problems"] = problems.iter().map(of).collect();
        more["snippet"] = json!(render::text(problems, Style::Plain));
    }
    refused(status, refusal.code(), &refusal.to_string(), &more)
}

fn refused(status: StatusCode, code: &str, detail: &str, more: &Value) -> Response {
    let title = status.canonical_reason().unwrap_or("Refused");
    let mut body =
        json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": detail });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let mut response = (status, format!("{body:#}\n")).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(None, Ok("json"))]
    #[case::csv(Some("text/csv, */*"), Ok("csv"))]
    #[case::all_but_one(Some("*/*, application/json;q=0"), Ok("jsonl"))]
    #[case::picture(Some("image/png"), Err(406))]
    fn the_form_is_the_best_that_the_client_takes(
        #[case] accept: Option<&'static str>,
        #[case] expected: Result<&str, u16>,
    ) {
        let headers = HeaderMap::from_iter(accept.map(|accept| (header::ACCEPT, HeaderValue::from_static(accept))));
        let found = format(None, &headers).map(AnswerFormat::name).map_err(|mistake| mistake.status.as_u16());
        assert_eq!(found, expected);
        assert_eq!(format(Some("arrow"), &headers).map(AnswerFormat::name), Ok("arrow"), "what is named wins");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_not_waited_for() {
        let body = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        assert_eq!(text(body, 1000).await.unwrap_err().status, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(text(Body::from("SELECT 1"), 1000).await.as_deref(), Ok("SELECT 1"));
        assert_eq!(text(Body::from("SELECT 1"), 7).await.unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn a_parameter_that_nobody_knows_is_told() {
        assert_eq!(of_query("q=SELECT+1&format=csv").unwrap().q, "SELECT 1");
        assert!(of_query("q=SELECT+1&limit=3").unwrap_err().detail.contains("`limit`"));
    }
}
