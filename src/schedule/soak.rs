//! Many scheduled runs of the shipped sample in one process: memory and open files stay flat.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::metrics::{open_files, resident_memory};
use super::{Audience, Keeper, World};
use crate::config::env::Env;
use crate::config::pipeline::Project;
use crate::run::project::NotLoaded;
use crate::run::{Reporter, RunRecord};

/// Runs before the first measurement: caches and pools have their size then.
const WARM: u32 = 10;
/// Runs of which one changes what is published.
const CHANGES: u32 = 10;
/// Memory that may come and go between two measurements, in bytes.
const SLACK: i64 = 48 << 20;

struct Silent;

impl Reporter for Silent {
    fn step(&self, _text: &str) {}
}

impl Audience for Silent {
    fn ran(&self, record: &RunRecord, _project: &Project) {
        assert!(!record.failed(), "{:?}", record.outcome);
    }

    fn refused(&self, why: &NotLoaded) {
        panic!("{why}");
    }

    fn news(&self, _line: &str) {}
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// The shipped project with a schedule.
fn project() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["essaim.toml", "pipelines", "schemas", "sql", "seeds"] {
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name), &folder.path().join(name));
    }
    let pipeline = folder.path().join("pipelines/cooperations-territoriales.toml");
    let text = fs::read_to_string(&pipeline).unwrap();
    let scheduled = text.replace("\n# Sources -", "\n[schedule]\ncron = \"30 2 * * *\"\n\n# Sources -");
    assert_ne!(scheduled, text);
    fs::write(&pipeline, scheduled).unwrap();
    (folder, pipeline)
}

/// Prints runs, memory and open files after the first runs and after the last.
#[expect(clippy::print_stdout, reason = "the process that started it reads it")]
async fn soak(runs: u32) {
    let (folder, pipeline) = project();
    let clock = Arc::new(std::sync::Mutex::new("2026-01-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap()));
    let hand = Arc::clone(&clock);
    let world = World {
        folder: folder.path().to_owned(),
        env: Arc::new(Env::new()),
        now: Box::new(move || *hand.lock().unwrap()),
        clock: || "2026-01-01T12:00:00Z".to_owned(),
    };
    let keeper = Keeper::start(world, Arc::new(Silent)).unwrap();
    keeper.tick().await;
    let mut warm = (0, 0);
    for night in 1..=runs {
        *clock.lock().unwrap() += TimeDelta::days(1);
        if night % CHANGES == 0 {
            let text = fs::read_to_string(&pipeline).unwrap();
            fs::write(&pipeline, text.replacen("title = \"", "title = \"+", 1)).unwrap();
        }
        keeper.tick().await;
        if night == WARM {
            warm = (resident_memory(), open_files());
        }
        if night % 100 == 0 {
            println!("{night} runs: {} MB, {} files", resident_memory() >> 20, open_files());
        }
    }
    let metrics = keeper.metrics.text();
    let counted = |outcome: &str| {
        let line = metrics.lines().find(|line| line.contains(&format!("outcome=\"{outcome}\"")));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap())
    };
    let (published, unchanged) = (counted("published"), counted("unchanged"));
    assert_eq!(published + unchanged, runs, "{metrics}");
    println!("soaked {} {} {} {} {published}", warm.0, warm.1, resident_memory(), open_files());
}

/// Starts a process of its own, so that nothing else takes memory in it.
#[expect(clippy::print_stdout, reason = "figures")]
fn soaked(runs: u32) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "schedule::soak::a_process_that_runs_many_nights"])
        // As the unit in docs/nightly.md has it: else glibc keeps what each thread once took.
        .env("MALLOC_ARENA_MAX", "2")
        .env("ESSAIM_SOAK", runs.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.strip_prefix("soaked ")).unwrap();
    let numbers: Vec<i64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    let [warm_memory, warm_files, memory, files, published] = numbers[..] else { panic!("{line}") };
    println!(
        "{runs} runs, {published} releases: {} -> {} MB, {warm_files} -> {files} open files",
        warm_memory >> 20,
        memory >> 20
    );
    assert_eq!(files, warm_files, "open files");
    assert!(memory <= warm_memory + SLACK, "{warm_memory} -> {memory} bytes");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that others start"]
#[expect(clippy::disallowed_methods, reason = "who starts it says how many")]
async fn a_process_that_runs_many_nights() {
    soak(std::env::var("ESSAIM_SOAK").ok().and_then(|runs| runs.parse().ok()).unwrap_or(1000)).await;
}

#[test]
fn memory_and_open_files_stay_flat_over_fifty_runs() {
    soaked(50);
}

#[test]
#[ignore = "figures: a thousand runs, by hand"]
fn memory_and_open_files_stay_flat_over_a_thousand_runs() {
    soaked(1000);
}
