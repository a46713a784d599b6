//! Running a model into a table of a given shape.

use arrow::array::ArrayRef;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::{Column, DataFusionError};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, LogicalPlan, SortExpr, cast};
use datafusion::prelude::ident;
use futures::StreamExt as _;
use std::sync::Arc;

use crate::engine::error::SinkError;
use crate::engine::{Engine, EngineError, Planned, statement};

/// Rows of every batch but the last.
pub const BATCH_ROWS: usize = 8192;

/// Takes the batches of a table, one after the other.
pub type Sink<'a> = dyn FnMut(RecordBatch) -> Result<(), SinkError> + Send + 'a;

impl Engine {
    /// Runs a model and hands its rows over; returns their number.
    ///
    /// The model is planned anew over the tables as they are registered now. Its columns are cast to those of `target`,
    /// by name and in `target`'s order; further columns are left out. Rows are ordered by `order_by`, ascending, nulls
    /// first, then by all other columns of `target` in their order: rows that are still equal are the same in
    /// everything, so the order is total. Batches have exactly [`BATCH_ROWS`] rows but for the last. So the same
    /// tables give the same batches, whatever the number of threads.
    pub async fn execute(
        &self,
        planned: &Planned,
        target: &SchemaRef,
        order_by: &[String],
        sink: &mut Sink<'_>,
    ) -> Result<u64, EngineError> {
        let shaped = Shaped { planned, target };
        let plan = self.plan_again(planned)?;
        let frame = DataFrame::new(self.context.state(), plan);
        let columns = shaped.columns(&frame)?;
        let order = shaped.order(order_by)?;
        let fail = |source| shaped.failed("build", source);
        let frame = frame.select(columns).and_then(|frame| frame.sort(order)).map_err(fail)?;
        let mut stream = frame.execute_stream().await.map_err(fail)?;
        let mut chunks = BatchCoalescer::new(Arc::clone(target), BATCH_ROWS);
        let mut rows = 0_u64;
        let mut hand_over = |chunks: &mut BatchCoalescer| -> Result<(), EngineError> {
            while let Some(chunk) = chunks.next_completed_batch() {
                rows += chunk.num_rows() as u64;
                sink(chunk).map_err(|source| EngineError::Sink { table: planned.table().to_owned(), source })?;
            }
            Ok(())
        };
        while let Some(batch) = stream.next().await {
            let batch = shaped.batch(&batch.map_err(fail)?)?;
            chunks.push_batch(batch).map_err(|source| shaped.unfit(source))?;
            hand_over(&mut chunks)?;
        }
        chunks.finish_buffered_batch().map_err(|source| shaped.unfit(source))?;
        hand_over(&mut chunks)?;
        Ok(rows)
    }

    fn plan_again(&self, planned: &Planned) -> Result<LogicalPlan, EngineError> {
        let parsed = statement::parse_model(&planned.file);
        parsed.and_then(|parsed| self.checked(&parsed)).map_err(|problems| EngineError::Changed {
            table: planned.table().to_owned(),
            sql_file: planned.file.path.clone(),
            problems,
        })
    }
}

/// A model on its way into a table.
struct Shaped<'a> {
    planned: &'a Planned,
    target: &'a SchemaRef,
}

impl Shaped<'_> {
    /// The model's columns in the target's types, names and order.
    fn columns(&self, frame: &DataFrame) -> Result<Vec<Expr>, EngineError> {
        let schema = frame.schema();
        let column = |wanted: &Arc<arrow::datatypes::Field>| {
            let at = schema.fields().iter().position(|field| field.name() == wanted.name());
            let at = at.ok_or_else(|| self.missing(wanted.name()))?;
            let column = Expr::Column(Column::from(schema.qualified_field(at)));
            let same = schema.field(at).data_type() == wanted.data_type();
            let value = if same { column } else { cast(column, wanted.data_type().clone()) };
            Ok(value.alias(wanted.name()))
        };
        self.target.fields().iter().map(column).collect()
    }

    fn order(&self, order_by: &[String]) -> Result<Vec<SortExpr>, EngineError> {
        let target: &Schema = self.target;
        let known = |name: &str| target.fields().iter().any(|field| field.name() == name);
        if let Some(unknown) = order_by.iter().find(|name| !known(name)) {
            return Err(self.missing(unknown));
        }
        let rest = target.fields().iter().map(|field| field.name()).filter(|name| !order_by.contains(name));
        Ok(order_by.iter().chain(rest).map(|name| ident(name).sort(true, true)).collect())
    }

    /// A batch under the target's schema, which says what may not be null.
    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch, EngineError> {
        let columns: Vec<ArrayRef> = batch.columns().to_vec();
        RecordBatch::try_new(Arc::clone(self.target), columns).map_err(|source| self.unfit(source))
    }

    fn missing(&self, column: &str) -> EngineError {
        EngineError::MissingColumn {
            table: self.planned.table().to_owned(),
            sql_file: self.planned.file.path.clone(),
            column: column.to_owned(),
        }
    }

    fn unfit(&self, source: arrow::error::ArrowError) -> EngineError {
        EngineError::Unfit { table: self.planned.table().to_owned(), sql_file: self.planned.file.path.clone(), source }
    }

    fn failed(&self, operation: &'static str, source: DataFusionError) -> EngineError {
        EngineError::Execute {
            operation,
            table: self.planned.table().to_owned(),
            sql_file: self.planned.file.path.clone(),
            source: Box::new(source),
        }
    }
}

#[cfg(test)]
mod tests;
