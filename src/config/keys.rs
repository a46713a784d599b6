//! Links between published tables: each leads to public columns of a table of the same release.

use super::compile::Scope;
use super::pipeline::Pipeline;
use crate::contract::{Contract, ForeignKey};
use crate::diagnostic::Problem;

/// Checks the foreign keys of the published tables. A key with a column that is not public is not published.
pub(super) fn check(pipeline: &Pipeline, scope: &Scope<'_>) {
    let contract = |name: &str| scope.contracts.get(name).map(AsRef::as_ref);
    for contract_here in pipeline.published.iter().filter_map(|name| contract(name.as_str())) {
        for key in &contract_here.foreign_keys {
            let published = pipeline.published.iter().any(|name| name.as_str() == key.reference);
            if pipeline.unread.tables.contains(&key.reference) || (published && contract(&key.reference).is_none()) {
                continue;
            }
            let there = contract(&key.reference).filter(|_| published);
            if let Some((what, help)) = mistake(contract_here, key, there) {
                let problem =
                    Problem::at("contract::foreign_key", what, &contract_here.file, key.span.clone(), "this reference");
                scope.problems.push(problem.help(help));
            }
        }
    }
}

fn mistake(here: &Contract, key: &ForeignKey, there: Option<&Contract>) -> Option<(String, String)> {
    let public = |contract: &Contract, name: &str| contract.public_columns().find(|c| c.name == *name).cloned();
    let columns: Option<Vec<_>> = key.columns.iter().map(|name| public(here, name)).collect();
    let columns = columns?;
    let Some(there) = there else {
        let what = format!("`{}` refers to `{}`, which is not published beside it", here.name, key.reference);
        return Some((what, format!("publish `{}` in the same pipeline, or remove the foreign key", key.reference)));
    };
    for (column, name) in columns.iter().zip(&key.reference_columns) {
        let Some(other) = public(there, name) else {
            let what = format!("`{}` refers to `{}.{name}`, which is not a public column", here.name, there.name);
            return Some((what, format!("declare it public in {}, or refer to another column", there.file.path)));
        };
        if column.plain_type() != other.plain_type() {
            let what = format!("`{}.{}` and `{}.{name}` are not of one type", here.name, column.name, there.name);
            return Some((what, "a reference and what it refers to have the same type".to_owned()));
        }
    }
    None
}
