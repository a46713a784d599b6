//! What changed with a release, in words and counts of either language.

use std::collections::BTreeMap;

use serde::Serialize;

use super::words::{self, Language};
use crate::publish::metadata::contract_change;
use crate::release::{Cause, ChangeSummary, ContractChange, Level, SourceRecord, TableChanges, TableState};

/// What the page of a release tells of its changes.
#[derive(Debug, Serialize)]
pub(super) struct Changed<'a> {
    said: String,
    moved: Vec<&'static str>,
    sources: Vec<&'a str>,
    told_apart: bool,
    causes: Vec<(String, u64)>,
    tables: Vec<Row<'a>>,
    /// Tables of which nothing is to be told.
    same: String,
}

/// A table that is not as it was.
#[derive(Debug, Serialize)]
struct Row<'a> {
    table: &'a str,
    state: &'static str,
    before: Option<u64>,
    after: Option<u64>,
    added: u64,
    removed: u64,
    changed: u64,
}

/// A change of the published contract.
#[derive(Debug, Serialize)]
pub(super) struct ContractLine<'a> {
    table: &'a str,
    column: Option<&'a str>,
    said: &'a str,
    detail: &'a str,
    breaks: bool,
}

/// A number and what it counts. French says the singular of none, too.
fn counted(language: Language, count: u64, [one, many]: [&str; 2]) -> String {
    let single = match language {
        Language::French => count < 2,
        Language::English => count == 1,
    };
    format!("{}\u{A0}{}", words::number(language, &count.to_string()), if single { one } else { many })
}

/// The counts of all tables in a sentence.
pub(super) fn sentence(language: Language, summary: &ChangeSummary) -> String {
    let sum = |count: fn(&TableChanges) -> u64| summary.tables.iter().map(count).sum::<u64>();
    let (added, removed, changed) = (sum(|table| table.added), sum(|table| table.removed), sum(|table| table.changed));
    if added + removed + changed == 0 {
        return language.of(["Aucune ligne n’a changé.", "No row changed."]).to_owned();
    }
    let touched = summary.tables.iter().filter(|table| table.added + table.removed + table.changed > 0).count();
    let said = |count, words| counted(language, count, words);
    match language {
        Language::French => format!(
            "{}, {}, {}, dans {}.",
            said(added, ["ligne ajoutée", "lignes ajoutées"]),
            said(removed, ["retirée", "retirées"]),
            said(changed, ["modifiée", "modifiées"]),
            said(touched as u64, ["table", "tables"]),
        ),
        Language::English => format!(
            "{}, {} removed, {} changed, in {}.",
            said(added, ["row added", "rows added"]),
            words::number(language, &removed.to_string()),
            words::number(language, &changed.to_string()),
            said(touched as u64, ["table", "tables"]),
        ),
    }
}

fn word(language: Language, cause: &str) -> &'static str {
    language.of(match cause {
        "source" => ["les sources", "the sources"],
        "project" => {
            ["le projet (requêtes, listes de codes, contrats)", "the project (queries, code lists, contracts)"]
        }
        "program" => ["le programme", "the program"],
        "reference" => ["le référentiel géographique", "the official geography"],
        _ => ["cause indéterminée", "undetermined"],
    })
}

/// The name of a cause in words: `project_or_source` is "le projet ou les sources".
fn cause(language: Language, name: &str) -> String {
    words::cause(language, name, |cause| word(language, cause))
}

/// What made the changes, in words; nothing when nothing is known.
pub(super) fn causes(language: Language, summary: &ChangeSummary) -> Vec<&'static str> {
    summary.moved.iter().map(|moved: &Cause| word(language, moved.as_str())).collect()
}

fn state(language: Language, state: TableState) -> &'static str {
    language.of(match state {
        TableState::Same => ["identique", "the same"],
        TableState::Compared => ["", ""],
        TableState::Added => ["nouvelle table", "new table"],
        TableState::Removed => ["table retirée", "table removed"],
        TableState::NotCompared => ["non comparable", "cannot be compared"],
    })
}

