//! Places for complaints that come without one: what a message names is looked up in the SQL.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::catalog::information_schema::INFORMATION_SCHEMA;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, LimitClause, ObjectName, Query, Spanned as _, TableFactor, Value, ValueWithSpan, Visit, Visitor,
};

use crate::diagnostic::{Problem, SourceFile, Span, Spanned};
use crate::engine::statement::{Parsed, looked_up, to_span};
use crate::engine::{CATALOG, DEFAULT_SCHEMA};

/// What a statement names, each in the order of the text.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Tables in FROM, without CTEs.
    pub(super) tables: Vec<Spanned<String>>,
    /// Functions that are called, also in FROM.
    pub(super) functions: Vec<Spanned<String>>,
    /// What is understood and not allowed.
    pub(super) refused: Vec<Problem>,
    /// Parameters such as `$1`, refused wherever nothing fills them.
    pub(super) parameters: Vec<Problem>,
    columns: Vec<Spanned<String>>,
    texts: Vec<Spanned<String>>,
    cases: Vec<Span>,
    limits: Vec<Span>,
}

impl Names {
    pub(super) fn of(parsed: &Parsed) -> Self {
        let mut finder = Finder { file: &parsed.file, names: Self::default(), ctes: Vec::new() };
        // The visitor never breaks off.
        let ControlFlow::Continue(()) = parsed.query.visit(&mut finder);
        let mut names = finder.names;
        // Bodies of CTEs were visited twice.
        for list in [&mut names.tables, &mut names.functions, &mut names.columns, &mut names.texts] {
            list.sort_by_key(|name| name.span.start);
            list.dedup();
        }
        for list in [&mut names.cases, &mut names.limits] {
            list.sort_by_key(|span| span.start);
            list.dedup();
        }
        names.refused.dedup();
        names.parameters.dedup();
        names
    }

    /// Problems with tables that are not among the known ones.
    pub(super) fn unknown_tables(&self, known: &BTreeSet<String>) -> Vec<Problem> {
        let unknown = |table: &Spanned<String>| {
            let name = table.value.as_str();
            (!known.contains(name)).then(|| {
                table.problem("sql::unknown_table", format!("unknown table `{name}`"), "no such table").suggest(
                    name,
                    known.iter().map(String::as_str).filter(|name| !name.starts_with(INFORMATION_SCHEMA)),
                )
            })
        };
        self.tables.iter().filter_map(unknown).collect()
    }

    /// A table that a statement names outside FROM, as DESCRIBE does.
    pub(super) fn of_table(name: &ObjectName, file: &Arc<SourceFile>) -> Self {
        let value = full_name(name.0.iter().filter_map(|part| part.as_ident()));
        let table = Spanned { value, file: Arc::clone(file), span: to_span(file, name.span()) };
        Self { tables: vec![shortened(table, name)], ..Self::default() }
    }

    /// Gives problems without a place the only place that their message can mean.
    pub(super) fn place(&self, problems: &mut [Problem]) {
        for problem in problems.iter_mut().filter(|problem| problem.label.is_none()) {
            let span = self.meant_by(problem);
            problem.label = span.map(|span| (span, "here".to_owned()));
        }
    }

    fn meant_by(&self, problem: &Problem) -> Option<Span> {
        let repeated = problem.code == "sql::duplicate_column";
        let words: Vec<&str> = problem.message.split('`').skip(1).step_by(2).collect();
        for list in [&self.texts, &self.functions, &self.columns] {
            for word in &words {
                let same = list.iter().filter(|name| name.value == *word || last_part(&name.value) == last_part(word));
                let places: Vec<&Spanned<String>> = same.collect();
                match places.as_slice() {
                    [only] => return Some(only.span.clone()),
                    [.., last] if repeated => return Some(last.span.clone()),
                    _ => {}
                }
            }
        }
        match self.cases.as_slice() {
            [only] if problem.message.contains("CASE") => Some(only.clone()),
            _ => None,
        }
    }

