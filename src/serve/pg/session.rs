//! One client from its start to its end: what it set, prepared and opened, and how its messages are answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use datafusion_postgres::pgwire::api::Type;
use datafusion_postgres::pgwire::messages::PgWireBackendMessage as Answer;
use datafusion_postgres::pgwire::messages::data::{NoData, ParameterDescription};
use datafusion_postgres::pgwire::messages::extendedquery::{BindComplete, CloseComplete, ParseComplete};
use datafusion_postgres::pgwire::messages::response::{ReadyForQuery, TransactionStatus};
use datafusion_postgres::pgwire::messages::startup::ParameterStatus;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::cancel::Key;
use super::catalogue::Catalogue;
use super::command::{Command, command};
use super::failure::{Failure, Trouble};
use super::parameters::Parameters;
use super::rows::{Shape, Source, description};
use super::variables::Variables;
use super::wire::{Answers, Bind, Message, Target};
use crate::engine::ScalarValue;
use crate::serve::sql::{Client, Prepared};
use crate::serve::words;

/// A statement that was read.
#[derive(Debug)]
pub(super) struct Statement {
    pub command: Command,
    /// The query of it, if it has one.
    pub query: Option<Query>,
    pub parameters: Parameters,
    /// Bytes of its text.
    pub text: usize,
}

/// What a plan takes for each byte of its text, about.
const PLAN: usize = 16;

impl Statement {
    /// Bytes that it takes, about.
    fn weight(&self) -> usize {
        self.text.saturating_mul(PLAN)
    }
}

/// A query that passed the guard.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub prepared: Prepared,
    pub shape: Arc<Shape>,
    /// What its answer is called.
    pub tag: &'static str,
}

/// A statement with values, and how far it was answered. A cursor is one as well.
#[derive(Debug)]
pub(super) struct Portal {
    pub statement: Arc<Statement>,
    pub values: Vec<ScalarValue>,
    pub formats: Vec<i16>,
    pub state: State,
    /// Whether it outlives its transaction.
    pub hold: bool,
}

impl Portal {
    /// Bytes that it takes, about. Of a statement it keeps the text alive though its name is gone.
    fn weight(&self) -> usize {
        let values: usize = self.values.iter().map(ScalarValue::size).sum();
        self.statement.weight().saturating_add(values).saturating_add(2 * self.formats.len())
    }
}

#[derive(Debug)]
pub(super) enum State {
    /// Nothing of it was asked for.
    Ready,
    /// Rows are left.
    Open(Box<Source>),
    /// All of it was answered.
    Done,
    /// Its rows were given up, because nobody asked for them in time.
    Stale,
}

/// What is being done, and when it ends.
pub(super) struct Running {
    pub client: Client,
    deadline: Option<Instant>,
}

pub(super) struct Session<W> {
    pub catalogue: Arc<Catalogue>,
    pub limits: Arc<Limits>,
    pub out: Answers<W>,
    pub address: SocketAddr,
    pub key: Key,
    /// Cancelled when the client leaves, or has to.
    pub left: CancellationToken,
    pub variables: Variables,
    pub transaction: TransactionStatus,
    pub statements: BTreeMap<String, Arc<Statement>>,
    pub portals: BTreeMap<String, Portal>,
}

