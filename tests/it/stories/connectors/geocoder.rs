//! A geocoder, replayed: docs/examples/geocoder and what becomes of it.

use std::collections::BTreeMap;
use std::fs;

use sha2::{Digest as _, Sha256};

use super::examples::example;
use crate::harness::{Project, Reply, Upstream};

const SERVICE: &str = "https://data.geopf.fr/geocodage/";

/// Origin and point of each place in the current release.
fn places(project: &Project) -> BTreeMap<String, (String, String, String)> {
    let rows = project.csv("lieux", "lieux").into_iter();
    rows.map(|row| {
        (row["id"].clone(), (row["position_origine"].clone(), row["longitude"].clone(), row["latitude"].clone()))
    })
    .collect()
}

/// Questions of a request, by their number: address, INSEE code.
fn questions(body: &str) -> Vec<(String, String, String)> {
    let csv = body.split("charset=utf-8\r\n\r\n").nth(1).unwrap().split("\r\n--").next().unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap(), vec!["n", "adresse", "code_insee", "code_postal"]);
    let rows = reader.records().map(|row| row.unwrap());
    rows.map(|row| (row[0].to_owned(), row[1].to_owned(), row[2].to_owned())).collect()
}

/// What the service answers: by address, kind, score and point.
fn answer(questions: &[(String, String, String)], known: &[(&str, &str, &str, &str)]) -> Reply {
    let mut csv = "n,adresse,code_insee,code_postal,longitude,latitude,result_label,result_score,result_score_next,\
                   result_type,result_citycode,result_status\n"
        .to_owned();
    for (n, address, insee) in questions {
        let (_, kind, score, point) = known.iter().find(|(known, ..)| known == address).unwrap();
        let row = [n, address, insee, "", point, address, score, "", kind, insee, "ok"].join(",");
        csv = csv + &row + "\n";
    }
    Reply::ok(csv)
}

fn ask(project: &Project, from: &str, to: &Upstream) {
    project.replace("pipelines/lieux.toml", from, &to.url("geocodage/"));
}

#[test]
fn rows_without_a_point_are_placed_at_their_address_and_nobody_is_asked_twice() {
    // The service is away: rows stay where they are, the dataset is published, and somebody must look.
    let away = Upstream::start(vec![Reply::status("503 Service Unavailable")]);
    let project = example("geocoder", "lieux", &[(SERVICE, away.url("geocodage/"))]);
    project.replace("pipelines/lieux.toml", "[source.adresses.geocoder]", "[source.adresses.geocoder]\nattempts = 1");
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("rows without one stay at the centre of their commune"), "{}", output.stderr);
    let before = places(&project);
    let origins: Vec<&str> = before.values().map(|(origin, ..)| origin.as_str()).collect();
    assert_eq!(origins, ["centre_commune", "centre_commune", "source", "centre_commune", "centre_commune"]);
    let remarks = project.record()["tables"].to_string();
    assert!(remarks.contains("sans réponse du service : 3"), "{remarks}");

    // Three addresses were asked for, in their communes, and nothing else left.
    let body = away.bodies().remove(0);
    let mut asked = questions(&body);
    for private in ["Maison du port", "Fournil", "place du Marché", "Sans adresse"] {
        assert!(!body.contains(private), "{body}");
    }
    let known = [
        ("8 boulevard du Port", "housenumber", "0.93", "-4.1005,47.9951"),
        ("12 rue Haute", "municipality", "0.81", "-1.68,48.11"),
        ("3 rue Basse", "housenumber", "0.62", "-1.6701,48.1122"),
        ("9 boulevard du Port", "housenumber", "0.91", "-4.1006,47.9952"),
    ];
    let service = Upstream::start(vec![answer(&asked, &known)]);
    ask(&project, &away.url("geocodage/"), &service);
    project.run();
    let after = places(&project);
    let at =
        |origin: &str, longitude: &str, latitude: &str| (origin.to_owned(), longitude.to_owned(), latitude.to_owned());
    assert_eq!(after["lieu-1"], at("geocodeur", "-4.1005", "47.9951"));
    assert_eq!(after["lieu-5"], at("geocodeur", "-1.6701", "48.1122"));
    // A commune is no answer to a number in a street.
    for same in ["lieu-2", "lieu-3", "lieu-4"] {
        assert_eq!(after[same], before[same]);
    }
    let remarks = project.record()["tables"].to_string();
    assert!(remarks.contains("placées à leur adresse : 2, laissées au centre de leur commune : 1 (réponse plus grossière que la question : 1)"), "{remarks}");
    asked.sort_by(|a, b| a.1.cmp(&b.1));
    let asked: Vec<(&str, &str)> = asked.iter().map(|(_, address, insee)| (address.as_str(), insee.as_str())).collect();
    assert_eq!(asked, [("12 rue Haute", "35238"), ("3 rue Basse", "35238"), ("8 boulevard du Port", "29232")]);

    // All answers are known now, and the release is made again without anybody.
    let output = project.run();
    assert_eq!(output.stdout, "lieux\tunchanged\t[DATE].2\n");
    assert_eq!(service.requests().len(), 1);
    let release = project.releases("lieux").pop().unwrap();
    project.essaim(&["reproduce", &format!("lieux@{release}")]).expect(0);
    assert_eq!(service.requests().len(), 1);
    let manifest = project.json("data/public/lieux/latest/manifest.json");
    let cited: Vec<&str> =
        manifest["sources"].as_array().unwrap().iter().map(|source| source["source"].as_str().unwrap()).collect();
    assert_eq!(cited, ["fichier", "adresses"]);
    for (name, bytes) in project.stored().iter().filter(|(name, _)| name.starts_with("private/snapshots/adresses/")) {
        assert!(!String::from_utf8_lossy(bytes).contains("Port"), "{name} holds an address");
    }

    // An address that changes is another question.
    let changed = Upstream::start(vec![answer(
        &[("0".to_owned(), "9 boulevard du Port".to_owned(), "29232".to_owned())],
        &known,
    )]);
    ask(&project, &service.url("geocodage/"), &changed);
    project.replace("seeds/lieux.csv", "8 bd du Port", "9 bd du Port");
    project.run();
    assert_eq!(questions(&changed.bodies()[0]).len(), 1);
    assert_eq!(places(&project)["lieu-1"], at("geocodeur", "-4.1006", "47.9952"));
}

