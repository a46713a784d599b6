//! `essaim run`.

use std::path::Path;

use clap::{Args, ValueEnum};

use super::Exit;
use super::printer::Printer;
use super::{project, runs, summary};
use crate::quality::gate::Acceptance;
use crate::run::{From, Job, RunOptions, RunOutcome, run as run_pipeline};

/// Arguments of `essaim run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  essaim run
  essaim run cooperations-territoriales --from snapshot
  essaim run --dry-run
  essaim run --accept rows:structures --because 'A network has closed.'")]
pub(super) struct RunArguments {
    /// Pipeline to run; all of the project when left out
    pipeline: Option<String>,
    /// Where to start
    #[arg(long, value_name = "STEP", default_value = "source")]
    from: Start,
    /// Make everything and publish nothing
    #[arg(long)]
    dry_run: bool,
    /// Tell what each step took: time, processor time, memory, rows, bytes
    #[arg(long)]
    profile: bool,
    /// Bound of the gate to let through, such as rows:structures; may be given several times
    #[arg(long, value_name = "BOUND", requires = "because")]
    accept: Vec<String>,
    /// Why, in words that are published with the release
    #[arg(long, value_name = "TEXT", requires = "accept", value_parser = super::published_text)]
    because: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Start {
    /// Fetch the sources
    Source,
    /// Use the last snapshots
    Snapshot,
}

/// The time now.
#[expect(clippy::disallowed_methods, reason = "the command line is where the clock is read")]
pub(super) fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

pub(super) fn clock() -> String {
    now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Runs the pipelines, one after the other; one that fails does not stop the others.
pub(super) async fn run(arguments: &RunArguments, folder: &Path, printer: &Printer) -> Exit {
    let (checked, selected) = match project::check_selected(folder, arguments.pipeline.as_deref(), printer) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let from = if arguments.from == Start::Snapshot { From::Snapshot } else { From::Source };
    let acceptance =
        Acceptance { bounds: arguments.accept.clone(), because: arguments.because.clone().unwrap_or_default() };
    let mut exit = Exit::Done;
    for at in selected {
        let options = RunOptions {
            from,
            dry_run: arguments.dry_run,
            acceptance: acceptance.clone(),
            turn: None,
            now: now(),
            clock,
            env: checked.env.clone(),
        };
        let pipeline = &checked.project.pipelines[at];
        let job = Job { project: &checked.project, files: &checked.files, pipeline, plan: &checked.plans[at] };
        let record = run_pipeline(job, &options, printer).await;
        if let RunOutcome::Failed { error, .. } = &record.outcome {
            printer.failure_lines(error);
        }
        if printer.json() {
            printer.object(&serde_json::json!({ "level": "info", "run": record }));
        } else {
            printer.talk(&summary::text(&record, &checked.project));
            if arguments.profile {
                printer.talk(&runs::profile(&record));
            }
        }
        printer.talk(&summary::unused(&acceptance.bounds, &record));
        printer.data(&summary::line(&record));
        if record.failed() {
            exit = Exit::Failed;
        }
    }
    exit
}
