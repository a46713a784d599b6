//! From answers to counts: indicators of a questionnaire and cross-tables, from their declarations alone.
//!
//! [`Counter`] takes batches of a table in its coded form (dictionaries and bit sets) and keeps counts only: its memory
//! does not grow with the rows. All that is counted of a table is counted in one pass, and by one kernel.

mod coded;
mod crosstab;
#[cfg(test)]
mod crosstab_tests;
mod indicators;
mod interval;
mod long;
#[cfg(test)]
mod long_tests;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use crate::config::pipeline::{Crosstab, Questionnaire};
use crate::contract::Contract;
use crate::id::TableName;

use coded::Coded;
use crosstab::Crossing;
use indicators::Survey;

pub use crosstab::{MOST_ROWS, crosstab_schema};
pub use long::Lister;
pub use table::indicator_schema;

/// Counts everything that is asked of one table over batches of its rows.
#[derive(Debug)]
pub struct Counter<'a> {
    coded: Coded<'a>,
    survey: Option<Survey<'a>>,
    crossings: Vec<Crossing<'a>>,
}

impl<'a> Counter<'a> {
    /// A counter that has seen no row: of a questionnaire to the table, and of cross-tables of it.
    pub fn new(
        contract: &'a Contract,
        questionnaire: Option<&'a Questionnaire>,
        crosstabs: impl IntoIterator<Item = &'a Crosstab>,
    ) -> Self {
        let mut coded = Coded::new(contract);
        let survey = questionnaire.map(|questionnaire| Survey::new(questionnaire, contract, &mut coded));
        let crossings = crosstabs.into_iter().map(|crosstab| Crossing::new(crosstab, &mut coded)).collect();
        Self { coded, survey, crossings }
    }

    /// Columns of the table that are read.
    pub fn columns(&self) -> Vec<String> {
        self.coded.columns()
    }

    /// Counts a batch of the table in its coded form.
    pub fn take(&mut self, batch: &RecordBatch) {
        self.coded.read(batch);
        if let Some(survey) = &mut self.survey {
            survey.take(&self.coded);
        }
        for crossing in &mut self.crossings {
            crossing.take(&self.coded);
        }
    }

    /// The first cross-table that has more than [`MOST_ROWS`] rows by now: counting on is of no use.
    pub fn outgrown(&self) -> Option<&'a TableName> {
        self.crossings.iter().find(|crossing| crossing.rows(&self.coded) > MOST_ROWS).map(Crossing::name)
    }

    /// The tables `indicateurs`, by question in the order of the questionnaire and option in that of its list, and
    /// `indicateurs_groupes`, which is never published; `None` without a questionnaire.
    pub fn indicators(&self) -> Option<[Result<RecordBatch, ArrowError>; 2]> {
        let survey = self.survey.as_ref()?;
        Some([table::table(survey, false), table::table(survey, true)])
    }

    /// The cross-tables, by their names.
    pub fn crosstabs(&self) -> impl Iterator<Item = (&'a TableName, Result<RecordBatch, ArrowError>)> {
        self.crossings.iter().map(|crossing| (crossing.name(), crossing.table(&self.coded)))
    }
}
