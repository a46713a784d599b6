//! The `PostgreSQL` protocol, for psql, drivers and tools: read-only, over the same service and behind the same guard as
//! SQL over HTTP.
//!
//! Messages, catalogue and encoding are those of `datafusion-postgres` and `pgwire`; the session is our own, because
//! a public server needs what theirs leaves open: limits on messages, statements, portals and connections, an end to
//! what a client no longer waits for, settings that reach nobody else, encryption that fails closed.

mod answer;
mod cancel;
mod catalogue;
mod command;
mod failure;
mod parameters;
mod rows;
mod session;
mod startup;
mod variables;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use datafusion_postgres::pgwire::messages::PgWireBackendMessage as Answer;
use datafusion_postgres::pgwire::messages::response::{ReadyForQuery, TransactionStatus};
use datafusion_postgres::pgwire::messages::startup::{Authentication, BackendKeyData, ParameterStatus, SecretKey};
use futures::StreamExt as _;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::codec::FramedRead;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::cancel::Keys;
use self::catalogue::Catalogue;
pub use self::catalogue::NoCatalogue;
use self::failure::{Failure, Trouble};
use self::session::Session;
use self::startup::{Opening, Stream, open, options, turn_away};
use self::variables::Variables;
use self::wire::{Answers, Message, Messages};
use crate::serve::admission::{Admission, Crowded};
use crate::serve::sql::SqlService;

/// Messages that wait to be answered.
const WAITING: usize = 8;

/// What a client may take of the protocol. Time, rows and memory of statements are limits of the service.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub per_address: usize,
    /// Time to say who one is.
    pub start: Duration,
    /// Time without a message after which a session ends.
    pub idle: Duration,
    /// Time in which what is sent has to be read.
    pub patience: Duration,
    /// Time for which rows are held that were not asked for yet.
    pub suspended: Duration,
    /// Bytes of a message.
    pub message: usize,
    /// Prepared statements of a session.
    pub statements: usize,
    /// Portals and cursors of a session.
    pub portals: usize,
    /// Bytes of the statements, values and names that a session keeps.
    pub kept: usize,
    /// Statements in one text.
    pub batch: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100,
            per_address: 20,
            start: Duration::from_secs(10),
            idle: Duration::from_mins(10),
            patience: Duration::from_secs(30),
            suspended: Duration::from_mins(1),
            message: 1 << 20,
            statements: 128,
            portals: 32,
            kept: 4 << 20,
            batch: 32,
        }
    }
}

/// A server that answers until it is told to stop.
#[derive(Debug)]
pub struct Postgres {
    /// Where it listens.
    pub address: SocketAddr,
    stop: CancellationToken,
    kill: CancellationToken,
    sessions: TaskTracker,
}

impl Postgres {
    /// Serves on an address; encrypted only, where there is a certificate.
    pub async fn start(
        address: &str,
        service: &SqlService,
        tls: Option<Arc<ServerConfig>>,
        limits: Limits,
    ) -> Result<Self, PostgresError> {
        let catalogue = Catalogue::over(service).map_err(|source| PostgresError::Catalogue { source })?;
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) =
            bound.await.map_err(|source| PostgresError::Listen { address: address.to_owned(), source })?;
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let sessions = TaskTracker::new();
        let door = Arc::new(Door {
            catalogue: Arc::new(catalogue),
            keys: Arc::default(),
            tls,
            admission: Admission::new(limits.connections, limits.per_address),
            limits: Arc::new(limits),
            stop: stop.clone(),
            kill: kill.clone(),
        });
        sessions.spawn(accept(listener, door, sessions.clone()));
        Ok(Self { address, stop, kill, sessions })
    }

    /// Ends it: sessions that wait for a statement at once, the others when theirs is answered or the time is over.
    pub async fn stop(self, grace: Duration) {
        self.stop.cancel();
        self.sessions.close();
        if tokio::time::timeout(grace, self.sessions.wait()).await.is_err() {
            self.kill.cancel();
            self.sessions.wait().await;
        }
    }
}

/// Why the protocol is not served.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for the PostgreSQL protocol")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The catalogue cannot be made.
    #[error("cannot show what is published")]
    Catalogue {
        /// Why.
        source: NoCatalogue,
    },
}

/// What every connection comes through.
struct Door {
    catalogue: Arc<Catalogue>,
    keys: Arc<Keys>,
    tls: Option<Arc<ServerConfig>>,
    admission: Admission,
    limits: Arc<Limits>,
    stop: CancellationToken,
    kill: CancellationToken,
}

