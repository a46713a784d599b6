//! The lineage rule: nothing personal in a published column, nothing of single respondents without their consent.
//!
//! Every published column is followed to the source columns it derives from. Personal columns may not be reached at
//! all. Columns of a survey may be reached through `count`, `sum` and `avg` only, by tables whose contract declares
//! how their small cells are protected; the rows that respondents agreed to show stand in `<table>_publiques`.

use std::collections::BTreeSet;

use crate::config::pipeline::{Model, Pipeline};
use crate::contract::{Contract, Visibility};
use crate::diagnostic::Problem;
use crate::engine::lineage::{How, Origin};
use crate::model::{ModelPlan, output_place};

/// Where confidentiality is laid down.
const RULE: &str = "design.md section 7";

/// Checks every published model of a pipeline.
pub fn check(pipeline: &Pipeline, plan: &ModelPlan) -> Vec<Problem> {
    let mut problems = Vec::new();
    for model in &pipeline.models {
        if !model.personal {
            problems.extend(undeclared_personal(pipeline, plan, model));
        }
        let published = pipeline.published.contains(&model.name);
        let Some(contract) = model.contract.as_ref().filter(|_| published) else { continue };
        if model.personal {
            problems.push(
                Problem::of_file(
                    "disclosure::personal",
                    format!("model `{}` is declared personal and published", model.name),
                    &model.file,
                )
                .help("publish another model that reads no personal column"),
            );
        }
        let Some(lineage) = plan.lineage(model.name.as_str()) else { continue };
        problems.extend(check_tables(pipeline, model.name.as_str(), contract, &lineage.tables, &model.file));
        for lineage in &lineage.columns {
            let public = contract.column(&lineage.name).is_some_and(|c| c.visibility == Visibility::Public);
            if public {
                let bad = lineage.origins.iter().filter_map(|origin| refusal(pipeline, origin));
                problems.extend(bad.map(|(code, reason)| {
                    let place = output_place(&model.file, &lineage.name);
                    Problem::at(code, format!("column `{}` of `{}` {reason}", lineage.name, model.name), &model.file, place, "published here")
                        .help(format!("{RULE}: count, sum or avg it, read it from `…_publiques`, or do not publish it"))
                }));
            }
        }
    }
    if let Some(contract) = &pipeline.indicators
        && pipeline.published.iter().any(|table| table.as_str() == "indicateurs")
    {
        let reads = BTreeSet::from(["indicateurs".to_owned()]);
        problems.extend(check_tables(pipeline, "indicateurs", contract, &reads, &contract.file));
    }
    problems.extend(published_tables(pipeline));
    problems
}

/// A model that reads a personal column says so in the pipeline.
fn undeclared_personal(pipeline: &Pipeline, plan: &ModelPlan, model: &Model) -> Option<Problem> {
    if pipeline.published.contains(&model.name) {
        return None;
    }
    let columns = &plan.lineage(model.name.as_str())?.columns;
    let origins = columns.iter().flat_map(|column| column.origins.iter().map(move |origin| (column, origin)));
    let (name, path) = origins.into_iter().find_map(|(column, origin)| {
        let (code, _) = refusal(pipeline, origin)?;
        (code == "disclosure::personal").then(|| (column.name.clone(), origin.path.join(" <- ")))
    })?;
    Some(
        Problem::at(
            "disclosure::undeclared_personal",
            format!("model `{}` reads a personal column: {path}", model.name),
            &model.file,
            output_place(&model.file, &name),
            "made here",
        )
        .help(format!("write [model.{}] personal = true in {}; it can then never be published", model.name, pipeline.file.path)),
    )
}

/// A table made from a survey is not published as it is.
fn published_tables(pipeline: &Pipeline) -> Vec<Problem> {
    let survey = pipeline.questionnaire.as_ref().map(|questionnaire| &questionnaire.table);
    let tables = pipeline.tables.iter().filter(|table| Some(&table.name) == survey);
    tables
        .filter(|table| pipeline.published.contains(&table.name))
        .map(|table| {
            Problem::of_file(
                "disclosure::survey_rows",
                format!("`{}` holds one row a respondent and is published", table.name),
                &pipeline.file,
            )
            .help(format!("{RULE}: publish a model that reads `{}_publiques`", table.name))
        })
        .collect()
}

fn check_tables(
    pipeline: &Pipeline,
    model: &str,
    contract: &Contract,
    reads: &BTreeSet<String>,
    file: &std::sync::Arc<crate::diagnostic::SourceFile>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if reads.contains("indicateurs_groupes") {
        problems.push(
            Problem::of_file("disclosure::grouping", format!("`{model}` publishes a grouping of a survey"), file)
                .help(format!("{RULE}: no grouping before secondary suppression and its attack test are in place")),
        );
    }
    let survey = pipeline.questionnaire.as_ref().map(|questionnaire| questionnaire.table.as_str());
    let aggregates = reads.contains("indicateurs") || survey.is_some_and(|survey| reads.contains(survey));
    if aggregates && contract.cell.is_none() {
        problems.push(
            Problem::of_file(
                "disclosure::no_cell",
                format!("`{model}` aggregates answers of a survey, and its contract does not say what protects them"),
                &contract.file,
            )
            .help("add \"essaim\": {\"cell\": {\"respondents\": \"n\", \"base\": \"base\", \"hides\": [\"n\", …]}} and a boolean column `secret`"),
        );
    }
    problems
}

/// Why a column may not be published, when it may not.
fn refusal(pipeline: &Pipeline, origin: &Origin) -> Option<(&'static str, String)> {
    let table = pipeline.tables.iter().find(|table| table.name.as_str() == origin.table)?;
    let path = origin.path.join(" <- ");
    let visibility = table.contract.column(&origin.column).map_or(Visibility::Undeclared, |column| column.visibility);
    let survey = pipeline.questionnaire.as_ref().is_some_and(|q| q.table == table.name);
    match visibility {
        Visibility::Personal => Some(("disclosure::personal", format!("derives from a personal column: {path}"))),
        _ if matches!(origin.how, How::Aggregated(_)) => None,
        Visibility::Public if !survey => None,
        _ if survey => Some(("disclosure::restricted", format!("shows single answers of a survey: {path}"))),
        _ => Some(("disclosure::restricted", format!("derives from a column that is not public: {path}"))),
    }
}
