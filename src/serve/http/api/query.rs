//! From the parameters of a request for rows to a question that can be asked: every name in it is one of the manifest, and
//! every value a parameter of its column's type. Nothing that a client sends stands in SQL.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use url::form_urlencoded;

use crate::diagnostic::nearest;
use crate::release::{ColumnRecord, TableRecord};
use crate::serve::error::ServeError;

/// Rows of an answer when nothing is said.
pub(super) const USUAL: u64 = 100;
/// Most rows of an answer: whole tables are files.
pub(super) const MOST: u64 = 10_000;
/// Parameters that a request may have.
const PARAMETERS: usize = 64;
/// Values that may be listed at once.
const LISTED: usize = 200;

/// Parameters that are no filters.
const WORDS: [&str; 6] = ["bbox", "columns", "limit", "offset", "page", "sort"];

/// What a filter compares by: its name behind `__`.
const COMPARISONS: [(&str, Comparison); 10] = [
    ("eq", Comparison::Equal),
    ("ne", Comparison::Different),
    ("lt", Comparison::Less),
    ("lte", Comparison::AtMost),
    ("gt", Comparison::More),
    ("gte", Comparison::AtLeast),
    ("in", Comparison::In),
    ("contains", Comparison::Contains),
    ("startswith", Comparison::StartsWith),
    ("null", Comparison::Empty),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Different,
    Less,
    AtMost,
    More,
    AtLeast,
    In,
    Contains,
    StartsWith,
    Empty,
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    Date,
    DateTime,
    List,
    Shape,
}

/// A value of a filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A text, or an item of a list.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A truth value.
    Boolean(bool),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970.
    DateTime(i64),
}

/// Where the place of a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the columns `longitude` and `latitude`.
    Point,
    /// In a column of shapes, with a box beside it.
    Shape,
}

/// Rows that somebody asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    /// Columns of the answer, in order.
    pub(super) columns: Vec<String>,
    /// Most rows of the answer.
    pub(super) limit: u64,
    /// Rows before the first of the answer.
    pub(super) offset: u64,
    /// What rows have to be like, joined by AND; empty for all rows.
    condition: String,
    order: String,
    /// `$1`, `$2`…
    pub(super) values: Vec<Value>,
    /// The parameters as they were given, but for those of paging.
    pub(super) given: Vec<(String, String)>,
}

impl Question {
    /// Reads the parameters of a request for rows of a table.
    pub(super) fn parse(query: &str, table: &TableRecord, place: Option<Place>) -> Result<Self, ServeError> {
        let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if parameters.len() > PARAMETERS {
            return Err(ServeError::parameter("", format!("these are more than {PARAMETERS} parameters")));
        }
        let mut asked = Asking { table, place, conditions: Vec::new(), values: Vec::new() };
        let (mut columns, mut sort, mut page, mut limit, mut offset) = (None, Vec::new(), None, None, None);
        for (name, value) in &parameters {
            match name.as_str() {
                "columns" => columns = Some(asked.columns(value)?),
                "sort" => sort.extend(asked.sort(value)?),
                "limit" => limit = Some(number(name, value, 0, MOST)?),
                "offset" => offset = Some(number(name, value, 0, u64::MAX >> 1)?),
                "page" => page = Some(number(name, value, 1, u32::MAX.into())?),
                "bbox" => asked.bbox(value)?,
                _ => asked.filter(name, value)?,
            }
        }
        if page.is_some() && offset.is_some() {
            return Err(ServeError::parameter("page", "`page` and `offset` say the same: give one of them"));
        }
        let limit = limit.unwrap_or(USUAL);
        let offset = page.map(|page| (page - 1) * limit).or(offset).unwrap_or(0);
        let all = || table.columns.iter().map(|column| column.name.clone()).collect();
        let given = parameters.into_iter().filter(|(name, _)| !matches!(name.as_str(), "limit" | "offset" | "page"));
        Ok(Self {
            columns: columns.unwrap_or_else(all),
            limit,
            offset,
            condition: asked.conditions.join(" AND "),
            order: order(&sort, table),
            values: asked.values,
            given: given.collect(),
        })
    }

