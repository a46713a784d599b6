//! Building a release once more: the same bytes anywhere, and clear words when it cannot be.

use std::fs;
use std::process::Command;

use super::{PUBLIC, SHIPPED, an_association, answer, files};
use crate::harness::{Output, Project, copy, walk};

fn released() -> (Project, String) {
    let project = Project::shipped();
    project.run();
    answer(&project, &an_association(), "bf_statut", "autre");
    project.run();
    let releases = project.releases(SHIPPED);
    let [_, second] = releases.as_slice() else { panic!("{releases:?}") };
    let second = second.clone();
    (project, second)
}

fn reproduce(project: &Project, release: &str) -> Output {
    project.essaim(&["reproduce", &format!("{SHIPPED}@{release}")])
}

/// The same project in another folder, with copies of its stores.
fn cloned(project: &Project) -> Project {
    let clone = Project::empty();
    fs::create_dir_all(clone.path("ailleurs/un autre")).unwrap();
    for name in ["essaim.toml", "pipelines", "schemas", "sql", "seeds", "data"] {
        copy(&project.path(name), &clone.path(&format!("ailleurs/un autre/{name}")));
    }
    clone
}

/// Runs `reproduce` in a clone, in another zone and language, perhaps on one core only.
fn elsewhere(clone: &Project, release: &str, (zone, language): (&str, &str), one_core: bool) -> String {
    let name = format!("{SHIPPED}@{release}");
    let arguments = ["--project", "ailleurs/un autre", "reproduce", &name];
    let plain = clone.command(&arguments);
    let mut command = if one_core { Command::new("taskset") } else { Command::new(plain.get_program()) };
    if one_core {
        command.args(["-c", "0"]).arg(plain.get_program());
    }
    command.args(arguments).current_dir(clone.path("")).env("TZ", zone).env("LC_ALL", language).env("LANG", language);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_release_is_rebuilt_to_the_last_byte_in_any_folder_zone_language_and_number_of_cores() {
    let (project, second) = released();
    let count = files(&project, &format!("{PUBLIC}/releases/{second}")).len();
    let before = project.stored();
    let output = reproduce(&project, &second);
    let expected = format!("\tidentical\t{count} files\n");
    assert!(output.code == 0 && output.stdout.ends_with(&expected), "{}{}", output.stdout, output.stderr);
    assert!(project.stored() == before, "reproducing changed a store");
    let clone = cloned(&project);
    let identical = format!("{SHIPPED}@{second}{expected}");
    assert_eq!(elsewhere(&clone, &second, ("Pacific/Kiritimati", "tr_TR.UTF-8"), true), identical);
    assert_eq!(elsewhere(&clone, &second, ("America/Los_Angeles", "C"), false), identical);
}

#[test]
fn a_changed_byte_is_named_with_both_digests_and_the_line() {
    let (project, second) = released();
    let path = format!("{PUBLIC}/releases/{second}/structures.csv");
    let text = project.read(&path);
    let line = text.lines().nth(3).unwrap().to_owned();
    project.write(&path, text.replace(&line, &line.replacen(',', ",X", 1)));
    let output = reproduce(&project, &second).expect(1);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines[0].contains("\tdiffers\t1 of "), "{}", output.stdout);
    assert_eq!(lines[1], "structures.csv\t[DIGEST]\t[DIGEST]");
    assert_eq!(lines[2], "  line 4");
    assert_eq!(lines[4], format!("  + {line}"));
}

#[test]
fn what_is_missing_to_rebuild_a_release_is_said() {
    let (project, second) = released();
    let name = "sql/cooperations-territoriales/constats.sql";
    let text = project.read(name);
    project.write(name, format!("-- Relu.\n{text}"));
    let output = reproduce(&project, &second).expect(1);
    assert!(output.stderr.contains("the project files changed since"), "{}", output.stderr);
    project.write(name, text);
    assert_eq!(reproduce(&project, &second).code, 0);
    project.essaim(&["releases", "withdraw", &format!("{SHIPPED}@{second}"), "--because", "Essai."]).expect(0);
    let output = reproduce(&project, &second).expect(1);
    assert!(output.stderr.contains("it is withdrawn"), "{}", output.stderr);
    project.essaim(&["releases", "restore", &format!("{SHIPPED}@{second}"), "--because", "Essai."]).expect(0);
    let mut parts = Vec::new();
    walk(&project.path("data/private/snapshots/fabriques/parts"), &mut |path| parts.push(path.to_owned()));
    for part in parts {
        fs::remove_file(part).unwrap();
    }
    let output = reproduce(&project, &second).expect(1);
    let said = "the snapshot of source `fabriques` of [TIME] is not in the private store: it has expired";
    assert!(output.stderr.contains(said), "{}", output.stderr);
    let unknown = reproduce(&project, "2001-01-01").expect(1);
    assert!(unknown.stderr.contains("has no release `[DATE]`"), "{}", unknown.stderr);
}
