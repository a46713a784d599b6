//! What a stranger's statement may look like, told before it is planned: planning and folding constants happen in one
//! go, which no time limit interrupts, so whatever would blow up there is refused here.
//!
//! Only what reads is let through, by a list of what is allowed: a statement of a kind that nobody thought of is
//! refused. What a row may weigh is told from the plan: see [`width`](super::width).

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::information_schema::INFORMATION_SCHEMA;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, GroupByWithModifier, Query, Select, Statement as SqlStatement, TableFactor, Visit, Visitor,
};

use crate::diagnostic::{Problem, SourceFile};
use crate::engine::locate::Names;
use crate::engine::statement::{is_select, looked_up};

/// Most tables in a statement, those in a WITH counted as often as they are read: they are planned as often.
const RELATIONS: u64 = 200;
/// Most WITH inside WITH.
const NESTED_WITH: usize = 8;
/// Most operations inside operations.
const DEPTH: usize = 400;
/// Most groupings that one SELECT stands for.
const GROUPINGS: u64 = 256;
/// Rows that are worked on at a time: with the width of a row it bounds what functions make in one go.
pub(super) const BATCH_ROWS: usize = 2048;
/// Settings, which no reader needs.
const SETTINGS: &str = "df_settings";

/// What one statement of a stranger may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Longest statement.
    pub statement_bytes: usize,
    /// Memory of its operators.
    pub memory_bytes: usize,
    /// Disk of what they spill; with none nothing is spilled.
    pub spill_bytes: u64,
    /// Folder of what they spill.
    pub temp_dir: PathBuf,
}

/// What is wrong with a text before it is parsed.
pub(super) fn check_text(file: &Arc<SourceFile>, bounds: &Bounds) -> Option<Problem> {
    let (found, most) = (file.text.len(), bounds.statement_bytes);
    (found > most).then(|| {
        Problem::of_file("sql::too_long", format!("the query has {found} bytes; {most} are the most"), file)
            .help("ask for less at a time, or download the file of the table")
    })
}

/// What is wrong with a statement.
pub(super) fn check(statement: &Statement, file: &Arc<SourceFile>) -> Option<Problem> {
    let query = match reads(statement) {
        Ok(query) => query?,
        Err(message) => {
            let end = file.text.trim_end().len();
            let problem = Problem::at("sql::refused", message, file, 0..end, "all of this");
            return Some(problem.help("queries can only read: write one SELECT"));
        }
    };
    let refused = |message: &str, help: &str| Some(Problem::of_file("sql::refused", message, file).help(help));
    match Shape::of(query) {
        Ok(()) => None,
        Err(Excess::NotSelect) => refused("only SELECT is allowed, also inside WITH", "write one SELECT"),
        Err(Excess::Depth) => refused(
            &format!("operations are nested more than {DEPTH} deep"),
            "write IN (…) for many ORs, and shorter sums",
        ),
        Err(Excess::With) => refused(
            &format!("WITH stands inside WITH more than {NESTED_WITH} deep"),
            "write them one after the other: WITH a AS (…), b AS (…)",
        ),
        Err(Excess::Relations) => refused(
            &format!("more than {RELATIONS} tables are read, those of a WITH counted each time it is read"),
            "join fewer tables",
        ),
        Err(Excess::Groupings) => {
            refused(&format!("GROUP BY stands for more than {GROUPINGS} groupings"), "group by fewer columns at a time")
        }
    }
}

/// The query that a statement asks or explains; none for SHOW TABLES and DESCRIBE.
fn reads(statement: &Statement) -> Result<Option<&Query>, &'static str> {
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::Query(query) => Ok(Some(query)),
            SqlStatement::ShowTables { .. } | SqlStatement::ExplainTable { .. } => Ok(None),
            _ => Err("this statement is refused"),
        },
        Statement::Explain(explain) if explain.options.analyze => {
            Err("EXPLAIN ANALYZE runs the query: it is refused here")
        }
        Statement::Explain(explain) => match explain.statement.as_ref() {
            Statement::Statement(statement) => match statement.as_ref() {
                SqlStatement::Query(query) => Ok(Some(query)),
                _ => Err("only a SELECT can be explained"),
            },
            _ => Err("only a SELECT can be explained"),
        },
        _ => Err("this statement is refused"),
    }
}