    /// The SQL for its rows. `from` is the table, quoted; `more` are columns that are wanted beside its own.
    pub(super) fn sql(&self, from: &str, more: &[&str]) -> String {
        let missing = more.iter().filter(|name| !self.columns.iter().any(|column| column == *name));
        let columns: Vec<String> =
            self.columns.iter().map(String::as_str).chain(missing.copied()).map(quoted).collect();
        let mut sql = format!("SELECT {} FROM {from}{}", columns.join(", "), self.filter());
        if !self.order.is_empty() {
            write!(sql, " ORDER BY {}", self.order).expect("writing to a String cannot fail");
        }
        write!(sql, " LIMIT {} OFFSET {}", self.limit, self.offset).expect("writing to a String cannot fail");
        sql
    }

    /// The SQL for the number of all rows that are as they have to be; nothing when those are all of the table.
    pub(super) fn count_sql(&self, from: &str) -> Option<String> {
        (!self.condition.is_empty()).then(|| format!("SELECT count(*) AS n FROM {from}{}", self.filter()))
    }

    fn filter(&self) -> String {
        if self.condition.is_empty() { String::new() } else { format!(" WHERE {}", self.condition) }
    }

    /// The query string of another page of the same answer.
    pub(super) fn page(&self, offset: u64) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.given);
        query.append_pair("limit", &self.limit.to_string()).append_pair("offset", &offset.to_string());
        query.finish()
    }
}

