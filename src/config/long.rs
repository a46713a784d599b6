//! `[long.<name>]`: the options of columns that have several, one row each.

use std::sync::Arc;

use super::crosstab::{Mistake, columns, known_table, own_name};
use super::pipeline::{LONG_COLUMNS, Long, Pipeline};
use crate::contract::{Contract, Kind};
use crate::diagnostic::document::{Fields, Value};
use crate::diagnostic::{Problems, Spanned};

/// Reads all long tables of a pipeline file, once its tables, models and cross-tables are known.
pub(super) fn longs(top: &Fields<'_>, pipeline: &mut Pipeline, problems: &Problems) {
    for (name, node) in top.named("long") {
        let fields = node.fields(problems);
        match fields.and_then(|fields| long(name, fields, pipeline, problems)) {
            Some(long) => pipeline.longs.push(long),
            None => {
                pipeline.unread.tables.insert(name.value.clone());
            }
        }
    }
}

fn long(name: &Spanned<String>, fields: Fields<'_>, pipeline: &Pipeline, problems: &Problems) -> Option<Long> {
    let own = own_name(name, "long table", pipeline, problems);
    let table = fields.required_text("table");
    let questions = fields.texts("questions");
    match fields.get("questions").map(|node| (node, &node.value)) {
        None => fields.missing("questions"),
        Some((node, Value::List(items))) if items.is_empty() => problems.push(
            node.problem("pipeline::long", format!("long table `{}` lists nothing", name.value), "no column")
                .help("name the columns of several options that are listed"),
        ),
        Some(_) => {}
    }
    fields.finish();
    let table = table?;
    let spec = known_table(&table, "long tables list rows of sources: use unnest() in a model", pipeline, problems)?;
    let key = spec.contract.primary_key.iter();
    let key_fits = if spec.contract.primary_key.is_empty() {
        let what = format!("`{}` has no primary key to tell its rows apart", spec.name);
        let help = format!("name a primaryKey in {}", spec.contract.file.path);
        problems.push(table.problem("pipeline::long", what, "no key").help(help));
        false
    } else if let Some(taken) = key.clone().find(|column| LONG_COLUMNS.contains(&column.as_str())) {
        let what = format!("a long table has a column `{taken}` of its own");
        let problem = table.problem("pipeline::duplicate_name", what, "its key has one too");
        problems.push(problem.help("rename the column in its contract"));
        false
    } else {
        true
    };
    let asked = questions.len();
    let questions = columns(&questions, &spec.contract, "listed", problems, &mistake);
    let whole = key_fits && questions.len() == asked && asked > 0;
    let (table, contract) = (spec.name.clone(), Arc::clone(&spec.contract));
    own.filter(|_| whole).map(|name| Long { name, table, contract, questions })
}

fn mistake(contract: &Contract, at: usize) -> Option<Mistake> {
    let column = &contract.columns[at];
    let what = || format!("`{}` does not have several options", column.name);
    let help = "list columns of type `list` whose options the contract names as `codes`";
    (!column.may_be(&[Kind::Codes])).then(|| ("pipeline::type_mismatch", what(), help))
}
