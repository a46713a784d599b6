//! One run of a pipeline at a time, on any number of machines that share the private store.
//!
//! A lease is a log of steps, each the create of the next number: take, renew, give back. The number of a take is its
//! token. A lease that is not renewed for its time expires: each machine measures that by its own monotonic clock, from
//! the moment when it first saw the last step, so that no two clocks are ever compared. A holder that surely has ended, a
//! process of this machine that is gone, is followed at once.
//!
//! Expiry is a matter of getting on; nothing rests on it. A holder that was only slow may wake up and publish: so who
//! follows an expired one first writes a fence with its token into the public log, and a writer that meets a fence above
//! its own token stops for good (`publish::commit`). A process that has ended can have no more than one create on its
//! way, which lands before ours or loses its number to it; it needs no fence.

mod holder;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::warn;

use crate::id::DatasetId;
use crate::publish::commit::json_bytes;
use crate::store::{Created, Store, StoreError, StoreFolder, StoreKey};

use holder::Holder;

/// How long a lease lasts after its last step.
const DURATION: Duration = Duration::from_mins(2);
/// Steps before a take that are kept: who read an older one is told apart by its number alone.
const KEPT: u64 = 64;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StepKind {
    Take,
    Renew,
    Release,
}

/// One step of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    kind: StepKind,
    /// The number of the take that it belongs to.
    token: u64,
    holder: Holder,
    attempt: String,
    /// When it was made by the clock of its machine: told to people, and never compared.
    at: DateTime<Utc>,
    /// The slot of the schedule that the holder runs.
    slot: Option<DateTime<Utc>>,
    /// The last slot that was seen to its end, by anybody.
    done: Option<DateTime<Utc>>,
}

/// A lease cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The private store failed.
    #[error("cannot use the lease of `{dataset}` in the private store")]
    Store {
        /// The dataset.
        dataset: DatasetId,
        /// Why.
        source: Box<StoreError>,
    },
    /// A step cannot be read.
    #[error("step {n} of the lease of `{dataset}` cannot be read; when no run is under way, delete {place}")]
    Step {
        /// The dataset.
        dataset: DatasetId,
        /// The step.
        n: u64,
        /// Where it is.
        place: String,
        /// Why.
        source: serde_json::Error,
    },
}

/// The place where the leases of one dataset are taken. Keep it as long as you ask: it remembers since when a step is known.
#[derive(Debug)]
pub struct Desk {
    private: Store,
    dataset: DatasetId,
    duration: Duration,
    holder: Holder,
    /// The last step that was seen, and since when.
    seen: Mutex<Option<(u64, Instant)>>,
}

/// What became of a wish for a lease.
#[derive(Debug)]
pub enum Taken {
    /// It is ours.
    Ours(Lease),
    /// Somebody else has it.
    Held {
        /// Who, in words.
        by: String,
        /// Since when by that machine's clock.
        since: DateTime<Utc>,
    },
}