/// A question while it is put together.
struct Asking<'a> {
    table: &'a TableRecord,
    place: Option<Place>,
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl<'a> Asking<'a> {
    /// A column by its name, which `parameter` gives.
    fn column(&self, parameter: &str, name: &str) -> Result<&'a ColumnRecord, ServeError> {
        let columns = &self.table.columns;
        columns.iter().find(|column| column.name == name).ok_or_else(|| ServeError::Parameter {
            name: parameter.to_owned(),
            detail: format!("the table `{}` has no column `{}`", self.table.name, shown(name)),
            allowed: columns.iter().map(|column| column.name.clone()).collect(),
            suggestion: nearest(name, columns.iter().map(|column| column.name.as_str())).map(str::to_owned),
        })
    }

    fn columns(&self, value: &str) -> Result<Vec<String>, ServeError> {
        let mut columns: Vec<String> = Vec::new();
        for name in value.split(',') {
            let name = &self.column("columns", name.trim())?.name;
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        Ok(columns)
    }

    fn sort(&self, value: &str) -> Result<Vec<(String, bool)>, ServeError> {
        let sort = value.split(',').map(|name| {
            let name = name.trim();
            let (name, down) = name.strip_prefix('-').map_or((name, false), |name| (name, true));
            let column = self.column("sort", name)?;
            if matches!(kind(column), Kind::Shape | Kind::List) {
                return Err(ServeError::parameter("sort", format!("`{name}` has no order: it is a list or a shape")));
            }
            Ok((column.name.clone(), down))
        });
        sort.collect()
    }

    /// The place of the next value in the SQL.
    fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn bbox(&mut self, value: &str) -> Result<(), ServeError> {
        let wrong = |detail: &str| ServeError::parameter("bbox", detail);
        let degrees: Option<Vec<f64>> = value.split(',').map(|degrees| degrees.trim().parse().ok()).collect();
        let Some(&[west, south, east, north]) = degrees.as_deref() else {
            return Err(wrong("write four numbers: west, south, east and north, in degrees"));
        };
        let fits = |degrees: f64, most: f64| degrees.is_finite() && degrees.abs() <= most;
        if !(fits(west, 180.0) && fits(east, 180.0) && fits(south, 90.0) && fits(north, 90.0)) {
            return Err(wrong("longitudes are between -180 and 180, latitudes between -90 and 90"));
        }
        if south > north {
            return Err(wrong("the second number, south, is above the fourth, north"));
        }
        let Some(place) = self.place else {
            return Err(ServeError::parameter("bbox", format!("the rows of `{}` have no place", self.table.name)));
        };
        let [west_at, south_at, east_at, north_at] = [west, south, east, north].map(|n| self.value(Value::Number(n)));
        let (xmin, ymin, xmax, ymax) = match place {
            Place::Point => (quoted("longitude"), quoted("latitude"), quoted("longitude"), quoted("latitude")),
            Place::Shape => {
                let side = |side: &str| format!("{}['{side}']", quoted("bbox"));
                (side("xmin"), side("ymin"), side("xmax"), side("ymax"))
            }
        };
        // A box that goes over the 180th meridian has its west in the east.
        let joint = if west <= east { "AND" } else { "OR" };
        self.conditions.push(format!(
            "({xmax} >= {west_at} {joint} {xmin} <= {east_at}) AND {ymax} >= {south_at} AND {ymin} <= {north_at}"
        ));
        Ok(())
    }

    fn filter(&mut self, parameter: &str, value: &str) -> Result<(), ServeError> {
        let (name, comparison) = self.compared(parameter)?;
        let column = self.column(parameter, name)?;
        let (kind, at) = (kind(column), quoted(&column.name));
        check(parameter, kind, comparison)?;
        let condition = match comparison {
            Comparison::Empty => match (boolean(parameter, value)?, kind) {
                (true, Kind::List) => format!("coalesce(array_length({at}), 0) = 0"),
                (false, Kind::List) => format!("coalesce(array_length({at}), 0) > 0"),
                (true, _) => format!("{at} IS NULL"),
                (false, _) => format!("{at} IS NOT NULL"),
            },
            Comparison::In => {
                let values: Vec<&str> = value.split(',').map(str::trim).collect();
                if values.len() > LISTED {
                    return Err(ServeError::parameter(parameter, format!("these are more than {LISTED} values")));
                }
                let mut places = Vec::new();
                for value in values {
                    places.push(self.typed(parameter, column, value)?);
                }
                match kind {
                    Kind::List => {
                        let each: Vec<String> =
                            places.iter().map(|place| format!("array_has({at}, {place})")).collect();
                        format!("({})", each.join(" OR "))
                    }
                    _ => format!("{at} IN ({})", places.join(", ")),
                }
            }
            Comparison::Contains if kind != Kind::List => {
                let place = self.value(Value::Text(value.to_lowercase()));
                format!("strpos(lower({at}), {place}) > 0")
            }
            _ => {
                let place = self.typed(parameter, column, value)?;
                compared(comparison, kind, &at, &place)
            }
        };
        self.conditions.push(condition);
        Ok(())
    }

    /// Column and comparison of a filter: `n`, `n__gt`. A column that has such a name itself comes first.
    fn compared<'p>(&self, parameter: &'p str) -> Result<(&'p str, Comparison), ServeError> {
        let is_column = |name: &str| self.table.columns.iter().any(|column| column.name == name);
        let (name, comparison) = match parameter.rsplit_once("__") {
            Some((name, comparison)) if !is_column(parameter) => (name, comparison),
            _ => (parameter, "eq"),
        };
        if !is_column(name) {
            let known = self.table.columns.iter().map(|column| column.name.as_str()).chain(WORDS);
            return Err(ServeError::Parameter {
                name: shown(parameter),
                detail: format!("there is no column and no parameter `{}`", shown(name)),
                suggestion: nearest(name, known.clone()).map(str::to_owned),
                allowed: known.map(str::to_owned).collect(),
            });
        }
        let found = COMPARISONS.iter().find(|(known, _)| *known == comparison);
        found.map(|(_, comparison)| (name, *comparison)).ok_or_else(|| ServeError::Parameter {
            name: shown(parameter),
            detail: format!("there is no comparison `{}`", shown(comparison)),
            suggestion: nearest(comparison, COMPARISONS.iter().map(|(name, _)| *name)).map(str::to_owned),
            allowed: COMPARISONS.iter().map(|(name, _)| (*name).to_owned()).collect(),
        })
    }

    /// The place of a value of a column's type.
    fn typed(&mut self, parameter: &str, column: &ColumnRecord, value: &str) -> Result<String, ServeError> {
        let wrong = |what: &str| {
            let value = shown(value);
            ServeError::Parameter {
                name: parameter.to_owned(),
                detail: format!("`{value}` is not {what}, which is what `{}` has", column.name),
                allowed: Vec::new(),
                suggestion: None,
            }
        };
        let value = match kind(column) {
            Kind::Text | Kind::List | Kind::Shape => {
                if let Some(options) = column.options.as_ref().filter(|options| !options.iter().any(|o| o == value)) {
                    return Err(ServeError::Parameter {
                        name: parameter.to_owned(),
                        detail: format!("`{}` is none of the codes of `{}`", shown(value), column.name),
                        suggestion: nearest(value, options.iter().map(String::as_str)).map(str::to_owned),
                        allowed: options.clone(),
                    });
                }
                Value::Text(value.to_owned())
            }
            Kind::Integer => Value::Integer(value.parse().ok().ok_or_else(|| wrong("a whole number"))?),
            Kind::Number => {
                let number: Option<f64> = value.parse().ok();
                Value::Number(number.filter(|number| number.is_finite()).ok_or_else(|| wrong("a number"))?)
            }
            Kind::Boolean => Value::Boolean(boolean(parameter, value)?),
            Kind::Date => Value::Date(days(value).ok_or_else(|| wrong("a day such as 2026-11-22"))?),
            Kind::DateTime => {
                Value::DateTime(micros(value).ok_or_else(|| wrong("a time such as 2026-11-22T08:00:00"))?)
            }
        };
        Ok(self.value(value))
    }
}

