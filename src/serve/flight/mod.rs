//! Arrow Flight SQL, for ADBC and JDBC: read-only, over the same service and behind the same guard as SQL over HTTP.
//!
//! What comes back from a client is judged again: a ticket holds the SQL, not a right to its rows.

mod bound;
mod columns;
mod health;
mod incoming;
mod metadata;
mod prepared;
mod rows;
mod service;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use self::service::Service;
use crate::serve::admission::Admission;
use crate::serve::sql::SqlService;
use crate::serve::tls::Certificate;

/// What a client may take of the protocol. Time, rows and memory of statements are limits of the service.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub per_address: usize,
    /// Requests at once on a connection.
    pub requests: u32,
    /// Bytes of a message that comes in.
    pub message: usize,
    /// Bytes of the values that are bound to a statement.
    pub values: usize,
    /// Time in which the values of a statement have to come.
    pub patience: Duration,
    /// Age at which a connection is asked to end; its client makes another one.
    pub age: Duration,
    /// Prepared statements in all.
    pub statements: usize,
    /// Prepared statements of one address; the one that was not used for longest makes room.
    pub statements_per_address: usize,
    /// Time without use after which a prepared statement is forgotten.
    pub forgotten: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100,
            per_address: 20,
            requests: 32,
            message: 1 << 20,
            values: 64 << 10,
            patience: Duration::from_secs(30),
            age: Duration::from_mins(10),
            statements: 2048,
            statements_per_address: 128,
            forgotten: Duration::from_mins(30),
        }
    }
}

/// A server that answers until it is told to stop.
#[derive(Debug)]
pub struct Flight {
    /// Where it listens.
    pub address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Why the protocol is not served.
#[derive(Debug, thiserror::Error)]
pub enum FlightError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for Arrow Flight SQL")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The certificate is not accepted.
    #[error("cannot encrypt Arrow Flight SQL")]
    Encryption {
        /// Why.
        source: tonic::transport::Error,
    },
    /// What is told of the server cannot be put together.
    #[error("cannot describe the server to clients of Arrow Flight SQL")]
    Description {
        /// Why.
        source: arrow_flight::error::FlightError,
    },
}

impl Flight {
    /// Serves on an address; encrypted only, where there is a certificate.
    pub async fn start(
        address: &str,
        service: &SqlService,
        certificate: Option<&Certificate>,
        limits: Limits,
    ) -> Result<Self, FlightError> {
        let mut server = Server::builder()
            .max_concurrent_streams(limits.requests)
            // A client that is silent answers pings for ever. A statement that is under way is let come to its end.
            .max_connection_age(limits.age)
            .max_connection_age_grace(service.limits().timeout + limits.patience)
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .http2_keepalive_timeout(Some(Duration::from_secs(20)))
            .http2_max_header_list_size(16 * 1024);
        if let Some(certificate) = certificate {
            let identity = Identity::from_pem(&certificate.chain, &certificate.key);
            let tls = ServerTlsConfig::new().identity(identity).timeout(Duration::from_secs(10));
            server = server.tls_config(tls).map_err(|source| FlightError::Encryption { source })?;
        }
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) =
            bound.await.map_err(|source| FlightError::Listen { address: address.to_owned(), source })?;
        let admission = Admission::new(limits.connections, limits.per_address);
        let message = limits.message;
        let service = Service::new(service.clone(), limits).map_err(|source| FlightError::Description { source })?;
        let flight = FlightServiceServer::from_arc(Arc::new(service)).max_decoding_message_size(message);
        let stop = CancellationToken::new();
        let serving = server
            .add_service(health::Health)
            .add_service(flight)
            .serve_with_incoming_shutdown(incoming::connections(listener, admission), stop.clone().cancelled_owned());
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "The server of Arrow Flight SQL ended: {error}");
            }
        });
        Ok(Self { address, stop, task })
    }

    /// Ends it, once the requests that are under way are answered or the time is over.
    pub async fn stop(mut self, grace: Duration) {
        self.stop.cancel();
        if tokio::time::timeout(grace, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
