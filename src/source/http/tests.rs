mod network;

use std::time::Duration;

use chrono::DateTime;
use rstest::rstest;
use url::Url;

use super::*;
use crate::config::pipeline::HttpSettings;
use crate::secret::Secret;
use crate::source::Fetched;
use crate::source::error::HttpFault;
use crate::source::error::WaitingFor;
use crate::source::fetch;
use crate::source::upstream::Reply;
use crate::source::upstream::Upstream;
use crate::source::upstream::settings;
use crate::store::Store;

const BODY: &str = "a,b\n1,2\n";

fn impatient() -> HttpSource {
    let settings = HttpSettings { attempts: 3, ..settings() };
    HttpSource { settings, ..HttpSource::default() }
}

fn source(url: &str) -> HttpSource {
    HttpSource { parts: vec![("rows".to_owned(), Url::parse(url).unwrap().into())], ..impatient() }
}

struct Private {
    store: Store,
    _folder: tempfile::TempDir,
}

fn private() -> Private {
    let folder = tempfile::tempdir().unwrap();
    Private { store: Store::open("private", folder.path(), &BTreeMap::new()).unwrap(), _folder: folder }
}

async fn run(private: &Private, source: HttpSource) -> Result<Fetched, SourceError> {
    let connector = HttpConnector::new(source, &BTreeMap::new())?;
    fetch(&private.store, &"source".parse().unwrap(), &connector, DateTime::UNIX_EPOCH).await
}

/// Fetches `/rows` of an upstream that gives `replies`.
async fn run_with(
    replies: impl IntoIterator<Item = Reply>,
    adapt: impl FnOnce(&mut HttpSource),
) -> (Result<Fetched, SourceError>, Upstream) {
    let upstream = Upstream::start().await;
    upstream.on("/rows", replies);
    let mut source = source(&upstream.url("/rows"));
    adapt(&mut source);
    (run(&private(), source).await, upstream)
}

