//! From snapshot bytes to an intermediate table: rows by contract, places, a look for personal values, duplicates out.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use arrow::array::{Array, ArrayRef, AsArray as _, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{concat_batches, filter_record_batch, nullif};
use arrow::datatypes::{Schema, UInt64Type};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

use super::error::RunError;
use super::ledger::{Ledger, LedgerCounts};
use super::ordered::{Came, Late, Ordered};
use super::rejects::Rejects;
use super::scratch::{self, ScratchWriter};
use crate::config::pipeline::{Keep, RejectTable, Secret, ShownTable, TableSpec};
use crate::config::reading::spelled;
use crate::contract::{Kind, Visibility};
use crate::disclosure::scan;
use crate::engine::SCRATCH;
use crate::id::TableName;
use crate::normalise::erase::Erased;
use crate::normalise::{
    Chunk, ChunkSink, ColumnShape, Correction, NormaliseError, Normaliser, RAW, ROW, Reference, Reject, Remark,
    SinkError, Summary, staged_schema,
};
use crate::quality::drift::Change;
use crate::territory::Cog;
use crate::territory::columns::{Placing, place, placed_schema};

/// A table as it was read.
#[derive(Debug)]
pub(super) struct Staged {
    /// The table.
    pub(super) name: TableName,
    /// Its rows.
    pub(super) path: PathBuf,
    /// Columns of the key, when the rows come in its order.
    pub(super) order: Vec<String>,
    /// Rows of the source.
    pub(super) read: u64,
    /// Rows of the table.
    pub(super) kept: u64,
    /// What did not go through as it was.
    pub(super) counts: LedgerCounts,
    /// Rows by the method that placed them.
    pub(super) methods: BTreeMap<String, u64>,
    /// Empty cells by column.
    pub(super) empty: BTreeMap<String, u64>,
    /// Mapped columns that the source does not have.
    pub(super) columns_missing: Vec<String>,
    /// Columns of the source.
    pub(super) source_columns: Vec<String>,
    /// What the cells of its columns were like.
    pub(super) shapes: Vec<ColumnShape>,
    /// What changed in the source since it was last read; found out once the table was.
    pub(super) changes: Vec<Change>,
    /// Members of the source that are no rows.
    pub(super) ignored: u64,
    /// What a person should know about the source.
    pub(super) remarks: Vec<String>,
    /// Files that belong beside the run's record.
    pub(super) files: Vec<(String, PathBuf)>,
}

impl Staged {
    /// A table whose rows were given, not read.
    pub(super) fn given(name: TableName, path: PathBuf) -> Self {
        Self {
            name,
            path,
            order: Vec::new(),
            read: 0,
            kept: 0,
            counts: LedgerCounts::default(),
            empty: BTreeMap::new(),
            changes: Vec::new(),
            shapes: Vec::new(),
            methods: BTreeMap::new(),
            columns_missing: Vec::new(),
            source_columns: Vec::new(),
            ignored: 0,
            remarks: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// Parts of a snapshot, by name.
pub(super) type Parts = Vec<(String, Box<dyn Read + Send>)>;

struct StageSink<'a> {
    table: &'a TableSpec,
    cog: &'a Cog,
    writer: ScratchWriter,
    ledger: Ledger,
    methods: BTreeMap<String, u64>,
    empty: BTreeMap<String, u64>,
    /// Rejects of rows that were already written when a newer one won: their cells are read back from there.
    beaten: BTreeMap<u64, Reject>,
    lines: Lines,
    /// Whether rows come in the order of their key.
    ordered: Ordered,
    /// The table of rejects, where the pipeline has one.
    rejects: Option<Rejects>,
}

/// Lines at which rows start: a row and its line wherever their distance changes, which is after cells of several lines.
#[derive(Debug, Default)]
struct Lines(Vec<(u64, u64)>);

impl Lines {
    fn take(&mut self, rows: &[u64], lines: &[u64]) {
        for (row, line) in rows.iter().zip(lines).filter(|(_, line)| **line > 0) {
            let known = self.of(*row);
            if known != Some(*line) {
                self.0.push((*row, *line));
            }
        }
    }

    /// Line of a row that was taken in, where the source has lines.
    fn of(&self, row: u64) -> Option<u64> {
        let at = self.0.partition_point(|(known, _)| *known <= row).checked_sub(1)?;
        let (known, line) = self.0.get(at)?;
        Some(line + (row - known))
    }
}

impl ChunkSink for StageSink<'_> {
    fn take(&mut self, chunk: Chunk) -> Result<(), SinkError> {
        if self.table.keep != Keep::First {
            self.lines.take(row_numbers(&chunk.batch), &chunk.lines);
        }
        for reject in chunk.rejects {
            if reject.reason == self.table.duplicate_reason() && reject.raw.is_empty() {
                self.beaten.insert(reject.row, Reject { line: self.lines.of(reject.row), ..reject });
                continue;
            }
            self.ledger.reject(&reject)?;
            if let Some(rejects) = &mut self.rejects {
                rejects.take(&reject)?;
            }
        }
        for cell in &chunk.unfit {
            self.ledger.unfit(cell)?;
        }
        for correction in &chunk.corrections {
            self.ledger.correction(correction)?;
        }
        if chunk.batch.num_rows() == 0 {
            return Ok(());
        }
        let mut batch = chunk.batch;
        if self.table.place.is_some() {
            let placed = place(self.cog, &batch, &Placing::of(self.table))?;
            batch = placed.batch;
            for (method, rows) in placed.methods {
                *self.methods.entry(method.to_owned()).or_default() += rows;
            }
            let rows = row_numbers(&batch);
            for fix in placed.corrections {
                let at = rows.binary_search(&fix.row).ok();
                let key = at.map_or_else(|| Ok(String::new()), |at| key_of(self.table, &batch, at))?;
                let column = "lieu".to_owned();
                let rule = fix.rule.into();
                self.ledger.correction(&Correction {
                    row: fix.row,
                    line: at.and_then(|at| line_of(&chunk.lines, at)),
                    key,
                    column,
                    before: fix.before,
                    rule,
                    after: fix.after,
                })?;
            }
        }
        let batch = self.without_personal_values(&batch, &chunk.lines)?;
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            *self.empty.entry(field.name().clone()).or_default() += column.null_count() as u64;
        }
        let batch = self.ordered.take(batch)?;
        self.writer.write(&batch)?;
        Ok(())
    }
}

