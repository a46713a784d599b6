//! What is asked and what comes back.

use std::io::Read as _;
use std::time::{Duration, Instant};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rstest::rstest;
use serde_json::json;

use super::server::{Server, path};
use super::{ROWS, published, rows};

const SELECT: &str = "SELECT id, length(nom) AS n FROM lieux ORDER BY id LIMIT 3";

#[test]
fn an_answer_is_the_same_in_every_form_and_the_same_as_on_the_command_line() {
    let project = published("");
    let server = Server::start(&project);
    let release = project.releases("lieux")[0].clone();
    let expected = [("L00000", 13), ("L00001", 13), ("L00002", 13)];

    let reply = server.ask(SELECT, "json").expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("essaim-releases"), Some(format!("lieux@{release}").as_str()));
    let document = reply.json();
    assert_eq!(document["releases"], json!([{"dataset": "lieux", "release": release}]));
    assert_eq!(document["columns"][0], json!({"name": "id", "type": "string", "arrow": "Utf8"}));
    assert_eq!(document["columns"][1]["type"], "integer");
    assert_eq!(document["rows"], json!(expected));
    assert_eq!(document["row_count"], 3);

    let csv = server.ask(SELECT, "csv").expect(200);
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(csv.text(), "id,n\nL00000,13\nL00001,13\nL00002,13\n");
    assert_eq!(project.essaim(&["query", SELECT, "--format", "csv"]).expect(0).stdout, csv.text());

    let lines = server.ask(SELECT, "jsonl").expect(200);
    assert_eq!(project.essaim(&["query", SELECT, "--format", "json"]).expect(0).stdout, lines.text());

    let arrow = server.ask(SELECT, "arrow").expect(200);
    assert_eq!(arrow.header("content-type"), Some("application/vnd.apache.arrow.stream"));
    let reader = arrow::ipc::reader::StreamReader::try_new(arrow.body.as_slice(), None).unwrap();
    assert_eq!(pairs(&reader.map(Result::unwrap).collect::<Vec<_>>()), expected);

    let parquet = server.ask(SELECT, "parquet").expect(200);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(parquet.body)).unwrap().build().unwrap();
    assert_eq!(pairs(&reader.map(Result::unwrap).collect::<Vec<_>>()), expected);
}

fn pairs(batches: &[RecordBatch]) -> Vec<(&str, i64)> {
    let mut found = Vec::new();
    for batch in batches {
        let number = arrow::compute::cast(batch.column(1), &arrow::datatypes::DataType::Int64).unwrap();
        let numbers: Vec<i64> = number.as_primitive::<Int64Type>().values().to_vec();
        let names = batch.column(0).as_string::<i32>();
        assert_eq!(names.null_count(), 0);
        found.extend(names.iter().flatten().zip(numbers));
    }
    found
}

