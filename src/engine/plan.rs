//! Checking a model: from the text of its file to its schema and lineage, or to everything that is wrong with it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Spanned as _, Value, visit_expressions_mut};

use crate::diagnostic::{Problem, Problems, SourceFile, Span};
use crate::engine::lineage::{self, Lineage, TableLineage};
use crate::engine::locate::Names;
use crate::engine::statement::{self, Parsed};
use crate::engine::{CATALOG, DEFAULT_SCHEMA, Engine, problem, rules};

/// How often a statement is planned again to find further unknown columns.
const ROUNDS: usize = 40;

/// A model without mistakes.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its columns. View, large and dictionary types stand as the plain types that they show.
    pub schema: SchemaRef,
    /// Where its columns and rows come from.
    pub lineage: TableLineage,
    /// Its file.
    pub file: Arc<SourceFile>,
    items: Option<Vec<Span>>,
}

impl Planned {
    /// Name of the table: the stem of the file.
    pub fn table(&self) -> &str {
        table_of(&self.file)
    }

    /// Its columns with all that they derive from, in this file.
    pub fn columns(&self) -> &[Lineage] {
        &self.lineage.columns
    }

    /// Where an output column is made: its alias or its expression in the SELECT list.
    pub fn place(&self, column: &str) -> Option<Span> {
        let at = self.schema.fields().iter().position(|field| field.name() == column)?;
        self.items.as_ref()?.get(at).cloned()
    }
}

/// Name of the table that a model's file makes.
pub(super) fn table_of(file: &SourceFile) -> &str {
    Path::new(&file.path).file_stem().and_then(|stem| stem.to_str()).unwrap_or(&file.path)
}

impl Engine {
    /// Checks a model against the tables that are registered, with or without rows: names, types, that it is one
    /// SELECT, and that the same inputs can only give the same rows.
    pub fn plan(&self, file: &Arc<SourceFile>) -> Result<Planned, Vec<Problem>> {
        let parsed = statement::parse_model(file)?;
        let plan = self.checked(&parsed)?;
        let table = table_of(file);
        let lineage = lineage::of_plan(table, &plan).map_err(|unsupported| {
            let message = format!("{} cannot be followed from its columns to their origins", unsupported.0);
            vec![
                Problem::of_file("sql::unsupported_node", message, file)
                    .help("write it as joins, unions, aggregates and subqueries"),
            ]
        })?;
        let broken = rules::problems(&plan, &parsed);
        if !broken.is_empty() {
            return Err(sorted(broken));
        }
        // The optimiser is what finds types that do not go together.
        if let Err(error) = self.context.state().optimize(&plan) {
            return Err(sorted(of_optimizer(&error, &plan, &parsed)));
        }
        let schema = plain_schema(plan.schema());
        Ok(Planned { schema, lineage, file: Arc::clone(file), items: statement::select_items(&parsed) })
    }

    /// Plan of a model as it was written, or everything that is wrong with its names.
    pub(super) fn checked(&self, parsed: &Parsed) -> Result<LogicalPlan, Vec<Problem>> {
        let names = Names::of(parsed);
        let mut found = names.refused.clone();
        found.extend(names.parameters.iter().cloned());
        found.extend(names.unknown_tables(&self.table_names()));
        found.extend(self.check_functions(&names));
        if found.is_empty() {
            match self.logical_plan(parsed) {
                Ok(plan) => return Ok(plan),
                Err(error) => found = self.all_mistakes(&error, parsed),
            }
            names.place(&mut found);
        }
        Err(sorted(found))
    }

    /// Tables of the default schema: those that models can name.
    fn table_names(&self) -> BTreeSet<String> {
        let catalog = self.context.catalog(CATALOG);
        let schema = catalog.and_then(|catalog| catalog.schema(DEFAULT_SCHEMA));
        schema.map(|schema| schema.table_names().into_iter().collect()).unwrap_or_default()
    }

    fn logical_plan(&self, parsed: &Parsed) -> Result<LogicalPlan, DataFusionError> {
        // Tables are in memory: nothing here waits.
        futures::executor::block_on(self.context.state().statement_to_plan(parsed.statement()))
    }

