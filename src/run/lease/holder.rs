//! Who holds a lease: a process of a machine.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process, so that others can tell whether it still runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    /// Name of the machine.
    pub(super) host: String,
    /// Number of the process.
    pub(super) pid: u32,
    /// Boot of the machine and space of process numbers (a container has its own); none where the system does not tell.
    space: Option<String>,
    /// When the process was started, in ticks since the boot: numbers of processes are used again.
    started: Option<u64>,
}

impl Holder {
    /// This process.
    pub(super) fn this() -> Self {
        Self::of(std::process::id())
    }

    /// A process of another machine that does not tell more.
    #[cfg(test)]
    pub(super) fn unknown(host: &str) -> Self {
        Self { host: host.to_owned(), pid: 7, space: None, started: None }
    }

    /// A process of this machine.
    pub(super) fn of(pid: u32) -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self { host: host.trim().to_owned(), pid, space: space(), started: started(pid) }
    }

    /// Whether the process has surely ended. Of another machine nothing is known.
    pub(super) fn has_ended(&self) -> bool {
        let (Some(space_of_it), Some(started_then)) = (&self.space, self.started) else { return false };
        if space().as_ref() != Some(space_of_it) {
            return false;
        }
        started(self.pid) != Some(started_then)
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = if self.host.is_empty() { "an unknown machine" } else { &self.host };
        write!(f, "process {} of {host}", self.pid)
    }
}

fn space() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let numbers = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), numbers.display()))
}

/// When a process was started; none when there is no such process, or it has ended and waits to be noticed.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program stands in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    if matches!(fields.next(), Some("Z" | "X")) {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_one_that_was_waited_for_has_ended() {
        let this = Holder::this();
        assert!(!this.has_ended());
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let other = Holder::of(child.id());
        assert!(!other.has_ended());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(other.has_ended());
    }

    #[test]
    fn a_process_of_another_machine_may_still_run() {
        let other = Holder { space: Some("another boot".to_owned()), ..Holder::this() };
        assert!(!other.has_ended());
        assert!(!Holder::unknown("b").has_ended());
    }

    #[test]
    fn a_number_that_was_used_again_is_another_process() {
        let this = Holder::this();
        let before = Holder { started: this.started.map(|ticks| ticks - 1), ..this };
        assert!(before.has_ended());
    }
}
