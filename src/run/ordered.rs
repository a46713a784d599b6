//! Rows that come nearly in the order of their key: the few that are late wait, and are put in their place at the end.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, DictionaryArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, interleave, not, take_record_batch};
use arrow::datatypes::Int16Type;
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};

/// Most rows that wait; where more are late, the rows are in no order.
const MOST_LATE: usize = 1 << 16;

/// Most bytes of rows that wait.
const MOST_BYTES: usize = 32 << 20;

/// The key of a batch's rows, as bytes that compare as the key does.
#[derive(Debug)]
struct Keys {
    columns: Vec<String>,
    converter: RowConverter,
}

impl Keys {
    /// `None` where a column of the key is missing or has empty cells.
    fn of(&self, batch: &RecordBatch) -> Result<Option<Rows>, ArrowError> {
        let columns: Option<Vec<ArrayRef>> =
            self.columns.iter().map(|name| batch.column_by_name(name).cloned()).collect();
        match columns.filter(|columns| columns.iter().all(|column| column.null_count() == 0)) {
            Some(columns) => self.converter.convert_columns(&columns).map(Some),
            None => Ok(None),
        }
    }
}

/// Lets rows through that come in the order of their key, and keeps those that are late.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    keys: Option<Keys>,
    greatest: Option<OwnedRow>,
    late: Vec<RecordBatch>,
    waiting: usize,
    bytes: usize,
}

/// How rows came that were taken in.
#[derive(Debug)]
pub(super) enum Came {
    /// In the order of these columns, but for these rows, which are in that order among themselves.
    InOrder(Vec<String>, Option<Late>),
    /// In none. These rows waited in vain.
    Anyhow(Vec<RecordBatch>),
}

impl Ordered {
    /// Rows of a table with this key.
    pub(super) fn by(columns: &[String], batch: &arrow::datatypes::Schema) -> Result<Self, ArrowError> {
        let fields: Option<Vec<SortField>> = columns
            .iter()
            .map(|name| batch.field_with_name(name).ok().map(|field| SortField::new(field.data_type().clone())))
            .collect();
        let Some(fields) = fields.filter(|fields| !fields.is_empty()) else { return Ok(Self::default()) };
        let keys = Keys { columns: columns.to_vec(), converter: RowConverter::new(fields)? };
        Ok(Self { keys: Some(keys), ..Self::default() })
    }

    /// The rows of a batch that are not late.
    pub(super) fn take(&mut self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let Some(keys) = &self.keys else { return Ok(batch) };
        let Some(rows) = keys.of(&batch)? else {
            self.keys = None;
            return Ok(batch);
        };
        let mut greatest = self.greatest.as_ref().map(OwnedRow::row);
        let mut in_time = Vec::with_capacity(batch.num_rows());
        for row in &rows {
            let late = greatest.is_some_and(|greatest| row < greatest);
            if !late {
                greatest = Some(row);
            }
            in_time.push(!late);
        }
        self.greatest = greatest.map(|row| row.owned());
        let late = in_time.iter().filter(|in_time| !**in_time).count();
        if late == 0 {
            return Ok(batch);
        }
        self.waiting += late;
        if self.waiting > MOST_LATE {
            self.keys = None;
            return Ok(batch);
        }
        let in_time = BooleanArray::from(in_time);
        let late = filter_record_batch(&batch, &not(&in_time)?)?;
        self.bytes += late.get_array_memory_size();
        if self.bytes > MOST_BYTES {
            self.keys = None;
        }
        self.late.push(late);
        filter_record_batch(&batch, &in_time)
    }

    /// How all rows came.
    pub(super) fn finish(self) -> Result<Came, ArrowError> {
        let Self { keys, late, .. } = self;
        let Some(keys) = keys else { return Ok(Came::Anyhow(late)) };
        let Some(first) = late.first() else { return Ok(Came::InOrder(keys.columns, None)) };
        let rows = concat_batches(&first.schema(), &late)?;
        let order = keys.columns.clone();
        let sorted = {
            let Some(rows) = keys.of(&rows)? else { return Ok(Came::Anyhow(late)) };
            let mut places: Vec<(u32, _)> = (0..).zip(rows.iter()).collect();
            places.sort_by(|one, other| one.1.cmp(&other.1));
            UInt32Array::from_iter_values(places.into_iter().map(|(place, _)| place))
        };
        let rows = take_record_batch(&rows, &sorted)?;
        Ok(Came::InOrder(order, Some(Late { keys, rows, waiting: None, placed: 0 })))
    }
}

/// Rows that were late, in the order of their key.
#[derive(Debug)]
pub(super) struct Late {
    keys: Keys,
    rows: RecordBatch,
    /// Their keys, once they are known.
    waiting: Option<Rows>,
    /// How many have their place.
    placed: usize,
}

