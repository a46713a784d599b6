//! Long tables on their way into SQL: made from an intermediate table each time that they are read.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::scratch;
use crate::config::pipeline::{LONG_COLUMNS, Long};
use crate::engine::{RowMaker, SinkError};
use crate::survey::Lister;

/// Makes the rows of a long table.
#[derive(Debug)]
pub(super) struct LongTable {
    lister: Lister,
    path: PathBuf,
    order: Vec<String>,
}

impl LongTable {
    /// From a table in a file, whose rows come in the order of some columns.
    pub(super) fn new(long: &Long, path: PathBuf, order: &[String]) -> Self {
        let own = LONG_COLUMNS.map(str::to_owned);
        let order = if order.is_empty() { Vec::new() } else { order.iter().cloned().chain(own).collect() };
        Self { lister: Lister::new(long), path, order }
    }
}

impl RowMaker for LongTable {
    fn schema(&self) -> &SchemaRef {
        self.lister.schema()
    }

    fn order(&self) -> &[String] {
        &self.order
    }

    fn make(&self, take: &mut dyn FnMut(RecordBatch) -> bool) -> Result<(), SinkError> {
        for batch in scratch::read(&self.path, Some(&self.lister.columns()))? {
            if !self.lister.list(&batch?, take)? {
                break;
            }
        }
        Ok(())
    }
}
