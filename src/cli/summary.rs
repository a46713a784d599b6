//! The end of a run on one screen: what was read, rejected, published, where, and what is secret.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::config::pipeline::Project;
use crate::run::{RunOutcome, RunRecord};

/// One line for machines: pipeline, outcome, release.
pub(super) fn line(record: &RunRecord) -> String {
    let (word, release) = match &record.outcome {
        RunOutcome::Published { release, .. } => ("published", release.to_string()),
        RunOutcome::Unchanged { release } => ("unchanged", release.to_string()),
        RunOutcome::Blocked => ("blocked", "-".to_owned()),
        RunOutcome::DryRun => ("dry-run", "-".to_owned()),
        RunOutcome::Failed { .. } => ("failed", "-".to_owned()),
    };
    format!("{}\t{word}\t{release}\n", record.pipeline)
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// The summary for people.
pub(super) fn text(record: &RunRecord, project: &Project) -> String {
    let mut out = String::new();
    let synthetic = if record.synthetic { " (synthetic data)" } else { "" };
    let _ = writeln!(out, "\n{}{synthetic}: {}", record.pipeline, headline(record));
    if !record.tables.is_empty() {
        let _ = writeln!(out, "\n  read");
    }
    for table in &record.tables {
        let rejected: u64 = table.counts.rejects.values().sum();
        let _ = write!(out, "    {:<24} {:>9} rows, {} kept", table.table, table.read, table.kept);
        let _ = match rejected {
            0 => writeln!(out),
            _ => writeln!(out, ", {rejected} rejected ({})", counts(&table.counts.rejects)),
        };
        for (what, list) in [
            ("cells that do not fit", &table.counts.unfit),
            ("corrected", &table.counts.corrections),
            ("placed by", &table.placed),
        ] {
            if !list.is_empty() {
                let _ = writeln!(out, "      {what}: {}", counts(list));
            }
        }
        if !table.columns_missing.is_empty() {
            let _ = writeln!(out, "      not in the source: {}", table.columns_missing.join(", "));
        }
    }
    if !record.published.is_empty() {
        let made = if matches!(record.outcome, RunOutcome::Published { .. }) { "published" } else { "made" };
        let _ = writeln!(out, "\n  {made} ({} data files, {} kB)", record.files, record.bytes.div_ceil(1000));
    }
    for table in &record.published {
        let secret = if table.secret == 0 { String::new() } else { format!(", {} secret (\"< 5\")", table.secret) };
        let _ = writeln!(out, "    {:<24} {:>9} rows{secret}", table.table, table.rows);
    }
    if record.checks > 0 {
        let _ = writeln!(out, "\n  checks: {} of {} pass", record.checks - record.failed_checks.len(), record.checks);
    }
    for check in &record.failed_checks {
        let _ = writeln!(out, "    {} {} of `{}`: {} rows", check.severity, check.id, check.table, check.failing_rows);
        for (row, detail) in &check.sample {
            let _ = writeln!(out, "      row {row}: {detail}");
        }
    }
    out.push_str(&places(record, project));
    out
}

fn headline(record: &RunRecord) -> String {
    let seconds = record.duration_ms / 1000.0;
    match &record.outcome {
        RunOutcome::Published { release, .. } => format!("release {release} published in {seconds:.2} s"),
        RunOutcome::Unchanged { release } => {
            format!("unchanged, release {release} still says the same ({seconds:.2} s)")
        }
        RunOutcome::Blocked => "blocked, nothing published; the last release stays visible".to_owned(),
        RunOutcome::DryRun => format!("dry run, nothing published ({seconds:.2} s)"),
        RunOutcome::Failed { .. } => "failed, nothing published; the last release stays visible".to_owned(),
    }
}

fn places(record: &RunRecord, project: &Project) -> String {
    let mut out = String::from("\n  where to look\n");
    let (dataset, store) = (&record.pipeline, project.public_store.trim_end_matches('/'));
    if let RunOutcome::Published { release, .. } | RunOutcome::Unchanged { release } = &record.outcome {
        let _ = writeln!(out, "    {store}/{dataset}/latest/dictionary.html   what each table and column means");
        let _ = writeln!(out, "    {store}/{dataset}/releases/{release}/   the release");
        let _ = writeln!(out, "    essaim query 'SELECT * FROM chiffres_cles'");
    }
    if let RunOutcome::Published { stale: Some(reason), .. } = &record.outcome {
        let _ = writeln!(out, "    latest/ is stale and will be repaired by the next run: {reason}");
    }
    let private = project.private_store.trim_end_matches('/');
    let _ = writeln!(out, "    {private}/runs/{}/   record, rejects, corrections (private)", record.run);
    out
}
