//! From built tables to a candidate: files, figures, metadata, checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use bytes::Bytes;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::build::{Builder, Built};
use super::checks;
use super::describe;
use super::error::RunError;
use super::intake::Intake;
use super::record::{FailedCheck, PublishedTable};
use super::scratch;
use super::stage::Staged;
use super::written::Written;
use super::{Job, Progress, RunOptions, text};
use crate::config::pipeline::{FigureSpec, FigureUnit, Pipeline};
use crate::contract::{Contract, SECRET};
use crate::id::{Digest, Hasher, ReleaseId, TableName};
use crate::publish::PublishError;
use crate::publish::commit::{Candidate, Finish, LocalFile};
use crate::publish::figure::{Bar, Figure, Language, Unit, png, svg};
use crate::publish::format::WrittenFile;
use crate::publish::metadata::TableFiles;
use crate::quality::Outcome;
use crate::quality::gate::{Acceptance, Bound};
use crate::release::{CheckRecord, FileRecord, SourceRecord, TableRecord, content_digest};
use crate::source::Snapshot;
use crate::territory::Seeds;

/// A published table with its files.
pub(super) struct Table<'a> {
    pub(super) contract: &'a Contract,
    pub(super) rows: u64,
    pub(super) secret: u64,
    pub(super) files: Vec<WrittenFile>,
    /// Empty cells by column.
    pub(super) empty: BTreeMap<String, u64>,
}

/// Everything of a release but its id.
pub(super) struct Assembled<'a> {
    pub(super) job: Job<'a>,
    pub(super) issued: String,
    pub(super) tables: Vec<Table<'a>>,
    pub(super) data: Vec<FileRecord>,
    pub(super) sources: Vec<SourceRecord>,
    pub(super) checks: Vec<CheckRecord>,
    pub(super) project: Digest,
    pub(super) reference: Digest,
    pub(super) read: BTreeMap<String, u64>,
    pub(super) rejects: BTreeMap<String, BTreeMap<String, u64>>,
    pub(super) unfit: BTreeMap<String, u64>,
    pub(super) corrections: BTreeMap<String, BTreeMap<String, u64>>,
    /// Bounds of the snapshots that it was made from.
    pub(super) source_bounds: Vec<Bound>,
    /// Bounds that a person lets through.
    pub(super) acceptance: Acceptance,
    /// Columns that their source no longer has, and that the pipeline gives up.
    pub(super) given_up: BTreeSet<String>,
    /// Where its data files are.
    pub(super) folder: PathBuf,
    /// Where files of the release before are brought.
    pub(super) before: PathBuf,
}

/// The contract of a published table.
pub(super) fn contract<'a>(pipeline: &'a Pipeline, name: &TableName) -> Option<&'a Contract> {
    let model = pipeline.models.iter().find(|model| model.name == *name).and_then(|model| model.contract.as_deref());
    let table = pipeline.tables.iter().find(|table| table.name == *name).map(|table| table.contract.as_ref());
    model.or(table).or_else(|| pipeline.indicators.as_deref().filter(|_| name.as_str() == "indicateurs"))
}

/// Writes and checks every published table, draws the figures.
pub(super) async fn assemble<'a>(
    job: Job<'a>,
    options: &RunOptions,
    builder: &Builder<'_>,
    mut models: BTreeMap<TableName, Built>,
    intake: &Intake,
    seeds: &Seeds,
    progress: &mut Progress<'_>,
) -> Result<Assembled<'a>, RunError> {
    let staged = &intake.staged;
    let folder = builder.release.to_owned();
    let (mut tables, mut figures, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for name in &job.pipeline.published {
        let Some(contract) = contract(job.pipeline, name) else { continue };
        let built = match models.remove(name) {
            Some(built) => built,
            None => {
                let begun = progress.profile.begin(format!("build:table:{name}"));
                let built = builder.select(name, contract).await?;
                progress.profile.end(&begun, Some(built.rows), Some(built.bytes()));
                if contract.cell.is_some() {
                    // Checks see what readers see.
                    builder.register_file(name, &built.path).await?;
                }
                built
            }
        };
        for spec in job.pipeline.figures.iter().filter(|figure| figure.table == *name) {
            figures.extend(draw(job.pipeline, spec, &built)?);
        }
        progress.record.published.push(PublishedTable {
            table: name.to_string(),
            rows: built.rows,
            secret: built.secret,
        });
        let Built { rows, secret, written, .. } = built;
        let Some(Written { files, outcomes: found, empty }) = written else { continue };
        outcomes.extend(found);
        tables.push(Table { contract, rows, secret, files, empty });
    }
    let contracts: Vec<&Contract> = tables.iter().map(|table| table.contract).collect();
    outcomes.extend(checks::run(job, options, builder, &contracts, &progress.record.run).await?);
    for (name, bytes) in &figures {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(|source| RunError::Scratch { path, source: Box::new(source) })?;
    }
    let data = data_files(&tables, &figures);
    record_outcomes(&outcomes, progress);
    progress.record.files = data.len();
    progress.record.bytes = data.iter().map(|file| file.bytes).sum();
    let issued = options.now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let by_table = |value: fn(&Staged) -> BTreeMap<String, u64>| {
        staged
            .iter()
            .map(|table| (table.name.to_string(), value(table)))
            .filter(|(_, counts)| !counts.is_empty())
            .collect()
    };
    Ok(Assembled {
        job,
        issued,
        tables,
        data,
        sources: sources(job, intake),
        checks: outcomes.iter().map(check_record).collect(),
        project: project_digest(job),
        reference: seeds.digest().map_err(|source| RunError::Territory(Box::new(source)))?,
        read: staged.iter().map(|table| (table.name.to_string(), table.read)).collect(),
        rejects: by_table(|table| table.counts.rejects.clone()),
        unfit: staged.iter().map(|table| (table.name.to_string(), table.counts.unfit.values().sum())).collect(),
        corrections: by_table(|table| table.counts.corrections.clone()),
        source_bounds: intake.bounds.clone(),
        acceptance: options.acceptance.clone(),
        given_up: intake.given_up.clone(),
        folder,
        before: builder.folder.join("before"),
    })
}

