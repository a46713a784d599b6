//! Taking the slot that is due: at most one holder for each, on any number of machines.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};
use chrono_tz::Tz;

use super::due::{delay, due};
use crate::config::pipeline::Schedule;
use crate::id::DatasetId;
use crate::run::{Desk, Lease, LeaseError, Taken};

/// Takes the lease of a dataset when a slot of its schedule is due and nobody has it.
///
/// A dataset that was never scheduled begins its schedule now: its first slot is the next one, whatever restarts come in
/// between.
pub async fn take_due(
    desk: &Arc<Desk>,
    (dataset, schedule, zone): (&DatasetId, &Schedule, Tz),
    now: DateTime<Utc>,
) -> Result<Option<(Lease, DateTime<Utc>)>, LeaseError> {
    let Some(done) = desk.done().await? else {
        if let Taken::Ours(lease) = desk.take(Some(now.trunc_subsecs(0)), now).await? {
            let begun = lease.done.is_some();
            lease.release(!begun, now).await?;
        }
        return Ok(None);
    };
    let Some(slot) = due(&schedule.crons, zone, done, now) else { return Ok(None) };
    let waited = (now - slot).to_std().unwrap_or_default();
    if waited < delay(dataset, slot, schedule.jitter) {
        return Ok(None);
    }
    let Taken::Ours(lease) = desk.take(Some(slot), now).await? else { return Ok(None) };
    // Another machine may have seen it to its end since it was found due.
    if lease.done.is_some_and(|done| done >= slot) {
        lease.release(false, now).await?;
        return Ok(None);
    }
    Ok(Some((lease, slot)))
}
