//! Attachments: they are no data of a table, so they are counted and left where they are.

use serde_json::Value;

use crate::normalise::chunk::Remark;

/// Counts what the columns of attachments hold.
#[derive(Debug, Default)]
pub(super) struct Attached {
    columns: Vec<String>,
    /// In the row at hand.
    here: u64,
    files: u64,
    rows: u64,
}

impl Attached {
    pub(super) fn new(columns: &[String]) -> Self {
        Self { columns: columns.to_vec(), ..Self::default() }
    }

    /// Whether a column holds attachments.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    /// Counts a cell; `false` when it is of another column.
    pub(super) fn text(&mut self, column: &str, text: &str) -> bool {
        if !self.has(column) {
            return false;
        }
        self.here += match serde_json::from_str(text.trim()) {
            Ok(Value::Array(list)) => list.iter().filter(|file| !is_deleted(file)).count() as u64,
            Ok(Value::Number(number)) => number.as_u64().unwrap_or(0),
            Ok(Value::Null | Value::Bool(false)) => 0,
            // The name of a file.
            _ => u64::from(!text.trim().is_empty()),
        };
        true
    }

    /// Ends a row that is one.
    pub(super) fn end_row(&mut self) {
        self.rows += u64::from(self.here > 0);
        self.files += std::mem::take(&mut self.here);
    }

    /// What is said of the part.
    pub(super) fn remark(&self, part: &str) -> Option<Remark> {
        let (files, rows) = (self.files, self.rows);
        let detail = match (files, rows) {
            (0, _) => return None,
            (1, _) => "1 pièce jointe n'est pas reprise.".to_owned(),
            (_, 1) => format!("{files} pièces jointes d'une ligne ne sont pas reprises."),
            _ => format!("{files} pièces jointes de {rows} lignes ne sont pas reprises."),
        };
        Some(Remark { part: part.to_owned(), code: "pieces_jointes".to_owned(), detail })
    }
}

/// `KoboToolbox` goes on naming files that were deleted.
fn is_deleted(file: &Value) -> bool {
    file.get("is_deleted").and_then(Value::as_bool).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::list(&[r#"[{"filename": "a.jpg"}, {"filename": "b.jpg", "is_deleted": true}]"#], Some("1 pièce jointe n'est"))]
    #[case::number(&["2"], Some("2 pièces jointes d'une ligne ne sont"))]
    #[case::several(&["[1, 2]", "0", "photo.jpg"], Some("3 pièces jointes de 2 lignes"))]
    #[case::none(&["[]", "", "0", "null"], None)]
    fn attachments_are_counted_however_they_are_told(#[case] cells: &[&str], #[case] expected: Option<&str>) {
        let mut attached = Attached::new(&["_attachments".to_owned()]);
        for cell in cells {
            assert!(attached.text("_attachments", cell) && !attached.text("nom", cell));
            attached.end_row();
        }
        let detail = attached.remark("page-0001").map(|remark| remark.detail);
        assert_eq!(detail.is_some(), expected.is_some());
        assert!(detail.unwrap_or_default().starts_with(expected.unwrap_or_default()));
    }
}
