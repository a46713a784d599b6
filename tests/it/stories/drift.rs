//! A source whose columns change between two runs.

use crate::harness::{Project, rows};

const ESSAIM: &str = r#"[project]
public_url = "https://donnees.example.org/"
key = "essaim-demonstration-key"

[publisher]
name = "Essaim (démonstration)"

[stores]
private = "data/private"
public = "data/public"
"#;

const PIPELINE: &str = r#"title = "Lieux"
description = "Des lieux inventés."
licence = "etalab-2.0"
synthetic = true

[source.lieux]
licence = "etalab-2.0"
file.path = "seeds/lieux.csv"

[table.lieux]
source = "lieux"
csv = {}

[table.lieux.columns]
modele = "MODÈLE JURIDIQUE"

[publish]
tables = ["lieux"]
"#;

const SCHEMA: &str = r#"{"title": "Lieux", "description": "Des lieux inventés.", "primaryKey": "id", "fields": [
  {"name": "id", "type": "string", "title": "Identifiant", "description": "Identifiant.", "essaim": {"visibility": "public"}},
  {"name": "modele", "type": "string", "title": "Modèle", "description": "Modèle.", "essaim": {"visibility": "public"}}]}"#;

/// A project that has read its source once, and whose source then renames a column and gets a new one.
fn renamed() -> Project {
    let project = Project::empty();
    project.write("essaim.toml", ESSAIM);
    project.write("pipelines/lieux.toml", PIPELINE);
    project.write("schemas/lieux.schema.json", SCHEMA);
    project.write("seeds/lieux.csv", "id,MODÈLE JURIDIQUE\n1,association\n2,scic\n");
    project.run();
    project.write("seeds/lieux.csv", "id,MODELE_JURIDIQUE,PHOTO\n1,association,a.jpeg\n2,scic,b.jpeg\n");
    project
}

#[test]
fn a_renamed_column_stops_the_run_with_the_line_to_write_and_the_last_release_stays() {
    let project = renamed();
    let before = project.stored();
    let output = project.essaim(&["run"]).expect(1);
    let line = "from = [\"MODELE_JURIDIQUE\", \"MODÈLE JURIDIQUE\"]";
    assert!(output.stderr.contains(line) && output.stderr.contains("drift = \"nulls\""), "{}", output.stderr);
    let after = project.stored();
    let public = |path: &&String| path.starts_with("public/");
    assert!(before.keys().filter(public).eq(after.keys().filter(public)));
    assert_eq!(project.record()["tables"][0]["changes"].as_array().unwrap().len(), 2);

    project.replace(
        "pipelines/lieux.toml",
        "\"MODÈLE JURIDIQUE\"",
        "{ from = [\"MODELE_JURIDIQUE\", \"MODÈLE JURIDIQUE\"] }",
    );
    let output = project.run();
    assert!(output.stderr.contains("changed: source column `PHOTO` is new"), "{}", output.stderr);
    assert!(output.stdout.contains("\tunchanged\t"), "the same cells are the same release: {}", output.stdout);
}

#[test]
fn a_table_may_go_on_without_a_column_and_then_knows_its_new_shape() {
    let project = renamed();
    project.replace("pipelines/lieux.toml", "csv = {}", "csv = {}\ndrift = \"nulls\"");
    let output = project.run();
    assert!(output.stderr.contains("is gone and `MODELE_JURIDIQUE` is new"), "{}", output.stderr);
    let lieux = rows(&project.latest("lieux").join("lieux.csv"));
    assert!(lieux.len() == 2 && lieux.iter().all(|row| row["modele"].is_empty()));
    assert!(!project.run().stderr.contains("is gone"), "it is told once");
}

const TYPED: &str = r#"{"title": "Lieux", "description": "Des lieux inventés.", "primaryKey": "id", "fields": [
  {"name": "id", "type": "string", "title": "Identifiant", "description": "Identifiant.", "essaim": {"visibility": "public"}},
  {"name": "ouverture", "type": "date", "title": "Ouverture", "description": "Ouverture.", "essaim": {"visibility": "public"}},
  {"name": "surface", "type": "number", "title": "Surface", "description": "Surface.", "essaim": {"visibility": "public", "unit": "m²"}},
  {"name": "postes", "type": "integer", "title": "Postes", "description": "Postes.", "essaim": {"visibility": "public"}},
  {"name": "ouvert", "type": "boolean", "title": "Ouvert", "description": "Ouvert.", "essaim": {"visibility": "public"}},
  {"name": "modele", "type": "string", "title": "Modèle", "description": "Modèle.", "essaim": {"visibility": "public", "codes": "modeles"}},
  {"name": "publics", "type": "list", "title": "Publics", "description": "Publics.", "essaim": {"visibility": "public", "codes": "publics", "multi": true}}]}"#;

const COLUMNS: &str = "id,ouverture,surface,postes,ouvert,modele,publics\n";
const MODELS: &str = "code,label,label_en,aliases\nassociation,Association,,\nscic,SCIC,,\ncommune,Commune,,Mairie\n";
const PUBLICS: &str = "code,label,label_en,aliases\njeunes,Jeunes,,\nseniors,Séniors,,\n";

