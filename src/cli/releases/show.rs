//! `essaim releases show|verify`: looking at releases.

use super::manage::private_store;
use super::{dataset_of, failed, resolve};
use crate::cli::Exit;
use crate::cli::printer::{Printer, Text};
use crate::cli::project::Checked;
use crate::id::ReleaseId;
use crate::publish::verify as reading;
use crate::publish::withdraw::Stores;
use crate::release::Manifest;
use crate::store::{Store, StoreKey};

/// Shows what is in a release.
pub(super) async fn show(checked: &Checked, store: &Store, wanted: &str, printer: &Printer) -> Result<(), Exit> {
    let (name, release) = match wanted.split_once('@') {
        Some((name, release)) => (name, Some(release)),
        None => (wanted, None),
    };
    let dataset = dataset_of(checked, name, printer)?;
    let release = resolve(store, dataset, release, printer).await?;
    let key = StoreKey::Manifest { dataset: dataset.clone(), release: release.clone() };
    let bytes = store.get(&key).await.map_err(|error| failed(&error, printer))?;
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

/// Reads everything back and tells what is not as the log says.
pub(super) async fn verify(
    checked: &Checked,
    store: &Store,
    wanted: Option<&str>,
    printer: &Printer,
) -> Result<(), Exit> {
    let (name, release) = match wanted.map(|wanted| wanted.split_once('@').ok_or(wanted)) {
        None => (None, None),
        Some(Ok((name, release))) => (Some(name), Some(release)),
        Some(Err(name)) => (Some(name), None),
    };
    let private = private_store(checked, printer)?;
    let stores = Stores { public: store, private: &private };
    let mut sound = true;
    for at in checked.selected(name, printer)? {
        let dataset = &checked.project.pipelines[at].id;
        let only = match release {
            Some(release) => Some(resolve(store, dataset, Some(release), printer).await?),
            None => None,
        };
        let verified =
            reading::verify(stores, dataset, only.as_ref()).await.map_err(|error| failed(&error, printer))?;
        let mut out = Text::default();
        for finding in &verified.findings {
            out.line(format_args!("{dataset}\t{}\t{}\t{}", finding.code, finding.place, finding.detail));
        }
        printer.data(&out.finish());
        let (faults, stale) = verified.findings.iter().fold((0, 0), |(faults, stale), finding| {
            if finding.stale { (faults, stale + 1) } else { (faults + 1, stale) }
        });
        printer.talk(&format!(
            "{dataset}: {} releases, {} files, {} bytes read back; {faults} faults, {stale} stale\n",
            verified.releases, verified.files, verified.bytes
        ));
        sound &= verified.is_sound();
    }
    if sound { Ok(()) } else { Err(Exit::Failed) }
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