/// Problems with what tells of the program and not of the data.
pub(super) fn settings(names: &Names) -> Vec<Problem> {
    let told = names.tables.iter().filter(|table| table.value == format!("{INFORMATION_SCHEMA}.{SETTINGS}"));
    let problem = |table: &crate::diagnostic::Spanned<String>| {
        table.problem("sql::refused", "settings are neither shown nor changed here", "not here").help("see the docs")
    };
    told.map(problem).collect()
}

/// What a statement has too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excess {
    NotSelect,
    Depth,
    With,
    Relations,
    Groupings,
}

/// Counts what a query would be planned as.
#[derive(Default)]
struct Shape {
    /// Names of WITH in scope, and how many tables each stands for.
    ctes: Vec<(String, u64)>,
    relations: u64,
    depth: usize,
    with: usize,
}

impl Shape {
    fn of(query: &Query) -> Result<(), Excess> {
        match query.visit(&mut Self::default()) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(excess) => Err(excess),
        }
    }

    fn count(&mut self, relations: u64) -> ControlFlow<Excess> {
        self.relations = self.relations.saturating_add(relations);
        if self.relations > RELATIONS { ControlFlow::Break(Excess::Relations) } else { ControlFlow::Continue(()) }
    }
}

impl Visitor for Shape {
    type Break = Excess;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Excess> {
        if !is_select(&query.body) {
            return ControlFlow::Break(Excess::NotSelect);
        }
        let Some(with) = &query.with else { return ControlFlow::Continue(()) };
        self.with += 1;
        if self.with > NESTED_WITH {
            return ControlFlow::Break(Excess::With);
        }
        for cte in &with.cte_tables {
            let mut inner = Self { ctes: self.ctes.clone(), relations: 0, depth: self.depth, with: self.with };
            cte.visit(&mut inner)?;
            self.ctes.push((looked_up(&cte.alias.name), inner.relations));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Excess> {
        if let Some(with) = &query.with {
            self.with -= 1;
            self.ctes.truncate(self.ctes.len() - with.cte_tables.len());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Excess> {
        if groupings(&select.group_by) > GROUPINGS {
            return ControlFlow::Break(Excess::Groupings);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Excess> {
        let TableFactor::Table { name, .. } = factor else { return ControlFlow::Continue(()) };
        let name = match name.0.as_slice() {
            [only] => only.as_ident().map(looked_up),
            _ => None,
        };
        let cte = self.ctes.iter().rev().find(|(cte, _)| Some(cte) == name.as_ref());
        let relations = cte.map_or(1, |(_, relations)| (*relations).max(1));
        self.count(relations)
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<Excess> {
        self.depth += 1;
        if self.depth > DEPTH { ControlFlow::Break(Excess::Depth) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<Excess> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

/// How many groupings a GROUP BY stands for.
fn groupings(group_by: &GroupByExpr) -> u64 {
    let all = |n: usize| 1_u64.checked_shl(u32::try_from(n).unwrap_or(u32::MAX)).unwrap_or(u64::MAX);
    let (expressions, modifiers) = match group_by {
        GroupByExpr::All(modifiers) => (&[][..], modifiers),
        GroupByExpr::Expressions(expressions, modifiers) => (expressions.as_slice(), modifiers),
    };
    let of_expression = |expression: &Expr| match expression {
        Expr::Cube(sets) => all(sets.len()),
        Expr::Rollup(sets) => sets.len() as u64 + 1,
        Expr::GroupingSets(sets) => sets.len() as u64,
        _ => 1,
    };
    let of_modifier = |modifier: &GroupByWithModifier| match modifier {
        GroupByWithModifier::Cube => all(expressions.len()),
        _ => expressions.len() as u64 + 1,
    };
    let counts = expressions.iter().map(of_expression).chain(modifiers.iter().map(of_modifier));
    counts.fold(1, u64::saturating_mul)
}

#[cfg(test)]
mod tests;
