//! Cross-tables: counts that a pipeline declares, and models read.

use std::collections::BTreeMap;

use crate::harness::{Output, Project};

const PIPELINE: &str = "pipelines/lieux.toml";

/// Seven places. The first five stand in a region each; the last has neither region nor uses.
const RAW: &str = "id,region,gestionnaire,statut,usages,equipe\n\
    1,Bretagne,Anne,asso,atelier|cafe,oui\n\
    2,Bretagne,Bilal,scic,cafe,oui\n\
    3,Bretagne,Anne,asso,,non\n\
    4,Normandie,Chloé,,atelier,non\n\
    5,Normandie,Chloé,asso,atelier|cafe|jardin,\n\
    6,,Dina,scic,jardin,oui\n\
    7,,Dina,asso,,oui\n";

const SQL: &str = "SELECT coalesce(region, 'sans région') AS region, question, modalite, rang, n, base, ensemble\n\
    FROM par_region\n";

/// A public registry with a cross-table by region, which a published model copies.
fn project() -> Project {
    let project = Project::empty();
    project.write(
        "essaim.toml",
        "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\
         [publisher]\nname = \"Essai\"\n",
    );
    project.write("data-in/lieux.csv", RAW);
    project.write("seeds/codes/statut.csv", "code,label\nscop,Scop\nasso,Association\nscic,Scic\n");
    project.write("seeds/codes/usages.csv", "code,label\njardin,Jardin\natelier,Atelier\ncafe,Café\n");
    project.write(
        PIPELINE,
        "title = \"Lieux\"\ndescription = \"Lieux d’essai\"\nlicence = \"etalab-2.0\"\n\
         [source.lieux]\nlicence = \"etalab-2.0\"\nfile = { path = \"data-in/lieux.csv\" }\n\
         [table.lieux]\nsource = \"lieux\"\ncsv = {}\n\
         [crosstab.par_region]\ntable = \"lieux\"\nby = [\"region\"]\nquestions = [\"usages\", \"statut\"]\n\
         [publish]\ntables = [\"comptes\"]\n",
    );
    project.write(
        "schemas/lieux.schema.json",
        r#"{"fields": [
            {"name": "id", "type": "string", "essaim": {"visibility": "public"}},
            {"name": "region", "type": "string", "essaim": {"visibility": "public"}},
            {"name": "gestionnaire", "type": "string", "essaim": {"visibility": "personal"}},
            {"name": "statut", "type": "string", "essaim": {"visibility": "restricted", "codes": "statut"}},
            {"name": "usages", "type": "list", "essaim": {"visibility": "public", "codes": "usages", "multi": true}},
            {"name": "equipe", "type": "boolean", "essaim": {"visibility": "public"}}
        ], "primaryKey": ["id"]}"#,
    );
    project.write("sql/lieux/comptes.sql", SQL);
    project.write(
        "schemas/comptes.schema.json",
        r#"{"title": "Comptes", "fields": [
            {"name": "region", "type": "string", "essaim": {"visibility": "public"}},
            {"name": "question", "type": "string", "essaim": {"visibility": "public"}},
            {"name": "rang", "type": "integer", "essaim": {"visibility": "public"}},
            {"name": "modalite", "type": "string", "essaim": {"visibility": "public"}},
            {"name": "n", "type": "integer", "essaim": {"visibility": "public"}},
            {"name": "base", "type": "integer", "essaim": {"visibility": "public"}},
            {"name": "ensemble", "type": "integer", "essaim": {"visibility": "public"}}
        ], "primaryKey": ["region", "question", "rang"]}"#,
    );
    project
}

/// Adds to the pipeline file.
fn with(project: &Project, more: &str) {
    project.write(PIPELINE, format!("{}{more}", project.read(PIPELINE)));
}

#[track_caller]
fn refused(project: &Project) -> Output {
    let output = project.essaim(&["run"]).expect(2);
    assert!(!project.path("data").exists(), "something was done before the mistake was reported");
    output
}

