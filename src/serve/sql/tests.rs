//! The service over a store in memory, without a protocol.

#[path = "../../../tests/it/harness/hostile.rs"]
mod hostile;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use insta::assert_snapshot;
use parquet::arrow::ArrowWriter;
use serde_json::json;
use std::sync::Arc;

use super::*;
use crate::engine::ScalarValue;
use crate::engine::fixture::install_broken;
use crate::id::{DatasetId, Digest, ReleaseId};
use crate::serve::published::Published;
use crate::store::{Store, StoreKey};

use hostile::{Fate, Hostile};

/// A public store and the service on it.
struct Library {
    store: Store,
    published: Published,
    service: SqlService,
    _temp: tempfile::TempDir,
}

fn limits() -> SqlLimits {
    SqlLimits {
        timeout: Duration::from_secs(20),
        memory_bytes: 128 << 20,
        spill_bytes: 64 << 20,
        rows: 20_000,
        answer_bytes: 4 << 20,
        at_once: 2,
        threads: 2,
        ..SqlLimits::default()
    }
}

impl Library {
    fn new(name: &str, limits: &SqlLimits) -> Self {
        let store = Store::open(&format!("memory://sql-{name}"), Path::new("."), &BTreeMap::new()).unwrap();
        let published = Published::new(store.clone());
        let temp = tempfile::tempdir().unwrap();
        let service = SqlService::start(published.clone(), limits, temp.path().to_path_buf()).unwrap();
        Self { store, published, service, _temp: temp }
    }

    /// One dataset with one release of one table of some rows.
    async fn lieux(name: &str, limits: &SqlLimits, rows: usize) -> Self {
        let library = Self::new(name, limits);
        library.publish("lieux", 1, "2026-11-22", &lieux(rows)).await;
        library
    }

    async fn put(&self, key: StoreKey, bytes: impl Into<Bytes>) {
        self.store.put(&key, bytes.into()).await.unwrap();
    }

