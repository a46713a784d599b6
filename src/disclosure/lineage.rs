//! The lineage rule: nothing personal in a published column, nothing of single respondents without their consent.
//!
//! Every published column is followed to the source columns it derives from. Personal columns may not be reached at
//! all. Columns of a survey may be reached through `count`, `sum` and `avg` only, by tables whose contract declares
//! how their small cells are protected; the rows that respondents agreed to show stand in `<table>_publiques`.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::pipeline::{Check, Mapping, Model, Pipeline, TableSpec, shown_name};
use crate::config::reading::spelled;
use crate::contract::{Contract, Visibility};
use crate::diagnostic::Problem;
use crate::engine::lineage::{How, Lineage, Origin};
use crate::model::ModelPlan;

/// Where confidentiality is laid down.
const RULE: &str = "design.md section 7";

/// The table of indicators by group.
const GROUPINGS: &str = "indicateurs_groupes";

/// Tables that break the answers of a survey down by group.
fn groupings(pipeline: &Pipeline) -> impl Iterator<Item = &str> {
    let crossed = pipeline.survey_crosstabs().filter(|crosstab| !crosstab.by.is_empty());
    std::iter::once(GROUPINGS).chain(crossed.map(|crosstab| crosstab.name.as_str()))
}

/// Checks every published model of a pipeline. A cross-table is followed like a model that counts; one of a survey is a
/// grouping when it has groups, and aggregates answers when it has none.
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
        let public =
            |column: &&Lineage| contract.column(&column.name).is_some_and(|c| c.visibility == Visibility::Public);
        let columns: Vec<&Lineage> = lineage.columns.iter().filter(public).collect();
        let refused: Vec<Problem> = columns.iter().flat_map(|column| refusals(pipeline, plan, model, column)).collect();
        let counts = |column: &&&Lineage| column.origins.iter().any(|origin| matches!(origin.how, How::Aggregated(_)));
        // Of rows that are refused one by one, nobody asks how their sums are protected.
        let summed = refused.is_empty() || columns.iter().any(|column| counts(&column));
        problems.extend(check_tables(pipeline, model.name.as_str(), contract, &lineage.tables, &model.file, summed));
        problems.extend(refused);
    }
    if let Some(contract) = &pipeline.indicators
        && pipeline.published.iter().any(|table| table.as_str() == "indicateurs")
    {
        let reads = BTreeSet::from(["indicateurs".to_owned()]);
        problems.extend(check_tables(pipeline, "indicateurs", contract, &reads, &contract.file, true));
    }
    problems.extend(published_tables(pipeline));
    problems.extend(personal_checks(pipeline, plan));
    problems
}

/// A check that reads a personal column says so: the rows that fail are kept.
fn personal_checks(pipeline: &Pipeline, plan: &ModelPlan) -> Vec<Problem> {
    let checks = pipeline.checks.iter().filter(|check| !check.personal);
    let problem = |check: &Check| {
        let columns = &plan.check(check.name.as_str())?.columns;
        let path = personal_path(pipeline, columns)?.1;
        let what = format!("check `{}` reads a personal column: {path}", check.name);
        let problem =
            Problem::at("disclosure::undeclared_personal", what, &check.place.file, check.place.span.clone(), "here");
        Some(problem.help("write personal = true in this [[check]]: the rows that fail are kept in the private store"))
    };
    checks.filter_map(problem).collect()
}

/// The first column that derives from a personal one, and by which way.
fn personal_path(pipeline: &Pipeline, columns: &[Lineage]) -> Option<(String, String)> {
    let mut origins = columns.iter().flat_map(|column| column.origins.iter().map(move |origin| (column, origin)));
    origins.find_map(|(column, origin)| {
        let refusal = refusal(pipeline, origin)?;
        (refusal.code == "disclosure::personal").then(|| (column.name.clone(), origin.path.join(" <- ")))
    })
}

