//! Finding a record in snapshots, and cutting it out of them.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use bytes::Bytes;

use super::Marked;
use crate::config::pipeline::{Secret, TableSpec};
use crate::id::Digest;
use crate::normalise::NormaliseError;
use crate::normalise::erase::{Erased, Hit, cut, find};
use crate::run::assemble::keyed;
use crate::run::geocode;
use crate::run::stage::Parts;
use crate::run::{Job, RunError, private_failed};
use crate::source::{self, Snapshot, SnapshotPart, open_part};
use crate::store::{Store, StoreKey};

/// Rows of a record in a snapshot.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The table that reads them.
    pub(super) table: TableSpec,
    /// Number of the snapshot.
    pub(super) number: u64,
    /// The rows.
    pub(super) hits: Vec<Hit>,
}

/// Parts that are others now; none for one that is gone.
type Changed = BTreeMap<String, Option<Bytes>>;

/// Tables that hold the record, as the project declares them now.
fn erased<'a>(job: Job<'a>, marked: &[Marked]) -> Vec<(&'a TableSpec, Erased)> {
    let key: &Secret = &job.project.key;
    let spec = |marked: &Marked| {
        let spec = job.pipeline.tables.iter().find(|table| table.name == marked.table)?;
        Some((spec, marked.erased(spec, key)?))
    };
    marked.iter().filter_map(spec).collect()
}

/// Looks for a record in all snapshots.
pub(super) async fn scan(job: Job<'_>, private: &Store, marked: &[Marked]) -> Result<Vec<Found>, RunError> {
    let mut found = Vec::new();
    for (table, erased) in erased(job, marked) {
        for snapshot in all(private, table).await? {
            let (hits, _) = look(private, &snapshot, &erased, &Changed::new()).await?;
            if !hits.is_empty() {
                found.push(Found { table: table.clone(), number: snapshot.number, hits });
            }
        }
    }
    Ok(found)
}

async fn all(private: &Store, table: &TableSpec) -> Result<Vec<Snapshot>, RunError> {
    source::all(private, &table.source).await.map_err(failed(table))
}

fn failed(table: &TableSpec) -> impl Fn(source::SourceError) -> RunError + '_ {
    |source| RunError::Source { id: table.source.clone(), source: Box::new(source) }
}

/// Rows of a record in a snapshot, and how many rows there are. Parts that have expired hold none.
async fn look(
    private: &Store,
    snapshot: &Snapshot,
    erased: &Erased,
    changed: &Changed,
) -> Result<(Vec<Hit>, u64), RunError> {
    let table = erased.table();
    let mut parts: Parts = Vec::new();
    for part in &snapshot.parts {
        if let Some(changed) = changed.get(&part.name) {
            let bytes = changed.clone().map(|bytes| (part.name.clone(), Box::new(Cursor::new(bytes)) as Box<_>));
            parts.extend(bytes);
        } else if private.exists(&snapshot.key_of(part)).await.map_err(private_failed)? {
            let reader = open_part(private, snapshot, &part.name).await.map_err(failed(table))?;
            parts.push((part.name.clone(), Box::new(reader)));
        }
    }
    let (name, erased) = (table.name.clone(), erased.clone());
    let looked = tokio::task::spawn_blocking(move || find(&erased, parts)).await;
    match looked.map_err(|_panic| RunError::Stopped { table: name.clone() })? {
        Ok(found) => Ok(found),
        Err(NormaliseError::MissingPart { .. }) => Ok((Vec::new(), 0)),
        Err(source) => Err(RunError::Normalise { table: name, source: Box::new(source) }),
    }
}

/// Cuts a record out of all snapshots. Gives how many lost it, and the parts that went as a whole.
pub(super) async fn cut_all(job: Job<'_>, private: &Store, marked: &[Marked]) -> Result<(u64, Vec<String>), RunError> {
    let (mut count, mut dropped) = (0, Vec::new());
    let tables = erased(job, marked);
    let Some((first, _)) = tables.first() else { return Ok((0, dropped)) };
    for snapshot in all(private, first).await? {
        let mut changed = Changed::new();
        for (table, erased) in &tables {
            cut_one(private, &snapshot, table, erased, &mut changed).await?;
        }
        if changed.is_empty() {
            continue;
        }
        count += 1;
        let mut parts = snapshot.parts.clone();
        for part in &mut parts {
            match changed.remove(&part.name) {
                Some(Some(bytes)) => store_part(private, first, part, bytes).await?,
                Some(None) => dropped.push(format!("{} {}: {}", snapshot.source, snapshot.number, part.name)),
                None => {}
            }
        }
        let cited = keyed(job, "snapshot", &snapshot.digest.to_string());
        source::replace(private, &snapshot, parts, cited).await.map_err(failed(first))?;
        for name in snapshot.parts.iter().filter(|part| is_gone(&dropped, &snapshot, part)) {
            private.delete(&snapshot.key_of(name)).await.map_err(private_failed)?;
        }
    }
    source::drop_unreferenced(private, &first.source).await.map_err(failed(first))?;
    let specs: Vec<&TableSpec> = tables.iter().map(|(table, _)| *table).collect();
    geocode::forget(job, private, &specs).await?;
    Ok((count, dropped))
}

fn is_gone(dropped: &[String], snapshot: &Snapshot, part: &SnapshotPart) -> bool {
    dropped.contains(&format!("{} {}: {}", snapshot.source, snapshot.number, part.name))
}

async fn store_part(private: &Store, table: &TableSpec, part: &mut SnapshotPart, bytes: Bytes) -> Result<(), RunError> {
    (part.digest, part.bytes) = (Digest::of(&bytes), bytes.len() as u64);
    let key = StoreKey::SnapshotPart { source: table.source.clone(), digest: part.digest };
    private.put(&key, bytes).await.map_err(private_failed)?;
    private.sync(&[key]).await.map_err(private_failed)
}

/// Cuts the rows that a table reads. A part that cannot be cut, or that still shows the record, goes as a whole.
async fn cut_one(
    private: &Store,
    snapshot: &Snapshot,
    table: &TableSpec,
    erased: &Erased,
    changed: &mut Changed,
) -> Result<(), RunError> {
    let (hits, rows) = look(private, snapshot, erased, changed).await?;
    let mut by_part: BTreeMap<String, Vec<Hit>> = BTreeMap::new();
    for hit in &hits {
        let part = hit.part.split('!').next().unwrap_or(&hit.part).to_owned();
        by_part.entry(part).or_default().push(hit.clone());
    }
    for (part, hits) in &by_part {
        let bytes = match changed.get(part) {
            Some(Some(bytes)) => bytes.to_vec(),
            Some(None) => continue,
            None => {
                let mut bytes = Vec::new();
                let mut reader = open_part(private, snapshot, part).await.map_err(failed(table))?;
                reader
                    .read_to_end(&mut bytes)
                    .map_err(|source| RunError::Scratch { path: part.into(), source: Box::new(source) })?;
                bytes
            }
        };
        changed.insert(part.clone(), cut(&table.reader, &bytes, hits).map(Bytes::from));
    }
    if by_part.is_empty() {
        return Ok(());
    }
    let whole = by_part.keys().all(|part| changed.get(part).is_some_and(Option::is_some));
    let clean = match look(private, snapshot, erased, changed).await {
        Ok((left, after)) => left.is_empty() && (!whole || after + hits.len() as u64 == rows),
        Err(_) => false,
    };
    if !clean {
        changed.extend(by_part.into_keys().map(|part| (part, None)));
    }
    Ok(())
}
