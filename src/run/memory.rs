//! How much memory the process takes, where the system tells.

use std::fs;

/// Begins to measure the peak anew.
pub(super) fn reset_peak() {
    // A system that does not do it leaves the peak since the start, which is no less true.
    drop(fs::write("/proc/self/clear_refs", "5"));
}

/// Most memory that the process took since the last [`reset_peak`], in bytes.
pub(super) fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
