//! What is measured of a schedule, in the text format of `OpenMetrics`, which Prometheus reads.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64};

use chrono::{DateTime, Utc};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::id::DatasetId;
use crate::release::{DatasetFreshness, Freshness};
use crate::run::{RunOutcome, RunRecord};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDataset {
    dataset: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRun {
    dataset: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSource {
    dataset: String,
    source: String,
}

type Times<L> = Family<L, Gauge<i64, AtomicI64>>;

/// What is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    runs: Family<OfRun, Counter>,
    duration: Family<OfDataset, Gauge<f64, AtomicU64>>,
    last_success: Times<OfDataset>,
    last_change: Times<OfDataset>,
    failures: Times<OfDataset>,
    next_run: Times<OfDataset>,
    source_success: Times<OfSource>,
    source_failures: Times<OfSource>,
    unscheduled: Family<OfDataset, Counter>,
    tick: Gauge<i64, AtomicI64>,
    memory: Gauge<i64, AtomicI64>,
    files: Gauge<i64, AtomicI64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Mutex::default(),
            runs: Family::default(),
            duration: Family::default(),
            last_success: Family::default(),
            last_change: Family::default(),
            failures: Family::default(),
            next_run: Family::default(),
            source_success: Family::default(),
            source_failures: Family::default(),
            unscheduled: Family::default(),
            tick: Gauge::default(),
            memory: Gauge::default(),
            files: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&self) {
        let Ok(mut registry) = self.registry.lock() else { return };
        registry.register("essaim_runs", "Scheduled runs by outcome", self.runs.clone());
        registry.register("essaim_run_duration_seconds", "Wall time of the last scheduled run", self.duration.clone());
        registry.register(
            "essaim_last_success_timestamp_seconds",
            "When a run last went well with all its sources",
            self.last_success.clone(),
        );
        registry.register(
            "essaim_last_change_timestamp_seconds",
            "When the published data last changed",
            self.last_change.clone(),
        );
        registry.register("essaim_consecutive_failures", "Runs that failed since one went well", self.failures.clone());
        registry.register("essaim_next_run_timestamp_seconds", "When the next run is due", self.next_run.clone());
        registry.register(
            "essaim_source_last_success_timestamp_seconds",
            "When a source last gave something good",
            self.source_success.clone(),
        );
        registry.register(
            "essaim_source_consecutive_failures",
            "Times that a source failed since it gave something good",
            self.source_failures.clone(),
        );
        registry.register(
            "essaim_schedule_errors",
            "Ticks that could not tell whether a pipeline is due",
            self.unscheduled.clone(),
        );
        registry.register(
            "essaim_last_tick_timestamp_seconds",
            "When the schedule was last looked at",
            self.tick.clone(),
        );
        registry.register("process_resident_memory_bytes", "Memory of the process", self.memory.clone());
        registry.register("process_open_fds", "Open files of the process", self.files.clone());
    }

    /// Takes in a run.
    pub(super) fn ran(&self, record: &RunRecord) {
        let dataset = record.pipeline.to_string();
        let outcome = match record.outcome {
            RunOutcome::Published { .. } => "published",
            RunOutcome::Unchanged { .. } => "unchanged",
            RunOutcome::Blocked => "blocked",
            RunOutcome::DryRun | RunOutcome::NothingPublic => "nothing_public",
            RunOutcome::Failed { .. } => "failed",
        };
        self.runs.get_or_create(&OfRun { dataset: dataset.clone(), outcome }).inc();
        self.duration.get_or_create(&OfDataset { dataset }).set(record.duration_ms / 1000.0);
    }

    /// Takes in how fresh a dataset is.
    pub(super) fn seen(&self, dataset: &DatasetId, known: &DatasetFreshness, coming: Option<DateTime<Utc>>) {
        let of = OfDataset { dataset: dataset.to_string() };
        set(&self.last_success, &of, known.dataset.last_success.as_ref());
        set(&self.last_change, &of, known.dataset.last_change.as_ref());
        self.failures.get_or_create(&of).set(count(&known.dataset));
        if let Some(coming) = coming {
            self.next_run.get_or_create(&of).set(coming.timestamp());
        }
        for (source, known) in &known.sources {
            let of = OfSource { dataset: dataset.to_string(), source: source.clone() };
            set(&self.source_success, &of, known.last_success.as_ref());
            self.source_failures.get_or_create(&of).set(count(known));
        }
    }

    /// A tick could not tell whether a dataset is due.
    pub(super) fn failed_to_schedule(&self, dataset: &DatasetId) {
        self.unscheduled.get_or_create(&OfDataset { dataset: dataset.to_string() }).inc();
    }

    /// A tick came to its end.
    pub(super) fn ticked(&self, now: DateTime<Utc>) {
        self.tick.set(now.timestamp());
    }

    /// When a tick last came to its end, in seconds of Unix time; 0 before the first.
    pub fn last_tick(&self) -> i64 {
        self.tick.get()
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        self.memory.set(resident_memory());
        self.files.set(open_files());
        let mut out = String::new();
        if let Ok(registry) = self.registry.lock() {
            text::encode(&mut out, &registry).expect("writing to a String cannot fail");
        }
        out
    }
}

fn set<L: Clone + std::hash::Hash + Eq>(times: &Times<L>, of: &L, at: Option<&String>) {
    if let Some(at) = at.and_then(|at| at.parse::<DateTime<Utc>>().ok()) {
        times.get_or_create(of).set(at.timestamp());
    }
}

fn count(known: &Freshness) -> i64 {
    i64::try_from(known.consecutive_failures).unwrap_or(i64::MAX)
}

/// Bytes of memory that the process takes; 0 where the system does not tell.
pub fn resident_memory() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<i64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

/// Files that the process has open; 0 where the system does not tell.
pub fn open_files() -> i64 {
    fs::read_dir("/proc/self/fd").map_or(0, |entries| i64::try_from(entries.count()).unwrap_or(i64::MAX))
}
