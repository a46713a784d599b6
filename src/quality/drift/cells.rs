//! What the cells of columns hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Change, Unfit, suggest};
use crate::config::pipeline::TableSpec;
use crate::contract::fold::fold;
use crate::contract::{Column, Kind, Visibility};
use crate::id::Digest;
use crate::normalise::ColumnShape;

/// Fewer cells than this are no change of a type.
const FEW: u64 = 3;
/// New options that are told one by one.
const TOLD: usize = 5;

/// What is kept of a table's source until it is read again. Values are kept of closed columns only, and of these the
/// options; those that are in no list are kept of public columns only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownSource {
    /// Columns of the source.
    pub columns: Vec<String>,
    /// Columns of the contract and what their cells were like.
    #[serde(default)]
    pub cells: BTreeMap<String, KnownCells>,
}

/// What the cells of a column were like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCells {
    /// Stands for what the contract demanded of the cells: counts under another demand say nothing about the source.
    pub demand: String,
    /// Cells that were filled.
    pub filled: u64,
    /// Filled cells of which nothing fitted.
    pub unfit: u64,
    /// Codes that rows had, and how many had each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, u64>,
    /// Options that are not in the code list, and how many cells held each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, u64>,
}

impl KnownSource {
    /// The shape of a source that was just read. `shapes` are those of the columns, in the order of the contract.
    pub fn of(table: &TableSpec, columns: &[String], shapes: &[ColumnShape]) -> Self {
        let cells = table.contract.columns.iter().zip(shapes).filter(|(_, shape)| shape.filled > 0);
        let cells = cells.map(|(column, shape)| (column.name.clone(), KnownCells::of(column, shape))).collect();
        Self { columns: columns.to_vec(), cells }
    }

    /// The shape that a document holds; older documents are a list of columns.
    pub fn read(document: &[u8]) -> Option<Self> {
        let columns =
            |document| serde_json::from_slice(document).ok().map(|columns| Self { columns, ..Self::default() });
        serde_json::from_slice(document).ok().or_else(|| columns(document))
    }
}

impl KnownCells {
    fn of(column: &Column, shape: &ColumnShape) -> Self {
        let demand = format!("{:?} {:?} {:?} {:?}", column.kind, column.pattern, column.minimum, column.maximum);
        let (mut options, mut unknown) = (BTreeMap::new(), BTreeMap::new());
        if let Some(list) = &column.codes {
            let counted = list.code_names().zip(&shape.options).filter(|(_, rows)| **rows > 0);
            options = counted.map(|(code, rows)| (code.to_owned(), *rows)).collect();
            if column.visibility == Visibility::Public {
                unknown.clone_from(&shape.texts);
            }
        }
        let demand = Digest::of(demand.as_bytes()).to_string().chars().take(16).collect();
        Self { demand, filled: shape.filled, unfit: shape.unfit, options, unknown }
    }

    fn counts(&self) -> Unfit {
        Unfit { cells: self.unfit, of: self.filled }
    }

    fn fitting(&self) -> u64 {
        self.filled.saturating_sub(self.unfit)
    }
}

/// What changed in the cells of the column at a position of the contract.
pub(super) fn changes(
    table: &TableSpec,
    at: usize,
    before: &KnownCells,
    now: &KnownCells,
    shape: &ColumnShape,
) -> Vec<Change> {
    let Some(column) = table.contract.columns.get(at).filter(|_| before.demand == now.demand) else {
        return Vec::new();
    };
    let closed = matches!(column.kind, Kind::Code | Kind::Codes);
    let mut changes = Vec::new();
    // Growing by cells that do not fit is told; losing what was there is felt.
    let lost = now.unfit >= FEW && now.fitting() < now.unfit && now.fitting() * 2 < before.fitting();
    let more = now.unfit >= FEW && share(now) > share(before) + 0.1;
    // Options are told one by one where they may be named.
    let named = closed && column.visibility == Visibility::Public;
    if lost || (more && !named) {
        changes.push(Change::Retyped {
            column: column.name.clone(),
            wanted: wanted(column),
            before: before.counts(),
            now: now.counts(),
            lost,
            advice: suggest::mapping(table, at, shape),
        });
    }
    if named {
        changes.extend(options(column, before, now));
    }
    changes
}

#[expect(clippy::cast_precision_loss, reason = "a share of cells need not be exact")]
fn share(cells: &KnownCells) -> f64 {
    cells.unfit as f64 / cells.filled.max(1) as f64
}

/// What cells of a column should be.
fn wanted(column: &Column) -> &'static str {
    match column.kind {
        Kind::Text | Kind::Texts | Kind::Geometry => "texts of its pattern",
        Kind::Uri => "web addresses",
        Kind::Siret => "SIRET numbers",
        Kind::Integer => "whole numbers",
        Kind::Number => "numbers",
        Kind::Boolean => "yes or no",
        Kind::Date => "dates",
        Kind::DateTime => "dates with a time",
        Kind::Code | Kind::Codes => "options of its list",
    }
}

/// Options that came and options that went.
fn options(column: &Column, before: &KnownCells, now: &KnownCells) -> Vec<Change> {
    let Some(list) = &column.codes else { return Vec::new() };
    let gone = list.code_names().filter_map(|code| {
        let rows = before.options.get(code).filter(|_| !now.options.contains_key(code))?;
        Some((code.to_owned(), *rows))
    });
    let gone: Vec<(String, u64)> = gone.collect();
    let known: Vec<String> = before.unknown.keys().map(|option| fold(option)).collect();
    let mut new: Vec<(&String, u64)> = now
        .unknown
        .iter()
        .filter(|(option, _)| !known.contains(&fold(option)))
        .map(|(option, cells)| (option, *cells))
        .collect();
    new.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let mut changes: Vec<Change> = new
        .iter()
        .take(TOLD)
        .map(|(option, cells)| Change::NewOption {
            column: column.name.clone(),
            option: (*option).clone(),
            cells: *cells,
            advice: suggest::option(list, option, &gone, new.len()),
        })
        .collect();
    if new.len() > TOLD {
        changes.push(Change::MoreOptions { column: column.name.clone(), count: new.len() - TOLD });
    }
    if !gone.is_empty() {
        changes.push(Change::LostOptions { column: column.name.clone(), options: gone });
    }
    changes
}
