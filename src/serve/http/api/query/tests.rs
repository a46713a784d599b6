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