/// A lease that is held and renewed until it is given back. One that is dropped expires.
#[derive(Debug)]
pub struct Lease {
    desk: Arc<Desk>,
    /// Its token.
    pub token: u64,
    /// The last slot of the schedule that was seen to its end before it was taken.
    pub done: Option<DateTime<Utc>>,
    /// Whether its last holder may still run, so that a fence must be written before anything else.
    pub fence: bool,
    last: Arc<Mutex<(u64, Step)>>,
    keeper: JoinHandle<()>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Desk {
    /// The desk of a dataset.
    pub fn new(private: Store, dataset: DatasetId) -> Arc<Self> {
        Arc::new(Self { private, dataset, duration: DURATION, holder: Holder::this(), seen: Mutex::default() })
    }

    /// The desk of a process of another machine, of which nothing can be known.
    #[cfg(test)]
    pub(crate) fn of_machine(private: Store, dataset: DatasetId, host: &str) -> Arc<Self> {
        let holder = Holder::unknown(host);
        Arc::new(Self { private, dataset, duration: DURATION, holder, seen: Mutex::default() })
    }

    fn failed(&self, source: StoreError) -> LeaseError {
        LeaseError::Store { dataset: self.dataset.clone(), source: Box::new(source) }
    }

    fn key(&self, n: u64) -> StoreKey {
        StoreKey::Lease { dataset: self.dataset.clone(), n }
    }

    /// The last step.
    async fn last(&self) -> Result<Option<(u64, Step)>, LeaseError> {
        let folder = StoreFolder::Leases { dataset: self.dataset.clone() };
        let numbers = self.private.numbers(&folder).await.map_err(|source| self.failed(source))?;
        let Some(n) = numbers.last().copied() else { return Ok(None) };
        // Only steps far from the end are ever collected.
        let Some(bytes) = self.private.get(&self.key(n)).await.map_err(|source| self.failed(source))? else {
            return Ok(None);
        };
        let unreadable =
            |source| LeaseError::Step { dataset: self.dataset.clone(), n, place: self.key(n).path(), source };
        Ok(Some((n, serde_json::from_slice(&bytes).map_err(unreadable)?)))
    }

    /// The last slot that was seen to its end, by whichever machine.
    pub async fn done(&self) -> Result<Option<DateTime<Utc>>, LeaseError> {
        Ok(self.last().await?.and_then(|(_, step)| step.done))
    }

    /// Takes the lease when nobody has it: for a slot of the schedule, or for a run that somebody asked for.
    pub async fn take(self: &Arc<Self>, slot: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Taken, LeaseError> {
        let last = self.last().await?;
        let mut fence = false;
        if let Some((n, step)) = last.as_ref().filter(|(_, step)| step.kind != StepKind::Release)
            && !step.holder.has_ended()
        {
            if !self.expired(*n).await {
                return Ok(held(step));
            }
            warn!(
                dataset = %self.dataset,
                "The lease of `{}` that {} had expired; its run is superseded", self.dataset, step.holder
            );
            fence = true;
        }
        let n = last.as_ref().map_or(1, |(n, _)| n + 1);
        let step = Step {
            kind: StepKind::Take,
            token: n,
            holder: self.holder.clone(),
            attempt: random(),
            at: now,
            slot,
            done: last.and_then(|(_, step)| step.done),
        };
        if let Some(other) = self.create(n, &step).await? {
            return Ok(held(&other));
        }
        if let Some(later) = self.collect(n).await? {
            return Ok(held(&later));
        }
        let done = step.done;
        let last = Arc::new(Mutex::new((n, step)));
        let keeper = tokio::spawn(keep(Arc::clone(self), Arc::clone(&last)));
        Ok(Taken::Ours(Lease { desk: Arc::clone(self), token: n, done, fence, last, keeper }))
    }

    /// Whether the last step has been known for longer than a lease lasts.
    async fn expired(&self, n: u64) -> bool {
        let mut seen = self.seen.lock().await;
        match *seen {
            Some((known, since)) if known == n => since.elapsed() > self.duration,
            _ => {
                *seen = Some((n, Instant::now()));
                false
            }
        }
    }

    /// Makes a step; gives the one that is there when somebody else was faster.
    async fn create(&self, n: u64, step: &Step) -> Result<Option<Step>, LeaseError> {
        let key = self.key(n);
        match self.private.create_exclusive(&key, json_bytes(step), &step.attempt).await {
            Ok(Created::Won) => Ok(None),
            Ok(Created::Lost(bytes)) => {
                let unreadable =
                    |source| LeaseError::Step { dataset: self.dataset.clone(), n, place: key.path(), source };
                serde_json::from_slice(&bytes).map(Some).map_err(unreadable)
            }
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Removes steps that nobody can want any more; what is left over does no harm. Gives the last step when it is later
    /// than the one that was just taken: who slept while the numbers went on may have taken one that was collected.
    async fn collect(&self, taken: u64) -> Result<Option<Step>, LeaseError> {
        let folder = StoreFolder::Leases { dataset: self.dataset.clone() };
        let numbers = self.private.numbers(&folder).await.map_err(|source| self.failed(source))?;
        if numbers.last().is_some_and(|last| *last > taken) {
            return Ok(self.last().await?.map(|(_, step)| step));
        }
        for n in numbers.into_iter().filter(|n| n + KEPT <= taken) {
            if let Err(error) = self.private.delete(&self.key(n)).await {
                warn!(dataset = %self.dataset, %error, "Old steps of the lease of `{}` stay", self.dataset);
                break;
            }
        }
        Ok(None)
    }

    /// Makes the next step of a lease that is held. Gives the step of whoever took it over.
    async fn go_on(&self, last: &mut (u64, Step)) -> Result<Option<Step>, LeaseError> {
        let (n, step) = last;
        step.attempt = random();
        loop {
            match self.create(*n + 1, step).await? {
                None => {
                    *n += 1;
                    return Ok(None);
                }
                // A step of ours whose answer was lost.
                Some(other) if other.token == step.token && other.holder == step.holder => *n += 1,
                Some(other) => return Ok(Some(other)),
            }
        }
    }
}

impl Lease {
    /// Is renewed no more, as when the process sleeps.
    #[cfg(test)]
    pub(crate) fn freeze(&self) {
        self.keeper.abort();
    }

    /// Gives the lease back: with the slot done, or left for the next who asks.
    pub async fn release(self, done: bool, now: DateTime<Utc>) -> Result<(), LeaseError> {
        self.keeper.abort();
        let mut last = self.last.lock().await;
        let step = &mut last.1;
        step.kind = StepKind::Release;
        step.at = now;
        let slot = step.slot.take();
        if done {
            step.done = slot.max(step.done);
        }
        // Who took it over in the meantime has its own steps.
        self.desk.go_on(&mut last).await.map(|_| ())
    }
}

/// Renews a lease again and again, until somebody took it over or it is given back.
async fn keep(desk: Arc<Desk>, last: Arc<Mutex<(u64, Step)>>) {
    loop {
        tokio::time::sleep(desk.duration / 4).await;
        let mut last = last.lock().await;
        last.1.kind = StepKind::Renew;
        match desk.go_on(&mut last).await {
            Ok(None) => {}
            Ok(Some(other)) => {
                warn!(dataset = %desk.dataset, "The lease of `{}` was taken over by {}", desk.dataset, other.holder);
                return;
            }
            Err(error) => {
                warn!(dataset = %desk.dataset, %error, "The lease of `{}` could not be renewed", desk.dataset);
            }
        }
    }
}

/// Name of this machine.
pub fn host() -> String {
    Holder::this().host
}

fn held(step: &Step) -> Taken {
    Taken::Held { by: step.holder.to_string(), since: step.at }
}

fn random() -> String {
    hex::encode(rand::random::<[u8; 8]>())
}
