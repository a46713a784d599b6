//! Running a model into a table of a given shape.

use arrow::array::ArrayRef;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DFSchema, DataFusionError, ExprSchema as _};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Sort, SortExpr, cast};
use datafusion::physical_plan::{displayable, execute_stream};
use datafusion::prelude::ident;
use futures::StreamExt as _;
use std::sync::Arc;
use tracing::debug;

use crate::contract::arrow::{held_schema, is_held_as};
use crate::diagnostic::SourceFile;
use crate::engine::error::SinkError;
use crate::engine::plan::table_of;
use crate::engine::{Engine, EngineError, Planned, functions, statement};

/// Rows of every batch but the last.
pub const BATCH_ROWS: usize = 8192;

/// Takes the batches of a table, one after the other.
pub type Sink<'a> = dyn FnMut(RecordBatch) -> Result<(), SinkError> + Send + 'a;

/// The order of a table's rows: ascending, nulls first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowOrder {
    /// Columns that rows are compared by, one after the other.
    pub by: Vec<String>,
    /// Whether no two rows are equal in all of them. Otherwise all other columns follow, in their order: rows that are
    /// still equal are the same in everything.
    pub unique: bool,
}

/// How the texts of a result may be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// As the target says.
    Plain,
    /// A column that SQL passes on as it stands in a coded table stays a dictionary of texts.
    Coded,
}

impl Engine {
    /// Runs a model and hands its rows over; returns their number.
    ///
    /// The model is planned anew over the tables as they are registered now. Its columns are cast to those of `target`,
    /// by name and in `target`'s order; further columns are left out. Rows come in `order`, which is total. Batches have
    /// exactly [`BATCH_ROWS`] rows but for the last. So the same tables give the same batches, whatever the number of
    /// threads.
    pub async fn execute(
        &self,
        planned: &Planned,
        target: &SchemaRef,
        order: &RowOrder,
        held: Held,
        sink: &mut Sink<'_>,
    ) -> Result<u64, EngineError> {
        let shaped = Shaped { planned, target };
        let plan = self.plan_of(&planned.file)?;
        let frame = DataFrame::new(self.context.state(), plan);
        let columns = shaped.columns(&frame)?;
        let order = shaped.order(order)?;
        let fail = |source| shaped.failed("build", source);
        let frame = frame.select(columns).and_then(|frame| frame.sort(order)).map_err(fail)?;
        let frame = if held == Held::Coded { coded(frame).map_err(fail)? } else { frame };
        let context = Arc::new(frame.task_ctx());
        let physical = frame.create_physical_plan().await.map_err(fail)?;
        debug!(table = planned.table(), "Plan:\n{}", displayable(physical.as_ref()).indent(false));
        let mut stream = execute_stream(physical, context).map_err(fail)?;
        let mut chunks: Option<BatchCoalescer> = None;
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
            let chunks = chunks.get_or_insert_with(|| BatchCoalescer::new(batch.schema(), BATCH_ROWS));
            chunks.push_batch(batch).map_err(|source| shaped.unfit(source))?;
            hand_over(chunks)?;
        }
        if let Some(chunks) = &mut chunks {
            chunks.finish_buffered_batch().map_err(|source| shaped.unfit(source))?;
            hand_over(chunks)?;
        }
        Ok(rows)
    }

    /// How a model is executed, step by step, over the tables as they are registered now.
    pub async fn explain(&self, file: &Arc<SourceFile>) -> Result<String, EngineError> {
        let plan = self.plan_of(file)?;
        let physical =
            self.context.state().create_physical_plan(&plan).await.map_err(|source| EngineError::Execute {
                operation: "plan",
                table: table_of(file).to_owned(),
                sql_file: file.path.clone(),
                source: Box::new(source),
            })?;
        Ok(displayable(physical.as_ref()).indent(false).to_string())
    }

    fn plan_of(&self, file: &Arc<SourceFile>) -> Result<LogicalPlan, EngineError> {
        statement::parse_model(file).and_then(|parsed| self.checked(&parsed)).map_err(|problems| EngineError::Changed {
            table: table_of(file).to_owned(),
            sql_file: file.path.clone(),
            problems,
        })
    }
}

/// Whether cells are dictionaries of the texts that were promised.
fn is_coded(found: &DataType, promised: &DataType) -> bool {
    found != promised && is_held_as(found, promised)
}

