//! Streams entries: one is in memory at a time.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::form::{Form, FormColumn, Place, scalar};
use crate::normalise::error::NormaliseError;
use crate::normalise::reject;
use crate::normalise::row::{RawRow, Rows, Slot};

/// Hands each entry on as a row while the document is read.
pub(super) struct Entries<'a> {
    form: &'a Form,
    form_id: &'a str,
    rows: &'a mut dyn Rows,
    number: u64,
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// Members that are no entries.
    pub(super) ignored: u64,
    /// Why the reading was stopped, when it was not the document's fault.
    pub(super) failure: Option<NormaliseError>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(form: &'a Form, form_id: &'a str, rows: &'a mut dyn Rows) -> Self {
        Self { form, form_id, rows, number: 0, bytes: Vec::new(), slots: Vec::new(), ignored: 0, failure: None }
    }

    /// Takes one member of the document in; `false` stops the reading.
    fn take(&mut self, member: &Value) -> bool {
        let Some(entry) = member.as_object().filter(|entry| entry.contains_key("id_fiche")) else {
            self.ignored += 1;
            return true;
        };
        self.number += 1;
        self.bytes.clear();
        self.slots.clear();
        for column in &self.form.columns {
            let slot = match value_of(column, entry) {
                Found::Text(text) => {
                    let from = self.bytes.len();
                    self.bytes.extend_from_slice(text.as_bytes());
                    Slot::At(from, self.bytes.len())
                }
                Found::Blank if column.masked => Slot::Masked,
                Found::Blank | Found::Null => Slot::Empty,
                Found::Nothing => Slot::Missing,
            };
            self.slots.push(slot);
        }
        let row = RawRow { number: self.number, last_line: None, bytes: &self.bytes, slots: &self.slots };
        let outcome = match entry.get("id_typeannonce").and_then(scalar) {
            Some(other) if other != self.form_id => {
                let detail = format!("La fiche est du formulaire {other}, non du formulaire {}.", self.form_id);
                self.rows.refuse(&row, reject::OTHER_FORM, detail)
            }
            _ => self.rows.row(&row),
        };
        self.failure = outcome.err();
        self.failure.is_none()
    }
}

/// What an entry has for a column.
enum Found<'a> {
    Text(Cow<'a, str>),
    /// An empty text: not answered, or held back.
    Blank,
    /// `null`.
    Null,
    /// No such key.
    Nothing,
}

fn value_of<'a>(column: &FormColumn, entry: &'a Map<String, Value>) -> Found<'a> {
    let own = entry.get(&column.name).map(found);
    let Place::Coordinate { map, second } = &column.place else { return own.unwrap_or(Found::Nothing) };
    match own {
        Some(Found::Text(text)) => return Found::Text(text),
        Some(Found::Blank | Found::Null | Found::Nothing) | None => {}
    }
    let inside = entry.get(map).and_then(|map| map.get(&column.name)).map(found);
    if let Some(Found::Text(text)) = inside {
        return Found::Text(text);
    }
    let pair = entry.get("carte_google").and_then(Value::as_str).and_then(|pair| pair.split_once('|'));
    if let Some((latitude, longitude)) = pair {
        let text = if *second { longitude } else { latitude }.trim();
        if !text.is_empty() {
            return Found::Text(Cow::Borrowed(text));
        }
    }
    own.or(inside).unwrap_or(Found::Nothing)
}

fn found(value: &Value) -> Found<'_> {
    match value {
        Value::Null => Found::Null,
        Value::String(text) if text.is_empty() => Found::Blank,
        Value::String(text) => Found::Text(Cow::Borrowed(text)),
        Value::Array(items) if items.is_empty() => Found::Blank,
        Value::Array(items) => match items.iter().map(scalar).collect::<Option<Vec<_>>>() {
            Some(items) => Found::Text(Cow::Owned(items.join(","))),
            None => Found::Text(Cow::Owned(value.to_string())),
        },
        Value::Object(_) => Found::Text(Cow::Owned(value.to_string())),
        Value::Bool(_) | Value::Number(_) => scalar(value).map_or(Found::Null, |text| Found::Text(Cow::Owned(text))),
    }
}

/// Message of the error that ends the reading early; nobody sees it, [`Entries::failure`] has the real one.
const STOPPED: &str = "stopped";

impl<'de> DeserializeSeed<'de> for &mut Entries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of entries by their id")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_key::<IgnoredAny>()?.is_some() {
            if !self.take(&members.next_value()?) {
                return Err(A::Error::custom(STOPPED));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(member) = members.next_element()? {
            if !self.take(&member) {
                return Err(A::Error::custom(STOPPED));
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
