//! How statements are answered: rows, and what commands about the session do.

use std::sync::Arc;

use datafusion_postgres::pgwire::api::results::{FieldInfo, Tag};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage as Answer;
use datafusion_postgres::pgwire::messages::extendedquery::PortalSuspended;
use datafusion_postgres::pgwire::messages::response::{CommandComplete, EmptyQueryResponse, TransactionStatus};
use tokio::io::AsyncWrite;

use super::command::Command;
use super::failure::{Failure, Trouble};
use super::parameters::Parameters;
use super::rows::{Encoder, Shape, Source, description};
use super::session::{Portal, Query, Running, Session, State, Statement};
use super::variables::Changed;
use crate::engine::ScalarValue;
use crate::serve::words;

impl<W: AsyncWrite + Unpin + Send + Sync> Session<W> {
    /// Answers a text of the simple protocol: its statements one after the other, up to the first mistake.
    pub(super) async fn query(&mut self, text: &str) -> Result<(), Trouble> {
        let found = words::statements(text);
        if found.is_empty() {
            self.out.send(Answer::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
        }
        if found.len() > self.limits.batch {
            let text = format!("{} statements at once: at most {}", found.len(), self.limits.batch);
            return Err(Failure::new("54000", text).into());
        }
        for one in found {
            let running = self.start();
            let statement = self.read(&running, text, one, &[]).await?;
            if !statement.parameters.types().is_empty() {
                return Err(Failure::new("42P02", "there is no parameter $1").into());
            }
            self.perform(&running, &Arc::new(statement), &[], &[], true).await?;
        }
        if self.transaction == TransactionStatus::Idle {
            self.portals.retain(|_, portal| portal.hold);
        }
        self.ready().await
    }

    /// Answers a portal of the extended protocol, up to a number of rows; 0 is all.
    pub(super) async fn execute(&mut self, running: &Running, name: &str, rows: usize) -> Result<(), Trouble> {
        let Some(mut portal) = self.portals.remove(name) else {
            return Err(Failure::new("34000", format!("portal \"{name}\" does not exist")).into());
        };
        let statement = Arc::clone(&portal.statement);
        let (Command::Query, Some(query)) = (&statement.command, &statement.query) else {
            if matches!(portal.state, State::Done) {
                return Err(Failure::new("55000", format!("portal \"{name}\" cannot be run")).into());
            }
            self.perform(running, &statement, &portal.values, &portal.formats, false).await?;
            portal.state = State::Done;
            if !matches!(statement.command, Command::Close(_) | Command::DiscardAll) {
                self.portals.insert(name.to_owned(), portal);
            }
            return Ok(());
        };
        let columns = query.shape.columns(&portal.formats, &self.variables.format())?;
        let (sent, more) = self.read_on(running, query, &mut portal, columns, rows).await?;
        self.portals.insert(name.to_owned(), portal);
        if more {
            return self.out.send(Answer::PortalSuspended(PortalSuspended::new())).await;
        }
        self.done(Tag::new(query.tag).with_rows(sent)).await
    }

    /// Sends the next rows of a portal; says how many, and whether there are more.
    async fn read_on(
        &mut self,
        running: &Running,
        query: &Query,
        portal: &mut Portal,
        columns: Arc<Vec<FieldInfo>>,
        rows: usize,
    ) -> Result<(usize, bool), Trouble> {
        let mut source = match std::mem::replace(&mut portal.state, State::Done) {
            State::Ready => self.open(running, query, portal.values.clone()).await?,
            State::Open(source) => source,
            State::Done => return Ok((0, false)),
            State::Stale => {
                let text = "the rows of this portal were given up: nobody asked for them in time";
                return Err(Failure::new("57014", text).into());
            }
        };
        let (sent, more) = self.stream(running, &mut source, columns, rows).await?;
        if more {
            portal.state = State::Open(source);
        }
        Ok((sent, more))
    }

    async fn stream(
        &mut self,
        running: &Running,
        source: &mut Source,
        columns: Arc<Vec<FieldInfo>>,
        rows: usize,
    ) -> Result<(usize, bool), Trouble> {
        let mut encoder = Encoder::new(columns);
        let mut sent = 0;
        while rows == 0 || sent < rows {
            match source.row(&mut encoder)? {
                Some(row) => {
                    self.out.send(Answer::DataRow(row)).await?;
                    sent += 1;
                }
                None if self.within(running, source.has_row()).await? => {}
                None => return Ok((sent, false)),
            }
        }
        Ok((sent, true))
    }

    /// Does what a statement asks for. `describe` is whether its columns come before its rows.
    async fn perform(
        &mut self,
        running: &Running,
        statement: &Arc<Statement>,
        values: &[ScalarValue],
        formats: &[i16],
        describe: bool,
    ) -> Result<(), Trouble> {
        match (&statement.command, &statement.query) {
            (Command::Empty, _) => self.out.send(Answer::EmptyQueryResponse(EmptyQueryResponse::new())).await,
            (Command::Query, Some(query)) => {
                let columns = query.shape.columns(formats, &self.variables.format())?;
                let mut source = self.open(running, query, values.to_vec()).await?;
                if describe {
                    self.out.send(Answer::RowDescription(description(&columns))).await?;
                }
                let (sent, _) = self.stream(running, &mut source, columns, 0).await?;
                self.done(Tag::new(query.tag).with_rows(sent)).await
            }
            (Command::Query, None) => Err(Failure::new("XX000", "a query was not planned").into()),
            (Command::Declare { cursor, hold, .. }, query) => {
                self.declare(cursor, *hold, query.clone(), values, statement.text).await
            }
            (Command::Fetch { cursor, rows }, _) => self.fetch(running, cursor, *rows, formats, describe).await,
            (Command::Show(name), _) => self.show(name, formats, describe).await,
            (Command::Set { name, value }, _) => {
                let changed = self.variables.set(name, value.as_deref())?;
                self.changed(changed).await?;
                self.done(Tag::new("SET")).await
            }
            (other, _) => {
                let tag = self.session(other)?;
                self.done(Tag::new(tag)).await
            }
        }
    }

    /// Commands that only change what is kept of the session; gives the tag of the answer.
    fn session(&mut self, command: &Command) -> Result<&'static str, Failure> {
        Ok(match command {
            Command::Begin => {
                self.transaction = TransactionStatus::Transaction;
                "BEGIN"
            }
            Command::Commit | Command::Rollback => {
                let failed = self.transaction == TransactionStatus::Error;
                self.transaction = TransactionStatus::Idle;
                self.portals.retain(|_, portal| portal.hold);
                if failed || *command == Command::Rollback { "ROLLBACK" } else { "COMMIT" }
            }
            Command::Savepoint => "SAVEPOINT",
            Command::ReleaseSavepoint => "RELEASE",
            Command::RollbackToSavepoint => {
                if self.transaction == TransactionStatus::Idle {
                    return Err(Failure::new("25P01", "ROLLBACK TO SAVEPOINT can only be used in transaction blocks"));
                }
                self.transaction = TransactionStatus::Transaction;
                "ROLLBACK"
            }
            Command::ResetAll => {
                self.variables.reset();
                "RESET"
            }
            Command::DiscardAll => {
                self.variables.reset();
                self.statements.clear();
                self.portals.clear();
                "DISCARD ALL"
            }
            Command::Deallocate(None) => {
                self.statements.clear();
                "DEALLOCATE ALL"
            }
            Command::Deallocate(Some(name)) => {
                let known = self.statements.remove(name).is_some();
                let unknown = || Failure::new("26000", format!("prepared statement \"{name}\" does not exist"));
                known.then_some("DEALLOCATE").ok_or_else(unknown)?
            }
            Command::Close(None) => {
                self.portals.clear();
                "CLOSE CURSOR ALL"
            }
            Command::Close(Some(name)) => {
                let known = self.portals.remove(name).is_some();
                known.then_some("CLOSE CURSOR").ok_or_else(|| no_cursor(name))?
            }
            Command::Nothing(tag) => tag,
            other => return Err(Failure::new("XX000", format!("{other:?} is no command of a session"))),
        })
    }

