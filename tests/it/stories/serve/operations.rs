//! What those who operate the server see and do.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use super::{Service, published};
use crate::harness::Project;
use crate::harness::s3::{BUCKET, S3Server};

#[test]
fn it_says_whether_it_is_alive_and_ready_and_counts_what_it_does() {
    let project = published();
    let service = Service::start(&project);
    assert_eq!(service.get("/healthz").expect(200).text(), "ok\n");
    assert_eq!(service.get("/readyz").expect(200).text(), "ready\n");
    let csv = service.get("/lieux/latest/lieux.csv").expect(200);
    service.get("/rien").expect(404);
    let metrics = service.get("/metrics").expect(200);
    assert_eq!(metrics.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let text = metrics.text();
    for line in [
        "essaim_http_requests_total{class=\"latest\",status=\"200\"} 1\n".to_owned(),
        "essaim_http_requests_total{class=\"other\",status=\"404\"} 1\n".to_owned(),
        "essaim_http_requests_total{class=\"operations\",status=\"200\"} 2\n".to_owned(),
        format!("essaim_http_response_bytes_total{{class=\"latest\"}} {}\n", csv.body.len()),
        "essaim_http_request_duration_seconds_count{class=\"latest\"} 1\n".to_owned(),
        "essaim_http_requests_in_flight 1\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1, "{text}");
    service.end().expect(0);
}

#[test]
fn a_store_that_is_gone_makes_it_unready_and_not_dead() {
    let project = published();
    let service = Service::start(&project);
    service.get("/lieux/").expect(200);
    // A file in place of the folder: nothing in it can be listed.
    std::fs::rename(project.path("data/public"), project.path("data/elsewhere")).unwrap();
    project.write("data/public", "");
    service.get("/readyz").expect(503);
    service.get("/healthz").expect(200);
    std::fs::remove_file(project.path("data/public")).unwrap();
    std::fs::rename(project.path("data/elsewhere"), project.path("data/public")).unwrap();
    service.get("/readyz").expect(200);
    service.end().expect(0);
}

#[test]
fn the_access_log_tells_what_was_read_and_nothing_of_who_read_it() {
    let project = published();
    let release = project.releases("lieux").remove(0);
    let service = Service::start(&project);
    let secret = [
        ("User-Agent", "SECRET"),
        ("Cookie", "SECRET"),
        ("Referer", "http://SECRET/"),
        ("X-Forwarded-For", "192.0.2.7"),
    ];
    let csv = service.ask("GET", "/lieux/latest/lieux.csv?SECRET=1", &secret).expect(200);
    service.ask("HEAD", &format!("/lieux/releases/{release}/lieux.parquet"), &secret).expect(200);
    service.ask("GET", "/SECRET/dupont@example.org", &secret).expect(404);
    service.ask("GET", "/api/v1/datasets/SECRET/releases", &secret).expect(404);
    service.ask("SECRET", "/lieux/", &secret).expect(405);
    let log = service.end().expect(0).stdout;
    let lines: Vec<Vec<&str>> = log.lines().map(|line| line.split('\t').skip(1).take(4).collect()).collect();
    let size = csv.body.len().to_string();
    assert_eq!(lines[0], ["GET", "/lieux/latest/lieux.csv", "200", size.as_str()]);
    assert_eq!(lines[1], ["HEAD", format!("/lieux/releases/{release}/lieux.parquet").as_str(), "200", "0"]);
    assert_eq!(lines[2][..3], ["GET", "-", "404"]);
    assert_eq!(lines[3][..3], ["GET", "/api/v1/datasets/{dataset}/releases", "404"]);
    assert_eq!(lines[4][..3], ["-", "-", "405"]);
    assert_eq!(lines.len(), 5);
    for word in ["SECRET", "dupont", "127.0.0.1", "192.0.2.7"] {
        assert!(!log.contains(word), "{word} is in\n{log}");
    }
    let silent = Service::with(&project, &["--no-access-log"]);
    silent.get("/lieux/").expect(200);
    assert_eq!(silent.end().expect(0).stdout, "");
}

/// A table whose Parquet and CSV do not fit into what a socket holds back.
fn with_a_large_file() -> Project {
    let project = Project::empty();
    project.essaim(&["init", "."]).expect(0);
    let mut text = project.read("seeds/lieux.csv");
    for n in 0..60_000 {
        let line = format!(
            "M-{n:05};Lieu numéro {n} d’une longue liste de lieux inventés;atelier;35000;RENNES;{n};01/09/2019;ouvert;\n"
        );
        text.push_str(&line);
    }
    project.write("seeds/lieux.csv", text);
    project.run();
    project
}

#[test]
fn a_download_that_is_under_way_comes_to_its_end_when_the_server_is_told_to_stop() {
    let project = with_a_large_file();
    let mut service = Service::start(&project);
    let path = format!("/lieux/releases/{}/lieux.geojson", project.releases("lieux")[0]);
    let mut slow = TcpStream::connect(&service.address).unwrap();
    write!(slow, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 1000];
    slow.read_exact(&mut first).unwrap();
    service.signal("TERM");
    // It takes nobody new.
    while TcpStream::connect(&service.address).is_ok() {
        std::thread::yield_now();
    }
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    let all = [&first[..], &rest].concat();
    let body = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let stored = std::fs::read(project.path(&format!("data/public{path}"))).unwrap();
    assert!(stored.len() > 10 << 20, "{} bytes would fit into sockets", stored.len());
    assert!(all[body..] == stored, "every byte of it came");
    service.until("ended");
    assert_eq!(service.wait().expect(0).stdout.lines().count(), 1);
    // Whoever takes nothing is waited for as long as was said.
    let mut service = Service::with(&project, &["--grace", "0"]);
    let mut stuck = TcpStream::connect(&service.address).unwrap();
    write!(stuck, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stuck.read_exact(&mut first).unwrap();
    service.signal("TERM");
    service.until("ended; requests that were under way were cut off");
    service.wait().expect(0);
}

#[test]
fn on_s3_it_reads_and_never_writes() {
    let server = S3Server::start();
    let mut project = Project::empty();
    project.essaim(&["init", "."]).expect(0);
    for (name, value) in server.env() {
        project.set(name, &value);
    }
    project.replace("essaim.toml", "public = \"data/public\"", &format!("public = \"s3://{BUCKET}/public\""));
    project.run();
    let written = server.writes();
    assert!(written > 10, "the run wrote");
    let service = Service::start(&project);
    let releases = service.json("/lieux/releases.json");
    let release = releases["latest"].as_str().unwrap();
    let csv = service.get(&format!("/lieux/releases/{release}/lieux.csv")).expect(200);
    let part = service.ask("GET", "/lieux/latest/lieux.csv", &[("Range", "bytes=5-9")]).expect(206);
    assert!(part.body == csv.body[5..10]);
    let rows = service.json("/api/v1/datasets/lieux/releases/latest/tables/lieux/rows?type_lieu=atelier");
    assert_eq!(rows["total"], 3);
    for path in
        ["/", "/lieux/", "/lieux/log/00000000000000000001.json", "/readyz", "/metrics", "/api/v1/datasets/lieux"]
    {
        service.get(path).expect(200);
    }
    service.get("/lieux/rien.csv").expect(404);
    service.ask("PUT", "/lieux/latest/lieux.csv", &[("Content-Length", "0")]).expect(405);
    service.ask("DELETE", "/lieux/latest/lieux.csv", &[]).expect(405);
    service.end().expect(0);
    assert_eq!(server.writes(), written, "serving wrote something");
}

#[test]
fn the_same_process_keeps_the_schedule_and_shows_what_it_publishes() {
    let project = Project::empty();
    project.essaim(&["init", "."]).expect(0);
    let pipeline = project.read("pipelines/lieux.toml");
    project.write(
        "pipelines/lieux.toml",
        pipeline.replace("[source.lieux]", "[schedule]\ncron = \"30 2 * * *\"\n\n[source.lieux]"),
    );
    let step = json!({
        "kind": "release", "token": 1, "attempt": "some nights ago", "at": "2026-01-10T01:31:00Z", "slot": null,
        "holder": {"host": "autre", "pid": 1, "space": null, "started": null}, "done": "2026-01-10T01:30:00Z",
    });
    project.write("data/private/leases/lieux/00000000000000000001.json", step.to_string());
    let service = Service::with(&project, &["--schedule", "--no-access-log"]);
    let line = service.stdout.recv().unwrap();
    assert!(line.starts_with("lieux\tpublished\t"), "{line}");
    let begun = std::time::Instant::now();
    while service.get("/lieux/latest/lieux.csv").status != 200 {
        assert!(begun.elapsed().as_secs() < 10, "what it publishes is never shown");
    }
    service.get("/healthz").expect(200);
    let metrics = service.get("/metrics").expect(200).text();
    assert!(metrics.contains("essaim_next_run_timestamp_seconds{dataset=\"lieux\"} "), "{metrics}");
    assert!(metrics.contains("essaim_http_requests_total"), "{metrics}");
    assert_eq!(metrics.matches("# EOF").count(), 1);
    service.end().expect(0);
    let without = published();
    let output = without.essaim(&["serve", "--schedule"]).expect(2);
    assert!(output.stderr.contains("no pipeline has a schedule"), "{}", output.stderr);
}

#[test]
fn an_address_that_is_taken_or_none_ends_it_with_a_word() {
    let project = published();
    let service = Service::start(&project);
    let taken = project.essaim(&["serve", "--listen", &service.address]).expect(1);
    assert!(taken.stderr.contains("cannot listen on"), "{}", taken.stderr);
    project.essaim(&["serve", "--listen", "nowhere"]).expect(1);
    service.end().expect(0);
}