/// A model that reads a personal column says so in the pipeline.
fn undeclared_personal(pipeline: &Pipeline, plan: &ModelPlan, model: &Model) -> Option<Problem> {
    if pipeline.published.contains(&model.name) {
        return None;
    }
    let (name, path) = personal_path(pipeline, &plan.lineage(model.name.as_str())?.columns)?;
    Some(
        Problem::at(
            "disclosure::undeclared_personal",
            format!("model `{}` reads a personal column: {path}", model.name),
            &model.file,
            plan.place(model, &name),
            "made here",
        )
        .help(format!(
            "write [model.{}] personal = true in {}; it can then never be published",
            model.name, pipeline.file.path
        )),
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
    summed: bool,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for grouping in groupings(pipeline).filter(|grouping| reads.contains(*grouping)) {
        let message = format!("`{model}` publishes a grouping of a survey");
        let problem = match file.text.find(grouping) {
            Some(at) => Problem::at("disclosure::grouping", message, file, at..at + grouping.len(), "read here"),
            None => Problem::of_file("disclosure::grouping", format!("{message}, by way of another model"), file),
        };
        problems.push(
            problem.help(format!("{RULE}: no grouping before secondary suppression and its attack test are in place")),
        );
    }
    let survey = pipeline.tables.iter().find(|table| is_survey(pipeline, table));
    let answers = survey.into_iter().flat_map(|table| {
        let rejects = table.reject_table.as_ref().map(|rejects| rejects.table.as_str());
        [Some(table.name.as_str()), rejects].into_iter().flatten()
    });
    let whole = pipeline.survey_crosstabs().filter(|crosstab| crosstab.by.is_empty());
    let mut counted = whole.map(|crosstab| crosstab.name.as_str()).chain(["indicateurs"]).chain(answers);
    let aggregates = counted.any(|table| reads.contains(table));
    if aggregates && summed && contract.cell.is_none() {
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

/// Why a column may not be published, and what to do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Refusal {
    code: &'static str,
    reason: &'static str,
    help: String,
}

/// Every reason against publishing a column, each with all ways that lead to it.
fn refusals(pipeline: &Pipeline, plan: &ModelPlan, model: &Model, column: &Lineage) -> Vec<Problem> {
    let mut ways: BTreeMap<Refusal, Vec<String>> = BTreeMap::new();
    // By way of a grouping nothing is published: that is said once, for the whole table.
    let grouped = |step: &String| {
        let table = step.split_once('.').map_or(step.as_str(), |(table, _)| table);
        groupings(pipeline).any(|grouping| grouping == table)
    };
    for origin in column.origins.iter().filter(|origin| !origin.path.iter().any(grouped)) {
        if let Some(refusal) = refusal(pipeline, origin) {
            let ways = ways.entry(refusal).or_default();
            let way = origin.path.join(" <- ");
            // A key of GROUP BY is a value and a choice of rows by one way.
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
    }
    let problem = |(refusal, ways): (Refusal, Vec<String>)| {
        let message = format!("column `{}` of `{}` {}: {}", column.name, model.name, refusal.reason, ways.join(", "));
        let place = plan.place(model, &column.name);
        Problem::at(refusal.code, message, &model.file, place, "published here").help(refusal.help)
    };
    ways.into_iter().map(problem).collect()
}

/// The table that an origin belongs to, and who may see what stands there.
fn seen<'a>(pipeline: &'a Pipeline, origin: &Origin) -> Option<(&'a TableSpec, Visibility)> {
    if let Some(table) = pipeline.tables.iter().find(|table| table.name.as_str() == origin.table) {
        let column = table.contract.column(&origin.column);
        return Some((table, column.map_or(Visibility::Undeclared, |column| column.visibility)));
    }
    let rejects =
        |table: &&TableSpec| table.reject_table.as_ref().is_some_and(|own| own.table.as_str() == origin.table);
    let table = pipeline.tables.iter().find(rejects)?;
    let columns = &table.reject_table.as_ref()?.columns;
    // Beside the cells: where the row stands, and a reason that the project words.
    let Some((_, source)) = columns.iter().find(|(name, _)| *name == origin.column) else {
        return Some((table, Visibility::Public));
    };
    // A cell is what its source has: it is as visible as what it is read into, and personal when nothing is.
    let mut names = BTreeSet::from([spelled(source)]);
    for derived in &table.derived {
        if derived.from.iter().any(|from| names.contains(&spelled(from))) {
            names.extend(derived.names());
        }
    }
    let reads = |mapping: &&Mapping| mapping.from.iter().any(|from| names.contains(&spelled(from)));
    let read = table.mappings.iter().filter(reads).filter_map(|mapping| table.contract.columns.get(mapping.column));
    let visibilities: Vec<Visibility> = read.map(|column| column.visibility).collect();
    let public = !visibilities.is_empty() && visibilities.iter().all(|seen| *seen == Visibility::Public);
    Some((table, if public { Visibility::Public } else { Visibility::Personal }))
}

/// Whether a table holds answers of a survey.
fn is_survey(pipeline: &Pipeline, table: &TableSpec) -> bool {
    pipeline.questionnaire.as_ref().is_some_and(|questionnaire| questionnaire.table == table.name)
}

/// Why a column with this origin may not be published, when it may not.
fn refusal(pipeline: &Pipeline, origin: &Origin) -> Option<Refusal> {
    let (table, visibility) = seen(pipeline, origin)?;
    // Who was turned away is an answer too.
    let rejected = table.name.as_str() != origin.table && table.consent.is_some();
    let survey = is_survey(pipeline, table) || rejected;
    let shown = match table.consent {
        Some(_) => format!("read it from `{}`", shown_name(&table.name)),
        None => format!("ask for consent in [table.{}.consent]", table.name),
    };
    let restricted = |reason, way_out: &str| Refusal {
        code: "disclosure::restricted",
        reason,
        help: format!("{RULE}: count, sum or avg it, {way_out}, or do not publish it"),
    };
    match (visibility, &origin.how) {
        (Visibility::Personal, _) => Some(Refusal {
            code: "disclosure::personal",
            reason: "derives from a personal column",
            help: format!("{RULE}: a personal column is not published, aggregated neither; leave it out"),
        }),
        (_, How::Aggregated(_)) => None,
        (Visibility::Public, _) if !survey => None,
        (_, How::Raw) if survey => Some(restricted("shows single answers of a survey", &shown)),
        (_, How::Predicate) if survey => {
            Some(restricted("tells single answers of a survey by the choice of its rows", &shown))
        }
        _ => {
            let declared = format!("declare it public in {}", table.contract.file.path);
            Some(restricted("derives from a column that is not public", &declared))
        }
    }
}
