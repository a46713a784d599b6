//! What the owner of a registry is told: a page and a list, with every case and without personal data.

use std::collections::BTreeMap;

use crate::harness::Project;
use crate::harness::sample::registry_text;

/// Cases of the list for an owner.
fn cases(project: &Project, source: &str) -> Vec<BTreeMap<String, String>> {
    let bytes = project.run_file(&format!("proprietaires/{source}.csv"));
    let text = bytes.strip_prefix("\u{feff}").expect("a byte order mark, for spreadsheets");
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// How many cases of some kinds have each code.
fn counted(cases: &[BTreeMap<String, String>], kinds: &[&str]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for case in cases.iter().filter(|case| kinds.contains(&case["nature"].as_str())) {
        *counts.entry(case["code"].clone()).or_default() += 1;
    }
    counts
}

fn of_record(table: &serde_json::Value, list: &str) -> BTreeMap<String, u64> {
    serde_json::from_value(table[list].clone()).unwrap()
}

#[test]
fn the_owners_of_the_shipped_registries_are_told_every_case_and_respondents_nobody() {
    let project = Project::shipped();
    let output = project.run();
    let record = project.record();
    assert_eq!(record["owners"], serde_json::json!(["fabriques", "tiers-lieux"]), "the survey's rows are answers");
    assert!(output.stderr.contains("/proprietaires/   a page and a list"), "{}", output.stderr);
    let table = record["tables"].as_array().unwrap().iter().find(|table| table["table"] == "tiers_lieux").unwrap();
    let cases = cases(&project, "tiers-lieux");
    assert_eq!(counted(&cases, &["rejet", "doublon"]), of_record(table, "rejects"));
    assert_eq!(counted(&cases, &["correction", "lieu"]), of_record(table, "corrections"));
    let unfit: u64 = counted(&cases, &["cellule"]).values().sum();
    assert_eq!(unfit, of_record(table, "unfit").values().sum::<u64>());
    let registry = registry_text();
    let lines: Vec<&str> = registry.split('\n').collect();
    for case in cases.iter().filter(|case| !case["cle"].is_empty()) {
        let line = lines[case["ligne"].parse::<usize>().unwrap() - 1];
        assert!(line.starts_with(&format!("{};", case["cle"])), "{case:?} is not on the line {line}");
    }
    let page = project.run_file("proprietaires/tiers-lieux.html");
    for part in ["Tiers-lieux (exemple synthétique)", "point 0, 0", "Doublons", "Données synthétiques"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script"));
}

const ESSAIM: &str = r#"[project]
public_url = "https://donnees.example.org/"
key = "une-cle-de-test-assez-longue"

[publisher]
name = "Réseau de test"

[stores]
private = "data/private"
public = "data/public"
"#;

const PIPELINE: &str = r#"title = "Lieux"
description = "Des lieux inventés."
licence = "etalab-2.0"

[source.lieux]
title = "Annuaire des lieux"
licence = "etalab-2.0"
publisher = "Mairie de Test"
file.path = "seeds/lieux.csv"

[table.lieux]
source = "lieux"
csv = {}

[table.lieux.columns]
numero = "NUMERO"
nom = "NOM"
accueil = { from = "ACCUEIL", html = true }
responsable = { from = "RESPONSABLE", html = true }
ouverture = "OUVERTURE"
naissance = "NAISSANCE"

[[table.lieux.reject]]
column = "ETAT"
matches = "^fermé"
reason = "lieu_ferme"

[publish]
tables = ["lieux"]
"#;

const SCHEMA: &str = r#"{"title": "Lieux", "description": "Des lieux inventés.", "primaryKey": "numero", "fields": [
  {"name": "numero", "type": "string", "title": "Numéro", "description": "Numéro.", "constraints": {"required": true, "pattern": "L\\d+"}, "essaim": {"visibility": "public"}},
  {"name": "nom", "type": "string", "title": "Nom", "description": "Nom.", "constraints": {"required": true}, "essaim": {"visibility": "public"}},
  {"name": "accueil", "type": "string", "title": "Accueil", "description": "Accueil.", "essaim": {"visibility": "public"}},
  {"name": "responsable", "type": "string", "title": "Responsable", "description": "Responsable.", "essaim": {"visibility": "personal"}},
  {"name": "ouverture", "type": "date", "title": "Ouverture", "description": "Ouverture.", "essaim": {"visibility": "public"}},
  {"name": "naissance", "type": "date", "title": "Naissance", "description": "Naissance.", "essaim": {"visibility": "personal"}}]}"#;

