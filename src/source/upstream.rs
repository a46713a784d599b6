//! A server that says what a test tells it to.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::Response;
use bytes::Bytes;
use futures::StreamExt as _;

use crate::config::pipeline::HttpSettings;

/// Settings by which servers of this machine are asked, and without patience.
pub(super) fn settings() -> HttpSettings {
    HttpSettings {
        first_delay: Duration::from_millis(1),
        pause: Duration::ZERO,
        private_addresses: true,
        ..HttpSettings::default()
    }
}

/// One scripted answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The body is whole.
    Whole,
    /// Nothing comes, not even headers.
    HangBeforeHeaders,
    /// The body comes, and no end.
    Hang,
    /// The connection breaks after the body.
    Cut,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), end: End::Whole }
    }

    pub(super) fn ok(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::status(200) }
    }

    pub(super) fn with_body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub(super) fn redirect(to: impl Into<String>) -> Self {
        Self::status(302).header("location", to)
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn hang_before_headers() -> Self {
        Self { end: End::HangBeforeHeaders, ..Self::status(200) }
    }

    pub(super) fn then_hang(self) -> Self {
        Self { end: End::Hang, ..self }
    }

    pub(super) fn then_cut(self) -> Self {
        Self { end: End::Cut, ..self }
    }
}

/// What a request had.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

#[derive(Debug, Default)]
struct Script {
    replies: BTreeMap<String, VecDeque<Reply>>,
    seen: Vec<Seen>,
}

/// A server on a port of its own. The last reply of a path is repeated.
#[derive(Debug, Clone)]
pub(super) struct Upstream {
    address: String,
    script: Arc<Mutex<Script>>,
}

impl Upstream {
    pub(super) async fn start() -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, script }
    }

    pub(super) fn url(&self, target: &str) -> String {
        format!("{}{target}", self.address)
    }

    /// Sets the answers for a path, with its query. What is called by JSON-RPC is `path#method`, with `:from` for exports.
    pub(super) fn on(&self, target: &str, replies: impl IntoIterator<Item = Reply>) {
        self.script.lock().unwrap().replies.insert(target.to_owned(), replies.into_iter().collect());
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut target = head.uri.to_string();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    if let Ok(call) = serde_json::from_str::<serde_json::Value>(&body)
        && let Some(method) = call["method"].as_str()
    {
        let from = call["params"][7].as_u64().map_or(String::new(), |from| format!(":{from}"));
        target = format!("{target}#{method}{from}");
    }
    let reply = {
        let mut script = script.lock().unwrap();
        script.seen.push(Seen { method: head.method.to_string(), target: target.clone(), headers: head.headers, body });
        match script.replies.get_mut(&target) {
            Some(replies) if replies.len() > 1 => replies.pop_front().unwrap(),
            Some(replies) => replies.front().cloned().unwrap_or_else(|| Reply::status(404)),
            None => Reply::status(404),
        }
    };
    if reply.end == End::HangBeforeHeaders {
        futures::future::pending::<()>().await;
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let first = futures::stream::iter([std::io::Result::Ok(reply.body.clone())]);
    let body = match reply.end {
        End::Whole | End::HangBeforeHeaders => Body::from(reply.body),
        End::Hang => Body::from_stream(first.chain(futures::stream::pending())),
        End::Cut => {
            // One turn of the executor lets the first bytes out before the connection breaks.
            let cut = futures::stream::once(async {
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut on purpose"))
            });
            Body::from_stream(first.chain(cut))
        }
    };
    response.body(body).unwrap()
}
