//! What goes wrong on the way to a source, as whoever runs the program sees it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use rstest::rstest;

use super::{names, project, published};
use crate::harness::{Reply, Upstream, repository};

/// A server that answers with the certificate of `tests/fixtures/tls`, for one connection.
struct SelfSigned {
    server: std::process::Child,
    port: String,
}

impl SelfSigned {
    fn start() -> Self {
        let home = std::env::var("HOME").unwrap();
        let python =
            std::env::var("ESSAIM_TEST_PYTHON").unwrap_or_else(|_| format!("{home}/.cache/essaim-python/bin/python"));
        let mut server = Command::new(python)
            .arg(repository().join("tests/python/self_signed.py"))
            .arg(repository().join("tests/fixtures/tls/self-signed.pem"))
            .arg("9")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { server, port: port.trim().to_owned() }
    }
}

impl Drop for SelfSigned {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

#[test]
fn a_certificate_that_nobody_trusts_is_refused_at_once() {
    let server = SelfSigned::start();
    let source =
        format!("[source.lieux.http]\nurl = \"https://127.0.0.1:{}/lieux.csv\"\nfirst_delay = 0.001", server.port);
    let output = project(&source, "csv = {}").essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("failed at attempt 1 after"), "{}", output.stderr);
    assert!(output.stderr.contains("no trustworthy encrypted connection came about"), "{}", output.stderr);
    assert!(output.stderr.to_lowercase().contains("certificate"), "{}", output.stderr);
}

#[rstest]
#[case::address("http://127.0.0.1:1/lieux.csv", "`127.0.0.1`")]
#[case::name("http://localhost:1/lieux.csv", "`localhost`")]
#[case::cloud("http://169.254.169.254/latest/meta-data/", "`169.254.169.254`")]
fn a_private_address_is_refused_unless_the_project_allows_it(#[case] url: &str, #[case] host: &str) {
    let project = project(&format!("[source.lieux.http]\nurl = \"{url}\"\nattempts = 1"), "csv = {}");
    let allowed = project.read("essaim.toml");
    project.write("essaim.toml", allowed.replace("private_addresses = true\n", ""));
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains(&format!("{host} is an address of this machine or of a private network")));
    assert!(output.stderr.contains("write `private_addresses = true` under [network]"), "{}", output.stderr);
}

#[test]
fn a_mark_before_the_text_is_no_letter_of_it() {
    let csv = Upstream::start(vec![Reply::ok("\u{feff}id,nom\na,Un\n")]);
    let project_csv = project(&format!("[source.lieux.http]\nurl = \"{}\"", csv.url("a.csv")), "csv = {}");
    project_csv.run();
    assert_eq!(published(&project_csv), names(&[("a", "Un")]));
    let json = Upstream::start(vec![Reply::ok("\u{feff}{\"rows\": [{\"id\": \"a\", \"nom\": \"Un\"}]}")]);
    let source =
        format!("[source.lieux.http]\nurl = \"{}\"\npaging = {{ next = \"next\", rows = \"rows\" }}", json.url("a"));
    let project_json = project(&source, "json = { rows = \"rows\" }");
    project_json.run();
    assert_eq!(published(&project_json), names(&[("a", "Un")]));
}

#[test]
fn bytes_that_are_no_text_are_rejected_with_their_row_and_nothing_else_is() {
    let upstream = Upstream::start(vec![Reply::ok(b"id,nom\na,Un\nb,caf\xe9\nc,Trois\n".to_vec())]);
    let project = project(&format!("[source.lieux.http]\nurl = \"{}\"", upstream.url("a.csv")), "csv = {}");
    project.run();
    assert_eq!(published(&project), names(&[("a", "Un"), ("c", "Trois")]));
    let rejects = project.ledger("rejects", "lieux");
    assert_eq!((rejects.len(), rejects[0]["motif"].as_str()), (1, "texte_illisible"), "{rejects:?}");
}

#[test]
fn who_calls_and_whom_to_write_to_goes_along() {
    let upstream = Upstream::start(vec![Reply::ok("id,nom\na,Un\n"), Reply::ok("id,nom\na,Un\n")]);
    let project = project(&format!("[source.lieux.http]\nurl = \"{}\"", upstream.url("a.csv")), "csv = {}");
    project.run();
    project.replace("essaim.toml", "pause = 0\n", "pause = 0\ncontact = \"mailto:donnees@example.org\"\n");
    project.run();
    let agents: Vec<String> = upstream
        .requests()
        .iter()
        .filter_map(|request| request.iter().find(|line| line.to_lowercase().starts_with("user-agent: ")).cloned())
        .map(|line| line.split_once(": ").unwrap().1.to_owned())
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        agents,
        [
            format!("essaim/{version} (+https://donnees.example.org/)"),
            format!("essaim/{version} (+mailto:donnees@example.org)")
        ]
    );
}

#[test]
fn a_download_that_broke_off_goes_on_and_is_released_whole() {
    let body = "id,nom\na,Un\nb,Deux\n";
    let (beginning, end) = body.split_at(9);
    let first = Reply::ok(beginning).cut(body.len() - 9).header("ETag", "\"v1\"").header("Accept-Ranges", "bytes");
    let mut rest =
        Reply::status("206 Partial Content").header("Content-Range", "bytes 9-18/19").header("ETag", "\"v1\"");
    rest.body = end.into();
    let upstream = Upstream::start(vec![first, rest]);
    let source = format!("[source.lieux.http]\nurl = \"{}\"\nfirst_delay = 0.001", upstream.url("a.csv"));
    let project = project(&source, "csv = {}");
    project.run();
    assert_eq!(published(&project), names(&[("a", "Un"), ("b", "Deux")]));
    let asked = &upstream.requests()[1];
    assert!(asked.iter().any(|line| line.eq_ignore_ascii_case("range: bytes=9-")), "{asked:?}");
    let snapshot = fs::read_dir(project.path("data/private/snapshots/lieux/parts")).unwrap().next().unwrap().unwrap();
    assert_eq!(fs::read_to_string(snapshot.path()).unwrap(), body);
}
