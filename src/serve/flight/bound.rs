//! Values that a client binds to a prepared statement.

use arrow::datatypes::DataType;
use arrow::ipc::root_as_message;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use tonic::Status;

use crate::engine::ScalarValue;

/// The values of the one row that a client binds, in the types that the engine takes; they have so many bytes at most.
pub(super) async fn bound<E: Into<FlightError> + Send + 'static>(
    messages: impl Stream<Item = Result<FlightData, E>> + Send + 'static,
    parameters: &[Option<DataType>],
    most: usize,
) -> Result<Vec<ScalarValue>, Status> {
    let messages = messages.map_err(Into::into).and_then(|message| std::future::ready(uncompressed(message)));
    let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
    let mut values: Option<Vec<ScalarValue>> = None;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|error| Status::invalid_argument(format!("the values cannot be read: {error}")))?;
        if batch.num_rows() == 0 {
            continue;
        }
        if batch.num_rows() > 1 || values.is_some() {
            return Err(Status::invalid_argument("one row of values is bound at a time"));
        }
        let wrong =
            |error: &dyn std::fmt::Display| Status::invalid_argument(format!("a value cannot be read: {error}"));
        let mut row = Vec::with_capacity(batch.num_columns());
        let mut bytes = 0_usize;
        for (index, column) in batch.columns().iter().enumerate() {
            let value = ScalarValue::try_from_array(column, 0).map_err(|error| wrong(&error))?;
            bytes = bytes.saturating_add(value.size());
            if bytes > most {
                let text = format!("the values have more than {most} bytes");
                return Err(Status::resource_exhausted(text));
            }
            row.push(match parameters.get(index) {
                Some(Some(kind)) if *kind != value.data_type() => value.cast_to(kind).map_err(|error| wrong(&error))?,
                _ => value,
            });
        }
        values = Some(row);
    }
    Ok(values.unwrap_or_default())
}

/// A message, unless its body is compressed: it says itself how long it will be, and room for that is made before a byte of
/// it was read.
fn uncompressed(message: FlightData) -> Result<FlightData, FlightError> {
    let unreadable = |error: &dyn std::fmt::Display| FlightError::DecodeError(format!("this is no message: {error}"));
    let read = root_as_message(&message.data_header).map_err(|error| unreadable(&error))?;
    let batch = read.header_as_record_batch();
    let batch = batch.or_else(|| read.header_as_dictionary_batch().and_then(|dictionary| dictionary.data()));
    if batch.is_some_and(|batch| batch.compression().is_some()) {
        return Err(FlightError::DecodeError("values are not taken compressed".to_owned()));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, RecordBatch, StringArray};
    use arrow::datatypes::Int32Type;
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::IpcWriteOptions;
    use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
    use futures::stream;

    use super::*;

    async fn bind(column: ArrayRef, compressed: bool) -> Result<Vec<ScalarValue>, Status> {
        let batch = RecordBatch::try_from_iter([("$1", column)]).unwrap();
        let compression = compressed.then_some(CompressionType::LZ4_FRAME);
        let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
        let messages = FlightDataEncoderBuilder::new()
            .with_options(options)
            .with_dictionary_handling(DictionaryHandling::Resend)
            .build(stream::iter([Ok(batch)]));
        bound(messages, &[Some(DataType::Utf8)], 1000).await
    }

    #[tokio::test]
    async fn values_are_taken_as_they_are_and_not_compressed() {
        let text = || Arc::new(StringArray::from(vec!["x".repeat(100)])) as ArrayRef;
        let coded = || Arc::new(DictionaryArray::<Int32Type>::from_iter([Some("x".repeat(100).as_str())])) as ArrayRef;
        for column in [text(), coded()] {
            let values = bind(Arc::clone(&column), false).await.unwrap();
            assert_eq!(values, [ScalarValue::Utf8(Some("x".repeat(100)))]);
            let refused = bind(column, true).await.unwrap_err();
            assert!(refused.message().contains("not taken compressed"), "{refused}");
        }
    }

    #[tokio::test]
    async fn long_values_and_what_is_no_message_are_refused() {
        let long = Arc::new(StringArray::from(vec!["x".repeat(2000)])) as ArrayRef;
        assert_eq!(bind(long, false).await.unwrap_err().code(), tonic::Code::ResourceExhausted);
        let nonsense = FlightData { data_header: vec![1, 2, 3].into(), ..FlightData::default() };
        let refused = bound(stream::iter([Ok::<_, FlightError>(nonsense)]), &[], 1000).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    }
}
