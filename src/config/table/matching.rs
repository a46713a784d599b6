//! What a table has to do with other tables: rows of another that its own belong to, and the table of its rejects.

use super::unknown_column;
use crate::config::REFERENCE_TABLES;
use crate::config::compile::Scope;
use crate::config::pipeline::{Match, Pipeline, RejectTable, TableSpec};
use crate::contract::{Column, Contract, Visibility};
use crate::diagnostic::Spanned;
use crate::diagnostic::document::{Fields, Node};
use crate::id::{SourceId, TableName};

/// Columns that every table of rejects has: number of the row in its source, line at which it starts, reason, column that
/// decided.
pub const REJECT_COLUMNS: [&str; 4] = ["ligne", "position", "motif", "colonne"];

/// `[table.<name>.match]`.
pub(super) fn matched(
    fields: Fields<'_>,
    contract: &Contract,
    source: Option<&SourceId>,
    pipeline: &Pipeline,
    scope: &Scope<'_>,
) -> Option<Match> {
    let (table, missing) = (fields.required_text("table"), fields.text("missing"));
    let (ways, columns) = (fields.tables("by"), fields.named("columns"));
    for (key, lacks) in [("by", ways.is_empty()), ("columns", columns.is_empty())] {
        if lacks {
            fields.missing(key);
        }
    }
    let other = table.and_then(|table| earlier(&table, source, pipeline, scope));
    let pair = |(name, node): (&Spanned<String>, &Node)| Some((name.clone(), node.text(scope.problems)?));
    let pairs =
        |fields: Fields<'_>| -> Vec<_> { fields.all().iter().filter_map(|(name, node)| pair((name, node))).collect() };
    let ways: Vec<Vec<(Spanned<String>, Spanned<String>)>> = ways.into_iter().map(pairs).collect();
    let columns: Vec<(Spanned<String>, Spanned<String>)> = columns.into_iter().filter_map(pair).collect();
    fields.finish();
    let other = other?;
    let mut by = Vec::new();
    for way in ways {
        for (_, theirs) in way.iter().filter(|(_, theirs)| other.contract.column(&theirs.value).is_none()) {
            unknown_column(theirs, &other.contract, scope.problems);
        }
        by.push(way.into_iter().map(|(own, theirs)| (own.value, theirs.value)).collect());
    }
    let columns =
        columns.into_iter().filter_map(|(own, theirs)| filled(&own, &theirs, contract, other, scope)).collect();
    Some(Match { table: other.name.clone(), by, columns, missing: missing.map(|reason| reason.value) })
}

/// A table that is read before the one at hand.
fn earlier<'p>(
    name: &Spanned<String>,
    source: Option<&SourceId>,
    pipeline: &'p Pipeline,
    scope: &Scope<'_>,
) -> Option<&'p TableSpec> {
    let Some(table) = pipeline.tables.iter().find(|table| table.name.as_str() == name.value) else {
        if !pipeline.unread.tables.contains(&name.value) {
            let message = format!("no table `{}` is declared before this one", name.value);
            let problem = name.problem("pipeline::unknown_table", message, "not read yet");
            let known = pipeline.tables.iter().map(|table| table.name.as_str());
            scope.problems.push(problem.suggest(&name.value, known));
        }
        return None;
    };
    let place = |id: &SourceId| pipeline.sources.iter().position(|source| source.id == *id);
    if source.is_some_and(|source| place(&table.source) > place(source)) {
        let message = format!("source `{}` of `{}` is fetched later", table.source, table.name);
        let problem = name.problem("pipeline::match", message, "not read yet");
        scope.problems.push(problem.help(format!("declare [source.{}] before the source of this table", table.source)));
    }
    Some(table)
}

/// A column that the other table fills.
fn filled(
    own: &Spanned<String>,
    theirs: &Spanned<String>,
    contract: &Contract,
    other: &TableSpec,
    scope: &Scope<'_>,
) -> Option<(usize, String)> {
    let at = contract.columns.iter().position(|column| column.name == own.value);
    if at.is_none() {
        unknown_column(own, contract, scope.problems);
    }
    let Some(column) = other.contract.column(&theirs.value) else {
        unknown_column(theirs, &other.contract, scope.problems);
        return None;
    };
    let mine = &contract.columns[at?];
    let list = |column: &Column| column.codes.as_ref().map(|list| list.name.clone());
    if mine.kind != column.kind || list(mine) != list(column) {
        let message = format!("`{}` and `{}` of `{}` hold different things", mine.name, column.name, other.name);
        let problem = own.problem("pipeline::type_mismatch", message, "another type, or another code list");
        scope
            .problems
            .push(problem.help(format!("declare it in {} as in {}", contract.file.path, other.contract.file.path)));
    }
    if mine.visibility == Visibility::Public && column.visibility != Visibility::Public {
        let message = format!("`{}` of `{}` is not public", column.name, other.name);
        let problem = theirs.problem("disclosure::restricted", message, "and would be in this table");
        scope.problems.push(problem.help(format!("declare `{}` as visible as it is there", mine.name)));
    }
    Some((at?, column.name.clone()))
}

/// `rejects = { table = "…", columns = { … } }`.
pub(super) fn reject_table(
    fields: Fields<'_>,
    own: &TableName,
    pipeline: &Pipeline,
    scope: &Scope<'_>,
) -> Option<RejectTable> {
    let table = fields.required_text("table");
    let columns = fields.named("columns");
    fields.finish();
    let table = table?;
    let name = table.value.as_str();
    let taken = REFERENCE_TABLES.contains(&name) || own.as_str() == name || pipeline.has_table(name);
    if taken {
        let message = format!("there already is a table `{}`", table.value);
        let problem = table.problem("pipeline::duplicate_name", message, "taken");
        scope.problems.push(problem.help("name the table of the rejects otherwise"));
    }
    let Ok(name) = table.value.parse::<TableName>() else {
        let message = format!("`{}` cannot name a table", table.value);
        let problem = table.problem("pipeline::table_name", message, "this name");
        scope.problems.push(problem.help("lower-case ASCII letters, digits and `_`"));
        return None;
    };
    let mut found = Vec::new();
    for (column, node) in columns {
        if REJECT_COLUMNS.contains(&column.value.as_str()) || column.value.parse::<TableName>().is_err() {
            let message = format!("`{}` cannot name a cell of a reject", column.value);
            let problem = column.problem("pipeline::rejects", message, "this name");
            scope.problems.push(
                problem.help(format!("lower-case letters, digits and `_`, and none of {}", REJECT_COLUMNS.join(", "))),
            );
            continue;
        }
        found.extend(node.text(scope.problems).map(|source| (column.value.clone(), source.value)));
    }
    Some(RejectTable { table: name, columns: found })
}
