//! How much a row of a query may weigh, told from its plan.
//!
//! The memory limit counts what operators hold, not what functions make: `repeat('x', 1000000000)`, a text that is
//! joined to itself thirty times, or a replacement that grows with every pass would take all memory in one call, which
//! nothing interrupts. So the widths of all that is computed are estimated from below to above, and a plan that exceeds
//! [`ROW`] for a row is refused before anything is folded or run. Columns of tables are taken for [`NOMINAL`] bytes:
//! the estimate bounds how much a query can *grow* what it reads.

mod fixed;

use arrow::array::Array as _;
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError, ScalarValue, plan_datafusion_err};
use datafusion::logical_expr::expr::{HigherOrderFunction, ScalarFunction};
use datafusion::logical_expr::{Distinct, Expr, ExprSchemable, LogicalPlan, Operator};

use self::fixed::{fixed, laid_out};
use crate::engine::plan::input_schema;

/// Most bytes that are computed for a row, all steps of its expressions taken together.
pub(super) const ROW: u64 = 32 << 10;
/// A text or list of a table.
const NOMINAL: u64 = 256;
/// What a window may compute before it gives it to many rows.
const COMPUTED: u64 = 2 * NOMINAL;
/// A number, a date, a flag.
const FIXED: u64 = 16;
/// Aggregates that gather all values of a group.
pub(super) const GATHERING: [&str; 2] = ["array_agg", "string_agg"];
/// What a pattern of a date grows to at most: `%+` gives 35 characters.
const DATE: u64 = 18;
/// Longest regular expression.
const PATTERN: usize = 1000;
/// Most repetitions that the counts of a regular expression multiply to.
const REPETITIONS: u64 = 1000;

/// What a node reads: names and widths of its columns.
type Input = (DFSchema, Vec<u64>);

/// Refuses a plan whose rows could grow too heavy, or whose regular expressions could take too long.
pub(super) fn check(plan: &LogicalPlan) -> Result<(), DataFusionError> {
    Walk { outer: Vec::new(), lambda: Vec::new(), spent: 0 }.node(plan).map(|_| ())
}

struct Walk {
    /// What the queries around a subquery read, the innermost last.
    outer: Vec<Vec<Input>>,
    /// Widths of the elements that the lambdas around an expression are called with.
    lambda: Vec<u64>,
    /// What the present node computes for a row.
    spent: u64,
}

