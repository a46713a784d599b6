//! Rows as clients get them: columns in types that `PostgreSQL` has, as text or binary.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch, StringBuilder};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions as Display};
use datafusion_postgres::arrow_pg::datatypes::field_into_pg_type;
use datafusion_postgres::arrow_pg::encoder::encode_value;
use datafusion_postgres::pgwire::api::Type;
use datafusion_postgres::pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo};
use datafusion_postgres::pgwire::messages::data::{DataRow, FieldDescription, RowDescription};
use datafusion_postgres::pgwire::types::format::FormatOptions;
use futures::StreamExt as _;

use super::failure::Failure;
use crate::serve::sql::Rows;

/// Most columns of a result, as in `PostgreSQL`.
const MOST_COLUMNS: usize = 1664;

/// The columns of a result.
#[derive(Debug)]
pub(super) struct Shape {
    fields: Vec<FieldRef>,
    types: Vec<Type>,
}

impl Shape {
    pub(super) fn of(schema: &Schema) -> Result<Self, Failure> {
        if schema.fields().len() > MOST_COLUMNS {
            let text = format!("{} columns: a result has at most {MOST_COLUMNS}", schema.fields().len());
            return Err(Failure::new("54011", text));
        }
        let fields: Vec<FieldRef> = schema.fields().iter().map(shown_field).collect();
        let types = fields.iter().map(|field| field_into_pg_type(field).map_err(Failure::from));
        Ok(Self { types: types.collect::<Result<_, _>>()?, fields })
    }

    /// Columns of text.
    pub(super) fn texts(names: &[&str]) -> Self {
        let fields: Vec<FieldRef> =
            names.iter().map(|name| Arc::new(Field::new(*name, DataType::Utf8, true))).collect();
        Self { types: vec![Type::TEXT; fields.len()], fields }
    }

    /// The columns in formats that were asked for: none is text, one is for all.
    pub(super) fn columns(
        &self,
        formats: &[i16],
        options: &Arc<FormatOptions>,
    ) -> Result<Arc<Vec<FieldInfo>>, Failure> {
        let count = self.fields.len();
        if formats.len() > 1 && formats.len() != count {
            return Err(Failure::new("08P01", format!("{} formats for {count} columns", formats.len())));
        }
        let format = |index: usize| {
            let code = if formats.len() > 1 { formats.get(index) } else { formats.first() };
            FieldFormat::from(code.copied().unwrap_or_default())
        };
        let columns = self.fields.iter().zip(&self.types).enumerate().map(|(index, (field, kind))| {
            FieldInfo::new(field.name().clone(), None, None, kind.clone(), format(index))
                .with_type_size(width(kind))
                .with_format_options(Arc::clone(options))
        });
        Ok(Arc::new(columns.collect()))
    }

    /// The columns of a batch in the types that are shown.
    fn present(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, Failure> {
        if batch.num_columns() != self.fields.len() {
            return Err(
                Failure::new("0A000", "the columns changed since the statement was prepared").hint("prepare it again")
            );
        }
        let pairs = batch.columns().iter().zip(&self.fields);
        pairs.map(|(column, field)| present(column, field.data_type())).collect()
    }
}

/// What a client is told of columns before their rows.
pub(super) fn description(columns: &[FieldInfo]) -> RowDescription {
    RowDescription::new(columns.iter().map(FieldDescription::from).collect())
}

fn width(kind: &Type) -> i16 {
    match *kind {
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME => 8,
        Type::INTERVAL => 16,
        _ => -1,
    }
}

fn shown_field(field: &FieldRef) -> FieldRef {
    let shown = shown(field.data_type());
    if shown == *field.data_type() {
        return Arc::clone(field);
    }
    Arc::new(Field::new(field.name(), shown, true))
}

/// The type that stands for one: `PostgreSQL` has no dictionaries, views, maps.
fn shown(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, values) => shown(values),
        DataType::RunEndEncoded(_, values) => shown(values.data_type()),
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => match shown(item.data_type()) {
            item if in_a_list(&item) => DataType::List(Arc::new(Field::new_list_field(item, true))),
            _ => DataType::Utf8,
        },
        DataType::Null
        | DataType::Utf8View
        | DataType::LargeUtf8
        | DataType::Struct(_)
        | DataType::Map(..)
        | DataType::Union(..)
        | DataType::Decimal256(..) => DataType::Utf8,
        other => other.clone(),
    }
}

fn in_a_list(item: &DataType) -> bool {
    use DataType as D;
    item.is_integer() || matches!(item, D::Boolean | D::Utf8 | D::Float32 | D::Float64 | D::Date32 | D::Timestamp(..))
}

fn present(column: &ArrayRef, shown: &DataType) -> Result<ArrayRef, Failure> {
    let own = column.data_type();
    if own == shown {
        return Ok(Arc::clone(column));
    }
    let wrong = |error: arrow::error::ArrowError| Failure::new("22000", format!("a column cannot be shown: {error}"));
    if *shown == DataType::Utf8 && own.is_nested() {
        let options = Display::default();
        let formatter = ArrayFormatter::try_new(column.as_ref(), &options).map_err(wrong)?;
        let mut texts = StringBuilder::new();
        for row in 0..column.len() {
            if column.is_null(row) {
                texts.append_null();
            } else {
                texts.append_value(formatter.value(row).try_to_string().map_err(wrong)?);
            }
        }
        return Ok(Arc::new(texts.finish()));
    }
    cast_with_options(column, shown, &CastOptions { safe: false, ..CastOptions::default() }).map_err(wrong)
}

/// The rows of a statement that runs, and how far they were read.
pub(super) struct Source {
    rows: Rows,
    shape: Arc<Shape>,
    batch: Vec<ArrayRef>,
    count: usize,
    next: usize,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("shape", &self.shape).field("next", &self.next).finish_non_exhaustive()
    }
}

impl Source {
    pub(super) fn new(rows: Rows, shape: Arc<Shape>) -> Self {
        Self { rows, shape, batch: Vec::new(), count: 0, next: 0 }
    }

    /// Whether a row is there to be encoded; waits for it.
    pub(super) async fn has_row(&mut self) -> Result<bool, Failure> {
        while self.next == self.count {
            let Some(batch) = self.rows.next().await else { return Ok(false) };
            let batch = batch?;
            self.batch = self.shape.present(&batch)?;
            (self.count, self.next) = (batch.num_rows(), 0);
        }
        Ok(true)
    }

    /// The row that is there, if one is without waiting.
    pub(super) fn row(&mut self, encoder: &mut Encoder) -> Result<Option<DataRow>, Failure> {
        if self.next == self.count {
            return Ok(None);
        }
        let columns = self.batch.iter().zip(&self.shape.fields).zip(encoder.columns.iter());
        for ((column, field), info) in columns {
            encode_value(&mut encoder.row, column, self.next, field, info)?;
        }
        self.next += 1;
        Ok(Some(encoder.row.take_row()))
    }
}

/// Writes rows in the formats that were asked for.
pub(super) struct Encoder {
    columns: Arc<Vec<FieldInfo>>,
    row: DataRowEncoder,
}

impl Encoder {
    pub(super) fn new(columns: Arc<Vec<FieldInfo>>) -> Self {
        Self { row: DataRowEncoder::new(Arc::clone(&columns)), columns }
    }

    /// A row of texts.
    pub(super) fn texts(&mut self, texts: &[String]) -> Result<DataRow, Failure> {
        for text in texts {
            self.row.encode_field(text)?;
        }
        Ok(self.row.take_row())
    }
}
