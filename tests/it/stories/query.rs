//! `essaim query`: SQL on released files.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use insta::assert_snapshot;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rstest::rstest;

use crate::harness::{Output, Project};

const DATASET: &str = "cooperations-territoriales";
const SCHEMA: &str = "cooperations_territoriales";
const ENTRIES: &str = "seeds/exemple/questionnaire.synthetique.entries.json";

/// A project with one release, and nothing private left that a query could read.
fn released() -> Project {
    let project = Project::shipped();
    project.run();
    std::fs::remove_dir_all(project.path("data/private")).unwrap();
    project
}

/// The same with a second release, in which one structure more or less is an association.
fn released_twice() -> Project {
    let project = Project::shipped();
    project.run();
    let mut entries: serde_json::Value = serde_json::from_str(&project.read(ENTRIES)).unwrap();
    let first = match &mut entries {
        serde_json::Value::Array(entries) => entries.first_mut(),
        serde_json::Value::Object(entries) => entries.values_mut().next(),
        _ => None,
    };
    let status =
        first.unwrap().as_object_mut().unwrap().iter_mut().find(|(key, _)| key.ends_with("bf_statut")).unwrap().1;
    let other = if *status == "association" { "scic" } else { "association" };
    *status = serde_json::Value::from(other);
    project.write(ENTRIES, serde_json::to_vec(&entries).unwrap());
    project.run();
    assert_eq!(project.releases(DATASET).len(), 2);
    project
}

fn ask(project: &Project, sql: &str, options: &[&str]) -> Output {
    project.essaim(&[&["query", sql], options].concat())
}

const TWO_FIGURES: &str = "SELECT rang, libelle, n, base, part FROM chiffres_cles WHERE rang <= 2 ORDER BY rang";

/// What every format must say about [`TWO_FIGURES`], from the released CSV.
fn expected(project: &Project) -> Vec<(i64, String, i64, Option<i64>)> {
    let rows = project.csv(DATASET, "chiffres_cles");
    let number = |text: &String| text.parse::<i64>().ok();
    let row = |row: &std::collections::BTreeMap<String, String>| {
        (number(&row["rang"]).unwrap(), row["libelle"].clone(), number(&row["n"]).unwrap(), number(&row["base"]))
    };
    let mut rows: Vec<_> = rows.iter().map(row).filter(|row| row.0 <= 2).collect();
    rows.sort();
    rows
}

fn told(batches: &[RecordBatch]) -> Vec<(i64, String, i64, Option<i64>)> {
    let mut rows = Vec::new();
    for batch in batches {
        let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["rang", "libelle", "n", "base", "part"]);
        let number = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
        let labels = arrow::compute::cast(batch.column_by_name("libelle").unwrap(), &DataType::Utf8).unwrap();
        let (rang, n, base) = (number("rang"), number("n"), number("base"));
        for row in 0..batch.num_rows() {
            let base = base.is_valid(row).then(|| base.value(row));
            rows.push((rang.value(row), labels.as_string::<i32>().value(row).to_owned(), n.value(row), base));
        }
    }
    rows
}

