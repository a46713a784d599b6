//! Statements of people who mean no good, for every protocol that takes SQL.
//!
//! They are asked of a project with the table `lieux` (`id`, `nom`, `commune`, some ten thousand rows). What has to come of
//! each is the same whatever protocol it comes by; how it is said is the protocol's.

use std::fmt::Write as _;

/// What has to come of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is refused before it runs.
    Refused,
    /// It runs into a limit: time, memory, rows or bytes.
    Limited,
    /// It is refused or limited, whichever comes first; it is never answered.
    Stopped,
    /// It is answered, and tells nothing that is not published.
    Harmless,
}

/// One statement.
#[derive(Debug, Clone)]
pub(crate) struct Hostile {
    /// What it is after.
    pub(crate) name: &'static str,
    /// The statement.
    pub(crate) sql: String,
    /// What has to come of it.
    pub(crate) fate: Fate,
}

fn hostile(fate: Fate, name: &'static str, sql: impl Into<String>) -> Hostile {
    Hostile { name, sql: sql.into(), fate }
}

/// All of them. `place` is a file outside of the stores that the server's user could read; it must not change either.
pub(crate) fn statements(place: &str) -> Vec<Hostile> {
    let mut all = writing(place);
    all.extend(looking_around(place));
    all.extend(blowing_up_the_plan());
    all.extend(blowing_up_memory());
    all.extend(gathering());
    all.extend(taking_time());
    all.extend(harmless());
    all
}

/// DDL, DML, COPY, settings.
fn writing(place: &str) -> Vec<Hostile> {
    let refused = |name, sql: &str| hostile(Fate::Refused, name, sql.replace("PLACE", place));
    vec![
        refused("create a table", "CREATE TABLE t AS SELECT * FROM lieux"),
        refused("create a table in the catalogue", "CREATE TABLE lieux.t (a INT)"),
        refused("create a view", "CREATE VIEW v AS SELECT * FROM lieux"),
        refused("replace a view", "CREATE OR REPLACE VIEW lieux AS SELECT 1"),
        refused("create a schema", "CREATE SCHEMA s"),
        refused("create a database", "CREATE DATABASE d"),
        refused("create a function", "CREATE FUNCTION f(BIGINT) RETURNS BIGINT RETURN $1 + 1"),
        refused("read a file as a table", "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'PLACE'"),
        refused("read another server", "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'http://192.0.2.1/x.csv'"),
        refused("drop a table", "DROP TABLE lieux"),
        refused("drop a schema", "DROP SCHEMA lieux CASCADE"),
        refused("empty a table", "TRUNCATE TABLE lieux"),
        refused("change a table", "ALTER TABLE lieux ADD COLUMN x INT"),
        refused("insert", "INSERT INTO lieux VALUES ('x', 'x', 'x')"),
        refused("insert what is read", "INSERT INTO lieux SELECT * FROM lieux"),
        refused(
            "insert inside WITH",
            "WITH x AS (INSERT INTO lieux VALUES ('x', 'x', 'x') RETURNING id) SELECT * FROM x",
        ),
        refused("update", "UPDATE lieux SET nom = 'x'"),
        refused("delete", "DELETE FROM lieux"),
        refused(
            "merge",
            "MERGE INTO lieux USING lieux AS l ON false WHEN NOT MATCHED THEN INSERT VALUES ('x', 'x', 'x')",
        ),
        refused("select into", "SELECT * INTO t FROM lieux"),
        refused("copy to a file", "COPY lieux TO 'PLACE'"),
        refused("copy a query to a file", "COPY (SELECT * FROM lieux) TO 'PLACE' STORED AS PARQUET"),
        refused("copy from a file", "COPY lieux FROM 'PLACE'"),
        refused("set an option", "SET datafusion.execution.batch_size = 1"),
        refused("set the memory limit", "SET datafusion.runtime.memory_limit = '1T'"),
        refused("reset an option", "RESET datafusion.execution.batch_size"),
        refused("prepare", "PREPARE p AS SELECT * FROM lieux"),
        refused("execute", "EXECUTE p(1)"),
        refused("call", "CALL f()"),
        refused("write through EXPLAIN", "EXPLAIN INSERT INTO lieux VALUES ('x', 'x', 'x')"),
        refused("create through EXPLAIN ANALYZE", "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1"),
        refused("grant", "GRANT ALL ON lieux TO PUBLIC"),
        refused("vacuum", "VACUUM lieux"),
        refused("load a library", "LOAD 'PLACE'"),
    ]
}

