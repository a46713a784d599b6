//! How answers are counted: one slot for each answer that a cell can be, in every group, and one step for each row.
//!
//! Slots lie in one block, group after group. A single answer has a slot of its own. A set of answers is cut into pieces
//! of [`PIECE`] options, and each piece has a slot for every set that it can be: a row takes one step for a piece, without
//! a look at its single options, which are added up when everything is counted.
//!
//! Why not a step for each option that a set holds: how many there are differs from row to row, which a processor cannot
//! foresee; that took several times as long.

use super::coded::{ANSWERED, Answers, Cells, EMPTY, NOT_ASKED, STATES};
use crate::config::pipeline::Base;

/// Options that are counted together as a set.
const PIECE: usize = 4;

/// Sets that a piece can be.
const SETS: usize = 1 << PIECE;

/// The bits of a piece.
const BITS: u8 = 0b1111;

/// Counts of one question within one group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct QuestionCounts {
    /// Rows by option, in the order of the code list.
    pub(super) options: Vec<u64>,
    /// Rows, whether they were asked or not.
    pub(super) respondents: u64,
    /// Rows that were asked.
    pub(super) asked: u64,
    /// Rows that answered.
    pub(super) answered: u64,
}

impl QuestionCounts {
    /// Ticks of all options together.
    pub(super) fn mentions(&self) -> u64 {
        self.options.iter().sum()
    }

    /// Respondents who said nothing; those who were not asked count among them when the base is everyone.
    pub(super) fn silent(&self, base: Base) -> u64 {
        let whole = if base == Base::Asked { self.asked } else { self.respondents };
        whole - self.answered
    }

    /// Respondents behind the shares.
    pub(super) fn base(&self, base: Base) -> u64 {
        match base {
            Base::Respondents => self.respondents,
            Base::Asked => self.asked,
            Base::Answered => self.answered,
        }
    }
}

/// Groups of the rows of a batch.
#[derive(Debug)]
pub(super) enum Members {
    /// All rows are in group 0.
    Whole,
    /// The group of each row.
    Each(Vec<u32>),
    /// Rows and groups: a row stands once for each of its groups.
    Pairs(Vec<(u32, u32)>),
}

/// Counts of one question in every group.
#[derive(Debug)]
pub(super) struct Tally {
    options: usize,
    several: bool,
    /// Slots of a group.
    width: usize,
    slots: Vec<u64>,
}

impl Tally {
    /// Nothing counted, and no group.
    pub(super) fn new(options: usize, several: bool) -> Self {
        let width = if several { STATES + options.div_ceil(PIECE) * SETS } else { options + STATES - 1 };
        Self { options, several, width, slots: Vec::new() }
    }

    /// Makes room for groups up to this number.
    pub(super) fn grow(&mut self, groups: usize) {
        if self.slots.len() < groups * self.width {
            self.slots.resize(groups * self.width, 0);
        }
    }

    /// Counts a batch. There must be room for all groups.
    pub(super) fn take(&mut self, answers: &Answers<'_>, members: &Members) {
        match members {
            Members::Whole => self.add(answers, (0..answers.states.len()).map(|row| (row, 0))),
            Members::Each(groups) => self.add(answers, groups.iter().map(|group| *group as usize).enumerate()),
            Members::Pairs(pairs) => {
                self.add(answers, pairs.iter().map(|(row, group)| (*row as usize, *group as usize)));
            }
        }
    }

    fn add(&mut self, answers: &Answers<'_>, members: impl Iterator<Item = (usize, usize)>) {
        match &answers.cells {
            Cells::One(slots) => {
                for (row, group) in members {
                    self.slots[group * self.width + slots[row] as usize] += 1;
                }
            }
            Cells::Several(sets) => {
                for (row, group) in members {
                    let slots = &mut self.slots[group * self.width..][..self.width];
                    slots[usize::from(answers.states[row])] += 1;
                    let mut rest = sets[row];
                    for piece in slots[STATES..].chunks_exact_mut(SETS) {
                        piece[usize::from(rest.to_le_bytes()[0] & BITS)] += 1;
                        rest >>= PIECE;
                    }
                }
            }
        }
    }

    /// What was counted in a group; zeros when no row is in it.
    pub(super) fn counts(&self, group: usize) -> QuestionCounts {
        let mut counts = QuestionCounts { options: vec![0; self.options], ..QuestionCounts::default() };
        let from = group.checked_mul(self.width);
        let slots = from.and_then(|from| self.slots.get(from..)).and_then(|slots| slots.get(..self.width));
        let Some(slots) = slots else { return counts };
        let (empty, not_asked);
        if self.several {
            [counts.answered, empty, not_asked] = [ANSWERED, EMPTY, NOT_ASKED].map(|state| slots[usize::from(state)]);
            for (at, option) in counts.options.iter_mut().enumerate() {
                let piece = &slots[STATES + at / PIECE * SETS..][..SETS];
                *option =
                    piece.iter().enumerate().filter(|(set, _)| set >> (at % PIECE) & 1 == 1).map(|(_, n)| n).sum();
            }
        } else {
            counts.options.copy_from_slice(&slots[..self.options]);
            counts.answered = counts.mentions();
            [empty, not_asked] = [slots[self.options], slots[self.options + 1]];
        }
        counts.asked = counts.answered + empty;
        counts.respondents = counts.asked + not_asked;
        counts
    }
}