impl StageSink<'_> {
    /// Empties text cells that hold a personal value, in columns that could be published; of a cell that may not be empty
    /// only that value goes. Keys stay as they are: the last scan blocks a release that holds one.
    fn without_personal_values(&mut self, batch: &RecordBatch, lines: &[u64]) -> Result<RecordBatch, SinkError> {
        let schema = batch.schema();
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        for hit in scan::batch(batch) {
            let column = self.table.contract.column(&hit.column);
            let published = column.is_some_and(|column| {
                matches!(column.visibility, Visibility::Public | Visibility::Restricted)
                    && matches!(column.kind, Kind::Text | Kind::Uri)
            });
            if !published || self.table.contract.primary_key.contains(&hit.column) {
                continue;
            }
            let at = schema.index_of(&hit.column)?;
            let texts: &StringArray = columns[at].as_string();
            let after = (!schema.field(at).is_nullable()).then(|| scan::struck_out(texts.value(hit.row)));
            self.ledger.correction(&Correction {
                row: row_numbers(batch).get(hit.row).copied().unwrap_or_default(),
                line: line_of(lines, hit.row),
                key: key_of(self.table, batch, hit.row)?,
                column: hit.column.clone(),
                before: texts.value(hit.row).to_owned(),
                rule: "donnee_personnelle".into(),
                after: after.clone().unwrap_or_default(),
            })?;
            let cells =
                texts.iter().enumerate().map(|(row, text)| if row == hit.row { after.as_deref() } else { text });
            columns[at] = Arc::new(cells.collect::<StringArray>());
        }
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

/// What a person should know, with the part it is about when there are several.
fn remark_line(remark: &Remark) -> String {
    if remark.part.is_empty() { remark.detail.clone() } else { format!("{} : {}", remark.part, remark.detail) }
}

/// Line of a batch's row in the source, where it has lines.
fn line_of(lines: &[u64], row: usize) -> Option<u64> {
    lines.get(row).copied().filter(|line| *line > 0)
}

/// Numbers of a batch's rows in the source.
fn row_numbers(batch: &RecordBatch) -> &[u64] {
    batch.column_by_name(ROW).map_or(&[], |rows| rows.as_primitive::<UInt64Type>().values())
}

/// The primary key of a row as text.
fn key_of(table: &TableSpec, batch: &RecordBatch, row: usize) -> Result<String, ArrowError> {
    let columns = table.contract.primary_key.iter().filter_map(|name| batch.column_by_name(name));
    let texts: Vec<String> = columns.map(|column| array_value_to_string(column, row)).collect::<Result<_, _>>()?;
    Ok(texts.join("|"))
}

/// Reads a table into the scratch folder.
pub(super) fn stage(
    table: &TableSpec,
    (key, erased): (&Secret, Vec<Erased>),
    parts: Parts,
    cog: &Cog,
    folder: &Path,
) -> Result<Staged, RunError> {
    let staged = staged_schema(table);
    let schema = if table.place.is_some() { placed_schema(&staged) } else { staged };
    let arrow = |source| RunError::Arrow { table: table.name.clone(), source };
    let ordered = Ordered::by(&table.contract.primary_key, &schema).map_err(arrow)?;
    let writer = ScratchWriter::create(scratch::file(folder, table.name.as_str()), &schema)?;
    let ledger = Ledger::new(folder, table.name.as_str());
    let sink = StageSink {
        table,
        cog,
        writer,
        ledger,
        methods: BTreeMap::new(),
        empty: BTreeMap::new(),
        beaten: BTreeMap::new(),
        lines: Lines::default(),
        ordered,
        rejects: table.reject_table.as_ref().map(|spec| Rejects::create(spec, folder)).transpose()?,
    };
    let normaliser = Normaliser::new(table, key).without(erased).matching(reference(table, folder)?);
    let failed = |source| RunError::Normalise { table: table.name.clone(), source: Box::new(source) };
    let (summary, sink) = beside(&normaliser, parts, sink).map_err(failed)?;
    let StageSink { mut writer, mut ledger, methods, empty, beaten, ordered, mut rejects, .. } = sink;
    let (order, late) = match ordered.finish().map_err(arrow)? {
        Came::InOrder(order, late) => (order, late),
        Came::Anyhow(late) => {
            late.iter().try_for_each(|batch| writer.write(batch))?;
            (Vec::new(), None)
        }
    };
    let (path, _) = writer.finish()?;
    if !beaten.is_empty() || late.is_some() {
        Settling { table, beaten, ledger: &mut ledger, rejects: rejects.as_mut() }.settle(&path, late)?;
    }
    rejects.map(Rejects::finish).transpose()?;
    let (counts, files) = ledger.finish(table.name.as_str())?;
    Ok(Staged {
        name: table.name.clone(),
        path,
        order,
        read: summary.read,
        kept: summary.kept,
        counts,
        methods,
        empty,
        columns_missing: summary.columns_missing,
        source_columns: summary.source_columns,
        shapes: summary.shapes,
        changes: Vec::new(),
        ignored: summary.ignored,
        remarks: summary.remarks.iter().map(remark_line).collect(),
        files,
    })
}

/// Chunks that wait to be stored at the most.
const WAITING: usize = 2;

/// Hands chunks to another thread.
struct Handing(SyncSender<Chunk>);

impl ChunkSink for Handing {
    fn take(&mut self, chunk: Chunk) -> Result<(), SinkError> {
        // What went wrong there is told once this thread has ended.
        self.0.send(chunk).map_err(|_unsent| "the rows are no longer taken".into())
    }
}

/// Reads on this thread and stores on another one.
fn beside<'a>(
    normaliser: &Normaliser,
    parts: Parts,
    mut sink: StageSink<'a>,
) -> Result<(Summary, StageSink<'a>), NormaliseError> {
    thread::scope(|scope| {
        let (chunks, received) = sync_channel::<Chunk>(WAITING);
        let storing = scope.spawn(move || -> Result<StageSink<'a>, SinkError> {
            for chunk in received {
                sink.take(chunk)?;
            }
            Ok(sink)
        });
        let mut handing = Handing(chunks);
        let summary = normaliser.run(parts, &mut handing);
        drop(handing);
        match storing.join() {
            Ok(Ok(sink)) => Ok((summary?, sink)),
            Ok(Err(source)) => Err(normaliser.stopped(source)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The rows of another table that rows of this one belong to: that table was staged before.
fn reference(table: &TableSpec, folder: &Path) -> Result<Option<Reference>, RunError> {
    let Some(spec) = &table.matched else { return Ok(None) };
    let arrow = |source| RunError::Arrow { table: spec.table.clone(), source };
    let path = scratch::file(folder, spec.table.as_str());
    let columns = Reference::columns(spec);
    let stored = scratch::schema(&path)?;
    let fields = stored.fields().iter().filter(|field| columns.contains(field.name()));
    let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
    let batches = scratch::read(&path, Some(&columns))?.collect::<Result<Vec<_>, _>>().map_err(arrow)?;
    let rows = concat_batches(&schema, &batches).map_err(arrow)?;
    Reference::new(spec, rows).map(Some).map_err(arrow)
}

/// Takes the rows out of an intermediate table that another with their key beat; these go to the rejects with their cells.
struct Settling<'a> {
    table: &'a TableSpec,
    beaten: BTreeMap<u64, Reject>,
    ledger: &'a mut Ledger,
    rejects: Option<&'a mut Rejects>,
}

impl Settling<'_> {
    /// Writes the table anew, with the rows that were late in their place.
    fn settle(mut self, path: &Path, mut late: Option<Late>) -> Result<(), RunError> {
        let name = self.table.name.clone();
        let arrow = |source| RunError::Arrow { table: name.clone(), source };
        let target = path.with_extension(format!("unique.{SCRATCH}"));
        let mut writer = ScratchWriter::create(target, &scratch::schema(path)?)?;
        if let Some(late) = &mut late {
            let rows = self.unbeaten(late.rows_mut())?;
            *late.rows_mut() = rows;
        }
        for batch in scratch::read(path, None)? {
            let mut batch = self.unbeaten(&batch.map_err(arrow)?)?;
            if let Some(late) = &mut late {
                batch = late.merge(batch).map_err(arrow)?;
            }
            writer.write(&batch)?;
        }
        if let Some(late) = late {
            writer.write(&late.rest())?;
        }
        let (unique, _) = writer.finish()?;
        fs::rename(&unique, path).map_err(|source| RunError::Scratch { path: unique, source: Box::new(source) })
    }

    /// The rows of a batch that stay.
    fn unbeaten(&mut self, batch: &RecordBatch) -> Result<RecordBatch, RunError> {
        let arrow = |source| RunError::Arrow { table: self.table.name.clone(), source };
        let mut keep = Vec::with_capacity(batch.num_rows());
        for (at, row) in row_numbers(batch).iter().enumerate() {
            let reject = self.beaten.remove(row);
            keep.push(reject.is_none());
            if let Some(mut reject) = reject {
                reject.raw = cells(batch, at).map_err(arrow)?;
                self.ledger.beaten(&reject)?;
                if let (Some(rejects), Some(spec)) = (self.rejects.as_deref_mut(), &self.table.reject_table) {
                    reject.raw = raw_cells(spec, batch, at);
                    rejects.take(&reject)?;
                }
            }
        }
        if keep.iter().all(|kept| *kept) {
            return Ok(batch.clone());
        }
        filter_record_batch(batch, &BooleanArray::from(keep)).map_err(arrow)
    }
}

/// Cells of a row as its source has them, by source column.
fn raw_cells(spec: &RejectTable, batch: &RecordBatch, row: usize) -> Vec<(String, String)> {
    let cells = spec.columns.iter().filter_map(|(name, source)| {
        let texts = batch.column_by_name(&format!("{RAW}{name}"))?.as_string_opt::<i32>()?;
        texts.is_valid(row).then(|| (spelled(source), texts.value(row).to_owned()))
    });
    cells.collect()
}

/// Columns and cells of a row, without those that are empty.
fn cells(batch: &RecordBatch, row: usize) -> Result<Vec<(String, String)>, ArrowError> {
    let schema = batch.schema();
    let shown = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, column)| field.name() != ROW && !field.name().starts_with(RAW) && column.is_valid(row));
    shown.map(|(field, column)| Ok((field.name().clone(), array_value_to_string(column, row)?))).collect()
}

