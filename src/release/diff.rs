//! What changed between versions of one table: a merge of streams that are sorted by key.
//!
//! Two versions give the difference of two releases. With versions in between, each made with one more input of the newer
//! release, the same pass tells which step changed what. Memory holds one batch of each version, whatever their size.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, Row, RowConverter, Rows, SortField};
use serde::{Deserialize, Serialize};

use super::cause::{Steps, Taken};
use super::manifest::TableRecord;

/// Why the rows of a table cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Incomparable {
    /// No public primary key says which rows are the same.
    NoKey,
    /// The key is made of other columns.
    OtherKey,
    /// A column of the key has another type.
    OtherKeyType,
    /// The file of the older release is missing or damaged.
    Unreadable,
}

/// Columns whose cells are not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherColumns {
    /// Columns that are new.
    #[serde(default)]
    pub added: Vec<String>,
    /// Columns that are gone.
    #[serde(default)]
    pub removed: Vec<String>,
    /// Columns of another type.
    #[serde(default)]
    pub retyped: Vec<String>,
    /// Columns whose changes do not count.
    #[serde(default)]
    pub volatile: Vec<String>,
}

impl OtherColumns {
    /// Whether the columns are the same.
    pub fn is_quiet(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.retyped.is_empty()
    }
}

/// Columns that are compared, in the order of the newer release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Columns of the key.
    pub key: Vec<String>,
    /// Columns whose cells are compared.
    pub cells: Vec<String>,
}

impl Shape {
    /// All columns, those of the key first: the columns that the batches of a version have.
    pub fn columns(&self) -> Vec<String> {
        self.key.iter().chain(&self.cells).cloned().collect()
    }
}

/// How a table can be compared with itself in an older release.
pub fn shape(before: &TableRecord, after: &TableRecord) -> (OtherColumns, Result<Shape, Incomparable>) {
    let find = |table: &'_ TableRecord, name: &str| table.columns.iter().position(|column| column.name == name);
    let mut others = OtherColumns::default();
    let mut cells = Vec::new();
    for column in &after.columns {
        let name = column.name.clone();
        let Some(old) = find(before, &name).map(|at| &before.columns[at]) else {
            others.added.push(name);
            continue;
        };
        match (old.kind == column.kind, after.key.contains(&name), old.volatile || column.volatile) {
            (false, ..) => others.retyped.push(name),
            (true, true, _) => {}
            (true, false, true) => others.volatile.push(name),
            (true, false, false) => cells.push(name),
        }
    }
    let gone = before.columns.iter().filter(|column| find(after, &column.name).is_none());
    others.removed = gone.map(|column| column.name.clone()).collect();
    let public =
        |table: &TableRecord| !table.key.is_empty() && table.key.iter().all(|name| find(table, name).is_some());
    let shape = if !public(before) || !public(after) {
        Err(Incomparable::NoKey)
    } else if before.key != after.key {
        Err(Incomparable::OtherKey)
    } else if after.key.iter().any(|name| others.retyped.contains(name)) {
        Err(Incomparable::OtherKeyType)
    } else {
        Ok(Shape { key: after.key.clone(), cells })
    };
    (others, shape)
}

/// Rows of a version, in the order of the key.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + 'a>;

/// Versions of a table cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The rows of a version cannot be read.
    #[error("cannot read the rows of version {version}")]
    Rows {
        /// The version, from 0.
        version: usize,
        /// Why.
        source: ArrowError,
    },
    /// The rows of a version are not in the order of the key.
    #[error("the rows of version {version} are not in the order of the key")]
    Order {
        /// The version, from 0.
        version: usize,
    },
    /// A column has a type that cannot be compared.
    #[error("cannot compare the columns of the table")]
    Columns(#[source] ArrowError),
}

/// A row in a batch.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The batch: the columns of the key, then those that are compared.
    pub batch: &'a RecordBatch,
    /// The row.
    pub row: usize,
}

/// A cell that is another in the last version than in the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellChange {
    /// Its column in the batch.
    pub column: usize,
    /// The steps that changed it.
    pub taken: Taken,
}

/// A row that is another in the last version than in the first.
#[derive(Debug)]
pub enum RowChange<'a> {
    /// It is new.
    Added {
        /// The row.
        row: Place<'a>,
        /// The steps that made it come, or go and come.
        taken: Taken,
    },
    /// It is gone.
    Removed {
        /// The row.
        row: Place<'a>,
        /// The steps that made it go.
        taken: Taken,
    },
    /// Cells of it are others.
    Changed {
        /// The row in the first version.
        before: Place<'a>,
        /// The row in the last version.
        after: Place<'a>,
        /// Those cells, in the order of columns.
        cells: Vec<CellChange>,
    },
}

