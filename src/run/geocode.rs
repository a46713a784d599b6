//! Rows without a point of their own, placed at their address by the answers of a geocoder.
//!
//! The answers are a snapshot of the geocoder's source: the release cites it like every input, and who makes the release
//! again asks nobody. Addresses are not in it, only what is made of them with the project's key. Decision record 9.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::Float64Type;
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::assemble::keyed;
use super::error::RunError;
use super::intake::{Intake, Intaker};
use super::scratch::{self, ScratchWriter};
use super::stage::Staged;
use super::{From, Job, Progress, SourceUse, chain};
use crate::config::pipeline::{Geocode, GeocoderSource, Source, SourceKind, TableSpec};
use crate::engine::SCRATCH;
use crate::release::Went;
use crate::source::{
    self, ANSWERS, AddressAnswer, AddressQuestion, Answers, Geocoder, Snapshot, fetch, latest, open_part,
};
use crate::store::Store;
use crate::territory::geocode::{self, DOUBTFUL, Refusal};

/// What stands in `position_origine` of a row that was placed by its address.
const ORIGIN: &str = "geocodeur";
/// After so many days a doubtful answer is asked for again.
const DOUBTED_DAYS: i64 = 7;

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// The address, its commune, and nothing that anybody could read: a digest under the project's key.
    question: String,
    /// When it was asked, RFC 3339 in UTC.
    asked: String,
    kind: String,
    score: f64,
    longitude: Option<f64>,
    latitude: Option<f64>,
    code_insee: String,
}

/// All answers that are known, by their question.
type Known = BTreeMap<String, Kept>;

/// Asks about the rows of all tables that name a geocoder, and places them.
pub(super) async fn take(
    intaker: &Intaker<'_>,
    staged: &mut [(usize, Staged)],
    intake: &mut Intake,
    progress: &mut Progress<'_>,
) -> Result<(), RunError> {
    let job = intaker.job;
    for source in &job.pipeline.sources {
        let SourceKind::Geocoder(geocoder) = &source.kind else { continue };
        let mut wanted = BTreeMap::new();
        for (at, table) in staged.iter() {
            let spec = &job.pipeline.tables[*at];
            if let Some(geocode) = geocode_of(spec).filter(|geocode| geocode.source == source.id) {
                wanted.extend(questions(job, spec, geocode, &table.path)?);
            }
        }
        let (snapshot, new, trouble) = answers(intaker, (source, geocoder), &wanted, progress).await?;
        let mut went = Went::Well { changed: new };
        if let Some(error) = trouble {
            let code = error.code();
            went = Went::Wrong { code: code.to_owned() };
            intake.held_back.insert(source.id.clone(), code);
        }
        progress.went.insert(source.id.to_string(), went);
        progress.record.sources.push(SourceUse {
            source: source.id.to_string(),
            snapshot: snapshot.number,
            new,
            bytes: snapshot.parts.iter().map(|part| part.bytes).sum(),
            fetched_at: snapshot.fetched_at.clone(),
            held_back: intake.held_back.get(&source.id).map(|code| (*code).to_owned()),
            transfers: Vec::new(),
        });
        intake.snapshots.push(snapshot);
    }
    let order = |snapshot: &Snapshot| job.pipeline.sources.iter().position(|source| source.id == snapshot.source);
    intake.snapshots.sort_by_key(order);
    for (at, table) in staged.iter_mut() {
        place(job, intaker.private, &intake.snapshots, &job.pipeline.tables[*at], table).await?;
    }
    Ok(())
}

/// Places the rows of a table by the answers that are among some snapshots.
pub(super) async fn place(
    job: Job<'_>,
    private: &Store,
    snapshots: &[Snapshot],
    table: &TableSpec,
    staged: &mut Staged,
) -> Result<(), RunError> {
    let Some(geocode) = geocode_of(table) else { return Ok(()) };
    let Some(snapshot) = snapshots.iter().find(|snapshot| snapshot.source == geocode.source) else { return Ok(()) };
    let known = read(private, snapshot).await?;
    apply(job, table, geocode, &known, staged)
}