impl Walk {
    /// Widths of a node's columns.
    fn node(&mut self, plan: &LogicalPlan) -> Result<Vec<u64>, DataFusionError> {
        let mut inputs: Vec<Input> = Vec::new();
        for input in plan.inputs() {
            // What stands at the right of a LATERAL join reads what stands at its left.
            let lateral = matches!(plan, LogicalPlan::Join(_)) && !inputs.is_empty();
            if lateral {
                self.outer.push(inputs.clone());
            }
            let widths = self.node(input)?;
            if lateral {
                self.outer.pop();
            }
            inputs.push((input.schema().as_ref().clone(), widths));
        }
        let spent = std::mem::take(&mut self.spent);
        let mut widths = Vec::new();
        let mut failed = None;
        plan.apply_expressions(|expr| {
            match self.expr(expr, &inputs, plan) {
                Ok(width) => widths.push(width),
                Err(error) => failed = Some(error),
            }
            Ok(if failed.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        self.spent = spent;
        match failed {
            Some(error) => Err(error),
            None => Ok(outputs(plan, &inputs, &widths)),
        }
    }

    fn spend(&mut self, bytes: u64) -> Result<u64, DataFusionError> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > ROW {
            let most = ROW >> 10;
            return Err(plan_datafusion_err!("more than {most} KiB could be computed for a single row"));
        }
        Ok(bytes)
    }

    fn expr(&mut self, expr: &Expr, inputs: &[Input], plan: &LogicalPlan) -> Result<u64, DataFusionError> {
        match expr {
            Expr::Alias(alias) => self.expr(&alias.expr, inputs, plan),
            Expr::Column(column) => Ok(width_of(column, inputs).unwrap_or(NOMINAL)),
            Expr::OuterReferenceColumn(_, column) => {
                Ok(self.outer.iter().rev().find_map(|inputs| width_of(column, inputs)).unwrap_or(NOMINAL))
            }
            // A long literal is laid out for every row.
            Expr::Literal(value, _) => match literal(value) {
                long if long > NOMINAL => self.spend(long),
                short => Ok(short),
            },
            Expr::Placeholder(_) => Ok(NOMINAL),
            Expr::LambdaVariable(_) => Ok(self.lambda.last().copied().unwrap_or(NOMINAL)),
            Expr::BinaryExpr(binary) => {
                let left = self.expr(&binary.left, inputs, plan)?;
                let right = self.expr(&binary.right, inputs, plan)?;
                if is_match(binary.op) {
                    pattern(&binary.right)?;
                }
                match binary.op {
                    Operator::StringConcat => self.spend(left.saturating_add(right)),
                    Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                        Ok(FIXED)
                    }
                    op if op.supports_propagation() || op.is_logic_operator() || is_match(op) => Ok(1),
                    _ => self.spend(left.saturating_add(right)),
                }
            }
            Expr::SimilarTo(like) => {
                self.children(expr, inputs, plan)?;
                pattern(&like.pattern)?;
                Ok(1)
            }
            Expr::Cast(cast) => self.cast(&cast.expr, cast.field.data_type(), inputs, plan),
            Expr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type(), inputs, plan),
            Expr::Case(_) | Expr::InList(_) => {
                let widest = self.children(expr, inputs, plan)?.into_iter().max().unwrap_or(0);
                if matches!(expr, Expr::InList(_)) { Ok(1) } else { self.spend(widest) }
            }
            Expr::ScalarFunction(call) => self.call(call, inputs, plan),
            Expr::HigherOrderFunction(call) => self.higher(call, inputs, plan),
            Expr::AggregateFunction(call) => {
                let widest = self.children(expr, inputs, plan)?.into_iter().max().unwrap_or(0);
                Ok(aggregated(call.func.name(), widest))
            }
            Expr::WindowFunction(call) if GATHERING.contains(&call.fun.name()) => {
                let name = call.fun.name();
                Err(plan_datafusion_err!("`{name}` OVER a window would give all rows to every row"))
            }
            Expr::WindowFunction(call) => {
                let widest = self.children(expr, inputs, plan)?.into_iter().max().unwrap_or(0);
                let width = aggregated(call.fun.name(), widest);
                // What a window gives to many rows is counted by the columns that it reads.
                let read = call.params.args.iter().all(|arg| matches!(arg, Expr::Column(_) | Expr::Literal(..)));
                if width > COMPUTED && !read {
                    let name = call.fun.name();
                    return Err(plan_datafusion_err!(
                        "`{name}` OVER a window takes a column, not a text that is computed"
                    ));
                }
                Ok(width)
            }
            Expr::ScalarSubquery(subquery) => {
                Ok(self.subquery(&subquery.subquery, inputs)?.first().copied().unwrap_or(NOMINAL))
            }
            Expr::Exists(exists) => self.subquery(&exists.subquery.subquery, inputs).map(|_| 1),
            Expr::InSubquery(inside) => {
                self.expr(&inside.expr, inputs, plan)?;
                self.subquery(&inside.subquery.subquery, inputs).map(|_| 1)
            }
            Expr::SetComparison(compared) => {
                self.expr(&compared.expr, inputs, plan)?;
                self.subquery(&compared.subquery.subquery, inputs).map(|_| 1)
            }
            _ => Ok(self.children(expr, inputs, plan)?.into_iter().max().unwrap_or(1)),
        }
    }

