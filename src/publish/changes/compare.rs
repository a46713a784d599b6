//! From the Parquet files of two releases to the list of changes and its counts.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::list::{Change, ListWriter};
use crate::disclosure::scan;
use crate::id::Digest;
use crate::publish::PublishError;
use crate::publish::error::ChangesError;
use crate::publish::format::{BATCH_ROWS, cell_text};
use crate::release::diff::{Batches, CellChange, Incomparable, Place, RowChange, Shape, diff, shape};
use crate::release::{ChangeKind, Manifest, RowsOf, Steps, TableChanges, TableRecord, TableState, Taken};

/// Most lines of a table that the page shows.
const SHOWN: usize = 100;

/// Versions of the tables, from the older release to the newer one.
#[derive(Debug, Clone)]
pub struct Versions {
    /// Folders with the Parquet files of each version.
    pub folders: Vec<PathBuf>,
    /// What moved from each to the next.
    pub steps: Steps,
    /// Tables whose file of the older release cannot be read.
    pub unreadable: BTreeSet<String>,
}

/// Two releases, compared.
#[derive(Debug)]
pub struct Compared {
    /// Counts of each table.
    pub tables: Vec<TableChanges>,
    /// The first lines of each table.
    pub shown: Vec<Change>,
    /// Size of the list.
    pub bytes: u64,
    /// Digest of the list.
    pub digest: Digest,
    /// Lines of the list.
    pub lines: u64,
}

fn table<'a>(manifest: &'a Manifest, name: &str) -> Option<&'a TableRecord> {
    manifest.tables.iter().find(|table| table.name == name)
}

/// Whether two releases hold the same rows of a table: the same CSV, which every other file says too.
fn same_rows(before: &Manifest, after: &Manifest, name: &str) -> bool {
    let digest = |manifest: &Manifest| {
        let path = format!("{name}.csv");
        manifest.files.iter().find(|file| file.path == path).map(|file| file.sha256)
    };
    digest(before).is_some_and(|before| digest(after) == Some(before))
}

/// Tables whose rows are to be read: both releases have them, and not with the same bytes.
pub fn differing(before: &Manifest, after: &Manifest) -> Vec<String> {
    let differ = |name: &String| table(before, name).is_some() && !same_rows(before, after, name);
    after.tables.iter().map(|table| table.name.clone()).filter(differ).collect()
}

/// Compares the tables of two releases and writes the list of changes.
pub fn compare(
    before: &Manifest,
    after: &Manifest,
    versions: &Versions,
    list: &Path,
) -> Result<Compared, PublishError> {
    let failed = |table: &str, source: ChangesError| PublishError::Changes {
        table: table.to_owned(),
        before: before.release.clone(),
        after: after.release.clone(),
        source: Box::new(source),
    };
    let mut writer = ListWriter::create(list).map_err(|error| failed(super::LIST, error))?;
    let (mut tables, mut shown) = (Vec::new(), Vec::new());
    for new in &after.tables {
        let mut counts = TableChanges::new(&new.name, &new.title, TableState::Added);
        counts.rows_after = Some(new.rows);
        if let Some(old) = table(before, &new.name) {
            counts.rows_before = Some(old.rows);
            let (columns, shape) = shape(old, new);
            counts.columns = columns;
            let readable = !versions.unreadable.contains(&new.name);
            match shape {
                _ if same_rows(before, after, &new.name) => counts.state = TableState::Same,
                Ok(shape) if readable => {
                    counts.state = TableState::Compared;
                    let lister = Lister { old, new, shape: &shape, steps: &versions.steps, counts: &mut counts };
                    let lines = lister.run(versions, &mut writer).map_err(|error| failed(&new.name, error))?;
                    shown.extend(lines);
                }
                unlike => {
                    counts.state = TableState::NotCompared;
                    counts.reason = Some(unlike.err().unwrap_or(Incomparable::Unreadable));
                }
            }
        }
        tables.push(counts);
    }
    for old in before.tables.iter().filter(|old| table(after, &old.name).is_none()) {
        let counts = TableChanges::new(&old.name, &old.title, TableState::Removed);
        tables.push(TableChanges { rows_before: Some(old.rows), ..counts });
    }
    let (bytes, digest, lines) = writer.finish().map_err(|error| failed(super::LIST, error))?;
    Ok(Compared { tables, shown, bytes, digest, lines })
}

