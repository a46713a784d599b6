//! Reads `schemas/<table>.schema.json`; every mistake becomes a problem with its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::constraint;
use super::{CellRule, CodeList, Column, Contract, ForeignKey, Geometry, Kind, Visibility};
use crate::diagnostic::document::{Fields, Value, parse_json};
use crate::diagnostic::{Problem, Problems, SourceFile, Spanned};
use crate::id::TableName;

/// Code lists of the project, by name.
pub type CodeLists = BTreeMap<String, Arc<CodeList>>;

/// Most codes that a multi-choice column may have: one bit each.
pub const MAX_SET: usize = 64;

/// Table Schema types and what they mean here.
const TYPES: [&str; 10] =
    ["string", "integer", "number", "boolean", "date", "datetime", "list", "geojson", "year", "any"];

/// Reads one contract.
pub fn parse(name: &TableName, file: &Arc<SourceFile>, lists: &CodeLists, problems: &Problems) -> Option<Contract> {
    let root = parse_json(file, problems)?;
    let top = root.fields(problems)?;
    for ignored in [
        "$schema",
        "name",
        "homepage",
        "path",
        "created",
        "lastModified",
        "licenses",
        "contributors",
        "sources",
        "resources",
        "countryCode",
        "keywords",
    ] {
        let _ = top.get(ignored);
    }
    let mut contract = Contract {
        name: name.clone(),
        title: text_or(&top, "title", name.as_str()),
        title_en: None,
        description: text_or(&top, "description", ""),
        version: text_or(&top, "version", "1.0.0"),
        columns: Vec::new(),
        primary_key: Vec::new(),
        order: Vec::new(),
        foreign_keys: Vec::new(),
        missing_values: vec![String::new()],
        cell: None,
        geometry: None,
        file: Arc::clone(file),
    };
    if top.key("missingValues").is_some() {
        contract.missing_values = top.texts("missingValues").into_iter().map(|text| text.value).collect();
    }
    match top.get("fields") {
        Some(fields) => {
            for item in fields.items(problems).unwrap_or(&[]) {
                if let Some(column) = item.fields(problems).and_then(|f| parse_column(f, lists, problems)) {
                    take_column(&mut contract, column, file, problems);
                }
            }
        }
        None => top.missing("fields"),
    }
    let primary_key = top.texts("primaryKey");
    contract.primary_key = known_columns(&contract, &primary_key, problems);
    contract.foreign_keys = foreign_keys(&contract, &top, problems);
    if let Some(ours) = top.table("essaim") {
        let order = ours.texts("order");
        contract.order = known_columns(&contract, &order, problems);
        if let Some(first) = order.first().filter(|_| !contract.primary_key.is_empty()) {
            let problem =
                first.problem("contract::order", "a table with a primaryKey is in its order", "another order");
            problems.push(problem.help("remove `order`, or `primaryKey` where several rows may bear it"));
        }
        contract.title_en = ours.text("title_en").map(|text| text.value);
        contract.cell = ours.table("cell").and_then(|cell| parse_cell(&contract, cell, problems));
        contract.geometry = ours.table("geometry").and_then(|shape| parse_geometry(&contract, shape, problems));
        ours.finish();
    }
    top.finish();
    Some(contract)
}

fn text_or(fields: &Fields<'_>, key: &'static str, default: &str) -> String {
    fields.text(key).map_or_else(|| default.to_owned(), |text| text.value)
}

fn take_column(contract: &mut Contract, column: Column, file: &Arc<SourceFile>, problems: &Problems) {
    if contract.column(&column.name).is_some() {
        let message = format!("column `{}` is declared twice", column.name);
        problems.push(
            Problem::at("contract::duplicate_column", message, file, column.span, "the second time")
                .help("rename or remove one of the two"),
        );
    } else {
        contract.columns.push(column);
    }
}

fn known_columns(contract: &Contract, names: &[Spanned<String>], problems: &Problems) -> Vec<String> {
    let known = names.iter().filter(|name| known_column(contract, name, problems));
    known.map(|name| name.value.clone()).collect()
}

