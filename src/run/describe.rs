//! What a release says about itself, from what is known of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::Field;
use serde_json::{Value, json};

use super::Job;
use super::assemble::{Assembled, Table};
use crate::config::pipeline::{Period, Pipeline, Source, shown_name};
use crate::contract::{CodeList, Column, Contract, Kind as ContractKind};
use crate::engine::lineage::How;
use crate::id::ReleaseId;
use crate::publish::commit::Previous;
use crate::publish::dictionary::{self, Dictionary, Kind};
use crate::publish::metadata::{Citation, Context, licence_title, licence_url};
use crate::quality::gate::{Bound, Verdict};
use crate::release::{ColumnRecord, FileRecord, PartRecord, RowsOf, SourceRecord};
use crate::source::Snapshot;

/// Absolute addresses of a release.
pub(super) struct Urls {
    homepage: String,
    release: String,
    latest: String,
}

impl Urls {
    /// Addresses under the project's public URL.
    pub(super) fn of(job: Job<'_>, release: &ReleaseId) -> Self {
        let homepage = format!("{}{}/", job.project.public_url, job.pipeline.id);
        Self { release: format!("{homepage}releases/{release}/"), latest: format!("{homepage}latest/"), homepage }
    }
}

/// What is said of a release in more than one of its files.
pub(super) fn context<'a>(
    assembled: &'a Assembled<'_>,
    release: &'a ReleaseId,
    urls: &'a Urls,
    others: &'a [FileRecord],
) -> Context<'a> {
    let pipeline = assembled.job.pipeline;
    Context {
        dataset: &pipeline.id,
        title: &pipeline.title,
        description: &pipeline.description,
        version: pipeline.version.to_string(),
        licence: &pipeline.licence,
        synthetic: pipeline.synthetic,
        keywords: &pipeline.keywords,
        themes: &pipeline.themes,
        period: pipeline.period,
        release,
        issued: &assembled.issued,
        publisher: &assembled.job.project.publisher,
        sources: pipeline.sources.iter().map(citation).collect(),
        tables: assembled.tables.iter().map(|table| table.contract).collect(),
        homepage: &urls.homepage,
        release_url: &urls.release,
        latest_url: &urls.latest,
        others,
    }
}

fn citation(source: &Source) -> Citation<'_> {
    Citation {
        title: &source.title,
        publisher: source.publisher.as_deref(),
        homepage: source.homepage.as_deref(),
        licence: &source.licence,
    }
}

/// Texts and contracts that count as content: a change of one of them makes a new release.
pub(super) fn texts(assembled: &Assembled<'_>) -> Value {
    let pipeline = assembled.job.pipeline;
    let publisher = &assembled.job.project.publisher;
    let mut texts = json!({
        "title": pipeline.title,
        "description": pipeline.description,
        "version": pipeline.version.to_string(),
        "licence": pipeline.licence,
        "keywords": pipeline.keywords,
        "notes": pipeline.notes,
        "synthetic": pipeline.synthetic,
        "publisher": [&publisher.name, publisher.url.as_deref().unwrap_or(""), publisher.email.as_deref().unwrap_or("")],
        "public_url": assembled.job.project.public_url.as_str(),
        "sources": pipeline.sources.iter().map(|source| [&source.title, &source.licence]).collect::<Vec<_>>(),
        "codes": code_lists(assembled),
        "contracts": assembled.tables.iter().map(|table| &table.contract.file.text).collect::<Vec<_>>(),
    });
    // What is not declared is no text: without it a dataset says what it said before there was a word for it.
    if !pipeline.themes.is_empty() {
        texts["themes"] = pipeline.themes.iter().map(|theme| theme.code).collect();
    }
    if let Some(Period { from, to }) = pipeline.period {
        texts["period"] = json!([from.map(|day| day.to_string()), to.map(|day| day.to_string())]);
    }
    texts
}

/// Codes and labels of the published closed columns, by list.
fn code_lists<'a>(assembled: &'a Assembled<'_>) -> BTreeMap<&'a str, Vec<[&'a str; 3]>> {
    let columns = assembled.tables.iter().flat_map(|table| table.contract.public_columns());
    let lists = columns.filter_map(|column| column.codes.as_ref());
    let labels = |list: &'a CodeList| {
        list.codes.iter().map(|code| [code.code.as_str(), code.label.as_str(), code.label_en.as_str()]).collect()
    };
    lists.map(|list| (list.name.as_str(), labels(list))).collect()
}

