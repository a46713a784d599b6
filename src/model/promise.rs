//! What a model gives against what its contract promises.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};

use crate::contract::{Contract, Kind, SECRET};
use crate::diagnostic::{Problem, SourceFile, Span, quoted};

/// Differences between the columns that are made and a contract.
pub(super) fn compare(
    made: &SchemaRef,
    contract: &Contract,
    file: &Arc<SourceFile>,
    place: &dyn Fn(&str) -> Span,
) -> Vec<Problem> {
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
                        format!(
                            "`{}` promises the column `{}`, and {} does not make it",
                            contract.name, column.name, file.path
                        ),
                        &contract.file,
                        column.span.clone(),
                        "promised here",
                    )
                    .help(format!("the model makes {}", quoted(&names))),
                );
            }
            Some(field) if !column.doubtful && !fits(field.data_type(), column.kind) => problems.push(
                Problem::at(
                    "contract::type_mismatch",
                    format!(
                        "`{}.{}` is {} in SQL, and its contract says {}",
                        contract.name,
                        column.name,
                        sql_type(field.data_type()),
                        schema_type(column.kind)
                    ),
                    file,
                    place(&column.name),
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
                    format!(
                        "`{}` makes the column `{}`, which its contract does not declare",
                        contract.name,
                        field.name()
                    ),
                    file,
                    place(field.name()),
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

/// The type as it is called in SQL.
fn sql_type(given: &DataType) -> String {
    match given {
        DataType::Utf8 => "VARCHAR".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(_, _) => "TIMESTAMP".to_owned(),
        DataType::List(item) => format!("a list of {}", sql_type(item.data_type())),
        DataType::Binary => "a shape".to_owned(),
        integer if integer.is_integer() => "BIGINT".to_owned(),
        other => other.to_string(),
    }
}

/// The type as it is called in a contract.
fn schema_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Uri | Kind::Siret | Kind::Code => "`string`",
        Kind::Integer => "`integer`",
        Kind::Number => "`number`",
        Kind::Boolean => "`boolean`",
        Kind::Date => "`date`",
        Kind::DateTime => "`datetime`",
        Kind::Codes | Kind::Texts => "`list`",
        Kind::Geometry => "`geojson`",
    }
}