/// A project with a column of each kind, read once.
fn typed() -> Project {
    of_schema(TYPED)
}

fn of_schema(schema: &str) -> Project {
    let project = Project::empty();
    project.write("essaim.toml", ESSAIM);
    project
        .write("pipelines/lieux.toml", PIPELINE.replace("[table.lieux.columns]\nmodele = \"MODÈLE JURIDIQUE\"\n", ""));
    project.write("schemas/lieux.schema.json", schema);
    project.write("seeds/codes/modeles.csv", MODELS);
    project.write("seeds/codes/publics.csv", PUBLICS);
    rewrite(&project, as_before);
    project.run();
    project
}

/// Rows of the source.
const ROWS: usize = 30;

/// Writes the source anew.
fn rewrite(project: &Project, row: impl Fn(usize) -> [String; 6]) {
    let rows: Vec<String> = (0..ROWS).map(|at| format!("{at},{}\n", row(at).join(","))).collect();
    project.write("seeds/lieux.csv", COLUMNS.to_owned() + &rows.concat());
}

fn as_before(at: usize) -> [String; 6] {
    let modele = if at < 2 { "Commune" } else { ["Association", "SCIC"][at % 2] };
    let publics = ["jeunes", "jeunes|seniors"][at % 2];
    [
        format!("2024-01-{:02}", at % 28 + 1),
        format!("{at}.5"),
        at.to_string(),
        "oui".into(),
        modele.into(),
        publics.into(),
    ]
}

/// The changes that the last run told.
fn told(project: &Project) -> Vec<String> {
    serde_json::from_value(project.record()["tables"][0]["changes"].clone()).unwrap()
}

fn cell(column: usize, new: fn(usize) -> String) -> impl Fn(usize) -> [String; 6] {
    move |at| {
        let mut cells = as_before(at);
        cells[column] = new(at);
        cells
    }
}

#[rstest::rstest]
#[case::a_french_date(
    0,
    |at| format!("{:02}/01/2024", at % 28 + 1),
    "in column `ouverture` 30 of 30 filled cells are no dates (0 of 30 before): write format = \"%d/%m/%Y\" in the line \
     `ouverture` of [table.lieux.columns]"
)]
#[case::a_decimal_comma(
    1,
    |at| format!("\"{at},5\""),
    "in column `surface` 30 of 30 filled cells are no numbers (0 of 30 before): write decimal = \",\" in the line `surface` of \
     [table.lieux.columns]"
)]
#[case::a_unit_and_a_decimal_comma(
    1,
    |at| format!("\"{at},5 m²\""),
    "in column `surface` 30 of 30 filled cells are no numbers (0 of 30 before): write decimal = \",\", units = { \"m²\" = 1 } \
     in the line `surface` of [table.lieux.columns]"
)]
#[case::another_unit(
    1,
    |at| format!("{at}.5 ha"),
    "in column `surface` 30 of 30 filled cells are no numbers (0 of 30 before): write units = { \"ha\" = 1 }, with what one ha \
     is in m² in place of 1, in the line `surface` of [table.lieux.columns]"
)]
#[case::text_where_numbers_were(
    2,
    |at| format!("plusieurs {}", "x".repeat(at)),
    "in column `postes` 30 of 30 filled cells are no whole numbers (0 of 30 before): they are read as empty; map another \
     source column, or say in schemas/lieux.schema.json what they are now"
)]
#[case::other_words_for_yes_and_no(
    3,
    |at: usize| ["ouvert", "fermé"][at % 2].to_owned(),
    "in column `ouvert` 30 of 30 filled cells are no yes or no (0 of 30 before): say in schemas/lieux.schema.json which of \
     `fermé`, `ouvert` are its trueValues and which its falseValues"
)]
#[case::another_separator(
    5,
    |_| "Jeunes ; Séniors".to_owned(),
    "in column `publics` 30 of 30 filled cells are no options of its list (0 of 30 before): write separator = \";\" in the \
     line `publics` of [table.lieux.columns]"
)]
fn a_retyped_column_stops_the_run_with_the_words_that_read_it(
    #[case] column: usize,
    #[case] new: fn(usize) -> String,
    #[case] words: &str,
) {
    let project = typed();
    rewrite(&project, cell(column, new));
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains(words), "{}", output.stderr);
    assert_eq!(told(&project).first().map(String::as_str), Some(words));
    assert_eq!(project.ledger("unfit", "lieux").len(), ROWS, "a run that stops leaves what it saw");
}

#[test]
fn the_suggested_line_reads_the_new_form_and_the_old_one_when_both_are_there() {
    let project = typed();
    let mixed =
        |at: usize| if at < 20 { format!("{:02}/01/2024", at % 28 + 1) } else { format!("2024-01-{:02}", at % 28 + 1) };
    rewrite(&project, cell(0, mixed));
    let output = project.essaim(&["run"]).expect(1);
    let line = "format = [\"%d/%m/%Y\", \"%Y-%m-%d\"]";
    assert!(output.stderr.contains(line), "{}", output.stderr);
    let columns = format!("[table.lieux.columns]\nouverture = {{ from = \"ouverture\", {line} }}\n\n[publish]");
    project.replace("pipelines/lieux.toml", "[publish]", &columns);
    assert!(project.run().stdout.contains("\tunchanged\t"), "the same cells are the same release");
    assert!(told(&project).is_empty());
}

