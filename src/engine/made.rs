//! Tables whose rows are made while they are read: they are held nowhere.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::ident;

use crate::engine::error::SinkError;
use crate::engine::{Engine, EngineError};
use crate::id::TableName;

/// Batches that wait to be read at the most.
const WAITING: usize = 2;

/// Makes the rows of a table.
pub trait RowMaker: fmt::Debug + Send + Sync + 'static {
    /// Columns of the rows. Coded ones are shown decoded.
    fn schema(&self) -> &SchemaRef;
    /// Columns in whose order the rows come, ascending, nulls first.
    fn order(&self) -> &[String];
    /// Makes all rows, the same each time, and hands them to `take`, which says whether it wants more.
    fn make(&self, take: &mut dyn FnMut(RecordBatch) -> bool) -> Result<(), SinkError>;
}

impl Engine {
    /// A table whose rows are made each time that it is read. A table of that name is replaced.
    pub fn register_made(&self, name: &TableName, maker: Arc<dyn RowMaker>) -> Result<(), EngineError> {
        let schema = Arc::clone(maker.schema());
        let order = maker.order().iter().map(|column| ident(column).sort(true, true)).collect();
        let rows: Arc<dyn PartitionStream> = Arc::new(Made(maker));
        StreamingTable::try_new(Arc::clone(&schema), vec![rows])
            .and_then(|table| self.show(name, Arc::new(table.with_sort_order(order)), &schema))
            .map_err(|source| EngineError::register(name.as_str(), source))
    }
}

/// The only partition of such a table.
#[derive(Debug)]
struct Made(Arc<dyn RowMaker>);

impl PartitionStream for Made {
    fn schema(&self) -> &SchemaRef {
        self.0.schema()
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStreamBuilder::new(Arc::clone(self.0.schema()), WAITING);
        let (maker, rows) = (Arc::clone(&self.0), stream.tx());
        stream.spawn_blocking(move || {
            maker.make(&mut |batch| rows.blocking_send(Ok(batch)).is_ok()).map_err(DataFusionError::External)
        });
        stream.build()
    }
}
