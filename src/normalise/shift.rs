//! Rows whose cells stand beside their columns: a separator in a text that nobody quoted, and one too few elsewhere.
//!
//! Such a row has as many cells as the header. Only its cells tell: they do not fit their own columns, and fit all of
//! them one, two or three cells further. Two cells that fit one cell further are proof enough. One alone, or some that
//! fit two or three cells further, may do so by chance, or because somebody wrote something else into a cell of a row
//! that stands right: then what follows must fit better when it is moved than where it stands, and the cell that would
//! take the place of the unfit one must be none that would do so in other rows too.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::decode::{ColumnDecoder, PlaceText, Status};
use super::first::Held;
use super::row::{RawCell, RawRow, Slot};

/// Cells that fit one cell further and need no other proof.
const FEWEST: usize = 2;
/// Cells by which a row may be shifted.
const FARTHEST: usize = 3;
/// Rows that must fit where they stand before a number, which may be anything, proves something one cell further.
const ENOUGH: usize = 4;
/// One row in so many may have a cell that would fit elsewhere by chance.
const CHANCE: usize = 5;

/// Something that is read from a row and may not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Checked {
    /// A column of the table.
    Column(usize),
    /// A text that says where the row is.
    Place(usize),
}

/// All that is read from a row.
pub(super) struct Reading<'a> {
    pub(super) columns: &'a mut [ColumnDecoder],
    pub(super) places: &'a [PlaceText],
    /// Rows in the columns, the one at hand included.
    pub(super) len: usize,
    /// Cells that the source has; derived ones stand behind them.
    pub(super) width: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Right,
    Left,
}

/// How far the cells of a row stand from their columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Move {
    cells: usize,
    side: Side,
}

/// What is usual for a column.
#[derive(Debug, Clone, Copy, Default)]
struct Usual {
    /// Rows in which it fits.
    fits: usize,
    /// Of these, rows in which the cell further on would fit too.
    chance: usize,
    /// Rows in which it does not fit.
    unfit: usize,
}

impl Reading<'_> {
    fn status(&mut self, what: Checked, row: &RawRow<'_>) -> Status {
        match what {
            Checked::Column(at) => {
                let len = self.len;
                self.columns.get_mut(at).map_or(Status::NotShown, |column| column.would_be(row, len))
            }
            Checked::Place(at) => self.places.get(at).map_or(Status::NotShown, |place| place.would_be(row)),
        }
    }

    /// The cell that is read, where it is one of the source.
    fn position(&self, what: Checked) -> Option<usize> {
        let position = match what {
            Checked::Column(at) => self.columns.get(at)?.position(),
            Checked::Place(at) => self.places.get(at)?.position(),
        };
        position.filter(|position| *position < self.width)
    }

    /// Whether few texts fit: a date, a code, an address, and no number.
    fn is_strict(&self, what: Checked) -> bool {
        match what {
            Checked::Column(at) => self.columns.get(at).is_some_and(ColumnDecoder::is_strict),
            Checked::Place(at) => self.places.get(at).is_some_and(PlaceText::is_strict),
        }
    }

    /// All that is checked from a cell on.
    fn since(&self, first: usize) -> Vec<Checked> {
        let columns = self.columns.iter().enumerate().filter(|(_, column)| column.is_checked());
        let places = self.places.iter().enumerate().filter(|(_, place)| place.is_checked());
        let all = columns.map(|(at, _)| Checked::Column(at)).chain(places.map(|(at, _)| Checked::Place(at)));
        all.filter(|what| self.position(*what).is_some_and(|position| position >= first)).collect()
    }
}

/// What the cells of a row say of where they stand.
#[derive(Debug, Default)]
pub(super) struct Shifts {
    /// The first rows of the part.
    pub(super) first: Arc<[Held]>,
    usual: FxHashMap<(Checked, Move), Usual>,
}

impl Shifts {
    /// Those of another part.
    pub(super) fn begin(&mut self, first: Arc<[Held]>) {
        *self = Self { first, usual: FxHashMap::default() };
    }

    /// Says why a row is shifted, when it is. What does not fit in it is `unfit`.
    pub(super) fn told(&mut self, reading: &mut Reading<'_>, unfit: &[Checked], row: &RawRow<'_>) -> Option<String> {
        let first = unfit.iter().filter_map(|what| reading.position(*what)).min()?;
        for cells in 1..=FARTHEST {
            for side in [Side::Right, Side::Left] {
                let step = Move { cells, side };
                let slots = step.slots(row.slots, reading.width);
                let moved = RawRow { slots: &slots, ..*row };
                let Some(fitting) = fitting(reading, unfit, &moved, step) else { continue };
                let several = distinct(reading, &fitting) >= FEWEST;
                let sure = several && cells == 1;
                if sure || (self.is_proof(reading, &fitting, step, row) && is_better(reading, first, row, &moved)) {
                    return Some(words(distinct(reading, unfit), step));
                }
            }
        }
        None
    }

