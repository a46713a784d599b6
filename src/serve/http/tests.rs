//! The server in this process, with limits that end soon.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Limits, Parts, Server};
use crate::serve::published::Published;
use crate::serve::sql::{SqlLimits, SqlService, router};
use crate::store::{Store, StoreKey};

#[expect(clippy::disallowed_methods, reason = "a server has the time of its machine")]
fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// A server of a store with one page.
async fn server(name: &str, limits: Limits) -> Server {
    let store = Store::open(&format!("memory://{name}"), std::path::Path::new("."), &BTreeMap::new()).unwrap();
    let page = StoreKey::Page { path: "index.html".to_owned() };
    store.put(&page, "<p>Bonjour</p>".into()).await.unwrap();
    let published = Published::new(store);
    let sql = SqlService::start(published.clone(), &SqlLimits::default(), std::env::temp_dir()).unwrap();
    let more = router(sql.clone());
    Server::start("127.0.0.1:0", Parts { limits, more, ..Parts::new(published, sql, now) }).await.unwrap()
}

async fn said(mut stream: TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn who_sends_the_head_of_a_request_too_slowly_or_nothing_at_all_is_let_go() {
    let server = server("slow-head", Limits { head: Duration::from_millis(100), ..Limits::default() }).await;
    for text in ["", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let answer = said(stream, text).await;
        assert_eq!(answer.starts_with("HTTP/1.1 200"), text.ends_with("\r\n\r\n"), "{answer}");
    }
    assert!(server.stop().await);
}

#[tokio::test]
async fn a_connection_too_many_waits_for_its_turn() {
    let server = server("few", Limits { connections: 1, ..Limits::default() }).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    let second = TcpStream::connect(server.address).await.unwrap();
    let mut waiting = tokio::spawn(said(second, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    let early = tokio::time::timeout(Duration::from_millis(200), &mut waiting).await;
    assert!(early.is_err(), "it was answered beside the first");
    drop(first);
    assert!(waiting.await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(server.stop().await);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = server("large-head", Limits::default()).await;
    let many = "X-Y: x\r\n".repeat(1000);
    let stream = TcpStream::connect(server.address).await.unwrap();
    let answer = said(stream, &format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(server.stop().await);
}

#[tokio::test]
async fn what_the_address_for_sql_takes_is_said() {
    let server = server("methods", Limits::default()).await;
    for (path, methods) in [("/sql", "GET, HEAD, POST, OPTIONS"), ("/healthz", "GET, HEAD, OPTIONS")] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let answer = said(stream, &format!("DELETE {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
        assert!(answer.to_lowercase().contains(&format!("\r\nallow: {}\r\n", methods.to_lowercase())), "{answer}");
    }
    assert!(server.stop().await);
}

#[tokio::test]
async fn over_http_1_0_an_answer_is_whole_before_it_is_sent() {
    let server = server("old", Limits::default()).await;
    // More than what is held back of an answer that is streamed.
    let sql = "SELECT+repeat('x',30000)+AS+x,repeat('y',2000)+AS+y+FROM+(VALUES+(1),(2),(3),(4))+AS+t";
    for (version, streamed) in [("HTTP/1.1", true), ("HTTP/1.0", false)] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let answer = said(stream, &format!("GET /sql?q={sql} {version}\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        assert_eq!(head.contains("transfer-encoding: chunked"), streamed, "{head}");
        assert_eq!(head.contains(&format!("content-length: {}", body.len())), !streamed, "{head}");
    }
    assert!(server.stop().await);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_end_is_counted_as_such_and_one_that_reads_it_is_not() {
    // A disk gives a file piece by piece, and this one is longer than what waits on its way.
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open("public", folder.path(), &BTreeMap::new()).unwrap();
    let page = StoreKey::Page { path: "large.html".to_owned() };
    store.put(&page, vec![b'x'; 32 << 20].into()).await.unwrap();
    let published = Published::new(store);
    let sql = SqlService::start(published.clone(), &SqlLimits::default(), std::env::temp_dir()).unwrap();
    let server = Server::start("127.0.0.1:0", Parts::new(published, sql, now)).await.unwrap();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut leaving = TcpStream::connect(server.address).await.unwrap();
    leaving.write_all(get("/large.html").as_bytes()).await.unwrap();
    leaving.read_exact(&mut [0; 100]).await.unwrap();
    drop(leaving);
    let staying = TcpStream::connect(server.address).await.unwrap();
    assert!(said(staying, &get("/large.html")).await.len() > 32 << 20);
    let counted = |text: &str, status: u16| text.contains(&format!("{{class=\"page\",status=\"{status}\"}} 1\n"));
    loop {
        let text = server.site.metrics.text();
        if counted(&text, 499) && counted(&text, 200) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(server.stop().await);
}
