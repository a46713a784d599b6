//! Small cells: numbers with too few respondents behind them, or behind what is left to their base.
//!
//! The rule is that of A. Hundepool et al., "Statistical Disclosure Control" (2012), section 4.2 (minimum frequency),
//! applied to the cell and to its complement.

use std::collections::BTreeMap;
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
    /// A whole table in another schema, with secret rows hidden: hidden columns null, `secret` true. Says how many rows
    /// are secret.
    ///
    /// Rows of a group add up, and what they add up to is known (mentions, or the base of a single choice): where only
    /// one of them is secret, the smallest of the others is withheld with it, or subtraction would give it away. What they
    /// add up to is withheld too where it can be: another table may show the companion.
    pub fn apply(&self, table: &RecordBatch, schema: &SchemaRef) -> Result<(RecordBatch, u64), ArrowError> {
        let counts = integers(table, &self.rule.respondents)?;
        let bases = self.rule.base.as_deref().map(|base| integers(table, base)).transpose()?;
        let at = |array: &Int64Array, row: usize| array.is_valid(row).then(|| array.value(row));
        let mut secret: Vec<bool> = (0..table.num_rows())
            .map(|row| {
                let base = bases.as_ref().and_then(|bases| at(bases, row));
                is_secret(at(&counts, row), base, self.smallest, self.exempt_complement)
            })
            .collect();
        let mut beside = secret.clone();
        for rows in self.groups(table)? {
            if let Some(row) = companion(&rows, &counts, &secret).filter(|_| !self.exempt_complement) {
                secret[row] = true;
            }
            let any = rows.iter().any(|row| secret[*row]);
            for row in rows {
                beside[row] = any;
            }
        }
        let (secret, beside) = (BooleanArray::from(secret), BooleanArray::from(beside));
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            if field.name() == SECRET {
                columns.push(Arc::new(secret.clone()));
                continue;
            }
            let column = table.column(table.schema().index_of(field.name())?);
            columns.push(if self.rule.totals.contains(field.name()) {
                nullif(column, &beside)?
            } else if self.rule.hides.contains(field.name()) {
                nullif(column, &secret)?
            } else {
                Arc::clone(column)
            });
        }
        let hidden = u64::try_from(secret.true_count()).unwrap_or(u64::MAX);
        Ok((RecordBatch::try_new(Arc::clone(schema), columns)?, hidden))
    }

    /// Rows that add up together.
    fn groups(&self, table: &RecordBatch) -> Result<Vec<Vec<usize>>, ArrowError> {
        let Some(group) = &self.rule.group else { return Ok(vec![(0..table.num_rows()).collect()]) };
        let column = table
            .column_by_name(group)
            .ok_or_else(|| ArrowError::SchemaError(format!("column `{group}` of the cell rule is missing")))?;
        let names = cast(column, &DataType::Utf8)?;
        let mut groups: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
        for (row, name) in names.as_string::<i32>().iter().enumerate() {
            groups.entry(name).or_default().push(row);
        }
        Ok(groups.into_values().collect())
    }
}

/// The row that is withheld with the only secret one of a group: the smallest that is not 0, the first of equals.
fn companion(rows: &[usize], counts: &Int64Array, secret: &[bool]) -> Option<usize> {
    if rows.iter().filter(|row| secret[**row]).count() != 1 {
        return None;
    }
    let shown = rows.iter().filter(|row| !secret[**row] && counts.is_valid(**row) && counts.value(**row) > 0);
    shown.min_by_key(|row| counts.value(**row)).copied()
}

fn integers(batch: &RecordBatch, name: &str) -> Result<Int64Array, ArrowError> {
    let column = batch
        .column_by_name(name)
        .ok_or_else(|| ArrowError::SchemaError(format!("column `{name}` of the cell rule is missing")))?;
    Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;
    use arrow::datatypes::{Field, Schema};
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

    fn protect(n: &[i64], groups: &[&str], exempt: bool) -> Vec<bool> {
        let rule = CellRule {
            respondents: "n".to_owned(),
            base: None,
            group: Some("question".to_owned()),
            hides: vec!["n".to_owned()],
            totals: vec!["mentions".to_owned()],
        };
        let field = |name: &str, kind| Field::new(name, kind, true);
        let fields =
            vec![field("question", DataType::Utf8), field("n", DataType::Int64), field("mentions", DataType::Int64)];
        let counts: ArrayRef = Arc::new(Int64Array::from(n.to_vec()));
        let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(groups.to_vec())), Arc::clone(&counts), counts];
        let table = RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), columns).unwrap();
        let mut target = fields;
        target.push(field(SECRET, DataType::Boolean));
        let protection = Protection { rule: &rule, smallest: 5, exempt_complement: exempt };
        let (batch, hidden) = protection.apply(&table, &Arc::new(Schema::new(target))).unwrap();
        let secret: Vec<bool> = batch.column(3).as_boolean().iter().flatten().collect();
        for (row, group) in groups.iter().enumerate() {
            let beside = groups.iter().zip(&secret).any(|(other, secret)| other == group && *secret);
            assert_eq!(batch.column(2).is_null(row), beside, "a total beside a secret cell");
        }
        assert_eq!(batch.column(1).null_count(), secret.iter().filter(|secret| **secret).count());
        assert_eq!(hidden, batch.column(1).null_count() as u64);
        secret
    }

    #[rstest]
    #[case::a_lone_secret_cell_takes_the_smallest_with_it(&[40, 3, 9, 12], &["a", "a", "a", "a"], &[false, true, true, false])]
    #[case::two_secret_cells_hide_each_other(&[40, 3, 2, 12], &["a", "a", "a", "a"], &[false, true, true, false])]
    #[case::a_cell_of_nobody_hides_nothing(&[40, 3, 0, 12], &["a", "a", "a", "a"], &[false, true, false, true])]
    #[case::groups_are_apart(&[40, 3, 9, 12], &["a", "a", "b", "b"], &[true, true, false, false])]
    fn a_secret_cell_cannot_be_had_by_subtraction(#[case] n: &[i64], #[case] groups: &[&str], #[case] secret: &[bool]) {
        assert_eq!(protect(n, groups, false), secret);
    }

    #[test]
    fn figures_that_do_not_add_up_need_no_companion() {
        assert_eq!(protect(&[40, 3, 9], &["a", "a", "a"], true), [false, true, false]);
    }
}
