//! `[crosstab.<name>]`: counts of closed columns by group, declared instead of written in SQL.

use std::sync::Arc;

use super::REFERENCE_TABLES;
use super::pipeline::{CROSSTAB_COLUMNS, Crosstab, Pipeline, TableSpec, shown_name};
use super::questionnaire::{column, describe};
use crate::contract::{Contract, Kind};
use crate::diagnostic::document::{Fields, Value};
use crate::diagnostic::{Problems, Spanned};
use crate::id::TableName;

/// Most columns that rows are grouped by.
const MOST_BY: usize = 2;

/// Reads all cross-tables of a pipeline file, once its tables and models are known.
pub(super) fn crosstabs(top: &Fields<'_>, pipeline: &mut Pipeline, problems: &Problems) {
    for (name, node) in top.named("crosstab") {
        let fields = node.fields(problems);
        match fields.and_then(|fields| crosstab(name, fields, pipeline, problems)) {
            Some(crosstab) => pipeline.crosstabs.push(crosstab),
            None => {
                pipeline.unread.tables.insert(name.value.clone());
            }
        }
    }
}

fn crosstab(name: &Spanned<String>, fields: Fields<'_>, pipeline: &Pipeline, problems: &Problems) -> Option<Crosstab> {
    let own = own_name(name, "cross-table", pipeline, problems);
    let table = fields.required_text("table");
    let by = fields.texts("by");
    let questions = fields.texts("questions");
    match fields.get("questions").map(|node| (node, &node.value)) {
        None => fields.missing("questions"),
        Some((node, Value::List(items))) if items.is_empty() => problems.push(
            node.problem("pipeline::crosstab", format!("cross-table `{}` counts nothing", name.value), "no column")
                .help("name the closed columns whose options are counted"),
        ),
        Some(_) => {}
    }
    fields.finish();
    let help = "cross-tables count rows of sources: count those of a model in a model";
    let spec = known_table(&table?, help, pipeline, problems)?;
    if let Some(third) = by.get(MOST_BY) {
        problems.push(
            third
                .problem("pipeline::crosstab", "a cross-table groups by two columns at most", "one too many")
                .help("leave a column out, or count in a model"),
        );
    }
    let (grouping, asked) = (by.len(), questions.len());
    let by = columns(&by, &spec.contract, "grouped by", problems, &grouping_mistake);
    let questions = columns(&questions, &spec.contract, "counted", problems, &question_mistake);
    let whole = by.len() == grouping && questions.len() == asked && asked > 0 && grouping <= MOST_BY;
    let (table, contract) = (spec.name.clone(), Arc::clone(&spec.contract));
    own.filter(|_| whole).map(|name| Crosstab { name, table, contract, by, questions })
}

/// The name of a table that is declared, which no other table may have.
pub(super) fn own_name(
    name: &Spanned<String>,
    kind: &str,
    pipeline: &Pipeline,
    problems: &Problems,
) -> Option<TableName> {
    let Ok(own) = name.value.parse::<TableName>() else {
        problems.push(
            name.problem("pipeline::table_name", format!("`{}` cannot name a table", name.value), "this name")
                .help("lower-case ASCII letters, digits and `_`"),
        );
        return None;
    };
    let model = pipeline.models.iter().find(|model| model.name == own);
    let shown = pipeline.tables.iter().any(|table| shown_name(&table.name) == own.as_str());
    let crossed = pipeline.crosstabs.iter().any(|crosstab| crosstab.name == own);
    let table = shown || crossed || pipeline.has_table(own.as_str());
    let taken = table || REFERENCE_TABLES.contains(&own.as_str()) || pipeline.unread.tables.contains(own.as_str());
    let what = match model {
        Some(model) => format!("there already is a model `{own}`, in {}", model.file.path),
        None if taken => format!("there already is a table `{own}`"),
        None => return Some(own),
    };
    problems.push(name.problem("pipeline::duplicate_name", what, "taken").help(format!("rename the {kind}")));
    None
}

/// The table of a source that a declared table is made of.
pub(super) fn known_table<'a>(
    table: &Spanned<String>,
    help: &str,
    pipeline: &'a Pipeline,
    problems: &Problems,
) -> Option<&'a TableSpec> {
    let found = pipeline.tables.iter().find(|spec| spec.name.as_str() == table.value);
    if found.is_some() || pipeline.unread.tables.contains(&table.value) {
        return found;
    }
    let what = format!("there is no table `{}`", table.value);
    let problem = table.problem("pipeline::unknown_table", what, "not a table of a source");
    let made = pipeline.models.iter().any(|model| model.name.as_str() == table.value);
    problems.push(if made {
        problem.help(help)
    } else {
        problem.suggest(&table.value, pipeline.tables.iter().map(|spec| spec.name.as_str()))
    });
    None
}

/// Why a column cannot do what is asked of it: a code for it, what is wrong, and what to do.
pub(super) type Mistake = (&'static str, String, &'static str);

/// Indexes of the columns that can do what is asked of them. Of the others, problems tell.
pub(super) fn columns(
    names: &[Spanned<String>],
    contract: &Contract,
    doing: &str,
    problems: &Problems,
    mistake: &dyn Fn(&Contract, usize) -> Option<Mistake>,
) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for name in names {
        let Some(at) = column(name, contract, problems) else { continue };
        if let Some((code, what, help)) = mistake(contract, at) {
            problems.push(name.problem(code, what, describe(&contract.columns[at])).help(help));
        } else if found.contains(&at) {
            let what = format!("`{}` is {doing} twice", name.value);
            problems.push(name.problem("pipeline::duplicate_name", what, "again").help("remove one of the two"));
        } else {
            found.push(at);
        }
    }
    found
}

fn grouping_mistake(contract: &Contract, at: usize) -> Option<Mistake> {
    let column = &contract.columns[at];
    if !column.may_be(&[Kind::Code, Kind::Codes, Kind::Text, Kind::Boolean]) {
        let what = format!("`{}` does not group", column.name);
        return Some(("pipeline::type_mismatch", what, "group by a closed column, a text or a boolean"));
    }
    let own = CROSSTAB_COLUMNS.contains(&column.name.as_str());
    let what = || format!("a cross-table has a column `{}` of its own", column.name);
    own.then(|| ("pipeline::duplicate_name", what(), "rename the column in its contract"))
}

fn question_mistake(contract: &Contract, at: usize) -> Option<Mistake> {
    let column = &contract.columns[at];
    let closed = column.may_be(&[Kind::Code, Kind::Codes]);
    let what = || format!("`{}` has no options to count", column.name);
    (!closed).then(|| ("pipeline::type_mismatch", what(), "name its list in the contract as `codes`"))
}
