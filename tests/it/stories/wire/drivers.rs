//! Drivers of `PostgreSQL`: psycopg, and one that speaks binary throughout.

use std::path::Path;
use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::{PATIENT, Served, published};
use crate::harness::python;

#[test]
fn psycopg_reads_binds_streams_and_cancels() {
    let project = published(PATIENT);
    let served = Served::start(&project, &[]);
    let first = project.releases("lieux").remove(0);
    let told = python("pg_client.py", &[Path::new(&served.pg), Path::new(&first)]);
    let lines: Vec<&str> = told.lines().collect();
    let expected = [
        "version 15",
        "row L'Été « à l'ombre »",
        "binary 88",
        "parameters ok",
        "release 42P01",
        "errors 42601 42703 42P01 22012 42501 42804",
        "cursor 1200",
        "cancel 57014",
        "timeout 57014",
        "options 1000 essai",
        "catalogue ok",
    ];
    assert_eq!(lines, expected);
    let said = served.end();
    assert!(said.ends_with("ended\n"), "{said}");
}

async fn connect(port: u16) -> Client {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user("lectrice").dbname("essaim");
    config.connect_timeout(Duration::from_secs(10));
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn values_and_rows_travel_in_binary() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let client = connect(served.pg_port()).await;
    let sql = "SELECT id, places, surface, ouvert FROM lieux.lieux WHERE places < $1 AND nom <> $2 ORDER BY id";
    let statement = client.prepare(sql).await.unwrap();
    assert_eq!(statement.params(), [Type::INT8, Type::TEXT]);
    let columns: Vec<Type> = statement.columns().iter().map(|column| column.type_().clone()).collect();
    assert_eq!(columns, [Type::TEXT, Type::INT8, Type::FLOAT8, Type::BOOL]);
    let rows = client.query(&statement, &[&50_i64, &"Lieu 1"]).await.unwrap();
    let read: Vec<(String, i64, f64, bool)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
    assert_eq!(read, [("L0002".to_owned(), 20, 2.5, true), ("L0004".to_owned(), 40, 4.5, true)]);
    let wrong = client.query("SELECT zz FROM lieux.lieux", &[]).await.unwrap_err();
    assert_eq!(wrong.code().unwrap().code(), "42703");
    let position = wrong.as_db_error().unwrap().position();
    assert!(matches!(position, Some(tokio_postgres::error::ErrorPosition::Original(8))), "{position:?}");
}

#[tokio::test]
async fn a_portal_is_read_in_parts() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let mut client = connect(served.pg_port()).await;
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("SELECT id FROM lieux.lieux ORDER BY id", &[]).await.unwrap();
    let mut read = Vec::new();
    loop {
        let rows = transaction.query_portal(&portal, 500).await.unwrap();
        if rows.is_empty() {
            break;
        }
        read.push(rows.len());
    }
    assert_eq!(read, [500, 500, 201]);
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn who_cancels_ends_only_the_statement_that_runs() {
    let project = published(PATIENT);
    let served = Served::start(&project, &[]);
    let client = connect(served.pg_port()).await;
    let token = client.cancel_token();
    let long =
        "SELECT count(*) FROM lieux.lieux a, lieux.lieux b, lieux.lieux c WHERE a.places + b.places * c.places = -1";
    let cancel = async {
        // Until it ends: a request that comes before the statement runs ends nothing.
        loop {
            token.cancel_query(NoTls).await.unwrap();
        }
    };
    let ended = tokio::select! {
        ended = client.simple_query(long) => ended,
        () = cancel => unreachable!("cancelling does not end by itself"),
    };
    assert_eq!(ended.unwrap_err().code().unwrap().code(), "57014");
    // The last request to cancel may still be on its way.
    let after = loop {
        if let Ok(after) = client.simple_query("SELECT 1 AS un").await {
            break after;
        }
    };
    assert!(after.iter().any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("1"))));
}
