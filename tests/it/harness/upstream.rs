//! A server on loopback whose answers are scripted.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// One scripted answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status line after `HTTP/1.1`, such as `200 OK`.
    pub status: &'static str,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Bytes that are promised and never come.
    pub missing: usize,
}

impl Reply {
    /// `200 OK` with a body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: "200 OK", headers: Vec::new(), body: body.into(), missing: 0 }
    }

    /// Another status without body.
    pub fn status(status: &'static str) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), missing: 0 }
    }

    /// Cut off: so many bytes are promised and never come.
    pub fn cut(mut self, missing: usize) -> Self {
        self.missing = missing;
        self
    }

    /// With a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// A request as it came in: its first line and its headers.
pub type Request = Vec<String>;

/// Answers each request with the next reply, and with 410 when there is none left.
pub struct Upstream {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// Starts a server on a free port.
    pub fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (seen, read_bodies) = (Arc::clone(&requests), Arc::clone(&bodies));
        thread::spawn(move || {
            let mut replies: VecDeque<Reply> = replies.into();
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (request, body) = read(&stream);
                seen.lock().unwrap().push(request);
                read_bodies.lock().unwrap().push(body);
                answer(stream, &replies.pop_front().unwrap_or_else(|| Reply::status("410 Gone")));
            }
        });
        Self { address, requests, bodies }
    }

    /// Address of a document.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Bodies of the requests so far.
    pub fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }

    /// Requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> (Request, String) {
    let mut reader = BufReader::new(stream);
    let head: Request = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let length = head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    // A client that leaves early is part of some stories.
    let read = reader.read_exact(&mut body);
    (head, if read.is_ok() { String::from_utf8_lossy(&body).into_owned() } else { String::new() })
}

fn answer(mut stream: TcpStream, reply: &Reply) {
    let length = reply.body.len() + reply.missing;
    let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: {length}\r\n", reply.status);
    for (name, value) in &reply.headers {
        head = head + name + ": " + value + "\r\n";
    }
    head.push_str("\r\n");
    // A client that leaves early is part of some stories.
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&reply.body)));
}
