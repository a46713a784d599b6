//! `essaim runs`: what runs did.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Exit;
use super::printer::{Printer, Text};
use super::project::{self, Checked};
use crate::id::RunId;
use crate::run::RunRecord;
use crate::run::history::{record, records, runs as all_runs};
use crate::store::Store;

/// Arguments of `essaim runs`.
#[derive(Debug, Args)]
pub(super) struct RunsArguments {
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// List runs, the newest first
    #[command(
        after_help = "Columns: run, pipeline, outcome, release or code, seconds, slot of the schedule or `asked`.
`essaim query --runs 'SELECT …'` asks the same in SQL."
    )]
    List {
        /// Pipeline; all of them when none is named
        pipeline: Option<String>,
        /// Number of runs
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: usize,
    },
    /// Show what a run did
    #[command(after_help = "Examples:
  essaim runs show                             the last run
  essaim runs show 20261123T013000Z-0a1b2c3d")]
    Show {
        /// Run; the last one when none is named
        run: Option<String>,
        /// Write the record as it was kept
        #[arg(long)]
        json: bool,
    },
}

/// Lists or shows runs.
pub(super) async fn runs(arguments: &RunsArguments, folder: &Path, printer: &Printer) -> Exit {
    let checked = match project::open(folder, printer) {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    let done = match &arguments.command {
        RunsCommand::List { pipeline, limit } => list(&checked, pipeline.as_deref(), *limit, printer).await,
        RunsCommand::Show { run, json } => show(&checked, run.as_deref(), *json, printer).await,
    };
    done.err().unwrap_or(Exit::Done)
}

fn failed(error: &dyn std::error::Error, printer: &Printer) -> Exit {
    printer.failure(error);
    Exit::Failed
}

/// Opens the private store of a project.
pub(super) fn private_store(checked: &Checked, printer: &Printer) -> Result<Store, Exit> {
    let project = &checked.project;
    Store::open(&project.private_store, &project.root, &checked.env).map_err(|error| failed(&error, printer))
}

async fn list(checked: &Checked, pipeline: Option<&str>, limit: usize, printer: &Printer) -> Result<(), Exit> {
    checked.selected(pipeline, printer)?;
    let private = private_store(checked, printer)?;
    let runs = all_runs(&private).await.map_err(|error| failed(&error, printer))?;
    let mut out = Text::default();
    let mut listed = 0;
    for run in &runs {
        if listed == limit {
            break;
        }
        let Some(record) = record(&private, run).await.map_err(|error| failed(&error, printer))? else { continue };
        let text = |member: &str| record[member].as_str().unwrap_or("-").to_owned();
        if pipeline.is_some_and(|pipeline| text("pipeline") != pipeline) {
            continue;
        }
        let what = if record["release"].is_string() { text("release") } else { text("code") };
        let slot = if record["slot"].is_string() { text("slot") } else { "asked".to_owned() };
        let seconds = record["duration_ms"].as_f64().unwrap_or_default() / 1000.0;
        out.line(format_args!("{run}\t{}\t{}\t{what}\t{seconds:.1}\t{slot}", text("pipeline"), text("outcome")));
        listed += 1;
    }
    printer.data(&out.finish());
    if listed == 0 {
        printer.talk("no run yet; `essaim run` makes one\n");
    }
    Ok(())
}

async fn show(checked: &Checked, wanted: Option<&str>, json: bool, printer: &Printer) -> Result<(), Exit> {
    let private = private_store(checked, printer)?;
    let mistake = |line: String| {
        printer.failure_lines(&[line]);
        Exit::Mistake
    };
    let run = match wanted {
        Some(wanted) => wanted.parse::<RunId>().map_err(|invalid| mistake(invalid.to_string()))?,
        None => {
            let runs = all_runs(&private).await.map_err(|error| failed(&error, printer))?;
            runs.into_iter().next().ok_or_else(|| mistake("no run yet; `essaim run` makes one".to_owned()))?
        }
    };
    let found = records(&private, std::slice::from_ref(&run)).await.map_err(|error| failed(&error, printer))?;
    let Some(record) = found.first() else {
        return Err(mistake(format!("there is no run `{run}`; `essaim runs list` shows them")));
    };
    if json {
        printer.data(&format!("{record:#}\n"));
    } else {
        printer.data(&describe(record));
    }
    Ok(())
}

fn describe(record: &Value) -> String {
    let mut out = Text::default();
    let text = |of: &Value, member: &str| of[member].as_str().unwrap_or("-").to_owned();
    let seconds = |of: &Value| of["duration_ms"].as_f64().unwrap_or_default() / 1000.0;
    let what = if record["release"].is_string() { text(record, "release") } else { text(record, "code") };
    out.line(format_args!("{} of {}", text(record, "run"), text(record, "pipeline")));
    let slot = record["slot"].as_str().map_or_else(|| "asked for".to_owned(), |slot| format!("scheduled for {slot}"));
    out.line(format_args!("{slot}, started {} on {}", text(record, "started_at"), text(record, "host")));
    out.line(format_args!("{} {what} in {:.2} s", text(record, "outcome"), seconds(record)));
    let list = |member: &str| record[member].as_array().cloned().unwrap_or_default();
    for line in list("error").iter().filter_map(Value::as_str) {
        out.line(format_args!("  {line}"));
    }
    out.line(format_args!("\nsources"));
    for source in list("sources") {
        let held = source["held_back"].as_str().map_or_else(String::new, |code| format!(", held back: {code}"));
        out.line(format_args!(
            "  {:<28} {:>10} bytes, snapshot {} of {}{held}",
            text(&source, "source"),
            source["bytes"],
            source["snapshot"],
            text(&source, "fetched_at")
        ));
    }
    out.line(format_args!("\ntables"));
    for table in list("tables") {
        out.line(format_args!("  {:<28} {:>10} rows, {} kept", text(&table, "table"), table["read"], table["kept"]));
    }
    let broken = list("bounds").into_iter().filter(|bound| bound["said"].is_string());
    for bound in broken {
        out.line(format_args!("\n{} {}: {}", text(&bound, "verdict"), text(&bound, "id"), text(&bound, "said")));
    }
    steps(&mut out, record);
    out.finish()
}

/// What each step of a run took, of a record that was not stored yet.
pub(super) fn profile(record: &RunRecord) -> String {
    let mut out = Text::default();
    steps(&mut out, &serde_json::json!({ "steps": record.steps }));
    out.finish()
}

fn steps(out: &mut Text, record: &Value) {
    out.line(format_args!("\nsteps"));
    for step in record["steps"].as_array().into_iter().flatten() {
        let name = step["step"].as_str().unwrap_or_default();
        let part = name.contains(':');
        let shown =
            if part { format!("  {}", name.split_once(':').map_or(name, |(_, part)| part)) } else { name.to_owned() };
        let seconds = step["duration_ms"].as_f64().unwrap_or_default() / 1000.0;
        let told = [
            step["cpu_ms"].as_f64().map(|cpu| format!(", {:>8.2} s of CPU", cpu / 1000.0)),
            step["peak_memory_bytes"].as_u64().map(|bytes| format!(", {:>5} MB at most", bytes.div_ceil(1_000_000))),
            step["rows"].as_u64().map(|rows| format!(", {rows} rows")),
            step["bytes"].as_u64().map(|bytes| format!(", {} kB", bytes.div_ceil(1000))),
        ];
        let told: String = told.into_iter().flatten().collect();
        out.line(format_args!("  {shown:<34} {seconds:>9.2} s{told}"));
    }
}
