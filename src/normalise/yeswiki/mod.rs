//! Reads the answers of a `YesWiki` Bazar form: the form's definition, its lists perhaps, and the entries.
//!
//! The form says what the entries do not: which keys a closed question has and what they stand for, which fields the
//! source holds back (an empty text then means "masked"), and under which names a map keeps its coordinates. Keys of
//! fields differ between versions of `YesWiki` and are never made up here: they are taken from the form.

mod entries;
mod form;

use std::io::{BufRead as _, BufReader, Read};

use serde::de::DeserializeSeed as _;
use serde_json::Value;

use self::entries::Entries;
use self::form::{Form, Labels};
use super::Part;
use super::error::NormaliseError;
use super::row::Rows;
use crate::config::pipeline::YesWikiSpec;
use crate::id::TableName;

/// Byte order mark of UTF-8, which PHP files may leave in front of an answer.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the form, then streams its entries; gives the number of members that are no entries.
pub(super) fn read(
    spec: &YesWikiSpec,
    table: &TableName,
    mut parts: Vec<Part>,
    rows: &mut dyn Rows,
) -> Result<u64, NormaliseError> {
    let definition = document(table, take(table, &mut parts, &spec.form)?)?;
    let labels = match &spec.lists {
        Some(name) => Labels::of_lists(&document(table, take(table, &mut parts, name)?)?),
        None => Labels::default(),
    };
    let form = Form::read(&definition, &spec.form_id, spec.admin, &labels).map_err(|found| {
        NormaliseError::WrongForm { table: table.clone(), part: spec.form.clone(), form: spec.form_id.clone(), found }
    })?;
    rows.header(form.header(&spec.entries))?;
    let (name, input) = take(table, &mut parts, &spec.entries)?;
    let mut reader = reader(input).map_err(|source| read_error(table, &name, source))?;
    let mut entries = Entries::new(&form, &spec.form_id, rows);
    let mut json = serde_json::Deserializer::from_reader(&mut reader);
    let outcome = entries.deserialize(&mut json).and_then(|()| json.end());
    match (entries.failure.take(), outcome) {
        (Some(failure), _) => Err(failure),
        (None, Err(source)) => Err(json_error(table, &name, source)),
        (None, Ok(())) => Ok(entries.ignored),
    }
}

/// Takes a part out of those that are there.
fn take(table: &TableName, parts: &mut Vec<Part>, name: &str) -> Result<Part, NormaliseError> {
    if let Some(at) = parts.iter().position(|(known, _)| known == name) {
        return Ok(parts.swap_remove(at));
    }
    let known: Vec<&str> = parts.iter().map(|(known, _)| known.as_str()).collect();
    let known = if known.is_empty() { "no other".to_owned() } else { crate::diagnostic::quoted(&known) };
    Err(NormaliseError::MissingPart { table: table.clone(), part: name.to_owned(), known })
}

/// A small part as a whole.
fn document(table: &TableName, (name, input): Part) -> Result<Value, NormaliseError> {
    let reader = reader(input).map_err(|source| read_error(table, &name, source))?;
    serde_json::from_reader(reader).map_err(|source| json_error(table, &name, source))
}

/// A buffered reader past the byte order mark.
fn reader(input: Box<dyn Read + Send>) -> std::io::Result<impl Read> {
    let mut start = Vec::with_capacity(MARK.len());
    let mut buffered = BufReader::with_capacity(64 << 10, input);
    while start.len() < MARK.len() {
        let block = buffered.fill_buf()?;
        let wanted = block.len().min(MARK.len() - start.len());
        if wanted == 0 {
            break;
        }
        start.extend_from_slice(block.get(..wanted).unwrap_or(&[]));
        buffered.consume(wanted);
    }
    if start == MARK {
        start.clear();
    }
    Ok(std::io::Cursor::new(start).chain(buffered))
}

fn read_error(table: &TableName, part: &str, source: std::io::Error) -> NormaliseError {
    NormaliseError::Read { table: table.clone(), part: part.to_owned(), offset: 0, source }
}

fn json_error(table: &TableName, part: &str, source: serde_json::Error) -> NormaliseError {
    let (line, column) = (source.line(), source.column());
    NormaliseError::Json { table: table.clone(), part: part.to_owned(), line, column, source }
}
