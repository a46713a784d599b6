//! The service: statements of all protocols, each within its limits.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::catalogue::{Catalogue, Frozen, Latest, ListedTable, View};
use super::rows::{Outlet, Rows, pipe};
use super::turns::{Turn, Turns};
use super::{Refusal, SqlLimits};
use crate::diagnostic::Problem;
use crate::engine::{Bounds, Engine, EngineError, EngineOptions, Missing, PreparedQuery, ScalarValue, SessionContext};
use crate::id::{DatasetId, ReleaseId};
use crate::serve::published::Published;

/// Most threads' worth of work of one statement.
const PARTITIONS: usize = 2;
/// Threads that wait for files at once.
const BLOCKING: usize = 16;
/// What is parsed and planned may be nested deeply, and is taken apart by recursion.
const STACK: usize = 32 << 20;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where from.
    pub address: IpAddr,
    /// Ends what was asked.
    pub cancel: CancellationToken,
}

impl Client {
    /// Somebody at an address, who cancels by leaving.
    pub fn new(address: IpAddr) -> Self {
        Self { address, cancel: CancellationToken::new() }
    }
}

/// SQL could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SqlStartError {
    /// The threads could not be made.
    #[error("could not start the threads of SQL")]
    Threads(#[source] std::io::Error),
    /// The engine could not be made.
    #[error("could not start SQL")]
    Engine(#[from] EngineError),
}

/// A statement that was understood. Clones share it.
#[derive(Debug, Clone)]
pub struct Prepared(Arc<Understood>);

#[derive(Debug)]
struct Understood {
    sql: String,
    engine: Engine,
    view: Arc<View>,
    query: PreparedQuery,
    releases: Arc<[(DatasetId, ReleaseId)]>,
}

impl Prepared {
    /// The columns of its answer.
    pub fn schema(&self) -> &SchemaRef {
        &self.0.query.schema
    }

    /// Types of `$1`, `$2`…, where they can be told.
    pub fn parameters(&self) -> &[Option<DataType>] {
        &self.0.query.parameters
    }

    /// Whether the columns of another one have the same names and types, and its parameters the same types.
    fn same_shape(&self, other: &Self) -> bool {
        let columns = |prepared: &Self| -> Vec<(String, DataType)> {
            let fields = prepared.schema().fields().iter();
            fields.map(|field| (field.name().clone(), field.data_type().clone())).collect()
        };
        columns(self) == columns(other) && self.parameters() == other.parameters()
    }

    /// The releases that it reads.
    pub fn releases(&self) -> &[(DatasetId, ReleaseId)] {
        &self.0.releases
    }
}

/// Threads of their own for statements, so that none holds a download up. Ends without waiting for what still runs.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Answers statements. Clones share their limits.
#[derive(Clone)]
pub struct SqlService {
    engine: Engine,
    pub(super) catalogue: Arc<Catalogue>,
    limits: Arc<SqlLimits>,
    bounds: Arc<Bounds>,
    turns: Arc<Turns>,
    threads: Arc<Threads>,
}

impl fmt::Debug for SqlService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlService").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl SqlService {
    /// Starts the threads; what is published is looked at when the first statement comes. Statements spill to `temp`.
    pub fn start(published: Published, limits: &SqlLimits, temp: PathBuf) -> Result<Self, SqlStartError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(limits.threads)
            .max_blocking_threads(BLOCKING)
            .thread_name("essaim-sql")
            .thread_stack_size(STACK)
            .enable_all()
            .build()
            .map_err(SqlStartError::Threads)?;
        let share = limits.memory_bytes / limits.at_once.max(1) as u64;
        let memory_bytes = usize::try_from(share).unwrap_or(usize::MAX);
        let partitions = limits.threads.clamp(1, PARTITIONS);
        let engine =
            Engine::new(&EngineOptions { memory_bytes, temp_dir: temp.clone(), partitions, split_files: true })?;
        let bounds = Bounds {
            statement_bytes: usize::try_from(limits.statement_bytes).unwrap_or(usize::MAX),
            memory_bytes,
            spill_bytes: limits.spill_bytes / limits.at_once.max(1) as u64,
            temp_dir: temp,
        };
        let catalogue = Catalogue::new(published, engine.clone())?;
        Ok(Self {
            engine: engine.reading(Arc::new(Latest(Arc::clone(&catalogue)))),
            catalogue,
            limits: Arc::new(limits.clone()),
            bounds: Arc::new(bounds),
            turns: Turns::new(limits),
            threads: Arc::new(Threads(Some(runtime))),
        })
    }

    /// The same service, with the same limits and turns, for a protocol that brings functions and schemas of its own:
    /// what `install` adds to the session can be used in its statements, and in no other's.
    pub fn variant<E>(&self, install: impl FnOnce(&SessionContext) -> Result<(), E>) -> Result<Self, E> {
        let engine = self.engine.reading(Arc::new(Latest(Arc::clone(&self.catalogue))));
        install(engine.context())?;
        Ok(Self { engine, ..self.clone() })
    }

    /// What one may ask for.
    pub fn limits(&self) -> &SqlLimits {
        &self.limits
    }

    /// Statements that run now.
    pub fn running(&self) -> usize {
        self.turns.running(self.limits.at_once)
    }

    /// All tables of current releases.
    pub async fn tables(&self) -> Result<Vec<ListedTable>, Refusal> {
        self.catalogue.tables().await.map_err(|missing: Missing| {
            tracing::error!(error = &missing as &dyn std::error::Error, "The tables could not be listed");
            Refusal::Store
        })
    }

    /// Understands a statement, without running it.
    pub async fn prepare(&self, client: &Client, sql: &str) -> Result<Prepared, Refusal> {
        let (turn, deadline) = self.turn(client).await?;
        let (service, sql) = (self.clone(), sql.to_owned());
        let task = self.spawn(async move {
            let understood = service.understand(sql).await;
            drop(turn);
            understood
        });
        // Who leaves ends it.
        let task = AbortOnDropHandle::new(task.ok_or(Refusal::Internal)?);
        tokio::select! {
            () = client.cancel.cancelled() => Err(Refusal::Cancelled),
            done = timeout_at(deadline, task) => match done {
                Ok(Ok(understood)) => understood,
                Ok(Err(broken)) => Err(broke_off(&broken)),
                Err(_) => Err(self.late()),
            },
        }
    }

    /// Runs a statement that was understood, with the values of its parameters.
    pub async fn execute(
        &self,
        client: &Client,
        prepared: &Prepared,
        values: Vec<ScalarValue>,
    ) -> Result<Rows, Refusal> {
        self.run(client, Statement::Understood(prepared.clone()), values).await
    }

    /// Understands and runs a statement.
    pub async fn query(&self, client: &Client, sql: &str, values: Vec<ScalarValue>) -> Result<Rows, Refusal> {
        self.run(client, Statement::Text(sql.to_owned()), values).await
    }

    async fn turn(&self, client: &Client) -> Result<(Turn, Instant), Refusal> {
        let turn = tokio::select! {
            () = client.cancel.cancelled() => return Err(Refusal::Cancelled),
            turn = self.turns.turn(client.address) => turn?,
        };
        Ok((turn, Instant::now() + self.limits.timeout))
    }

    async fn run(&self, client: &Client, statement: Statement, values: Vec<ScalarValue>) -> Result<Rows, Refusal> {
        let (turn, deadline) = self.turn(client).await?;
        let (outlet, inlet) = pipe();
        let (started, start) = oneshot::channel();
        let (service, cancel) = (self.clone(), client.cancel.clone());
        let task = self.spawn(async move {
            let work = service.work(statement, values, started, &outlet);
            let result = tokio::select! {
                () = cancel.cancelled() => Err(Refusal::Cancelled),
                done = timeout_at(deadline, work) => done.unwrap_or_else(|_| Err(service.late())),
            };
            drop(turn);
            outlet.end(result);
        });
        let task = AbortOnDropHandle::new(task.ok_or(Refusal::Internal)?);
        // The task keeps the time, but a kernel that does not come to an end would keep the task.
        let started = tokio::select! {
            () = client.cancel.cancelled() => return Err(Refusal::Cancelled),
            started = timeout_at(deadline, start) => started.ok().ok_or_else(|| self.late())?,
        };
        match started {
            Ok(prepared) => {
                let late = (deadline, self.late());
                Ok(inlet.rows(Arc::clone(prepared.schema()), Arc::clone(&prepared.0.releases), task, late))
            }
            // It never started: the end says why.
            Err(_) => Err(inlet.refusal(task).await),
        }
    }

    /// Understands a statement unless that was done, starts it, says so, and hands its rows over.
    async fn work(
        &self,
        statement: Statement,
        values: Vec<ScalarValue>,
        started: oneshot::Sender<Prepared>,
        outlet: &Outlet,
    ) -> Result<(), Refusal> {
        let prepared = match statement {
            Statement::Text(sql) => self.understand(sql).await?,
            Statement::Understood(prepared) => self.still(prepared).await?,
        };
        let understood = &prepared.0;
        let answer = understood.engine.answer(&understood.query, values).await;
        let answer = answer.map_err(|error| Refusal::of_query(error, self.share()))?;
        let schema = Arc::clone(prepared.schema());
        if started.send(prepared).is_err() {
            return Ok(());
        }
        outlet.pump(answer.stream, &schema, &self.limits, self.share()).await
    }

    /// A statement over what is published now.
    async fn understand(&self, sql: String) -> Result<Prepared, Refusal> {
        let view = self.catalogue.view().await?;
        let frozen = Frozen { catalogue: Arc::clone(&self.catalogue), view: Arc::clone(&view) };
        let engine = self.engine.reading(Arc::new(frozen));
        let query = engine.prepare(&sql, Some(Arc::clone(&self.bounds))).await;
        let query = query.map_err(|error| Refusal::of_query(error, self.share()))?;
        let mut releases: Vec<_> = query.tables.iter().filter_map(|table| view.release_of(table)).collect();
        releases.sort_by(|a, b| (&a.0, a.1.sort_key()).cmp(&(&b.0, b.1.sort_key())));
        releases.dedup();
        Ok(Prepared(Arc::new(Understood { sql, engine, view, query, releases: releases.into() })))
    }

    /// A statement that was understood some time ago: understood again when something was published or withdrawn since. Its
    /// client was told of columns and parameters, and reads what comes as these.
    async fn still(&self, prepared: Prepared) -> Result<Prepared, Refusal> {
        let view = self.catalogue.view().await?;
        if Arc::ptr_eq(&view, &prepared.0.view) {
            return Ok(prepared);
        }
        let again = self.understand(prepared.0.sql.clone()).await?;
        if again.same_shape(&prepared) {
            return Ok(again);
        }
        let problem = Problem::of_project("sql::changed", "the columns changed since the statement was prepared");
        Err(Refusal::Problems(vec![problem.help("prepare it again: another release is current")]))
    }

    fn spawn<F: Future<Output: Send + 'static> + Send + 'static>(
        &self,
        work: F,
    ) -> Option<tokio::task::JoinHandle<F::Output>> {
        self.threads.0.as_ref().map(|runtime| runtime.spawn(work))
    }

    fn late(&self) -> Refusal {
        Refusal::Timeout { limit: self.limits.timeout }
    }

    fn share(&self) -> u64 {
        self.bounds.memory_bytes as u64
    }
}

/// A statement to be run.
enum Statement {
    Text(String),
    Understood(Prepared),
}

fn broke_off(error: &tokio::task::JoinError) -> Refusal {
    tracing::error!(%error, "A query broke off");
    Refusal::Internal
}