    /// Place of a call, when there is only one.
    pub(super) fn call(&self, name: &str) -> Option<Span> {
        let mut calls = self.functions.iter().filter(|function| function.value == name);
        match (calls.next(), calls.next()) {
            (Some(call), None) => Some(call.span.clone()),
            _ => None,
        }
    }

    /// Place of the LIMIT, when there is only one.
    pub(super) fn limit(&self) -> Option<Span> {
        match self.limits.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn full_name<'a>(parts: impl IntoIterator<Item = &'a Ident>) -> String {
    parts.into_iter().map(looked_up).collect::<Vec<_>>().join(".")
}

/// A table's name without the schema and the catalog that it stands in anyway.
fn short_name(name: &str, parts: usize) -> &str {
    let after_catalog = name.strip_prefix(CATALOG).and_then(|rest| rest.strip_prefix('.')).filter(|_| parts > 2);
    let after_catalog = after_catalog.unwrap_or(name);
    let after_schema = after_catalog.strip_prefix(DEFAULT_SCHEMA).and_then(|rest| rest.strip_prefix('.'));
    after_schema.unwrap_or(after_catalog)
}

fn shortened(table: Spanned<String>, name: &ObjectName) -> Spanned<String> {
    table.map(|value| short_name(&value, name.0.len()).to_owned())
}

struct Finder<'a> {
    file: &'a Arc<SourceFile>,
    names: Names,
    ctes: Vec<String>,
}

impl Finder<'_> {
    fn spanned(&self, name: &ObjectName) -> Spanned<String> {
        let value = full_name(name.0.iter().filter_map(|part| part.as_ident()));
        Spanned { value, file: Arc::clone(self.file), span: to_span(self.file, name.span()) }
    }
}

impl Visitor for Finder<'_> {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            if recursive {
                let place = to_span(self.file, cte.alias.name.span);
                let message = "WITH RECURSIVE is refused: nothing bounds it";
                self.names.refused.push(
                    Problem::at("sql::refused", message, self.file, place, "this one")
                        .help("unfold the steps, or ship the closure as a table in seeds/"),
                );
            } else {
                // Before its own name is in scope: `WITH t AS (SELECT * FROM t)` reads the table `t`.
                cte.visit(self)?;
            }
            self.ctes.push(looked_up(&cte.alias.name));
        }
        if let Some(LimitClause::LimitOffset { limit: Some(limit), .. }) = &query.limit_clause {
            self.names.limits.push(to_span(self.file, limit.span()));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let ctes = query.with.as_ref().map_or(0, |with| with.cte_tables.len());
        self.ctes.truncate(self.ctes.len() - ctes);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        match factor {
            TableFactor::Table { name, args: None, .. } => {
                let table = shortened(self.spanned(name), name);
                if !self.ctes.contains(&table.value) {
                    self.names.tables.push(table);
                }
            }
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => {
                let function = self.spanned(name);
                self.names.functions.push(function);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        let span = || to_span(self.file, expr.span());
        let column = |value: String| Spanned { value, file: Arc::clone(self.file), span: span() };
        match expr {
            Expr::Function(function) => {
                let function = self.spanned(&function.name);
                self.names.functions.push(function);
            }
            Expr::Identifier(ident) => self.names.columns.push(column(looked_up(ident))),
            Expr::CompoundIdentifier(parts) => self.names.columns.push(column(full_name(parts))),
            Expr::Case { .. } => self.names.cases.push(span()),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<Self::Break> {
        let span = to_span(self.file, value.span);
        match &value.value {
            Value::SingleQuotedString(text) => {
                self.names.texts.push(Spanned { value: text.clone(), file: Arc::clone(self.file), span });
            }
            Value::Placeholder(name) => self.names.parameters.push(
                Problem::at(
                    "sql::refused",
                    format!("`{name}` is a parameter, and nothing fills it"),
                    self.file,
                    span,
                    "here",
                )
                .help("write the value itself, or take it from a table"),
            ),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
