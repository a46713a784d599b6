//! `essaim test`: cases that authors write beside their models.

use insta::assert_snapshot;

use crate::harness::Project;

const PIPELINE: &str = "pipelines/lieux.toml";

/// A project with one table, one model of two columns, and these cases.
fn project(cases: &str) -> Project {
    let project = Project::empty();
    project.write(
        "essaim.toml",
        "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\
         [publisher]\nname = \"Essai\"\n",
    );
    project.write(
        PIPELINE,
        format!(
            "title = \"Lieux\"\ndescription = \"Lieux d’essai\"\nlicence = \"etalab-2.0\"\n\
             [source.lieux]\nlicence = \"etalab-2.0\"\nfile = {{ path = \"absent.csv\" }}\n\
             [table.lieux]\nsource = \"lieux\"\ncsv = {{}}\n[publish]\ntables = [\"etats\"]\n{cases}"
        ),
    );
    project.write(
        "schemas/lieux.schema.json",
        r#"{"fields": [
            {"name": "id", "type": "string", "constraints": {"required": true}, "essaim": {"visibility": "public"}},
            {"name": "etat", "type": "string", "constraints": {"enum": ["ouvert", "fermé"]}, "essaim": {"visibility": "public"}},
            {"name": "surface", "type": "number", "decimalChar": ",", "essaim": {"visibility": "public"}},
            {"name": "jour", "type": "date", "essaim": {"visibility": "public"}}
        ], "primaryKey": ["id"]}"#,
    );
    project.write(
        "schemas/etats.schema.json",
        r#"{"fields": [
            {"name": "etat", "type": "string", "essaim": {"visibility": "public"}},
            {"name": "n", "type": "integer", "essaim": {"visibility": "public"}},
            {"name": "surface", "type": "number", "essaim": {"visibility": "public"}}
        ], "primaryKey": ["etat"]}"#,
    );
    project.write(
        "sql/lieux/etats.sql",
        "SELECT etat, count(*) AS n, sum(CAST(surface AS DECIMAL(12, 2))) AS surface FROM lieux GROUP BY etat\n",
    );
    project
}

const GIVEN: &str = "given.lieux = [\n  { id = \"1\", etat = \"ouvert\", surface = 12.5, jour = 2024-01-31 },\n  \
    { id = \"2\", etat = \"ouvert\", surface = 1 },\n  { id = \"2\", etat = \"fermé\" },\n  {},\n]\n";

fn case(more: &str) -> String {
    format!("[[test]]\nname = \"par état\"\nmodel = \"etats\"\n{GIVEN}{more}")
}

#[test]
fn a_case_passes_when_the_named_columns_are_as_expected_in_published_order() {
    let expect = "expect = [{ etat = \"\", n = 1 }, { etat = \"fermé\", n = 1, surface = \"\" }, { etat = \"ouvert\", n = 2, surface = 13.5 }]\n";
    let output = project(&case(expect)).essaim(&["test"]).expect(0);
    assert_eq!(output.stdout, "lieux\tpar état\tpass\n");
    assert_eq!(output.stderr, "1 of 1 test passes\n");
}

#[test]
fn a_case_that_fails_shows_the_rows_side_by_side() {
    let expect =
        "expect = [{ etat = \"\", n = 1 }, { etat = \"fermé\", n = 2 }, { etat = \"ouvert\", n = 2, surface = 13 }]\n";
    assert_snapshot!(project(&case(expect)).essaim(&["test"]).expect(1).snapshot());
}

#[test]
fn order_counts_unless_it_is_said_not_to() {
    let expect = "expect = [{ etat = \"ouvert\" }, { etat = \"fermé\" }, { etat = \"\" }]\n";
    project(&case(expect)).essaim(&["test"]).expect(1);
    project(&case(&format!("{expect}any_order = true\n"))).essaim(&["test"]).expect(0);
}

#[test]
fn further_rows_are_fine_only_when_that_is_said() {
    let expect = "expect = [{ etat = \"ouvert\", n = 2 }]\n";
    project(&case(expect)).essaim(&["test"]).expect(1);
    project(&case(&format!("{expect}subset = true\n"))).essaim(&["test"]).expect(0);
}

#[test]
fn rows_may_stand_in_csv_files() {
    let project = project(
        "[[test]]\nname = \"fichiers\"\nmodel = \"etats\"\ngiven.lieux = \"tests/lieux.csv\"\nexpect = \"tests/etats.csv\"\n",
    );
    project.write("tests/lieux.csv", "id,etat\n1,ouvert\n2,ouvert\n");
    project.write("tests/etats.csv", "etat,n\nouvert,2\n");
    project.essaim(&["test"]).expect(0);
}

#[test]
fn a_model_that_stops_on_the_given_rows_fails_its_case_and_no_other() {
    let cases = "[[test]]\nname = \"zéro\"\nmodel = \"inverse\"\ngiven.lieux = [{ surface = 0 }]\nexpect = []\n\
        [[test]]\nname = \"rien\"\nmodel = \"inverse\"\nexpect = []\n";
    let project = project(cases);
    project.write("sql/lieux/inverse.sql", "SELECT 1 / CAST(surface AS BIGINT) AS x FROM lieux\n");
    let output = project.essaim(&["test"]).expect(1);
    assert_eq!(output.stdout, "lieux\tzéro\tfail\nlieux\trien\tpass\n");
}

#[test]
fn mistakes_in_cases_are_shown_where_they_stand() {
    let cases = "[[test]]\nname = \"fautes\"\nmodel = \"etat\"\ngiven.lieu = []\nexpect = []\n\
        [[test]]\nname = \"fautes\"\nmodel = \"etats\"\ngiven.lieux = [{ id = \"1\", etta = \"ouvert\" }]\ngiven.communes = []\nexpect = [{ nombre = 1 }]\n\
        [[test]]\nname = \"fichier\"\nmodel = \"etats\"\nexpect = \"tests/absent.csv\"\n";
    assert_snapshot!(project(cases).essaim(&["check"]).expect(2).snapshot());
}

#[test]
fn a_given_cell_that_does_not_fit_its_contract_is_a_mistake() {
    let cases = "[[test]]\nname = \"faute\"\nmodel = \"etats\"\ngiven.lieux = [\n  { id = \"1\", etat = \"ouvert\" },\n  { id = \"2\", etat = \"démoli\" },\n]\nexpect = []\n";
    assert_snapshot!(project(cases).essaim(&["test"]).expect(2).snapshot());
}

#[test]
fn the_cases_of_the_shipped_pipeline_pass_and_can_be_chosen_by_name() {
    let project = Project::shipped();
    let all = project.essaim(&["test"]).expect(0);
    assert_eq!(all.stdout.lines().count(), 9);
    assert!(all.stdout.lines().all(|line| line.ends_with("\tpass")), "{}", all.stdout);
    assert!(!project.path("data").exists(), "nothing is fetched or stored");
    let one = project.essaim(&["test", "cooperations-territoriales", "--name", "registres"]).expect(0);
    assert_eq!(one.stdout.lines().count(), 1);
    project.essaim(&["test", "--name", "introuvable"]).expect(2);
}