    async fn declare(
        &mut self,
        cursor: &str,
        hold: bool,
        query: Option<Query>,
        values: &[ScalarValue],
        text: usize,
    ) -> Result<(), Trouble> {
        if self.portals.contains_key(cursor) {
            return Err(Failure::new("42P03", format!("cursor \"{cursor}\" already exists")).into());
        }
        self.room_for_a_portal()?;
        let (command, parameters) = (Command::Query, Parameters::default());
        let statement = Statement { command, query, parameters, text };
        // Without a transaction there is nothing at whose end it could go.
        let hold = hold || self.transaction == TransactionStatus::Idle;
        let (statement, values) = (Arc::new(statement), values.to_vec());
        let portal = Portal { statement, values, formats: Vec::new(), state: State::Ready, hold };
        self.keep(cursor.to_owned(), portal)?;
        self.done(Tag::new("DECLARE CURSOR")).await
    }

    async fn fetch(
        &mut self,
        running: &Running,
        cursor: &str,
        rows: usize,
        formats: &[i16],
        describe: bool,
    ) -> Result<(), Trouble> {
        let mut portal = self.portals.remove(cursor).ok_or_else(|| no_cursor(cursor))?;
        let statement = Arc::clone(&portal.statement);
        let query = statement.query.as_ref().ok_or_else(|| no_cursor(cursor))?;
        let columns = query.shape.columns(formats, &self.variables.format())?;
        if describe {
            self.out.send(Answer::RowDescription(description(&columns))).await?;
        }
        let sent = match rows {
            0 => 0,
            usize::MAX => self.read_on(running, query, &mut portal, columns, 0).await?.0,
            rows => self.read_on(running, query, &mut portal, columns, rows).await?.0,
        };
        self.portals.insert(cursor.to_owned(), portal);
        self.done(Tag::new("FETCH").with_rows(sent)).await
    }

