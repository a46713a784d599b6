//! Cells of a batch as numbers. What has a name is looked up once for each value of a dictionary, not for each row.

use arrow::array::{Array, ArrayRef, AsArray as _, DictionaryArray, RecordBatch};
use arrow::datatypes::{Int16Type, UInt64Type};
use rustc_hash::FxHashMap;

use super::tally::Tally;
use crate::contract::{Column, Contract, Kind};

/// State of a cell that says something.
pub(super) const ANSWERED: u8 = 0;
/// State of a cell that says nothing.
pub(super) const EMPTY: u8 = 1;
/// State of a cell whose question was not shown.
pub(super) const NOT_ASKED: u8 = 2;
/// How many states there are.
pub(super) const STATES: usize = 3;

/// What the cells of a closed column hold.
#[derive(Debug)]
pub(super) enum Cells {
    /// Position of the option; the states other than [`ANSWERED`] follow the last one.
    One(Vec<u32>),
    /// Sets of options, lowest bit first.
    Several(Vec<u64>),
}

/// Answers to a closed question, row by row.
#[derive(Debug)]
pub(super) struct Answers<'a> {
    column: &'a Column,
    with_status: bool,
    by_code: FxHashMap<&'a str, u32>,
    /// Options of its list.
    pub(super) options: usize,
    /// What was answered.
    pub(super) cells: Cells,
    /// Whether it was.
    pub(super) states: Vec<u8>,
}

/// Values of a column that rows are grouped by.
#[derive(Debug)]
pub(super) struct Values<'a> {
    column: &'a Column,
    by_name: FxHashMap<String, u32>,
    /// Values: those of a code list, and those that were found.
    pub(super) names: Vec<String>,
    /// Whether a row was found that has none.
    pub(super) none: bool,
    /// Values of each row.
    pub(super) rows: Rows,
}

/// Values of the rows of a batch.
#[derive(Debug)]
pub(super) enum Rows {
    /// 0 for none, else one more than the position among the names.
    One(Vec<u32>),
    /// Sets of positions among the names.
    Several(Vec<u64>),
}

/// Columns of a table that are counted, each read once a batch.
#[derive(Debug)]
pub(super) struct Coded<'a> {
    contract: &'a Contract,
    answers: Vec<Answers<'a>>,
    values: Vec<Values<'a>>,
    rows: usize,
}

/// A set without bits that stand for nothing.
fn mask(options: usize) -> u64 {
    u32::try_from(options).ok().and_then(|options| 1_u64.checked_shl(options)).map_or(u64::MAX, |bit| bit - 1)
}

impl<'a> Coded<'a> {
    /// No column yet.
    pub(super) fn new(contract: &'a Contract) -> Self {
        Self { contract, answers: Vec::new(), values: Vec::new(), rows: 0 }
    }

    /// Reads the answers of a column from now on, on demand with the status of its cells; gives their place.
    pub(super) fn add_answers(&mut self, column: usize, with_status: bool) -> usize {
        let column = &self.contract.columns[column];
        if let Some(at) = self.answers.iter().position(|answers| answers.column.name == column.name) {
            self.answers[at].with_status |= with_status;
            return at;
        }
        self.answers.push(Answers::new(column, with_status));
        self.answers.len() - 1
    }

    /// Reads the values of a column from now on; gives their place.
    pub(super) fn add_values(&mut self, column: usize) -> usize {
        let column = &self.contract.columns[column];
        let known = self.values.iter().position(|values| values.column.name == column.name);
        known.unwrap_or_else(|| {
            self.values.push(Values::new(column));
            self.values.len() - 1
        })
    }

    /// Names of the columns that are read.
    pub(super) fn columns(&self) -> Vec<String> {
        let mut names: Vec<String> = self.answers.iter().map(|answers| answers.column.name.clone()).collect();
        let statuses = self.answers.iter().filter(|answers| answers.with_status && answers.column.status);
        names.extend(statuses.map(|answers| answers.column.status_name()));
        names.extend(self.values.iter().map(|values| values.column.name.clone()));
        names
    }

    /// Reads a batch.
    pub(super) fn read(&mut self, batch: &RecordBatch) {
        self.rows = batch.num_rows();
        for answers in &mut self.answers {
            answers.read(batch);
        }
        for values in &mut self.values {
            values.read(batch);
        }
    }

    /// Rows of the batch.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Answers at a place that [`Coded::add_answers`] gave.
    pub(super) fn answers(&self, at: usize) -> &Answers<'a> {
        &self.answers[at]
    }

    /// Values at a place that [`Coded::add_values`] gave.
    pub(super) fn values(&self, at: usize) -> &Values<'a> {
        &self.values[at]
    }
}

impl<'a> Answers<'a> {
    fn new(column: &'a Column, with_status: bool) -> Self {
        let codes = column.codes.iter().flat_map(|list| list.code_names());
        let by_code: FxHashMap<&str, u32> = codes.zip(0..).collect();
        let options = column.codes.as_ref().map_or(0, |list| list.codes.len());
        let cells = if column.kind == Kind::Codes { Cells::Several(Vec::new()) } else { Cells::One(Vec::new()) };
        Self { column, with_status, by_code, options, cells, states: Vec::new() }
    }

    /// A tally that counts them.
    pub(super) fn tally(&self) -> Tally {
        Tally::new(self.options, matches!(self.cells, Cells::Several(_)))
    }

