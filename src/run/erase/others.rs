//! Other pipelines of the project that read the source of an erased record: they hold it as well.

use std::collections::BTreeSet;
use std::path::Path;

use super::snapshots::scan;
use super::{
    Demanded, Marked, Planned, Stored, again, demands, holder, is_released, key_of, marked as marked_by, planned,
};
use crate::config::pipeline::{Pipeline, TableSpec};
use crate::id::{DatasetId, SourceId};
use crate::publish::withdraw::Stores;
use crate::run::{Job, RunError, RunOptions};
use crate::store::Store;

/// What another pipeline has of a record.
pub(super) enum Other<'a> {
    /// It has it.
    Has(Planned<'a>),
    /// It reads the source without the key.
    MayHave,
    /// It has nothing of it.
    HasNot,
}

/// Whether another pipeline holds a record, which `named` has in a table.
pub(super) async fn plan<'a>(
    job: Job<'a>,
    named: (Job<'_>, &TableSpec),
    options: &RunOptions,
    stores: Stores<'_>,
    folder: &Path,
    demanded: &Demanded,
) -> Result<Other<'a>, RunError> {
    let (named, table) = named;
    let (Some(key), Some(read)) = (key_of(table, &demanded.key), source(named.pipeline, &table.source)) else {
        return Ok(Other::HasNot);
    };
    // Snapshots bear the name of their source; the same address under another name is the same source, too.
    let same = job.pipeline.sources.iter().filter(|source| source.id == read.id || source.kind == read.kind);
    let same: BTreeSet<&SourceId> = same.map(|source| &source.id).collect();
    let tables: Vec<&TableSpec> = job.pipeline.tables.iter().filter(|spec| same.contains(&spec.source)).collect();
    let mut marked: Vec<Marked> = tables.iter().filter_map(|spec| holder(job, spec, &key)).collect();
    let Some(first) = marked.first().map(|marked| marked.table.to_string()) else {
        return Ok(if tables.is_empty() { Other::HasNot } else { Other::MayHave });
    };
    let known = demands(stores.private, &job.pipeline.id).await?;
    if let Some((n, demand)) = again(&known, &marked) {
        let before = demand.done.is_some();
        return Ok(Other::Has(Planned { job, table: first, before, demand, n }));
    }
    for spec in job.pipeline.tables.iter().filter(|spec| !same.contains(&spec.source)) {
        // A record of another source with the same key stays: rows must say what the erased one says.
        if let Some(other) = marked_by(job, spec, &demanded.key)
            && !scan(job, stores.private, &other).await?.is_empty()
        {
            for marked in &mut marked {
                marked.rival = true;
            }
        }
    }
    let has =
        !scan(job, stores.private, &marked).await?.is_empty() || is_released(job, stores, folder, &marked).await?;
    let planned = || planned(job, first, options, &demanded.reason, marked);
    Ok(if has { Other::Has(planned()) } else { Other::HasNot })
}

fn source<'a>(pipeline: &'a Pipeline, id: &SourceId) -> Option<&'a crate::config::pipeline::Source> {
    pipeline.sources.iter().find(|source| source.id == *id)
}

/// Sources of the tables of a demand.
fn sources<'a>(pipeline: &'a Pipeline, demand: &Stored) -> BTreeSet<&'a SourceId> {
    let marked = |spec: &&TableSpec| demand.tables.iter().any(|marked| marked.table == spec.name);
    pipeline.tables.iter().filter(marked).map(|spec| &spec.source).collect()
}

/// A pipeline that reads the same snapshots and has a demand that is not yet carried out in its releases.
pub(super) async fn waiting<'a>(
    job: Job<'a>,
    private: &Store,
    demand: &Stored,
) -> Result<Option<&'a DatasetId>, RunError> {
    let own = sources(job.pipeline, demand);
    for other in job.project.pipelines.iter().filter(|other| other.id != job.pipeline.id) {
        let known = demands(private, &other.id).await?;
        let mut undone = known.iter().filter(|(_, demand)| demand.done.is_none() && !demand.rewritten);
        if undone.any(|(_, demand)| !sources(other, demand).is_disjoint(&own)) {
            return Ok(Some(&other.id));
        }
    }
    Ok(None)
}
