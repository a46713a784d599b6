//! Complaints of the planner about SQL as problems with their place.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::{Column, DataFusionError, Diagnostic, SchemaError, Span as SqlSpan};
use datafusion::sql::sqlparser::parser::ParserError;

use crate::diagnostic::{Problem, SourceFile, Span};

/// All complaints in an error, each as a problem.
pub(super) fn from_error(error: &DataFusionError, file: &Arc<SourceFile>) -> Vec<Problem> {
    match error {
        DataFusionError::Collection(errors) => errors.iter().flat_map(|error| from_error(error, file)).collect(),
        DataFusionError::Context(_, inner) => from_error(inner, file),
        DataFusionError::Shared(inner) => from_error(inner, file),
        DataFusionError::Diagnostic(diagnostic, inner) => vec![one(inner, Some(diagnostic), file)],
        _ => vec![one(error, None, file)],
    }
}

fn one(error: &DataFusionError, diagnostic: Option<&Diagnostic>, file: &Arc<SourceFile>) -> Problem {
    let root = error.find_root();
    let span = diagnostic.and_then(|diagnostic| diagnostic.span).map(|span| to_span(file, span));
    match root {
        DataFusionError::SchemaError(error, _) => of_schema(error, diagnostic, span, file),
        DataFusionError::SQL(error, _) => of_syntax(error, file),
        _ => {
            let text = root.strip_backtrace();
            let message = diagnostic.map_or_else(|| essence(&text), |diagnostic| diagnostic.message.as_str());
            let (code, help) = classify(root, message);
            let notes = diagnostic.map(notes).filter(|notes| !notes.is_empty() && code != "sql::group_by");
            let mut problem = placed(code, sentence(message), file, span);
            problem.help = Some(notes.unwrap_or_else(|| help.to_owned()));
            problem
        }
    }
}

fn of_schema(
    error: &SchemaError,
    diagnostic: Option<&Diagnostic>,
    span: Option<Span>,
    file: &Arc<SourceFile>,
) -> Problem {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let span = span.or_else(|| field.spans().first().map(|span| to_span(file, span)));
            unknown_column(field, valid_fields, span, file)
        }
        SchemaError::AmbiguousReference { field } => {
            let span = span.or_else(|| field.spans().first().map(|span| to_span(file, span)));
            let message = format!("`{}` is a column of several tables", field.name);
            let problem = placed("sql::ambiguous_column", message, file, span);
            let notes = diagnostic.map(notes).unwrap_or_default();
            problem.help(format!("write the table before it, as in `t.{}`; {notes}", field.name).trim_end_matches("; "))
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            placed("sql::duplicate_column", format!("two columns are called `{name}`"), file, span)
                .help("give one of them another name with AS")
        }
    }
}

fn unknown_column(field: &Column, valid: &[Column], span: Option<Span>, file: &Arc<SourceFile>) -> Problem {
    let same_table = |other: &&Column| field.relation.is_none() || other.relation == field.relation;
    let near = valid.iter().filter(same_table).map(|column| column.name.as_str());
    // Expressions without a name of their own are no help.
    let is_name = |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_') && name != "NULL";
    let near: BTreeSet<&str> = near.filter(|name| is_name(name)).collect();
    let relation = field.relation.as_ref();
    if let (Some(relation), true) = (relation, near.is_empty()) {
        let tables = valid.iter().filter_map(|column| column.relation.as_ref()).map(ToString::to_string);
        let tables: BTreeSet<String> = tables.collect();
        let message = format!("no table is called `{relation}` here");
        return placed("sql::unknown_column", message, file, span)
            .suggest(&relation.to_string(), tables.iter().map(String::as_str));
    }
    let message = match relation {
        Some(relation) => format!("`{relation}` has no column `{}`", field.name),
        None => format!("unknown column `{}`", field.name),
    };
    let problem = placed("sql::unknown_column", message, file, span);
    if near.is_empty() { problem.help("no table is read here: write FROM") } else { problem.suggest(&field.name, near) }
}

fn of_syntax(error: &ParserError, file: &Arc<SourceFile>) -> Problem {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => "expressions are nested too deeply",
    };
    let (message, place) = split_place(text);
    let end = file.text.trim_end().len();
    let start = place.map_or(end, |(line, column)| file.offset(line, column)).min(end);
    let span = start..token_end(&file.text, start).min(end);
    let label = if place.is_some() { "here" } else { "at the end" };
    Problem::at("sql::syntax", sentence(message), file, span, label)
        .help("names with capitals or signs need double quotes, texts single ones")
}

