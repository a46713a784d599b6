//! Dying on purpose, to show that nothing is lost by it. Only in debug builds: a released program has none of this.
//!
//! With `ESSAIM_FAULT=kill:17` in the environment the process sends itself SIGKILL at the 17th [`point`]: before each
//! write, between staging a file and giving it its name, before each delete and each sync, in either store.

use std::collections::BTreeMap;

/// Name of the variable.
const VARIABLE: &str = "ESSAIM_FAULT";

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static FATAL: OnceLock<u64> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    /// Reads which point is fatal; the first setting of a process counts.
    pub(super) fn arm(setting: Option<&String>) {
        if let Some(n) = setting.and_then(|setting| setting.strip_prefix("kill:")).and_then(|n| n.parse().ok()) {
            FATAL.get_or_init(|| n);
        }
    }

    /// A moment at which the process may die.
    pub(super) fn point() {
        let Some(fatal) = FATAL.get() else { return };
        if PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *fatal {
            let pid = std::process::id().to_string();
            let killed = std::process::Command::new("kill").args(["-KILL", &pid]).status();
            // Nothing may happen between the signal and the end.
            loop {
                std::thread::park();
                debug_assert!(killed.is_ok(), "`kill` is part of every system that tests run on");
            }
        }
    }
}

/// Learns from the environment whether there is a fatal point.
pub(super) fn arm(env: &BTreeMap<String, String>) {
    #[cfg(debug_assertions)]
    armed::arm(env.get(VARIABLE));
    #[cfg(not(debug_assertions))]
    let _unused = (env, VARIABLE);
}

/// A moment at which the process may die.
#[inline]
pub(super) fn point() {
    #[cfg(debug_assertions)]
    armed::point();
}
