//! What a model may not do though it plans.
//!
//! The same inputs must give the same rows. The engine works in parallel: rows come in any order, and sums of floats
//! differ in their last bits with it. A model may therefore not depend on the order of rows unless it says which.
//!
//! A check must find what a run would stumble over: conversions that no value survives, and texts compared with
//! numbers, which are converted row by row until one is no number.

use arrow::compute::can_cast_types;
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::{Distinct, Expr, ExprSchemable, LogicalPlan};

use crate::diagnostic::{Problem, Span};
use crate::engine::locate::Names;
use crate::engine::plan::{first_span, input_schema};
use crate::engine::problem;
use crate::engine::statement::Parsed;

/// Aggregates whose result depends on the order in which rows come.
const ORDERED: [&str; 5] = ["first_value", "last_value", "nth_value", "array_agg", "string_agg"];

/// Aggregates that work in floats whatever they are given, or in sketches that depend on the order.
const FLOATING: [&str; 13] = [
    "approx_median",
    "approx_percentile_cont",
    "approx_percentile_cont_with_weight",
    "corr",
    "covar_pop",
    "covar_samp",
    "stddev",
    "stddev_pop",
    "var",
    "var_pop",
    "covar",
    "stddev_samp",
    "var_samp",
];

/// Problems with what breaks the rules.
pub(super) fn problems(plan: &LogicalPlan, parsed: &Parsed) -> Vec<Problem> {
    let mut finder = Finder { parsed, names: Names::of(parsed), found: Vec::new() };
    let walked = plan.apply_with_subqueries(|node| {
        let schema = input_schema(node);
        finder.node(node, &schema);
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                finder.expr(part, &schema);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    match walked {
        Ok(_) => finder.found,
        Err(error) => problem::from_error(&error, &parsed.file),
    }
}

struct Finder<'a> {
    parsed: &'a Parsed,
    names: Names,
    found: Vec<Problem>,
}

impl Finder<'_> {
    fn node(&mut self, node: &LogicalPlan, schema: &DFSchema) {
        match node {
            LogicalPlan::Limit(limit) if !is_sorted(&limit.input) => {
                let message = "LIMIT without ORDER BY takes any rows";
                let help = "order by a key, so that it is clear which rows are taken";
                self.push("sql::not_deterministic", message, help, self.names.limit());
            }
            LogicalPlan::Distinct(Distinct::On(on)) if on.sort_expr.is_none() => {
                let message = "DISTINCT ON without ORDER BY takes any row of several";
                let span = self.place(on.on_expr.first());
                self.push("sql::not_deterministic", message, "order by the same columns and a key", span);
            }
            LogicalPlan::Join(join) => {
                for (left, right) in &join.on {
                    self.compared(left, right, schema);
                }
            }
            _ => {}
        }
    }

    fn expr(&mut self, expr: &Expr, schema: &DFSchema) {
        match expr {
            Expr::AggregateFunction(call) => self.aggregate(call, schema),
            Expr::WindowFunction(call) => self.window(call, schema),
            Expr::Cast(cast) => self.cast(&cast.expr, cast.field.data_type(), schema),
            Expr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type(), schema),
            Expr::BinaryExpr(binary) if binary.op.supports_propagation() => {
                self.compared(&binary.left, &binary.right, schema);
            }
            Expr::InList(list) => {
                for item in &list.list {
                    self.compared(&list.expr, item, schema);
                }
            }
            Expr::Between(between) => {
                self.compared(&between.expr, &between.low, schema);
                self.compared(&between.expr, &between.high, schema);
            }
            _ => {}
        }
    }

    fn cast(&mut self, value: &Expr, to: &DataType, schema: &DFSchema) {
        let Ok(from) = value.get_type(schema) else { return };
        if !can_cast_types(&from, to) {
            let span = self.place(Some(value));
            let help = "take an item of the list, or its `nombre`; see the contract for the column's type";
            self.push("sql::type_mismatch", format!("{from} cannot become {to}"), help, span);
        }
    }

    fn compared(&mut self, left: &Expr, right: &Expr, schema: &DFSchema) {
        let (Ok(left_type), Ok(right_type)) = (left.get_type(schema), right.get_type(schema)) else { return };
        let text = if left_type.is_string() && right_type.is_numeric() {
            left
        } else if right_type.is_string() && left_type.is_numeric() {
            right
        } else {
            return;
        };
        // A literal is converted once, while planning, and told about there.
        if !matches!(text, Expr::Literal(..)) {
            let span = self.place(Some(text));
            let help = "put quotes around the number, or CAST the text when every row holds a number";
            self.push("sql::type_mismatch", "a text is compared with a number", help, span);
        }
    }

    fn aggregate(&mut self, call: &AggregateFunction, schema: &DFSchema) {
        let name = call.func.name();
        let arg = call.params.args.first();
        if ORDERED.contains(&name) && call.params.order_by.is_empty() {
            let message = format!("`{name}` without ORDER BY depends on the order of rows");
            self.push_call(&message, &format!("write {name}(… ORDER BY a key)"), name, arg);
        }
        self.floats(name, arg, schema);
    }

    fn window(&mut self, call: &WindowFunction, schema: &DFSchema) {
        let name = call.fun.name();
        let arg = call.params.args.first();
        let order_free = ["count", "sum", "avg", "min", "max", "median"].contains(&name);
        if !order_free && call.params.order_by.is_empty() {
            let message = format!("`{name}` over a window without ORDER BY depends on the order of rows");
            self.push_call(&message, "order the window by a key", name, arg);
        }
        self.floats(name, arg, schema);
    }

    fn floats(&mut self, name: &str, arg: Option<&Expr>, schema: &DFSchema) {
        let float = arg.and_then(|arg| arg.get_type(schema).ok()).is_some_and(|found| is_float(&found));
        if FLOATING.contains(&name) || name.starts_with("regr_") {
            let message = format!("`{name}` adds floats in the order of rows");
            self.push_call(&message, "compute it from sums of integers or decimals", name, arg);
        } else if float && ["sum", "avg", "mean"].contains(&name) {
            let message = format!("`{name}` of floats differs in its last digits with the order of rows");
            let help = "sum integers or decimals, as in sum(CAST(x AS DECIMAL(18, 6))), and divide at the end";
            self.push_call(&message, help, name, arg);
        }
    }

    /// A problem with a call: at its only place, else at its first column.
    fn push_call(&mut self, message: &str, help: &str, name: &str, arg: Option<&Expr>) {
        let span = self.names.call(name).or_else(|| self.place(arg));
        self.push("sql::not_deterministic", message, help, span);
    }

    fn place(&self, expr: Option<&Expr>) -> Option<Span> {
        expr.and_then(first_span).map(|span| problem::to_span(&self.parsed.file, span))
    }

    fn push(&mut self, code: &'static str, message: impl Into<String>, help: &str, span: Option<Span>) {
        self.found.push(problem::placed(code, message, &self.parsed.file, span).help(help));
    }
}

fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float16 | DataType::Float32 | DataType::Float64)
}

/// Whether a relation comes in an order, or cannot have several rows.
fn is_sorted(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) | LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Projection(projection) => is_sorted(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_sorted(&alias.input),
        LogicalPlan::Limit(limit) => is_sorted(&limit.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}