/// The order of the answer: what is asked for, then the key, so that pages do not overlap.
fn order(sort: &[(String, bool)], table: &TableRecord) -> String {
    let named = |name: &String| sort.iter().any(|(sorted, _)| sorted == name);
    let asked = sort.iter().map(|(name, down)| {
        let direction = if *down { "DESC" } else { "ASC" };
        format!("{} {direction} NULLS LAST", quoted(name))
    });
    let known = |name: &&String| table.columns.iter().any(|column| column.name == **name);
    let orderable = table.columns.iter().filter(|column| !matches!(kind(column), Kind::Shape | Kind::List));
    // Rows without a key are in the order of all that they hold.
    let key: Vec<&String> = if table.key.is_empty() {
        orderable.map(|column| &column.name).collect()
    } else {
        table.key.iter().filter(known).collect()
    };
    let key = key.into_iter().filter(|name| !named(name));
    asked.chain(key.map(|name| format!("{} ASC", quoted(name)))).collect::<Vec<_>>().join(", ")
}

/// A comparison with one value.
fn compared(comparison: Comparison, kind: Kind, at: &str, place: &str) -> String {
    match (comparison, kind) {
        (Comparison::Equal | Comparison::Contains, Kind::List) => format!("array_has({at}, {place})"),
        (Comparison::Different, Kind::List) => format!("({at} IS NULL OR NOT array_has({at}, {place}))"),
        (Comparison::Different, _) => format!("{at} IS DISTINCT FROM {place}"),
        (Comparison::Less, _) => format!("{at} < {place}"),
        (Comparison::AtMost, _) => format!("{at} <= {place}"),
        (Comparison::More, _) => format!("{at} > {place}"),
        (Comparison::AtLeast, _) => format!("{at} >= {place}"),
        (Comparison::StartsWith, _) => format!("starts_with({at}, {place})"),
        _ => format!("{at} = {place}"),
    }
}

/// Whether cells of a kind can be compared so.
fn check(parameter: &str, kind: Kind, comparison: Comparison) -> Result<(), ServeError> {
    use Comparison::{AtLeast, AtMost, Contains, Different, Empty, Equal, In, Less, More, StartsWith};
    let fits: &[Comparison] = match kind {
        Kind::Text => &[Equal, Different, Less, AtMost, More, AtLeast, In, Contains, StartsWith, Empty],
        Kind::Integer | Kind::Number | Kind::Date | Kind::DateTime => {
            &[Equal, Different, Less, AtMost, More, AtLeast, In, Empty]
        }
        Kind::Boolean => &[Equal, Different, Empty],
        Kind::List => &[Equal, Different, In, Contains, Empty],
        Kind::Shape => &[Empty],
    };
    if fits.contains(&comparison) {
        return Ok(());
    }
    let names = COMPARISONS.iter().filter(|(_, comparison)| fits.contains(comparison));
    Err(ServeError::Parameter {
        name: parameter.to_owned(),
        detail: "this column cannot be compared so".to_owned(),
        allowed: names.map(|(name, _)| (*name).to_owned()).collect(),
        suggestion: None,
    })
}

