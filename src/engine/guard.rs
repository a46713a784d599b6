//! What a stranger's statement may look like, told before it is planned: planning and folding constants happen in one
//! go, which no time limit interrupts, so whatever would blow up there is refused here.
//!
//! Only what reads is let through, by a list of what is allowed: a statement of a kind that nobody thought of is
//! refused. What a row may weigh is told from the plan: see [`width`](super::width).

mod shape;

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::information_schema::INFORMATION_SCHEMA;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Query, Statement as SqlStatement};

use self::shape::{COLUMNS, DEPTH, Excess, GROUPINGS, NESTED_WITH, RELATIONS, Shape};
use crate::diagnostic::{Problem, SourceFile};
use crate::engine::locate::Names;

/// Rows that are worked on at a time: with the width of a row it bounds what functions make in one go.
pub(super) const BATCH_ROWS: usize = 2048;
/// Settings, which no reader needs.
const SETTINGS: &str = "df_settings";

/// What one statement of a stranger may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Longest statement.
    pub statement_bytes: usize,
    /// Memory of its operators.
    pub memory_bytes: usize,
    /// Disk of what they spill; with none nothing is spilled.
    pub spill_bytes: u64,
    /// Folder of what they spill.
    pub temp_dir: PathBuf,
}

/// What is wrong with a text before it is parsed.
pub(super) fn check_text(file: &Arc<SourceFile>, bounds: &Bounds) -> Option<Problem> {
    let (found, most) = (file.text.len(), bounds.statement_bytes);
    (found > most).then(|| {
        Problem::of_file("sql::too_long", format!("the query has {found} bytes; {most} are the most"), file)
            .help("ask for less at a time, or download the file of the table")
    })
}

/// What is wrong with a statement.
pub(super) fn check(statement: &Statement, file: &Arc<SourceFile>) -> Option<Problem> {
    let query = match reads(statement) {
        Ok(query) => query?,
        Err(message) => {
            let end = file.text.trim_end().len();
            let problem = Problem::at("sql::refused", message, file, 0..end, "all of this");
            return Some(problem.help("queries can only read: write one SELECT"));
        }
    };
    let refused = |message: &str, help: &str| Some(Problem::of_file("sql::refused", message, file).help(help));
    match Shape::of(query) {
        Ok(()) => None,
        Err(Excess::NotSelect) => refused("only SELECT is allowed, also inside WITH", "write one SELECT"),
        Err(Excess::Depth) => refused(
            &format!("operations are nested more than {DEPTH} deep"),
            "write IN (…) for many ORs, and shorter sums",
        ),
        Err(Excess::With) => refused(
            &format!("WITH stands inside WITH more than {NESTED_WITH} deep"),
            "write them one after the other: WITH a AS (…), b AS (…)",
        ),
        Err(Excess::Relations) => refused(
            &format!("more than {RELATIONS} tables are read, those of a WITH counted each time it is read"),
            "join fewer tables",
        ),
        Err(Excess::Columns) => refused(
            &format!("more than {COLUMNS} columns are selected, those of a WITH counted each time it is read"),
            "name the columns that are needed",
        ),
        Err(Excess::Groupings) => {
            refused(&format!("GROUP BY stands for more than {GROUPINGS} groupings"), "group by fewer columns at a time")
        }
    }
}

/// The query that a statement asks or explains; none for SHOW TABLES and DESCRIBE.
fn reads(statement: &Statement) -> Result<Option<&Query>, &'static str> {
    match statement {
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::Query(query) => Ok(Some(query)),
            SqlStatement::ShowTables { .. } | SqlStatement::ExplainTable { .. } => Ok(None),
            _ => Err("this statement is refused"),
        },
        Statement::Explain(explain) if explain.options.analyze => {
            Err("EXPLAIN ANALYZE runs the query: it is refused here")
        }
        Statement::Explain(explain) => match explain.statement.as_ref() {
            Statement::Statement(statement) => match statement.as_ref() {
                SqlStatement::Query(query) => Ok(Some(query)),
                _ => Err("only a SELECT can be explained"),
            },
            _ => Err("only a SELECT can be explained"),
        },
        _ => Err("this statement is refused"),
    }
}

/// Problems with what tells of the program and not of the data.
pub(super) fn settings(names: &Names) -> Vec<Problem> {
    let told = names.tables.iter().filter(|table| table.value == format!("{INFORMATION_SCHEMA}.{SETTINGS}"));
    let problem = |table: &crate::diagnostic::Spanned<String>| {
        table.problem("sql::refused", "settings are neither shown nor changed here", "not here").help("see the docs")
    };
    told.map(problem).collect()
}

#[cfg(test)]
mod tests;
