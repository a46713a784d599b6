//! `essaim reproduce`.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;

use super::Exit;
use super::printer::{Printer, Text};
use super::project;
use super::run::{clock, now};
use crate::id::ReleaseId;
use crate::quality::gate::Acceptance;
use crate::run::{FileDifference, From, Job, RunOptions, reproduce as rebuild};

/// Arguments of `essaim reproduce`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 0: every file has the same bytes; 1: some differ, or the inputs are gone.
Example:
  essaim reproduce cooperations-territoriales@2026-11-22")]
pub(super) struct ReproduceArguments {
    /// Dataset@release
    release: String,
}

/// Builds a release once more from its snapshots and compares every file.
pub(super) async fn reproduce(arguments: &ReproduceArguments, folder: &Path, printer: &Printer) -> Exit {
    let checked = match project::check(folder, printer) {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    let mistake = |line: String| {
        printer.failure_lines(&[line]);
        Exit::Mistake
    };
    let Some((name, release)) = arguments.release.split_once('@') else {
        let name = &arguments.release;
        return mistake(format!("name one release: `{name}@2026-11-22`; `essaim releases list {name}` shows them"));
    };
    let release: ReleaseId = match release.parse() {
        Ok(release) => release,
        Err(invalid) => return mistake(invalid.to_string()),
    };
    let at = match checked.selected(Some(name), printer) {
        Ok(selected) => selected[0],
        Err(exit) => return exit,
    };
    let options = RunOptions {
        from: From::Snapshot,
        dry_run: true,
        acceptance: Acceptance::default(),
        turn: None,
        now: now(),
        clock,
        env: checked.env.clone(),
    };
    let pipeline = &checked.project.pipelines[at];
    let job = Job { project: &checked.project, files: &checked.files, pipeline, plan: &checked.plans[at] };
    match rebuild(job, &options, &release, printer).await {
        Err(error) => {
            printer.failure(&error);
            Exit::Failed
        }
        Ok(found) if found.differences.is_empty() => {
            printer.data(&format!("{name}@{release}\tidentical\t{} files\n", found.files));
            Exit::Done
        }
        Ok(found) => {
            let mut out = Text::default();
            let count = found.differences.len();
            out.line(format_args!("{name}@{release}\tdiffers\t{count} of {} files", found.files));
            for difference in &found.differences {
                out.add(format_args!("{}", described(difference)));
            }
            printer.data(&out.finish());
            Exit::Failed
        }
    }
}

/// A file that differs: its path, both digests, and the first line that is another.
fn described(difference: &FileDifference) -> String {
    let FileDifference { path, published, rebuilt, line } = difference;
    let digest = |digest: &Option<crate::id::Digest>| digest.map_or("absent".to_owned(), |digest| digest.to_string());
    let mut text = format!("{path}\t{}\t{}\n", digest(published), digest(rebuilt));
    if let Some((number, before, after)) = line {
        writeln!(text, "  line {number}\n  - {before}\n  + {after}").expect("a text takes what it is given");
    }
    text
}
