//! Mistakes in models. The caret stands in the `.sql` file.

use insta::assert_snapshot;

use super::{DIRECTORY, FUNDING, KEY_FIGURES, PLACES, checked, model, seen};
use crate::harness::Project;

#[test]
fn an_unknown_table_in_sql_names_the_nearest() {
    assert_snapshot!(checked(|p| p.replace(FUNDING, "FROM indicateurs", "FROM indicateur")).snapshot());
}

#[test]
fn a_column_that_no_contract_has_names_the_nearest() {
    assert_snapshot!(checked(|p| p.replace(DIRECTORY, "    site_web,\n", "    site_wb,\n")).snapshot());
}

#[test]
fn a_column_that_no_contract_has_stops_a_run_before_anything_is_fetched() {
    let project = Project::shipped();
    project.replace(DIRECTORY, "    site_web,\n", "    site_wb,\n");
    assert_snapshot!(seen(&project, &["run"]).snapshot());
}

#[test]
fn two_columns_that_no_contract_has_are_both_reported() {
    let change = |p: &Project| {
        p.replace(FUNDING, "    modalite_libelle AS libelle,", "    modalite_label AS libelle,");
        p.replace(FUNDING, "WHERE question =", "WHERE qestion =");
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn a_column_behind_an_alias_has_its_place() {
    assert_snapshot!(
        checked(|p| model(
            p,
            "essai",
            "SELECT f.id, t.nomm\nFROM fabriques AS f\nJOIN tiers_lieux AS t ON f.id = t.id\n"
        ))
        .snapshot()
    );
}

#[test]
fn a_column_of_two_tables_is_ambiguous() {
    assert_snapshot!(
        checked(|p| model(p, "essai", "SELECT nom\nFROM fabriques AS f\nJOIN tiers_lieux AS t ON f.id = t.id\n"))
            .snapshot()
    );
}

#[test]
fn sql_that_cannot_be_read_has_its_place() {
    assert_snapshot!(
        checked(|p| p.replace(FUNDING, "FROM indicateurs\nWHERE", "FROM indicateurs WERE question = 'a'\nWHERE"))
            .snapshot()
    );
}

#[test]
fn sql_with_a_comma_too_much_has_its_place() {
    assert_snapshot!(
        checked(|p| p.replace(FUNDING, "    part_mentions\nFROM", "    part_mentions,,\nFROM")).snapshot()
    );
}

#[test]
fn sql_that_ends_too_early_has_its_place() {
    assert_snapshot!(
        checked(|p| p.replace(FUNDING, "WHERE question = 'financements'", "WHERE question = (")).snapshot()
    );
}

#[test]
fn an_empty_model_is_refused() {
    assert_snapshot!(checked(|p| model(p, "essai", "-- à écrire\n")).snapshot());
}

#[test]
fn a_model_that_is_no_select_is_refused() {
    assert_snapshot!(checked(|p| model(p, "essai", "CREATE TABLE essai AS\nSELECT id FROM fabriques\n")).snapshot());
}

#[test]
fn two_models_that_read_each_other_are_refused_with_their_path() {
    let change = |p: &Project| {
        model(p, "poule", "SELECT un FROM oeuf\n");
        model(p, "oeuf", "SELECT un FROM poule\n");
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn three_models_in_a_circle_are_refused_with_their_path() {
    let change = |p: &Project| {
        model(p, "pierre", "SELECT un FROM ciseaux\n");
        model(p, "ciseaux", "SELECT un FROM feuille\n");
        model(p, "feuille", "SELECT un FROM pierre\n");
    };
    assert_snapshot!(checked(change).snapshot());
}

#[test]
fn a_model_that_reads_itself_is_refused() {
    assert_snapshot!(checked(|p| model(p, "serpent", "SELECT un FROM serpent\n")).snapshot());
}

#[test]
fn an_unknown_function_names_the_nearest() {
    assert_snapshot!(
        checked(|p| p.replace(KEY_FIGURES, "sum(nombre(types_cooperation))", "sum(nombr(types_cooperation))"))
            .snapshot()
    );
}

#[test]
fn the_clock_is_refused_in_sql() {
    assert_snapshot!(checked(|p| model(p, "essai", "SELECT id, now() AS vu_le\nFROM fabriques\n")).snapshot());
}

#[test]
fn chance_is_refused_in_sql() {
    assert_snapshot!(checked(|p| model(p, "essai", "SELECT id, random() AS alea\nFROM fabriques\n")).snapshot());
}

#[test]
fn a_limit_without_order_is_refused() {
    assert_snapshot!(checked(|p| model(p, "essai", "SELECT id\nFROM fabriques\nLIMIT 10\n")).snapshot());
}

#[test]
fn a_text_compared_with_a_number_is_refused() {
    assert_snapshot!(
        checked(|p| model(p, "essai", "SELECT id\nFROM fabriques\nWHERE code_departement = 35\n")).snapshot()
    );
}

#[test]
fn a_function_on_the_wrong_type_has_its_place() {
    assert_snapshot!(
        checked(|p| p.replace(KEY_FIGURES, "sum(nombre(types_cooperation))", "sum(nombre(statut_juridique))"))
            .snapshot()
    );
}

#[test]
fn a_column_that_is_neither_grouped_nor_aggregated_is_refused() {
    assert_snapshot!(
        checked(|p| model(p, "essai", "SELECT region, nom, count(*) AS n\nFROM fabriques\nGROUP BY region\n"))
            .snapshot()
    );
}

#[test]
fn a_union_of_different_widths_is_refused() {
    assert_snapshot!(
        checked(|p| p.replace(
            PLACES,
            "    site_web,\n    date_maj\nFROM tiers_lieux",
            "    site_web\nFROM tiers_lieux"
        ))
        .snapshot()
    );
}
