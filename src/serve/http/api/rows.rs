//! Rows of a table, filtered, sorted and paged. They are asked for through SQL, with its limits and its guard; an answer about
//! a release stays right as long as the release is visible, and is kept.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures::TryStreamExt as _;

use super::form::Form;
use super::query::{Place, Question, Value, quoted, shape_column};
use super::tables::{is_geographic, record};
use super::write::{Answered, write};
use super::{Asked, Keep, Named, named, tagged};
use crate::engine::ScalarValue;
use crate::id::Digest;
use crate::release::TableRecord;
use crate::serve::error::ServeError;
use crate::serve::http::Site;
use crate::serve::http::client;
use crate::serve::http::resource::{dated, value};
use crate::serve::sql::{Client, Refusal};

/// Answers up to this size are kept.
const KEPT: usize = 1 << 19;

/// An answer that is kept.
#[derive(Debug)]
pub(in crate::serve::http) struct KeptRows {
    body: Bytes,
    link: String,
}

/// Rows of a table
///
/// Filters: a column is a parameter, `statut=association`; with a comparison behind two underscores, `n__gte=10`:
/// `eq`, `ne`, `lt`, `lte`, `gt`, `gte`, `in` (values with commas between), `contains` (without case; of a list: has),
/// `startswith`, `null` (true or false). All of them have to hold. The form is that of the extension, `.json`, `.csv` or
/// `.geojson`, or the one that `Accept` likes best.
#[utoipa::path(
    get, path = "/api/v1/datasets/{dataset}/releases/{release}/tables/{table}/rows", tag = "rows",
    params(
        ("dataset" = String, Path, description = "Name of the dataset"),
        ("release" = String, Path, description = "Id of the release, or `latest`"),
        ("table" = String, Path, description = "Name of the table"),
        ("columns" = Option<String>, Query, description = "Columns of the answer, with commas between; all when left out"),
        ("sort" = Option<String>, Query, description = "Columns to sort by, with commas between, `-` for descending; then the key"),
        ("limit" = Option<u64>, Query, description = "Most rows: 100 when left out, 10000 at most", maximum = 10000),
        ("offset" = Option<u64>, Query, description = "Rows to leave out before the first"),
        ("page" = Option<u64>, Query, description = "The same in pages of `limit` rows, from 1", minimum = 1),
        ("bbox" = Option<String>, Query, description = "West, south, east and north in degrees: rows in that box")
    ),
    responses(
        (status = 200, description = "The rows; `Link` leads to the next ones", content(
            (super::write::RowsPage = "application/json"), (String = "text/csv"), (serde_json::Value = "application/geo+json")
        )),
        (status = 400, description = "A parameter is not understood; it says which, and what is allowed", content_type = "application/problem+json"),
        (status = 404, description = "The release has no such table"),
        (status = 406, description = "It is to be had in none of the forms that `Accept` names"),
        (status = 410, description = "The release was withdrawn or rewritten; `reason` says why", content_type = "application/problem+json")
    )
)]
pub(super) async fn negotiated(
    state: State<Arc<Site>>,
    parts: Named<(String, String, String)>,
    request: Request,
) -> Result<Response, ServeError> {
    let mut response = answer(state.0, parts, None, request).await?;
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

/// The same as JSON.
pub(super) async fn json(
    state: State<Arc<Site>>,
    parts: Named<(String, String, String)>,
    request: Request,
) -> Result<Response, ServeError> {
    answer(state.0, parts, Some(Form::Json), request).await
}

/// The same as CSV.
pub(super) async fn csv(
    state: State<Arc<Site>>,
    parts: Named<(String, String, String)>,
    request: Request,
) -> Result<Response, ServeError> {
    answer(state.0, parts, Some(Form::Csv), request).await
}

/// The same as GeoJSON.
pub(super) async fn geojson(
    state: State<Arc<Site>>,
    parts: Named<(String, String, String)>,
    request: Request,
) -> Result<Response, ServeError> {
    answer(state.0, parts, Some(Form::GeoJson), request).await
}

async fn answer(
    site: Arc<Site>,
    parts: Named<(String, String, String)>,
    form: Option<Form>,
    request: Request,
) -> Result<Response, ServeError> {
    let (dataset, release, table) = named(parts)?;
    let address = address(&request);
    let (request, _) = request.into_parts();
    let (headers, query) = (&request.headers, request.uri.query().unwrap_or_default());
    let asked = Asked::find(&site, &dataset, &release).await?;
    let table = record(&asked, &table)?;
    let place = place(&asked, table);
    let form = match form {
        Some(Form::GeoJson) if place.is_none() => {
            let allowed = Form::all(false).iter().map(|form| form.media_type()).collect();
            return Err(ServeError::NotAcceptable { allowed });
        }
        Some(form) => form,
        None => Form::negotiated(headers, place.is_some())?,
    };
    let question = Question::parse(query, table, place)?;
    let tag = tag(&asked, table, form, &question);
    let kept = match site.answers.get(&tag) {
        Some(kept) => kept,
        None => {
            let began = || ask(&site, &asked, table, (form, place), &question, address);
            let made = site.asking.join(&tag, began).await?;
            if made.body.len() <= KEPT {
                site.answers.put(&tag, &made, made.body.len() + made.link.len());
            }
            made
        }
    };
    Ok(respond(&asked, table, form, &tag, &kept, headers))
}

fn respond(
    asked: &Asked,
    table: &TableRecord,
    form: Form,
    tag: &str,
    kept: &KeptRows,
    headers: &HeaderMap,
) -> Response {
    let modified = if asked.floating { asked.dataset.modified } else { asked.release.modified };
    let media_type = HeaderValue::from_static(form.media_type());
    let keep = if asked.floating { Keep::Short } else { Keep::Day };
    let mut response =
        tagged(&format!("\"{tag}\""), dated(modified), keep, headers, || (media_type, kept.body.clone()));
    let set = response.headers_mut();
    set.insert(header::LINK, value(&kept.link));
    if form == Form::Csv {
        let (dataset, release) = (&asked.dataset.id, &asked.release.id);
        let name = format!("attachment; filename=\"{dataset}-{release}-{}.csv\"", table.name);
        set.insert(header::CONTENT_DISPOSITION, value(&name));
    }
    response
}

/// Who asks, for the turns of SQL.
fn address(request: &Request) -> IpAddr {
    request.extensions().get::<axum::extract::ConnectInfo<SocketAddr>>().map_or(client::UNKNOWN, |peer| peer.0.ip())
}

/// Where the place of the rows of a table stands, when they have one.
fn place(asked: &Asked, table: &TableRecord) -> Option<Place> {
    let has = |name: &str| table.columns.iter().any(|column| column.name == name);
    if !is_geographic(asked, table) {
        return None;
    }
    match shape_column(table) {
        Some(_) => Some(Place::Shape),
        None => (has("longitude") && has("latitude")).then_some(Place::Point),
    }
}

/// What an answer is known by: the release, the question, the form, and the program that answers.
fn tag(asked: &Asked, table: &TableRecord, form: Form, question: &Question) -> String {
    let (dataset, release) = (&asked.dataset.id, &asked.release.id);
    let from = format!("{dataset}@{release}.{}", table.name);
    // The addresses of other pages are part of it: they hold the parameters as they were given.
    let text = format!(
        "{} {from} {} {} {:?} {:?}",
        env!("CARGO_PKG_VERSION"),
        form.ending(),
        question.sql(&from, &[]),
        question.values,
        question.given
    );
    Digest::of(text.as_bytes()).to_string()
}

async fn ask(
    site: &Site,
    asked: &Asked,
    table: &TableRecord,
    (form, place): (Form, Option<Place>),
    question: &Question,
    address: IpAddr,
) -> Result<KeptRows, ServeError> {
    let schema = format!("{}@{}", asked.dataset.id.sql_name(), asked.release.id);
    let from = format!("{}.{}", quoted(&schema), quoted(&table.name));
    let mut more: Vec<&str> = Vec::new();
    if form == Form::GeoJson {
        more.extend(id_column(table));
        match place {
            Some(Place::Shape) => more.extend(shape_column(table)),
            Some(Place::Point) => more.extend(["longitude", "latitude"]),
            None => {}
        }
    }
    let client = Client::new(address);
    let values = || question.values.iter().map(scalar).collect();
    let total = match question.count_sql(&from) {
        None => table.rows,
        Some(sql) => {
            let rows = site.sql.query(&client, &sql, values()).await.map_err(|refusal| refused(&refusal))?;
            let batches: Vec<RecordBatch> = rows.try_collect().await.map_err(|refusal| refused(&refusal))?;
            counted(&batches)
        }
    };
    let rows =
        site.sql.query(&client, &question.sql(&from, &more), values()).await.map_err(|refusal| refused(&refusal))?;
    let batches: Vec<RecordBatch> = rows.try_collect().await.map_err(|refusal| refused(&refusal))?;
    let id = id_column(table);
    let answered = Answered { asked, table, question, total, batches: &batches, id, place };
    let (body, link) = write(form, &answered)?;
    Ok(KeptRows { body, link })
}

/// The column that tells rows apart by itself.
fn id_column(table: &TableRecord) -> Option<&str> {
    match table.key.as_slice() {
        [name] if table.columns.iter().any(|column| column.name == *name) => Some(name),
        _ => None,
    }
}

/// The number that `count(*)` gave.
fn counted(batches: &[RecordBatch]) -> u64 {
    use arrow::array::AsArray as _;
    use arrow::datatypes::Int64Type;
    let first = batches.iter().find(|batch| batch.num_rows() > 0);
    let count = first.and_then(|batch| batch.column(0).as_primitive_opt::<Int64Type>()).map(|count| count.value(0));
    count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Text(text) => ScalarValue::Utf8(Some(text.clone())),
        Value::Integer(number) => ScalarValue::Int64(Some(*number)),
        Value::Number(number) => ScalarValue::Float64(Some(*number)),
        Value::Boolean(truth) => ScalarValue::Boolean(Some(*truth)),
        Value::Date(days) => ScalarValue::Date32(Some(*days)),
        Value::DateTime(micros) => ScalarValue::TimestampMicrosecond(Some(*micros), None),
    }
}

