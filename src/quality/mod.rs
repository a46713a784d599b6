//! Checks that follow from a contract, on rows that come sorted by its key: required cells are there, keys are unique,
//! values keep to their constraints.

pub mod drift;
pub mod gate;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, SortField};

use crate::contract::{Column, Contract};

/// What happens when a check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The release is not made.
    Block,
    /// The release is made, and says so.
    Warn,
}

impl Severity {
    /// Code in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Warn => "warn",
        }
    }
}

/// A failing row: its key and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Row of the table, from 1, in published order.
    pub row: u64,
    /// What is wrong, without the value.
    pub detail: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Stable id such as `required:nom`.
    pub id: String,
    /// The table.
    pub table: String,
    /// What happens when it fails.
    pub severity: Severity,
    /// Rows that fail.
    pub failing_rows: u64,
    /// The first of them.
    pub sample: Vec<Sample>,
}

impl Outcome {
    /// A blocking outcome from rows that were found elsewhere.
    pub fn blocking(id: &str, table: &str, failing: Vec<Sample>) -> Self {
        let failing_rows = failing.len() as u64;
        let sample = failing.into_iter().take(SAMPLE).collect();
        Self { id: id.to_owned(), table: table.to_owned(), severity: Severity::Block, failing_rows, sample }
    }

    /// Whether it stops the release.
    pub fn blocks(&self) -> bool {
        self.failing_rows > 0 && self.severity == Severity::Block
    }
}

const SAMPLE: usize = 5;

/// Runs the checks that follow from one contract over its published rows.
#[derive(Debug)]
pub struct ContractChecks<'a> {
    contract: &'a Contract,
    key: Option<RowConverter>,
    key_columns: Vec<usize>,
    last_key: Option<OwnedRow>,
    rows: u64,
    outcomes: BTreeMap<String, Outcome>,
}

impl<'a> ContractChecks<'a> {
    /// Checks of a contract's public columns.
    pub fn new(contract: &'a Contract) -> Result<Self, ArrowError> {
        let public: Vec<&Column> = contract.public_columns().collect();
        let key_columns: Vec<usize> = contract
            .primary_key
            .iter()
            .filter_map(|name| public.iter().position(|column| column.name == *name))
            .collect();
        let whole = !key_columns.is_empty() && key_columns.len() == contract.primary_key.len();
        let fields = key_columns.iter().map(|at| SortField::new(public[*at].plain_type())).collect();
        let key = if whole { Some(RowConverter::new(fields)?) } else { None };
        let mut checks = Self { contract, key, key_columns, last_key: None, rows: 0, outcomes: BTreeMap::new() };
        checks.expect(&public);
        Ok(checks)
    }

    /// Every check is reported, also when it passes.
    fn expect(&mut self, public: &[&Column]) {
        if self.key.is_some() {
            self.outcome("unique_key");
        }
        for column in public {
            if column.required {
                self.outcome(&format!("required:{}", column.name));
            }
            if column.minimum.is_some() || column.maximum.is_some() {
                self.outcome(&format!("range:{}", column.name));
            }
            if column.pattern.is_some() {
                self.outcome(&format!("pattern:{}", column.name));
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
        let Some(converter) = &self.key else { return Ok(()) };
        let columns: Vec<ArrayRef> = self.key_columns.iter().map(|at| Arc::clone(batch.column(*at))).collect();
        let rows = converter.convert_columns(&columns)?;
        let mut repeated = Vec::new();
        for row in 0..rows.num_rows() {
            let same = match row.checked_sub(1) {
                Some(before) => rows.row(before) == rows.row(row),
                None => self.last_key.as_ref().is_some_and(|last| last.row() == rows.row(row)),
            };
            if same {
                repeated.push(row);
            }
        }
        if rows.num_rows() > 0 {
            self.last_key = Some(rows.row(rows.num_rows() - 1).owned());
        }
        for row in repeated {
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
        match array.data_type() {
            DataType::Int64 | DataType::Float64 => self.range(column, array),
            DataType::Utf8 => {
                for (row, text) in array.as_string::<i32>().iter().enumerate() {
                    if let Some(text) = text {
                        self.text(column, row, text);
                    }
                }
            }
            _ => {}
        }
    }

    fn range(&mut self, column: &Column, array: &ArrayRef) {
        if column.minimum.is_none() && column.maximum.is_none() {
            return;
        }
        let id = format!("range:{}", column.name);
        #[expect(clippy::cast_precision_loss, reason = "bounds that people type are small")]
        let value = |row: usize| match array.data_type() {
            DataType::Int64 => array.as_primitive::<Int64Type>().value(row) as f64,
            _ => array.as_primitive::<Float64Type>().value(row),
        };
        for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
            let number = value(row);
            let inside =
                column.minimum.is_none_or(|least| number >= least) && column.maximum.is_none_or(|most| number <= most);
            if !inside {
                self.fail(&id, row, "hors des bornes");
            }
        }
    }

    fn text(&mut self, column: &Column, row: usize, text: &str) {
        if column.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
            self.fail(&format!("pattern:{}", column.name), row, "ne suit pas le motif");
        }
        if column.codes.as_ref().is_some_and(|list| list.position(text).is_none()) {
            self.fail(&format!("codes:{}", column.name), row, "code hors de la liste");
        }
    }

    /// What all checks found.
    pub fn finish(self) -> Vec<Outcome> {
        self.outcomes.into_values().collect()
    }
}
