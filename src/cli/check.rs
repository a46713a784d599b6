//! `essaim check`.

use std::path::Path;

use clap::Args;

use super::Exit;
use super::printer::{Printer, Text};
use super::project::{self, Checked};
use super::run::now;
use crate::config::pipeline::TableSpec;
use crate::run::{SampledRow, sample};

/// Arguments of `essaim check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  essaim check
  essaim check tiers-lieux --sample 5    the first rows of the last snapshot, or of the files when there is none")]
pub(super) struct CheckArguments {
    /// Pipeline to check; all of the project when left out
    pipeline: Option<String>,
    /// Show the first N rows of each table, raw cells beside typed ones; personal values are shown too
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
}

/// Reports every mistake in the project files.
pub(super) async fn check(arguments: &CheckArguments, folder: &Path, printer: &Printer) -> Exit {
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
                if let Some(most) = arguments.sample
                    && let Err(exit) = show(&checked, at, most, printer).await
                {
                    return exit;
                }
            }
            Exit::Done
        }
    }
}

/// Shows the first rows of each table of a pipeline.
async fn show(checked: &Checked, at: usize, most: usize, printer: &Printer) -> Result<(), Exit> {
    let pipeline = &checked.project.pipelines[at];
    for table in &pipeline.tables {
        let sampled = sample(&checked.project, pipeline, table, &checked.env, (most, now())).await;
        let sampled = sampled.map_err(|error| {
            printer.failure(&error);
            Exit::Failed
        })?;
        let mut out = Text::default();
        for missing in &sampled.columns_missing {
            out.line(format_args!("{}: the source has no column {missing}", table.name));
        }
        for remark in &sampled.remarks {
            out.line(format_args!("{}: {remark}", table.name));
        }
        for row in &sampled.rows {
            describe(table, row, &mut out);
        }
        printer.data(&out.finish());
    }
    Ok(())
}

/// Widest text of a raw cell.
const WIDEST: usize = 48;

fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= WIDEST { line } else { line.chars().take(WIDEST - 1).collect::<String>() + "…" }
}

/// One row: what the source has and what the table makes of it, column by column.
fn describe(table: &TableSpec, row: &SampledRow, out: &mut Text) {
    let fate =
        row.reject.as_ref().map_or_else(String::new, |(reason, detail)| format!(", rejected: {reason}. {detail}"));
    out.line(format_args!("\n{} row {}{fate}", table.name, row.row));
    let raw: Vec<(String, String)> = row
        .raw
        .iter()
        .filter(|(_, cell)| !cell.trim().is_empty())
        .map(|(name, cell)| (short(name), short(cell)))
        .collect();
    let typed: Vec<(&str, String)> = row
        .typed
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| (name.as_str(), short(value))))
        .collect();
    let width = |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let (names, cells) =
        (width(&mut raw.iter().map(|(n, _)| n.as_str())), width(&mut raw.iter().map(|(_, c)| c.as_str())));
    let columns = width(&mut typed.iter().map(|(name, _)| *name));
    for line in 0..raw.len().max(typed.len()) {
        let (name, cell) = raw.get(line).map_or(("", ""), |(name, cell)| (name.as_str(), cell.as_str()));
        let left = format!("  {name:<names$}  {cell:<cells$}");
        match typed.get(line) {
            Some((column, value)) => out.line(format_args!("{left}  │ {column:<columns$}  {value}")),
            None => out.line(format_args!("{}", left.trim_end())),
        }
    }
    for note in &row.notes {
        out.line(format_args!("  ! {}", note.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
}
