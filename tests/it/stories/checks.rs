//! What is said of published tables before they are published, and what happens when it is not true.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::Project;

const RAW: &str = "id,etat,code,jour,ref,tags,actif,age,reseau\n\
    1,ouvert,abc,2000-01-01,A,a|b,oui,1,R1\n\
    2,en travaux,x,2001-05-05,A,b,oui,2,R2\n\
    3,fermé,abcdef,2020-02-29,B,a|b|a,oui,7,\n\
    4,,,,A,,,,R9\n\
    5,fermé,été,1999-12-31,B,c,oui,3,R9\n\
    6,ouvert,ab,2024-01-01,C,a,oui,3,R1\n\
    7,ouvert,abcde,2024-01-01,D,a,non,0,R2\n";

fn field(name: &str, kind: &str, constraints: &Value) -> Value {
    let public = json!({"visibility": "public"});
    json!({"name": name, "type": kind, "title": name, "description": "Inventé.", "constraints": constraints, "essaim": public})
}

/// Columns with one constraint each.
fn constrained() -> Vec<Value> {
    vec![
        field("id", "string", &json!({"required": true})),
        field("etat", "string", &json!({"enum": ["ouvert", "fermé"]})),
        field("code", "string", &json!({"minLength": 2, "maxLength": 5})),
        field("jour", "date", &json!({"minimum": "2000-01-01"})),
        field("ref", "string", &json!({"unique": true})),
        field("tags", "list", &json!({"enum": ["a", "b"], "maxLength": 2})),
        field("actif", "boolean", &json!({"enum": [true]})),
        field("age", "integer", &json!({"exclusiveMinimum": 0})),
        field("reseau", "string", &json!({})),
    ]
}

/// A project with places and networks, in which the model `annuaire` copies the places under a contract of its own.
fn places() -> Project {
    let project = Project::empty();
    project.write(
        "essaim.toml",
        "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\
         [publisher]\nname = \"Essai\"\n",
    );
    project.write("data-in/lieux.csv", RAW);
    project.write("data-in/reseaux.csv", "id,nom\nR1,Un\nR2,Deux\n");
    project.write(
        "pipelines/lieux.toml",
        "title = \"Lieux\"\ndescription = \"Lieux d’essai\"\nlicence = \"etalab-2.0\"\n\
         [source.lieux]\nlicence = \"etalab-2.0\"\nfile = { path = \"data-in/lieux.csv\" }\n\
         [source.reseaux]\nlicence = \"etalab-2.0\"\nfile = { path = \"data-in/reseaux.csv\" }\n\
         [table.lieux]\nsource = \"lieux\"\ncsv = {}\n[table.reseaux]\nsource = \"reseaux\"\ncsv = {}\n\
         [publish]\ntables = [\"annuaire\", \"reseaux\"]\n",
    );
    project.write("sql/lieux/annuaire.sql", "SELECT * FROM lieux\n");
    let plain = |column: Value| field(column["name"].as_str().unwrap(), column["type"].as_str().unwrap(), &json!({}));
    let loose: Vec<Value> = constrained().into_iter().map(plain).collect();
    schema(&project, "lieux", &json!({"fields": loose, "primaryKey": ["id"]}));
    schema(
        &project,
        "annuaire",
        &json!({"fields": constrained(), "primaryKey": ["id"],
        "foreignKeys": [{"fields": "reseau", "reference": {"resource": "reseaux", "fields": "id"}}]}),
    );
    let networks = [field("id", "string", &json!({"required": true})), field("nom", "string", &json!({}))];
    schema(&project, "reseaux", &json!({"fields": networks, "primaryKey": "id"}));
    project
}

fn schema(project: &Project, table: &str, schema: &Value) {
    project.write(&format!("schemas/{table}.schema.json"), serde_json::to_string_pretty(schema).unwrap());
}

/// Adds to the pipeline file.
fn declare(project: &Project, text: &str) {
    project.write("pipelines/lieux.toml", format!("{}\n{text}", project.read("pipelines/lieux.toml")));
}

fn failed(project: &Project) -> BTreeMap<String, u64> {
    let record = project.record();
    let checks = record["failed_checks"].as_array().unwrap().iter();
    checks.map(|check| (check["id"].as_str().unwrap().to_owned(), check["failing_rows"].as_u64().unwrap())).collect()
}

