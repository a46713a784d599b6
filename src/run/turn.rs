//! Having a dataset for one run alone.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::lease::{Desk, Lease, Taken};
use super::{Job, Reporter, RunError, RunOptions, store};
use crate::id::DatasetId;
use crate::publish::commit;
use crate::publish::withdraw::Stores;
use crate::store::Store;

/// How often a lease that somebody else has is asked for again.
const POLL: Duration = Duration::from_secs(1);

/// Takes the lease of a dataset for a run once it is free, and tells the time then.
pub(super) async fn wait(
    job: Job<'_>,
    options: &RunOptions,
    reporter: &dyn Reporter,
) -> Result<(Lease, DateTime<Utc>), RunError> {
    let private = store(job, "private", options)?;
    wait_for(private, &job.pipeline.id, (options.now, options.clock), reporter).await
}

/// Has a dataset for one command alone: takes its lease once it is free, and fences off what may still be going on.
pub async fn hold(
    stores: Stores<'_>,
    dataset: &DatasetId,
    (now, clock): (DateTime<Utc>, fn() -> String),
    reporter: &dyn Reporter,
) -> Result<Lease, RunError> {
    let (lease, _) = wait_for(stores.private.clone(), dataset, (now, clock), reporter).await?;
    if lease.fence {
        fence_off(stores.public, dataset, lease.token, clock).await?;
    }
    Ok(lease)
}

async fn wait_for(
    private: Store,
    dataset: &DatasetId,
    (mut now, clock): (DateTime<Utc>, fn() -> String),
    reporter: &dyn Reporter,
) -> Result<(Lease, DateTime<Utc>), RunError> {
    let desk = Desk::new(private, dataset.clone());
    let mut told = false;
    loop {
        match desk.take(None, now).await.map_err(|error| RunError::Lease(Box::new(error)))? {
            Taken::Ours(lease) => return Ok((lease, now)),
            Taken::Held { by, since } => {
                if !told {
                    let since = since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                    reporter.step(&format!("Waiting: {by} has been at `{dataset}` since {since}"));
                    told = true;
                }
            }
        }
        tokio::time::sleep(POLL).await;
        now = clock().parse().unwrap_or(now);
    }
}

/// Fences off a run that may still be going on under an older lease.
pub(super) async fn raise_fence(job: Job<'_>, options: &RunOptions, public: &Store) -> Result<(), RunError> {
    let Some(turn) = &options.turn else { return Ok(()) };
    fence_off(public, &job.pipeline.id, turn.token, options.clock).await
}

async fn fence_off(public: &Store, dataset: &DatasetId, token: u64, clock: fn() -> String) -> Result<(), RunError> {
    let attempt = hex::encode(rand::random::<[u8; 8]>());
    let made = commit::raise_fence(public, dataset, token, &attempt, &clock()).await;
    made.map_err(|source| RunError::Publish(Box::new(source)))
}
