//! The end of a run on one screen: what was read, rejected, published, where, and what is secret.

use std::collections::BTreeMap;

use super::printer::Text;
use crate::config::pipeline::Project;
use crate::diagnostic::nearest;
use crate::quality::gate::Verdict;
use crate::run::{RunOutcome, RunRecord};

/// One line for machines: pipeline, outcome, release.
pub(super) fn line(record: &RunRecord) -> String {
    let (word, release) = match &record.outcome {
        RunOutcome::Published { release, .. } => ("published", release.to_string()),
        RunOutcome::Unchanged { release } => ("unchanged", release.to_string()),
        RunOutcome::Blocked => ("blocked", "-".to_owned()),
        RunOutcome::DryRun => ("dry-run", "-".to_owned()),
        RunOutcome::NothingPublic => ("nothing-public", "-".to_owned()),
        RunOutcome::Failed { .. } => ("failed", "-".to_owned()),
    };
    format!("{}\t{word}\t{release}\n", record.pipeline)
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// The summary for people.
pub(super) fn text(record: &RunRecord, project: &Project) -> String {
    let mut out = Text::default();
    let synthetic = if record.synthetic { " (synthetic data)" } else { "" };
    out.line(format_args!("\n{}{synthetic}: {}", record.pipeline, headline(record)));
    if !record.tables.is_empty() {
        out.line(format_args!("\n  read"));
    }
    for table in &record.tables {
        let rejected: u64 = table.counts.rejects.values().sum();
        out.add(format_args!("    {:<28} {:>9} rows, {} kept", table.table, table.read, table.kept));
        let reasons = counts(&table.counts.rejects);
        let tail = if rejected == 0 { String::new() } else { format!(", {rejected} rejected ({reasons})") };
        out.line(format_args!("{tail}"));
        for (what, list) in [
            ("cells that do not fit", &table.counts.unfit),
            ("corrected", &table.counts.corrections),
            ("placed by", &table.placed),
        ] {
            if !list.is_empty() {
                out.line(format_args!("      {what}: {}", counts(list)));
            }
        }
        if !table.columns_missing.is_empty() {
            out.line(format_args!("      not in the source: {}", table.columns_missing.join(", ")));
        }
        for change in &table.changes {
            out.line(format_args!("      changed: {change}"));
        }
        for remark in &table.remarks {
            out.line(format_args!("      remark: {remark}"));
        }
    }
    if !record.published.is_empty() {
        let made = if matches!(record.outcome, RunOutcome::Published { .. }) { "published" } else { "made" };
        out.line(format_args!("\n  {made} ({} data files, {} kB)", record.files, record.bytes.div_ceil(1000)));
    }
    for table in &record.published {
        let secret = if table.secret == 0 { String::new() } else { format!(", {} secret (\"< 5\")", table.secret) };
        out.line(format_args!("    {:<28} {:>9} rows{secret}", table.table, table.rows));
    }
    if !record.published.is_empty() && record.published.iter().all(|table| table.secret == 0) {
        out.line(format_args!("    nothing is secret: no number is too small to show"));
    }
    if record.checks > 0 {
        out.line(format_args!("\n  checks: {} of {} pass", record.checks - record.failed_checks.len(), record.checks));
    }
    for check in &record.failed_checks {
        out.line(format_args!("    {} {} of `{}`: {} rows", check.severity, check.id, check.table, check.failing_rows));
        if !check.because.is_empty() {
            out.line(format_args!("      because: {}", check.because));
        }
        for (row, detail) in &check.sample {
            out.line(format_args!("      row {row}: {detail}"));
        }
        super::advice::add(&mut out, check);
        if let Some(file) = &check.file {
            let private = project.private_store.trim_end_matches('/');
            out.line(format_args!("      first rows: {private}/runs/{}/{file} (private)", record.run));
        }
    }
    bounds(&mut out, record);
    places(&mut out, record, project);
    out.finish()
}

/// Sources whose last good snapshot stood in, and bounds that were broken.
fn bounds(out: &mut Text, record: &RunRecord) {
    for source in &record.sources {
        if let Some(code) = &source.held_back {
            out.line(format_args!(
                "\n  source {} gave nothing good ({code}): snapshot {} of {} was used in its place",
                source.source, source.snapshot, source.fetched_at
            ));
        }
    }
    let told: Vec<_> = record.bounds.iter().filter(|bound| bound.verdict != Verdict::Held).collect();
    if record.bounds.is_empty() {
        return;
    }
    out.line(format_args!("  gate: {} of {} bounds hold", record.bounds.len() - told.len(), record.bounds.len()));
    for bound in &told {
        match &bound.because {
            Some(because) => out.line(format_args!("    accepted {}: {} (because: {because})", bound.id, bound.said)),
            None => out.line(format_args!("    broken {}: {}", bound.id, bound.said)),
        }
    }
    let broken: Vec<_> = told.iter().filter(|bound| bound.blocks()).map(|bound| bound.id.as_str()).collect();
    if !broken.is_empty() {
        let accept = broken.join(" --accept ");
        out.line(format_args!("    if this is right: essaim run --accept {accept} --because \"…\""));
    }
}

/// Ids that were accepted and are no bound, or one that holds; nothing where the gate was not asked.
pub(super) fn unused(accepted: &[String], record: &RunRecord) -> String {
    let mut out = Text::default();
    let known = || record.bounds.iter().map(|bound| bound.id.as_str());
    for id in accepted.iter().filter(|_| !record.bounds.is_empty()) {
        match record.bounds.iter().find(|bound| bound.id == **id) {
            Some(bound) if bound.verdict == Verdict::Held => {
                out.line(format_args!("  nothing to accept: bound {id} holds"));
            }
            Some(_) => {}
            None => {
                let meant = nearest(id, known()).map_or_else(String::new, |near| format!("; did you mean {near}?"));
                out.line(format_args!("  nothing to accept: there is no bound {id}{meant}"));
            }
        }
    }
    out.finish()
}

fn headline(record: &RunRecord) -> String {
    let seconds = record.duration_ms / 1000.0;
    match &record.outcome {
        RunOutcome::Published { release, .. } => format!("release {release} published in {seconds:.2} s"),
        RunOutcome::Unchanged { release } => {
            format!("unchanged, release {release} still says the same ({seconds:.2} s)")
        }
        RunOutcome::Blocked => "blocked, nothing published; the last release stays visible".to_owned(),
        RunOutcome::NothingPublic => {
            "read; nothing is published yet: say \"visibility\": \"public\" for the columns that everyone \
             may see, in schemas/, and name the tables in [publish]"
                .to_owned()
        }
        RunOutcome::DryRun => format!("dry run, nothing published ({seconds:.2} s)"),
        RunOutcome::Failed { code, .. } => match code.as_str() {
            "read_back_failed" => "failed: the release did not read back and was withdrawn again".to_owned(),
            "read_back_unreachable" => "the release is published, and could not be read back".to_owned(),
            _ => "failed, nothing published; the last release stays visible".to_owned(),
        },
    }
}

fn places(out: &mut Text, record: &RunRecord, project: &Project) {
    out.line(format_args!("\n  where to look"));
    let (dataset, store) = (&record.pipeline, project.public_store.trim_end_matches('/'));
    if let RunOutcome::Published { release, .. } | RunOutcome::Unchanged { release } = &record.outcome {
        out.line(format_args!(
            "    {store}/{dataset}/index.html   what is published, for people: figures, map, files, dictionary"
        ));
        out.line(format_args!("    {store}/{dataset}/releases/{release}/   the release"));
        if let Some(table) = record.published.first() {
            out.line(format_args!("    essaim query 'SELECT * FROM {}'", table.table));
        }
    }
    if let RunOutcome::Published { stale: Some(reason), .. } = &record.outcome {
        out.line(format_args!("    latest/ or the site is stale and will be repaired by the next run: {reason}"));
    }
    let private = project.private_store.trim_end_matches('/');
    if !record.owners.is_empty() {
        let run = &record.run;
        out.line(format_args!(
            "    {private}/runs/{run}/proprietaires/   a page and a list for the owner of each registry, to be sent"
        ));
    }
    out.line(format_args!("    {private}/runs/{}/   record, rejects, corrections (private)", record.run));
}
