//! What can go wrong while pipelines are scheduled.

use tokio_cron_scheduler::JobSchedulerError;

use crate::run::project::NotLoaded;
use crate::store::StoreError;

/// The schedule cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The project cannot be read when it starts.
    #[error("cannot start with this project")]
    Project(#[source] NotLoaded),
    /// A store cannot be opened.
    #[error("cannot use the {which} store")]
    Store {
        /// `private` or `public`.
        which: &'static str,
        /// Why.
        source: Box<StoreError>,
    },
    /// The clock of the scheduler does not start.
    #[error("cannot start the scheduler")]
    Ticker(#[source] JobSchedulerError),
}
