//! Bounds of the gate: how much a source and a published table may shrink from one release to the next.

use std::collections::BTreeMap;
use std::time::Duration;

use super::compile::Scope;
use super::pipeline::Pipeline;
use super::schedule::duration;
use crate::contract::Contract;
use crate::diagnostic::Spanned;
use crate::diagnostic::document::{Fields, Node, Value};
use crate::id::TableName;

/// What a person may declare about a loss when nothing else is said: a fifth, or one row.
const DEFAULT_SHARE: f64 = 0.2;

/// What happens when a source does not answer, cannot be read or breaks a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Its last good snapshot is used, and the run says so.
    #[default]
    LastGood,
    /// The run stops.
    Stop,
}

/// Bounds of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceGate {
    /// Rows that it must have.
    pub minimum: u64,
    /// Share of its rows that it may lose, from 0 to 1; one row may always go.
    pub shrink: f64,
    /// By how much the share of rejected rows may rise, from 0 to 1; one more row may always be rejected.
    pub rejects: f64,
    /// By how much the share of empty cells of one of its columns may rise, from 0 to 1; one more may always be empty.
    pub empty: f64,
    /// What happens otherwise.
    pub on_failure: OnFailure,
    /// Time since it last gave something good after which the run stops, and its last good snapshot takes no place.
    pub max_age: Option<Duration>,
}

impl Default for SourceGate {
    fn default() -> Self {
        Self {
            minimum: 1,
            shrink: DEFAULT_SHARE,
            rejects: DEFAULT_SHARE,
            empty: DEFAULT_SHARE,
            on_failure: OnFailure::default(),
            max_age: None,
        }
    }
}

/// Bounds of a published table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableGate {
    /// Rows that it must have.
    pub minimum: u64,
    /// Share of its rows that it may lose, from 0 to 1; one row may always go, the last one never.
    pub shrink: f64,
    /// Share of its keys that may go, from 0 to 1; one may always go.
    pub lost_keys: f64,
    /// By how much the share of empty cells of a column may rise, from 0 to 1; one more cell may always be empty.
    pub empty: BTreeMap<String, f64>,
}

impl Default for TableGate {
    fn default() -> Self {
        Self { minimum: 0, shrink: DEFAULT_SHARE, lost_keys: DEFAULT_SHARE, empty: BTreeMap::new() }
    }
}

impl TableGate {
    /// By how much the share of empty cells of a column may rise.
    pub fn empty_of(&self, column: &str) -> f64 {
        self.empty.get(column).copied().unwrap_or(DEFAULT_SHARE)
    }
}

/// A share from 0 to 1.
fn share(node: &Node, scope: &Scope<'_>) -> Option<f64> {
    let number = match node.value {
        #[expect(clippy::cast_precision_loss, reason = "only 0 and 1 are accepted")]
        Value::Integer(number) => number as f64,
        Value::Float(number) => number,
        _ => f64::NAN,
    };
    if (0.0..=1.0).contains(&number) {
        return Some(number);
    }
    scope.problems.push(
        node.problem("pipeline::share", "a share is a number from 0 to 1", "this is none")
            .help("write 0.2 for a fifth, 0 for no loss at all, 1 for any"),
    );
    None
}

fn share_of(fields: &Fields<'_>, key: &'static str, scope: &Scope<'_>) -> Option<f64> {
    share(fields.get(key)?, scope)
}

fn rows_of(fields: &Fields<'_>, key: &'static str, scope: &Scope<'_>) -> Option<u64> {
    let typed = fields.integer(key)?;
    let rows = u64::try_from(typed.value).ok();
    if rows.is_none() {
        scope.problems.push(
            typed
                .problem("pipeline::number", "a number of rows is 0 or more", "negative")
                .help("leave it out for the default"),
        );
    }
    rows
}

/// Reads `gate = { … }` of a source.
pub(super) fn source_gate(fields: &Fields<'_>, scope: &Scope<'_>) -> SourceGate {
    let mut gate = SourceGate::default();
    let Some(fields) = fields.table("gate") else { return gate };
    gate.minimum = rows_of(&fields, "minimum", scope).unwrap_or(gate.minimum);
    gate.shrink = share_of(&fields, "shrink", scope).unwrap_or(gate.shrink);
    gate.rejects = share_of(&fields, "rejects", scope).unwrap_or(gate.rejects);
    gate.empty = share_of(&fields, "empty", scope).unwrap_or(gate.empty);
    if let Some(text) = fields.text("on_failure") {
        match text.value.as_str() {
            "last_good" => gate.on_failure = OnFailure::LastGood,
            "stop" => gate.on_failure = OnFailure::Stop,
            other => scope.problems.push(
                text.problem("pipeline::on_failure", format!("`{other}` is not something to do"), "unknown")
                    .suggest(other, ["last_good", "stop"]),
            ),
        }
    }
    gate.max_age = duration(&fields, "max_age", scope);
    fields.finish();
    gate
}

/// Reads `[[publish.gate]]`.
pub(super) fn table_gates(publish: &Fields<'_>, pipeline: &mut Pipeline, scope: &Scope<'_>) {
    for fields in publish.tables("gate") {
        let table = fields.required_text("table");
        let mut gate = TableGate::default();
        gate.minimum = rows_of(&fields, "minimum", scope).unwrap_or(gate.minimum);
        gate.shrink = share_of(&fields, "shrink", scope).unwrap_or(gate.shrink);
        gate.lost_keys = share_of(&fields, "lost_keys", scope).unwrap_or(gate.lost_keys);
        let columns = fields.named("empty");
        fields.finish();
        let Some(table) = table else { continue };
        let Some(name) = pipeline.published.iter().find(|name| name.as_str() == table.value).cloned() else {
            scope.problems.push(
                table
                    .problem(
                        "pipeline::unknown_table",
                        format!("`{}` is not published", table.value),
                        "a gate is for a published table",
                    )
                    .suggest(&table.value, pipeline.published.iter().map(TableName::as_str)),
            );
            continue;
        };
        let contract = scope.contracts.get(name.as_str()).map(AsRef::as_ref);
        gate.empty = empty_shares(&columns, &name, contract, scope);
        if pipeline.gates.insert(name, gate).is_some() {
            scope.problems.push(
                table
                    .problem("pipeline::duplicate_name", format!("`{}` has two gates", table.value), "the second one")
                    .help("put all bounds of a table into one [[publish.gate]]"),
            );
        }
    }
}

fn empty_shares(
    columns: &[(&Spanned<String>, &Node)],
    table: &TableName,
    contract: Option<&Contract>,
    scope: &Scope<'_>,
) -> BTreeMap<String, f64> {
    let mut shares = BTreeMap::new();
    for (column, node) in columns {
        let known = |contract: &Contract| contract.public_columns().any(|public| public.name == column.value);
        if let Some(contract) = contract.filter(|contract| !known(contract)) {
            scope.problems.push(
                column
                    .problem(
                        "pipeline::unknown_column",
                        format!("`{table}` has no public column `{}`", column.value),
                        "unknown",
                    )
                    .suggest(&column.value, contract.public_columns().map(|public| public.name.as_str())),
            );
        }
        shares.extend(share(node, scope).map(|share| (column.value.clone(), share)));
    }
    shares
}

/// The bounds of a published table, declared or not.
pub fn table_gate(pipeline: &Pipeline, table: &TableName) -> TableGate {
    pipeline.gates.get(table).cloned().unwrap_or_default()
}