/// `gate.json`: what the candidate was held against and what was seen, whatever was accepted and why; what the
/// confidentiality rules were, and which tables they spared.
pub(super) fn gate(assembled: &Assembled<'_>, previous: Option<&Previous>, bounds: &[Bound]) -> Value {
    let pipeline = assembled.job.pipeline;
    let protected = assembled.tables.iter().filter(|table| table.contract.cell.is_some());
    let held_back = assembled.sources.iter().filter_map(|source| Some((&source.source, source.held_back.as_ref()?)));
    json!({
        "previous": previous.map(|previous| &previous.release),
        "bounds": bounds.iter().filter_map(|bound| published_bound(pipeline, bound)).collect::<Vec<_>>(),
        "sources_held_back": held_back.map(|(source, code)| json!({
            "source": source,
            "because": code,
        })).collect::<Vec<_>>(),
        "smallest_cell": pipeline.smallest_cell,
        "protected": protected.map(|table| json!({
            "table": table.contract.name,
            "secret_rows": table.secret,
            "complement_rule": !pipeline.exempt.contains(&table.contract.name),
        })).collect::<Vec<_>>(),
        "exempt_from_complement_rule": pipeline.exempt,
        "groupings_published": false,
        "synthetic": pipeline.synthetic,
        "checks_failed": assembled.checks.iter().filter(|check| check.outcome == "fail").count(),
    })
}

/// A bound as everyone may see it. Filled cells of a column that is not public, and of any column of a survey, are counts
/// of single answers: of such a bound only that it was accepted is told.
fn published_bound(pipeline: &Pipeline, bound: &Bound) -> Option<Bound> {
    let Some((table, column)) = bound.id.strip_prefix("source_empty:").and_then(|id| id.split_once('.')) else {
        return Some(bound.clone());
    };
    let spec = pipeline.tables.iter().find(|spec| spec.name.as_str() == table)?;
    let asked = pipeline.questionnaire.as_ref().is_some_and(|questionnaire| questionnaire.table == spec.name);
    let public = spec.contract.public_columns().any(|public| public.name == column);
    if public && !asked && spec.consent.is_none() {
        return Some(bound.clone());
    }
    let accepted = bound.verdict == Verdict::Accepted;
    accepted.then(|| Bound { before: None, now: 0.0, limit: 0.0, said: String::new(), ..bound.clone() })
}

/// A source and the snapshot that was used.
pub(super) fn source_record(source: &Source, snapshot: &Snapshot, keyed: String) -> SourceRecord {
    let part = |part: &crate::source::SnapshotPart| PartRecord {
        name: part.name.clone(),
        url: public_url(&part.url),
        bytes: part.bytes,
    };
    SourceRecord {
        source: source.id.to_string(),
        title: source.title.clone(),
        licence: source.licence.clone(),
        snapshot: keyed,
        held_back: None,
        fetched_at: snapshot.fetched_at.clone(),
        parts: snapshot.parts.iter().map(part).collect(),
    }
}

/// An address as it may be published: a file outside the project shows its name only.
fn public_url(url: &str) -> String {
    match url.strip_prefix("file:///") {
        Some(path) => format!("file:{}", path.rsplit('/').next().unwrap_or(path)),
        None => url.to_owned(),
    }
}

/// Columns of a published table with their Arrow types.
pub(super) fn columns(table: &Table<'_>) -> Vec<ColumnRecord> {
    let schema = table.contract.public_schema();
    let record = |(field, column): (&Arc<Field>, &Column)| ColumnRecord {
        name: field.name().clone(),
        kind: field.data_type().to_string(),
        options: column.codes.as_ref().map(|list| list.code_names().map(str::to_owned).collect()),
        empty: table.empty.get(field.name()).copied(),
        volatile: column.volatile,
        unit: column.unit.clone(),
        required: Some(!field.is_nullable()),
    };
    schema.fields().iter().zip(table.contract.public_columns()).map(record).collect()
}