fn geocode_of(table: &TableSpec) -> Option<&Geocode> {
    table.place.as_ref()?.geocode.as_ref()
}

/// The answers to some questions: those that are known, and from the service those that are not. What the service does not
/// give is trouble, and the rows stay where they are.
async fn answers(
    intaker: &Intaker<'_>,
    (source, geocoder): (&Source, &GeocoderSource),
    wanted: &BTreeMap<String, AddressQuestion>,
    progress: &mut Progress<'_>,
) -> Result<(Snapshot, bool, Option<RunError>), RunError> {
    let failed = |error| RunError::Source { id: source.id.clone(), source: Box::new(error) };
    let last = latest(intaker.private, &source.id).await.map_err(failed)?;
    let mut known = match &last {
        Some(last) => read(intaker.private, last).await?,
        None => Known::new(),
    };
    let now = intaker.options.now;
    let due: Vec<(&String, &AddressQuestion)> = match intaker.options.from {
        From::Source => wanted.iter().filter(|(key, _)| known.get(*key).is_none_or(|kept| is_due(kept, now))).collect(),
        From::Snapshot => Vec::new(),
    };
    let mut trouble = None;
    if !due.is_empty() {
        progress.reporter.step(&format!("Asking {} about {} addresses", source.id, due.len()));
        let service = Geocoder::new(geocoder.clone(), &intaker.options.env).map_err(failed)?;
        for batch in due.chunks(service.batch()) {
            let questions: Vec<AddressQuestion> = batch.iter().map(|(_, question)| (*question).clone()).collect();
            match service.ask(&questions).await {
                Ok(answers) => {
                    for ((key, _), answer) in batch.iter().zip(answers) {
                        known.insert((*key).clone(), Kept::of(key, answer, now));
                    }
                }
                Err(error) => {
                    trouble = Some(failed(error));
                    break;
                }
            }
        }
    }
    if let Some(error) = &trouble {
        warn!(
            source.id = %source.id,
            "The geocoder `{}` gave no answers; rows without one stay at the centre of their commune: {}",
            source.id, chain(error).join(": ")
        );
    }
    let given = Answers { url: geocoder.url.to_string(), bytes: written(&known).into() };
    let fetched = fetch(intaker.private, &source.id, &given, now).await.map_err(failed)?;
    Ok((fetched.snapshot, fetched.changed, trouble))
}

/// Whether an answer that is known is asked for again: it is doubtful, or there was none, and the service may have learnt.
fn is_due(kept: &Kept, now: DateTime<Utc>) -> bool {
    let asked = kept.asked.parse::<DateTime<Utc>>();
    kept.score < DOUBTFUL && asked.is_ok_and(|asked| now - asked > TimeDelta::days(DOUBTED_DAYS))
}

impl Kept {
    fn of(question: &str, answer: AddressAnswer, now: DateTime<Utc>) -> Self {
        let AddressAnswer { kind, score, longitude, latitude, code_insee } = answer;
        let asked = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        Self { question: question.to_owned(), asked, kind, score, longitude, latitude, code_insee }
    }

    fn answer(&self) -> AddressAnswer {
        let Self { kind, score, longitude, latitude, code_insee, .. } = self.clone();
        AddressAnswer { kind, score, longitude, latitude, code_insee }
    }
}

/// One line of JSON for each answer, in the order of their questions.
fn written(known: &Known) -> Vec<u8> {
    let lines = known.values().filter_map(|kept| serde_json::to_string(kept).ok());
    lines.fold(Vec::new(), |mut bytes, line| {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        bytes
    })
}

async fn read(private: &Store, snapshot: &Snapshot) -> Result<Known, RunError> {
    let failed = |source| RunError::Source { id: snapshot.source.clone(), source: Box::new(source) };
    let reader = open_part(private, snapshot, ANSWERS).await.map_err(failed)?;
    let unread = |source: std::io::Error| RunError::Scratch { path: ANSWERS.into(), source: Box::new(source) };
    let mut known = Known::new();
    for line in std::io::BufReader::new(reader).lines() {
        let kept: Kept = serde_json::from_str(&line.map_err(unread)?).map_err(|error| unread(error.into()))?;
        known.insert(kept.question.clone(), kept);
    }
    Ok(known)
}

