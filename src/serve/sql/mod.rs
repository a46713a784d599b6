//! SQL for everybody: one service behind HTTP, the `PostgreSQL` protocol and Flight SQL, and one guard for all three.
//!
//! A statement goes through the same steps whatever protocol it came by:
//!
//! 1. it waits for its turn: so many run at once, so many of one client, so many wait;
//! 2. it is understood over a view of what is published at that moment: all its tables come from the same
//!    state of the logs, so `latest` means one release from its first row to its last;
//! 3. it is [guarded](crate::engine::Bounds): only what reads passes, and nothing that would take all memory while it
//!    is planned;
//! 4. it runs on threads of its own, within its share of memory and disk, and its rows are counted and timed
//!    until the last one was taken. Whoever leaves ends it.
//!
//! Why it is not answered is a [`Refusal`], which knows its status in each protocol.

mod body;
mod catalogue;
pub mod format;
mod http;
mod json;
mod refusal;
mod rows;
mod service;
mod turns;

pub use catalogue::ListedTable;
pub use http::{SQL, router};
pub use refusal::{Place, Refusal};
pub use rows::Rows;
pub use service::{Client, Prepared, SqlService, SqlStartError};

pub use crate::config::sql::SqlLimits;

#[cfg(test)]
mod tests;