    fn children(&mut self, expr: &Expr, inputs: &[Input], plan: &LogicalPlan) -> Result<Vec<u64>, DataFusionError> {
        let mut widths = Vec::new();
        expr.apply_children(|child| {
            widths.push(self.expr(child, inputs, plan)?);
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(widths)
    }

    fn subquery(&mut self, plan: &LogicalPlan, inputs: &[Input]) -> Result<Vec<u64>, DataFusionError> {
        self.outer.push(inputs.to_vec());
        let widths = self.node(plan);
        self.outer.pop();
        widths
    }

    fn cast(
        &mut self,
        value: &Expr,
        to: &DataType,
        inputs: &[Input],
        plan: &LogicalPlan,
    ) -> Result<u64, DataFusionError> {
        let width = self.expr(value, inputs, plan)?;
        match fixed(to) {
            Some(width) => self.spend(width),
            None => self.spend(width.max(FIXED).saturating_add(reserved(to, [value], width))),
        }
    }

    fn call(&mut self, call: &ScalarFunction, inputs: &[Input], plan: &LogicalPlan) -> Result<u64, DataFusionError> {
        let name = call.func.name();
        let widths =
            call.args.iter().map(|arg| self.expr(arg, inputs, plan)).collect::<Result<Vec<u64>, DataFusionError>>()?;
        let of = |at: usize| widths.get(at).copied().unwrap_or(0);
        let sum = widths.iter().fold(FIXED, |sum, width| sum.saturating_add(*width));
        let times = |at: usize| {
            let many = call.args.get(at).and_then(number);
            many.ok_or_else(|| plan_datafusion_err!("`{name}` takes a number that is written out, not a computed one"))
        };
        if name.starts_with("regexp_")
            && let Some(expr) = call.args.get(1)
        {
            pattern(expr)?;
        }
        let width = match name {
            "repeat" | "array_repeat" => of(0).max(1).saturating_mul(times(1)?),
            "lpad" | "rpad" => of(0).max(times(1)?.saturating_mul(4)),
            "array_resize" => of(0).saturating_add(times(1)?.saturating_mul(of(2).max(FIXED))),
            "replace" | "regexp_replace" | "array_replace" | "array_replace_n" | "array_replace_all" => {
                let found = call.args.get(1).and_then(text).map_or(1, str::len).max(1) as u64;
                let found = if name == "replace" { found } else { 1 };
                of(0).saturating_add((of(0) / found + 1).saturating_mul(of(2)))
            }
            "regexp_match" => {
                let groups = call.args.get(1).and_then(text).map_or(0, |text| text.matches('(').count());
                of(0).saturating_mul(groups as u64 + 1)
            }
            "array_to_string" | "array_join" => {
                sum.saturating_add(elements(call.args.first(), of(0)).saturating_mul(of(1).saturating_add(of(2))))
            }
            "concat_ws" => sum.saturating_add(of(0).saturating_mul(widths.len() as u64)),
            "levenshtein" => of(0).saturating_mul(of(1)) / FIXED,
            "encode" => sum.saturating_mul(2),
            "string_to_array" => sum.saturating_mul(5),
            "to_char" => of(1).saturating_mul(DATE).saturating_add(FIXED),
            _ => sum,
        };
        // Quadratic work is bounded like width, whatever the type of its result.
        let kind = if name == "levenshtein" { None } else { call.type_of(inputs, plan) };
        let Some(kind) = kind else { return self.spend(width) };
        self.spend(fixed(&kind).unwrap_or_else(|| width.saturating_add(reserved(&kind, &call.args, sum))))
    }

    /// Functions that call a lambda for every element of a list.
    fn higher(
        &mut self,
        call: &HigherOrderFunction,
        inputs: &[Input],
        plan: &LogicalPlan,
    ) -> Result<u64, DataFusionError> {
        let mut width = 0_u64;
        let mut many = 1;
        for arg in &call.args {
            if let Expr::Lambda(lambda) = arg {
                self.lambda.push(width);
                let body = self.expr(&lambda.body, inputs, plan);
                self.lambda.pop();
                width = width.saturating_add(body?.saturating_mul(many));
            } else {
                let list = self.expr(arg, inputs, plan)?;
                width = width.saturating_add(list);
                many = many.max(elements(Some(arg), list));
            }
        }
        self.spend(width)
    }
}

/// What a call of a function gives.
trait Typed {
    fn type_of(&self, inputs: &[Input], plan: &LogicalPlan) -> Option<DataType>;
}

impl Typed for ScalarFunction {
    fn type_of(&self, inputs: &[Input], plan: &LogicalPlan) -> Option<DataType> {
        let call = Expr::ScalarFunction(self.clone());
        match inputs {
            [(schema, _)] => call.get_type(schema).ok(),
            _ => call.get_type(&input_schema(plan)).ok(),
        }
    }
}

/// Widths of a node's columns, from those of its inputs and of its expressions.
fn outputs(plan: &LogicalPlan, inputs: &[Input], expressions: &[u64]) -> Vec<u64> {
    let schema = plan.schema();
    let same = |width: u64| schema.fields().iter().map(move |field| fixed(field.data_type()).unwrap_or(width));
    match (plan, inputs) {
        (LogicalPlan::TableScan(_), _) => same(NOMINAL).collect(),
        (LogicalPlan::Projection(_), _) => expressions.to_vec(),
        // What it compares comes first, then what it gives, then what it sorts by.
        (LogicalPlan::Distinct(Distinct::On(on)), _) => {
            expressions.iter().skip(on.on_expr.len()).take(on.select_expr.len()).copied().collect()
        }
        (LogicalPlan::Aggregate(_) | LogicalPlan::Values(_), _) => {
            same(expressions.iter().copied().max().unwrap_or(NOMINAL)).collect()
        }
        (LogicalPlan::Window(_), [(_, widths)]) => widths.iter().chain(expressions).copied().collect(),
        (LogicalPlan::Unnest(unnest), [(_, widths)]) => {
            unnest.dependency_indices.iter().map(|at| widths.get(*at).copied().unwrap_or(NOMINAL)).collect()
        }
        (LogicalPlan::Union(_), _) => {
            let widest = |at: usize| inputs.iter().filter_map(|(_, widths)| widths.get(at)).copied().max();
            (0..schema.fields().len()).map(|at| widest(at).unwrap_or(NOMINAL)).collect()
        }
        (_, [(_, widths)]) if widths.len() == schema.fields().len() => widths.clone(),
        _ => {
            let all: Vec<u64> = inputs.iter().flat_map(|(_, widths)| widths.iter().copied()).collect();
            let named = |column: Column| width_of(&column, inputs).unwrap_or(NOMINAL);
            if all.len() == schema.fields().len() { all } else { schema.columns().into_iter().map(named).collect() }
        }
    }
}

fn width_of(column: &Column, inputs: &[Input]) -> Option<u64> {
    inputs.iter().find_map(|(schema, widths)| widths.get(schema.maybe_index_of_column(column)?).copied())
}

fn literal(value: &ScalarValue) -> u64 {
    match (value.try_as_str(), value) {
        (Some(text), _) => text.map_or(1, str::len) as u64,
        // Values that are all null take no memory here.
        (None, ScalarValue::List(list)) => list.get_array_memory_size().max(list.values().len()) as u64,
        (None, other) => {
            let kind = other.data_type();
            fixed(&kind).unwrap_or((other.size() as u64).max(laid_out(&kind)))
        }
    }
}

/// Bytes that values of a type reserve whatever is in them, made of expressions of a width taken together.
fn reserved<'a>(kind: &DataType, made_of: impl IntoIterator<Item = &'a Expr>, width: u64) -> u64 {
    let each = laid_out(kind);
    if each == 0 {
        return 0;
    }
    // A list that is written out has an item for each part of it, one that is computed as many as it has bytes.
    let mut parts = 0_u64;
    for expr in made_of {
        let counted = expr.apply(|_| {
            parts += 1;
            Ok(TreeNodeRecursion::Continue)
        });
        if counted.is_err() {
            return u64::MAX;
        }
    }
    each.saturating_mul(parts.max(width))
}

/// Whether it is a parameter that is not bound yet: it is judged once it is.
fn unbound(expr: &Expr) -> bool {
    match expr {
        Expr::Placeholder(_) => true,
        Expr::Alias(alias) => unbound(&alias.expr),
        Expr::Cast(cast) => unbound(&cast.expr),
        _ => false,
    }
}

/// The literal under aliases and casts.
fn bare(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Alias(alias) => bare(&alias.expr),
        Expr::Cast(cast) => bare(&cast.expr),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    bare(expr)?.try_as_str().flatten()
}

fn number(expr: &Expr) -> Option<u64> {
    if unbound(expr) {
        return Some(1);
    }
    match bare(expr)?.cast_to(&DataType::Int64).ok()? {
        ScalarValue::Int64(number) => Some(u64::try_from(number.unwrap_or(0)).unwrap_or(0)),
        _ => None,
    }
}

/// How many elements a list may have.
fn elements(list: Option<&Expr>, width: u64) -> u64 {
    match list {
        Some(Expr::ScalarFunction(call)) if call.func.name() == "make_array" => call.args.len() as u64,
        _ => width / 8 + 1,
    }
}

/// Aggregates and windows: what gathers rows may be as wide as a row may be, half of it spent.
fn aggregated(name: &str, widest: u64) -> u64 {
    match name {
        name if GATHERING.contains(&name) => ROW / 2,
        "count" | "sum" | "avg" | "row_number" | "rank" | "dense_rank" | "ntile" | "percent_rank" | "cume_dist" => {
            FIXED
        }
        _ => widest.max(FIXED),
    }
}

fn is_match(op: Operator) -> bool {
    matches!(op, Operator::RegexMatch | Operator::RegexIMatch | Operator::RegexNotMatch | Operator::RegexNotIMatch)
}

/// Refuses a regular expression that is computed, or that stands for a machine of too many states.
fn pattern(expr: &Expr) -> Result<(), DataFusionError> {
    if unbound(expr) {
        return Ok(());
    }
    let Some(value) = bare(expr) else {
        return Err(plan_datafusion_err!("a regular expression must be written out, not computed"));
    };
    let Some(text) = value.try_as_str().flatten() else { return Ok(()) };
    let mut product = 1_u64;
    for counted in text.split('{').skip(1) {
        let counts = counted.split('}').next().unwrap_or_default().split(',');
        let most = counts.filter_map(|count| count.trim().parse::<u64>().ok()).max().unwrap_or(1);
        product = product.saturating_mul(most.max(1));
    }
    if text.len() > PATTERN || product > REPETITIONS {
        return Err(plan_datafusion_err!(
            "a regular expression has at most {PATTERN} bytes, and counts that multiply to at most {REPETITIONS}"
        ));
    }
    Ok(())
}