fn same(language: Language, quiet: usize) -> String {
    let one = language.of(["autre table est identique", "other table is the same"]);
    let many = language.of(["autres tables sont identiques", "other tables are the same"]);
    if quiet == 0 { String::new() } else { format!("{}.", counted(language, quiet as u64, [one, many])) }
}

/// Title of a source that moved; one that went away with the project has its name only.
fn titled<'a>(sources: &'a [SourceRecord], moved: &'a str) -> &'a str {
    sources.iter().find(|source| source.source == moved).map_or(moved, |source| &source.title)
}

/// What the page tells.
pub(super) fn changed<'a>(language: Language, summary: &'a ChangeSummary, sources: &'a [SourceRecord]) -> Changed<'a> {
    let mut by_cause: BTreeMap<&str, u64> = BTreeMap::new();
    for (cause, count) in summary.tables.iter().flat_map(|table| &table.causes) {
        *by_cause.entry(cause).or_default() += count;
    }
    let (quiet, told): (Vec<_>, Vec<_>) = summary.tables.iter().partition(|table| table.is_quiet());
    let rows = told.into_iter().map(|table| Row {
        table: &table.table,
        state: state(language, table.state),
        before: table.rows_before,
        after: table.rows_after,
        added: table.added,
        removed: table.removed,
        changed: table.changed,
    });
    Changed {
        said: sentence(language, summary),
        moved: causes(language, summary),
        sources: summary.sources.iter().map(|moved| titled(sources, moved)).collect(),
        told_apart: summary.told_apart,
        causes: by_cause.into_iter().map(|(name, count)| (cause(language, name), count)).collect(),
        tables: rows.collect(),
        same: same(language, quiet.len()),
    }
}

/// Changes of the published contract.
pub(super) fn contract(language: Language, changes: &[ContractChange]) -> Vec<ContractLine<'_>> {
    let lines = changes.iter().map(|change| {
        let known = contract_change(&change.change).map(|said| language.of(said));
        ContractLine {
            table: &change.table,
            column: change.column.as_deref(),
            said: known.unwrap_or(&change.change),
            detail: &change.detail,
            breaks: change.level == Level::Major,
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> ChangeSummary {
        let mut table = TableChanges::new("lieux", "Lieux", TableState::Compared);
        (table.added, table.removed, table.changed) = (1200, 1, 0);
        table.causes = [("source".to_owned(), 1000), ("project_or_source".to_owned(), 201)].into();
        ChangeSummary {
            dataset: "lieux".parse().unwrap(),
            previous: "2026-11-22".parse().unwrap(),
            release: "2026-11-23".parse().unwrap(),
            moved: vec![Cause::Project, Cause::Source],
            sources: vec!["registre".to_owned()],
            told_apart: false,
            not_told: Vec::new(),
            tables: vec![table, TableChanges::new("autres", "Autres", TableState::Same)],
        }
    }

    #[test]
    fn counts_are_a_sentence_in_either_language() {
        let said = |language| sentence(language, &summary()).replace('\u{A0}', " ");
        assert_eq!(said(Language::French), "1\u{202F}200 lignes ajoutées, 1 retirée, 0 modifiée, dans 1 table.");
        assert_eq!(said(Language::English), "1,200 rows added, 1 removed, 0 changed, in 1 table.");
        let mut quiet = summary();
        quiet.tables.remove(0);
        assert_eq!(sentence(Language::French, &quiet), "Aucune ligne n’a changé.");
    }

    #[test]
    fn causes_are_added_over_the_tables_and_said_in_words() {
        let summary = summary();
        let changed = changed(Language::French, &summary, &[]);
        let causes: Vec<_> = changed.causes.iter().map(|(cause, count)| (cause.as_str(), *count)).collect();
        assert_eq!(causes, [("le projet ou les sources", 201), ("les sources", 1000)]);
        assert_eq!(changed.tables.len(), 1);
        assert_eq!(changed.same.replace('\u{A0}', " "), "1 autre table est identique.");
        assert_eq!(
            cause(Language::English, "project_or_program_and_reference"),
            "the project or the program and the official geography"
        );
    }
}