#[test]
fn published_rows_that_break_a_constraint_block_the_release_and_are_counted() {
    let project = places();
    let output = project.essaim(&["run"]).expect(1);
    // Counted by hand in RAW: `x` is too short and `abcdef` too long, `été` is three characters; A stands three times and
    // B twice; `c` is not allowed and `a|b|a` too long; R9 is no network, and stands twice.
    let expected = [
        ("enum:actif", 1),
        ("enum:etat", 1),
        ("enum:tags", 1),
        ("foreign_key:reseau", 2),
        ("length:code", 2),
        ("length:tags", 1),
        ("range:age", 1),
        ("range:jour", 1),
        ("unique:ref", 5),
    ];
    assert_eq!(failed(&project), expected.map(|(id, rows)| (id.to_owned(), rows)).into());
    assert!(!project.path("data/public/lieux/log").exists(), "nothing is published");
    let unique = project.ledger("checks", "annuaire.unique.ref");
    let values: Vec<(&str, &str)> = unique.iter().map(|row| (row["ref"].as_str(), row["lignes"].as_str())).collect();
    assert_eq!(values, [("A", "3"), ("B", "2")]);
    let links = project.ledger("checks", "annuaire.foreign_key.reseau");
    assert_eq!(
        links,
        [BTreeMap::from([("reseau".to_owned(), "R9".to_owned()), ("lignes".to_owned(), "2".to_owned())])]
    );
    assert!(output.stderr.contains("block unique:ref of `annuaire`: 5 rows"), "{}", output.stderr);
}

#[test]
fn cells_of_a_source_that_break_a_constraint_are_empty_and_listed() {
    let project = places();
    schema(&project, "lieux", &json!({"fields": constrained(), "primaryKey": ["id"]}));
    project.write("sql/lieux/annuaire.sql", "SELECT id, etat, code, jour, CAST(NULL AS VARCHAR) AS ref, tags, actif, age, CAST(NULL AS VARCHAR) AS reseau FROM lieux\n");
    project.run();
    let unfit = project.ledger("unfit", "lieux");
    let cells: Vec<(&str, &str, &str)> =
        unfit.iter().map(|cell| (cell["cle"].as_str(), cell["colonne"].as_str(), cell["motif"].as_str())).collect();
    let expected = [
        ("2", "etat", "hors_liste"),
        ("2", "code", "longueur"),
        ("3", "code", "longueur"),
        ("3", "tags", "longueur"),
        ("5", "jour", "hors_bornes"),
        ("5", "tags", "hors_liste"),
        ("7", "actif", "hors_liste"),
        ("7", "age", "hors_bornes"),
    ];
    assert_eq!(cells, expected);
    let rows = project.csv("lieux", "annuaire");
    assert_eq!((rows[1]["etat"].as_str(), rows[4]["tags"].as_str(), rows[6]["age"].as_str()), ("", "", ""));
    let published = project.json("data/public/lieux/latest/schemas/annuaire.schema.json");
    let constraints: Vec<&Value> = published["fields"].as_array().unwrap().iter().map(|f| &f["constraints"]).collect();
    assert_eq!(constraints[1], &json!({"enum": ["ouvert", "fermé"]}));
    assert_eq!(constraints[2], &json!({"minLength": 2, "maxLength": 5}));
    assert_eq!(constraints[3], &json!({"minimum": "2000-01-01"}));
    assert_eq!(constraints[7], &json!({"exclusiveMinimum": 0}));
}

#[test]
fn how_a_schema_says_numbers_and_lists_are_written_is_how_they_are_read() {
    let project = places();
    project.write("data-in/lieux.csv", "id,age,tags\n1,\"1.234,5\",a; b\n2,\"0,5\",a\n");
    let mut age = field("age", "number", &json!({}));
    (age["decimalChar"], age["groupChar"]) = (json!(","), json!("."));
    let mut tags = field("tags", "list", &json!({}));
    (tags["delimiter"], tags["itemType"]) = (json!(";"), json!("string"));
    let fields = [field("id", "string", &json!({"required": true})), age, tags];
    for table in ["lieux", "annuaire"] {
        schema(&project, table, &json!({"fields": fields, "primaryKey": ["id"]}));
    }
    project.run();
    let rows = project.csv("lieux", "annuaire");
    assert_eq!((rows[0]["age"].as_str(), rows[0]["tags"].as_str()), ("1234.5", "a|b"));
    assert_eq!((rows[1]["age"].as_str(), rows[1]["tags"].as_str()), ("0.5", "a"));
}

/// The same project without anything to complain about but what is declared.
fn sound() -> Project {
    let project = places();
    project.write("sql/lieux/annuaire.sql", "SELECT * FROM lieux WHERE id IN ('1', '6') AND ref <> 'Z'\n");
    project
}

