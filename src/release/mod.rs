//! What a release is: its manifest, the log that makes it visible, and the digest that tells whether anything changed.
//! Pure: no I/O.

mod log;
mod manifest;

pub use log::{LogEntry, LogError, LogKind, ReleaseState, current, parse_log, releases_json, states};
pub use manifest::{
    CheckRecord, ColumnRecord, FileRecord, Manifest, PartRecord, SourceRecord, TableRecord, content_digest, sums,
};
