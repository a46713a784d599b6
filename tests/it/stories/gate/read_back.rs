//! Releases that are read back through their public address.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread;

use super::died::killed_right_after_the_commit;
use super::{body, registry, rows};
use crate::harness::Project;

/// Serves the public store's files over HTTP, with `damage` done to what it sends.
fn serve(project: &Project, damage: fn(&str, Vec<u8>) -> Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let root = project.path("data/public");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let path = head[0].split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
            let body = std::fs::read(root.join(&path)).map(|bytes| damage(&path, bytes));
            let (status, body) = body.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
            let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
        }
    });
    format!("http://{address}/")
}

/// A project that reads its releases back through a server.
fn served(damage: fn(&str, Vec<u8>) -> Vec<u8>) -> Project {
    let project = registry("file.path = \"lieux.json\"", "");
    let url = serve(&project, damage);
    project.replace("essaim.toml", "https://donnees.example.org/", &url);
    let text = project.read("essaim.toml") + "[stores]\nread_back = \"url\"\n";
    project.write("essaim.toml", text);
    project.write("lieux.json", body(&rows(10)));
    project
}

#[test]
fn a_release_that_reads_back_through_its_public_address_stays() {
    let project = served(|_path, bytes| bytes);
    project.run();
    assert_eq!(project.releases("lieux").len(), 1);
    project.essaim(&["releases", "verify"]).expect(0);
}

#[test]
fn a_release_that_reads_back_otherwise_is_withdrawn_and_the_one_before_is_latest() {
    let project = served(|path, mut bytes| {
        if path.ends_with(".2/lieux.csv") {
            bytes.truncate(bytes.len() / 2);
        }
        bytes
    });
    project.run();
    let first = project.releases("lieux");
    project.write("lieux.json", body(&rows(11)));
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("`lieux.csv` has other bytes there than were published"), "{}", output.stderr);
    assert_eq!(output.stdout, "lieux\tfailed\t-\n");
    assert_eq!(project.releases("lieux"), first);
    assert_eq!(project.csv("lieux", "lieux").len(), 10, "latest/ is the release before");
    let json = project.json("data/public/lieux/releases.json");
    assert_eq!(json["withdrawn"][0]["reason"], "La relecture par l’adresse publique a échoué.");
    assert_eq!(json["freshness"]["failures"][0]["code"], "read_back_failed");
    project.essaim(&["releases", "verify"]).expect(0);
    // The copy was damaged, not what it says: the next run publishes it again.
    assert_eq!(json["withdrawn"][0]["withdrawal"], "damaged");
    assert_eq!(project.run().stdout, "lieux\tpublished\t[DATE].3\n");
    assert_eq!(project.csv("lieux", "lieux").len(), 11);
}

#[test]
fn a_public_address_that_does_not_answer_leaves_the_release_and_fails_the_run() {
    let project = registry("file.path = \"lieux.json\"", "");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    project.replace("essaim.toml", "https://donnees.example.org/", &format!("http://{closed}/"));
    let text = project.read("essaim.toml") + "[stores]\nread_back = \"url\"\n";
    project.write("essaim.toml", text);
    project.write("lieux.json", body(&rows(10)));
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("could not be read back through"), "{}", output.stderr);
    assert!(output.stderr.contains("the release is published, and could not be read back"), "{}", output.stderr);
    let release = project.releases("lieux").pop().unwrap();
    let json = project.json("data/public/lieux/releases.json");
    assert_eq!(json["freshness"]["failures"][0]["code"], "read_back_unreachable");

    // The next run reads it back, though it publishes nothing.
    let url = serve(&project, |path, bytes| if path.ends_with("lieux.csv") { b"other".to_vec() } else { bytes });
    let before = format!("http://{closed}/");
    project.replace("essaim.toml", &before, &url);
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("`lieux.csv` has other bytes there"), "{}", output.stderr);
    assert!(project.releases("lieux").iter().all(|shown| *shown != release), "it was withdrawn");
}

#[test]
fn manifest_and_sums_are_read_back_too() {
    for name in ["manifest.json", "SHA256SUMS"] {
        let project = served(match name {
            "manifest.json" => |path, bytes| if path.ends_with("/manifest.json") { b"{}".to_vec() } else { bytes },
            _ => |path, bytes| if path.ends_with("/SHA256SUMS") { Vec::new() } else { bytes },
        });
        let output = project.essaim(&["run"]).expect(1);
        assert!(output.stderr.contains(&format!("`{name}` has other bytes there")), "{}", output.stderr);
        assert_eq!(project.releases("lieux"), Vec::<String>::new());
    }
}

#[test]
fn what_a_killed_run_published_is_read_back_by_the_next_one() {
    let project = served(|path, mut bytes| {
        if path.ends_with(".2/lieux.csv") {
            bytes.truncate(bytes.len() / 2);
        }
        bytes
    });
    project.run();
    let first = project.releases("lieux");
    project.write("lieux.json", body(&rows(11)));
    killed_right_after_the_commit(&project, &["run"]);
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("`lieux.csv` has other bytes there than were published"), "{}", output.stderr);
    assert_eq!(project.releases("lieux"), first);
    assert_eq!(project.run().stdout, "lieux\tpublished\t[DATE].3\n");
    assert!(!project.path("data/private/read-back/lieux.json").exists(), "everything was read back");
}
