//! Runs that die right after their commit: what they did not get to do, the next one does.

use std::fs;
use std::path::Path;

use super::{body, registry, rows};
use crate::harness::{Project, copy};

/// Runs a command that commits and kills it at the first write after its commit.
pub(super) fn killed_right_after_the_commit(project: &Project, arguments: &[&str]) {
    let log = project.path("data/public/lieux/log");
    let entry = |path: &Path| path.extension().is_some_and(|extension| extension == "json");
    let length = || fs::read_dir(&log).unwrap().filter(|found| entry(&found.as_ref().unwrap().path())).count();
    let (data, kept) = (project.path("data"), project.path("kept"));
    copy(&data, &kept);
    let before = length();
    let committed_at = |n: u64| {
        fs::remove_dir_all(&data).unwrap();
        copy(&kept, &data);
        let mut command = project.command(arguments);
        let output = command.env("ESSAIM_FAULT", format!("kill:{n}")).output().unwrap();
        assert!(n < 1000 || output.status.code().is_some(), "a run has no thousand writes");
        length() > before
    };
    // All points from the commit on leave its entry.
    let (mut low, mut high) = (0_u64, 1000_u64);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if committed_at(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    assert!(committed_at(high));
    fs::remove_dir_all(&kept).unwrap();
}

#[test]
fn an_accepted_loss_is_the_measure_though_the_run_died_right_after_its_commit() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    project.write("lieux.json", body(&rows(5)));
    let mut arguments = vec!["run"];
    for bound in ["source_rows:lieux", "rows:lieux", "lost_keys:lieux"] {
        arguments.extend(["--accept", bound]);
    }
    arguments.extend(["--because", "Cinq lieux ont fermé."]);
    killed_right_after_the_commit(&project, &arguments);
    assert_eq!(project.run().stdout, "lieux\tunchanged\t[DATE].2\n");
    assert_eq!(project.csv("lieux", "lieux").len(), 5);
}

#[test]
fn a_loss_that_was_accepted_and_not_published_is_no_measure() {
    let project = registry("file.path = \"lieux.json\"", "");
    project.write("lieux.json", body(&rows(10)));
    project.run();
    project.write("lieux.json", body(&rows(5)));
    // The table's own bounds are not accepted: the run is blocked after it had taken the source for good.
    let accept = ["run", "--accept", "source_rows:lieux", "--because", "Cinq lieux ont fermé."];
    assert_eq!(project.essaim(&accept).expect(1).stdout, "lieux\tblocked\t-\n");
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("source lieux gave nothing good (source_rows)"), "{}", output.stderr);
}
