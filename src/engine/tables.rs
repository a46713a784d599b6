//! Tables as SQL sees them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemorySchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, TableReference, exec_datafusion_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::arrow::ArrowFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::datasource::{MemTable, ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, SortExpr, cast, lit};
use datafusion::object_store::ObjectStore;
use datafusion::prelude::ident;
use url::Url;

use crate::contract::arrow::CODES_KEY;
use crate::engine::functions;
use crate::engine::{CATALOG, Engine, EngineError};
use crate::id::TableName;

/// A store of objects, as the store layer hands it over.
pub type StoreHandle = Arc<dyn ObjectStore>;

/// A table of a release that can be put before readers. Clones share it.
#[derive(Debug, Clone)]
pub struct ReleaseTable {
    pub(super) provider: Arc<dyn TableProvider>,
}

impl ReleaseTable {
    /// Its columns.
    pub fn schema(&self) -> SchemaRef {
        self.provider.schema()
    }
}

/// Extension of intermediate tables.
pub const SCRATCH: &str = "arrow";

/// Columns that start with this are for the program, not for SQL.
const HIDDEN: &str = "__";

impl Engine {
    /// Makes a table known by its shape alone, for planning. A table of that name is replaced.
    pub fn register_empty(&self, name: &TableName, schema: SchemaRef) -> Result<(), EngineError> {
        self.register_batches(name, schema, Vec::new())
    }

    /// A table in memory. Coded columns are shown decoded; a table of that name is replaced.
    pub fn register_batches(
        &self,
        name: &TableName,
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
    ) -> Result<(), EngineError> {
        let shown = Arc::clone(&schema);
        MemTable::try_new(schema, vec![batches])
            .and_then(|table| self.show(name, Arc::new(table), &shown))
            .map_err(|source| EngineError::register(name.as_str(), source))
    }

    /// A table in files of the run, Arrow IPC by their extension ([`SCRATCH`]) and else Parquet, whose columns are stored as `schema` says. Coded columns are shown
    /// decoded; a table of that name is replaced. Without files the table is empty. `order` names columns in whose order
    /// the rows of a single file come, ascending, nulls first.
    pub async fn register_scratch(
        &self,
        name: &TableName,
        files: &[PathBuf],
        schema: SchemaRef,
        order: &[String],
    ) -> Result<(), EngineError> {
        if files.is_empty() {
            return self.register_empty(name, schema);
        }
        let fail = |source: DataFusionError| EngineError::register(name.as_str(), source);
        let urls = files.iter().map(|file| file_url(file)).collect::<Result<Vec<_>, _>>().map_err(fail)?;
        let order: Vec<SortExpr> = order.iter().map(|column| ident(column).sort(true, true)).collect();
        let orders = if order.is_empty() { Vec::new() } else { vec![order] };
        let scratch = files.iter().all(|file| file.extension().is_some_and(|extension| extension == SCRATCH));
        let options = if scratch { options_of(ArrowFormat) } else { parquet_options() }.with_file_sort_order(orders);
        let state = self.context.state();
        for url in &urls {
            let found = options.infer_schema(&state, url).await.map_err(fail)?;
            check_stored(name, &found, &schema)?;
        }
        let config = ListingTableConfig::new_with_multi_paths(urls)
            .with_listing_options(options)
            .with_schema(Arc::clone(&schema));
        let table = ListingTable::try_new(config).map_err(fail)?;
        self.show(name, Arc::new(table), &schema).map_err(fail)
    }

    /// A table of a release: one Parquet file of a store. `schema_name` is the SQL schema that it is found under,
    /// such as `coop`, `coop@2026-11-22` or [`DEFAULT_SCHEMA`](crate::engine::DEFAULT_SCHEMA); it is made when it is
    /// not there.
    ///
    /// `store_url` names the store inside the engine: stores are told apart by its scheme and authority alone, so two
    /// stores need two of them (`release://public`).
    pub async fn register_release_table(
        &self,
        schema_name: &str,
        table: &str,
        store: StoreHandle,
        store_url: &str,
        path: &str,
    ) -> Result<(), EngineError> {
        let name = TableReference::partial(schema_name, table);
        let fail = |source: DataFusionError| EngineError::register(&format!("{schema_name}.{table}"), source);
        self.register_store(store_url, store)?;
        let released = self.release_table(store_url, path).await?;
        self.make_schema(schema_name).map_err(fail)?;
        self.replace(name, released.provider).map_err(fail)
    }

    /// Makes a store known under a URL of which scheme and authority count.
    pub fn register_store(&self, store_url: &str, store: StoreHandle) -> Result<(), EngineError> {
        self.context.register_object_store(&parse_url(store_url)?, store);
        Ok(())
    }