#[test]
fn a_run_counts_the_cross_table_and_a_model_publishes_it() {
    let project = project();
    project.run();
    let line = |row: &BTreeMap<String, String>| {
        ["region", "question", "rang", "modalite", "n", "base", "ensemble"].map(|column| row[column].clone()).join(" ")
    };
    let rows: Vec<String> = project.csv("lieux", "comptes").iter().map(line).collect();
    assert_eq!(
        rows,
        [
            "Bretagne statut 1 scop 0 3 4",
            "Bretagne statut 2 asso 2 3 4",
            "Bretagne statut 3 scic 1 3 4",
            "Bretagne usages 1 jardin 0 2 4",
            "Bretagne usages 2 atelier 1 2 4",
            "Bretagne usages 3 cafe 2 2 4",
            "Normandie statut 1 scop 0 1 4",
            "Normandie statut 2 asso 1 1 4",
            "Normandie statut 3 scic 0 1 4",
            "Normandie usages 1 jardin 1 2 4",
            "Normandie usages 2 atelier 2 2 4",
            "Normandie usages 3 cafe 1 2 4",
            "sans région statut 1 scop 0 2 4",
            "sans région statut 2 asso 1 2 4",
            "sans région statut 3 scic 1 2 4",
            "sans région usages 1 jardin 1 1 4",
            "sans région usages 2 atelier 0 1 4",
            "sans région usages 3 cafe 0 1 4",
        ]
    );
}

#[test]
fn a_case_gives_rows_and_reads_the_cross_table_and_the_model_above_it() {
    let project = project();
    with(
        &project,
        r#"
        [crosstab.equipe_et_usages]
        table = "lieux"
        by = ["equipe", "usages"]
        questions = "statut"
        [[test]]
        name = "le modèle compte les lieux donnés"
        model = "comptes"
        given.lieux = [{ id = "a", region = "Corse", usages = "cafe|jardin" }, { id = "b", region = "Corse", statut = "scop" }]
        subset = true
        expect = [
          { region = "Corse", modalite = "cafe", n = 1, base = 1, ensemble = 1 },
          { region = "Corse", modalite = "scop", n = 1, base = 1, ensemble = 1 },
        ]
        any_order = true
        [[test]]
        name = "chaque option est comptée dans chaque groupe, rencontré ou non"
        model = "equipe_et_usages"
        given.lieux = [{ id = "a", equipe = true, usages = ["cafe", "atelier"], statut = "asso" }]
        expect = [
          { equipe = true, usages = "atelier", question = "statut", modalite = "asso", rang = 2, n = 1, base = 1, ensemble = 1 },
          { equipe = true, usages = "atelier", question = "statut", modalite = "scic", rang = 3, n = 0, base = 1, ensemble = 1 },
          { equipe = true, usages = "atelier", question = "statut", modalite = "scop", rang = 1, n = 0, base = 1, ensemble = 1 },
          { equipe = true, usages = "cafe", question = "statut", modalite = "asso", rang = 2, n = 1, base = 1, ensemble = 1 },
          { equipe = true, usages = "cafe", question = "statut", modalite = "scic", rang = 3, n = 0, base = 1, ensemble = 1 },
          { equipe = true, usages = "cafe", question = "statut", modalite = "scop", rang = 1, n = 0, base = 1, ensemble = 1 },
          { equipe = true, usages = "jardin", question = "statut", modalite = "asso", rang = 2, n = 0, base = 0, ensemble = 1 },
          { equipe = true, usages = "jardin", question = "statut", modalite = "scic", rang = 3, n = 0, base = 0, ensemble = 1 },
          { equipe = true, usages = "jardin", question = "statut", modalite = "scop", rang = 1, n = 0, base = 0, ensemble = 1 },
        ]
        "#,
    );
    let output = project.essaim(&["test"]).expect(0);
    assert_eq!(output.stderr, "2 of 2 tests pass\n");
}

