//! A look at a file that no table is declared for yet.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use rustc_hash::FxHashSet;

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
    /// EPSG code of the coordinate system that the file declares for its shapes.
    pub crs: Option<u16>,
    /// What was found out about the file.
    pub remarks: Vec<String>,
}

struct Looker {
    look: Look,
    most: usize,
}

impl Rows for Looker {
    fn header(&mut self, header: Header) -> Result<(), NormaliseError> {
        self.look.crs = self.look.crs.or(header.crs.as_deref().and_then(super::crs::epsg));
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

/// Reads the columns and the first `most` rows; `members` chooses among those of a ZIP.
pub fn look(
    reader: &ReaderSpec,
    members: Option<&str>,
    table: &TableName,
    parts: Vec<Part>,
    most: usize,
) -> Result<Look, NormaliseError> {
    let mut looker = Looker { look: Look::default(), most };
    match read(reader, members, table, parts, &mut looker) {
        Ok(()) | Err(NormaliseError::Enough) => {}
        Err(error) => return Err(error),
    }
    let Looker { mut look, .. } = looker;
    let width = look.columns.len();
    look.rows.iter_mut().for_each(|row| row.resize(width, String::new()));
    Ok(look)
}

/// Which of some columns tell the rows of a whole file apart, and how many rows there are. Streams; holds 8 bytes a row
/// and column, of the columns that still do.
pub fn tells_apart(
    reader: &ReaderSpec,
    members: Option<&str>,
    table: &TableName,
    parts: Vec<Part>,
    columns: &[usize],
) -> Result<(Vec<bool>, u64), NormaliseError> {
    let mut telling =
        Telling { columns: columns.to_vec(), seen: vec![Some(FxHashSet::default()); columns.len()], rows: 0 };
    read(reader, members, table, parts, &mut telling)?;
    Ok((telling.seen.iter().map(Option::is_some).collect(), telling.rows))
}

struct Telling {
    columns: Vec<usize>,
    /// Digests of the values of each column; none once a value came twice, or none at all.
    seen: Vec<Option<FxHashSet<u64>>>,
    rows: u64,
}

impl Rows for Telling {
    fn header(&mut self, _header: Header) -> Result<(), NormaliseError> {
        Ok(())
    }

    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        self.rows += 1;
        for (at, seen) in self.columns.iter().zip(&mut self.seen) {
            let cell = row.cell(*at);
            let new = cell.is_filled(&[])
                && seen.as_mut().is_some_and(|seen| {
                    let mut hasher = DefaultHasher::new();
                    super::scalar::text::trim(cell.bytes().unwrap_or(b"")).hash(&mut hasher);
                    seen.insert(hasher.finish())
                });
            if !new {
                *seen = None;
            }
        }
        Ok(())
    }

    fn refuse(&mut self, _row: &RawRow<'_>, _reason: &str, _detail: String) -> Result<(), NormaliseError> {
        Ok(())
    }

    fn remark(&mut self, _remark: Remark) {}

    fn ignore(&mut self, _members: u64) {}
}
