//! Rows on their way to a client, and refusals in its words. A client that goes drops its rows, and with them the
//! statement; one that is slow meets the deadline of its statement.

use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tonic::Status;

use super::columns::plain_batch;
use crate::serve::sql::{Refusal, Rows};

/// What is sent to a client.
pub(super) type Sent = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// A refusal in the words of gRPC.
pub(super) fn status(refusal: &Refusal) -> Status {
    let mut text = refusal.to_string();
    if let Some(place) = refusal.place() {
        text = format!("{text} (line {}, column {})", place.line, place.column);
    }
    if let Some(help) = refusal.help() {
        text = format!("{text}; {help}");
    }
    Status::new(refusal.grpc(), text)
}

/// Encodes the rows of a statement.
pub(super) fn send(rows: Rows, schema: &SchemaRef) -> Sent {
    let shape = Arc::clone(schema);
    encode(
        schema,
        rows.map(move |batch| match batch {
            Ok(batch) => Ok(plain_batch(&batch, &shape)?),
            Err(refusal) => Err(status(&refusal).into()),
        }),
    )
}

/// Encodes what is at hand.
pub(super) fn send_batch(schema: &SchemaRef, batch: Result<RecordBatch, FlightError>) -> Sent {
    encode(schema, stream::once(async { batch }))
}

fn encode(schema: &SchemaRef, batches: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static) -> Sent {
    let encoder = FlightDataEncoderBuilder::new().with_schema(Arc::clone(schema)).build(batches);
    Box::pin(encoder.map_err(|error| match error {
        FlightError::Tonic(status) => *status,
        other => {
            tracing::error!(error = %other, "Rows could not be encoded: {other}");
            Status::internal("the rows could not be encoded")
        }
    }))
}
