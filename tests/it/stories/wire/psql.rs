//! psql, as Debian ships it.

use std::process::Command;

use super::{Served, published};
use crate::harness::Output;

/// Runs psql; `None` where it is not installed.
fn psql(served: &Served, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new("psql");
    let port = served.pg_port().to_string();
    command.args(["-h", "127.0.0.1", "-p", &port, "-U", "lectrice", "-d", "essaim", "-X", "-A", "-t", "-q"]);
    command.args(arguments).env("PGCONNECT_TIMEOUT", "10").env("LC_ALL", "C.UTF-8");
    let Ok(output) = command.output() else {
        println!("skipped: psql is not installed");
        return None;
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Some(Output { code: output.status.code().unwrap(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
}

#[test]
fn psql_shows_datasets_tables_and_columns_with_its_own_commands() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let told = |command: &str| Some(psql(&served, &["-c", command])?.expect(0));
    let Some(schemas) = told("\\dn") else { return };
    assert!(schemas.stdout.contains("lieux|"), "{schemas:?}");
    for command in ["\\dt", "\\dt *.*", "\\dt lieux.*", "\\d"] {
        let tables = told(command).unwrap();
        assert!(tables.stdout.contains("lieux|lieux|table"), "{command}: {tables:?}");
    }
    let columns = told("\\d lieux.lieux").unwrap();
    for column in ["id|text", "nom|text", "places|bigint", "surface|double precision", "ouvert|boolean", "depuis|date"]
    {
        assert!(columns.stdout.contains(column), "{column} in {columns:?}");
    }
    for command in ["\\l", "\\dv", "\\di", "\\dx", "\\conninfo", "\\encoding"] {
        let output = told(command).unwrap();
        assert_eq!(output.stderr, "", "{command}");
    }
    served.end();
}

#[test]
fn psql_draws_a_caret_under_what_is_wrong_and_says_what_was_meant() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let Some(output) = psql(&served, &["-c", "SELECT id, « é » FROM lieux.lieux"]) else { return };
    assert_eq!(output.code, 1);
    let output = psql(&served, &["-c", "SELECT 'é' AS e,\n  plces FROM lieux.lieux"]).unwrap();
    assert_eq!(output.code, 1);
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(lines[0].starts_with("ERROR:") && lines[0].contains("plces"), "{lines:?}");
    assert_eq!(lines[1], "LINE 2:   plces FROM lieux.lieux");
    assert_eq!(lines[2], "          ^");
    assert!(lines[3].starts_with("HINT:") && lines[3].contains("places"), "{lines:?}");
    let output = psql(&served, &["-c", "SELECT 1; SELECT /* é */ 1 FROM lieux.lieu"]).unwrap();
    assert!(output.stderr.contains("unknown table `lieux.lieu`"), "{output:?}");
    let caret = output.stderr.lines().find(|line| line.trim() == "^").unwrap();
    let line = output.stderr.lines().find(|line| line.starts_with("LINE 1:")).unwrap();
    let under: String = line.chars().skip(caret.chars().count() - 1).take(5).collect();
    assert_eq!(under, "lieux", "{}", output.stderr);
}

#[test]
fn several_statements_are_answered_one_after_the_other_up_to_the_first_mistake() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let sql = "SELECT count(*) FROM lieux.lieux; SELECT nom FROM lieux.lieux WHERE id = 'L0002'; SELEC; SELECT 4";
    let Some(output) = psql(&served, &["-c", sql]) else { return };
    assert_eq!(output.stdout, "1201\nL'Été « à l'ombre »\n");
    assert_eq!(output.code, 1);
    assert!(!output.stderr.is_empty());
}

#[test]
fn a_transaction_goes_on_as_clients_expect_though_nothing_is_ever_written() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let script =
        "BEGIN; SELECT 1; SAVEPOINT a; SELECT zz; ROLLBACK TO a; SELECT 2; SELECT zz; SELECT 3; COMMIT; SELECT 4;";
    let commands: Vec<String> = script.split_inclusive(';').map(ToOwned::to_owned).collect();
    let arguments: Vec<&str> = commands.iter().flat_map(|command| ["-c", command]).collect();
    let Some(output) = psql(&served, &arguments) else { return };
    assert_eq!(output.stdout, "1\n2\n4\n");
    assert!(output.stderr.contains("current transaction is aborted"), "{output:?}");
    let output = psql(&served, &["-c", "BEGIN READ WRITE"]).unwrap();
    assert!(output.stderr.contains("read-only"), "{output:?}");
}

#[test]
fn harmless_settings_are_kept_and_every_other_is_refused() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let told = |sql: &str| psql(&served, &["-v", "VERBOSITY=verbose", "-c", sql]);
    let Some(output) = told("SET application_name = 'essai'; SHOW application_name") else { return };
    assert_eq!(output.expect(0).stdout, "essai\n");
    assert_eq!(told("SHOW transaction_read_only").unwrap().expect(0).stdout, "on\n");
    assert_eq!(told("SET client_encoding TO 'UTF8'; SET DateStyle TO ISO; RESET ALL").unwrap().expect(0).stdout, "");
    for (sql, code) in [
        ("SET datafusion.runtime.memory_limit = '1T'", "42704"),
        ("SET datafusion.execution.batch_size = 1", "42704"),
        ("SET default_transaction_read_only = off", "22023"),
        ("SET ROLE postgres", "42501"),
        ("SET client_encoding = 'LATIN1'", "22023"),
        ("SHOW datafusion.execution.batch_size", "42704"),
        ("COPY (SELECT 1) TO STDOUT", "0A000"),
    ] {
        let output = told(sql).unwrap();
        assert_eq!(output.code, 1, "{sql}");
        assert!(output.stderr.contains(&format!("ERROR:  {code}:")), "{sql}: {output:?}");
    }
}

#[test]
fn a_long_answer_is_read_bit_by_bit_through_a_cursor() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let sql = "SELECT id FROM lieux.lieux ORDER BY id";
    let Some(output) = psql(&served, &["-v", "FETCH_COUNT=100", "-c", sql]) else { return };
    let output = output.expect(0);
    assert_eq!(output.stdout.lines().count(), 1201);
    assert_eq!(output.stdout.lines().last(), Some("L1201"));
}
