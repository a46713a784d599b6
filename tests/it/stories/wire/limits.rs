//! Clients that take too much, send nonsense, or leave: spoken to byte by byte.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::{PATIENT, Served, published};
use crate::harness::{python_path, repository};

/// A client of the PostgreSQL protocol that may do what no driver does.
struct Raw(TcpStream);

impl Raw {
    fn connect(served: &Served) -> Self {
        Self(TcpStream::connect(&served.pg).unwrap())
    }

    /// Says who it is; gives the first answer that is no setting.
    fn introduce(&mut self, parameters: &[(&str, &str)]) -> (u8, Vec<u8>) {
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        for (name, value) in parameters {
            body.extend(format!("{name}\0{value}\0").bytes());
        }
        body.push(0);
        self.write(&[&(i32::try_from(body.len()).unwrap() + 4).to_be_bytes(), body.as_slice()].concat());
        let mut key = Vec::new();
        loop {
            match self.read().expect("the server should answer") {
                (b'R' | b'S', _) => {}
                (b'K', body) => key = body,
                (b'Z', _) => return (b'K', key),
                other => return other,
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        // Whoever was turned away is told so by what comes back.
        drop(self.0.write_all(bytes));
    }

    fn send(&mut self, kind: u8, body: &[u8]) {
        let length = (i32::try_from(body.len()).unwrap() + 4).to_be_bytes();
        self.write(&[&[kind], length.as_slice(), body].concat());
    }

    fn query(&mut self, sql: &str) {
        self.send(b'Q', format!("{sql}\0").as_bytes());
    }

    /// The next message; `None` when the connection is closed.
    fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut header = [0; 5];
        self.0.read_exact(&mut header).ok()?;
        let length = i32::from_be_bytes(header[1..].try_into().unwrap());
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        self.0.read_exact(&mut body).ok()?;
        Some((header[0], body))
    }

    /// All that comes up to the next turn of the client, or the end: kinds of messages, and codes of errors.
    fn rest(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some((kind, body)) = self.read() {
            seen.push(if kind == b'E' { code(&body) } else { char::from(kind).to_string() });
            if kind == b'Z' {
                return seen;
            }
        }
        seen.push("closed".to_owned());
        seen
    }
}

/// SQLSTATE of an error.
fn code(body: &[u8]) -> String {
    let mut fields = body.split(|byte| *byte == 0);
    let found = fields.find(|field| field.first() == Some(&b'C')).expect("an error has a code");
    String::from_utf8(found[1..].to_vec()).unwrap()
}

fn session(served: &Served) -> Raw {
    let mut raw = Raw::connect(served);
    assert_eq!(raw.introduce(&[("user", "lectrice")]).0, b'K');
    raw
}

const LONG: &str =
    "SELECT count(*) FROM lieux.lieux a, lieux.lieux b, lieux.lieux c WHERE a.places + b.places * c.places = -1";

#[test]
fn messages_that_are_too_long_or_make_no_sense_end_their_connection_and_no_other() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let mut other = session(&served);
    for (bytes, expected) in [
        (&b"Q\x3f\xff\xff\xff"[..], "54000"),
        (b"Q\0\0\0\x03", "08P01"),
        (b"Q\0\0\0\x06\xff\0", "22021"),
        (b"Q\0\0\0\x06ab", "08P01"),
        (b"B\0\0\0\x0a\0\0\0\0\xff\xff", "08P01"),
        (b"Z\0\0\0\x04", "08P01"),
    ] {
        let mut raw = session(&served);
        raw.write(bytes);
        assert_eq!(raw.rest(), [expected, "closed"], "{bytes:?}");
    }
    for nonsense in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\0", b"\0\0\0\x08\0\x02\0\0", b"\0\0\0\0", b"\0\0"]
    {
        let mut raw = Raw::connect(&served);
        raw.write(nonsense);
        // Closed with or without a word, perhaps before this.
        drop(raw.0.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        drop(raw.0.read_to_end(&mut answer));
        assert!(answer.is_empty() || answer[0] == b'E', "{answer:?}");
    }
    other.query("SELECT 1");
    assert_eq!(other.rest(), ["T", "D", "C", "Z"]);
}

#[test]
fn who_comes_for_something_else_is_told_so() {
    let project = published("");
    let served = Served::start(&project, &[]);
    for (parameters, expected) in [
        (&[("user", "a"), ("replication", "database")][..], "0A000"),
        (&[("database", "essaim")], "28000"),
        (&[("user", "a"), ("options", "-c datafusion.execution.batch_size=1")], "42704"),
        (&[("user", "a"), ("client_encoding", "LATIN1")], "22023"),
    ] {
        let (kind, body) = Raw::connect(&served).introduce(parameters);
        assert_eq!((kind, code(&body).as_str()), (b'E', expected), "{parameters:?}");
    }
}

#[test]
fn a_session_keeps_a_bounded_number_of_statements_and_portals() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let mut raw = session(&served);
    let mut refused = None;
    for n in 0..200 {
        raw.send(b'P', format!("s{n}\0SELECT 1\0\0\0").as_bytes());
        raw.send(b'S', b"");
        let seen = raw.rest();
        if seen != ["1", "Z"] {
            refused = Some((n, seen));
            break;
        }
    }
    assert_eq!(refused, Some((128, vec!["53400".to_owned(), "Z".to_owned()])));
    raw.query("BEGIN");
    raw.rest();
    for n in 0..33 {
        raw.send(b'B', format!("p{n}\0s0\0\0\0\0\0\0\0").as_bytes());
    }
    raw.send(b'S', b"");
    let seen = raw.rest();
    assert_eq!(seen.iter().filter(|kind| *kind == "2").count(), 32);
    assert_eq!(seen[32..], ["53400", "Z"]);
    // Formats that do not fit are refused, not looked up out of bounds.
    raw.query("ROLLBACK");
    raw.rest();
    raw.send(b'B', b"\0s0\0\0\0\0\0\0\x03\0\x01\0\x01\0\x01");
    raw.send(b'E', b"\0\0\0\0\0");
    raw.send(b'S', b"");
    assert_eq!(raw.rest(), ["2", "08P01", "Z"]);
}

