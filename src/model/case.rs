//! Cases of a pipeline against what its tables and models are: names of tables and columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ModelPlan;
use crate::config::REFERENCE_TABLES;
use crate::config::pipeline::{Pipeline, TestCase, TestRows, shown_table};
use crate::contract::Contract;
use crate::diagnostic::{Problem, Spanned};

/// The contract of a table that may be given: a table of a source, or a model that promises something.
pub fn given_contract<'a>(pipeline: &'a Pipeline, name: &str) -> Option<&'a Arc<Contract>> {
    let table = pipeline.tables.iter().find(|table| table.name.as_str() == name).map(|table| &table.contract);
    let model = pipeline.models.iter().find(|model| model.name.as_str() == name);
    table.or_else(|| model.and_then(|model| model.contract.as_ref()))
}

/// Mistakes in the cases of a pipeline. What could not be planned is not reported again.
pub(super) fn problems(pipeline: &Pipeline, plan: &ModelPlan, unread: &BTreeSet<String>) -> Vec<Problem> {
    pipeline.tests.iter().flat_map(|case| of_case(pipeline, plan, unread, case)).collect()
}

fn of_case(pipeline: &Pipeline, plan: &ModelPlan, unread: &BTreeSet<String>, case: &TestCase) -> Vec<Problem> {
    let mut problems = Vec::new();
    for given in &case.given {
        let name = given.table.value.as_str();
        if unread.contains(name) {
            continue;
        }
        match given_contract(pipeline, name) {
            Some(contract) => {
                let columns: Vec<&str> = contract.columns.iter().map(|column| column.name.as_str()).collect();
                problems.extend(unknown_columns(&given.rows, name, &columns));
            }
            None => problems.push(not_given(pipeline, &given.table)),
        }
    }
    let name = case.model.value.as_str();
    if let Some(schema) = plan.schema(name) {
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        problems.extend(unknown_columns(&case.expect, name, &columns));
    } else if !unread.contains(name) && !pipeline.models.iter().any(|model| model.name.as_str() == name) {
        let known: Vec<&str> = pipeline.models.iter().map(|model| model.name.as_str()).collect();
        let what = format!("there is no table `{name}`");
        problems.push(case.model.problem("pipeline::unknown_table", what, "nothing to test").suggest(name, known));
    }
    problems
}

fn not_given(pipeline: &Pipeline, table: &Spanned<String>) -> Problem {
    let name = table.value.as_str();
    let shown = pipeline.tables.iter().filter_map(|table| Some((shown_table(pipeline, table)?.name, &table.name)));
    let from = shown.into_iter().find(|(shown, _)| shown.as_str() == name).map(|(_, table)| table.to_string());
    let tables = pipeline.tables.iter().map(|table| table.name.as_str());
    let models = pipeline.models.iter().filter(|model| model.contract.is_some()).map(|model| model.name.as_str());
    let counted = name.starts_with("indicateurs").then_some(pipeline.questionnaire.as_ref()).flatten();
    let made = from.or_else(|| counted.map(|questionnaire| questionnaire.table.to_string()));
    let crossed = pipeline.crosstabs.iter().map(|crosstab| (&crosstab.name, &crosstab.table));
    let mut declared = crossed.chain(pipeline.longs.iter().map(|long| (&long.name, &long.table)));
    let made = made.or_else(|| declared.find(|(declared, _)| declared.as_str() == name).map(|(_, of)| of.to_string()));
    let problem = table.problem("pipeline::not_given", format!("`{name}` cannot be given to a test"), "not this table");
    match made {
        Some(table) => problem.help(format!("it is made from `{table}`: give rows of that")),
        None if REFERENCE_TABLES.contains(&name) => problem.help("reference tables are there as they are"),
        None if pipeline.models.iter().any(|model| model.name.as_str() == name) => {
            problem.help("a model without a contract has no types to read rows by: give the tables that it reads")
        }
        None => problem.suggest(name, tables.chain(models)),
    }
}

/// Columns that a table does not have, each told once.
fn unknown_columns(rows: &TestRows, table: &str, known: &[&str]) -> Vec<Problem> {
    let mut told = BTreeSet::new();
    let cells = rows.iter().flat_map(|row| &row.cells).map(|(column, _)| column);
    let unknown = cells.filter(|column| !known.contains(&column.value.as_str()) && told.insert(column.value.clone()));
    let problem = |column: &Spanned<String>| {
        let what = format!("`{table}` has no column `{}`", column.value);
        column.problem("pipeline::unknown_column", what, "unknown").suggest(&column.value, known.iter().copied())
    };
    unknown.map(problem).collect()
}
