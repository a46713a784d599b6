//! Statements of people who mean no good, through clients of both protocols: they meet the guard and the limits that they
//! meet over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Served;
use crate::harness::hostile::{Fate, Hostile, statements};
use crate::harness::{Project, python};
use crate::stories::sql::published;

/// Small limits, so that a test need not wait for large ones.
const LIMITS: &str =
    "timeout = \"3 s\"\nmemory_mb = 128\ndisk_mb = 128\nrows = 50000\nanswer_mb = 8\nat_once = 4\nwait = \"20 s\"";

/// What a protocol makes of a statement that another refuses: settings of the session are no secret, and nothing at all is
/// a statement to clients of `PostgreSQL`.
const ANSWERED: [&str; 2] = ["all settings", "nothing"];

/// What came of a statement, by how its client was told.
fn fate(told: &str) -> Fate {
    match told {
        "answered" => Fate::Harmless,
        "57014" | "53200" | "54000" | "DEADLINE_EXCEEDED" | "RESOURCE_EXHAUSTED" | "CANCELLED" | "TIMEOUT" => {
            Fate::Limited
        }
        _ => Fate::Refused,
    }
}

/// Too long and too wide are refused under codes that are those of limits elsewhere.
fn right(found: Fate, expected: Fate, told: &str) -> bool {
    match expected {
        Fate::Stopped => found != Fate::Harmless,
        Fate::Refused => found == Fate::Refused || matches!(told, "54000" | "RESOURCE_EXHAUSTED"),
        other => found == other,
    }
}

fn every_hostile_statement_is_stopped(protocol: &str) {
    let project = published(LIMITS);
    project.write("secret.csv", "id,nom\nS1,très secret\n");
    let place = project.path("secret.csv").display().to_string();
    let before = project.stored();
    let all = statements(&place);
    assert!(all.iter().filter(|hostile| hostile.fate != Fate::Harmless).count() >= 60);
    let names: BTreeSet<&str> = all.iter().map(|hostile| hostile.name).collect();
    assert_eq!(names.len(), all.len(), "each has a name of its own");
    let hasty = |hostile: &&Hostile| matches!(hostile.fate, Fate::Limited | Fate::Stopped);
    let mut told = ask(&project, protocol, all.iter().filter(hasty));
    // What is refused or answered is so on a slow machine, too; what meets a limit does so on a fast one.
    project.replace("essaim.toml", "timeout = \"3 s\"", "timeout = \"600 s\"");
    told.extend(ask(&project, protocol, all.iter().filter(|hostile| !hasty(hostile))));
    let mut surprises = Vec::new();
    for hostile in &all {
        let said = &told[hostile.name];
        let (code, text) = said.split_once(' ').unwrap_or((said, ""));
        assert!(!text.contains("très secret") && !text.contains("panicked"), "{}: {text}", hostile.name);
        let expected = if protocol == "pg" && ANSWERED.contains(&hostile.name) { Fate::Harmless } else { hostile.fate };
        if !right(fate(code), expected, code) {
            surprises.push(format!("{}: {said} instead of {expected:?}", hostile.name));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    assert_eq!(project.stored(), before);
    assert_eq!(project.read("secret.csv"), "id,nom\nS1,très secret\n");
}

/// Asks statements of a server of their own; gives what its client was told of each.
fn ask<'a>(
    project: &Project,
    protocol: &str,
    statements: impl Iterator<Item = &'a Hostile>,
) -> BTreeMap<String, String> {
    let list: BTreeMap<&str, &str> = statements.map(|hostile| (hostile.name, hostile.sql.as_str())).collect();
    project.write("hostile.json", serde_json::to_string(&list).unwrap());
    let served = Served::start(project, &[]);
    let address = if protocol == "pg" { &served.pg } else { &served.flight };
    let told = python("hostile.py", &[Path::new(protocol), Path::new(address), &project.path("hostile.json")]);
    let said = served.end();
    assert!(said.ends_with("ended\n") && !said.contains("panicked"), "{said}");
    serde_json::from_str(&told).unwrap()
}

#[test]
fn every_hostile_statement_of_a_driver_of_postgresql_is_refused_or_limited() {
    every_hostile_statement_is_stopped("pg");
}

#[test]
fn every_hostile_statement_of_adbc_is_refused_or_limited() {
    every_hostile_statement_is_stopped("flight");
}