/// How many keys of a table's older file its newer one has not, both sorted by the key.
pub fn keys_gone(files: &[PathBuf; 2], key: &[String]) -> Result<u64, ChangesError> {
    let schema = schema_of(&files[1], key)?;
    let batches = files.iter().map(|path| batches(path, &schema)).collect::<Result<Vec<_>, _>>()?;
    let mut gone = 0;
    diff(&schema, key.len(), batches, |change: &RowChange<'_>| {
        gone += u64::from(matches!(change, RowChange::Removed { .. }));
        Ok::<(), ChangesError>(())
    })?;
    Ok(gone)
}

/// Lists the changes of one table.
struct Lister<'a> {
    old: &'a TableRecord,
    new: &'a TableRecord,
    shape: &'a Shape,
    steps: &'a Steps,
    counts: &'a mut TableChanges,
}

impl Lister<'_> {
    /// Writes all lines; gives the first of them.
    fn run(mut self, versions: &Versions, writer: &mut ListWriter) -> Result<Vec<Change>, ChangesError> {
        let columns = self.shape.columns();
        let files: Vec<PathBuf> =
            versions.folders.iter().map(|folder| folder.join(format!("{}.parquet", self.new.name))).collect();
        let newest = files.last().expect("a comparison has two versions at least");
        let schema = schema_of(newest, &columns)?;
        let batches = files.iter().map(|path| batches(path, &schema)).collect::<Result<Vec<_>, _>>()?;
        let keys = self.shape.key.len();
        let mut shown = Vec::new();
        diff(&schema, keys, batches, |change: &RowChange<'_>| {
            for line in self.lines(change, &schema) {
                *self.counts.causes.entry(line.cause.clone()).or_default() += 1;
                if let Some(column) = &line.column {
                    *self.counts.cells.entry(column.clone()).or_default() += 1;
                }
                writer.push(&line)?;
                if shown.len() < SHOWN {
                    shown.push(line);
                }
            }
            Ok::<(), ChangesError>(())
        })?;
        Ok(shown)
    }

    /// What may be told of a row.
    fn lines(&mut self, change: &RowChange<'_>, schema: &SchemaRef) -> Vec<Change> {
        match change {
            RowChange::Added { row, taken } => {
                self.counts.added += 1;
                vec![self.line(*row, ChangeKind::Added, self.steps.name(*taken))]
            }
            RowChange::Removed { row, taken } => {
                self.counts.removed += 1;
                let line = self.line(*row, ChangeKind::Removed, self.steps.name(*taken));
                if self.is_withdrawn(*taken) || scan::find(&line.key).is_some() {
                    self.counts.removed_unlisted += 1;
                    return Vec::new();
                }
                vec![line]
            }
            RowChange::Changed { before, after, cells } => self.cells(*before, *after, cells, schema),
        }
    }

    /// Whether a row that is gone may be one that somebody withdrew.
    fn is_withdrawn(&self, taken: Taken) -> bool {
        match self.rows_of() {
            RowsOf::Cells => false,
            RowsOf::Entries => self.steps.may_be_source(taken),
            RowsOf::Respondents | RowsOf::Groups => true,
        }
    }

    /// The stricter of what the two releases say of the table's rows.
    fn rows_of(&self) -> RowsOf {
        let strict = |rows: RowsOf| match rows {
            RowsOf::Cells => 0,
            RowsOf::Entries => 1,
            RowsOf::Respondents => 2,
            RowsOf::Groups => 3,
        };
        if strict(self.old.rows_of) > strict(self.new.rows_of) { self.old.rows_of } else { self.new.rows_of }
    }

    /// Changed cells of a row, without those that somebody may have taken back, and those that held what the last scan
    /// would stop today.
    fn cells(&mut self, before: Place<'_>, after: Place<'_>, cells: &[CellChange], schema: &SchemaRef) -> Vec<Change> {
        let text = |place: Place<'_>, column: usize| cell_text(place.batch.column(column), place.row);
        let shown = |text: &Option<String>| text.as_deref().unwrap_or_default().to_owned();
        let mut changed = Vec::with_capacity(cells.len());
        for cell in cells {
            let (old, new) = (text(before, cell.column), text(after, cell.column));
            // An empty list and none look the same in a CSV.
            if shown(&old) != shown(&new) {
                changed.push((cell, old, new));
            }
        }
        if changed.is_empty() {
            return Vec::new();
        }
        self.counts.changed += 1;
        let by_source = |cell: &CellChange| self.steps.may_be_source(cell.taken);
        let emptied = changed.iter().any(|(cell, _, new)| by_source(cell) && shown(new).is_empty());
        let withheld = match self.rows_of() {
            RowsOf::Cells | RowsOf::Entries => false,
            // Who takes consent back empties all answers, and changes what says so.
            RowsOf::Respondents => emptied,
            RowsOf::Groups => true,
        };
        let all = changed.len();
        changed.retain(|(cell, old, _)| {
            let text = schema.field(cell.column).data_type() == &DataType::Utf8;
            let personal = text && old.as_deref().is_some_and(|old| scan::find(old).is_some());
            !(personal || (withheld && by_source(cell)))
        });
        self.counts.changed_unlisted += u64::from(changed.len() < all);
        let line = |(cell, old, new): (&CellChange, Option<String>, Option<String>)| Change {
            column: Some(schema.field(cell.column).name().clone()),
            before: old,
            after: new,
            ..self.line(after, ChangeKind::Changed, self.steps.name(cell.taken))
        };
        changed.into_iter().map(line).collect()
    }

    fn line(&self, place: Place<'_>, kind: ChangeKind, cause: String) -> Change {
        let cell = |column: usize| cell_text(place.batch.column(column), place.row).unwrap_or_default();
        let key = (0..self.shape.key.len()).map(cell).collect::<Vec<_>>().join("|");
        Change { table: self.new.name.clone(), key, kind, column: None, before: None, after: None, cause }
    }
}