    /// Publishes a release with the table `lieux`.
    async fn publish(&self, dataset: &str, n: u64, release: &str, rows: &RecordBatch) {
        let (dataset, release): (DatasetId, ReleaseId) = (dataset.parse().unwrap(), release.parse().unwrap());
        let mut parquet = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut parquet, rows.schema(), None).unwrap();
        writer.write(rows).unwrap();
        writer.close().unwrap();
        let path = "lieux.parquet".to_owned();
        self.put(StoreKey::ReleaseFile { dataset: dataset.clone(), release: release.clone(), path }, parquet).await;
        let manifest = json!({
            "dataset": dataset, "release": release, "title": "Lieux", "version": "1.0.0", "issued": "2026-11-22T01:00:00Z",
            "synthetic": true, "licence": "etalab-2.0", "content": Digest::of(b""), "engine": "0.1.0",
            "project": Digest::of(b""), "previous": null, "files": [], "sources": [], "checks": [], "read": {},
            "rejects": {}, "unfit_cells": {}, "corrections": {},
            "tables": [{ "name": "lieux", "title": "Lieux", "rows": rows.num_rows(), "secret_rows": 0, "key": ["id"],
                         "columns": [] }],
        });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let digest = Digest::of(&manifest);
        self.put(StoreKey::Manifest { dataset: dataset.clone(), release: release.clone() }, manifest).await;
        self.log(&dataset, n, "publish", &release, Some(digest), None).await;
    }

    async fn log(
        &self,
        dataset: &DatasetId,
        n: u64,
        kind: &str,
        release: &ReleaseId,
        manifest: Option<Digest>,
        reason: Option<&str>,
    ) {
        let entry = json!({
            "kind": kind, "release": release, "manifest": manifest, "content": null, "attempt": format!("{dataset}-{n}"),
            "at": "2026-11-23T08:00:00Z", "verified_at": null, "reason": reason,
        });
        self.put(StoreKey::LogEntry { dataset: dataset.clone(), n }, entry.to_string()).await;
        self.published.doubt(dataset);
    }

    async fn ask(&self, sql: &str) -> Result<String, Refusal> {
        self.ask_with(sql, Vec::new()).await
    }

    async fn ask_with(&self, sql: &str, values: Vec<ScalarValue>) -> Result<String, Refusal> {
        ask(&self.service, sql, values).await
    }

    /// Waits until nothing runs any more.
    async fn idle(&self) {
        while self.service.running() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

async fn ask(service: &SqlService, sql: &str, values: Vec<ScalarValue>) -> Result<String, Refusal> {
    let rows = service.query(&somebody(), sql, values).await?;
    let batches: Vec<RecordBatch> = rows.try_collect().await?;
    Ok(pretty_format_batches(&batches).unwrap().to_string())
}

fn somebody() -> Client {
    Client::new("192.0.2.1".parse().unwrap())
}

fn lieux(rows: usize) -> RecordBatch {
    let column =
        |of: fn(usize) -> String| Arc::new((0..rows).map(|n| Some(of(n))).collect::<StringArray>()) as ArrayRef;
    RecordBatch::try_from_iter([
        ("id", column(|n| format!("L{n:05}"))),
        ("nom", column(|n| format!("Lieu numéro {n}"))),
        ("commune", column(|n| format!("{:05}", 13_000 + n % 100))),
    ])
    .unwrap()
}

#[tokio::test]
async fn a_table_has_a_short_name_a_long_one_and_one_for_every_release() {
    let library = Library::lieux("names", &limits(), 3).await;
    library.publish("lieux", 2, "2026-11-23", &lieux(5)).await;
    for (table, rows) in [
        ("lieux", 5),
        ("lieux.lieux", 5),
        ("essaim.lieux.lieux", 5),
        ("\"lieux@2026-11-22\".lieux", 3),
        ("\"lieux@2026-11-23\".lieux", 5),
    ] {
        let answer = library.ask(&format!("SELECT count(*) AS n FROM {table}")).await.unwrap();
        assert!(answer.contains(&format!("| {rows} |")), "{table}: {answer}");
    }
    let both = "SELECT count(*) - (SELECT count(*) FROM \"lieux@2026-11-22\".lieux) AS n FROM lieux";
    assert!(library.ask(both).await.unwrap().contains("| 2 |"));
    let rows = library.service.query(&somebody(), both, Vec::new()).await.unwrap();
    let read: Vec<String> = rows.releases.iter().map(|(dataset, release)| format!("{dataset}@{release}")).collect();
    assert_eq!(read, ["lieux@2026-11-22", "lieux@2026-11-23"]);
}

#[tokio::test]
async fn a_new_release_is_read_without_a_restart_and_a_statement_that_was_prepared_before_reads_it_too() {
    let library = Library::lieux("new-release", &limits(), 3).await;
    let prepared = library.service.prepare(&somebody(), "SELECT count(*) AS n FROM lieux").await.unwrap();
    library.publish("lieux", 2, "2026-11-23", &lieux(5)).await;
    assert!(library.ask("SELECT count(*) AS n FROM lieux").await.unwrap().contains("| 5 |"));
    let rows = library.service.execute(&somebody(), &prepared, Vec::new()).await.unwrap();
    let batches: Vec<RecordBatch> = rows.try_collect().await.unwrap();
    assert!(pretty_format_batches(&batches).unwrap().to_string().contains("| 5 |"));
}

#[tokio::test]
async fn with_two_datasets_tables_need_their_prefix_and_that_is_said() {
    let library = Library::lieux("two-datasets", &limits(), 3).await;
    library.publish("tiers-lieux", 1, "2026-11-22", &lieux(7)).await;
    assert!(library.ask("SELECT count(*) FROM tiers_lieux.lieux").await.unwrap().contains("| 7"));
    let refusal = library.ask("SELECT count(*) FROM lieux").await.unwrap_err();
    assert_eq!(refusal.code(), "sql::unknown_table");
    assert_eq!(refusal.help(), Some("did you mean `lieux.lieux`?"));
}

#[tokio::test]
async fn a_withdrawn_release_tells_why_and_what_to_read_instead() {
    let library = Library::lieux("withdrawn", &limits(), 3).await;
    library.publish("lieux", 2, "2026-11-23", &lieux(5)).await;
    let dataset: DatasetId = "lieux".parse().unwrap();
    let release: ReleaseId = "2026-11-23".parse().unwrap();
    library.log(&dataset, 3, "withdraw", &release, None, Some("une colonne était décalée")).await;
    let refusal = library.ask("SELECT *\nFROM \"lieux@2026-11-23\".lieux").await.unwrap_err();
    assert_eq!((refusal.code(), refusal.status(), refusal.sqlstate()), ("sql::gone", 410, "42P01"));
    assert_eq!(
        refusal.to_string(),
        "release `2026-11-23` was withdrawn on 2026-11-23 because: une colonne était décalée"
    );
    assert_eq!(refusal.help(), Some("read \"lieux@2026-11-22\" instead"));
    assert_eq!(refusal.place(), Some(Place { line: 2, column: 6, characters: 14 }));
    assert!(
        library.ask("SELECT count(*) FROM lieux").await.unwrap().contains("| 3"),
        "the one before is current again"
    );
}

#[tokio::test]
async fn unknown_names_are_answered_with_near_ones() {
    let library = Library::lieux("unknown", &limits(), 3).await;
    let told = |refusal: Refusal| format!("{}: {refusal}; {}", refusal.code(), refusal.help().unwrap_or("-"));
    let mut seen = Vec::new();
    for sql in [
        "SELECT * FROM lieu",
        "SELECT * FROM lieux.lieus",
        "SELECT * FROM \"lieux@2026-11-21\".lieux",
        "SELECT nm FROM lieux",
        "SELECT nom FRM lieux",
        "DESCRIBE lieus",
    ] {
        seen.push(told(library.ask(sql).await.unwrap_err()));
    }
    assert_snapshot!(seen.join("\n"), @r"
    sql::unknown_table: unknown table `lieu`; did you mean `lieux`?
    sql::unknown_table: unknown table `lieux.lieus`; did you mean `lieux.lieux`?
    sql::unknown_table: `lieux` has no release `2026-11-21`; did you mean `lieux@2026-11-22`?
    sql::unknown_column: unknown column `nm`; known here: `commune`, `id`, `nom`
    sql::syntax: expected: end of statement, found: lieux; names with capitals or signs need double quotes, texts single ones
    sql::unknown_table: unknown table `lieus`; did you mean `lieux`?
    ");
}

#[tokio::test]
async fn parameters_are_typed_by_what_they_are_compared_with() {
    let library = Library::lieux("parameters", &limits(), 30).await;
    let sql = "SELECT id FROM lieux WHERE id = $1 OR length(nom) > $2 ORDER BY id";
    let prepared = library.service.prepare(&somebody(), sql).await.unwrap();
    let types: Vec<String> =
        prepared.parameters().iter().map(|found| found.as_ref().map(ToString::to_string).unwrap_or_default()).collect();
    assert_eq!(types, ["Utf8", "Int32"]);
    let text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
    let answer = library.ask_with(sql, vec![text("L00003"), ScalarValue::Int32(Some(1000))]).await.unwrap();
    assert!(answer.contains("L00003") && !answer.contains("L00004"), "{answer}");
    assert_eq!(library.ask(sql).await.unwrap_err().code(), "sql::parameters");
    assert_eq!(library.ask("SELECT id FROM lieux WHERE id = $3").await.unwrap_err().code(), "sql::parameters");
    let long = "SELECT repeat($1, 20000) FROM lieux";
    assert_eq!(library.ask_with(long, vec![text("abc")]).await.unwrap_err().code(), "sql::too_wide");
    // What has to be written out may be a parameter: it is judged once its value is there.
    let number = |number| vec![ScalarValue::Int64(Some(number))];
    assert!(
        library.ask_with("SELECT lpad(id, $1, '0') FROM lieux", number(12)).await.unwrap().contains("000000L00003")
    );
    let wide = library.ask_with("SELECT lpad(id, $1, '0') FROM lieux", number(100_000)).await;
    assert_eq!(wide.unwrap_err().code(), "sql::too_wide");
    let found = library.ask_with("SELECT id FROM lieux WHERE nom ~ $1", vec![text("numéro 3$")]).await.unwrap();
    assert!(found.contains("L00003") && !found.contains("L00004"), "{found}");
    let states =
        library.ask_with("SELECT id FROM lieux WHERE nom ~ $1", vec![text("((a{1,100}){1,100}){1,100}")]).await;
    assert_eq!(states.unwrap_err().code(), "sql::too_wide");
}

#[tokio::test]
async fn the_catalogue_lists_the_tables_of_current_releases_and_nothing_else() {
    let library = Library::lieux("catalogue", &limits(), 3).await;
    library.publish("lieux", 2, "2026-11-23", &lieux(5)).await;
    let sql = "SELECT table_catalog, table_schema, table_name FROM information_schema.tables \
               WHERE table_schema <> 'information_schema' ORDER BY 1, 2, 3";
    assert_snapshot!(library.ask(sql).await.unwrap(), @r"
    +---------------+--------------+------------+
    | table_catalog | table_schema | table_name |
    +---------------+--------------+------------+
    | essaim        | lieux        | lieux      |
    | essaim        | public       | lieux      |
    +---------------+--------------+------------+
    ");
    let listed = library.service.tables().await.unwrap();
    let [table] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((table.schema.as_str(), table.release.as_str(), table.rows), ("lieux", "2026-11-23", 5));
    assert_eq!(table.columns.fields().len(), 3);
    let plan = library.ask("EXPLAIN SELECT * FROM lieux").await.unwrap();
    assert!(plan.contains("lieux/releases/2026-11-23/lieux.parquet"), "a plan names published files: {plan}");
}

#[tokio::test]
async fn whoever_leaves_ends_the_statement() {
    let library = Library::lieux("leaving", &limits(), 5_000).await;
    let endless = "SELECT a.id FROM lieux a, lieux b, lieux c WHERE a.id || b.id || c.id = 'x'";
    let service = library.service.clone();
    let asking =
        tokio::spawn(async move { service.query(&somebody(), endless, Vec::new()).await?.next().await.transpose() });
    while library.service.running() == 0 {
        tokio::task::yield_now().await;
    }
    asking.abort();
    library.idle().await;
    let client = somebody();
    let rows = library.service.query(&client, "SELECT a.id FROM lieux a, lieux b", Vec::new()).await.unwrap();
    client.cancel.cancel();
    library.idle().await;
    let end = rows.filter_map(|batch| std::future::ready(batch.err())).next().await;
    assert_eq!(end, Some(Refusal::Cancelled));
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_left_when_the_time_is_over() {
    let limits = SqlLimits { timeout: Duration::from_millis(1500), rows: 1 << 40, answer_bytes: 1 << 40, ..limits() };
    let library = Library::lieux("slow-reader", &limits, 5_000).await;
    let mut rows = library.service.query(&somebody(), "SELECT a.id FROM lieux a, lieux b", Vec::new()).await.unwrap();
    assert!(rows.next().await.unwrap().is_ok());
    library.idle().await;
    let rest: Vec<Result<RecordBatch, Refusal>> = rows.collect().await;
    assert!(rest.len() <= 3, "{} batches were kept for it", rest.len());
    assert!(matches!(rest.last(), Some(Err(Refusal::Timeout { .. }))));
}

#[tokio::test]
async fn a_statement_that_breaks_off_harms_nobody() {
    let library = Library::lieux("broken", &limits(), 30).await;
    let service = library.service.variant(install_broken).unwrap();
    let ask = async |sql: &str| {
        let rows = service.query(&somebody(), sql, Vec::new()).await?;
        rows.try_collect::<Vec<RecordBatch>>().await
    };
    assert_eq!(ask("SELECT broken(nom) FROM lieux").await.unwrap_err(), Refusal::Internal);
    assert_eq!(ask("SELECT broken('x')").await.unwrap_err(), Refusal::Internal, "also while it is planned");
    assert!(ask("SELECT nom FROM lieux").await.is_ok());
    library.idle().await;
    let refusal = library.ask("SELECT broken(nom) FROM lieux").await.unwrap_err();
    assert_eq!(refusal.code(), "sql::unknown_function", "what one protocol brings is its own");
}

#[tokio::test]
async fn values_that_do_not_exist_are_told_and_are_nobodys_fault() {
    let library = Library::lieux("values", &limits(), 30).await;
    let refusal = library.ask("SELECT 1 / (length(nom) - length(nom)) FROM lieux").await.unwrap_err();
    assert_eq!((refusal.code(), refusal.sqlstate()), ("sql::value", "22012"), "{refusal}");
    let refusal = library.ask("SELECT CAST(nom AS INT) FROM lieux").await.unwrap_err();
    assert_eq!(refusal.code(), "sql::value", "{refusal}");
}

#[tokio::test]
async fn a_file_that_is_gone_is_no_answer_and_tells_nothing_of_the_machine() {
    let library = Library::lieux("gone", &limits(), 30).await;
    let path = "lieux.parquet".to_owned();
    let key = StoreKey::ReleaseFile { dataset: "lieux".parse().unwrap(), release: "2026-11-22".parse().unwrap(), path };
    library.store.delete(&key).await.unwrap();
    let refusal = library.ask("SELECT * FROM lieux").await.unwrap_err();
    assert_eq!((refusal.code(), refusal.status()), ("unavailable", 503));
    assert_eq!(refusal.to_string(), "what is published cannot be read just now");
}

#[test]
fn there_are_many_hostile_statements_and_each_has_its_name() {
    let statements = hostile::statements("/etc/passwd");
    let names: BTreeSet<&str> = statements.iter().map(|statement| statement.name).collect();
    assert_eq!(names.len(), statements.len());
    assert!(statements.iter().filter(|statement| statement.fate != Fate::Harmless).count() >= 60);
}

/// Which limit a statement meets must not depend on the machine: those that have to meet one would take hours, and get
/// little time; all others get as much as they may need.
#[tokio::test]
async fn every_hostile_statement_has_its_fate() {
    let patient = SqlLimits { timeout: Duration::from_mins(10), wait: Duration::from_mins(10), ..limits() };
    let library = Library::lieux("hostile", &patient, 20_000).await;
    let hasty = SqlLimits { timeout: Duration::from_millis(1500), ..patient };
    let hasty = SqlService::start(library.published.clone(), &hasty, std::env::temp_dir()).unwrap();
    let mut surprises = Vec::new();
    for Hostile { name, sql, fate } in hostile::statements("/etc/passwd") {
        let service = if matches!(fate, Fate::Limited | Fate::Stopped) { &hasty } else { &library.service };
        let answer = ask(service, &sql, Vec::new()).await;
        let found = match &answer {
            Ok(_) => Fate::Harmless,
            Err(Refusal::Problems(_)) => Fate::Refused,
            Err(
                Refusal::Timeout { .. }
                | Refusal::Memory { .. }
                | Refusal::TooManyRows { .. }
                | Refusal::TooManyBytes { .. },
            ) => Fate::Limited,
            Err(other) => {
                surprises.push(format!("{name}: {other:?}"));
                continue;
            }
        };
        if found != fate && !(fate == Fate::Stopped && found != Fate::Harmless) {
            surprises.push(format!("{name}: {found:?} instead of {fate:?}: {answer:.300?}"));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    while hasty.running() > 0 {
        tokio::task::yield_now().await;
    }
    library.idle().await;
    assert!(library.ask("SELECT count(*) FROM lieux").await.unwrap().contains("20000"));
}

#[tokio::test]
async fn a_join_whose_left_side_does_not_fit_is_told_so_and_breaks_nothing_off() {
    let library = Library::lieux("left-side", &limits(), 20_000).await;
    for sql in [
        "SELECT count(*) FROM lieux a, lieux b WHERE EXISTS \
         (SELECT 1 FROM lieux c, lieux d WHERE c.nom < a.nom AND d.nom < b.nom)",
        "SELECT count(*) FROM (SELECT a.id, a.nom, b.id AS autre FROM lieux a, lieux b) x JOIN lieux c \
         ON x.autre < c.id AND length(x.nom) < length(c.nom) AND x.id > c.commune",
    ] {
        let refusal = library.ask(sql).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Memory { .. } | Refusal::Timeout { .. }), "{sql}: {refusal:?}");
    }
}

#[tokio::test]
async fn what_was_gathered_is_not_repeated_for_many_rows() {
    let library = Library::lieux("gathered", &limits(), 20_000).await;
    for sql in [
        "SELECT length(s) FROM (SELECT string_agg(repeat(nom, 50), ',') s FROM lieux) t, lieux b",
        "SELECT length((SELECT string_agg(nom, ',') FROM lieux) || b.nom) FROM lieux b",
        "SELECT sum(cardinality(l)) FROM (SELECT array_agg(id) l FROM lieux) t, lieux b",
        "SELECT unnest(l), s FROM (SELECT array_agg(id) l, string_agg(nom, ',') s FROM lieux) t",
        "SELECT length(max(s) OVER ()) FROM (SELECT CASE id WHEN 'L00001' THEN repeat(nom, 40) ELSE '' END s \
         FROM (SELECT a.id, b.nom FROM lieux a, lieux b) x) t",
    ] {
        let refusal = library.ask(sql).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Memory { .. }), "{sql}: {refusal:?}");
    }
    assert!(library.ask("SELECT length((SELECT string_agg(nom, ',') FROM lieux)) AS n").await.is_ok());
}

#[tokio::test]
async fn a_statement_whose_columns_changed_since_it_was_prepared_is_not_run() {
    let library = Library::lieux("changed", &limits(), 3).await;
    let prepared = library.service.prepare(&somebody(), "SELECT * FROM lieux").await.unwrap();
    let counted = library.service.prepare(&somebody(), "SELECT count(*) AS n FROM lieux").await.unwrap();
    let other = lieux(3).project(&[0, 2, 1]).unwrap();
    library.publish("lieux", 2, "2026-11-23", &other).await;
    let refusal = library.service.execute(&somebody(), &prepared, Vec::new()).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.sqlstate(), refusal.status()), ("sql::changed", "0A000", 400));
    assert!(library.service.execute(&somebody(), &counted, Vec::new()).await.is_ok());
}

