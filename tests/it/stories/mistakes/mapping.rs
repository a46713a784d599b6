//! Mistakes in a mapping: readers, derived columns, columns, places, rules, lookups, code lists.

use insta::assert_snapshot;

use super::seen;
use crate::harness::{Output, Project};

const PIPELINE: &str = "pipelines/lieux.toml";
const SCHEMA: &str = "schemas/lieux.schema.json";
const LOOKUP: &str = "seeds/lookups/statuts.csv";

const MAPPED: &str = r#"title = "Lieux"
description = "Des lieux."
licence = "etalab-2.0"

[source.lieux]
licence = "etalab-2.0"
file.path = "seeds/lieux.csv"

[table.lieux]
source = "lieux"
csv = { delimiter = ";", encoding = "detect", header_row = 1 }

[table.lieux.derive]
ligne = { from = ["N°", "VOIE"], join = " " }

[table.lieux.columns]
nom = "NOM"
ouvert = "OUVERT"
surface = { from = "SURFACE", decimal = ",", units = { "m²" = 1 } }
ouverture = { from = "OUVERTURE", format = "%d/%m/%Y" }
statut = { from = "STATUT", lookup = "statuts" }
publics = { from = "PUBLICS", separator = ";", other = "publics_autre", other_from = "AUTRE PUBLIC" }

[table.lieux.place]
longitude = "x"
latitude = "y"
crs = "EPSG:2154"

[[table.lieux.reject]]
column = "ETAT"
is = "fermé"
reason = "lieu_ferme"

[publish]
tables = ["lieux"]
"#;

const CONTRACT: &str = r#"{
  "primaryKey": ["id"],
  "fields": [
    {"name": "id", "type": "string", "essaim": {"visibility": "public"}},
    {"name": "nom", "type": "string"},
    {"name": "ouvert", "type": "boolean"},
    {"name": "surface", "type": "number"},
    {"name": "ouverture", "type": "date"},
    {"name": "statut", "type": "string", "essaim": {"codes": "statuts"}},
    {"name": "publics", "type": "list", "essaim": {"codes": "publics", "multi": true}},
    {"name": "publics_autre", "type": "string"}
  ]
}
"#;

fn project() -> Project {
    let project = Project::empty();
    project.write(
        "essaim.toml",
        "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\n\
         [publisher]\nname = \"Exemple\"\n",
    );
    project.write(PIPELINE, MAPPED);
    project.write(SCHEMA, CONTRACT);
    project.write("seeds/codes/statuts.csv", "code,label\nasso,Association\npublic,Public\n");
    project.write("seeds/codes/publics.csv", "code,label\njeunes,Jeunes\nautre,Autre\n");
    project.write(LOOKUP, "source,value,note\nloi 1901,asso,\n-,,rien\n✔,public,\n");
    project
}

#[track_caller]
fn told(change: impl FnOnce(&Project)) -> Output {
    let project = project();
    change(&project);
    seen(&project, &["check"])
}

/// What is said when a text of the pipeline file is another.
#[track_caller]
fn changed(from: &str, to: &str) -> String {
    told(|project| project.replace(PIPELINE, from, to)).snapshot()
}

#[test]
fn the_mapping_itself_has_no_mistake() {
    project().essaim(&["check"]).expect(0);
}

// Readers.

#[test]
fn a_delimiter_of_two_characters_is_refused() {
    assert_snapshot!(changed("delimiter = \";\"", "delimiter = \"; \""));
}

#[test]
fn an_unknown_encoding_names_the_nearest() {
    assert_snapshot!(changed("\"detect\"", "\"windows-1253\""));
}

#[test]
fn a_header_in_row_zero_is_refused() {
    assert_snapshot!(changed("header_row = 1", "header_row = 0"));
}

#[test]
fn a_path_to_rows_in_json_lines_is_refused() {
    let csv = "csv = { delimiter = \";\", encoding = \"detect\", header_row = 1 }";
    assert_snapshot!(changed(csv, "json = { rows = \"data.lieux\", lines = true }"));
}

