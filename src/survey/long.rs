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

#[cfg(test)]
mod tests {
    use arrow::array::UInt64Array;
    use arrow::util::pretty::pretty_format_batches;
    use insta::assert_snapshot;

    use super::*;
    use crate::contract::CodeList;
    use crate::contract::parse::{CodeLists, parse};
    use crate::diagnostic::{Problems, SourceFile};

    const SCHEMA: &str = r#"{
      "fields": [
        {"name": "id", "type": "string"},
        {"name": "usages", "type": "list", "essaim": {"codes": "usages", "multi": true}},
        {"name": "freins", "type": "list", "essaim": {"codes": "freins", "multi": true}}
      ],
      "primaryKey": "id"
    }"#;

    fn lister() -> Lister {
        let problems = Problems::new();
        let list = |(name, codes): (&str, &[&str])| {
            let lines: Vec<String> = codes.iter().map(|code| format!("{code},{code} !\n")).collect();
            let file = SourceFile::new(name, format!("code,label\n{}", lines.concat()));
            (name.to_owned(), CodeList::parse(name, &file, &problems).unwrap())
        };
        // Codes do not stand in their order.
        let lists: [(&str, &[&str]); 2] = [("usages", &["site", "atelier", "cafe"]), ("freins", &["temps", "argent"])];
        let lists: CodeLists = lists.into_iter().map(list).collect();
        let file = SourceFile::new("s.json", SCHEMA);
        let contract = parse(&"lieux".parse().unwrap(), &file, &lists, &problems).unwrap();
        assert_eq!(problems.into_sorted(), []);
        let (name, table) = ("choix".parse().unwrap(), contract.name.clone());
        Lister::new(&Long { name, table, contract: Arc::new(contract), questions: vec![1, 2] })
    }

    fn answers(ids: &[&str], usages: Vec<Option<u64>>, freins: Vec<Option<u64>>) -> RecordBatch {
        let lister = lister();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(ids.to_vec())),
            Arc::new(UInt64Array::from(freins)),
            Arc::new(UInt64Array::from(usages)),
        ];
        assert_eq!(lister.columns(), ["id", "freins", "usages"]);
        let fields = lister.columns().into_iter().zip(&columns);
        let fields = fields.map(|(name, column)| Field::new(name, column.data_type().clone(), true));
        RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
    }

    #[test]
    fn options_come_by_row_then_by_question_then_by_code() {
        let batch =
            answers(&["a", "b", "c"], vec![Some(0b111), None, Some(0b010)], vec![Some(0b11), Some(0), Some(0b01)]);
        let mut listed = Vec::new();
        let whole = lister().list(&batch, &mut |batch| {
            listed.push(batch);
            true
        });
        assert!(whole.unwrap());
        assert_snapshot!(pretty_format_batches(&listed).unwrap(), @"");
    }

    #[test]
    fn many_options_come_in_several_batches_until_no_more_are_wanted() {
        let ids: Vec<String> = (0..9_000).map(|at| format!("{at:05}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let batch = answers(&ids, vec![Some(0b111); ids.len()], vec![None; ids.len()]);
        let mut rows = Vec::new();
        let whole = lister().list(&batch, &mut |batch| {
            rows.push(batch.num_rows());
            true
        });
        assert!(whole.unwrap());
        assert_eq!((rows.iter().sum::<usize>(), rows.len()), (27_000, 4));
        let mut batches = 0;
        let whole = lister().list(&batch, &mut |_| {
            batches += 1;
            false
        });
        assert!(!whole.unwrap());
        assert_eq!(batches, 1);
    }
}
