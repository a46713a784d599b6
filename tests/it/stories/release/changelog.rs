//! What changed since the release before, why, and what is not told.

mod taken_back;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{PUBLIC, SHIPPED, answer, files};
use crate::harness::sample::{agrees, answers, public_id};
use crate::harness::{Project, python, rows};

const LABELS: &str = "seeds/codes/financements.csv";
const COMMUNES: &str = "seeds/cog/communes.csv";
const FABRIQUES: &str = "seeds/exemple/fabriques-a-initiatives.synthetique.csv";

fn released() -> Project {
    let project = Project::shipped();
    project.run();
    project
}

/// The difference of the last two releases as one object.
fn difference(project: &Project) -> Value {
    let releases = project.releases(SHIPPED);
    let [.., before, after] = releases.as_slice() else { panic!("{releases:?}") };
    let (output, bytes) = project.essaim_bytes(&["releases", "diff", before, after, "--format", "json"]);
    output.expect(0);
    serde_json::from_slice(&bytes).unwrap()
}

/// Cells that are listed, by cause: table, key and column.
fn by_cause(difference: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut causes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in difference["changes"].as_array().unwrap() {
        let text = |name: &str| line[name].as_str().unwrap_or("").to_owned();
        let cell = format!("{} {} {}", text("table"), text("key"), text("column"));
        assert!(causes.entry(text("cause")).or_default().insert(cell));
    }
    causes
}

/// Counts of a table.
fn counts<'a>(difference: &'a Value, table: &str) -> &'a Value {
    difference["tables"].as_array().unwrap().iter().find(|counts| counts["table"] == table).unwrap()
}

fn lines_of<'a>(difference: &'a Value, table: &str) -> Vec<&'a Value> {
    difference["changes"].as_array().unwrap().iter().filter(|line| line["table"] == table).collect()
}

/// The last two releases, compared a second time by another program from their CSV files.
#[track_caller]
fn compared_independently(project: &Project) {
    let releases = project.releases(SHIPPED);
    let folder = |at: usize| project.path(&format!("{PUBLIC}/releases/{}", releases[releases.len() - at]));
    let printed = python("changes.py", &[&folder(2), &folder(1)]);
    assert!(printed.trim_end().ends_with(", 0 differ"), "{printed}");
}

/// Whether a file of the newest release holds a text, decompressed.
fn found_in_newest(project: &Project, texts: &[&str]) -> String {
    let newest = project.releases(SHIPPED).pop().unwrap();
    let folder = project.path(&format!("{PUBLIC}/releases/{newest}"));
    let mut arguments: Vec<&Path> = vec![&folder];
    arguments.extend(texts.iter().map(Path::new));
    python("find.py", &arguments)
}

fn shown(answer: &Value) -> bool {
    agrees(answer, "bf_consentement") && agrees(answer, "bf_consentement_reponses")
}

/// Pages of answers that are shown, with one's status.
fn pages(count: usize, condition: impl Fn(&Value) -> bool) -> Vec<String> {
    let pages: Vec<String> =
        answers().into_iter().filter(|(_, answer)| condition(answer)).map(|(page, _)| page).take(count).collect();
    assert_eq!(pages.len(), count);
    pages
}

/// Three associations become cooperatives. Gives the cells of the directory that say so.
fn change_three_answers(project: &Project) -> BTreeSet<String> {
    let pages = pages(3, |answer| shown(answer) && answer["bf_statut"] == "association");
    for page in &pages {
        answer(project, page, "bf_statut", "scic");
    }
    pages.iter().map(|page| format!("structures {} statut_juridique", public_id(page))).collect()
}

/// Sponsorship gets another label. Gives the cells that say it.
fn change_a_label(project: &Project) -> BTreeSet<String> {
    project.replace(LABELS, "mecenat,Mécénat,", "mecenat,Mécénat et parrainage,");
    // The sixth option of the list.
    ["financement 6 libelle", "indicateurs financements|mecenat modalite_libelle"].map(str::to_owned).into()
}

