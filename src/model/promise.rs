//! What a model gives against what its contract promises.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};

use crate::contract::{Contract, Kind, SECRET};
use crate::diagnostic::{Problem, SourceFile, Span, quoted};

/// Differences between the columns that are made and a contract.
pub(super) fn compare(made: &SchemaRef, contract: &Contract, file: &Arc<SourceFile>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for column in &contract.columns {
        let field = made.fields().iter().find(|field| *field.name() == column.name);
        match field {
            None if column.name == SECRET && contract.cell.is_some() => {}
            None => {
                let names: Vec<&str> = made.fields().iter().map(|field| field.name().as_str()).collect();
                problems.push(
                    Problem::at(
                        "contract::missing_column",
                        format!("`{}` promises the column `{}`, and {} does not make it", contract.name, column.name, file.path),
                        &contract.file,
                        column.span.clone(),
                        "promised here",
                    )
                    .help(format!("the model makes {}", quoted(&names))),
                );
            }
            Some(field) if !fits(field.data_type(), column.kind) => problems.push(
                Problem::at(
                    "contract::type_mismatch",
                    format!(
                        "`{}.{}` is {} in SQL, and its contract says {}",
                        contract.name,
                        column.name,
                        field.data_type(),
                        column.plain_type()
                    ),
                    file,
                    output_place(file, &column.name),
                    "made here",
                )
                .help(format!("cast it in SQL, or change its type in {}", contract.file.path)),
            ),
            Some(_) => {}
        }
    }
    for field in made.fields() {
        if contract.column(field.name()).is_none() {
            problems.push(
                Problem::at(
                    "contract::undeclared_column",
                    format!("`{}` makes the column `{}`, which its contract does not declare", contract.name, field.name()),
                    file,
                    output_place(file, field.name()),
                    "made here",
                )
                .suggest(field.name(), contract.columns.iter().map(|column| column.name.as_str())),
            );
        }
    }
    problems
}

fn fits(given: &DataType, kind: Kind) -> bool {
    match kind {
        Kind::Text | Kind::Uri | Kind::Siret | Kind::Code => matches!(given, DataType::Utf8 | DataType::Null),
        Kind::Integer => given.is_integer() || *given == DataType::Null,
        Kind::Number => given.is_numeric() || *given == DataType::Null,
        Kind::Boolean => matches!(given, DataType::Boolean | DataType::Null),
        Kind::Date => matches!(given, DataType::Date32 | DataType::Null),
        Kind::DateTime => matches!(given, DataType::Timestamp(_, _) | DataType::Null),
        Kind::Codes | Kind::Texts => matches!(given, DataType::List(_) | DataType::Null),
        Kind::Geometry => matches!(given, DataType::Binary | DataType::Null),
    }
}

/// Where a model names an output column: its alias, else the last time the name stands in the file, else the first
/// line.
pub fn output_place(file: &SourceFile, column: &str) -> Span {
    let text = file.text.to_lowercase();
    let boundary = |at: Option<char>| at.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    let whole = |at: &usize| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        let after = text.get(at + column.len()..).and_then(|after| after.chars().next());
        boundary(before) && boundary(after)
    };
    let places: Vec<usize> = text.match_indices(column).map(|(at, _)| at).filter(whole).collect();
    let aliased = |at: &&usize| text.get(..**at).is_some_and(|before| before.trim_end().ends_with(" as"));
    match places.iter().find(aliased).or(places.last()) {
        Some(at) if file.text.len() == text.len() => *at..at + column.len(),
        _ => super::first_line(file),
    }
}