/// Calls for every row that differs between the first and the last of some versions, in the order of the key.
///
/// All batches have the schema `schema`, whose first `keys` columns are the key.
///
/// # Panics
/// With fewer than two versions, or more than the steps of a way can be.
pub fn diff<E: From<DiffError>>(
    schema: &SchemaRef,
    keys: usize,
    versions: Vec<Batches<'_>>,
    mut visit: impl FnMut(&RowChange<'_>) -> Result<(), E>,
) -> Result<(), E> {
    assert!((2..=Steps::MOST + 1).contains(&versions.len()), "a difference is between two versions or some more");
    let converters = Converters::new(schema, keys).map_err(DiffError::Columns)?;
    let mut cursors = Vec::with_capacity(versions.len());
    for (version, batches) in versions.into_iter().enumerate() {
        let mut cursor = Cursor { version, batches, loaded: None, last: None };
        cursor.load(&converters)?;
        cursors.push(cursor);
    }
    while let Some(least) = cursors.iter().filter_map(Cursor::key).min() {
        let here = cursors
            .iter()
            .enumerate()
            .filter(|(_, cursor)| cursor.key() == Some(least))
            .fold(0_u8, |here, (at, _)| here | 1 << at);
        if let Some(change) = change(&cursors, here, keys) {
            visit(&change)?;
        }
        for cursor in cursors.iter_mut().filter(|cursor| here & (1 << cursor.version) != 0) {
            cursor.advance(&converters)?;
        }
    }
    Ok(())
}

/// What happened to the row that the versions in `here` stand at.
fn change<'a>(cursors: &'a [Cursor<'_>], here: u8, keys: usize) -> Option<RowChange<'a>> {
    let at = |version: usize| (here & (1 << version) != 0).then(|| cursors[version].loaded.as_ref()).flatten();
    let taken = |differ: &dyn Fn(&Loaded, &Loaded) -> bool| {
        (1..cursors.len()).fold(0, |taken: Taken, next| match (at(next - 1), at(next)) {
            (Some(old), Some(new)) if !differ(old, new) => taken,
            (None, None) => taken,
            _ => taken | 1 << (next - 1),
        })
    };
    let comes_or_goes = || taken(&|_, _| false);
    match (at(0), at(cursors.len() - 1)) {
        (None, None) => None,
        (None, Some(new)) => Some(RowChange::Added { row: new.place(), taken: comes_or_goes() }),
        (Some(old), None) => Some(RowChange::Removed { row: old.place(), taken: comes_or_goes() }),
        (Some(old), Some(new)) => {
            let differs = |cell: usize| move |old: &Loaded, new: &Loaded| old.cell(cell) != new.cell(cell);
            let changed = (0..old.cells.len()).filter(|cell| differs(*cell)(old, new));
            let cells: Vec<CellChange> =
                changed.map(|cell| CellChange { column: keys + cell, taken: taken(&differs(cell)) }).collect();
            (!cells.is_empty()).then(|| RowChange::Changed { before: old.place(), after: new.place(), cells })
        }
    }
}

/// Brings keys and cells into a form whose bytes compare as the values do.
struct Converters {
    key: RowConverter,
    keys: usize,
    cells: Vec<RowConverter>,
}

impl Converters {
    fn new(schema: &SchemaRef, keys: usize) -> Result<Self, ArrowError> {
        // The order in which tables are written.
        let order = SortOptions { descending: false, nulls_first: false };
        let field = |at: usize| SortField::new_with_options(schema.field(at).data_type().clone(), order);
        let cells = (keys..schema.fields().len()).map(|at| RowConverter::new(vec![field(at)]));
        Ok(Self {
            key: RowConverter::new((0..keys).map(field).collect())?,
            keys,
            cells: cells.collect::<Result<_, _>>()?,
        })
    }

    fn convert(&self, batch: RecordBatch) -> Result<Loaded, ArrowError> {
        let columns: &[ArrayRef] = batch.columns();
        let (key, rest) = columns.split_at(self.keys.min(columns.len()));
        let cells = self
            .cells
            .iter()
            .zip(rest)
            .map(|(converter, column)| converter.convert_columns(std::slice::from_ref(column)));
        Ok(Loaded { keys: self.key.convert_columns(key)?, cells: cells.collect::<Result<_, _>>()?, batch, row: 0 })
    }
}

/// A batch, and the row that is looked at.
struct Loaded {
    batch: RecordBatch,
    keys: Rows,
    cells: Vec<Rows>,
    row: usize,
}

impl Loaded {
    fn place(&self) -> Place<'_> {
        Place { batch: &self.batch, row: self.row }
    }

    fn cell(&self, cell: usize) -> Row<'_> {
        self.cells[cell].row(self.row)
    }
}

/// A version while it is read.
struct Cursor<'a> {
    version: usize,
    batches: Batches<'a>,
    /// Gone at the end.
    loaded: Option<Loaded>,
    /// The last key of the batch before.
    last: Option<OwnedRow>,
}

impl Cursor<'_> {
    fn key(&self) -> Option<Row<'_>> {
        self.loaded.as_ref().map(|loaded| loaded.keys.row(loaded.row))
    }

    /// Goes to the first row of the next batch that has one.
    fn load(&mut self, converters: &Converters) -> Result<(), DiffError> {
        let failed = |source| DiffError::Rows { version: self.version, source };
        self.loaded = None;
        for batch in self.batches.by_ref() {
            let batch = batch.map_err(failed)?;
            if batch.num_rows() > 0 {
                let loaded = converters.convert(batch).map_err(failed)?;
                if self.last.as_ref().is_some_and(|last| loaded.keys.row(0) < last.row()) {
                    return Err(DiffError::Order { version: self.version });
                }
                self.loaded = Some(loaded);
                break;
            }
        }
        Ok(())
    }

    /// Goes to the next row.
    fn advance(&mut self, converters: &Converters) -> Result<(), DiffError> {
        let Some(loaded) = &mut self.loaded else { return Ok(()) };
        loaded.row += 1;
        if loaded.row == loaded.batch.num_rows() {
            self.last = Some(loaded.keys.row(loaded.row - 1).owned());
            return self.load(converters);
        }
        if loaded.keys.row(loaded.row) < loaded.keys.row(loaded.row - 1) {
            return Err(DiffError::Order { version: self.version });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