#[test]
fn an_erased_record_leaves_no_answer_behind() {
    let away = Upstream::start(vec![Reply::status("503 Service Unavailable")]);
    let project = example("geocoder", "lieux", &[(SERVICE, away.url("geocodage/"))]);
    project.replace("pipelines/lieux.toml", "[source.adresses.geocoder]", "[source.adresses.geocoder]\nattempts = 1");
    project.essaim(&["run"]).expect(1);
    let mut asked = questions(&away.bodies()[0]);
    let known = [
        ("8 boulevard du Port", "housenumber", "0.93", "-4.1005,47.9951"),
        ("12 rue Haute", "housenumber", "0.91", "-1.6801,48.1101"),
        ("3 rue Basse", "housenumber", "0.62", "-1.6701,48.1122"),
    ];
    let first = answer(&asked, &known);
    asked.retain(|(_, address, _)| address != "8 boulevard du Port");
    for (at, question) in asked.iter_mut().enumerate() {
        question.0 = at.to_string();
    }
    let service = Upstream::start(vec![first, answer(&asked, &known)]);
    ask(&project, &away.url("geocodage/"), &service);
    project.run();
    let because = "Demande d’effacement (RGPD, article 17).";
    project.essaim(&["releases", "erase", "lieux", "--key", "lieu-1", "--because", because]).expect(0);
    // The official geography has many numbers, that one too.
    for (name, bytes) in project.stored().iter().filter(|(name, _)| !name.starts_with("private/reference/")) {
        assert!(!String::from_utf8_lossy(bytes).contains("4.1005"), "{name} says where it is");
    }
    // The others are asked for anew; the file still has the record, and it is left out.
    project.run();
    assert_eq!(questions(&service.bodies()[1]), asked);
    let places = places(&project);
    assert_eq!(
        (places.get("lieu-1"), places["lieu-2"].0.as_str(), places["lieu-5"].0.as_str()),
        (None, "geocodeur", "geocodeur")
    );
}

/// Makes all answers of the geocoder a number of days older.
fn age(project: &Project, days: i64) {
    let folder = project.path("data/private/snapshots/adresses");
    let numbers = fs::read_dir(&folder).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".json")?.parse::<u64>().ok()
    });
    let index = format!("data/private/snapshots/adresses/{:020}.json", numbers.max().unwrap());
    let part = project.json(&index)["parts"][0]["digest"].as_str().unwrap().to_owned();
    let kept = fs::read_to_string(folder.join("parts").join(part)).unwrap();
    let mut older = String::new();
    for line in kept.lines() {
        let mut answer: serde_json::Value = serde_json::from_str(line).unwrap();
        let asked: chrono::DateTime<chrono::Utc> = answer["asked"].as_str().unwrap().parse().unwrap();
        answer["asked"] = (asked - chrono::TimeDelta::days(days)).to_rfc3339().into();
        older += &answer.to_string();
        older.push('\n');
    }
    assert_ne!(older, kept);
    let digest = hex::encode(Sha256::digest(&older));
    fs::write(folder.join("parts").join(&digest), &older).unwrap();
    project.edit_json(&index, |snapshot| {
        snapshot["parts"][0]["digest"] = digest.into();
        snapshot["parts"][0]["bytes"] = older.len().into();
    });
}

