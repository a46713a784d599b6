//! What a statement would be planned as, counted on what was parsed: small to write and large to plan is the same to whoever
//! means no good.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArguments, GroupByExpr, GroupByWithModifier, Query, Select, SelectItem, SetExpr, TableFactor, Visit,
    Visitor,
};

use crate::engine::statement::{is_select, looked_up};

/// Most tables in a statement, those in a WITH counted as often as they are read: they are planned as often.
pub(super) const RELATIONS: u64 = 200;
/// Most columns that are selected and read, those of a WITH as often as they are read.
pub(super) const COLUMNS: u64 = 20_000;
/// Columns of a table; how many it has is not known before it is looked up.
const OF_A_TABLE: u64 = 50;
/// Most WITH inside WITH.
pub(super) const NESTED_WITH: usize = 8;
/// Most operations inside operations.
pub(super) const DEPTH: usize = 400;
/// Most groupings that one SELECT stands for.
pub(super) const GROUPINGS: u64 = 256;

/// What a statement has too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    NotSelect,
    Depth,
    With,
    Relations,
    Columns,
    Groupings,
}

/// What a name of a WITH stands for.
#[derive(Debug, Clone)]
struct Cte {
    name: String,
    relations: u64,
    /// Columns that are selected and read in it.
    columns: u64,
    /// Columns that it gives.
    width: u64,
}

/// Counts what a query would be planned as.
#[derive(Default)]
pub(super) struct Shape {
    /// Names of WITH in scope.
    ctes: Vec<Cte>,
    relations: u64,
    columns: u64,
    depth: usize,
    with: usize,
    /// Columns that the queries around what is visited give, the innermost last.
    queries: Vec<u64>,
    /// Columns that the FROM of each SELECT around what is visited reads, the innermost last.
    froms: Vec<u64>,
    /// Columns of the query that was passed last.
    width: u64,
    /// Most fields that a value can have been made of.
    fields: u64,
}

impl Shape {
    /// Whether a query has too much of something.
    pub(super) fn of(query: &Query) -> Result<(), Excess> {
        match query.visit(&mut Self::default()) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(excess) => Err(excess),
        }
    }

    fn count(&mut self, relations: u64) -> ControlFlow<Excess> {
        self.relations = self.relations.saturating_add(relations);
        if self.relations > RELATIONS { ControlFlow::Break(Excess::Relations) } else { ControlFlow::Continue(()) }
    }

    fn spread(&mut self, columns: u64) -> ControlFlow<Excess> {
        self.columns = self.columns.saturating_add(columns);
        if self.columns > COLUMNS { ControlFlow::Break(Excess::Columns) } else { ControlFlow::Continue(()) }
    }

    /// A FROM reads something of so many columns.
    fn read(&mut self, width: u64) -> ControlFlow<Excess> {
        if let Some(from) = self.froms.last_mut() {
            *from = from.saturating_add(width);
        }
        self.spread(width)
    }

    /// The query around gives at least so many columns.
    fn gives(&mut self, width: u64) {
        if let Some(query) = self.queries.last_mut() {
            *query = width.max(*query);
        }
    }

    /// Counts what a query or its union consists of and reads no table: it is planned all the same. Unions stand inside
    /// each other as deeply as there are of them, so nothing goes into them before.
    fn united(&mut self, body: &SetExpr) -> ControlFlow<Excess> {
        let (mut rest, mut parts) = (vec![body], 0);
        while let Some(body) = rest.pop() {
            parts += 1;
            if parts > 2 * RELATIONS {
                return ControlFlow::Break(Excess::Relations);
            }
            match body {
                SetExpr::SetOperation { left, right, .. } => rest.extend([left.as_ref(), right.as_ref()]),
                SetExpr::Select(select) if select.from.is_empty() => self.count(1)?,
                SetExpr::Values(values) => {
                    let width = values.rows.first().map_or(0, |row| row.len() as u64);
                    self.gives(width);
                    self.count(1)?;
                    self.spread(width)?;
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

impl Visitor for Shape {
    type Break = Excess;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Excess> {
        self.queries.push(0);
        self.united(&query.body)?;
        if !is_select(&query.body) {
            return ControlFlow::Break(Excess::NotSelect);
        }
        let Some(with) = &query.with else { return ControlFlow::Continue(()) };
        self.with += 1;
        if self.with > NESTED_WITH {
            return ControlFlow::Break(Excess::With);
        }
        for cte in &with.cte_tables {
            let (ctes, depth, with) = (self.ctes.clone(), self.depth, self.with);
            let mut inner = Self { ctes, depth, with, fields: self.fields, ..Self::default() };
            cte.visit(&mut inner)?;
            self.fields = self.fields.max(inner.fields);
            let Self { relations, columns, width, .. } = inner;
            self.ctes.push(Cte { name: looked_up(&cte.alias.name), relations, columns, width });
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Excess> {
        if let Some(with) = &query.with {
            self.with -= 1;
            self.ctes.truncate(self.ctes.len() - with.cte_tables.len());
        }
        self.width = self.queries.pop().unwrap_or(0);
        // It may be the whole of a query in brackets; a subquery is narrow.
        self.gives(self.width);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Excess> {
        if groupings(&select.group_by) > GROUPINGS {
            return ControlFlow::Break(Excess::Groupings);
        }
        self.froms.push(0);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &Select) -> ControlFlow<Excess> {
        let from = self.froms.pop().unwrap_or(0);
        let of_item = |item: &SelectItem| match item {
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => from,
            _ => 1,
        };
        let width = select.projection.iter().map(of_item).fold(0, u64::saturating_add);
        self.gives(width);
        self.spread(width)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Excess> {
        let name = match factor {
            // What is in them is counted where it stands.
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => return ControlFlow::Continue(()),
            TableFactor::Table { name, .. } => match name.0.as_slice() {
                [only] => only.as_ident().map(looked_up),
                _ => None,
            },
            _ => None,
        };
        let cte = self.ctes.iter().rev().find(|cte| Some(&cte.name) == name.as_ref());
        let Some(Cte { relations, columns, width, .. }) = cte.cloned() else {
            self.count(1)?;
            return self.read(OF_A_TABLE);
        };
        self.count(relations.max(1))?;
        self.spread(columns)?;
        self.read(width)
    }

    fn post_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Excess> {
        if matches!(factor, TableFactor::Derived { .. }) { self.read(self.width) } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<Excess> {
        self.depth += 1;
        if self.depth > DEPTH { ControlFlow::Break(Excess::Depth) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Excess> {
        self.depth -= 1;
        self.fields = self.fields.max(parts(expr));
        match expr {
            // Of a value with fields each becomes a column.
            Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("unnest") => self.spread(self.fields),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Of how many values one is made.
fn parts(expr: &Expr) -> u64 {
    let parts = match expr {
        Expr::Function(call) => match &call.args {
            FunctionArguments::List(list) => list.args.len(),
            _ => 0,
        },
        Expr::Struct { values, .. } | Expr::Tuple(values) => values.len(),
        Expr::Dictionary(fields) => fields.len(),
        _ => 0,
    };
    parts as u64
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
