//! What is published, over HTTP: `essaim serve` as its readers and those who operate it meet it.

mod api;
mod clients;
mod files;
mod operations;
mod withheld;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::harness::{Output, Project};

/// An e-mail address that stands in a personal column of the sample.
const PERSONAL: &str = "hangar@example.org";

/// The small project of `essaim init`, published once.
fn published() -> Project {
    let project = Project::empty();
    project.essaim(&["init", "."]).expect(0);
    project.run();
    assert!(project.read("seeds/lieux.csv").contains(PERSONAL));
    project
}

/// Adds a row to the sample's file and publishes again.
fn publish_another(project: &Project, id: &str) {
    let row = format!("{id};Le Phare;coworking;29200;Brest;60;01/06/2023;ouvert;\n");
    let text = project.read("seeds/lieux.csv");
    project.write("seeds/lieux.csv", text + &row);
    project.run();
}

/// A server that runs.
struct Service {
    child: Child,
    address: String,
    /// Lines of stdout: the access log, and runs when it keeps the schedule.
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    heard: String,
}

impl Service {
    fn start(project: &Project) -> Self {
        Self::with(project, &[])
    }

    fn with(project: &Project, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let mut child = project.command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        let mut service = Self { child, address: String::new(), stdout, stderr, heard: String::new() };
        let line = service.until("serving http://");
        line.rsplit_once("http://").unwrap().1.trim_end_matches('/').clone_into(&mut service.address);
        service
    }

    /// Reads stderr until a line holds a text.
    #[track_caller]
    fn until(&mut self, text: &str) -> String {
        while let Ok(line) = self.stderr.recv() {
            self.heard = format!("{}{line}\n", self.heard);
            if line.contains(text) {
                return line;
            }
        }
        panic!("`{text}` was never said:\n{}", self.heard);
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// Asks with headers; the path is sent as it is.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: essaim.example\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        stream.write_all((head + "\r\n").as_bytes()).unwrap();
        Answer::read(stream, method == "HEAD")
    }

    /// A JSON answer.
    #[track_caller]
    fn json(&self, path: &str) -> serde_json::Value {
        self.get(path).expect(200).json()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Ends it as a machine does that shuts down.
    fn end(self) -> Output {
        self.signal("TERM");
        self.wait()
    }

    fn wait(mut self) -> Output {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let stdout = self.stdout.iter().map(|line| line + "\n").collect();
        let rest = self.stderr.iter().map(|line| line + "\n");
        Output { code, stdout, stderr: std::mem::take(&mut self.heard) + &rest.collect::<String>() }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A story that failed leaves nobody behind.
        drop(self.child.kill());
    }
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    let lines = BufReader::new(from).lines().map_while(Result::ok);
    std::thread::spawn(move || lines.for_each(|line| sender.send(line).unwrap_or_default()));
    receiver
}

/// An answer, whole.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn read(stream: TcpStream, bodiless: bool) -> Self {
        let mut reader = BufReader::new(stream);
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let status = line().split(' ').nth(1).unwrap().parse().unwrap();
        let head = std::iter::from_fn(|| Some(line()).filter(|line| !line.is_empty()));
        let headers: Vec<(String, String)> = head
            .map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())).unwrap())
            .collect();
        let mut answer = Self { status, headers, body: Vec::new() };
        if bodiless {
            reader.read_to_end(&mut answer.body).unwrap();
            assert!(answer.body.is_empty(), "HEAD has no body");
        } else if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let mut size = String::new();
                reader.read_line(&mut size).unwrap();
                let size = usize::from_str_radix(size.trim(), 16).unwrap();
                let mut chunk = vec![0; size + 2];
                reader.read_exact(&mut chunk).unwrap();
                answer.body.extend_from_slice(&chunk[..size]);
                if size == 0 {
                    break;
                }
            }
        } else {
            reader.read_to_end(&mut answer.body).unwrap();
            let promised = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
            assert_eq!(answer.body.len(), promised, "as many bytes as were promised: {answer:?}");
        }
        answer
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}\n{}", self.headers, self.text());
        self
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}