#[test]
fn a_doubtful_answer_is_asked_for_again_after_a_week_and_a_good_one_is_not() {
    let away = Upstream::start(vec![Reply::status("503 Service Unavailable")]);
    let project = example("geocoder", "lieux", &[(SERVICE, away.url("geocodage/"))]);
    project.replace("pipelines/lieux.toml", "[source.adresses.geocoder]", "[source.adresses.geocoder]\nattempts = 1");
    project.essaim(&["run"]).expect(1);
    let asked = questions(&away.bodies()[0]);
    let known = |score| {
        [
            ("8 boulevard du Port", "housenumber", "0.93", "-4.1005,47.9951"),
            ("12 rue Haute", "housenumber", "0.91", "-1.6801,48.1101"),
            ("3 rue Basse", "housenumber", score, "-1.6701,48.1122"),
        ]
    };
    let doubtful = [("0".to_owned(), "3 rue Basse".to_owned(), "35238".to_owned())];
    let service = Upstream::start(vec![answer(&asked, &known("0.41")), answer(&doubtful, &known("0.88"))]);
    ask(&project, &away.url("geocodage/"), &service);
    project.run();
    assert_eq!(places(&project)["lieu-5"].0, "centre_commune");
    age(&project, 6);
    project.run();
    assert_eq!(service.requests().len(), 1);
    age(&project, 2);
    project.run();
    assert_eq!(questions(&service.bodies()[1]), doubtful);
    assert_eq!(places(&project)["lieu-5"].0, "geocodeur");
    age(&project, 30);
    project.run();
    assert_eq!(service.requests().len(), 2);
}

#[test]
fn whoever_does_not_agree_to_be_shown_is_not_asked_about() {
    let service = Upstream::start(vec![Reply::status("503 Service Unavailable")]);
    let table = (
        "source = \"fichier\"\n",
        "source = \"fichier\"\nconsent = { row = \"visible\", answers = \"detail\" }\n".to_owned(),
    );
    let publish = ("tables = [\"lieux\"]", "tables = [\"visibles\"]".to_owned());
    let project = example("geocoder", "lieux", &[(SERVICE, service.url("geocodage/")), table, publish]);
    project.replace("pipelines/lieux.toml", "[source.adresses.geocoder]", "[source.adresses.geocoder]\nattempts = 1");
    project.edit_json("schemas/lieux.schema.json", |contract| {
        for name in ["visible", "detail"] {
            let field = serde_json::json!({
                "name": name, "type": "boolean", "title": name, "essaim": {"visibility": "restricted"}
            });
            contract["fields"].as_array_mut().unwrap().push(field);
        }
    });
    project.write("sql/lieux/visibles.sql", "SELECT id, nom FROM lieux_publiques ORDER BY id");
    let public = |name: &str| serde_json::json!({"name": name, "type": "string", "title": name, "essaim": {"visibility": "public"}});
    let contract =
        serde_json::json!({"title": "Visibles", "fields": [public("id"), public("nom")], "primaryKey": ["id"]});
    project.write("schemas/visibles.schema.json", contract.to_string());
    let consents = [("lat", ",visible,detail"), ("Port,29000,Quimper,,", ",oui,oui"), ("Rennes,,", ",non,oui")];
    let file = project.read("seeds/lieux.csv");
    let lines = file.lines().map(|line| {
        let found = consents.iter().find(|(end, _)| line.ends_with(end));
        format!("{line}{}\n", found.map_or(",,", |(_, more)| more))
    });
    project.write("seeds/lieux.csv", lines.collect::<String>());
    project.essaim(&["run"]).expect(1);
    let asked = questions(&service.bodies()[0]);
    let asked: Vec<&str> = asked.iter().map(|(_, address, _)| address.as_str()).collect();
    assert_eq!(asked, ["8 boulevard du Port"]);
    let shown: Vec<String> = project.csv("lieux", "visibles").into_iter().map(|row| row["id"].clone()).collect();
    assert_eq!(shown, ["lieu-1"]);
}

#[test]
fn an_address_that_is_not_public_never_leaves() {
    let upstream = Upstream::start(Vec::new());
    let project = example("geocoder", "lieux", &[(SERVICE, upstream.url("geocodage/"))]);
    project.edit_json("schemas/lieux.schema.json", |contract| {
        contract["fields"][2]["essaim"]["visibility"] = "restricted".into();
    });
    let output = project.essaim(&["run"]).expect(2);
    assert!(output.stderr.contains("pipeline::geocode"), "{}", output.stderr);
    assert!(output.stderr.contains("`adresse` is not public and would be sent to the geocoder"), "{}", output.stderr);
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn without_the_table_that_says_so_no_address_leaves() {
    let upstream = Upstream::start(Vec::new());
    let geocode = "[table.lieux.geocode]\nsource = \"adresses\"\naddress = \"adresse\"\n";
    let project = example("geocoder", "lieux", &[(SERVICE, upstream.url("geocodage/")), (geocode, String::new())]);
    project.run();
    assert_eq!(upstream.requests().len(), 0);
    assert!(places(&project).values().all(|(origin, ..)| origin != "geocodeur"));
}
