//! Having a dataset for one run alone.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::lease::{Desk, Lease, Taken};
use super::{Job, Reporter, RunError, RunOptions, store};
use crate::publish::commit;
use crate::store::Store;

/// How often a lease that somebody else has is asked for again.
const POLL: Duration = Duration::from_secs(1);

/// Takes the lease of a dataset once it is free, and tells the time then.
pub(super) async fn wait(
    job: Job<'_>,
    options: &RunOptions,
    reporter: &dyn Reporter,
) -> Result<(Lease, DateTime<Utc>), RunError> {
    let failed = |error| RunError::Lease(Box::new(error));
    let desk = Desk::new(store(job, "private", options)?, job.pipeline.id.clone());
    let mut now = options.now;
    let mut told = false;
    loop {
        match desk.take(None, now).await.map_err(failed)? {
            Taken::Ours(lease) => return Ok((lease, now)),
            Taken::Held { by, since } => {
                if !told {
                    let since = since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                    reporter.step(&format!("Waiting: {by} has been at `{}` since {since}", job.pipeline.id));
                    told = true;
                }
            }
        }
        tokio::time::sleep(POLL).await;
        now = (options.clock)().parse().unwrap_or(now);
    }
}

/// Fences off a run that may still be going on under an older lease.
pub(super) async fn raise_fence(job: Job<'_>, options: &RunOptions, public: &Store) -> Result<(), RunError> {
    let Some(turn) = &options.turn else { return Ok(()) };
    let attempt = hex::encode(rand::random::<[u8; 8]>());
    commit::raise_fence(public, &job.pipeline.id, turn.token, &attempt, &(options.clock)())
        .await
        .map_err(|source| RunError::Publish(Box::new(source)))
}
