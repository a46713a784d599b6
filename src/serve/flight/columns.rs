//! Columns in types that every client reads: no dictionaries, no views, no run ends.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

/// The schema that clients are told, with the nullability that the rows have.
pub(super) fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields: Fields = schema.fields().iter().map(plain_field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// A batch with the columns of such a schema.
pub(super) fn plain_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let pairs = batch.columns().iter().zip(schema.fields());
    let columns = pairs.map(|(column, field)| plain(column, field.data_type())).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

fn plain(column: &ArrayRef, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == kind { Ok(Arc::clone(column)) } else { cast(column, kind) }
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let kind = plain_type(field.data_type());
    if kind == *field.data_type() { Arc::clone(field) } else { Arc::new(field.as_ref().clone().with_data_type(kind)) }
}

fn plain_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) | DataType::LargeListView(item) => {
            DataType::List(plain_field(item))
        }
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(plain_field(item), *length),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, StringViewArray};
    use arrow::datatypes::{Field, Int32Type};

    use super::*;

    #[test]
    fn dictionaries_and_views_become_plain_and_keep_their_nullability() {
        let dictionary: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
        let view = StringViewArray::from(vec![Some("é"), None, Some("a text that is longer than twelve bytes")]);
        let schema = Arc::new(Schema::new(vec![
            Field::new("d", DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), false),
            Field::new("v", DataType::Utf8View, true),
        ]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(dictionary), Arc::new(view)]).unwrap();
        let plain = plain_schema(&schema);
        let expected = Schema::new(vec![Field::new("d", DataType::Utf8, false), Field::new("v", DataType::Utf8, true)]);
        assert_eq!(*plain, expected);
        assert_eq!(plain_batch(&batch, &plain).unwrap().num_rows(), 3);
    }
}