    /// Whether one of the cells that fit further on would do so in hardly any other row.
    fn is_proof(&mut self, reading: &mut Reading<'_>, fitting: &[Checked], step: Move, row: &RawRow<'_>) -> bool {
        fitting.iter().any(|what| {
            let mut usual = match self.usual.get(&(*what, step)) {
                Some(known) => *known,
                None => self.look(reading, *what, step),
            };
            self.usual.insert((*what, step), usual);
            // The row at hand is one of those in which it does not fit.
            let among = self.rows().any(|held| held.number == row.number);
            usual.unfit = usual.unfit.saturating_sub(usize::from(among));
            if usual.chance * CHANCE > usual.fits || usual.unfit > usual.fits {
                return false;
            }
            let piece = || step.side == Side::Right && is_piece(reading, *what, row);
            reading.is_strict(*what) || (usual.fits >= ENOUGH && step.cells == 1) || piece()
        })
    }

    /// The first rows, those left out that their reader refused.
    fn rows(&self) -> impl Iterator<Item = RawRow<'_>> {
        self.first.iter().filter_map(|held| match held {
            Held::Row(row) => Some(row.borrow()),
            Held::Refused(..) => None,
        })
    }

    fn look(&self, reading: &mut Reading<'_>, what: Checked, step: Move) -> Usual {
        let mut usual = Usual::default();
        for row in self.rows() {
            let slots = step.slots(row.slots, reading.width);
            match reading.status(what, &row) {
                Status::Answered => {
                    usual.fits += 1;
                    let further = reading.status(what, &RawRow { slots: &slots, ..row });
                    usual.chance += usize::from(further == Status::Answered);
                }
                Status::Unknown => usual.unfit += 1,
                Status::Empty | Status::NotShown | Status::Masked => {}
            }
        }
        usual
    }
}

impl Move {
    /// The cells of a row, each in the place of the one that stands so much before it or behind it.
    fn slots(self, slots: &[Slot], width: usize) -> Vec<Slot> {
        let own = slots.get(..width).unwrap_or(slots);
        match self.side {
            // Empty cells at the end of a line are often left out.
            Side::Right => [own.get(self.cells..).unwrap_or(&[]), &[Slot::Empty; FARTHEST][..self.cells]].concat(),
            Side::Left => [&[Slot::Missing; FARTHEST][..self.cells], own].concat(),
        }
    }
}

/// Those of the unfit cells that have a value when they are read further on; none when one of them still does not fit.
fn fitting(reading: &mut Reading<'_>, unfit: &[Checked], moved: &RawRow<'_>, step: Move) -> Option<Vec<Checked>> {
    let mut fitting = Vec::new();
    for what in unfit {
        // What is derived follows from what it is made of.
        let Some(position) = reading.position(*what) else { continue };
        match reading.status(*what, moved) {
            Status::Answered => fitting.push(*what),
            Status::Empty => {}
            Status::NotShown | Status::Masked if step.side == Side::Right || position >= step.cells => {}
            _ => return None,
        }
    }
    (!fitting.is_empty()).then_some(fitting)
}

/// How many cells are read.
fn distinct(reading: &Reading<'_>, all: &[Checked]) -> usize {
    let mut positions: Vec<usize> = all.iter().filter_map(|what| reading.position(*what)).collect();
    positions.sort_unstable();
    positions.dedup();
    positions.len()
}

/// Whether more cells have a value when they are read further on, and all of them fit.
fn is_better(reading: &mut Reading<'_>, first: usize, row: &RawRow<'_>, moved: &RawRow<'_>) -> bool {
    let (mut here, mut there) = (0, 0);
    for what in reading.since(first) {
        here += usize::from(reading.status(what, row) == Status::Answered);
        match reading.status(what, moved) {
            Status::Unknown => return false,
            Status::Answered => there += 1,
            Status::Empty | Status::NotShown | Status::Masked => {}
        }
    }
    there > here
}

/// Whether an unfit cell looks like what stands behind a separator in a text.
fn is_piece(reading: &Reading<'_>, what: Checked, row: &RawRow<'_>) -> bool {
    let cell = reading.position(what).map(|position| row.cell(position));
    matches!(cell, Some(RawCell::Bytes([b' ', ..])))
}

fn words(unfit: usize, step: Move) -> String {
    let side = if step.side == Side::Right { "droite" } else { "gauche" };
    let cells = match step.cells {
        1 => "une cellule",
        2 => "deux cellules",
        _ => "trois cellules",
    };
    if unfit == 1 {
        format!(
            "1 cellule ne convient pas à sa colonne et convient à {cells} plus à {side}, comme les suivantes : elles sont \
             décalées."
        )
    } else {
        format!(
            "{unfit} cellules ne conviennent pas à leur colonne et conviennent à {cells} plus à {side} : elles sont \
             décalées."
        )
    }
}
