//! Counting what operators gather without telling the memory limit, and ending what nothing interrupts.
//!
//! Windows keep whole partitions of their input, uncounted, and give one row's value to many. What flows into them is
//! counted here instead, as if all of it were kept, until the memory of the statement is used up.
//!
//! A join that compares all with all takes a whole batch of its right side through all rows of its left side before it
//! gives way. Its right side comes in [`SLICE`] rows at a time instead, and gives way before each slice.
//!
//! When its left side does not fit into memory it asks for it a second time, to write it to disk. Not every operator gives
//! its rows twice, and what comes of it is not always right: it is told that there is no memory instead.
//!
//! A text or list that an aggregate gathered may be as long as the memory of the statement allows, as long as there is
//! one of it. What repeats it for many rows, such as a join, would multiply that uncounted: below such an operator a
//! gathered value is at most as wide as a row may be. What UNNEST repeats beside the items of a list is bounded likewise.

mod weights;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, internal_datafusion_err, resources_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties, WindowExpr,
};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::engine::guard::BATCH_ROWS;
use crate::engine::width::{GATHERING, ROW};
pub use weights::weight;

/// Operators that make many rows of few, and go on making them as long as somebody above passes none on.
const MAKING: [&str; 6] =
    ["CrossJoinExec", "NestedLoopJoinExec", "HashJoinExec", "SortMergeJoinExec", "PiecewiseMergeJoin", UNNEST];
/// The one of them that makes a row of each item of a list.
const UNNEST: &str = "UnnestExec";
/// The operator that compares all with all.
const ALL_WITH_ALL: &str = "NestedLoopJoinExec";
/// Rows of the right side that are compared with the whole left side in one go.
const SLICE: usize = 8;
/// Bytes that may be made in one go.
const AT_ONCE: u64 = BATCH_ROWS as u64 * ROW;

type Plan = Arc<dyn ExecutionPlan>;

/// A plan in which the input of all that gathers is counted, and in which what makes rows gives way from time to time:
/// otherwise neither a time limit nor whoever leaves could end it.
pub(super) fn metered(plan: Plan) -> Result<Plan, DataFusionError> {
    metered_below(plan, false)
}

/// The same of a part of a plan, whose rows are repeated above or not.
fn metered_below(plan: Plan, repeated: bool) -> Result<Plan, DataFusionError> {
    let name = plan.name();
    let handed_on = windows(&plan).is_some_and(|windows| !handed_on(windows).is_empty());
    let repeats = repeated || handed_on || (MAKING.contains(&name) && name != UNNEST);
    let children: Vec<Plan> = plan.children().into_iter().map(Arc::clone).collect();
    // What a subquery gives is computed once, and used in every row of the query around it.
    let many = plan.downcast_ref::<ScalarSubqueryExec>().is_some() && !children.first().is_some_and(is_one_row);
    let mut inputs = Vec::with_capacity(children.len());
    for (at, child) in children.into_iter().enumerate() {
        let input = metered_below(child, repeats || (many && at > 0))?;
        inputs.push(match input_of(&plan, at) {
            Some(how) => Arc::new(Passed { input, how }) as Plan,
            None => input,
        });
    }
    let plan = replace_children_if_necessary(plan, inputs)?;
    if MAKING.contains(&plan.name()) {
        return Ok(Arc::new(CooperativeExec::new(plan)));
    }
    match gathered(&plan) {
        columns if repeated && !columns.is_empty() => {
            Ok(Arc::new(Passed { input: plan, how: How::Gathered(columns.into()) }))
        }
        _ => Ok(plan),
    }
}

/// How an input has to be passed on to its operator, where that is not as it is.
fn input_of(plan: &Plan, at: usize) -> Option<How> {
    if plan.name() == ALL_WITH_ALL {
        return Some(if at == 0 { How::Once(Arc::default()) } else { How::Sliced });
    }
    if let Some(unnest) = plan.downcast_ref::<UnnestExec>() {
        let lists: BTreeSet<usize> =
            unnest.list_column_indices().iter().map(|list| list.index_in_input_schema).collect();
        // A list that is taken apart to several depths is repeated, too.
        let once = lists.len() == unnest.list_column_indices().len();
        return Some(How::Unfolded { lists: lists.into_iter().collect(), once });
    }
    Some(How::Counted { handed_on: handed_on(windows(plan)?) })
}

