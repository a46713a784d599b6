//! An ODK Central, replayed: docs/examples/odk and what becomes of it.

use serde_json::{Value, json};

use super::examples::{Cells, cell, example, fixture, number, released};
use super::{asked, busy, holds_no_key, refused};
use crate::harness::{Project, Reply, Upstream};

const KEY: &str = super::KEY;
const TOKEN: &str = "jeton-8Gh3-tres-secret";

fn page(rows: &[Value], count: usize, next: Option<&str>) -> Reply {
    let mut page = json!({"value": rows, "@odata.count": count});
    if let Some(next) = next {
        page["@odata.nextLink"] = next.into();
    }
    Reply::ok(page.to_string())
}

fn rows(name: &str) -> Vec<Value> {
    fixture(name).as_array().unwrap().clone()
}

/// Everything that is asked for, the submissions on two pages.
fn answers(submissions: &[Value], members: &[Value]) -> Vec<Reply> {
    let (first, second) = submissions.split_at(3);
    vec![
        Reply::ok(json!({"token": TOKEN, "csrf": "x", "expiresAt": "2026-12-01T02:30:00.000Z"}).to_string()),
        Reply::ok(fixture("odk/fields.json").to_string()),
        Reply::ok("<?xml version=\"1.0\"?><h:html xmlns:h=\"http://www.w3.org/1999/xhtml\"></h:html>"),
        page(first, submissions.len(), Some("Submissions?%24top=3&%24count=true&%24skiptoken=01x")),
        page(second, submissions.len(), None),
        page(members, members.len(), None),
        Reply::ok("{\"success\": true}"),
    ]
}

fn central(upstream: &Upstream) -> Project {
    let changes = [
        ("https://central.example.org/", upstream.url("")),
        ("project = 7", "project = 7\npage = 3\nfirst_delay = 0.001".to_owned()),
    ];
    let mut project = example("odk", "lieux", &changes);
    project.set("ODK_PASSWORD", KEY);
    project
}

/// What the payload says, read without the program.
fn expected(submissions: &[Value]) -> Vec<Cells> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kept = submissions.iter().filter(|row| {
        row["__system"]["reviewState"] != "rejected" && !text(&row["identite"]["nom"]).starts_with("Test")
    });
    let time = |value: &Value| text(value).replace(".000Z", "").replace(".123Z", ".123000");
    kept.map(|row| {
        let identity = &row["identite"];
        Cells::from([
            cell("id", text(&row["__id"])),
            cell("nom", text(&identity["nom"])),
            cell("statut", text(&identity["statut"])),
            cell("statut_autre", text(&identity["statut_autre"])),
            cell("modalites", text(&identity["modalites"]).replace(' ', "|")),
            cell("saisi", time(&row["__system"]["submissionDate"])),
            cell("modifie", time(&row["__system"]["updatedAt"])),
            cell("longitude", number(&row["lieu"]["coordinates"][0])),
            cell("latitude", number(&row["lieu"]["coordinates"][1])),
        ])
    })
    .collect()
}

#[test]
fn submissions_and_their_repeats_are_fetched_page_by_page_and_released() {
    let (submissions, members) = (rows("odk/submissions.json"), rows("odk/membres.json"));
    let mut replies = answers(&submissions, &members);
    replies.insert(4, busy());
    let upstream = Upstream::start(replies);
    let project = central(&upstream);
    project.run();
    assert_eq!(released(&project, "lieux", "lieux"), expected(&submissions));
    // The members of a submission that was rejected in review are not published either.
    let kept: Vec<Cells> = members
        .iter()
        .filter(|member| member["__Submissions-id"] != "uuid:d4")
        .map(|member| {
            let text = |name: &str| member[name].as_str().unwrap().to_owned();
            Cells::from([
                cell("id", text("__id")),
                cell("lieu", text("__Submissions-id")),
                cell("role", text("role")),
                cell("heures", number(&member["heures"])),
            ])
        })
        .collect();
    assert_eq!(released(&project, "lieux", "membres"), kept);

    let form = "/v1/projects/7/forms/lieux";
    let second = format!("{form}.svc/Submissions?%24top=3&%24count=true&%24skiptoken=01x");
    let expected = [
        "/v1/sessions".to_owned(),
        format!("{form}/fields?odata=true"),
        format!("{form}.xml"),
        format!("{form}.svc/Submissions?$top=3&$count=true"),
        second.clone(),
        second,
        format!("{form}.svc/Submissions.membres?$top=3&$count=true"),
        "/v1/sessions/current".to_owned(),
    ];
    assert_eq!(asked(&upstream), expected);
    let reasons: Vec<String> = project.ledger("rejects", "lieux").into_iter().map(|row| row["motif"].clone()).collect();
    assert_eq!(reasons, ["refuse_a_la_relecture", "saisie_de_test"]);
    let remarks = project.record()["tables"].to_string();
    assert!(remarks.contains("2 pièces jointes d'une ligne ne sont pas reprises."), "{remarks}");
    holds_no_key(&project);
    for (name, bytes) in &project.stored() {
        assert!(!String::from_utf8_lossy(bytes).contains(TOKEN), "{name} holds the token");
    }
}

#[test]
fn a_wrong_password_an_ended_session_lost_rows_and_a_renamed_question_keep_the_last_release() {
    let (submissions, members) = (rows("odk/submissions.json"), rows("odk/membres.json"));
    let mut renamed = submissions.clone();
    for row in &mut renamed {
        let identity = row["identite"].as_object_mut().unwrap();
        let name = identity.remove("nom").unwrap();
        identity.insert("nom_du_lieu".to_owned(), name);
    }
    let mut ended = answers(&submissions, &members);
    ended.truncate(4);
    ended.extend([refused(), refused()]);
    let mut lost = answers(&submissions, &members);
    lost[4] = page(&[], submissions.len(), None);
    lost.truncate(5);
    lost.push(Reply::ok("{}"));
    let upstream = Upstream::start(
        [answers(&submissions, &members), vec![refused()], ended, lost, answers(&renamed, &members)].concat(),
    );
    let project = central(&upstream);
    project.run();
    for why in [
        "the account is not let in: POST http://[HOST]/v1/sessions answered 401",
        "401 Unauthorized; check the credentials",
        "hold 3 rows and announce 5",
        "identite.nom_du_lieu",
    ] {
        let output = project.essaim(&["run", "-vv"]).expect(1);
        assert!(output.stderr.contains(why), "{why}\n{}", output.stderr);
        assert!(!output.stderr.contains(KEY) && !output.stderr.contains(TOKEN), "{}", output.stderr);
        assert_eq!(released(&project, "lieux", "lieux"), expected(&submissions));
    }
    holds_no_key(&project);
}
