//! What a run did: written also when it failed, and the source of the summary on the screen.

use std::collections::BTreeMap;

use serde::Serialize;

use super::RunOptions;
use super::ledger::LedgerCounts;
use crate::config::pipeline::Pipeline;
use crate::id::{DatasetId, ReleaseId, RunId};
use crate::quality::gate::Bound;
use crate::source::Transfer;

/// A step and how long it took.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StepRecord {
    /// Name of the step; a part of one has its name, a `:` and its own.
    pub step: String,
    /// Wall time in milliseconds.
    pub duration_ms: f64,
    /// Processor time of the process meanwhile, in milliseconds to a hundredth of a second, where the system tells.
    pub cpu_ms: Option<f64>,
    /// Rows that came of it.
    pub rows: Option<u64>,
    /// Bytes that came of it.
    pub bytes: Option<u64>,
    /// Most memory that the process took meanwhile, in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

/// A source as it was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceUse {
    /// Name in the pipeline.
    pub source: String,
    /// Number of the snapshot.
    pub snapshot: u64,
    /// Whether this run made that snapshot.
    pub new: bool,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was fetched, RFC 3339, UTC.
    pub fetched_at: String,
    /// What was wrong with the last answer, a code, when the last good snapshot is used in its place.
    pub held_back: Option<String>,
    /// How its parts came; empty when it was not asked, or did not answer.
    pub transfers: Vec<Transfer>,
}

/// A table as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableUse {
    /// Name.
    pub table: String,
    /// Rows of the source.
    pub read: u64,
    /// Rows of the table.
    pub kept: u64,
    /// Rejects, unfit cells and corrections.
    #[serde(flatten)]
    pub counts: LedgerCounts,
    /// Rows by the method that placed them.
    pub placed: BTreeMap<String, u64>,
    /// Mapped columns that the source does not have.
    pub columns_missing: Vec<String>,
    /// What changed in the columns of the source since it was last read.
    pub changes: Vec<String>,
    /// Members of the source that are no rows.
    pub ignored: u64,
    /// What a person should know about the source, such as the encoding that was found out.
    pub remarks: Vec<String>,
}

/// A published table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishedTable {
    /// Name.
    pub table: String,
    /// Rows.
    pub rows: u64,
    /// Rows whose numbers are withheld.
    pub secret: u64,
}

/// A check that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedCheck {
    /// Its id.
    pub id: String,
    /// The table.
    pub table: String,
    /// `block` or `warn`.
    pub severity: &'static str,
    /// Rows that fail.
    pub failing_rows: u64,
    /// The first of them: row in published order and what is wrong.
    pub sample: Vec<(u64, String)>,
    /// Why the check was declared; empty when it follows from a contract.
    pub because: String,
    /// The first failing rows, as a file beside this record.
    pub file: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum RunOutcome {
    /// A release is visible.
    Published {
        /// Its id.
        release: ReleaseId,
        /// The log entry that made it visible.
        log: u64,
        /// Derived files that could not be refreshed.
        stale: Option<String>,
    },
    /// The current release already says the same.
    Unchanged {
        /// The current release.
        release: ReleaseId,
    },
    /// Checks stopped it.
    Blocked,
    /// Everything was made and nothing published, as asked.
    DryRun,
    /// Everything was read, and the pipeline publishes no table.
    NothingPublic,
    /// It failed.
    Failed {
        /// What was wrong, a stable code.
        code: String,
        /// The source that failed, when it was one.
        source: Option<String>,
        /// The error and its causes.
        error: Vec<String>,
    },
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRecord {
    /// The run.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: DatasetId,
    /// Whether its survey is synthetic.
    pub synthetic: bool,
    /// When it started, RFC 3339, UTC.
    pub started_at: String,
    /// The slot of the schedule that it ran for; none when somebody asked for it.
    pub slot: Option<String>,
    /// The machine that it ran on.
    pub host: String,
    /// Wall time in milliseconds.
    pub duration_ms: f64,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: RunOutcome,
    /// Sources.
    pub sources: Vec<SourceUse>,
    /// Tables.
    pub tables: Vec<TableUse>,
    /// Sources whose owner has a page and a list, in `proprietaires/` beside the record.
    pub owners: Vec<String>,
    /// Published tables.
    pub published: Vec<PublishedTable>,
    /// Checks that failed.
    pub failed_checks: Vec<FailedCheck>,
    /// Bounds of the gate.
    pub bounds: Vec<Bound>,
    /// Checks that were run.
    pub checks: usize,
    /// Files of the release and their bytes.
    pub files: usize,
    /// Bytes of the release's data files.
    pub bytes: u64,
    /// Steps.
    pub steps: Vec<StepRecord>,
}

impl RunRecord {
    /// The record of a run that begins.
    pub(super) fn begun(run: RunId, pipeline: &Pipeline, options: &RunOptions) -> Self {
        Self {
            run,
            pipeline: pipeline.id.clone(),
            synthetic: pipeline.synthetic,
            started_at: options.now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            slot: options.turn.as_ref().and_then(|turn| turn.slot.clone()),
            host: super::lease::host(),
            duration_ms: 0.0,
            outcome: RunOutcome::DryRun,
            sources: Vec::new(),
            tables: Vec::new(),
            owners: Vec::new(),
            published: Vec::new(),
            failed_checks: Vec::new(),
            bounds: Vec::new(),
            checks: 0,
            files: 0,
            bytes: 0,
            steps: Vec::new(),
        }
    }

    /// What stopped a blocked run, a stable code.
    pub fn blocked_by(&self) -> &'static str {
        if self.bounds.iter().any(Bound::blocks) { "gate_closed" } else { "checks_failed" }
    }

    /// Whether somebody else took over: what became of the dataset is told by that run.
    pub fn is_superseded(&self) -> bool {
        matches!(&self.outcome, RunOutcome::Failed { code, .. } if code == "superseded")
    }

    /// Whether a person must act: nothing was delivered, or not what the sources say now.
    pub fn failed(&self) -> bool {
        matches!(self.outcome, RunOutcome::Failed { .. } | RunOutcome::Blocked)
            || self.sources.iter().any(|source| source.held_back.is_some())
    }
}
