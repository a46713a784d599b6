//! Cells of any table as text, for people: empty where there is nothing, items of a list joined by `|`.

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

/// A cell as text.
pub(super) fn text_of(array: &ArrayRef, row: usize) -> Result<String, ArrowError> {
    if array.is_null(row) {
        return Ok(String::new());
    }
    if let DataType::List(_) = array.data_type() {
        let items = array.as_list::<i32>().value(row);
        let texts: Vec<String> = (0..items.len()).map(|at| text_of(&items, at)).collect::<Result<_, _>>()?;
        return Ok(texts.join("|"));
    }
    array_value_to_string(array, row)
}
