//! SQL as text: parsing, and what can be told before planning.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{
    Ident, Query, Select, SelectItem, SetExpr, Spanned as _, Statement as SqlStatement,
};
use datafusion::sql::sqlparser::tokenizer::{Location, Span as SqlSpan};

use crate::diagnostic::{Problem, SourceFile, Span, Spanned};
use crate::engine::locate::Names;
use crate::engine::{Engine, Removed, problem};

/// Functions that the planner knows without registering them.
const BUILT_IN: [&str; 2] = ["unnest", "unnest_outer"];

/// One parsed SELECT of a file.
#[derive(Debug, Clone)]
pub(super) struct Parsed {
    pub(super) query: Box<Query>,
    pub(super) file: Arc<SourceFile>,
}

impl Parsed {
    pub(super) fn statement(&self) -> Statement {
        Statement::Statement(Box::new(SqlStatement::Query(self.query.clone())))
    }
}

impl Engine {
    /// Tables that a model reads, each once, at its first place; names of CTEs are left out.
    pub fn references(&self, file: &Arc<SourceFile>) -> Result<Vec<Spanned<String>>, Vec<Problem>> {
        let names = Names::of(&parse_model(file)?);
        let mut seen = BTreeSet::new();
        Ok(names.tables.into_iter().filter(|table| seen.insert(table.value.clone())).collect())
    }

    /// Problems with functions: unknown ones, and those that were taken out.
    pub(super) fn check_functions(&self, names: &Names) -> Vec<Problem> {
        let state = self.context.state();
        let known: BTreeSet<&str> = state
            .scalar_functions()
            .keys()
            .chain(state.aggregate_functions().keys())
            .chain(state.window_functions().keys())
            .chain(state.higher_order_functions().keys())
            .chain(state.table_functions().keys())
            .map(String::as_str)
            .chain(BUILT_IN)
            .collect();
        let unfit = |function: &Spanned<String>| {
            let name = function.value.as_str();
            if known.contains(name) {
                return None;
            }
            if let Some(removed) = self.removed.get(name) {
                return Some(removed.problem(function));
            }
            let message = format!("unknown function `{name}`");
            let problem = function.problem("sql::unknown_function", message, "no such function");
            Some(problem.suggest(name, known.iter().copied()))
        };
        names.functions.iter().filter_map(unfit).collect()
    }
}

impl Removed {
    fn problem(self, function: &Spanned<String>) -> Problem {
        let (code, why, help) = match self {
            Self::Changing => (
                "sql::not_deterministic",
                "its answer changes from one time to the next",
                "the same inputs must give the same bytes: take dates and keys from a table",
            ),
            Self::Machine => (
                "sql::not_deterministic",
                "it tells about the files or the program, not about the data",
                "the same inputs must give the same bytes: take names from a table",
            ),
            Self::Boundless => (
                "sql::refused",
                "it makes rows out of nothing, of any number",
                "write VALUES (1), (2), or ship the numbers as a table in seeds/",
            ),
        };
        function.problem(code, format!("`{}` cannot be used: {why}", function.value), "not here").help(help)
    }
}

/// Parses a model: one SELECT and nothing else.
pub(super) fn parse_model(file: &Arc<SourceFile>) -> Result<Parsed, Vec<Problem>> {
    let mut statements = DFParser::parse_sql(&file.text).map_err(|error| problem::from_error(&error, file))?;
    let one_select = |message: &str| {
        let end = file.text.trim_end().len();
        vec![
            Problem::at("sql::one_select", message, file, start_of(&file.text)..end, "this file")
                .help("a model is one SELECT; the file's name is the table's name"),
        ]
    };
    match (statements.pop_front(), statements.len()) {
        (None, _) => Err(one_select("the file holds no SELECT")),
        (Some(_), more) if more > 0 => Err(one_select(&format!("the file holds {} statements", more + 1))),
        (Some(Statement::Statement(statement)), _) => match *statement {
            SqlStatement::Query(query) if is_select(&query.body) => Ok(Parsed { query, file: Arc::clone(file) }),
            _ => Err(one_select("this is not a SELECT")),
        },
        (Some(_), _) => Err(one_select("this is not a SELECT")),
    }
}

