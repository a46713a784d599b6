//! What is not to be had, by any route.

use std::fs;

use super::{PERSONAL, Service, publish_another, published};
use crate::harness::walk;

/// Asks until an answer has a status: what the log says is seen within a second or two.
#[track_caller]
fn soon(service: &Service, path: &str, status: u16) -> super::Answer {
    let begun = std::time::Instant::now();
    loop {
        let answer = service.get(path);
        if answer.status == status || begun.elapsed().as_secs() > 10 {
            return answer.expect(status);
        }
    }
}

#[test]
fn a_withdrawn_release_is_gone_everywhere_with_its_reason_until_it_is_restored() {
    let project = published();
    publish_another(&project, "L-10");
    let releases = project.releases("lieux");
    let service = Service::start(&project);
    let (old, new) = (&releases[0], &releases[1]);
    let file = format!("/lieux/releases/{new}/lieux.csv");
    let rows = format!("/api/v1/datasets/lieux/releases/{new}/tables/lieux/rows");
    service.get(&file).expect(200);
    service.get(&rows).expect(200);
    let named = format!("lieux@{new}");
    project.essaim(&["releases", "withdraw", &named, "--because", "Une colonne <était> décalée."]).expect(0);
    let gone = soon(&service, &file, 410);
    assert_eq!(gone.header("content-type"), Some("application/problem+json"));
    let told = gone.json();
    assert_eq!(told["code"], "withdrawn");
    assert_eq!(told["reason"], "Une colonne <était> décalée.");
    assert_eq!(told["release"], new.as_str());
    let page = service.ask("GET", &file, &[("Accept", "text/html")]).expect(410).text();
    assert!(
        page.contains("Cette édition a été retirée") && page.contains("Une colonne &lt;était&gt; décalée."),
        "{page}"
    );
    for path in [
        format!("/lieux/releases/{new}/"),
        format!("/lieux/releases/{new}/manifest.json"),
        format!("/lieux/releases/{new}/WITHDRAWN.json"),
        format!("/lieux/releases/{new}/never-there.csv"),
        format!("/api/v1/datasets/lieux/releases/{new}"),
        format!("/api/v1/datasets/lieux/releases/{new}/tables"),
        rows.clone(),
        format!("{rows}.csv"),
    ] {
        assert_eq!(service.get(&path).expect(410).json()["reason"], "Une colonne <était> décalée.", "{path}");
    }
    let latest = service.get("/lieux/latest/lieux.csv").expect(200);
    assert!(!latest.text().contains("L-10"), "the release before is current again");
    assert!(latest.header("content-location").unwrap().contains(old.as_str()));
    let listed = service.json("/api/v1/datasets/lieux/releases");
    assert_eq!(listed["releases"][0]["status"], "withdrawn");
    assert_eq!(listed["releases"][1]["status"], "current");
    project.essaim(&["releases", "restore", &named, "--because", "La colonne était juste."]).expect(0);
    soon(&service, &file, 200);
    assert_eq!(service.end().expect(0).stderr.lines().last(), Some("ended"));
}

#[test]
fn an_erased_release_is_gone_and_says_which_one_stands_in_its_place() {
    let project = published();
    let service = Service::start(&project);
    let old = project.releases("lieux").remove(0);
    let file = format!("/lieux/releases/{old}/lieux.csv");
    assert!(service.get(&file).expect(200).text().contains("L-02"));
    let because = "Demande d’effacement (RGPD, article 17).";
    project.essaim(&["releases", "erase", "lieux", "--key", "L-02", "--because", because]).expect(0);
    let gone = soon(&service, &file, 410).json();
    assert_eq!((gone["code"].as_str(), gone["reason"].as_str()), (Some("erased"), Some(because)));
    let new = gone["replaced_by"].as_str().unwrap();
    assert_eq!(new, format!("{old}-r1"));
    let rewritten = service.get(&format!("/lieux/releases/{new}/lieux.csv")).expect(200);
    assert!(!rewritten.text().contains("L-02"));
    let rows = service.json(&format!("/api/v1/datasets/lieux/releases/{new}/tables/lieux/rows?id=L-02"));
    assert_eq!(rows["total"], 0);
    service.end().expect(0);
}

