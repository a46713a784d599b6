//! Functions that tell clients of a protocol about their session, in texts that do not come from data.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;

/// Adds a function without arguments that gives one text.
pub fn add_text(context: &SessionContext, name: &str, text: &str) {
    let text = text.to_owned();
    let told = move |_: &[ColumnarValue]| Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(text.clone()))));
    context.register_udf(create_udf(name, Vec::new(), DataType::Utf8, Volatility::Stable, Arc::new(told)));
}

/// Adds a function of one text; what it does not know is null.
pub fn add_lookup(
    context: &SessionContext,
    name: &str,
    look_up: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) {
    let told = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let Some(asked) = arrays.first().and_then(|array| array.as_string_opt::<i32>()) else {
            return Err(DataFusionError::Execution("a text is looked up".to_owned()));
        };
        let found: StringArray = asked.iter().map(|asked| asked.and_then(&look_up)).collect();
        Ok(ColumnarValue::Array(Arc::new(found) as ArrayRef))
    };
    let arguments = vec![DataType::Utf8];
    context.register_udf(create_udf(name, arguments, DataType::Utf8, Volatility::Stable, Arc::new(told)));
}
