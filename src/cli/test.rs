//! `essaim test`.

use std::path::Path;

use clap::Args;

use super::Exit;
use super::printer::{Printer, Text};
use super::project;
use crate::diagnostic::Problem;
use crate::run::{CaseOutcome, Difference, Sign, Verdict, chain, test as run_cases};

/// Arguments of `essaim test`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  essaim test
  essaim test cooperations-territoriales --name doublon    only cases whose name holds this")]
pub(super) struct TestArguments {
    /// Pipeline whose cases are run; all of the project when left out
    pipeline: Option<String>,
    /// Run only the cases whose name holds this text
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    name: String,
}

/// Runs the cases of pipelines.
pub(super) async fn test(arguments: &TestArguments, folder: &Path, printer: &Printer) -> Exit {
    let (checked, selected) = match project::check_selected(folder, arguments.pipeline.as_deref(), printer) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let (mut cases, mut passed, mut mistakes) = (0, 0, Vec::new());
    for at in selected {
        let (pipeline, plan) = (&checked.project.pipelines[at], &checked.plans[at]);
        let outcomes = match run_cases(&checked.project, pipeline, plan, &arguments.name).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                printer.failure(&error);
                return Exit::Failed;
            }
        };
        for outcome in outcomes {
            cases += 1;
            passed += usize::from(matches!(outcome.verdict, Verdict::Pass));
            show(&outcome, printer);
            let word = if matches!(outcome.verdict, Verdict::Pass) { "pass" } else { "fail" };
            printer.data(&format!("{}\t{}\t{word}\n", pipeline.id, outcome.name));
            if let Verdict::Mistakes(problems) = outcome.verdict {
                mistakes.extend(problems);
            }
        }
    }
    if !mistakes.is_empty() {
        printer.problems(&mistakes);
        return Exit::Mistake;
    }
    if cases == 0 && !arguments.name.is_empty() {
        let names = checked.project.pipelines.iter().flat_map(|pipeline| &pipeline.tests);
        let problem = Problem::of_project("cli::unknown_test", format!("no test has `{}` in its name", arguments.name));
        printer.problems(&[problem.suggest(&arguments.name, names.map(|case| case.name.value.as_str()))]);
        return Exit::Mistake;
    }
    printer.talk(&match cases {
        0 => "there is no [[test]] in the pipelines\n".to_owned(),
        1 => format!("{passed} of 1 test passes\n"),
        _ => format!("{passed} of {cases} tests pass\n"),
    });
    if passed == cases { Exit::Done } else { Exit::Failed }
}

/// Tells what went wrong.
fn show(outcome: &CaseOutcome, printer: &Printer) {
    match &outcome.verdict {
        Verdict::Pass | Verdict::Mistakes(_) => {}
        Verdict::Failed(error) => {
            printer.talk(&format!("\nfailed: {} ({})\n", outcome.name, outcome.model));
            printer.failure_lines(&chain(error));
        }
        Verdict::Fail(difference) => {
            let mut out = Text::default();
            out.line(format_args!("\nfailed: {} ({})", outcome.name, outcome.model));
            out.line(format_args!("  - expected, + got; · is not compared"));
            draw(difference, &mut out);
            printer.talk(&out.finish());
        }
    }
}

/// Rows below each other, their cells in columns.
fn draw(difference: &Difference, out: &mut Text) {
    let cells: Vec<(&str, Vec<&str>)> =
        std::iter::once(("    ", difference.columns.iter().map(String::as_str).collect()))
            .chain(difference.rows.iter().map(|(sign, cells)| {
                let mark = match sign {
                    Sign::Same => "    ",
                    Sign::Expected => "  - ",
                    Sign::Got => "  + ",
                };
                (mark, cells.iter().map(|cell| cell.as_deref().unwrap_or("·")).collect())
            }))
            .collect();
    let width = |at: usize| cells.iter().filter_map(|(_, row)| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..difference.columns.len()).map(|at| width(at).unwrap_or(0)).collect();
    for (mark, row) in &cells {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        out.line(format_args!("{}", format!("{mark}{line}").trim_end()));
    }
    if difference.rows.is_empty() {
        out.line(format_args!("    no row"));
    }
}