#[test]
fn what_a_session_keeps_is_bounded_in_bytes_too() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let mut raw = session(&served);
    // Names, texts and values, of a few statements only.
    let long = "n".repeat(900_000);
    let parse = |raw: &mut Raw, name: &str, sql: &str| {
        raw.send(b'P', format!("{name}\0{sql}\0\0\0").as_bytes());
        raw.send(b'S', b"");
        raw.rest()
    };
    for n in 0..4 {
        assert_eq!(parse(&mut raw, &format!("{n}{long}"), "SELECT 1"), ["1", "Z"]);
    }
    assert_eq!(parse(&mut raw, &long, "SELECT 1"), ["53400", "Z"]);
    raw.query("DEALLOCATE ALL");
    assert_eq!(raw.rest(), ["C", "Z"]);
    let text = format!("SELECT '{}'", "x".repeat(20_000));
    let refused = (0..20).find(|n| parse(&mut raw, &n.to_string(), &text) != ["1", "Z"]);
    assert_eq!(refused, Some(13), "a plan takes more than its text");
    // The statement without a name makes room for itself, however often.
    raw.query("DEALLOCATE ALL");
    assert_eq!(raw.rest(), ["C", "Z"]);
    for _ in 0..20 {
        assert_eq!(parse(&mut raw, "", &text), ["1", "Z"]);
    }
    raw.query("SELECT 1");
    assert_eq!(raw.rest(), ["T", "D", "C", "Z"]);
}

#[test]
fn an_address_has_a_bounded_number_of_connections() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let mut sessions: Vec<Raw> = (0..20).map(|_| session(&served)).collect();
    let (kind, body) = Raw::connect(&served).introduce(&[("user", "lectrice")]);
    assert_eq!((kind, code(&body).as_str()), (b'E', "53300"));
    sessions.pop();
    // The place is free as soon as the server has noticed.
    while Raw::connect(&served).introduce(&[("user", "lectrice")]).0 != b'K' {}
}

#[test]
fn a_client_that_leaves_frees_what_it_held() {
    // One statement at a time, and nobody waits for an hour: the second is answered because the first was ended.
    let project = published("[sql]\nat_once = 1\nat_once_per_client = 1\ntimeout = \"1 h\"\nwait = \"1 h\"\n");
    let served = Served::start(&project, &[]);
    let mut waiting = session(&served);
    let mut leaving = session(&served);
    leaving.query(LONG);
    drop(leaving);
    waiting.query("SELECT 1");
    assert_eq!(waiting.rest(), ["T", "D", "C", "Z"]);
    // A cursor that is half read holds a statement until it is closed.
    waiting
        .query("BEGIN; DECLARE c CURSOR FOR SELECT a.id FROM lieux.lieux a, lieux.lieux b LIMIT 90000; FETCH 1 FROM c");
    assert_eq!(waiting.rest(), ["C", "C", "T", "D", "C", "Z"]);
    waiting.query("CLOSE c; SELECT 1; COMMIT");
    assert_eq!(waiting.rest(), ["C", "T", "D", "C", "C", "Z"]);
}

