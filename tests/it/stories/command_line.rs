//! How the command line behaves: help, exit codes, what goes to stdout and what to stderr.

use std::fs;

use insta::assert_snapshot;
use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Output, Project, walk};

const DATASET: &str = "cooperations-territoriales";
const REGISTRY: &str = "seeds/exemple/tiers-lieux.synthetique.csv";

/// The shipped project with a second pipeline, which comes after the first.
fn with_two_pipelines() -> Project {
    let project = Project::shipped();
    project.write(
        "pipelines/registre.toml",
        r#"title = "Un registre"
description = "Les lieux d’un réseau (exemple synthétique)."
licence = "etalab-2.0"
synthetic = true

[source.fabriques]
licence = "etalab-2.0"
file.path = "seeds/exemple/fabriques-a-initiatives.synthetique.csv"

[table.fabriques]
source = "fabriques"
csv = { delimiter = "," }

[table.fabriques.place]
code_insee = "code_insee"

[publish]
tables = ["fabriques"]
"#,
    );
    project
}

/// Records of the runs in the private store.
fn records(project: &Project) -> Vec<Value> {
    let mut records = Vec::new();
    walk(&project.path("data/private/runs"), &mut |path| {
        if path.file_name().is_some_and(|name| name == "record.json") {
            records.push(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap());
        }
    });
    records
}

fn json_lines(output: &Output) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).expect(line);
    output.stderr.lines().map(parse).collect()
}

#[rstest]
#[case::essaim("essaim", &["--help"])]
#[case::run("run", &["run", "--help"])]
#[case::check("check", &["check", "--help"])]
#[case::query("query", &["query", "--help"])]
#[case::releases("releases", &["releases", "--help"])]
#[case::releases_show("releases_show", &["releases", "show", "--help"])]
fn help_goes_to_stdout_and_shows_examples(#[case] name: &str, #[case] arguments: &[&str]) {
    let output = Project::empty().essaim(arguments).expect(0);
    assert_eq!(output.stderr, "");
    assert!(output.stdout.lines().all(|line| line.chars().count() <= 100), "{}", output.stdout);
    assert_snapshot!(format!("help_of_{name}"), output.stdout);
}

#[test]
fn the_version_goes_to_stdout() {
    let output = Project::empty().essaim(&["--version"]).expect(0);
    assert_eq!(output.stdout, format!("essaim {}\n", env!("CARGO_PKG_VERSION")));
}

#[rstest]
#[case::option(&["run", "--dryrun"], "--dry-run")]
#[case::command(&["rune"], "run")]
#[case::value(&["query", "SELECT 1", "--format", "cvs"], "csv")]
#[case::missing_sql(&["query"], "<SQL>")]
#[case::nothing(&[], "Usage: essaim")]
fn a_wrong_argument_is_a_mistake_and_says_what_was_meant(#[case] arguments: &[&str], #[case] meant: &str) {
    let output = Project::shipped().essaim(arguments).expect(2);
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains(meant), "{}", output.stderr);
}

#[rstest]
#[case::run(&["run"])]
#[case::check(&["check"])]
#[case::query(&["query", "SELECT 1"])]
#[case::releases(&["releases", "list"])]
fn outside_a_project_every_command_says_so(#[case] arguments: &[&str]) {
    let project = Project::empty();
    let output = project.essaim(arguments).expect(2);
    assert_eq!(output.stdout, "");
    assert_eq!(
        output.stderr,
        "error: no `essaim.toml` in [PROJECT]: run inside a project, or name one with --project\n"
    );
    assert!(!project.path("data").exists());
}

#[test]
fn a_project_elsewhere_is_named_by_an_option() {
    let (here, there) = (Project::empty(), Project::shipped());
    let output = here.essaim(&["check", "--project", there.path("").to_str().unwrap()]).expect(0);
    assert!(output.stderr.contains("no mistake found"), "{}", output.stderr);
}

#[test]
fn a_check_without_mistake_counts_what_it_looked_at() {
    assert_snapshot!(Project::shipped().essaim(&["check"]).expect(0).snapshot());
}

