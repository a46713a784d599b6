//! Growing columns that can be cut back to an earlier length: a row is decoded straight into them, and taken out again
//! when it is rejected.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, DictionaryArray, Int16Array, ListArray, NullBufferBuilder,
    PrimitiveArray, StringArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, DataType, Field, Int16Type};
use arrow::error::ArrowError;

use crate::normalise::chunk::BATCH_ROWS;

/// Values of a fixed width.
#[derive(Debug)]
pub(in crate::normalise) struct Values<T> {
    values: Vec<T>,
    nulls: NullBufferBuilder,
}

impl<T: Copy + Default> Values<T> {
    /// An empty column.
    pub(in crate::normalise) fn new() -> Self {
        Self { values: Vec::new(), nulls: NullBufferBuilder::new(BATCH_ROWS) }
    }

    /// Appends a value, or null.
    pub(in crate::normalise) fn push(&mut self, value: Option<T>) {
        self.values.push(value.unwrap_or_default());
        self.nulls.append(value.is_some());
    }

    /// The last value.
    pub(in crate::normalise) fn last(&self) -> Option<T> {
        let at = self.values.len().checked_sub(1)?;
        self.nulls.is_valid(at).then(|| self.values[at])
    }

    /// Cuts the column back.
    pub(in crate::normalise) fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        self.nulls.truncate(len);
    }

    /// The values as Arrow's, and empties the column.
    pub(in crate::normalise) fn finish<A>(&mut self) -> ArrayRef
    where
        A: ArrowPrimitiveType<Native = T>,
        T: ArrowNativeType,
    {
        let values = std::mem::replace(&mut self.values, Vec::with_capacity(BATCH_ROWS));
        Arc::new(PrimitiveArray::<A>::new(ScalarBuffer::from(values), self.nulls.finish()))
    }
}

impl Values<bool> {
    /// The values as Arrow's, and empties the column.
    pub(in crate::normalise) fn finish_booleans(&mut self) -> ArrayRef {
        let values = BooleanBuffer::from(self.values.as_slice());
        self.values.clear();
        Arc::new(BooleanArray::new(values, self.nulls.finish()))
    }
}

impl Values<i16> {
    /// The values as positions in a dictionary, and empties the column.
    pub(in crate::normalise) fn finish_dictionary(&mut self, dictionary: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let values = std::mem::replace(&mut self.values, Vec::with_capacity(BATCH_ROWS));
        let keys = Int16Array::new(ScalarBuffer::from(values), self.nulls.finish());
        Ok(Arc::new(DictionaryArray::<Int16Type>::try_new(keys, Arc::clone(dictionary))?))
    }
}

/// Texts.
#[derive(Debug)]
pub(in crate::normalise) struct Texts {
    data: String,
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Texts {
    /// An empty column.
    pub(in crate::normalise) fn new() -> Self {
        Self { data: String::new(), ends: vec![0], nulls: NullBufferBuilder::new(BATCH_ROWS) }
    }

    /// Appends a text, or null.
    pub(in crate::normalise) fn push(&mut self, text: Option<&str>) {
        self.data.push_str(text.unwrap_or(""));
        // The assembler ends a batch long before its texts reach 2 GiB.
        self.ends.push(i32::try_from(self.data.len()).unwrap_or(i32::MAX));
        self.nulls.append(text.is_some());
    }

    /// Number of texts.
    pub(in crate::normalise) fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Bytes of all texts.
    pub(in crate::normalise) fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The last text.
    pub(in crate::normalise) fn last(&self) -> Option<&str> {
        let at = self.len().checked_sub(1)?;
        let start = self.ends.get(at).and_then(|end| usize::try_from(*end).ok())?;
        if self.nulls.is_valid(at) { self.data.get(start..) } else { None }
    }

    /// Cuts the column back.
    pub(in crate::normalise) fn truncate(&mut self, len: usize) {
        self.ends.truncate(len + 1);
        let end = self.ends.last().and_then(|end| usize::try_from(*end).ok()).unwrap_or(0);
        self.data.truncate(end);
        self.nulls.truncate(len);
    }

    /// The texts as Arrow's, and empties the column.
    pub(in crate::normalise) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(self.finish_strings()?))
    }

    fn finish_strings(&mut self) -> Result<StringArray, ArrowError> {
        let room = self.data.len();
        let data = std::mem::replace(&mut self.data, String::with_capacity(room));
        let mut ends = Vec::with_capacity(BATCH_ROWS + 1);
        ends.push(0);
        let ends = std::mem::replace(&mut self.ends, ends);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
        StringArray::try_new(offsets, Buffer::from_vec(data.into_bytes()), self.nulls.finish())
    }
}

