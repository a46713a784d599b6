//! The changelog of a release: `changes.parquet` holds every change, `changes.json` counts them, `changes.html` shows both to
//! people.
//!
//! What it may tell is decided per table by [`RowsOf`]: the changelog of a new release must not say again what somebody took
//! back. A row that a source no longer has, a row of a respondent, an answer that is empty now: these are counted.
//!
//! The same releases give the same bytes.

mod compare;
mod fetch;
mod list;
mod page;

pub use compare::{Compared, Versions, compare, differing, keys_gone};
pub use fetch::{fetch_file, fetch_tables};
pub use list::{Change, ListWriter, ListedBatches, read_list};
pub use page::{Page, cause_in_french, html};

/// Name of the list of changes.
pub const LIST: &str = "changes.parquet";
/// Name of the counts.
pub const SUMMARY: &str = "changes.json";
/// Name of the page.
pub const PAGE: &str = "changes.html";

#[cfg(doc)]
use crate::release::RowsOf;