/// Why SQL gave no rows, to somebody who asked for none of it.
fn refused(refusal: &Refusal) -> ServeError {
    let detail = || match refusal.help() {
        Some(help) => format!("{refusal}: {help}"),
        None => refusal.to_string(),
    };
    match refusal {
        Refusal::TooManyOfClient { .. } | Refusal::Busy { .. } | Refusal::Cancelled => ServeError::Busy,
        Refusal::Store => ServeError::Unavailable,
        Refusal::Timeout { .. }
        | Refusal::TooManyRows { .. }
        | Refusal::TooManyBytes { .. }
        | Refusal::Memory { .. }
        | Refusal::Value(_) => ServeError::TooMuch { detail: detail() },
        Refusal::Problems(_) => match refusal.code() {
            // Many or long conditions make a long statement.
            "sql::too_long" | "sql::too_wide" => ServeError::TooMuch { detail: detail() },
            // It was withdrawn since it was looked up.
            "sql::gone" | "sql::unknown_table" => ServeError::Unavailable,
            _ => ServeError::internal(refusal),
        },
        Refusal::Internal => ServeError::internal(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Problem;

    #[test]
    fn what_the_guard_says_is_told_in_words_of_the_api() {
        for (code, status) in [
            ("sql::too_long", 422),
            ("sql::too_wide", 422),
            ("sql::gone", 503),
            ("sql::unknown_table", 503),
            ("sql::unknown_column", 500),
        ] {
            let refusal = Refusal::Problems(vec![Problem::of_project(code, "it is so")]);
            assert_eq!(refused(&refusal).status().as_u16(), status, "{code}");
        }
    }
}
