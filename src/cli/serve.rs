//! `essaim serve`: what is published, over HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::Exit;
use super::ending::Ending;
use super::printer::Printer;
use super::project;
use super::releases::public_store;
use super::run::now;
use super::schedule::{LEFT, Pulse, keep, keeper};
use super::wire::WireArguments;
use crate::schedule::Keeper;
use crate::serve::published::Published;
use crate::serve::sql::{SqlService, router as sql_router};
use crate::serve::{AccessLog, Health, Limits, Parts, Server};

/// How often the schedule is looked at.
const EVERY: Duration = Duration::from_secs(30);

/// Arguments of `essaim serve`.
#[derive(Debug, Args)]
#[command(
    after_help = "Reads the public store and never writes it; new releases are seen within a second or two. The access log goes to
stdout: time, method, path, status, bytes and milliseconds, nothing about who asked. SIGTERM and SIGINT end it once the
requests that are under way are answered. Put a web server with TLS before it, and keep /metrics inside.

Examples:
  essaim serve
  essaim serve --listen 0.0.0.0:8080 --no-access-log
  essaim serve --pg 127.0.0.1:5432 --flight 127.0.0.1:32010
                                           SQL for psql and drivers of PostgreSQL, and for ADBC, too
  essaim serve --schedule                  the same process runs the pipelines by their schedule"
)]
pub(super) struct ServeArguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS", alias = "http")]
    listen: String,
    /// Run the pipelines by their schedule, too
    #[arg(long)]
    schedule: bool,
    /// Write no access log
    #[arg(long)]
    no_access_log: bool,
    #[command(flatten)]
    wire: WireArguments,
    /// Connections at once; further ones wait
    #[arg(long, default_value_t = 1024, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=65536))]
    connections: u32,
    /// A web server of one's own stands before this one: its X-Forwarded-For says who asks
    #[arg(long)]
    behind_proxy: bool,
    /// Time that requests, and a run, have to end after SIGTERM
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    grace: u64,
}

/// Serves until it is told to end.
pub(super) async fn serve(arguments: &ServeArguments, folder: &Path, printer: &Arc<Printer>) -> Exit {
    match run(arguments, folder, printer).await {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

async fn run(arguments: &ServeArguments, folder: &Path, printer: &Arc<Printer>) -> Result<(), Exit> {
    let failed = |error: &dyn std::error::Error| {
        printer.failure(error);
        Exit::Failed
    };
    let checked = project::open(folder, printer)?;
    let published = Published::new(public_store(&checked, printer)?);
    let keeper = if arguments.schedule { Some(keeper(folder, printer, false).await?) } else { None };
    let access = if arguments.no_access_log {
        None
    } else {
        Some(AccessLog::to(std::io::stdout(), printer.json()).map_err(|error| failed(&error))?)
    };
    let beside = keeper.iter().map(|keeper| Arc::new(Pulse(Arc::clone(keeper))) as Arc<dyn Health>).collect();
    let grace = Duration::from_secs(arguments.grace);
    let connections = usize::try_from(arguments.connections).unwrap_or(usize::MAX);
    let limits = Limits { connections, grace, behind_proxy: arguments.behind_proxy, ..Limits::default() };
    // What statements spill goes with the process.
    let spilled = tempfile::tempdir().map_err(|error| failed(&error))?;
    let sql = SqlService::start(published.clone(), &checked.project.sql, spilled.path().to_owned());
    let sql = sql.map_err(|error| failed(&error))?;
    let more = sql_router(sql.clone());
    let parts = Parts { limits, access, beside, more, ..Parts::new(published, sql.clone(), now) };
    let ending = Ending::watch().map_err(|error| failed(&error))?;
    let server = Server::start(&arguments.listen, parts).await.map_err(|error| {
        printer.failure_lines(&[format!("cannot listen on `{}`", arguments.listen), error.to_string()]);
        Exit::Failed
    })?;
    printer.talk(&format!("serving http://{}/\n", server.address));
    let wire = arguments.wire.start(&sql, printer).await?;
    let kept = schedule(keeper.as_deref(), grace, &ending, printer);
    let stopped = async {
        ending.asked().await;
        tokio::select! {
            (ended, ()) = async { tokio::join!(server.stop(), wire.stop(grace)) } => ended,
            () = ending.hurried() => false,
        }
    };
    let (kept, answered) = tokio::join!(kept, stopped);
    printer.talk(match (kept?, answered) {
        (true, true) => "ended\n",
        (true, false) => "ended; requests that were under way were cut off\n",
        (false, _) => LEFT,
    });
    Ok(())
}

/// Keeps the schedule, if it is to be kept, until it is told to end. Gives whether a run was left.
async fn schedule(keeper: Option<&Keeper>, grace: Duration, ending: &Ending, printer: &Printer) -> Result<bool, Exit> {
    let Some(keeper) = keeper else { return Ok(true) };
    keep(keeper, EVERY, grace, ending).await.map_err(|error| {
        printer.failure(error.as_ref());
        Exit::Failed
    })
}
