//! `[table.<name>]`: how the bytes of a source become rows of a contract.

use std::sync::Arc;

use super::REFERENCE_TABLES;
use super::compile::Scope;
use super::pipeline::{
    Consent, CsvSpec, Drift, Encoding, Keep, Layout, Mapping, PLACE_COLUMNS, Pipeline, Place, ReaderSpec, RejectRule,
    TableSpec, YesWikiSpec, shown_name,
};
use crate::contract::{Contract, Kind};
use crate::diagnostic::document::{Fields, Node, Value};
use crate::diagnostic::{Problems, Spanned, nearest};
use crate::id::{SourceId, TableName};

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
    let csv = fields.table("csv").map(|csv| csv_spec(csv, scope.problems));
    let yeswiki = fields.table("yeswiki").map(yeswiki_spec);
    let reader = match (csv, yeswiki) {
        (Some(csv), None) => csv.map(ReaderSpec::Csv),
        (None, Some(yeswiki)) => yeswiki.map(ReaderSpec::YesWiki),
        _ => {
            scope.problems.push(
                name.problem("pipeline::reader", format!("table `{table}` needs exactly one reader"), "this table")
                    .help(format!("write one of [table.{table}.csv], [table.{table}.yeswiki]")),
            );
            None
        }
    };
    let place = fields.table("place").map(place_spec);
    let rejects = fields.tables("reject").into_iter().filter_map(reject_rule).collect();
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
    let mappings =
        mappings(columns, &contract, place.is_some(), matches!(reader, Some(ReaderSpec::YesWiki(_))), scope.problems);
    let consent = consent.and_then(|fields| consent_rule(fields, &contract, scope.problems));
    let keep = duplicates.map_or(Keep::First, |rule| keep_rule(rule, &contract, scope.problems));
    fields.finish();
    Some(TableSpec {
        name: table,
        source: source?,
        contract,
        reader: reader?,
        parts: None,
        members: None,
        explode: None,
        derived: Vec::new(),
        mappings,
        place,
        rejects,
        keep,
        drift: Drift::Stop,
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

fn csv_spec(fields: Fields<'_>, problems: &Problems) -> Option<CsvSpec> {
    let byte = |key, default: u8| match fields.text(key) {
        None => Some(default),
        Some(text) => match text.value.as_bytes() {
            [byte] => Some(*byte),
            _ => {
                problems.push(
                    text.problem("pipeline::csv", format!("`{key}` is one ASCII character"), "this text")
                        .help("write \",\", \";\", \"|\" or \"\\t\""),
                );
                None
            }
        },
    };
    let (delimiter, quote) = (byte("delimiter", b','), byte("quote", b'"'));
    let encoding = fields.text("encoding");
    let header = fields.integer("header_row");
    fields.finish();
    let encoding = match encoding.as_ref().map(|text| (text, text.value.to_ascii_lowercase())) {
        None => Encoding::Utf8,
        Some((_, name)) if matches!(name.as_str(), "utf-8" | "utf8") => Encoding::Utf8,
        Some((_, name)) if matches!(name.as_str(), "windows-1252" | "cp1252" | "latin-1" | "iso-8859-1") => {
            Encoding::Windows1252
        }
        Some((text, name)) => {
            problems.push(
                text.problem("pipeline::encoding", format!("`{name}` is not an encoding known here"), "unknown")
                    .suggest(&name, ["utf-8", "windows-1252"]),
            );
            return None;
        }
    };
    let header_row = match header.map(|row| (u64::try_from(row.value), row)) {
        None => 1,
        Some((Ok(row), _)) if row >= 1 => row,
        Some((_, row)) => {
            problems.push(row.problem("pipeline::csv", "rows count from 1", "this number").help("write 1 or more"));
            return None;
        }
    };
    let layout = Layout { header_row, ..Layout::default() };
    Some(CsvSpec { delimiter: delimiter?, quote: quote?, encoding, layout })
}

fn yeswiki_spec(fields: Fields<'_>) -> Option<YesWikiSpec> {
    let form_id = fields.required_text("form_id");
    let part = |key: &'static str| fields.text(key).map_or_else(|| key.to_owned(), |text| text.value);
    let spec = YesWikiSpec {
        form_id: String::new(),
        form: part("form"),
        lists: fields.text("lists").map(|text| text.value),
        entries: part("entries"),
        admin: fields.flag("admin").unwrap_or(false),
    };
    fields.finish();
    Some(YesWikiSpec { form_id: form_id?.value, ..spec })
}

fn place_spec(fields: Fields<'_>) -> Place {
    let names = |key| fields.texts(key).into_iter().map(|text| text.value).collect();
    let place = Place {
        code_insee: names("code_insee"),
        code_postal: names("code_postal"),
        commune: names("commune"),
        departement: names("departement"),
        region: names("region"),
        longitude: names("longitude"),
        latitude: names("latitude"),
        crs: None,
    };
    fields.finish();
    place
}

fn reject_rule(fields: Fields<'_>) -> Option<RejectRule> {
    let (column, reason) = (fields.required_text("column"), fields.required_text("reason"));
    let (listed, unlisted) = (fields.texts("is"), fields.texts("is_not"));
    if listed.is_empty() && unlisted.is_empty() {
        fields.missing("is");
    }
    fields.finish();
    let negated = listed.is_empty();
    let values = if negated { unlisted } else { listed };
    Some(RejectRule {
        column: column?.value,
        values: values.into_iter().map(|text| text.value).collect(),
        matches: None,
        negated,
        reason: reason?.value,
    })
}

fn consent_rule(fields: Fields<'_>, contract: &Contract, problems: &Problems) -> Option<Consent> {
    let (row, answers) = (fields.required_text("row"), fields.required_text("answers"));
    fields.finish();
    let boolean = |name: Spanned<String>| match contract.column(&name.value) {
        Some(column) if column.kind == Kind::Boolean => Some(name.value),
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

fn keep_rule(fields: Fields<'_>, contract: &Contract, problems: &Problems) -> Keep {
    let newest = fields.text("newest");
    fields.finish();
    let Some(newest) = newest else { return Keep::First };
    match contract.columns.iter().position(|column| column.name == newest.value) {
        Some(at) if matches!(contract.columns[at].kind, Kind::Date | Kind::DateTime | Kind::Integer | Kind::Number) => {
            Keep::Newest(at)
        }
        Some(_) => {
            problems.push(
                newest
                    .problem(
                        "pipeline::type_mismatch",
                        format!("`{}` has no order", newest.value),
                        "neither date nor number",
                    )
                    .help("name a column of dates or numbers"),
            );
            Keep::First
        }
        None => {
            unknown_column(&newest, contract, problems);
            Keep::First
        }
    }
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

fn mappings(columns: Option<&Node>, contract: &Contract, place: bool, keys: bool, problems: &Problems) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    let entries = columns.and_then(|node| node.fields(problems)).map(|fields| fields.all()).unwrap_or_default();
    for (name, node) in entries {
        match contract.columns.iter().position(|column| column.name == name.value) {
            None => unknown_column(name, contract, problems),
            Some(at) if mappings.iter().any(|mapping| mapping.column == at) => problems.push(
                name.problem("file::duplicate_key", format!("`{}` is filled twice", name.value), "the second time")
                    .help("keep one of the two"),
            ),
            Some(at) => mappings.extend(mapping(at, name, node, contract, problems)),
        }
    }
    for (at, column) in contract.columns.iter().enumerate() {
        let by_place = place && PLACE_COLUMNS.contains(&column.name.as_str());
        if !by_place && !mappings.iter().any(|mapping| mapping.column == at) {
            mappings.push(Mapping { from: vec![column.name.clone()], ..empty_mapping(at) });
        }
    }
    for mapping in &mut mappings {
        let multi = matches!(contract.columns[mapping.column].kind, Kind::Codes | Kind::Texts);
        if multi && mapping.separator.is_none() {
            mapping.separator = Some(if keys { "," } else { "|" }.to_owned());
        }
    }
    mappings.sort_by_key(|mapping| mapping.column);
    mappings
}

fn empty_mapping(column: usize) -> Mapping {
    Mapping { column, ..Mapping::default() }
}

fn mapping(
    at: usize,
    name: &Spanned<String>,
    node: &Node,
    contract: &Contract,
    problems: &Problems,
) -> Option<Mapping> {
    if let Value::Text(from) = &node.value {
        return Some(Mapping { from: vec![from.clone()], ..empty_mapping(at) });
    }
    let fields = node.fields(problems)?;
    let from: Vec<String> = fields.texts("from").into_iter().map(|text| text.value).collect();
    let constant = fields.text("constant").map(|text| text.value);
    if from.is_empty() == constant.is_none() {
        problems.push(
            name.problem("pipeline::mapping", format!("`{}` needs `from` or `constant`", name.value), "one of the two")
                .help("write { from = \"source column\" } or { constant = \"value\" }"),
        );
    }
    let formats = fields.texts("format");
    for format in &formats {
        check_format(format, contract.columns[at].kind, problems);
    }
    let decimal_comma = match fields.text("decimal").as_ref().map(|text| (text, text.value.as_str())) {
        None | Some((_, ".")) => false,
        Some((_, ",")) => true,
        Some((text, _)) => {
            problems
                .push(text.problem("pipeline::mapping", "a decimal mark is `,` or `.`", "here").help("write \",\""));
            false
        }
    };
    let other = fields.text("other").and_then(|other| {
        let found = contract.columns.iter().position(|column| column.name == other.value);
        if found.is_none() {
            unknown_column(&other, contract, problems);
        }
        found
    });
    let mapping = Mapping {
        from,
        constant,
        html: fields.flag("html").unwrap_or(false),
        keyed: fields.flag("keyed").unwrap_or(false),
        formats: formats.into_iter().map(|text| text.value).collect(),
        decimal_comma,
        separator: fields.text("separator").map(|text| text.value),
        other,
        ..empty_mapping(at)
    };
    fields.finish();
    Some(mapping)
}

fn check_format(format: &Spanned<String>, kind: Kind, problems: &Problems) {
    use chrono::format::{Item, StrftimeItems};
    if !matches!(kind, Kind::Date | Kind::DateTime) {
        problems.push(
            format
                .problem("pipeline::type_mismatch", "only dates have a format", "this column is not a date")
                .help("remove `format`, or declare the column `date` in its contract"),
        );
    }
    if StrftimeItems::new(&format.value).any(|item| matches!(item, Item::Error)) {
        problems.push(
            format
                .problem("pipeline::bad_format", "the date format cannot be read", "here")
                .help("%Y year, %m month, %d day, %H:%M:%S time: %d/%m/%Y"),
        );
    }
}
