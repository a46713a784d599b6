//! Answering readers: one read-only statement over released tables.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, INFORMATION_SCHEMA_TABLES};
use datafusion::common::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{Query, Statement as SqlStatement};
use futures::{Stream, StreamExt as _};

use crate::diagnostic::{Problem, SourceFile};
use crate::engine::locate::Names;
use crate::engine::statement::Parsed;
use crate::engine::{CATALOG, DEFAULT_SCHEMA, Engine, EngineError, QueryError, plan, problem};

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

impl Engine {
    /// Answers one statement that only reads: SELECT, SHOW TABLES, DESCRIBE, EXPLAIN. No statement can name a file, set
    /// an option or change a table. `information_schema` tells of the registered tables and of nothing else.
    pub async fn query(&self, sql: &str) -> Result<Answer, QueryError> {
        let file = SourceFile::new(FILE, sql);
        let statement = parse(&file).map_err(QueryError::Problems)?;
        let query = query_of(&statement).cloned();
        let names = query.map(|query| Names::of(&Parsed { query: Box::new(query), file: Arc::clone(&file) }));
        let names = names.unwrap_or_default();
        let mut found = names.refused.clone();
        found.extend(names.unknown_tables(&self.readable_tables()));
        found.extend(self.check_functions(&names));
        if !found.is_empty() {
            return Err(QueryError::Problems(plan::sorted(found)));
        }
        let wrong = |error: DataFusionError| {
            let mut problems = problem::from_error(&error, &file);
            names.place(&mut problems);
            QueryError::Problems(problems)
        };
        let state = self.context.state();
        let plan = state.statement_to_plan(statement).await.map_err(wrong)?;
        let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        read_only.verify_plan(&plan).map_err(wrong)?;
        let plan = state.optimize(&plan).map_err(wrong)?;
        let fail = |source: DataFusionError| failed("answer", source);
        let frame = self.context.execute_logical_plan(plan).await.map_err(fail)?;
        let stream = frame.execute_stream().await.map_err(fail)?;
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

fn failed(operation: &'static str, source: DataFusionError) -> EngineError {
    EngineError::Execute { operation, table: FILE.to_owned(), sql_file: FILE.to_owned(), source: Box::new(source) }
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
