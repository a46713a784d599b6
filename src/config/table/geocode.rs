//! `[table.<name>.geocode]`: addresses that are sent to a geocoder. Nothing leaves without this table.

use crate::config::compile::Scope;
use crate::config::pipeline::{Geocode, Pipeline, SourceKind};
use crate::contract::{Contract, Visibility};
use crate::diagnostic::Spanned;
use crate::diagnostic::document::Fields;

/// Columns that geocoding reads and fills.
const FILLED: [&str; 4] = ["code_insee", "longitude", "latitude", "position_origine"];

/// Reads it, and refuses to send what is not public.
pub(super) fn geocode(
    name: &Spanned<String>,
    fields: Fields<'_>,
    (contract, placed): (&Contract, bool),
    pipeline: &Pipeline,
    scope: &Scope<'_>,
) -> Option<Geocode> {
    let source = fields.required_text("source");
    let address = fields.texts("address");
    if address.is_empty() {
        fields.missing("address");
    }
    fields.finish();
    let problem = |place: &Spanned<String>, message: String, label: &str, help: String| {
        scope.problems.push(place.problem("pipeline::geocode", message, label).help(help));
    };
    let mut whole = !address.is_empty();
    if !placed {
        whole = false;
        let message = format!("rows of `{}` are geocoded and have no place", name.value);
        problem(
            name,
            message,
            "here",
            format!("write [table.{}.place]: addresses are looked for in a commune", name.value),
        );
    }
    for column in &address {
        match contract.column(&column.value) {
            Some(found) if found.visibility == Visibility::Public => {}
            Some(_) => {
                whole = false;
                let message = format!("`{}` is not public and would be sent to the geocoder", column.value);
                let help =
                    "only addresses that everybody may see leave: name a column with `\"visibility\": \"public\"`";
                problem(column, message, "not for others", help.to_owned());
            }
            None => {
                whole = false;
                let message = format!("the contract has no column `{}`", column.value);
                let known = contract.columns.iter().map(|column| column.name.as_str());
                let unknown = column.problem("pipeline::geocode", message, "unknown");
                scope.problems.push(unknown.suggest(&column.value, known));
            }
        }
    }
    let missing: Vec<&str> = FILLED.into_iter().filter(|name| contract.column(name).is_none()).collect();
    if placed && !missing.is_empty() {
        whole = false;
        let message = format!("the contract of `{}` has no `{}`", name.value, missing.join("`, `"));
        problem(
            name,
            message,
            "geocoding fills them",
            "declare these columns: they say where a row is and how that is known".to_owned(),
        );
    }
    let source = source?;
    let found = pipeline.sources.iter().find(|known| known.id.as_str() == source.value);
    match found.map(|found| (&found.id, &found.kind)) {
        Some((id, SourceKind::Geocoder(_))) => {
            let address = address.into_iter().map(|column| column.value).collect();
            whole.then(|| Geocode { source: id.clone(), address })
        }
        None if pipeline.unread.sources.contains(&source.value) => None,
        _ => {
            let message = format!("`{}` is no source with a geocoder", source.value);
            let help = format!("write [source.{}.geocoder]", source.value);
            problem(&source, message, "not a geocoder", help);
            None
        }
    }
}