/// Line 1 is the header. Personal values are planted in a personal column, in a column that nothing maps, in public
/// columns of kept and of rejected rows, in a key that cannot be read, and in the cell that a rule looks at.
const REGISTRY: &str = "NUMERO,NOM,ACCUEIL,RESPONSABLE,OUVERTURE,NAISSANCE,ETAT,NOTE
L1,La Ruche,<b>Lundi</b>,<i>Camille Secret</i>,2024-01-02,1970-13-41,ouvert,Dominique Caché
L2,L'Atelier,écrire à planted@example.org,Camille Secret,bientôt,1980-01-01,ouvert,Dominique Caché
L1,La Ruche bis,tél. 06 12 34 56 78,Camille Secret,2024-01-02,1980-01-01,ouvert,Dominique Caché
cle.planted@example.org,Sans numéro,,Camille Secret,2024-01-02,1980-01-01,ouvert,Dominique Caché
L5,,=1+1,Camille Secret,2024-01-02,1980-01-01,ouvert,Dominique Caché
L6,La Grange,Mardi,Camille Secret,2024-01-02,1980-01-01,fermé par Dominique Caché,Dominique Caché
L7,Le Pré,Mercredi,Camille Secret,demander au 07 98 76 54 32,1980-01-01,ouvert,Dominique Caché
L8,Chez nous, et chez vous,Jeudi,Camille Secret,2024-01-02,1980-01-01,ouvert,Dominique Caché
";

fn planted() -> Project {
    let project = Project::empty();
    project.write("essaim.toml", ESSAIM);
    project.write("pipelines/lieux.toml", PIPELINE);
    project.write("schemas/lieux.schema.json", SCHEMA);
    project.write("seeds/lieux.csv", REGISTRY);
    project.run();
    project
}

#[test]
fn no_personal_value_is_in_what_an_owner_is_sent() {
    let project = planted();
    let (page, list) = (project.run_file("proprietaires/lieux.html"), project.run_file("proprietaires/lieux.csv"));
    for text in [&page, &list] {
        for value in [
            "planted",
            "example.org",
            "34 56 78",
            "76 54 32",
            "Camille",
            "Secret",
            "Dominique",
            "Caché",
            "1970-13-41",
            "1980",
        ] {
            assert!(!text.contains(value), "{value} in {text}");
        }
        for value in ["La Ruche bis", "La Grange", "bientôt", "L7"] {
            assert!(text.contains(value), "{value} is public, and not in {text}");
        }
    }
    assert!(page.contains("À l’attention de Mairie de Test") && page.contains("Annuaire des lieux"));
}

#[test]
fn each_case_says_its_line_its_key_and_why() {
    let project = planted();
    let cases = cases(&project, "lieux");
    let find = |nature: &str, code: &str| {
        let mut found = cases.iter().filter(|case| case["nature"] == nature && case["code"] == code);
        let case = found.next().unwrap_or_else(|| panic!("no {nature} {code} in {cases:?}"));
        (case["ligne"].as_str(), case["enregistrement"].as_str(), case["cle"].as_str(), case)
    };
    let (line, row, key, case) = find("doublon", "doublon");
    assert_eq!((line, row, key), ("4", "3", "L1"));
    assert!(case["explication"].contains("l’enregistrement 1"), "{case:?}");
    assert_eq!(case["cellules"], "NUMERO : L1 | NOM : La Ruche bis | ACCUEIL : tél. […] | OUVERTURE : 2024-01-02");
    let (line, row, key, case) = find("rejet", "cle_manquante");
    assert_eq!((line, row, key), ("5", "4", "[…]"));
    assert_eq!(case["colonne"], "NUMERO");
    let (line, _, key, case) = find("rejet", "colonne_requise_illisible");
    assert_eq!((line, key, case["colonne"].as_str()), ("6", "L5", "NOM"));
    assert!(case["cellules"].contains("ACCUEIL : =1+1"), "inside of a text it is no formula: {case:?}");
    let (_, _, _, case) = find("rejet", "lieu_ferme");
    assert!(case["explication"].contains("la colonne « ETAT » a la forme ^fermé"), "{case:?}");
    let dates: Vec<_> = cases.iter().filter(|case| case["code"] == "date_illisible").collect();
    let shown: Vec<_> = dates.iter().map(|case| (case["cle"].as_str(), case["avant"].as_str())).collect();
    assert_eq!(shown, [("L1", "(non montré)"), ("L2", "bientôt"), ("L7", "demander au […]")]);
    let (line, _, key, case) = find("correction", "donnee_personnelle");
    assert_eq!((line, key, case["avant"].as_str(), case["apres"].as_str()), ("3", "L2", "écrire à […]", ""));
    let html: Vec<_> = cases.iter().filter(|case| case["code"] == "html_en_texte").collect();
    let shown: Vec<_> = html.iter().map(|case| (case["avant"].as_str(), case["apres"].as_str())).collect();
    assert_eq!(shown, [("<b>Lundi</b>", "Lundi"), ("(non montré)", "(non montré)")]);
    let (line, row, key, case) = find("rejet", "nombre_de_cellules");
    assert_eq!((line, row, key, case["cellules"].as_str()), ("9", "8", "", ""), "cells may stand in any column");
    assert_eq!(cases.len(), 11);
}