fn fault_of(outcome: Result<Fetched, SourceError>) -> (HttpFault, u32) {
    match outcome.unwrap_err() {
        SourceError::Download { source, attempts, .. } => (source, attempts),
        other => panic!("{other:?}"),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(|error| format!("{error} {error:?}")).collect::<Vec<_>>().join("\ncaused by: ")
}

#[rstest]
#[case::broken_once(vec![Reply::status(500), Reply::ok(BODY)], 2)]
#[case::unavailable_twice(vec![Reply::status(503), Reply::status(503), Reply::ok(BODY)], 3)]
#[case::too_many_requests(vec![Reply::status(429).header("retry-after", "0"), Reply::ok(BODY)], 2)]
#[case::cut_body(vec![Reply::ok("a,").header("content-length", "8").then_cut(), Reply::ok(BODY)], 2)]
#[case::cut_body_without_length(vec![Reply::ok("a,").then_cut(), Reply::ok(BODY)], 2)]
#[case::at_once(vec![Reply::ok(BODY)], 1)]
#[tokio::test]
async fn what_passes_is_tried_again(#[case] replies: Vec<Reply>, #[case] requests: usize) {
    let (outcome, upstream) = run_with(replies, |_| {}).await;
    let snapshot = outcome.unwrap().snapshot;
    let part = &snapshot.parts[0];
    assert_eq!((part.bytes, part.status), (BODY.len() as u64, Some(200)));
    assert_eq!(part.digest, crate::id::Digest::of(BODY.as_bytes()));
    assert_eq!(upstream.seen().len(), requests);
    assert!(upstream.seen().iter().all(|request| request.method == "GET"));
}

#[rstest]
#[case::not_found(404, "check the address")]
#[case::forbidden(403, "check the credentials")]
#[case::no_content(204, "open the address")]
#[case::not_modified_though_not_asked(304, "open the address")]
#[tokio::test]
async fn what_stays_fails_at_once_and_says_so(#[case] status: u16, #[case] advice: &str) {
    let (outcome, upstream) = run_with([Reply::status(status)], |_| {}).await;
    let error = outcome.unwrap_err();
    let text = chain(&error);
    assert!(
        text.starts_with(&format!(
            "could not download the part `rows`: GET {} failed at attempt 1 after ",
            upstream.url("/rows")
        )),
        "{text}"
    );
    assert!(text.contains(&format!("the server answered {status}")) && text.contains(advice), "{text}");
    assert!(!error.is_transient());
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn the_attempts_end() {
    let (outcome, upstream) = run_with([Reply::status(503)], |_| {}).await;
    assert!(outcome.as_ref().unwrap_err().is_transient());
    let (fault, attempts) = fault_of(outcome);
    assert!(matches!(fault, HttpFault::Status { status: 503, .. }), "{fault:?}");
    assert_eq!((attempts, upstream.seen().len()), (3, 3));
}

#[tokio::test]
async fn a_retry_after_beyond_the_time_left_ends_the_download() {
    let reply = Reply::status(429).header("retry-after", "200");
    let (outcome, _) = run_with([reply], |source| source.settings.total_timeout = Duration::from_secs(100)).await;
    let (fault, attempts) = fault_of(outcome);
    assert_eq!((fault.retry_after(), attempts), (Some(Duration::from_secs(200)), 1));
}

#[rstest]
#[case::seconds("7", 7)]
#[case::capped("86400", 300)]
#[case::date("Sun, 06 Nov 1994 08:49:47 GMT", 10)]
#[case::past("Sun, 06 Nov 1994 08:00:00 GMT", 0)]
#[tokio::test]
async fn retry_after_is_read_in_both_forms(#[case] value: &str, #[case] seconds: u64) {
    let reply = Reply::status(503).header("retry-after", value).header("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let (outcome, _) = run_with([reply], |source| source.settings.attempts = 1).await;
    assert_eq!(fault_of(outcome).0.retry_after(), Some(Duration::from_secs(seconds)));
}

#[rstest]
#[case::before_headers(Reply::hang_before_headers(), WaitingFor::Answer)]
#[case::in_the_body(Reply::ok("a,").then_hang(), WaitingFor::Bytes)]
#[tokio::test]
async fn silence_ends_after_the_idle_limit(#[case] reply: Reply, #[case] expected: WaitingFor) {
    let limit = Duration::from_millis(50);
    let impatient = |source: &mut HttpSource| {
        source.settings.idle_timeout = limit;
        source.settings.answer_timeout = limit;
    };
    let (outcome, upstream) = run_with([reply], impatient).await;
    let (fault, attempts) = fault_of(outcome);
    assert!(matches!(fault, HttpFault::Timeout { waiting_for, .. } if waiting_for == expected), "{fault:?}");
    assert_eq!((attempts, upstream.seen().len()), (3, 3));
}

/// A server that is there and takes no more connections: all that it may keep waiting are waiting.
async fn crowded() -> (tokio::net::TcpListener, Vec<tokio::net::TcpStream>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(address)).await
    {
        waiting.push(stream.unwrap());
    }
    (listener, waiting)
}

#[tokio::test]
async fn a_server_that_takes_no_connection_is_not_waited_for_longer_than_the_limit() {
    let (listener, _waiting) = crowded().await;
    let mut source = source(&format!("http://{}/rows", listener.local_addr().unwrap()));
    source.settings.connect_timeout = Duration::from_millis(100);
    let (fault, attempts) = fault_of(run(&private(), source).await);
    assert!(
        matches!(fault, HttpFault::Timeout { waiting_for: WaitingFor::Connection, limit } if limit == Duration::from_millis(100)),
        "{fault:?}"
    );
    assert_eq!(attempts, 3);
}

#[tokio::test]
async fn silence_that_ends_is_forgiven() {
    let replies = [Reply::hang_before_headers(), Reply::ok("a,").then_hang(), Reply::ok(BODY)];
    let patient = |source: &mut HttpSource| {
        source.settings.idle_timeout = Duration::from_millis(200);
        source.settings.answer_timeout = Duration::from_millis(200);
        // A busy machine may need more than one of them.
        source.settings.attempts = 20;
    };
    let (outcome, _) = run_with(replies, patient).await;
    assert_eq!(outcome.unwrap().snapshot.parts[0].bytes, BODY.len() as u64);
}

#[tokio::test]
async fn the_total_limit_ends_everything() {
    let limit = Duration::from_millis(50);
    let (outcome, _) = run_with([Reply::hang_before_headers()], |source| source.settings.total_timeout = limit).await;
    let (fault, attempts) = fault_of(outcome);
    assert!(matches!(fault, HttpFault::Timeout { waiting_for: WaitingFor::Whole, .. }), "{fault:?}");
    assert_eq!(attempts, 1);
}

#[rstest]
#[case::announced(Reply::ok(BODY), BODY.len() as u64 - 1, false)]
#[case::not_announced(Reply::ok(BODY).then_hang(), BODY.len() as u64 - 1, false)]
#[case::just_fits(Reply::ok(BODY), BODY.len() as u64, true)]
#[tokio::test]
async fn a_body_over_the_limit_is_refused(#[case] reply: Reply, #[case] limit: u64, #[case] fits: bool) {
    let (outcome, upstream) = run_with([reply], |source| source.settings.max_bytes = limit).await;
    assert_eq!(upstream.seen().len(), 1);
    if fits {
        outcome.unwrap();
    } else {
        let (fault, _) = fault_of(outcome);
        assert!(matches!(fault, HttpFault::TooLarge { limit: said } if said == limit), "{fault:?}");
    }
}

/// 100,000 zero bytes, compressed by gzip.
fn zeros() -> Vec<u8> {
    let text = concat!(
        "1f8b0800000000000203edc13101000000c2a0f54f6d0d0fa000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000008057037d9511d4a0860100",
    );
    hex::decode(text).unwrap()
}

#[rstest]
#[case::within(100_000, true)]
#[case::beyond(99_999, false)]
#[tokio::test]
async fn the_limit_counts_decompressed_bytes(#[case] limit: u64, #[case] fits: bool) {
    let reply = Reply::ok(zeros()).header("content-encoding", "gzip");
    let (outcome, _) = run_with([reply], |source| source.settings.max_bytes = limit).await;
    match outcome {
        Ok(fetched) => assert_eq!((fetched.snapshot.parts[0].bytes, fits), (100_000, true)),
        error => assert_eq!((matches!(fault_of(error).0, HttpFault::TooLarge { .. }), fits), (true, false)),
    }
}

#[tokio::test]
async fn a_compressed_body_that_is_cut_is_tried_again() {
    let gzip = |body: Vec<u8>| Reply::ok(body).header("content-encoding", "gzip");
    let (outcome, _) = run_with([gzip(zeros()[..40].to_vec()), gzip(zeros())], |_| {}).await;
    assert_eq!(outcome.unwrap().snapshot.parts[0].bytes, 100_000);
}

#[tokio::test]
async fn nobody_there_is_tried_again_and_said() {
    let (fault, attempts) = fault_of(run(&private(), source("http://127.0.0.1:1/rows")).await);
    assert!(matches!(fault, HttpFault::Connect { .. }), "{fault:?}");
    assert_eq!(attempts, 3);
}

#[tokio::test]
async fn a_redirect_is_followed_and_a_loop_is_not() {
    let (outcome, upstream) =
        run_with([Reply::redirect("/rows"), Reply::redirect("?now"), Reply::status(500)], |_| {}).await;
    // Nothing is scripted for the end of the way.
    assert!(matches!(fault_of(outcome).0, HttpFault::Status { status: 404, .. }));
    assert_eq!(upstream.seen()[2].target, "/rows?now");

    let (outcome, upstream) = run_with([Reply::redirect("/rows")], |_| {}).await;
    let (fault, attempts) = fault_of(outcome);
    assert!(matches!(fault, HttpFault::Redirect { reason: "more than 5 redirects", .. }), "{fault:?}");
    assert_eq!((attempts, upstream.seen().len()), (1, 6));
}

#[tokio::test]
async fn credentials_do_not_go_to_another_host() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    first.on("/rows", [Reply::redirect("/moved")]);
    first.on("/moved", [Reply::redirect(second.url("/rows"))]);
    second.on("/rows", [Reply::ok(BODY)]);
    let mut source = source(&first.url("/rows"));
    source.settings.headers = vec![
        ("Authorization".to_owned(), Secret::new("Bearer geheim")),
        ("X-Api-Key".to_owned(), Secret::new("geheim")),
    ];
    run(&private(), source).await.unwrap();
    for request in first.seen() {
        assert_eq!(request.header("authorization"), Some("Bearer geheim"));
        assert_eq!(request.header("x-api-key"), Some("geheim"));
        assert!(request.header("user-agent").unwrap().starts_with("essaim/"));
    }
    let [request] = second.seen().try_into().unwrap();
    assert_eq!((request.header("authorization"), request.header("x-api-key")), (None, None));
    assert_eq!(request.header("referer"), None);
}

#[tokio::test]
async fn an_unchanged_document_is_not_sent_again() {
    let (upstream, private) = (Upstream::start().await, private());
    let validators =
        |reply: Reply| reply.header("etag", "\"v1\"").header("last-modified", "Sun, 22 Nov 2026 00:00:00 GMT");
    upstream.on("/rows", [validators(Reply::ok(BODY)), Reply::status(304)]);
    upstream.on("/more", [Reply::ok("1"), Reply::ok("2")]);
    let mut source = source(&upstream.url("/rows"));
    let first = run(&private, source.clone()).await.unwrap().snapshot;
    let again = run(&private, source.clone()).await.unwrap();
    assert_eq!((again.snapshot, again.changed), (first.clone(), false));
    let seen = upstream.seen();
    assert_eq!((seen[0].header("if-none-match"), seen[0].header("if-modified-since")), (None, None));
    assert_eq!(seen[1].header("if-none-match"), Some("\"v1\""));
    assert_eq!(seen[1].header("if-modified-since"), Some("Sun, 22 Nov 2026 00:00:00 GMT"));

    // Beside a part that is new, the unchanged one keeps its bytes and its validators.
    source.parts.push(("more".to_owned(), Url::parse(&upstream.url("/more")).unwrap().into()));
    let more = run(&private, source.clone()).await.unwrap();
    assert!(more.changed);
    assert_eq!(more.snapshot.parts[0], first.parts[0]);
    assert_eq!(run(&private, source).await.unwrap().snapshot.parts[0].etag.as_deref(), Some("\"v1\""));
}

#[tokio::test]
async fn nothing_is_asked_by_validators_when_the_bytes_are_gone_or_the_address_is_new() {
    let (upstream, private) = (Upstream::start().await, private());
    upstream.on("/rows", [Reply::ok(BODY).header("etag", "\"v1\"")]);
    upstream.on("/new", [Reply::ok(BODY).header("etag", "\"v1\"")]);
    let snapshot = run(&private, source(&upstream.url("/rows"))).await.unwrap().snapshot;
    run(&private, source(&upstream.url("/new"))).await.unwrap();
    private.store.delete(&snapshot.key_of(&snapshot.parts[0])).await.unwrap();
    run(&private, source(&upstream.url("/rows"))).await.unwrap();
    assert!(upstream.seen().iter().all(|request| request.header("if-none-match").is_none()));
    assert!(private.store.exists(&snapshot.key_of(&snapshot.parts[0])).await.unwrap());
}

#[tokio::test]
async fn secrets_are_in_no_error_and_in_no_snapshot() {
    let upstream = Upstream::start().await;
    upstream.on("/rows?id=1&token=geheim", [Reply::ok(BODY)]);
    upstream.on("/gone?token=geheim", [Reply::ok("").then_cut()]);
    let dead = "http://geheim:geheim@127.0.0.1:1/?access_token=geheim".to_owned();
    for (url, works) in
        [(upstream.url("/rows?id=1&token=geheim"), true), (upstream.url("/gone?token=geheim"), false), (dead, false)]
    {
        let mut source = source(&url);
        source.settings.headers = vec![("Authorization".to_owned(), Secret::new("Bearer geheim"))];
        assert!(!format!("{source:?}").contains("geheim"), "{source:?}");
        let connector = HttpConnector::new(source.clone(), &BTreeMap::new()).unwrap();
        assert!(!format!("{connector:?}").contains("geheim"), "{connector:?}");
        let outcome = run(&private(), source).await;
        let text = match &outcome {
            Ok(fetched) => format!("{fetched:?}"),
            Err(error) => chain(error),
        };
        assert!(!text.contains("geheim"), "{text}");
        assert_eq!(outcome.is_ok(), works, "{text}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_http_is_not_tried_twice() {
    let (fault, attempts) = fault_of(run(&private(), source("ftp://127.0.0.1:1/rows")).await);
    assert_eq!((fault.is_transient(), attempts), (false, 1), "{fault:?}");
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_refused_without_its_value() {
    let mut source = source("http://127.0.0.1:1/");
    source.settings.headers = vec![("X-Api-Key".to_owned(), Secret::new("geheim\n"))];
    let error = HttpConnector::new(source, &BTreeMap::new()).unwrap_err();
    assert!(matches!(&error, SourceError::Header { name } if name == "X-Api-Key"), "{error:?}");
    assert!(!chain(&error).contains("geheim"));
}

#[tokio::test]
async fn the_proxy_is_the_one_passed_in() {
    let proxy = Upstream::start().await;
    proxy.on("http://source.example/rows", [Reply::ok(BODY)]);
    let env = BTreeMap::from([("HTTP_PROXY".to_owned(), proxy.url(""))]);
    let connector = HttpConnector::new(source("http://source.example/rows"), &env).unwrap();
    let private = private();
    fetch(&private.store, &"source".parse().unwrap(), &connector, DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(proxy.seen().len(), 1);
}