#[test]
fn a_run_outside_a_terminal_ends_with_a_summary_of_one_screen() {
    let project = Project::shipped();
    let output = project.run();
    assert_eq!(output.stdout, format!("{DATASET}\tpublished\t[DATE]\n"), "stdout is one line for machines");
    assert!(!output.stderr.contains(['\u{1b}', '\r']), "no colour and no redrawing outside a terminal");
    assert!(output.stderr.starts_with("Fetching and reading sources\n"), "{}", output.stderr);
    assert!(output.stderr.lines().count() <= 45, "{} lines", output.stderr.lines().count());
    for word in ["read\n", "rejected (", "published (", "checks: ", "where to look\n", "(private)"] {
        assert!(output.stderr.contains(word), "`{word}` should stand in\n{}", output.stderr);
    }
    for line in output.stderr.lines().filter_map(|line| line.split("   ").find(|part| part.trim().starts_with("data/")))
    {
        let shown = line.trim().replace("[DATE]", &project.releases(DATASET)[0]);
        assert!(shown.contains("[RUN]") || project.path(&shown).exists(), "`{shown}` is named and is not there");
    }
    insta::with_settings!({ filters => vec![(r" +\d+\b", " [N]"), (r"\(\d+ data", "([N] data")] }, {
        assert_snapshot!(output.stderr);
    });
}

#[test]
fn a_run_without_news_is_done_and_says_so() {
    let project = Project::shipped();
    project.run();
    let before = project.releases(DATASET);
    let output = project.run();
    assert_eq!(output.stdout, format!("{DATASET}\tunchanged\t[DATE]\n"));
    assert!(output.stderr.contains("still says the same"), "{}", output.stderr);
    assert_eq!(project.releases(DATASET), before);
}

#[test]
fn a_dry_run_publishes_nothing() {
    let project = Project::shipped();
    let output = project.essaim(&["run", "--dry-run"]).expect(0);
    assert_eq!(output.stdout, format!("{DATASET}\tdry-run\t-\n"));
    assert!(output.stderr.contains("dry run, nothing published"), "{}", output.stderr);
    let mut files = Vec::new();
    walk(&project.path("data/public"), &mut |path| files.push(path.to_owned()));
    assert_eq!(files, Vec::<std::path::PathBuf>::new());
    assert_eq!(records(&project)[0]["outcome"], "dry_run");
}

#[test]
fn a_check_leaves_nothing_behind() {
    let project = Project::shipped();
    project.essaim(&["check"]).expect(0);
    assert!(!project.path("data").exists());
}

#[test]
fn a_failed_source_is_told_once_and_stops_no_other_pipeline() {
    let project = with_two_pipelines();
    fs::remove_file(project.path(REGISTRY)).unwrap();
    let output = project.essaim(&["run"]).expect(1);
    assert_eq!(output.stdout, format!("{DATASET}\tfailed\t-\nregistre\tpublished\t[DATE]\n"));
    assert_eq!(output.stderr.matches("error: ").count(), 1, "{}", output.stderr);
    assert_eq!(output.stderr.matches("  caused by: ").count(), 1, "{}", output.stderr);
    let error = output.stderr.lines().skip_while(|line| !line.starts_with("error: ")).take(2).collect::<Vec<_>>();
    assert_snapshot!(error.join("\n"));
    assert!(!project.path(&format!("data/public/{DATASET}/latest")).exists());
    assert!(project.latest("registre").join("fabriques.csv").exists());
}

