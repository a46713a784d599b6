//! TOML and JSON as one kind of tree whose every key and value knows its place, and a reader of its tables that reports
//! every mistake: wrong type, missing key, unknown key.
//!
//! Why not serde: a derived `Deserialize` stops at the first mistake, and buffers that some of its attributes need
//! lose the places.

use std::cell::RefCell;
use std::sync::Arc;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use toml::de::{DeTable, DeValue};

use super::{Problem, Problems, SourceFile, Span, Spanned};

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// JSON's `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction or exponent.
    Float(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in the order of the file.
    Table(Vec<(Spanned<String>, Node)>),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A value with its place.
pub type Node = Spanned<Value>;

/// Reads a TOML file; syntax errors become problems and the rest is still read.
pub fn parse_toml(file: &Arc<SourceFile>, problems: &Problems) -> Node {
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        if error.message().starts_with("duplicate key") {
            let key = file.text.get(span.clone()).unwrap_or("a key");
            problems.push(
                Problem::at("file::duplicate_key", format!("`{key}` is given twice"), file, span, "the second time")
                    .help("keep one of the two"),
            );
            continue;
        }
        problems.push(
            Problem::at("file::syntax", "this is not TOML", file, span, first_line(error.message()))
                .help("see https://toml.io for the format; texts need quotes, lists brackets"),
        );
    }
    let span = table.span();
    toml_table(file, table.get_ref(), span)
}

fn toml_table(file: &Arc<SourceFile>, table: &DeTable<'_>, span: Span) -> Node {
    let mut entries: Vec<(Spanned<String>, Node)> = table
        .iter()
        .map(|(key, value)| {
            let key_node = Spanned { value: key.get_ref().to_string(), file: Arc::clone(file), span: key.span() };
            (key_node, toml_value(file, value.get_ref(), value.span()))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.span.start);
    Spanned { value: Value::Table(entries), file: Arc::clone(file), span }
}

fn toml_value(file: &Arc<SourceFile>, value: &DeValue<'_>, span: Span) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Text(integer.to_string()),
        },
        DeValue::Float(float) => float.as_str().parse().map_or_else(|_| Value::Text(float.to_string()), Value::Float),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(date) => Value::Text(date.to_string()),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| toml_value(file, item.get_ref(), item.span())).collect())
        }
        DeValue::Table(table) => return toml_table(file, table, span),
    };
    Spanned { value, file: Arc::clone(file), span }
}

/// Reads a JSON file; a syntax error becomes a problem and `None`.
pub fn parse_json(file: &Arc<SourceFile>, problems: &Problems) -> Option<Node> {
    let options = jsonc_parser::ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
    };
    match jsonc_parser::parse_to_ast(&file.text, &jsonc_parser::CollectOptions::default(), &options) {
        Ok(parsed) => match parsed.value {
            Some(value) => Some(json_value(file, &value)),
            None => {
                problems.push(
                    Problem::of_file("file::syntax", "the file is empty", file).help("a JSON object is expected"),
                );
                None
            }
        },
        Err(error) => {
            let range = error.range();
            let label = error.kind().to_string();
            problems.push(
                Problem::at("file::syntax", "this is not JSON", file, range.start..range.end, label)
                    .help("keys and texts need double quotes, entries commas between them"),
            );
            None
        }
    }
}

fn json_value(file: &Arc<SourceFile>, value: &ast::Value<'_>) -> Node {
    let range = value.range();
    let inner = match value {
        ast::Value::StringLit(text) => Value::Text(text.value.to_string()),
        ast::Value::NumberLit(number) => match number.value.parse::<i64>() {
            Ok(integer) => Value::Integer(integer),
            Err(_) => number.value.parse().map_or(Value::Null, Value::Float),
        },
        ast::Value::BooleanLit(flag) => Value::Bool(flag.value),
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::Array(items) => Value::List(items.elements.iter().map(|item| json_value(file, item)).collect()),
        ast::Value::Object(object) => Value::Table(
            object
                .properties
                .iter()
                .map(|property| {
                    let key = property.name.range();
                    let name = Spanned {
                        value: property.name.as_str().to_owned(),
                        file: Arc::clone(file),
                        span: key.start..key.end,
                    };
                    (name, json_value(file, &property.value))
                })
                .collect(),
        ),
    };
    Spanned { value: inner, file: Arc::clone(file), span: range.start..range.end }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

impl Node {
    /// The text, or a problem.
    pub fn text(&self, problems: &Problems) -> Option<Spanned<String>> {
        match &self.value {
            Value::Text(text) => {
                Some(Spanned { value: text.clone(), file: Arc::clone(&self.file), span: self.span.clone() })
            }
            _ => self.wrong_type("a text", problems),
        }
    }

    /// The table's reader, or a problem.
    pub fn fields<'a>(&'a self, problems: &'a Problems) -> Option<Fields<'a>> {
        match &self.value {
            Value::Table(entries) => {
                let taken = RefCell::new(vec![false; entries.len()]);
                Some(Fields { node: self, entries, taken, known: RefCell::default(), problems })
            }
            _ => self.wrong_type("a table", problems),
        }
    }

    /// The list's items, or a problem.
    pub fn items<'a>(&'a self, problems: &Problems) -> Option<&'a [Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => self.wrong_type("a list", problems),
        }
    }

    fn wrong_type<T>(&self, expected: &str, problems: &Problems) -> Option<T> {
        let found = self.value.kind();
        problems.push(
            self.problem("file::wrong_type", format!("{expected} is expected here"), format!("this is {found}"))
                .help(format!("write {expected}")),
        );
        None
    }
}

