//! `essaim releases erase`: taking a record out of everything, after a legal demand.

use clap::Args;

use super::failed;
use crate::cli::Exit;
use crate::cli::printer::Printer;
use crate::cli::project::Checked;
use crate::cli::run::{clock, now};
use crate::quality::gate::Acceptance;
use crate::run::{Demanded, ErasedRecord, From, Job, RunError, RunOptions, erase as erase_record};

/// Arguments of an erasure.
#[derive(Debug, Args)]
pub(super) struct EraseArguments {
    /// Dataset
    dataset: String,
    /// Key of the record as its source writes it; a key of several columns is joined by `|`
    #[arg(long, value_name = "VALUE")]
    key: String,
    /// Table of the record, when several have one with this key
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Why, in words that are published; they name nobody
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::published_text)]
    because: String,
}

/// Erases a record.
pub(super) async fn erase(checked: &Checked, what: &EraseArguments, printer: &Printer) -> Result<(), Exit> {
    let mistake = |line: String| {
        printer.failure_lines(&[line]);
        Exit::Mistake
    };
    let (key, reason) = (what.key.trim(), what.because.trim());
    if key.is_empty() || reason.is_empty() {
        return Err(mistake("say which record and why: --key VALUE --because TEXT".to_owned()));
    }
    if reason.contains(key) {
        return Err(mistake("--because is published: it may not name the record that is erased".to_owned()));
    }
    let at = checked.selected(Some(&what.dataset), printer)?[0];
    let pipeline = &checked.project.pipelines[at];
    let table =
        pipeline.tables.iter().map(|table| &table.name).find(|name| Some(name.as_str()) == what.table.as_deref());
    if let (Some(wanted), None) = (&what.table, table) {
        let known: Vec<&str> = pipeline.tables.iter().map(|table| table.name.as_str()).collect();
        return Err(mistake(format!("`{}` has no table `{wanted}`; it has: {}", what.dataset, known.join(", "))));
    }
    let options = RunOptions {
        from: From::Snapshot,
        dry_run: true,
        acceptance: Acceptance::default(),
        turn: None,
        now: now(),
        clock,
        env: checked.env.clone(),
    };
    let job_of = |at: usize| Job {
        project: &checked.project,
        files: &checked.files,
        pipeline: &checked.project.pipelines[at],
        plan: &checked.plans[at],
    };
    let others: Vec<Job<'_>> = (0..checked.project.pipelines.len()).filter(|other| *other != at).map(job_of).collect();
    let demanded = Demanded { key: key.to_owned(), table: table.cloned(), reason: reason.to_owned() };
    let erased = erase_record(job_of(at), &others, &options, &demanded).await.map_err(|error| match error {
        RunError::SeveralRecords { .. } => {
            printer.failure(&error);
            Exit::Mistake
        }
        error => failed(&error, printer),
    })?;
    for erased in &erased {
        tell(erased, printer);
    }
    printer.talk("  ask the source to erase it too: what it sends again is left out, and kept in the private store\n");
    Ok(())
}

/// Tells what was erased from a dataset.
fn tell(erased: &ErasedRecord, printer: &Printer) {
    for (old, new) in &erased.releases {
        printer.data(&format!("{}\t{old}\t{new}\n", erased.dataset));
    }
    let done = if erased.before { "erased again" } else { "erased" };
    printer.talk(&format!(
        "{done} a record of `{}` from {}: {} releases rewritten, {} snapshots, {} files beside run records\n",
        erased.table,
        erased.dataset,
        erased.releases.len(),
        erased.snapshots,
        erased.files
    ));
    for part in &erased.dropped {
        printer.talk(&format!("  deleted as a whole, for the record cannot be cut out of it: {part}\n"));
    }
    for table in &erased.unsure {
        printer.talk(&format!("  look at `{table}` yourself: it shows rows of the table without their key\n"));
    }
    for pipeline in &erased.blind {
        printer.talk(&format!(
            "  look at `{pipeline}` yourself: it reads the same source without the key of its records\n"
        ));
    }
}