/// The same rows, with the columns as dictionaries that are only decoded at the end.
fn coded(frame: DataFrame) -> Result<DataFrame, DataFusionError> {
    let (state, plan) = frame.into_parts();
    // The views that decode are merged into the statement first.
    let plan = joined(without_decoding(state.optimize(&plan)?)?)?;
    Ok(DataFrame::new(state, plan))
}

/// Lists of codes that are joined to a text are not made as lists first.
fn joined(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let rewritten = plan.transform_up(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|part| Ok(Transformed::yes(functions::joined(part))))?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })
    })?;
    rewritten.data.recompute_schema()
}

fn without_decoding(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    match plan {
        LogicalPlan::Sort(sort) => {
            let input = without_decoding(Arc::unwrap_or_clone(sort.input))?;
            Ok(LogicalPlan::Sort(Sort { input: Arc::new(input), ..sort }))
        }
        LogicalPlan::Projection(projection) => {
            let projection = seen_through(projection)?;
            let schema = projection.input.schema();
            let columns = projection.expr.into_iter().map(|expr| left_coded(expr, schema)).collect();
            Projection::try_new(columns, projection.input).map(LogicalPlan::Projection)
        }
        plan => Ok(plan),
    }
}

/// The same columns, made of those of a table itself where they are made of those of views that pass them on or decode them.
fn seen_through(mut projection: Projection) -> Result<Projection, DataFusionError> {
    while let Some(view) = view_below(&projection.input) {
        let schema = projection.input.schema();
        let beneath = |expr: &Expr| {
            let (relation, name) = expr.qualified_name();
            let made = expr.clone().transform_up(|part| match &part {
                Expr::Column(column) => {
                    let below = view.expr.get(schema.index_of_column(column)?).cloned();
                    Ok(below.map_or(Transformed::no(part), |below| Transformed::yes(below.unalias_nested().data)))
                }
                _ => Ok(Transformed::no(part)),
            })?;
            Ok(made.data.unalias_nested().data.alias_qualified(relation, name))
        };
        let columns = projection.expr.iter().map(beneath).collect::<Result<Vec<_>, DataFusionError>>()?;
        projection = Projection::try_new(columns, Arc::clone(&view.input))?;
    }
    Ok(projection)
}

/// A view of which each column is one of what it reads, or the texts of one.
fn view_below(mut plan: &Arc<LogicalPlan>) -> Option<Projection> {
    while let LogicalPlan::SubqueryAlias(alias) = plan.as_ref() {
        plan = &alias.input;
    }
    match plan.as_ref() {
        LogicalPlan::Projection(view) if view.expr.iter().all(functions::is_decoding) => Some(view.clone()),
        _ => None,
    }
}

/// A column in the place of its texts, under the name that these had.
fn left_coded(expr: Expr, schema: &DFSchema) -> Expr {
    let Expr::Cast(cast) = expr.clone().unalias_nested().data else { return expr };
    let coded = |column: &Column| {
        schema.field_from_column(column).is_ok_and(|field| is_coded(field.data_type(), cast.field.data_type()))
    };
    match cast.expr.as_ref() {
        Expr::Column(column) if coded(column) => {
            let (relation, name) = expr.qualified_name();
            Expr::Column(column.clone()).alias_qualified(relation, name)
        }
        _ => expr,
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

    fn order(&self, order: &RowOrder) -> Result<Vec<SortExpr>, EngineError> {
        let target: &Schema = self.target;
        let known = |name: &str| target.fields().iter().any(|field| field.name() == name);
        if let Some(unknown) = order.by.iter().find(|name| !known(name)) {
            return Err(self.missing(unknown));
        }
        let rest = target.fields().iter().map(|field| field.name());
        let rest = rest.filter(|name| !order.unique && !order.by.contains(name));
        Ok(order.by.iter().chain(rest).map(|name| ident(name).sort(true, true)).collect())
    }

    /// A batch under the target's schema, which says what may not be null. Texts may be held as dictionaries.
    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch, EngineError> {
        let columns: Vec<ArrayRef> = batch.columns().to_vec();
        let schema = held_schema(self.target, &columns);
        RecordBatch::try_new(schema, columns).map_err(|source| self.unfit(source))
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
