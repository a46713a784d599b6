//! `[table.<name>]`: how the bytes of a source become rows of a contract.

mod columns;
mod dates;
mod geocode;
mod lookup;
mod matching;
mod reader;
mod rows;

use std::sync::Arc;

use super::REFERENCE_TABLES;
use super::compile::Scope;
use super::crs::KNOWN;
use super::pipeline::{Consent, Keep, Pipeline, Place, ReaderSpec, TableSpec, shown_name};
use crate::contract::{Contract, Kind};
use crate::diagnostic::document::Fields;
use crate::diagnostic::{Problems, Spanned, nearest};
use crate::id::{SourceId, TableName};

pub(super) use lookup::{Lookups, lookups};
pub use matching::REJECT_COLUMNS;

/// Reads all tables of a pipeline file.
pub(super) fn tables(top: &Fields<'_>, pipeline: &mut Pipeline, scope: &Scope<'_>) {
    if top.key("table").is_none() {
        top.missing("table");
    }
    for (name, node) in top.named("table") {
        let Ok(table) = name.value.parse::<TableName>() else {
            scope.problems.push(
                name.problem("pipeline::table_name", format!("`{}` cannot name a table", name.value), "this name")
                    .help("lower-case ASCII letters, digits and `_`"),
            );
            continue;
        };
        let mut rejects = pipeline.tables.iter().filter_map(|known| known.reject_table.as_ref());
        if rejects.any(|rejects| rejects.table == table) {
            let message = format!("the rejects of another table are called `{table}`");
            let problem = name.problem("pipeline::duplicate_name", message, "taken");
            scope.problems.push(problem.help("rename one of the two"));
        }
        if REFERENCE_TABLES.contains(&name.value.as_str()) {
            scope.problems.push(
                name.problem(
                    "pipeline::duplicate_name",
                    format!("every pipeline already has a table `{table}`"),
                    "taken",
                )
                .help("rename the table"),
            );
        }
        let fields = node.fields(scope.problems);
        let consent = fields.as_ref().is_some_and(|fields| fields.key("consent").is_some());
        let spec = fields.and_then(|fields| table_spec(table.clone(), name, fields, pipeline, scope));
        if spec.is_none() {
            pipeline.unread.tables.insert(name.value.clone());
        }
        if consent && spec.as_ref().is_none_or(|spec| spec.consent.is_none()) {
            pipeline.unread.tables.insert(shown_name(&table));
        }
        pipeline.tables.extend(spec);
    }
}

fn table_spec(
    table: TableName,
    name: &Spanned<String>,
    fields: Fields<'_>,
    pipeline: &Pipeline,
    scope: &Scope<'_>,
) -> Option<TableSpec> {
    let source = fields.required_text("source").and_then(|source| known_source(&source, pipeline, scope.problems));
    let contract = contract(&fields, name, scope);
    let reader = reader::reader(&table, name, &fields, scope.problems);
    let parts = pattern(&fields, "parts", scope.problems);
    let members = pattern(&fields, "members", scope.problems);
    let explode = fields.table("explode").and_then(|fields| rows::explode(fields, reader.as_ref(), scope.problems));
    let drift = rows::drift(&fields, scope.problems);
    let derived = rows::derived(&fields, scope.problems);
    let mut place = fields.table("place").map(|place| place_spec(place, scope.problems));
    let geocode = fields.table("geocode");
    let rules = fields.tables("reject");
    let (matched, rejected) = (fields.table("match"), fields.table("rejects"));
    let consent = fields.table("consent");
    let columns = fields.get("columns");
    let duplicates = fields.table("duplicates");
    let Some(contract) = contract else {
        fields.finish();
        return None;
    };
    // A key that names an unknown column has been reported there.
    if contract.primary_key.is_empty() && !contract.file.text.contains("\"primaryKey\"") {
        scope.problems.push(
            name.problem(
                "contract::no_key",
                format!("the contract of `{table}` has no primaryKey"),
                "a table needs a key",
            )
            .help(format!("add \"primaryKey\" to {}", contract.file.path)),
        );
    }
    if let Some(fields) = geocode {
        let found = geocode::geocode(name, fields, (&contract, place.is_some()), pipeline, scope);
        if let Some(place) = &mut place {
            place.geocode = found;
        }
    }
    let keys = matches!(reader, Some(ReaderSpec::YesWiki(_)));
    let matched = matched.and_then(|fields| matching::matched(fields, &contract, source.as_ref(), pipeline, scope));
    let reject_table = rejected.and_then(|fields| matching::reject_table(fields, &table, pipeline, scope));
    let filled = columns::Filled { place: place.is_some(), matched: matched.as_ref() };
    let mappings = columns::mappings(columns, &contract, &filled, keys, scope);
    let rejects = rules.into_iter().filter_map(|rule| rows::reject_rule(rule, &contract, scope.problems)).collect();
    let consent = consent.and_then(|fields| consent_rule(fields, &contract, scope.problems));
    let (keep, duplicate) =
        duplicates.map_or((Keep::First, None), |rule| rows::keep_rule(rule, &contract, scope.problems));
    fields.finish();
    Some(TableSpec {
        name: table,
        source: source?,
        contract,
        reader: reader?,
        parts,
        members,
        explode,
        derived,
        mappings,
        place,
        rejects,
        keep,
        duplicate,
        matched,
        reject_table,
        drift,
        consent,
    })
}

