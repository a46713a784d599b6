//! Cross-tables: how often each option of some questions is ticked in each group of rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::coded::{ANSWERED, Coded, Rows, Values};
use super::tally::{Members, Tally};
use crate::config::pipeline::{CROSSTAB_COLUMNS, Crosstab};
use crate::contract::Column;
use crate::id::TableName;

/// Most rows of a cross-table: what is counted and written is held in memory.
pub const MOST_ROWS: usize = 4_000_000;

/// Columns of [`CROSSTAB_COLUMNS`] that are texts; the others are whole numbers.
const TEXTS: usize = 2;

/// Schema of a cross-table: what its rows are grouped by, then [`CROSSTAB_COLUMNS`].
pub fn crosstab_schema(crosstab: &Crosstab) -> SchemaRef {
    let by = crosstab.by_columns().map(|column| Field::new(&column.name, DataType::Utf8, true));
    let kind = |at: usize| if at < TEXTS { DataType::Utf8 } else { DataType::Int64 };
    let counted = CROSSTAB_COLUMNS.iter().enumerate().map(|(at, name)| Field::new(*name, kind(at), false));
    Arc::new(Schema::new(by.chain(counted).collect::<Vec<_>>()))
}

/// Groups that were found, by the numbers of their values.
#[derive(Debug, Default)]
struct Groups {
    numbers: Vec<Vec<u32>>,
    found: u32,
}

/// Number of a group that no row is in.
const UNSEEN: u32 = u32::MAX;

impl Groups {
    fn number(&mut self, first: u32, second: u32) -> u32 {
        let (first, second) = (first as usize, second as usize);
        if self.numbers.len() <= first {
            self.numbers.resize(first + 1, Vec::new());
        }
        let row = &mut self.numbers[first];
        if row.len() <= second {
            row.resize(second + 1, UNSEEN);
        }
        if row[second] == UNSEEN {
            row[second] = self.found;
            self.found += 1;
        }
        row[second]
    }

    fn find(&self, first: u32, second: u32) -> Option<usize> {
        let number = self.numbers.get(first as usize)?.get(second as usize)?;
        (*number != UNSEEN).then_some(*number as usize)
    }
}

/// A question with what was counted of it.
#[derive(Debug)]
struct Counted<'a> {
    column: &'a Column,
    answers: usize,
    tally: Tally,
    /// Rows of the whole table that answered it and are in a group with a value of each column.
    whole: u64,
}

/// Counts one cross-table.
#[derive(Debug)]
pub(super) struct Crossing<'a> {
    crosstab: &'a Crosstab,
    by: Vec<usize>,
    questions: Vec<Counted<'a>>,
    groups: Groups,
    members: Members,
    /// 1 for rows of the batch that have a value in each column that groups.
    valued: Vec<u8>,
}

impl<'a> Crossing<'a> {
    /// Nothing counted. The columns that it needs are read from now on.
    pub(super) fn new(crosstab: &'a Crosstab, coded: &mut Coded<'a>) -> Self {
        let by: Vec<usize> = crosstab.by.iter().map(|column| coded.add_values(*column)).collect();
        let several = by.iter().any(|at| coded.values(*at).several());
        let members = match by.as_slice() {
            [] => Members::Whole,
            _ if several => Members::Pairs(Vec::new()),
            _ => Members::Each(Vec::new()),
        };
        let counted = |(at, column): (&usize, &'a Column)| {
            let answers = coded.add_answers(*at, false);
            Counted { column, answers, tally: coded.answers(answers).tally(), whole: 0 }
        };
        let questions = crosstab.questions.iter().zip(crosstab.question_columns()).map(counted).collect();
        Self { crosstab, by, questions, groups: Groups::default(), members, valued: Vec::new() }
    }