/// Files, system tables, what the program is and has.
fn looking_around(place: &str) -> Vec<Hostile> {
    let refused = |name, sql: &str| hostile(Fate::Refused, name, sql.replace("PLACE", place));
    vec![
        refused("a file as a table", "SELECT * FROM 'PLACE'"),
        refused("a file as a quoted table", "SELECT * FROM \"PLACE\""),
        refused("a file by its address", "SELECT * FROM 'file://PLACE'"),
        refused("another server as a table", "SELECT * FROM 'http://192.0.2.1/x.parquet'"),
        refused("a file by a function", "SELECT * FROM read_csv('PLACE')"),
        refused("a file by a function of PostgreSQL", "SELECT pg_read_file('PLACE')"),
        refused("a folder by a function of PostgreSQL", "SELECT pg_ls_dir('/')"),
        refused("a file by a path out of the schema", "SELECT * FROM \"lieux@../../private\".lieux"),
        refused("a file by a path out of the table", "SELECT * FROM lieux.\"../../../private/runs/record\""),
        refused("where the rows lie", "SELECT input_file_name() FROM lieux"),
        refused("settings", "SELECT * FROM information_schema.df_settings"),
        refused("settings one by one", "SHOW datafusion.runtime.temp_directory"),
        refused("all settings", "SHOW ALL"),
        refused("runs", "SELECT * FROM runs"),
        refused("another catalogue", "SELECT * FROM autre.public.lieux"),
        refused("sleep", "SELECT pg_sleep(3600)"),
        refused("end another's session", "SELECT pg_terminate_backend(1)"),
        refused("a release that never was", "SELECT * FROM \"lieux@1999-01-01\".lieux"),
        refused("several statements", "SELECT 1; DROP TABLE lieux"),
        refused("a comment that hides another", "SELECT 1 /* ; */ ; DELETE FROM lieux"),
        refused("nothing", ""),
        refused("rubbish", "\u{1}'\"\\ ; --"),
    ]
}

/// What is small to write and large to plan.
fn blowing_up_the_plan() -> Vec<Hostile> {
    let refused = |name, sql: String| hostile(Fate::Refused, name, sql);
    let mut doubled = "WITH a0 AS (SELECT id FROM lieux)".to_owned();
    for n in 1..40 {
        write!(doubled, ", a{n} AS (SELECT x.id FROM a{} x, a{} y)", n - 1, n - 1).unwrap();
    }
    doubled += " SELECT count(*) FROM a39";
    let mut nested = "SELECT 1".to_owned();
    for n in 0..40 {
        nested = format!("WITH w{n} AS ({nested}) SELECT * FROM w{n}");
    }
    let cube: Vec<String> = (0..30).map(|n| format!("id || '{n}'")).collect();
    let list = |times: usize, of: &dyn Fn(usize) -> String| (0..times).map(of).collect::<Vec<String>>().join(", ");
    let wide = format!("WITH a AS (SELECT {})", list(5_000, &|n| format!("1 c{n}")));
    let many = |of: &str| list(3_000, &|n| format!("{of} t{n}"));
    vec![
        refused("tables that double forty times", doubled),
        refused("WITH inside WITH", nested),
        refused("a billion groupings", format!("SELECT count(*) FROM lieux GROUP BY CUBE({})", cube.join(", "))),
        refused("a long sum", format!("SELECT 1{}", "+1".repeat(20_000))),
        refused("a long condition", format!("SELECT id FROM lieux WHERE nom = 'x'{}", " OR nom = 'x'".repeat(3_000))),
        refused("deep brackets", format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000))),
        refused(
            "deep subqueries",
            format!("SELECT * FROM {}lieux{}", "(SELECT * FROM ".repeat(2_000), ")".repeat(2_000)),
        ),
        refused("many NOT", format!("SELECT {}true", "NOT ".repeat(10_000))),
        refused("a long statement", format!("SELECT '{}'", "x".repeat(1 << 20))),
        refused("many joins", format!("SELECT 1 FROM lieux{}", ", lieux".repeat(500))),
        refused("many unions", format!("SELECT id FROM lieux{}", " UNION ALL SELECT id FROM lieux".repeat(500))),
        refused("a wide WITH, often", format!("{wide} SELECT 1 FROM {}", list(190, &|n| format!("a x{n}")))),
        refused("all columns, often", format!("{wide} SELECT {} FROM a", list(5_000, &|_| "*".to_owned()))),
        refused("all columns of a table, often", format!("SELECT {} FROM lieux", list(20_000, &|_| "*".to_owned()))),
        refused(
            "all fields, often",
            format!(
                "WITH a AS (SELECT struct({}) s) SELECT {} FROM a",
                list(5_000, &|_| "1".to_owned()),
                list(3_000, &|_| "unnest(s)".to_owned())
            ),
        ),
        refused("many selects without a table", format!("SELECT 1 FROM {}", many("(SELECT 1)"))),
        refused("many unions without a table", format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(3_300))),
        refused("many subqueries without a table", format!("SELECT {}", list(4_000, &|_| "(SELECT 1)".to_owned()))),
        refused("many values", format!("SELECT 1 FROM {}", many("(VALUES (1))"))),
        refused(
            "many lists as tables",
            format!("SELECT 1 FROM {}", list(2_000, &|n| format!("unnest(make_array(1)) t{n}"))),
        ),
    ]
}

