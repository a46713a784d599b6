//! Reads Parquet files, of any schema: structures become columns `outer.inner`, lists JSON texts.

use std::io::Write as _;

use arrow::array::{Array, ArrayRef, AsArray as _, Float32Array, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::Part;
use super::error::NormaliseError;
use super::row::{Header, RawRow, Rows, Slot, tidy};
use super::unpack::spool;
use crate::id::TableName;

const FORMAT: FormatOptions<'static> = FormatOptions::new()
    .with_datetime_format(Some("%Y-%m-%dT%H:%M:%S%.f"))
    .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"))
    // The time on the clocks of the zone that the file names.
    .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.f"));

/// Reads all parts; rows are numbered through.
pub(super) fn read(table: &TableName, parts: Vec<Part>, rows: &mut dyn Rows) -> Result<(), NormaliseError> {
    let mut number = 0;
    for (part, input) in parts {
        let wrong = |source: Box<dyn std::error::Error + Send + Sync>| NormaliseError::WrongKind {
            table: table.clone(),
            part: part.clone(),
            expected: "Parquet file",
            found: "check the download, and the reader of the table".to_owned(),
            source: Some(source),
        };
        let file = spool(input).map_err(|error| wrong(error.into()))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| wrong(error.into()))?;
        let mut names = Vec::new();
        for field in builder.schema().fields() {
            names_of(field.name(), field.data_type(), &mut names);
        }
        rows.header(Header::numbered(&part, names, false))?;
        for batch in builder.build().map_err(|error| wrong(error.into()))? {
            let batch = batch.map_err(|error| wrong(error.into()))?;
            hand_on(&batch, &mut number, rows).map_err(|failure| match failure {
                Failure::Rows(error) => error,
                Failure::Arrow(error) => wrong(error.into()),
            })?;
        }
    }
    Ok(())
}

enum Failure {
    Rows(NormaliseError),
    Arrow(ArrowError),
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

fn names_of(name: &str, kind: &DataType, names: &mut Vec<String>) {
    if let DataType::Struct(fields) = kind {
        for field in fields {
            names_of(&format!("{name}.{}", field.name()), field.data_type(), names);
        }
    } else {
        names.push(tidy(name));
    }
}

/// A column without structures, and what its structures leave empty.
struct Leaf {
    array: ArrayRef,
    outer: Vec<ArrayRef>,
}

fn leaves_of(array: &ArrayRef, outer: &[ArrayRef], leaves: &mut Vec<Leaf>) {
    match array.as_struct_opt() {
        Some(fields) => {
            let outer = [outer, &[ArrayRef::clone(array)]].concat();
            fields.columns().iter().for_each(|field| leaves_of(field, &outer, leaves));
        }
        None => leaves.push(Leaf { array: ArrayRef::clone(array), outer: outer.to_vec() }),
    }
}

/// How the cells of a column are written.
enum Writer<'a> {
    Text(ArrayFormatter<'a>),
    Typed(ArrayFormatter<'a>),
    /// Whole floats without `.0`, none with an exponent: a SIRET may be one.
    Float(&'a Float64Array),
    Float32(&'a Float32Array),
    List(&'a ArrayRef),
}

fn writer(array: &ArrayRef) -> Result<Writer<'_>, ArrowError> {
    if let Some(floats) = array.as_primitive_opt() {
        return Ok(Writer::Float(floats));
    }
    if let Some(floats) = array.as_primitive_opt() {
        return Ok(Writer::Float32(floats));
    }
    let kind = match array.data_type() {
        DataType::Dictionary(_, value) => value.as_ref(),
        kind => kind,
    };
    Ok(match kind {
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => Writer::List(array),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Writer::Text(ArrayFormatter::try_new(array, &FORMAT)?)
        }
        _ => Writer::Typed(ArrayFormatter::try_new(array, &FORMAT)?),
    })
}

fn hand_on(batch: &RecordBatch, number: &mut u64, rows: &mut dyn Rows) -> Result<(), Failure> {
    let mut leaves = Vec::new();
    batch.columns().iter().for_each(|column| leaves_of(column, &[], &mut leaves));
    let writers = leaves.iter().map(|leaf| writer(&leaf.array)).collect::<Result<Vec<_>, _>>()?;
    let (mut bytes, mut slots) = (Vec::new(), Vec::with_capacity(leaves.len()));
    for row in 0..batch.num_rows() {
        bytes.clear();
        slots.clear();
        for (leaf, writer) in leaves.iter().zip(&writers) {
            if leaf.array.is_null(row) || leaf.outer.iter().any(|outer| outer.is_null(row)) {
                slots.push(Slot::Empty);
                continue;
            }
            let from = bytes.len();
            let written = match writer {
                Writer::Text(text) | Writer::Typed(text) => write!(bytes, "{}", text.value(row)),
                Writer::Float(floats) => write!(bytes, "{}", floats.value(row)),
                Writer::Float32(floats) => write!(bytes, "{}", floats.value(row)),
                Writer::List(array) => write!(bytes, "{}", list(array, row)?),
            };
            debug_assert!(written.is_ok(), "a buffer takes everything");
            let text = matches!(writer, Writer::Text(_));
            slots.push(if text { Slot::At(from, bytes.len()) } else { Slot::Typed(from, bytes.len()) });
        }
        *number += 1;
        let row = RawRow { number: *number, last_line: None, bytes: &bytes, slots: &slots };
        rows.row(&row).map_err(Failure::Rows)?;
    }
    Ok(())
}

/// A list as JSON.
fn list(array: &ArrayRef, row: usize) -> Result<Value, ArrowError> {
    let items = match array.data_type() {
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        DataType::FixedSizeList(..) => array.as_fixed_size_list().value(row),
        _ => array.as_list::<i32>().value(row),
    };
    let text = ArrayFormatter::try_new(&items, &FORMAT)?;
    let item = |at: usize| {
        if items.is_null(at) {
            return Value::Null;
        }
        let floats = items.as_primitive_opt::<Float64Type>();
        let text = floats.map_or_else(|| text.value(at).to_string(), |floats| floats.value(at).to_string());
        let number = items.data_type().is_numeric().then(|| serde_json::from_str(&text).ok()).flatten();
        number.unwrap_or(Value::String(text))
    };
    Ok(Value::Array((0..items.len()).map(item).collect()))
}
