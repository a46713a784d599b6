//! `essaim releases`: what is published, and changing it.

mod diff;
mod erase;
mod manage;
mod show;

use std::path::Path;

use clap::{Args, Subcommand};

use super::Exit;
use super::printer::Printer;
use super::project::{self, Checked};
use super::run::{clock, now};
use crate::id::{DatasetId, ReleaseId};
use crate::publish::commit::log;
use crate::publish::withdraw::Stores;
use crate::release::{LogEntry, ReleaseState, current, replaced, states};
use crate::run::{Lease, hold};
use crate::store::Store;

/// Arguments of `essaim releases`.
#[derive(Debug, Args)]
pub(super) struct ReleasesArguments {
    #[command(subcommand)]
    command: ReleasesCommand,
}

#[derive(Debug, Subcommand)]
enum ReleasesCommand {
    /// List the releases of every dataset, or of one
    List {
        /// Dataset
        dataset: Option<String>,
    },
    /// Show what is in a release and where it came from
    #[command(after_help = "Examples:
  essaim releases show cooperations-territoriales
  essaim releases show cooperations-territoriales@2026-11-22")]
    Show {
        /// Dataset, or dataset@release; the latest when no release is named
        release: String,
    },
    /// Show what changed between two releases, and why
    #[command(
        after_help = "Told from the older release to the newer one. Rows that a source no longer has, and rows or answers that somebody
may have withdrawn, are counted and not shown.

Examples:
  essaim releases diff cooperations-territoriales@2026-11-22 latest
  essaim releases diff 2026-11-22 2026-11-23 --table structures
  essaim releases diff 2026-11-22 latest --format parquet --output changes.parquet"
    )]
    Diff(diff::DiffArguments),
    /// Read everything back: log, claims, manifests, sums and files
    #[command(
        after_help = "Exit code 0: all is as the log says; 1: it is not. What the next run repairs by itself is told, and is no fault."
    )]
    Verify {
        /// Dataset, or dataset@release; all datasets when none is named
        release: Option<String>,
    },
    /// Take a release out of sight; its files move to the private store, and a notice with the reason stays
    #[command(after_help = "Example:
  essaim releases withdraw cooperations-territoriales@2026-11-22 --because 'Une colonne était décalée.'")]
    Withdraw(manage::WithdrawArguments),
    /// Bring a withdrawn release back
    Restore(manage::ChangeArguments),
    /// Take a record out of every release, snapshot and list, after a legal demand
    #[command(
        after_help = "Releases that hold it are rewritten as `…-r1` and the old bytes deleted; aggregates stay as they are.
Example:
  essaim releases erase cooperations-territoriales --key FicheSynthetique012 --because 'Demande d’effacement.'"
    )]
    Erase(erase::EraseArguments),
    /// Remove what killed runs left behind: files that no log entry published and nothing touched for some time
    Gc(manage::GcArguments),
}

/// Opens the public store of a project.
pub(super) fn public_store(checked: &Checked, printer: &Printer) -> Result<Store, Exit> {
    Store::open(&checked.project.public_store, &checked.project.root, &checked.env).map_err(|error| {
        printer.failure(&error);
        Exit::Failed
    })
}