#[test]
fn every_format_gives_the_same_answer() {
    let project = released();
    let expected = expected(&project);
    assert_eq!(expected.len(), 2);

    let csv = ask(&project, TWO_FIGURES, &["--format", "csv"]).expect(0);
    let mut reader = csv::Reader::from_reader(csv.stdout.as_bytes());
    assert_eq!(reader.headers().unwrap(), vec!["rang", "libelle", "n", "base", "part"]);
    let cells: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let rows: Vec<_> = cells
        .iter()
        .map(|row| (row[0].parse().unwrap(), row[1].to_owned(), row[2].parse().unwrap(), row[3].parse().ok()))
        .collect();
    assert_eq!(rows, expected);

    let json = ask(&project, TWO_FIGURES, &["--format", "json"]).expect(0);
    let objects: Vec<serde_json::Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows: Vec<_> = objects
        .iter()
        .map(|row| {
            (
                row["rang"].as_i64().unwrap(),
                row["libelle"].as_str().unwrap().to_owned(),
                row["n"].as_i64().unwrap(),
                row["base"].as_i64(),
            )
        })
        .collect();
    assert_eq!(rows, expected);

    let (output, bytes) = project.essaim_bytes(&["query", TWO_FIGURES, "--format", "parquet"]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap().build().unwrap();
    assert_eq!(told(&reader.map(Result::unwrap).collect::<Vec<_>>()), expected);

    let (output, bytes) = project.essaim_bytes(&["query", TWO_FIGURES, "--format", "arrow"]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let reader = arrow::ipc::reader::StreamReader::try_new(Cursor::new(bytes), None).unwrap();
    assert_eq!(told(&reader.map(Result::unwrap).collect::<Vec<_>>()), expected);

    let table = ask(&project, TWO_FIGURES, &[]).expect(0);
    assert_eq!(table, ask(&project, TWO_FIGURES, &["--format", "table"]));
    assert_eq!(table.stderr, "2 rows\n");
    for (_, label, n, _) in &expected {
        assert!(
            table.stdout.lines().any(|line| line.contains(label) && line.contains(&format!("| {n} "))),
            "{}",
            table.stdout
        );
    }
}

#[test]
fn lists_and_codes_can_be_read_in_every_format() {
    let project = released();
    let sql = "SELECT id, statut_juridique, stades FROM structures WHERE stades IS NOT NULL ORDER BY id LIMIT 3";
    let rows: Vec<_> = project.csv(DATASET, "structures").into_iter().filter(|row| !row["stades"].is_empty()).collect();
    let csv = ask(&project, sql, &["--format", "csv"]).expect(0).stdout;
    let json = ask(&project, sql, &["--format", "json"]).expect(0).stdout;
    let table = ask(&project, sql, &[]).expect(0).stdout;
    let mut ids: Vec<&String> = rows.iter().map(|row| &row["id"]).collect();
    ids.sort();
    for (id, line) in ids.into_iter().take(3).zip(json.lines()) {
        let row = rows.iter().find(|row| row["id"] == *id).unwrap();
        let (status, stages) = (&row["statut_juridique"], &row["stades"]);
        assert!(csv.lines().any(|line| line == format!("{id},{status},{stages}")), "{id},{status},{stages} in\n{csv}");
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (object["id"].as_str(), object["statut_juridique"].as_str()),
            (Some(id.as_str()), Some(status.as_str()))
        );
        let listed: Vec<&str> =
            object["stades"].as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect();
        assert_eq!(listed.join("|"), *stages);
        assert!(table.contains(&format!("[{}]", listed.join(", "))), "{table}");
    }
    let sql = "SELECT count(*) AS n FROM structures WHERE contient(stades, 'emergence')";
    let counted = rows.iter().filter(|row| row["stades"].split('|').any(|code| code == "emergence")).count();
    assert_eq!(ask(&project, sql, &["--format", "csv"]).expect(0).stdout, format!("n\n{counted}\n"));
}

#[rstest]
#[case::alone("chiffres_cles")]
#[case::dataset("cooperations_territoriales.chiffres_cles")]
#[case::release("\"cooperations_territoriales@[RELEASE]\".chiffres_cles")]
#[case::quoted_dataset("\"cooperations_territoriales\".chiffres_cles")]
fn a_table_has_a_short_and_a_long_name(#[case] name: &str) {
    let project = released();
    let name = name.replace("[RELEASE]", &project.releases(DATASET)[0]);
    let output = ask(&project, &format!("SELECT n FROM {name} WHERE rang = 1"), &["--format", "csv"]).expect(0);
    assert_eq!(output.stdout, format!("n\n{}\n", expected(&project)[0].2));
}

#[test]
fn an_older_release_can_still_be_asked() {
    let project = released_twice();
    let sql = "SELECT n FROM chiffres_cles WHERE indicateur = 'associations'";
    let count = |options: &[&str]| -> i64 {
        let output = ask(&project, sql, &[&["--format", "csv"], options].concat()).expect(0);
        output.stdout.lines().nth(1).unwrap().parse().unwrap()
    };
    let releases = project.releases(DATASET);
    let (old, new) = (count(&["--release", &releases[0]]), count(&["--release", &releases[1]]));
    assert_eq!(old.abs_diff(new), 1, "one answer was changed");
    assert_eq!(count(&[]), new, "the latest is asked when none is named");
}

#[test]
fn two_releases_can_be_compared_in_one_query() {
    let project = released_twice();
    let releases = project.releases(DATASET);
    let sql = format!(
        "SELECT new.n - old.n AS diff FROM \"{SCHEMA}@{}\".chiffres_cles AS old \
         JOIN \"{SCHEMA}@{}\".chiffres_cles AS new USING (indicateur) WHERE new.indicateur = 'associations'",
        releases[0], releases[1]
    );
    let output = ask(&project, &sql, &["--format", "csv"]).expect(0);
    assert!(matches!(output.stdout.as_str(), "diff\n1\n" | "diff\n-1\n"), "{}", output.stdout);
}

#[test]
fn mistakes_in_a_query_have_their_place() {
    let project = released();
    let seen = |sql: &str| {
        let output = ask(&project, sql, &[]).expect(2);
        assert_eq!(output.stdout, "");
        output.snapshot()
    };
    assert_snapshot!("unknown_column", seen("SELECT libele, n\nFROM chiffres_cles"));
    assert_snapshot!("unknown_table", seen("SELECT n FROM chifres_cles"));
    assert_snapshot!("private_table", seen("SELECT contact_courriel FROM reponses"));
    assert_snapshot!("syntax", seen("SELECT n FROM chiffres_cles WERE n > 5"));
    assert_snapshot!("empty", seen(""));
}

#[test]
fn an_unknown_release_is_answered_with_those_that_exist() {
    let project = released();
    assert_snapshot!(ask(&project, "SELECT 1", &["--release", "1999-01-01"]).expect(2).snapshot());
}

#[test]
fn an_unknown_dataset_is_answered_with_those_that_exist() {
    let project = released();
    assert_snapshot!(ask(&project, "SELECT 1", &["--dataset", "cooperation"]).expect(2).snapshot());
}

#[test]
fn before_the_first_release_a_query_says_what_to_do() {
    assert_snapshot!(ask(&Project::shipped(), "SELECT 1", &[]).expect(2).snapshot());
}

#[test]
fn nothing_but_reading_is_allowed() {
    let project = released();
    project.write("secret.csv", "a\n1\n");
    let before = project.stored();
    let place = project.path("secret.csv").to_str().unwrap().to_owned();
    let statements = [
        "DROP TABLE structures".to_owned(),
        "CREATE TABLE t AS SELECT 1".to_owned(),
        "CREATE VIEW v AS SELECT 1".to_owned(),
        format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{place}'"),
        "INSERT INTO chiffres_cles SELECT * FROM chiffres_cles".to_owned(),
        "DELETE FROM structures".to_owned(),
        "UPDATE structures SET nom = 'x'".to_owned(),
        format!("COPY structures TO '{}'", project.path("out.csv").display()),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "RESET datafusion.execution.batch_size".to_owned(),
        "SELECT 1; SELECT 2".to_owned(),
        format!("SELECT * FROM '{place}'"),
        format!("SELECT * FROM \"{place}\""),
        format!("SELECT * FROM read_csv('{place}')"),
    ];
    for statement in statements {
        let output = ask(&project, &statement, &[]).expect(2);
        assert_eq!(output.stdout, "", "{statement}");
        assert!(output.stderr.contains("sql::"), "{statement}: {}", output.stderr);
    }
    assert_eq!(project.stored(), before);
    assert!(!project.path("out.csv").exists());
}

#[test]
fn a_query_reads_released_files_and_nothing_private() {
    let project = released();
    assert!(!project.path("data/private").exists());
    ask(&project, "SELECT count(*) FROM structures", &[]).expect(0);
    assert!(!project.path("data/private").exists(), "a query leaves nothing behind");
    for (name, _) in project.stored().into_iter().filter(|(name, _)| name.ends_with("/structures.parquet")) {
        std::fs::remove_file(project.path("data").join(name)).unwrap();
    }
    let output = ask(&project, "SELECT count(*) FROM structures", &[]);
    assert_eq!(output.code, 1, "it was the released file that was read: {}", output.stdout);
}

#[test]
fn the_catalogue_lists_published_tables_only() {
    let project = released();
    let sql = "SELECT DISTINCT table_name FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY table_name";
    let output = ask(&project, sql, &["--format", "csv"]).expect(0);
    let tables: Vec<&str> = output.stdout.lines().skip(1).collect();
    let text = project.read("pipelines/cooperations-territoriales.toml").parse::<toml::Table>().unwrap();
    let mut published: Vec<&str> =
        text["publish"]["tables"].as_array().unwrap().iter().map(|table| table.as_str().unwrap()).collect();
    published.sort_unstable();
    assert_eq!(tables, published);
    let sql = "SELECT column_name FROM information_schema.columns WHERE column_name LIKE 'contact%' OR column_name LIKE '%_statut'";
    assert_eq!(ask(&project, sql, &["--format", "json"]).expect(0).stdout, "");
}

#[rstest]
#[case::csv("csv", "nom,stades\n")]
#[case::json("json", "")]
#[case::table("table", "+-----+--------+\n| nom | stades |\n+-----+--------+\n+-----+--------+\n")]
fn an_empty_answer_still_has_its_header(#[case] format: &str, #[case] expected: &str) {
    let project = released();
    let output = ask(&project, "SELECT nom, stades FROM structures WHERE false", &["--format", format]).expect(0);
    assert_eq!(output.stdout, expected);
}

#[rstest]
#[case::parquet("parquet")]
#[case::arrow("arrow")]
fn an_empty_answer_is_a_file_with_columns(#[case] format: &str) {
    let project = released();
    let (output, bytes) =
        project.essaim_bytes(&["query", "SELECT nom FROM structures WHERE false", "--format", format]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let schema = if format == "parquet" {
        Arc::clone(ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap().schema())
    } else {
        arrow::ipc::reader::StreamReader::try_new(Cursor::new(bytes), None).unwrap().schema()
    };
    assert_eq!(schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["nom"]);
}
