//! A real server in its own process, and requests of the plainest kind.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::harness::Project;

/// `essaim serve` on a free port.
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
}

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
    /// Whether it came to its end, as its head announced it.
    pub(super) whole: bool,
}

impl Server {
    pub(super) fn start(project: &Project) -> Self {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--no-access-log"];
        let mut child = project.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            Some(line.split_once("serving http://")?.1.split('/').next()?.to_owned())
        });
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("a server says where it listens") }
    }

    /// Sends a request and leaves what comes back to be read.
    pub(super) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for (name, value) in headers {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        stream
    }

    pub(super) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        read(self.send(method, path, headers, body), method == "HEAD")
    }

    /// Asks by GET, in a form.
    pub(super) fn ask(&self, sql: &str, format: &str) -> Reply {
        self.request("GET", &path(sql, format), &[], "")
    }

    /// Asks by POST, for JSON.
    pub(super) fn post(&self, sql: &str) -> Reply {
        self.request("POST", "/sql", &[("Content-Type", "text/plain")], sql)
    }

    /// The most memory that the process ever had, in bytes; nothing where the system does not say.
    pub(super) fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        drop(Command::new("kill").args(["-TERM", &id]).status());
        drop(self.child.wait());
    }
}

/// Address of a statement.
pub(super) fn path(sql: &str, format: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("q", sql).append_pair("format", format);
    format!("/sql?{}", query.finish())
}

/// Reads an answer to its end.
pub(super) fn read(mut stream: TcpStream, without_body: bool) -> Reply {
    let mut bytes = Vec::new();
    // A connection that is cut off is an answer, too.
    let cut_off = stream.read_to_end(&mut bytes).is_err();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let rest = &bytes[end + 4..];
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut reply = Reply { status, head, body: Vec::new(), whole: !cut_off };
    if without_body {
        return reply;
    }
    if reply.header("transfer-encoding") == Some("chunked") {
        let (body, whole) = chunks(rest);
        (reply.body, reply.whole) = (body, whole && !cut_off);
    } else {
        let length: usize = reply.header("content-length").map_or(rest.len(), |length| length.parse().unwrap());
        reply.body = rest.to_vec();
        reply.whole = !cut_off && rest.len() == length;
    }
    reply
}

/// Bytes of a chunked body, and whether its last chunk came.
fn chunks(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else { return (body, false) };
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap().trim(), 16).unwrap();
        rest = &rest[end + 2..];
        if size == 0 {
            return (body, true);
        }
        if rest.len() < size + 2 {
            body.extend_from_slice(&rest[..size.min(rest.len())]);
            return (body, false);
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

impl Reply {
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.text());
        self
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}
