//! Telling people when something is wrong, once, and when it is well again.
//!
//! What is wrong with a dataset is a list of create-only entries in the private store: raised, cleared, delivered. An alarm
//! that was raised stays open until it is cleared, so that it is told once, by whichever machine saw it first, also after a
//! restart. An entry that was written and not delivered, because the process died or the other end did, is delivered later.

mod entry;
mod send;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;
use tracing::{error, warn};

use crate::config::env::Env;
use crate::config::pipeline::AlarmSettings;
use crate::id::DatasetId;
use crate::publish::commit::json_bytes;
use crate::run::{RunOutcome, RunRecord, chain};
use crate::store::{Created, Store, StoreError, StoreFolder, StoreKey};

pub use entry::{Concern, Kind};
use entry::{Entry, Step, open};

/// Time after which an entry that another process wrote and did not deliver is delivered in its place.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);
/// Age above which nobody wants to be told any more.
const OLD: TimeDelta = TimeDelta::days(7);

/// How alarms go out.
#[derive(Debug, Clone)]
pub struct Outlet {
    /// Who is told.
    pub settings: AlarmSettings,
    /// The environment, for proxies.
    pub env: Arc<Env>,
    /// The time.
    pub now: DateTime<Utc>,
}

/// The alarms about one dataset, or about the project.
#[derive(Debug)]
pub struct Board {
    private: Store,
    dataset: Option<DatasetId>,
    /// Entries of this process, which it delivers at once.
    own: Mutex<BTreeSet<u64>>,
    /// Whether something could not be sent.
    unsent: AtomicBool,
}

/// What a run leaves to be concerned about.
pub fn concerns(record: &RunRecord) -> Vec<Concern> {
    let of = |kind, code: &str, source: Option<&String>| Concern {
        kind,
        code: Some(code.to_owned()),
        source: source.cloned(),
    };
    match &record.outcome {
        RunOutcome::Failed { code, source, .. } => vec![of(Kind::RunFailed, code, source.as_ref())],
        RunOutcome::Blocked => vec![of(Kind::Blocked, record.blocked_by(), None)],
        _ => {
            let held_back = record.sources.iter().filter_map(|source| Some((source, source.held_back.as_ref()?)));
            held_back.map(|(source, code)| of(Kind::HeldBack, code, Some(&source.source))).collect()
        }
    }
}

impl Board {
    /// The alarms about a dataset, or about the project.
    pub fn new(private: Store, dataset: Option<DatasetId>) -> Self {
        Self { private, dataset, own: Mutex::default(), unsent: AtomicBool::default() }
    }

    /// Takes in what is wrong now, of those kinds: what is new is raised, what is gone is cleared, and either is told.
    pub async fn observe(&self, kinds: &[Kind], wrong: &[Concern], outlet: &Outlet) -> Result<(), StoreError> {
        for _ in 0..8 {
            let entries = self.entries().await?;
            let opened = open(&entries);
            let before: Vec<_> = opened.iter().filter(|(_, concern)| kinds.contains(&concern.kind)).collect();
            let new = wrong.iter().find(|concern| !before.iter().any(|(_, known)| *known == *concern));
            let gone = before.iter().find(|(_, known)| !wrong.contains(known));
            let step = match (new, gone) {
                (Some(concern), _) => Step::Raised { concern: concern.clone() },
                // One trouble that takes the place of another is no recovery.
                (None, Some((raised, concern))) => {
                    let told = wrong.is_empty() && before.len() == 1;
                    Step::Cleared { raised: *raised, concern: (*concern).clone(), told }
                }
                (None, None) => return self.deliver(outlet).await,
            };
            self.append(&entries, step, outlet.now).await?;
        }
        self.deliver(outlet).await
    }

    /// Whether something could not be sent the last time.
    pub fn is_unsent(&self) -> bool {
        self.unsent.load(Ordering::Relaxed)
    }

    /// What is open.
    pub async fn concerns(&self) -> Result<Vec<Concern>, StoreError> {
        Ok(open(&self.entries().await?).into_iter().map(|(_, concern)| concern.clone()).collect())
    }

    /// Sends what was not sent yet, by each way of its own.
    pub async fn deliver(&self, outlet: &Outlet) -> Result<(), StoreError> {
        let entries = self.entries().await?;
        let own = self.own.lock().await.clone();
        self.unsent.store(false, Ordering::Relaxed);
        for (n, entry) in &entries {
            let age = outlet.now - entry.at;
            let ours = own.contains(n) || age > PATIENCE;
            if !entry.step.is_told() || !ours || age > OLD {
                continue;
            }
            for channel in send::channels(&outlet.settings) {
                let delivered = |entry: &Entry| matches!(&entry.step, Step::Delivered { of, channel: by } if of == n && *by == channel.name());
                if entries.iter().any(|(_, entry)| delivered(entry)) {
                    continue;
                }
                match channel.send(self.dataset.as_ref(), entry, &outlet.env).await {
                    Ok(()) => {
                        let step = Step::Delivered { of: *n, channel: channel.name().to_owned() };
                        // Written down whoever else writes meanwhile, or it would be sent again.
                        while !self.append(&self.entries().await?, step.clone(), outlet.now).await? {}
                    }
                    Err(failure) => {
                        self.unsent.store(true, Ordering::Relaxed);
                        let why = chain(failure.as_ref()).join(": ");
                        error!("An alarm could not be sent by {}, and is tried again: {why}", channel.name());
                    }
                }
            }
        }
        Ok(())
    }

    async fn entries(&self) -> Result<Vec<(u64, Entry)>, StoreError> {
        let folder = StoreFolder::Alarms { dataset: self.dataset.clone() };
        let mut entries = Vec::new();
        for n in self.private.numbers(&folder).await? {
            let Some(bytes) = self.private.get(&self.key(n)).await? else { continue };
            match serde_json::from_slice(&bytes) {
                Ok(entry) => entries.push((n, entry)),
                Err(error) => warn!(%error, "{} cannot be read and is passed over", self.key(n).path()),
            }
        }
        Ok(entries)
    }

    fn key(&self, n: u64) -> StoreKey {
        StoreKey::Alarm { dataset: self.dataset.clone(), n }
    }

    /// Creates the entry after `entries`. `false` when somebody else was faster: nothing is written, who asked looks again.
    async fn append(&self, entries: &[(u64, Entry)], step: Step, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let n = entries.last().map_or(1, |(n, _)| n + 1);
        let entry = Entry { attempt: hex::encode(rand::random::<[u8; 8]>()), at: now, step };
        let created = self.private.create_exclusive(&self.key(n), json_bytes(&entry), &entry.attempt).await?;
        let won = matches!(created, Created::Won);
        if won {
            self.own.lock().await.insert(n);
        }
        Ok(won)
    }
}
