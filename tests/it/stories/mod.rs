//! One file per subject.

mod mistakes;
mod sources;
