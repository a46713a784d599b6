//! A `LimeSurvey`, replayed: docs/examples/limesurvey and what becomes of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::examples::{Cells, cell, example, fixture, released};
use super::{busy, holds_no_key};
use crate::harness::{Project, Reply, Upstream};

const KEY: &str = super::KEY;
const SESSION: &str = "session-9fK2x-tres-secrete";

fn result(value: &Value) -> Reply {
    Reply::ok(json!({"id": 1, "result": value, "error": null}).to_string())
}

fn status(text: &str) -> Reply {
    result(&json!({"status": text}))
}

/// Base64 by the book, without the program's own.
fn base64(bytes: &[u8]) -> String {
    let letters: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let mut out = String::new();
    for six in bits.chunks(6) {
        let number = (0..6).fold(0, |number, at| number * 2 + usize::from(six.get(at).copied().unwrap_or(0)));
        out.push(letters[number]);
    }
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}

/// The file of an export. PHP writes `/` as `\/`.
fn export(rows: &[Value]) -> Reply {
    let file = base64(json!({"responses": rows}).to_string().as_bytes()).replace('/', "\\/");
    Reply::ok(format!(r#"{{"id":1,"result":"{file}","error":null}}"#))
}

fn ids(rows: &[Value]) -> Reply {
    let ids: Vec<Value> = rows.iter().map(|row| json!({"id": row["id"]})).collect();
    export(&ids)
}

/// Everything that is asked for, the responses two at a time.
fn answers(rows: &[Value]) -> Vec<Reply> {
    let mut replies = vec![
        result(&json!(SESSION)),
        result(&fixture("limesurvey/survey.json")),
        result(&fixture("limesurvey/questions.json")),
    ];
    let questions = fixture("limesurvey/question-11.json");
    replies.extend([result(&questions), result(&questions), result(&questions), ids(rows)]);
    replies.extend(rows.chunks(2).map(export));
    replies.push(result(&json!("OK")));
    replies
}

fn rows() -> Vec<Value> {
    fixture("limesurvey/responses.json")["responses"].as_array().unwrap().clone()
}

fn survey(upstream: &Upstream) -> Project {
    let address = "https://enquetes.example.org/index.php/admin/remotecontrol";
    let two_at_a_time = "survey = 123456\npage = 2\nfirst_delay = 0.001";
    let changes = [(address, upstream.url("rc")), ("survey = 123456", two_at_a_time.to_owned())];
    let mut project = example("limesurvey", "structures", &changes);
    project.set("LIMESURVEY_PASSWORD", KEY);
    project
}

/// What the payload says, read without the program.
fn expected(rows: &[Value]) -> Vec<Cells> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let kept = rows.iter().filter(|row| !text(row, "submitdate").is_empty() && !text(row, "Q0").starts_with("TEST"));
    let cells = kept.map(|row| {
        let statut = match text(row, "Q1").as_str() {
            "A1" => "asso",
            "A2" => "coop",
            "-oth-" => "autre",
            other => panic!("{other}"),
        };
        let ticked = |name: &str, code: &'static str| (text(row, name) == "Y").then_some(code);
        let other = (!text(row, "Q2[other]").is_empty()).then_some("autre");
        let modalites = [ticked("Q2[SQ001]", "formation"), ticked("Q2[SQ002]", "ingenierie"), other];
        let place = text(row, "Q7");
        let mut place = place.split(';').map(str::to_owned);
        Cells::from([
            cell("id", text(row, "id")),
            cell("nom", text(row, "Q0")),
            cell("statut", statut),
            cell("statut_autre", text(row, "Q1[other]")),
            cell("modalites", modalites.into_iter().flatten().collect::<Vec<_>>().join("|")),
            cell("modalites_autre", text(row, "Q2[other]")),
            cell("date_reponse", text(row, "submitdate").replace(' ', "T")),
            cell("latitude", place.next().unwrap()),
            cell("longitude", place.next().unwrap_or_default()),
        ])
    });
    let mut cells: Vec<Cells> = cells.collect();
    cells.sort_by(|a, b| a["id"].cmp(&b["id"]));
    cells
}

fn methods(upstream: &Upstream) -> Vec<String> {
    let bodies = upstream.bodies();
    let calls = bodies.iter().map(|body| serde_json::from_str::<Value>(body).unwrap());
    calls.map(|call| call["method"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_survey_is_fetched_by_ranges_of_ids_and_released() {
    let mut replies = answers(&rows());
    replies.insert(8, busy());
    let upstream = Upstream::start(replies);
    let project = survey(&upstream);
    project.run();
    assert_eq!(released(&project, "structures", "structures"), expected(&rows()));
    let methods = methods(&upstream);
    assert_eq!(methods.iter().filter(|method| *method == "export_responses").count(), 5, "{methods:?}");
    assert_eq!((methods[0].as_str(), methods.last().unwrap().as_str()), ("get_session_key", "release_session_key"));

    let reasons: Vec<String> =
        project.ledger("rejects", "structures").into_iter().map(|row| row["motif"].clone()).collect();
    assert_eq!(reasons, ["reponse_de_test", "reponse_inachevee"]);
    let remarks = project.record()["tables"].to_string();
    assert!(remarks.contains("1 pièce jointe n'est pas reprise."), "{remarks}");
    holds_no_key(&project);
    for (name, bytes) in &project.stored() {
        assert!(!String::from_utf8_lossy(bytes).contains(SESSION), "{name} holds the session");
    }
}

#[test]
fn responses_that_are_edited_deleted_and_added_are_told_as_that() {
    let before = rows();
    let mut after = before.clone();
    after.remove(2);
    after[1]["Q0"] = "Coopérative deux, renommée".into();
    let mut new = before[0].clone();
    (new["id"], new["Q0"]) = ("12".into(), "Quatre".into());
    after.push(new);
    let upstream = Upstream::start([answers(&before), answers(&after)].concat());
    let project = survey(&upstream);
    project.replace(
        "pipelines/structures.toml",
        "[publish]",
        "[[publish.gate]]\ntable = \"structures\"\nlost_keys = 1\nshrink = 1\n\n[publish]",
    );
    project.replace("pipelines/structures.toml", "[source.enquete]", "[source.enquete]\ngate = { shrink = 0.5 }");
    project.run();
    project.run();
    assert_eq!(released(&project, "structures", "structures"), expected(&after));
    let releases = project.releases("structures");
    let (output, bytes) = project.essaim_bytes(&["releases", "diff", &releases[0], "latest", "--format", "json"]);
    output.expect(0);
    let changes: Value = serde_json::from_slice(&bytes).unwrap();
    let told: BTreeSet<String> = changes["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| format!("{} {}", line["change"].as_str().unwrap(), line["key"].as_str().unwrap()))
        .collect();
    assert_eq!(told, BTreeSet::from(["added 12", "changed 2"].map(str::to_owned)), "{changes:#}");
    // Who leaves is a count.
    assert_eq!(changes["tables"][0]["removed"], 1);
}

#[test]
fn a_wrong_password_an_ended_session_and_a_lost_question_keep_the_last_release() {
    let good = rows();
    let mut lost = good.clone();
    for row in &mut lost {
        row.as_object_mut().unwrap().remove("Q0");
    }
    let mut ended = answers(&good);
    ended.truncate(7);
    ended.extend([status("Invalid session key"), status("Invalid session key")]);
    let wrong = vec![status(&format!("Invalid user name or password {KEY}"))];
    let upstream = Upstream::start([answers(&good), wrong, ended, answers(&lost)].concat());
    let project = survey(&upstream);
    project.run();
    let asked = upstream.requests().len();
    for why in [
        "answered Invalid user name or password ***; check name and password",
        "`export_responses` at http://[HOST]/rc answered: Invalid session key; the session has ended",
        "`Q0`",
    ] {
        let output = project.essaim(&["run", "-vv"]).expect(1);
        assert!(output.stderr.contains(why), "{why}\n{}", output.stderr);
        assert!(!output.stderr.contains(KEY) && !output.stderr.contains(SESSION), "{}", output.stderr);
        assert_eq!(released(&project, "structures", "structures"), expected(&good));
    }
    assert_eq!(methods(&upstream)[asked..=asked + 1], ["get_session_key", "get_session_key"], "no second try");
    holds_no_key(&project);
}
