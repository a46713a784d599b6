use std::sync::Arc;

use rstest::rstest;

use super::*;
use crate::engine::QueryError;
use crate::engine::fixture::survey;

fn bounds() -> Arc<Bounds> {
    let temp_dir = std::env::temp_dir();
    Arc::new(Bounds { statement_bytes: 64 << 10, memory_bytes: 64 << 20, spill_bytes: 64 << 20, temp_dir })
}

/// Code of the first thing that is wrong with a stranger's statement; `ok` when nothing is.
async fn judged(sql: &str) -> &'static str {
    match survey().prepare(sql, Some(bounds())).await {
        Ok(_) => "ok",
        Err(QueryError::Problems(problems)) => problems[0].code,
        Err(error) => panic!("{sql}: {error}"),
    }
}

#[rstest]
#[case::select("SELECT nom FROM reponses", "ok")]
#[case::with("WITH a AS (SELECT * FROM reponses) SELECT * FROM a x JOIN a y USING (id)", "ok")]
#[case::explain("EXPLAIN SELECT * FROM reponses", "ok")]
#[case::explain_verbose("EXPLAIN VERBOSE SELECT * FROM reponses", "ok")]
#[case::show_tables("SHOW TABLES", "ok")]
#[case::describe("DESCRIBE reponses", "ok")]
#[case::values("VALUES (1), (2)", "ok")]
#[case::parameter("SELECT * FROM reponses WHERE id = $1", "ok")]
#[case::rollup("SELECT count(*) FROM reponses GROUP BY ROLLUP (nom, adherent)", "ok")]
#[case::analyze("EXPLAIN ANALYZE SELECT 1", "sql::refused")]
#[case::analyze_in_brackets("EXPLAIN (ANALYZE) SELECT 1", "sql::refused")]
#[case::show("SHOW datafusion.execution.batch_size", "sql::refused")]
#[case::settings("SELECT * FROM information_schema.df_settings", "sql::refused")]
#[case::insert("INSERT INTO communes SELECT * FROM communes", "sql::refused")]
#[case::begin("BEGIN", "sql::refused")]
#[case::use_schema("USE autre", "sql::refused")]
#[case::unnumbered("SELECT * FROM reponses WHERE id = ?", "sql::parameters")]
#[case::gap("SELECT * FROM reponses WHERE id = $2", "sql::parameters")]
#[tokio::test]
async fn strangers_may_read_and_do_nothing_else(#[case] sql: &str, #[case] expected: &str) {
    assert_eq!(judged(sql).await, expected, "{sql}");
}

#[rstest]
#[case::short_text("SELECT repeat(nom, 3) FROM reponses", "ok")]
#[case::padding("SELECT lpad(nom, 14, '0') FROM reponses", "ok")]
#[case::joined("SELECT nom || ' ' || contact_courriel FROM reponses", "ok")]
#[case::replaced("SELECT replace(replace(nom, 'é', 'e'), ' ', '-') FROM reponses", "ok")]
#[case::gathered("SELECT string_agg(nom, ', ') FROM reponses", "ok")]
#[case::gathered_and_joined("SELECT array_to_string(array_agg(nom), ', ') FROM reponses", "ok")]
#[case::many_branches("SELECT CASE nom WHEN 'a' THEN 'b' WHEN 'c' THEN 'd' ELSE 'e' END FROM reponses", "ok")]
#[case::list("SELECT contient(types, 'formation'), unnest(types) FROM reponses", "ok")]
#[case::expression("SELECT regexp_replace(nom, '[^a-z]{2,20}', '') FROM reponses", "ok")]
#[case::long_text("SELECT repeat('x', 100000)", "sql::too_wide")]
#[case::long_text_unseen("SELECT length(repeat('x', 100000))", "sql::too_wide")]
#[case::computed_length("SELECT repeat(nom, id) FROM reponses", "sql::too_wide")]
#[case::in_a_filter("SELECT id FROM reponses WHERE repeat(nom, 10000) = 'x'", "sql::too_wide")]
#[case::in_an_aggregate("SELECT max(repeat(nom, 10000)) FROM reponses", "sql::too_wide")]
#[case::in_a_subquery("SELECT (SELECT repeat(r.nom, 10000)) FROM reponses r", "sql::too_wide")]
#[case::in_an_order("SELECT id FROM reponses ORDER BY repeat(nom, 10000)", "sql::too_wide")]
#[case::in_a_join("SELECT a.id FROM reponses a JOIN reponses b ON repeat(a.nom, 10000) = b.nom", "sql::too_wide")]
#[case::many_texts(
    "SELECT repeat('a', 9000), repeat('b', 9000), repeat('c', 9000), repeat('d', 9000)",
    "sql::too_wide"
)]
#[case::gathered_and_grown(
    "SELECT s || s || s FROM (SELECT string_agg(nom, ',') AS s FROM reponses) AS t",
    "sql::too_wide"
)]
#[case::computed_expression("SELECT id FROM reponses WHERE nom ~ contact_courriel", "sql::too_wide")]
#[tokio::test]
async fn what_is_computed_for_a_row_has_a_weight(#[case] sql: &str, #[case] expected: &str) {
    assert_eq!(judged(sql).await, expected, "{sql}");
}

#[tokio::test]
async fn texts_that_grow_level_by_level_are_refused_however_they_are_passed_on() {
    let mut joined = "SELECT nom AS x FROM reponses".to_owned();
    let mut outer = "SELECT nom AS x FROM reponses".to_owned();
    let mut lateral = "SELECT nom AS x FROM reponses".to_owned();
    for _ in 0..12 {
        joined = format!("SELECT t.x || t.x AS x FROM ({joined}) AS t");
        outer = format!("SELECT (SELECT t.x || t.x) AS x FROM ({outer}) AS t");
        lateral = format!("SELECT u.y AS x FROM ({lateral}) AS t CROSS JOIN LATERAL (SELECT t.x || t.x AS y) AS u");
    }
    for sql in [joined, outer, lateral] {
        assert_eq!(judged(&sql).await, "sql::too_wide", "{sql}");
    }
}