#[test]
fn a_few_cells_of_another_form_are_told_and_stop_nothing() {
    let project = typed();
    let some =
        |at: usize| if at < 5 { format!("{:02}/01/2024", at % 28 + 1) } else { format!("2024-01-{:02}", at % 28 + 1) };
    rewrite(&project, cell(0, some));
    let output = project.run();
    assert!(output.stderr.contains("in column `ouverture` 5 of 30 filled cells are no dates"), "{}", output.stderr);
    rewrite(&project, cell(0, |at| if at < 1 { "hier".to_owned() } else { format!("2024-01-{:02}", at % 28 + 1) }));
    project.run();
    assert!(told(&project).is_empty(), "one cell is in the list of unfit cells, and no change of the source");
}

#[test]
fn a_new_option_and_a_lost_one_are_told_once_and_stop_nothing() {
    let project = typed();
    rewrite(&project, cell(4, |at| if at < 2 { "Communes" } else { ["Association", "SCIC"][at % 2] }.to_owned()));
    let output = project.run();
    let expected = [
        "column `modele` has the new option `Communes` in 2 cells: if it means `commune`, which no row has any longer, make \
         that line of seeds/codes/modeles.csv `commune,Commune,,Mairie|Communes`; if not, add `communes,Communes,,`",
        "in column `modele` no row has `commune` (2 before) any longer",
    ];
    assert_eq!(told(&project), expected);
    assert!(expected.iter().all(|words| output.stderr.contains(words)), "{}", output.stderr);
    project.run();
    assert!(told(&project).is_empty(), "it is told once");
    project.write("seeds/codes/modeles.csv", MODELS.replace("Mairie", "Mairie|Communes"));
    project.run();
    let rows = rows(&project.latest("lieux").join("lieux.csv"));
    assert_eq!(rows.iter().filter(|row| row["modele"] == "commune").count(), 2);
}

#[test]
fn nothing_personal_is_kept_of_a_source_or_told_about_it() {
    let codes = |visibility: &str| format!("{{\"visibility\": \"{visibility}\", \"codes\": \"modeles\"}}");
    let project = of_schema(&TYPED.replace(&codes("public"), &codes("personal")));
    rewrite(&project, |at| {
        let mut cells = as_before(at);
        if at < 2 {
            cells[4] = "Camille Secret".to_owned();
            cells[5] = "jeunes|ecrire@example.org".to_owned();
            cells[2] = "06 12 34 56 78".to_owned();
        }
        cells
    });
    let output = project.run();
    let kept = project.read("data/private/columns/lieux/lieux.json");
    for text in [&kept, &output.stderr, &told(&project).join(" ")] {
        assert!(!text.contains("Secret") && !text.contains("example.org") && !text.contains("06 12"), "{text}");
    }
    assert_eq!(project.ledger("unfit", "lieux").len(), 6, "the private lists have them");
}

#[test]
fn what_an_older_version_kept_of_a_source_is_still_read() {
    let project = typed();
    project.write("data/private/columns/lieux/lieux.json", "[\"id\", \"ouverture\", \"ancien\"]");
    let output = project.run();
    assert!(output.stderr.contains("source column `ancien` is gone"), "{}", output.stderr);
}

#[test]
fn a_table_that_goes_on_with_empty_cells_breaks_no_bound_of_the_gate() {
    for (rule, warned) in [("nulls", true), ("accept", false)] {
        let project = typed();
        project.replace("pipelines/lieux.toml", "csv = {}", &format!("csv = {{}}\ndrift = \"{rule}\""));
        rewrite(&project, cell(0, |at| format!("{:02}/01/2024", at % 28 + 1)));
        let output = project.run();
        assert_eq!(output.stderr.contains("WARN"), warned, "{}", output.stderr);
        assert!(output.stdout.contains("\tpublished\t"), "{}", output.stdout);
        let rows = rows(&project.latest("lieux").join("lieux.csv"));
        assert!(rows.len() == ROWS && rows.iter().all(|row| row["ouverture"].is_empty()));
    }
}

#[test]
fn a_snapshot_that_the_gate_refuses_says_what_would_read_it() {
    let project = typed();
    let some =
        |at: usize| if at < 10 { format!("{:02}/01/2024", at + 1) } else { format!("2024-01-{:02}", at % 28 + 1) };
    rewrite(&project, cell(0, some));
    let output = project.essaim(&["run"]).expect(1);
    let line = "write format = [\"%d/%m/%Y\", \"%Y-%m-%d\"] in the line `ouverture`";
    assert!(
        output.stderr.contains("source_empty:lieux.ouverture") && output.stderr.contains(line),
        "{}",
        output.stderr
    );
}