#[test]
fn a_page_stays_short_and_says_that_the_list_has_all() {
    let project = planted();
    let row = |row: u32| format!("L{row},Lieu {row},Lundi,X,=jamais,1980-01-01,ouvert,\n");
    let rows: Vec<String> = (1..=1203).map(row).collect();
    let registry = "NUMERO,NOM,ACCUEIL,RESPONSABLE,OUVERTURE,NAISSANCE,ETAT,NOTE\n".to_owned() + &rows.concat();
    project.write("seeds/lieux.csv", registry);
    project.replace("pipelines/lieux.toml", "csv = {}", "csv = {}\ndrift = \"accept\"");
    project.run();
    let page = project.run_file("proprietaires/lieux.html");
    assert!(page.contains("Les 500 premiers cas sur 1\u{202f}203"), "{}", page.len());
    assert_eq!(page.matches("date illisible</td>").count(), 500);
    let cases = cases(&project, "lieux");
    assert_eq!(cases.len(), 1203);
    assert!(cases.iter().all(|case| case["avant"] == "'=jamais"), "no spreadsheet runs it");
}

#[test]
fn a_source_column_of_which_a_part_is_personal_is_not_shown_nor_what_a_public_id_is_made_of() {
    let project = Project::empty();
    project.write("essaim.toml", ESSAIM);
    let columns = "numero = { from = \"NUMERO\", keyed = true }\nresponsable = \"qui.nom\"";
    let derive =
        "csv = {}\n\n[table.lieux.derive]\nqui = { from = \"ACCUEIL\", pattern = '^(?<lieu>.*), chez (?<nom>.*)$' }";
    let pipeline = PIPELINE.replace("numero = \"NUMERO\"", columns).replace("csv = {}", derive);
    let own = "responsable = { from = \"RESPONSABLE\", html = true }\n";
    project.write("pipelines/lieux.toml", pipeline.replace(own, ""));
    project.write(
        "schemas/lieux.schema.json",
        SCHEMA.replace("\"required\": true, \"pattern\": \"L\\\\d+\"", "\"required\": true"),
    );
    project.write("seeds/lieux.csv", "NUMERO,NOM,ACCUEIL,OUVERTURE,NAISSANCE,ETAT\nsecret-1,La Ruche,\"Hall, chez Camille\",hier,,\nsecret-2,,\"Hall, chez Camille\",hier,,\n");
    project.run();
    for name in ["proprietaires/lieux.html", "proprietaires/lieux.csv"] {
        let text = project.run_file(name);
        assert!(!text.contains("secret-") && !text.contains("Camille") && text.contains("hier"), "{text}");
    }
    let kept = cases(&project, "lieux").into_iter().find(|case| case["nature"] == "cellule").unwrap();
    assert_eq!(kept["cle"].len(), 16, "the public id");
}

#[test]
fn what_is_typed_into_a_closed_column_is_shown_only_when_it_looks_like_an_option() {
    let project = Project::empty();
    project.write("essaim.toml", ESSAIM);
    project.write("pipelines/lieux.toml", PIPELINE.replace("nom = \"NOM\"", "nom = \"NOM\"\nstatut = \"STATUT\""));
    let field = r#"{"name": "statut", "type": "string", "title": "Statut", "description": "Statut.", "essaim": {"visibility": "public", "codes": "statuts"}},"#;
    project.write(
        "schemas/lieux.schema.json",
        SCHEMA.replace("  {\"name\": \"accueil\"", &format!("  {field}\n  {{\"name\": \"accueil\"")),
    );
    project.write(
        "seeds/codes/statuts.csv",
        "code,label,label_en,aliases\nassociation,Association,Association,\nscic,Coopérative,Cooperative,\n",
    );
    let registry = "NUMERO,NOM,STATUT,ACCUEIL,RESPONSABLE,OUVERTURE,NAISSANCE,ETAT\n\
        L1,La Ruche,Asociation,x,,2024-01-02,,\nL2,La Halle,Camille Secret,x,,2024-01-02,,\n\
        L3,,demander à Camille Secret,x,,2024-01-02,,\nL4,,Coopérative,x,,2024-01-02,,\n";
    project.write("seeds/lieux.csv", registry);
    project.run();
    for name in ["proprietaires/lieux.html", "proprietaires/lieux.csv"] {
        let text = project.run_file(name);
        assert!(!text.contains("Secret") && text.contains("Asociation"), "{text}");
    }
    let cases = cases(&project, "lieux");
    let of = |nature: &str| -> Vec<_> { cases.iter().filter(|case| case["nature"] == nature).collect() };
    let cells = of("cellule");
    assert_eq!(
        cells.iter().map(|case| (&*case["cle"], &*case["avant"])).collect::<Vec<_>>(),
        [("L1", "Asociation"), ("L2", "(non montré)")]
    );
    assert_eq!(cells[1]["colonne"], "STATUT");
    let rejects = of("rejet");
    assert!(rejects[0]["cellules"].contains("STATUT : (non montré)"), "{:?}", rejects[0]);
    assert!(rejects[1]["cellules"].contains("STATUT : Coopérative"), "{:?}", rejects[1]);
}
