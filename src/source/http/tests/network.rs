//! What goes wrong on the way: names, addresses, encryption, bodies that are not what they say.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;

use super::*;
use crate::config::pipeline::Paging;
use crate::config::pipeline::PagingStep;

/// A server that answers each connection with the next bytes, as they are, and closes it.
fn raw(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            reply(stream, &answer);
        }
    });
    address.to_string()
}

fn reply(mut stream: TcpStream, answer: &[u8]) {
    let mut request = [0; 4096];
    // One read has the whole of such small requests; who leaves early is part of the tests.
    let read = stream.read(&mut request).unwrap_or_default();
    assert!(read < request.len());
    drop(stream.write_all(answer));
}

fn http(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n{body}").into_bytes()
}

#[tokio::test]
async fn a_name_without_an_address_is_said_so() {
    // Longer than a name may be: no name server is asked.
    let host = format!("{}.invalid", "a".repeat(70));
    let outcome = run(&private(), source(&format!("http://{host}/rows"))).await;
    let text = chain(outcome.as_ref().unwrap_err());
    let (fault, attempts) = fault_of(outcome);
    assert!(matches!(&fault, HttpFault::Unresolved { host: said, .. } if *said == host), "{fault:?}");
    assert!(text.contains("no address is known for") && text.contains("check the name"), "{text}");
    assert_eq!(attempts, 3, "a name server may be away for a moment");
}

#[tokio::test]
async fn what_is_not_tls_is_said_so() {
    let address = raw(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(); 3]);
    let (fault, attempts) = fault_of(run(&private(), source(&format!("https://{address}/rows"))).await);
    assert!(matches!(fault, HttpFault::Tls { .. }), "{fault:?}");
    assert_eq!(attempts, 3);
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_fetched_again() {
    let long = http("Content-Length: 9\r\n", BODY);
    let address = raw(vec![long, http("Content-Length: 8\r\n", BODY)]);
    let snapshot = run(&private(), source(&format!("http://{address}/rows"))).await.unwrap().snapshot;
    assert_eq!(snapshot.parts[0].digest, crate::id::Digest::of(BODY.as_bytes()));
}

#[tokio::test]
async fn json_longer_than_announced_or_cut_without_a_length_is_fetched_again() {
    let page = r#"{"next": null, "rows": []}"#;
    let short = http("Content-Length: 20\r\n", page);
    let cut = http("", page.split_at(12).0);
    let address = raw(vec![short, cut, http("", page)]);
    let paging = Paging::new(PagingStep::Next { path: vec!["next".to_owned()] });
    let source = HttpSource { paging: Some(paging), ..source(&format!("http://{address}/rows")) };
    let snapshot = run(&private(), source).await.unwrap().snapshot;
    assert_eq!(snapshot.parts[0].digest, crate::id::Digest::of(page.as_bytes()));
}

#[rstest]
#[case::page("<!doctype html><title>Connexion</title>")]
#[case::page_after_a_mark("\u{feff}\n<HTML lang=fr>")]
#[tokio::test]
async fn a_page_for_people_is_not_taken_for_data(#[case] page: &str) {
    let page = Reply::ok(page.to_owned()).header("content-type", "text/html; charset=utf-8");
    let (outcome, upstream) = run_with([page.clone()], |_| {}).await;
    let text = chain(outcome.as_ref().unwrap_err());
    assert!(text.contains("a page for people, not data; open the address in a browser"), "{text}");
    assert!(matches!(fault_of(outcome).0, HttpFault::Page));
    assert_eq!(upstream.seen().len(), 1);

    // Files of our own are read back whatever they are.
    let (outcome, _) = run_with([page], |source| source.pages = true).await;
    outcome.unwrap();
}

#[tokio::test]
async fn bytes_are_kept_as_they_came_whatever_their_letters_are() {
    let bytes = b"\xef\xbb\xbfid;nom\r\n1;caf\xe9\r\n\xff\xfe".to_vec();
    let (outcome, _) = run_with([Reply::ok(bytes.clone())], |_| {}).await;
    assert_eq!(outcome.unwrap().snapshot.parts[0].digest, crate::id::Digest::of(&bytes));
}

#[tokio::test]
async fn a_coding_that_was_not_asked_for_is_refused() {
    let (outcome, upstream) = run_with([Reply::ok("xxxx").header("content-encoding", "br")], |_| {}).await;
    let (fault, _) = fault_of(outcome);
    assert!(matches!(&fault, HttpFault::Encoding { encoding } if encoding == "br"), "{fault:?}");
    assert_eq!(upstream.seen()[0].header("accept-encoding"), Some("gzip"));
}

fn beginning(etag: &str) -> Reply {
    let reply = Reply::ok("a,b\n").header("content-length", "8").header("etag", etag);
    reply.header("accept-ranges", "bytes").then_cut()
}

