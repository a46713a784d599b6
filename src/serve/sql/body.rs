//! The body of an answer over HTTP: its beginning is held back for a moment, the rest is streamed.
//!
//! What goes wrong before anything was sent is told with a status. After that there is only one way to tell: the body is
//! broken off, so that a client sees an error and not a shorter answer. HTTP/1.0 has no way to tell at all: there a body ends
//! where the connection does, so that an answer is sent once it is whole.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::format::{AnswerFormat, AnswerWriter};
use super::{Refusal, Rows};

/// Bytes from which on an answer is streamed.
const BEGINNING: usize = 64 << 10;
/// Longest time that the beginning of an answer is held back once there is one.
const PATIENCE: Duration = Duration::from_millis(250);

/// Bytes that are kept of an answer until it is whole.
const WHOLE: usize = 16 << 20;

/// How an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// As it comes, when it is long.
    Streamed,
    /// Once it is there.
    Whole,
}

/// The body of an answer; whole when it is short.
pub(super) async fn body(mut rows: Rows, format: AnswerFormat, length: Length) -> Result<Body, Refusal> {
    let writer = AnswerWriter::new(format, &rows.schema, &rows.releases);
    let mut writer = writer.map_err(|error| Refusal::Value(error.to_string()))?;
    let mut beginning = writer.take();
    // Nothing was sent as long as there is no row: then a failure still has a status.
    let mut patience: Option<Instant> = None;
    let most = if length == Length::Whole { WHOLE } else { BEGINNING };
    while beginning.len() < most {
        let next = match patience {
            None => rows.next().await,
            Some(end) => match timeout_at(end, rows.next()).await {
                Ok(next) => next,
                Err(_) => break,
            },
        };
        match next {
            Some(batch) => {
                writer.write(&batch?).map_err(|error| Refusal::Value(error.to_string()))?;
                beginning.extend(writer.take());
                if length == Length::Streamed {
                    patience = patience.or_else(|| Some(Instant::now() + PATIENCE));
                }
            }
            None => {
                beginning.extend(writer.finish().map_err(|error| Refusal::Value(error.to_string()))?);
                return Ok(Body::from(beginning));
            }
        }
    }
    if length == Length::Whole {
        return Err(Refusal::TooManyBytes { limit: WHOLE as u64 });
    }
    let beginning = Bytes::from(beginning);
    let first = futures::stream::once(async move { Ok::<_, io::Error>(beginning) });
    Ok(Body::from_stream(first.chain(rest(rows, writer))))
}

/// Everything after the beginning; ends in an error when the answer does.
fn rest(rows: Rows, writer: AnswerWriter) -> impl futures::Stream<Item = io::Result<Bytes>> + Send {
    futures::stream::try_unfold(Some((rows, writer)), |state| async move {
        let Some((mut rows, mut writer)) = state else { return Ok(None) };
        loop {
            match rows.next().await {
                Some(Ok(batch)) => {
                    writer.write(&batch).map_err(io::Error::other)?;
                    let ready = writer.take();
                    if !ready.is_empty() {
                        return Ok(Some((Bytes::from(ready), Some((rows, writer)))));
                    }
                }
                Some(Err(refusal)) => {
                    tracing::debug!(%refusal, "An answer was broken off: {refusal}");
                    return Err(io::Error::other(refusal));
                }
                None => return Ok(Some((Bytes::from(writer.finish().map_err(io::Error::other)?), None))),
            }
        }
    })
}