async fn accept(listener: TcpListener, door: Arc<Door>, sessions: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = door.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                sessions.spawn(welcome(Arc::clone(&door), stream, address));
            }
            Err(error) => {
                tracing::warn!(%error, "No connection could be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn welcome(door: Arc<Door>, stream: TcpStream, address: SocketAddr) {
    let admitted = door.admission.admit(address.ip());
    if matches!(admitted, Err(Crowded::Outside)) {
        return;
    }
    let opened = tokio::select! {
        opened = tokio::time::timeout(door.limits.start, open(stream, door.tls.as_ref())) => opened,
        () = door.stop.cancelled() => return,
    };
    match (opened, &admitted) {
        (Ok(Ok(Opening::Session { stream, parameters })), Ok(_)) => {
            session(&door, stream, &parameters, address).await;
        }
        (Ok(Ok(Opening::Session { stream, .. })), Err(crowded)) => {
            let failure = Failure::fatal("53300", crowded.to_string()).hint("end a connection, or wait");
            drop(turn_away(stream, failure).await);
        }
        // Who has no place may still end what fills it.
        (Ok(Ok(Opening::Cancel { process, secret })), _) => door.keys.cancel(process, secret),
        (Ok(Ok(Opening::Nothing)) | Err(_), _) => {}
        (Ok(Err(error)), _) => tracing::debug!(client = %address, %error, "A connection did not begin: {error}"),
    }
    drop(admitted);
}

async fn session(door: &Door, stream: Box<dyn Stream>, parameters: &BTreeMap<String, String>, address: SocketAddr) {
    let (reader, writer) = tokio::io::split(stream);
    let left = door.kill.child_token();
    let mut out = Answers::new(writer, door.limits.patience, left.clone());
    let key = door.keys.issue();
    let variables = match greet(&mut out, parameters, &key).await {
        Ok(variables) => variables,
        Err(trouble) => {
            if let Trouble::Refused(failure) = trouble {
                drop(out.send(Answer::ErrorResponse(Failure { fatal: true, ..failure }.response())).await);
            }
            return out.close().await;
        }
    };
    let (sender, messages) = mpsc::channel(WAITING);
    let session = Session {
        catalogue: Arc::clone(&door.catalogue),
        limits: Arc::clone(&door.limits),
        out,
        address,
        key,
        left: left.clone(),
        variables,
        transaction: TransactionStatus::Idle,
        statements: BTreeMap::new(),
        portals: BTreeMap::new(),
    };
    let reading = read(reader, sender, left, door.limits.message);
    // Reading goes on while a statement runs, so that a client that leaves is noticed.
    tokio::select! {
        () = session.run(messages, door.stop.clone()) => {}
        () = async { reading.await; std::future::pending::<()>().await } => {}
    }
}

/// Hands on what a client sends. When it has left, whatever runs for it ends.
async fn read(
    reader: impl AsyncRead + Unpin + Send,
    sender: mpsc::Sender<Result<Message, Trouble>>,
    left: CancellationToken,
    longest: usize,
) {
    let mut messages = FramedRead::new(reader, Messages { longest });
    let mut refused = false;
    while let Some(message) = messages.next().await {
        refused = matches!(message, Err(Trouble::Refused(_)));
        if sender.send(message).await.is_err() || refused {
            break;
        }
    }
    if !refused {
        left.cancel();
    }
}

/// Takes the settings of the first message, and says what the server is.
async fn greet<W: AsyncWrite + Unpin + Send + Sync>(
    out: &mut Answers<W>,
    parameters: &BTreeMap<String, String>,
    key: &cancel::Key,
) -> Result<Variables, Trouble> {
    let user = parameters.get("user").filter(|user| !user.is_empty());
    let Some(user) = user else {
        return Err(Failure::fatal("28000", "no user is named: any name will do").into());
    };
    let mut variables = Variables::of(user);
    for (name, value) in parameters {
        match name.as_str() {
            "user" | "database" => {}
            "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
            "replication" => return Err(Failure::fatal("0A000", "nothing is replicated from here").into()),
            "options" => {
                for (name, value) in options(value)? {
                    variables.set(&name, Some(&value))?;
                }
            }
            name if name.starts_with("_pq_.") => {}
            name => drop(variables.set(name, Some(value))?),
        }
    }
    out.send(Answer::Authentication(Authentication::Ok)).await?;
    for (name, value) in variables.all(true) {
        let status = ParameterStatus::new(name.to_owned(), value);
        out.send(Answer::ParameterStatus(status)).await?;
    }
    let data = BackendKeyData::new(key.process, SecretKey::I32(key.secret));
    out.send(Answer::BackendKeyData(data)).await?;
    let ready = ReadyForQuery::new(TransactionStatus::Idle);
    out.send(Answer::ReadyForQuery(ready)).await?;
    out.flush().await?;
    Ok(variables)
}
