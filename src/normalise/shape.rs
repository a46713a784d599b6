//! What the cells of a column are like: how many are filled, how many fit, which options they hold.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, AsArray as _};
use arrow::datatypes::{Int16Type, UInt64Type};

use super::chunk::UnfitCell;
use super::decode::notes::Notes;
use super::decode::{ColumnDecoder, Status};
use super::row::{Header, RawRow, Slot};
use crate::config::pipeline::{Mapping, Secret};
use crate::contract::{Column, Kind};

/// Most distinct texts of a column that are kept, and the longest of them in bytes.
const TEXTS: (usize, usize) = (200, 200);

/// What the cells of a column are like, over all rows that could be read as rows, also those that were rejected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnShape {
    /// Cells that are filled.
    pub filled: u64,
    /// Filled cells of which nothing fits.
    pub unfit: u64,
    /// Kept rows that have each code, in the order of the code list; empty for other columns.
    pub options: Vec<u64>,
    /// Some texts that do not fit, and how many cells hold each. May be personal: for this run only.
    pub texts: BTreeMap<String, u64>,
}

impl ColumnShape {
    /// Of a column without cells.
    pub(super) fn new(column: &Column) -> Self {
        let closed = column.codes.as_ref().filter(|_| matches!(column.kind, Kind::Code | Kind::Codes));
        let options = vec![0; closed.map_or(0, |list| list.codes.len())];
        Self { options, ..Self::default() }
    }

    /// Takes a cell in, with what of it does not fit.
    #[inline]
    pub(super) fn take(&mut self, status: Status, listed: &[UnfitCell]) {
        self.filled += u64::from(matches!(status, Status::Answered | Status::Unknown));
        self.unfit += u64::from(status == Status::Unknown);
        for cell in listed {
            let (most, longest) = TEXTS;
            if let Some(count) = self.texts.get_mut(&cell.value) {
                *count += 1;
            } else if self.texts.len() < most && cell.value.len() <= longest {
                self.texts.insert(cell.value.clone(), 1);
            }
        }
    }

    /// Counts the options in the coded cells of a batch.
    pub(super) fn count(&mut self, column: &ArrayRef) {
        if self.options.is_empty() {
            return;
        }
        if let Some(codes) = column.as_dictionary_opt::<Int16Type>() {
            for code in codes.keys().iter().flatten() {
                self.tick(usize::try_from(code).unwrap_or(usize::MAX));
            }
        } else if let Some(sets) = column.as_primitive_opt::<UInt64Type>() {
            for mut bits in sets.iter().flatten() {
                while bits != 0 {
                    self.tick(bits.trailing_zeros() as usize);
                    bits &= bits - 1;
                }
            }
        }
    }

    fn tick(&mut self, at: usize) {
        if let Some(count) = self.options.get_mut(at) {
            *count += 1;
        }
    }
}

/// How many of some texts a column reads wholly with a mapping.
pub fn fitting<'a>(
    column: &Column,
    mapping: &Mapping,
    missing: &[String],
    texts: impl IntoIterator<Item = &'a str>,
) -> usize {
    const NAME: &str = "texte";
    let mapping = Mapping { from: vec![NAME.to_owned()], constant: None, ticks: None, ..mapping.clone() };
    let key = Secret::new("");
    let mut decoder = ColumnDecoder::new(column, Some(&mapping), missing, false, (&key, ""));
    decoder.bind(&Header::new("", vec![NAME.to_owned()], false));
    let fits = |text: &&str| {
        let slots = [Slot::At(0, text.len())];
        let row = RawRow { number: 1, last_line: None, bytes: text.as_bytes(), slots: &slots };
        let mut notes = Notes::default();
        let status = decoder.push(&row, "", None, &mut notes);
        decoder.truncate(0);
        status == Status::Answered && notes.unfit.is_empty()
    };
    texts.into_iter().filter(fits).count()
}
