//! What is published, for those who ask: HTTP, with health and metrics, the `PostgreSQL` protocol and Arrow Flight SQL. It
//! reads the public store and never writes it.

mod accept;
mod admission;
pub mod error;
pub mod flight;
pub mod http;
mod operations;
pub mod pg;
pub mod published;
pub mod sql;
pub mod tls;
mod words;

pub use http::{AccessLog, Limits, Parts, Server};
pub use operations::{Health, Operations, operations};
