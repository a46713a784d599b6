//! What is published, for those who ask: HTTP, with health and metrics. It reads the public store and never writes it.

pub mod error;
pub mod http;
mod operations;
pub mod sql;

pub use http::{AccessLog, Limits, Parts, Server};
pub use operations::{Health, Operations, operations};
