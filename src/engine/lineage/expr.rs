//! Lineage of expressions.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::{AggregateFunction, Case, WindowFunction};
use datafusion::logical_expr::{Expr, Subquery, WindowFrameBound};

use super::How;
use super::relation::{Sources, Unsupported, Walk, predicate};

/// Aggregates that protect what they take: many rows make one number.
const PROTECTING: [&str; 3] = ["count", "sum", "avg"];

/// What names in an expression stand for.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    schema: &'a DFSchema,
    columns: &'a [Sources],
    outer: Option<&'a Self>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(schema: &'a DFSchema, columns: &'a [Sources], outer: Option<&'a Self>) -> Self {
        Self { schema, columns, outer }
    }

    fn column(&self, column: &Column) -> Option<Sources> {
        let at = self.schema.maybe_index_of_column(column)?;
        self.columns.get(at).cloned()
    }

    fn outer_column(&self, column: &Column) -> Option<Sources> {
        let outer = self.outer?;
        outer.column(column).or_else(|| outer.outer_column(column))
    }
}

impl Walk {
    pub(super) fn sources(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Sources, Unsupported> {
        let unresolved = |column: &Column| Unsupported(format!("reference to column `{column}`"));
        match expr {
            Expr::Column(column) => scope.column(column).ok_or_else(|| unresolved(column)),
            Expr::OuterReferenceColumn(_, column) => scope.outer_column(column).ok_or_else(|| unresolved(column)),
            Expr::Case(case) => self.case(case, scope),
            Expr::AggregateFunction(function) => self.aggregate_function(function, scope),
            Expr::WindowFunction(function) => self.window_function(function, scope),
            Expr::ScalarSubquery(subquery) => self.value_of(subquery, scope),
            Expr::InSubquery(test) => {
                let mut sources = self.sources(&test.expr, scope)?;
                sources.extend(predicate(self.value_of(&test.subquery, scope)?));
                Ok(sources)
            }
            Expr::SetComparison(test) => {
                let mut sources = self.sources(&test.expr, scope)?;
                sources.extend(predicate(self.value_of(&test.subquery, scope)?));
                Ok(sources)
            }
            // Whether there is a row: what the row holds does not matter.
            Expr::Exists(exists) => Ok(self.relation(&exists.subquery.subquery, Some(scope))?.rows),
            // No dialect that we read can write them.
            Expr::HigherOrderFunction(_) | Expr::Lambda(_) | Expr::LambdaVariable(_) => {
                Err(Unsupported("function of a function".to_owned()))
            }
            Expr::Placeholder(_) => Err(Unsupported("parameter".to_owned())),
            Expr::ScalarVariable(..) => Err(Unsupported("variable".to_owned())),
            _ => self.children(expr, scope),
        }
    }

    /// Everything beneath an expression that only combines values.
    fn children(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Sources, Unsupported> {
        let mut sources = Sources::new();
        let mut failed = None;
        let walked = expr.apply_children(|child| match self.sources(child, scope) {
            Ok(more) => {
                sources.extend(more);
                Ok(TreeNodeRecursion::Continue)
            }
            Err(unsupported) => {
                failed = Some(unsupported);
                Ok(TreeNodeRecursion::Stop)
            }
        });
        match (failed, walked) {
            (Some(unsupported), _) => Err(unsupported),
            (None, Err(error)) => Err(Unsupported(error.to_string())),
            (None, Ok(_)) => Ok(sources),
        }
    }

    fn all<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        scope: &Scope<'_>,
    ) -> Result<Sources, Unsupported> {
        let mut sources = Sources::new();
        for expr in exprs {
            sources.extend(self.sources(expr, scope)?);
        }
        Ok(sources)
    }

    fn case(&mut self, case: &Case, scope: &Scope<'_>) -> Result<Sources, Unsupported> {
        let conditions = case.expr.iter().map(AsRef::as_ref).chain(case.when_then_expr.iter().map(|(when, _)| &**when));
        let values =
            case.when_then_expr.iter().map(|(_, then)| &**then).chain(case.else_expr.iter().map(AsRef::as_ref));
        let mut sources = predicate(self.all(conditions, scope)?);
        sources.extend(self.all(values, scope)?);
        Ok(sources)
    }

    fn aggregate_function(&mut self, call: &AggregateFunction, scope: &Scope<'_>) -> Result<Sources, Unsupported> {
        let order = call.params.order_by.iter().map(|by| &by.expr);
        let conditions = call.params.filter.iter().map(AsRef::as_ref).chain(order);
        let mut sources = predicate(self.all(conditions, scope)?);
        sources.extend(self.all(&call.params.args, scope)?);
        Ok(protect(call.func.name(), sources))
    }

    fn window_function(&mut self, call: &WindowFunction, scope: &Scope<'_>) -> Result<Sources, Unsupported> {
        let params = &call.params;
        let frame = &params.window_frame;
        let unbounded = |bound: &WindowFrameBound| match bound {
            WindowFrameBound::Preceding(value) | WindowFrameBound::Following(value) => value.is_null(),
            WindowFrameBound::CurrentRow => false,
        };
        // Without ORDER BY the default frame is the partition, however its end is written.
        let whole = unbounded(&frame.start_bound) && (unbounded(&frame.end_bound) || params.order_by.is_empty());
        let mut sources = predicate(self.all(params.filter.iter().map(AsRef::as_ref), scope)?);
        sources.extend(self.all(&params.args, scope)?);
        if whole {
            sources = protect(call.fun.name(), sources);
        }
        let order = params.order_by.iter().map(|by| &by.expr);
        sources.extend(predicate(self.all(params.partition_by.iter().chain(order), scope)?));
        Ok(sources)
    }

    /// Value of a subquery; the choice of its row is part of it.
    fn value_of(&mut self, subquery: &Subquery, scope: &Scope<'_>) -> Result<Sources, Unsupported> {
        let relation = self.relation(&subquery.subquery, Some(scope))?;
        let mut sources: Sources = relation.columns.into_iter().flatten().collect();
        sources.extend(relation.rows);
        Ok(sources)
    }
}

/// Sources as they are after an aggregate.
fn protect(function: &str, sources: Sources) -> Sources {
    if !PROTECTING.contains(&function) {
        return sources;
    }
    let protected = |how: How| match how {
        How::Raw | How::Predicate => How::Aggregated(function.to_owned()),
        How::Aggregated(beneath) => How::Aggregated(beneath),
    };
    sources.into_iter().map(|(table, column, how)| (table, column, protected(how))).collect()
}