/// Lists or shows releases.
pub(super) async fn releases(arguments: &ReleasesArguments, folder: &Path, printer: &Printer) -> Exit {
    // Which columns of a release tell a record is known once SQL is planned.
    let plans = matches!(arguments.command, ReleasesCommand::Erase(_));
    let opened = if plans { project::check(folder, printer) } else { project::open(folder, printer) };
    let checked = match opened {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    let store = match public_store(&checked, printer) {
        Ok(store) => store,
        Err(exit) => return exit,
    };
    let leases = match alone(&arguments.command, &checked, &store, printer).await {
        Ok(leases) => leases,
        Err(exit) => return exit,
    };
    let done = match &arguments.command {
        ReleasesCommand::List { dataset } => list(&checked, &store, dataset.as_deref(), printer).await,
        ReleasesCommand::Show { release } => show::show(&checked, &store, release, printer).await,
        ReleasesCommand::Diff(arguments) => diff::diff(&checked, &store, arguments, printer).await,
        ReleasesCommand::Verify { release } => show::verify(&checked, &store, release.as_deref(), printer).await,
        ReleasesCommand::Withdraw(what) => manage::withdraw(&checked, &store, what, printer).await,
        ReleasesCommand::Restore(change) => manage::restore(&checked, &store, change, printer).await,
        ReleasesCommand::Erase(what) => erase::erase(&checked, what, printer).await,
        ReleasesCommand::Gc(what) => manage::gc(&checked, &store, what, printer).await,
    };
    for lease in leases {
        if let Err(error) = lease.release(false, now()).await {
            printer.failure(&error);
        }
    }
    done.err().unwrap_or(Exit::Done)
}

/// Has the datasets that a command changes for it alone: a run that is under way ends first.
async fn alone(
    command: &ReleasesCommand,
    checked: &Checked,
    public: &Store,
    printer: &Printer,
) -> Result<Vec<Lease>, Exit> {
    let pipelines = checked.project.pipelines.iter().map(|pipeline| &pipeline.id);
    let is_meant = |dataset: &&DatasetId| {
        let release = match command {
            ReleasesCommand::Withdraw(what) => &what.change.release,
            ReleasesCommand::Restore(change) => &change.release,
            // A record is erased from every dataset that has it.
            ReleasesCommand::Erase(_) => return true,
            ReleasesCommand::Gc(what) => return what.changes(dataset),
            _ => return false,
        };
        release.split('@').next() == Some(dataset.as_str())
    };
    let mut leases = Vec::new();
    for dataset in pipelines.filter(is_meant) {
        let private = manage::private_store(checked, printer)?;
        let stores = Stores { public, private: &private };
        let lease = hold(stores, dataset, (now(), clock), printer).await;
        leases.push(lease.map_err(|error| failed(&error, printer))?);
    }
    Ok(leases)
}

async fn list(checked: &Checked, store: &Store, dataset: Option<&str>, printer: &Printer) -> Result<(), Exit> {
    for at in checked.selected(dataset, printer)? {
        let dataset = &checked.project.pipelines[at].id;
        let entries = entries_of(store, dataset, printer).await?;
        let latest = current(&entries).map(|(number, _)| number);
        for state in states(&entries) {
            let release = state.release().map(ToString::to_string).unwrap_or_default();
            let mark = match state.withdrawn {
                Some(_) => "\twithdrawn",
                None if Some(state.number) == latest => "\tlatest",
                None => "",
            };
            printer.data(&format!("{dataset}\t{release}\t{}{mark}\n", state.published.at));
        }
        if entries.is_empty() {
            printer.talk(&format!("{dataset}: no release yet; `essaim run {dataset}` makes one\n"));
        }
    }
    Ok(())
}

/// A dataset of the project, by its name.
fn dataset_of<'a>(checked: &'a Checked, name: &str, printer: &Printer) -> Result<&'a DatasetId, Exit> {
    let at = checked.selected(Some(name), printer)?;
    Ok(&checked.project.pipelines[at[0]].id)
}

/// The log of a dataset.
async fn entries_of(store: &Store, dataset: &DatasetId, printer: &Printer) -> Result<Vec<(u64, LogEntry)>, Exit> {
    log(store, dataset).await.map_err(|error| failed(&error, printer))
}

fn failed(error: &dyn std::error::Error, printer: &Printer) -> Exit {
    printer.failure(error);
    Exit::Failed
}

/// The release that is meant, which must be in the log and visible.
pub(super) async fn resolve(
    store: &Store,
    dataset: &DatasetId,
    release: Option<&str>,
    printer: &Printer,
) -> Result<ReleaseId, Exit> {
    let entries = entries_of(store, dataset, printer).await?;
    let states = states(&entries);
    let name_of = |state: &ReleaseState<'_>| state.release().map(ToString::to_string).unwrap_or_default();
    let found = match release {
        None => states.iter().rfind(|state| state.withdrawn.is_none()),
        Some(name) => states.iter().find(|state| name_of(state) == name),
    };
    let line = match (found, release) {
        (Some(state), _) => match (state.release(), state.withdrawn) {
            (Some(release), None) => return Ok(release.clone()),
            (_, withdrawal) => {
                let (at, reason) =
                    withdrawal.map(|entry| (entry.at.as_str(), entry.reason.as_deref())).unwrap_or_default();
                format!("`{dataset}@{}` was withdrawn on {at}: {}", name_of(state), reason.unwrap_or("no reason given"))
            }
        },
        (None, None) if states.is_empty() => {
            format!("`{dataset}` has no release yet: run `essaim run {dataset}` first")
        }
        (None, None) => format!("all releases of `{dataset}` are withdrawn; `essaim releases list` shows them"),
        (None, Some(name))
            if let Some((_, erasure)) = replaced(&entries).into_iter().find(|(old, _)| old.as_str() == name) =>
        {
            let new = erasure.release.as_ref().map(ToString::to_string).unwrap_or_default();
            let reason = erasure.reason.as_deref().unwrap_or("no reason given");
            format!("`{dataset}@{name}` was rewritten as `{new}` on {}: {reason}", erasure.at)
        }
        (None, Some(name)) => {
            let known: Vec<String> = states.iter().map(name_of).collect();
            format!("`{dataset}` has no release `{name}`; it has: {}", known.join(", "))
        }
    };
    printer.failure_lines(&[line]);
    Err(Exit::Mistake)
}