/// What an operator computes over windows, if it does: such operators gather without counting.
fn windows(plan: &Plan) -> Option<&[Arc<dyn WindowExpr>]> {
    match plan.downcast_ref::<WindowAggExec>() {
        Some(window) => Some(window.window_expr()),
        None => Some(plan.downcast_ref::<BoundedWindowAggExec>()?.window_expr()),
    }
}

/// For each window that may give a row's text to many rows: the columns that it is computed from.
fn handed_on(windows: &[Arc<dyn WindowExpr>]) -> Arc<[Vec<usize>]> {
    let wide = windows.iter().filter(|window| {
        let kind = window.field().map(|field| field.data_type().clone());
        let own = ["lag(", "lead("].iter().any(|name| window.name().to_ascii_lowercase().starts_with(name));
        !own && kind.is_ok_and(|kind| !kind.is_primitive())
    });
    let columns = |window: &Arc<dyn WindowExpr>| -> Vec<usize> {
        window.expressions().iter().flat_map(collect_columns).map(|column| column.index()).collect()
    };
    wide.map(columns).collect()
}

/// The columns of an aggregate that hold what was gathered.
fn gathered(plan: &Plan) -> Vec<usize> {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else { return Vec::new() };
    if matches!(aggregate.mode(), AggregateMode::Partial | AggregateMode::PartialReduce) {
        return Vec::new();
    }
    let calls = aggregate.aggr_expr();
    let before = plan.schema().fields().len().saturating_sub(calls.len());
    let gathering = calls.iter().enumerate().filter(|(_, call)| GATHERING.contains(&call.fun().name()));
    gathering.map(|(at, _)| before + at).collect()
}

/// Whether a plan gives one row at most.
fn is_one_row(plan: &Plan) -> bool {
    match plan.name() {
        "PlaceholderRowExec" => true,
        "ProjectionExec" | "FilterExec" | "CooperativeExec" => plan.children().into_iter().all(is_one_row),
        _ => false,
    }
}

#[derive(Debug, Clone)]
enum How {
    /// As if all of it were kept, and the widest value of these columns were in every row.
    Counted { handed_on: Arc<[Vec<usize>]> },
    /// As it is, and no second time.
    Once(Arc<AtomicBool>),
    /// A few rows at a time, giving way before each.
    Sliced,
    /// So many rows at a time as may be made when these lists are taken apart and all else is repeated.
    Unfolded { lists: Arc<[usize]>, once: bool },
    /// As it is, unless what was gathered in these columns is too wide.
    Gathered(Arc<[usize]>),
}

/// Passes batches on.
#[derive(Debug)]
struct Passed {
    input: Plan,
    how: How,
}

