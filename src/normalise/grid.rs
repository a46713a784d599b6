//! What CSV files and spreadsheets have in common: header lines, blank records, a footer.

use super::error::NormaliseError;
use super::reject;
use super::row::{GROUP, Header, RawRow, Rows, Slot, tidy};
use super::scalar::text;
use crate::config::pipeline::Layout;

/// Makes the header of a part from its lines, outermost first. Blank cells of the upper lines belong to the group on
/// their left, except in a column that has no name in the last line, and in a line of which `whole` says that each group
/// is written into all of its columns already.
pub(super) fn header(part: &str, lines: &[Vec<String>], whole: &[bool]) -> Header {
    let Some((last, upper)) = lines.split_last() else { return Header::new(part, Vec::new(), true) };
    let width = lines.iter().map(Vec::len).max().unwrap_or(0);
    let mut names = vec![String::new(); width];
    for (nth, line) in upper.iter().enumerate() {
        let whole = whole.get(nth).copied().unwrap_or(false);
        let mut group = String::new();
        for (at, name) in names.iter_mut().enumerate() {
            let cell = line.get(at).map_or("", String::as_str);
            if whole || !tidy(cell).is_empty() {
                group = tidy(cell);
            }
            if !group.is_empty() {
                *name = if name.is_empty() { group.clone() } else { format!("{name}{GROUP}{group}") };
            }
        }
    }
    for (at, name) in names.iter_mut().enumerate() {
        let own = last.get(at).map(|cell| tidy(cell)).unwrap_or_default();
        if name.is_empty() {
            *name = own;
        } else if !own.is_empty() {
            *name = format!("{name}{GROUP}{own}");
        } else if upper.iter().all(|line| line.get(at).is_none_or(|cell| tidy(cell).is_empty())) {
            name.clear();
        }
    }
    Header::numbered(part, names, true)
}

/// Hands records on as rows: blank ones are rejected, unless nothing but blank ones follows; the footer ends the rows.
pub(super) struct Body<'a> {
    layout: &'a Layout,
    /// Number of the last row.
    number: u64,
    /// Lines of blank records that wait for a row after them.
    blank: Vec<Option<u64>>,
    over: bool,
}

impl<'a> Body<'a> {
    /// The rows of a part; `number` is that of the last row of the part before.
    pub(super) fn new(layout: &'a Layout, number: u64) -> Self {
        Self { layout, number, blank: Vec::new(), over: false }
    }

    /// Takes a record in. `row.number` is set here.
    pub(super) fn take(
        &mut self,
        row: &RawRow<'_>,
        rows: &mut dyn Rows,
        hand_on: impl FnOnce(&RawRow<'_>, &mut dyn Rows) -> Result<(), NormaliseError>,
    ) -> Result<(), NormaliseError> {
        let first = first_filled(row);
        if self.over || self.is_footer(first) {
            self.over = true;
            rows.ignore(1);
            return Ok(());
        }
        if first.is_none() {
            self.blank.push(row.last_line);
            return Ok(());
        }
        for last_line in std::mem::take(&mut self.blank) {
            self.number += 1;
            let blank = RawRow { number: self.number, last_line, bytes: b"", slots: &[] };
            rows.refuse(&blank, reject::BLANK, "Toutes les cellules sont vides.".to_owned())?;
        }
        self.number += 1;
        hand_on(&RawRow { number: self.number, ..*row }, rows)
    }

    /// Ends the part; gives the number of its last row.
    pub(super) fn finish(self, rows: &mut dyn Rows) -> u64 {
        rows.ignore(self.blank.len() as u64);
        self.number
    }

    fn is_footer(&self, first: Option<&[u8]>) -> bool {
        let Some(footer) = &self.layout.footer else { return false };
        first.is_some_and(|cell| text::trim(cell).starts_with(footer.as_bytes()))
    }
}

/// The first cell with something in it.
fn first_filled<'a>(row: &RawRow<'a>) -> Option<&'a [u8]> {
    row.slots.iter().find_map(|slot| match slot {
        Slot::At(from, to) | Slot::Typed(from, to) | Slot::Faulty(from, to, _) => {
            row.bytes.get(*from..*to).filter(|cell| !text::trim(cell).is_empty())
        }
        Slot::Empty | Slot::Missing | Slot::Masked => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::row::Repeated;

    fn names(lines: &[&[&str]]) -> Vec<String> {
        let lines: Vec<Vec<String>> =
            lines.iter().map(|line| line.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        header("p", &lines, &[]).names
    }

    #[test]
    fn groups_spread_over_blank_cells_to_their_right() {
        let found = names(&[&["", "Publics", "", "Lieu"], &["Nom", "Jeunes", "Aînés", "Commune"]]);
        assert_eq!(found, ["Nom", "Publics > Jeunes", "Publics > Aînés", "Lieu > Commune"]);
    }

    #[test]
    fn blanks_and_line_feeds_in_names_are_one_space() {
        assert_eq!(names(&[&[" Nom\u{a0}du\n lieu ", ""]]), ["Nom du lieu", ""]);
    }

    #[test]
    fn repeated_names_are_numbered() {
        let header = header("p", &[["a", "b", "a"].map(str::to_owned).to_vec()], &[]);
        assert_eq!(header.names, ["a#1", "b", "a#2"]);
        assert_eq!(header.repeated, [Repeated { name: "a".into(), at: vec![0, 2] }]);
        assert_eq!(header.position("a"), None);
        assert_eq!((header.position("a#2"), header.position("#2"), header.position("#4")), (Some(2), Some(1), None));
    }

    #[test]
    fn a_number_that_a_name_has_already_is_not_given_twice() {
        let header = header("p", &[["Nom", "Nom", "Nom#1"].map(str::to_owned).to_vec()], &[]);
        assert_eq!(header.names, ["Nom#1#1", "Nom#2", "Nom#1#2"]);
        let table = "t".parse().unwrap();
        let refused =
            |name: &str| header.refuse_ambiguous(&table, &[name.to_owned()]).map_err(|error| error.to_string());
        let error = refused("Nom").unwrap_err();
        assert!(
            error.ends_with("2 columns `Nom`: say which one is meant, `Nom#1#1` for the first, `Nom#2` for the second")
        );
        let error = refused("Nom#1").unwrap_err();
        assert!(error.ends_with("`Nom#1#1` for the first, `Nom#1#2` for the second"), "{error}");
        assert_eq!(refused("Nom#2"), Ok(()));
    }

    #[test]
    fn groups_that_are_written_into_all_their_columns_do_not_spread() {
        let lines = [["Publics", "Publics", "", "Lieu"], ["Jeunes", "Aînés", "Nom", "Commune"]];
        let lines = lines.map(|line| line.map(str::to_owned).to_vec());
        let found = header("p", &lines, &[true]).names;
        assert_eq!(found, ["Publics > Jeunes", "Publics > Aînés", "Nom", "Lieu > Commune"]);
    }

    #[test]
    fn the_last_part_of_a_name_is_enough_when_one_column_has_it() {
        let lines = [["G", "", "H"], ["a", "b", "b"]].map(|line| line.map(str::to_owned).to_vec());
        let header = header("p", &lines, &[]);
        assert_eq!(header.position("a"), Some(0));
        assert_eq!(header.position("b"), None);
        assert_eq!(header.position("H > b"), Some(2));
    }
}
