//! Small cells: numbers with too few respondents behind them, or behind what is left to their base.
//!
//! The rule is that of A. Hundepool et al., "Statistical Disclosure Control" (2012), section 4.2 (minimum frequency),
//! applied to the cell and to its complement.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{cast, nullif};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::error::ArrowError;

use crate::contract::{CellRule, SECRET};

/// How the cells of one table are judged.
#[derive(Debug, Clone)]
pub struct Protection<'a> {
    /// The table's own declaration.
    pub rule: &'a CellRule,
    /// Smallest number that may be shown.
    pub smallest: u64,
    /// Whether what is left to the base may be small: key figures of the whole sample that the pipeline lists.
    pub exempt_complement: bool,
}

/// Whether a cell must be withheld.
///
/// Secret when the base is small, when the count is small and not 0, or when the complement is small and not 0.
pub fn is_secret(n: Option<i64>, base: Option<i64>, smallest: u64, exempt_complement: bool) -> bool {
    let small = |number: i64| number > 0 && number.unsigned_abs() < smallest;
    let Some(n) = n else { return false };
    let by_base = base.is_some_and(|base| base.unsigned_abs() < smallest && base > 0);
    let by_complement = !exempt_complement && base.is_some_and(|base| small(base - n));
    small(n) || by_base || by_complement
}

impl Protection<'_> {
    /// The batch in another schema, with secret rows hidden: hidden columns null, `secret` true. Says how many rows are
    /// secret.
    pub fn apply(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<(RecordBatch, u64), ArrowError> {
        let counts = integers(batch, &self.rule.respondents)?;
        let bases = self.rule.base.as_deref().map(|base| integers(batch, base)).transpose()?;
        let at = |array: &Int64Array, row: usize| array.is_valid(row).then(|| array.value(row));
        let secret: BooleanArray = (0..batch.num_rows())
            .map(|row| {
                let base = bases.as_ref().and_then(|bases| at(bases, row));
                Some(is_secret(at(&counts, row), base, self.smallest, self.exempt_complement))
            })
            .collect();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            if field.name() == SECRET {
                columns.push(Arc::new(secret.clone()));
                continue;
            }
            let column = batch.column(batch.schema().index_of(field.name())?);
            let hides = self.rule.hides.contains(field.name());
            columns.push(if hides { nullif(column, &secret)? } else { Arc::clone(column) });
        }
        let hidden = u64::try_from(secret.true_count()).unwrap_or(u64::MAX);
        Ok((RecordBatch::try_new(Arc::clone(schema), columns)?, hidden))
    }
}

fn integers(batch: &RecordBatch, name: &str) -> Result<Int64Array, ArrowError> {
    let column = batch
        .column_by_name(name)
        .ok_or_else(|| ArrowError::SchemaError(format!("column `{name}` of the cell rule is missing")))?;
    Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::large_enough(40, 62, false, false)]
    #[case::too_few(4, 62, false, true)]
    #[case::none_at_all(0, 62, false, false)]
    #[case::too_few_left(59, 62, false, true)]
    #[case::too_few_left_in_a_key_figure(59, 62, true, false)]
    #[case::all_of_them(62, 62, false, false)]
    #[case::small_base(4, 4, true, true)]
    #[case::nobody_of_a_small_base(0, 4, false, true)]
    fn small_cells_and_small_complements_are_secret(
        #[case] n: i64,
        #[case] base: i64,
        #[case] exempt: bool,
        #[case] secret: bool,
    ) {
        assert_eq!(is_secret(Some(n), Some(base), 5, exempt), secret);
    }
}
