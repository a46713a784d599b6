//! What a page tells of quality: checks, the gate, what was read, freshness, and where the data came from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::read::{Facts, Release, text};
use crate::publish::metadata::{licence_title, licence_url};
use crate::release::Freshness;

/// Checks of a table.
#[derive(Debug, Serialize)]
pub(super) struct Checks<'a> {
    table: &'a str,
    passed: usize,
    total: usize,
}

/// A check that fails.
#[derive(Debug, Serialize)]
pub(super) struct Broken<'a> {
    id: &'a str,
    table: &'a str,
    failing_rows: Option<u64>,
    because: &'a str,
}

/// What the gate decided.
#[derive(Debug, Serialize)]
pub(super) struct Gate {
    held: usize,
    total: usize,
    accepted: Vec<Accepted>,
}

/// A bound that was let through.
#[derive(Debug, Serialize)]
pub(super) struct Accepted {
    id: String,
    because: String,
}

/// What was read into a table.
#[derive(Debug, Serialize)]
pub(super) struct Reading<'a> {
    table: &'a str,
    read: u64,
    rejected: u64,
    rejects: Vec<(&'a str, u64)>,
    unfit: u64,
    corrected: u64,
    corrections: Vec<(&'a str, u64)>,
}

/// How fresh the dataset or a source is. The dataset has no title.
#[derive(Debug, Serialize)]
pub(super) struct Fresh {
    title: String,
    last_success: Option<String>,
    last_change: Option<String>,
    failures: u64,
}

/// Where data came from.
#[derive(Debug, Serialize)]
pub(super) struct Source<'a> {
    title: String,
    homepage: Option<String>,
    licence: &'a str,
    licence_url: Option<&'static str>,
    fetched_at: &'a str,
    held_back: bool,
}

/// Checks by table, in the order of the manifest.
pub(super) fn checks(release: &Release) -> Vec<Checks<'_>> {
    let mut all: Vec<Checks<'_>> = Vec::new();
    for check in &release.manifest.checks {
        let at = all.iter().position(|known| known.table == check.table).unwrap_or_else(|| {
            all.push(Checks { table: &check.table, passed: 0, total: 0 });
            all.len() - 1
        });
        all[at].total += 1;
        all[at].passed += usize::from(check.outcome == "pass");
    }
    all
}

/// The checks that fail.
pub(super) fn failing(release: &Release) -> Vec<Broken<'_>> {
    let failing = release.manifest.checks.iter().filter(|check| check.outcome != "pass");
    let told = failing.map(|check| Broken {
        id: &check.id,
        table: &check.table,
        failing_rows: check.failing_rows,
        because: &check.because,
    });
    told.collect()
}

/// What `gate.json` says; none in a release without it.
pub(super) fn gate(release: &Release) -> Option<Gate> {
    let bounds = release.gate["bounds"].as_array()?;
    let held = |bound: &&Value| bound["verdict"] == "held";
    let accepted = bounds.iter().filter(|bound| !held(bound));
    Some(Gate {
        held: bounds.iter().filter(held).count(),
        total: bounds.len(),
        accepted: accepted.map(|bound| Accepted { id: text(&bound["id"]), because: text(&bound["because"]) }).collect(),
    })
}

/// What was read, rejected and corrected, by table.
pub(super) fn reads(release: &Release) -> Vec<Reading<'_>> {
    let manifest = &release.manifest;
    let sum = |counts: &[(&str, u64)]| counts.iter().map(|(_, count)| count).sum();
    let all = manifest.read.iter().map(|(table, read)| {
        let (rejects, corrections) = (borrowed(manifest.rejects.get(table)), borrowed(manifest.corrections.get(table)));
        Reading {
            table,
            read: *read,
            rejected: sum(&rejects),
            rejects,
            unfit: manifest.unfit_cells.get(table).copied().unwrap_or(0),
            corrected: sum(&corrections),
            corrections,
        }
    });
    all.collect()
}

fn borrowed(counts: Option<&BTreeMap<String, u64>>) -> Vec<(&str, u64)> {
    counts.into_iter().flatten().map(|(reason, count)| (reason.as_str(), *count)).collect()
}

/// The dataset first, then its sources.
pub(super) fn freshness(facts: &Facts) -> Vec<Fresh> {
    let title = |source: &str| {
        let known = facts.release.iter().flat_map(|release| &release.manifest.sources);
        known
            .into_iter()
            .find(|known| known.source == source)
            .map_or_else(|| source.to_owned(), |known| known.title.clone())
    };
    let fresh = |title: String, freshness: &Freshness| Fresh {
        title,
        last_success: freshness.last_success.clone(),
        last_change: freshness.last_change.clone(),
        failures: freshness.consecutive_failures,
    };
    let known = &facts.freshness;
    let sources = known.sources.iter().map(|(source, freshness)| fresh(title(source), freshness));
    let all: Vec<Fresh> = std::iter::once(fresh(String::new(), &known.dataset)).chain(sources).collect();
    // Nothing is known between the commit and the end of a first run.
    if known.dataset.last_attempt.is_none() { Vec::new() } else { all }
}

/// The sources, as `datapackage.json` cites them.
pub(super) fn sources(release: &Release) -> Vec<Source<'_>> {
    let cited = release.package["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sources = release.manifest.sources.iter().map(|source| {
        // The publisher stands behind the title.
        let is_it = |title: &str| title == source.title || title.starts_with(&format!("{}, ", source.title));
        let cited = cited.iter().find(|cited| is_it(&text(&cited["title"])));
        Source {
            title: cited.map_or_else(|| source.title.clone(), |cited| text(&cited["title"])),
            homepage: cited.map(|cited| text(&cited["path"])).filter(|url| url.starts_with("http")),
            licence: licence_title(&source.licence).unwrap_or(&source.licence),
            licence_url: licence_url(&source.licence),
            fetched_at: &source.fetched_at,
            held_back: source.held_back.is_some(),
        }
    });
    sources.collect()
}
