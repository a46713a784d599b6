//! One file per subject.

mod mistakes;