impl Late {
    /// All of them, before the first has its place.
    pub(super) fn rows_mut(&mut self) -> &mut RecordBatch {
        &mut self.rows
    }

    /// A batch with those between its rows that belong there. Batches come in the order of the key.
    pub(super) fn merge(&mut self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        if self.placed == self.rows.num_rows() || batch.num_rows() == 0 {
            return Ok(batch);
        }
        if self.waiting.is_none() {
            self.waiting = self.keys.of(&self.rows)?;
        }
        let (Some(own), Some(waiting)) = (self.keys.of(&batch)?, &self.waiting) else { return Ok(batch) };
        let mut places = Vec::with_capacity(batch.num_rows());
        let mut next = self.placed;
        for (at, row) in own.iter().enumerate() {
            while next < self.rows.num_rows() && waiting.row(next).cmp(&row) == Ordering::Less {
                places.push((1, next));
                next += 1;
            }
            places.push((0, at));
        }
        if next == self.placed {
            return Ok(batch);
        }
        self.placed = next;
        interleaved(&batch, &self.rows, &places)
    }

    /// Those that come after all others.
    pub(super) fn rest(self) -> RecordBatch {
        self.rows.slice(self.placed, self.rows.num_rows() - self.placed)
    }
}

/// Rows of both. A dictionary that both have stays as it is: an intermediate file holds one for each column.
fn interleaved(batch: &RecordBatch, late: &RecordBatch, places: &[(usize, usize)]) -> Result<RecordBatch, ArrowError> {
    let coded = |column: &ArrayRef| column.as_dictionary_opt::<Int16Type>().cloned();
    let columns = batch.columns().iter().zip(late.columns()).map(|(one, other)| -> Result<ArrayRef, ArrowError> {
        match (coded(one), coded(other)) {
            (Some(one), Some(other)) if one.values() == other.values() => {
                let keys = interleave(&[one.keys(), other.keys()], places)?;
                let keys = keys.as_primitive::<Int16Type>().clone();
                Ok(Arc::new(DictionaryArray::try_new(keys, Arc::clone(one.values()))?))
            }
            _ => interleave(&[one, other], places),
        }
    });
    RecordBatch::try_new(batch.schema(), columns.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use proptest::prelude::*;

    use super::*;

    fn batch(ids: &[i64]) -> RecordBatch {
        let schema = Schema::new(vec![Field::new("id", DataType::Int64, false)]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from(ids.to_vec()))]).unwrap()
    }

    fn ids(batch: &RecordBatch) -> Vec<i64> {
        batch.column(0).as_primitive::<Int64Type>().values().to_vec()
    }

    fn ordered(batches: &[Vec<i64>]) -> Option<Vec<i64>> {
        let mut ordered = Ordered::by(&["id".to_owned()], &batch(&[]).schema()).unwrap();
        let written: Vec<RecordBatch> = batches.iter().map(|ids| ordered.take(batch(ids)).unwrap()).collect();
        match ordered.finish().unwrap() {
            Came::InOrder(_, None) => Some(written.iter().flat_map(ids).collect()),
            Came::InOrder(_, Some(mut late)) => {
                let merged: Vec<RecordBatch> = written.into_iter().map(|batch| late.merge(batch).unwrap()).collect();
                Some(merged.iter().chain([&late.rest()]).flat_map(ids).collect())
            }
            Came::Anyhow(_) => None,
        }
    }

    #[test]
    fn rows_that_are_late_come_to_their_place() {
        assert_eq!(ordered(&[vec![1, 2, 5], vec![3, 6, 4], vec![7]]), Some((1..8).collect()));
        assert_eq!(ordered(&[vec![9], vec![2], vec![1]]), Some(vec![1, 2, 9]));
    }

    #[test]
    fn too_many_that_are_late_wait_for_nothing() {
        let falling: Vec<i64> = (0..70_000).rev().collect();
        assert_eq!(ordered(&[falling]), None);
        let unknown = Ordered::by(&["absent".to_owned()], &batch(&[]).schema()).unwrap();
        assert!(matches!(unknown.finish().unwrap(), Came::Anyhow(late) if late.is_empty()));
    }

    proptest! {
        #[test]
        fn any_rows_come_out_sorted_and_whole(batches in proptest::collection::vec(proptest::collection::vec(0_i64..50, 0..9), 0..9)) {
            let mut expected: Vec<i64> = batches.iter().flatten().copied().collect();
            expected.sort_unstable();
            prop_assert_eq!(ordered(&batches), Some(expected));
        }
    }
}
