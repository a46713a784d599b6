//! One file per subject.

mod command_line;
mod independence;
mod mistakes;
mod query;
mod questionnaire;
mod reading;
mod release;
mod sources;
mod territory;
