//! What the values of a column must keep to beside its type: Table Schema's `constraints`.
//!
//! Texts are compared as texts. Everything else is compared on one scale of numbers: a date by its days since
//! 1970-01-01, a date with time by its microseconds, yes as 1 and no as 0.

use chrono::{NaiveDate, NaiveDateTime};
use regex::Regex;

use super::{Column, Kind};
use crate::diagnostic::document::{Fields, Node, Value};
use crate::diagnostic::{Problem, Problems};

/// A value that is named by a constraint.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// Anything else, on its scale.
    Number(f64),
}

/// A constraint that a value does not keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// `pattern`.
    Pattern,
    /// `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`.
    Range,
    /// `minLength`, `maxLength`.
    Length,
    /// `enum`.
    Enum,
}

impl Broken {
    /// Every constraint on single values.
    pub const ALL: [Self; 4] = [Self::Pattern, Self::Range, Self::Length, Self::Enum];

    /// Code in the ids of checks.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pattern => "pattern",
            Self::Range => "range",
            Self::Length => "length",
            Self::Enum => "enum",
        }
    }

    /// Code of the reason in the list of unfit cells.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Pattern => "motif",
            Self::Range => "hors_bornes",
            Self::Length => "longueur",
            Self::Enum => "hors_liste",
        }
    }
}

impl Column {
    /// Whether a constraint is declared.
    pub fn constrains(&self, what: Broken) -> bool {
        match what {
            Broken::Pattern => self.pattern.is_some(),
            Broken::Range => {
                let (above, below) = self.exclusive_bounds;
                [self.minimum, self.maximum, above, below].iter().any(Option::is_some)
            }
            Broken::Length => self.min_length.is_some() || self.max_length.is_some(),
            Broken::Enum => !self.allowed.is_empty(),
        }
    }

    /// The first constraint that a text breaks.
    pub fn broken_by_text(&self, text: &str) -> Option<Broken> {
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
            return Some(Broken::Pattern);
        }
        if self.constrains(Broken::Length) && !self.is_as_long(text.chars().count()) {
            return Some(Broken::Length);
        }
        self.is_stranger(text).then_some(Broken::Enum)
    }

    /// The first constraint that a value breaks, on the scale of its type.
    pub fn broken_by_number(&self, number: f64) -> Option<Broken> {
        let (above, below) = self.exclusive_bounds;
        let outside = self.minimum.is_some_and(|least| number < least)
            || self.maximum.is_some_and(|most| number > most)
            || above.is_some_and(|bound| number <= bound)
            || below.is_some_and(|bound| number >= bound);
        if outside {
            return Some(Broken::Range);
        }
        let named = |allowed: &Scalar| matches!(allowed, Scalar::Number(allowed) if allowed.total_cmp(&number).is_eq());
        (!self.allowed.is_empty() && !self.allowed.iter().any(named)).then_some(Broken::Enum)
    }

    /// The first constraint that a list breaks: lengths count its items, `enum` holds for each of them.
    pub fn broken_by_items<'a>(&self, items: impl Iterator<Item = &'a str>) -> Option<Broken> {
        let (mut count, mut stranger) = (0, false);
        for item in items {
            count += 1;
            stranger |= self.is_stranger(item);
        }
        self.broken_by_list(count, stranger)
    }

    /// The same, of a list that was counted on the way.
    pub fn broken_by_list(&self, count: usize, stranger: bool) -> Option<Broken> {
        if self.is_as_long(count) { stranger.then_some(Broken::Enum) } else { Some(Broken::Length) }
    }

    /// Whether a text is not among those that are allowed.
    pub fn is_stranger(&self, text: &str) -> bool {
        let named = |allowed: &Scalar| matches!(allowed, Scalar::Text(allowed) if allowed == text);
        !self.allowed.is_empty() && !self.allowed.iter().any(named)
    }

    fn is_as_long(&self, length: usize) -> bool {
        self.min_length.is_none_or(|least| length >= least) && self.max_length.is_none_or(|most| length <= most)
    }

    /// A value of the column as it stands in a schema.
    pub fn spelled(&self, scalar: &Scalar) -> serde_json::Value {
        let number = match scalar {
            Scalar::Text(text) => return text.as_str().into(),
            Scalar::Number(number) => *number,
        };
        #[expect(clippy::cast_possible_truncation, reason = "made from an i64 that people typed, or from a date")]
        let whole = number as i64;
        match self.kind {
            Kind::Integer => whole.into(),
            Kind::Boolean => (whole != 0).into(),
            Kind::Date => day(whole).map_or(serde_json::Value::Null, |day| day.to_string().into()),
            Kind::DateTime => {
                let moment = chrono::DateTime::from_timestamp_micros(whole).map(|moment| moment.naive_utc());
                moment
                    .map_or(serde_json::Value::Null, |moment| moment.format("%Y-%m-%dT%H:%M:%S%.f").to_string().into())
            }
            _ => number.into(),
        }
    }
}

fn day(days: i64) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(1970, 1, 1)?.checked_add_signed(chrono::TimeDelta::try_days(days)?)
}

