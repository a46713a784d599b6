//! The first rows of a published CSV.

/// Column names and rows, as they are written in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sheet {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Sheet {
    /// Reads up to `most` rows. Where the bytes are only the beginning of a file, a row that touches their end is left out.
    pub(super) fn parse(bytes: &[u8], most: usize, whole: bool) -> Self {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
        let owned = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
        let Ok(columns) = reader.headers().map(owned) else { return Self::default() };
        let mut rows: Vec<Vec<String>> =
            reader.records().map_while(Result::ok).take(most).map(|row| owned(&row)).collect();
        if !whole && rows.len() < most {
            rows.pop();
        }
        Self { columns, rows }
    }

    /// Where a column is.
    pub(super) fn at(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }

    /// A cell of a row; empty where there is none.
    pub(super) fn cell<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        self.at(column).and_then(|at| row.get(at)).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_up_to_a_number_and_a_cut_one_is_left_out() {
        let csv = b"a,b\r\n1,\"x, y\"\r\n2,\r\n3,z";
        let sheet = Sheet::parse(csv, 2, true);
        assert_eq!(sheet.columns, ["a", "b"]);
        assert_eq!(sheet.rows, [["1", "x, y"], ["2", ""]]);
        assert_eq!(sheet.cell(&sheet.rows[0], "b"), "x, y");
        assert_eq!(sheet.cell(&sheet.rows[0], "c"), "");
        assert_eq!(Sheet::parse(csv, 5, false).rows.len(), 2, "the third may be cut");
        assert_eq!(Sheet::parse(csv, 5, true).rows.len(), 3);
    }
}
