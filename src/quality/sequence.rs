//! How rows follow each other by their key: which belong before the one above them, and which repeat it.
//!
//! Rows are compared column by column until one differs. Whole numbers are compared as they lie in memory, and texts from a
//! list by their rank in it, which is found once a batch and not once a row.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray as _, DynComparator, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;

use crate::contract::arrow::Listed;

/// Ascending, rows without a value last.
const ASCENDING: SortOptions = SortOptions { descending: false, nulls_first: false };

/// Compares each row's key with that of the row above it, over all batches of a table.
#[derive(Debug, Default)]
pub struct Sequence {
    /// The key of the last row, one cell a column.
    last: Vec<ArrayRef>,
}

/// What was found in a batch; rows are counted from 0.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Steps {
    /// The first row that belongs before the one above it.
    pub misplaced: Option<usize>,
    /// Rows that have the key of the one above them.
    pub repeated: Vec<usize>,
}

impl Sequence {
    /// Takes in the key columns of the next rows.
    pub fn take(&mut self, key: &[ArrayRef]) -> Result<Steps, ArrowError> {
        let rows = key.first().map_or(0, Array::len);
        let mut steps = Steps::default();
        if rows == 0 {
            return Ok(steps);
        }
        if !self.last.is_empty() {
            let mut first = Ordering::Equal;
            for (last, column) in self.last.iter().zip(key) {
                first = first.then(make_comparator(last, column, ASCENDING)?(0, 0));
            }
            steps.take(0, first);
        }
        let cells = key.iter().map(Cells::of).collect::<Result<Vec<_>, _>>()?;
        for row in 1..rows {
            let differing = cells.iter().map(|cells| cells.compare(row - 1, row)).find(|order| order.is_ne());
            steps.take(row, differing.unwrap_or(Ordering::Equal));
        }
        self.last = key.iter().map(|column| column.slice(rows - 1, 1)).collect();
        Ok(steps)
    }
}

impl Steps {
    /// Takes in how the row above a row compares with it.
    fn take(&mut self, row: usize, above: Ordering) {
        match above {
            Ordering::Less => {}
            Ordering::Equal => self.repeated.push(row),
            Ordering::Greater => {
                self.misplaced.get_or_insert(row);
            }
        }
    }
}

/// The cells of a column, ready to be compared.
enum Cells<'a> {
    Integers(&'a [i64]),
    /// The rank of each row's value among the values of a dictionary.
    Ranks(Vec<usize>),
    Others(DynComparator),
}

impl<'a> Cells<'a> {
    fn of(column: &'a ArrayRef) -> Result<Self, ArrowError> {
        if column.null_count() == 0 && column.data_type() == &DataType::Int64 {
            return Ok(Self::Integers(column.as_primitive::<Int64Type>().values()));
        }
        if let Some(ranks) = ranks(column) {
            return Ok(Self::Ranks(ranks));
        }
        make_comparator(column, column, ASCENDING).map(Self::Others)
    }

    fn compare(&self, above: usize, row: usize) -> Ordering {
        match self {
            Self::Integers(cells) => cells[above].cmp(&cells[row]),
            Self::Ranks(cells) => cells[above].cmp(&cells[row]),
            Self::Others(compare) => compare(above, row),
        }
    }
}

/// Ranks of the texts of a dictionary column without empty cells.
fn ranks(column: &ArrayRef) -> Option<Vec<usize>> {
    let listed = Listed::of(column).filter(Listed::is_full)?;
    let mut sorted: Vec<&str> = listed.texts.iter().flatten().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let rank = |text: Option<&str>| text.map(|text| sorted.partition_point(|known| *known < text));
    let ranks: Vec<Option<usize>> = listed.texts.iter().map(rank).collect();
    (0..listed.rows()).map(|row| ranks.get(listed.key(row)?).copied().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Int64Array, StringArray};
    use arrow::compute::cast;
    use arrow::datatypes::Int16Type;
    use proptest::prelude::*;

    use super::*;

    fn steps(batches: &[Vec<ArrayRef>]) -> Vec<Steps> {
        let mut sequence = Sequence::default();
        batches.iter().map(|key| sequence.take(key).unwrap()).collect()
    }

    fn coded(texts: &[&str]) -> ArrayRef {
        Arc::new(texts.iter().copied().collect::<DictionaryArray<Int16Type>>())
    }

    fn numbers(numbers: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(numbers.to_vec()))
    }

    #[test]
    fn a_row_is_held_against_the_last_of_the_batch_before() {
        let found = steps(&[vec![numbers(&[1, 2])], vec![numbers(&[2, 3])], vec![numbers(&[1])]]);
        let repeated = |row| Steps { misplaced: None, repeated: vec![row] };
        assert_eq!(found, [Steps::default(), repeated(0), Steps { misplaced: Some(0), repeated: vec![] }]);
    }

    #[test]
    fn texts_of_a_list_are_compared_as_texts_whatever_their_place_in_it() {
        // The list begins with the first text that was seen.
        let found = steps(&[vec![numbers(&[1, 1, 1, 2]), coded(&["b", "c", "a", "a"])]]);
        assert_eq!(found, [Steps { misplaced: Some(2), repeated: vec![] }]);
        let found = steps(&[vec![coded(&["b", "c"])], vec![coded(&["c", "d"])]]);
        assert_eq!(found[1], Steps { misplaced: None, repeated: vec![0] });
    }

    #[test]
    fn rows_without_a_value_come_last() {
        let texts = |texts: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
        let found = steps(&[vec![texts(vec![Some("a"), None, None, Some("b")])]]);
        assert_eq!(found, [Steps { misplaced: Some(3), repeated: vec![2] }]);
    }

    proptest! {
        #[test]
        fn all_ways_to_hold_a_column_give_the_same_steps(
            rows in proptest::collection::vec((0_i64..4, "[abé]{0,2}"), 1..40),
            size in 1_usize..10,
        ) {
            let ids = numbers(&rows.iter().map(|row| row.0).collect::<Vec<_>>());
            let texts: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1.as_str())).collect::<StringArray>());
            let coded = cast(&texts, &crate::contract::arrow::dictionary_type()).unwrap();
            let cut = |texts: &ArrayRef| -> Vec<Vec<ArrayRef>> {
                let starts = (0..rows.len()).step_by(size);
                let part = |column: &ArrayRef, from: usize| column.slice(from, size.min(rows.len() - from));
                starts.map(|from| vec![part(&ids, from), part(texts, from)]).collect()
            };
            let (plain, listed) = (steps(&cut(&texts)), steps(&cut(&coded)));
            prop_assert_eq!(&plain, &listed);
            let whole = steps(&[vec![ids, texts]]);
            let repeated: usize = plain.iter().map(|steps| steps.repeated.len()).sum();
            prop_assert_eq!(repeated, whole[0].repeated.len());
            let sorted = rows.is_sorted();
            prop_assert_eq!(whole[0].misplaced.is_none(), sorted);
        }
    }
}
