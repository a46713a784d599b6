//! Answers as one JSON document, written while they come.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::EncoderOptions;
use arrow::json::writer::make_encoder;
use serde_json::json;

use crate::id::{DatasetId, ReleaseId};

/// Writes `{"releases": […], "columns": […], "rows": [[…], …], "row_count": n}`.
#[derive(Debug)]
pub(super) struct JsonWriter {
    rows: u64,
}

impl JsonWriter {
    /// Writes everything before the first row.
    pub(super) fn new(out: &mut Vec<u8>, schema: &SchemaRef, releases: &[(DatasetId, ReleaseId)]) -> Self {
        let releases: Vec<_> =
            releases.iter().map(|(dataset, release)| json!({ "dataset": dataset, "release": release })).collect();
        let columns: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| json!({ "name": field.name(), "type": kind(field.data_type()), "arrow": field.data_type().to_string() }))
            .collect();
        out.extend_from_slice(
            format!("{{\"releases\":{},\n\"columns\":{},\n\"rows\":[", json!(releases), json!(columns)).as_bytes(),
        );
        Self { rows: 0 }
    }

    /// Writes rows, each as the list of its cells.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, batch: &RecordBatch) -> Result<(), ArrowError> {
        let options = EncoderOptions::default().with_explicit_nulls(true);
        let schema = batch.schema();
        let fields = schema.fields().iter().zip(batch.columns());
        let mut encoders = fields
            .map(|(field, column)| make_encoder(field, column.as_ref(), &options))
            .collect::<Result<Vec<_>, ArrowError>>()?;
        for row in 0..batch.num_rows() {
            let start = if self.rows == 0 { "\n[" } else { ",\n[" };
            out.extend_from_slice(start.as_bytes());
            for (at, encoder) in encoders.iter_mut().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                if encoder.is_null(row) {
                    out.extend_from_slice(b"null");
                } else {
                    encoder.encode(row, out);
                }
            }
            out.push(b']');
            self.rows += 1;
        }
        Ok(())
    }

    /// Writes everything after the last row.
    pub(super) fn finish(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("\n],\n\"row_count\":{}}}\n", self.rows).as_bytes());
    }
}

/// What a type is in the words of Table Schema.
fn kind(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "boolean",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(..) => "datetime",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "array",
        DataType::Struct(_) | DataType::Map(..) => "object",
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "number",
        other if other.is_integer() => "integer",
        other if other.is_decimal() => "number",
        _ => "string",
    }
}
