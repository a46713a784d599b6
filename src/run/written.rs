//! The files of a table, written and checked in one pass over its rows.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array as _, RecordBatch};

use super::build::Built;
use super::error::RunError;
use super::scratch;
use crate::config::pipeline::Pipeline;
use crate::contract::Contract;
use crate::disclosure::scan;
use crate::publish::format::{Cell, FormatError, FormatOptions, TableWriter, WrittenFile};
use crate::quality::{ContractChecks, Outcome, Sample};

/// The files of a table, and what was found on the way.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) files: Vec<WrittenFile>,
    pub(super) outcomes: Vec<Outcome>,
    /// Empty cells by column.
    pub(super) empty: BTreeMap<String, u64>,
}

/// A table whose files are being written.
pub(super) struct Writing<'c> {
    contract: &'c Contract,
    writer: TableWriter<'c>,
    checks: ContractChecks<'c>,
    personal: Vec<Sample>,
    /// Empty cells of each public column.
    empty: Vec<u64>,
    rows: u64,
}

impl<'c> Writing<'c> {
    /// Begins the files of a table in a folder.
    pub(super) fn begin(pipeline: &Pipeline, contract: &'c Contract, folder: &Path) -> Result<Self, RunError> {
        let options =
            FormatOptions { excel_fr: pipeline.excel_fr, geoparquet: pipeline.geoparquet, ..FormatOptions::default() };
        let writer = TableWriter::create(folder, contract, &options).map_err(failed(contract))?;
        let empty = vec![0; contract.public_columns().count()];
        let checks = ContractChecks::new(contract);
        Ok(Self { contract, writer, checks, personal: Vec::new(), empty, rows: 0 })
    }

    /// Takes in the next rows, with the public columns in the order of the contract.
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<(), RunError> {
        let table = || self.contract.name.clone();
        self.checks.take(batch).map_err(|source| RunError::Arrow { table: table(), source })?;
        for hit in scan::batch(batch) {
            let detail = format!("{} : {}", hit.column, hit.finding.as_str());
            self.personal.push(Sample { row: self.rows + hit.row as u64 + 1, detail });
        }
        for (empty, column) in self.empty.iter_mut().zip(batch.columns()) {
            *empty += column.null_count() as u64;
        }
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(failed(self.contract))
    }

    /// Ends the files.
    pub(super) fn finish(self) -> Result<Written, RunError> {
        let written = self.writer.finish().map_err(failed(self.contract))?;
        let mut outcomes = self.checks.finish();
        let cells = |cells: Vec<Cell>, what: &str| {
            cells
                .into_iter()
                .map(|cell| Sample { row: cell.row, detail: format!("{} : {what}", cell.column) })
                .collect()
        };
        let table = self.contract.name.as_str();
        let formulas = cells(written.formulas, "un tableur l’exécuterait");
        outcomes.push(Outcome::blocking("no_formula", table, formulas));
        let lists = cells(written.lists, "un élément vide ou qui contient « | »");
        outcomes.push(Outcome::blocking("lists_read_back", table, lists));
        outcomes.push(Outcome::blocking("no_personal_value", table, self.personal));
        let names = self.contract.public_columns().map(|column| column.name.clone());
        Ok(Written { files: written.files, outcomes, empty: names.zip(self.empty).collect() })
    }
}

fn failed(contract: &Contract) -> impl Fn(FormatError) -> RunError + '_ {
    |source| RunError::Format { table: contract.name.clone(), source: Box::new(source) }
}

/// Writes and checks the files of a table that was built before.
pub(super) fn write(
    pipeline: &Pipeline,
    contract: &Contract,
    built: &Built,
    folder: &Path,
) -> Result<Written, RunError> {
    let arrow = |source| RunError::Arrow { table: contract.name.clone(), source };
    let names: Vec<String> = contract.public_columns().map(|column| column.name.clone()).collect();
    let mut writing = Writing::begin(pipeline, contract, folder)?;
    for batch in scratch::read(&built.path, Some(&names))? {
        let batch = batch.map_err(arrow)?;
        let columns = names.iter().map(|name| batch.schema().index_of(name)).collect::<Result<Vec<_>, _>>();
        let batch = columns.and_then(|columns| batch.project(&columns)).map_err(arrow)?;
        writing.take(&batch)?;
    }
    writing.finish()
}
