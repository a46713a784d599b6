use std::sync::{Arc, Mutex};

use arrow::array::{Array as _, AsArray as _, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::util::pretty::pretty_format_batches;
use insta::assert_snapshot;
use parquet::arrow::ArrowWriter;

use super::*;
use crate::diagnostic::SourceFile;
use crate::engine::fixture::{coded_batch, coded_schema, engine, model, name, options, survey};

fn target(fields: &[(&str, DataType)]) -> SchemaRef {
    let fields = fields.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn by(columns: &[&str]) -> RowOrder {
    RowOrder { by: columns.iter().map(|name| (*name).to_owned()).collect(), unique: false }
}

async fn run(
    engine: &Engine,
    sql: &str,
    target: &SchemaRef,
    order_by: &[&str],
) -> Result<(u64, Vec<RecordBatch>), EngineError> {
    let planned = engine.plan(&model(sql)).unwrap();
    let mut batches = Vec::new();
    let mut sink = |batch: RecordBatch| {
        batches.push(batch);
        Ok(())
    };
    let rows = engine.execute(&planned, target, &by(order_by), Held::Plain, &mut sink).await?;
    Ok((rows, batches))
}

fn numbers(rows: i64) -> (SchemaRef, RecordBatch) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, false),
        Field::new("groupe", DataType::Int64, false),
        Field::new("texte", DataType::Utf8, false),
    ]));
    // A permutation, so that rows come in no order.
    let shuffled: Vec<i64> = (0..rows).map(|n| n * 7_919 % rows).collect();
    let groups: Vec<i64> = shuffled.iter().map(|n| n % 10).collect();
    let texts: Vec<String> = shuffled.iter().map(|n| format!("structure numéro {n}")).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(shuffled)),
        Arc::new(Int64Array::from(groups)),
        Arc::new(StringArray::from(texts)),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    (schema, batch)
}

/// Batches of their own, not views of a large one, which would count as the whole each.
fn slices(batch: &RecordBatch, size: usize) -> Vec<RecordBatch> {
    let rows = u64::try_from(batch.num_rows()).unwrap();
    let starts = (0..rows).step_by(size);
    let rows_from = |start: u64| UInt64Array::from_iter_values(start..rows.min(start + u64::try_from(size).unwrap()));
    starts.map(|start| take_record_batch(batch, &rows_from(start)).unwrap()).collect()
}

#[tokio::test]
async fn columns_follow_the_target_by_name_and_type() {
    let target = target(&[
        ("n", DataType::Float64),
        ("statut_juridique", DataType::Utf8),
        ("types", DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))),
    ]);
    let sql = "SELECT types, statut_juridique, id AS n, budget FROM reponses";
    let (rows, batches) = run(&survey(), sql, &target, &["statut_juridique", "n"]).await.unwrap();
    assert_eq!((rows, batches[0].schema()), (4, target));
    assert_snapshot!(pretty_format_batches(&batches).unwrap(), @r#"
    +-----+------------------+---------------------+
    | n   | statut_juridique | types               |
    +-----+------------------+---------------------+
    | 3.0 |                  |                     |
    | 1.0 | association      | [formation, emploi] |
    | 4.0 | association      | []                  |
    | 2.0 | sas              | [achats]            |
    +-----+------------------+---------------------+
    "#);
}

#[tokio::test]
async fn rows_and_batches_do_not_depend_on_how_tables_lie_in_memory() {
    let (schema, batch) = numbers(50_000);
    let target = target(&[("groupe", DataType::Int64), ("texte", DataType::Utf8)]);
    let sql = "SELECT groupe, texte FROM nombres UNION ALL SELECT groupe, texte FROM nombres WHERE n < 100";
    let mut seen: Option<Vec<RecordBatch>> = None;
    for (partitions, size) in [(1, 50_000), (4, 1_000), (3, 777)] {
        let engine = Engine::new(&crate::engine::EngineOptions { partitions, ..options(256 << 20) }).unwrap();
        engine.register_batches(&name("nombres"), Arc::clone(&schema), slices(&batch, size)).unwrap();
        let (rows, batches) = run(&engine, sql, &target, &["groupe"]).await.unwrap();
        assert_eq!(rows, 50_100);
        let sizes: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
        assert!(sizes.iter().rev().skip(1).all(|size| *size == BATCH_ROWS), "{sizes:?}");
        match &seen {
            None => seen = Some(batches),
            Some(first) => assert!(first == &batches),
        }
    }
}

