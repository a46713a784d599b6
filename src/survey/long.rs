//! The options that rows have, one row each, walked from their coded sets: nothing is unnested, joined or sorted.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, DictionaryArray, Int16Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{Field, Int16Type, Schema, SchemaRef, UInt64Type};
use arrow::error::ArrowError;

use crate::config::pipeline::{LONG_COLUMNS, Long};
use crate::contract::Column;
use crate::contract::arrow::dictionary_type;

/// Rows of every batch but the last that comes of a batch.
const BATCH_ROWS: usize = 8192;

/// A column of several options.
#[derive(Debug)]
struct Question {
    column: String,
    name: i16,
    /// Bits of its options and what they stand for, in the order of the codes.
    options: Vec<(u64, i16)>,
}

/// Lists the options of a table's rows.
///
/// Rows come in the order of the table's rows, then of the names of the columns, then of the codes. So where the table has
/// the order of its key, this one has that of its key, `question` and `modalite`.
#[derive(Debug)]
pub struct Lister {
    schema: SchemaRef,
    key: Vec<String>,
    questions: Vec<Question>,
    names: ArrayRef,
    codes: ArrayRef,
}

impl Lister {
    /// Lists what a pipeline declares.
    pub fn new(long: &Long) -> Self {
        let mut columns: Vec<&Column> = long.question_columns().collect();
        columns.sort_by(|one, other| one.name.cmp(&other.name));
        let mut codes: Vec<&str> =
            columns.iter().filter_map(|column| column.codes.as_ref()).flat_map(|list| list.code_names()).collect();
        codes.sort_unstable();
        codes.dedup();
        let question = |(name, column): (i16, &&Column)| {
            let own = column.codes.iter().flat_map(|list| list.code_names());
            let bits = std::iter::successors(Some(1_u64), |bit| bit.checked_mul(2));
            let of = |(bit, code): (u64, &str)| Some((bit, i16::try_from(codes.binary_search(&code).ok()?).ok()?));
            let mut options: Vec<(u64, i16)> = bits.zip(own).filter_map(of).collect();
            options.sort_unstable_by_key(|(_, code)| *code);
            Question { column: column.name.clone(), name, options }
        };
        let [question_column, option_column] = LONG_COLUMNS;
        let mut fields: Vec<Field> = long.key_columns().map(Column::coded_field).collect();
        fields.extend([question_column, option_column].map(|name| Field::new(name, dictionary_type(), false)));
        Self {
            schema: Arc::new(Schema::new(fields)),
            key: long.contract.primary_key.clone(),
            questions: (0..).zip(&columns).map(question).collect(),
            names: Arc::new(columns.iter().map(|column| Some(column.name.as_str())).collect::<StringArray>()),
            codes: Arc::new(codes.iter().copied().map(Some).collect::<StringArray>()),
        }
    }

    /// Columns of the rows.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Columns of the table that are read, in its coded form.
    pub fn columns(&self) -> Vec<String> {
        self.key.iter().chain(self.questions.iter().map(|question| &question.column)).cloned().collect()
    }

    /// Hands over what the rows of a batch have; `take` says whether it wants more, and this function whether it did.
    pub fn list(&self, batch: &RecordBatch, take: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool, ArrowError> {
        let of = |question: &Question| {
            let column = batch.column_by_name(&question.column);
            column.and_then(|column| column.as_primitive_opt::<UInt64Type>()).cloned()
        };
        let sets = self.questions.iter().map(|question| of(question).ok_or_else(|| missing(&question.column)));
        let sets = sets.collect::<Result<Vec<_>, _>>()?;
        let mut found = Found::default();
        for (at, row) in (0..batch.num_rows()).zip(0_u32..) {
            for (question, sets) in self.questions.iter().zip(&sets) {
                if sets.is_null(at) {
                    continue;
                }
                let set = sets.value(at);
                for (_, code) in question.options.iter().filter(|(bit, _)| set & bit != 0) {
                    found.rows.push(row);
                    found.questions.push(question.name);
                    found.codes.push(*code);
                }
            }
            if found.rows.len() >= BATCH_ROWS && !take(self.batch(batch, std::mem::take(&mut found))?) {
                return Ok(false);
            }
        }
        Ok(found.rows.is_empty() || take(self.batch(batch, found)?))
    }

    fn batch(&self, batch: &RecordBatch, found: Found) -> Result<RecordBatch, ArrowError> {
        let rows = UInt32Array::from(found.rows);
        let key = self.key.iter().map(|name| {
            let column = batch.column_by_name(name).ok_or_else(|| missing(name))?;
            take(column, &rows, None)
        });
        let mut columns = key.collect::<Result<Vec<ArrayRef>, _>>()?;
        for (keys, texts) in [(found.questions, &self.names), (found.codes, &self.codes)] {
            let coded = DictionaryArray::<Int16Type>::try_new(Int16Array::from(keys), Arc::clone(texts))?;
            columns.push(Arc::new(coded));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

/// Options that were found, as parts of columns.
#[derive(Default)]
struct Found {
    rows: Vec<u32>,
    questions: Vec<i16>,
    codes: Vec<i16>,
}

fn missing(column: &str) -> ArrowError {
    ArrowError::SchemaError(format!("column `{column}` is missing"))
}
