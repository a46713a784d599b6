//! `essaim releases withdraw|restore|gc`: changing what is published.

use std::time::Duration;

use clap::Args;

use super::{dataset_of, failed};
use crate::cli::Exit;
use crate::cli::printer::Printer;
use crate::cli::project::Checked;
use crate::cli::run::now;
use crate::id::{DatasetId, ReleaseId};
use crate::publish::commit::{log, manifest_of};
use crate::publish::gc::{Age, collect};
use crate::publish::withdraw::{self, Demand, Stores};
use crate::release::{Withdrawal, states};
use crate::store::Store;

/// Arguments of a withdrawal.
#[derive(Debug, Args)]
pub(super) struct WithdrawArguments {
    #[command(flatten)]
    pub(super) change: ChangeArguments,
    /// The stored files are damaged, and what they should say may be published again; without this no run publishes it again
    /// unless somebody accepts it
    #[arg(long)]
    damaged: bool,
}

/// Arguments of a withdrawal or a restore.
#[derive(Debug, Args)]
pub(super) struct ChangeArguments {
    /// Dataset@release
    pub(super) release: String,
    /// Why, in words that are published with the release
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::published_text)]
    because: String,
}

/// Arguments of a collection.
#[derive(Debug, Args)]
pub(super) struct GcArguments {
    /// Dataset; all of them when none is named
    dataset: Option<String>,
    /// Spare what was changed in the last hours: a run that goes on may be writing it
    #[arg(long, default_value_t = 24, value_name = "HOURS")]
    older_than: u64,
    /// Only tell what would be removed
    #[arg(long)]
    dry_run: bool,
}

impl GcArguments {
    /// Whether files of a dataset may be removed.
    pub(super) fn changes(&self, dataset: &DatasetId) -> bool {
        !self.dry_run && self.dataset.as_deref().is_none_or(|meant| meant == dataset.as_str())
    }
}

/// A release as it was named, and why it is to be changed.
fn demand(checked: &Checked, change: &ChangeArguments, printer: &Printer) -> Result<Demand, Exit> {
    let mistake = |line: String| {
        printer.failure_lines(&[line]);
        Exit::Mistake
    };
    let (name, release) = change.release.split_once('@').ok_or_else(|| {
        mistake(format!("name one release: `{0}@2026-11-22`; `essaim releases list {0}` shows them", change.release))
    })?;
    let dataset = dataset_of(checked, name, printer)?.clone();
    let release: ReleaseId = release.parse().map_err(|invalid| mistake(format!("{invalid}")))?;
    if change.because.trim().is_empty() {
        return Err(mistake("say why: --because TEXT is published with the release".to_owned()));
    }
    Ok(Demand {
        dataset,
        release,
        reason: change.because.trim().to_owned(),
        attempt: hex::encode(rand::random::<[u8; 8]>()),
        at: now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    })
}

pub(super) fn private_store(checked: &Checked, printer: &Printer) -> Result<Store, Exit> {
    let project = &checked.project;
    Store::open(&project.private_store, &project.root, &checked.env).map_err(|error| failed(&error, printer))
}

/// Withdraws a release.
pub(super) async fn withdraw(
    checked: &Checked,
    public: &Store,
    what: &WithdrawArguments,
    printer: &Printer,
) -> Result<(), Exit> {
    let (demand, private) = (demand(checked, &what.change, printer)?, private_store(checked, printer)?);
    let stores = Stores { public, private: &private };
    let why = if what.damaged { Withdrawal::Damaged } else { Withdrawal::Content };
    let done = withdraw::withdraw(stores, &demand, why).await.map_err(|error| failed(&error, printer))?;
    let (dataset, release) = (&demand.dataset, &demand.release);
    printer.talk(&if done {
        format!("withdrew {dataset}@{release}; its files are in the private store, `essaim releases restore` brings them back\n")
    } else {
        format!("{dataset}@{release} was withdrawn before\n")
    });
    if let (Withdrawal::Content, Some(follower)) = (why, follower(public, &demand, printer).await?) {
        printer.talk(&format!(
            "  the list of changes of {dataset}@{follower} tells what it said: withdraw that one too if this may not stand\n"
        ));
    }
    Ok(())
}

/// The visible release that was made when the withdrawn one was the last before it.
async fn follower(public: &Store, demand: &Demand, printer: &Printer) -> Result<Option<ReleaseId>, Exit> {
    let entries = log(public, &demand.dataset).await.map_err(|error| failed(&error, printer))?;
    let states = states(&entries);
    let after = states.iter().skip_while(|state| state.release() != Some(&demand.release)).skip(1);
    for state in after.filter(|state| state.withdrawn.is_none()) {
        let Some(release) = state.release() else { continue };
        let manifest = manifest_of(public, &demand.dataset, release).await;
        if manifest.is_ok_and(|manifest| manifest.previous.as_ref() == Some(&demand.release)) {
            return Ok(Some(release.clone()));
        }
    }
    Ok(None)
}

/// Restores a release.
pub(super) async fn restore(
    checked: &Checked,
    public: &Store,
    change: &ChangeArguments,
    printer: &Printer,
) -> Result<(), Exit> {
    let (demand, private) = (demand(checked, change, printer)?, private_store(checked, printer)?);
    let stores = Stores { public, private: &private };
    let done = withdraw::restore(stores, &demand).await.map_err(|error| failed(&error, printer))?;
    let (dataset, release) = (&demand.dataset, &demand.release);
    printer.talk(&if done {
        format!("restored {dataset}@{release}\n")
    } else {
        format!("{dataset}@{release} is not withdrawn\n")
    });
    Ok(())
}

/// Removes what killed runs left behind.
pub(super) async fn gc(checked: &Checked, public: &Store, what: &GcArguments, printer: &Printer) -> Result<(), Exit> {
    let age = Age { now: now(), at_least: Duration::from_hours(what.older_than) };
    for at in checked.selected(what.dataset.as_deref(), printer)? {
        let dataset = &checked.project.pipelines[at].id;
        let found = collect(public, dataset, age, what.dry_run).await.map_err(|error| failed(&error, printer))?;
        for path in &found.files {
            printer.data(&format!("{path}\n"));
        }
        let verb = if what.dry_run { "to remove" } else { "removed" };
        printer.talk(&format!(
            "{dataset}: {verb} {} files of releases that were never published, {} unfinished files\n",
            found.files.len(),
            found.unfinished
        ));
    }
    Ok(())
}
