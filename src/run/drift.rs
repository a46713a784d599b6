//! Whether the sources still are what the tables were made to read.

use tracing::warn;

use super::error::{Drifted, RunError};
use super::stage::Staged;
use super::{Job, private_failed};
use crate::config::pipeline::{Drift, TableSpec};
use crate::disclosure::scan;
use crate::normalise::ColumnShape;
use crate::publish::commit::json_bytes;
use crate::quality::drift::{Change, KnownSource, changes};
use crate::store::{Store, StoreKey};

fn key(job: Job<'_>, table: &Staged) -> StoreKey {
    StoreKey::SourceColumns { dataset: job.pipeline.id.clone(), table: table.name.clone() }
}

/// What the cells were like, without texts that hold a personal value: neither kept nor told.
fn shapes(table: &Staged) -> Vec<ColumnShape> {
    let mut shapes = table.shapes.clone();
    for shape in &mut shapes {
        shape.texts.retain(|text, _| scan::find(text).is_none());
    }
    shapes
}

/// What changed in the source of a table since it was last read.
pub(super) async fn since(
    job: Job<'_>,
    private: &Store,
    spec: &TableSpec,
    table: &Staged,
) -> Result<Vec<Change>, RunError> {
    let kept = private.get(&key(job, table)).await.map_err(private_failed)?;
    let Some(before) = kept.and_then(|document| KnownSource::read(&document)) else { return Ok(Vec::new()) };
    let shapes = shapes(table);
    Ok(changes(&before, &KnownSource::of(spec, &table.source_columns, &shapes), &shapes, spec))
}

/// Changes that a release should not go on with without a word.
fn felt(table: &Staged) -> impl Iterator<Item = &Change> {
    table.changes.iter().filter(|change| change.is_felt())
}

/// Whether a table stops the run for what changed in its source.
pub(super) fn stops(spec: &TableSpec, table: &Staged) -> bool {
    spec.drift == Drift::Stop && felt(table).next().is_some()
}

/// Columns of the contract of which most cells no longer fit: what happens then is for the table to say.
pub(super) fn lost_columns(table: &Staged) -> impl Iterator<Item = &str> {
    felt(table).filter_map(|change| match change {
        Change::Retyped { column, .. } => Some(column.as_str()),
        _ => None,
    })
}

/// Says what changed in the sources. Stops the run where a table says so.
pub(super) fn judge(job: Job<'_>, staged: &[Staged]) -> Result<(), RunError> {
    for (spec, table) in job.pipeline.tables.iter().zip(staged) {
        if spec.drift == Drift::Nulls && felt(table).next().is_some() {
            let words: Vec<String> = table.changes.iter().map(ToString::to_string).collect();
            warn!(table.name = %table.name, "The source of `{}` changed: {}", table.name, words.join("; "));
        }
    }
    let stopped = job.pipeline.tables.iter().zip(staged).find(|(spec, table)| stops(spec, table));
    let Some((_, table)) = stopped else { return Ok(()) };
    let words = felt(table).map(ToString::to_string).collect();
    Err(RunError::Drift { table: table.name.clone(), source: Drifted(words) })
}

/// Keeps the shape of the sources of a run that was not stopped.
pub(super) async fn keep(job: Job<'_>, private: &Store, staged: &[Staged]) -> Result<(), RunError> {
    for (spec, table) in job.pipeline.tables.iter().zip(staged) {
        let shape = KnownSource::of(spec, &table.source_columns, &shapes(table));
        private.put(&key(job, table), json_bytes(&shape)).await.map_err(private_failed)?;
    }
    Ok(())
}
