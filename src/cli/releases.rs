//! `essaim releases list|show`.

use std::path::Path;

use clap::{Args, Subcommand};

use super::Exit;
use super::printer::{Printer, Text};
use super::project::{self, Checked};
use crate::id::{DatasetId, ReleaseId};
use crate::publish::commit::log;
use crate::release::{LogKind, Manifest, current};
use crate::store::{Store, StoreKey};

/// Arguments of `essaim releases`.
#[derive(Debug, Args)]
pub(super) struct ReleasesArguments {
    #[command(subcommand)]
    command: ReleasesCommand,
}

#[derive(Debug, Subcommand)]
enum ReleasesCommand {
    /// List the releases of every dataset, or of one
    List {
        /// Dataset
        dataset: Option<String>,
    },
    /// Show what is in a release and where it came from
    #[command(after_help = "Examples:
  essaim releases show cooperations-territoriales
  essaim releases show cooperations-territoriales@2026-11-22")]
    Show {
        /// Dataset, or dataset@release; the latest when no release is named
        release: String,
    },
}

/// Opens the public store of a project.
pub(super) fn public_store(checked: &Checked, printer: &Printer) -> Result<Store, Exit> {
    Store::open(&checked.project.public_store, &checked.project.root, &checked.env).map_err(|error| {
        printer.failure(&error);
        Exit::Failed
    })
}

/// Lists or shows releases.
pub(super) async fn releases(arguments: &ReleasesArguments, folder: &Path, printer: &Printer) -> Exit {
    let checked = match project::open(folder, printer) {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    let store = match public_store(&checked, printer) {
        Ok(store) => store,
        Err(exit) => return exit,
    };
    let done = match &arguments.command {
        ReleasesCommand::List { dataset } => list(&checked, &store, dataset.as_deref(), printer).await,
        ReleasesCommand::Show { release } => show(&checked, &store, release, printer).await,
    };
    done.err().unwrap_or(Exit::Done)
}

async fn list(checked: &Checked, store: &Store, dataset: Option<&str>, printer: &Printer) -> Result<(), Exit> {
    for at in checked.selected(dataset, printer)? {
        let dataset = &checked.project.pipelines[at].id;
        let entries = log(store, dataset).await.map_err(|error| {
            printer.failure(&error);
            Exit::Failed
        })?;
        let latest = current(&entries).map(|(number, _)| number);
        for (number, entry) in entries.iter().filter(|(_, entry)| entry.kind == LogKind::Publish) {
            let release = entry.release.as_ref().map(ToString::to_string).unwrap_or_default();
            let mark = if Some(*number) == latest { "\tlatest" } else { "" };
            printer.data(&format!("{dataset}\t{release}\t{}{mark}\n", entry.at));
        }
        if entries.is_empty() {
            printer.talk(&format!("{dataset}: no release yet; `essaim run {dataset}` makes one\n"));
        }
    }
    Ok(())
}

/// The release that is meant, which must be in the log.
pub(super) async fn resolve(
    store: &Store,
    dataset: &DatasetId,
    release: Option<&str>,
    printer: &Printer,
) -> Result<ReleaseId, Exit> {
    let entries = log(store, dataset).await.map_err(|error| {
        printer.failure(&error);
        Exit::Failed
    })?;
    let published =
        || entries.iter().filter(|(_, entry)| entry.kind == LogKind::Publish).filter_map(|(_, e)| e.release.clone());
    let found = match release {
        None => current(&entries).and_then(|(_, entry)| entry.release.clone()),
        Some(name) => published().find(|known| known.as_str() == name),
    };
    found.ok_or_else(|| {
        let known: Vec<String> = published().map(|release| release.to_string()).collect();
        let line = match release {
            None => format!("`{dataset}` has no release yet: run `essaim run {dataset}` first"),
            Some(name) => format!("`{dataset}` has no release `{name}`; it has: {}", known.join(", ")),
        };
        printer.failure_lines(&[line]);
        Exit::Mistake
    })
}

async fn show(checked: &Checked, store: &Store, wanted: &str, printer: &Printer) -> Result<(), Exit> {
    let (name, release) = match wanted.split_once('@') {
        Some((name, release)) => (name, Some(release)),
        None => (wanted, None),
    };
    let at = checked.selected(Some(name), printer)?;
    let dataset = &checked.project.pipelines[at[0]].id;
    let release = resolve(store, dataset, release, printer).await?;
    let key = StoreKey::Manifest { dataset: dataset.clone(), release: release.clone() };
    let bytes = store.get(&key).await.map_err(|error| {
        printer.failure(&error);
        Exit::Failed
    })?;
    let manifest: Option<Manifest> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match manifest {
        Some(manifest) => {
            printer.data(&describe(&manifest));
            Ok(())
        }
        None => {
            printer.failure_lines(&[format!("the manifest of `{dataset}@{release}` is missing or damaged")]);
            Err(Exit::Failed)
        }
    }
}

fn describe(manifest: &Manifest) -> String {
    let mut out = Text::default();
    let synthetic = if manifest.synthetic { "  (synthetic data)" } else { "" };
    out.line(format_args!("{}@{}{synthetic}", manifest.dataset, manifest.release));
    out.line(format_args!("{}", manifest.title));
    let previous = manifest.previous.as_ref().map_or("none", ReleaseId::as_str);
    out.line(format_args!(
        "issued {}, version {}, licence {}, previous {previous}",
        manifest.issued, manifest.version, manifest.licence
    ));
    out.line(format_args!("\ntables"));
    for table in &manifest.tables {
        let secret = if table.secret_rows == 0 { String::new() } else { format!(", {} secret", table.secret_rows) };
        out.line(format_args!("  {:<28} {:>8} rows{secret}  {}", table.name, table.rows, table.title));
    }
    out.line(format_args!("\nsources"));
    for source in &manifest.sources {
        out.line(format_args!("  {:<28} fetched {}  {}", source.source, source.fetched_at, source.title));
    }
    out.line(format_args!("\nfiles"));
    for file in &manifest.files {
        out.line(format_args!("  {:>10}  {}  {}", file.bytes, file.sha256, file.path));
    }
    out.finish()
}