fn known_column(contract: &Contract, name: &Spanned<String>, problems: &Problems) -> bool {
    let known = contract.column(&name.value).is_some();
    if !known {
        problems.push(
            name.problem(
                "contract::unknown_column",
                format!("table `{}` has no column `{}`", contract.name, name.value),
                "not a field of this schema",
            )
            .suggest(&name.value, contract.columns.iter().map(|column| column.name.as_str())),
        );
    }
    known
}

fn parse_column(fields: Fields<'_>, lists: &CodeLists, problems: &Problems) -> Option<Column> {
    let name = fields.required_text("name")?;
    if let Err(invalid) = name.value.parse::<TableName>() {
        problems.push(
            name.problem("contract::column_name", invalid.to_string(), "this name")
                .help("names serve as CSV headers and in SQL: lower-case ASCII letters, digits and `_`"),
        );
    }
    let _ = fields.get("rdfType");
    let mut column = Column {
        name: name.value.clone(),
        kind: Kind::Text,
        title: text_or(&fields, "title", &name.value),
        title_en: None,
        description: text_or(&fields, "description", ""),
        example: fields.get("example").and_then(|node| match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::List(_) | Value::Table(_) => None,
        }),
        unit: None,
        visibility: Visibility::Undeclared,
        required: false,
        unique: false,
        pattern: None,
        minimum: None,
        maximum: None,
        exclusive_bounds: (None, None),
        min_length: None,
        max_length: None,
        allowed: Vec::new(),
        decimal_comma: false,
        delimiter: None,
        codes: None,
        exclusive: Vec::new(),
        true_values: fields.texts("trueValues").into_iter().map(|text| text.value).collect(),
        false_values: fields.texts("falseValues").into_iter().map(|text| text.value).collect(),
        status: false,
        doubtful: false,
        volatile: false,
        span: name.span.clone(),
    };
    let format = fields.text("format");
    let kind = fields.text("type");
    parse_notation(&mut column, &fields, problems);
    let (mut multi, mut coded) = (false, false);
    if let Some(ours) = fields.table("essaim") {
        // A list that does not exist is told once; the column is read as coded all the same.
        coded = ours.key("codes").is_some();
        multi = parse_ours(&mut column, &ours, lists, problems);
        ours.finish();
    }
    column.doubtful = coded && column.codes.as_ref().is_none_or(|list| list.codes.is_empty());
    match kind_of(&column, kind.as_ref(), format.as_ref(), (coded, multi), problems) {
        Ok(kind) => column.kind = kind,
        Err(nearest) => {
            column.kind = nearest;
            column.doubtful = true;
        }
    }
    if let Some(constraints) = fields.table("constraints") {
        constraint::parse(&mut column, &constraints, problems);
        constraints.finish();
    }
    fields.finish();
    Some(column)
}

/// How numbers and lists are written in the source: honoured, or a problem where it cannot be.
fn parse_notation(column: &mut Column, fields: &Fields<'_>, problems: &Problems) {
    let refuse = |place: &Spanned<String>, what: &str, help: &str| {
        let message = format!("`{}` of column `{}` is not supported", what, column.name);
        problems.push(place.problem("contract::notation", message, "cannot be honoured").help(help));
    };
    let decimal = fields.text("decimalChar");
    let comma = decimal.as_ref().is_some_and(|text| text.value == ",");
    if let Some(text) = decimal.filter(|text| !matches!(text.value.as_str(), "," | ".")) {
        refuse(&text, "decimalChar", "numbers have a decimal point or a decimal comma");
    }
    let known = |group: &str| matches!(group, "" | " " | "\u{a0}" | "\u{202f}" | "\u{2009}") || (comma && group == ".");
    if let Some(text) = fields.text("groupChar").filter(|text| !known(&text.value)) {
        refuse(&text, "groupChar", "blanks may group digits, and points where the decimal mark is a comma");
    }
    if let Some(place) = fields.key("bareNumber").filter(|_| fields.flag("bareNumber") == Some(false)) {
        refuse(place, "bareNumber", "say which units follow the numbers: units = { … } in the pipeline");
    }
    let delimiter = fields.text("delimiter");
    if let Some(text) = delimiter.as_ref().filter(|text| text.value.is_empty()) {
        refuse(text, "delimiter", "write the text that stands between the items");
    }
    if let Some(text) = fields.text("itemType").filter(|text| text.value != "string") {
        refuse(&text, "itemType", "lists hold texts: write \"string\", or make a child table with `explode`");
    }
    column.decimal_comma = comma;
    column.delimiter = delimiter.map(|text| text.value).filter(|text| !text.is_empty());
}

