//! Long tables: one row for each option that a row has.

use std::fmt::Write as _;

use serde_json::Value;

use crate::harness::Project;

const PIPELINE: &str = "pipelines/lieux.toml";

/// The model that copies the long table.
const SQL: &str = "SELECT id, question, modalite FROM choix\n";

/// A public registry with a long table, which a published model copies.
fn project(raw: &str) -> Project {
    let project = Project::empty();
    project.write(
        "essaim.toml",
        "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\
         [publisher]\nname = \"Essai\"\n",
    );
    project.write("data-in/lieux.csv", raw);
    project.write("seeds/codes/usages.csv", "code,label\njardin,Jardin\natelier,Atelier\ncafe,Café\n");
    project.write("seeds/codes/freins.csv", "code,label\ntemps,Temps\nargent,Argent\n");
    project.write(
        PIPELINE,
        "title = \"Lieux\"\ndescription = \"Lieux d’essai\"\nlicence = \"etalab-2.0\"\n\
         [source.lieux]\nlicence = \"etalab-2.0\"\nfile = { path = \"data-in/lieux.csv\" }\n\
         [table.lieux]\nsource = \"lieux\"\ncsv = {}\n\
         [long.choix]\ntable = \"lieux\"\nquestions = [\"usages\", \"freins\"]\n\
         [publish]\ntables = [\"choisis\"]\n",
    );
    project.write(
        "schemas/lieux.schema.json",
        r#"{"fields": [
            {"name": "id", "type": "integer", "essaim": {"visibility": "public"}},
            {"name": "nom", "type": "string", "essaim": {"visibility": "public"}},
            {"name": "usages", "type": "list", "essaim": {"visibility": "public", "codes": "usages", "multi": true}},
            {"name": "freins", "type": "list", "essaim": {"visibility": "public", "codes": "freins", "multi": true}}
        ], "primaryKey": ["id"]}"#,
    );
    project.write("sql/lieux/choisis.sql", SQL);
    project.write(
        "schemas/choisis.schema.json",
        r#"{"title": "Choisis", "fields": [
            {"name": "id", "type": "integer", "essaim": {"visibility": "public"}},
            {"name": "question", "type": "string", "essaim": {"visibility": "public"}},
            {"name": "modalite", "type": "string", "essaim": {"visibility": "public"}}
        ], "primaryKey": ["id", "question", "modalite"]}"#,
    );
    project
}

fn published(project: &Project) -> Vec<String> {
    let line = |row: &std::collections::BTreeMap<String, String>| {
        ["id", "question", "modalite"].map(|column| row[column].clone()).join(" ")
    };
    project.csv("lieux", "choisis").iter().map(line).collect()
}

#[test]
fn a_long_table_has_a_row_for_each_option_in_the_order_of_the_key() {
    let project =
        project("id,nom,usages,freins\n10,A,jardin|atelier|cafe,temps\n2,B,,argent|temps\n30,C,cafe,\n4,D,,\n");
    project.run();
    let expected = [
        "2 freins argent",
        "2 freins temps",
        "10 freins temps",
        "10 usages atelier",
        "10 usages cafe",
        "10 usages jardin",
        "30 usages cafe",
    ];
    assert_eq!(published(&project), expected);
}

#[test]
fn rows_of_a_source_without_order_are_listed_in_order_all_the_same() {
    // More rows are late than wait for their place.
    let rows = 70_000;
    let mut raw = "id,nom,usages,freins\n".to_owned();
    for id in (1..=rows).rev() {
        writeln!(raw, "{id},,cafe,{}", if id % 2 == 0 { "temps" } else { "" }).unwrap();
    }
    let project = project(&raw);
    project.run();
    let published = published(&project);
    let expected = (1..=rows).flat_map(|id| {
        let frein = (id % 2 == 0).then(|| format!("{id} freins temps"));
        frein.into_iter().chain([format!("{id} usages cafe")])
    });
    assert!(published.iter().eq(expected.collect::<Vec<_>>().iter()), "{} rows", published.len());
}

