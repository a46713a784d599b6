//! Whether the sources still are what the tables were made to read.

use tracing::warn;

use super::error::{Drifted, RunError};
use super::stage::Staged;
use super::{Job, Progress, private_failed};
use crate::config::pipeline::Drift;
use crate::disclosure::scan;
use crate::normalise::ColumnShape;
use crate::publish::commit::json_bytes;
use crate::quality::drift::{Change, SourceShape, changes};
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

/// Compares the source of each table with what was kept of it. Stops the run where the table says so.
pub(super) async fn compare(
    job: Job<'_>,
    private: &Store,
    staged: &[Staged],
    progress: &mut Progress<'_>,
) -> Result<(), RunError> {
    for (at, (spec, table)) in job.pipeline.tables.iter().zip(staged).enumerate() {
        let kept = private.get(&key(job, table)).await.map_err(private_failed)?;
        let Some(before) = kept.and_then(|document| SourceShape::read(&document)) else { continue };
        let shapes = shapes(table);
        let now = SourceShape::of(spec, &table.source_columns, &shapes);
        let found = changes(&before, &now, &shapes, spec);
        let words: Vec<String> = found.iter().map(ToString::to_string).collect();
        let felt = found.iter().any(Change::is_felt);
        if felt && spec.drift == Drift::Nulls {
            warn!(table.name = %table.name, "The source of `{}` changed: {}", table.name, words.join("; "));
        }
        if let Some(record) = progress.record.tables.get_mut(at) {
            record.changes.clone_from(&words);
        }
        if felt && spec.drift == Drift::Stop {
            let felt = found.iter().filter(|change| change.is_felt()).map(ToString::to_string).collect();
            return Err(RunError::Drift { table: table.name.clone(), source: Drifted(felt) });
        }
    }
    Ok(())
}

/// Keeps the shape of the sources of a run that was not stopped.
pub(super) async fn keep(job: Job<'_>, private: &Store, staged: &[Staged]) -> Result<(), RunError> {
    for (spec, table) in job.pipeline.tables.iter().zip(staged) {
        let shape = SourceShape::of(spec, &table.source_columns, &shapes(table));
        private.put(&key(job, table), json_bytes(&shape)).await.map_err(private_failed)?;
    }
    Ok(())
}