/// Reads our own keys; says whether the column holds several codes.
fn parse_ours(column: &mut Column, ours: &Fields<'_>, lists: &CodeLists, problems: &Problems) -> bool {
    column.unit = ours.text("unit").map(|text| text.value);
    column.title_en = ours.text("title_en").map(|text| text.value);
    column.status = ours.flag("status").unwrap_or(false);
    column.volatile = ours.flag("volatile").unwrap_or(false);
    if let Some(visibility) = ours.text("visibility") {
        column.visibility = match visibility.value.as_str() {
            "public" => Visibility::Public,
            "restricted" => Visibility::Restricted,
            "personal" => Visibility::Personal,
            // What a draft writes where nobody has decided yet: as if it were not there.
            "undeclared" => Visibility::Undeclared,
            other => {
                problems.push(
                    visibility
                        .problem("contract::visibility", format!("`{other}` is not a visibility"), "unknown")
                        .suggest(other, ["public", "restricted", "personal"]),
                );
                Visibility::Personal
            }
        };
    }
    if let Some(name) = ours.text("codes") {
        column.codes = lists.get(&name.value).cloned();
        if column.codes.is_none() {
            problems.push(
                name.problem(
                    "contract::unknown_codes",
                    format!("there is no code list `{}`", name.value),
                    "not in seeds/codes/",
                )
                .suggest(&name.value, lists.keys().map(String::as_str)),
            );
        }
    }
    let multi = ours.flag("multi").unwrap_or(false);
    let exclusive = ours.texts("exclusive");
    if let Some(list) = column.codes.as_ref().filter(|list| !list.codes.is_empty()) {
        for code in &exclusive {
            if list.position(&code.value).is_none() {
                problems.push(
                    code.problem(
                        "contract::unknown_code",
                        format!("`{}` has no code `{}`", list.name, code.value),
                        "not in the list",
                    )
                    .suggest(&code.value, list.code_names()),
                );
            }
        }
        if multi && list.codes.len() > MAX_SET {
            problems.push(
                ours.node()
                    .problem(
                        "contract::too_many_codes",
                        format!(
                            "`{}` has {} codes; a multi-choice column takes at most {MAX_SET}",
                            list.name,
                            list.codes.len()
                        ),
                        "this column",
                    )
                    .help("split the question, or keep it as a list of texts (type `list` without `codes`)"),
            );
        }
    }
    column.exclusive = exclusive.into_iter().map(|code| code.value).collect();
    multi
}