impl DisplayAs for Passed {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for Passed {
    fn name(&self) -> &'static str {
        match self.how {
            How::Counted { .. } => "Counted",
            How::Once(_) => "Once",
            How::Sliced => "Sliced",
            How::Unfolded { .. } => "Unfolded",
            How::Gathered(_) => "Gathered",
        }
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Plan> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion, DataFusionError>,
    ) -> Result<TreeNodeRecursion, DataFusionError> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Plan>) -> Result<Plan, DataFusionError> {
        let input = children.pop().ok_or_else(|| internal_datafusion_err!("a meter has one input"))?;
        Ok(Arc::new(Self { input, how: self.how.clone() }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        if let How::Once(given) = &self.how
            && given.swap(true, Ordering::AcqRel)
        {
            return Err(resources_datafusion_err!("the left side of a join has no room in memory"));
        }
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let schema = input.schema();
        Ok(match self.how.clone() {
            How::Counted { handed_on } => {
                let kept = MemoryConsumer::new("rows of a window").register(context.memory_pool());
                let mut count = Count { kept, handed_on, rows: 0, widest: 0, charged: 0 };
                let counted = input.map(move |batch| count.pass(batch?));
                Box::pin(RecordBatchStreamAdapter::new(schema, counted))
            }
            How::Once(_) => input,
            How::Gathered(columns) => {
                let judged = input.map(move |batch| narrow(batch?, &columns));
                Box::pin(RecordBatchStreamAdapter::new(schema, judged))
            }
            How::Sliced => {
                let slices = |batch: RecordBatch| {
                    let starts = (0..batch.num_rows()).step_by(SLICE);
                    Ok(starts.map(|from| batch.slice(from, SLICE.min(batch.num_rows() - from))).collect())
                };
                one_by_one(input, slices)
            }
            How::Unfolded { lists, once } => one_by_one(input, move |batch| unfolded(&batch, &lists, once)),
        })
    }
}

/// Passes batches on in slices, giving way before each.
fn one_by_one(
    input: SendableRecordBatchStream,
    cut: impl Fn(RecordBatch) -> Result<Vec<RecordBatch>, DataFusionError> + Send + 'static,
) -> SendableRecordBatchStream {
    let schema = input.schema();
    let passed = input.map(move |batch| {
        let slices = futures::stream::iter(cut(batch?)?);
        Ok::<_, DataFusionError>(slices.then(|slice| async {
            tokio::task::yield_now().await;
            Ok(slice)
        }))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, passed.try_flatten()))
}

/// What has gone into a window so far.
struct Count {
    kept: MemoryReservation,
    handed_on: Arc<[Vec<usize>]>,
    rows: u64,
    widest: u64,
    /// What was counted for values that are handed on.
    charged: u64,
}

impl Count {
    fn pass(&mut self, batch: RecordBatch) -> Result<RecordBatch, DataFusionError> {
        let grow = |bytes: u64| self.kept.try_grow(usize::try_from(bytes).unwrap_or(usize::MAX));
        grow(weight(&batch))?;
        self.rows += batch.num_rows() as u64;
        let each = |columns: &Vec<usize>| columns.iter().map(|at| weights::widest(batch.column(*at))).sum::<u64>();
        self.widest = self.widest.max(self.handed_on.iter().map(each).fold(0, u64::saturating_add));
        let handed_on = self.rows.saturating_mul(self.widest);
        grow(handed_on.saturating_sub(self.charged))?;
        self.charged = handed_on;
        Ok(batch)
    }
}

/// A batch, unless a value that was gathered is too wide to be repeated.
fn narrow(batch: RecordBatch, columns: &[usize]) -> Result<RecordBatch, DataFusionError> {
    let wide = |at: &usize| (0..batch.num_rows()).any(|row| weights::value(batch.column(*at), row) > ROW);
    if columns.iter().any(wide) {
        let most = ROW >> 10;
        return Err(resources_datafusion_err!("what was gathered has more than {most} KiB, and is used for many rows"));
    }
    Ok(batch)
}

/// A batch in slices of which each may be taken apart in one go.
fn unfolded(batch: &RecordBatch, lists: &[usize], once: bool) -> Result<Vec<RecordBatch>, DataFusionError> {
    let (mut slices, mut from, mut made) = (Vec::new(), 0, 0_u64);
    for row in 0..batch.num_rows() {
        let (mut rows, mut beside) = (1, 1_u64);
        for (at, column) in batch.columns().iter().enumerate() {
            let list = lists.contains(&at);
            if list {
                rows = weights::items(column, row, 1).max(rows);
            }
            if !list || !once {
                beside = beside.saturating_add(weights::value(column, row));
            }
        }
        let makes = rows.saturating_mul(beside);
        if makes > AT_ONCE {
            return Err(resources_datafusion_err!("a row becomes {rows} rows of {beside} bytes in one go"));
        }
        if made.saturating_add(makes) > AT_ONCE {
            slices.push(batch.slice(from, row - from));
            (from, made) = (row, 0);
        }
        made += makes;
    }
    slices.push(batch.slice(from, batch.num_rows() - from));
    Ok(slices)
}