#[test]
fn a_statement_can_be_sent_as_text_or_with_the_values_of_its_parameters() {
    let project = published("");
    let server = Server::start(&project);
    assert_eq!(server.post("SELECT count(*) AS n FROM lieux").expect(200).json()["rows"], json!([[ROWS]]));
    let ask = |body: serde_json::Value| {
        server.request("POST", "/sql", &[("Content-Type", "application/json")], &body.to_string())
    };
    let sql = "SELECT id FROM lieux WHERE commune = $1 AND id < $2 ORDER BY id";
    let reply = ask(json!({"q": sql, "format": "csv", "parameters": ["13007", "L00200"]})).expect(200);
    assert_eq!(reply.text(), "id\nL00007\nL00107\n");
    // A value is never read as SQL.
    let reply = ask(json!({"q": sql, "parameters": ["13007' OR '1' = '1", "L00200"]})).expect(200);
    assert_eq!(reply.json()["row_count"], 0);
    let reply = ask(json!({"q": "SELECT id FROM lieux WHERE length(nom) > $1", "parameters": ["long"]})).expect(400);
    assert_eq!(reply.json()["code"], "sql::parameters");
    let reply = ask(json!({"q": sql, "parameters": ["13007"]})).expect(400);
    assert_eq!(reply.json()["detail"], "the query has 2 parameter(s), not 1");
    assert_eq!(ask(json!({"q": sql, "limit": 3})).expect(400).json()["code"], "bad_request");
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_to_do() {
    let project = published("");
    let server = Server::start(&project);
    let reply = server.ask("SELECT id,\n  nmo\nFROM lieux", "csv").expect(400);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem = reply.json();
    assert_eq!((&problem["line"], &problem["column"]), (&json!(2), &json!(3)));
    assert_eq!(problem["code"], "sql::unknown_column");
    assert_eq!(problem["help"], "known here: `commune`, `id`, `nom`");
    assert_eq!(problem["problems"][0]["message"], "unknown column `nmo`");
    let snippet = problem["snippet"].as_str().unwrap();
    assert!(snippet.contains("query:2:3") && snippet.contains("nmo"), "{snippet}");
}

#[rstest]
#[case::no_query("GET", "/sql", "", 400, "bad_parameter")]
#[case::unknown_parameter("GET", "/sql?q=SELECT+1&limit=3", "", 400, "bad_parameter")]
#[case::unknown_format("GET", "/sql?q=SELECT+1&format=xlsx", "", 400, "bad_parameter")]
#[case::other_method("DELETE", "/sql?q=SELECT+1", "", 405, "method_not_allowed")]
fn a_request_that_is_no_query_says_what_one_is(
    #[case] method: &str,
    #[case] path: &str,
    #[case] body: &str,
    #[case] status: u16,
    #[case] code: &str,
) {
    let project = published("");
    let server = Server::start(&project);
    let reply = server.request(method, path, &[], body).expect(status);
    assert_eq!(reply.json()["code"], code);
}

#[test]
fn the_form_is_negotiated_and_a_head_costs_no_answer() {
    let project = published("");
    let server = Server::start(&project);
    let sql = path(SELECT, "json").replace("&format=json", "");
    let reply = server.request("GET", &sql, &[("Accept", "text/csv")], "").expect(200);
    assert!(reply.text().starts_with("id,n\n"));
    assert_eq!(reply.header("vary"), Some("Accept"));
    server.request("GET", &sql, &[("Accept", "image/png")], "").expect(406);
    let typed = [("Content-Type", "image/png")];
    server.request("POST", "/sql", &typed, SELECT).expect(415);
    let endless = path("SELECT count(*) FROM lieux a, lieux b, lieux c, lieux d", "csv");
    let head = server.request("HEAD", &endless, &[], "").expect(200);
    assert!(head.header("content-type").unwrap().starts_with("text/csv"));
    assert!(head.header("essaim-releases").unwrap().starts_with("lieux@"));
}

#[test]
fn a_long_answer_begins_before_it_is_known_to_its_end() {
    let project = published("timeout = \"60 s\"\nrows = 1000000000\nanswer_mb = 100000");
    let server = Server::start(&project);
    let begun = Instant::now();
    let mut stream = server.send("GET", &path("SELECT a.id, b.nom FROM lieux a, lieux b", "csv"), &[], "");
    let mut beginning = vec![0; 100_000];
    stream.read_exact(&mut beginning).unwrap();
    assert!(String::from_utf8_lossy(&beginning).contains("\r\nid,nom\n"));
    assert!(begun.elapsed() < Duration::from_secs(40), "four hundred million rows take longer");
}

#[test]
fn an_answer_that_is_broken_off_cannot_be_taken_for_a_whole_one() {
    let project = published("rows = 5000");
    let server = Server::start(&project);
    for format in ["json", "jsonl", "csv", "arrow"] {
        let reply = server.ask("SELECT id, nom, repeat(commune, 4) AS c FROM lieux", format);
        let told = if reply.status == 200 { !reply.whole } else { reply.json()["code"] == "too_many_rows" };
        assert!(told, "{format}: {} {}", reply.status, reply.whole);
    }
    // What is known to be too much before anything was sent has a status.
    let reply = server.ask("SELECT id FROM lieux", "parquet").expect(422);
    assert_eq!(reply.json()["code"], "too_many_rows");
    assert!(reply.json()["help"].as_str().unwrap().contains("download"));
}

#[test]
fn releases_that_come_and_go_are_seen_by_a_server_that_runs() {
    let project = published("");
    let server = Server::start(&project);
    let count = |sql: &str| server.post(sql);
    let first = project.releases("lieux")[0].clone();
    assert_eq!(count("SELECT count(*) FROM lieux").expect(200).json()["rows"], json!([[ROWS]]));
    rows(&project, ROWS + 500);
    project.run();
    let second = project.releases("lieux")[1].clone();
    let until = |sql: &str, seen: &dyn Fn(u16, &serde_json::Value) -> bool| {
        let begun = Instant::now();
        loop {
            let reply = count(sql);
            let json = reply.json();
            if seen(reply.status, &json) {
                return json;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{json}");
        }
    };
    until("SELECT count(*) FROM lieux", &|_, json| json["rows"] == json!([[ROWS + 500]]));
    let old = format!("SELECT count(*) FROM \"lieux@{first}\".lieux");
    assert_eq!(count(&old).expect(200).json()["rows"], json!([[ROWS]]));
    project.essaim(&["releases", "withdraw", &format!("lieux@{second}"), "--because", "Des lignes en trop."]).expect(0);
    until("SELECT count(*) FROM lieux", &|_, json| json["rows"] == json!([[ROWS]]));
    let gone = count(&format!("SELECT count(*) FROM \"lieux@{second}\".lieux")).expect(410).json();
    assert_eq!(gone["code"], "sql::gone");
    assert!(gone["detail"].as_str().unwrap().contains("because: Des lignes en trop."), "{gone}");
}
