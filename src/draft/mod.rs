//! From a file to a project that runs: the format, the columns, their types and code lists are guessed, and nothing that
//! was guessed is public before a person says so.

mod column;
mod format;
mod header;
mod missing;
mod place;
mod sample;
mod several;
mod survey;
mod write;

pub use column::{Finds, Guess, Proposal};
pub use format::{Format, choose, detect, is_html};
pub use sample::sample;
pub use several::Choice;
pub use write::{Drafted, candidates, draft};
