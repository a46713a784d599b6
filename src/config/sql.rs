//! `[sql]` of `essaim.toml`: what those who ask a server in SQL may use.

use std::thread::available_parallelism;
use std::time::Duration;

use super::compile::Scope;
use super::schedule::duration;
use crate::diagnostic::document::Fields;

/// Most statements that run at once unless it is set.
const AT_ONCE: u64 = 8;
/// A mebibyte.
const MIB: u64 = 1 << 20;

/// What all who ask in SQL share, and what one of them may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlLimits {
    /// Longest time from the statement to its last row, a slow reader's included.
    pub timeout: Duration,
    /// Memory of all statements together; each that runs has the same part of it.
    pub memory_bytes: u64,
    /// Disk that they spill to, shared alike.
    pub spill_bytes: u64,
    /// Most rows of an answer.
    pub rows: u64,
    /// Most bytes of an answer, as it lies in memory.
    pub answer_bytes: u64,
    /// Statements that run at once.
    pub at_once: usize,
    /// Those of them that one client may have.
    pub at_once_per_client: usize,
    /// Statements of one client that wait for their turn; further ones are refused.
    pub waiting_per_client: usize,
    /// Longest wait for a turn.
    pub wait: Duration,
    /// Longest statement.
    pub statement_bytes: u64,
    /// Threads of the statements.
    pub threads: usize,
}

impl Default for SqlLimits {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            timeout: Duration::from_secs(30),
            memory_bytes: 512 * MIB,
            spill_bytes: 2048 * MIB,
            rows: 100_000,
            answer_bytes: 64 * MIB,
            at_once: (2 * cores).min(usize::try_from(AT_ONCE).unwrap_or(1)),
            at_once_per_client: 2,
            waiting_per_client: 8,
            wait: Duration::from_secs(5),
            statement_bytes: 64 << 10,
            // One core stays free for downloads.
            threads: cores.saturating_sub(1).max(1),
        }
    }
}

/// Reads `[sql]`.
pub(super) fn sql(top: &Fields<'_>, scope: &Scope<'_>) -> SqlLimits {
    let mut limits = SqlLimits::default();
    let Some(fields) = top.table("sql") else { return limits };
    let counted = |key: &'static str, (least, most): (u64, u64), limit: &mut u64, unit: u64| {
        let Some(typed) = fields.integer(key) else { return };
        match u64::try_from(typed.value) {
            Ok(value) if (least..=most).contains(&value) => *limit = value * unit,
            _ => scope.problems.push(
                typed
                    .problem("sql::limit", format!("`{key}` is a number from {least} to {most}"), "out of bounds")
                    .help("leave it out for the default"),
            ),
        }
    };
    let number = |key: &'static str, most: u64, limit: &mut usize| {
        let mut value = *limit as u64;
        counted(key, (1, most), &mut value, 1);
        *limit = usize::try_from(value).unwrap_or(*limit);
    };
    counted("memory_mb", (64, 1 << 20), &mut limits.memory_bytes, MIB);
    counted("disk_mb", (0, 1 << 24), &mut limits.spill_bytes, MIB);
    counted("rows", (1, 1 << 40), &mut limits.rows, 1);
    counted("answer_mb", (1, 1 << 20), &mut limits.answer_bytes, MIB);
    counted("statement_kb", (1, 1 << 10), &mut limits.statement_bytes, 1 << 10);
    number("at_once", 1000, &mut limits.at_once);
    number("at_once_per_client", 1000, &mut limits.at_once_per_client);
    number("waiting_per_client", 10_000, &mut limits.waiting_per_client);
    number("threads", 1000, &mut limits.threads);
    limits.timeout = duration(&fields, "timeout", scope).filter(|time| !time.is_zero()).unwrap_or(limits.timeout);
    limits.wait = duration(&fields, "wait", scope).unwrap_or(limits.wait);
    fields.finish();
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_downloads_keep_a_core_and_every_statement_has_memory_to_sort_in() {
        let limits = SqlLimits::default();
        let cores = available_parallelism().map_or(1, usize::from);
        assert!(limits.threads < cores || cores == 1);
        assert!(limits.memory_bytes / limits.at_once as u64 >= 64 * MIB);
        assert!(limits.at_once_per_client < limits.at_once || limits.at_once <= 2);
    }
}
