//! Counts of a questionnaire: the whole sample, and the groups of its groupings.

use rustc_hash::FxHashMap;

use super::coded::{Coded, Rows, Values};
use super::tally::{Members, QuestionCounts, Tally};
use crate::config::pipeline::{Grouping, Question, QuestionKind, Questionnaire};
use crate::contract::{Column, Contract};

/// A group of respondents: the whole sample, or one value of a grouping.
#[derive(Debug)]
pub(super) struct Group<'s> {
    /// Name of the grouping; `None` is the whole sample.
    pub(super) grouping: Option<&'s str>,
    /// Value that its respondents share.
    pub(super) value: &'s str,
    /// Counts by question, in the order of the questionnaire.
    pub(super) questions: Vec<QuestionCounts>,
}

/// A closed question with its column.
#[derive(Debug)]
struct Closed<'a> {
    question: &'a Question,
    column: &'a Column,
    answers: usize,
}

/// A grouping with the column that it gathers.
#[derive(Debug)]
struct Gathered<'a> {
    grouping: &'a Grouping,
    values: usize,
    /// The group of each value of the column, once it is asked for; values may fall in none.
    known: Vec<Known>,
}

/// What is known of the group of a value.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// Nobody asked.
    Unasked,
    /// It falls in none.
    Nowhere,
    /// It falls in this one.
    Group(u32),
}

/// Groups that were found, each by the number of its grouping and its value.
#[derive(Debug, Default)]
struct Groups {
    found: Vec<(usize, String)>,
    numbers: FxHashMap<(usize, String), u32>,
}

/// Counts closed questions of a questionnaire.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    questionnaire: &'a Questionnaire,
    closed: Vec<Closed<'a>>,
    gathered: Vec<Gathered<'a>>,
    groups: Groups,
    members: Members,
    whole: Vec<Tally>,
    grouped: Vec<Tally>,
}

impl<'a> Survey<'a> {
    /// Nothing counted. The columns that it needs are read from now on.
    pub(super) fn new(questionnaire: &'a Questionnaire, contract: &'a Contract, coded: &mut Coded<'a>) -> Self {
        let is_closed = |question: &&Question| {
            matches!(question.kind, QuestionKind::Single | QuestionKind::Multi | QuestionKind::Scale)
        };
        let questions = questionnaire.questions.iter().filter(is_closed);
        let closed: Vec<Closed<'a>> = questions
            .map(|question| Closed {
                question,
                column: &contract.columns[question.column],
                answers: coded.add_answers(question.column, true),
            })
            .collect();
        let gathered = questionnaire
            .groupings
            .iter()
            .map(|grouping| Gathered { grouping, values: coded.add_values(grouping.column), known: Vec::new() })
            .collect();
        let tallies = || -> Vec<Tally> { closed.iter().map(|closed| coded.answers(closed.answers).tally()).collect() };
        let (whole, grouped) = (tallies(), tallies());
        let members = Members::Pairs(Vec::new());
        Self { questionnaire, closed, gathered, groups: Groups::default(), members, whole, grouped }
    }

    /// Counts a batch.
    pub(super) fn take(&mut self, coded: &Coded<'_>) {
        self.find_members(coded);
        for (at, closed) in self.closed.iter().enumerate() {
            let answers = coded.answers(closed.answers);
            self.whole[at].grow(1);
            self.whole[at].take(answers, &Members::Whole);
            self.grouped[at].grow(self.groups.found.len());
            self.grouped[at].take(answers, &self.members);
        }
    }

    /// Groups of each row: a row stands once in a group, however many of its values fall in it.
    fn find_members(&mut self, coded: &Coded<'_>) {
        let Members::Pairs(pairs) = &mut self.members else { return };
        pairs.clear();
        for (at, gathered) in self.gathered.iter_mut().enumerate() {
            let Gathered { grouping, values, known } = gathered;
            let values = coded.values(*values);
            known.resize(values.names.len(), Known::Unasked);
            let mut group = |value: usize| {
                if matches!(known[value], Known::Unasked) {
                    let found = group_of(grouping, values, value).map(|name| self.groups.number(at, name));
                    known[value] = found.map_or(Known::Nowhere, Known::Group);
                }
                match known[value] {
                    Known::Group(group) => Some(group),
                    Known::Nowhere | Known::Unasked => None,
                }
            };
            match &values.rows {
                Rows::One(rows) => {
                    for (row, value) in (0..).zip(rows) {
                        let value = value.checked_sub(1).map(|value| value as usize);
                        pairs.extend(value.and_then(&mut group).map(|group| (row, group)));
                    }
                }
                Rows::Several(sets) => {
                    for (row, set) in (0..).zip(sets) {
                        let (mut rest, first) = (*set, pairs.len());
                        while rest != 0 {
                            let found = group(rest.trailing_zeros() as usize);
                            rest &= rest - 1;
                            let new = found.filter(|group| pairs[first..].iter().all(|(_, other)| other != group));
                            pairs.extend(new.map(|group| (row, group)));
                        }
                    }
                }
            }
        }
    }

    /// The closed questions, with the columns that hold their answers.
    pub(super) fn questions(&self) -> impl Iterator<Item = (&'a Question, &'a Column)> {
        self.closed.iter().map(|closed| (closed.question, closed.column))
    }

    /// Number of structures that were asked, where the survey knows it.
    pub(super) fn population(&self) -> Option<u64> {
        self.questionnaire.population
    }

    /// The whole sample.
    pub(super) fn whole(&self) -> Group<'_> {
        Group { grouping: None, value: "", questions: self.whole.iter().map(|tally| tally.counts(0)).collect() }
    }

    /// The groups, by grouping and value.
    pub(super) fn groups(&self) -> Vec<Group<'_>> {
        let found = self.groups.found.iter().enumerate();
        let mut groups: Vec<Group<'_>> = found
            .map(|(number, (at, value))| Group {
                grouping: Some(&self.questionnaire.groupings[*at].name),
                value,
                questions: self.grouped.iter().map(|tally| tally.counts(number)).collect(),
            })
            .collect();
        groups.sort_by_key(|group| (group.grouping, group.value));
        groups
    }
}

impl Groups {
    fn number(&mut self, grouping: usize, value: String) -> u32 {
        let key = (grouping, value);
        if let Some(known) = self.numbers.get(&key) {
            return *known;
        }
        let number = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
        self.found.push(key.clone());
        self.numbers.insert(key, number);
        number
    }
}

/// The group that a value falls in.
fn group_of(grouping: &Grouping, values: &Values<'_>, value: usize) -> Option<String> {
    let name = &values.names[value];
    if grouping.recode.is_empty() {
        return Some(name.clone());
    }
    grouping.recode.get(name).or_else(|| grouping.recode.get("*")).cloned()
}