#[test]
fn a_cross_table_cannot_be_given_to_a_case() {
    let project = project();
    with(
        &project,
        "[[test]]\nname = \"donné\"\nmodel = \"comptes\"\ngiven.par_region = [{ region = \"Corse\" }]\nexpect = []\n",
    );
    let output = project.essaim(&["test"]).expect(2);
    assert!(output.stderr.contains("it is made from `lieux`: give rows of that"), "{}", output.stderr);
}

#[test]
fn a_cross_table_by_a_personal_column_is_refused_with_its_path() {
    let project = project();
    project.replace(PIPELINE, "by = [\"region\"]", "by = [\"gestionnaire\"]");
    project.write("sql/lieux/comptes.sql", SQL.replace("coalesce(region", "coalesce(gestionnaire"));
    let output = refused(&project);
    assert!(output.stderr.contains("column `region` of `comptes` derives from a personal column"), "{}", output.stderr);
    assert!(output.stderr.contains("par_region.gestionnaire <- lieux.gestionnaire"), "{}", output.stderr);
    // What is counted by a personal column is refused with it: the groups tell the persons.
    assert!(output.stderr.contains("column `n` of `comptes`"), "{}", output.stderr);
}

#[test]
fn a_cross_table_by_a_column_that_is_not_public_is_refused_and_one_that_counts_it_is_not() {
    let project = project();
    project.essaim(&["check"]).expect(0);
    project.replace(PIPELINE, "by = [\"region\"]", "by = [\"statut\"]");
    project.replace(PIPELINE, "[\"usages\", \"statut\"]", "[\"usages\"]");
    project.write("sql/lieux/comptes.sql", SQL.replace("coalesce(region", "coalesce(statut"));
    let output = refused(&project);
    assert!(output.stderr.contains("derives from a column that is not public"), "{}", output.stderr);
}

#[test]
fn a_model_that_reads_a_cross_table_by_a_personal_column_must_say_so() {
    let project = project();
    with(&project, "[crosstab.par_personne]\ntable = \"lieux\"\nby = \"gestionnaire\"\nquestions = \"statut\"\n");
    project.write("sql/lieux/interne.sql", "SELECT sum(n) AS n FROM par_personne\n");
    let output = project.essaim(&["check"]).expect(2);
    assert!(output.stderr.contains("model `interne` reads a personal column"), "{}", output.stderr);
}

#[test]
fn a_cross_table_that_is_published_as_it_is_is_refused() {
    let project = project();
    project.replace(PIPELINE, "tables = [\"comptes\"]", "tables = [\"comptes\", \"par_region\"]");
    let output = refused(&project);
    assert!(output.stderr.contains("publish a model that reads it"), "{}", output.stderr);
}

/// A survey: its cross-tables are held to what its indicators are held to.
mod survey {
    use super::*;

    const SHIPPED: &str = "pipelines/cooperations-territoriales.toml";
    const FOLDER: &str = "sql/cooperations-territoriales";
    const PUBLIC: &str = r#""type": "string", "essaim": {"visibility": "public"}"#;

    /// The shipped project with a cross-table of the answers, and a published model that reads it.
    fn published(by: &str, cell: &str) -> Project {
        let project = Project::shipped();
        let crosstab = format!(
            "[crosstab.croise]\ntable = \"reponses\"\nby = [{by}]\nquestions = [\"besoins\", \"statut_juridique\"]\n\n[publish]"
        );
        project.replace(SHIPPED, "[publish]", &crosstab);
        project.write(&format!("{FOLDER}/options.sql"), "SELECT question, modalite, rang, n, base FROM croise\n");
        project.write(
            "schemas/options.schema.json",
            format!(
                r#"{{"title": "Options", "fields": [
                {{"name": "question", {PUBLIC}}},
                {{"name": "modalite", {PUBLIC}}},
                {{"name": "rang", "type": "integer", "essaim": {{"visibility": "public"}}}},
                {{"name": "n", "type": "integer", "essaim": {{"visibility": "public"}}}},
                {{"name": "base", "type": "integer", "essaim": {{"visibility": "public"}}}}
                {cell}"#
            ),
        );
        project.replace(SHIPPED, "  \"maillage_departements\",\n]", "  \"maillage_departements\",\n  \"options\",\n]");
        project
    }

