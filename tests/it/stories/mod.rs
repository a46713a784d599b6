//! One file per subject.

mod command_line;
mod mistakes;
mod query;
mod reading;
mod sources;
mod independence;
mod questionnaire;
mod territory;
