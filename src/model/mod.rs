//! SQL models: their graph, their order, what they read and what they promise.
//!
//! [`plan`] needs no data: every model is planned against the contracts, so that a mistake in SQL is found before
//! anything is fetched.

mod case;
mod graph;
mod promise;
pub mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::config::pipeline::{Check, Model, Pipeline};
use crate::diagnostic::{Problem, SourceFile, Span, Spanned};
use crate::engine::lineage::{TableLineage, compose};
use crate::engine::{Engine, EngineError};
use crate::id::TableName;
use crate::survey::indicator_schema;

pub use case::given_contract;

/// The models of a pipeline in the order in which they can be built, and where their columns come from.
#[derive(Debug, Default)]
pub struct ModelPlan {
    order: Vec<TableName>,
    lineage: BTreeMap<String, TableLineage>,
    places: BTreeMap<(String, String), Span>,
    reads: BTreeMap<String, BTreeSet<String>>,
    schemas: BTreeMap<String, SchemaRef>,
    checks: BTreeMap<String, TableLineage>,
}

impl ModelPlan {
    /// Models, each after those that it reads.
    pub fn order(&self) -> &[TableName] {
        &self.order
    }

    /// Tables that a model names.
    pub fn reads(&self, model: &str) -> impl Iterator<Item = &str> {
        self.reads.get(model).into_iter().flatten().map(String::as_str)
    }

    /// Where a model makes an output column.
    pub fn place(&self, model: &Model, column: &str) -> Span {
        let key = (model.name.to_string(), column.to_owned());
        self.places.get(&key).cloned().unwrap_or_else(|| first_line(&model.file))
    }

    /// Columns that SQL sees of a table, be it a model or not.
    pub fn schema(&self, table: &str) -> Option<&SchemaRef> {
        self.schemas.get(table)
    }

    /// Tables that a declared check reads, followed down to tables that are no models, and where its columns come from.
    pub fn check(&self, check: &str) -> Option<&TableLineage> {
        self.checks.get(check)
    }

    /// Models that must be built for a table, in order: those that it reads, directly or through others, and itself.
    /// What is given needs nothing.
    pub fn needed(&self, table: &str, given: &dyn Fn(&str) -> bool) -> Vec<&TableName> {
        let mut needed = BTreeSet::from([table]);
        for model in self.order.iter().rev().filter(|model| !given(model.as_str())) {
            if needed.contains(model.as_str()) {
                needed.extend(self.reads.get(model.as_str()).into_iter().flatten().map(String::as_str));
            }
        }
        self.order.iter().filter(|model| needed.contains(model.as_str()) && !given(model.as_str())).collect()
    }

    /// Where the columns and rows of a model come from, followed down to tables that are no models.
    pub fn lineage(&self, model: &str) -> Option<&TableLineage> {
        self.lineage.get(model)
    }
}

/// Schemas of everything a model can read that is not a model.
pub fn base_schemas(pipeline: &Pipeline) -> Vec<(TableName, SchemaRef)> {
    let mut schemas = reference::schemas(pipeline);
    for table in &pipeline.tables {
        schemas.push((table.name.clone(), table.contract.plain_schema()));
        if let Some(shown) = crate::config::pipeline::shown_table(pipeline, table) {
            schemas.push((shown.name, shown.contract.plain_schema()));
        }
    }
    schemas
}

