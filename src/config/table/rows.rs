//! What happens to rows before they are typed: derivations, child tables, rules, drift.

use regex::Regex;

use super::unknown_column;
use crate::config::pipeline::{Derivation, Derived, Drift, Explode, Keep, ReaderSpec, RejectRule};
use crate::config::reading::spelled;
use crate::contract::{Contract, Kind};
use crate::diagnostic::document::Fields;
use crate::diagnostic::{Problems, Spanned};

/// The regular expression of a text, when it is one.
fn regex(text: &Spanned<String>, problems: &Problems) -> Option<Regex> {
    match Regex::new(&text.value) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or("it cannot be read").trim_start_matches("error: ").to_owned();
            problems.push(
                text.problem("pipeline::bad_regex", "the regular expression cannot be read", reason)
                    .help("in TOML write it between single quotes: '^(?<cp>\\d{5}) (?<ville>.+)$'"),
            );
            None
        }
    }
}

/// `[table.<name>.derive]`.
pub(super) fn derived(fields: &Fields<'_>, problems: &Problems) -> Vec<Derived> {
    let mut derived: Vec<Derived> = Vec::new();
    for (name, node) in fields.named("derive") {
        let Some(own) = node.fields(problems) else { continue };
        let from: Vec<String> = own.texts("from").into_iter().map(|text| text.value).collect();
        if from.is_empty() {
            own.missing("from");
        }
        let (split, take, pattern, join) =
            (own.text("split"), own.integer("take"), own.text("pattern"), own.text("join"));
        let point = own.flag("point").unwrap_or(false);
        own.finish();
        let how = match (split, take, pattern, join) {
            (None, None, None, None) if point => Some(Derivation::Point),
            (Some(separator), Some(nth), None, None) if !point => {
                let nth = i32::try_from(nth.value).ok().filter(|nth| *nth != 0).or_else(|| {
                    problems.push(
                        nth.problem("pipeline::derive", "pieces count from 1", "this number")
                            .help("write 1 for the first, -1 for the last"),
                    );
                    None
                });
                nth.map(|nth| Derivation::Take { separator: separator.value, nth })
            }
            (None, None, Some(pattern), None) if !point => regex(&pattern, problems).and_then(|regex| {
                if regex.capture_names().flatten().next().is_none() {
                    problems.push(
                        pattern
                            .problem("pipeline::derive", "the expression names no group", "nothing is taken out of it")
                            .help("name what is wanted: (?<code_postal>\\d{5})"),
                    );
                    return None;
                }
                Some(Derivation::Pattern(pattern.value))
            }),
            (None, None, None, Some(separator)) if !point => Some(Derivation::Join { separator: separator.value }),
            _ => {
                problems.push(
                    name.problem(
                        "pipeline::derive",
                        format!("`{}` is derived in no way, or in several", name.value),
                        "here",
                    )
                    .help("write `split` and `take`, or `pattern`, or `join`, or `point = true`"),
                );
                None
            }
        };
        let Some(how) = how else { continue };
        let made = Derived { name: name.value.clone(), from, how };
        check_names(name, &made, &derived, problems);
        derived.push(made);
    }
    derived
}

/// A source column has one meaning: its name is not that of another derived one, nor of a column that the source has.
fn check_names(place: &Spanned<String>, made: &Derived, earlier: &[Derived], problems: &Problems) {
    let names = made.names();
    let taken = earlier.iter().flat_map(Derived::names).find(|name| names.contains(name));
    // What is read here, and made by no line above, the source has.
    let own = made.from.iter().map(|name| spelled(name)).find(|name| names.contains(name));
    let (name, label) = match (taken, own) {
        (Some(name), _) => (name, "made a second time"),
        (None, Some(name)) => (name, "made from itself"),
        (None, None) => return,
    };
    problems.push(
        place
            .problem("pipeline::derive", format!("there already is a source column `{name}`"), label)
            .help("give what is derived a name of its own, and name that in the mapping"),
    );
}

/// `explode = { column = "…", separator = […] }`.
pub(super) fn explode(fields: Fields<'_>, reader: Option<&ReaderSpec>, problems: &Problems) -> Option<Explode> {
    let column = fields.required_text("column");
    let told = fields.key("separator").is_some();
    let separators = fields.texts("separator").into_iter().map(|text| text.value).collect();
    fields.finish();
    let column = column?;
    if !told && matches!(reader, Some(ReaderSpec::Csv(_) | ReaderSpec::Sheet(_))) {
        problems.push(
            column
                .problem("pipeline::explode", "the items of a cell need a separator", "one text a cell")
                .help("write separator = \";\", or separator = [] when the cells are JSON lists"),
        );
    }
    Some(Explode { column: column.value, separators })
}