/// A commune gets another name. Gives the cells that show it.
fn change_a_commune(project: &Project) -> BTreeSet<String> {
    let published: Vec<(&str, BTreeMap<String, String>)> = ["reseaux_implantations", "structures"]
        .into_iter()
        .flat_map(|table| project.csv(SHIPPED, table).into_iter().map(move |row| (table, row)))
        .collect();
    // One whose rows were all found by its code: its name decides nothing else.
    let by_code = |code: &str| {
        let mut rows = published.iter().filter(|(_, row)| row["code_insee"] == code);
        rows.all(|(_, row)| row["lieu_methode"] == "code_insee")
    };
    let (_, row) =
        published.iter().find(|(_, row)| row["lieu_methode"] == "code_insee" && by_code(&row["code_insee"])).unwrap();
    let (code, name) = (row["code_insee"].clone(), row["commune"].clone());
    let text = project.read(COMMUNES);
    let line = text.lines().find(|line| line.starts_with(&format!("{code},{name},COM,"))).unwrap();
    let renamed = line.replacen(&name, &format!("{name}-la-Nouvelle"), 1);
    project.write(COMMUNES, text.replacen(line, &renamed, 1));
    let here = published.iter().filter(|(_, row)| row["code_insee"] == code);
    here.map(|(table, row)| match *table {
        "structures" => format!("structures {} commune", row["id"]),
        table => format!("{table} {}|{} commune", row["reseau"], row["id"]),
    })
    .collect()
}

#[test]
fn three_changed_answers_have_their_source_as_cause() {
    let project = released();
    let cells = change_three_answers(&project);
    project.run();
    let difference = difference(&project);
    assert_eq!(difference["moved"], json!(["source"]));
    assert_eq!(difference["sources"], json!(["questionnaire"]));
    assert_eq!(difference["told_apart"], true);
    let causes = by_cause(&difference);
    assert_eq!(causes.keys().collect::<Vec<_>>(), ["source"]);
    let directory: BTreeSet<String> =
        causes["source"].iter().filter(|cell| cell.starts_with("structures ")).cloned().collect();
    assert_eq!(directory, cells);
    for line in lines_of(&difference, "structures") {
        assert_eq!(
            (&line["change"], &line["before"], &line["after"]),
            (&json!("changed"), &json!("association"), &json!("scic"))
        );
    }
    // 40 associations and 7 SCIC before, 37 and 10 after.
    let n = |option: &str| {
        let key = format!("statut_juridique|{option}");
        let lines = lines_of(&difference, "indicateurs");
        let line = lines.into_iter().find(|line| line["key"] == key.as_str() && line["column"] == "n").unwrap().clone();
        (line["before"].as_str().unwrap().to_owned(), line["after"].as_str().unwrap().to_owned())
    };
    assert_eq!(n("association"), ("40".to_owned(), "37".to_owned()));
    assert_eq!(n("scic"), ("7".to_owned(), "10".to_owned()));
    compared_independently(&project);
}

#[test]
fn a_changed_label_has_the_project_as_cause() {
    let project = released();
    let cells = change_a_label(&project);
    project.run();
    let difference = difference(&project);
    assert_eq!(difference["moved"], json!(["project"]));
    assert_eq!(by_cause(&difference), BTreeMap::from([("project".to_owned(), cells)]));
    let line = lines_of(&difference, "financement")[0];
    assert_eq!((&line["before"], &line["after"]), (&json!("Mécénat"), &json!("Mécénat et parrainage")));
    compared_independently(&project);
}

#[test]
fn a_new_geography_has_the_reference_as_cause() {
    let project = released();
    let cells = change_a_commune(&project);
    project.run();
    let difference = difference(&project);
    assert_eq!(difference["moved"], json!(["reference"]));
    assert_eq!(by_cause(&difference), BTreeMap::from([("reference".to_owned(), cells)]));
    compared_independently(&project);
}

#[test]
fn answers_a_label_and_a_geography_that_change_at_once_are_told_apart() {
    let project = released();
    let (labels, places) = (change_a_label(&project), change_a_commune(&project));
    let answers = change_three_answers(&project);
    project.run();
    let difference = difference(&project);
    assert_eq!(difference["moved"], json!(["project", "reference", "source"]));
    assert_eq!(difference["told_apart"], true);
    assert_eq!(difference.get("not_told"), None);
    let mut causes = by_cause(&difference);
    assert_eq!(causes.remove("project"), Some(labels));
    assert_eq!(causes.remove("reference"), Some(places));
    let source = causes.remove("source").unwrap();
    assert!(answers.is_subset(&source), "{source:?}");
    assert!(source.contains("indicateurs statut_juridique|scic n"), "{source:?}");
    assert_eq!(causes, BTreeMap::new());
    compared_independently(&project);
}

