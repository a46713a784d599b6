//! HTTP.

mod operations;

pub use operations::{Health, Operations, operations};
