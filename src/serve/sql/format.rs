//! The forms of an answer: one writer for `essaim query` and for SQL over HTTP.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::LineDelimitedWriter;
use parquet::arrow::ArrowWriter;

use super::json::JsonWriter;
use crate::id::{DatasetId, ReleaseId};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFormat {
    /// One document: columns with their types, then rows.
    Json,
    /// One object a line.
    JsonLines,
    /// RFC 4180; lists as their items joined by `|`.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
}

impl AnswerFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Json, Self::JsonLines, Self::Csv, Self::Arrow, Self::Parquet];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonLines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// The form of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Bytes that were written and not yet taken.
#[derive(Debug, Clone, Default)]
struct Pending(Arc<Mutex<Vec<u8>>>);

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes batches into bytes, which are taken as they become ready.
pub struct AnswerWriter {
    pending: Pending,
    kind: Kind,
    schema: SchemaRef,
}

enum Kind {
    Json(JsonWriter),
    JsonLines(LineDelimitedWriter<Pending>),
    /// With whether a batch, and so the header, was written.
    Csv(Box<arrow::csv::Writer<Pending>>, bool),
    Arrow(Box<StreamWriter<Pending>>),
    Parquet(Box<ArrowWriter<Pending>>),
}

impl fmt::Debug for AnswerWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerWriter").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl AnswerWriter {
    /// Starts an answer with these columns, read from these releases.
    pub fn new(
        format: AnswerFormat,
        schema: &SchemaRef,
        releases: &[(DatasetId, ReleaseId)],
    ) -> Result<Self, ArrowError> {
        let pending = Pending::default();
        let out = pending.clone();
        let kind = match format {
            AnswerFormat::Json => {
                let mut out = pending.0.lock().unwrap_or_else(PoisonError::into_inner);
                Kind::Json(JsonWriter::new(&mut out, schema, releases))
            }
            AnswerFormat::JsonLines => Kind::JsonLines(LineDelimitedWriter::new(out)),
            AnswerFormat::Csv => Kind::Csv(Box::new(WriterBuilder::new().with_header(true).build(out)), false),
            AnswerFormat::Arrow => Kind::Arrow(Box::new(StreamWriter::try_new(out, schema)?)),
            AnswerFormat::Parquet => Kind::Parquet(Box::new(ArrowWriter::try_new(out, Arc::clone(schema), None)?)),
        };
        Ok(Self { pending, kind, schema: Arc::clone(schema) })
    }

    /// Writes rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        match &mut self.kind {
            Kind::Json(writer) => {
                let mut out = self.pending.0.lock().unwrap_or_else(PoisonError::into_inner);
                writer.write(&mut out, batch)
            }
            Kind::JsonLines(writer) => writer.write(batch),
            Kind::Csv(writer, written) => {
                *written = true;
                writer.write(&joined_lists(batch)?)
            }
            Kind::Arrow(writer) => writer.write(batch),
            Kind::Parquet(writer) => Ok(writer.write(batch)?),
        }
    }

    /// The bytes that are ready.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut *self.pending.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the answer; gives the rest of its bytes.
    pub fn finish(mut self) -> Result<Vec<u8>, ArrowError> {
        if let Kind::Csv(_, false) = self.kind {
            let empty = RecordBatch::new_empty(Arc::clone(&self.schema));
            self.write(&empty)?;
        }
        match self.kind {
            Kind::Json(writer) => {
                let mut out = self.pending.0.lock().unwrap_or_else(PoisonError::into_inner);
                writer.finish(&mut out);
            }
            Kind::JsonLines(mut writer) => writer.finish()?,
            Kind::Csv(writer, _) => writer.into_inner().flush()?,
            Kind::Arrow(mut writer) => writer.finish()?,
            Kind::Parquet(writer) => {
                writer.close()?;
            }
        }
        Ok(std::mem::take(&mut *self.pending.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Lists as their items joined by `|`: a CSV cell holds one text.
fn joined_lists(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if !matches!(field.data_type(), DataType::List(_)) {
            fields.push(field.as_ref().clone());
            columns.push(Arc::clone(column));
            continue;
        }
        let texts: Result<StringArray, ArrowError> = column
            .as_list::<i32>()
            .iter()
            .map(|list| {
                let Some(list) = list else { return Ok(None) };
                let items = cast(&list, &DataType::Utf8)?;
                let items: Vec<&str> = items.as_string::<i32>().iter().flatten().collect();
                Ok(Some(items.join("|")))
            })
            .collect();
        fields.push(Field::new(field.name(), DataType::Utf8, true));
        columns.push(Arc::new(texts?));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Date32Array, Float64Array, Int64Array, ListArray, StringArray};
    use arrow::datatypes::Int32Type;
    use serde_json::json;

    use super::*;

    fn batch() -> RecordBatch {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), Some(2)]), None]);
        RecordBatch::try_from_iter_with_nullable([
            ("n", Arc::new(Int64Array::from(vec![Some(i64::MAX), None])) as ArrayRef, true),
            ("n", Arc::new(Float64Array::from(vec![0.5, f64::NAN])), true),
            ("nom", Arc::new(StringArray::from(vec!["« L'Essaim », \"coop\"", "a\nb"])), true),
            ("le", Arc::new(Date32Array::from(vec![Some(20_000), None])), true),
            ("oui", Arc::new(BooleanArray::from(vec![true, false])), true),
            ("liste", Arc::new(lists), true),
        ])
        .unwrap()
    }

    fn written(format: AnswerFormat, batches: &[RecordBatch]) -> Vec<u8> {
        let release = ("lieux".parse().unwrap(), "2026-11-22".parse().unwrap());
        let mut writer = AnswerWriter::new(format, &batch().schema(), &[release]).unwrap();
        let mut bytes = Vec::new();
        for batch in batches {
            writer.write(batch).unwrap();
            bytes.extend(writer.take());
        }
        bytes.extend(writer.finish().unwrap());
        bytes
    }

    #[test]
    fn json_tells_columns_before_rows_and_keeps_columns_of_the_same_name_apart() {
        let bytes = written(AnswerFormat::Json, &[batch(), batch()]);
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(document["releases"], json!([{"dataset": "lieux", "release": "2026-11-22"}]));
        assert_eq!(document["columns"][3], json!({"name": "le", "type": "date", "arrow": "Date32"}));
        let kinds: Vec<_> = document["columns"].as_array().unwrap().iter().map(|column| &column["type"]).collect();
        assert_eq!(kinds, ["integer", "number", "string", "date", "boolean", "array"]);
        let first = json!([i64::MAX, 0.5, "« L'Essaim », \"coop\"", "2024-10-04", true, [1, 2]]);
        let second = json!([null, null, "a\nb", null, false, null]);
        assert_eq!(document["rows"], json!([first, second, first, second]));
        assert_eq!(document["row_count"], 4);
    }

    #[test]
    fn an_empty_answer_is_whole_in_every_form() {
        let document: serde_json::Value = serde_json::from_slice(&written(AnswerFormat::Json, &[])).unwrap();
        assert_eq!((&document["rows"], &document["row_count"]), (&json!([]), &json!(0)));
        assert_eq!(written(AnswerFormat::Csv, &[]), b"n,n,nom,le,oui,liste\n");
        assert_eq!(written(AnswerFormat::JsonLines, &[]), b"");
        let arrow = written(AnswerFormat::Arrow, &[]);
        let reader = arrow::ipc::reader::StreamReader::try_new(arrow.as_slice(), None).unwrap();
        assert_eq!(reader.schema(), batch().schema());
        assert!(written(AnswerFormat::Parquet, &[]).ends_with(b"PAR1"));
    }

    #[test]
    fn csv_joins_lists() {
        let text = String::from_utf8(written(AnswerFormat::Csv, &[batch()])).unwrap();
        assert!(text.starts_with("n,n,nom,le,oui,liste\n9223372036854775807,0.5,"), "{text}");
        assert!(text.contains(",2024-10-04,true,1|2\n"), "{text}");
    }
}