    /// The planner stops at the first unknown column of each clause. Each is replaced by NULL and the statement planned
    /// again, until all are found.
    fn all_mistakes(&self, error: &DataFusionError, parsed: &Parsed) -> Vec<Problem> {
        let mut problems = problem::from_error(error, &parsed.file);
        let mut parsed = parsed.clone();
        let mut found = problems.clone();
        for _ in 0..ROUNDS {
            if found.iter().filter(|problem| null_out(&mut parsed, problem)).count() == 0 {
                break;
            }
            let Err(error) = self.logical_plan(&parsed) else { break };
            found = problem::from_error(&error, &parsed.file);
            // Others may follow from the NULLs.
            found.retain(|problem| is_column_problem(problem) && !problems.contains(problem));
            problems.extend(found.iter().cloned());
        }
        problems
    }
}

fn of_optimizer(error: &DataFusionError, plan: &LogicalPlan, parsed: &Parsed) -> Vec<Problem> {
    let place = ill_typed(plan).map(|span| problem::to_span(&parsed.file, span));
    let mut problems = problem::from_error(error, &parsed.file);
    for problem in problems.iter_mut().filter(|problem| problem.label.is_none()) {
        problem.label = place.clone().map(|span| (span, "here".to_owned()));
    }
    Names::of(parsed).place(&mut problems);
    problems
}

/// By place, each once.
pub(super) fn sorted(found: Vec<Problem>) -> Vec<Problem> {
    let problems = Problems::new();
    for problem in found {
        problems.push(problem);
    }
    problems.into_sorted()
}

fn is_column_problem(problem: &Problem) -> bool {
    matches!(problem.code, "sql::unknown_column" | "sql::ambiguous_column")
}

/// Replaces the column that a problem points at by NULL; says whether there was one.
fn null_out(parsed: &mut Parsed, problem: &Problem) -> bool {
    let Some((span, _)) = problem.label.as_ref().filter(|_| is_column_problem(problem)) else { return false };
    let file = Arc::clone(&parsed.file);
    let mut replaced = false;
    let visited: ControlFlow<()> = visit_expressions_mut(&mut parsed.query, |expr| {
        let is_name = matches!(expr, SqlExpr::Identifier(_) | SqlExpr::CompoundIdentifier(_));
        if is_name && statement::to_span(&file, expr.span()).start == span.start {
            *expr = SqlExpr::Value(Value::Null.into());
            replaced = true;
        }
        ControlFlow::Continue(())
    });
    replaced && visited.is_continue()
}

/// What the expressions of a node can name.
pub(super) fn input_schema(node: &LogicalPlan) -> DFSchema {
    let inputs = node.inputs();
    if inputs.is_empty() { DFSchema::clone(node.schema()) } else { merge_schema(&inputs) }
}

/// Place of the innermost expression whose types do not go together.
fn ill_typed(plan: &LogicalPlan) -> Option<datafusion::common::Span> {
    let mut place = None;
    let walked = plan.apply_with_subqueries(|node| {
        let schema = input_schema(node);
        node.apply_expressions(|expr| {
            if place.is_none() {
                place = ill_typed_part(expr, &schema);
            }
            Ok(TreeNodeRecursion::Continue)
        })
    });
    walked.ok().and(place)
}

fn ill_typed_part(expr: &Expr, schema: &DFSchema) -> Option<datafusion::common::Span> {
    let mut place = None;
    let walked = expr.apply_children(|child| {
        place = ill_typed_part(child, schema);
        Ok(if place.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    if place.is_none() && walked.is_ok() && expr.get_type(schema).is_err() {
        place = first_span(expr);
    }
    place
}

/// Place of the first column in an expression.
pub(super) fn first_span(expr: &Expr) -> Option<datafusion::common::Span> {
    let mut place = None;
    let walked = expr.apply(|part| {
        if let Expr::Column(column) = part {
            place = column.spans().first();
        }
        Ok(if place.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    walked.ok().and(place)
}

fn plain_schema(schema: &DFSchema) -> SchemaRef {
    let field = |field: &Arc<Field>| Field::new(field.name(), plain_type(field.data_type()), field.is_nullable());
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

/// The type without the way in which it is held in memory.
fn plain_type(held: &DataType) -> DataType {
    let item = |field: &Arc<Field>| DataType::List(Arc::new(Field::new("item", plain_type(field.data_type()), true)));
    match held {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, value) => plain_type(value),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => item(field),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
