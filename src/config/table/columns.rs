//! `[table.<name>.columns]`: how each column of a contract is filled.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::dates::check_format;
use super::unknown_column;
use crate::config::compile::Scope;
use crate::config::pipeline::{Lookup, Mapping, Match, OptionColumns, PLACE_COLUMNS, Ticks};
use crate::contract::fold::fold;
use crate::contract::{Column, Contract, Kind};
use crate::diagnostic::document::{Fields, Node, Value};
use crate::diagnostic::{Problem, Problems, Spanned};

/// Code of the option that takes free text.
const OTHER: &str = "autre";

/// Columns that something else than the table's own source fills.
pub(super) struct Filled<'a> {
    /// Whether the lookup of places fills those that it knows.
    pub(super) place: bool,
    /// Rows of another table.
    pub(super) matched: Option<&'a Match>,
}

impl Filled<'_> {
    fn has(&self, at: usize, name: &str) -> bool {
        let matched = self.matched.is_some_and(|matched| matched.columns.iter().any(|(filled, _)| *filled == at));
        matched || (self.place && PLACE_COLUMNS.contains(&name))
    }
}

/// The mappings of all columns: the declared ones, and for the others the source column of the same name.
pub(super) fn mappings(
    columns: Option<&Node>,
    contract: &Contract,
    filled: &Filled<'_>,
    keys: bool,
    scope: &Scope<'_>,
) -> Vec<Mapping> {
    let problems = scope.problems;
    let mut mappings: Vec<Mapping> = Vec::new();
    let entries = columns.and_then(|node| node.fields(problems)).map(|fields| fields.all()).unwrap_or_default();
    for (name, node) in entries {
        match contract.columns.iter().position(|column| column.name == name.value) {
            None => unknown_column(name, contract, problems),
            Some(at) if mappings.iter().any(|mapping| mapping.column == at) => problems.push(
                name.problem("file::duplicate_key", format!("`{}` is filled twice", name.value), "the second time")
                    .help("keep one of the two"),
            ),
            Some(at) if filled.matched.is_some_and(|matched| matched.columns.iter().any(|(by, _)| *by == at)) => {
                let message = format!("`{}` is filled from another table", name.value);
                let problem = name.problem("pipeline::match", message, "and here from the source");
                problems.push(problem.help("keep one of the two"));
            }
            Some(at) => mappings.extend(mapping(at, name, node, contract, scope)),
        }
    }
    for (at, column) in contract.columns.iter().enumerate() {
        if !filled.has(at, &column.name) && !mappings.iter().any(|mapping| mapping.column == at) {
            mappings.push(Mapping { from: vec![column.name.clone()], ..empty_mapping(at) });
        }
    }
    for mapping in &mut mappings {
        let column = &contract.columns[mapping.column];
        if matches!(column.kind, Kind::Codes | Kind::Texts) && mapping.separator.is_none() {
            let declared = column.delimiter.as_deref().filter(|_| !keys);
            mapping.separator = Some(declared.unwrap_or(if keys { "," } else { "|" }).to_owned());
        }
    }
    mappings.sort_by_key(|mapping| mapping.column);
    mappings
}

fn empty_mapping(column: usize) -> Mapping {
    Mapping { column, ..Mapping::default() }
}

fn mapping(at: usize, name: &Spanned<String>, node: &Node, contract: &Contract, scope: &Scope<'_>) -> Option<Mapping> {
    let problems = scope.problems;
    if let Value::Text(from) = &node.value {
        return Some(Mapping { from: vec![from.clone()], ..empty_mapping(at) });
    }
    let fields = node.fields(problems)?;
    let column = &contract.columns[at];
    let names = |key| -> Vec<String> { fields.texts(key).into_iter().map(|text| text.value).collect() };
    let from = names("from");
    let constant = fields.text("constant").map(|text| text.value);
    let ticks = ticks(&fields, column, problems);
    if usize::from(!from.is_empty()) + usize::from(constant.is_some()) + usize::from(fields.key("columns").is_some())
        != 1
    {
        problems.push(
            name.problem("pipeline::mapping", format!("`{}` needs `from` or `constant`", name.value), "one of the two")
                .help("write { from = \"source column\" } or { constant = \"value\" }; { columns = \"Question [*]\" } for one column per option"),
        );
    }
    let formats = fields.texts("format");
    for format in &formats {
        check_format(format, column, problems);
    }
    let decimal = decimal_marks(&fields, column, problems);
    let mapping = Mapping {
        from,
        constant,
        html: fields.flag("html").unwrap_or(false),
        keyed: keyed(name, &fields, column, problems),
        formats: formats.into_iter().map(|text| text.value).collect(),
        decimal_comma: decimal.contains(&','),
        decimal_either: decimal.len() > 1,
        units: units(&fields, column, problems),
        lookup: lookup(&fields, column, scope),
        not_shown: not_shown(&fields, column, problems),
        separator: separator(&fields, column, problems),
        labels: labels(&fields, column, problems),
        cut_at: cut_at(&fields, column, problems),
        ticks,
        other: other(&fields, contract, problems),
        other_from: other_from(&fields, column, problems),
        ..empty_mapping(at)
    };
    fields.finish();
    Some(mapping)
}

