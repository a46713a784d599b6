//! The first rows of a table, raw beside typed, without a run.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::UInt64Type;
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, Utc};

use super::error::RunError;
use super::intake::parts;
use super::private_failed;
use super::stage::Parts;
use crate::config::pipeline::{Pipeline, Project, SourceKind, TableSpec};
use crate::contract::arrow::CODES_KEY;
use crate::normalise::{Normaliser, ROW};
use crate::source::{Snapshot, connector, fetch, latest};
use crate::store::Store;
use crate::territory::columns::{Placing, place};
use crate::territory::{Cog, Seeds};

/// A row of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampledRow {
    /// Its number in the source.
    pub row: u64,
    /// Source columns and their cells.
    pub raw: Vec<(String, String)>,
    /// Columns of the table and their values; empty when the row is rejected.
    pub typed: Vec<(String, Option<String>)>,
    /// Reason and explanation, when the row is rejected.
    pub reject: Option<(String, String)>,
    /// Cells that do not fit or were corrected, in words.
    pub notes: Vec<String>,
}

/// The sample of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSample {
    /// The first rows.
    pub rows: Vec<SampledRow>,
    /// Mapped columns that the source does not have.
    pub columns_missing: Vec<String>,
    /// What a person should know about the source.
    pub remarks: Vec<String>,
}

/// Reads the first `most` rows of a table: of the last snapshot, or of the files themselves when there is none.
pub async fn sample(
    project: &Project,
    pipeline: &Pipeline,
    table: &TableSpec,
    env: &BTreeMap<String, String>,
    (most, now): (usize, DateTime<Utc>),
) -> Result<TableSample, RunError> {
    let failed = |error| RunError::Source { id: table.source.clone(), source: Box::new(error) };
    let private = Store::open(&project.private_store, &project.root, env).map_err(private_failed)?;
    let (store, snapshot) = match latest(&private, &table.source).await.map_err(failed)? {
        Some(snapshot) => (private, snapshot),
        None => read_files(project, pipeline, table, env, now).await?,
    };
    let parts = parts(&store, &snapshot, table).await?;
    let (spec, key, root) = (table.clone(), project.key.clone(), project.root.clone());
    let task = tokio::task::spawn_blocking(move || rows(&spec, &Normaliser::new(&spec, &key), parts, &root, most));
    let sample = task.await.map_err(|_panic| RunError::Stopped { table: table.name.clone() })?;
    sample.map_err(|error| error.of_snapshot(&snapshot))
}

/// Files are read into a store in memory, so that nothing is written.
async fn read_files(
    project: &Project,
    pipeline: &Pipeline,
    table: &TableSpec,
    env: &BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> Result<(Store, Snapshot), RunError> {
    let none = || RunError::NoSnapshot { id: table.source.clone() };
    let source = pipeline.sources.iter().find(|source| source.id == table.source).ok_or_else(none)?;
    if !matches!(source.kind, SourceKind::File(_)) {
        return Err(none());
    }
    let failed = |error| RunError::Source { id: table.source.clone(), source: Box::new(error) };
    let name = format!("memory://sample-{}", hex::encode(rand::random::<[u8; 8]>()));
    let store = Store::open(&name, &project.root, env).map_err(private_failed)?;
    let connector = connector(&source.kind, env).map_err(failed)?;
    let fetched = fetch(&store, &source.id, connector.as_ref(), now).await.map_err(failed)?;
    Ok((store, fetched.snapshot))
}

fn rows(
    table: &TableSpec,
    normaliser: &Normaliser,
    parts: Parts,
    root: &Path,
    most: usize,
) -> Result<TableSample, RunError> {
    let sample = normaliser
        .sample(parts, most)
        .map_err(|source| RunError::Normalise { table: table.name.clone(), source: Box::new(source) })?;
    let arrow = |source| RunError::Arrow { table: table.name.clone(), source };
    let cog = match &table.place {
        Some(_) => Some(Seeds::of(root).cog().map_err(|source| RunError::Territory(Box::new(source)))?),
        None => None,
    };
    let mut rows: BTreeMap<u64, SampledRow> = BTreeMap::new();
    for raw in sample.raw {
        let row = SampledRow { row: raw.row, raw: raw.cells, typed: Vec::new(), reject: None, notes: Vec::new() };
        rows.insert(raw.row, row);
    }
    for chunk in sample.chunks {
        type_rows(table, cog.as_ref(), &chunk.batch, &mut rows).map_err(arrow)?;
        for reject in chunk.rejects {
            if let Some(row) = rows.get_mut(&reject.row) {
                row.reject = Some((reject.reason, reject.detail));
            }
        }
        for cell in chunk.unfit {
            if let Some(row) = rows.get_mut(&cell.row) {
                row.notes.push(format!("{}: `{}` does not fit ({})", cell.column, cell.value, cell.reason));
            }
        }
        for cell in chunk.corrections {
            if let Some(row) = rows.get_mut(&cell.row) {
                row.notes.push(format!("{}: `{}` became `{}` ({})", cell.column, cell.before, cell.after, cell.rule));
            }
        }
    }
    let remarks = sample.summary.remarks.into_iter().map(|remark| remark.detail).collect();
    let columns_missing = sample.summary.columns_missing;
    Ok(TableSample { rows: rows.into_values().collect(), columns_missing, remarks })
}

/// Adds the typed cells, places included.
fn type_rows(
    table: &TableSpec,
    cog: Option<&Cog>,
    batch: &RecordBatch,
    rows: &mut BTreeMap<u64, SampledRow>,
) -> Result<(), ArrowError> {
    let mut batch = batch.clone();
    if let Some(cog) = cog {
        let placed = place(cog, &batch, &Placing::of(table))?;
        for correction in placed.corrections {
            if let Some(row) = rows.get_mut(&correction.row) {
                let (rule, before, after) = (correction.rule, correction.before, correction.after);
                row.notes.push(format!("place: `{before}` became `{after}` ({rule})"));
            }
        }
        batch = placed.batch;
    }
    let Some(numbers) = batch.column_by_name(ROW).map(|numbers| numbers.as_primitive::<UInt64Type>().clone()) else {
        return Ok(());
    };
    let schema = batch.schema();
    for (at, number) in numbers.values().iter().enumerate() {
        let Some(row) = rows.get_mut(number) else { continue };
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if field.name().starts_with("__") {
                continue;
            }
            let value = match field.metadata().get(CODES_KEY) {
                _ if column.is_null(at) => None,
                Some(codes) => {
                    let bits = column.as_primitive::<UInt64Type>().value(at);
                    let ticked = codes.split('|').enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
                    Some(ticked.map(|(_, code)| code).collect::<Vec<_>>().join("|"))
                }
                None => Some(array_value_to_string(column, at)?),
            };
            row.typed.push((field.name().clone(), value));
        }
    }
    Ok(())
}
