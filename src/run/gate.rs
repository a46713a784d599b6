//! The gate of a release: its tables against those of the release before.

use super::assemble::{Assembled, Table};
use crate::config::pipeline::table_gate;
use crate::contract::Contract;
use crate::id::ReleaseId;
use crate::publish::PublishError;
use crate::publish::changes::{fetch_file, keys_gone};
use crate::publish::commit::Previous;
use crate::quality::gate::{Acceptance, Bound, TableShape, table_bounds};
use crate::release::diff::shape as shape_of;
use crate::release::{ContractChange, Manifest, ReleaseState, TableRecord, contract_changes, version_asked};
use crate::store::Store;

/// All bounds of a candidate against the release before, and against withdrawn ones that said the same.
pub(super) async fn bounds(
    assembled: &Assembled<'_>,
    store: &Store,
    previous: Option<&Previous>,
    taken_back: &[ReleaseState<'_>],
) -> Result<Vec<Bound>, PublishError> {
    let pipeline = assembled.job.pipeline;
    let mut bounds = assembled.source_bounds.clone();
    bounds.extend(taken_back.iter().filter_map(said_before));
    for table in &assembled.tables {
        let name = &table.contract.name;
        let before = previous.and_then(|previous| record(&previous.manifest, name.as_str()).zip(Some(previous)));
        let lost = match before {
            Some((record, previous)) => lost_keys(assembled, table, record, store, previous).await?,
            None => Lost::NoMatter,
        };
        if let (Lost::Unreadable, Some((_, previous))) = (&lost, before) {
            bounds.push(unreadable(name.as_str(), &previous.release));
        }
        let lost = match lost {
            Lost::Keys(lost) => Some(lost),
            Lost::NoMatter | Lost::Unreadable => None,
        };
        let shape = before.map(|(record, _)| shape(record, table.contract));
        let now = now(table);
        let mut of_table = table_bounds(name.as_str(), &table_gate(pipeline, name), shape.as_ref(), &now, lost);
        given_up(assembled).apply(&mut of_table);
        bounds.extend(of_table);
    }
    if let Some(previous) = previous {
        bounds.extend(contract_bounds(assembled, &previous.manifest));
    }
    assembled.acceptance.apply(&mut bounds);
    Ok(bounds)
}

/// What somebody took back is not said again by itself.
fn said_before(state: &ReleaseState<'_>) -> Option<Bound> {
    let (release, entry) = (state.release()?, state.withdrawn?);
    let reason = entry.reason.as_deref().unwrap_or("no reason given");
    let said = format!(
        "the sources and the project make release {release} again, which was withdrawn on {}: {reason}",
        entry.at
    );
    Some(Bound::broken(format!("withdrawn:{release}"), said))
}

/// Nobody knows which keys are gone.
fn unreadable(table: &str, release: &ReleaseId) -> Bound {
    let said = format!(
        "{table}.parquet of release {release} is missing or damaged, so that nobody knows which keys of table `{table}` \
         are gone; `essaim releases verify` tells more"
    );
    Bound::broken(format!("lost_keys:{table}"), said)
}

/// A table that goes on without a column of its source has it empty, and its pipeline says so.
fn given_up(assembled: &Assembled<'_>) -> Acceptance {
    let tables = assembled.tables.iter().map(|table| table.contract.name.as_str());
    let bound = |table: &str| assembled.given_up.iter().map(|column| format!("empty:{table}.{column}")).collect();
    Acceptance {
        bounds: tables.flat_map(|table| -> Vec<String> { bound(table) }).collect(),
        because: "drift = \"nulls\" or \"accept\"".to_owned(),
    }
}

fn record<'a>(manifest: &'a Manifest, table: &str) -> Option<&'a TableRecord> {
    manifest.tables.iter().find(|record| record.name == table)
}

/// Whether empty cells of a column count: a number that is withheld is none that is missing.
fn counts(contract: &Contract, column: &str) -> bool {
    !contract.cell.as_ref().is_some_and(|cell| cell.hides.iter().any(|hidden| hidden == column))
}