/// Takes ` at Line: 3, Column: 5` off a message.
fn split_place(text: &str) -> (&str, Option<(usize, usize)>) {
    let Some((message, place)) = text.rsplit_once(" at Line: ") else { return (text, None) };
    let numbers = place.split_once(", Column: ").and_then(|(line, column)| {
        let column = column.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((line.trim().parse().ok()?, column.parse().ok()?))
    });
    (message, numbers)
}

/// End of the word or sign that starts at an offset.
fn token_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or("");
    let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    start + if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) }
}

/// Codes and help of complaints that come in words only, by words of theirs; the first that fits counts.
const KINDS: [(&[&str], &str, &str); 5] = [
    (&["DDL not supported", "DML not supported", "Statement not supported"], "sql::refused", "only SELECT is allowed"),
    (&["unique expression names"], "sql::duplicate_column", "give one of them another name with AS"),
    (&["WHERE clause"], "sql::invalid", "conditions on aggregates stand in HAVING, conditions on windows in QUALIFY"),
    (&["GROUP BY", "aggregate expression"], "sql::group_by", "group by the column, or aggregate it"),
    (
        &[
            "oerc",
            "ncompatible",
            "argument type",
            "data type",
            "cannot be used with",
            "annot cast",
            "non-boolean",
            "match any signature",
            "unnest()",
            " takes ",
            " requires ",
            " expects ",
        ],
        "sql::type_mismatch",
        "CAST one side to the type of the other, or use a function of that type",
    ),
];

fn classify(error: &DataFusionError, message: &str) -> (&'static str, &'static str) {
    let kind = KINDS.iter().find(|(words, ..)| words.iter().any(|word| message.contains(word)));
    match (kind, error) {
        (Some((_, code, help)), _) => (code, help),
        (None, DataFusionError::NotImplemented(_)) => {
            ("sql::unsupported", "write it another way: this is not supported")
        }
        (None, _) => ("sql::invalid", "see the DataFusion SQL reference for what is allowed here"),
    }
}

fn notes(diagnostic: &Diagnostic) -> String {
    let notes = diagnostic.notes.iter().map(|note| note.message.as_str());
    let helps = diagnostic.helps.iter().map(|help| help.message.as_str());
    notes.chain(helps).collect::<Vec<_>>().join("; ")
}

/// A problem at a place, or of the whole file where there is none.
pub(super) fn placed(
    code: &'static str,
    message: impl Into<String>,
    file: &Arc<SourceFile>,
    span: Option<Span>,
) -> Problem {
    match span {
        Some(span) => Problem::at(code, message, file, span, "here"),
        None => Problem::of_file(code, message, file),
    }
}

pub(super) fn to_span(file: &SourceFile, span: SqlSpan) -> Span {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let start = file.offset(number(span.start.line), number(span.start.column));
    start..file.offset(number(span.end.line), number(span.end.column)).max(start)
}

/// Our messages start in lower case, are one line, quote names in back quotes and have no full stop.
fn sentence(message: &str) -> String {
    let message = message.trim().trim_end_matches(['.', '!']).replace("it's", "it is").replace(['\'', '"'], "`");
    let mut chars = message.chars();
    let is_word = message.chars().nth(1).is_some_and(|c| !c.is_uppercase());
    match chars.next() {
        Some(first) if is_word => first.to_lowercase().chain(chars).collect(),
        _ => message,
    }
}

const PREFIXES: [&str; 9] = [
    "Error during planning: ",
    "Execution error: ",
    "This feature is not implemented: ",
    "Arrow error: ",
    "Cast error: ",
    "Internal error: ",
    "Schema error: ",
    "SQL error: ",
    "External error: ",
];

/// Ends of what is worth telling.
const TAILS: [&str; 4] = [" No function matches", ", errors:", ".. No function", ".\nThis issue"];

/// What a long message says, without where it comes from and what follows from it.
fn essence(text: &str) -> &str {
    let mut message = text.lines().next().unwrap_or(text);
    // The innermost cause stands last: "coercion failed with: Error during planning: …".
    if let Some((_, cause)) = message.rsplit_once("failed with: ") {
        message = cause;
    }
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| message.strip_prefix(prefix)) {
        message = rest;
    }
    for tail in TAILS {
        message = message.split_once(tail).map_or(message, |(message, _)| message);
    }
    message
}
