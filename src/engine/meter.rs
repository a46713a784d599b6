//! Counting what operators gather without telling the memory limit.
//!
//! Windows keep whole partitions of their input, uncounted. What flows into them is counted here instead, as if all of
//! it were kept, until the memory of the statement is used up.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, internal_datafusion_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use futures::StreamExt as _;

/// Operators that gather without counting.
const GATHERING: [&str; 2] = ["WindowAggExec", "BoundedWindowAggExec"];

/// Operators that make many rows of few, and go on making them as long as somebody above passes none on.
const MAKING: [&str; 6] =
    ["CrossJoinExec", "NestedLoopJoinExec", "HashJoinExec", "SortMergeJoinExec", "PiecewiseMergeJoin", "UnnestExec"];

/// The operator that compares all with all before it hands anything on.
const ALL_WITH_ALL: &str = "NestedLoopJoinExec";

/// Whether a plan compares all rows of one side with all rows of the other.
pub(super) fn compares_all(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.name() == ALL_WITH_ALL || plan.children().into_iter().any(compares_all)
}

/// A plan in which the input of all that gathers is counted, and in which what makes rows gives way from time to time:
/// otherwise neither a time limit nor whoever leaves could end it.
pub(super) fn metered(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let counted = plan.transform_up(|node| {
        if MAKING.contains(&node.name()) {
            return Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>));
        }
        if !GATHERING.contains(&node.name()) {
            return Ok(Transformed::no(node));
        }
        node.map_children(|input| Ok(Transformed::yes(Arc::new(Metered { input }) as Arc<dyn ExecutionPlan>)))
    });
    counted.map(|counted| counted.data)
}

/// Passes batches on, and counts them.
#[derive(Debug)]
struct Metered {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for Metered {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metered")
    }
}

impl ExecutionPlan for Metered {
    fn name(&self) -> &'static str {
        "Metered"
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
        Ok(Arc::new(Self { input }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        let kept = MemoryConsumer::new("rows of a window").register(context.memory_pool());
        let input = self.input.execute(partition, context)?;
        let schema = input.schema();
        let counted = input.map(move |batch| {
            let batch = batch?;
            kept.try_grow(batch.get_array_memory_size())?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, counted)))
    }
}
