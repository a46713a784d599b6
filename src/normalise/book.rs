//! The sheets of a spreadsheet that no table is declared for yet.

use std::fs::File;
use std::io::{self, BufReader};

use calamine::{DataRef, Ods, SheetVisible, Xls, Xlsx};

use super::Part;
use super::charset::peek;
use super::error::NormaliseError;
use super::sheet::{Kind, as_ref, strange_text, write};
use super::unpack::{self, Zips, spool};
use crate::id::TableName;

/// How a sheet begins, and how much is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetHead {
    /// Its name.
    pub name: String,
    /// Whether it is shown.
    pub shown: bool,
    /// How many of its cells hold something.
    pub filled: u64,
    /// Cells of its first rows; blank rows are there, blank cells at their ends are not.
    pub first: Vec<Vec<String>>,
}

impl SheetHead {
    fn new(sheet: &calamine::Sheet) -> Self {
        let shown = sheet.visible == SheetVisible::Visible;
        Self { name: sheet.name.clone(), shown, ..Self::default() }
    }

    /// Takes a cell in; its text is kept in the first `most` rows.
    fn take(&mut self, (row, column): (usize, usize), value: &DataRef<'_>, most: usize) {
        let mut bytes = Vec::new();
        if !matches!(value, DataRef::Error(_)) && write(value, &mut bytes).is_none() {
            return;
        }
        self.filled += 1;
        if row >= most {
            return;
        }
        if self.first.len() <= row {
            self.first.resize(row + 1, Vec::new());
        }
        let Some(cells) = self.first.get_mut(row) else { return };
        if cells.len() <= column {
            cells.resize(column + 1, String::new());
        }
        if let Some(cell) = cells.get_mut(column) {
            *cell = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}

/// Looks at all sheets: their first `most` rows, and how many of their cells are filled. A spreadsheet that cannot be
/// opened has none: reading it tells why.
pub fn sheets(table: &TableName, parts: Vec<Part>, most: usize) -> Result<Vec<SheetHead>, NormaliseError> {
    let mut found = Vec::new();
    for (part, input) in unpack::unpack(parts, Zips::Documents, table)? {
        let (head, input) = peek(input, 512);
        let unreadable =
            |source: io::Error| NormaliseError::Read { table: table.clone(), part: part.clone(), offset: 0, source };
        let file = BufReader::new(spool(input).map_err(unreadable)?);
        found.extend(match Kind::of(&head) {
            Some(Kind::Xlsx) => calamine::Reader::new(file).map_or_else(|_| Vec::new(), |book| by_cells(book, most)),
            Some(Kind::Ods) => {
                calamine::Reader::new(file).map_or_else(|_| Vec::new(), |book: Ods<_>| as_wholes(book, most))
            }
            Some(Kind::Xls) => {
                calamine::Reader::new(file).map_or_else(|_| Vec::new(), |book: Xls<_>| as_wholes(book, most))
            }
            None => Vec::new(),
        });
    }
    Ok(found)
}

fn by_cells(mut book: Xlsx<BufReader<File>>, most: usize) -> Vec<SheetHead> {
    let mut heads: Vec<SheetHead> = calamine::Reader::sheets_metadata(&book).iter().map(SheetHead::new).collect();
    for head in &mut heads {
        // A sheet of charts has no cells.
        let Ok(mut cells) = book.worksheet_cells_reader(&head.name) else { continue };
        loop {
            match cells.next_cell() {
                Ok(Some(cell)) => {
                    let (row, column) = cell.get_position();
                    head.take((row as usize, column as usize), cell.get_value(), most);
                }
                Err(error) if strange_text(&error).is_some() => {}
                Ok(None) | Err(_) => break,
            }
        }
    }
    heads
}

fn as_wholes<R: calamine::Reader<BufReader<File>>>(mut book: R, most: usize) -> Vec<SheetHead> {
    let mut heads: Vec<SheetHead> = book.sheets_metadata().iter().map(SheetHead::new).collect();
    for head in &mut heads {
        let Ok(range) = book.worksheet_range(&head.name) else { continue };
        let (top, left) = range.start().unwrap_or((0, 0));
        for (row, column, value) in range.used_cells() {
            head.take((top as usize + row, left as usize + column), &as_ref(value), most);
        }
    }
    heads
}
