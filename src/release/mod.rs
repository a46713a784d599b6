//! What a release is: its manifest, the log that makes it visible, and the digest that tells whether anything changed.
//! Pure: no I/O.

mod cause;
mod changes;
mod compat;
pub mod diff;
mod freshness;
mod log;
mod manifest;

pub use cause::{Cause, Inputs, Steps, Taken};
pub use changes::{ChangeKind, ChangeSummary, NotTold, TableChanges, TableState};
pub use compat::{ContractChange, Level, contract_changes, version_asked};
pub use freshness::{Attempt, DatasetFreshness, Failure, Freshness, Went};
pub use log::{
    LogEntry, LogError, LogKind, ReleaseState, Turn, Withdrawal, current, fence, of_slot, parse_log, releases_json,
    replaced, states, taken_back,
};
pub use manifest::{
    CheckRecord, ColumnRecord, ErasureRecord, FileRecord, Manifest, PartRecord, RowsOf, SourceRecord, TableRecord,
    content_digest, sums,
};