fn rest() -> Reply {
    Reply::status(206).header("content-range", "bytes 4-7/8").header("etag", "\"v1\"").with_body("1,2\n")
}

#[tokio::test]
async fn a_download_that_broke_off_goes_on_where_it_was() {
    let (outcome, upstream) = run_with([beginning("\"v1\""), rest()], |_| {}).await;
    let part = outcome.unwrap().snapshot.parts.remove(0);
    assert_eq!((part.digest, part.etag.as_deref()), (crate::id::Digest::of(BODY.as_bytes()), Some("\"v1\"")));
    let seen = upstream.seen();
    assert_eq!((seen[0].header("range"), seen[0].header("accept-encoding")), (None, Some("gzip")));
    assert_eq!((seen[1].header("range"), seen[1].header("if-range")), (Some("bytes=4-"), Some("\"v1\"")));
    assert_eq!(seen[1].header("accept-encoding"), Some("identity"));
}

#[rstest]
#[case::changed_meanwhile(vec![beginning("\"v1\""), Reply::ok(BODY)], Some("bytes=4-"))]
#[case::weak(vec![beginning("W/\"v1\""), Reply::ok(BODY)], None)]
#[case::another_range(
    vec![beginning("\"v1\""), Reply::status(206).header("content-range", "bytes 0-7/8"), Reply::ok(BODY)],
    Some("bytes=4-")
)]
#[case::no_range_after_all(vec![beginning("\"v1\""), Reply::status(503), Reply::ok(BODY)], Some("bytes=4-"))]
#[tokio::test]
async fn a_download_that_cannot_go_on_begins_again(#[case] replies: Vec<Reply>, #[case] range: Option<&str>) {
    let (outcome, upstream) = run_with(replies, |_| {}).await;
    assert_eq!(outcome.unwrap().snapshot.parts[0].digest, crate::id::Digest::of(BODY.as_bytes()));
    let seen = upstream.seen();
    assert_eq!(seen[1].header("range"), range);
    assert!(seen[2..].iter().all(|request| request.header("range").is_none()));
}

#[tokio::test]
async fn the_limit_counts_what_came_before_the_break() {
    let (outcome, _) = run_with([beginning("\"v1\""), rest()], |source| source.settings.max_bytes = 8).await;
    outcome.unwrap();
    let broken = [Reply::ok("a,b\n").header("etag", "\"v1\"").header("accept-ranges", "bytes").then_cut(), rest()];
    let (outcome, _) = run_with(broken, |source| source.settings.max_bytes = 7).await;
    assert!(matches!(fault_of(outcome).0, HttpFault::TooLarge { limit: 7 }));
}

#[rstest]
#[case::address("http://127.0.0.1:1/rows")]
#[case::address_of_a_cloud("http://169.254.169.254/latest/meta-data/")]
#[case::name("http://localhost:1/rows")]
#[tokio::test]
async fn private_addresses_are_not_called(#[case] url: &str) {
    let mut source = source(url);
    source.settings.private_addresses = false;
    let outcome = run(&private(), source).await;
    let text = chain(outcome.as_ref().unwrap_err());
    assert!(text.contains("`private_addresses = true` under [network]"), "{text}");
    let (fault, attempts) = fault_of(outcome);
    assert!(matches!(fault, HttpFault::Private { .. }), "{fault:?}");
    assert_eq!(attempts, 1);
}

#[tokio::test]
async fn a_redirect_does_not_lead_to_a_private_address_either() {
    let proxy = Upstream::start().await;
    proxy.on("http://source.example/rows", [Reply::redirect("http://169.254.169.254/latest/meta-data/")]);
    let env = BTreeMap::from([("HTTP_PROXY".to_owned(), proxy.url(""))]);
    let mut source = source("http://source.example/rows");
    source.settings.private_addresses = false;
    let connector = HttpConnector::new(source, &env).unwrap();
    let outcome = fetch(&private().store, &"source".parse().unwrap(), &connector, DateTime::UNIX_EPOCH).await;
    let (fault, _) = fault_of(outcome);
    assert!(matches!(&fault, HttpFault::Private { host } if host == "169.254.169.254"), "{fault:?}");
    assert_eq!(proxy.seen().len(), 1);
}

#[tokio::test]
async fn what_a_server_sends_back_of_a_secret_is_not_kept() {
    let reply = Reply::ok(BODY).header("etag", "\"geheim-42\"").header("content-type", "text/csv; for=geheim-42");
    let (outcome, _) = run_with([reply], |source| {
        source.settings.headers = vec![("Authorization".to_owned(), Secret::new("Bearer geheim-42"))];
    })
    .await;
    let part = outcome.unwrap().snapshot.parts.remove(0);
    assert_eq!((part.etag, part.content_type), (None, None));
}
