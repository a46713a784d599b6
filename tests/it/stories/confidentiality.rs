//! What nobody may read: contacts, answers without consent, small cells, personal values in free text.

mod cells;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use crate::harness::sample::{ANSWERS, REGISTRY, agrees, answers, planted_ids, public_id};
use crate::harness::{Project, python, walk};

const SHIPPED: &str = "cooperations-territoriales";

/// Columns of the directory that hold answers.
const ANSWER_COLUMNS: [&str; 11] = [
    "statut_juridique",
    "echelle_action",
    "reseaux",
    "types_cooperation",
    "thematiques",
    "modalites",
    "dimensions",
    "identification",
    "stades",
    "financements",
    "besoins",
];

fn released() -> Project {
    let project = Project::shipped();
    project.run();
    project
}

fn answers_file() -> String {
    format!("seeds/exemple/{ANSWERS}")
}

/// Whether any public file holds a text.
fn published_somewhere(project: &Project, text: &str) -> Option<String> {
    let mut found = None;
    walk(&project.path("data/public"), &mut |path| {
        let bytes = fs::read(path).unwrap();
        if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            found = Some(path.display().to_string());
        }
    });
    found
}

fn private_somewhere(project: &Project, text: &str) -> bool {
    let stored = project.stored();
    let mut private = stored.iter().filter(|(name, _)| name.starts_with("private/runs/"));
    private.any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(text))
}

#[test]
fn nothing_that_the_answers_hide_is_in_any_public_file() {
    let project = released();
    let printed = python("leaks.py", &[&project.path("data/public"), &project.path(&answers_file())]);
    let last = printed.lines().last().unwrap();
    assert!(last.ends_with(" files, 0 found"), "{last}");
    assert!(last.contains(" values of 62 answers looked for in "), "{last}");
}

