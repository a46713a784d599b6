//! The access log: one line for each request, without anything about who asked. No address, no query, no name of a program,
//! and no path that a client made up.

use std::fmt;
use std::io::Write;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use axum::http::Method;
use tokio::sync::oneshot;

use super::told::Class;

/// Lines that wait to be written.
const WAITING: usize = 1 << 14;

/// A request that came to its end.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// When, RFC 3339, UTC.
    pub(super) at: String,
    /// Its method.
    pub(super) method: Method,
    /// A published file, or the pattern of a route.
    pub(super) place: String,
    /// Of which kind it is.
    pub(super) class: Class,
    /// The status of the answer.
    pub(super) status: u16,
    /// Bytes of the body that were handed over.
    pub(super) bytes: u64,
    /// The time it took.
    pub(super) took: Duration,
}

impl Line {
    fn text(&self) -> String {
        let Self { at, method, place, status, bytes, took, .. } = self;
        let method = known(method);
        format!("{at}\t{method}\t{place}\t{status}\t{bytes}\t{:.1}\n", took.as_secs_f64() * 1000.0)
    }

    fn json(&self) -> String {
        let Self { at, method, place, class, status, bytes, took } = self;
        let line = serde_json::json!({
            "at": at, "method": known(method), "path": place, "class": class.as_str(), "status": status, "bytes": bytes,
            "duration_ms": took.as_secs_f64() * 1000.0,
        });
        format!("{line}\n")
    }
}

/// A method, unless a client made it up.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS | Method::POST | Method::PUT | Method::DELETE | Method::PATCH => {
            method.as_str()
        }
        _ => "-",
    }
}

/// Where lines go. They are written by a thread of their own: a slow disk or reader holds no answer up, and lines that nobody
/// takes in time are lost and counted.
#[derive(Clone)]
pub struct AccessLog(SyncSender<Message>);

enum Message {
    Line(Line),
    /// All lines before this one are out: who asked is told.
    Flush(oneshot::Sender<()>),
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessLog")
    }
}

impl AccessLog {
    /// Writes lines to `out`: cells with tabs between, or JSON objects.
    pub fn to(mut out: impl Write + Send + 'static, json: bool) -> std::io::Result<Self> {
        let (sender, messages) = sync_channel::<Message>(WAITING);
        let write = move || {
            // As many as are there at once, then all of them are out.
            while let Ok(first) = messages.recv() {
                let (mut text, mut asked) = (String::new(), Vec::new());
                for message in std::iter::once(first).chain(messages.try_iter()).take(WAITING) {
                    match message {
                        Message::Line(line) => text.push_str(&if json { line.json() } else { line.text() }),
                        Message::Flush(who) => asked.push(who),
                    }
                }
                let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
                drop(asked);
                if written.is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("access-log".to_owned()).spawn(write)?;
        Ok(Self(sender))
    }

    /// Waits until all lines so far are out.
    pub(super) async fn flush(&self) {
        let (who, told) = oneshot::channel();
        if self.0.try_send(Message::Flush(who)).is_ok() {
            drop(told.await);
        }
    }

    /// Takes a line; `false` when it is lost. A reader that left is no loss.
    pub(super) fn take(&self, line: Line) -> bool {
        !matches!(self.0.try_send(Message::Line(line)), Err(TrySendError::Full(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_time_method_path_status_bytes_and_milliseconds() {
        let line = Line {
            at: "2026-12-01T08:00:00Z".to_owned(),
            method: Method::GET,
            place: "/lieux/latest/lieux.csv".to_owned(),
            class: Class::Latest,
            status: 200,
            bytes: 12,
            took: Duration::from_micros(1500),
        };
        assert_eq!(line.text(), "2026-12-01T08:00:00Z\tGET\t/lieux/latest/lieux.csv\t200\t12\t1.5\n");
        let invented = Line { method: Method::from_bytes(b"JEAN").unwrap(), ..line };
        assert!(invented.json().contains("\"method\":\"-\""));
    }
}