/// Lists of texts.
#[derive(Debug)]
pub(in crate::normalise) struct Lists {
    items: Texts,
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Lists {
    /// An empty column.
    pub(in crate::normalise) fn new() -> Self {
        Self { items: Texts::new(), ends: vec![0], nulls: NullBufferBuilder::new(BATCH_ROWS) }
    }

    /// Appends an item to the list that is being made.
    pub(in crate::normalise) fn push_item(&mut self, item: &str) {
        self.items.push(Some(item));
    }

    /// Drops the items of the list that is being made.
    pub(in crate::normalise) fn drop_open(&mut self) {
        self.truncate(self.nulls.len());
    }

    /// Ends the list that is being made, or makes it null.
    pub(in crate::normalise) fn end(&mut self, valid: bool) {
        self.ends.push(i32::try_from(self.items.len()).unwrap_or(i32::MAX));
        self.nulls.append(valid);
    }

    /// Bytes of all texts.
    pub(in crate::normalise) fn bytes(&self) -> usize {
        self.items.bytes()
    }

    /// Cuts the column back.
    pub(in crate::normalise) fn truncate(&mut self, len: usize) {
        self.ends.truncate(len + 1);
        let items = self.ends.last().and_then(|end| usize::try_from(*end).ok()).unwrap_or(0);
        self.items.truncate(items);
        self.nulls.truncate(len);
    }

    /// The lists as Arrow's, and empties the column.
    pub(in crate::normalise) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        let field = Arc::new(Field::new("item", DataType::Utf8, true));
        let items = Arc::new(self.items.finish_strings()?);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
        Ok(Arc::new(ListArray::try_new(field, offsets, items, self.nulls.finish())?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array as _, AsArray as _};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn values_that_were_cut_back_are_gone() {
        let mut column = Values::<i64>::new();
        for value in [Some(1), None, Some(3), None] {
            column.push(value);
        }
        column.truncate(2);
        column.push(Some(4));
        assert_eq!(column.last(), Some(4));
        let array = column.finish::<Int64Type>();
        assert_eq!(array.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None, Some(4)]);
        assert_eq!(column.last(), None);
    }

    #[test]
    fn texts_that_were_cut_back_are_gone() {
        let mut column = Texts::new();
        for text in [Some("é"), None, Some("b")] {
            column.push(text);
        }
        column.truncate(1);
        assert_eq!(column.last(), Some("é"));
        column.push(Some(""));
        let array = column.finish().unwrap();
        assert_eq!(array.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("é"), Some("")]);
        assert_eq!(column.finish().unwrap().len(), 0);
    }

    #[test]
    fn lists_that_were_cut_back_take_their_items_along() {
        let mut column = Lists::new();
        column.push_item("a");
        column.end(true);
        column.push_item("b");
        column.push_item("c");
        column.end(true);
        column.truncate(1);
        column.end(false);
        let array = column.finish().unwrap();
        let lists = array.as_list::<i32>();
        assert_eq!(lists.value(0).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a")]);
        assert!(lists.is_null(1));
        assert_eq!(lists.values().len(), 1);
    }
}
