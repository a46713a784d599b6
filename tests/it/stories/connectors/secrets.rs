//! Secrets are planted wherever a project can hold one and wherever a server can send one back, and everything that was
//! written is searched for them, unpacked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read as _};
use std::path::Path;

use arrow::util::pretty::pretty_format_batches;
use flate2::read::MultiGzDecoder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use url::form_urlencoded;

use super::{busy, project};
use crate::harness::{Output, Project, Reply, Upstream, walk};

/// One for each place, so that a find tells which leaks. They have letters that addresses and base64 spell otherwise.
const HEADER: &str = "entete/7Q2xZ9+tres=secret";
const PATH: &str = "chemin-3kP9+vW-secret";
const QUERY: &str = "requete/5mT4 zY-secret";
const USER: &str = "compte-8bN1/tR-secret";
const PASSWORD: &str = "passe=2wE6+qA-secret";
const SESSION: &str = "session-4hJ7/dF-secret";

const ALL: [&str; 6] = [HEADER, PATH, QUERY, USER, PASSWORD, SESSION];

/// A secret as it is, as addresses have it, and as `Basic` has it.
fn spellings(secret: &str) -> Vec<String> {
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent = form.replace('+', "%20");
    let light = secret.replace(' ', "%20");
    let json = secret.replace('/', "\\/");
    vec![secret.to_owned(), form, percent, light, json]
}

#[track_caller]
fn holds_none(what: &str, text: &str) {
    for secret in ALL {
        for spelled in spellings(secret) {
            assert!(!text.contains(&spelled), "{what} holds `{spelled}`:\n{text}");
        }
    }
}

/// A file as text, unpacked as often as it is packed.
fn unpacked(path: &Path, bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if bytes.starts_with(b"\x1f\x8b") {
        let mut plain = Vec::new();
        MultiGzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
        text += &unpacked(path, &plain);
    }
    if bytes.starts_with(b"PK") {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        for at in 0..archive.len() {
            let mut member = Vec::new();
            archive.by_index(at).unwrap().read_to_end(&mut member).unwrap();
            text += &unpacked(path, &member);
        }
    }
    if bytes.starts_with(b"PAR1") {
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        let metadata = format!("{:?}", builder.metadata());
        text += &metadata;
        let batches: Vec<_> = builder.build().unwrap().map(|batch| batch.unwrap()).collect();
        text += &pretty_format_batches(&batches).unwrap().to_string();
    }
    text
}

/// Everything below the project's folder but what a person wrote.
#[track_caller]
fn search(project: &Project, outputs: &[Output]) {
    for output in outputs {
        holds_none("the output", &output.snapshot());
    }
    let mut files = 0;
    walk(&project.path("data"), &mut |path| {
        let text = unpacked(path, &std::fs::read(path).unwrap());
        holds_none(&path.display().to_string(), &text);
        files += 1;
    });
    assert!(files > 0, "nothing was written");
}

fn planted(source: &str, table: &str) -> Project {
    let mut project = project(source, table);
    for (name, secret) in [
        ("JETON_ENTETE", HEADER),
        ("JETON_CHEMIN", PATH),
        ("JETON_REQUETE", QUERY),
        ("COMPTE", USER),
        ("MOT_DE_PASSE", PASSWORD),
    ] {
        project.set(name, secret);
    }
    project
}

/// Runs in both formats of the log, and asks for what can be asked for.
fn everything_said(project: &Project, runs: usize) -> Vec<Output> {
    let mut outputs = vec![project.essaim(&["check"])];
    for run in 0..runs {
        let format = if run % 2 == 0 { "text" } else { "json" };
        outputs.push(project.essaim(&["run", "-vv", "--log-format", format]));
    }
    outputs.push(project.essaim(&["releases", "list"]));
    outputs.push(project.essaim(&["releases", "show", "lieux"]));
    outputs
}

/// What a careless server says of a request, in its headers and its body.
fn echo(status: &'static str) -> Reply {
    let said = format!("you sent {}", ALL.join(" and "));
    let mut reply = Reply::status(status)
        .header("X-Debug", &said)
        .header("ETag", &format!("\"{HEADER}\""))
        .header("Last-Modified", PATH)
        .header("WWW-Authenticate", &format!("Bearer realm=\"{HEADER}\""));
    reply.body = said.into_bytes();
    reply
}

