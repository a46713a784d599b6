//! The table of the rows that are rejected, as SQL sees it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder};

use super::error::RunError;
use super::scratch::{self, ScratchWriter};
use crate::config::pipeline::RejectTable;
use crate::config::reading::spelled;
use crate::disclosure::scan;
use crate::model::reference::reject_schema;
use crate::normalise::Reject;
use crate::normalise::reject::ERASED;

/// Rows of one batch.
const BATCH: usize = 8192;

/// Writes the rejects of one table.
#[derive(Debug)]
pub(super) struct Rejects {
    spec: RejectTable,
    /// Source columns, as names are compared.
    sources: Vec<String>,
    writer: ScratchWriter,
    numbers: [Int64Builder; 2],
    texts: Vec<StringBuilder>,
    waiting: usize,
}

impl Rejects {
    /// An empty table in the folder of a run.
    pub(super) fn create(spec: &RejectTable, folder: &Path) -> Result<Self, RunError> {
        let path = scratch::file(folder, spec.table.as_str());
        Ok(Self {
            spec: spec.clone(),
            sources: spec.columns.iter().map(|(_, source)| spelled(source)).collect(),
            writer: ScratchWriter::create(path, &reject_schema(spec))?,
            numbers: Default::default(),
            texts: (0..spec.columns.len() + 2).map(|_| StringBuilder::new()).collect(),
            waiting: 0,
        })
    }

    /// Takes a reject in. Of a record that was erased nothing is kept.
    pub(super) fn take(&mut self, reject: &Reject) -> Result<(), RunError> {
        if reject.reason == ERASED {
            return Ok(());
        }
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let [row, line] = &mut self.numbers;
        row.append_value(whole(reject.row));
        line.append_option(reject.line.map(whole));
        let cell = |source: &String| {
            let cell = reject.raw.iter().find(|(name, _)| name == source);
            cell.map(|(_, text)| scan::without(text)).filter(|text| !text.is_empty())
        };
        let told = [Some(reject.reason.as_str()), reject.column.as_deref()].map(|text| text.map(Cow::Borrowed));
        for (builder, text) in self.texts.iter_mut().zip(told.into_iter().chain(self.sources.iter().map(cell))) {
            builder.append_option(text);
        }
        self.waiting += 1;
        if self.waiting >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), RunError> {
        let numbers = self.numbers.iter_mut().map(|numbers| Arc::new(numbers.finish()) as ArrayRef);
        let texts = self.texts.iter_mut().map(|texts| Arc::new(texts.finish()) as ArrayRef);
        let columns = numbers.chain(texts).collect();
        let batch = RecordBatch::try_new(reject_schema(&self.spec), columns);
        let batch = batch.map_err(|source| RunError::Arrow { table: self.spec.table.clone(), source })?;
        self.waiting = 0;
        self.writer.write(&batch)
    }

    /// Ends the table: its file.
    pub(super) fn finish(mut self) -> Result<PathBuf, RunError> {
        self.flush()?;
        Ok(self.writer.finish()?.0)
    }
}
