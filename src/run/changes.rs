//! The changelog of a candidate: what changed since the release before, and because of what.
//!
//! When one input moved, it is the cause of everything. When several did, the way from the old release to the new one is
//! taken in steps: the present project is run on the old sources with the old geography, then on the old sources with
//! the new one, in the run's scratch folder. What differs between two neighbours has the cause of that step. Decision
//! record 5 says why this needs no old project.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tracing::warn;

use super::assemble::{self, Assembled};
use super::build::Builder;
use super::erase;
use super::error::RunError;
use super::geocode;
use super::intake::parts;
use super::profile::Profile;
use super::stage::{self, Staged};
use super::{chain, engine, finish, gate, json_bytes, reference, text};
use crate::id::{ReleaseId, TableName};
use crate::publish::PublishError;
use crate::publish::changes::{LIST, PAGE, Page, SUMMARY, Versions, compare, differing, fetch_tables, html};
use crate::publish::commit::{Finish, Finished, LocalFile, Previous};
use crate::quality::gate::Bound;
use crate::release::{Cause, ChangeSummary, FileRecord, Inputs, Manifest, NotTold, ReleaseState, Steps};
use crate::source::{Snapshot, find};
use crate::store::{Store, media_type_of};
use crate::territory::{Cog, Seeds};

/// Adds the changelog to what an assembled candidate says of itself.
pub(super) struct Changelog<'a> {
    pub(super) assembled: &'a Assembled<'a>,
    pub(super) public: &'a Store,
    pub(super) private: &'a Store,
    pub(super) snapshots: &'a [Snapshot],
    pub(super) seeds: &'a Seeds,
    pub(super) cog: &'a Arc<Cog>,
    pub(super) folder: &'a Path,
}

/// Steps from the old release to the new one.
struct Way {
    folders: Vec<PathBuf>,
    steps: Vec<Vec<Cause>>,
    not_told: Vec<NotTold>,
}

/// Inputs of a version that is made for comparison.
#[derive(Clone)]
struct Made {
    snapshots: Vec<Snapshot>,
    seeds: Seeds,
    cog: Arc<Cog>,
}

#[async_trait]
impl Finish for Changelog<'_> {
    async fn judge(
        &self,
        store: &Store,
        previous: Option<&Previous>,
        taken_back: &[ReleaseState<'_>],
    ) -> Result<Vec<Bound>, PublishError> {
        gate::bounds(self.assembled, store, previous, taken_back).await
    }

    async fn finish(
        &self,
        release: &ReleaseId,
        previous: Option<&Previous>,
        bounds: &[Bound],
    ) -> Result<Finished, PublishError> {
        let manifest = finish::manifest(self.assembled, release, previous);
        let Some(previous) = previous else {
            return finish::finish(self.assembled, manifest, None, bounds, finish::Changes::default());
        };
        let told = self.tell(&previous.manifest, &manifest).await?;
        let changes = finish::Changes { records: &told.records, list: Some(&told.list.local) };
        let mut finished = finish::finish(self.assembled, manifest, Some(previous), bounds, changes)?;
        finished.files.push(told.list);
        finished.metadata.extend(told.metadata);
        Ok(finished)
    }
}

/// The three files that tell what changed.
struct Told {
    records: Vec<FileRecord>,
    list: LocalFile,
    metadata: [(String, Bytes); 2],
}

