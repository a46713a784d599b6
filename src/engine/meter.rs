//! Counting what operators gather without telling the memory limit, and ending what nothing interrupts.
//!
//! Windows keep whole partitions of their input, uncounted. What flows into them is counted here instead, as if all of
//! it were kept, until the memory of the statement is used up.
//!
//! A join that compares all with all takes a whole batch of its right side through all rows of its left side before it
//! gives way. Its right side comes in [`SLICE`] rows at a time instead, and gives way before each slice.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, internal_datafusion_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use futures::{StreamExt as _, TryStreamExt as _};

use super::once::Once;

/// Operators that gather without counting.
const GATHERING: [&str; 2] = ["WindowAggExec", "BoundedWindowAggExec"];

/// Operators that make many rows of few, and go on making them as long as somebody above passes none on.
const MAKING: [&str; 6] =
    ["CrossJoinExec", "NestedLoopJoinExec", "HashJoinExec", "SortMergeJoinExec", "PiecewiseMergeJoin", "UnnestExec"];

/// The operator that compares all with all.
const ALL_WITH_ALL: &str = "NestedLoopJoinExec";
/// Rows of the right side that are compared with the whole left side in one go.
const SLICE: usize = 8;

/// A plan in which the input of all that gathers is counted, and in which what makes rows gives way from time to time:
/// otherwise neither a time limit nor whoever leaves could end it.
pub(super) fn metered(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let counted = plan.transform_up(|node| {
        if node.name() == ALL_WITH_ALL {
            let [left, right] = node.children()[..] else {
                return Err(internal_datafusion_err!("a join has two inputs"));
            };
            let right = Arc::new(Passed { input: Arc::clone(right), how: How::Sliced });
            let inputs: Vec<Arc<dyn ExecutionPlan>> = vec![Arc::new(Once::new(Arc::clone(left))), right];
            let node = replace_children_if_necessary(node, inputs)?;
            return Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>));
        }
        if MAKING.contains(&node.name()) {
            return Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>));
        }
        if !GATHERING.contains(&node.name()) {
            return Ok(Transformed::no(node));
        }
        node.map_children(|input| {
            Ok(Transformed::yes(Arc::new(Passed { input, how: How::Counted }) as Arc<dyn ExecutionPlan>))
        })
    });
    counted.map(|counted| counted.data)
}

#[derive(Debug, Clone, Copy)]
enum How {
    /// As if all of it were kept.
    Counted,
    /// A few rows at a time, giving way before each.
    Sliced,
}

/// Passes batches on.
#[derive(Debug)]
struct Passed {
    input: Arc<dyn ExecutionPlan>,
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
            How::Counted => "Counted",
            How::Sliced => "Sliced",
        }
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion, DataFusionError>,
    ) -> Result<TreeNodeRecursion, DataFusionError> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let input = children.pop().ok_or_else(|| internal_datafusion_err!("a meter has one input"))?;
        Ok(Arc::new(Self { input, how: self.how }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let schema = input.schema();
        match self.how {
            How::Counted => {
                let kept = MemoryConsumer::new("rows of a window").register(context.memory_pool());
                let counted = input.map(move |batch| {
                    let batch = batch?;
                    kept.try_grow(batch.get_array_memory_size())?;
                    Ok(batch)
                });
                Ok(Box::pin(RecordBatchStreamAdapter::new(schema, counted)))
            }
            How::Sliced => {
                let sliced = input.map_ok(|batch| {
                    let starts = (0..batch.num_rows()).step_by(SLICE);
                    let slices: Vec<_> =
                        starts.map(|from| batch.slice(from, SLICE.min(batch.num_rows() - from))).collect();
                    futures::stream::iter(slices).then(|slice| async {
                        tokio::task::yield_now().await;
                        Ok(slice)
                    })
                });
                Ok(Box::pin(RecordBatchStreamAdapter::new(schema, sliced.try_flatten())))
            }
        }
    }
}
