//! The release, judged by programs that share nothing with the one that made it.

use crate::harness::{Project, python, repository};

const SHIPPED: &str = "cooperations-territoriales";

#[test]
fn every_figure_equals_a_second_computation_from_the_raw_answers() {
    let project = Project::shipped();
    project.run();
    let sample = |part: &str| repository().join(format!("seeds/exemple/questionnaire.synthetique.{part}.json"));
    let arguments = [project.latest(SHIPPED), sample("form"), sample("lists"), sample("entries")];
    let printed = python("compare_figures.py", &arguments.each_ref().map(AsRef::as_ref));
    let last = printed.lines().last().unwrap();
    let (compared, _) = last.split_once(" cells compared, 0 differ").unwrap_or_else(|| panic!("{last}"));
    // 91 indicators with seven cells each, and the six tables made of them.
    assert!(compared.parse::<u32>().unwrap() > 800, "{last}");
}

#[test]
fn third_party_readers_open_every_file_and_agree() {
    let project = Project::shipped();
    project.run();
    let printed = python("readers.py", &[&project.latest(SHIPPED)]);
    let last = printed.lines().last().unwrap();
    assert!(last.ends_with(" checks passed, 0 failed"), "{last}");
    // Seven checks a table, more where there is a place, and those of the whole release.
    let passed: u32 = last.split(' ').next().unwrap().parse().unwrap();
    assert!(passed >= 11 * 7 + 4, "{last}");
}
