//! Checks of whole tables: those that follow from contracts, and those that the pipeline declares. Each is a SELECT of
//! the rows that fail; the first of them are kept beside the run's record.

use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::{cast, sum};
use arrow::datatypes::{DataType, Int64Type};
use bytes::Bytes;

use super::build::{Builder, nullable};
use super::cells::text_of;
use super::error::RunError;
use super::{Job, RunOptions, private_failed, store};
use crate::config::pipeline::Check;
use crate::contract::{Contract, Visibility};
use crate::diagnostic::SourceFile;
use crate::engine::{Held, RowOrder, SinkError};
use crate::id::{RunId, TableName};
use crate::quality::Outcome;
use crate::quality::derived::{Derived, ROWS, derived};
use crate::store::StoreKey;

/// Failing rows that are kept.
const KEPT: usize = 20;

/// Rows that fail.
struct Failing {
    rows: u64,
    first: Vec<RecordBatch>,
}

/// Runs all checks of whole tables.
pub(super) async fn run(
    job: Job<'_>,
    options: &RunOptions,
    builder: &Builder<'_>,
    published: &[&Contract],
    run: &RunId,
) -> Result<Vec<Outcome>, RunError> {
    let mut outcomes = Vec::new();
    for check in published.iter().flat_map(|contract| derived(contract)) {
        let sql = SourceFile::new(format!("{}.sql", check.table), check.sql.as_str());
        let failing = failing(builder, &check.table, &sql, true).await?;
        let mut outcome = Outcome::blocking(&check.id, check.table.as_str(), Vec::new());
        outcome.failing_rows = failing.rows;
        outcome.file = keep(job, options, run, &file_name(&check), &failing.first, &check.table).await?;
        outcomes.push(outcome);
    }
    for check in &job.pipeline.checks {
        let failing = failing(builder, &check.name, &check.sql, false).await?;
        outcomes.push(Outcome {
            id: check.name.to_string(),
            table: tables(job, check),
            severity: check.severity,
            failing_rows: failing.rows,
            sample: Vec::new(),
            because: check.because.clone(),
            file: keep(job, options, run, check.name.as_str(), &failing.first, &check.name).await?,
            withheld: tells_of_respondents(job, check),
        });
    }
    Ok(outcomes)
}

fn file_name(check: &Derived) -> String {
    format!("{}.{}", check.table, check.id.replace(':', ".").replace('+', "-"))
}

/// Names of the tables that a check reads, models followed down to what they are made from.
fn tables(job: Job<'_>, check: &Check) -> String {
    let lineage = job.plan.check(check.name.as_str());
    lineage.map_or_else(String::new, |lineage| lineage.tables.iter().cloned().collect::<Vec<_>>().join(", "))
}

/// Whether the number of rows that fail is one about answers, or about anything that is not public.
fn tells_of_respondents(job: Job<'_>, check: &Check) -> bool {
    let Some(lineage) = job.plan.check(check.name.as_str()) else { return true };
    let survey = job.pipeline.questionnaire.as_ref().map(|questionnaire| questionnaire.table.as_str());
    let crossed = |table: &str| job.pipeline.survey_crosstabs().any(|crosstab| crosstab.name.as_str() == table);
    let counted =
        |table: &String| table.starts_with("indicateurs") || Some(table.as_str()) == survey || crossed(table.as_str());
    let hidden = |table: &str, column: &str| {
        let spec = job.pipeline.tables.iter().find(|spec| spec.name.as_str() == table);
        let column = spec.and_then(|spec| spec.contract.column(column));
        column.is_some_and(|column| column.visibility != Visibility::Public)
    };
    let mut origins = lineage.columns.iter().flat_map(|column| &column.origins);
    lineage.tables.iter().any(counted) || origins.any(|origin| hidden(&origin.table, &origin.column))
}

/// Counts the rows of a SELECT, in memory that does not grow with them, and keeps the first in the order of their values.
async fn failing(
    builder: &Builder<'_>,
    name: &TableName,
    sql: &Arc<SourceFile>,
    weighted: bool,
) -> Result<Failing, RunError> {
    let plan = |problems| RunError::Plan { table: name.clone(), problems };
    let planned = builder.engine.plan(sql).map_err(plan)?;
    let mut failing = Failing { rows: 0, first: Vec::new() };
    let mut kept = 0;
    let mut sink = |batch: RecordBatch| -> Result<(), SinkError> {
        failing.rows += if weighted { weight(&batch)? } else { batch.num_rows() as u64 };
        if kept < KEPT {
            let batch = batch.slice(0, batch.num_rows().min(KEPT - kept));
            kept += batch.num_rows();
            failing.first.push(batch);
        }
        Ok(())
    };
    let (target, order) = (nullable(&planned.schema), RowOrder::default());
    let executed = builder.engine.execute(&planned, &target, &order, Held::Plain, &mut sink).await;
    executed.map_err(|source| RunError::Engine { table: name.clone(), source: Box::new(source) })?;
    Ok(failing)
}

/// Rows behind failing values.
fn weight(batch: &RecordBatch) -> Result<u64, SinkError> {
    let rows = batch.column_by_name(ROWS).map(|rows| cast(rows, &DataType::Int64)).transpose()?;
    let rows = rows.and_then(|rows| sum(rows.as_primitive::<Int64Type>())).unwrap_or_default();
    Ok(u64::try_from(rows)?)
}

/// Keeps failing rows as a CSV in the private store; gives its name.
async fn keep(
    job: Job<'_>,
    options: &RunOptions,
    run: &RunId,
    name: &str,
    rows: &[RecordBatch],
    table: &TableName,
) -> Result<Option<String>, RunError> {
    if rows.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(None);
    }
    let csv = csv(rows).map_err(|source| RunError::Sample { table: table.clone(), source })?;
    let file = format!("checks/{name}.csv");
    let key = StoreKey::RunFile { run: run.clone(), name: file.clone() };
    store(job, "private", options)?.put(&key, Bytes::from(csv)).await.map_err(private_failed)?;
    Ok(Some(file))
}

fn csv(rows: &[RecordBatch]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (at, batch) in rows.iter().enumerate() {
        if at == 0 {
            writer.write_record(batch.schema().fields().iter().map(|field| field.name().as_bytes()))?;
        }
        for row in 0..batch.num_rows() {
            let cells: Vec<String> =
                batch.columns().iter().map(|column| text_of(column, row)).collect::<Result<_, _>>()?;
            writer.write_record(&cells)?;
        }
    }
    Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
}
