//! Mistakes in the bounds of the gate, in versions and in how a release is read back.

use insta::assert_snapshot;

use super::{PIPELINE, checked, seen};
use crate::harness::Project;

#[test]
fn every_mistake_in_a_gate_is_reported_at_once() {
    assert_snapshot!(
        checked(|p| {
            p.replace(
                PIPELINE,
                "file.path = \"seeds/exemple/tiers-lieux.synthetique.csv\"",
                "file.path = \"seeds/exemple/tiers-lieux.synthetique.csv\"\n\
                 gate = { minimum = -1, shrink = 20, on_failure = \"lastgood\", empties = 1 }",
            );
            let gates = "\n[[publish.gate]]\ntable = \"structure\"\n\n[[publish.gate]]\ntable = \"structures\"\n\
                         lost_keys = \"10 %\"\nempty = { sirett = 0.5 }\n\n[[publish.gate]]\ntable = \"structures\"\n";
            p.write(PIPELINE, p.read(PIPELINE) + gates);
        })
        .snapshot()
    );
}

#[test]
fn a_version_that_is_none_and_a_way_to_read_back_that_is_none_are_reported() {
    assert_snapshot!(
        checked(|p| {
            p.replace(PIPELINE, "version = \"1.0.0\"", "version = \"1.0\"");
            p.replace("essaim.toml", "[stores]\n", "[stores]\nread_back = \"urls\"\n");
        })
        .snapshot()
    );
}

#[test]
fn an_acceptance_without_a_reason_is_refused() {
    assert_snapshot!(seen(&Project::shipped(), &["run", "--accept", "rows:structures"]).snapshot());
}

#[test]
fn one_name_for_two_sources_of_a_project_is_reported() {
    let project = Project::shipped();
    let pipeline = project.read(PIPELINE);
    let second = "title = \"Lieux\"\ndescription = \"Lieux\"\nlicence = \"etalab-2.0\"\n\
                  [source.fabriques]\nlicence = \"etalab-2.0\"\nfile.path = \"seeds/exemple/autre.csv\"\n\
                  [table.fabriques]\nsource = \"fabriques\"\ncsv = {}\n[publish]\ntables = [\"fabriques\"]\n";
    project.write("pipelines/lieux.toml", second);
    assert!(pipeline.contains("[source.fabriques]"));
    assert_snapshot!(seen(&project, &["check"]).snapshot());
}
