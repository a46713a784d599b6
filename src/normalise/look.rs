//! A look at a file that no table is declared for yet.

use super::chunk::Remark;
use super::error::NormaliseError;
use super::row::{Header, RawCell, RawRow, Rows};
use super::{Part, read};
use crate::config::pipeline::ReaderSpec;
use crate::id::TableName;

/// The columns of a source and its first rows, as texts. For the eyes of whoever has the file: nothing is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Cells of the first rows, in the order of the columns; empty where a row has none.
    pub rows: Vec<Vec<String>>,
    /// Whether a column held a value that has a type in the source.
    pub typed: Vec<bool>,
    /// What was found out about the file.
    pub remarks: Vec<String>,
}

struct Looker {
    look: Look,
    most: usize,
}

impl Rows for Looker {
    fn header(&mut self, header: Header) -> Result<(), NormaliseError> {
        self.look.columns = header.names;
        self.look.typed.resize(self.look.columns.len(), false);
        Ok(())
    }

    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        if self.look.rows.len() >= self.most {
            return Err(NormaliseError::Enough);
        }
        let cells = (0..self.look.columns.len()).map(|at| {
            let cell = row.cell(at);
            if let (RawCell::Typed(_), Some(typed)) = (cell, self.look.typed.get_mut(at)) {
                *typed = true;
            }
            String::from_utf8_lossy(cell.shown().unwrap_or(b"")).trim().to_owned()
        });
        let cells = cells.collect();
        self.look.rows.push(cells);
        Ok(())
    }

    fn refuse(&mut self, _row: &RawRow<'_>, _reason: &str, _detail: String) -> Result<(), NormaliseError> {
        Ok(())
    }

    fn remark(&mut self, remark: Remark) {
        self.look.remarks.push(remark.detail);
    }

    fn ignore(&mut self, _members: u64) {}
}

/// Reads the columns and the first `most` rows.
pub fn look(reader: &ReaderSpec, table: &TableName, parts: Vec<Part>, most: usize) -> Result<Look, NormaliseError> {
    let mut looker = Looker { look: Look::default(), most };
    match read(reader, None, table, parts, &mut looker) {
        Ok(()) | Err(NormaliseError::Enough) => {}
        Err(error) => return Err(error),
    }
    let Looker { mut look, .. } = looker;
    let width = look.columns.len();
    look.rows.iter_mut().for_each(|row| row.resize(width, String::new()));
    Ok(look)
}
