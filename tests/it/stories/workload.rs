//! The benchmark's workload: a project like any other, whose output is held against that of other engines.
//!
//! Generator and expected digests are not part of the repository: where they are not beside it (`../shared/bench`, or the
//! folder that `ESSAIM_WORKLOAD` names), the story is skipped with a line that says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{python_path, repository};

/// Most CPU seconds of a hundredth of the workload, in a build without optimisation. It takes about 3.
const CPU_SECONDS: f64 = 20.0;

fn workload() -> Option<PathBuf> {
    let named = std::env::var("ESSAIM_WORKLOAD").map(PathBuf::from);
    let folder = named.unwrap_or_else(|_unset| repository().join("../shared/bench"));
    if folder.join("generate.py").is_file() {
        return Some(folder);
    }
    println!("SKIPPED: no workload in {}; ESSAIM_WORKLOAD names its folder", folder.display());
    None
}

/// Runs a command that must succeed; gives what it said.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout) + &text(&output.stderr)
}

fn script(folder: &Path, name: &str) -> Command {
    let mut command = Command::new(python_path());
    command.arg(folder.join(name)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

#[test]
fn a_hundredth_of_the_workload_comes_out_as_other_engines_make_it() {
    let Some(folder) = workload() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let (input, output) = (scratch.path().join("in"), scratch.path().join("out"));
    said(script(&folder, "generate.py").args(["--sf", "0.01", "--out"]).arg(&input));
    let run = repository().join("benches/enquete-registre/run.sh");
    let timed =
        format!("TIMEFORMAT='cpu %U %S'; time {} --in {} --out {}", run.display(), input.display(), output.display());
    let told = said(Command::new("bash").args(["-c", &timed]).env("ESSAIM", env!("CARGO_BIN_EXE_essaim")));
    let compared = said(script(&folder, "compare.py").args(["--expect", "0.01"]).arg(&output));
    assert!(compared.contains("OK"), "{compared}");
    let spent = told.lines().rev().find_map(|line| line.strip_prefix("cpu ")).unwrap();
    let cpu: f64 = spent.split(' ').map(|seconds| seconds.parse::<f64>().unwrap()).sum();
    assert!(cpu < CPU_SECONDS, "{cpu} CPU seconds");
}
