//! Source columns that are made from others, before mappings are read.

use regex::Regex;

use super::chunk::Remark;
use super::error::NormaliseError;
use super::row::{Header, RawRow, Rows, Slot};
use super::scalar::text;
use crate::config::pipeline::{Derivation, Derived, TableSpec};
use crate::id::TableName;

/// One derivation, ready to be made.
struct Maker {
    /// Names of the columns that it makes.
    names: Vec<String>,
    from: Vec<String>,
    at: Vec<usize>,
    how: How,
}

enum How {
    Take { separator: String, nth: i32 },
    Pattern { regex: Regex, groups: Vec<String> },
    Join { separator: String },
    Point,
}

impl Maker {
    fn new(derived: &Derived) -> Option<Self> {
        let how = match &derived.how {
            Derivation::Take { separator, nth } => How::Take { separator: separator.clone(), nth: *nth },
            Derivation::Join { separator } => How::Join { separator: separator.clone() },
            Derivation::Point => How::Point,
            Derivation::Pattern(pattern) => {
                // It was found sound when the project was compiled.
                let regex = Regex::new(pattern).ok()?;
                let groups = regex.capture_names().flatten().map(str::to_owned).collect();
                How::Pattern { regex, groups }
            }
        };
        Some(Self { names: derived.names(), from: derived.from.clone(), at: Vec::new(), how })
    }

    fn make(&self, bytes: &mut Vec<u8>, slots: &mut Vec<Slot>) {
        let row = RawRow { number: 0, last_line: None, bytes, slots };
        let filled = |at: &usize| Some(row.cell(*at)).filter(|cell| cell.is_filled(&[]));
        let text_of = |at: &usize| filled(at)?.bytes().and_then(|bytes| std::str::from_utf8(text::trim(bytes)).ok());
        let empty = if self.at.iter().all(|at| row.cell(*at) == super::row::RawCell::Missing) {
            Slot::Missing
        } else {
            Slot::Empty
        };
        let first = self.at.iter().find_map(text_of);
        // What is made of nothing but a cell that cannot be read cannot be read either.
        let faulty = self.at.iter().filter_map(|at| slots.get(*at)).find(|slot| matches!(slot, Slot::Faulty(..)));
        let empty = faulty.copied().filter(|_| first.is_none()).unwrap_or(empty);
        let mut made: Vec<Option<String>> = Vec::new();
        match &self.how {
            How::Take { separator, nth } => made.push(first.and_then(|text| piece(text, separator, *nth))),
            How::Join { separator } => {
                let texts: Vec<&str> = self.at.iter().filter_map(text_of).collect();
                made.push((!texts.is_empty()).then(|| texts.join(separator)));
            }
            How::Point => made.extend(first.map_or([const { None }; 4], point)),
            How::Pattern { regex, groups } => {
                let captures = first.and_then(|text| regex.captures(text));
                for group in groups {
                    let found = captures.as_ref().and_then(|captures| captures.name(group));
                    made.push(found.map(|found| found.as_str().trim().to_owned()));
                }
            }
        }
        for text in made {
            slots.push(match text.filter(|text| !text.is_empty()) {
                Some(text) => {
                    let from = bytes.len();
                    bytes.extend_from_slice(text.as_bytes());
                    Slot::At(from, bytes.len())
                }
                None => empty,
            });
        }
    }
}

/// The `nth` piece of a text, from 1; from the end when negative.
fn piece(text: &str, separator: &str, nth: i32) -> Option<String> {
    let before = usize::try_from(nth.unsigned_abs()).ok()?.checked_sub(1)?;
    let found = if nth > 0 { text.split(separator).nth(before) } else { text.rsplit(separator).nth(before) }?;
    Some(found.trim().to_owned())
}

/// Latitude, longitude, altitude and accuracy of a position as survey tools write it.
fn point(text: &str) -> [Option<String>; 4] {
    let (inside, longitude_first) = match text.split_once(['[', '(']) {
        Some((_, inside)) => (inside.trim_end_matches([']', ')']), true),
        None => (text, false),
    };
    let numbers = inside.split(|letter: char| letter.is_whitespace() || matches!(letter, ';' | '|' | '[' | '('));
    // In a list the comma parts numbers; elsewhere it may be the decimal one, which the columns' readers know.
    let numbers = numbers.flat_map(|piece| piece.split(if longitude_first { &[','][..] } else { &[][..] }));
    let numbers: Vec<String> = numbers.filter(|piece| !piece.is_empty()).map(str::to_owned).collect();
    let at = |nth: usize| numbers.get(nth).cloned().filter(|number| number != "null");
    let (latitude, longitude) = if longitude_first { (at(1), at(0)) } else { (at(0), at(1)) };
    if latitude.is_none() || longitude.is_none() {
        return [const { None }; 4];
    }
    // LimeSurvey goes on with the names of the place.
    let number = |nth| at(nth).filter(|number| number.parse::<f64>().is_ok());
    [latitude, longitude, number(2), if longitude_first { None } else { number(3) }]
}