#[test]
fn two_changes_of_one_cell_name_both_causes() {
    let project = released();
    // The SQL writes names in capitals, and a place of the registry is renamed.
    project.replace(FABRIQUES, "FAI-01,Fabrique à initiatives synthétique 01,", "FAI-01,Fabrique renommée,");
    let sql = "sql/cooperations-territoriales/reseaux_implantations.sql";
    let text = project.read(sql);
    project.write(sql, text.replacen("    id,\n    nom,\n", "    id,\n    upper(nom) AS nom,\n", 1));
    project.run();
    let difference = difference(&project);
    let line = |key: &str| {
        let lines = lines_of(&difference, "reseaux_implantations");
        lines.into_iter().find(|line| line["key"] == key && line["column"] == "nom").unwrap().clone()
    };
    let twice = line("fabrique_a_initiatives|FAI-01");
    assert_eq!(twice["cause"], "project_and_source");
    assert_eq!(twice["before"], "Fabrique à initiatives synthétique 01");
    assert_eq!(twice["after"], "FABRIQUE RENOMMÉE");
    assert_eq!(line("fabrique_a_initiatives|FAI-02")["cause"], "project");
    compared_independently(&project);
}

#[test]
fn without_the_old_snapshots_causes_are_not_told_apart_and_the_changelog_says_so() {
    let project = released();
    change_a_label(&project);
    change_three_answers(&project);
    let places = change_a_commune(&project);
    fs::remove_dir_all(project.path("data/private/snapshots/questionnaire")).unwrap();
    project.run();
    let difference = difference(&project);
    assert_eq!(difference["told_apart"], false);
    assert_eq!(difference["not_told"], json!(["snapshots_gone"]));
    let mut causes = by_cause(&difference);
    // The geography of that time is still there, so that what it changed is known.
    assert_eq!(causes.remove("reference"), Some(places));
    assert_eq!(causes.keys().collect::<Vec<_>>(), ["project_or_source"]);
    let page = fs::read_to_string(project.latest(SHIPPED).join("changes.html")).unwrap();
    assert!(page.contains("les copies d’alors des sources ne sont plus conservées"), "{page}");
    assert!(page.contains("projet ou source"), "{page}");
    compared_independently(&project);
}

#[test]
fn rows_that_the_project_takes_out_are_listed_by_their_key() {
    let project = released();
    let sql = "sql/cooperations-territoriales/reseaux_implantations.sql";
    let text = project.read(sql);
    project.write(sql, text.replace("FROM fabriques", "FROM fabriques\nWHERE id <> 'FAI-02'"));
    project.run();
    let difference = difference(&project);
    let lines = lines_of(&difference, "reseaux_implantations");
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["change"], &lines[0]["cause"]), (&json!("removed"), &json!("project")));
    assert_eq!((&lines[0]["key"], lines[0].get("before")), (&json!("fabrique_a_initiatives|FAI-02"), None));
    compared_independently(&project);
}

#[test]
fn a_volatile_column_is_quiet() {
    let project = Project::shipped();
    let schema = "schemas/reseaux_implantations.schema.json";
    let text = project.read(schema);
    let field = r#""title": "Date de mise à jour", "essaim": {"visibility": "public""#;
    assert_eq!(text.matches(field).count(), 1);
    project.write(schema, text.replace(field, &format!("{field}, \"volatile\": true")));
    project.run();
    project.replace(
        FABRIQUES,
        "https://fabrique-01.example.org/,2023-09-20",
        "https://fabrique-01.example.org/,2026-09-20",
    );
    project.run();
    let difference = difference(&project);
    assert_eq!(difference["changes"], json!([]));
    let places = counts(&difference, "reseaux_implantations");
    assert_eq!((&places["changed"], &places["columns"]["volatile"]), (&json!(0), &json!(["date_maj"])));
    compared_independently(&project);
}

#[test]
fn a_new_column_and_a_column_that_is_gone_are_told_once() {
    let project = released();
    let schema = "schemas/reseaux_implantations.schema.json";
    project.edit_json(schema, |schema| {
        let fields = schema["fields"].as_array_mut().unwrap();
        fields.retain(|field| field["name"] != "site_web");
        fields.push(json!({
            "name": "departement_lieu", "type": "string", "title": "Lieu", "essaim": {"visibility": "public"},
        }));
    });
    let sql = "sql/cooperations-territoriales/reseaux_implantations.sql";
    let text = project.read(sql);
    project.write(sql, text.replace("    site_web,\n", "    upper(departement) AS departement_lieu,\n"));
    project.replace(&format!("pipelines/{SHIPPED}.toml"), "version = \"1.0.0\"", "version = \"2.0.0\"");
    project.run();
    let difference = difference(&project);
    assert_eq!(difference["changes"], json!([]));
    let columns = &counts(&difference, "reseaux_implantations")["columns"];
    assert_eq!((&columns["added"], &columns["removed"]), (&json!(["departement_lieu"]), &json!(["site_web"])));
    compared_independently(&project);
}

