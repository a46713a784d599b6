//! One file per subject.
