//! Table Schemas: the public columns of a contract, for those who check a CSV against them.

use serde_json::{Map, Value, json};

use super::{Context, SYNTHETIC, licence_entry, push_sentence, schema_path, source_entries};
use crate::contract::{Code, CodeList, Column, Contract, Geometry, Kind, Scalar, Visibility};

/// Most codes whose labels are listed in a description; longer lists are in the dictionary.
const LABELS_IN_TEXT: usize = 100;

/// Who reads the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Table Schema 1: labels of codes stand in the description.
    Schema,
    /// Data Package 2: labels of codes are `categories`.
    Package,
    /// Data Package 2, for the CSV for spreadsheets set to French.
    French,
}

/// The public Table Schema of a table, by the conventions of schema.data.gouv.fr.
///
/// Links to other tables stand in `datapackage.json` only: a schema by itself has no other table to look into.
pub fn table_schema(contract: &Contract, context: &Context<'_>) -> Value {
    let file = schema_path(&contract.name);
    let mut contributor = json!({
        "title": context.publisher.name,
        "organisation": context.publisher.name,
        "role": "publisher",
    });
    if let Some(email) = &context.publisher.email {
        contributor["email"] = json!(email);
    }
    let mut schema = json!({
        "$schema": "https://specs.frictionlessdata.io/schemas/table-schema.json",
        "name": contract.name.as_str(),
        "title": contract.title,
        "description": table_description(contract, context),
        "countryCode": "FR",
        "homepage": context.homepage,
        "path": format!("{}{file}", context.release_url),
        "version": contract.version,
        "created": context.day(),
        "lastModified": context.day(),
        "licenses": [licence_entry(context.licence)],
        "contributors": [contributor],
        "sources": source_entries(context),
        "resources": [{
            "name": contract.name.as_str(),
            "title": format!("Exemple valide : {}", contract.title),
            "path": format!("{}{}.csv", context.release_url, contract.name),
        }],
    });
    for (key, value) in schema_fields(contract, Dialect::Schema) {
        schema[key] = value;
    }
    schema
}

/// What a row is, and that it was invented if so.
pub(super) fn table_description(contract: &Contract, context: &Context<'_>) -> String {
    let mut text = if context.synthetic { SYNTHETIC.to_owned() } else { String::new() };
    let said = if contract.description.is_empty() { &contract.title } else { &contract.description };
    push_sentence(&mut text, said);
    text
}

/// `fields`, `primaryKey` and `missingValues`.
pub(super) fn schema_fields(contract: &Contract, dialect: Dialect) -> Map<String, Value> {
    let fields: Vec<Value> = contract.public_columns().map(|column| field(contract, column, dialect)).collect();
    let mut schema = Map::new();
    schema.insert("fields".to_owned(), Value::Array(fields));
    let is_public = |name: &String| contract.column(name).is_some_and(|column| column.visibility == Visibility::Public);
    if !contract.primary_key.is_empty() && contract.primary_key.iter().all(is_public) {
        schema.insert("primaryKey".to_owned(), json!(contract.primary_key));
    }
    schema.insert("missingValues".to_owned(), json!([""]));
    schema
}

/// Links to the published tables; the first of Data Package's two ways to write them serves both versions.
pub(super) fn foreign_keys(contract: &Contract, context: &Context<'_>) -> Vec<Value> {
    let public = |table: &Contract, name: &str| table.public_columns().any(|column| column.name == name);
    let keys = contract.foreign_keys.iter().filter(|key| {
        let there = context.published(&key.reference);
        there.is_some_and(|table| key.reference_columns.iter().all(|name| public(table, name)))
            && key.columns.iter().all(|name| public(contract, name))
    });
    let entries = keys.map(|key| {
        let resource = if key.reference == contract.name.as_str() { "" } else { key.reference.as_str() };
        let reference = json!({ "resource": resource, "fields": key.reference_columns });
        json!({ "fields": key.columns, "reference": reference })
    });
    entries.collect()
}

fn field(contract: &Contract, column: &Column, dialect: Dialect) -> Value {
    let mut field = json!({ "name": column.name, "type": type_name(column.kind, dialect) });
    for (key, value) in type_options(column.kind, dialect) {
        field[key] = value;
    }
    field["title"] = json!(column.title);
    field["description"] = json!(description(contract, column, dialect));
    if let Some(example) = column.example.as_ref().filter(|_| dialect != Dialect::French) {
        field["example"] = json!(example);
    }
    let constraints = constraints(column);
    if !constraints.is_empty() {
        field["constraints"] = Value::Object(constraints);
    }
    if let (Kind::Code, Some(list), Dialect::Package | Dialect::French) = (column.kind, &column.codes, dialect) {
        let categories = list.codes.iter().map(|code| json!({ "value": code.code, "label": code.label }));
        field["categories"] = categories.collect();
    }
    if dialect == Dialect::Package {
        let ours = english(column);
        if !ours.is_empty() {
            field["essaim"] = Value::Object(ours);
        }
    }
    field
}

