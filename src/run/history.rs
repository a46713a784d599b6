//! What runs did, read back from their records: as they were kept, and as tables for SQL.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use crate::id::RunId;
use crate::store::{Store, StoreError, StoreFolder, StoreKey};

/// Records read at the same time.
const PARALLEL_READS: usize = 16;

/// A table of run history.
#[derive(Debug, Clone)]
pub struct HistoryTable {
    /// Its name in SQL.
    pub name: &'static str,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub rows: Option<RecordBatch>,
}

/// The runs that have a record, newest first.
pub async fn runs(private: &Store) -> Result<Vec<RunId>, StoreError> {
    let listed = private.list(&StoreFolder::Runs).await?;
    let record = |path: &str| path.strip_prefix("runs/")?.strip_suffix("/record.json")?.parse().ok();
    let mut runs: Vec<RunId> = listed.iter().filter_map(|(path, _)| record(path)).collect();
    runs.sort_unstable_by(|a, b| b.cmp(a));
    Ok(runs)
}

/// The record of a run as it was kept; none when there is none that can be read.
pub async fn record(private: &Store, run: &RunId) -> Result<Option<Value>, StoreError> {
    let bytes = private.get(&StoreKey::RunRecord { run: run.clone() }).await?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// The records of runs, in their order; those that cannot be read are left out.
pub async fn records(private: &Store, runs: &[RunId]) -> Result<Vec<Value>, StoreError> {
    let reads = runs.iter().map(|run| record(private, run));
    let records: Vec<Option<Value>> = futures::stream::iter(reads).buffered(PARALLEL_READS).try_collect().await?;
    Ok(records.into_iter().flatten().collect())
}

/// The tables of run history: `runs`, `run_steps`, `run_sources`, `run_transfers`, `run_tables`, `run_reasons`, `run_bounds`.
pub fn tables(records: &[Value]) -> Result<Vec<HistoryTable>, ArrowError> {
    let text = DataType::Utf8;
    let time = DataType::Timestamp(TimeUnit::Second, Some("UTC".into()));
    let (whole, real, flag) = (DataType::Int64, DataType::Float64, DataType::Boolean);
    let of_each = |list: &str| below(records, list);
    Ok(vec![
        table(
            "runs",
            &[
                ("run", &text),
                ("pipeline", &text),
                ("started_at", &time),
                ("slot", &time),
                ("host", &text),
                ("duration_ms", &real),
                ("outcome", &text),
                ("release", &text),
                ("code", &text),
                ("source", &text),
                ("error", &text),
                ("checks", &whole),
                ("files", &whole),
                ("bytes", &whole),
                ("synthetic", &flag),
            ],
            &records.iter().map(head).collect::<Vec<_>>(),
        )?,
        table(
            "run_steps",
            &[
                ("run", &text),
                ("step", &text),
                ("duration_ms", &real),
                ("cpu_ms", &real),
                ("rows", &whole),
                ("bytes", &whole),
                ("peak_memory_bytes", &whole),
            ],
            &of_each("steps"),
        )?,
        table(
            "run_sources",
            &[
                ("run", &text),
                ("source", &text),
                ("snapshot", &whole),
                ("new", &flag),
                ("bytes", &whole),
                ("fetched_at", &time),
                ("held_back", &text),
            ],
            &of_each("sources"),
        )?,
        table(
            "run_transfers",
            &[
                ("run", &text),
                ("source", &text),
                ("part", &text),
                ("url", &text),
                ("status", &whole),
                ("bytes", &whole),
                ("attempts", &whole),
                ("duration_ms", &whole),
            ],
            &transfers(records),
        )?,
        table(
            "run_tables",
            &[("run", &text), ("table", &text), ("read", &whole), ("kept", &whole), ("ignored", &whole)],
            &of_each("tables"),
        )?,
        table(
            "run_reasons",
            &[("run", &text), ("table", &text), ("list", &text), ("reason", &text), ("rows", &whole)],
            &reasons(records),
        )?,
        table("run_bounds", &[("run", &text), ("id", &text), ("verdict", &text), ("said", &text)], &of_each("bounds"))?,
    ])
}

fn table(name: &'static str, columns: &[(&str, &DataType)], rows: &[Value]) -> Result<HistoryTable, ArrowError> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, kind)| Field::new(*name, DataType::clone(kind), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut decoder = ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(rows.len().max(1)).build_decoder()?;
    decoder.serialize(rows)?;
    let rows = decoder.flush()?;
    Ok(HistoryTable { name, schema, rows })
}

/// What a record says of the run as a whole.
fn head(record: &Value) -> Value {
    let mut head = record.clone();
    let error = record["error"].as_array();
    let lines = error.map(|lines| lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(": "));
    if let Some(head) = head.as_object_mut() {
        head.insert("error".to_owned(), json!(lines));
    }
    head
}

/// The members of a list of each record, with the run.
fn below(records: &[Value], list: &str) -> Vec<Value> {
    let members = records.iter().flat_map(|record| {
        let members = record[list].as_array().map(Vec::as_slice).unwrap_or_default();
        members.iter().map(|member| {
            let mut member = member.clone();
            if let Some(member) = member.as_object_mut() {
                member.insert("run".to_owned(), record["run"].clone());
            }
            member
        })
    });
    members.collect()
}

/// How the parts of sources came.
fn transfers(records: &[Value]) -> Vec<Value> {
    let mut rows = Vec::new();
    for source in below(records, "sources") {
        for transfer in source["transfers"].as_array().into_iter().flatten() {
            let mut row = transfer.clone();
            if let Some(row) = row.as_object_mut() {
                row.insert("run".to_owned(), source["run"].clone());
                row.insert("source".to_owned(), source["source"].clone());
            }
            rows.push(row);
        }
    }
    rows
}

/// How many rows and cells were rejected, unfit or corrected, and why.
fn reasons(records: &[Value]) -> Vec<Value> {
    let mut rows = Vec::new();
    for table in below(records, "tables") {
        for list in ["rejects", "unfit", "corrections", "placed"] {
            for (reason, count) in table[list].as_object().into_iter().flatten() {
                rows.push(json!({
                    "run": table["run"], "table": table["table"], "list": list, "reason": reason, "rows": count,
                }));
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray as _;
    use arrow::datatypes::{Int64Type, TimestampSecondType};

    use super::*;

    #[test]
    fn records_become_tables_with_their_reasons() {
        let records = [json!({
            "run": "20261123T013000Z-0a1b2c3d", "pipeline": "lieux", "started_at": "2026-11-23T01:30:00Z", "slot": null,
            "duration_ms": 12.5, "outcome": "failed", "code": "source_rows", "error": ["first", "second"],
            "steps": [{"step": "read", "duration_ms": 3.0}], "sources": [], "bounds": [],
            "tables": [{"table": "lieux", "read": 10, "kept": 8, "ignored": 0, "rejects": {"doublon": 2}, "unfit": {}}],
        })];
        let tables = tables(&records).unwrap();
        let rows = |name: &str| tables.iter().find(|table| table.name == name).unwrap().rows.clone();
        let runs = rows("runs").unwrap();
        assert_eq!(runs.column_by_name("error").unwrap().as_string::<i32>().value(0), "first: second");
        let started = runs.column_by_name("started_at").unwrap().as_primitive::<TimestampSecondType>().value(0);
        assert_eq!(started, 1_795_397_400);
        let reasons = rows("run_reasons").unwrap();
        assert_eq!(reasons.num_rows(), 1);
        assert_eq!(reasons.column_by_name("rows").unwrap().as_primitive::<Int64Type>().value(0), 2);
        assert!(rows("run_sources").is_none(), "a table without rows has its columns");
    }
}
