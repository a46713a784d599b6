//! Which columns a source has.

use super::Change;
use crate::config::pipeline::{OptionColumns, TableSpec};
use crate::config::reading::means;
use crate::contract::fold::fold;
use crate::diagnostic::nearest;

/// How alike two folded names must be for one to be taken for the other, from 0 to 1 (Jaro-Winkler).
const ALIKE: f64 = 0.85;

/// What changed between the columns that a table's source had and those that it has.
pub(super) fn changes(before: &[String], now: &[String], table: &TableSpec) -> Vec<Change> {
    let gone: Vec<&String> = before.iter().filter(|column| !now.contains(column)).collect();
    let mut new: Vec<&String> = now.iter().filter(|column| !before.contains(column)).collect();
    let wanted = wanted(table);
    let is_used = |column: &str| {
        let mut readers = wanted.iter().filter(|names| names.iter().any(|name| means(name, column)));
        readers.any(|names| !names.iter().any(|name| now.iter().any(|column| means(name, column))))
    };
    let mut changes = Vec::new();
    for column in gone {
        let folded = fold(column);
        let alike = |name: &&String| strsim::jaro_winkler(&folded, &fold(name));
        let best = new.iter().copied().max_by(|a, b| alike(a).total_cmp(&alike(b))).filter(|name| alike(name) >= ALIKE);
        let best = best.or_else(|| {
            let near = nearest(column, new.iter().map(|name| name.as_str()))?;
            new.iter().copied().find(|name| *name == near)
        });
        let used = is_used(column);
        match best.cloned() {
            Some(now) => {
                new.retain(|name| **name != now);
                changes.push(Change::Renamed { before: column.clone(), now, used });
            }
            None => changes.push(Change::Gone { column: column.clone(), used }),
        }
    }
    changes.extend(new.into_iter().map(|column| Change::New { column: column.clone() }));
    changes
}

/// Names of source columns, each list read for one thing: the first filled one of it.
fn wanted(table: &TableSpec) -> Vec<Vec<String>> {
    let mut wanted: Vec<Vec<String>> = Vec::new();
    for mapping in &table.mappings {
        wanted.extend([mapping.from.clone(), mapping.other_from.clone()]);
        match mapping.ticks.as_ref().map(|ticks| &ticks.columns) {
            Some(OptionColumns::Pattern(pattern)) => wanted.push(vec![pattern.clone()]),
            Some(OptionColumns::Named(named)) => wanted.extend(named.iter().map(|(_, name)| vec![name.clone()])),
            None => {}
        }
    }
    if let Some(place) = &table.place {
        let coordinates = [&place.longitude, &place.latitude];
        let names = [&place.code_insee, &place.code_postal, &place.commune, &place.departement, &place.region];
        wanted.extend(names.into_iter().chain(coordinates).cloned());
    }
    wanted.extend(table.rejects.iter().map(|rule| vec![rule.column.clone()]));
    wanted.extend(table.derived.iter().map(|derived| derived.from.clone()));
    wanted.extend(table.explode.iter().map(|explode| vec![explode.column.clone()]));
    wanted
}
