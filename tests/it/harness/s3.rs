//! An S3 server in this process: `s3s-fs` over HTTP, with signed requests.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};

/// The bucket that the server has.
pub(crate) const BUCKET: &str = "essaim";
const ACCESS_KEY: &str = "essaim-test";
const SECRET_KEY: &str = "essaim-test-secret";

/// A server with one empty bucket; it stops when this is dropped.
pub(crate) struct S3Server {
    address: SocketAddr,
    answers: Arc<Answers>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    folder: tempfile::TempDir,
}

/// What the server answered.
#[derive(Default)]
struct Answers {
    requests: AtomicU64,
    writes: AtomicU64,
    conflicts: AtomicU64,
    /// One writer at a time for each object: `s3s-fs` looks before it writes, which two writers at once would not notice.
    writers: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl S3Server {
    /// Starts a server.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let answers = Arc::new(Answers::default());
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let service = service(folder.path());
        let shared = Arc::clone(&answers);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let router = axum::Router::new().fallback(move |request: Request| answer(service, shared, request));
                let serving = axum::serve(listener, router);
                tokio::select! {
                    served = async { serving.await } => served.unwrap(),
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self { address: told.recv().unwrap(), answers, stop: Some(stop), folder }
    }

    /// Where it keeps its objects.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Variables that a store of this server needs.
    pub(crate) fn env(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ]
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.answers.requests.load(Ordering::Relaxed)
    }

    /// Requests so far that write, or would.
    pub(crate) fn writes(&self) -> u64 {
        self.answers.writes.load(Ordering::Relaxed)
    }

    /// Answers "412 Precondition Failed" so far.
    pub(crate) fn conflicts(&self) -> u64 {
        self.answers.conflicts.load(Ordering::Relaxed)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

fn service(folder: &Path) -> S3Service {
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).unwrap());
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    builder.build()
}

async fn answer(service: S3Service, answers: Arc<Answers>, request: Request) -> Response {
    answers.requests.fetch_add(1, Ordering::Relaxed);
    let writes = matches!(*request.method(), Method::PUT | Method::POST | Method::DELETE);
    if writes {
        answers.writes.fetch_add(1, Ordering::Relaxed);
    }
    let turn = writes.then(|| {
        let mut turns = answers.writers.lock().unwrap();
        Arc::clone(turns.entry(request.uri().path().to_owned()).or_default())
    });
    let _turn = match &turn {
        Some(turn) => Some(turn.lock().await),
        None => None,
    };
    match service.call(request.map(s3s::Body::http_body_unsync)).await {
        Ok(response) => {
            if response.status() == StatusCode::PRECONDITION_FAILED {
                answers.conflicts.fetch_add(1, Ordering::Relaxed);
            }
            response.map(axum::body::Body::new)
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}")).into_response(),
    }
}