/// Reads `constraints`, once the kind of the column is known.
pub(super) fn parse(column: &mut Column, fields: &Fields<'_>, problems: &Problems) {
    column.required = fields.flag("required").unwrap_or(false);
    column.unique = fields.flag("unique").unwrap_or(false);
    let applies = |key: &'static str, kinds: &[Kind]| {
        let node = fields.get(key)?;
        if kinds.contains(&column.kind) {
            return Some(node);
        }
        let place = fields.key(key)?;
        let what = format!("`{key}` does not apply to the type of `{}`", column.name);
        problems.push(
            place
                .problem("contract::constraint", what, "cannot be enforced")
                .help("remove it, change the type, or write a [[check]] in the pipeline"),
        );
        None
    };
    let ordered = [Kind::Integer, Kind::Number, Kind::Date, Kind::DateTime];
    let texts = [Kind::Text, Kind::Uri, Kind::Siret, Kind::Code];
    let sized = [Kind::Text, Kind::Uri, Kind::Siret, Kind::Code, Kind::Texts, Kind::Codes];
    let bound = |key| match applies(key, &ordered).and_then(|node| scalar(column, node, problems)) {
        Some(Scalar::Number(number)) => Some(number),
        _ => None,
    };
    let (minimum, maximum) = (bound("minimum"), bound("maximum"));
    let exclusive = (bound("exclusiveMinimum"), bound("exclusiveMaximum"));
    let length = |key| applies(key, &sized).and_then(|node| length(node, problems));
    let (min_length, max_length) = (length("minLength"), length("maxLength"));
    let pattern = applies("pattern", &texts).and_then(|node| pattern(column, node, problems));
    let every = [texts.as_slice(), &ordered, &[Kind::Boolean, Kind::Texts, Kind::Codes]].concat();
    let allowed: Vec<Scalar> = applies("enum", &every)
        .and_then(|node| node.items(problems))
        .unwrap_or(&[])
        .iter()
        .filter_map(|item| scalar(column, item, problems))
        .collect();
    column.allowed = allowed;
    column.pattern = pattern;
    (column.minimum, column.maximum, column.exclusive_bounds) = (minimum, maximum, exclusive);
    (column.min_length, column.max_length) = (min_length, max_length);
}

fn length(node: &Node, problems: &Problems) -> Option<usize> {
    let length = if let Value::Integer(number) = node.value { usize::try_from(number).ok() } else { None };
    if length.is_none() {
        let problem = node.problem("file::wrong_type", "a length is expected here", "not a whole number from 0");
        problems.push(problem.help("write a whole number"));
    }
    length
}

fn pattern(column: &Column, node: &Node, problems: &Problems) -> Option<Regex> {
    let pattern = node.text(problems)?;
    match Regex::new(&format!("^(?:{})$", pattern.value)) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or("not a regular expression").trim();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason).to_owned();
            problems.push(
                pattern
                    .problem("contract::bad_regex", format!("the pattern of `{}` cannot be read", column.name), reason)
                    .help("syntax: https://docs.rs/regex; the pattern must match the whole cell"),
            );
            None
        }
    }
}

/// A value that a constraint names, in the type of the column.
fn scalar(column: &Column, node: &Node, problems: &Problems) -> Option<Scalar> {
    #[expect(clippy::cast_precision_loss, reason = "bounds and options that people type are small")]
    let read = match (column.kind, &node.value) {
        (Kind::Integer | Kind::Number, Value::Integer(number)) => Some(Scalar::Number(*number as f64)),
        (Kind::Integer | Kind::Number, Value::Float(number)) => Some(Scalar::Number(*number)),
        // Table Schema allows any value in its textual form.
        (Kind::Integer | Kind::Number, Value::Text(text)) => text.parse().ok().map(Scalar::Number),
        (Kind::Boolean, Value::Bool(flag)) => Some(Scalar::Number(f64::from(u8::from(*flag)))),
        (Kind::Boolean, Value::Text(text)) => {
            let yes = column.true_values.iter().chain([&"true".to_owned()]).any(|value| value == text);
            let no = column.false_values.iter().chain([&"false".to_owned()]).any(|value| value == text);
            (yes || no).then(|| Scalar::Number(f64::from(u8::from(yes))))
        }
        (Kind::Date, Value::Text(text)) => {
            let epoch = NaiveDate::default();
            let date = text.parse::<NaiveDate>().ok();
            date.map(|date| Scalar::Number(date.signed_duration_since(epoch).num_days() as f64))
        }
        (Kind::DateTime, Value::Text(text)) => {
            let moment = text.trim_end_matches('Z').parse::<NaiveDateTime>().ok();
            moment.map(|moment| Scalar::Number(moment.and_utc().timestamp_micros() as f64))
        }
        (Kind::Text | Kind::Uri | Kind::Siret | Kind::Code | Kind::Codes | Kind::Texts, value) => match value {
            Value::Text(text) => Some(Scalar::Text(text.clone())),
            Value::Integer(number) => Some(Scalar::Text(number.to_string())),
            _ => None,
        },
        _ => None,
    };
    if read.is_none() {
        let what = format!("this is no value of `{}`", column.name);
        problems.push(
            Problem::at("contract::constraint", what, &node.file, node.span.clone(), "of another type")
                .help("write numbers as numbers, dates as \"2026-01-31\""),
        );
    }
    read
}