#[test]
fn only_structures_that_agreed_are_in_the_directory() {
    let project = released();
    let agreed: BTreeSet<String> = answers()
        .iter()
        .filter(|(_, answer)| agrees(answer, "bf_consentement"))
        .map(|(page, _)| public_id(page))
        .collect();
    assert_eq!(agreed.len(), 49);
    let csv: BTreeSet<String> = project.csv(SHIPPED, "structures").into_iter().map(|row| row["id"].clone()).collect();
    assert_eq!(csv, agreed);
    let map: Value =
        serde_json::from_slice(&fs::read(project.latest(SHIPPED).join("structures.geojson")).unwrap()).unwrap();
    let features = map["features"].as_array().unwrap();
    let on_map: BTreeSet<String> =
        features.iter().map(|f| f["properties"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(on_map, agreed);
    let query = project.essaim(&["query", "SELECT id FROM structures ORDER BY id", "--format", "csv"]).expect(0);
    assert_eq!(query.stdout.lines().skip(1).map(str::to_owned).collect::<BTreeSet<_>>(), agreed);
    for (page, answer) in answers().iter().filter(|(_, answer)| !agrees(answer, "bf_consentement")) {
        assert_eq!(published_somewhere(&project, &public_id(page)), None, "{page}");
        let name = answer["bf_titre"].as_str().unwrap();
        assert_eq!(published_somewhere(&project, name), None, "{page}");
    }
}

#[test]
fn answers_stand_beside_a_name_only_where_that_was_agreed_too() {
    let project = released();
    let rows: BTreeMap<String, _> =
        project.csv(SHIPPED, "structures").into_iter().map(|row| (row["id"].clone(), row)).collect();
    let map: Value =
        serde_json::from_slice(&fs::read(project.latest(SHIPPED).join("structures.geojson")).unwrap()).unwrap();
    let features: BTreeMap<&str, &Value> = map["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feature| (feature["properties"]["id"].as_str().unwrap(), &feature["properties"]))
        .collect();
    let (mut shown, mut hidden) = (0, 0);
    for (page, answer) in answers().iter().filter(|(_, answer)| agrees(answer, "bf_consentement")) {
        let id = public_id(page);
        let (row, feature) = (&rows[&id], features[id.as_str()]);
        let open = agrees(answer, "bf_consentement_reponses");
        assert_eq!(row["reponses_publiees"], open.to_string(), "{page}");
        if open {
            shown += 1;
            // The keys of these two questions are our codes.
            assert_eq!(row["statut_juridique"], answer["bf_statut"].as_str().unwrap_or(""), "{page}");
            let sorted = |text: &str, mark: char| {
                let mut keys: Vec<&str> = text.split(mark).filter(|key| !key.is_empty()).collect();
                keys.sort_unstable();
                keys.join(",")
            };
            let besoins = answer["bf_besoins"].as_str().unwrap_or("");
            assert_eq!(sorted(&row["besoins"], '|'), sorted(besoins, ','), "{page}");
            assert!(!row["echelle_action"].is_empty(), "{page}");
            continue;
        }
        hidden += 1;
        for column in ANSWER_COLUMNS {
            assert_eq!(row[column], "", "{column} of {page}");
            assert!(feature[column].is_null(), "{column} of {page} on the map");
        }
    }
    assert_eq!((shown, hidden), (25, 24));
    // The same through the Parquet files.
    let columns = ANSWER_COLUMNS.map(|column| format!("{column} IS NOT NULL")).join(" OR ");
    let sql = format!("SELECT count(*) AS n FROM structures WHERE NOT reponses_publiees AND ({columns})");
    assert_eq!(project.essaim(&["query", &sql, "--format", "csv"]).expect(0).stdout, "n\n0\n");
}

#[test]
fn a_consent_that_is_withdrawn_takes_the_structure_out_of_the_next_release() {
    let project = released();
    let namesakes = |name: &Value| answers().iter().filter(|(_, answer)| answer["bf_titre"] == *name).count();
    let alone = |answer: &Value| agrees(answer, "bf_consentement") && namesakes(&answer["bf_titre"]) == 1;
    let (page, answer) = answers().into_iter().find(|(_, answer)| alone(answer)).unwrap();
    project.edit_json(&answers_file(), |entries| entries[&page]["bf_consentement"] = json!("non"));
    project.run();
    assert_eq!(project.csv(SHIPPED, "structures").len(), 48);
    for folder in ["latest", &format!("releases/{}", project.releases(SHIPPED)[1])] {
        let path = project.path(&format!("data/public/{SHIPPED}/{folder}"));
        walk(&path, &mut |file| {
            let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
            assert!(!text.contains(&public_id(&page)), "{}", file.display());
            assert!(!text.contains(answer["bf_titre"].as_str().unwrap()), "{}", file.display());
        });
    }
    // The answers still count.
    let row = project.csv(SHIPPED, "chiffres_cles").into_iter().next().unwrap();
    assert_eq!((row["indicateur"].as_str(), row["n"].as_str()), ("structures_repondantes", "62"));
}

/// Puts texts into cells of the registry, by id and position of the column.
fn plant(project: &Project, cells: &[(&str, usize, &str)]) {
    let path = format!("seeds/exemple/{REGISTRY}");
    let bytes = fs::read(project.path(&path)).unwrap();
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for (id, at, text) in cells {
        let start = format!("{id};");
        let line = lines.iter_mut().find(|line| line.starts_with(start.as_bytes())).unwrap();
        assert!(!line.contains(&b'"'), "{id} has quoted cells");
        let mut parts: Vec<&[u8]> = line.split(|byte| *byte == b';').collect();
        parts[*at] = text.as_bytes();
        *line = parts.join(&b';');
    }
    project.write(&path, lines.join(&b'\n'));
}

#[test]
fn personal_values_in_optional_cells_are_emptied_and_listed() {
    let project = Project::shipped();
    plant(
        &project,
        &[
            ("TL-0047", 13, "https://example.org/?ecrire=paul.durand@exemple.fr"),
            ("TL-0096", 3, "4 rue X 06 12 34 56 78"),
        ],
    );
    let (page, _) = answers().into_iter().find(|(_, answer)| agrees(answer, "bf_consentement")).unwrap();
    project.edit_json(&answers_file(), |entries| {
        entries[&page]["bf_site_web"] = json!("https://example.org/claire.martin@exemple.fr");
        entries[&page]["bf_besoins_autre"] = json!("Appeler Claire au +33 6 98 76 54 32");
    });
    project.run();
    for secret in ["paul.durand", "06 12 34 56 78", "claire.martin", "98 76 54 32"] {
        assert_eq!(published_somewhere(&project, secret), None, "{secret}");
        assert!(private_somewhere(&project, secret), "{secret} is not kept in the list of corrections");
    }
    let place = project.csv(SHIPPED, "reseaux_implantations").into_iter().find(|row| row["id"] == "TL-0047").unwrap();
    assert_eq!(place["site_web"], "");
    let found = |table: &str| -> Vec<(String, String)> {
        let rows = project.ledger("corrections", table).into_iter().filter(|row| row["regle"] == "donnee_personnelle");
        rows.map(|row| (row["colonne"].clone(), row["apres"].clone())).collect()
    };
    let emptied = |columns: [&str; 2]| columns.map(|column| (column.to_owned(), String::new())).to_vec();
    let sorted = |mut rows: Vec<(String, String)>| {
        rows.sort();
        rows
    };
    assert_eq!(sorted(found("tiers_lieux")), emptied(["adresse", "site_web"]));
    assert_eq!(sorted(found("reponses")), emptied(["besoins_autre", "site_web"]));
}

#[test]
fn personal_values_in_a_name_are_struck_out_and_the_row_stays() {
    let project = Project::shipped();
    plant(
        &project,
        &[("TL-0047", 1, "Chez Paul, paul.durand@exemple.fr"), ("TL-0096", 1, "Le Comptoir (06 12 34 56 78)")],
    );
    let consenting: Vec<String> =
        answers().into_iter().filter(|(_, answer)| agrees(answer, "bf_consentement")).map(|(page, _)| page).collect();
    project.edit_json(&answers_file(), |entries| {
        entries[&consenting[0]]["bf_titre"] = json!("Association de Claire, claire.martin@exemple.fr");
    });
    project.run();
    for secret in ["paul.durand", "06 12 34 56 78", "claire.martin", "exemple.fr"] {
        assert_eq!(published_somewhere(&project, secret), None, "{secret}");
    }
    let place =
        |id: &str| project.csv(SHIPPED, "reseaux_implantations").into_iter().find(|row| row["id"] == id).unwrap();
    assert!(place("TL-0047")["nom"].starts_with("Chez Paul"), "{}", place("TL-0047")["nom"]);
    assert!(place("TL-0096")["nom"].starts_with("Le Comptoir"), "{}", place("TL-0096")["nom"]);
    let structures = project.csv(SHIPPED, "structures");
    assert_eq!(structures.len(), 49, "an answer was lost");
    let row = structures.iter().find(|row| row["id"] == public_id(&consenting[0])).unwrap();
    assert!(row["nom"].starts_with("Association de Claire"), "{}", row["nom"]);
    assert_eq!(project.record()["tables"][0]["kept"], 62);
    assert_eq!(project.record()["tables"][0]["corrections"]["donnee_personnelle"], 1);
    assert_eq!(project.record()["tables"][2]["corrections"]["donnee_personnelle"], 2);
}

#[test]
fn a_personal_value_that_cannot_be_taken_out_blocks_the_release() {
    let project = Project::shipped();
    project.run();
    let before = project.public();
    plant(&project, &[("TL-0047", 0, "paul.durand@exemple.fr")]);
    let output = project.essaim(&["run"]).expect(1);
    assert_eq!(output.stdout, format!("{SHIPPED}\tblocked\t-\n"));
    assert!(output.stderr.contains("block no_personal_value of `reseaux_implantations`: 1 rows"), "{}", output.stderr);
    assert!(output.stderr.contains("id : courriel"), "{}", output.stderr);
    assert!(!output.stderr.contains("paul.durand"), "the value itself is shown: {}", output.stderr);
    assert!(before == project.public());
}

#[test]
fn rejected_rows_stay_in_the_private_store() {
    let project = released();
    let mut ids = planted_ids(REGISTRY, "too_few_cells");
    ids.extend(planted_ids(REGISTRY, "too_many_cells"));
    for id in ids {
        assert_eq!(published_somewhere(&project, &id), None, "{id}");
        assert!(private_somewhere(&project, &id), "{id} is not among the rejects");
    }
    // The row without id, by its name.
    let name = "Tiers-lieu synthétique 255 – La Lanterne de l’œuvre commune";
    assert_eq!(published_somewhere(&project, name), None);
    assert!(private_somewhere(&project, name));
}

#[test]
fn nothing_public_tells_the_digest_of_a_private_snapshot() {
    let project = released();
    let mut digests = 0;
    for source in ["questionnaire", "fabriques", "tiers-lieux"] {
        let snapshot = project.json(&format!("data/private/snapshots/{source}/{:020}.json", 1));
        let parts = snapshot["parts"].as_array().unwrap().iter().map(|part| &part["digest"]);
        for digest in parts.chain([&snapshot["digest"]]) {
            assert_eq!(published_somewhere(&project, digest.as_str().unwrap()), None, "{source}");
            digests += 1;
        }
    }
    assert_eq!(digests, 8);
}
