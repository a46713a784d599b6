use std::sync::Arc;

use datafusion::object_store::memory::InMemory;
use datafusion::object_store::path::Path;
use datafusion::object_store::{ObjectStore, ObjectStoreExt as _};
use insta::assert_snapshot;
use parquet::arrow::ArrowWriter;
use rstest::rstest;

use super::*;
use crate::engine::DEFAULT_SCHEMA;
use crate::engine::fixture::{answer, coded_batch, engine, survey, told};

/// A store with one released table.
async fn released() -> Engine {
    let batch = coded_batch().project(&[0, 1, 4]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let path = "coop/releases/2026-11-22.2/structures.parquet";
    store.put(&Path::from(path), bytes.into()).await.unwrap();
    let engine = engine();
    for schema in [DEFAULT_SCHEMA, "coop", "coop@2026-11-22.2"] {
        engine
            .register_release_table(schema, "structures", Arc::clone(&store), "release://public", path)
            .await
            .unwrap();
    }
    engine
}

#[tokio::test]
async fn a_release_is_read_through_its_store() {
    let engine = released().await;
    let sql = "SELECT a.id, b.nom, c.salaries FROM structures a JOIN coop.structures b USING (id) \
               JOIN \"coop@2026-11-22.2\".structures c USING (id) ORDER BY id";
    assert_snapshot!(answer(&engine, sql).await, @r#"
    +----+--------+----------+
    | id | nom    | salaries |
    +----+--------+----------+
    | 1  | Ruche  | 3        |
    | 2  | Essaim |          |
    | 3  |        | 12       |
    | 4  | Miel   | 3        |
    +----+--------+----------+
    "#);
}

#[tokio::test]
async fn the_catalogue_shows_published_tables_and_nothing_else() {
    let engine = released().await;
    let sql = "SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables \
               WHERE table_schema <> 'information_schema' ORDER BY 1, 2, 3";
    assert_snapshot!(answer(&engine, sql).await, @r#"
    +---------------+-------------------+------------+------------+
    | table_catalog | table_schema      | table_name | table_type |
    +---------------+-------------------+------------+------------+
    | essaim        | coop              | structures | BASE TABLE |
    | essaim        | coop@2026-11-22.2 | structures | BASE TABLE |
    | essaim        | public            | structures | BASE TABLE |
    +---------------+-------------------+------------+------------+
    "#);
    assert_snapshot!(answer(&engine, "DESCRIBE coop.structures").await, @r#"
    +-------------+-----------+-------------+
    | column_name | data_type | is_nullable |
    +-------------+-----------+-------------+
    | id          | Int64     | NO          |
    | nom         | Utf8      | YES         |
    | salaries    | Int64     | YES         |
    +-------------+-----------+-------------+
    "#);
}

#[tokio::test]
async fn a_coded_table_hides_how_it_is_stored() {
    let sql = "SELECT table_name, table_type FROM information_schema.tables \
               WHERE table_schema = 'public' ORDER BY 1";
    assert_snapshot!(answer(&survey(), sql).await, @r#"
    +------------+------------+
    | table_name | table_type |
    +------------+------------+
    | communes   | BASE TABLE |
    | reponses   | VIEW       |
    +------------+------------+
    "#);
    let sql = "SELECT count(*) AS n FROM information_schema.columns WHERE column_name LIKE '\\_\\_%'";
    assert!(answer(&survey(), sql).await.contains("| 0 |"));
}

#[rstest]
#[case::create("CREATE TABLE t AS SELECT 1")]
#[case::create_external("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'")]
#[case::view("CREATE VIEW v AS SELECT 1")]
#[case::drop("DROP TABLE reponses")]
#[case::insert("INSERT INTO communes VALUES ('1', 'x', 1, 1)")]
#[case::delete("DELETE FROM communes")]
#[case::copy("COPY communes TO '/tmp/x.csv'")]
#[case::set("SET datafusion.execution.batch_size = 1")]
#[case::reset("RESET datafusion.execution.batch_size")]
#[case::begin("BEGIN")]
#[case::prepare("PREPARE p AS SELECT 1")]
#[case::create_hidden_in_explain("EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1")]
#[case::recursion("WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT * FROM t")]
#[case::file("SELECT * FROM '/etc/passwd'")]
#[case::file_name("SELECT input_file_name() FROM communes")]
#[case::rows_from_nothing("SELECT * FROM generate_series(1, 1000000000)")]
#[case::lists_from_nothing("SELECT range(1, 1000000000)")]
#[case::several("SELECT 1; SELECT 2")]
#[case::nothing("")]
#[case::unknown_function("SELECT nope(1)")]
#[tokio::test]
async fn whatever_does_not_only_read_tables_is_refused(#[case] sql: &str) {
    let QueryError::Problems(problems) = survey().query(sql).await.unwrap_err() else { panic!("{sql}") };
    assert!(!problems.is_empty());
    assert!(!told(&problems).iter().any(|told| told.contains("NO HELP")), "{:?}", told(&problems));
}

#[rstest]
#[case::column("SELECT nomm FROM reponses", "sql::unknown_column 1:8 nomm: unknown column `nomm`; did you mean `nom`?")]
#[case::table(
    "SELECT *\nFROM coop.response",
    "sql::unknown_table 2:6 coop.response: unknown table `coop.response`; known here: `communes`, `reponses`"
)]
#[case::near_table(
    "SELECT * FROM public.response",
    "sql::unknown_table 1:15 public.response: unknown table `response`; did you mean `reponses`?"
)]
#[case::syntax(
    "SELECT nom FRM reponses",
    "sql::syntax 1:16 reponses: expected: end of statement, found: reponses; \
     names with capitals or signs need double quotes, texts single ones"
)]
#[tokio::test]
async fn mistakes_have_a_place_in_the_query(#[case] sql: &str, #[case] expected: &str) {
    let QueryError::Problems(problems) = survey().query(sql).await.unwrap_err() else { panic!("{sql}") };
    assert_eq!(told(&problems), [expected]);
    assert_eq!(problems[0].file.as_ref().unwrap().path, "query");
}

#[tokio::test]
async fn a_query_may_do_what_a_model_may_not() {
    let engine = survey();
    for sql in
        ["SELECT id FROM reponses LIMIT 1", "SELECT avg(budget) FROM reponses", "SHOW TABLES", "EXPLAIN SELECT 1"]
    {
        assert!(engine.query(sql).await.is_ok(), "{sql}");
    }
}

#[tokio::test]
async fn an_answer_knows_its_columns_before_its_rows() {
    let answer = survey().query("SELECT id, statut_juridique AS s FROM reponses").await.unwrap();
    let names: Vec<&str> = answer.schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["id", "s"]);
}
