//! Tables that are looked up when somebody asks for them: every release of every dataset, without registering any.
//!
//! An engine [with a library](Engine::reading) knows only what the library gives out, and `information_schema`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, INFORMATION_SCHEMA_TABLES};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProviderList, SchemaProvider, TableProvider,
};
use datafusion::common::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;

use crate::diagnostic::{Problem, Spanned};
use crate::engine::locate::Names;
use crate::engine::tables::ReleaseTable;
use crate::engine::{CATALOG, DEFAULT_SCHEMA, Engine, EngineError};

/// Where an engine for readers finds its tables.
#[async_trait]
pub trait Library: fmt::Debug + Send + Sync + 'static {
    /// Schemas that are listed; others may be asked for.
    fn schemas(&self) -> Vec<String>;
    /// Tables of a listed schema.
    fn tables(&self, schema: &str) -> Vec<String>;
    /// Takes a table off its shelf.
    async fn table(&self, schema: &str, table: &str) -> Result<ReleaseTable, Missing>;
}

/// Why a library does not give a table out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Missing {
    /// Nothing has that name.
    #[error("{message}")]
    Unknown {
        /// What is unknown, in words.
        message: String,
        /// The part of the name that was not found.
        typed: String,
        /// What could have been meant instead.
        known: Vec<String>,
    },
    /// It was published once.
    #[error("{message}")]
    Gone {
        /// What happened to it.
        message: String,
        /// What can be read instead.
        help: String,
    },
    /// It could not be looked at.
    #[error("a table could not be opened")]
    Failed(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Missing {
    fn problem(self, table: &Spanned<String>) -> Result<Problem, EngineError> {
        match self {
            Self::Unknown { message, typed, known } => Ok(table
                .problem("sql::unknown_table", message, "no such table")
                .suggest(&typed, known.iter().map(String::as_str))),
            Self::Gone { message, help } => Ok(table.problem("sql::gone", message, "not published").help(help)),
            Self::Failed(source) => {
                Err(EngineError::register(&table.value, DataFusionError::External(Box::new(Shared(source)))))
            }
        }
    }
}

/// An error that several look at.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Shared(Arc<dyn std::error::Error + Send + Sync>);

/// Schemas that were added to a library's, such as `pg_catalog`.
type Added = Arc<RwLock<BTreeMap<String, Arc<dyn SchemaProvider>>>>;

/// A library and what was added to it.
#[derive(Debug, Clone)]
pub(super) struct Shelves {
    library: Arc<dyn Library>,
    added: Added,
}

/// Schema and table of a name as [`Names`] spells it.
pub(super) fn parts(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or((DEFAULT_SCHEMA, name))
}

impl Engine {
    /// An engine with the same functions, settings and stores that knows the tables of a library and no others. What was
    /// added to the catalogue of this one is there, too.
    #[must_use]
    pub fn reading(&self, library: Arc<dyn Library>) -> Self {
        let added = self.shelves.as_ref().map_or_else(Added::default, |shelves| Arc::clone(&shelves.added));
        let shelves = Shelves { library, added };
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(shelves.clone()));
        let state =
            SessionStateBuilder::new_from_existing(self.context.state()).with_catalog_list(Arc::new(catalogs)).build();
        Self {
            context: SessionContext::new_with_state(state),
            removed: Arc::clone(&self.removed),
            shelves: Some(shelves),
        }
    }

    /// The session behind it, to which functions and schemas may be added.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Problems with tables that a library does not have; none without a library.
    pub(super) async fn absent_tables(&self, names: &Names) -> Result<Vec<Problem>, EngineError> {
        let mut problems = Vec::new();
        let Some(shelves) = &self.shelves else { return Ok(problems) };
        for table in &names.tables {
            let (schema, name) = parts(&table.value);
            let is_about = schema == INFORMATION_SCHEMA && INFORMATION_SCHEMA_TABLES.contains(&name);
            if is_about || shelves.added(schema).is_some_and(|added| added.table_exist(name)) {
                continue;
            }
            if let Err(missing) = shelves.library.table(schema, name).await {
                problems.push(missing.problem(table)?);
            }
        }
        Ok(problems)
    }
}

impl Shelves {
    fn added(&self, schema: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.added.read().unwrap_or_else(PoisonError::into_inner).get(schema).map(Arc::clone)
    }
}

impl CatalogProvider for Shelves {
    fn schema_names(&self) -> Vec<String> {
        let mut names = self.library.schemas();
        names.extend(self.added.read().unwrap_or_else(PoisonError::into_inner).keys().cloned());
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if let Some(added) = self.added(name) {
            return Some(added);
        }
        Some(Arc::new(Shelf { library: Arc::clone(&self.library), schema: name.to_owned() }))
    }

    fn register_schema(
        &self,
        name: &str,
        schema: Arc<dyn SchemaProvider>,
    ) -> Result<Option<Arc<dyn SchemaProvider>>, DataFusionError> {
        Ok(self.added.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), schema))
    }
}

/// One schema of a library.
#[derive(Debug)]
struct Shelf {
    library: Arc<dyn Library>,
    schema: String,
}

#[async_trait]
impl SchemaProvider for Shelf {
    fn table_names(&self) -> Vec<String> {
        self.library.tables(&self.schema)
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        match self.library.table(&self.schema, name).await {
            Ok(table) => Ok(Some(table.provider)),
            Err(Missing::Failed(source)) => Err(DataFusionError::External(Box::new(Shared(source)))),
            Err(Missing::Unknown { .. } | Missing::Gone { .. }) => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.library.tables(&self.schema).iter().any(|table| table == name)
    }
}
