use std::collections::BTreeMap;

use rstest::rstest;

use super::*;
use crate::engine::fixture::{answer, survey};

/// Value of an expression as text.
async fn value(expr: &str) -> String {
    let drawn = answer(&survey(), &format!("SELECT {expr} AS v")).await;
    drawn.lines().nth(3).unwrap().trim_matches(['|', ' ']).to_owned()
}

#[rstest]
#[case::accents("normaliser('  Économie-circulaire ')", "economie circulaire")]
#[case::null_text("normaliser(NULL) IS NULL", "true")]
#[case::dictionary("normaliser(arrow_cast('Été', 'Dictionary(Int16, Utf8)'))", "ete")]
#[case::view("normaliser(arrow_cast('Été', 'Utf8View'))", "ete")]
#[case::siret("siret_valide('73282932000074')", "true")]
#[case::siret_with_blanks("siret_valide('732 829 320 00074')", "true")]
#[case::siret_with_a_wrong_digit("siret_valide('73282932000075')", "false")]
#[case::siret_too_short("siret_valide('7328293200007')", "false")]
#[case::siret_with_a_letter("siret_valide('7328293200007A')", "false")]
#[case::siret_of_zeros("siret_valide('00000000000000')", "false")]
#[case::siret_of_a_post_office("siret_valide('35600000009075')", "true")]
#[case::siret_empty("siret_valide('')", "false")]
#[case::contains("contient(['a', 'b'], 'b')", "true")]
#[case::contains_not("contient(['a', 'b'], 'c')", "false")]
#[case::contains_is_exact("contient(['a', 'b'], 'B')", "false")]
#[case::nothing_answered("contient(NULL, 'a') IS NULL", "true")]
#[case::empty_list("contient(essaim_codes(0, 'a|b'), 'a')", "false")]
#[case::number_of_items("nombre(['a', 'b', 'b'])", "3")]
#[case::number_of_numbers("nombre([1, 2])", "2")]
#[case::number_of_nothing("nombre(NULL)", "0")]
#[case::share("part(31, 62)", "0.5")]
#[case::share_of_nothing("part(3, 0) IS NULL", "true")]
#[case::share_of_unknown("part(3, NULL) IS NULL", "true")]
#[case::share_of_decimals("part(CAST(1.5 AS DECIMAL(18, 6)), 3)", "0.5")]
#[case::half_goes_up("arrondi(2.5, 0)", "3.0")]
#[case::half_goes_away_from_zero("arrondi(-2.5, 0)", "-3.0")]
#[case::half_as_it_is_written("arrondi(0.145, 2)", "0.15")]
#[case::half_as_a_share_gives_it("arrondi(100 * part(29, 200), 0)", "15.0")]
#[case::half_with_noise("arrondi(0.1 + 0.7 + 0.045, 2)", "0.85")]
#[case::half_of_many_digits("arrondi(123456789012345.5, 0)", "123456789012346.0")]
#[case::just_below_a_half("arrondi(0.14499999, 2)", "0.14")]
#[case::large_half("arrondi(1.005, 2)", "1.01")]
#[case::tens("arrondi(15, -1)", "20.0")]
#[case::zero_has_no_sign("arrondi(-0.2, 0)", "0.0")]
#[case::no_decimals_left("arrondi(1e300, 2) = 1e300", "true")]
#[case::null_number("arrondi(NULL, 2) IS NULL", "true")]
#[case::paris_to_lyon("arrondi(distance_km(2.3522, 48.8566, 4.8357, 45.7640), 1)", "391.5")]
#[case::no_distance("distance_km(2.35, 48.85, 2.35, 48.85)", "0.0")]
#[case::antipodes("arrondi(distance_km(0, 0, 180, 0), 0)", "20015.0")]
#[case::nowhere("distance_km(2.35, 48.85, NULL, 48.85) IS NULL", "true")]
#[case::codes("essaim_codes(5, 'a|b|c')", "[a, c]")]
#[case::no_codes("essaim_codes(0, 'a|b|c')", "[]")]
#[case::no_set("essaim_codes(NULL, 'a|b|c') IS NULL", "true")]
#[case::joined("essaim_codes_join(5, 'a|b|c', ' ; ')", "a ; c")]
#[case::nothing_joined("essaim_codes_join(0, 'a|b|c', ';') = ''", "true")]
#[case::no_set_joined("essaim_codes_join(NULL, 'a|b|c', ';') IS NULL", "true")]
#[tokio::test]
async fn functions_answer(#[case] expr: &str, #[case] expected: &str) {
    assert_eq!(value(expr).await, expected);
}

#[tokio::test]
async fn functions_work_on_columns_of_a_table() {
    let sql = "SELECT id, types, nombre(types) AS n, contient(types, 'emploi') AS e, normaliser(statut_juridique) AS s \
               FROM reponses ORDER BY id";
    insta::assert_snapshot!(answer(&survey(), sql).await, @r#"
    +----+---------------------+---+-------+-------------+
    | id | types               | n | e     | s           |
    +----+---------------------+---+-------+-------------+
    | 1  | [formation, emploi] | 2 | true  | association |
    | 2  | [achats]            | 1 | false | sas         |
    | 3  |                     | 0 |       |             |
    | 4  | []                  | 0 | false | association |
    +----+---------------------+---+-------+-------------+
    "#);
}

#[tokio::test]
async fn a_set_with_more_bits_than_codes_is_an_error() {
    let failed = survey().query("SELECT essaim_codes(id, 'a') FROM reponses").await.unwrap().stream;
    let failed = futures::TryStreamExt::try_collect::<Vec<_>>(failed).await.unwrap_err();
    assert!(std::error::Error::source(&failed).unwrap().to_string().contains("a coded set has bit 1"));
}

#[test]
fn every_function_is_documented_with_an_example_that_calls_it() {
    let mut seen = BTreeMap::new();
    for function in all() {
        let documentation = function.documentation().unwrap();
        let example = documentation.sql_example.clone().unwrap();
        assert!(example.contains(&format!("{}(", function.name())), "{example}");
        assert!(documentation.description.ends_with('.'), "{}", documentation.description);
        seen.insert(function.name().to_owned(), documentation.arguments.clone().unwrap().len());
    }
    assert_eq!(seen.len(), FUNCTIONS.len());
}
