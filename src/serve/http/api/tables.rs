//! Tables of a release, and what their columns mean.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::catalog::PACKAGE;
use super::{Asked, Links, Named, answer, named};
use crate::diagnostic::nearest;
use crate::release::TableRecord;
use crate::serve::error::ServeError;
use crate::serve::http::Site;

/// All tables of a release.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "as the document names it")]
pub(super) struct Tables {
    /// The dataset.
    dataset: String,
    /// The release.
    release: String,
    /// Its tables.
    tables: Vec<TableSummary>,
}

/// A table in short.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TableSummary {
    /// Its name: lower-case letters, digits and `_`.
    table: String,
    /// Its title, in French.
    title: String,
    /// Its rows.
    rows: u64,
    /// Rows whose numbers are withheld because too few stand behind them.
    secret_rows: u64,
    /// The columns that tell its rows apart, which is also their order.
    key: Vec<String>,
    /// Whether its rows have a place: they are to be had as GeoJSON, and asked for by `bbox`.
    geographic: bool,
    #[schema(value_type = BTreeMap<String, String>)]
    links: Links,
}

/// A table.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TableDetail {
    #[serde(flatten)]
    summary: TableSummary,
    /// What a row is, in French.
    description: String,
    /// Its columns, in order.
    columns: Vec<ColumnDetail>,
}

/// A column: what its Table Schema says, and what the API takes it for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ColumnDetail {
    /// Its name, as it stands in filters.
    name: String,
    /// Type in the Parquet file, as Arrow has it.
    arrow_type: String,
    /// Empty cells, when that is told.
    empty: Option<u64>,
    /// Its Table Schema: title and description with labels in French, type, unit, constraints.
    #[schema(value_type = Object)]
    schema: Value,
}

/// Tables of a release
#[utoipa::path(
    get, path = "/api/v1/datasets/{dataset}/releases/{release}/tables", tag = "tables",
    params(
        ("dataset" = String, Path, description = "Name of the dataset"),
        ("release" = String, Path, description = "Id of the release, or `latest`")
    ),
    responses(
        (status = 200, body = Tables),
        (status = 410, description = "It was withdrawn or rewritten; `reason` says why", content_type = "application/problem+json")
    )
)]
pub(super) async fn tables(
    State(site): State<Arc<Site>>,
    parts: Named<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ServeError> {
    let (dataset, release) = named(parts)?;
    let asked = Asked::find(&site, &dataset, &release).await?;
    let tables = Tables {
        dataset: asked.dataset.id.to_string(),
        release: asked.release.id.to_string(),
        tables: asked.contents.manifest.tables.iter().map(|table| summary(&asked, table)).collect(),
    };
    Ok(answer(&tables, Some(&asked.dataset), asked.keep(), &headers))
}

/// A table: its columns, with their titles, types, units and codes
#[utoipa::path(
    get, path = "/api/v1/datasets/{dataset}/releases/{release}/tables/{table}", tag = "tables",
    params(
        ("dataset" = String, Path, description = "Name of the dataset"),
        ("release" = String, Path, description = "Id of the release, or `latest`"),
        ("table" = String, Path, description = "Name of the table")
    ),
    responses((status = 200, body = TableDetail), (status = 404, description = "The release has no such table"))
)]
pub(super) async fn table(
    State(site): State<Arc<Site>>,
    parts: Named<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, ServeError> {
    let (dataset, release, table) = named(parts)?;
    let asked = Asked::find(&site, &dataset, &release).await?;
    let record = record(&asked, &table)?;
    let schema = asked.document(&site, &format!("schemas/{}.schema.json", record.name)).await?;
    let package = asked.document(&site, PACKAGE).await?;
    let field = |name: &str| find(&schema["fields"], name).cloned().unwrap_or_default();
    let columns = record.columns.iter().map(|column| {
        let mut schema = field(&column.name);
        if let (Some(labels), Some(schema)) = (labels(&package, &record.name, &column.name), schema.as_object_mut()) {
            schema.insert("categories".to_owned(), labels);
        }
        ColumnDetail { name: column.name.clone(), arrow_type: column.kind.clone(), empty: column.empty, schema }
    });
    let detail = TableDetail {
        summary: summary(&asked, record),
        description: schema["description"].as_str().unwrap_or_default().to_owned(),
        columns: columns.collect(),
    };
    Ok(answer(&detail, Some(&asked.dataset), asked.keep(), &headers))
}

/// A table of a release by its name.
pub(super) fn record<'a>(asked: &'a Asked, name: &str) -> Result<&'a TableRecord, ServeError> {
    let tables = &asked.contents.manifest.tables;
    tables.iter().find(|table| table.name == name).ok_or_else(|| ServeError::NotFound {
        detail: format!("release {} of `{}` has no such table", asked.release.id, asked.dataset.id),
        suggestion: nearest(name, tables.iter().map(|table| table.name.as_str())).map(str::to_owned),
    })
}

/// Whether the rows of a table have a place.
pub(super) fn is_geographic(asked: &Asked, table: &TableRecord) -> bool {
    asked.contents.files.contains_key(&format!("{}.geojson", table.name))
}

fn summary(asked: &Asked, table: &TableRecord) -> TableSummary {
    let path = format!("{}/tables/{}", asked.path(), table.name);
    let geographic = is_geographic(asked, table);
    let mut links: Links = [("self", path.clone()), ("rows", format!("{path}/rows"))].into();
    for (name, ending) in [("csv", "csv"), ("parquet", "parquet"), ("geojson", "geojson")] {
        let file = format!("{}.{ending}", table.name);
        if asked.contents.files.contains_key(&file) {
            links.insert(name, asked.file(&file));
        }
    }
    TableSummary {
        table: table.name.clone(),
        title: table.title.clone(),
        rows: table.rows,
        secret_rows: table.secret_rows,
        key: table.key.clone(),
        geographic,
        links,
    }
}

/// The member of a list that has a name.
fn find<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|member| member["name"] == name)
}

/// Codes of a column with their labels, as the Data Package lists them.
fn labels(package: &Value, table: &str, column: &str) -> Option<Value> {
    let resource = find(&package["resources"], table)?;
    find(&resource["schema"]["fields"], column)?.get("categories").cloned()
}
