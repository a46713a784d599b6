//! Answering readers: one read-only statement over released tables.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, INFORMATION_SCHEMA_TABLES};
use datafusion::common::{DataFusionError, ParamValues, ScalarValue};
use datafusion::execution::TaskContext;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManager, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{Query, Statement as SqlStatement};
use futures::{Stream, StreamExt as _};

use crate::diagnostic::{Problem, SourceFile};
use crate::engine::guard::{self, Bounds};
use crate::engine::locate::Names;
use crate::engine::statement::Parsed;
use crate::engine::{
    CATALOG, CONSUMERS_SHOWN, DEFAULT_SCHEMA, Engine, EngineError, QueryError, meter, plan, problem, width,
};

/// Name of the file that problems of a query point into.
const FILE: &str = "query";

/// Batches of an answer.
pub type AnswerStream = Pin<Box<dyn Stream<Item = Result<RecordBatch, EngineError>> + Send>>;

/// An answer on its way: nothing has been computed yet.
pub struct Answer {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows, in the order that the query asks for.
    pub stream: AnswerStream,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// A statement that was understood, and was found to read and do nothing else.
#[derive(Debug, Clone)]
pub struct PreparedQuery {
    /// The columns of its answer.
    pub schema: SchemaRef,
    /// Types of `$1`, `$2`…, where they can be told.
    pub parameters: Vec<Option<DataType>>,
    /// Tables that it names, each once, with their schema where it is named: `coop.structures`, `structures`.
    pub tables: Vec<String>,
    plan: LogicalPlan,
    names: Arc<Names>,
    file: Arc<SourceFile>,
    bounds: Option<Arc<Bounds>>,
}

impl Engine {
    /// Answers one statement that only reads: SELECT, SHOW TABLES, DESCRIBE, EXPLAIN. No statement can name a file, set
    /// an option or change a table. `information_schema` tells of the registered tables and of nothing else.
    pub async fn query(&self, sql: &str) -> Result<Answer, QueryError> {
        let prepared = self.prepare(sql, None).await?;
        self.answer(&prepared, Vec::new()).await
    }

    /// Understands a statement as [`Engine::query`] does. Within bounds, which are for strangers, it may have parameters
    /// `$1`, `$2`…, and what could take all memory or time is refused before it is planned.
    pub async fn prepare(&self, sql: &str, bounds: Option<Arc<Bounds>>) -> Result<PreparedQuery, QueryError> {
        let file = SourceFile::new(FILE, sql);
        let one = |problem: Problem| QueryError::Problems(vec![problem]);
        if let Some(problem) = bounds.as_ref().and_then(|bounds| guard::check_text(&file, bounds)) {
            return Err(one(problem));
        }
        let statement = parse(&file).map_err(QueryError::Problems)?;
        if let Some(problem) = bounds.as_ref().and_then(|_| guard::check(&statement, &file)) {
            return Err(one(problem));
        }
        let names = names_of(&statement, &file);
        let mut found = names.refused.clone();
        match &bounds {
            Some(_) => found.extend(guard::settings(&names)),
            None => found.extend(names.parameters.iter().cloned()),
        }
        if self.shelves.is_none() {
            found.extend(names.unknown_tables(&self.readable_tables()));
        }
        found.extend(self.absent_tables(&names).await?);
        found.extend(self.check_functions(&names));
        if !found.is_empty() {
            return Err(QueryError::Problems(plan::sorted(found)));
        }
        let wrong = |error: DataFusionError| wrong(&error, &names, &file);
        let plan = self.context.state().statement_to_plan(statement).await.map_err(wrong)?;
        let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        read_only.verify_plan(&plan).map_err(wrong)?;
        let parameters = parameters(&plan, &file)?;
        if bounds.is_some() {
            width::check(&plan).map_err(|error| too_wide(&error, &names, &file))?;
        }
        let schema: SchemaRef = Arc::new(Schema::clone(plan.schema().as_arrow()));
        let tables: BTreeSet<String> = names.tables.iter().map(|table| table.value.clone()).collect();
        let tables = tables.into_iter().collect();
        Ok(PreparedQuery { schema, parameters, tables, plan, names: Arc::new(names), file, bounds })
    }

    /// Starts the answer to a statement, with the values of its parameters.
    pub async fn answer(&self, query: &PreparedQuery, values: Vec<ScalarValue>) -> Result<Answer, QueryError> {
        let wrong = |error: DataFusionError| wrong(&error, &query.names, &query.file);
        let fail = |source: DataFusionError| failed("answer", source);
        if values.len() != query.parameters.len() {
            let message = format!("the query has {} parameter(s), not {}", query.parameters.len(), values.len());
            let problem = Problem::of_file("sql::parameters", message, &query.file);
            return Err(QueryError::Problems(vec![problem.help("give one value for each of $1, $2…")]));
        }
        let mut plan = query.plan.clone();
        if !values.is_empty() {
            plan = plan.with_param_values(ParamValues::from(values)).map_err(wrong)?;
            if query.bounds.is_some() {
                width::check(&plan).map_err(|error| too_wide(&error, &query.names, &query.file))?;
            }
        }
        let mut state = self.context.state();
        if query.bounds.is_some() {
            let config = state.config().clone().with_batch_size(guard::BATCH_ROWS);
            *state.config_mut() = config;
        }
        let plan = state.optimize(&plan).map_err(wrong)?;
        let mut physical = state.query_planner().create_physical_plan(&plan, &state).await.map_err(fail)?;
        let mut task = TaskContext::from(&state);
        if let Some(bounds) = &query.bounds {
            physical = meter::metered(physical).map_err(fail)?;
            task = task.with_runtime(Arc::new(share(state.runtime_env(), bounds).map_err(fail)?));
        }
        let stream = execute_stream(physical, Arc::new(task)).map_err(fail)?;
        let schema = stream.schema();
        let stream = stream.map(|batch| batch.map_err(|source| failed("go on answering", source)));
        Ok(Answer { schema, stream: Box::pin(stream) })
    }

