//! `essaim graph`.

use std::path::Path;

use clap::Args;

use super::Exit;
use super::printer::{Printer, Text};
use super::project;
use crate::run::project::explain;

/// Arguments of `essaim graph`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  essaim graph                           what each model reads, in the order in which they run
  essaim graph tiers-lieux --explain     the same, with the plan of each model")]
pub(super) struct GraphArguments {
    /// Pipeline to show; all of the project when left out
    pipeline: Option<String>,
    /// Show how each model is executed: DataFusion's physical plan, over tables without rows
    #[arg(long)]
    explain: bool,
}

/// Shows what models read, in their order.
pub(super) async fn graph(arguments: &GraphArguments, folder: &Path, printer: &Printer) -> Exit {
    let (checked, selected) = match project::check_selected(folder, arguments.pipeline.as_deref(), printer) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let mut out = Text::default();
    for at in selected {
        let (Some(pipeline), Some(plan)) = (checked.project.pipelines.get(at), checked.plans.get(at)) else { continue };
        let plans = match explain(pipeline, plan).await {
            Ok(plans) => plans,
            Err(error) => {
                printer.failure(&error);
                return Exit::Failed;
            }
        };
        out.line(format_args!("{}", pipeline.id));
        for (model, steps) in plans {
            let reads: Vec<&str> = plan.reads(model.as_str()).collect();
            let published = if pipeline.published.contains(&model) { ", published" } else { "" };
            out.line(format_args!("  {model} reads {}{published}", reads.join(", ")));
            for step in steps.lines().filter(|_| arguments.explain) {
                out.line(format_args!("      {step}"));
            }
        }
    }
    printer.data(&out.finish());
    Exit::Done
}