#[tokio::test]
async fn order_is_ascending_with_nulls_first_and_total() {
    let target = target(&[("s", DataType::Int64), ("id", DataType::Int64)]);
    let (_, batches) = run(&survey(), "SELECT salaries AS s, id FROM reponses", &target, &["s"]).await.unwrap();
    let all = concat_batches(&target, &batches).unwrap();
    let ids: Vec<i64> = all.column(1).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(ids, [2, 1, 4, 3]);
    assert!(all.column(0).is_null(0));
}

#[tokio::test]
async fn a_large_sort_spills_within_its_memory() {
    let (schema, batch) = numbers(400_000);
    let engine = Engine::new(&crate::engine::EngineOptions { partitions: 2, ..options(24 << 20) }).unwrap();
    engine.register_batches(&name("nombres"), Arc::clone(&schema), slices(&batch, BATCH_ROWS)).unwrap();
    let target = target(&[("texte", DataType::Utf8), ("n", DataType::Int64)]);
    let (rows, batches) = run(&engine, "SELECT texte, n FROM nombres", &target, &["n"]).await.unwrap();
    assert_eq!(rows, 400_000);
    let sorted = batches.iter().flat_map(|batch| batch.column(1).as_primitive::<Int64Type>().values().to_vec());
    assert!(sorted.eq(0..400_000));
}

#[tokio::test]
async fn a_sort_of_wide_rows_spills_within_its_memory() {
    let (schema, batch) = numbers(100_000);
    let engine = Engine::new(&crate::engine::EngineOptions { partitions: 2, ..options(48 << 20) }).unwrap();
    engine.register_batches(&name("nombres"), Arc::clone(&schema), slices(&batch, BATCH_ROWS)).unwrap();
    let target = target(&[("texte", DataType::Utf8), ("n", DataType::Int64)]);
    let sql = "SELECT repeat(texte, 1 + 600 / length(texte)) AS texte, n FROM nombres";
    let (rows, batches) = run(&engine, sql, &target, &["n"]).await.unwrap();
    assert_eq!(rows, 100_000);
    let sorted = batches.iter().flat_map(|batch| batch.column(1).as_primitive::<Int64Type>().values().to_vec());
    assert!(sorted.eq(0..100_000));
}

#[tokio::test]
async fn memory_that_cannot_be_spilled_ends_in_an_error_that_says_so() {
    let (schema, batch) = numbers(400_000);
    let engine = Engine::new(&crate::engine::EngineOptions { partitions: 2, ..options(4 << 20) }).unwrap();
    engine.register_batches(&name("nombres"), Arc::clone(&schema), slices(&batch, BATCH_ROWS)).unwrap();
    let sql = "SELECT a.n, b.texte AS t, a.texte FROM nombres a JOIN nombres b ON a.n = b.n";
    let target = target(&[("n", DataType::Int64), ("t", DataType::Utf8)]);
    let failed = run(&engine, sql, &target, &["n"]).await.unwrap_err();
    assert!(failed.is_out_of_memory(), "{failed:?}");
    assert_eq!(failed.to_string(), "could not build `modele` (sql/coop/modele.sql)");
}