/// What cells are, by their type in the manifest.
fn kind(column: &ColumnRecord) -> Kind {
    match column.kind.as_str() {
        "Int64" => Kind::Integer,
        "Float64" => Kind::Number,
        "Boolean" => Kind::Boolean,
        "Date32" => Kind::Date,
        kind if kind.starts_with("Timestamp") => Kind::DateTime,
        kind if kind.starts_with("List") => Kind::List,
        kind if kind.starts_with("Binary") => Kind::Shape,
        _ => Kind::Text,
    }
}

/// The column of shapes of a table.
pub(super) fn shape_column(table: &TableRecord) -> Option<&str> {
    table.columns.iter().find(|column| kind(column) == Kind::Shape).map(|column| column.name.as_str())
}

/// A name as it stands in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What a client typed, short enough to be said again.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

fn number(name: &str, value: &str, least: u64, most: u64) -> Result<u64, ServeError> {
    let number: Option<u64> = value.trim().parse().ok();
    let fits = number.filter(|number| (least..=most).contains(number));
    let range = if most > u64::from(u32::MAX) { format!("from {least} on") } else { format!("from {least} to {most}") };
    fits.ok_or_else(|| ServeError::parameter(name, format!("write a whole number {range}")))
}

fn boolean(name: &str, value: &str) -> Result<bool, ServeError> {
    match value.trim() {
        "true" | "1" | "vrai" => Ok(true),
        "false" | "0" | "faux" => Ok(false),
        _ => Err(ServeError::Parameter {
            name: name.to_owned(),
            detail: format!("`{}` is neither true nor false", shown(value)),
            allowed: ["true", "false"].map(str::to_owned).to_vec(),
            suggestion: None,
        }),
    }
}