/// What fills memory in one go, or bit by bit.
fn blowing_up_memory() -> Vec<Hostile> {
    let refused = |name, sql: &str| hostile(Fate::Refused, name, sql);
    let limited = |name, sql: &str| hostile(Fate::Limited, name, sql);
    let mut joined = "SELECT nom AS x FROM lieux".to_owned();
    let mut replaced = "SELECT 'aaaaaaaaaaaaaaaa' AS x".to_owned();
    let mut distinct = "SELECT id, nom AS x FROM lieux".to_owned();
    for _ in 0..25 {
        joined = format!("SELECT x || x AS x FROM ({joined}) AS t");
        replaced = format!("SELECT replace(x, 'a', 'aaaaaaaaaaaaaaaa') AS x FROM ({replaced}) AS t");
        distinct = format!("SELECT DISTINCT ON (id) id, x || x AS x FROM ({distinct}) AS t ORDER BY id");
    }
    vec![
        refused("a long text", "SELECT repeat('x', 1000000000)"),
        refused("a long text for every row", "SELECT length(repeat(nom, 1000000)) FROM lieux"),
        refused(
            "a long text of a computed length",
            "SELECT repeat('x', CAST(length(nom) * 100000000 AS BIGINT)) FROM lieux",
        ),
        refused("a padded text", "SELECT lpad('x', 1000000000, 'y')"),
        refused("texts that double", &joined),
        refused("replacements that grow", &replaced),
        refused("a long list", "SELECT array_repeat(1, 1000000000)"),
        refused("rows out of nothing", "SELECT * FROM generate_series(1, 1000000000000)"),
        refused("a list out of nothing", "SELECT range(1, 1000000000000)"),
        refused("texts that double under DISTINCT ON", &distinct),
        refused("a long date", "SELECT to_char(CAST('2026-11-22' AS TIMESTAMP), repeat('%+', 15000)) FROM lieux"),
        refused("a wide type", "SELECT arrow_cast(NULL, 'FixedSizeBinary(2000000000)')"),
        refused(
            "a wide type in a list",
            "SELECT arrow_cast(make_array(arrow_cast(NULL, 'Binary'), arrow_cast(NULL, 'Binary')), \
             'List(FixedSizeBinary(2000000000))')",
        ),
        refused("a wide type in a code", "SELECT arrow_cast(NULL, 'Dictionary(Int32, FixedSizeBinary(2000000000))')"),
        refused(
            "a wide type in a list of lists",
            "SELECT arrow_cast(make_array(make_array(arrow_cast(NULL, 'Binary'))), \
             'List(List(FixedSizeBinary(2000000000)))')",
        ),
        refused(
            "an expression of many states",
            "SELECT id FROM lieux WHERE regexp_like(nom, '((a{1,100}){1,100}){1,100}')",
        ),
        refused("an expression for every row", "SELECT id FROM lieux WHERE regexp_like(nom, nom)"),
        refused("a comparison of long texts", "SELECT levenshtein(repeat(nom, 50), repeat(id, 50)) FROM lieux"),
        limited("a sorted cross join", "SELECT a.nom, b.nom, c.nom FROM lieux a, lieux b, lieux c ORDER BY 1, 2, 3"),
        limited(
            "a left side that does not fit",
            "SELECT count(*) FROM (SELECT a.id, a.nom, b.id AS autre FROM lieux a, lieux b) x JOIN lieux c \
             ON x.autre < c.id AND length(x.nom) < length(c.nom) AND x.id > c.commune",
        ),
        limited(
            "every pair once",
            "SELECT count(*) FROM (SELECT DISTINCT a.id, b.id AS autre FROM lieux a, lieux b) AS t",
        ),
        limited(
            "a join of what is everywhere the same",
            "SELECT count(*) FROM lieux a JOIN lieux b ON length(a.commune) = length(b.commune) \
             JOIN lieux c ON length(b.commune) = length(c.commune)",
        ),
    ]
}