#[test]
fn items_of_a_cell_without_separator_are_refused() {
    let derive = "[table.lieux.derive]";
    assert_snapshot!(changed(derive, &format!("explode = {{ column = \"PUBLICS\" }}\n\n{derive}")));
    // A JSON list in a cell needs none, and says so.
    let project = project();
    project.replace(PIPELINE, derive, &format!("explode = {{ column = \"PUBLICS\", separator = [] }}\n\n{derive}"));
    project.essaim(&["check"]).expect(0);
}

#[test]
fn an_unknown_rule_for_a_source_that_changes_names_the_nearest() {
    assert_snapshot!(changed("source = \"lieux\"\n", "source = \"lieux\"\ndrift = \"null\"\n"));
}

// Derived columns.

#[test]
fn a_derivation_in_two_ways_is_refused() {
    assert_snapshot!(changed("join = \" \" }", "join = \" \", split = \",\" }"));
}

#[test]
fn a_piece_before_the_first_is_refused() {
    assert_snapshot!(changed("join = \" \" }", "split = \",\", take = 0 }"));
}

#[test]
fn an_expression_that_names_no_group_is_refused() {
    assert_snapshot!(changed("join = \" \" }", "pattern = '\\d{5}' }"));
}

#[test]
fn an_expression_that_cannot_be_read_is_refused() {
    assert_snapshot!(changed("join = \" \" }", "pattern = '(?<cp>\\d{5}' }"));
}

#[test]
fn two_derived_columns_of_one_name_are_refused() {
    let second = "join = \" \" }\nville = { from = \"VILLE\", pattern = '(?<cp>\\d{5})' }\n\
                  \"ville.cp\" = { from = \"CP\", split = \" \", take = 1 }";
    assert_snapshot!(changed("join = \" \" }", second));
}

#[test]
fn a_derived_column_with_the_name_of_the_column_it_is_made_of_is_refused() {
    assert_snapshot!(changed("ligne = { from = [\"N°\", \"VOIE\"]", "VOIE = { from = [\"N°\", \"VOIE\"]"));
}

// Columns.

#[test]
fn a_column_from_a_source_and_a_constant_is_refused() {
    assert_snapshot!(changed("nom = \"NOM\"", "nom = { from = \"NOM\", constant = \"lieu\" }"));
}

#[test]
fn a_decimal_mark_for_a_column_that_is_no_number_is_refused() {
    assert_snapshot!(changed("nom = \"NOM\"", "nom = { from = \"NOM\", decimal = \",\" }"));
}

#[test]
fn a_decimal_mark_that_is_none_is_refused() {
    assert_snapshot!(changed("decimal = \",\"", "decimal = \"'\""));
}

#[test]
fn a_unit_without_a_factor_is_refused() {
    assert_snapshot!(changed("{ \"m²\" = 1 }", "{ \"m²\" = 0 }"));
}

#[test]
fn a_separator_for_a_column_of_one_value_is_refused() {
    assert_snapshot!(changed("lookup = \"statuts\" }", "lookup = \"statuts\", separator = \";\" }"));
}

#[test]
fn an_empty_separator_is_refused() {
    assert_snapshot!(changed("separator = \";\"", "separator = \"\""));
}

#[test]
fn options_that_hold_the_separator_need_a_list_of_options() {
    assert_snapshot!(changed("nom = \"NOM\"", "nom = { from = \"NOM\", labels = true }"));
}

#[test]
fn a_length_of_cut_options_for_free_text_is_refused() {
    assert_snapshot!(changed("nom = \"NOM\"", "nom = { from = \"NOM\", cut_at = 31 }"));
}

#[test]
fn a_free_text_that_ticks_an_option_that_is_not_there_is_refused() {
    let change = |project: &Project| project.write("seeds/codes/publics.csv", "code,label\njeunes,Jeunes\n");
    assert_snapshot!(told(change).snapshot());
}

#[test]
fn a_text_that_is_an_answer_and_not_shown_is_refused() {
    assert_snapshot!(changed("separator = \";\"", "separator = \";\", not_shown = [\"Non posée\", \"JEUNES\"]"));
}

