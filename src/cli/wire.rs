//! The protocols of `essaim serve` beside HTTP, for those who ask in SQL with clients of their own.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Exit;
use super::printer::Printer;
use crate::serve::flight::{self, Flight};
use crate::serve::pg::{self, Postgres};
use crate::serve::sql::SqlService;
use crate::serve::tls::Certificate;

/// Arguments of `essaim serve` about them.
#[derive(Debug, Args)]
pub(super) struct WireArguments {
    /// Serve the PostgreSQL protocol on an address, read-only
    #[arg(long, value_name = "ADDRESS")]
    pg: Option<String>,
    /// Serve Arrow Flight SQL on an address, read-only
    #[arg(long, value_name = "ADDRESS")]
    flight: Option<String>,
    /// Certificate (PEM) with which --pg and --flight encrypt; without it they are in clear
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// The servers that listen.
#[derive(Debug)]
pub(super) struct Wire {
    postgres: Option<Postgres>,
    flight: Option<Flight>,
}

impl WireArguments {
    /// Starts what was asked for.
    pub(super) async fn start(&self, service: &SqlService, printer: &Printer) -> Result<Wire, Exit> {
        let failed = |error: &dyn std::error::Error| {
            printer.failure(error);
            Exit::Failed
        };
        let certificate = match (&self.tls_cert, &self.tls_key) {
            (Some(chain), Some(key)) => Some(Certificate::read(chain, key).map_err(|error| failed(&error))?),
            _ => None,
        };
        let how = if certificate.is_some() { "TLS" } else { "in clear" };
        let postgres = match &self.pg {
            None => None,
            Some(address) => {
                let tls = certificate.as_ref().map(|certificate| certificate.config(&[b"postgresql"])).transpose();
                let tls = tls.map_err(|error| failed(&error))?;
                let server = Postgres::start(address, service, tls, pg::Limits::default()).await;
                let server = server.map_err(|error| failed(&error))?;
                printer.talk(&format!("serving postgresql://{}/ ({how})\n", server.address));
                Some(server)
            }
        };
        let flight = match &self.flight {
            None => None,
            Some(address) => {
                let server = Flight::start(address, service, certificate.as_ref(), flight::Limits::default()).await;
                let server = server.map_err(|error| failed(&error))?;
                let scheme = if certificate.is_some() { "grpc+tls" } else { "grpc" };
                printer.talk(&format!("serving {scheme}://{} ({how})\n", server.address));
                Some(server)
            }
        };
        Ok(Wire { postgres, flight })
    }
}

impl Wire {
    /// Ends them, once what is under way is answered or the time is over.
    pub(super) async fn stop(self, grace: Duration) {
        let postgres = async {
            if let Some(server) = self.postgres {
                server.stop(grace).await;
            }
        };
        let flight = async {
            if let Some(server) = self.flight {
                server.stop(grace).await;
            }
        };
        tokio::join!(postgres, flight);
    }
}
