//! The body of an answer over HTTP: its beginning is held back for a moment, the rest is streamed.
//!
//! What goes wrong before anything was sent is told with a status. After that there is only one way to tell: the body is
//! broken off, so that a client sees an error and not a shorter answer.

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

/// The body of an answer; whole when it is short.
pub(super) async fn body(mut rows: Rows, format: AnswerFormat) -> Result<Body, Refusal> {
    let writer = AnswerWriter::new(format, &rows.schema, &rows.releases);
    let mut writer = writer.map_err(|error| Refusal::Value(error.to_string()))?;
    let mut beginning = writer.take();
    // Nothing was sent as long as there is no row: then a failure still has a status.
    let mut patience: Option<Instant> = None;
    while beginning.len() < BEGINNING {
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
                patience = patience.or_else(|| Some(Instant::now() + PATIENCE));
            }
            None => {
                beginning.extend(writer.finish().map_err(|error| Refusal::Value(error.to_string()))?);
                return Ok(Body::from(beginning));
            }
        }
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
