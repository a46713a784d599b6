//! An input that can be read once.
//!
//! A join that compares all with all reads its left side a second time when it does not fit into memory, and goes on from
//! disk. What stands below may not be readable twice: a repartition then ends the task with a panic. Such a statement has met
//! the limit of its memory, and is told so.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, internal_datafusion_err, resources_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};

/// Passes an input on, once for each of its partitions.
#[derive(Debug)]
pub(super) struct Once {
    input: Arc<dyn ExecutionPlan>,
    read: Vec<AtomicBool>,
}

impl Once {
    /// An input that nobody has read.
    pub(super) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let partitions = input.properties().output_partitioning().partition_count();
        Self { input, read: (0..partitions).map(|_| AtomicBool::new(false)).collect() }
    }
}

impl DisplayAs for Once {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for Once {
    fn name(&self) -> &'static str {
        "Once"
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
        let input = children.pop().ok_or_else(|| internal_datafusion_err!("it has one input"))?;
        Ok(Arc::new(Self::new(input)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        let read = self.read.get(partition).is_none_or(|read| read.swap(true, Ordering::Relaxed));
        if read {
            return Err(resources_datafusion_err!("the rows that all others are compared with do not fit into memory"));
        }
        self.input.execute(partition, context)
    }
}
