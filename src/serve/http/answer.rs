//! What happens around every request: headers that all answers have, CORS, panics, counts, and the access log.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, BodyDataStream, Bytes, HttpBody as _};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::{FutureExt as _, Stream, StreamExt as _};

use super::Site;
use super::access::Line;
use super::policy;
use super::told::{Class, Told, pattern};
use crate::serve::error::ServeError;

/// What is counted for a client that left before its answer was sent.
const LEFT: StatusCode = match StatusCode::from_u16(499) {
    Ok(status) => status,
    Err(_) => StatusCode::REQUEST_TIMEOUT,
};

/// Answers a request by what is behind, and does what has to be done around it.
pub(super) async fn around(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    site.metrics.begun();
    let (method, route) = (request.method().clone(), pattern(&request));
    // Who leaves before there is an answer has none.
    let (status, expected) = (LEFT, None);
    let mut ending = Ending { site, method, route, told: None, status, began, bytes: 0, expected, done: false };
    let mut response = if request.method() == Method::OPTIONS {
        preflight(request.headers())
    } else {
        match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => {
                tracing::error!("A request ended in a panic; it is a mistake in the program");
                ServeError::Internal.into_response()
            }
        }
    };
    policy::set(response.headers_mut());
    ending.told = response.extensions_mut().remove::<Told>();
    ending.status = response.status();
    let whole = match ending.method {
        Method::HEAD => Some(0),
        _ => response.body().size_hint().exact(),
    };
    match whole {
        Some(bytes) => {
            ending.bytes = bytes;
            ending.end();
            response
        }
        None => {
            let length = response.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
            ending.expected = length.and_then(|length| length.parse().ok());
            response.map(|body| Body::from_stream(Counted { body: body.into_data_stream(), ending }))
        }
    }
}

/// What a browser asks before it lets a page of another site read from here: it may.
fn preflight(headers: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let usual =
        HeaderValue::from_static("Accept, Authorization, Content-Type, If-Match, If-None-Match, If-Range, Range");
    let answers: [(HeaderName, HeaderValue); 5] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, OPTIONS")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(usual)),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
        (header::ALLOW, HeaderValue::from_static("GET, HEAD, POST, OPTIONS")),
        (header::VARY, HeaderValue::from_static("Access-Control-Request-Headers")),
    ];
    response.headers_mut().extend(answers.map(|(name, value)| (Some(name), value)));
    response
}

/// A request that is under way. When it ends, be it because the client left, it is counted and written down.
struct Ending {
    site: Arc<Site>,
    method: Method,
    route: Option<MatchedPath>,
    told: Option<Told>,
    status: StatusCode,
    began: Instant,
    bytes: u64,
    /// Bytes that the body has, where its head says that: its end is not waited for once they are sent.
    expected: Option<u64>,
    done: bool,
}

impl Ending {
    fn end(&mut self) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let took = self.began.elapsed();
        let route = self.route.as_ref().map(MatchedPath::as_str);
        let class = match (&self.told, route) {
            (Some(told), _) => told.class,
            (None, Some(route)) => Class::of_route(route),
            (None, None) => Class::Other,
        };
        let status = self.status.as_u16();
        self.site.metrics.ended(class, status, self.bytes, took);
        if let Some(log) = &self.site.access {
            let line = self.line(class, took, route);
            if !log.take(line) {
                self.site.metrics.lost_line();
            }
        }
    }

    fn line(&self, class: Class, took: Duration, route: Option<&str>) -> Line {
        Line {
            at: (self.site.now_utc)().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            method: self.method.clone(),
            place: Told::place(self.told.as_ref(), route),
            class,
            status: self.status.as_u16(),
            bytes: self.bytes,
            took,
        }
    }
}

impl Drop for Ending {
    /// Nobody waits for the rest: unless all was sent, the client has left.
    fn drop(&mut self) {
        if !self.done && self.expected.is_none_or(|expected| self.bytes < expected) {
            self.status = LEFT;
        }
        self.end();
    }
}

/// A body that is counted while it is sent.
struct Counted {
    body: BodyDataStream,
    ending: Ending,
}

impl Stream for Counted {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.body.poll_next_unpin(context);
        match &polled {
            Poll::Ready(Some(Ok(bytes))) => self.ending.bytes += bytes.len() as u64,
            Poll::Ready(Some(Err(error))) => {
                let error: &dyn std::error::Error = error;
                tracing::warn!(error, "A body was cut short: {error}");
                self.ending.end();
            }
            Poll::Ready(None) => self.ending.end(),
            Poll::Pending => {}
        }
        polled
    }
}
