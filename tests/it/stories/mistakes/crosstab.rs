//! Cross-tables that cannot be counted.

use super::{PIPELINE, checked, model};
use crate::harness::Project;

/// Adds cross-tables to the shipped project.
fn declared(project: &Project, crosstabs: &str) {
    project.replace(PIPELINE, "# The release", &format!("{crosstabs}\n# The release"));
}

#[test]
fn every_mistake_of_a_cross_table_is_told_in_one_go() {
    let change = |p: &Project| {
        declared(
            p,
            r#"
[crosstab.Croise]
table = "reponses"
questions = ["besoins"]

[crosstab.regions]
table = "reponses"
questions = ["besoins"]

[crosstab.reponses_publiques]
table = "reponses"
questions = ["besoins"]

[crosstab.financement]
table = "reponses"
questions = ["besoins"]

[crosstab.de_rien]
by = ["region"]
where = "region = 'Bretagne'"

[crosstab.du_modele]
table = "structures"
questions = []

[crosstab.de_nulle_part]
table = "reponse"
questions = ["besoins"]

[crosstab.de_travers]
table = "reponses"
by = ["regio", "date_maj", "region", "region"]
questions = ["besoin", "nom", "besoins", "besoins"]
"#,
        );
    };
    let output = checked(change);
    let told = [
        "`Croise` cannot name a table",
        "there already is a table `regions`",
        "there already is a table `reponses_publiques`",
        "there already is a model `financement`",
        "`table` is missing",
        "`questions` is missing",
        "unknown key `where`",
        "there is no table `structures`",
        "cross-tables count rows of sources",
        "cross-table `du_modele` counts nothing",
        "there is no table `reponse`",
        "did you mean `reponses`?",
        "a cross-table groups by two columns at most",
        "`reponses` has no column `regio`",
        "`date_maj` does not group",
        "`region` is grouped by twice",
        "`reponses` has no column `besoin`",
        "`nom` has no options to count",
        "`besoins` is counted twice",
    ];
    for message in told {
        assert_eq!(output.stderr.matches(message).count(), 1, "{message}\n{}", output.stderr);
    }
    // Each has a code of its own but the two that are help.
    let codes = ["pipeline::", "file::"].map(|code| output.stderr.matches(code).count());
    assert_eq!(codes.iter().sum::<usize>(), told.len() - 2, "{}", output.stderr);
}

#[test]
fn a_column_that_groups_may_not_be_named_like_a_column_of_the_cross_table() {
    let change = |p: &Project| {
        p.replace("schemas/fabriques.schema.json", "\"name\": \"territoire\"", "\"name\": \"base\"");
        declared(p, "[crosstab.croise]\ntable = \"fabriques\"\nby = \"base\"\nquestions = []\n");
    };
    let output = checked(change);
    assert!(output.stderr.contains("a cross-table has a column `base` of its own"), "{}", output.stderr);
    assert!(output.stderr.contains("cross-table `croise` counts nothing"), "{}", output.stderr);
}

#[test]
fn what_reads_a_cross_table_with_a_mistake_is_not_told_again() {
    let change = |p: &Project| {
        model(p, "lecteur", "SELECT n FROM croise\n");
        declared(p, "[crosstab.croise]\ntable = \"reponses\"\nquestions = [\"besoin\"]\n");
    };
    let output = checked(change);
    assert!(output.stderr.contains("did you mean `besoins`?"), "{}", output.stderr);
    assert!(!output.stderr.contains("lecteur"), "{}", output.stderr);
}

#[test]
fn a_model_is_checked_against_the_columns_of_the_cross_table() {
    let change = |p: &Project| {
        model(p, "lecteur", "SELECT region, modalite, effectif FROM croise\n");
        declared(p, "[crosstab.croise]\ntable = \"reponses\"\nby = [\"region\"]\nquestions = [\"besoins\"]\n");
    };
    let output = checked(change);
    assert!(output.stderr.contains("effectif"), "{}", output.stderr);
    assert_eq!(output.stderr.matches("sql::").count(), 1, "{}", output.stderr);
}
