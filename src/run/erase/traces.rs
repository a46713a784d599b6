//! Which columns of published tables tell a record.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Marked;
use super::kept::words_of;
use super::snapshots::Found;
use crate::config::pipeline::{Pipeline, shown_name};
use crate::contract::{Contract, Geometry};
use crate::engine::lineage::{How, Lineage, TableLineage};
use crate::normalise::erase::mark;
use crate::publish::erase::{Group, Test, Traces};
use crate::run::Job;
use crate::secret::Secret;

/// What tells the rows of a record in the releases, and published tables that read its table without telling.
pub(super) fn traces(job: Job<'_>, marked: &[Marked], found: &[Found]) -> (Traces, Vec<String>) {
    let mut traces = Traces::default();
    let mut unsure = BTreeSet::new();
    for name in &job.pipeline.published {
        let groups = traces.tables.entry(name.to_string()).or_default();
        for marked in marked {
            let texts = texts(marked, found);
            if *name == marked.table {
                groups.push(group(&job.project.key, marked, &texts, &marked.columns));
                continue;
            }
            let Some(lineage) = job.plan.lineage(name.as_str()) else { continue };
            let bearers: Vec<Vec<String>> =
                marked.columns.iter().map(|column| bearers(lineage, marked, column)).collect();
            match bearers.as_slice() {
                // Each column that bears the key tells the record by itself.
                [only] if !only.is_empty() => {
                    groups.extend(
                        only.iter().map(|bearer| group(&job.project.key, marked, &texts, std::slice::from_ref(bearer))),
                    );
                }
                several if several.iter().all(|bearers| !bearers.is_empty()) => {
                    let first: Vec<String> = several.iter().map(|bearers| bearers[0].clone()).collect();
                    groups.push(group(&job.project.key, marked, &texts, &first));
                }
                _ if shows_rows(lineage, marked) => {
                    unsure.insert(name.to_string());
                }
                _ => {}
            }
        }
    }
    traces.others =
        marked.iter().map(|marked| group(&job.project.key, marked, &texts(marked, found), &marked.columns)).collect();
    for contract in contracts(job.pipeline) {
        if let Some(Geometry::Point { longitude, latitude }) = &contract.geometry {
            traces.points.insert(contract.name.to_string(), (longitude.clone(), latitude.clone()));
        }
    }
    (traces, unsure.into_iter().collect())
}

fn contracts(pipeline: &Pipeline) -> impl Iterator<Item = &Contract> {
    let models = pipeline.models.iter().filter_map(|model| model.contract.as_deref());
    models.chain(pipeline.tables.iter().map(|table| table.contract.as_ref()))
}

/// Columns of a published table, in the order of the key columns that they bear.
fn group(key: &Secret, marked: &Marked, words: &Arc<BTreeSet<String>>, columns: &[String]) -> Group {
    let asked = |at: usize| {
        let (key, table, column) = (key.clone(), marked.table.clone(), marked.columns[at].clone());
        let wanted = marked.marks[at].clone();
        Arc::new(move |text: &str| mark(&key, &table, &column, text) == wanted)
    };
    let tests = columns.iter().enumerate().map(|(at, column)| {
        let test: Test = asked(at);
        (column.clone(), test)
    });
    Group { columns: tests.collect(), texts: Arc::clone(words) }
}

/// What tells the record from one of another table with the same key; empty when there is none.
fn texts(marked: &Marked, found: &[Found]) -> Arc<BTreeSet<String>> {
    let own = found.iter().filter(|found| marked.rival && found.table.name == marked.table);
    Arc::new(own.flat_map(|found| words_of(found, &marked.columns)).collect())
}

/// Whether an origin is a table that holds the record.
fn is_of(table: &str, marked: &Marked) -> bool {
    table == marked.table.as_str() || table == shown_name(&marked.table)
}

/// Columns of a published table whose values are those of a key column, or made of them one by one.
fn bearers(lineage: &TableLineage, marked: &Marked, key: &str) -> Vec<String> {
    let bears = |column: &&Lineage| {
        column
            .origins
            .iter()
            .any(|origin| is_of(&origin.table, marked) && origin.column == key && origin.how == How::Raw)
    };
    lineage.columns.iter().filter(bears).map(|column| column.name.clone()).collect()
}

/// Whether a table shows values of single rows: some of its columns are theirs, and none is a sum over them.
fn shows_rows(lineage: &TableLineage, marked: &Marked) -> bool {
    let of = |column: &Lineage, single: bool| {
        let how = |how: &How| if single { *how == How::Raw } else { matches!(how, How::Aggregated(_)) };
        column.origins.iter().any(|origin| is_of(&origin.table, marked) && how(&origin.how))
    };
    lineage.columns.iter().any(|column| of(column, true)) && !lineage.columns.iter().any(|column| of(column, false))
}
