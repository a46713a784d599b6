use insta::assert_snapshot;
use rstest::rstest;

use crate::diagnostic::render::{Style, text};
use crate::engine::fixture::{coded_schema, communes_schema, engine, mistakes, model, name, plan};

#[test]
fn every_unknown_column_is_shown_with_its_place_and_the_nearest_name() {
    let problems = plan(
        "SELECT nom,\n  statut_jurdique,\n  salries + 1 AS n\nFROM reponses\n\
         WHERE contact_couriel IS NOT NULL\nORDER BY budgt\n",
    );
    assert_snapshot!(text(&problems.unwrap_err(), Style::Plain), @r#"
    sql::unknown_column

      × unknown column `statut_jurdique`
       ╭─[sql/coop/modele.sql:2:3]
     1 │ SELECT nom,
     2 │   statut_jurdique,
       ·   ───────┬───────
       ·          ╰── here
     3 │   salries + 1 AS n
       ╰────
      help: did you mean `statut_juridique`?

    sql::unknown_column

      × unknown column `salries`
       ╭─[sql/coop/modele.sql:3:3]
     2 │   statut_jurdique,
     3 │   salries + 1 AS n
       ·   ───┬───
       ·      ╰── here
     4 │ FROM reponses
       ╰────
      help: did you mean `salaries`?

    sql::unknown_column

      × unknown column `contact_couriel`
       ╭─[sql/coop/modele.sql:5:7]
     4 │ FROM reponses
     5 │ WHERE contact_couriel IS NOT NULL
       ·       ───────┬───────
       ·              ╰── here
     6 │ ORDER BY budgt
       ╰────
      help: did you mean `contact_courriel`?

    sql::unknown_column

      × unknown column `budgt`
       ╭─[sql/coop/modele.sql:6:10]
     5 │ WHERE contact_couriel IS NOT NULL
     6 │ ORDER BY budgt
       ·          ──┬──
       ·            ╰── here
       ╰────
      help: did you mean `budget`?

    4 problems found
    "#);
}

#[rstest]
#[case::unknown_columns_of_the_select_list(
    "SELECT statut_jurdique, salries FROM reponses",
    &["sql::unknown_column 1:8 statut_jurdique: unknown column `statut_jurdique`; did you mean `statut_juridique`?",
      "sql::unknown_column 1:25 salries: unknown column `salries`; did you mean `salaries`?"]
)]
#[case::unknown_columns_of_several_clauses(
    "SELECT a.id FROM reponses a JOIN communes b ON a.idd = b.structure_id WHERE b.cod = 'x'",
    &["sql::unknown_column 1:48 a.idd: `a` has no column `idd`; did you mean `id`?",
      "sql::unknown_column 1:77 b.cod: `b` has no column `cod`; did you mean `code`?"]
)]
#[case::unknown_alias(
    "SELECT x.nom FROM reponses r",
    &["sql::unknown_column 1:8 x.nom: no table is called `x` here; known here: `r`"]
)]
#[case::hidden_columns_do_not_exist(
    "SELECT c.population, c.__ligne FROM communes c",
    &["sql::unknown_column 1:22 c.__ligne: `c` has no column `__ligne`; \
       known here: `code`, `nom`, `population`, `structure_id`"]
)]
#[case::no_table(
    "SELECT nom",
    &["sql::unknown_column 1:8 nom: unknown column `nom`; no table is read here: write FROM"]
)]
#[case::unknown_tables(
    "SELECT * FROM response JOIN communess ON true",
    &["sql::unknown_table 1:15 response: unknown table `response`; did you mean `reponses`?",
      "sql::unknown_table 1:29 communess: unknown table `communess`; did you mean `communes`?"]
)]
#[case::tables_about_tables_are_not_for_models(
    "SELECT table_name FROM information_schema.tables",
    &["sql::unknown_table 1:24 information_schema.tables: unknown table `information_schema.tables`; \
       known here: `communes`, `reponses`"]
)]
#[case::ambiguous_column(
    "SELECT nom FROM reponses, communes",
    &["sql::ambiguous_column 1:8 nom: `nom` is a column of several tables; write the table before it, as in `t.nom`; \
       possible column reponses.nom; possible column communes.nom"]
)]
#[case::unknown_function(
    "SELECT normalizer(nom) FROM reponses",
    &["sql::unknown_function 1:8 normalizer: unknown function `normalizer`; did you mean `normaliser`?"]
)]
fn names_are_checked(#[case] sql: &str, #[case] problems: &[&str]) {
    assert_eq!(mistakes(sql), problems);
}