/// Plans all models. Whatever cannot be planned is a problem; the rest is still planned.
pub fn plan(pipeline: &Pipeline, engine: &Engine) -> Result<(ModelPlan, Vec<Problem>), EngineError> {
    let (mut problems, mut plan) = (Vec::new(), ModelPlan::default());
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (name, schema) in base_schemas(pipeline) {
        known.insert(name.to_string());
        plan.schemas.insert(name.to_string(), Arc::clone(&schema));
        engine.register_empty(&name, schema)?;
    }
    for crosstab in &pipeline.crosstabs {
        plan.lineage.insert(crosstab.name.to_string(), reference::lineage(crosstab));
    }
    for long in &pipeline.longs {
        plan.lineage.insert(long.name.to_string(), reference::long_lineage(long));
    }
    // What is declared with a mistake: it exists, and nothing is known of its columns.
    let mut unread: BTreeSet<String> = pipeline.unread.tables.clone();
    known.extend(unread.iter().cloned());
    known.extend(pipeline.models.iter().map(|model| model.name.to_string()));
    let mut references: BTreeMap<&str, Vec<Spanned<String>>> = BTreeMap::new();
    for model in &pipeline.models {
        match engine.references(&model.file) {
            Ok(found) => {
                let (good, bad): (Vec<_>, Vec<_>) = found.into_iter().partition(|name| known.contains(&name.value));
                let whole = bad.is_empty();
                problems.extend(bad.iter().map(|name| unknown_table(name, &known)));
                if whole {
                    references.insert(model.name.as_str(), good);
                }
            }
            Err(found) => problems.extend(found),
        }
    }
    if let Some(contract) = pipeline.indicators.as_ref().filter(|_| pipeline.questionnaire.is_some()) {
        problems.extend(promise::compare(&indicator_schema(false), contract, &contract.file, &|_| {
            first_line(&contract.file)
        }));
    }
    let names: BTreeSet<&str> = pipeline.models.iter().map(|model| model.name.as_str()).collect();
    let order = graph::order(&names, &references, &mut problems);
    plan.reads = references
        .iter()
        .map(|(model, reads)| ((*model).to_owned(), reads.iter().map(|read| read.value.clone()).collect()))
        .collect();
    for name in names.iter().filter(|name| !order.contains(name)) {
        register_promised(pipeline, name, engine, &mut unread)?;
    }
    for name in order {
        let Some(model) = pipeline.models.iter().find(|model| model.name.as_str() == name) else { continue };
        let blind = references.get(name).is_some_and(|reads| reads.iter().any(|read| unread.contains(&read.value)));
        if blind || !plan_one(model, engine, &mut plan, &mut problems)? {
            register_promised(pipeline, name, engine, &mut unread)?;
        }
    }
    for check in &pipeline.checks {
        let found = plan_check(check, engine, &unread, &known, &mut plan);
        problems.extend(found.into_iter().map(|problem| check.placed(problem)));
    }
    problems.extend(case::problems(pipeline, &plan, &unread));
    Ok((plan, problems))
}

/// Plans a declared check like a model; gives its mistakes.
fn plan_check(
    check: &Check,
    engine: &Engine,
    unread: &BTreeSet<String>,
    known: &BTreeSet<String>,
    plan: &mut ModelPlan,
) -> Vec<Problem> {
    let reads = match engine.references(&check.sql) {
        Ok(reads) => reads,
        Err(problems) => return problems,
    };
    let strangers: Vec<Problem> =
        reads.iter().filter(|name| !known.contains(&name.value)).map(|name| unknown_table(name, known)).collect();
    if !strangers.is_empty() || reads.iter().any(|read| unread.contains(&read.value)) {
        return strangers;
    }
    match engine.plan(&check.sql) {
        Ok(planned) => {
            plan.checks.insert(check.name.to_string(), compose(&planned.lineage, &plan.lineage));
            Vec::new()
        }
        Err(problems) => problems,
    }
}

/// A model that cannot be planned stands in for itself by its contract, so that those that read it can be checked.
fn register_promised(
    pipeline: &Pipeline,
    name: &str,
    engine: &Engine,
    unread: &mut BTreeSet<String>,
) -> Result<(), EngineError> {
    let model = pipeline.models.iter().find(|model| model.name.as_str() == name);
    match model.and_then(|model| model.contract.as_ref().map(|contract| (model, contract))) {
        Some((model, contract)) => engine.register_empty(&model.name, contract.plain_schema()),
        None => {
            unread.insert(name.to_owned());
            Ok(())
        }
    }
}

/// Plans a model; says whether it could be.
fn plan_one(
    model: &Model,
    engine: &Engine,
    plan: &mut ModelPlan,
    problems: &mut Vec<Problem>,
) -> Result<bool, EngineError> {
    let name = model.name.as_str();
    let planned = match engine.plan(&model.file) {
        Ok(planned) => planned,
        Err(found) => {
            problems.extend(found);
            return Ok(false);
        }
    };
    let schema = match &model.contract {
        Some(contract) => {
            let place = |column: &str| planned.place(column).unwrap_or_else(|| first_line(&model.file));
            problems.extend(promise::compare(&planned.schema, contract, &model.file, &place));
            contract.plain_schema()
        }
        None => Arc::clone(&planned.schema),
    };
    plan.schemas.insert(name.to_owned(), Arc::clone(&schema));
    engine.register_empty(&model.name, schema)?;
    for column in planned.schema.fields() {
        if let Some(place) = planned.place(column.name()) {
            plan.places.insert((name.to_owned(), column.name().clone()), place);
        }
    }
    plan.lineage.insert(name.to_owned(), compose(&planned.lineage, &plan.lineage));
    plan.order.push(model.name.clone());
    Ok(true)
}

fn unknown_table(name: &Spanned<String>, known: &BTreeSet<String>) -> Problem {
    name.problem("sql::unknown_table", format!("there is no table `{}`", name.value), "neither table, model nor seed")
        .suggest(&name.value, known.iter().map(String::as_str))
}

/// The first line of a file, for problems that have no better place.
fn first_line(file: &SourceFile) -> Span {
    0..file.text.lines().next().map_or(0, str::len)
}
