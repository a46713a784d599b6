//! A bucket behind TLS whose certificate is of an authority of one's own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::bench::{Bench, Place};
use crate::harness::{python_path, repository};

/// Takes TLS off in front of a server; ends when this is dropped.
struct Proxy {
    port: u16,
    process: Child,
    input: Option<ChildStdin>,
}

impl Proxy {
    fn start(port: u16) -> Self {
        let fixture = |name: &str| repository().join("tests/fixtures/tls").join(name);
        let mut process = Command::new(python_path())
            .arg(repository().join("tests/python/tls_proxy.py"))
            .args([fixture("server.pem"), fixture("server.key")])
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { port: line.trim().parse().unwrap(), process, input }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.process.wait());
    }
}

#[test]
fn a_bucket_whose_certificate_is_of_an_authority_of_ones_own_is_trusted_when_told_so() {
    let mut bench = Bench::new(Place::Bucket);
    let env = bench.server.as_ref().unwrap().env();
    let (_, endpoint) = env.iter().find(|(name, _)| *name == "AWS_ENDPOINT").unwrap();
    let proxy = Proxy::start(endpoint.rsplit(':').next().unwrap().parse().unwrap());
    bench.project.set("AWS_ENDPOINT", &format!("https://127.0.0.1:{}", proxy.port));
    bench.project.set("AWS_ALLOW_HTTP", "false");
    let refused = bench.project.essaim(&["releases", "list"]).expect(1);
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
    let authority = repository().join("tests/fixtures/tls/ca.pem");
    bench.project.set("SSL_CERT_FILE", authority.to_str().unwrap());
    bench.project.run();
    assert_eq!(bench.listed().len(), 1);
    bench.project.essaim(&["releases", "verify"]).expect(0);
}