const OLD: &str = "[[check]]\nname = \"trop_jeune\"\nbecause = \"Un lieu a au moins deux ans.\"\n\
    sql = '''\nSELECT id, tags, age\nFROM annuaire\nWHERE age < 2\n'''\n";

#[test]
fn a_declared_check_that_fails_blocks_and_keeps_its_rows_in_the_private_store() {
    let project = sound();
    project.run();
    let before = project.releases("lieux");
    declare(&project, OLD);
    let output = project.essaim(&["run"]).expect(1);
    assert_eq!(project.releases("lieux"), before, "the old release stays");
    assert_eq!(failed(&project), BTreeMap::from([("trop_jeune".to_owned(), 1)]));
    let kept = project.ledger("checks", "trop_jeune");
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0]["id"].as_str(), kept[0]["tags"].as_str(), kept[0]["age"].as_str()), ("1", "a|b", "1"));
    for told in ["block trop_jeune", "because: Un lieu a au moins deux ans.", "/checks/trop_jeune.csv (private)"] {
        assert!(output.stderr.contains(told), "{told} in {}", output.stderr);
    }
}

#[test]
fn a_declared_check_that_warns_lets_the_release_go_and_the_release_says_so() {
    let project = sound();
    declare(&project, &OLD.replace("because", "severity = \"warn\"\nbecause"));
    project.run();
    let manifest = project.json("data/public/lieux/latest/manifest.json");
    let checks = manifest["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == "trop_jeune").unwrap();
    assert_eq!(check["outcome"], "fail");
    assert_eq!((&check["severity"], &check["failing_rows"]), (&json!("warn"), &json!(1)));
    assert_eq!(check["because"], "Un lieu a au moins deux ans.");
    let public: Vec<String> = project.stored().into_keys().filter(|name| name.contains("checks/")).collect();
    assert!(public.iter().all(|name| name.starts_with("private/")), "{public:?}");
}

#[test]
fn only_the_first_twenty_failing_rows_are_kept_and_all_are_counted() {
    let project = sound();
    declare(
        &project,
        "[[check]]\nname = \"communes\"\nseverity = \"warn\"\nbecause = \"Essai\"\n\
         sql = \"SELECT code_insee FROM communes WHERE code_insee < '02'\"\n",
    );
    project.run();
    assert!(failed(&project)["communes"] > 20);
    let kept = project.ledger("checks", "communes");
    assert_eq!(kept.len(), 20);
    assert_eq!(kept[0]["code_insee"], "01001", "in the order of their values");
}

#[test]
fn a_check_of_answers_tells_the_public_that_it_failed_and_not_how_often() {
    let project = Project::shipped();
    let pipeline = "pipelines/cooperations-territoriales.toml";
    let more = "\n[[check]]\nname = \"reponses\"\nseverity = \"warn\"\nbecause = \"Essai\"\nsql = 'SELECT id, nom FROM reponses'\n\
        [[check]]\nname = \"petites_cellules\"\nbecause = \"Les contrôles voient ce que voit le public.\"\n\
        sql = 'SELECT n FROM indicateurs WHERE n > 0 AND n < 5'\n\
        [[check]]\nname = \"contacts\"\nseverity = \"warn\"\nbecause = \"Essai\"\npersonal = true\n\
        sql = 'SELECT contact_nom FROM reponses WHERE contact_nom IS NOT NULL'\n";
    project.write(pipeline, format!("{}{more}", project.read(pipeline)));
    project.run();
    let failed = failed(&project);
    assert_eq!(failed["reponses"], 62, "the structures that answered, as the synthesis says");
    assert!(!failed.contains_key("petites_cellules"));
    let manifest = project.json("data/public/cooperations-territoriales/latest/manifest.json");
    let checks = manifest["checks"].as_array().unwrap();
    let check = |id: &str| checks.iter().find(|check| check["id"] == id).unwrap();
    assert_eq!((&check("reponses")["outcome"], &check("reponses")["failing_rows"]), (&json!("fail"), &Value::Null));
    assert_eq!(check("contacts")["failing_rows"], Value::Null);
    assert_eq!(check("maillage_complet")["failing_rows"], 0);
    let names = project.ledger("checks", "contacts");
    assert!(!names.is_empty());
    let name_of_a_person = names[0]["contact_nom"].as_bytes();
    for (name, bytes) in project.stored().iter().filter(|(name, _)| name.starts_with("public/")) {
        assert!(!bytes.windows(name_of_a_person.len()).any(|part| part == name_of_a_person), "{name}");
    }
}