#[tokio::test]
async fn a_dataset_that_is_damaged_takes_the_others_from_nobody() {
    let library = Library::lieux("damaged", &limits(), 3).await;
    library.publish("a-lieux", 1, "2026-11-22", &lieux(4)).await;
    let (dataset, release): (DatasetId, ReleaseId) = ("a-lieux".parse().unwrap(), "2026-11-23".parse().unwrap());
    library.log(&dataset, 2, "publish", &release, Some(Digest::of(b"another")), None).await;
    assert!(library.ask("SELECT count(*) AS n FROM lieux.lieux").await.unwrap().contains("| 3 |"));
    let earlier = library.ask("SELECT count(*) AS n FROM \"a_lieux@2026-11-22\".lieux").await.unwrap();
    assert!(earlier.contains("| 4 |"), "{earlier}");
    assert_eq!(library.ask("SELECT count(*) FROM a_lieux.lieux").await.unwrap_err(), Refusal::Store);
    let refusal = library.ask("SELECT count(*) FROM lieux").await.unwrap_err();
    assert_eq!(refusal.code(), "sql::unknown_table", "a short name does not change what it stands for");
    let listed = library.service.tables().await.unwrap();
    assert_eq!(listed.iter().map(|table| table.schema.as_str()).collect::<Vec<_>>(), ["lieux"]);
}

#[tokio::test]
async fn what_the_logs_say_is_looked_at_once_as_long_as_they_say_the_same() {
    let library = Library::lieux("same", &limits(), 3).await;
    // Their order is another one than that of their names in SQL.
    for name in ["lieux-a", "lieux0"] {
        library.publish(name, 1, "2026-11-22", &lieux(3)).await;
    }
    let one = library.service.catalogue.view().await.unwrap();
    assert!(Arc::ptr_eq(&one, &library.service.catalogue.view().await.unwrap()));
}
