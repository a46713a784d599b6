//! Why a request is not answered as it was asked, with its status. The body is `application/problem+json` (RFC 9457): what
//! is wrong, and what is allowed. What went wrong inside is logged, not told.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::id::{DatasetId, ReleaseId};

/// Media type of the bodies.
pub const PROBLEM: &str = "application/problem+json";

/// What the log says of a release that is not to be had any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The dataset.
    pub dataset: DatasetId,
    /// The release.
    pub release: ReleaseId,
    /// Since when, RFC 3339, UTC.
    pub at: String,
    /// Why, in the words of who did it.
    pub reason: Option<String>,
    /// The release that stands in its place, after an erasure.
    pub replaced_by: Option<ReleaseId>,
}

/// Why a request is not answered as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// Nothing is published under that address.
    #[error("{detail}")]
    NotFound {
        /// What was looked for, in words.
        detail: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// The release was withdrawn, or rewritten after a legal demand.
    #[error("release {} of `{}` is gone", .0.release, .0.dataset)]
    Gone(Box<Gone>),
    /// The method is none of those that the address knows.
    #[error("only {allow} can be asked for here")]
    Method {
        /// The methods that it knows, as the header `Allow` lists them.
        allow: &'static str,
    },
    /// No form of it is one that the client takes.
    #[error("it is to be had as {} only", allowed.join(", "))]
    NotAcceptable {
        /// The media types that it is to be had as.
        allowed: Vec<&'static str>,
    },
    /// None of the bytes that were asked for is there.
    #[error("it has {size} bytes: the range is outside of them")]
    Range {
        /// The size.
        size: u64,
    },
    /// It is not in the state that the client asks about.
    #[error("it has changed: what `If-Match` or `If-Unmodified-Since` asks for is not there any more")]
    Precondition,
    /// A parameter of the request is not understood.
    #[error("{detail}")]
    Parameter {
        /// The parameter.
        name: String,
        /// What is wrong with it.
        detail: String,
        /// What would be right, when that can be listed.
        allowed: Vec<String>,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// The request is larger than the server reads.
    #[error("the request is too large: at most {most} bytes are read")]
    TooLarge {
        /// The most that is read.
        most: u64,
    },
    /// The answer would take more than one request may.
    #[error("{detail}")]
    TooMuch {
        /// What it took too much of, and what to do.
        detail: String,
    },
    /// As many requests of this kind as may be are under way.
    #[error("as many requests of this kind as may be are under way: ask again in a moment")]
    Busy,
    /// The store does not answer.
    #[error("what is published cannot be read just now: ask again in a moment")]
    Unavailable,
    /// Something is wrong here.
    #[error("something went wrong here; it is in the log of the server")]
    Internal,
}

impl ServeError {
    /// Nothing is published there.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::NotFound { detail: detail.into(), suggestion: None }
    }

    /// A parameter that is wrong in itself.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Parameter { name: name.into(), detail: detail.into(), allowed: Vec::new(), suggestion: None }
    }

    /// The store, or what it holds, failed: what happened is logged here, once.
    pub fn unavailable(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "What is published could not be read: {error}");
        Self::Unavailable
    }

    /// Something that should not be; it is logged here, once.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "A request could not be answered: {error}");
        Self::Internal
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Gone(_) => StatusCode::GONE,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable { .. } => StatusCode::NOT_ACCEPTABLE,
            Self::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Precondition => StatusCode::PRECONDITION_FAILED,
            Self::Parameter { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMuch { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Gone(gone) if gone.replaced_by.is_some() => "erased",
            Self::Gone(_) => "withdrawn",
            Self::Method { .. } => "method_not_allowed",
            Self::NotAcceptable { .. } => "not_acceptable",
            Self::Range { .. } => "range_not_satisfiable",
            Self::Precondition => "precondition_failed",
            Self::Parameter { .. } => "bad_parameter",
            Self::TooLarge { .. } => "request_too_large",
            Self::TooMuch { .. } => "too_much",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// The body: the members of RFC 9457, a stable `code`, and what the kind of error has to say.
    pub fn body(&self) -> Value {
        let mut body = Map::new();
        let title = self.status().canonical_reason().unwrap_or("Error");
        body.insert("type".to_owned(), json!("about:blank"));
        body.insert("title".to_owned(), json!(title));
        body.insert("status".to_owned(), json!(self.status().as_u16()));
        body.insert("code".to_owned(), json!(self.code()));
        body.insert("detail".to_owned(), json!(self.to_string()));
        let mut say = |member: &str, value: Value| {
            body.insert(member.to_owned(), value);
        };
        match self {
            Self::NotFound { suggestion: Some(suggestion), .. } => say("suggestion", json!(suggestion)),
            Self::Gone(gone) => {
                say("dataset", json!(gone.dataset));
                say("release", json!(gone.release));
                say(if gone.replaced_by.is_some() { "erased_at" } else { "withdrawn_at" }, json!(gone.at));
                say("reason", json!(gone.reason));
                if let Some(new) = &gone.replaced_by {
                    say("replaced_by", json!(new));
                }
            }
            Self::NotAcceptable { allowed } => say("allowed", json!(allowed)),
            Self::Range { size } => say("size", json!(size)),
            Self::Parameter { name, allowed, suggestion, .. } => {
                say("parameter", json!(name));
                if !allowed.is_empty() {
                    say("allowed", json!(allowed));
                }
                if let Some(suggestion) = suggestion {
                    say("suggestion", json!(suggestion));
                }
            }
            _ => {}
        }
        Value::Object(body)
    }

    /// Headers that its status asks for, beside the type of the body.
    pub fn set_headers(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        match self {
            Self::Method { allow } => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allow));
            }
            Self::Range { size } => {
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
            }
            Self::Busy | Self::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            }
            _ => {}
        }
    }
}

impl IntoResponse for ServeError {
    fn into_response(self) -> Response {
        let mut body = serde_json::to_vec_pretty(&self.body()).unwrap_or_default();
        body.push(b'\n');
        let mut response = (self.status(), [(header::CONTENT_TYPE, PROBLEM)], body).into_response();
        self.set_headers(&mut response);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_withdrawn_release_tells_why_and_an_erased_one_what_stands_in_its_place() {
        let gone = Gone {
            dataset: "lieux".parse().unwrap(),
            release: "2026-11-22".parse().unwrap(),
            at: "2026-11-23T08:00:00Z".to_owned(),
            reason: Some("Une colonne était décalée.".to_owned()),
            replaced_by: None,
        };
        let body = ServeError::Gone(Box::new(gone.clone())).body();
        assert_eq!(body["status"], 410);
        assert_eq!(body["code"], "withdrawn");
        assert_eq!(body["reason"], "Une colonne était décalée.");
        let erased = ServeError::Gone(Box::new(Gone { replaced_by: "2026-11-22-r1".parse().ok(), ..gone })).body();
        assert_eq!(erased["code"], "erased");
        assert_eq!(erased["replaced_by"], "2026-11-22-r1");
    }

    #[test]
    fn a_range_outside_says_how_large_the_file_is() {
        let response = ServeError::Range { size: 12 }.into_response();
        assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(response.headers()[header::CONTENT_RANGE], "bytes */12");
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM);
    }
}
