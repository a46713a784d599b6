//! The two CSV files of a table, and what a spreadsheet would make of their cells.

use std::io::Write as _;
use std::path::Path;

use super::cell::{Cells, Style};
use super::error::FormatError;
use super::sink::{Sink, Sums};
use super::{Cell, MAX_FLAWS};

/// Bytes that are gathered before they are handed on.
const GATHERED: usize = 1 << 16;

/// A CSV file being written.
///
/// # Why not the writer of the `csv` crate
///
/// It takes each cell through a state machine. Here a cell of a type that never needs quotes is copied, a text is looked
/// through once, and one of a dictionary not even that.
pub(super) struct CsvFile {
    sink: Sink,
    style: Style,
    delimiter: u8,
    gathered: Vec<u8>,
    scratch: Vec<u8>,
    flaws: Flaws,
}

/// Cells of a CSV that mean something else to those who open it.
#[derive(Debug, Default)]
pub(super) struct Flaws {
    pub(super) formulas: Vec<Cell>,
    pub(super) lists: Vec<Cell>,
}

impl Flaws {
    fn take(&mut self, cells: &Cells<'_>, row: usize, text: &[u8], name: &str, number: u64) {
        let flawed = |flaws: &mut Vec<Cell>| {
            if flaws.len() < MAX_FLAWS {
                flaws.push(Cell { column: name.to_owned(), row: number });
            }
        };
        if is_formula(text) {
            flawed(&mut self.formulas);
        }
        if !cells.is_joinable(row) {
            flawed(&mut self.lists);
        }
    }
}

impl CsvFile {
    pub(super) fn create(path: &Path, style: Style, names: &[String]) -> Result<Self, FormatError> {
        let delimiter = if style == Style::French { b';' } else { b',' };
        let mut gathered = Vec::with_capacity(GATHERED + (GATHERED >> 3));
        if style == Style::French {
            gathered.extend_from_slice("\u{feff}".as_bytes());
        }
        for (nth, name) in names.iter().enumerate() {
            if nth > 0 {
                gathered.push(delimiter);
            }
            push_text(name.as_bytes(), delimiter, &mut gathered);
        }
        end_row(names.len(), names.first().is_none_or(String::is_empty), &mut gathered);
        let sink = Sink::create(path)?;
        Ok(Self { sink, style, delimiter, gathered, scratch: Vec::new(), flaws: Flaws::default() })
    }

    /// Writes the next rows; `first_row` is the number of the first, from 1.
    pub(super) fn write(
        &mut self,
        names: &[String],
        columns: &[Cells<'_>],
        rows: usize,
        first_row: u64,
    ) -> Result<(), FormatError> {
        for row in 0..rows {
            let from = self.gathered.len();
            for (nth, (cells, name)) in columns.iter().zip(names).enumerate() {
                if nth > 0 {
                    self.gathered.push(self.delimiter);
                }
                let text = cells.text(row, self.style, &mut self.scratch);
                if !cells.is_special(row) {
                    self.gathered.extend_from_slice(text);
                    continue;
                }
                if cells.is_text() && self.style == Style::Canonical {
                    self.flaws.take(cells, row, text, name, first_row + row as u64);
                }
                push_text(text, self.delimiter, &mut self.gathered);
            }
            end_row(columns.len(), self.gathered.len() == from, &mut self.gathered);
            if self.gathered.len() >= GATHERED {
                self.hand_on()?;
            }
        }
        Ok(())
    }

    fn hand_on(&mut self) -> Result<(), FormatError> {
        if let Err(source) = self.sink.write_all(&self.gathered) {
            return Err(self.sink.failed(source));
        }
        self.gathered.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(Sums, Flaws), FormatError> {
        self.hand_on()?;
        Ok((self.sink.finish()?, self.flaws))
    }
}

/// Ends a row. One of a single empty cell would be an empty line, which readers skip.
fn end_row(cells: usize, empty: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if cells == 1 && empty { b"\"\"\r\n" } else { b"\r\n" });
}

/// Writes a text, in quotes when it holds what ends a cell (RFC 4180).
fn push_text(text: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let special = |byte: &u8| *byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n');
    if !text.iter().any(special) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'"', rest) {
        let (before, after) = rest.split_at(at + 1);
        out.extend_from_slice(before);
        out.push(b'"');
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Whether a spreadsheet would run the text of a cell.
pub(super) fn is_formula(text: &[u8]) -> bool {
    match text.split_first() {
        Some((b'=' | b'@' | b'\t' | b'\r', _)) => true,
        Some((b'+' | b'-', rest)) => rest.iter().any(|byte| matches!(byte, b'(' | b'!' | b'|')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::formula("=A1", true)]
    #[case::lotus("@SUM(A1)", true)]
    #[case::tab("\tx", true)]
    #[case::carriage_return("\rx", true)]
    #[case::call("-cmd(1)", true)]
    #[case::sheet("+Feuille!A1", true)]
    #[case::exchange("+cmd|' /C calc'", true)]
    #[case::negative_number("-12", false)]
    #[case::telephone("+33 1 02 03 04 05", false)]
    #[case::dash("- oui", false)]
    #[case::sign_within("1=1", false)]
    #[case::line_feed("\n=", false)]
    #[case::empty("", false)]
    fn formulas_are_told_from_texts(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_formula(text.as_bytes()), expected);
    }

    #[rstest]
    #[case::plain("Rennes", "Rennes")]
    #[case::empty("", "")]
    #[case::delimiter("a,b", "\"a,b\"")]
    #[case::other_delimiter("a;b", "a;b")]
    #[case::quotes("\"a\" et \"b\"", "\"\"\"a\"\" et \"\"b\"\"\"")]
    #[case::line_feed("a\nb", "\"a\nb\"")]
    #[case::carriage_return("a\rb", "\"a\rb\"")]
    fn texts_are_quoted_where_they_must_be(#[case] text: &str, #[case] expected: &str) {
        let mut out = Vec::new();
        push_text(text.as_bytes(), b',', &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
