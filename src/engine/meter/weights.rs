//! What values weigh: their own bytes, whatever buffers they share with others.

use arrow::array::{Array, ArrayRef, AsArray as _, GenericListArray, OffsetSizeTrait};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

/// What an item of a list takes beside its own bytes.
const ITEM: u64 = 4;

/// Bytes of the rows of a batch.
pub fn weight(batch: &RecordBatch) -> u64 {
    let columns = batch.columns().iter();
    columns.map(|column| bytes(column, 0, column.len())).fold(0, u64::saturating_add)
}

/// What one value weighs.
pub(super) fn value(array: &ArrayRef, at: usize) -> u64 {
    bytes(array, at, 1).saturating_add(ITEM.saturating_mul(items(array, at, 1)))
}

/// The longest of the values.
pub(super) fn widest(array: &ArrayRef) -> u64 {
    (0..array.len()).map(|at| bytes(array, at, 1)).max().unwrap_or(0)
}

/// Items of the lists of some rows, at their deepest level; none of what is no list.
pub(super) fn items(array: &ArrayRef, from: usize, n: usize) -> u64 {
    match children(array, from, n) {
        Some((values, from, n)) => (n as u64).max(items(values, from, n)),
        None => 0,
    }
}

/// The items of some lists, and where they stand.
fn children(array: &ArrayRef, from: usize, n: usize) -> Option<(&ArrayRef, usize, usize)> {
    fn of<O: OffsetSizeTrait>(list: &GenericListArray<O>, from: usize, n: usize) -> (&ArrayRef, usize, usize) {
        let (start, n) = span(list.value_offsets(), from, n);
        (list.values(), start, n)
    }
    match array.data_type() {
        DataType::List(_) => Some(of(array.as_list::<i32>(), from, n)),
        DataType::LargeList(_) => Some(of(array.as_list::<i64>(), from, n)),
        DataType::FixedSizeList(_, each) => {
            let list = array.as_fixed_size_list();
            let each = usize::try_from(*each).unwrap_or(0);
            Some((list.values(), from * each, n * each))
        }
        _ => None,
    }
}

/// Where the values between two offsets begin, and how many there are.
fn span<O: OffsetSizeTrait>(offsets: &[O], from: usize, n: usize) -> (usize, usize) {
    let at = |at: usize| offsets.get(at).map_or(0, |offset| offset.as_usize());
    (at(from), at(from + n).saturating_sub(at(from)))
}

/// Bytes of some rows of an array.
fn bytes(array: &ArrayRef, from: usize, n: usize) -> u64 {
    if let Some((values, start, count)) = children(array, from, n) {
        return (4 * n as u64).saturating_add(bytes(values, start, count));
    }
    let text = |count: usize| (4 * n + count) as u64;
    match array.data_type() {
        DataType::Utf8 => text(span(array.as_string::<i32>().value_offsets(), from, n).1),
        DataType::LargeUtf8 => text(span(array.as_string::<i64>().value_offsets(), from, n).1),
        DataType::Binary => text(span(array.as_binary::<i32>().value_offsets(), from, n).1),
        DataType::LargeBinary => text(span(array.as_binary::<i64>().value_offsets(), from, n).1),
        DataType::Utf8View => {
            array.as_string_view().lengths().skip(from).take(n).map(|length| 16 + u64::from(length)).sum()
        }
        DataType::BinaryView => {
            array.as_binary_view().lengths().skip(from).take(n).map(|length| 16 + u64::from(length)).sum()
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|column| bytes(column, from, n)).fold(0, u64::saturating_add)
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let (start, count) = span(map.value_offsets(), from, n);
            let entries = map.entries().columns().iter();
            entries.map(|column| bytes(column, start, count)).fold(4 * n as u64, u64::saturating_add)
        }
        DataType::Dictionary(..) => {
            let coded = array.slice(from, n);
            let coded = coded.as_any_dictionary();
            let keys = if coded.values().is_empty() { Vec::new() } else { coded.normalized_keys() };
            keys.into_iter().map(|key| bytes(coded.values(), key, 1)).fold(4 * n as u64, u64::saturating_add)
        }
        DataType::Null => 0,
        DataType::Boolean => n.div_ceil(8) as u64,
        DataType::FixedSizeBinary(each) => (n as u64).saturating_mul(u64::try_from(*each).unwrap_or(0)),
        other => match other.primitive_width() {
            Some(each) => (n * each) as u64,
            None => array.slice(from, n).get_array_memory_size() as u64,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Int32Array, ListArray, StringArray, StructArray};
    use arrow::datatypes::{Field, Int32Type, Int64Type};

    use super::*;

    #[test]
    fn a_slice_weighs_what_its_own_rows_do() {
        let texts = Arc::new((0..100).map(|n| Some("x".repeat(n))).collect::<StringArray>()) as ArrayRef;
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(
            (0..100).map(|n| Some((0..n).map(Some).collect::<Vec<Option<i64>>>())),
        );
        let lists = Arc::new(lists) as ArrayRef;
        let codes: DictionaryArray<Int32Type> = (0..100).map(|n| Some(if n % 2 == 0 { "ab" } else { "c" })).collect();
        let codes = Arc::new(codes) as ArrayRef;
        let numbers = Arc::new(Int32Array::from_iter_values(0..100)) as ArrayRef;
        let both = StructArray::from(vec![
            (Arc::new(Field::new("a", DataType::Utf8, true)), Arc::clone(&texts)),
            (Arc::new(Field::new("b", DataType::Int32, true)), Arc::clone(&numbers)),
        ]);
        let both = Arc::new(both) as ArrayRef;
        for (name, array, of_two, whole) in [
            ("texts", &texts, 8 + 10 + 11, 400 + 4950),
            ("lists", &lists, 8 + 8 * 21, 400 + 8 * 4950),
            ("codes", &codes, 8 + 4 + 2 + 4 + 1, 400 + 400 + 150),
            ("numbers", &numbers, 8, 400),
            ("structs", &both, 8 + 21 + 8, 400 + 4950 + 400),
        ] {
            let slice = array.slice(10, 2);
            assert_eq!(bytes(&slice, 0, 2), of_two, "{name}");
            assert_eq!(bytes(array, 10, 2), of_two, "{name}");
            assert_eq!(bytes(array, 0, 100), whole, "{name}");
        }
        assert_eq!((items(&lists.slice(10, 2), 0, 2), items(&texts, 0, 2)), (21, 0));
        assert_eq!((value(&lists, 3), widest(&texts)), (4 + 8 * 3 + ITEM * 3, 4 + 99));
    }
}