/// Empties the answers of all snapshots of the geocoders of some tables, after a legal demand: an answer is where somebody is.
pub(super) async fn forget(job: Job<'_>, private: &Store, tables: &[&TableSpec]) -> Result<(), RunError> {
    let used = |source: &Source| {
        tables.iter().filter_map(|table| geocode_of(table)).any(|geocode| geocode.source == source.id)
    };
    for source in job.pipeline.sources.iter().filter(|source| used(source)) {
        let failed = |error| RunError::Source { id: source.id.clone(), source: Box::new(error) };
        let nothing = crate::id::Digest::of(b"");
        for snapshot in source::all(private, &source.id).await.map_err(failed)? {
            let mut parts = snapshot.parts.clone();
            for part in &mut parts {
                (part.digest, part.bytes) = (nothing, 0);
            }
            let key = crate::store::StoreKey::SnapshotPart { source: source.id.clone(), digest: nothing };
            private.put(&key, bytes::Bytes::new()).await.map_err(super::private_failed)?;
            private.sync(&[key]).await.map_err(super::private_failed)?;
            let cited = keyed(job, "snapshot", &snapshot.digest.to_string());
            source::replace(private, &snapshot, parts, cited).await.map_err(failed)?;
        }
        source::drop_unreferenced(private, &source.id).await.map_err(failed)?;
    }
    Ok(())
}

/// A row that has no point of its own and says where it is.
struct Asked {
    question: AddressQuestion,
    key: String,
    commune: String,
    centre: Option<(f64, f64)>,
}

fn asked(
    job: Job<'_>,
    (table, geocode): (&TableSpec, &Geocode),
    batch: &RecordBatch,
    row: usize,
) -> Result<Option<Asked>, ArrowError> {
    let text = |name: &str| -> Result<String, ArrowError> {
        match batch.column_by_name(name).filter(|column| column.is_valid(row)) {
            Some(column) => Ok(array_value_to_string(column, row)?.trim().to_owned()),
            None => Ok(String::new()),
        }
    };
    if !matches!(text("position_origine")?.as_str(), "centre_commune" | "aucune") {
        return Ok(None);
    }
    // Whoever did not agree to be shown is not asked about either.
    if let Some(consent) = &table.consent
        && text(&consent.row)? != "true"
    {
        return Ok(None);
    }
    let mut address = String::new();
    for column in &geocode.address {
        if address.is_empty() {
            address = text(column)?;
        }
    }
    let (insee, postal, commune) = (text("code_insee")?, text("code_postal")?, text("commune")?);
    let centre = number(batch, "longitude", row).zip(number(batch, "latitude", row));
    let question = geocode::question(&address, Some(&insee), Some(&postal));
    Ok(question.map(|question| {
        let key = keyed(job, "address", &geocode::identity(&question));
        Asked { question, key, commune, centre }
    }))
}

fn number(batch: &RecordBatch, name: &str, row: usize) -> Option<f64> {
    let column = batch.column_by_name(name)?.as_primitive_opt::<Float64Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn questions(
    job: Job<'_>,
    table: &TableSpec,
    geocode: &Geocode,
    path: &Path,
) -> Result<BTreeMap<String, AddressQuestion>, RunError> {
    let arrow = |source| RunError::Arrow { table: table.name.clone(), source };
    let mut questions = BTreeMap::new();
    for batch in scratch::read(path, None)? {
        let batch = batch.map_err(arrow)?;
        for row in 0..batch.num_rows() {
            if let Some(asked) = asked(job, (table, geocode), &batch, row).map_err(arrow)? {
                questions.insert(asked.key, asked.question);
            }
        }
    }
    Ok(questions)
}

/// How many rows were placed, and why the others were not.
#[derive(Debug, Default)]
struct Tally {
    placed: u64,
    unanswered: u64,
    refused: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn say(&self) -> Option<String> {
        let left: u64 = self.refused.values().sum::<u64>() + self.unanswered;
        if self.placed + left == 0 {
            return None;
        }
        let mut reasons: Vec<String> = self.refused.iter().map(|(reason, rows)| format!("{reason} : {rows}")).collect();
        if self.unanswered > 0 {
            reasons.push(format!("sans réponse du service : {}", self.unanswered));
        }
        let why = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        let placed = self.placed;
        Some(format!(
            "Géocodage : lignes placées à leur adresse : {placed}, laissées au centre de leur commune : {left}{why}."
        ))
    }
}

fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotFound => "adresse inconnue",
        Refusal::Doubtful => "correspondance douteuse",
        Refusal::Coarse => "réponse plus grossière que la question",
        Refusal::Elsewhere => "autre commune",
    }
}