#[test]
fn a_failed_run_leaves_a_record_and_the_old_release() {
    let project = Project::shipped();
    project.replace(
        &format!("pipelines/{DATASET}.toml"),
        "file.path = \"seeds/exemple/tiers-lieux.synthetique.csv\"",
        "file.path = \"seeds/exemple/tiers-lieux.synthetique.csv\"\ngate.on_failure = \"stop\"",
    );
    project.run();
    let before = project.public();
    fs::remove_file(project.path(REGISTRY)).unwrap();
    let output = project.essaim(&["run"]).expect(1);
    assert!(output.stderr.contains("the last release stays visible"), "{}", output.stderr);
    let failed: Vec<Value> = records(&project).into_iter().filter(|record| record["outcome"] == "failed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["error"][0], "cannot fetch source `tiers-lieux`");
    assert_eq!((&failed[0]["code"], &failed[0]["source"]), (&json!("source_unreachable"), &json!("tiers-lieux")));
    assert!(project.public() == before);
}

#[test]
fn only_the_named_pipeline_runs() {
    let project = with_two_pipelines();
    let output = project.essaim(&["run", "registre"]).expect(0);
    assert_eq!(output.stdout, "registre\tpublished\t[DATE]\n");
    assert!(!project.path(&format!("data/public/{DATASET}")).exists());
}

#[test]
fn a_summary_names_only_tables_that_the_release_has() {
    let project = with_two_pipelines();
    let output = project.essaim(&["run", "registre"]).expect(0);
    assert!(!output.stderr.contains("chiffres_cles"), "{}", output.stderr);
}

#[test]
fn json_messages_are_one_object_a_line() {
    let project = with_two_pipelines();
    let output = project.essaim(&["run", "--log-format", "json"]).expect(0);
    assert_eq!(output.stdout, format!("{DATASET}\tpublished\t[DATE]\nregistre\tpublished\t[DATE]\n"));
    let lines = json_lines(&output);
    let runs: Vec<&Value> = lines.iter().filter_map(|line| line.get("run").filter(|run| run.is_object())).collect();
    let outcomes: Vec<(&str, &str)> =
        runs.iter().map(|run| (run["pipeline"].as_str().unwrap(), run["outcome"].as_str().unwrap())).collect();
    assert_eq!(outcomes, [(DATASET, "published"), ("registre", "published")]);
    assert!(lines.iter().any(|line| line["span"]["pipeline.id"] == DATASET), "log lines name their pipeline");
}

#[test]
fn json_tells_of_failures_too() {
    let project = Project::shipped();
    fs::remove_file(project.path(REGISTRY)).unwrap();
    let output = project.essaim(&["run", "--log-format", "json"]).expect(1);
    let lines = json_lines(&output);
    let errors: Vec<&Value> = lines.iter().filter(|line| line["level"] == "error").collect();
    assert_eq!(errors.len(), 1, "{}", output.stderr);
    assert_eq!(errors[0]["error"][0], "cannot fetch source `tiers-lieux`");
}

#[rstest]
#[case::no_project(&["check", "--log-format", "json"], 2)]
#[case::query(&["query", "SELECT 1", "--log-format", "json"], 2)]
fn json_is_kept_by_every_command(#[case] arguments: &[&str], #[case] code: i32) {
    let output = Project::empty().essaim(arguments).expect(code);
    assert_eq!(json_lines(&output).len(), 1, "{}", output.stderr);
}

#[test]
fn a_check_in_json_is_json_when_all_is_well() {
    let output = Project::shipped().essaim(&["check", "--log-format", "json"]).expect(0);
    json_lines(&output);
}

#[test]
fn colour_comes_only_when_it_is_asked_for() {
    let project = Project::shipped();
    project.replace("essaim.toml", "private = ", "privat = ");
    let shown = |arguments: &[&str]| project.essaim(arguments).expect(2).stderr;
    assert!(!shown(&["check"]).contains('\u{1b}'));
    assert!(!shown(&["check", "--color", "never"]).contains('\u{1b}'));
    assert!(shown(&["check", "--color", "always"]).contains('\u{1b}'));
}

#[test]
fn releases_are_listed_and_shown() {
    let project = with_two_pipelines();
    let before = project.essaim(&["releases", "list"]).expect(0);
    assert_eq!(before.stdout, "");
    assert_snapshot!("releases_list_before_the_first_run", before.snapshot());
    project.run();
    assert_snapshot!("releases_list", project.essaim(&["releases", "list"]).expect(0).snapshot());
    assert_snapshot!("releases_list_of_one", project.essaim(&["releases", "list", "registre"]).expect(0).snapshot());
    insta::with_settings!({ filters => vec![(r" +\d+  \[DIGEST\]", " [BYTES]  [DIGEST]")] }, {
        assert_snapshot!("releases_show", project.essaim(&["releases", "show", "registre"]).expect(0).snapshot());
    });
    let named = format!("registre@{}", project.releases("registre")[0]);
    assert_eq!(project.essaim(&["releases", "show", &named]), project.essaim(&["releases", "show", "registre"]));
    assert_snapshot!(
        "releases_show_unknown",
        project.essaim(&["releases", "show", "registre@1999-01-01"]).expect(2).snapshot()
    );
    assert_snapshot!(
        "releases_show_unknown_dataset",
        project.essaim(&["releases", "show", "registres"]).expect(2).snapshot()
    );
}

#[test]
fn a_sample_shows_raw_cells_beside_typed_ones_and_stores_nothing() {
    let project = Project::shipped();
    let output = project.essaim(&["check", "--sample", "2"]).expect(0);
    let places: Vec<&str> = output.stdout.split("\n\n").filter(|row| row.contains("tiers_lieux row")).collect();
    assert_eq!(places.len(), 2, "{}", output.stdout);
    assert!(places[0].contains("CODPOST") && places[0].contains("│ code_insee"), "{}", places[0]);
    assert!(output.stdout.contains("fabriques row 1") && output.stdout.contains("reponses row 1"));
    assert!(project.stored().is_empty(), "a look at the source is no run");
}
