//! What the steps of a run took: wall and processor time, rows, bytes, memory, where the system tells.

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tracing::info;

use super::record::StepRecord;

/// Ticks of `/proc/self/stat` in a second: fixed for what Linux tells programs.
const TICKS: f64 = 100.0;

/// Begins to measure the peak of memory anew.
fn reset_peak() {
    // A system that does not do it leaves the peak since the start, which is no less true.
    drop(fs::write("/proc/self/clear_refs", "5"));
}

/// Most memory that the process took since the last [`reset_peak`], in bytes.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Processor time of all threads of the process since its start, user and system, in milliseconds.
fn cpu_ms() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program may hold anything, and stands in brackets.
    let mut after_name = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: f64 = after_name.next()?.parse().ok()?;
    let system: f64 = after_name.next()?.parse().ok()?;
    Some((user + system) * 1000.0 / TICKS)
}

/// A step that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    at: usize,
    since: Instant,
    cpu_ms: Option<f64>,
}

/// The steps of a run in the order in which they began. Those with a `:` in their name are parts of the one before them that
/// has none.
#[derive(Debug, Default)]
pub(super) struct Profile {
    steps: Mutex<Vec<StepRecord>>,
}

impl Profile {
    fn steps(&self) -> MutexGuard<'_, Vec<StepRecord>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a step.
    pub(super) fn begin(&self, step: impl Into<String>) -> Begun {
        let mut steps = self.steps();
        reset_peak();
        steps.push(StepRecord { step: step.into(), ..StepRecord::default() });
        Begun { at: steps.len() - 1, since: Instant::now(), cpu_ms: cpu_ms() }
    }

    /// Ends a step, with the rows and bytes that came of it, where they are known.
    pub(super) fn end(&self, begun: &Begun, rows: Option<u64>, bytes: Option<u64>) {
        let mut steps = self.steps();
        let parts = steps.iter().skip(begun.at + 1).filter_map(|part| part.peak_memory_bytes).max();
        let Some(step) = steps.get_mut(begun.at) else { return };
        step.duration_ms = begun.since.elapsed().as_secs_f64() * 1000.0;
        step.cpu_ms = cpu_ms().zip(begun.cpu_ms).map(|(now, then)| now - then);
        (step.rows, step.bytes) = (rows, bytes);
        // Parts begin to measure anew.
        step.peak_memory_bytes = peak().max(parts);
        info!(duration_ms = step.duration_ms, "Finished step `{}`", step.step);
    }

    /// All steps.
    pub(super) fn take(&self) -> Vec<StepRecord> {
        std::mem::take(&mut self.steps())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_the_time_and_the_memory_of_its_parts() {
        let profile = Profile::default();
        let whole = profile.begin("read");
        let part = profile.begin("read:table");
        let bytes = vec![1_u8; 64 << 20];
        let sum: u64 = (0..40_u64).flat_map(|_| bytes.iter().step_by(7)).map(|byte| u64::from(*byte)).sum();
        drop(bytes);
        profile.end(&part, Some(sum), Some(7));
        profile.end(&whole, None, None);
        let steps = profile.take();
        let [whole, part] = steps.as_slice() else { panic!("{steps:?}") };
        assert_eq!((whole.step.as_str(), part.step.as_str()), ("read", "read:table"));
        assert_eq!((part.rows, part.bytes), (Some(sum), Some(7)));
        assert!(whole.duration_ms >= part.duration_ms && part.duration_ms > 0.0);
        if let (Some(whole), Some(part)) = (whole.peak_memory_bytes, part.peak_memory_bytes) {
            assert!(whole >= part && part > 64 << 20);
        }
        if let (Some(whole), Some(part)) = (whole.cpu_ms, part.cpu_ms) {
            assert!(whole >= part && part >= 10.0, "{whole} {part}");
        }
    }
}