/// What a row of a published table stands for.
pub(super) fn rows_of(job: Job<'_>, contract: &Contract) -> RowsOf {
    if contract.cell.is_some() {
        return RowsOf::Cells;
    }
    let tables = &job.pipeline.tables;
    let Some(lineage) = job.plan.lineage(contract.name.as_str()) else {
        let agreed = tables.iter().any(|table| table.name == contract.name && table.consent.is_some());
        return if agreed { RowsOf::Respondents } else { RowsOf::Entries };
    };
    let survey = job.pipeline.questionnaire.as_ref().map(|questionnaire| &questionnaire.table);
    let read = |name: &str| lineage.tables.contains(name);
    let asked = tables.iter().filter(|table| table.consent.is_some() || Some(&table.name) == survey);
    let asked: Vec<_> = asked.filter(|table| read(table.name.as_str()) || read(&shown_name(&table.name))).collect();
    let [only] = asked.as_slice() else {
        return if asked.is_empty() { RowsOf::Entries } else { RowsOf::Groups };
    };
    // One row is one respondent when the key is made of the respondent's.
    let named = |column: &String| {
        let keys = lineage.columns.iter().filter(|made| contract.primary_key.contains(&made.name));
        keys.flat_map(|made| &made.origins)
            .any(|origin| origin.how == How::Raw && origin.table == shown_name(&only.name) && origin.column == *column)
    };
    let key = &only.contract.primary_key;
    if !key.is_empty() && key.iter().all(named) { RowsOf::Respondents } else { RowsOf::Groups }
}

/// The data dictionary of a release.
pub(super) fn dictionary(assembled: &Assembled<'_>, release: &ReleaseId) -> Dictionary {
    let pipeline: &Pipeline = assembled.job.pipeline;
    Dictionary {
        title: pipeline.title.clone(),
        description: pipeline.description.trim().to_owned(),
        release: Some(release.to_string()),
        licence_title: licence_title(&pipeline.licence).unwrap_or(&pipeline.licence).to_owned(),
        licence_url: licence_url(&pipeline.licence).unwrap_or_default().to_owned(),
        publisher: assembled.job.project.publisher.name.clone(),
        synthetic: pipeline.synthetic,
        notes: pipeline.notes.clone(),
        tables: assembled.tables.iter().map(|table| table_entry(assembled, table)).collect(),
    }
}

fn table_entry(assembled: &Assembled<'_>, table: &Table<'_>) -> dictionary::Table {
    let written = table.files.iter().map(|file| dictionary::File {
        path: file.path.clone(),
        media_type: file.media_type.to_owned(),
        bytes: file.bytes,
        sha256: file.digest.to_string(),
    });
    let figures = ["svg", "png"].map(|ending| format!("{}.{ending}", table.contract.name));
    let drawn = assembled.data.iter().filter(|file| figures.contains(&file.path)).map(|file| dictionary::File {
        path: file.path.clone(),
        media_type: file.media_type.clone(),
        bytes: file.bytes,
        sha256: file.sha256.to_string(),
    });
    let contract = table.contract;
    let exempt = assembled.job.pipeline.exempt.contains(&contract.name);
    dictionary::Table {
        name: contract.name.to_string(),
        title: contract.title.clone(),
        description: contract.description.clone(),
        rows: table.rows,
        key: contract.primary_key.clone(),
        files: written.chain(drawn).collect(),
        columns: contract.public_columns().map(|column| column_entry(column, contract, exempt)).collect(),
    }
}

fn column_entry(column: &Column, contract: &Contract, exempt: bool) -> dictionary::Column {
    let codes = column.codes.iter().flat_map(|list| &list.codes);
    let hidden = contract.cell.as_ref().is_some_and(|cell| cell.hides.contains(&column.name));
    let note = hidden.then(|| {
        let complement = if exempt { "" } else { " ou restent en dehors" };
        format!("Vide (« < 5 ») quand trop peu de répondants sont concernés{complement}.")
    });
    dictionary::Column {
        name: column.name.clone(),
        kind: match column.kind {
            ContractKind::Text | ContractKind::Uri | ContractKind::Siret | ContractKind::Code => Kind::String,
            ContractKind::Integer => Kind::Integer,
            ContractKind::Number => Kind::Number,
            ContractKind::Boolean => Kind::Boolean,
            ContractKind::Date => Kind::Date,
            ContractKind::DateTime => Kind::Datetime,
            ContractKind::Codes | ContractKind::Texts => Kind::List,
            ContractKind::Geometry => Kind::Geometry,
        },
        title: column.title.clone(),
        description: column.description.clone(),
        unit: column.unit.clone(),
        required: column.required,
        unique: column.unique,
        codes: codes.map(|code| (code.code.clone(), code.label.clone())).collect(),
        note,
    }
}
