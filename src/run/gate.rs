//! The gate of a release: its tables against those of the release before.

use std::path::Path;

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::assemble::{Assembled, Table};
use super::error::RunError;
use super::scratch;
use crate::config::pipeline::table_gate;
use crate::contract::Contract;
use crate::publish::PublishError;
use crate::publish::changes::fetch_file;
use crate::publish::commit::Previous;
use crate::quality::gate::{Acceptance, Bound, TableShape, table_bounds};
use crate::release::{ContractChange, Manifest, TableRecord, contract_changes, version_asked};
use crate::store::Store;

/// All bounds of a candidate against the release before.
pub(super) async fn bounds(
    assembled: &Assembled<'_>,
    store: &Store,
    previous: Option<&Previous>,
) -> Result<Vec<Bound>, PublishError> {
    let pipeline = assembled.job.pipeline;
    let mut bounds = assembled.source_bounds.clone();
    for table in &assembled.tables {
        let name = &table.contract.name;
        let before = previous.and_then(|previous| record(&previous.manifest, name.as_str()).zip(Some(previous)));
        let lost = match before {
            Some((record, previous)) => lost_keys(assembled, table, record, store, previous).await?,
            None => None,
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

/// How many keys of the release before are gone; nothing is known where keys cannot be compared.
async fn lost_keys(
    assembled: &Assembled<'_>,
    table: &Table<'_>,
    before: &TableRecord,
    store: &Store,
    previous: &Previous,
) -> Result<Option<u64>, PublishError> {
    let name = &table.contract.name;
    let key = &before.key;
    if key.is_empty() || *key != table.contract.primary_key {
        return Ok(None);
    }
    let csv = format!("{name}.csv");
    let digest =
        |files: &[crate::release::FileRecord]| files.iter().find(|file| file.path == csv).map(|file| file.sha256);
    if digest(&previous.manifest.files).is_some_and(|before| Some(before) == digest(&assembled.data)) {
        return Ok(Some(0));
    }
    let path = format!("{name}.parquet");
    let folder = assembled.folder.join("previous");
    std::fs::create_dir_all(&folder).map_err(|source| PublishError::Local { path: folder.clone(), source })?;
    if !fetch_file(store, &previous.manifest, &path, &folder).await? {
        return Ok(None);
    }
    let (old, new, key) = (folder.join(&path), assembled.folder.join(&path), key.clone());
    let counted = tokio::task::spawn_blocking(move || lost(&old, &new, &key)).await;
    match counted {
        Ok(Ok(lost)) => Ok(lost),
        Ok(Err(source)) => Err(PublishError::Compare { table: name.clone(), source: Box::new(source) }),
        Err(panic) => Err(PublishError::Compare { table: name.clone(), source: Box::new(panic) }),
    }
}

/// The keys of a published table, in their order.
struct Keys {
    reader: ParquetRecordBatchReader,
    converter: RowConverter,
    order: Vec<String>,
    rows: Option<Rows>,
    at: usize,
}

impl Keys {
    fn open(path: &Path, key: &[String]) -> Result<Self, RunError> {
        let schema = scratch::schema(path)?;
        let fields = key.iter().filter_map(|name| schema.field_with_name(name).ok());
        let fields = fields.map(|field| SortField::new(field.data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(|source| unreadable(path, source))?;
        let reader = scratch::read(path, Some(key))?;
        Ok(Self { reader, converter, order: key.to_vec(), rows: None, at: 0 })
    }

    fn next(&mut self) -> Result<Option<OwnedRow>, ArrowError> {
        loop {
            if let Some(rows) = self.rows.as_ref().filter(|rows| self.at < rows.num_rows()) {
                self.at += 1;
                return Ok(Some(rows.row(self.at - 1).owned()));
            }
            let Some(batch) = self.reader.next().transpose()? else { return Ok(None) };
            let columns = self.order.iter().filter_map(|name| batch.column_by_name(name));
            let columns: Vec<ArrayRef> = columns.map(ArrayRef::clone).collect();
            (self.rows, self.at) = (Some(self.converter.convert_columns(&columns)?), 0);
        }
    }
}

fn unreadable(path: &Path, source: ArrowError) -> RunError {
    RunError::Scratch { path: path.to_owned(), source: Box::new(source) }
}

/// Keys of one table that another has not, both in the order of their keys; none when their types differ.
fn lost(before: &Path, now: &Path, key: &[String]) -> Result<Option<u64>, RunError> {
    let types = |path: &Path| -> Result<Vec<_>, RunError> {
        let schema = scratch::schema(path)?;
        Ok(key.iter().map(|name| schema.field_with_name(name).ok().map(|field| field.data_type().clone())).collect())
    };
    let (old, new) = (types(before)?, types(now)?);
    if old != new || old.contains(&None) {
        return Ok(None);
    }
    let (mut old, mut new) = (Keys::open(before, key)?, Keys::open(now, key)?);
    let failed = |source| unreadable(before, source);
    let mut lost = 0;
    let mut ahead = new.next().map_err(failed)?;
    while let Some(wanted) = old.next().map_err(failed)? {
        while ahead.as_ref().is_some_and(|row| *row < wanted) {
            ahead = new.next().map_err(failed)?;
        }
        lost += u64::from(ahead.as_ref() != Some(&wanted));
    }
    Ok(Some(lost))
}