/// Chained joins over view types kept every buffer alive: 23 GB for this (apache/datafusion #16206).
#[tokio::test]
async fn nine_left_joins_of_a_hundred_thousand_texts_stay_small() {
    let (schema, batch) = numbers(100_000);
    let engine = Engine::new(&options(1 << 30)).unwrap();
    engine.register_batches(&name("nombres"), Arc::clone(&schema), slices(&batch, BATCH_ROWS)).unwrap();
    let columns: Vec<String> = (1..=9).map(|at| format!("substr(t{at}.texte, 2) AS texte_{at}")).collect();
    let joins: Vec<String> = (1..=9).map(|at| format!("LEFT JOIN nombres t{at} ON t{at}.texte = t0.texte")).collect();
    let sql = format!("SELECT t0.n, {} FROM nombres t0 {}", columns.join(", "), joins.join(" "));
    let planned = engine.plan(&model(&sql)).unwrap();
    let mut rows = 0;
    let mut sink = |batch: RecordBatch| {
        rows += batch.num_rows();
        Ok(())
    };
    engine.execute(&planned, &planned.schema, &by(&["n"]), Held::Plain, &mut sink).await.unwrap();
    assert_eq!(rows, 100_000);
    if let Some(peak) = peak_memory() {
        assert!(peak < 1_500 << 20, "{} MiB", peak >> 20);
    }
}

/// Most memory that this process ever held, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes << 10)
}

#[tokio::test]
async fn scratch_files_are_read_as_they_are_coded() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for part in ["a b.parquet", "c[1].parquet"] {
        let path = folder.path().join(part);
        let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), coded_schema(), None).unwrap();
        writer.write(&coded_batch()).unwrap();
        writer.close().unwrap();
        files.push(path);
    }
    let engine = engine();
    engine.register_scratch(&name("reponses"), &files, coded_schema(), &[]).await.unwrap();
    let target = target(&[("statut_juridique", DataType::Utf8), ("n", DataType::Int64), ("emploi", DataType::Int64)]);
    let sql = "SELECT CASE WHEN statut_juridique = 'sas' THEN 'société' ELSE upper(statut_juridique) END \
               AS statut_juridique, \
               count(*) AS n, count(*) FILTER (WHERE contient(types, 'emploi')) AS emploi \
               FROM reponses WHERE statut_juridique IN ('sas', 'association') GROUP BY statut_juridique \
               UNION ALL SELECT 'total', count(*), 0 FROM reponses";
    let (_, batches) = run(&engine, sql, &target, &["statut_juridique"]).await.unwrap();
    assert_snapshot!(pretty_format_batches(&batches).unwrap(), @r#"
    +------------------+---+--------+
    | statut_juridique | n | emploi |
    +------------------+---+--------+
    | ASSOCIATION      | 4 | 2      |
    | société          | 2 | 0      |
    | total            | 8 | 0      |
    +------------------+---+--------+
    "#);
}

#[tokio::test]
async fn a_file_of_another_shape_is_refused_when_it_is_registered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.parquet");
    let narrow = coded_batch().project(&[0, 1]).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), narrow.schema(), None).unwrap();
    writer.write(&narrow).unwrap();
    writer.close().unwrap();
    let failed = engine().register_scratch(&name("reponses"), &[path], coded_schema(), &[]).await.unwrap_err();
    let message = failed.to_string();
    assert!(message.starts_with("column `statut_juridique` of table `reponses` is stored as nothing"), "{message}");
}

#[tokio::test]
async fn no_files_are_an_empty_table() {
    let engine = engine();
    engine.register_scratch(&name("reponses"), &[], coded_schema(), &[]).await.unwrap();
    let target = target(&[("id", DataType::Int64)]);
    let (rows, batches) = run(&engine, "SELECT id FROM reponses", &target, &["id"]).await.unwrap();
    assert_eq!((rows, batches.len()), (0, 0));
}

