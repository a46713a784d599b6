//! Mistakes in constraints and in declared checks.

use insta::assert_snapshot;

use super::{PIPELINE, checked};
use crate::harness::Project;

fn add(project: &Project, text: &str) {
    project.write(PIPELINE, format!("{}\n{text}", project.read(PIPELINE)));
}

#[test]
fn mistakes_in_the_sql_of_a_check_are_shown_in_the_pipeline_file() {
    assert_snapshot!(
        checked(|p| add(
            p,
            "[[check]]\nname = \"noms\"\nbecause = \"É\"\nsql = '''\n\
             SELECT id, nmo\nFROM structures\nWHERE 'é' <> '' AND regoin IS NULL\n'''\n\
             [[check]]\nname = \"tables\"\nbecause = \"x\"\nsql = 'SELECT id FROM structure'\n\
             [[check]]\nname = \"deux\"\nbecause = \"x\"\nsql = 'SELECT 1; SELECT 2'\n"
        ))
        .snapshot()
    );
}

#[test]
fn a_check_that_reads_a_personal_column_says_so() {
    assert_snapshot!(
        checked(|p| add(
            p,
            "[[check]]\nname = \"contacts\"\nbecause = \"x\"\nsql = 'SELECT id FROM reponses WHERE contact_courriel IS NULL'\n"
        ))
        .snapshot()
    );
}

#[test]
fn a_check_is_named_once_and_has_a_known_severity() {
    assert_snapshot!(
        checked(|p| add(
            p,
            "[[check]]\nname = \"a\"\nbecause = \"x\"\nseverity = \"error\"\nsql = 'SELECT id FROM structures'\n\
             [[check]]\nname = \"a\"\nbecause = \"x\"\nsql = 'SELECT id FROM structures'\n\
             [[check]]\nname = \"A b\"\nbecause = \"x\"\nsql = 'SELECT id FROM structures'\n\
             [[check]]\nname = \"c\"\nbecause = \"x\"\nsql = \"SELECT \\\"id\\\" FROM structures\"\n"
        ))
        .snapshot()
    );
}

#[test]
fn constraints_that_cannot_be_enforced_are_reported() {
    let table = "schemas/maillage_regions.schema.json";
    assert_snapshot!(
        checked(|p| {
            let mut schema = p.json(table);
            let fields = schema["fields"].as_array_mut().unwrap();
            fields[0]["constraints"]["minimum"] = "01".into();
            fields[2]["constraints"]["minimum"] = "peu".into();
            fields[2]["constraints"]["maxLength"] = 3.into();
            fields[7]["decimalChar"] = "'".into();
            fields[7]["groupChar"] = ",".into();
            schema["foreignKeys"] = serde_json::json!([
                {"fields": ["code"], "reference": {"resource": "departements", "fields": ["code_region"]}},
                {"fields": ["code"], "reference": {"resource": "maillage_departements", "fields": ["population"]}},
                {"fields": ["code", "nom"], "reference": {"resource": "structures", "fields": ["code_region"]}}
            ]);
            p.write(table, serde_json::to_string_pretty(&schema).unwrap());
        })
        .snapshot()
    );
}