fn check_record(outcome: &Outcome) -> CheckRecord {
    CheckRecord {
        id: outcome.id.clone(),
        table: outcome.table.clone(),
        severity: outcome.severity.as_str().to_owned(),
        outcome: if outcome.failing_rows == 0 { "pass" } else { "fail" }.to_owned(),
        failing_rows: (!outcome.withheld || outcome.failing_rows == 0).then_some(outcome.failing_rows),
        because: outcome.because.clone(),
    }
}

fn record_outcomes(outcomes: &[Outcome], progress: &mut Progress<'_>) {
    progress.record.checks = outcomes.len();
    for outcome in outcomes.iter().filter(|outcome| outcome.failing_rows > 0) {
        progress.record.failed_checks.push(FailedCheck {
            id: outcome.id.clone(),
            table: outcome.table.clone(),
            severity: outcome.severity.as_str(),
            failing_rows: outcome.failing_rows,
            sample: outcome.sample.iter().map(|sample| (sample.row, sample.detail.clone())).collect(),
            because: outcome.because.clone(),
            file: outcome.file.clone(),
        });
    }
}

fn data_files(tables: &[Table<'_>], figures: &[(String, Bytes)]) -> Vec<FileRecord> {
    let written = tables.iter().flat_map(|table| &table.files).map(|file| FileRecord {
        path: file.path.clone(),
        media_type: file.media_type.to_owned(),
        bytes: file.bytes,
        sha256: file.digest,
        rows: Some(file.rows),
    });
    let drawn = figures.iter().map(|(path, bytes)| file_record(path, bytes));
    written.chain(drawn).collect()
}

pub(super) fn file_record(path: &str, bytes: &Bytes) -> FileRecord {
    FileRecord {
        path: path.to_owned(),
        media_type: crate::store::media_type_of(path).to_owned(),
        bytes: bytes.len() as u64,
        sha256: Digest::of(bytes),
        rows: None,
    }
}

pub(super) fn project_digest(job: Job<'_>) -> Digest {
    let mut hasher = Hasher::default();
    for (path, file) in &job.files.files {
        hasher.update(format!("{path}\n{}\n", Digest::of(file.text.as_bytes())).as_bytes());
    }
    hasher.finish()
}

fn sources(job: Job<'_>, intake: &Intake) -> Vec<SourceRecord> {
    let find = |id| job.pipeline.sources.iter().find(move |source| source.id == id);
    let record = |snapshot: &Snapshot| {
        let source = find(snapshot.source.clone())?;
        let keyed = keyed(job, "snapshot", &snapshot.digest.to_string());
        let held_back = intake.held_back.get(&source.id).map(|code| (*code).to_owned());
        Some(SourceRecord { held_back, ..describe::source_record(source, snapshot, keyed) })
    };
    intake.snapshots.iter().filter_map(record).collect()
}

/// A digest under the project's key: it says that two things are the same and confirms no guess.
pub(super) fn keyed(job: Job<'_>, purpose: &str, value: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(job.project.key.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(purpose.as_bytes());
    mac.update(b":");
    mac.update(value.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// Draws a figure from its table, as SVG and as PNG.
fn draw(pipeline: &Pipeline, spec: &FigureSpec, built: &Built) -> Result<[(String, Bytes); 2], RunError> {
    let arrow = |source| RunError::Arrow { table: spec.table.clone(), source };
    let (mut bars, mut base) = (Vec::new(), None);
    for batch in scratch::read(&built.path, None)? {
        let batch = batch.map_err(arrow)?;
        bars.extend(bars_of(spec, &batch).map_err(arrow)?);
        base = base.or(number(&batch, "base", 0).map_err(arrow)?);
    }
    let base = base.map_or_else(|| "?".to_owned(), |base| format!("{base:.0}"));
    let figure = Figure {
        title: spec.title.clone(),
        subtitle: None,
        bars,
        unit: match spec.unit {
            FigureUnit::Count => Unit::Count,
            FigureUnit::Percent => Unit::Percent,
        },
        base: spec.base.replace("{base}", &base),
        notes: spec.notes.clone(),
        source: format!("Source : {}.", pipeline.title),
        synthetic: pipeline.synthetic,
        language: Language::Fr,
        id_prefix: spec.table.to_string(),
        threshold: u32::try_from(pipeline.smallest_cell).unwrap_or(u32::MAX),
    };
    let drawing = svg(&figure);
    let picture = png(&drawing);
    let picture = picture.map_err(|source| RunError::Figure { table: spec.table.clone(), source: Box::new(source) })?;
    Ok([(format!("{}.svg", spec.table), text(drawing)), (format!("{}.png", spec.table), picture.into())])
}

fn number(batch: &RecordBatch, column: &str, row: usize) -> Result<Option<f64>, arrow::error::ArrowError> {
    let Some(array) = batch.column_by_name(column).filter(|array| array.len() > row) else { return Ok(None) };
    let numbers = cast(array, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    Ok(numbers.is_valid(row).then(|| numbers.value(row)))
}

fn bars_of(spec: &FigureSpec, batch: &RecordBatch) -> Result<Vec<Bar>, arrow::error::ArrowError> {
    let missing = |name: &str| arrow::error::ArrowError::SchemaError(format!("column `{name}` is missing"));
    let labels = batch.column_by_name(&spec.label).ok_or_else(|| missing(&spec.label))?;
    let labels = cast(labels, &DataType::Utf8)?;
    let values = batch.column_by_name(&spec.value).ok_or_else(|| missing(&spec.value))?;
    let values = cast(values, &DataType::Float64)?;
    let (labels, values) = (labels.as_string::<i32>(), values.as_primitive::<Float64Type>());
    let secret = batch.column_by_name(SECRET).map(AsArray::as_boolean);
    let scale = if spec.unit == FigureUnit::Percent { 100.0 } else { 1.0 };
    let bar = |row: usize| Bar {
        label: labels.value(row).to_owned(),
        value: values.is_valid(row).then(|| values.value(row) * scale),
        secret: secret.is_some_and(|secret| secret.is_valid(row) && secret.value(row)),
    };
    Ok((0..batch.num_rows()).map(bar).collect())
}

impl<'a> Assembled<'a> {
    /// The candidate that waits for its commit.
    pub(super) fn candidate(
        &self,
        pipeline: &Pipeline,
        options: &RunOptions,
        attempt: &str,
        finish: &'a dyn Finish,
    ) -> Candidate<'a> {
        let local = |file: &FileRecord| LocalFile {
            path: file.path.clone(),
            local: self.folder.join(&file.path),
            digest: file.sha256,
        };
        Candidate {
            dataset: pipeline.id.clone(),
            date: options.now.with_timezone(&pipeline.time_zone).format("%Y-%m-%d").to_string(),
            issued: self.issued.clone(),
            version: pipeline.version.to_string(),
            attempt: attempt.to_owned(),
            turn: options.turn.clone(),
            content: self.content(),
            files: self.data.iter().map(local).collect(),
            clock: options.clock,
            finish,
        }
    }

    /// The folder for files of the release before: each is brought once.
    pub(super) fn before(&self, release: &ReleaseId) -> Result<PathBuf, PublishError> {
        let folder = self.before.join(release.as_str());
        fs::create_dir_all(&folder).map_err(|source| PublishError::Local { path: folder.clone(), source })?;
        Ok(folder)
    }

    /// Digest of what the release says: data, contracts and texts, without clock and id.
    pub(super) fn content(&self) -> Digest {
        content_digest(&self.data, &self.texts())
    }

    /// Digest of the texts and contracts that count as content.
    pub(super) fn texts(&self) -> Digest {
        Digest::of(describe::texts(self).to_string().as_bytes())
    }

    /// What the manifest says of the tables.
    pub(super) fn table_records(&self) -> Vec<TableRecord> {
        self.tables.iter().map(|table| table_record(self.job, table)).collect()
    }

    pub(super) fn table_files(&self) -> Vec<TableFiles<'_>> {
        self.tables.iter().map(|table| TableFiles { contract: table.contract, files: &table.files }).collect()
    }
}

fn table_record(job: Job<'_>, table: &Table<'_>) -> TableRecord {
    TableRecord {
        name: table.contract.name.to_string(),
        title: table.contract.title.clone(),
        rows: table.rows,
        secret_rows: table.secret,
        rows_of: describe::rows_of(job, table.contract),
        key: table.contract.primary_key.clone(),
        columns: describe::columns(table),
    }
}
