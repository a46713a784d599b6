//! The two CSV files of a table, and what a spreadsheet would make of their cells.

use std::io::{self, Write as _};
use std::path::Path;

use csv::{Terminator, Writer, WriterBuilder};

use super::cell::{Cells, Style};
use super::error::FormatError;
use super::sink::Sink;
use super::{Cell, MAX_FLAWS};
use crate::id::Digest;

/// A CSV file being written.
pub(super) struct CsvFile {
    writer: Writer<Sink>,
    style: Style,
    scratch: Vec<u8>,
    flaws: Flaws,
}

/// Cells of a CSV that mean something else to those who open it.
#[derive(Debug, Default)]
pub(super) struct Flaws {
    pub(super) formulas: Vec<Cell>,
    pub(super) lists: Vec<Cell>,
}

impl CsvFile {
    pub(super) fn create(path: &Path, style: Style, names: &[String]) -> Result<Self, FormatError> {
        let mut sink = Sink::create(path)?;
        if style == Style::French
            && let Err(source) = sink.write_all("\u{feff}".as_bytes())
        {
            return Err(sink.failed(source));
        }
        let delimiter = if style == Style::French { b';' } else { b',' };
        let mut builder = WriterBuilder::new();
        builder.delimiter(delimiter).terminator(Terminator::CRLF).buffer_capacity(1 << 16);
        let mut file = Self { writer: builder.from_writer(sink), style, scratch: Vec::new(), flaws: Flaws::default() };
        match file.writer.write_record(names) {
            Ok(()) => Ok(file),
            Err(error) => Err(file.failed(error)),
        }
    }

    fn failed(&self, error: csv::Error) -> FormatError {
        self.writer.get_ref().failed(io::Error::from(error))
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
            for (cells, name) in columns.iter().zip(names) {
                let text = cells.text(row, self.style, &mut self.scratch);
                if cells.is_text() && self.style == Style::Canonical {
                    let flawed = |flaws: &mut Vec<Cell>| {
                        if flaws.len() < MAX_FLAWS {
                            flaws.push(Cell { column: name.clone(), row: first_row + row as u64 });
                        }
                    };
                    if is_formula(text) {
                        flawed(&mut self.flaws.formulas);
                    }
                    if !cells.is_joinable(row) {
                        flawed(&mut self.flaws.lists);
                    }
                }
                if let Err(error) = self.writer.write_field(text) {
                    return Err(self.failed(error));
                }
            }
            if let Err(error) = self.writer.write_record(None::<&[u8]>) {
                return Err(self.failed(error));
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(u64, Digest, Flaws), FormatError> {
        if let Err(source) = self.writer.flush() {
            return Err(self.writer.get_ref().failed(source));
        }
        match self.writer.into_inner() {
            Ok(sink) => {
                let (bytes, digest) = sink.finish()?;
                Ok((bytes, digest, self.flaws))
            }
            Err(error) => {
                let source = io::Error::new(error.error().kind(), error.error().to_string());
                Err(error.into_inner().get_ref().failed(source))
            }
        }
    }
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
}