/// What a column holds; an error, already reported, gives what was meant most likely.
fn kind_of(
    column: &Column,
    kind: Option<&Spanned<String>>,
    format: Option<&Spanned<String>>,
    (coded, multi): (bool, bool),
    problems: &Problems,
) -> Result<Kind, Kind> {
    let Some(kind) = kind else { return Ok(if coded { Kind::Code } else { Kind::Text }) };
    let mismatch = |message: &str, help: &str| {
        problems.push(
            kind.problem("contract::type_mismatch", format!("column `{}`: {message}", column.name), "this type")
                .help(help),
        );
    };
    match kind.value.as_str() {
        "list" if coded => return Ok(Kind::Codes),
        "string" if coded && multi => {
            mismatch("a multi-choice column is a list", "write `\"type\": \"list\"`");
            return Err(Kind::Codes);
        }
        "string" | "any" if coded => return Ok(Kind::Code),
        other if coded && TYPES.contains(&other) => {
            mismatch("a column with `codes` holds texts", "write `\"type\": \"string\"`, or `list` for several codes");
            return Err(Kind::Code);
        }
        _ => {}
    }
    Ok(match (kind.value.as_str(), format.map(|format| format.value.as_str())) {
        ("string", Some("uri")) => Kind::Uri,
        ("string", Some("siret")) => Kind::Siret,
        ("string" | "any", _) => Kind::Text,
        ("integer" | "year", _) => Kind::Integer,
        ("number", _) => Kind::Number,
        ("boolean", _) => Kind::Boolean,
        ("date", _) => Kind::Date,
        ("datetime", _) => Kind::DateTime,
        ("list", _) => Kind::Texts,
        ("geojson", _) => Kind::Geometry,
        (other, _) => {
            problems.push(
                kind.problem("contract::unknown_type", format!("`{other}` is not a type"), "unknown")
                    .suggest(other, TYPES),
            );
            return Err(Kind::Text);
        }
    })
}

fn foreign_keys(contract: &Contract, top: &Fields<'_>, problems: &Problems) -> Vec<ForeignKey> {
    let mut keys = Vec::new();
    for entry in top.tables("foreignKeys") {
        let fields = entry.texts("fields");
        let columns = known_columns(contract, &fields, problems);
        if let Some(reference) = entry.table("reference") {
            let table = reference.text("resource");
            let there = reference.texts("fields");
            if columns.len() == fields.len() && columns.len() != there.len() {
                problems.push(
                    reference
                        .node()
                        .problem("contract::foreign_key", "a foreign key has as many columns on both sides", "here")
                        .help("name the columns of the other table in the same order"),
                );
            } else if let Some(place) = fields.first().filter(|_| columns.len() == fields.len()) {
                // Table Schema calls the table itself "".
                let table = table.map(|table| table.value).filter(|name| !name.is_empty());
                keys.push(ForeignKey {
                    columns,
                    reference: table.unwrap_or_else(|| contract.name.to_string()),
                    reference_columns: there.into_iter().map(|name| name.value).collect(),
                    span: place.span.clone(),
                });
            }
            reference.finish();
        }
        entry.finish();
    }
    keys
}

fn parse_cell(contract: &Contract, cell: Fields<'_>, problems: &Problems) -> Option<CellRule> {
    let respondents = cell.required_text("respondents");
    let base = cell.text("base").filter(|name| known_column(contract, name, problems));
    let group = cell.text("group").filter(|name| known_column(contract, name, problems));
    let (hides, totals) = (cell.texts("hides"), cell.texts("totals"));
    cell.finish();
    let respondents = respondents.filter(|name| known_column(contract, name, problems))?;
    let (hides, totals) = (known_columns(contract, &hides, problems), known_columns(contract, &totals, problems));
    let name = |name: Spanned<String>| name.value;
    Some(CellRule { respondents: respondents.value, base: base.map(name), group: group.map(name), hides, totals })
}

fn parse_geometry(contract: &Contract, shape: Fields<'_>, problems: &Problems) -> Option<Geometry> {
    let (longitude, latitude, column) = (shape.text("longitude"), shape.text("latitude"), shape.text("column"));
    let node = shape.node();
    shape.finish();
    for name in [&longitude, &latitude, &column].into_iter().flatten() {
        if !known_column(contract, name, problems) {
            return None;
        }
    }
    match (longitude, latitude, column) {
        (Some(longitude), Some(latitude), None) => {
            Some(Geometry::Point { longitude: longitude.value, latitude: latitude.value })
        }
        (None, None, Some(column)) => Some(Geometry::Shape { column: column.value }),
        _ => {
            problems.push(
                node.problem("contract::geometry", "a geometry is two columns or one", "this table")
                    .help("write `longitude` and `latitude`, or `column`"),
            );
            None
        }
    }
}
