//! Rows on their way to whoever asked: counted, timed, and ended when nobody takes them any more.
//!
//! A statement runs in a task on the threads of SQL and hands over at most [`AHEAD`] batches more than were taken. The
//! task holds the statement's turn, its memory and its deadline. A reader that stops reading keeps it waiting until the
//! deadline, no longer; one that leaves drops [`Rows`], and the task with it.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::{Refusal, SqlLimits};
use crate::engine::{AnswerStream, weight};
use crate::id::{DatasetId, ReleaseId};

/// Batches that are ready before they are asked for.
const AHEAD: usize = 2;
/// Time that a task has to tell by itself that its time is over.
const GRACE: Duration = Duration::from_secs(1);

/// The answer to a statement, batch by batch. Dropping it ends the statement.
///
/// A last item that is an error says that the answer is not whole.
pub struct Rows {
    /// The columns of every batch.
    pub schema: SchemaRef,
    /// The releases that it is read from.
    pub releases: Arc<[(DatasetId, ReleaseId)]>,
    batches: Receiver<RecordBatch>,
    end: End,
    ended: bool,
    /// When the reader is told that the time is over even though the task does not come to an end.
    late: (Pin<Box<Sleep>>, Refusal),
    _task: AbortOnDropHandle<()>,
}

/// How the task ended; not set when it broke off.
type End = Arc<OnceLock<Result<(), Refusal>>>;

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema).field("releases", &self.releases).finish_non_exhaustive()
    }
}

/// Where a task puts its rows, and how it says that it is done.
pub(super) struct Outlet {
    sender: Sender<RecordBatch>,
    end: End,
}

/// The reader's side before its columns are known.
pub(super) struct Inlet {
    receiver: Receiver<RecordBatch>,
    end: End,
}

pub(super) fn pipe() -> (Outlet, Inlet) {
    let (sender, receiver) = channel(AHEAD);
    let end = End::default();
    (Outlet { sender, end: Arc::clone(&end) }, Inlet { receiver, end })
}

impl Inlet {
    pub(super) fn rows(
        self,
        schema: SchemaRef,
        releases: Arc<[(DatasetId, ReleaseId)]>,
        task: AbortOnDropHandle<()>,
        late: (Instant, Refusal),
    ) -> Rows {
        let late = (Box::pin(sleep_until(late.0 + GRACE)), late.1);
        Rows { schema, releases, batches: self.receiver, end: self.end, ended: false, late, _task: task }
    }

    /// Why a task that never started ended.
    pub(super) async fn refusal(self, task: AbortOnDropHandle<()>) -> Refusal {
        if let Err(error) = task.await {
            tracing::error!(%error, "A query broke off");
        }
        match self.end.get() {
            Some(Err(refusal)) => refusal.clone(),
            _ => Refusal::Internal,
        }
    }
}

impl Outlet {
    /// Says how it ended, once everything that it held is gone.
    pub(super) fn end(self, result: Result<(), Refusal>) {
        // It is said once: only the task has this side.
        self.end.get_or_init(|| result);
    }

    /// Hands all rows over, or stops where a limit is.
    pub(super) async fn pump(
        &self,
        mut stream: AnswerStream,
        schema: &SchemaRef,
        limits: &SqlLimits,
        memory: u64,
    ) -> Result<(), Refusal> {
        let (mut rows, mut bytes) = (0, 0);
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| Refusal::of_engine(&error, memory))?;
            rows += batch.num_rows() as u64;
            bytes += weight(&batch);
            if rows > limits.rows {
                return Err(Refusal::TooManyRows { limit: limits.rows });
            }
            if bytes > limits.answer_bytes {
                return Err(Refusal::TooManyBytes { limit: limits.answer_bytes });
            }
            if batch.num_rows() == 0 {
                continue;
            }
            let shaped = shaped(&batch, schema).map_err(|error| {
                tracing::error!(%error, "An answer has other columns than its plan");
                Refusal::Internal
            })?;
            if self.sender.send(shaped).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A batch in the types that were announced: a kernel may hold a text or a list in another way.
fn shaped(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            return Ok(Arc::clone(column));
        }
        cast(column, field.data_type())
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<ArrayRef>, ArrowError>>()?)
}

impl Stream for Rows {
    type Item = Result<RecordBatch, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match self.batches.poll_recv(context) {
            Poll::Ready(Some(batch)) => return Poll::Ready(Some(Ok(batch))),
            Poll::Ready(None) => {}
            Poll::Pending => {
                ready!(self.late.0.as_mut().poll(context));
                self.ended = true;
                return Poll::Ready(Some(Err(self.late.1.clone())));
            }
        }
        self.ended = true;
        Poll::Ready(match self.end.get() {
            Some(Ok(())) => None,
            Some(Err(refusal)) => Some(Err(refusal.clone())),
            // The task broke off: a panic in a kernel, which tokio has caught.
            None => Some(Err(Refusal::Internal)),
        })
    }
}
