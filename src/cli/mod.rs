//! The command line: what is asked for, and how it is answered.
//!
//! stdout is data, stderr is talk. Exit codes: 0 done (also "unchanged"), 1 failed or blocked, 2 a mistake in what a
//! person wrote.

mod advice;
mod catalog;
mod check;
mod ending;
mod graph;
mod init;
mod logging;
mod printer;
mod project;
mod query;
mod releases;
mod reproduce;
mod run;
mod runs;
mod schedule;
mod serve;
mod summary;
mod test;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand, ValueEnum};

use crate::disclosure::scan;
use printer::Printer;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Done, also when nothing had to be done.
    Done,
    /// Failed or blocked.
    Failed,
    /// A mistake in what a person wrote.
    Mistake,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Mistake => 2,
        })
    }
}

/// From questionnaire to citable open data: reads surveys and registries, runs SQL, publishes versioned releases.
#[derive(Debug, Parser)]
#[command(name = "essaim", version, after_help = EXAMPLES, max_term_width = 100)]
struct Arguments {
    /// Folder of the project
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// How messages are written
    #[arg(long, global = true, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
    /// When messages are coloured
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    color: Color,
    /// Say more; twice for debugging
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  essaim init exemple                           a small project that runs at once
  essaim init lieux --from lieux.csv            draft a project from a file
  essaim run                                    fetch, build, check and publish all pipelines
  essaim run --from snapshot                    the same, without touching a source
  essaim check                                  report every mistake in the project files
  essaim check --sample 5                       see the first rows, raw beside typed
  essaim graph --explain                        what models read, and how they are executed
  essaim test                                   run the [[test]] cases of pipelines
  essaim query 'SELECT * FROM chiffres_cles'    SQL on the latest release
  essaim releases list                          what has been published
  essaim schedule                               run pipelines by their schedule, unattended
  essaim serve                                  the site, every file and the API over HTTP
  essaim runs list                              what runs did";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a small project, or draft one from a file
    Init(init::InitArguments),
    /// Fetch, build, check and publish
    Run(run::RunArguments),
    /// Report every mistake in the project files; with --sample, show the first rows raw beside typed
    Check(check::CheckArguments),
    /// Show what models read, in the order in which they run; with --explain, how each is executed
    Graph(graph::GraphArguments),
    /// Run the [[test]] cases of pipelines
    Test(test::TestArguments),
    /// Run SQL on a release
    Query(query::QueryArguments),
    /// Show what has been published
    Releases(releases::ReleasesArguments),
    /// Write the site, releases.json and latest/ again from the log
    Catalog(catalog::CatalogArguments),
    /// Run pipelines by their schedule, unattended
    Schedule(schedule::ScheduleArguments),
    /// Serve what is published: the site, every file and the API over HTTP
    Serve(serve::ServeArguments),
    /// Show what runs did
    Runs(runs::RunsArguments),
    /// Build a release once more from its inputs, and compare every byte
    Reproduce(reproduce::ReproduceArguments),
}

/// A reason that is published and stays in the log: it says something, and nothing about how to reach a person.
fn published_text(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("say why: it is published".to_owned());
    }
    match scan::find(text) {
        Some(found) => {
            Err(format!("it is published and cannot be taken back, and it holds a personal value ({})", found.as_str()))
        }
        None => Ok(text.to_owned()),
    }
}

/// Parses the arguments, runs the command and turns its end into an exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { Exit::Mistake } else { Exit::Done };
            if error.print().is_err() {
                return Exit::Failed.into();
            }
            return code.into();
        }
    };
    let printer = Arc::new(Printer::new(arguments.log_format == LogFormat::Json, arguments.color));
    logging::start(arguments.log_format, arguments.verbose, printer.colored());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(8 << 20).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            printer.failure(&error);
            return Exit::Failed.into();
        }
    };
    runtime.block_on(dispatch(&arguments, &printer)).into()
}

async fn dispatch(arguments: &Arguments, printer: &Arc<Printer>) -> Exit {
    let project = &arguments.project;
    match &arguments.command {
        Command::Init(command) => init::init(command, printer),
        Command::Run(command) => run::run(command, project, printer).await,
        Command::Check(command) => check::check(command, project, printer).await,
        Command::Graph(command) => graph::graph(command, project, printer).await,
        Command::Test(command) => test::test(command, project, printer).await,
        Command::Query(command) => query::query(command, project, printer).await,
        Command::Releases(command) => releases::releases(command, project, printer).await,
        Command::Catalog(command) => catalog::catalog(command, project, printer).await,
        Command::Schedule(command) => schedule::schedule(command, project, printer).await,
        Command::Serve(command) => serve::serve(command, project, printer).await,
        Command::Runs(command) => runs::runs(command, project, printer).await,
        Command::Reproduce(command) => reproduce::reproduce(command, project, printer).await,
    }
}