fn shape(record: &TableRecord, contract: &Contract) -> TableShape {
    let counted = record.columns.iter().filter(|column| counts(contract, &column.name));
    TableShape {
        rows: record.rows,
        empty: counted.filter_map(|column| Some((column.name.clone(), column.empty?))).collect(),
    }
}

fn now(table: &Table<'_>) -> TableShape {
    let counted = table.empty.iter().filter(|(column, _)| counts(table.contract, column));
    TableShape { rows: table.rows, empty: counted.map(|(column, empty)| (column.clone(), *empty)).collect() }
}

/// What changed in the published contract since the release before.
pub(super) fn changes(assembled: &Assembled<'_>, before: &Manifest) -> Vec<ContractChange> {
    contract_changes(&before.tables, &assembled.table_records())
}

/// A change of the contract without the version that it asks for breaks a bound of its table.
fn contract_bounds(assembled: &Assembled<'_>, before: &Manifest) -> Vec<Bound> {
    let pipeline = assembled.job.pipeline;
    let Ok(version) = before.version.parse::<semver::Version>() else { return Vec::new() };
    let changes = changes(assembled, before);
    let asked = version_asked(&version, &changes);
    if pipeline.version >= asked {
        return Vec::new();
    }
    let file = &pipeline.file.path;
    if changes.is_empty() {
        let said = format!("version {} follows {version}; write version = \"{version}\" in {file}", pipeline.version);
        return vec![Bound::broken("contract_version".to_owned(), said)];
    }
    let mut tables: Vec<&str> = changes.iter().map(|change| change.table.as_str()).collect();
    tables.dedup();
    let bound = |table: &str| {
        let of_table = changes.iter().filter(|change| change.table == table);
        let listed: Vec<String> = of_table.map(ToString::to_string).collect();
        let said = format!("{}; write version = \"{asked}\" in {file} if this is meant", listed.join("; "));
        Bound::broken(format!("contract:{table}"), said)
    };
    tables.into_iter().map(bound).collect()
}

/// What is known of the keys of the release before.
enum Lost {
    /// So many of them are gone.
    Keys(u64),
    /// Nothing is to be said: the table has no key, or another one, which is a matter of the contract.
    NoMatter,
    /// They cannot be read.
    Unreadable,
}

/// How many keys of the release before are gone.
async fn lost_keys(
    assembled: &Assembled<'_>,
    table: &Table<'_>,
    before: &TableRecord,
    store: &Store,
    previous: &Previous,
) -> Result<Lost, PublishError> {
    let name = &table.contract.name;
    let csv = format!("{name}.csv");
    let digest =
        |files: &[crate::release::FileRecord]| files.iter().find(|file| file.path == csv).map(|file| file.sha256);
    if digest(&previous.manifest.files).is_some_and(|before| Some(before) == digest(&assembled.data)) {
        return Ok(if before.key.is_empty() { Lost::NoMatter } else { Lost::Keys(0) });
    }
    let now = assembled.table_records().into_iter().find(|now| now.name == before.name);
    let Some(Ok(shape)) = now.map(|now| shape_of(before, &now).1) else { return Ok(Lost::NoMatter) };
    let path = format!("{name}.parquet");
    let folder = assembled.before(&previous.release)?;
    if !fetch_file(store, &previous.manifest, &path, &folder).await? {
        return Ok(Lost::Unreadable);
    }
    let files = [folder.join(&path), assembled.folder.join(&path)];
    let counted = tokio::task::spawn_blocking(move || keys_gone(&files, &shape.key)).await;
    let failed = |source| PublishError::Compare { table: name.clone(), source };
    match counted {
        Ok(Ok(lost)) => Ok(Lost::Keys(lost)),
        Ok(Err(source)) => Err(failed(Box::new(source))),
        Err(panic) => Err(failed(Box::new(panic))),
    }
}