#[test]
fn the_same_two_releases_give_the_same_changelog_elsewhere() {
    let changelog = |zone: &str| {
        let mut project = Project::shipped();
        project.set("TZ", zone);
        project.run();
        change_a_label(&project);
        change_three_answers(&project);
        project.run();
        let mut files = files(&project, &format!("{PUBLIC}/latest"));
        files.retain(|name, _| name.starts_with("changes."));
        files
    };
    let (one, other) = (changelog("UTC"), changelog("Asia/Tokyo"));
    assert_eq!(one.keys().collect::<Vec<_>>(), ["changes.html", "changes.json", "changes.parquet"]);
    assert!(one == other);
}

#[test]
fn a_first_release_has_no_changelog_and_its_manifest_lists_that_of_the_second() {
    let project = released();
    let names = |project: &Project| -> Vec<String> {
        let manifest = project.json(&format!("{PUBLIC}/latest/manifest.json"));
        let files = manifest["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_owned());
        files.filter(|path| path.starts_with("changes.")).collect()
    };
    assert_eq!(names(&project), Vec::<String>::new());
    change_a_label(&project);
    project.run();
    assert_eq!(names(&project), ["changes.html", "changes.json", "changes.parquet"]);
    project.essaim(&["releases", "verify"]).expect(0);
}

#[test]
fn a_missing_file_of_the_release_before_is_told_and_its_rows_are_not_compared() {
    let project = released();
    let first = project.releases(SHIPPED).pop().unwrap();
    fs::remove_file(project.path(&format!("{PUBLIC}/releases/{first}/structures.parquet"))).unwrap();
    change_three_answers(&project);
    // Nobody knows which keys are gone: somebody must say that this may be.
    let blocked = project.essaim(&["run"]).expect(1);
    assert!(blocked.stderr.contains("structures.parquet of release [DATE] is missing"), "{}", blocked.stderr);
    project.essaim(&["run", "--accept", "lost_keys:structures", "--because", "Le fichier est perdu."]).expect(0);
    let difference = difference(&project);
    let structures = counts(&difference, "structures");
    assert_eq!((&structures["state"], &structures["reason"]), (&json!("not_compared"), &json!("unreadable")));
    assert_eq!(counts(&difference, "indicateurs")["state"], "compared");
}

#[test]
fn any_two_releases_can_be_compared_on_the_command_line() {
    let project = released();
    change_a_label(&project);
    project.run();
    change_three_answers(&project);
    project.run();
    let releases = project.releases(SHIPPED);
    // The first and the third: several inputs moved, and nothing is run to tell them apart.
    let (output, bytes) = project.essaim_bytes(&["releases", "diff", &releases[0], "latest", "--format", "json"]);
    output.expect(0);
    let difference: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(by_cause(&difference).keys().collect::<Vec<_>>(), ["project_or_source"]);
    assert_eq!(difference["not_told"], json!(["not_run"]));
    let table = project.essaim(&["releases", "diff", &releases[0], "latest", "--table", "financement"]).expect(0);
    assert_snapshot!("diff_table", table.snapshot());
    let name = format!("{SHIPPED}@latest");
    let file = ["releases", "diff", &releases[1], &name, "--format", "parquet", "--output", "liste.parquet"];
    project.essaim(&file).expect(0);
    let stored = project.latest(SHIPPED).join("changes.parquet");
    assert!(fs::read(project.path("liste.parquet")).unwrap() == fs::read(stored).unwrap(), "written otherwise");
    assert_eq!(rows(&project.latest(SHIPPED).join("financement.csv")).len(), 7);
}

#[test]
fn what_cannot_be_compared_is_refused_with_a_reason() {
    let project = released();
    change_a_label(&project);
    project.run();
    let releases = project.releases(SHIPPED);
    let unknown = project.essaim(&["releases", "diff", &releases[0], "latest", "--table", "structure"]).expect(2);
    assert!(
        unknown.stderr.contains("publishes no table `structure`; it publishes: chiffres_cles,"),
        "{}",
        unknown.stderr
    );
    project.essaim(&["releases", "diff", &releases[0], "2020-01-01"]).expect(2);
    let release = format!("{SHIPPED}@{}", releases[0]);
    project.essaim(&["releases", "withdraw", &release, "--because", "Une colonne était décalée."]).expect(0);
    let withdrawn = project.essaim(&["releases", "diff", &releases[0], "latest"]).expect(2);
    assert!(withdrawn.stderr.contains("was withdrawn on [TIME]: Une colonne était décalée."), "{}", withdrawn.stderr);
}