    /// A Parquet file of a store that was registered, as a table that stands in no catalogue. Its footer is read.
    pub async fn release_table(&self, store_url: &str, path: &str) -> Result<ReleaseTable, EngineError> {
        let fail = |source: DataFusionError| EngineError::register(path, source);
        let mut url = parse_url(store_url)?;
        url.set_path(path);
        let url = ListingTableUrl::try_new(url, None).map_err(fail)?;
        let config = ListingTableConfig::new(url).with_listing_options(parquet_options());
        let config = config.infer_schema(&self.context.state()).await.map_err(fail)?;
        let provider = ListingTable::try_new(config).map_err(fail)?;
        Ok(ReleaseTable { provider: Arc::new(provider) })
    }

    /// Drops a table, and the memory that it holds.
    pub fn forget(&self, name: &TableName) -> Result<(), EngineError> {
        let dropped = self.context.deregister_table(TableReference::bare(name.as_str()));
        dropped.map(drop).map_err(|source| EngineError::register(name.as_str(), source))
    }

    fn make_schema(&self, schema_name: &str) -> Result<(), DataFusionError> {
        let catalog = self.context.catalog(CATALOG).ok_or_else(|| exec_datafusion_err!("the catalog is gone"))?;
        if catalog.schema(schema_name).is_none() {
            catalog.register_schema(schema_name, Arc::new(MemorySchemaProvider::new()))?;
        }
        Ok(())
    }

    pub(super) fn show(
        &self,
        name: &TableName,
        stored: Arc<dyn TableProvider>,
        schema: &Schema,
    ) -> Result<(), DataFusionError> {
        let shown = if schema.fields().iter().all(|field| is_plain(field)) {
            stored
        } else {
            decoded(name.as_str(), stored, schema)?
        };
        self.replace(TableReference::bare(name.as_str()), shown)
    }

    fn replace(&self, name: TableReference, provider: Arc<dyn TableProvider>) -> Result<(), DataFusionError> {
        self.context.deregister_table(name.clone())?;
        self.context.register_table(name, provider)?;
        Ok(())
    }
}

fn is_hidden(field: &Field) -> bool {
    field.name().starts_with(HIDDEN)
}

fn is_plain(field: &Field) -> bool {
    let coded = field.metadata().contains_key(CODES_KEY) || matches!(field.data_type(), DataType::Dictionary(..));
    !coded && !is_hidden(field)
}

/// A view that decodes. The stored table stands in no catalog, so that only the view can be named.
fn decoded(
    name: &str,
    stored: Arc<dyn TableProvider>,
    schema: &Schema,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let columns = schema.fields().iter().filter(|field| !is_hidden(field)).map(|field| decoded_column(field));
    let plan = LogicalPlanBuilder::scan(TableReference::bare(name), provider_as_source(stored), None)?
        .project(columns.collect::<Vec<Expr>>())?
        .build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

fn decoded_column(field: &Field) -> Expr {
    let column = ident(field.name());
    match (field.data_type(), field.metadata().get(CODES_KEY)) {
        (DataType::UInt64, Some(codes)) => functions::codes_of(column, lit(codes.as_str())).alias(field.name()),
        (DataType::Dictionary(_, value), _) => cast(column, value.as_ref().clone()).alias(field.name()),
        _ => column,
    }
}

fn parquet_options() -> ListingOptions {
    // The format does not see the session's settings: view types must be switched off here too.
    let format = ParquetFormat::default().with_force_view_types(false);
    options_of(format)
}

fn options_of(format: impl FileFormat + 'static) -> ListingOptions {
    // Files are named one by one: their extension says nothing.
    ListingOptions::new(Arc::new(format)).with_file_extension("")
}

fn parse_url(url: &str) -> Result<Url, EngineError> {
    let parsed = Url::parse(url).map_err(|source| DataFusionError::External(Box::new(source)));
    parsed.map_err(|source| EngineError::register(url, source))
}

fn file_url(file: &Path) -> Result<ListingTableUrl, DataFusionError> {
    let file = std::path::absolute(file)?;
    let url = Url::from_file_path(&file).map_err(|()| exec_datafusion_err!("`{}` is no path", file.display()))?;
    ListingTableUrl::try_new(url, None)
}

fn check_stored(name: &TableName, found: &Schema, expected: &Schema) -> Result<(), EngineError> {
    for field in expected.fields() {
        let found = found.field_with_name(field.name()).map(Field::data_type).ok();
        if found != Some(field.data_type()) {
            return Err(EngineError::Stored {
                table: name.to_string(),
                column: field.name().clone(),
                found: found.map_or_else(|| "nothing".to_owned(), ToString::to_string),
                expected: field.data_type().to_string(),
            });
        }
    }
    Ok(())
}