#[test]
fn a_newer_row_that_comes_late_takes_the_place_of_the_older_one() {
    let project = project("id,nom,usages,freins\n1,1,cafe,\n2,2,jardin,\n3,1,cafe,\n2,3,atelier,temps\n4,2,jardin,\n");
    project.replace("schemas/lieux.schema.json", "\"nom\", \"type\": \"string\"", "\"nom\", \"type\": \"integer\"");
    project.replace(PIPELINE, "csv = {}\n", "csv = {}\nduplicates = { newest = \"nom\" }\n");
    project.run();
    let expected = ["1 usages cafe", "2 freins temps", "2 usages atelier", "3 usages cafe", "4 usages jardin"];
    assert_eq!(published(&project), expected);
}

#[test]
fn copies_in_latest_are_left_out_where_the_pipeline_says_so() {
    let project = project("id,nom,usages,freins\n1,A,cafe,\n");
    project.run();
    assert!(project.path("data/public/lieux/latest/choisis.csv").exists());
    project.replace(PIPELINE, "[publish]\n", "[publish]\nlatest = false\n");
    project.write("data-in/lieux.csv", "id,nom,usages,freins\n1,A,cafe,\n2,B,jardin,\n");
    project.run();
    assert!(!project.path("data/public/lieux/latest/choisis.csv").exists(), "a copy of the release before was left");
    assert!(!project.path("data/public/lieux/latest/manifest.json").exists());
    project.essaim(&["releases", "verify"]).expect(0);
    let manifest: Value = serde_json::from_str(
        &project
            .read(&format!("data/public/lieux/releases/{}/manifest.json", project.releases("lieux").last().unwrap())),
    )
    .unwrap();
    assert_eq!(manifest["latest"], false);
}

#[test]
fn the_graph_shows_what_a_model_reads_and_how_it_is_executed() {
    let project = project("id,nom,usages,freins\n1,A,cafe,\n");
    let graph = project.essaim(&["graph"]).expect(0);
    assert_eq!(graph.stdout, "lieux\n  choisis reads choix, published\n");
    let explained = project.essaim(&["graph", "lieux", "--explain"]).expect(0);
    assert!(explained.stdout.contains("\n      DataSourceExec: "), "{}", explained.stdout);
}

/// Chained joins over texts once took tens of gigabytes: each held all texts of those before it.
#[test]
fn nine_joins_over_a_hundred_thousand_rows_stay_within_half_a_gigabyte() {
    let rows = 100_000;
    let mut raw = "id,nom,usages,freins\n".to_owned();
    for id in 1..=rows {
        writeln!(
            raw,
            "{id},un nom de lieu assez long pour ne pas tenir dans une vue {:05},cafe|jardin,temps",
            id % 977
        )
        .unwrap();
    }
    let project = project(&raw);
    let joins: Vec<String> = (1..=9).map(|n| format!("LEFT JOIN noms AS n{n} ON n{n}.nom = lieux.nom\n")).collect();
    let joins = joins.concat();
    project.write("sql/lieux/noms.sql", "SELECT nom, count(*) AS combien FROM lieux GROUP BY nom\n");
    let combien: Vec<String> = (1..=9).map(|n| format!("n{n}.combien")).collect();
    let noms: Vec<String> = (1..=9).map(|n| format!("n{n}.nom")).collect();
    project.write(
        "sql/lieux/choisis.sql",
        format!(
            "SELECT lieux.id, 'joints' AS question, concat({}, CAST({} AS VARCHAR)) AS modalite FROM lieux\n{joins}",
            noms.join(", "),
            combien.join(" + ")
        ),
    );
    project.essaim(&["run"]).expect(0);
    assert_eq!(project.csv("lieux", "choisis").len(), rows);
    let runs = std::fs::read_dir(project.path("data/private/runs")).unwrap();
    let record = runs.map(|run| run.unwrap().path().join("record.json")).find(|record| record.exists()).unwrap();
    let record: Value = serde_json::from_str(&std::fs::read_to_string(record).unwrap()).unwrap();
    let steps = record["steps"].as_array().unwrap();
    let peak = steps.iter().filter_map(|step| step["peak_memory_bytes"].as_u64()).max();
    // Other systems do not tell.
    if cfg!(target_os = "linux") {
        assert!(peak.is_some_and(|peak| peak < 512 << 20), "{peak:?} bytes");
    }
}
