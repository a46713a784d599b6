//! `[[publish.figure]]`: a published table drawn as bars.

use super::compile::Scope;
use super::pipeline::{FigureSpec, FigureUnit, Pipeline};
use crate::diagnostic::document::Fields;
use crate::id::TableName;

/// Reads one figure.
pub(super) fn figure(fields: Fields<'_>, pipeline: &Pipeline, scope: &Scope<'_>) -> Option<FigureSpec> {
    let table = fields.required_text("table");
    let title = fields.required_text("title");
    let (label, value) = (fields.required_text("label"), fields.required_text("value"));
    let unit = fields.text("unit");
    let base = fields.text("base").map(|text| text.value).unwrap_or_default();
    let notes = fields.texts("notes").into_iter().map(|text| text.value).collect();
    fields.finish();
    let (table, title, label, value) = (table?, title?, label?, value?);
    let name = table.value.parse::<TableName>().ok().filter(|name| pipeline.published.contains(name));
    let Some(name) = name else {
        scope.problems.push(
            table
                .problem(
                    "pipeline::unknown_table",
                    format!("`{}` is not published", table.value),
                    "a figure draws a published table",
                )
                .suggest(&table.value, pipeline.published.iter().map(TableName::as_str)),
        );
        return None;
    };
    let contract = scope.contracts.get(name.as_str())?;
    for column in [&label, &value] {
        if !contract.public_columns().any(|public| public.name == column.value) {
            scope.problems.push(
                column
                    .problem(
                        "pipeline::unknown_column",
                        format!("`{name}` has no public column `{}`", column.value),
                        "unknown",
                    )
                    .suggest(&column.value, contract.public_columns().map(|public| public.name.as_str())),
            );
        }
    }
    let unit = match unit.as_ref().map(|unit| unit.value.as_str()) {
        None | Some("count") => FigureUnit::Count,
        Some("percent") => FigureUnit::Percent,
        Some(other) => {
            let place = unit.as_ref()?;
            scope.problems.push(
                place
                    .problem("pipeline::figure_unit", format!("`{other}` is not a unit"), "unknown")
                    .suggest(other, ["count", "percent"]),
            );
            FigureUnit::Count
        }
    };
    Some(FigureSpec { table: name, title: title.value, label: label.value, value: value.value, unit, base, notes })
}