impl<W: AsyncWrite + Unpin + Send + Sync> Session<W> {
    /// Answers until the client leaves, or the server ends.
    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Result<Message, Trouble>>, stop: CancellationToken) {
        let mut skipping = false;
        let mut idle_since = Instant::now();
        loop {
            let open = self.portals.values().any(|portal| matches!(portal.state, State::Open(_)));
            let patience = if open { self.limits.suspended.min(self.limits.idle) } else { self.limits.idle };
            let message = tokio::select! {
                biased;
                message = messages.recv() => message,
                () = stop.cancelled() => Some(Err(ended())),
                () = tokio::time::sleep_until(idle_since + patience) => {
                    if open {
                        self.give_up_rows();
                        continue;
                    }
                    Some(Err(Failure::fatal("57P05", "the session was idle for too long").into()))
                }
            };
            let Some(message) = message else { break };
            let extended = !matches!(message, Ok(Message::Query(_) | Message::Stray));
            let answered = match message {
                Ok(Message::Terminate) => break,
                Ok(Message::Sync) => {
                    skipping = false;
                    self.sync().await
                }
                Ok(_) if skipping => continue,
                Ok(message) => self.answer(message).await,
                Err(trouble) => Err(trouble),
            };
            let Err(trouble) = answered else {
                idle_since = Instant::now();
                continue;
            };
            match self.complain(trouble, extended).await {
                Ok(()) => skipping = extended,
                Err(()) => break,
            }
            idle_since = Instant::now();
        }
        self.out.close().await;
    }

    /// Tells the client what went wrong. `Err` when that was the last word.
    async fn complain(&mut self, trouble: Trouble, extended: bool) -> Result<(), ()> {
        let failure = match trouble {
            Trouble::Refused(failure) => failure,
            Trouble::Left => return Err(()),
            Trouble::Slow => {
                tracing::debug!(client = %self.address, "Gave up a client that does not read its rows");
                return Err(());
            }
        };
        let fatal = failure.fatal;
        if self.transaction == TransactionStatus::Transaction {
            self.transaction = TransactionStatus::Error;
        }
        let told = async {
            self.out.send(Answer::ErrorResponse(failure.response())).await?;
            if extended || fatal { self.out.flush().await } else { self.ready().await }
        };
        if told.await.is_err() || fatal { Err(()) } else { Ok(()) }
    }

    async fn answer(&mut self, message: Message) -> Result<(), Trouble> {
        match message {
            Message::Query(text) => self.query(&text).await,
            Message::Parse { name, text, types } => self.parse(name, &text, &types).await,
            Message::Bind(bind) => self.bind(bind).await,
            Message::Describe(Target::Statement, name) => self.describe_statement(&name).await,
            Message::Describe(Target::Portal, name) => self.describe_portal(&name).await,
            Message::Execute { portal, rows } => {
                let running = self.start();
                self.execute(&running, &portal, rows).await
            }
            Message::Close(target, name) => {
                match target {
                    Target::Statement => drop(self.statements.remove(&name)),
                    Target::Portal => drop(self.portals.remove(&name)),
                }
                self.out.send(Answer::CloseComplete(CloseComplete::new())).await
            }
            Message::Flush => self.out.flush().await,
            Message::Stray | Message::Sync | Message::Terminate => Ok(()),
        }
    }

    /// Begins something that may be cancelled.
    pub(super) fn start(&self) -> Running {
        let cancel = self.left.child_token();
        self.key.guard(cancel.clone());
        let deadline = self.variables.statement_timeout().map(|timeout| Instant::now() + timeout);
        Running { client: Client { address: self.address.ip(), cancel }, deadline }
    }

    /// Does something until it is done, cancelled or late.
    pub(super) async fn within<T>(
        &self,
        running: &Running,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Trouble> {
        let late = async {
            match running.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = running.client.cancel.cancelled() => Err(if self.left.is_cancelled() {
                Trouble::Left
            } else {
                Failure::new("57014", "canceling statement due to user request").into()
            }),
            // Before the work: rows that are always ready would never let it be seen.
            () = late => {
                running.client.cancel.cancel();
                Err(Failure::new("57014", "canceling statement due to statement timeout").into())
            }
            done = work => done.map_err(Trouble::Refused),
        }
    }

    /// Reads a statement of a text and, if it is a query, has it planned behind the guard.
    pub(super) async fn read(
        &self,
        running: &Running,
        text: &str,
        statement: words::Statement<'_>,
        types: &[u32],
    ) -> Result<Statement, Trouble> {
        let before = |at: usize| text.get(..at).unwrap_or_default().chars().count();
        let asked = command(statement.text).map_err(|failure| failure.shifted(before(statement.at)))?;
        allowed(&asked, self.transaction)?;
        let length = statement.text.len();
        let query = match &asked {
            Command::Query => 0,
            Command::Declare { query, .. } => *query,
            _ => {
                let parameters = Parameters::new(Vec::new(), types);
                return Ok(Statement { command: asked, query: None, parameters, text: length });
            }
        };
        let sql = statement.text.get(query..).unwrap_or_default();
        let prepared = async {
            let prepared = self.catalogue.prepare(&running.client, sql).await;
            prepared.map_err(|failure| failure.shifted(before(statement.at + query)))
        };
        let prepared = self.within(running, prepared).await?;
        let explain = sql.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("explain"));
        let query = Query {
            shape: Arc::new(Shape::of(prepared.schema())?),
            tag: if explain { "EXPLAIN" } else { "SELECT" },
            prepared: prepared.clone(),
        };
        let parameters = Parameters::new(prepared.parameters().to_vec(), types);
        Ok(Statement { command: asked, query: Some(query), parameters, text: length })
    }

    /// Starts a query.
    pub(super) async fn open(
        &self,
        running: &Running,
        query: &Query,
        values: Vec<ScalarValue>,
    ) -> Result<Box<Source>, Trouble> {
        let executed = async {
            let rows = self.catalogue.service().execute(&running.client, &query.prepared, values).await;
            rows.map_err(Failure::from)
        };
        let rows = self.within(running, executed).await?;
        Ok(Box::new(Source::new(rows, Arc::clone(&query.shape))))
    }

    async fn parse(&mut self, name: String, text: &str, types: &[u32]) -> Result<(), Trouble> {
        if !name.is_empty() {
            if self.statements.contains_key(&name) {
                return Err(Failure::new("42P05", format!("prepared statement \"{name}\" already exists")).into());
            }
            if self.statements.len() >= self.limits.statements {
                let text = format!("{} statements are prepared: no more are kept", self.statements.len());
                return Err(Failure::new("53400", text).hint("DEALLOCATE those that are not used").into());
            }
        }
        let found = words::statements(text);
        let statement = match found.as_slice() {
            [] => Statement { command: Command::Empty, query: None, parameters: Parameters::default(), text: 0 },
            [one] => self.read(&self.start(), text, *one, types).await?,
            _ => {
                let text = "cannot insert multiple commands into a prepared statement";
                return Err(Failure::new("42601", text).into());
            }
        };
        self.statements.remove(&name);
        self.room_for(name.len().saturating_add(statement.weight()))?;
        self.statements.insert(name, Arc::new(statement));
        self.out.send(Answer::ParseComplete(ParseComplete::new())).await
    }

    async fn bind(&mut self, bind: Bind) -> Result<(), Trouble> {
        let Some(statement) = self.statements.get(&bind.statement).map(Arc::clone) else {
            let text = format!("prepared statement \"{}\" does not exist", bind.statement);
            return Err(Failure::new("26000", text).into());
        };
        if !bind.portal.is_empty() && self.portals.contains_key(&bind.portal) {
            return Err(Failure::new("42P03", format!("portal \"{}\" already exists", bind.portal)).into());
        }
        self.room_for_a_portal()?;
        let values = statement.parameters.values(&bind)?;
        let Bind { portal: name, result_formats: formats, .. } = bind;
        let portal = Portal { statement, values, formats, state: State::Ready, hold: false };
        self.keep(name, portal)?;
        self.out.send(Answer::BindComplete(BindComplete::new())).await
    }

    pub(super) fn room_for_a_portal(&self) -> Result<(), Failure> {
        if self.portals.len() < self.limits.portals {
            return Ok(());
        }
        let text = format!("{} portals and cursors are open: no more are kept", self.portals.len());
        Err(Failure::new("53400", text).hint("CLOSE those that are not used"))
    }

    /// Keeps a portal, in place of the one with its name.
    pub(super) fn keep(&mut self, name: String, portal: Portal) -> Result<(), Failure> {
        self.portals.remove(&name);
        self.room_for(name.len().saturating_add(portal.weight()))?;
        self.portals.insert(name, portal);
        Ok(())
    }

    /// Whether the session may keep so many bytes more.
    fn room_for(&self, bytes: usize) -> Result<(), Failure> {
        let statements = self.statements.iter().map(|(name, statement)| name.len() + statement.weight());
        let portals = self.portals.iter().map(|(name, portal)| name.len() + portal.weight());
        let kept = statements.chain(portals).fold(bytes, usize::saturating_add);
        if kept <= self.limits.kept {
            return Ok(());
        }
        let most = self.limits.kept >> 20;
        Err(Failure::new("53400", format!("the statements and values of the session take more than {most} MiB"))
            .hint("DEALLOCATE statements and CLOSE cursors that are not used"))
    }

    async fn describe_statement(&mut self, name: &str) -> Result<(), Trouble> {
        let Some(statement) = self.statements.get(name).map(Arc::clone) else {
            return Err(Failure::new("26000", format!("prepared statement \"{name}\" does not exist")).into());
        };
        let types = statement.parameters.types().iter().map(Type::oid).collect();
        self.out.send(Answer::ParameterDescription(ParameterDescription::new(types))).await?;
        self.describe(&statement, &[]).await
    }

    async fn describe_portal(&mut self, name: &str) -> Result<(), Trouble> {
        let Some(portal) = self.portals.get(name) else {
            return Err(Failure::new("34000", format!("portal \"{name}\" does not exist")).into());
        };
        let (statement, formats) = (Arc::clone(&portal.statement), portal.formats.clone());
        self.describe(&statement, &formats).await
    }

    async fn describe(&mut self, statement: &Statement, formats: &[i16]) -> Result<(), Trouble> {
        let shape = self.shape(statement)?;
        let told = match shape {
            Some(shape) => Answer::RowDescription(description(&shape.columns(formats, &self.variables.format())?)),
            None => Answer::NoData(NoData::new()),
        };
        self.out.send(told).await
    }

    /// The columns that a statement answers with, if it does.
    fn shape(&self, statement: &Statement) -> Result<Option<Arc<Shape>>, Failure> {
        Ok(match (&statement.command, &statement.query) {
            (Command::Query, Some(query)) => Some(Arc::clone(&query.shape)),
            (Command::Show(name), _) => Some(Arc::new(self.shape_of_show(name)?)),
            (Command::Fetch { cursor, .. }, _) => {
                let query = self.cursor(cursor)?.statement.query.as_ref();
                query.map(|query| Arc::clone(&query.shape))
            }
            _ => None,
        })
    }

    async fn sync(&mut self) -> Result<(), Trouble> {
        if self.transaction == TransactionStatus::Idle {
            self.portals.retain(|_, portal| portal.hold);
        }
        self.ready().await
    }

    pub(super) async fn ready(&mut self) -> Result<(), Trouble> {
        self.out.send(Answer::ReadyForQuery(ReadyForQuery::new(self.transaction))).await?;
        self.out.flush().await
    }

    pub(super) async fn report(&mut self, name: &str, value: String) -> Result<(), Trouble> {
        self.out.send(Answer::ParameterStatus(ParameterStatus::new(name.to_owned(), value))).await
    }

    /// Frees what is held for rows that nobody asks for.
    fn give_up_rows(&mut self) {
        for portal in self.portals.values_mut() {
            if matches!(portal.state, State::Open(_)) {
                portal.state = State::Stale;
            }
        }
    }
}

/// The last word of a server that ends.
pub(super) fn ended() -> Trouble {
    Failure::fatal("57P01", "the server ends").into()
}

/// After a mistake a transaction can only be ended, as clients expect.
fn allowed(asked: &Command, transaction: TransactionStatus) -> Result<(), Failure> {
    let ends = matches!(asked, Command::Commit | Command::Rollback | Command::RollbackToSavepoint);
    if transaction != TransactionStatus::Error || ends {
        return Ok(());
    }
    Err(Failure::new("25P02", "current transaction is aborted, commands ignored until end of transaction block"))
}
