//! What can go wrong between us and a store.

use std::io;
use std::path::PathBuf;

/// A store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names no kind of store that we know.
    #[error(
        "`{url}` is not a store: use a folder, file:///folder, s3://bucket/folder, az://container/folder, gs://bucket/folder or memory://name"
    )]
    UnknownStore {
        /// The address, without secrets.
        url: String,
    },
    /// The client for the store could not be made, often for want of credentials.
    #[error("could not open the store `{url}`; credentials come from AWS_*, AZURE_* or GOOGLE_* variables")]
    Open {
        /// The address, without secrets.
        url: String,
        /// What the client says.
        source: object_store::Error,
    },
    /// A text is no path inside a store.
    #[error(
        "`{path}` cannot be a path in a store: parts must not be empty, `.` or `..`, and hold no control character"
    )]
    InvalidPath {
        /// The text.
        path: String,
    },
    /// An operation on one object or folder failed.
    #[error("could not {action} `{place}`")]
    Operation {
        /// What was tried, a verb.
        action: &'static str,
        /// Store and path.
        place: String,
        /// What the client says.
        source: object_store::Error,
    },
    /// An operation on the local disk failed.
    #[error("could not {action} `{}`", path.display())]
    Disk {
        /// What was tried, a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The bytes to be stored could not be had.
    #[error("could not get the bytes to be stored at `{place}`")]
    Input {
        /// Store and path that were to be written.
        place: String,
        /// Why the bytes ended.
        source: io::Error,
    },
    /// An entry must hold the attempt id by which its writer knows it again.
    #[error("the entry for `{place}` does not hold its own attempt id")]
    MissingAttempt {
        /// Store and path.
        place: String,
    },
    /// Whether an exclusive entry was written could not be found out.
    #[error("whether `{place}` was written is not known after {attempts} attempts; look at it before you try again")]
    Unsettled {
        /// Store and path.
        place: String,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        source: Box<Self>,
    },
    /// A log lacks an entry below its last one.
    #[error("the log `{place}` has no entry {expected}, but an entry {found}; restore the missing entry from a backup")]
    LogGap {
        /// Store and folder of the log.
        place: String,
        /// The number that should be there.
        expected: u64,
        /// The number that is there instead.
        found: u64,
    },
    /// A numbered folder holds a file whose name is not a number.
    #[error("`{place}` does not belong in a folder of numbered entries; move it away")]
    StrangeEntry {
        /// Store and path.
        place: String,
    },
}

impl StoreError {
    /// Whether the same call may well succeed a little later. The only basis for retries.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Operation { source, .. } => object_error_is_transient(source),
            Self::Disk { source, .. } | Self::Input { source, .. } => io_error_is_transient(source),
            Self::Unsettled { source, .. } => source.is_transient(),
            Self::UnknownStore { .. }
            | Self::Open { .. }
            | Self::InvalidPath { .. }
            | Self::MissingAttempt { .. }
            | Self::LogGap { .. }
            | Self::StrangeEntry { .. } => false,
        }
    }

    /// Whether a create found something in its place.
    pub(crate) fn is_already_there(&self) -> bool {
        match self {
            Self::Operation { source, .. } => {
                matches!(source, object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. })
            }
            Self::Disk { source, .. } => source.kind() == io::ErrorKind::AlreadyExists,
            _ => false,
        }
    }
}

/// Remote stores put outages, time limits and cut connections under `Generic`, after retries of their own.
fn object_error_is_transient(error: &object_store::Error) -> bool {
    match error {
        object_store::Error::Generic { store, source } => {
            let local = *store == "LocalFileSystem";
            io_cause(source.as_ref()).map_or(!local, |io| !local || io_error_is_transient(io))
        }
        object_store::Error::JoinError { .. } => true,
        _ => false,
    }
}

pub(super) fn io_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(io) = current.downcast_ref::<io::Error>() {
            return Some(io);
        }
        next = current.source();
    }
    None
}

fn io_error_is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::ResourceBusy
    )
}
