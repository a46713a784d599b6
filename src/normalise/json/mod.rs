//! Reads JSON, JSON lines and GeoJSON: one row is in memory at a time, whatever the document's size.

mod attached;
mod flat;

use std::io::{BufRead as _, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use self::flat::{Flattener, RowSeed};
use super::Part;
use super::charset;
use super::error::NormaliseError;
use super::reject;
use super::row::Rows;
use crate::config::pipeline::{Encoding, JsonSpec};
use crate::id::TableName;

/// Most bytes of one line of JSON lines.
const LONGEST: usize = 16 << 20;
/// Member of a GeoJSON document that declares its coordinate system.
const CRS: &str = "crs";
/// Column with the name of a row, where rows are the members of an object.
const NAME: &str = "#name";

/// Which documents are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'a> {
    /// JSON as declared.
    Plain(&'a JsonSpec),
    /// GeoJSON.
    Geo,
}

/// Reads all parts; rows are numbered through.
pub(super) fn read(
    kind: Kind<'_>,
    table: &TableName,
    parts: Vec<Part>,
    rows: &mut dyn Rows,
) -> Result<(), NormaliseError> {
    let features = JsonSpec { rows: vec!["features".to_owned()], ..JsonSpec::default() };
    let spec = match kind {
        Kind::Plain(spec) => spec,
        Kind::Geo => &features,
    };
    let mut number = 0;
    for (name, input) in parts {
        let read_failed = |source| NormaliseError::Read { table: table.clone(), part: name.clone(), offset: 0, source };
        let (input, _) = charset::open(Encoding::Detect, input).map_err(read_failed)?;
        let mut flat = Flattener::new(&name, (matches!(kind, Kind::Geo), spec), number, rows);
        if spec.lines {
            read_lines(input, table, &mut flat)?;
        } else {
            read_document(input, table, &spec.rows, &mut flat)?;
        }
        number = flat.finish()?;
    }
    Ok(())
}

/// Counts the bytes that were read.
struct Counted {
    input: Box<dyn Read + Send>,
    bytes: u64,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(out)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

fn read_document(
    input: Box<dyn Read + Send>,
    table: &TableName,
    path: &[String],
    flat: &mut Flattener<'_>,
) -> Result<(), NormaliseError> {
    let mut input = Counted { input, bytes: 0 };
    let mut deserializer = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, &mut input));
    let mut known = Vec::new();
    let found = ListSeed { path, known: &mut known, flat }.deserialize(&mut deserializer);
    let found = found.and_then(|found| deserializer.end().map(|()| found));
    if let Some(failure) = flat.failure.take() {
        return Err(failure);
    }
    let part = flat.part.clone();
    match found {
        Ok(true) => Ok(()),
        Ok(false) => Err(NormaliseError::NoRows {
            table: table.clone(),
            part,
            path: if path.is_empty() { "the top".to_owned() } else { path.join(".") },
            known: if known.is_empty() {
                "say where they are: json = { rows = \"path.to.the.list\" }".to_owned()
            } else {
                let names: Vec<&str> = known.iter().map(String::as_str).take(30).collect();
                format!("there is {}: write one of them in `rows`", crate::diagnostic::quoted(&names))
            },
        }),
        // The bytes ended before the document did, or could not be had: no fault of the JSON.
        Err(source) if source.is_io() => {
            let (table, offset) = (table.clone(), input.bytes);
            Err(NormaliseError::Read { table, part, offset, source: source.into() })
        }
        Err(source) => {
            let (line, column) = (source.line(), source.column());
            Err(NormaliseError::Json { table: table.clone(), part, line, column, source })
        }
    }
}

fn read_lines(input: Box<dyn Read + Send>, table: &TableName, flat: &mut Flattener<'_>) -> Result<(), NormaliseError> {
    let mut input = BufReader::with_capacity(1 << 16, Counted { input, bytes: 0 });
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        let part = flat.part.clone();
        let read = (&mut input).take(LONGEST as u64).read_until(b'\n', &mut line);
        let read = read.map_err(|source| NormaliseError::Read {
            table: table.clone(),
            part: part.clone(),
            offset: input.get_ref().bytes,
            source,
        })?;
        number += 1;
        if read == 0 {
            return Ok(());
        }
        if read == LONGEST {
            return Err(NormaliseError::LongRecord { table: table.clone(), part, line: number, limit: LONGEST });
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        flat.begin(Some(number));
        let mut deserializer = serde_json::Deserializer::from_slice(&line);
        let seed = RowSeed { flat: &mut *flat };
        let outcome = seed.deserialize(&mut deserializer).and_then(|row| deserializer.end().map(|()| row));
        match outcome {
            Ok(true) => flat.emit()?,
            Ok(false) => flat.refuse("La ligne n'est pas un objet JSON.".to_owned(), &line)?,
            Err(error) => flat.refuse(format!("La ligne n'est pas du JSON lisible : {error}."), &line)?,
        }
    }
}

/// Goes down to the list of rows and hands them on; `false` when it is not there.
struct ListSeed<'s, 'r> {
    path: &'s [String],
    known: &'s mut Vec<String>,
    flat: &'s mut Flattener<'r>,
}

impl<'de> DeserializeSeed<'de> for ListSeed<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ListSeed<'_, '_> {
    /// Hands one member of the list on.
    fn take<E: serde::de::Error>(flat: &mut Flattener<'_>, is_row: bool) -> Result<(), E> {
        let outcome = if is_row {
            flat.emit()
        } else {
            flat.refuse("L'élément de la liste n'est pas un objet JSON.".to_owned(), b"")
        };
        Self::stop(flat, outcome)
    }

    /// Ends the reading for a reason that is not the document's.
    fn stop<E: serde::de::Error>(flat: &mut Flattener<'_>, outcome: Result<(), NormaliseError>) -> Result<(), E> {
        outcome.map_err(|failure| {
            flat.failure = Some(failure);
            E::custom("stopped")
        })
    }
}

impl<'de> Visitor<'de> for ListSeed<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        if !self.path.is_empty() {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(false);
        }
        self.flat.begin(None);
        while let Some(is_row) = list.next_element_seed(RowSeed { flat: &mut *self.flat })? {
            Self::take(self.flat, is_row)?;
            self.flat.begin(None);
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let Some((first, rest)) = self.path.split_first() else {
            let mut any = false;
            while let Some(name) = members.next_key::<String>()? {
                self.flat.begin(None);
                self.flat.text(NAME, &name);
                let is_row = members.next_value_seed(RowSeed { flat: &mut *self.flat })?;
                // A document that is one object of plain members is no list of rows: say what it has.
                if !is_row && !any {
                    self.known.push(name);
                    continue;
                }
                any = true;
                Self::take(self.flat, is_row)?;
            }
            return Ok(any || self.known.is_empty());
        };
        let mut found = false;
        while let Some(name) = members.next_key::<String>()? {
            if name == *first && !found {
                found =
                    members.next_value_seed(ListSeed { path: rest, known: &mut *self.known, flat: &mut *self.flat })?;
            } else if self.flat.is_geo() && name == CRS {
                let declared = members.next_value::<Value>()?;
                let outcome = self.flat.declare_crs(&declared);
                Self::stop(self.flat, outcome)?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
            self.known.push(name);
        }
        Ok(found)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }
}

/// The reason for lines and members that are no rows.
const UNREADABLE: &str = reject::UNREADABLE;
