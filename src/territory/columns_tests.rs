use std::path::Path;
use std::sync::LazyLock;

use arrow::datatypes::DataType;
use rstest::rstest;

use super::*;
use crate::normalise::PLACE_TEXTS;

static COG: LazyLock<Cog> = LazyLock::new(|| {
    crate::territory::Seeds::of(Path::new(env!("CARGO_MANIFEST_DIR"))).cog().expect("the seeds are whole")
});

/// A row: INSEE code, postal code, commune, département, région, longitude, latitude. Its postal code, point and method,
/// and what is told of it.
fn placed(texts: [&str; 7]) -> (Vec<String>, Vec<(&'static str, String, String)>) {
    let field = |name: &str, kind| Field::new(name, kind, true);
    let mut fields = vec![
        field("code_postal", DataType::Utf8),
        field("longitude", DataType::Float64),
        field("latitude", DataType::Float64),
        field("lieu_methode", DataType::Utf8),
    ];
    let mut columns: Vec<ArrayRef> =
        fields.iter().map(|field| arrow::array::new_null_array(field.data_type(), 1)).collect();
    for (name, text) in PLACE_TEXTS.iter().zip(texts) {
        fields.push(field(name, DataType::Utf8));
        columns.push(Arc::new(StringArray::from(vec![Some(text).filter(|text| !text.is_empty())])));
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let placed = place(&COG, &batch, &Placing::default()).unwrap();
    let show = |name: &str| {
        let column = placed.batch.column_by_name(name).unwrap();
        arrow::util::display::array_value_to_string(column, 0).unwrap()
    };
    let values = ["code_postal", "longitude", "latitude", "lieu_methode"].map(show).to_vec();
    let told = placed.corrections.into_iter().map(|fix| (fix.rule, fix.before, fix.after)).collect();
    (values, told)
}

#[rstest]
#[case::plain(("", "35000", "Rennes"), "35000", None)]
#[case::spaced(("", "35 000", "Rennes"), "35000", None)]
#[case::cedex_glued(("75107", "75007CEDEX", "Paris"), "75007", Some(("code_postal_forme", "75007")))]
#[case::cedex_and_number(("", "69421 CEDEX 03", "Lyon"), "69421", Some(("code_postal_forme", "69421")))]
#[case::with_the_country(("", "F-35000", "Rennes"), "35000", Some(("code_postal_forme", "35000")))]
#[case::a_lost_zero(("", "1000", "Bourg-en-Bresse"), "01000", Some(("code_postal_forme", "01000")))]
#[case::a_lost_zero_beside_a_code(("01053", "1000", ""), "01000", Some(("code_postal_forme", "01000")))]
#[case::belgian(("", "1000", "Bruxelles"), "", Some(("code_postal_illisible", "")))]
#[case::belgian_beside_a_code(("35238", "1000", "Rennes"), "", Some(("code_postal_illisible", "")))]
#[case::canadian(("", "H2X 1Y4", "Montréal"), "", Some(("code_postal_illisible", "")))]
#[case::too_long(("", "350000", "Rennes"), "", Some(("code_postal_illisible", "")))]
#[case::an_insee_code(("", "35238", "Rennes"), "", Some(("code_postal_illisible", "")))]
#[case::an_insee_code_beside_itself(("35238", "35238", ""), "", Some(("code_postal_illisible", "")))]
#[case::a_cedex_that_is_another_insee_code(("", "35042", "Rennes"), "35042", None)]
fn a_postal_code_is_published_when_it_is_one(
    #[case] (insee, postal, commune): (&str, &str, &str),
    #[case] expected: &str,
    #[case] told: Option<(&str, &str)>,
) {
    let (values, corrections) = placed([insee, postal, commune, "", "", "", ""]);
    assert_eq!(values[0], expected);
    let of_postal = corrections.iter().filter(|(rule, ..)| rule.starts_with("code_postal"));
    let of_postal: Vec<(&str, &str, &str)> =
        of_postal.map(|(rule, before, after)| (*rule, &**before, &**after)).collect();
    let expected: Vec<(&str, &str, &str)> = told.into_iter().map(|(rule, after)| (rule, postal, after)).collect();
    assert_eq!(of_postal, expected);
}

#[rstest]
#[case::minutes(("1°41'O", "48°07'N"), ("-1.683333", "48.116667"), ("coordonnees_sexagesimales", "1°41'O ; 48°07'N", "-1.683333,48.116667"))]
#[case::half_a_point(("-1.68", ""), ("-1.68186", "48.11158"), ("coordonnees_illisibles", "-1.68 ; ", "-1.68186,48.11158"))]
#[case::letters(("voir", "le plan"), ("-1.68186", "48.11158"), ("coordonnees_illisibles", "voir ; le plan", "-1.68186,48.11158"))]
#[case::minutes_beyond(("1°75'O", "48°07'N"), ("-1.68186", "48.11158"), ("coordonnees_illisibles", "1°75'O ; 48°07'N", "-1.68186,48.11158"))]
fn coordinates_that_are_no_numbers_are_read_or_told(
    #[case] (longitude, latitude): (&str, &str),
    #[case] (x, y): (&str, &str),
    #[case] told: (&'static str, &str, &str),
) {
    let (values, corrections) = placed(["35238", "", "", "", "", longitude, latitude]);
    let near =
        |found: &str, expected: &str| (found.parse::<f64>().unwrap() - expected.parse::<f64>().unwrap()).abs() < 0.01;
    assert!(near(&values[1], x) && near(&values[2], y), "{values:?}");
    let [(rule, before, after)] = corrections.as_slice() else { panic!("{corrections:?}") };
    assert_eq!((*rule, before.as_str()), (told.0, told.1));
    assert!(after.split(',').zip(told.2.split(',')).all(|(found, expected)| near(found, expected)), "{after}");
}

#[test]
fn coordinates_that_cannot_be_read_and_nothing_else_give_no_point_and_are_told() {
    let (values, corrections) = placed(["", "", "", "", "", "x", "y"]);
    assert_eq!(values, ["", "", "", "non_renseigne"]);
    assert_eq!(corrections, [("coordonnees_illisibles", "x ; y".to_owned(), String::new())]);
    let (values, corrections) = placed(["", "", "", "", "", "-1.68", "48.11"]);
    assert_eq!((values[3].as_str(), corrections.len()), ("point_seul", 0));
}