/// Adds derived columns to the rows that go through.
pub(super) struct Derive<'a> {
    table: &'a TableName,
    makers: Vec<Maker>,
    /// Columns of the source.
    width: usize,
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    rows: &'a mut dyn Rows,
}

impl<'a> Derive<'a> {
    pub(super) fn new(table: &'a TableSpec, rows: &'a mut dyn Rows) -> Self {
        let makers = table.derived.iter().filter_map(Maker::new).collect();
        Self { table: &table.name, makers, width: 0, bytes: Vec::new(), slots: Vec::new(), rows }
    }
}

impl Rows for Derive<'_> {
    fn header(&mut self, mut header: Header) -> Result<(), NormaliseError> {
        self.width = header.names.len();
        for maker in &mut self.makers {
            header.refuse_ambiguous(self.table, &maker.from)?;
            maker.at = header.positions(&maker.from);
            for name in maker.names.clone() {
                if let Some(known) = header.names.iter_mut().find(|known| **known == name) {
                    let detail =
                        format!("La colonne `{name}` de la source cède la place à celle que le projet déduit.");
                    let code = "colonne_remplacee".to_owned();
                    self.rows.remark(Remark { part: header.part.clone(), code, detail });
                    known.clear();
                }
                header.names.push(name);
                if !header.options.is_empty() {
                    header.options.push(None);
                }
            }
        }
        self.rows.header(header)
    }

    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        if self.makers.is_empty() || row.slots.len() != self.width {
            return self.rows.row(row);
        }
        self.bytes.clear();
        self.bytes.extend_from_slice(row.bytes);
        self.slots.clear();
        self.slots.extend_from_slice(row.slots);
        for maker in &self.makers {
            maker.make(&mut self.bytes, &mut self.slots);
        }
        self.rows.row(&RawRow { bytes: &self.bytes, slots: &self.slots, ..*row })
    }

    fn refuse(&mut self, row: &RawRow<'_>, reason: &str, detail: String) -> Result<(), NormaliseError> {
        self.rows.refuse(row, reason, detail)
    }

    fn remark(&mut self, remark: Remark) {
        self.rows.remark(remark);
    }

    fn ignore(&mut self, members: u64) {
        self.rows.ignore(members);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::kobo("47.99 -4.10 12.5 4.8", [Some("47.99"), Some("-4.10"), Some("12.5"), Some("4.8")])]
    #[case::geojson("[-4.1,47.99,12.5]", [Some("47.99"), Some("-4.1"), Some("12.5"), None])]
    #[case::geojson_without_height("[-4.1, 47.99, null]", [Some("47.99"), Some("-4.1"), None, None])]
    #[case::wkt("POINT (-4.1 47.99 12.5)", [Some("47.99"), Some("-4.1"), Some("12.5"), None])]
    #[case::limesurvey("47.99;-4.1;Quimper;Bretagne", [Some("47.99"), Some("-4.1"), None, None])]
    #[case::old_map("48,8566|2,35", [Some("48,8566"), Some("2,35"), None, None])]
    #[case::one_number("47.99", [None, None, None, None])]
    #[case::no_point("[null,null]", [None, None, None, None])]
    fn positions_are_read_as_survey_tools_write_them(#[case] text: &str, #[case] expected: [Option<&str>; 4]) {
        assert_eq!(point(text).each_ref().map(Option::as_deref), expected);
    }

    #[rstest]
    #[case::the_first("26 – Drôme", "–", 1, Some("26"))]
    #[case::the_last("a, b, c", ",", -1, Some("c"))]
    #[case::beyond("a, b", ",", 3, None)]
    #[case::none_at_all("a", ",", 0, None)]
    fn pieces_are_counted_from_both_ends(
        #[case] text: &str,
        #[case] separator: &str,
        #[case] nth: i32,
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(piece(text, separator, nth).as_deref(), expected);
    }
}