#[tokio::test]
async fn a_model_runs_over_the_tables_of_now() {
    let engine = engine();
    engine.register_empty(&name("reponses"), coded_schema()).unwrap();
    let planned = engine.plan(&model("SELECT id FROM reponses")).unwrap();
    engine.register_batches(&name("reponses"), coded_schema(), vec![coded_batch()]).unwrap();
    let rows = engine.execute(&planned, &planned.schema, &by(&[]), Held::Plain, &mut |_| Ok(())).await.unwrap();
    assert_eq!(rows, 4);
    let (schema, batch) = numbers(10);
    engine.register_batches(&name("reponses"), schema, vec![batch]).unwrap();
    let failed = engine.execute(&planned, &planned.schema, &by(&[]), Held::Plain, &mut |_| Ok(())).await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "model `modele` (sql/coop/modele.sql) no longer fits its inputs: unknown column `id`"
    );
}

#[tokio::test]
async fn a_forgotten_table_is_unknown() {
    let engine = survey();
    engine.forget(&name("reponses")).unwrap();
    engine.forget(&name("reponses")).unwrap();
    assert_eq!(engine.plan(&model("SELECT id FROM reponses")).unwrap_err()[0].code, "sql::unknown_table");
}

#[tokio::test]
async fn what_does_not_fit_the_target_is_an_error() {
    let engine = survey();
    let missing = target(&[("ident", DataType::Int64)]);
    let failed = run(&engine, "SELECT id FROM reponses", &missing, &[]).await.unwrap_err();
    assert_eq!(failed.to_string(), "model `modele` (sql/coop/modele.sql) has no column `ident`");
    let wide = target(&[("id", DataType::Int64)]);
    let failed = run(&engine, "SELECT id FROM reponses", &wide, &["cle"]).await.unwrap_err();
    assert!(matches!(failed, EngineError::MissingColumn { column, .. } if column == "cle"));
    let required = Arc::new(Schema::new(vec![Field::new("nom", DataType::Utf8, false)]));
    let failed = run(&engine, "SELECT nom FROM reponses", &required, &[]).await.unwrap_err();
    assert!(matches!(failed, EngineError::Unfit { .. }), "{failed:?}");
}

#[tokio::test]
async fn a_receiver_may_stop_a_run() {
    let engine = survey();
    let planned = engine.plan(&SourceFile::new("sql/coop/modele.sql", "SELECT id FROM reponses")).unwrap();
    let calls = Mutex::new(0);
    let mut sink = |_: RecordBatch| {
        *calls.lock().unwrap() += 1;
        Err("the disk is full".into())
    };
    let failed = engine.execute(&planned, &planned.schema, &by(&[]), Held::Plain, &mut sink).await.unwrap_err();
    assert_eq!(failed.to_string(), "could not hand over rows of `modele`");
    assert_eq!(std::error::Error::source(&failed).unwrap().to_string(), "the disk is full");
    assert_eq!(*calls.lock().unwrap(), 1);
}

/// Every column of a model once plain and once as it may be held; and its plan.
async fn both(sql: &str, target: &SchemaRef) -> (RecordBatch, RecordBatch) {
    let engine = survey();
    let planned = engine.plan(&model(sql)).unwrap();
    let mut made = Vec::new();
    for held in [Held::Plain, Held::Coded] {
        let mut batches = Vec::new();
        let mut sink = |batch: RecordBatch| {
            batches.push(batch);
            Ok(())
        };
        engine.execute(&planned, target, &by(&["id"]), held, &mut sink).await.unwrap();
        made.push(concat_batches(&batches[0].schema(), &batches).unwrap());
    }
    let coded = made.pop().unwrap();
    (made.pop().unwrap(), coded)
}