#[rstest]
#[case::word("SELECT nom FRM reponses", "1:16 reponses: expected: end of statement, found: reponses")]
#[case::end("SELECT nom\nFROM reponses WHERE\n", "2:20 : expected: an expression, found: EOF")]
#[case::quote("SELECT 'abc FROM reponses", "1:8 ': unterminated string literal")]
#[case::after_accents("SELECT 'é' (nom FROM reponses", "1:12 (: expected: end of statement, found: (")]
fn syntax_errors_have_a_place(#[case] sql: &str, #[case] start: &str) {
    let found = mistakes(sql);
    assert!(found[0].starts_with(&format!("sql::syntax {start}")), "{found:?}");
}

#[rstest]
#[case::operator("SELECT adherent + cree_le FROM reponses", "1:8 adherent + cree_le")]
#[case::condition("SELECT nom FROM reponses WHERE adherent > cree_le", "1:32 adherent")]
#[case::not_a_condition("SELECT nom FROM reponses WHERE salaries", "1:32 salaries")]
#[case::text_against_number("SELECT nom FROM reponses WHERE nom = 1", "1:32 nom")]
#[case::text_among_numbers("SELECT nom FROM reponses WHERE nom IN (1, 2)", "1:32 nom")]
#[case::text_joined_with_number("SELECT r.id FROM reponses r JOIN communes c ON c.code = r.salaries", "1:48 c.code")]
#[case::literal_against_number("SELECT nom FROM reponses WHERE salaries = 'x'", "1:43 'x'")]
#[case::list_against_text("SELECT nom FROM reponses WHERE types = 'achats'", "1:32 types")]
#[case::our_function("SELECT contient(nom, 'x') FROM reponses", "1:8 contient")]
#[case::number_of_arguments("SELECT contient(types) FROM reponses", "1:8 contient")]
#[case::their_function("SELECT abs(nom) FROM reponses", "1:8 abs")]
#[case::aggregate("SELECT sum(nom) FROM reponses", "1:8 sum")]
#[case::cast("SELECT CAST(types AS INT) FROM reponses", "1:13 types")]
#[case::case("SELECT CASE WHEN adherent THEN nom ELSE types END FROM reponses", "1:8 CASE")]
#[case::union("SELECT adherent FROM reponses UNION SELECT types FROM reponses", "1:44 types")]
fn types_that_do_not_go_together_are_found_before_a_run(#[case] sql: &str, #[case] place: &str) {
    let found = mistakes(sql);
    assert!(found[0].starts_with(&format!("sql::type_mismatch {place}")), "{found:?}");
    assert!(!found[0].contains("NO HELP"));
}

#[rstest]
#[case::group_by("SELECT nom, count(*) FROM reponses", "sql::group_by 1:8 nom")]
#[case::one_name_twice("SELECT nom, nom FROM reponses", "sql::duplicate_column 1:13 nom")]
#[case::recursion(
    "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT * FROM t",
    "sql::refused 1:16 t"
)]
#[case::rows_from_nothing("SELECT * FROM generate_series(1, 10)", "sql::refused 1:15 generate_series")]
#[case::parameter("SELECT $1 FROM reponses", "sql::refused 1:8 $1")]
#[case::statements("SELECT 1; DROP TABLE reponses", "sql::one_select 1:1 SELECT 1; DROP TABLE reponses")]
fn what_is_no_model_is_refused(#[case] sql: &str, #[case] start: &str) {
    let found = mistakes(sql);
    assert!(found[0].starts_with(start), "{found:?}");
    assert!(!found[0].contains("NO HELP"));
}