fn mismatch(place: &Spanned<String>, message: String, help: &str) -> Problem {
    place.problem("pipeline::type_mismatch", message, "not for this column").help(help.to_owned())
}

fn is_closed(column: &Column) -> bool {
    column.may_be(&[Kind::Code, Kind::Codes])
}

fn keyed(name: &Spanned<String>, fields: &Fields<'_>, column: &Column, problems: &Problems) -> bool {
    let keyed = fields.flag("keyed").unwrap_or(false);
    if keyed && !column.may_be(&[Kind::Text, Kind::Uri, Kind::Siret]) {
        let message = format!("a public id is a text, `{}` is not", column.name);
        problems.push(mismatch(name, message, "declare the column `string` in its contract"));
    }
    keyed
}

/// The decimal marks of a column's numbers: one, or both.
fn decimal_marks(fields: &Fields<'_>, column: &Column, problems: &Problems) -> BTreeSet<char> {
    let mut marks = BTreeSet::new();
    for typed in fields.texts("decimal") {
        if !matches!(typed.value.as_str(), "," | ".") {
            let problem = typed.problem("pipeline::mapping", "a decimal mark is `,` or `.`", "here");
            problems.push(problem.help("write \",\", or [\",\", \".\"] where the source has both"));
        } else if !column.may_be(&[Kind::Integer, Kind::Number]) {
            let message = format!("`{}` is not a number: it has no decimal mark", column.name);
            let help = "remove `decimal`, or declare the column `number` in its contract";
            problems.push(mismatch(&typed, message, help));
        }
        marks.extend(typed.value.chars().next());
    }
    marks
}

fn separator(fields: &Fields<'_>, column: &Column, problems: &Problems) -> Option<String> {
    let separator = fields.text("separator")?;
    if !column.may_be(&[Kind::Codes, Kind::Texts]) {
        let message = format!("`{}` holds one value: nothing parts it", column.name);
        problems.push(mismatch(
            &separator,
            message,
            "remove `separator`, or declare the column `list` in its contract",
        ));
    } else if separator.value.is_empty() {
        let problem = separator.problem("pipeline::mapping", "a separator is a text between items", "no text");
        problems.push(problem.help("write \";\"; leave it out when the cells are JSON lists"));
    }
    Some(separator.value)
}

fn labels(fields: &Fields<'_>, column: &Column, problems: &Problems) -> bool {
    let labels = fields.flag("labels").unwrap_or(false);
    if let Some(place) = fields.key("labels").filter(|_| labels && !column.may_be(&[Kind::Codes])) {
        let message = format!("`{}` has no list of options to be told apart in a cell", column.name);
        problems.push(mismatch(place, message, "declare the column `list` with its `codes` in the contract"));
    }
    labels
}

fn units(fields: &Fields<'_>, column: &Column, problems: &Problems) -> Vec<(String, f64)> {
    let mut units = Vec::new();
    for (unit, node) in fields.named("units") {
        let factor = match &node.value {
            #[expect(clippy::cast_precision_loss, reason = "factors that people write are small")]
            Value::Integer(factor) => *factor as f64,
            Value::Float(factor) => *factor,
            _ => f64::NAN,
        };
        if !factor.is_finite() || factor == 0.0 {
            problems.push(
                unit.problem("pipeline::units", format!("`{}` needs a number", unit.value), "no factor").help(
                    "write what one of it is in the unit of the contract: units = { \"m²\" = 1, \"ha\" = 10000 }",
                ),
            );
        } else if !column.may_be(&[Kind::Integer, Kind::Number]) {
            let message = format!("`{}` is not a number: it has no unit", column.name);
            problems.push(mismatch(unit, message, "declare the column `number` in its contract"));
        }
        units.push((unit.value.clone(), factor));
    }
    units
}

fn lookup(fields: &Fields<'_>, column: &Column, scope: &Scope<'_>) -> Option<Arc<Lookup>> {
    let name = fields.text("lookup")?;
    let Some((lookup, file)) = scope.lookups.get(&name.value) else {
        // A file that cannot be read was reported there.
        if scope.files.files.contains_key(&format!("seeds/lookups/{}.csv", name.value)) {
            return None;
        }
        scope.problems.push(
            name.problem(
                "pipeline::unknown_lookup",
                format!("there is no seeds/lookups/{}.csv", name.value),
                "no lookup",
            )
            .suggest(&name.value, scope.lookups.keys().map(String::as_str)),
        );
        return None;
    };
    if let Some(list) = column.codes.as_ref().filter(|_| !column.doubtful) {
        for value in lookup.values.values().filter(|value| !value.is_empty() && list.find(value).is_none()) {
            let start = file.text.find(value.as_str()).unwrap_or(0);
            scope.problems.push(
                Problem::at(
                    "lookup::unknown_code",
                    format!("`{value}` is no code of the list of `{}`", column.name),
                    file,
                    start..start + value.len(),
                    "not in the list",
                )
                .suggest(value, list.code_names()),
            );
        }
    }
    Some(Arc::clone(lookup))
}

