//! The server in this process, with limits that end soon.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::published::Published;
use super::{Limits, Parts, Server};
use crate::serve::sql::{SqlLimits, SqlService};
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
    Server::start("127.0.0.1:0", Parts { limits, ..Parts::new(published, sql, now) }).await.unwrap()
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
