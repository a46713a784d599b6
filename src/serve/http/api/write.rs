//! Rows in the forms that they are asked for, with values written as in the files of the release.

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use axum::body::Bytes;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::form::Form;
use super::query::{Place, Question, shape_column};
use super::{Asked, Links};
use crate::publish::format::{cell_text, push_json};
use crate::release::TableRecord;
use crate::serve::error::ServeError;

/// Most bytes of an answer: whole tables are files.
const LARGEST: usize = 32 << 20;

/// A page of rows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RowsPage {
    /// The dataset.
    dataset: String,
    /// The release.
    release: String,
    /// The table.
    table: String,
    /// Rows that the filters leave.
    total: u64,
    /// Most rows of this page.
    limit: u64,
    /// Rows before this page.
    offset: u64,
    /// `self`, `next`, `prev`, `table`, and the same rows in other forms.
    links: BTreeMap<String, String>,
    /// The rows, each an object with a member for each column.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<serde_json::Value>,
}

/// Rows as SQL gave them, and what was asked.
pub(super) struct Answered<'a> {
    pub(super) asked: &'a Asked,
    pub(super) table: &'a TableRecord,
    pub(super) question: &'a Question,
    pub(super) total: u64,
    pub(super) batches: &'a [RecordBatch],
    /// The column that tells rows apart by itself.
    pub(super) id: Option<&'a str>,
    pub(super) place: Option<Place>,
}

impl Answered<'_> {
    /// Path of the rows in a form.
    fn path(&self, form: Form) -> String {
        format!("{}/tables/{}/rows.{}", self.asked.path(), self.table.name, form.ending())
    }

    fn links(&self, form: Form) -> Links {
        let (question, path) = (self.question, self.path(form));
        let at = |offset: u64| format!("{path}?{}", question.page(offset));
        let mut links: Links =
            [("self", at(question.offset)), ("table", format!("{}/tables/{}", self.asked.path(), self.table.name))]
                .into();
        if question.limit > 0 && question.offset.saturating_add(question.limit) < self.total {
            links.insert("next", at(question.offset + question.limit));
        }
        if question.offset > 0 {
            links.insert("prev", at(question.offset.saturating_sub(question.limit)));
        }
        for other in Form::all(self.place.is_some()).iter().filter(|other| **other != form) {
            links.insert(other.ending(), format!("{}?{}", self.path(*other), question.page(question.offset)));
        }
        links
    }

    fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// The body in a form, and the header `Link`.
pub(super) fn write(form: Form, answered: &Answered<'_>) -> Result<(Bytes, String), ServeError> {
    let links = answered.links(form);
    let body = match form {
        Form::Json => json(answered, &links)?,
        Form::Csv => csv(answered)?,
        Form::GeoJson => geojson(answered, &links)?,
    };
    let relation = |name: &&str| match *name {
        "table" => Some("describedby"),
        "next" | "prev" => None,
        _ => Some("alternate"),
    };
    let link = links.iter().filter(|(name, _)| **name != "self").map(|(name, path)| {
        let relation = relation(name).unwrap_or(name);
        format!("<{path}>; rel=\"{relation}\"")
    });
    Ok((body.into(), link.collect::<Vec<_>>().join(", ")))
}

fn checked(out: &[u8]) -> Result<(), ServeError> {
    if out.len() <= LARGEST {
        return Ok(());
    }
    let most = LARGEST >> 20;
    let detail = format!("the rows have more than {most} MiB: ask for fewer, or download the files of the release");
    Err(ServeError::TooMuch { detail })
}

