use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use url::Url;

use super::*;
use crate::config::pipeline::{Mail, MailSecurity};

fn store(name: &str) -> Store {
    Store::open(&format!("memory://alarm-{name}"), Path::new("/"), &BTreeMap::new()).unwrap()
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_397_400 + minute * 60, 0).unwrap()
}

fn concern(code: &str) -> Concern {
    Concern { kind: Kind::RunFailed, code: Some(code.to_owned()), source: Some("registre".to_owned()) }
}

/// A server that answers each request with the next status, and hands over what was sent to it.
fn web(statuses: Vec<u16>) -> (AlarmSettings, Receiver<serde_json::Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/hook", listener.local_addr().unwrap())).unwrap();
    let (sender, bodies) = channel();
    std::thread::spawn(move || {
        for status in statuses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            for line in reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            // Before the answer: who gets it may look at once.
            if status == 200 {
                sender.send(serde_json::from_slice(&body).unwrap()).unwrap();
            }
            write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    (AlarmSettings { webhook: Some(url.into()), ..AlarmSettings::default() }, bodies)
}

const RUNS: [Kind; 3] = [Kind::RunFailed, Kind::Blocked, Kind::HeldBack];

async fn observe(board: &Board, wrong: &[Concern], settings: &AlarmSettings, minute: i64) {
    board
        .observe(&RUNS, wrong, &Outlet { settings: settings.clone(), env: Arc::default(), now: at(minute) })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_trouble_is_told_once_and_so_is_its_end() {
    let (settings, bodies) = web(vec![200; 4]);
    let private = store("once");
    let board = Board::new(private.clone(), "lieux".parse().ok());
    for minute in 0..3 {
        observe(&board, &[concern("source_rows")], &settings, minute).await;
    }
    // After a restart, or on another machine.
    let board = Board::new(private, "lieux".parse().ok());
    observe(&board, &[concern("source_rows")], &settings, 4).await;
    assert_eq!(board.concerns().await.unwrap(), [concern("source_rows")]);
    observe(&board, &[], &settings, 5).await;
    observe(&board, &[], &settings, 6).await;
    assert_eq!(board.concerns().await.unwrap(), []);
    let told: Vec<_> = bodies.try_iter().collect();
    let texts: Vec<_> = told.iter().map(|body| body["text"].as_str().unwrap()).collect();
    assert_eq!(
        texts,
        ["lieux: a run failed (source_rows of source `registre`); the last release stays visible", "lieux: well again"]
    );
    assert_eq!(told[0]["event"], "raised");
    assert_eq!(told[0]["dataset"], "lieux");
    assert_eq!(told[0]["kind"], "run_failed");
    assert_eq!(told[1]["event"], "cleared");
}

#[tokio::test]
async fn another_trouble_is_told_and_is_no_recovery_of_the_first() {
    let (settings, bodies) = web(vec![200; 4]);
    let board = Board::new(store("other"), "lieux".parse().ok());
    observe(&board, &[concern("source_rows")], &settings, 0).await;
    observe(&board, &[concern("source_unreachable")], &settings, 1).await;
    observe(&board, &[], &settings, 2).await;
    let events: Vec<_> = bodies.try_iter().map(|body| (body["event"].clone(), body["code"].clone())).collect();
    assert_eq!(
        events,
        [
            ("raised".into(), "source_rows".into()),
            ("raised".into(), "source_unreachable".into()),
            ("cleared".into(), "source_unreachable".into()),
        ]
    );
}

#[tokio::test]
async fn what_could_not_be_sent_is_sent_later_and_once() {
    let (settings, bodies) = web(vec![400, 200]);
    let board = Board::new(store("later"), "lieux".parse().ok());
    observe(&board, &[concern("source_rows")], &settings, 0).await;
    assert!(board.is_unsent());
    assert_eq!(bodies.try_iter().count(), 0);
    observe(&board, &[concern("source_rows")], &settings, 1).await;
    observe(&board, &[concern("source_rows")], &settings, 2).await;
    assert!(!board.is_unsent());
    assert_eq!(bodies.try_iter().count(), 1);
}

#[tokio::test]
async fn what_a_process_that_died_had_written_down_is_sent_by_another_after_some_patience() {
    let private = store("died");
    let silent = AlarmSettings::default();
    observe(&Board::new(private.clone(), None), &[concern("source_rows")], &silent, 0).await;
    let (settings, bodies) = web(vec![200]);
    let board = Board::new(private, None);
    observe(&board, &[concern("source_rows")], &settings, 5).await;
    assert_eq!(bodies.try_iter().count(), 0, "the other one may be at it");
    observe(&board, &[concern("source_rows")], &settings, 11).await;
    assert_eq!(bodies.try_iter().count(), 1);
}

#[tokio::test]
async fn what_is_stale_is_not_cleared_by_a_run() {
    let silent = AlarmSettings::default();
    let board = Board::new(store("kinds"), "lieux".parse().ok());
    let old = Concern { kind: Kind::Stale, code: None, source: None };
    board
        .observe(
            &[Kind::Stale],
            std::slice::from_ref(&old),
            &Outlet { settings: silent.clone(), env: Arc::default(), now: at(0) },
        )
        .await
        .unwrap();
    observe(&board, &[], &silent, 1).await;
    assert_eq!(board.concerns().await.unwrap(), [old]);
}

#[tokio::test]
async fn an_alarm_goes_out_by_mail() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        let mut said = Vec::new();
        write!(stream, "220 essai ESMTP\r\n").unwrap();
        while let Some(line) = lines.next() {
            let answer = match line.split(' ').next().unwrap() {
                "EHLO" => "250 essai\r\n",
                "DATA" => {
                    write!(stream, "354 go on\r\n").unwrap();
                    said.extend(lines.by_ref().take_while(|line| line != "."));
                    "250 taken\r\n"
                }
                "QUIT" => "221 bye\r\n",
                _ => "250 ok\r\n",
            };
            let ended = line == "QUIT";
            said.push(line);
            stream.write_all(answer.as_bytes()).unwrap();
            if ended {
                break;
            }
        }
        said.join("\n")
    });
    let mail = Mail {
        server: "127.0.0.1".to_owned(),
        port: Some(port),
        security: MailSecurity::Plain,
        login: None,
        from: "Essaim <essaim@example.org>".to_owned(),
        to: vec!["garde@example.org".to_owned()],
    };
    let settings = AlarmSettings { mail: Some(mail), ..AlarmSettings::default() };
    let board = Board::new(store("mail"), "lieux".parse().ok());
    observe(&board, &[concern("source_rows")], &settings, 0).await;
    assert!(!board.is_unsent());
    let said = server.join().unwrap();
    assert!(said.contains("RCPT TO:<garde@example.org>"), "{said}");
    assert!(said.contains("a run failed (source_rows of source `registre`)"), "{said}");
}