impl Changelog<'_> {
    /// Compares the candidate with the release before.
    async fn tell(&self, before: &Manifest, after: &Manifest) -> Result<Told, PublishError> {
        let folder = self.folder.join(format!("changes-{}", before.release));
        fs::create_dir_all(&folder).map_err(|source| PublishError::Local { path: folder.clone(), source })?;
        let tables = differing(before, after);
        let old = self.assembled.before(&before.release)?;
        let unreadable = fetch_tables(self.public, before, &tables, &old).await?;
        let way = self.way(before, after, &tables, (&folder, &old)).await;
        let steps = Steps::new(way.steps);
        let versions = Versions { folders: way.folders, steps: steps.clone(), unreadable };
        let list = folder.join(LIST);
        let compared = compare(before, after, &versions, &list)?;
        let (was, is) = (Inputs::of(before), Inputs::of(after));
        let summary = ChangeSummary {
            dataset: after.dataset.clone(),
            previous: before.release.clone(),
            release: after.release.clone(),
            moved: was.moved(&is),
            sources: was.sources_moved(&is),
            told_apart: steps.told_apart(),
            not_told: way.not_told,
            tables: compared.tables,
        };
        let page = Page {
            title: &after.title,
            synthetic: after.synthetic,
            summary: &summary,
            shown: &compared.shown,
            lines: compared.lines,
        };
        let metadata = [(SUMMARY.to_owned(), json_bytes(&summary)), (PAGE.to_owned(), text(html(&page)?))];
        let mut records = vec![FileRecord {
            path: LIST.to_owned(),
            media_type: media_type_of(LIST).to_owned(),
            bytes: compared.bytes,
            sha256: compared.digest,
            rows: Some(compared.lines),
        }];
        records.extend(metadata.iter().map(|(path, bytes)| assemble::file_record(path, bytes)));
        Ok(Told { records, list: LocalFile { path: LIST.to_owned(), local: list, digest: compared.digest }, metadata })
    }

    /// The way from the release before, with a version for every step that can be made.
    async fn way(&self, before: &Manifest, after: &Manifest, tables: &[String], (folder, old): (&Path, &Path)) -> Way {
        let (old, new) = (old.to_owned(), self.assembled.folder.clone());
        let moved = Inputs::of(before).moved(&Inputs::of(after));
        if moved.len() < 2 || tables.is_empty() {
            return Way { folders: vec![old, new], steps: vec![moved], not_told: Vec::new() };
        }
        let mut not_told = Vec::new();
        // What cannot be taken back stands at the head of the way: neither the old project nor the old program is run.
        let (mut pending, back): (Vec<Cause>, Vec<Cause>) =
            moved.into_iter().partition(|cause| matches!(cause, Cause::Project | Cause::Program));
        if pending.len() > 1 {
            not_told.push(NotTold::OtherProgram);
        }
        let mut made =
            Made { snapshots: self.snapshots.to_vec(), seeds: self.seeds.clone(), cog: Arc::clone(self.cog) };
        let mut steps_left = Vec::new();
        for cause in back {
            let found = match cause {
                Cause::Reference => self.old_reference(before, &mut made, folder).await,
                _ => self.old_snapshots(before, &mut made).await,
            };
            match found {
                Ok(()) => steps_left.push(cause),
                Err(reason) => {
                    not_told.push(reason);
                    pending.push(cause);
                }
            }
        }
        let mut way = Way { folders: vec![old], steps: Vec::new(), not_told };
        for (number, cause) in (1..).zip(steps_left) {
            // With nothing pending the version before this step is the old release itself.
            if !pending.is_empty() {
                match self.make(&made, tables, &folder.join(format!("step-{number}"))).await {
                    Ok(version) => {
                        way.folders.push(version);
                        way.steps.push(std::mem::take(&mut pending));
                    }
                    Err(error) => {
                        let lines = chain(&error).join(": ");
                        warn!(error = %lines, "The project cannot be run on the inputs of release {}: causes are not told apart", before.release);
                        way.not_told.push(NotTold::CannotBeRun);
                    }
                }
            }
            pending.push(cause);
            pending.sort();
            match cause {
                Cause::Reference => (made.seeds, made.cog) = (self.seeds.clone(), Arc::clone(self.cog)),
                _ => made.snapshots = self.snapshots.to_vec(),
            }
        }
        way.folders.push(new);
        way.steps.push(pending);
        way.not_told.dedup();
        way
    }

    /// The geography of the release before.
    async fn old_reference(&self, before: &Manifest, made: &mut Made, folder: &Path) -> Result<(), NotTold> {
        let digest = before.reference.ok_or(NotTold::ReferenceGone)?;
        let fetched = reference::fetch(self.private, digest, &folder.join("cog")).await;
        let found = fetched.and_then(|seeds| {
            let Some(seeds) = seeds else { return Ok(None) };
            let cog = seeds.cog().map_err(|source| RunError::Territory(Box::new(source)))?;
            Ok(Some((seeds, Arc::new(cog))))
        });
        match found {
            Ok(Some((seeds, cog))) => {
                (made.seeds, made.cog) = (seeds, cog);
                Ok(())
            }
            Ok(None) => Err(NotTold::ReferenceGone),
            Err(error) => {
                warn!(error = %chain(&error).join(": "), "The geography of release {} cannot be read", before.release);
                Err(NotTold::ReferenceGone)
            }
        }
    }

    /// The snapshots of the release before. A source that it did not have is taken as it is now: it came with the project.
    async fn old_snapshots(&self, before: &Manifest, made: &mut Made) -> Result<(), NotTold> {
        let job = self.assembled.job;
        let keyed = |snapshot: &Snapshot| assemble::keyed(job, "snapshot", &snapshot.digest.to_string());
        let mut snapshots = made.snapshots.clone();
        for snapshot in &mut snapshots {
            let Some(wanted) = before.sources.iter().find(|source| source.source == snapshot.source.as_str()) else {
                continue;
            };
            if keyed(snapshot) == wanted.snapshot {
                continue;
            }
            match find(self.private, &snapshot.source, |kept| keyed(kept) == wanted.snapshot).await {
                Ok(Some(found)) => *snapshot = found,
                Ok(None) => return Err(NotTold::SnapshotsGone),
                Err(error) => {
                    warn!(source.id = %snapshot.source, error = %chain(&error).join(": "), "The snapshots of `{}` cannot be read", snapshot.source);
                    return Err(NotTold::SnapshotsGone);
                }
            }
        }
        made.snapshots = snapshots;
        Ok(())
    }

    /// Runs the present project on other inputs and writes the tables as they would be published. They stay in the scratch
    /// folder, and nothing is checked: they are looked at by the comparison only.
    async fn make(&self, made: &Made, tables: &[String], folder: &Path) -> Result<PathBuf, RunError> {
        let job = self.assembled.job;
        let release = folder.join("release");
        fs::create_dir_all(&release)
            .map_err(|source| RunError::Scratch { path: release.clone(), source: Box::new(source) })?;
        let staged = self.read(made, folder).await?;
        let engine = engine(folder)?;
        let profile = Profile::default();
        let wanted = |name: &&TableName| tables.iter().any(|table| table == name.as_str());
        let wanted: Vec<TableName> = job.pipeline.published.iter().filter(wanted).cloned().collect();
        let pipeline = job.pipeline;
        let builder =
            Builder { pipeline, engine: &engine, folder, release: &release, wanted: &wanted, profile: &profile };
        builder.reference(&made.cog, &made.seeds)?;
        builder.tables(&staged).await?;
        builder.counts(&staged)?;
        let models = builder.models(job.plan).await?;
        for name in wanted.iter().filter(|name| !models.contains_key(*name)) {
            if let Some(contract) = assemble::contract(pipeline, name) {
                builder.select(name, contract).await?;
            }
        }
        Ok(release)
    }

    /// All tables of the sources, in the order of the pipeline.
    async fn read(&self, made: &Made, folder: &Path) -> Result<Vec<Staged>, RunError> {
        let job = self.assembled.job;
        let demands = erase::demands(self.private, &job.pipeline.id).await?;
        let mut staged = Vec::new();
        for table in &job.pipeline.tables {
            let Some(snapshot) = made.snapshots.iter().find(|snapshot| snapshot.source == table.source) else {
                continue;
            };
            let parts = parts(self.private, snapshot, table).await?;
            let (spec, key) = (table.clone(), job.project.key.clone());
            let erased = erase::left_out(&demands, table, &key);
            let (cog, folder) = (Arc::clone(&made.cog), folder.to_owned());
            let task = tokio::task::spawn_blocking(move || stage::stage(&spec, (&key, erased), parts, &cog, &folder));
            let mut read = task.await.map_err(|_panic| RunError::Stopped { table: table.name.clone() })??;
            geocode::place(job, self.private, &made.snapshots, table, &mut read).await?;
            staged.push(read);
        }
        Ok(staged)
    }
}