#[test]
fn an_empty_text_that_is_not_shown_is_refused() {
    assert_snapshot!(changed("separator = \";\"", "separator = \";\", not_shown = [\"-\", \"\"]"));
}

#[test]
fn ticks_without_columns_of_options_are_refused() {
    assert_snapshot!(changed("separator = \";\"", "separator = \";\", ticked = \"✔\""));
}

#[test]
fn names_of_option_columns_without_a_place_for_the_option_are_refused() {
    assert_snapshot!(changed("from = \"PUBLICS\", separator = \";\"", "columns = \"Publics\""));
}

#[test]
fn a_column_of_an_option_that_is_no_code_names_the_nearest() {
    assert_snapshot!(changed("from = \"PUBLICS\", separator = \";\"", "columns = { jeune = \"PBC_J\" }"));
}

#[test]
fn date_formats_that_tell_no_day_are_refused() {
    assert_snapshot!(changed("\"%d/%m/%Y\"", "[\"%d/%m/%Y\", \"%m/%Y\", \"%d/%m\", \"%H:%M\", \"%Y-%m-%dT%H:%M%z\"]"));
}

// Lookups and code lists.

#[test]
fn an_unknown_lookup_names_the_nearest() {
    assert_snapshot!(changed("lookup = \"statuts\"", "lookup = \"statut\""));
}

#[test]
fn a_lookup_without_its_columns_is_refused() {
    assert_snapshot!(told(|project| project.write(LOOKUP, "texte,code\nloi 1901,asso\n")).snapshot());
}

#[test]
fn a_lookup_that_leads_to_no_code_names_the_nearest() {
    assert_snapshot!(told(|project| project.write(LOOKUP, "source,value\nloi 1901,associatio\n")).snapshot());
}

#[test]
fn a_text_that_stands_twice_in_a_lookup_is_refused_and_signs_differ() {
    let change = |project: &Project| project.write(LOOKUP, "source,value\n-,asso\n✔,public\n?,\n - ,public\n");
    assert_snapshot!(told(change).snapshot());
}

#[test]
fn a_code_list_without_its_columns_is_refused() {
    assert_snapshot!(
        told(|project| project.write("seeds/codes/publics.csv", "Code,Label\njeunes,Jeunes\n")).snapshot()
    );
}

#[test]
fn a_code_list_without_a_code_is_refused() {
    assert_snapshot!(told(|project| project.write("seeds/codes/publics.csv", "code,label\n")).snapshot());
}

#[test]
fn a_list_of_more_codes_than_a_cell_can_hold_is_refused() {
    let mut codes = vec!["code,label".to_owned(), "autre,Autre".to_owned()];
    codes.extend((1..=65).map(|at| format!("p{at},Public {at}")));
    let change = |project: &Project| project.write("seeds/codes/publics.csv", codes.join("\n"));
    assert_snapshot!(told(change).snapshot());
}

// Places and rules.

#[test]
fn an_unknown_coordinate_system_is_answered_with_those_that_are_known() {
    assert_snapshot!(changed("EPSG:2154", "EPSG:2155"));
}

#[test]
fn a_longitude_without_latitude_is_refused() {
    assert_snapshot!(changed("latitude = \"y\"\n", ""));
}

#[test]
fn a_rule_in_two_ways_is_refused() {
    assert_snapshot!(changed("is = \"fermé\"", "is = \"fermé\"\nmatches = '^ferm'"));
}

// Contracts.

