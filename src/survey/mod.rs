//! From answers to indicators: counts, bases, shares and intervals of every closed question, from its declaration
//! alone.
//!
//! [`Counter`] takes batches of the answers table in its coded form (dictionaries and bit sets) and keeps counts only:
//! its memory does not grow with the answers. Groupings are counted beside the whole sample into a table of their own.

mod interval;
mod table;
#[cfg(test)]
mod tests;

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::datatypes::{Int16Type, UInt64Type};
use rustc_hash::FxHashMap;

use crate::config::pipeline::{Base, Grouping, Question, QuestionKind, Questionnaire};
use crate::contract::{Column, Contract, Kind};

pub use table::{indicator_schema, whole_sample};

/// Counts of one question within one group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuestionCounts {
    /// Respondents by option, in the order of the code list.
    pub options: Vec<u64>,
    /// Respondents, whether they were asked or not.
    pub respondents: u64,
    /// Respondents who were asked.
    pub asked: u64,
    /// Respondents who answered.
    pub answered: u64,
}

impl QuestionCounts {
    /// Ticks of all options together.
    pub fn mentions(&self) -> u64 {
        self.options.iter().sum()
    }

    /// Respondents who said nothing; those who were not asked count among them when the base is everyone.
    pub fn silent(&self, base: Base) -> u64 {
        let whole = if base == Base::Asked { self.asked } else { self.respondents };
        whole - self.answered
    }

    /// Respondents behind the shares.
    pub fn base(&self, base: Base) -> u64 {
        match base {
            Base::Respondents => self.respondents,
            Base::Asked => self.asked,
            Base::Answered => self.answered,
        }
    }
}

/// A group of respondents: the whole sample, or one value of a grouping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Name of the grouping; `None` is the whole sample.
    pub grouping: Option<String>,
    /// Value that its respondents share.
    pub value: String,
    /// Counts by question, in the order of the questionnaire.
    pub questions: Vec<QuestionCounts>,
}

/// A closed question with its column.
#[derive(Debug)]
struct Closed<'a> {
    question: &'a Question,
    column: &'a Column,
}

/// Counts closed questions over batches of answers.
#[derive(Debug)]
pub struct Counter<'a> {
    questionnaire: &'a Questionnaire,
    contract: &'a Contract,
    closed: Vec<Closed<'a>>,
    groups: Vec<Group>,
    by_name: FxHashMap<(usize, String), usize>,
}

/// What one cell of a closed question says.
enum Answer {
    NotAsked,
    Empty,
    Options(u64),
    Position(usize),
}

impl<'a> Counter<'a> {
    /// A counter that has seen no answer.
    pub fn new(questionnaire: &'a Questionnaire, contract: &'a Contract) -> Self {
        let closed: Vec<Closed<'a>> = questionnaire
            .questions
            .iter()
            .map(|question| Closed { question, column: &contract.columns[question.column] })
            .filter(|closed| {
                matches!(closed.question.kind, QuestionKind::Single | QuestionKind::Multi | QuestionKind::Scale)
            })
            .collect();
        let mut counter = Self { questionnaire, contract, closed, groups: Vec::new(), by_name: FxHashMap::default() };
        let whole = counter.empty_group(None, String::new());
        counter.groups.push(whole);
        counter
    }

    fn empty_group(&self, grouping: Option<String>, value: String) -> Group {
        let questions = self.closed.iter().map(|closed| {
            let options = closed.column.codes.as_ref().map_or(0, |list| list.codes.len());
            QuestionCounts { options: vec![0; options], respondents: 0, asked: 0, answered: 0 }
        });
        Group { grouping, value, questions: questions.collect() }
    }

    /// Counts a batch of the answers table in its coded form.
    pub fn take(&mut self, batch: &RecordBatch) {
        let memberships = self.memberships(batch);
        for at in 0..self.closed.len() {
            let answers = answers(self.closed[at].column, batch);
            for (row, answer) in answers.into_iter().enumerate() {
                self.groups[0].questions[at].count(&answer);
                for group in memberships.get(row).into_iter().flatten() {
                    self.groups[*group].questions[at].count(&answer);
                }
            }
        }
    }

    /// Groups of each row, beside the whole sample; empty when nothing is grouped.
    fn memberships(&mut self, batch: &RecordBatch) -> Vec<Vec<usize>> {
        if self.questionnaire.groupings.is_empty() {
            return Vec::new();
        }
        let mut memberships = vec![Vec::new(); batch.num_rows()];
        for (at, grouping) in self.questionnaire.groupings.iter().enumerate() {
            let column = &self.contract.columns[grouping.column];
            for (row, values) in group_values(column, grouping, batch).into_iter().enumerate() {
                for value in values {
                    let group = self.group(at, grouping, value);
                    if !memberships[row].contains(&group) {
                        memberships[row].push(group);
                    }
                }
            }
        }
        memberships
    }

