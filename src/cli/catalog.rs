//! `essaim catalog`: what is derived from the logs, made again.

use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::Exit;
use super::printer::Printer;
use super::project;
use super::releases::public_store;
use super::run::now;
use crate::id::DatasetId;
use crate::publish::commit::log;
use crate::publish::gc::{Age, collect_assets};
use crate::publish::latest;

/// Arguments of `essaim catalog`.
#[derive(Debug, Args)]
pub(super) struct CatalogArguments {
    #[command(subcommand)]
    command: CatalogCommand,
}

#[derive(Debug, Subcommand)]
enum CatalogCommand {
    /// Write the pages, feeds, releases.json and latest/ of every dataset again, where they are not as the log says
    Rebuild {
        /// Dataset; all of them when none is named
        dataset: Option<String>,
    },
}

/// Makes what is derived again.
pub(super) async fn catalog(arguments: &CatalogArguments, folder: &Path, printer: &Printer) -> Exit {
    let CatalogCommand::Rebuild { dataset } = &arguments.command;
    rebuild(dataset.as_deref(), folder, printer).await.err().unwrap_or(Exit::Done)
}

async fn rebuild(dataset: Option<&str>, folder: &Path, printer: &Printer) -> Result<(), Exit> {
    let checked = project::open(folder, printer)?;
    let store = public_store(&checked, printer)?;
    let failed = |error| {
        printer.failure(&error);
        Exit::Failed
    };
    for at in checked.selected(dataset, printer)? {
        let dataset = &checked.project.pipelines[at].id;
        let entries = log(&store, dataset).await.map_err(failed)?;
        if entries.is_empty() {
            printer.talk(&format!("{dataset}: no release yet; `essaim run {dataset}` makes one\n"));
            continue;
        }
        latest::rebuild(&store, dataset, &entries).await.map_err(failed)?;
        printer.talk(&format!("{dataset}: pages, releases.json and latest/ are as the log says\n"));
    }
    if dataset.is_none() {
        let own: Vec<DatasetId> = checked.project.pipelines.iter().map(|pipeline| pipeline.id.clone()).collect();
        let age = Age { now: now(), at_least: Duration::from_hours(24) };
        let gone = collect_assets(&store, &own, age).await.map_err(failed)?;
        if gone > 0 {
            printer.talk(&format!("removed {gone} files in assets/ that no page names any more\n"));
        }
    }
    Ok(())
}
