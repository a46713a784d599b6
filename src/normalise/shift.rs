//! Rows whose cells stand beside their columns: a separator in a text that nobody quoted, and one too few elsewhere.
//!
//! Such a row has as many cells as the header. Only its cells tell: they do not fit their own columns, and fit the ones
//! beside them.

use super::decode::{ColumnDecoder, Status};
use super::row::{RawRow, Slot};

/// Fewest cells that must fit elsewhere: one may do so by chance.
const FEWEST: usize = 2;

/// Says that a row is shifted when each of its cells that do not fit (in the columns `unfit`) fits if all are read one
/// cell further on. The columns have `len` rows, that one included.
pub(super) fn told(columns: &mut [ColumnDecoder], unfit: &[usize], row: &RawRow<'_>, len: usize) -> Option<String> {
    if unfit.len() < FEWEST {
        return None;
    }
    let further = row.slots.get(1..).unwrap_or(&[]);
    let before = [&[Slot::Missing], row.slots].concat();
    for (slots, side) in [(further, "droite"), (before.as_slice(), "gauche")] {
        let moved = RawRow { slots, ..*row };
        let mut answered = 0;
        let fits = unfit.iter().all(|at| {
            let status = columns.get_mut(*at).map_or(Status::Unknown, |column| column.would_be(&moved, len));
            answered += usize::from(status == Status::Answered);
            matches!(status, Status::Answered | Status::Empty)
        });
        if fits && answered >= FEWEST {
            return Some(format!(
                "{} cellules ne conviennent pas à leur colonne et conviennent à une cellule plus à {side} : elles sont \
                 décalées.",
                unfit.len()
            ));
        }
    }
    None
}
