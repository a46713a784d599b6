//! Whether the sources still have the columns that the tables read.

use tracing::warn;

use super::error::{Drifted, RunError};
use super::stage::Staged;
use super::{Job, Progress, private_failed};
use crate::config::pipeline::Drift;
use crate::publish::commit::json_bytes;
use crate::quality::drift::{Change, changes};
use crate::store::{Store, StoreKey};

fn key(job: Job<'_>, table: &Staged) -> StoreKey {
    StoreKey::SourceColumns { dataset: job.pipeline.id.clone(), table: table.name.clone() }
}

/// Compares the columns of each table's source with those that were kept. Stops the run where the table says so.
pub(super) async fn compare(
    job: Job<'_>,
    private: &Store,
    staged: &[Staged],
    progress: &mut Progress<'_>,
) -> Result<(), RunError> {
    for (at, (spec, table)) in job.pipeline.tables.iter().zip(staged).enumerate() {
        let kept = private.get(&key(job, table)).await.map_err(private_failed)?;
        let before: Option<Vec<String>> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(before) = before else { continue };
        let found = changes(&before, &table.source_columns, spec);
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

/// Keeps the columns of a run that was not stopped.
pub(super) async fn keep(job: Job<'_>, private: &Store, staged: &[Staged]) -> Result<(), RunError> {
    for table in staged {
        private.put(&key(job, table), json_bytes(&table.source_columns)).await.map_err(private_failed)?;
    }
    Ok(())
}