fn opened(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, ChangesError> {
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| ChangesError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(|error| failed(Box::new(error)))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(Box::new(error)))
}

/// The named columns of a Parquet file.
fn schema_of(path: &Path, columns: &[String]) -> Result<SchemaRef, ChangesError> {
    let builder = opened(path)?;
    let field = |name: &String| builder.schema().field_with_name(name).map(|field| field.clone().with_nullable(true));
    let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>();
    let fields = fields.map_err(|error| ChangesError::Read { path: path.to_owned(), source: Box::new(error) })?;
    Ok(Arc::new(Schema::new(fields)))
}

/// Rows of a Parquet file under a schema.
fn batches<'a>(path: &Path, schema: &SchemaRef) -> Result<Batches<'a>, ChangesError> {
    let builder = opened(path)?;
    let roots = schema.fields().iter().filter_map(|field| builder.schema().index_of(field.name()).ok());
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
    let reader = reader.map_err(|error| ChangesError::Read { path: path.to_owned(), source: Box::new(error) })?;
    let schema = Arc::clone(schema);
    Ok(Box::new(reader.map(move |batch| under(&batch?, &schema))))
}

/// Columns in the order of a schema. Types of the same name may differ in what their items are called.
fn under(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let missing = |name: &str| ArrowError::SchemaError(format!("column `{name}` is missing"));
    let columns = schema.fields().iter().map(|field| {
        let column = batch.column_by_name(field.name()).ok_or_else(|| missing(field.name()))?;
        if column.data_type() == field.data_type() { Ok(Arc::clone(column)) } else { cast(column, field.data_type()) }
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}