/// The rows that respondents agreed to show, with the answers that they agreed to show.
pub(super) fn shown(table: &TableSpec, shown: &ShownTable, path: &Path, folder: &Path) -> Result<PathBuf, RunError> {
    let arrow = |source| RunError::Arrow { table: table.name.clone(), source };
    let stored = scratch::schema(path)?;
    let fields = shown.contract.columns.iter().filter_map(|column| stored.field_with_name(&column.name).ok());
    let schema = Arc::new(Schema::new(fields.map(|field| field.clone().with_nullable(true)).collect::<Vec<_>>()));
    let mut writer = ScratchWriter::create(scratch::file(folder, shown.name.as_str()), &schema)?;
    for batch in scratch::read(path, None)? {
        let batch = batch.map_err(arrow)?;
        let rows = agreed(&batch, &shown.consent.row);
        let answers = agreed(&batch, &shown.consent.answers);
        let hidden: BooleanArray = answers.iter().map(|yes| Some(yes != Some(true))).collect();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let Some(column) = batch.column_by_name(field.name()) else { continue };
            let answer = shown.answers.contains(field.name());
            columns.push(if answer { nullif(column, &hidden).map_err(arrow)? } else { Arc::clone(column) });
        }
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(arrow)?;
        writer.write(&filter_record_batch(&batch, &rows).map_err(arrow)?)?;
    }
    Ok(writer.finish()?.0)
}

/// A consent, with an absent answer as a no.
fn agreed(batch: &RecordBatch, column: &str) -> BooleanArray {
    match batch.column_by_name(column) {
        Some(array) => array.as_boolean().iter().map(|yes| Some(yes == Some(true))).collect(),
        None => BooleanArray::from(vec![false; batch.num_rows()]),
    }
}