#[tokio::test]
async fn texts_that_sql_passes_on_stay_coded_and_say_the_same() {
    let target = target(&[
        ("id", DataType::Int64),
        ("statut", DataType::Utf8),
        ("statut_ou_rien", DataType::Utf8),
        ("types", DataType::Utf8),
        ("de_nouveau", DataType::Utf8),
    ]);
    let sql = "SELECT id, statut_juridique AS statut, coalesce(statut_juridique, 'aucun') AS statut_ou_rien,
        nullif(array_to_string(types, ' + '), '') AS types, de_nouveau
        FROM (SELECT id, statut_juridique, types, statut_juridique AS de_nouveau FROM reponses) AS r WHERE id > 0";
    let (plain, coded) = both(sql, &target).await;
    assert_eq!(plain.schema(), target);
    let held: Vec<&DataType> = coded.columns().iter().map(arrow::array::Array::data_type).collect();
    let dictionary = crate::contract::arrow::dictionary_type();
    assert_eq!(held, [&DataType::Int64, &dictionary, &DataType::Utf8, &DataType::Utf8, &dictionary]);
    for (plain, coded) in plain.columns().iter().zip(coded.columns()) {
        assert_eq!(plain, &arrow::compute::cast(coded, plain.data_type()).unwrap());
    }
    assert_snapshot!(pretty_format_batches(&[coded]).unwrap(), @r"
    +----+-------------+----------------+--------------------+-------------+
    | id | statut      | statut_ou_rien | types              | de_nouveau  |
    +----+-------------+----------------+--------------------+-------------+
    | 1  | association | association    | formation + emploi | association |
    | 2  | sas         | sas            | achats             | sas         |
    | 3  |             | aucun          |                    |             |
    | 4  | association | association    |                    | association |
    +----+-------------+----------------+--------------------+-------------+
    ");
}

#[tokio::test]
async fn a_list_that_is_joined_to_a_text_is_never_made() {
    let engine = survey();
    let planned = engine.plan(&model("SELECT id, array_to_string(types, ';') AS t FROM reponses")).unwrap();
    let frame = DataFrame::new(engine.context.state(), engine.plan_of(&planned.file).unwrap());
    let plan = coded(frame).unwrap().into_optimized_plan().unwrap().to_string();
    assert!(plan.contains("essaim_codes_join(") && !plan.contains("array_to_string("), "{plan}");
}

#[tokio::test]
async fn a_unique_order_compares_no_other_column() {
    let (schema, batch) = numbers(1_000);
    let engine = engine();
    engine.register_batches(&name("nombres"), schema, vec![batch]).unwrap();
    let planned = engine.plan(&model("SELECT n, texte FROM nombres")).unwrap();
    let mut first = Vec::new();
    let mut sink = |batch: RecordBatch| {
        first.push(batch.column(0).as_primitive::<Int64Type>().values().to_vec());
        Ok(())
    };
    let order = RowOrder { unique: true, ..by(&["n"]) };
    engine.execute(&planned, &planned.schema, &order, Held::Plain, &mut sink).await.unwrap();
    assert_eq!(first.concat(), (0..1_000).collect::<Vec<i64>>());
}

/// Makes numbers in their order.
#[derive(Debug)]
struct Counting(SchemaRef, Vec<String>);

impl crate::engine::RowMaker for Counting {
    fn schema(&self) -> &SchemaRef {
        &self.0
    }

    fn order(&self) -> &[String] {
        &self.1
    }

    fn make(&self, take: &mut dyn FnMut(RecordBatch) -> bool) -> Result<(), SinkError> {
        for at in 0..4 {
            let numbers = Int64Array::from_iter_values(at * 10..(at + 1) * 10);
            if !take(RecordBatch::try_new(Arc::clone(&self.0), vec![Arc::new(numbers)])?) {
                break;
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn rows_that_are_made_in_order_are_not_sorted_again() {
    let engine = engine();
    let schema = target(&[("n", DataType::Int64)]);
    let maker = Counting(Arc::clone(&schema), vec!["n".to_owned()]);
    engine.register_made(&name("comptes"), Arc::new(maker)).unwrap();
    let (rows, batches) = run(&engine, "SELECT n FROM comptes WHERE n >= 5", &schema, &["n"]).await.unwrap();
    let first = batches[0].column(0).as_primitive::<Int64Type>().value(0);
    assert_eq!((rows, first), (35, 5));
    let frame = engine.context.sql("SELECT n FROM comptes ORDER BY n NULLS FIRST").await.unwrap();
    let plan = displayable(frame.create_physical_plan().await.unwrap().as_ref()).indent(false).to_string();
    assert!(!plan.contains("SortExec"), "{plan}");
}