#[rstest]
#[case::clock("SELECT now() FROM reponses", "1:8 now")]
#[case::clock_without_parentheses("SELECT id, current_date FROM reponses", "1:12 current_date")]
#[case::chance("SELECT random() FROM reponses", "1:8 random")]
#[case::new_key("SELECT uuid() FROM reponses", "1:8 uuid")]
#[case::file("SELECT input_file_name() FROM reponses", "1:8 input_file_name")]
#[case::program("SELECT version() FROM reponses", "1:8 version")]
#[case::float_sum("SELECT sum(budget) FROM reponses", "1:8 sum")]
#[case::float_average("SELECT avg(budget) FROM reponses", "1:8 avg")]
#[case::float_literal_in_sum("SELECT sum(CASE WHEN adherent THEN 1.0 END) FROM reponses", "1:8 sum")]
#[case::float_window("SELECT sum(budget) OVER () FROM reponses", "1:8 sum")]
#[case::deviation("SELECT stddev(salaries) FROM reponses", "1:8 stddev")]
#[case::sketch("SELECT approx_median(salaries) FROM reponses", "1:8 approx_median")]
#[case::regression("SELECT regr_slope(salaries, id) FROM reponses", "1:8 regr_slope")]
#[case::text_of_rows("SELECT string_agg(nom, ',') FROM reponses", "1:8 string_agg")]
#[case::list_of_rows("SELECT array_agg(nom) FROM reponses", "1:8 array_agg")]
#[case::any_row("SELECT first_value(nom) FROM reponses", "1:8 first_value")]
#[case::row_numbers("SELECT row_number() OVER () FROM reponses", "1:8 row_number")]
#[case::in_a_subquery("SELECT id FROM reponses WHERE id IN (SELECT first_value(id) FROM reponses)", "1:45 first_value")]
#[case::limit("SELECT id FROM reponses LIMIT 3", "1:31 3")]
#[case::limit_of_an_ordered_subquery(
    "SELECT x FROM (SELECT id AS x FROM reponses ORDER BY nom) AS t LIMIT 1",
    "1:70 1"
)]
#[case::distinct_on("SELECT DISTINCT ON (nom) nom, id FROM reponses", "1:21 nom")]
fn what_depends_on_the_order_of_rows_or_the_clock_is_refused(#[case] sql: &str, #[case] place: &str) {
    let found = mistakes(sql);
    assert!(found[0].starts_with(&format!("sql::not_deterministic {place}")), "{found:?}");
    assert!(!found[0].contains("NO HELP"));
}

#[rstest]
#[case::integers("SELECT sum(salaries) AS s, avg(salaries) AS m, median(budget) AS d, min(budget) AS i FROM reponses")]
#[case::decimals("SELECT sum(CAST(budget AS DECIMAL(18, 6))) AS s FROM reponses")]
#[case::ordered_aggregates(
    "SELECT string_agg(nom, ',' ORDER BY id) AS s, first_value(nom ORDER BY id) AS f FROM reponses"
)]
#[case::ordered_windows("SELECT row_number() OVER (ORDER BY id) AS r, lag(nom) OVER (ORDER BY id) AS l FROM reponses")]
#[case::ordered_limit("SELECT id AS n FROM reponses ORDER BY id LIMIT 3")]
#[case::limit_of_one_row("SELECT count(*) AS n FROM reponses LIMIT 1")]
#[case::ordered_distinct("SELECT DISTINCT ON (nom) nom, id FROM reponses ORDER BY nom, id")]
fn what_gives_the_same_rows_each_time_is_accepted(#[case] sql: &str) {
    plan(sql).unwrap();
}

#[test]
fn sql_sees_plain_types_of_coded_columns() {
    let planned = plan("SELECT * FROM reponses").unwrap();
    let types: Vec<String> = planned.schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    assert_eq!(types, ["Int64", "Utf8", "Utf8", "List(Utf8)", "Int64", "Float64", "Utf8", "Date32", "Boolean"]);
    let required: Vec<bool> = planned.schema.fields().iter().map(|field| !field.is_nullable()).collect();
    assert_eq!(required.iter().filter(|required| **required).count(), 1, "only `id` is required");
}

#[test]
fn a_model_plans_over_shapes_alone() {
    let engine = engine();
    engine.register_empty(&name("reponses"), coded_schema()).unwrap();
    engine.register_empty(&name("communes"), communes_schema()).unwrap();
    let sql = "SELECT r.id, c.nom FROM reponses r LEFT JOIN communes c ON c.structure_id = r.id \
               WHERE contient(types, 'achats')";
    let planned = engine.plan(&model(sql)).unwrap();
    assert_eq!(planned.table(), "modele");
    assert_eq!(planned.schema.fields().len(), 2);
}

#[test]
fn the_place_of_an_output_column_is_its_alias_or_its_expression() {
    let sql = "SELECT id,\n  budget AS montant, count(*) OVER () AS n FROM reponses";
    let planned = plan(sql).unwrap();
    let shown = |column: &str| planned.place(column).and_then(|span| sql.get(span));
    assert_eq!(shown("id"), Some("id"));
    assert_eq!(shown("montant"), Some("montant"));
    assert_eq!(shown("n"), Some("n"));
    assert_eq!(shown("nom"), None);
}
