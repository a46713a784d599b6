//! Checks of single rows that follow from a contract, on rows that come sorted by its key: required cells are there, keys
//! are unique, values keep to their constraints.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::sequence::Sequence;
use super::{Outcome, SAMPLE, Sample, Severity};
use crate::contract::arrow::Listed;
use crate::contract::{Broken, Column, Contract};

/// Runs the checks that follow from one contract over its published rows.
#[derive(Debug)]
pub struct ContractChecks<'a> {
    contract: &'a Contract,
    /// Columns of the key; empty when part of it is not public.
    key: Vec<usize>,
    sequence: Sequence,
    rows: u64,
    outcomes: BTreeMap<String, Outcome>,
}

impl<'a> ContractChecks<'a> {
    /// Checks of a contract's public columns.
    pub fn new(contract: &'a Contract) -> Self {
        let public: Vec<&Column> = contract.public_columns().collect();
        let find = |name: &String| public.iter().position(|column| column.name == *name);
        let key = contract.primary_key.iter().map(find).collect::<Option<_>>().unwrap_or_default();
        let mut checks = Self { contract, key, sequence: Sequence::default(), rows: 0, outcomes: BTreeMap::new() };
        checks.expect(&public);
        checks
    }

    /// Every check is reported, also when it passes.
    fn expect(&mut self, public: &[&Column]) {
        if !self.key.is_empty() {
            self.outcome("unique_key");
        }
        for column in public {
            if column.required {
                self.outcome(&format!("required:{}", column.name));
            }
            for constraint in Broken::ALL.into_iter().filter(|constraint| column.constrains(*constraint)) {
                self.outcome(&format!("{}:{}", constraint.as_str(), column.name));
            }
            if column.codes.is_some() {
                self.outcome(&format!("codes:{}", column.name));
            }
        }
    }

    fn outcome(&mut self, id: &str) -> &mut Outcome {
        let table = self.contract.name.to_string();
        self.outcomes.entry(id.to_owned()).or_insert_with(|| Outcome {
            id: id.to_owned(),
            table,
            severity: Severity::Block,
            failing_rows: 0,
            sample: Vec::new(),
            because: String::new(),
            file: None,
            withheld: false,
        })
    }

    fn fail(&mut self, id: &str, row: usize, detail: &str) {
        let number = self.rows + row as u64 + 1;
        let outcome = self.outcome(id);
        outcome.failing_rows += 1;
        if outcome.sample.len() < SAMPLE {
            outcome.sample.push(Sample { row: number, detail: detail.to_owned() });
        }
    }

    /// Takes in the next rows, in published order and in the public schema.
    pub fn take(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.unique(batch)?;
        for (column, array) in self.contract.public_columns().zip(batch.columns()) {
            self.required(column, array);
            self.values(column, array);
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn unique(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let key: Vec<ArrayRef> = self.key.iter().map(|at| Arc::clone(batch.column(*at))).collect();
        for row in self.sequence.take(&key)?.repeated {
            self.fail("unique_key", row, "même clé que la ligne précédente");
        }
        Ok(())
    }

    fn required(&mut self, column: &Column, array: &ArrayRef) {
        if column.required && array.null_count() > 0 {
            let id = format!("required:{}", column.name);
            for row in (0..array.len()).filter(|row| array.is_null(*row)) {
                self.fail(&id, row, "valeur absente");
            }
        }
    }

    fn values(&mut self, column: &Column, array: &ArrayRef) {
        let constrained = Broken::ALL.into_iter().any(|constraint| column.constrains(constraint));
        if !constrained && column.codes.is_none() {
            return;
        }
        if let Some(listed) = Listed::of(array) {
            self.listed(column, &listed);
            return;
        }
        for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
            let broken = match array.data_type() {
                DataType::Utf8 => {
                    let text = array.as_string::<i32>().value(row);
                    self.coded(column, row, std::iter::once(text));
                    column.broken_by_text(text)
                }
                DataType::List(_) => {
                    let items = array.as_list::<i32>().value(row);
                    let items = items.as_string_opt::<i32>().map(StringArray::iter).into_iter().flatten().flatten();
                    self.coded(column, row, items.clone());
                    column.broken_by_items(items)
                }
                _ => number(array, row).and_then(|number| column.broken_by_number(number)),
            };
            if let Some(broken) = broken {
                self.fail(&format!("{}:{}", broken.as_str(), column.name), row, detail(broken));
            }
        }
    }

    /// Texts of a dictionary are judged once each.
    fn listed(&mut self, column: &Column, listed: &Listed<'_>) {
        let foreign = |text: &str| column.codes.as_ref().is_some_and(|list| list.position(text).is_none());
        let judge = |text: &str| (foreign(text), column.broken_by_text(text));
        let judged: Vec<(bool, Option<Broken>)> =
            listed.texts.iter().map(|text| judge(text.unwrap_or_default())).collect();
        if judged.iter().all(|found| *found == (false, None)) {
            return;
        }
        for row in 0..listed.rows() {
            let Some((foreign, broken)) = listed.key(row).map(|key| judged[key]) else { continue };
            if foreign {
                self.fail(&format!("codes:{}", column.name), row, "code hors de la liste");
            }
            if let Some(broken) = broken {
                self.fail(&format!("{}:{}", broken.as_str(), column.name), row, detail(broken));
            }
        }
    }

    fn coded<'t>(&mut self, column: &Column, row: usize, mut codes: impl Iterator<Item = &'t str>) {
        let Some(list) = &column.codes else { return };
        if codes.any(|code| list.position(code).is_none()) {
            self.fail(&format!("codes:{}", column.name), row, "code hors de la liste");
        }
    }

    /// What all checks found.
    pub fn finish(self) -> Vec<Outcome> {
        self.outcomes.into_values().collect()
    }
}

/// A value on the scale of constraints; `None` where its type has none.
#[expect(clippy::cast_precision_loss, reason = "bounds that people type are small, and microseconds of this age exact")]
fn number(array: &ArrayRef, row: usize) -> Option<f64> {
    Some(match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row) as f64,
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row),
        DataType::Boolean => f64::from(u8::from(array.as_boolean().value(row))),
        DataType::Date32 => f64::from(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(..) => array.as_primitive_opt::<TimestampMicrosecondType>()?.value(row) as f64,
        _ => return None,
    })
}

fn detail(broken: Broken) -> &'static str {
    match broken {
        Broken::Pattern => "ne suit pas le motif",
        Broken::Range => "hors des bornes",
        Broken::Length => "trop court ou trop long",
        Broken::Enum => "hors des valeurs permises",
    }
}