/// `drift = "…"`.
pub(super) fn drift(fields: &Fields<'_>, problems: &Problems) -> Drift {
    let Some(text) = fields.text("drift") else { return Drift::default() };
    match text.value.as_str() {
        "stop" => Drift::Stop,
        "nulls" => Drift::Nulls,
        "accept" => Drift::Accept,
        other => {
            problems.push(
                text.problem("pipeline::drift", format!("`{other}` is no rule for a source that changes"), "unknown")
                    .suggest(other, ["stop", "nulls", "accept"]),
            );
            Drift::default()
        }
    }
}

/// `[[table.<name>.reject]]`.
pub(super) fn reject_rule(fields: Fields<'_>, contract: &Contract, problems: &Problems) -> Option<RejectRule> {
    if let Some(unread) = fields.text("unread") {
        let reason = fields.required_text("reason");
        fields.finish();
        let at = contract.columns.iter().position(|column| column.name == unread.value);
        if at.is_none() {
            unknown_column(&unread, contract, problems);
        }
        let column = unread.value;
        return Some(RejectRule { column, unread: Some(at?), reason: reason?.value, ..RejectRule::default() });
    }
    let (column, reason) = (fields.required_text("column"), fields.required_text("reason"));
    let (listed, unlisted) = (fields.texts("is"), fields.texts("is_not"));
    let (matches, unmatched) = (fields.text("matches"), fields.text("matches_not"));
    let ways = [!listed.is_empty(), !unlisted.is_empty(), matches.is_some(), unmatched.is_some()];
    match ways.iter().filter(|way| **way).count() {
        0 => fields.missing("is"),
        1 => {}
        _ => {
            if let Some(column) = &column {
                problems.push(
                    column
                        .problem("pipeline::reject", "a rule looks at a column in one way", "more than one here")
                        .help("keep one of `is`, `is_not`, `matches`, `matches_not`"),
                );
            }
        }
    }
    let optional = fields.flag("optional").unwrap_or(false);
    fields.finish();
    let negated = !unlisted.is_empty() || unmatched.is_some();
    let matches = matches.or(unmatched).filter(|text| regex(text, problems).is_some()).map(|text| text.value);
    let values = if listed.is_empty() { unlisted } else { listed };
    Some(RejectRule {
        column: column?.value,
        unread: None,
        values: values.into_iter().map(|text| text.value).collect(),
        matches,
        negated,
        reason: reason?.value,
        optional,
    })
}

/// `duplicates = { newest = "…", reason = "…" }`, or `oldest`.
pub(super) fn keep_rule(fields: Fields<'_>, contract: &Contract, problems: &Problems) -> (Keep, Option<String>) {
    let (newest, oldest, reason) = (fields.text("newest"), fields.text("oldest"), fields.text("reason"));
    fields.finish();
    let keep = match (newest, oldest) {
        (None, None) => Keep::First,
        (Some(by), None) => ordered(&by, contract, problems).map_or(Keep::First, Keep::Newest),
        (None, Some(by)) => ordered(&by, contract, problems).map_or(Keep::First, Keep::Oldest),
        (Some(_), Some(oldest)) => {
            let problem =
                oldest.problem("pipeline::duplicates", "one row of a key stays, not two", "the other way round");
            problems.push(problem.help("keep one of `newest` and `oldest`"));
            Keep::First
        }
    };
    (keep, reason.map(|reason| reason.value))
}

/// Index of a column whose values have an order.
fn ordered(by: &Spanned<String>, contract: &Contract, problems: &Problems) -> Option<usize> {
    let Some(at) = contract.columns.iter().position(|column| column.name == by.value) else {
        unknown_column(by, contract, problems);
        return None;
    };
    let has_order = contract.columns[at].may_be(&[Kind::Date, Kind::DateTime, Kind::Integer, Kind::Number]);
    if !has_order {
        let message = format!("`{}` has no order", by.value);
        let problem = by.problem("pipeline::type_mismatch", message, "neither date nor number");
        problems.push(problem.help("name a column of dates or numbers"));
    }
    has_order.then_some(at)
}