fn known_source(source: &Spanned<String>, pipeline: &Pipeline, problems: &Problems) -> Option<SourceId> {
    let found = pipeline.sources.iter().find(|known| known.id.as_str() == source.value);
    if found.is_none() && !pipeline.unread.sources.contains(&source.value) {
        problems.push(
            source
                .problem("pipeline::unknown_source", format!("there is no source `{}`", source.value), "not declared")
                .suggest(&source.value, pipeline.sources.iter().map(|known| known.id.as_str())),
        );
    }
    found.map(|source| source.id.clone())
}

fn contract(fields: &Fields<'_>, name: &Spanned<String>, scope: &Scope<'_>) -> Option<Arc<Contract>> {
    let typed = fields.text("contract");
    let place = typed.as_ref().unwrap_or(name);
    let found = scope.contracts.get(&place.value).cloned();
    if !scope.has_contract(&place.value) {
        let near = nearest(&place.value, scope.contracts.keys().map(String::as_str));
        let help = near.map_or_else(
            || "write it, or name the contract of another table: contract = \"…\"".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        scope.problems.push(
            place
                .problem(
                    "pipeline::unknown_contract",
                    format!("there is no schemas/{}.schema.json", place.value),
                    "no contract",
                )
                .help(help),
        );
    }
    found
}

/// A pattern of names of parts or members.
fn pattern(fields: &Fields<'_>, key: &'static str, problems: &Problems) -> Option<String> {
    let text = fields.text(key)?;
    if let Err(error) = glob::Pattern::new(&text.value) {
        problems.push(
            text.problem("pipeline::bad_glob", "the pattern cannot be read", error.msg)
                .help("`*` stands for any text in a name, `[a-z]` for a character"),
        );
    }
    Some(text.value)
}

fn place_spec(fields: Fields<'_>, problems: &Problems) -> Place {
    let names = |key| fields.texts(key).into_iter().map(|text| text.value).collect();
    let place = Place {
        code_insee: names("code_insee"),
        code_postal: names("code_postal"),
        commune: names("commune"),
        departement: names("departement"),
        region: names("region"),
        longitude: names("longitude"),
        latitude: names("latitude"),
        crs: fields.text("crs").and_then(|text| crs(&text, problems)),
        geocode: None,
    };
    if place.longitude.is_empty() != place.latitude.is_empty() {
        fields.missing(if place.longitude.is_empty() { "longitude" } else { "latitude" });
    }
    fields.finish();
    place
}

/// The EPSG code of a coordinate system: `EPSG:2154`, `2154`.
fn crs(text: &Spanned<String>, problems: &Problems) -> Option<u16> {
    let code = text.value.trim().trim_start_matches("EPSG:").trim_start_matches("epsg:").parse::<u16>();
    let known = code.ok().filter(|code| KNOWN.iter().any(|(known, _)| known == code));
    if known.is_none() {
        let list: Vec<String> = KNOWN.iter().map(|(code, title)| format!("{code} ({title})")).collect();
        problems.push(
            text.problem("pipeline::crs", format!("`{}` is not a coordinate system known here", text.value), "unknown")
                .help(format!("write one of EPSG: {}", list.join(", "))),
        );
    }
    known
}

fn consent_rule(fields: Fields<'_>, contract: &Contract, problems: &Problems) -> Option<Consent> {
    let (row, answers) = (fields.required_text("row"), fields.required_text("answers"));
    fields.finish();
    let boolean = |name: Spanned<String>| match contract.column(&name.value) {
        Some(column) if column.may_be(&[Kind::Boolean]) => Some(name.value),
        Some(_) => {
            problems.push(
                name.problem(
                    "pipeline::type_mismatch",
                    format!("`{}` is not a boolean", name.value),
                    "a consent is yes or no",
                )
                .help("declare the column `boolean` in its contract"),
            );
            None
        }
        None => {
            unknown_column(&name, contract, problems);
            None
        }
    };
    Some(Consent { row: row.and_then(boolean)?, answers: answers.and_then(boolean)? })
}

fn unknown_column(name: &Spanned<String>, contract: &Contract, problems: &Problems) {
    problems.push(
        name.problem(
            "pipeline::unknown_column",
            format!("`{}` has no column `{}`", contract.file.path, name.value),
            "not in the contract",
        )
        .suggest(&name.value, contract.columns.iter().map(|column| column.name.as_str())),
    );
}
