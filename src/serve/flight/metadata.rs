//! What clients ask about the server, its tables and its types.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    Nullable, Searchable, SqlInfo, SqlSupportedCaseSensitivity, SqlSupportedTransaction, XdbcDataType,
};

/// What is told of the server.
pub(super) fn server() -> Result<SqlInfoData, FlightError> {
    let mut told = SqlInfoDataBuilder::new();
    told.append(SqlInfo::FlightSqlServerName, "Essaim");
    told.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    told.append(SqlInfo::FlightSqlServerArrowVersion, "1.5");
    for (what, is) in [
        (SqlInfo::FlightSqlServerReadOnly, true),
        (SqlInfo::FlightSqlServerSql, true),
        (SqlInfo::FlightSqlServerSubstrait, false),
        (SqlInfo::FlightSqlServerCancel, false),
        (SqlInfo::FlightSqlServerBulkIngestion, false),
        (SqlInfo::SqlDdlCatalog, false),
        (SqlInfo::SqlDdlSchema, false),
        (SqlInfo::SqlDdlTable, false),
        (SqlInfo::SqlAllTablesAreSelectable, true),
        (SqlInfo::SqlSupportsColumnAliasing, true),
        (SqlInfo::SqlTransactionsSupported, false),
        (SqlInfo::SqlStoredProceduresSupported, false),
        (SqlInfo::SqlBatchUpdatesSupported, false),
        (SqlInfo::SqlSavepointsSupported, false),
        (SqlInfo::SqlCatalogAtStart, true),
    ] {
        told.append(what, is);
    }
    told.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    told.append(SqlInfo::SqlIdentifierCase, SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32);
    told.append(
        SqlInfo::SqlQuotedIdentifierCase,
        SqlSupportedCaseSensitivity::SqlCaseSensitivityCaseInsensitive as i32,
    );
    told.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    told.append(SqlInfo::SqlSearchStringEscape, "\\");
    told.append(SqlInfo::SqlSchemaTerm, "dataset");
    told.append(SqlInfo::SqlCatalogTerm, "catalog");
    told.build()
}

/// The types that columns have.
pub(super) fn types() -> Result<XdbcTypeInfoData, FlightError> {
    use XdbcDataType as X;
    let mut told = XdbcTypeInfoDataBuilder::new();
    let quote = Some("'");
    for (name, kind, size, quote) in [
        ("BOOLEAN", X::XdbcBit, 1, None),
        ("SMALLINT", X::XdbcSmallint, 16, None),
        ("INTEGER", X::XdbcInteger, 32, None),
        ("BIGINT", X::XdbcBigint, 64, None),
        ("REAL", X::XdbcReal, 24, None),
        ("DOUBLE", X::XdbcDouble, 53, None),
        ("DECIMAL", X::XdbcDecimal, 38, None),
        ("VARCHAR", X::XdbcVarchar, i32::MAX, quote),
        ("BYTEA", X::XdbcVarbinary, i32::MAX, quote),
        ("DATE", X::XdbcDate, 10, quote),
        ("TIME", X::XdbcTime, 18, quote),
        ("TIMESTAMP", X::XdbcTimestamp, 29, quote),
    ] {
        let number = quote.is_none() && name != "BOOLEAN";
        told.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type: kind,
            column_size: Some(size),
            literal_prefix: quote.map(ToOwned::to_owned),
            literal_suffix: quote.map(ToOwned::to_owned),
            nullable: Nullable::NullabilityNullable,
            case_sensitive: name == "VARCHAR",
            searchable: Searchable::Full,
            unsigned_attribute: number.then_some(false),
            auto_increment: Some(false),
            local_type_name: Some(name.to_owned()),
            sql_data_type: kind,
            num_prec_radix: number.then_some(if name == "DECIMAL" { 10 } else { 2 }),
            ..XdbcTypeInfo::default()
        });
    }
    told.build()
}

/// The primary keys of a table: none is told.
pub(super) fn primary_keys() -> (SchemaRef, RecordBatch) {
    none(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ])
}

/// Keys of one table in another: none is told.
pub(super) fn foreign_keys() -> (SchemaRef, RecordBatch) {
    let side = |side: &str| {
        [("catalog_name", true), ("db_schema_name", true), ("table_name", false), ("column_name", false)]
            .map(|(name, nullable)| Field::new(format!("{side}_{name}"), DataType::Utf8, nullable))
    };
    let mut fields: Vec<Field> = side("pk").into_iter().chain(side("fk")).collect();
    fields.extend([
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]);
    none(fields)
}

fn none(fields: Vec<Field>) -> (SchemaRef, RecordBatch) {
    let schema = Arc::new(Schema::new(fields));
    (Arc::clone(&schema), RecordBatch::new_empty(schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_says_that_it_is_read_only() {
        assert_eq!(server().unwrap().record_batch([3]).unwrap().num_rows(), 1);
        assert_eq!(types().unwrap().record_batch(None).unwrap().num_rows(), 12);
        assert_eq!(primary_keys().0.fields().len(), 6);
        assert_eq!(foreign_keys().0.fields().len(), 13);
    }
}