fn start_of(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

pub(super) fn is_select(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(_) | SetExpr::Values(_) => true,
        SetExpr::Query(query) => is_select(&query.body),
        SetExpr::SetOperation { left, right, .. } => is_select(left) && is_select(right),
        _ => false,
    }
}

/// The name under which an identifier is looked up.
pub(super) fn looked_up(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() }
}

/// Columns of the outermost SELECT (of a union: of its first), in order. `None` where one item stands for several.
pub(super) fn select_items(parsed: &Parsed) -> Option<Vec<Span>> {
    let spans = first_select(&parsed.query.body)?.projection.iter().map(|item| match item {
        SelectItem::UnnamedExpr(expr) => Some(to_span(&parsed.file, expr.span())),
        SelectItem::ExprWithAlias { alias, .. } => Some(to_span(&parsed.file, alias.span)),
        _ => None,
    });
    spans.collect()
}

fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

/// Byte offsets of a place that the parser gives as lines and columns.
pub(super) fn to_span(file: &SourceFile, span: SqlSpan) -> Span {
    let start = to_offset(file, span.start);
    start..to_offset(file, span.end).max(start)
}

fn to_offset(file: &SourceFile, location: Location) -> usize {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    file.offset(number(location.line), number(location.column))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::engine::fixture;

    fn read(sql: &str) -> Result<Vec<(String, String)>, Vec<Problem>> {
        let file = SourceFile::new("sql/coop/figure.sql", sql);
        let references = fixture::engine().references(&file)?;
        Ok(references.into_iter().map(|name| (name.value, file.text.get(name.span).unwrap().to_owned())).collect())
    }

    #[rstest]
    #[case::plain("SELECT * FROM reponses", &["reponses"])]
    #[case::case_is_folded("SELECT * FROM Reponses", &["reponses"])]
    #[case::each_once("SELECT * FROM a JOIN b USING (id) JOIN a AS c USING (id)", &["a", "b"])]
    #[case::ctes_are_no_tables("WITH x AS (SELECT * FROM a), y AS (SELECT * FROM x) SELECT * FROM y", &["a"])]
    #[case::a_cte_may_hide_its_table("WITH a AS (SELECT * FROM a) SELECT * FROM a", &["a"])]
    #[case::a_cte_ends_with_its_query("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) JOIN a ON true", &["a"])]
    #[case::subqueries("SELECT (SELECT max(x) FROM a) FROM b WHERE x IN (SELECT x FROM c)", &["a", "b", "c"])]
    #[case::unions("SELECT x FROM a UNION ALL SELECT x FROM b", &["a", "b"])]
    #[case::schemas("SELECT * FROM \"coop@2026-11-22\".structures", &["coop@2026-11-22.structures"])]
    #[case::unnest_is_no_table("SELECT * FROM a CROSS JOIN unnest(a.xs)", &["a"])]
    fn references_are_tables_that_must_exist(#[case] sql: &str, #[case] tables: &[&str]) {
        let names: Vec<String> = read(sql).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, tables);
    }

    #[test]
    fn references_know_their_place() {
        let found = read("SELECT é.x\nFROM \"Reponses\" AS é\n, communes").unwrap();
        assert_eq!(found, [("Reponses".into(), "\"Reponses\"".into()), ("communes".to_owned(), "communes".to_owned())]);
    }

    #[rstest]
    #[case::two("SELECT 1; SELECT 2", "the file holds 2 statements")]
    #[case::none("-- nothing yet\n", "the file holds no SELECT")]
    #[case::ddl("CREATE TABLE t AS SELECT 1", "this is not a SELECT")]
    #[case::copy("COPY reponses TO 'x.csv'", "this is not a SELECT")]
    #[case::dml("INSERT INTO reponses VALUES (1)", "this is not a SELECT")]
    #[case::set("SET datafusion.execution.batch_size = 1", "this is not a SELECT")]
    #[case::explain("EXPLAIN SELECT 1", "this is not a SELECT")]
    fn a_model_is_one_select(#[case] sql: &str, #[case] message: &str) {
        let problems = read(sql).unwrap_err();
        assert_eq!((problems[0].code, problems[0].message.as_str()), ("sql::one_select", message));
    }

    #[test]
    fn a_trailing_semicolon_and_comments_are_fine() {
        assert_eq!(read("-- figure 1\nSELECT 1 FROM a; -- end\n").unwrap().len(), 1);
    }
}