    /// Its name.
    pub(super) fn name(&self) -> &'a TableName {
        &self.crosstab.name
    }

    /// Counts a batch.
    pub(super) fn take(&mut self, coded: &Coded<'_>) {
        self.find_members(coded);
        let groups = if self.by.is_empty() { 1 } else { self.groups.found as usize };
        for question in &mut self.questions {
            let answers = coded.answers(question.answers);
            question.tally.grow(groups);
            question.tally.take(answers, &self.members);
            let both = answers.states.iter().zip(&self.valued);
            question.whole +=
                both.map(|(state, valued)| u64::from(*valued & u8::from(*state == ANSWERED))).sum::<u64>();
        }
    }

    fn find_members(&mut self, coded: &Coded<'_>) {
        let by: Vec<&Rows> = self.by.iter().map(|at| &coded.values(*at).rows).collect();
        self.valued.clear();
        self.valued.resize(coded.rows(), 1);
        for rows in &by {
            match rows {
                Rows::One(values) => {
                    self.valued.iter_mut().zip(values).for_each(|(valued, value)| *valued &= u8::from(*value != 0));
                }
                Rows::Several(sets) => {
                    self.valued.iter_mut().zip(sets).for_each(|(valued, set)| *valued &= u8::from(*set != 0));
                }
            }
        }
        let groups = &mut self.groups;
        match (&mut self.members, by.as_slice()) {
            (Members::Each(members), [Rows::One(values)]) => {
                members.clear();
                members.extend(values.iter().map(|value| groups.number(0, *value)));
            }
            (Members::Each(members), [Rows::One(first), Rows::One(second)]) => {
                members.clear();
                members.extend(first.iter().zip(second).map(|(first, second)| groups.number(*first, *second)));
            }
            (Members::Pairs(pairs), [first, rest @ ..]) => {
                pairs.clear();
                for (at, row) in (0..coded.rows()).zip(0_u32..) {
                    values(first, at).for_each(|first| match rest {
                        [] => pairs.push((row, groups.number(0, first))),
                        [second, ..] => {
                            pairs.extend(values(second, at).map(|second| (row, groups.number(first, second))));
                        }
                    });
                }
            }
            _ => {}
        }
    }

    /// Rows of the table.
    pub(super) fn rows(&self, coded: &Coded<'_>) -> usize {
        let options: usize = self.questions.iter().map(|question| coded.answers(question.answers).options).sum();
        let groups =
            self.by.iter().map(|at| coded.values(*at)).map(|values| values.names.len() + usize::from(values.none));
        groups.fold(options, usize::saturating_mul)
    }

    /// The table.
    pub(super) fn table(&self, coded: &Coded<'_>) -> Result<RecordBatch, ArrowError> {
        let by: Vec<Vec<(Option<&str>, u32)>> = self.by.iter().map(|at| sorted(coded.values(*at))).collect();
        let alone = [(None, 0)];
        let (first, second) = match by.as_slice() {
            [] => (&alone[..], &alone[..]),
            [only] => (&alone[..], only.as_slice()),
            [first, second, ..] => (first.as_slice(), second.as_slice()),
        };
        let mut columns = Columns::new(by.len());
        for (name, number) in first {
            for (second_name, second_number) in second {
                let group = if by.is_empty() { Some(0) } else { self.groups.find(*number, *second_number) };
                let names = [*name, *second_name];
                self.append(&mut columns, &names[2 - by.len().min(2)..], group);
            }
        }
        columns.finish(crosstab_schema(self.crosstab))
    }

    fn append(&self, columns: &mut Columns, group: &[Option<&str>], number: Option<usize>) {
        for question in &self.questions {
            let counts = question.tally.counts(number.unwrap_or(usize::MAX));
            let whole = if self.by.is_empty() { counts.answered } else { question.whole };
            let codes = question.column.codes.iter().flat_map(|list| list.code_names());
            for ((rank, code), n) in (1..).zip(codes).zip(&counts.options) {
                for (builder, value) in columns.by.iter_mut().zip(group) {
                    builder.append_option(*value);
                }
                columns.texts[0].append_value(&question.column.name);
                columns.texts[1].append_value(code);
                for (builder, number) in columns.numbers.iter_mut().zip([rank, *n, counts.answered, whole]) {
                    builder.append_value(i64::try_from(number).unwrap_or(i64::MAX));
                }
            }
        }
    }
}

/// Columns of a table in the making.
#[derive(Debug, Default)]
struct Columns {
    by: Vec<StringBuilder>,
    texts: [StringBuilder; TEXTS],
    numbers: [Int64Builder; 4],
}

impl Columns {
    fn new(by: usize) -> Self {
        Self { by: (0..by).map(|_| StringBuilder::new()).collect(), ..Self::default() }
    }

    fn finish(mut self, schema: SchemaRef) -> Result<RecordBatch, ArrowError> {
        let texts = self.by.iter_mut().chain(&mut self.texts).map(|texts| Arc::new(texts.finish()) as ArrayRef);
        let mut columns: Vec<ArrayRef> = texts.collect();
        columns.extend(self.numbers.iter_mut().map(|numbers| Arc::new(numbers.finish()) as ArrayRef));
        RecordBatch::try_new(schema, columns)
    }
}

/// Numbers of the values of a row; 0 alone when it has none.
fn values(rows: &Rows, row: usize) -> impl Iterator<Item = u32> {
    let (one, mut rest) = match rows {
        Rows::One(values) => (Some(values[row]), 0),
        Rows::Several(sets) => ((sets[row] == 0).then_some(0), sets[row]),
    };
    let several = std::iter::from_fn(move || {
        let bit = (rest != 0).then(|| rest.trailing_zeros());
        rest &= rest.wrapping_sub(1);
        bit.map(|bit| bit + 1)
    });
    one.into_iter().chain(several)
}

/// Values of a column with their numbers, in the order of the table: none first where a row has none.
fn sorted<'v>(values: &'v Values<'_>) -> Vec<(Option<&'v str>, u32)> {
    let none = values.none.then_some((None, 0));
    let named = values.names.iter().zip(1..).map(|(name, number)| (Some(name.as_str()), number));
    let mut all: Vec<_> = none.into_iter().chain(named).collect();
    all.sort_unstable();
    all
}