#[test]
fn a_column_of_an_unknown_type_is_told_once_and_nothing_that_follows_from_it() {
    let change = |project: &Project| {
        project.replace(SCHEMA, "\"ouverture\", \"type\": \"date\"", "\"ouverture\", \"type\": \"dat\"");
        project.replace(SCHEMA, "\"surface\", \"type\": \"number\"", "\"surface\", \"type\": \"decimal\"");
        project.replace(SCHEMA, "\"publics\", \"type\": \"list\"", "\"publics\", \"type\": \"string\"");
        project.replace(SCHEMA, "\"codes\": \"statuts\"", "\"codes\": \"statut\"");
        project.replace(
            PIPELINE,
            "[publish]",
            "[table.lieux.duplicates]\nnewest = \"ouverture\"\n\n[questionnaire]\ntable = \"lieux\"\nquestion = [\n  \
             { column = \"publics\", kind = \"multi\" },\n  { column = \"surface\", kind = \"number\" },\n]\n\n[publish]",
        );
        project.replace(PIPELINE, "tables = [\"lieux\"]", "tables = []");
        project.replace(
            PIPELINE,
            "licence = \"etalab-2.0\"\n\n[source",
            "licence = \"etalab-2.0\"\nsynthetic = true\n\n[source",
        );
        project.write(
            "sql/lieux/grands.sql",
            "SELECT id, CAST(surface AS BIGINT) AS m2, nombre(publics) AS n, statut\nFROM lieux\n\
             WHERE surface > 100 AND ouverture >= DATE '2020-01-01' AND contient(publics, 'jeunes')\n",
        );
    };
    assert_snapshot!(told(change).snapshot());
}

#[test]
fn names_that_cannot_serve_in_sql_are_refused() {
    let change = |project: &Project| {
        project.replace(SCHEMA, "\"publics_autre\"", "\"publics autre\"");
        project.replace(PIPELINE, "other = \"publics_autre\"", "other = \"publics autre\"");
        project.write("schemas/Autres Lieux.schema.json", CONTRACT);
        project.write("sql/lieux/Les Grands.sql", "SELECT id FROM lieux\n");
        let more = "[source.\"Les lieux\"]\nlicence = \"etalab-2.0\"\nfile.path = \"seeds/lieux.csv\"\n\n\
                    [table.\"Les lieux\"]\nsource = \"lieux\"\ncsv = {}\n\n[publish]";
        project.replace(PIPELINE, "[publish]", more);
    };
    assert_snapshot!(told(change).snapshot());
}

#[test]
fn a_geometry_of_one_coordinate_is_refused() {
    let shape = "  ],\n  \"essaim\": {\"geometry\": {\"longitude\": \"surface\"}}\n}";
    assert_snapshot!(told(|project| project.replace(SCHEMA, "  ]\n}", shape)).snapshot());
}

// Questions, figures, sources, the project.

#[test]
fn a_questionnaire_says_what_it_does_not_know() {
    let questionnaire = "[questionnaire]\ntable = \"lieux\"\npopulation = 0\nquestion = [\n  \
                         { column = \"publics\", kind = \"multiple\" },\n  \
                         { column = \"statut\", kind = \"single\", base = \"answerd\" },\n]\n\n[publish]";
    let change = |project: &Project| {
        project.replace(PIPELINE, "[publish]", questionnaire);
        project.replace(PIPELINE, "tables = [\"lieux\"]", "tables = []");
        project.replace(PIPELINE, "description = \"Des lieux.\"\n", "description = \"Des lieux.\"\nsynthetic = true\n");
    };
    assert_snapshot!(told(change).snapshot());
}

#[test]
fn an_unknown_unit_of_a_figure_names_the_nearest() {
    let figure = "tables = [\"lieux\"]\nfigure = [\n  { table = \"lieux\", title = \"Lieux\", label = \"id\", value = \"id\", unit = \"percents\" },\n]\n";
    assert_snapshot!(changed("tables = [\"lieux\"]\n", figure));
}

#[test]
fn a_source_that_may_have_no_byte_is_refused() {
    let http = "http = { url = \"https://example.org/lieux.csv\", max_bytes = 0 }";
    assert_snapshot!(changed("file.path = \"seeds/lieux.csv\"", http));
}

#[test]
fn a_variable_that_is_written_wrong_is_refused() {
    assert_snapshot!(changed("\"seeds/lieux.csv\"", "\"seeds/${env:LIEUX.csv\""));
}

#[test]
fn a_project_with_a_short_key_and_no_address_is_refused() {
    let change = |project: &Project| {
        project.replace("essaim.toml", "https://donnees.example.org/", "donnees.example.org");
        project.replace("essaim.toml", "essaim-demonstration-key", "court");
    };
    assert_snapshot!(told(change).snapshot());
}
