//! `essaim schedule`: runs pipelines by their `[schedule]`, unattended.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::ending::Ending;
use super::printer::Printer;
use super::run::{clock, now};
use super::{Exit, project, summary};
use crate::config::pipeline::Project;
use crate::run::project::NotLoaded;
use crate::run::{Reporter, RunOutcome, RunRecord};
use crate::schedule::{Audience, Keeper, ScheduleError, World, tick_every};
use crate::serve::{Health, operations};

/// Time without a tick after which the service says that it ails, in seconds.
const LONGEST_SILENCE: i64 = 300;

/// Arguments of `essaim schedule`.
#[derive(Debug, Args)]
#[command(
    after_help = "SIGTERM and SIGINT end it: a run that is under way may go on for --grace seconds, and is left for \
the next start otherwise. Several machines may keep the same schedule on the same private store: each slot is run by one.

Examples:
  essaim schedule
  essaim schedule --list
  essaim schedule --http 127.0.0.1:9090     /healthz and /metrics"
)]
pub(super) struct ScheduleArguments {
    /// Tell when each pipeline is due next, and end
    #[arg(long)]
    list: bool,
    /// Serve /healthz and /metrics on an address
    #[arg(long, value_name = "ADDRESS")]
    http: Option<String>,
    /// How often it looks whether something is due
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=60))]
    every: u64,
    /// Time that a run has to end after SIGTERM
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    grace: u64,
}

/// Writes what happens to the terminal.
struct Screen(Arc<Printer>);

impl Reporter for Screen {
    fn step(&self, text: &str) {
        // Nobody watches a service step by step.
        tracing::info!("{text}");
    }
}

impl Audience for Screen {
    fn ran(&self, record: &RunRecord, project: &Project) {
        if let RunOutcome::Failed { error, .. } = &record.outcome {
            self.0.failure_lines(error);
        }
        if self.0.json() {
            self.0.object(&serde_json::json!({ "level": "info", "run": record }));
        } else {
            self.0.talk(&summary::text(record, project));
        }
        self.0.data(&summary::line(record));
    }

    fn refused(&self, why: &NotLoaded) {
        match why {
            NotLoaded::Mistakes(problems) => self.0.problems(problems),
            other => self.0.failure(other),
        }
        self.0.talk("the changed project files are not in use: the ones read before are\n");
    }

    fn news(&self, line: &str) {
        self.0.talk(&format!("{line}\n"));
    }
}

/// What the service says of itself.
pub(super) struct Pulse(pub(super) Arc<Keeper>);

impl Health for Pulse {
    fn ails(&self) -> Option<String> {
        let silence = now().timestamp() - self.0.metrics.last_tick();
        (silence > LONGEST_SILENCE).then(|| format!("the schedule was last looked at {silence} s ago"))
    }

    fn metrics(&self) -> String {
        self.0.metrics.text()
    }
}

/// Keeps the schedule until it is told to end.
pub(super) async fn schedule(arguments: &ScheduleArguments, folder: &Path, printer: &Arc<Printer>) -> Exit {
    let keeper = match keeper(folder, printer, arguments.list).await {
        Ok(keeper) => keeper,
        Err(exit) => return exit,
    };
    if arguments.list {
        return Exit::Done;
    }
    match serve_and_keep(&keeper, arguments, printer).await {
        Ok(()) => Exit::Done,
        Err(error) => {
            printer.failure(error.as_ref());
            Exit::Failed
        }
    }
}

/// A keeper of the project's schedule. It tells when each pipeline is due next: as data, or in words.
pub(super) async fn keeper(folder: &Path, printer: &Arc<Printer>, as_data: bool) -> Result<Arc<Keeper>, Exit> {
    let world = World { folder: folder.to_owned(), env: Arc::new(project::environment()), now: Box::new(now), clock };
    let keeper = match Keeper::start(world, Arc::new(Screen(Arc::clone(printer)))) {
        Ok(keeper) => Arc::new(keeper),
        Err(ScheduleError::Project(NotLoaded::Mistakes(problems))) => {
            printer.problems(&problems);
            return Err(Exit::Mistake);
        }
        Err(error) => {
            printer.failure(&error);
            return Err(Exit::Failed);
        }
    };
    let upcoming = keeper.upcoming().await;
    if upcoming.is_empty() {
        printer.failure_lines(&[
            "no pipeline has a schedule: write `[schedule]` with `cron = \"30 2 * * *\"` into its file".to_owned(),
        ]);
        return Err(Exit::Mistake);
    }
    for (dataset, zone, at) in upcoming {
        let at = at.map_or_else(
            || "never\t-".to_owned(),
            |at| {
                let local = at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z");
                format!("{}\t{local} ({zone})", at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
            },
        );
        let line = format!("{dataset}\t{at}\n");
        if as_data {
            printer.data(&line);
        } else {
            printer.talk(&format!("next: {line}"));
        }
    }
    Ok(keeper)
}

async fn serve_and_keep(
    keeper: &Arc<Keeper>,
    arguments: &ScheduleArguments,
    printer: &Printer,
) -> Result<(), Box<dyn std::error::Error>> {
    let ending = Ending::watch()?;
    let server = match &arguments.http {
        Some(address) => Some(operations(address, Arc::new(Pulse(Arc::clone(keeper)))).await?),
        None => None,
    };
    if let Some(server) = &server {
        printer.talk(&format!("health and metrics: http://{}/metrics\n", server.address));
    }
    let (every, grace) = (Duration::from_secs(arguments.every), Duration::from_secs(arguments.grace));
    let ended = keep(keeper, every, grace, &ending).await?;
    if let Some(server) = server {
        server.stop().await;
    }
    printer.talk(if ended { "ended\n" } else { LEFT });
    Ok(())
}

/// What is said when a run did not end in its time.
pub(super) const LEFT: &str = "ended; the run that was under way is left for the next start\n";

/// Keeps the schedule until it is told to end. Gives whether the run that was under way, if any, came to its end.
pub(super) async fn keep(
    keeper: &Keeper,
    every: Duration,
    grace: Duration,
    ending: &Ending,
) -> Result<bool, Box<dyn std::error::Error>> {
    let (sender, mut due) = tokio::sync::mpsc::unbounded_channel();
    let mut ticker = tick_every(every, move || {
        sender.send(()).ok();
    })
    .await?;
    let mut ticks = FuturesUnordered::from_iter([keeper.tick()]);
    loop {
        tokio::select! {
            Some(()) = due.recv() => ticks.push(keeper.tick()),
            Some(()) = ticks.next() => {}
            () = ending.asked() => break,
        }
    }
    ticker.shutdown().await?;
    let all = async { while ticks.next().await.is_some() {} };
    let ended = tokio::select! {
        ended = tokio::time::timeout(grace, all) => ended.is_ok(),
        () = ending.hurried() => false,
    };
    Ok(ended)
}
