//! Nights and nights of two machines on one store, with clocks that differ, processes that are killed and processes that
//! sleep and wake up too late.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Europe::Paris;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::take_due;
use crate::config::pipeline::Schedule;
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::publish::PublishError;
use crate::publish::commit::{Candidate, Committed, Finish, Finished, Previous, commit, log, raise_fence};
use crate::quality::gate::Bound;
use crate::release::{LogEntry, LogKind, Manifest, ReleaseState, Turn};
use crate::run::{Desk, Lease};
use crate::store::Store;

fn dataset() -> DatasetId {
    "nuits".parse().unwrap()
}

/// A release that says one thing.
struct Saying(Digest);

#[async_trait]
impl Finish for Saying {
    async fn judge(
        &self,
        _store: &Store,
        _previous: Option<&Previous>,
        _taken_back: &[ReleaseState<'_>],
    ) -> Result<Vec<Bound>, PublishError> {
        Ok(Vec::new())
    }

    async fn finish(
        &self,
        release: &ReleaseId,
        _previous: Option<&Previous>,
        _bounds: &[Bound],
    ) -> Result<Finished, PublishError> {
        let manifest: Manifest = serde_json::from_value(serde_json::json!({
            "dataset": dataset(), "release": release, "title": "Nuits", "version": "1.0.0", "issued": "",
            "synthetic": true, "licence": "etalab-2.0", "content": self.0, "engine": "0", "project": self.0,
            "previous": null, "files": [], "tables": [], "sources": [], "checks": [], "read": {},
            "rejects": {}, "unfit_cells": {}, "corrections": {},
        }))
        .unwrap();
        Ok(Finished { files: Vec::new(), metadata: Vec::new(), manifest })
    }
}

/// What became of a turn that was seen to its end.
type Outcomes = Arc<Mutex<Vec<(DateTime<Utc>, &'static str)>>>;

/// The work of one night: some minutes, and a commit.
async fn night(
    public: Store,
    (lease, slot): (Lease, DateTime<Utc>),
    content: Digest,
    work: Duration,
    outcomes: Outcomes,
) {
    let attempt = hex::encode(rand::random::<[u8; 8]>());
    let token = lease.token;
    if lease.fence && raise_fence(&public, &dataset(), token, &format!("{attempt}-fence"), "").await.is_err() {
        return;
    }
    tokio::time::sleep(work).await;
    let candidate = Candidate {
        dataset: dataset(),
        date: slot.with_timezone(&Paris).format("%Y-%m-%d").to_string(),
        issued: slot.to_rfc3339(),
        version: "1.0.0".to_owned(),
        attempt,
        turn: Some(Turn { token, slot: Some(slot.to_rfc3339()) }),
        content,
        files: Vec::new(),
        clock: String::new,
        finish: &Saying(content),
    };
    let outcome = match commit(&public, &candidate).await {
        Ok(Committed::Published { .. }) => "published",
        Ok(_) => "unchanged",
        Err(PublishError::Superseded { .. }) => "superseded",
        Err(other) => panic!("{other}"),
    };
    outcomes.lock().await.push((slot, outcome));
    lease.release(true, slot).await.unwrap();
}

struct Machine {
    name: &'static str,
    desk: Arc<Desk>,
    skew: TimeDelta,
    job: Option<JoinHandle<()>>,
    down_until: DateTime<Utc>,
}

struct Simulation {
    private: Store,
    public: Store,
    now: DateTime<Utc>,
    chance: StdRng,
    machines: Vec<Machine>,
    outcomes: Outcomes,
    /// What the source says, which changes on some nights.
    content: Digest,
    kills: u32,
    sleeps: u32,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let store = |which: &str| {
            Store::open(&format!("memory://nights-{which}-{seed}"), Path::new("/"), &BTreeMap::new()).unwrap()
        };
        let (private, public) = (store("private"), store("public"));
        let now: DateTime<Utc> = "2026-03-01T22:00:00Z".parse().unwrap();
        let machines = ["a", "b"].map(|name| Machine {
            name,
            desk: Desk::of_machine(private.clone(), dataset(), name),
            skew: TimeDelta::zero(),
            job: None,
            down_until: now,
        });
        Self {
            private,
            public,
            now,
            chance: StdRng::seed_from_u64(seed),
            machines: machines.into(),
            outcomes: Outcomes::default(),
            content: Digest::of(b"first"),
            kills: 0,
            sleeps: 0,
        }
    }

    async fn step(&mut self, by: Duration) {
        tokio::time::advance(by).await;
        self.now += TimeDelta::from_std(by).unwrap();
        // Nothing in memory waits: a task that was woken goes on until it sleeps.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }

    /// One tick of a machine.
    async fn tick(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        if self.now < machine.down_until {
            return;
        }
        if machine.job.as_ref().is_some_and(|job| !job.is_finished()) {
            // Once in some nights the process is killed in the middle, and started again.
            if self.chance.random_ratio(1, 60) {
                machine.job.take().unwrap().abort();
                machine.down_until = self.now + TimeDelta::minutes(self.chance.random_range(1..20));
                machine.desk = Desk::of_machine(self.private.clone(), dataset(), machine.name);
                self.kills += 1;
            }
            return;
        }
        let schedule =
            Schedule { crons: vec!["30 2 * * *".parse().unwrap()], jitter: Duration::from_mins(2), stale_after: None };
        let now = self.now + machine.skew;
        let Some((lease, slot)) = take_due(&machine.desk, (&dataset(), &schedule, Paris), now).await.unwrap() else {
            return;
        };
        let mut work = Duration::from_secs(self.chance.random_range(30..900));
        if self.chance.random_ratio(1, 10) {
            // Laid to sleep with its work half done; it wakes up when the lease is somebody else's, and goes on.
            lease.freeze();
            work += Duration::from_mins(self.chance.random_range(1..120));
            self.sleeps += 1;
        }
        let outcomes = Arc::clone(&self.outcomes);
        let job = night(self.public.clone(), (lease, slot), self.content, work, outcomes);
        machine.job = Some(tokio::spawn(job));
    }

    /// From ten in the evening to ten in the evening, awake from two to six.
    async fn one_night(&mut self) {
        if self.chance.random_ratio(7, 10) {
            self.content = Digest::of(self.now.to_rfc3339().as_bytes());
        }
        for machine in &mut self.machines {
            machine.skew = TimeDelta::seconds(self.chance.random_range(-300..300));
        }
        self.step(Duration::from_hours(2)).await;
        for _ in 0..(6 * 120) {
            for at in [0, 1] {
                self.tick(at).await;
            }
            self.step(Duration::from_secs(30)).await;
        }
        self.step(Duration::from_hours(16)).await;
    }
}

/// Whatever happens, each night has one release or finds nothing new, and nobody publishes past a fence.
#[expect(clippy::print_stdout, reason = "figures")]
async fn nights(seed: u64, count: usize) {
    let mut simulation = Simulation::new(seed);
    // On the first evening the schedule begins.
    simulation.tick(0).await;
    for _ in 0..count {
        simulation.one_night().await;
    }
    let outcomes = simulation.outcomes.lock().await.clone();
    let entries = log(&simulation.public, &dataset()).await.unwrap();
    let slots: std::collections::BTreeSet<DateTime<Utc>> = outcomes.iter().map(|(slot, _)| *slot).collect();
    assert_eq!(slots.len(), count, "every night was run");
    for slot in &slots {
        let published = outcomes.iter().filter(|(at, outcome)| at == slot && *outcome == "published").count();
        let unchanged = outcomes.iter().filter(|(at, outcome)| at == slot && *outcome == "unchanged").count();
        let slot = slot.to_rfc3339();
        let entries: Vec<&LogEntry> =
            entries.iter().map(|(_, entry)| entry).filter(|entry| entry.slot.as_ref() == Some(&slot)).collect();
        assert!(entries.len() <= 1, "{slot} was published {} times", entries.len());
        assert!(published <= entries.len());
        assert!(published + unchanged >= 1, "{slot} came to no end");
    }
    let mut fence = 0;
    for (n, entry) in &entries {
        let token = entry.token.unwrap();
        assert!(token >= fence, "entry {n} was written with lease {token} past fence {fence}");
        if entry.kind == LogKind::Fence {
            fence = token;
        }
    }
    let superseded = outcomes.iter().filter(|(_, outcome)| *outcome == "superseded").count();
    let releases = entries.iter().filter(|(_, entry)| entry.kind == LogKind::Publish).count();
    let fences = entries.len() - releases;
    let Simulation { kills, sleeps, .. } = simulation;
    println!(
        "{count} nights: {releases} releases, {kills} kills, {sleeps} sleepers, {fences} fences, {superseded} superseded"
    );
    assert!(kills > 0 && sleeps > 0 && fences > 0, "the nights were too quiet to show anything");
}

#[tokio::test(start_paused = true)]
async fn two_machines_give_each_of_thirty_nights_one_outcome_whoever_dies_or_oversleeps() {
    nights(7, 30).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "figures: five hundred nights, by hand"]
async fn two_machines_give_each_of_five_hundred_nights_one_outcome() {
    nights(11, 500).await;
}
