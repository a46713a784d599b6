//! What tools ask before a person asks anything: `DBeaver`, Grafana, Metabase, pgAdmin, `RPostgres`.

use std::fs;

use tokio_postgres::{Config, NoTls};

use super::{Served, published};
use crate::harness::repository;

/// Statements of a tool.
fn recorded(tool: &str) -> Vec<String> {
    let path = repository().join(format!("tests/fixtures/postgres/{tool}.sql"));
    fs::read_to_string(path).unwrap().split("\n-- next\n").map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn what_tools_ask_about_the_server_is_answered() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let mut refused = Vec::new();
    for tool in ["dbeaver", "grafana", "metabase", "pgadbc", "pgadmin", "rpostgres"] {
        let mut config = Config::new();
        config.host("127.0.0.1").port(served.pg_port()).user("lectrice").dbname("essaim");
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        for sql in recorded(tool) {
            if let Err(error) = client.simple_query(&sql).await {
                let error = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
                refused.push(format!("{tool}: {error}\n{}", sql.chars().take(300).collect::<String>()));
            }
        }
    }
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n\n"));
}