    fn group(&mut self, at: usize, grouping: &Grouping, value: String) -> usize {
        if let Some(known) = self.by_name.get(&(at, value.clone())) {
            return *known;
        }
        let group = self.empty_group(Some(grouping.name.clone()), value.clone());
        self.groups.push(group);
        self.by_name.insert((at, value), self.groups.len() - 1);
        self.groups.len() - 1
    }

    /// Columns of the answers table that are read.
    pub fn columns(&self) -> Vec<String> {
        let grouped = self.questionnaire.groupings.iter().map(|grouping| &self.contract.columns[grouping.column]);
        let columns = self.closed.iter().map(|closed| closed.column).chain(grouped);
        columns.flat_map(|column| [column.name.clone(), column.status_name()]).collect()
    }

    /// The closed questions, with the columns that hold their answers.
    pub fn questions(&self) -> impl Iterator<Item = (&'a Question, &'a Column)> {
        self.closed.iter().map(|closed| (closed.question, closed.column))
    }

    /// Number of structures that were asked, where the survey knows it.
    pub fn population(&self) -> Option<u64> {
        self.questionnaire.population
    }

    /// The whole sample, then the groups by grouping and value.
    pub fn groups(&self) -> Vec<&Group> {
        let mut groups: Vec<&Group> = self.groups.iter().collect();
        groups.sort_by(|a, b| (&a.grouping, &a.value).cmp(&(&b.grouping, &b.value)));
        groups
    }
}

impl QuestionCounts {
    fn count(&mut self, answer: &Answer) {
        self.respondents += 1;
        match answer {
            Answer::NotAsked => return,
            Answer::Empty => {}
            Answer::Position(at) => {
                self.answered += 1;
                self.options[*at] += 1;
            }
            Answer::Options(set) => {
                self.answered += 1;
                let mut rest = *set;
                while rest != 0 {
                    self.options[rest.trailing_zeros() as usize] += 1;
                    rest &= rest - 1;
                }
            }
        }
        self.asked += 1;
    }
}

/// Positions in the code list of a dictionary's values.
fn positions(column: &Column, values: &dyn Array) -> Vec<Option<usize>> {
    let values = values.as_string::<i32>();
    let find = |code: &str| column.codes.as_ref().and_then(|list| list.position(code)).map(usize::from);
    values.iter().map(|value| value.and_then(find)).collect()
}

fn answers(column: &Column, batch: &RecordBatch) -> Vec<Answer> {
    let Some(array) = batch.column_by_name(&column.name) else { return Vec::new() };
    let not_asked = not_asked(column, batch);
    let empty = |row: usize| if not_asked.get(row) == Some(&true) { Answer::NotAsked } else { Answer::Empty };
    if column.kind == Kind::Codes {
        let sets = array.as_primitive::<UInt64Type>();
        let answer =
            |row| if sets.is_null(row) || sets.value(row) == 0 { empty(row) } else { Answer::Options(sets.value(row)) };
        return (0..sets.len()).map(answer).collect();
    }
    let dictionary = array.as_dictionary::<Int16Type>();
    let positions = positions(column, dictionary.values().as_ref());
    let answer = |row| {
        let key = dictionary.key(row).and_then(|key| positions[key]);
        key.map_or_else(|| empty(row), Answer::Position)
    };
    (0..dictionary.len()).map(answer).collect()
}

fn not_asked(column: &Column, batch: &RecordBatch) -> Vec<bool> {
    let Some(statuses) = batch.column_by_name(&column.status_name()).filter(|_| column.status) else {
        return Vec::new();
    };
    let statuses = statuses.as_dictionary::<Int16Type>();
    let values = statuses.values().as_string::<i32>();
    (0..statuses.len()).map(|row| statuses.key(row).is_some_and(|key| values.value(key) == "not_shown")).collect()
}

/// Values of the grouping for each row: none, one, or several for a multi-choice column.
fn group_values(column: &Column, grouping: &Grouping, batch: &RecordBatch) -> Vec<Vec<String>> {
    let Some(array) = batch.column_by_name(&column.name) else { return Vec::new() };
    let recode = |value: &str| {
        if grouping.recode.is_empty() {
            Some(value.to_owned())
        } else {
            grouping.recode.get(value).or_else(|| grouping.recode.get("*")).cloned()
        }
    };
    match column.kind {
        Kind::Codes => {
            let sets = array.as_primitive::<UInt64Type>();
            let codes: Vec<&str> = column.codes.iter().flat_map(|list| list.code_names()).collect();
            let of_set = |set: u64| codes.iter().enumerate().filter(move |(bit, _)| set >> bit & 1 == 1);
            sets.iter().map(|set| of_set(set.unwrap_or(0)).filter_map(|(_, code)| recode(code)).collect()).collect()
        }
        Kind::Code => {
            let dictionary = array.as_dictionary::<Int16Type>();
            let values = dictionary.values().as_string::<i32>();
            let value = |row| dictionary.key(row).and_then(|key| recode(values.value(key)));
            (0..dictionary.len()).map(|row| value(row).into_iter().collect()).collect()
        }
        _ => array.as_string::<i32>().iter().map(|value| value.and_then(recode).into_iter().collect()).collect(),
    }
}