    /// All tables, as a query names them.
    fn readable_tables(&self) -> BTreeSet<String> {
        let catalog = self.context.catalog(CATALOG);
        let schemas = catalog.iter().flat_map(|catalog| catalog.schema_names());
        let tables =
            schemas.filter_map(|name| Some((catalog.as_ref()?.schema(&name)?, name))).flat_map(|(schema, name)| {
                let tables = schema.table_names().into_iter();
                tables.map(move |table| if name == DEFAULT_SCHEMA { table } else { format!("{name}.{table}") })
            });
        let about = INFORMATION_SCHEMA_TABLES.iter().map(|table| format!("{INFORMATION_SCHEMA}.{table}"));
        tables.chain(about).collect()
    }
}

/// A runtime of its own for one statement: its share of memory and disk, and the stores and caches of all.
fn share(all: &RuntimeEnv, bounds: &Bounds) -> Result<RuntimeEnv, DataFusionError> {
    let consumers = NonZeroUsize::new(CONSUMERS_SHOWN).unwrap_or(NonZeroUsize::MIN);
    let pool = TrackConsumersPool::new(FairSpillPool::new(bounds.memory_bytes), consumers);
    let mode = match bounds.spill_bytes {
        0 => DiskManagerMode::Disabled,
        _ => DiskManagerMode::Directories(vec![bounds.temp_dir.clone()]),
    };
    let disk = DiskManager::builder().with_mode(mode).with_max_temp_directory_size(bounds.spill_bytes).build()?;
    Ok(RuntimeEnv { memory_pool: Arc::new(pool), disk_manager: Arc::new(disk), ..all.clone() })
}

fn wrong(error: &DataFusionError, names: &Names, file: &Arc<SourceFile>) -> QueryError {
    let mut problems = problem::from_error(error, file);
    names.place(&mut problems);
    QueryError::Problems(problems)
}

fn too_wide(error: &DataFusionError, names: &Names, file: &Arc<SourceFile>) -> QueryError {
    let mut problems = problem::from_error(error, file);
    for problem in &mut problems {
        problem.code = "sql::too_wide";
        problem.help = Some("make shorter texts and lists, or compute this where the rows are not shared".to_owned());
    }
    names.place(&mut problems);
    QueryError::Problems(problems)
}

/// Types of `$1`, `$2`…: numbers without gaps, so that a list of values says which is which.
fn parameters(plan: &LogicalPlan, file: &Arc<SourceFile>) -> Result<Vec<Option<DataType>>, QueryError> {
    let refused = |message: String| {
        let problem = Problem::of_file("sql::parameters", message, file);
        QueryError::Problems(vec![problem.help("number the parameters: $1, $2…")])
    };
    let types = plan.get_parameter_types().map_err(|error| QueryError::Problems(problem::from_error(&error, file)))?;
    let names = plan.get_parameter_names().map_err(|error| QueryError::Problems(problem::from_error(&error, file)))?;
    let mut found: Vec<Option<DataType>> = vec![None; names.len()];
    for name in names {
        let at = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
        let place = at.and_then(|at| found.get_mut(at.checked_sub(1)?));
        let place = place.ok_or_else(|| refused(format!("`{name}` is not a parameter that can be filled")))?;
        *place = types.get(&name).cloned().flatten();
    }
    Ok(found)
}

fn failed(operation: &'static str, source: DataFusionError) -> EngineError {
    EngineError::Execute { operation, table: FILE.to_owned(), sql_file: FILE.to_owned(), source: Box::new(source) }
}

fn names_of(statement: &Statement, file: &Arc<SourceFile>) -> Names {
    if let Some(query) = query_of(statement) {
        return Names::of(&Parsed { query: Box::new(query.clone()), file: Arc::clone(file) });
    }
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::ExplainTable { table_name, .. } => Names::of_table(table_name, file),
            _ => Names::default(),
        },
        _ => Names::default(),
    }
}

fn query_of(statement: &Statement) -> Option<&Query> {
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::Query(query) => Some(query),
            _ => None,
        },
        Statement::Explain(explain) => query_of(&explain.statement),
        _ => None,
    }
}

fn parse(file: &Arc<SourceFile>) -> Result<Statement, Vec<Problem>> {
    let mut statements = DFParser::parse_sql(&file.text).map_err(|error| problem::from_error(&error, file))?;
    let refused = |code: &'static str, message: String| {
        let end = file.text.trim_end().len();
        vec![Problem::at(code, message, file, 0..end, "all of this").help("queries can only read: write one SELECT")]
    };
    match (statements.pop_front(), statements.len()) {
        (None, _) => Err(refused("sql::one_select", "the query is empty".to_owned())),
        (Some(_), more) if more > 0 => Err(refused("sql::one_select", format!("these are {} statements", more + 1))),
        (Some(Statement::CopyTo(_) | Statement::CreateExternalTable(_) | Statement::Reset(_)), _) => {
            Err(refused("sql::refused", "this statement is refused".to_owned()))
        }
        (Some(statement), _) => Ok(statement),
    }
}

#[cfg(test)]
mod tests;
