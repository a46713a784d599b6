//! Scripts and style of the site: those of an older program go, once nobody needs them.

use std::fs::File;
use std::time::{Duration, SystemTime};

use super::small;

const OLD: &str = "data/public/assets/app-000000000000.js";
const YOUNG: &str = "data/public/assets/map-000000000000.js";

#[test]
fn scripts_of_an_older_program_are_collected_when_every_page_was_made_again() {
    let project = small();
    project.run();
    for path in [OLD, YOUNG] {
        project.write(path, "// of another program");
    }
    #[expect(clippy::disallowed_methods, reason = "the age of a file is told by the clock of the disk")]
    let long_ago = SystemTime::now() - Duration::from_hours(48);
    File::options().write(true).open(project.path(OLD)).unwrap().set_modified(long_ago).unwrap();
    let is_there = |path: &str| project.path(path).exists();

    project.essaim(&["catalog", "rebuild", "lieux"]).expect(0);
    assert!(is_there(OLD), "pages of other datasets may name it");
    let other = "data/public/d-ailleurs/log/00000000000000000001.json";
    project.write(other, "{}");
    project.essaim(&["catalog", "rebuild"]).expect(0);
    assert!(is_there(OLD), "a dataset of somebody else may name it");
    std::fs::remove_dir_all(project.path("data/public/d-ailleurs")).unwrap();

    let said = project.essaim(&["catalog", "rebuild"]).expect(0).stderr;
    assert!(said.contains("removed 1 files in assets/"), "{said}");
    assert!(!is_there(OLD) && is_there(YOUNG));
    let verified = project.essaim(&["releases", "verify"]).expect(0).stderr;
    assert!(verified.contains("0 faults, 0 stale"), "what pages name is still there: {verified}");
}