    const NO_CELL: &str = r#"], "primaryKey": ["question", "rang"]}"#;
    const CELL: &str = r#", {"name": "secret", "type": "boolean", "essaim": {"visibility": "public"}}
        ], "primaryKey": ["question", "rang"],
        "essaim": {"cell": {"respondents": "n", "base": "base", "group": "question", "hides": ["n"]}}}"#;

    #[test]
    fn by_group_is_refused_once_whatever_protects_it() {
        for cell in [NO_CELL, CELL] {
            let output = refused(&published("\"region\"", cell));
            assert!(output.stderr.contains("`options` publishes a grouping of a survey"), "{}", output.stderr);
            assert!(output.stderr.contains("section 7"), "{}", output.stderr);
            assert_eq!(output.stderr.matches("disclosure::").count(), 1, "{}", output.stderr);
        }
    }

    #[test]
    fn by_group_is_refused_by_way_of_another_model() {
        let project = published("\"region\"", CELL);
        project.write(&format!("{FOLDER}/detour.sql"), "SELECT * FROM croise\n");
        project.write(&format!("{FOLDER}/options.sql"), "SELECT question, modalite, rang, n, base FROM detour\n");
        let output = refused(&project);
        assert!(
            output.stderr.contains("publishes a grouping of a survey, by way of another model"),
            "{}",
            output.stderr
        );
    }

    #[test]
    fn of_the_whole_sample_is_refused_without_protection() {
        let output = refused(&published("", NO_CELL));
        assert!(output.stderr.contains("disclosure::no_cell"), "{}", output.stderr);
    }

    #[test]
    fn of_a_table_that_asks_for_consent_is_one_too() {
        let project = project();
        project.replace(PIPELINE, "csv = {}\n", "csv = {}\nconsent = { row = \"equipe\", answers = \"equipe\" }\n");
        let output = refused(&project);
        assert!(output.stderr.contains("`comptes` publishes a grouping of a survey"), "{}", output.stderr);
        project.replace(PIPELINE, "by = [\"region\"]", "by = []");
        project.write("sql/lieux/comptes.sql", SQL.replace("coalesce(region, 'sans région')", "'toutes'"));
        let output = refused(&project);
        assert!(output.stderr.contains("`comptes` aggregates answers of a survey"), "{}", output.stderr);
    }

    #[test]
    fn of_the_whole_sample_counts_as_the_indicators_do() {
        let project = published("", CELL);
        // Divides by zero unless each option is counted as in `indicateurs`; a model without contract stays inside.
        project.write(
            &format!("{FOLDER}/controle.sql"),
            "SELECT 1 / CAST(count(*) FILTER (WHERE i.n = c.n) = count(*) AND count(*) > 10 AS BIGINT) AS egal \
             FROM croise AS c JOIN indicateurs AS i ON i.question = c.question AND i.modalite = c.modalite AND i.rang = c.rang",
        );
        project.run();
        let rows = project.csv("cooperations-territoriales", "options");
        let indicators = project.csv("cooperations-territoriales", "indicateurs");
        let asked =
            |row: &&BTreeMap<String, String>| ["besoins", "statut_juridique"].contains(&row["question"].as_str());
        let indicators: Vec<_> = indicators.iter().filter(asked).collect();
        assert_eq!(rows.len(), indicators.len());
        let shown: Vec<_> = rows.iter().filter(|row| row["secret"] == "false").collect();
        assert!(shown.len() > 5, "{rows:?}");
        for row in shown {
            let same = |other: &&&BTreeMap<String, String>| {
                ["question", "modalite"].iter().all(|column| other[*column] == row[*column])
            };
            let indicator = indicators.iter().find(same).unwrap();
            assert!(indicator["n"] == row["n"] || indicator["secret"] == "true", "{row:?} {indicator:?}");
        }
    }
}
