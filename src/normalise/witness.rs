//! Notes which columns a source has, before any is derived.

use super::chunk::Remark;
use super::error::NormaliseError;
use super::row::{Header, RawRow, Rows};

/// Lets everything through and keeps the names of the columns.
pub(super) struct Witness<'a> {
    /// Columns in the order in which they were met.
    pub(super) columns: Vec<String>,
    rows: &'a mut dyn Rows,
}

impl<'a> Witness<'a> {
    pub(super) fn new(rows: &'a mut dyn Rows) -> Self {
        Self { columns: Vec::new(), rows }
    }
}

impl Rows for Witness<'_> {
    fn header(&mut self, header: Header) -> Result<(), NormaliseError> {
        // A column whose name turned out to be another's too has a number now.
        self.columns.retain(|column| !header.repeated.iter().any(|repeated| repeated.name == *column));
        let known = self.columns.len();
        for name in header.names.iter().filter(|name| !name.is_empty()) {
            // A header that grows begins with what is known.
            if !self.columns.iter().take(known).any(|column| column == name) {
                self.columns.push(name.clone());
            }
        }
        self.rows.header(header)
    }

    fn row(&mut self, row: &RawRow<'_>) -> Result<(), NormaliseError> {
        self.rows.row(row)
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