/// Reads the keys of one table. [`Fields::finish`] reports those that nobody asked for.
#[derive(Debug)]
pub struct Fields<'a> {
    node: &'a Node,
    entries: &'a [(Spanned<String>, Node)],
    taken: RefCell<Vec<bool>>,
    known: RefCell<Vec<&'static str>>,
    problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// The table itself, for its place.
    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// The value of a key.
    pub fn get(&self, key: &'static str) -> Option<&'a Node> {
        if !self.known.borrow().contains(&key) {
            self.known.borrow_mut().push(key);
        }
        let at = self.entries.iter().position(|(name, _)| name.value == key)?;
        self.taken.borrow_mut()[at] = true;
        Some(&self.entries[at].1)
    }

    /// The place of a key, for problems about it.
    pub fn key(&self, key: &str) -> Option<&'a Spanned<String>> {
        self.entries.iter().map(|(name, _)| name).find(|name| name.value == key)
    }

    /// A text.
    pub fn text(&self, key: &'static str) -> Option<Spanned<String>> {
        self.get(key)?.text(self.problems)
    }

    /// A text that must be there.
    pub fn required_text(&self, key: &'static str) -> Option<Spanned<String>> {
        if self.key(key).is_none() {
            self.known.borrow_mut().push(key);
            self.missing(key);
            return None;
        }
        self.text(key)
    }

    /// Reports that a key is missing.
    pub fn missing(&self, key: &str) {
        let start = self.node.span.start;
        if start == 0 {
            let message = format!("`{key}` is missing");
            self.problems.push(
                Problem::of_file("file::missing_key", message, &self.node.file)
                    .help(format!("add `{key}` at the top level of the file")),
            );
            return;
        }
        let line = self.node.file.text.get(start..).and_then(|rest| rest.lines().next()).map_or(0, str::len);
        let end = self.node.span.end.min(start + line.max(1));
        self.problems.push(
            Problem::at(
                "file::missing_key",
                format!("`{key}` is missing"),
                &self.node.file,
                start..end,
                "in this table",
            )
            .help(format!("add `{key}`")),
        );
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'static str) -> Option<bool> {
        let node = self.get(key)?;
        match node.value {
            Value::Bool(flag) => Some(flag),
            _ => node.wrong_type("true or false", self.problems),
        }
    }

    /// A whole number.
    pub fn integer(&self, key: &'static str) -> Option<Spanned<i64>> {
        let node = self.get(key)?;
        match node.value {
            Value::Integer(number) => {
                Some(Spanned { value: number, file: Arc::clone(&node.file), span: node.span.clone() })
            }
            _ => node.wrong_type("a whole number", self.problems),
        }
    }

    /// A number.
    pub fn number(&self, key: &'static str) -> Option<f64> {
        let node = self.get(key)?;
        match node.value {
            #[expect(clippy::cast_precision_loss, reason = "bounds and thresholds that people type are small")]
            Value::Integer(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => node.wrong_type("a number", self.problems),
        }
    }

    /// A list of texts; one text stands for a list of one.
    pub fn texts(&self, key: &'static str) -> Vec<Spanned<String>> {
        let Some(node) = self.get(key) else { return Vec::new() };
        match &node.value {
            Value::Text(_) => node.text(self.problems).into_iter().collect(),
            _ => node.items(self.problems).unwrap_or(&[]).iter().filter_map(|item| item.text(self.problems)).collect(),
        }
    }

    /// A table below.
    pub fn table(&self, key: &'static str) -> Option<Self> {
        self.get(key)?.fields(self.problems)
    }

    /// Named tables below: `[key.name]`.
    pub fn named(&self, key: &'static str) -> Vec<(&'a Spanned<String>, &'a Node)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        match &node.value {
            Value::Table(entries) => entries.iter().map(|(name, node)| (name, node)).collect(),
            _ => node.wrong_type::<()>("a table", self.problems).map_or_else(Vec::new, |()| Vec::new()),
        }
    }

    /// A list of tables: `[[key]]`.
    pub fn tables(&self, key: &'static str) -> Vec<Self> {
        let Some(node) = self.get(key) else { return Vec::new() };
        node.items(self.problems).unwrap_or(&[]).iter().filter_map(|item| item.fields(self.problems)).collect()
    }

    /// Marks every key as known: a table whose keys are free.
    pub fn all(&self) -> &'a [(Spanned<String>, Node)] {
        self.taken.borrow_mut().fill(true);
        self.entries
    }

    /// Reports keys that nobody asked for, and keys given twice.
    pub fn finish(self) {
        let known = self.known.borrow();
        for (at, (key, _)) in self.entries.iter().enumerate() {
            let earlier = self.entries.iter().take(at).any(|(name, _)| name.value == key.value);
            if earlier {
                self.problems.push(
                    key.problem("file::duplicate_key", format!("`{}` is given twice", key.value), "the second time")
                        .help("keep one of the two"),
                );
            } else if !self.taken.borrow()[at] {
                self.problems.push(
                    key.problem("file::unknown_key", format!("unknown key `{}`", key.value), "nothing reads this")
                        .suggest(&key.value, known.iter().copied()),
                );
            }
        }
    }
}
