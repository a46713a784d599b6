//! What is said of published tables before they are published: checks that follow from contracts, of single rows
//! ([`builtin`]) and of whole tables ([`derived`]), and what they found.

pub mod builtin;
pub mod derived;
pub mod drift;
pub mod gate;
pub mod sequence;

pub use crate::config::pipeline::Severity;
pub use builtin::ContractChecks;

/// A failing row: its key and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Row of the table, from 1, in published order.
    pub row: u64,
    /// What is wrong, without the value.
    pub detail: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Stable id such as `required:nom`, or the name of a declared check.
    pub id: String,
    /// The table.
    pub table: String,
    /// What happens when it fails.
    pub severity: Severity,
    /// Rows that fail.
    pub failing_rows: u64,
    /// The first of them.
    pub sample: Vec<Sample>,
    /// Why the check was declared; empty when it follows from a contract.
    pub because: String,
    /// The first failing rows, as a file beside the run's record.
    pub file: Option<String>,
    /// Whether the number of failing rows would tell how many respondents gave an answer.
    pub withheld: bool,
}

impl Outcome {
    /// A blocking outcome from rows that were found elsewhere.
    pub fn blocking(id: &str, table: &str, failing: Vec<Sample>) -> Self {
        let failing_rows = failing.len() as u64;
        let sample = failing.into_iter().take(SAMPLE).collect();
        Self {
            id: id.to_owned(),
            table: table.to_owned(),
            severity: Severity::Block,
            failing_rows,
            sample,
            because: String::new(),
            file: None,
            withheld: false,
        }
    }

    /// Whether it stops the release.
    pub fn blocks(&self) -> bool {
        self.failing_rows > 0 && self.severity == Severity::Block
    }
}

const SAMPLE: usize = 5;