    /// The columns of the rows of a cursor.
    pub(super) fn cursor(&self, name: &str) -> Result<&Portal, Failure> {
        self.portals.get(name).ok_or_else(|| no_cursor(name))
    }

    /// The columns of `SHOW`.
    pub(super) fn shape_of_show(&self, name: &str) -> Result<Shape, Failure> {
        if name == "all" {
            Ok(Shape::texts(&["name", "setting"]))
        } else {
            Ok(Shape::texts(&[self.variables.show(name)?.0]))
        }
    }

    async fn show(&mut self, name: &str, formats: &[i16], describe: bool) -> Result<(), Trouble> {
        let rows: Vec<Vec<String>> = if name == "all" {
            self.variables.all(false).into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect()
        } else {
            vec![vec![self.variables.show(name)?.1]]
        };
        let columns = self.shape_of_show(name)?.columns(formats, &self.variables.format())?;
        if describe {
            self.out.send(Answer::RowDescription(description(&columns))).await?;
        }
        let mut encoder = Encoder::new(columns);
        for row in rows {
            self.out.send(Answer::DataRow(encoder.texts(&row)?)).await?;
        }
        self.done(Tag::new("SHOW")).await
    }

    /// Tells the client of a setting.
    pub(super) async fn changed(&mut self, changed: Changed) -> Result<(), Trouble> {
        if let Some(notice) = changed.notice {
            self.out.send(Answer::NoticeResponse(Failure::notice(notice))).await?;
        }
        if changed.reported {
            self.report(changed.name, changed.value).await?;
        }
        Ok(())
    }

    async fn done(&mut self, tag: Tag) -> Result<(), Trouble> {
        self.out.send(Answer::CommandComplete(CommandComplete::from(tag))).await
    }
}

fn no_cursor(name: &str) -> Failure {
    Failure::new("34000", format!("cursor \"{name}\" does not exist"))
}