#[test]
fn only_who_knows_the_secret_cancels() {
    let project = published(PATIENT);
    let served = Served::start(&project, &[]);
    let mut raw = Raw::connect(&served);
    let (_, mut key) = raw.introduce(&[("user", "lectrice")]);
    raw.query(LONG);
    let cancel = |key: &[u8]| {
        let request = [&16_i32.to_be_bytes(), &80_877_102_i32.to_be_bytes(), key].concat();
        let mut other = Raw::connect(&served);
        other.write(&request);
        assert_eq!(other.read(), None, "a request to cancel is not answered");
    };
    key[7] ^= 1;
    cancel(&key);
    raw.0.set_nonblocking(true).unwrap();
    assert!(raw.0.peek(&mut [0]).is_err(), "it goes on");
    raw.0.set_nonblocking(false).unwrap();
    key[7] ^= 1;
    cancel(&key);
    assert_eq!(raw.rest().last().unwrap(), "Z");
}

#[test]
fn a_server_that_ends_tells_those_who_wait() {
    let project = published("");
    let served = Served::start(&project, &[]);
    let mut raw = session(&served);
    let said = served.end();
    assert!(said.ends_with("ended\n"), "{said}");
    assert_eq!(raw.rest(), ["57P01", "closed"]);
}

/// A certificate and its key.
fn certificate() -> [String; 2] {
    ["server.pem", "server.key"].map(|name| {
        let file = repository().join("tests/fixtures/tls").join(name);
        file.to_str().unwrap().to_owned()
    })
}

#[test]
fn with_a_certificate_nothing_is_said_in_clear() {
    let project = published("");
    let [chain, key] = certificate();
    let served = Served::start(&project, &["--tls-cert", &chain, "--tls-key", &key]);
    let (kind, body) = Raw::connect(&served).introduce(&[("user", "lectrice")]);
    assert_eq!((kind, code(&body).as_str()), (b'E', "28000"));
    let script = "
import sys, psycopg, adbc_driver_flightsql.dbapi as flight
host, _, port = sys.argv[1].rpartition(':')
with psycopg.connect(host=host, port=port, user='a', dbname='a', sslmode='require') as c:
    print(c.execute('SELECT count(*) FROM lieux.lieux').fetchone()[0], c.pgconn.ssl_in_use)
with psycopg.connect(host=host, port=port, user='a', dbname='a', sslmode='require', sslnegotiation='direct') as c:
    print(c.execute('SELECT 1').fetchone()[0], c.pgconn.ssl_in_use)
with flight.connect('grpc+tls://' + sys.argv[2], db_kwargs={'adbc.flight.sql.client_option.tls_skip_verify': 'true'}, autocommit=True) as c, c.cursor() as cursor:
    cursor.execute('SELECT count(*) FROM lieux.lieux')
    print(cursor.fetchone()[0])
try:
    flight.connect('grpc://' + sys.argv[2], autocommit=True).cursor().execute('SELECT 1')
    print('in clear')
except Exception as error:
    print('refused')
";
    let output = std::process::Command::new(python_path()).args(["-c", script, &served.pg, &served.flight]).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text, "1201 True\n1 True\n1201\nrefused\n", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_a_certificate_that_can_be_read_nothing_is_served() {
    let project = published("");
    let [chain, key] = certificate();
    let nothing = project.path("nothing.pem").to_str().unwrap().to_owned();
    project.write("empty.pem", "");
    let empty = project.path("empty.pem").to_str().unwrap().to_owned();
    for (chain, key, said) in [
        (&nothing, &key, "cannot read"),
        (&chain, &nothing, "cannot read"),
        (&empty, &key, "holds no certificate"),
        (&chain, &chain, "holds no private key"),
    ] {
        let arguments =
            ["serve", "--listen", "127.0.0.1:0", "--pg", "127.0.0.1:0", "--tls-cert", chain, "--tls-key", key];
        let output = project.essaim(&arguments).expect(1);
        assert!(output.stderr.contains(said), "{}", output.stderr);
    }
    project.essaim(&["serve", "--pg", "127.0.0.1:0", "--tls-cert", &chain]).expect(2);
}