/// Writes the table anew, with the points of the answers that are good enough.
fn apply(
    job: Job<'_>,
    table: &TableSpec,
    geocode: &Geocode,
    known: &Known,
    staged: &mut Staged,
) -> Result<(), RunError> {
    let arrow = |source| RunError::Arrow { table: table.name.clone(), source };
    let schema = scratch::schema(&staged.path)?;
    let mut writer = ScratchWriter::create(staged.path.with_extension(format!("geocoded.{SCRATCH}")), &schema)?;
    let mut tally = Tally::default();
    for batch in scratch::read(&staged.path, None)? {
        let batch = batch.map_err(arrow)?;
        let mut points = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let asked = asked(job, (table, geocode), &batch, row).map_err(arrow)?;
            points.push(asked.and_then(|asked| tally.point(&asked, known)));
        }
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        for (field, column) in schema.fields().iter().zip(&mut columns) {
            if let Some(filled) = filled(field.name(), column, &points).map_err(arrow)? {
                *column = filled;
            }
        }
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns).map_err(arrow)?)?;
    }
    staged.path = writer.finish()?.0;
    staged.remarks.extend(tally.say());
    Ok(())
}

impl Tally {
    fn point(&mut self, asked: &Asked, known: &Known) -> Option<(f64, f64)> {
        let Some(kept) = known.get(&asked.key) else {
            self.unanswered += 1;
            return None;
        };
        match geocode::judge(&asked.question, &asked.commune, &kept.answer(), asked.centre) {
            Ok(point) => {
                self.placed += 1;
                Some(point)
            }
            Err(refusal) => {
                *self.refused.entry(reason(refusal)).or_default() += 1;
                None
            }
        }
    }
}

/// A column with what is known of the rows that were placed; none when it says nothing of places.
fn filled(name: &str, column: &ArrayRef, points: &[Option<(f64, f64)>]) -> Result<Option<ArrayRef>, ArrowError> {
    let coordinate = |of: fn((f64, f64)) -> f64| -> Option<ArrayRef> {
        let given = column.as_primitive_opt::<Float64Type>()?;
        let mut numbers = Float64Builder::with_capacity(points.len());
        for (point, given) in points.iter().zip(given) {
            numbers.append_option(point.map(of).or(given));
        }
        Some(Arc::new(numbers.finish()))
    };
    Ok(match name {
        "longitude" => coordinate(|point| point.0),
        "latitude" => coordinate(|point| point.1),
        "position_origine" => {
            let mut texts = StringBuilder::new();
            for (row, point) in points.iter().enumerate() {
                match point {
                    Some(_) => texts.append_value(ORIGIN),
                    None if column.is_valid(row) => texts.append_value(array_value_to_string(column, row)?),
                    None => texts.append_null(),
                }
            }
            Some(Arc::new(texts.finish()))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::good("2026-11-01T02:30:00Z", 0.9, false)]
    #[case::doubtful_and_old("2026-11-14T02:29:59Z", 0.74, true)]
    #[case::doubtful_and_young("2026-11-15T02:30:00Z", 0.74, false)]
    #[case::nothing_and_old("2026-11-01T02:30:00Z", 0.0, true)]
    fn doubtful_answers_are_asked_for_again_after_a_week(#[case] asked: &str, #[case] score: f64, #[case] due: bool) {
        let answer = AddressAnswer { score, ..AddressAnswer::default() };
        let kept = Kept::of("q", answer, asked.parse().unwrap());
        assert_eq!(is_due(&kept, "2026-11-21T02:30:00Z".parse().unwrap()), due);
    }
}
