//! Running pipelines by the clock, unattended: when they are due, on one machine of many, and telling people when it did not
//! work.
//!
//! A tick every half minute does all of it: it reads the project files again when they changed, asks [`due`] for each
//! pipeline, takes the lease of what is due, runs it, and looks at what became old. The library `tokio-cron-scheduler` only
//! ticks: its own jobs by the clock are an hour off after a change of the clock (mvniekerk/tokio-cron-scheduler#107).

pub mod alarm;
pub mod due;
mod error;
mod keeper;
pub mod metrics;
mod slot;
mod ticker;
mod watch;

#[cfg(test)]
mod soak;
#[cfg(test)]
mod tests;

pub use error::ScheduleError;
pub use keeper::{Audience, Keeper, World};
pub use slot::take_due;
pub use ticker::tick_every;