#[test]
fn what_lies_in_the_store_and_was_never_committed_is_not_there() {
    let project = published();
    let release = project.releases("lieux").remove(0);
    let planted = [
        "lieux/releases/2020-01-01/lieux.csv".to_owned(),
        "lieux/releases/2020-01-01/manifest.json".to_owned(),
        format!("lieux/releases/{release}/brouillon.csv"),
        format!("lieux/releases/{release}/lieux.csv#1"),
        "lieux/latest/brouillon.csv".to_owned(),
        "lieux/latest/lieux.csv#17".to_owned(),
        "lieux/claims/2020-01-01.json".to_owned(),
        "lieux/.brouillon.html".to_owned(),
        "lieux/index.html~".to_owned(),
        ".env".to_owned(),
        "brouillon/releases/2020-01-01/lieux.csv".to_owned(),
        "brouillon/claims/2020-01-01.json".to_owned(),
    ];
    for path in &planted {
        project.write(&format!("data/public/{path}"), "SECRET");
    }
    project.write("data/private/SECRET", "SECRET");
    let service = Service::start(&project);
    let mut tried: Vec<String> = planted.iter().map(|path| format!("/{}", path.replace('#', "%23"))).collect();
    // What stands behind `#` never leaves a client.
    tried.extend(planted.iter().filter(|path| !path.contains('#')).map(|path| format!("/{path}")));
    tried.push("/lieux/log/00000000000000000002.json".to_owned());
    let claim = format!("lieux/claims/{release}.json");
    for spelled in [
        "/../private/SECRET".to_owned(),
        "/lieux/../../private/SECRET".to_owned(),
        "/%2e%2e/private/SECRET".to_owned(),
        "/%252e%252e/private/SECRET".to_owned(),
        "/..%2fprivate%2fSECRET".to_owned(),
        "/lieux/latest/..%2f..%2f..%2fprivate%2fSECRET".to_owned(),
        "/lieux/latest/%2e%2e/%2e%2e/%2e%2e/private/SECRET".to_owned(),
        "/lieux/latest/lieux.csv/../../../../private/SECRET".to_owned(),
        "/lieux\\..\\..\\private\\SECRET".to_owned(),
        "//etc/passwd".to_owned(),
        "/lieux//claims/2020-01-01.json".to_owned(),
        "/./lieux/claims/2020-01-01.json".to_owned(),
        "/lieux/./claims/2020-01-01.json".to_owned(),
        format!("/{claim}"),
        format!("/{}", claim.replace("claims", "%63laims")),
        format!("/{}", claim.replace("claims", "Claims")),
        format!("/{}", claim.replace("/claims/", "%2fclaims%2f")),
        format!("/{claim}?a=b"),
        format!("http://essaim.example/{claim}"),
    ] {
        tried.push(spelled);
    }
    for path in &tried {
        let answer = service.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        let text = answer.text();
        assert!(!text.contains("SECRET") && !text.contains("attempt") && !text.contains("root:"), "{path}: {text}");
    }
    assert!(fs::exists(project.path(&format!("data/public/{claim}"))).unwrap());
    service.end().expect(0);
}

#[test]
fn what_a_contract_keeps_private_is_in_no_answer() {
    let project = published();
    let service = Service::start(&project);
    let mut paths = vec![
        "/api/v1/datasets".to_owned(),
        "/api/v1/datasets/lieux".to_owned(),
        "/api/v1/datasets/lieux/releases/latest".to_owned(),
        "/api/v1/datasets/lieux/releases/latest/tables/lieux".to_owned(),
        "/api/v1/datasets/lieux/releases/latest/tables/lieux/rows".to_owned(),
        "/api/v1/datasets/lieux/releases/latest/tables/lieux/rows.csv".to_owned(),
        "/api/v1/datasets/lieux/releases/latest/tables/lieux/rows.geojson".to_owned(),
        "/metrics".to_owned(),
    ];
    let public = project.path("data/public");
    walk(&public, &mut |path| paths.push(format!("/{}", path.strip_prefix(&public).unwrap().display())));
    let mut bytes = 0;
    for path in &paths {
        let answer = service.get(path);
        bytes += answer.body.len();
        let found = answer.body.windows(PERSONAL.len()).any(|window| window == PERSONAL.as_bytes());
        assert!(!found, "{path} holds a personal value");
        assert!(!answer.text().contains("\"courriel\""), "{path} names a column that is not public");
    }
    assert!(bytes > 100_000, "there was something to look at");
    for query in ["courriel=x", "columns=courriel", "sort=courriel", "courriel__contains=hangar"] {
        let rows = format!("/api/v1/datasets/lieux/releases/latest/tables/lieux/rows?{query}");
        let refused = service.get(&rows).expect(400).json();
        assert!(!refused["allowed"].to_string().contains("courriel"), "{refused}");
    }
    service.end().expect(0);
}
