//! Failing and dying on purpose, to show that nothing is lost by it. Only in debug builds: a released program has none of
//! this.
//!
//! A [`point`] stands before each write, delete and sync in either store. With `ESSAIM_FAULT` in the environment the
//! process sends itself SIGKILL at the 17th (`kill:17`), or that operation fails (`fail:17`), or all do from then on
//! (`down:17`). At a [`moment`] between two steps of one operation the process can be killed too.

use std::collections::BTreeMap;

/// Name of the variable.
const VARIABLE: &str = "ESSAIM_FAULT";

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Fault {
        Kill,
        Fail,
        Down,
    }

    static FATAL: OnceLock<(Fault, u64)> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    /// Reads which point is fatal, and how; the first setting of a process counts.
    pub(super) fn arm(setting: Option<&String>) {
        let Some((kind, n)) = setting.and_then(|setting| setting.split_once(':')) else { return };
        let kind = match kind {
            "kill" => Fault::Kill,
            "fail" => Fault::Fail,
            "down" => Fault::Down,
            _ => return,
        };
        if let Ok(n) = n.parse() {
            FATAL.get_or_init(|| (kind, n));
        }
    }

    /// A moment at which the process may die.
    pub(super) fn moment() {
        if let Some((Fault::Kill, fatal)) = FATAL.get()
            && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *fatal
        {
            die();
        }
    }

    /// Whether the operation that is about to begin fails; the process may die here as well.
    pub(super) fn fails() -> bool {
        let Some((kind, fatal)) = FATAL.get() else { return false };
        let n = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
        match kind {
            Fault::Kill if n == *fatal => die(),
            Fault::Kill => false,
            Fault::Fail => n == *fatal,
            Fault::Down => n >= *fatal,
        }
    }

    fn die() -> ! {
        let pid = std::process::id().to_string();
        let killed = std::process::Command::new("kill").args(["-KILL", &pid]).status();
        // Nothing may happen between the signal and the end.
        loop {
            std::thread::park();
            debug_assert!(killed.is_ok(), "`kill` is part of every system that tests run on");
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
pub(super) fn moment() {
    #[cfg(debug_assertions)]
    armed::moment();
}

/// Before an operation: it may fail here, or the process die.
#[inline]
#[cfg_attr(not(debug_assertions), expect(clippy::unnecessary_wraps, reason = "a debug build can fail here"))]
pub(super) fn point() -> object_store::Result<()> {
    #[cfg(debug_assertions)]
    if armed::fails() {
        let source = Box::new(std::io::Error::other("failed on purpose"));
        return Err(object_store::Error::Generic { store: "fault", source });
    }
    Ok(())
}