/// What gathers all rows in one value, and gives that to many rows.
fn gathering() -> Vec<Hostile> {
    let refused = |name, sql: &str| hostile(Fate::Refused, name, sql);
    let limited = |name, sql: &str| hostile(Fate::Limited, name, sql);
    vec![
        refused("all in one text in every row", "SELECT length(string_agg(nom, ',') OVER ()) FROM lieux"),
        refused("all in one list in every row", "SELECT cardinality(array_agg(nom) OVER ()) FROM lieux"),
        refused("a computed text in every row", "SELECT length(max(repeat(a.nom, 100)) OVER ()) FROM lieux a, lieux b"),
        limited(
            "all in one text beside every row",
            "SELECT length(s) FROM (SELECT string_agg(repeat(nom, 50), ',') s FROM lieux) t, lieux b",
        ),
        limited(
            "all in one text by a subquery in every row",
            "SELECT length((SELECT string_agg(nom, ',') FROM lieux) || b.nom) FROM lieux b",
        ),
        limited(
            "all in one list beside every row",
            "SELECT sum(cardinality(l)) FROM (SELECT array_agg(id) l FROM lieux) t, lieux b",
        ),
        limited(
            "all in one text beside every item",
            "SELECT unnest(l), s FROM (SELECT array_agg(id) l, string_agg(nom, ',') s FROM lieux) t",
        ),
        limited(
            "the widest text in every row",
            "SELECT length(max(s) OVER ()) FROM (SELECT CASE a.id WHEN 'L00001' THEN repeat(a.nom, 40) ELSE '' END s \
             FROM lieux a, lieux b) t",
        ),
        limited("a window over a cross join", "SELECT sum(length(a.nom)) OVER () FROM lieux a, lieux b"),
        limited(
            "a running window over a cross join",
            "SELECT max(a.nom) OVER (ORDER BY b.id ROWS BETWEEN 100000000 PRECEDING AND CURRENT ROW) FROM lieux a, lieux b",
        ),
        limited("all pairs in one list", "SELECT array_agg(a.nom || b.nom) FROM lieux a, lieux b"),
        limited("all pairs in one text", "SELECT length(string_agg(a.nom || b.nom, ',')) FROM lieux a, lieux b"),
    ]
}

/// What never ends, or gives too much.
fn taking_time() -> Vec<Hostile> {
    let refused = |name, sql: &str| hostile(Fate::Refused, name, sql);
    let limited = |name, sql: &str| hostile(Fate::Limited, name, sql);
    vec![
        refused("recursion", "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT * FROM t"),
        refused(
            "recursion that doubles",
            "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT t.x + 1 FROM t, t AS u) SELECT count(*) FROM t",
        ),
        refused(
            "a cross join that is explained by running it",
            "EXPLAIN ANALYZE SELECT count(*) FROM lieux a, lieux b, lieux c",
        ),
        limited(
            "a cross join without a match",
            "SELECT a.id FROM lieux a, lieux b, lieux c WHERE a.id || b.id || c.id = 'x'",
        ),
        limited(
            "a comparison of all with all",
            "SELECT count(*) FROM lieux a, lieux b, lieux c WHERE levenshtein(a.nom, b.nom) < 3",
        ),
        limited("more rows than are given", "SELECT a.id FROM lieux a, lieux b"),
        limited(
            "more bytes than are given",
            "SELECT repeat(a.nom, 40) AS x, repeat(b.nom, 40) AS y FROM lieux a, lieux b LIMIT 90000",
        ),
        limited(
            "a subquery for every row",
            "SELECT count(*) FROM lieux a, lieux b WHERE EXISTS (SELECT 1 FROM lieux c, lieux d WHERE c.nom < a.nom AND d.nom < b.nom)",
        ),
    ]
}

/// What looks dangerous and is not.
fn harmless() -> Vec<Hostile> {
    let harmless = |name, sql: &str| hostile(Fate::Harmless, name, sql);
    vec![
        harmless("an injection in a literal", "SELECT count(*) FROM lieux WHERE nom = '''; DROP TABLE lieux; --'"),
        // Statistics answer it.
        harmless("a counted cross join", "SELECT count(*) FROM lieux a, lieux b, lieux c, lieux d"),
        harmless("an explained cross join", "EXPLAIN SELECT count(*) FROM lieux a, lieux b, lieux c"),
        harmless("all tables", "SELECT table_schema, table_name FROM information_schema.tables"),
        harmless("all columns", "SELECT column_name FROM information_schema.columns WHERE table_name = 'lieux'"),
        harmless("a padded number", "SELECT lpad(id, 12, '0') FROM lieux LIMIT 3"),
        harmless("a simple expression", "SELECT count(*) FROM lieux WHERE regexp_like(nom, '^L[0-9]+$')"),
        harmless("all in one text", "SELECT length(string_agg(nom, ',')) > 300000 AS long FROM lieux"),
        harmless("items of one list", "SELECT unnest(l) AS id FROM (SELECT array_agg(id) l FROM lieux) t LIMIT 3"),
        harmless(
            "texts of groups beside their rows",
            "SELECT count(s) FROM lieux JOIN (SELECT commune, string_agg(id, ' ') s FROM lieux GROUP BY commune) t \
             USING (commune)",
        ),
        harmless("a window", "SELECT id, row_number() OVER (ORDER BY id) AS rang FROM lieux ORDER BY id LIMIT 3"),
    ]
}