fn not_shown(fields: &Fields<'_>, column: &Column, problems: &Problems) -> Vec<String> {
    let texts = fields.texts("not_shown");
    for text in &texts {
        if column.codes.as_ref().is_some_and(|list| list.find(&text.value).is_some()) {
            problems.push(
                text.problem(
                    "pipeline::not_shown",
                    format!("`{}` is an option of the column", text.value),
                    "an answer too?",
                )
                .help("take it out of the code list, or out of `not_shown`"),
            );
        }
    }
    if let Some(blank) = texts.iter().find(|text| fold(&text.value).is_empty()) {
        problems.push(
            blank
                .problem(
                    "pipeline::not_shown",
                    "an empty cell is empty, whether the question was shown or not",
                    "no text",
                )
                .help("name the texts that a tool writes where a question was not shown: \"N/A\""),
        );
    }
    texts.into_iter().map(|text| text.value).collect()
}

fn cut_at(fields: &Fields<'_>, column: &Column, problems: &Problems) -> Option<usize> {
    let typed = fields.integer("cut_at")?;
    let length = usize::try_from(typed.value).ok().filter(|length| *length > 0);
    if length.is_none() || !is_closed(column) {
        problems.push(
            typed
                .problem("pipeline::mapping", "`cut_at` is the length at which a tool cuts options", "not here")
                .help("write a positive number, for a column with a code list"),
        );
    }
    length
}

fn other(fields: &Fields<'_>, contract: &Contract, problems: &Problems) -> Option<usize> {
    let other = fields.text("other")?;
    match contract.columns.iter().position(|column| column.name == other.value) {
        Some(at) if contract.columns[at].may_be(&[Kind::Text]) => Some(at),
        Some(_) => {
            let message = format!("`{}` takes free text", other.value);
            problems.push(mismatch(&other, message, "declare the column `string` in its contract"));
            None
        }
        None => {
            unknown_column(&other, contract, problems);
            None
        }
    }
}

fn other_from(fields: &Fields<'_>, column: &Column, problems: &Problems) -> Vec<String> {
    let texts = fields.texts("other_from");
    let has_other = column.doubtful || column.codes.as_ref().is_some_and(|list| list.position(OTHER).is_some());
    if let Some(first) = texts.first().filter(|_| !has_other) {
        let message = format!("`{}` has no option `{OTHER}` that a free text could tick", column.name);
        problems.push(mismatch(first, message, "add the code `autre` to the list of the column"));
    }
    texts.into_iter().map(|text| text.value).collect()
}

/// `columns = "Question [*]"` or `columns = { code = "source column" }`.
fn ticks(fields: &Fields<'_>, column: &Column, problems: &Problems) -> Option<Ticks> {
    let texts = |key| -> Vec<String> { fields.texts(key).into_iter().map(|text| text.value).collect() };
    let (ticked, unticked) = (texts("ticked"), texts("unticked"));
    if fields.key("columns").is_none()
        && let Some(place) = ["ticked", "unticked"].into_iter().find_map(|key| fields.key(key))
    {
        let message = format!("`{}` is about questions with one column per option", place.value);
        let problem = place.problem("pipeline::mapping", message, "of which columns?");
        problems
            .push(problem.help("name them: columns = \"Question [*]\"; yes and no go into the contract: trueValues"));
    }
    let node = fields.get("columns")?;
    let place = fields.key("columns")?;
    if !is_closed(column) {
        let message = format!("`{}` has no options", column.name);
        problems.push(mismatch(place, message, "name its code list in the contract: \"codes\""));
    }
    let columns = if let Value::Text(pattern) = &node.value {
        if pattern.matches('*').count() != 1 {
            problems.push(
                place
                    .problem("pipeline::mapping", "the names of the columns need one `*`", "where is the option?")
                    .help("`*` stands for the option: columns = \"Question [*]\""),
            );
        }
        OptionColumns::Pattern(pattern.clone())
    } else {
        let mut named = Vec::new();
        for (code, name) in fields.named("columns") {
            let list = column.codes.as_ref().filter(|_| !column.doubtful);
            if list.is_some_and(|list| list.position(&code.value).is_none()) {
                problems.push(
                    code.problem(
                        "pipeline::unknown_code",
                        format!("`{}` is no code of the list", code.value),
                        "unknown",
                    )
                    .suggest(&code.value, list.iter().flat_map(|list| list.code_names())),
                );
            }
            named.extend(name.text(problems).map(|name| (code.value.clone(), name.value)));
        }
        OptionColumns::Named(named)
    };
    Some(Ticks { columns, ticked, unticked })
}
