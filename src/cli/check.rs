//! `essaim check`.

use std::path::Path;

use clap::Args;

use super::Exit;
use super::printer::Printer;
use super::project;

/// Arguments of `essaim check`.
#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// Pipeline to check; all of the project when left out
    pipeline: Option<String>,
}

/// Reports every mistake in the project files.
pub(super) fn check(arguments: &CheckArguments, folder: &Path, printer: &Printer) -> Exit {
    let checked = match project::check(folder, printer) {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    match checked.selected(arguments.pipeline.as_deref(), printer) {
        Err(exit) => exit,
        Ok(selected) => {
            for at in selected {
                let pipeline = &checked.project.pipelines[at];
                printer.talk(&format!(
                    "{}: no mistake found ({} sources, {} tables, {} models, {} published)\n",
                    pipeline.id,
                    pipeline.sources.len(),
                    pipeline.tables.len(),
                    pipeline.models.len(),
                    pipeline.published.len(),
                ));
            }
            Exit::Done
        }
    }
}
