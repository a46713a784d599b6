//! Files of a release, what it says about itself, and the commit that makes it visible.

pub mod changes;
pub mod commit;
pub mod dictionary;
pub mod erase;
mod error;
pub mod figure;
pub mod format;
pub mod freshness;
pub mod gc;
pub mod latest;
pub mod metadata;
pub mod owner;
mod page;
mod site;
pub mod verify;
pub mod withdraw;
mod words;

pub use error::{ChangesError, PublishError};