fn json(answered: &Answered<'_>, links: &Links) -> Result<Vec<u8>, ServeError> {
    let Answered { asked, table, question, total, .. } = answered;
    let head = json!({
        "dataset": asked.dataset.id, "release": asked.release.id, "table": table.name, "total": total,
        "limit": question.limit, "offset": question.offset, "links": links,
    });
    let mut out = head.to_string().into_bytes();
    // The last brace comes behind the rows.
    out.pop();
    out.extend_from_slice(b",\"rows\":[");
    let keys: Vec<Vec<u8>> = question.columns.iter().map(|name| key(name)).collect();
    let mut first = true;
    for batch in answered.batches {
        let columns = columns(batch, question.columns.iter().map(String::as_str));
        for row in 0..batch.num_rows() {
            out.extend_from_slice(if first { b"\n" } else { b",\n" });
            first = false;
            push_object(&keys, &columns, row, &mut out);
        }
        checked(&out)?;
    }
    out.extend_from_slice(b"\n]}\n");
    Ok(out)
}

fn csv(answered: &Answered<'_>) -> Result<Vec<u8>, ServeError> {
    let names = &answered.question.columns;
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let failed = |error: csv::Error| ServeError::internal(&error);
    writer.write_record(names).map_err(failed)?;
    for batch in answered.batches {
        let columns = columns(batch, names.iter().map(String::as_str));
        for row in 0..batch.num_rows() {
            let cells =
                columns.iter().map(|column| column.and_then(|column| cell_text(column, row)).unwrap_or_default());
            writer.write_record(cells).map_err(failed)?;
        }
        checked(writer.get_ref())?;
    }
    writer.into_inner().map_err(|error| ServeError::internal(error.error()))
}

fn geojson(answered: &Answered<'_>, links: &Links) -> Result<Vec<u8>, ServeError> {
    let Answered { question, total, .. } = answered;
    let links: Vec<_> = links.iter().map(|(relation, href)| json!({ "rel": relation, "href": href })).collect();
    let head = json!({
        "type": "FeatureCollection", "numberMatched": total, "numberReturned": answered.rows(), "links": links,
    });
    let mut out = head.to_string().into_bytes();
    out.pop();
    out.extend_from_slice(b",\"features\":[");
    let shape = shape_column(answered.table);
    let shown = || question.columns.iter().map(String::as_str).filter(|name| Some(*name) != shape);
    let keys: Vec<Vec<u8>> = shown().map(key).collect();
    let mut first = true;
    for batch in answered.batches {
        let properties = columns(batch, shown());
        let named = |name: &str| batch.column_by_name(name);
        let (id, shape) = (answered.id.and_then(named), shape.and_then(named));
        let point = (named("longitude"), named("latitude"));
        for row in 0..batch.num_rows() {
            out.extend_from_slice(if first { b"\n" } else { b",\n" });
            first = false;
            out.extend_from_slice(b"{\"type\":\"Feature\",");
            if let Some(id) = id.filter(|id| id.is_valid(row)) {
                out.extend_from_slice(b"\"id\":");
                push_json(id, row, &mut out);
                out.push(b',');
            }
            out.extend_from_slice(b"\"geometry\":");
            match (shape, point) {
                (Some(shape), _) => push_json(shape, row, &mut out),
                (None, (Some(x), Some(y))) if x.is_valid(row) && y.is_valid(row) => {
                    out.extend_from_slice(b"{\"type\":\"Point\",\"coordinates\":[");
                    push_json(x, row, &mut out);
                    out.push(b',');
                    push_json(y, row, &mut out);
                    out.extend_from_slice(b"]}");
                }
                _ => out.extend_from_slice(b"null"),
            }
            out.extend_from_slice(b",\"properties\":");
            push_object(&keys, &properties, row, &mut out);
            out.push(b'}');
        }
        checked(&out)?;
    }
    out.extend_from_slice(b"\n]}\n");
    Ok(out)
}

/// Columns of a batch by their names.
fn columns<'b, 'n>(batch: &'b RecordBatch, names: impl Iterator<Item = &'n str>) -> Vec<Option<&'b ArrayRef>> {
    names.map(|name| batch.column_by_name(name)).collect()
}

/// A name as the key of a JSON object.
fn key(name: &str) -> Vec<u8> {
    format!("{}:", json!(name)).into_bytes()
}

fn push_object(keys: &[Vec<u8>], columns: &[Option<&ArrayRef>], row: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (key, column)) in keys.iter().zip(columns).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key);
        match column {
            Some(column) => push_json(column, row, out),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
}