fn days(value: &str) -> Option<i32> {
    let day: NaiveDate = value.trim().parse().ok()?;
    i32::try_from(day.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// A time without zone is one of UTC, and a day its first moment.
fn micros(value: &str) -> Option<i64> {
    let value = value.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(value) {
        return Some(at.timestamp_micros());
    }
    let at: Option<NaiveDateTime> = value.parse().ok();
    let at = at.or_else(|| value.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0))?;
    Some(at.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn table() -> TableRecord {
        let column = |name: &str, kind: &str| serde_json::json!({ "name": name, "type": kind });
        serde_json::from_value(serde_json::json!({
            "name": "lieux", "title": "Lieux", "rows": 3, "secret_rows": 0, "key": ["id"],
            "columns": [
                column("id", "Utf8"), column("n", "Int64"), column("part", "Float64"), column("actif", "Boolean"),
                column("jour", "Date32"), column("a_quand", "Timestamp(µs)"), column("themes", "List(Utf8)"),
                column("limit", "Int64"), column("a__gt", "Int64"), column("longitude", "Float64"),
                column("latitude", "Float64"),
                { "name": "statut", "type": "Utf8", "options": ["association", "cooperative"] },
            ],
        }))
        .unwrap()
    }

    fn asked(query: &str) -> Result<Question, ServeError> {
        Question::parse(query, &table(), Some(Place::Point))
    }

    fn sql(query: &str) -> String {
        asked(query).unwrap().sql("\"t\"", &[])
    }

    #[rstest]
    #[case::all("columns=id", "SELECT \"id\" FROM \"t\" ORDER BY \"id\" ASC LIMIT 100 OFFSET 0")]
    #[case::page("columns=id&limit=10&page=3", "SELECT \"id\" FROM \"t\" ORDER BY \"id\" ASC LIMIT 10 OFFSET 20")]
    #[case::sorted(
        "columns=n,id&sort=-n",
        "SELECT \"n\", \"id\" FROM \"t\" ORDER BY \"n\" DESC NULLS LAST, \"id\" ASC LIMIT 100 OFFSET 0"
    )]
    fn questions_in_sql(#[case] query: &str, #[case] expected: &str) {
        assert_eq!(sql(query), expected);
    }

    #[rstest]
    #[case::equal("n=3", "\"n\" = $1", Value::Integer(3))]
    #[case::more("n__gt=3", "\"n\" > $1", Value::Integer(3))]
    #[case::a_name_that_looks_like_a_comparison("a__gt=3", "\"a__gt\" = $1", Value::Integer(3))]
    #[case::a_name_that_is_a_word("limit__eq=3", "\"limit\" = $1", Value::Integer(3))]
    #[case::not("id__ne=x", "\"id\" IS DISTINCT FROM $1", Value::Text("x".to_owned()))]
    #[case::within("id__contains=PÔLE", "strpos(lower(\"id\"), $1) > 0", Value::Text("pôle".to_owned()))]
    #[case::list("themes=eau", "array_has(\"themes\", $1)", Value::Text("eau".to_owned()))]
    #[case::day("jour__gte=2026-11-22", "\"jour\" >= $1", Value::Date(20_779))]
    #[case::time("a_quand__lt=1970-01-02", "\"a_quand\" < $1", Value::DateTime(86_400_000_000))]
    #[case::truth("actif=vrai", "\"actif\" = $1", Value::Boolean(true))]
    #[case::code("statut=cooperative", "\"statut\" = $1", Value::Text("cooperative".to_owned()))]
    fn filters(#[case] query: &str, #[case] condition: &str, #[case] value: Value) {
        let question = asked(query).unwrap();
        assert_eq!((question.condition.as_str(), question.values.as_slice()), (condition, [value].as_slice()));
    }

    #[test]
    fn what_a_client_sends_never_stands_in_the_sql() {
        let attack = "' OR 1=1 -- \"";
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("id", attack)
            .append_pair("id__in", attack)
            .append_pair("id__contains", attack)
            .finish();
        let question = asked(&query).unwrap();
        let text = question.sql("\"t\"", &[]) + &question.count_sql("\"t\"").unwrap();
        assert!(!text.contains("1=1") && !text.contains("--"), "{text}");
        assert_eq!(question.values.len(), 3);
    }

    #[rstest]
    #[case::unknown_column("colone=1", "colone")]
    #[case::injected_column("id\"%3B drop=1", "id\"; drop")]
    #[case::unknown_comparison("n__greater=1", "n__greater")]
    #[case::no_number("n=trois", "n")]
    #[case::no_code("statut=asso", "statut")]
    #[case::list_has_no_order("themes__lt=a", "themes__lt")]
    #[case::number_has_no_text("n__contains=1", "n__contains")]
    #[case::unknown_sort("sort=-x", "sort")]
    #[case::sort_of_lists("sort=themes", "sort")]
    #[case::unknown_columns("columns=id,x", "columns")]
    #[case::too_many("limit=10001", "limit")]
    #[case::below_zero("offset=-1", "offset")]
    #[case::no_page("page=0", "page")]
    #[case::both("page=1&offset=0", "page")]
    #[case::cut_box("bbox=1,2,3", "bbox")]
    #[case::box_upside_down("bbox=0,50,1,40", "bbox")]
    #[case::box_off_the_earth("bbox=0,0,200,1", "bbox")]
    #[case::box_of_nothing("bbox=NaN,0,1,1", "bbox")]
    #[case::day_that_is_none("jour=2026-02-30", "jour")]
    fn mistakes_name_their_parameter(#[case] query: &str, #[case] expected: &str) {
        match asked(query) {
            Err(ServeError::Parameter { name, .. }) => assert_eq!(name, expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_mistake_suggests_what_was_meant() {
        let Err(ServeError::Parameter { suggestion, allowed, .. }) = asked("statut=cooperatives") else { panic!() };
        assert_eq!(suggestion.as_deref(), Some("cooperative"));
        assert_eq!(allowed, ["association", "cooperative"]);
    }

    #[test]
    fn a_box_over_the_180th_meridian_joins_its_two_sides() {
        let question = asked("bbox=170,-25,-170,-10").unwrap();
        assert!(question.condition.starts_with("(\"longitude\" >= $1 OR \"longitude\" <= $3) AND"));
        let elsewhere = Question::parse("bbox=0,0,1,1", &table(), None);
        assert!(matches!(elsewhere, Err(ServeError::Parameter { name, .. }) if name == "bbox"));
    }

    #[test]
    fn the_next_page_keeps_what_was_asked() {
        let question = asked("n__gt=3&limit=10&sort=-n&page=2").unwrap();
        assert_eq!(question.page(20), "n__gt=3&sort=-n&limit=10&offset=20");
    }
}
