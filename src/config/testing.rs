//! `[[test]]`: rows that are given, and the rows that a model should make of them.

use std::sync::Arc;

use super::compile::Scope;
use crate::contract::codes::read_records;
use crate::diagnostic::document::{Fields, Node, Value};
use crate::diagnostic::{Problem, Problems, SourceFile, Spanned};

/// A row of a test: columns and cells, as in a CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRow {
    /// Columns, each with its cell as text; an empty text is an empty cell.
    pub cells: Vec<(Spanned<String>, Spanned<String>)>,
}

/// Rows of a test.
pub type TestRows = Vec<TestRow>;

/// A table that is given to a test.
#[derive(Debug, Clone)]
pub struct Given {
    /// The table.
    pub table: Spanned<String>,
    /// Its rows.
    pub rows: TestRows,
}

/// Rows given and rows expected.
#[derive(Debug, Clone)]
pub struct TestCase {
    /// What it promises.
    pub name: Spanned<String>,
    /// The table that is looked at.
    pub model: Spanned<String>,
    /// Tables with rows; all others are empty.
    pub given: Vec<Given>,
    /// The rows that should be made, in published order.
    pub expect: TestRows,
    /// Whether the order of rows does not matter.
    pub any_order: bool,
    /// Whether further rows are fine.
    pub subset: bool,
    /// Whether small cells are hidden, as when published.
    pub protected: bool,
}

/// Reads the cases of a pipeline.
pub(super) fn tests(top: &Fields<'_>, scope: &Scope<'_>) -> Vec<TestCase> {
    let mut cases: Vec<TestCase> = Vec::new();
    for fields in top.tables("test") {
        let (name, model) = (fields.required_text("name"), fields.required_text("model"));
        let given = fields.table("given").map_or_else(Vec::new, |given| {
            let tables = given.all().iter();
            tables.map(|(table, node)| Given { table: table.clone(), rows: rows(node, scope) }).collect()
        });
        let expect = fields.get("expect").map(|node| rows(node, scope));
        if expect.is_none() {
            fields.missing("expect");
        }
        let any_order = fields.flag("any_order").unwrap_or(false);
        let subset = fields.flag("subset").unwrap_or(false);
        let protected = fields.flag("protected").unwrap_or(true);
        fields.finish();
        let (Some(name), Some(model), Some(expect)) = (name, model, expect) else { continue };
        if cases.iter().any(|case| case.name.value == name.value) {
            let what = format!("two tests are called `{}`", name.value);
            scope.problems.push(name.problem("pipeline::duplicate_name", what, "the second").help("rename one"));
        }
        cases.push(TestCase { name, model, given, expect, any_order, subset, protected });
    }
    cases
}

/// Rows as a list of tables, or as the path of a CSV.
fn rows(node: &Node, scope: &Scope<'_>) -> TestRows {
    if let Value::Text(path) = &node.value {
        return match scope.files.files.get(path).filter(|_| path.starts_with("tests/")) {
            Some(file) => csv_rows(file, scope.problems),
            None => {
                let files = scope.files.files.keys().map(String::as_str).filter(|path| path.starts_with("tests/"));
                scope.problems.push(
                    node.problem("pipeline::no_test_file", format!("there is no file `{path}`"), "not in tests/")
                        .help("rows of tests are CSV files in the project's folder tests/")
                        .suggest(path, files),
                );
                Vec::new()
            }
        };
    }
    let items = node.items(scope.problems).unwrap_or(&[]);
    items.iter().filter_map(|item| inline_row(item, scope.problems)).collect()
}

fn inline_row(node: &Node, problems: &Problems) -> Option<TestRow> {
    let fields = node.fields(problems)?;
    let cells = fields.all().iter();
    let cells = cells.filter_map(|(column, value)| Some((column.clone(), cell(value, problems)?)));
    Some(TestRow { cells: cells.collect() })
}

/// A cell as it would stand in a CSV.
fn cell(node: &Node, problems: &Problems) -> Option<Spanned<String>> {
    let scalar = |value: &Value| match value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null => Some(String::new()),
        Value::List(_) | Value::Table(_) => None,
    };
    let text = match &node.value {
        Value::List(items) => {
            items.iter().map(|item| scalar(&item.value)).collect::<Option<Vec<_>>>().map(|items| items.join("|"))
        }
        value => scalar(value),
    };
    if text.is_none() {
        let problem = node.problem("file::wrong_type", "a cell is expected here", "not a value, nor a list of values");
        problems.push(problem.help("write a text, a number, true or false, or a list of codes"));
    }
    Some(Spanned { value: text?, file: Arc::clone(&node.file), span: node.span.clone() })
}

fn csv_rows(file: &Arc<SourceFile>, problems: &Problems) -> TestRows {
    let mut records = read_records(&file.text).into_iter();
    let Some((start, header)) = records.next() else { return Vec::new() };
    let place = |offset: usize, value: String| {
        let line = file.text.get(offset..).and_then(|rest| rest.lines().next()).map_or(0, str::len);
        Spanned { value, file: Arc::clone(file), span: offset..offset + line }
    };
    let mut rows = Vec::new();
    for (offset, record) in records {
        if record.len() != header.len() {
            let what = format!("this line has {} cells, the header {}", record.len(), header.len());
            let span = place(offset, String::new()).span;
            problems.push(
                Problem::at("file::cells", what, file, span, "this line")
                    .help("give every line a cell for each column"),
            );
            continue;
        }
        let columns = header.iter().map(|column| place(start, column.trim().to_owned()));
        let cells = columns.zip(record.into_iter().map(|cell| place(offset, cell)));
        rows.push(TestRow { cells: cells.collect() });
    }
    rows
}
