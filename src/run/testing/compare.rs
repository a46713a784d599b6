//! Rows expected and rows made, side by side.

use std::path::Path;

use arrow::datatypes::DataType;

use crate::config::pipeline::{TestCase, TestRow};
use crate::run::cells::text_of;
use crate::run::error::RunError;
use crate::run::scratch;

/// What a row of a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Expected and made.
    Same,
    /// Expected, and not made.
    Expected,
    /// Made, and not expected.
    Got,
}

/// Rows that were expected and those that were made, in the columns that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Columns.
    pub columns: Vec<String>,
    /// Rows in their order, expected ones before those made in their place. No cell where none was expected.
    pub rows: Vec<(Sign, Vec<Option<String>>)>,
}

/// The rows of a table as text.
#[derive(Debug, Default)]
pub(super) struct Got {
    columns: Vec<(String, DataType)>,
    rows: Vec<Vec<String>>,
}

impl Got {
    /// Reads a table that was made.
    pub(super) fn read(path: &Path) -> Result<Self, RunError> {
        let scratch =
            |source: arrow::error::ArrowError| RunError::Scratch { path: path.to_owned(), source: source.into() };
        let schema = scratch::schema(path)?;
        let columns = schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone()));
        let mut got = Self { columns: columns.collect(), rows: Vec::new() };
        for batch in scratch::read(path, None)? {
            let batch = batch.map_err(scratch)?;
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().map(|column| text_of(column, row)).collect::<Result<_, _>>();
                got.rows.push(cells.map_err(scratch)?);
            }
        }
        Ok(got)
    }

    fn cell(&self, row: usize, column: &str) -> Option<(&str, &DataType)> {
        let at = self.columns.iter().position(|(name, _)| name == column)?;
        Some((self.rows.get(row)?.get(at)?, &self.columns[at].1))
    }

    /// Whether a row has all that is expected of it. A column that was not made is empty.
    fn meets(&self, row: usize, expected: &TestRow) -> bool {
        expected.cells.iter().all(|(column, cell)| match self.cell(row, &column.value) {
            Some((got, kind)) => equal(&cell.value, got, kind),
            None => cell.value.is_empty(),
        })
    }
}

/// Whether two texts are one value. Numbers with decimals are the same when they differ in the tenth digit.
fn equal(expected: &str, got: &str, kind: &DataType) -> bool {
    if expected == got {
        return true;
    }
    match kind {
        _ if kind.is_floating() || matches!(kind, DataType::Decimal128(..)) => {
            match (expected.parse::<f64>(), got.parse::<f64>()) {
                (Ok(expected), Ok(got)) => (expected - got).abs() <= 1e-9 * expected.abs().max(got.abs()).max(1.0),
                _ => false,
            }
        }
        DataType::Timestamp(..) => {
            let plain = |text: &str| text.trim_end_matches('Z').replacen(' ', "T", 1);
            plain(expected) == plain(got)
        }
        _ => false,
    }
}

/// What differs; `None` when all is as expected.
pub(super) fn compare(case: &TestCase, got: &Got) -> Option<Difference> {
    let pairs = if case.any_order { matched(case, got) } else { aligned(case, got) };
    let fine = |(expected, made): &Pair| (made.is_some() && expected.is_some()) || (case.subset && expected.is_none());
    if pairs.iter().all(fine) {
        return None;
    }
    let mut columns: Vec<String> = Vec::new();
    for (column, _) in case.expect.iter().flat_map(|row| &row.cells) {
        if !columns.contains(&column.value) {
            columns.push(column.value.clone());
        }
    }
    if columns.is_empty() {
        columns = got.columns.iter().map(|(name, _)| name.clone()).collect();
    }
    let expected = |row: usize| {
        let cells = &case.expect[row].cells;
        let cell = |name: &String| cells.iter().find(|(column, _)| column.value == *name);
        columns.iter().map(|name| cell(name).map(|(_, cell)| cell.value.clone())).collect()
    };
    let made = |row: usize| {
        let cell = |name: &String| got.cell(row, name).map_or("", |(text, _)| text).to_owned();
        columns.iter().map(|name| Some(cell(name))).collect()
    };
    let rows = pairs.into_iter().filter_map(|pair| match pair {
        (Some(_), Some(row)) => Some((Sign::Same, made(row))),
        (Some(row), None) => Some((Sign::Expected, expected(row))),
        (None, Some(row)) => Some((Sign::Got, made(row))),
        (None, None) => None,
    });
    let rows = rows.collect();
    Some(Difference { columns, rows })
}

/// A row expected, a row made, or both when they meet.
type Pair = (Option<usize>, Option<usize>);

/// Expected rows and made rows in their order, with as many of them together as the order allows.
fn aligned(case: &TestCase, got: &Got) -> Vec<Pair> {
    let (expected, made) = (case.expect.len(), got.rows.len());
    // Length of the longest common part from each pair of rows on.
    let mut common = vec![vec![0_u32; made + 1]; expected + 1];
    for at in (0..expected).rev() {
        for row in (0..made).rev() {
            common[at][row] = if got.meets(row, &case.expect[at]) {
                common[at + 1][row + 1] + 1
            } else {
                common[at + 1][row].max(common[at][row + 1])
            };
        }
    }
    let (mut at, mut row, mut pairs) = (0, 0, Vec::new());
    while at < expected || row < made {
        if at < expected && row < made && got.meets(row, &case.expect[at]) {
            pairs.push((Some(at), Some(row)));
            (at, row) = (at + 1, row + 1);
        } else if row == made || (at < expected && common[at + 1][row] >= common[at][row + 1]) {
            pairs.push((Some(at), None));
            at += 1;
        } else {
            pairs.push((None, Some(row)));
            row += 1;
        }
    }
    side_by_side(&pairs)
}

/// Where rows differ, each expected row is followed by the one that was made in its place.
fn side_by_side(pairs: &[Pair]) -> Vec<Pair> {
    let mut sorted = Vec::with_capacity(pairs.len());
    for run in pairs.chunk_by(|(a, b), (c, d)| (a.is_some() && b.is_some()) == (c.is_some() && d.is_some())) {
        let whole = run.iter().filter(|(expected, made)| expected.is_some() && made.is_some());
        sorted.extend(whole);
        let mut expected = run.iter().filter(|(_, made)| made.is_none());
        let mut made = run.iter().filter(|(expected, _)| expected.is_none());
        loop {
            let next = (expected.next(), made.next());
            if next == (None, None) {
                break;
            }
            sorted.extend([next.0, next.1].into_iter().flatten());
        }
    }
    sorted
}

/// Each expected row with the first made row that meets it and is not taken; what is left over at the end.
fn matched(case: &TestCase, got: &Got) -> Vec<Pair> {
    let mut free: Vec<usize> = (0..got.rows.len()).collect();
    let mut pairs: Vec<Pair> = Vec::new();
    for (at, expected) in case.expect.iter().enumerate() {
        let found = free.iter().position(|row| got.meets(*row, expected)).map(|found| free.remove(found));
        pairs.push((Some(at), found));
    }
    pairs.extend(free.into_iter().map(|row| (None, Some(row))));
    pairs
}
