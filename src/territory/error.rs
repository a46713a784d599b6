//! What can go wrong while the official geography is read.

use std::io;
use std::path::PathBuf;

/// The reference files cannot be read or do not have the shape that `seeds/cog/build.py` gives them.
#[derive(Debug, thiserror::Error)]
pub enum TerritoryError {
    /// A file is missing or cannot be opened.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The first line is not the expected one.
    #[error("`{file}` does not begin with the columns `{expected}`")]
    Header {
        /// Name of the file.
        file: &'static str,
        /// The columns it must have.
        expected: &'static str,
    },
    /// A line does not fit.
    #[error("line {line} of `{file}`: {reason}")]
    Row {
        /// Name of the file.
        file: &'static str,
        /// Line, from 1; the header is line 1.
        line: u64,
        /// What does not fit.
        reason: &'static str,
    },
    /// A file of outlines is not what is expected.
    #[error("the outlines of `{}` cannot be used: {reason}", path.display())]
    Outline {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
}