/// What the standards have no place for: the English title, and the codes with their labels in both languages.
fn english(column: &Column) -> Map<String, Value> {
    let mut ours = Map::new();
    if let Some(title) = &column.title_en {
        ours.insert("title_en".to_owned(), json!(title));
    }
    if let Some(list) = &column.codes {
        let label = |code: &Code| match code.label_en.as_str() {
            "" => json!({ "value": code.code, "label": code.label }),
            english => json!({ "value": code.code, "label": code.label, "label_en": english }),
        };
        ours.insert("codes".to_owned(), list.codes.iter().map(label).collect());
    }
    ours
}

/// The JSON profile of Data Package 2.0 lacks the type `list` that its text has, and lets only `any` stand for it.
fn type_name(kind: Kind, dialect: Dialect) -> &'static str {
    match kind {
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::DateTime => "datetime",
        Kind::Text | Kind::Uri | Kind::Siret | Kind::Code | Kind::Geometry => "string",
        Kind::Codes | Kind::Texts if dialect == Dialect::Schema => "list",
        Kind::Codes | Kind::Texts => "any",
    }
}

fn type_options(kind: Kind, dialect: Dialect) -> Vec<(&'static str, Value)> {
    match (kind, dialect) {
        (Kind::Uri, _) => vec![("format", json!("uri"))],
        (Kind::Codes | Kind::Texts, _) => vec![("delimiter", json!("|")), ("itemType", json!("string"))],
        (Kind::Number, Dialect::French) => vec![("decimalChar", json!(","))],
        (Kind::Boolean, Dialect::French) => vec![("trueValues", json!(["vrai"])), ("falseValues", json!(["faux"]))],
        (Kind::Boolean, _) => vec![("trueValues", json!(["true"])), ("falseValues", json!(["false"]))],
        (Kind::Date, Dialect::French) => vec![("format", json!("%d/%m/%Y"))],
        (Kind::DateTime, Dialect::French) => vec![("format", json!("%d/%m/%Y %H:%M:%S"))],
        (Kind::DateTime, _) => vec![("format", json!("any"))],
        _ => Vec::new(),
    }
}

/// What a column means, with its unit and, where the format has no other place for them, the labels of its codes.
pub(super) fn description(contract: &Contract, column: &Column, dialect: Dialect) -> String {
    let mut text = column.description.clone();
    if text.is_empty() {
        text.clone_from(&column.title);
    }
    if let Some(unit) = &column.unit {
        push_sentence(&mut text, &format!("Unité : {unit}."));
    }
    if column.kind == Kind::Geometry {
        push_sentence(&mut text, "Forme en WKT, en degrés WGS 84 (longitude puis latitude).");
    }
    if let Some(Geometry::Point { longitude, latitude }) = &contract.geometry
        && (*longitude == column.name || *latitude == column.name)
    {
        push_sentence(&mut text, "En degrés décimaux, WGS 84.");
    }
    if let Some(list) = &column.codes
        && (dialect == Dialect::Schema || column.kind == Kind::Codes)
    {
        push_sentence(&mut text, &labels(list, column.kind == Kind::Codes));
    }
    text
}

fn labels(list: &CodeList, several: bool) -> String {
    let how = if several { "Un ou plusieurs codes, séparés par `|`" } else { "Un code" };
    if list.codes.len() > LABELS_IN_TEXT {
        return format!("{how}, dont les libellés sont dans le dictionnaire.");
    }
    let labels: Vec<String> = list.codes.iter().map(|code| format!("`{}` ({})", code.code, code.label)).collect();
    format!("{how} : {}.", labels.join(", "))
}

fn constraints(column: &Column) -> Map<String, Value> {
    let mut constraints = Map::new();
    let mut put = |key: &str, value: Value| {
        constraints.insert(key.to_owned(), value);
    };
    if column.required {
        put("required", json!(true));
    }
    if column.unique {
        put("unique", json!(true));
    }
    if let Some(pattern) = pattern(column) {
        put("pattern", json!(pattern));
    }
    let (above, below) = column.exclusive_bounds;
    let bounds = [
        ("minimum", column.minimum),
        ("maximum", column.maximum),
        ("exclusiveMinimum", above),
        ("exclusiveMaximum", below),
    ];
    for (key, bound) in bounds {
        if let Some(bound) = bound {
            put(key, column.spelled(&Scalar::Number(bound)));
        }
    }
    for (key, length) in [("minLength", column.min_length), ("maxLength", column.max_length)] {
        // In the files a list is one text: its length there is another.
        if let Some(length) = length.filter(|_| !matches!(column.kind, Kind::Codes | Kind::Texts)) {
            put(key, json!(length));
        }
    }
    match (column.kind, &column.codes) {
        (Kind::Codes | Kind::Texts, _) => {}
        (Kind::Code, Some(list)) if column.allowed.is_empty() => put("enum", list.code_names().collect()),
        _ if column.allowed.is_empty() => {}
        _ => put("enum", column.allowed.iter().map(|value| column.spelled(value)).collect()),
    }
    constraints
}

/// The pattern as it was declared: standards anchor it themselves.
pub(super) fn pattern(column: &Column) -> Option<String> {
    match (&column.pattern, column.kind) {
        (_, Kind::Codes | Kind::Texts) => None,
        (Some(regex), _) => {
            let text = regex.as_str();
            let declared = text.strip_prefix("^(?:").and_then(|text| text.strip_suffix(")$"));
            Some(declared.unwrap_or(text).to_owned())
        }
        (None, Kind::Siret) => Some("[0-9]{14}".to_owned()),
        (None, _) => None,
    }
}