#[test]
fn no_secret_of_an_address_or_a_header_is_written_anywhere() {
    let ok = |nom: &str| {
        Reply::ok(format!("id,nom\na,{nom}\n"))
            .header("ETag", &format!("\"{HEADER}\""))
            .header("Content-Type", &format!("text/csv; key={QUERY}"))
            .header("Last-Modified", PATH)
    };
    let moved = format!("/{}/moved?again={HEADER}", PATH.replace(' ', "%20"));
    let upstream = Upstream::start(vec![
        ok("Un"),
        echo("500 Internal Server Error"),
        Reply::status("302 Found").header("Location", &moved),
        ok("Deux"),
        echo("401 Unauthorized"),
        Reply::status("302 Found").header("Location", &format!("ftp://{PATH}.example/{HEADER}")),
        Reply::ok(format!("<!doctype html><p>{HEADER} {PATH}")),
        ok("Trois").cut(9),
        ok("Trois").cut(9),
    ]);
    let address = upstream.url("${env:JETON_CHEMIN}/lieux?q=${env:JETON_REQUETE}&token=${env:JETON_ENTETE}");
    let address = address.replace("http://", "http://${env:COMPTE}:${env:MOT_DE_PASSE}@");
    // A user name with a slash must be spelled for an address, as whoever sets the variable finds out.
    let mut project = planted(
        &format!(
            "[source.lieux.http]\nurl = \"{address}\"\nheaders.X-Api-Key = \"${{env:JETON_ENTETE}}\"\n\
             first_delay = 0.001\nattempts = 2"
        ),
        "csv = {}",
    );
    project.set("COMPTE", &USER.replace('/', "%2F"));
    let outputs = everything_said(&project, 7);
    let codes: Vec<i32> = outputs.iter().map(|output| output.code).collect();
    assert_eq!(codes, [0, 0, 0, 1, 1, 1, 1, 1, 0, 0], "{outputs:#?}");
    let first = &upstream.requests()[0];
    assert!(first[0].contains("chemin-3kP9+vW-secret/lieux?q=requete/5mT4%20zY-secret&token="), "{first:?}");
    search(&project, &outputs);
}

#[test]
fn no_account_and_no_session_is_written_anywhere() {
    let session = || Reply::ok(json!({"token": SESSION}).to_string());
    let page = json!({"value": [{"id": "a", "nom": "Un"}], "@odata.count": 1});
    let fields = || Reply::ok("[]");
    let form = || Reply::ok("<?xml version=\"1.0\"?><h:html/>");
    let upstream = Upstream::start(vec![
        session(),
        fields(),
        busy(),
        form(),
        Reply::ok(page.to_string()).header("ETag", &format!("\"{SESSION}\"")),
        Reply::ok("{}"),
        echo("401 Unauthorized"),
        session(),
        fields(),
        form(),
        Reply::ok(json!({"value": [], "@odata.nextLink": "https://b.example/x"}).to_string()),
        echo("500 Internal Server Error"),
        // What says who it was for is no session.
        Reply::ok(json!({"message": format!("{USER} {PASSWORD}")}).to_string()),
    ]);
    let project = planted(
        &format!(
            "[source.lieux.odk]\nurl = \"{}\"\nproject = 1\nform = \"f\"\nuser = \"${{env:COMPTE}}\"\n\
             password = \"${{env:MOT_DE_PASSE}}\"\nfirst_delay = 0.001\nattempts = 1",
            upstream.url("")
        )
        .replace("attempts = 1", "attempts = 2"),
        "parts = \"submissions-*\"\njson = { rows = \"value\" }",
    );
    let outputs = everything_said(&project, 4);
    let codes: Vec<i32> = outputs.iter().map(|output| output.code).collect();
    assert_eq!(codes, [0, 0, 1, 1, 1, 0, 0], "{outputs:#?}");
    let bodies: BTreeMap<String, usize> =
        upstream.bodies().into_iter().map(|body| (body.clone(), body.len())).collect();
    assert!(bodies.keys().any(|body| body.contains(PASSWORD)), "the password was sent");
    search(&project, &outputs);
}

#[test]
fn no_password_of_a_remote_control_is_written_anywhere() {
    let said = format!("Invalid user name or password: {USER} / {PASSWORD}");
    let upstream = Upstream::start(vec![
        Reply::ok(json!({"id": 1, "result": {"status": said}, "error": null}).to_string()),
        Reply::ok(json!({"id": 1, "result": SESSION, "error": null}).to_string()),
        Reply::ok(json!({"id": 1, "result": {"status": format!("No permission for {SESSION}")}}).to_string()),
        Reply::ok(json!({"id": 1, "result": "OK"}).to_string()),
        Reply::ok(format!("{{\"result\": {SESSION}}}")),
    ]);
    let project = planted(
        &format!(
            "[source.lieux.limesurvey]\nurl = \"{}\"\nsurvey = 1\nuser = \"${{env:COMPTE}}\"\n\
             password = \"${{env:MOT_DE_PASSE}}\"",
            upstream.url("rc")
        ),
        "limesurvey = {}\nparts = \"responses-*\"",
    );
    let outputs = everything_said(&project, 3);
    for (output, why) in
        outputs[1..].iter().zip(["the account is not let in", "`get_survey_properties`", "it is not JSON"])
    {
        assert!(output.code == 1 && output.stderr.contains(why), "{why}\n{}", output.stderr);
    }
    search(&project, &outputs);
}