    fn read(&mut self, batch: &RecordBatch) {
        self.states.clear();
        let statuses = batch.column_by_name(&self.column.status_name()).filter(|_| self.column.status);
        let statuses = statuses.and_then(|array| array.as_dictionary_opt::<Int16Type>()).map(Statuses::new);
        let empty = |row: usize| if statuses.as_ref().is_some_and(|it| it.not_shown(row)) { NOT_ASKED } else { EMPTY };
        let array = batch.column_by_name(&self.column.name);
        match &mut self.cells {
            Cells::Several(sets) => {
                sets.clear();
                let array = array.and_then(|array| array.as_primitive_opt::<UInt64Type>());
                let mask = mask(self.options);
                for row in 0..batch.num_rows() {
                    let set = array.filter(|array| array.is_valid(row)).map_or(0, |array| array.value(row)) & mask;
                    sets.push(set);
                    self.states.push(if set == 0 { empty(row) } else { ANSWERED });
                }
            }
            Cells::One(cells) => {
                cells.clear();
                let last = u32::try_from(self.options).unwrap_or(u32::MAX / 2);
                let mut take = |row: usize, position: Option<u32>| {
                    let state = if position.is_some() { ANSWERED } else { empty(row) };
                    cells.push(position.unwrap_or_else(|| last + u32::from(state - EMPTY)));
                    self.states.push(state);
                };
                let Some(array) = array.and_then(|array| array.as_dictionary_opt::<Int16Type>()) else {
                    (0..batch.num_rows()).for_each(|row| take(row, None));
                    return;
                };
                let positions = of_dictionary(array, |code| self.by_code.get(code).copied());
                let keys = array.keys_iter();
                keys.enumerate().for_each(|(row, key)| take(row, key.and_then(|key| positions[key])));
            }
        }
    }
}

/// Statuses of the cells of a column.
struct Statuses<'a> {
    array: &'a DictionaryArray<Int16Type>,
    not_shown: Vec<Option<bool>>,
}

impl<'a> Statuses<'a> {
    fn new(array: &'a DictionaryArray<Int16Type>) -> Self {
        Self { array, not_shown: of_dictionary(array, |status| Some(status == "not_shown")) }
    }

    fn not_shown(&self, row: usize) -> bool {
        self.array.key(row).is_some_and(|key| self.not_shown[key] == Some(true))
    }
}

/// What each value of a dictionary stands for.
fn of_dictionary<T: Clone>(
    array: &DictionaryArray<Int16Type>,
    mut meaning: impl FnMut(&str) -> Option<T>,
) -> Vec<Option<T>> {
    match array.values().as_string_opt::<i32>() {
        Some(values) => values.iter().map(|value| meaning(value?)).collect(),
        None => vec![None; array.values().len()],
    }
}

impl<'a> Values<'a> {
    fn new(column: &'a Column) -> Self {
        let names: Vec<String> = column.codes.iter().flat_map(|list| list.code_names()).map(str::to_owned).collect();
        let by_name = names.iter().cloned().zip(1..).collect();
        let rows = if column.kind == Kind::Codes { Rows::Several(Vec::new()) } else { Rows::One(Vec::new()) };
        Self { column, by_name, names, none: false, rows }
    }

    /// Whether a row may have several values.
    pub(super) fn several(&self) -> bool {
        matches!(self.rows, Rows::Several(_))
    }

    fn read(&mut self, batch: &RecordBatch) {
        let array = batch.column_by_name(&self.column.name);
        match &mut self.rows {
            Rows::Several(sets) => {
                sets.clear();
                let mask = mask(self.names.len());
                match array.and_then(|array| array.as_primitive_opt::<UInt64Type>()) {
                    Some(array) => sets.extend(array.iter().map(|set| set.unwrap_or(0) & mask)),
                    None => sets.resize(batch.num_rows(), 0),
                }
                self.none |= sets.contains(&0);
            }
            Rows::One(rows) => {
                rows.clear();
                let mut names = Names { by_name: &mut self.by_name, names: &mut self.names };
                match array {
                    Some(array) => names.read(array, rows),
                    None => rows.resize(batch.num_rows(), 0),
                }
                self.none |= rows.contains(&0);
            }
        }
    }
}

/// Values that are known, to which those of an array are added.
struct Names<'v> {
    by_name: &'v mut FxHashMap<String, u32>,
    names: &'v mut Vec<String>,
}

impl Names<'_> {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        self.names.push(name.to_owned());
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.by_name.insert(name.to_owned(), number);
        number
    }

    fn read(&mut self, array: &ArrayRef, rows: &mut Vec<u32>) {
        if let Some(array) = array.as_dictionary_opt::<Int16Type>() {
            let listed = of_dictionary(array, |code| self.by_name.get(code).copied());
            let values = array.values().as_string_opt::<i32>();
            // A code that stands in no list, and is in the dictionary alone, is no value of a row.
            let mut stray = |key: usize| {
                values.filter(|values| values.is_valid(key)).map_or(0, |values| self.number(values.value(key)))
            };
            rows.extend(array.keys_iter().map(|key| key.map_or(0, |key| listed[key].unwrap_or_else(|| stray(key)))));
        } else if let Some(array) = array.as_string_opt::<i32>() {
            rows.extend(array.iter().map(|value| value.map_or(0, |value| self.number(value))));
        } else if let Some(array) = array.as_boolean_opt() {
            let name = |value: bool| if value { "true" } else { "false" };
            rows.extend(array.iter().map(|value| value.map_or(0, |value| self.number(name(value)))));
        } else {
            rows.resize(array.len(), 0);
        }
    }
}
