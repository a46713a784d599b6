//! SQL over Arrow: the only module that names `datafusion`.
//!
//! An [`Engine`] holds tables and answers SELECTs about them. Two kinds of people write SQL for it:
//!
//! - authors of models, one SELECT per file: [`Engine::references`] says which tables a file reads, [`Engine::plan`]
//!   checks it against the tables' shapes and says from which columns each of its own derives ([`lineage`]),
//!   [`Engine::execute`] streams its rows in a total order, so that the same inputs give the same bytes;
//! - readers of releases: [`Engine::query`] answers one read-only statement; [`Engine::prepare`] and
//!   [`Engine::answer`] do so in two steps, within [`Bounds`] for strangers, over the tables of a [`Library`].
//!
//! What a person typed wrongly comes back as [`Problem`](crate::diagnostic::Problem)s with their place in the SQL;
//! everything else is an [`EngineError`].
//!
//! # What SQL sees
//!
//! Tables are shown in the types in which they are published, whatever they are inside. A coded set (see
//! [`contract::arrow`](crate::contract::arrow)) is a list of its codes, a dictionary is a text, and columns whose name
//! starts with `__` do not exist. Dictionaries are unpacked rather than kept because a plain text is the one type on
//! which CASE, UNION, string functions, comparison with literals and GROUP BY agree without casts; it is also faster
//! to group by, and a batch of texts lives no longer than the batch. View types (`Utf8View`) are switched off
//! altogether: chained joins over them keep every input buffer alive, uncounted by the memory limit
//! (apache/datafusion #16206).
//!
//! # Memory
//!
//! Operators share [`EngineOptions::memory_bytes`]; sorts, groupings and repartitions spill to
//! [`EngineOptions::temp_dir`], the build side of a hash join does not and fails with
//! [`EngineError::is_out_of_memory`].

mod below;
mod error;
mod execute;
mod functions;
mod guard;
mod library;
pub mod lineage;
mod locate;
mod made;
mod meter;
mod plan;
mod problem;
mod query;
mod rules;
mod statement;
mod tables;
mod texts;
mod width;

#[cfg(test)]
pub(crate) mod fixture;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::Volatility;
use datafusion::prelude::SessionConfig;

pub use below::below;
pub use datafusion::common::ScalarValue;
pub use datafusion::prelude::SessionContext;
pub use error::{EngineError, Fault, QueryError, SinkError};
pub use execute::{BATCH_ROWS, Held, RowOrder, Sink};
pub use guard::Bounds;
pub use library::{Library, Missing};
pub use made::RowMaker;
pub use meter::weight;
pub use plan::Planned;
pub use query::{Answer, AnswerStream, PreparedQuery};
pub use tables::{ReleaseTable, SCRATCH, StoreHandle};
pub use texts::{add_lookup, add_text};

/// Name of the only catalog.
pub const CATALOG: &str = "essaim";

/// Schema of tables that are named without one.
pub const DEFAULT_SCHEMA: &str = "public";

/// Consumers named when memory runs out.
const CONSUMERS_SHOWN: usize = 5;

/// Most memory that a sort keeps aside for its last merge, per partition.
const SORT_RESERVATION: usize = 32 << 20;

/// What an engine may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// Memory that operators share before they spill.
    pub memory_bytes: usize,
    /// Folder for what they spill; made when it is first needed.
    pub temp_dir: PathBuf,
    /// Number of threads' worth of work in flight.
    pub partitions: usize,
    /// Whether one file is read in several places at once. Of an Arrow file all that is read is then held in memory.
    pub split_files: bool,
}

/// Tables, functions and limits behind SQL. Cheap to clone: clones share their tables.
#[derive(Clone)]
pub struct Engine {
    context: SessionContext,
    removed: Arc<BTreeMap<String, Removed>>,
    /// Where tables come from that are not registered.
    shelves: Option<library::Shelves>,
}

/// Why a function was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removed {
    /// It answers differently from one time to the next.
    Changing,
    /// It tells about the files or the program, not about the data.
    Machine,
    /// It makes rows or lists of any length out of nothing.
    Boundless,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("session", &self.context.session_id()).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine without tables.
    pub fn new(options: &EngineOptions) -> Result<Self, EngineError> {
        Self::build(options).map_err(|source| EngineError::setup("start the SQL engine", source))
    }

    fn build(options: &EngineOptions) -> Result<Self, DataFusionError> {
        let consumers = NonZeroUsize::new(CONSUMERS_SHOWN).unwrap_or(NonZeroUsize::MIN);
        let pool = TrackConsumersPool::new(FairSpillPool::new(options.memory_bytes), consumers);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_temp_file_path(&options.temp_dir)
            .build_arc()?;
        let state = SessionStateBuilder::new()
            .with_config(session_config(options))
            .with_runtime_env(runtime)
            .with_default_features()
            .build();
        let context = SessionContext::new_with_state(state);
        let removed = Arc::new(remove_functions(&context));
        for function in functions::all() {
            context.register_udf(function);
        }
        Ok(Self { context, removed, shelves: None })
    }
}

fn session_config(options: &EngineOptions) -> SessionConfig {
    let partitions = options.partitions.max(1);
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA)
        .with_create_default_catalog_and_schema(true)
        .with_information_schema(true)
        .with_target_partitions(partitions)
        .with_batch_size(BATCH_ROWS);
    let settings = config.options_mut();
    settings.optimizer.repartition_file_scans = options.split_files;
    settings.sql_parser.collect_spans = true;
    settings.sql_parser.map_string_types_to_utf8view = false;
    settings.execution.parquet.schema_force_view_types = false;
    // A recursion has no bound that a check could see.
    settings.execution.enable_recursive_ctes = false;
    // Sorts side by side each take all the memory that is left when they merge what they spilled, and leave none to the
    // merge of the two: wide rows then fail whatever the pool.
    settings.optimizer.repartition_sorts = false;
    // The reservation cannot be spilled: in a small pool the default would leave nothing to sort in.
    settings.execution.sort_spill_reservation_bytes = (options.memory_bytes / 6).min(SORT_RESERVATION);
    config
}

/// Functions that say where the data lies, or by what it is read.
const MACHINE: [&str; 4] = ["input_file_name", "file_row_index", "version", "arrow_metadata"];

fn remove_functions(context: &SessionContext) -> BTreeMap<String, Removed> {
    let state = context.state();
    let changing = state.scalar_functions().iter().filter(|(_, f)| f.signature().volatility != Volatility::Immutable);
    let changing = changing.map(|(name, _)| (name.clone(), Removed::Changing));
    let boundless = state.table_functions().keys().map(|name| (name.clone(), Removed::Boundless));
    let machine = MACHINE.map(|name| (name.to_owned(), Removed::Machine));
    let removed: BTreeMap<String, Removed> = changing.chain(boundless).chain(machine).collect();
    for name in removed.keys() {
        context.deregister_udf(name);
        context.deregister_udtf(name);
    }
    removed
}

#[cfg(test)]
mod tests;
