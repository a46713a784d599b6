//! Handing on what was assembled: a batch of rows, and the lists of what did not go through as it was.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};

use super::Assembler;
use crate::normalise::chunk::{BATCH_ROWS, Chunk};
use crate::normalise::decode::{ColumnDecoder, PlaceText, RawText};
use crate::normalise::error::NormaliseError;
use crate::normalise::matching::Matcher;

impl Assembler<'_> {
    pub(super) fn text_bytes(&self) -> usize {
        let places: usize = self.places.iter().map(PlaceText::bytes).sum();
        let raw: usize = self.raw.iter().map(RawText::bytes).sum();
        self.columns.iter().map(ColumnDecoder::bytes).sum::<usize>() + places + raw
    }

    /// Hands on the lists, and the rows when `rows` says so.
    pub(super) fn send(&mut self, rows: bool) -> Result<(), NormaliseError> {
        let listed = !self.rejects.is_empty() || !self.notes.unfit.is_empty() || !self.notes.corrections.is_empty();
        let rows = rows && !self.numbers.is_empty();
        if !rows && !listed {
            return Ok(());
        }
        let batch = if rows {
            let columns =
                self.finish_columns().and_then(|columns| RecordBatch::try_new(Arc::clone(&self.schema), columns));
            columns.map_err(|source| NormaliseError::Batch { table: self.table.name.clone(), source })?
        } else {
            RecordBatch::new_empty(Arc::clone(&self.schema))
        };
        self.staged += batch.num_rows() as u64;
        self.summary.unfit += self.notes.unfit.len() as u64;
        self.summary.corrections += self.notes.corrections.len() as u64;
        self.reject_bytes = 0;
        let lines = if rows { std::mem::take(&mut self.lines) } else { Vec::new() };
        let chunk = Chunk {
            batch,
            lines,
            rejects: std::mem::take(&mut self.rejects),
            unfit: std::mem::take(&mut self.notes.unfit),
            corrections: std::mem::take(&mut self.notes.corrections),
        };
        self.sink.take(chunk).map_err(|source| NormaliseError::Sink { table: self.table.name.clone(), source })
    }

    fn finish_columns(&mut self) -> Result<Vec<ArrayRef>, arrow::error::ArrowError> {
        let mut arrays = Vec::with_capacity(self.schema.fields().len());
        for (column, shape) in self.columns.iter_mut().zip(&mut self.summary.shapes) {
            let array = column.finish()?;
            shape.count(&array);
            arrays.push(array);
        }
        for (at, filled) in
            self.matcher.iter_mut().map(Matcher::finish).collect::<Result<Vec<_>, _>>()?.into_iter().flatten()
        {
            arrays[at] = filled;
        }
        for column in &mut self.columns {
            if let Some(statuses) = column.finish_statuses() {
                arrays.push(statuses?);
            }
        }
        let numbers = std::mem::replace(&mut self.numbers, Vec::with_capacity(BATCH_ROWS));
        self.row_bytes = 0;
        arrays.push(Arc::new(UInt64Array::from(numbers)));
        for place in &mut self.places {
            arrays.push(place.finish()?);
        }
        for raw in &mut self.raw {
            arrays.push(raw.finish()?);
        }
        Ok(arrays)
    }
}
