//! One object as one row: members of objects inside it become columns `outer.inner`.

use std::fmt;

use rustc_hash::FxHashMap;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::UNREADABLE;
use super::attached::Attached;
use crate::config::pipeline::JsonSpec;
use crate::normalise::error::NormaliseError;
use crate::normalise::row::{Header, RawRow, Rows, Slot, tidy};

/// Rows whose columns are gathered before the header is told.
const GATHERED: usize = 256;
/// Most bytes of these rows.
const GATHERED_BYTES: usize = 1 << 20;
/// Deepest object inside an object.
const DEEPEST: usize = 64;

/// A row that waits for the header.
struct Waiting {
    number: u64,
    line: Option<u64>,
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// Why it is no row.
    refused: Option<String>,
}

/// Makes rows of objects and hands them on.
pub(super) struct Flattener<'a> {
    pub(super) part: String,
    geo: bool,
    /// What is declared of nulls and wrapped rows.
    spec: &'a JsonSpec,
    attached: Attached,
    rows: &'a mut dyn Rows,
    number: u64,
    line: Option<u64>,
    names: Vec<String>,
    places: FxHashMap<String, usize>,
    /// Names of the objects that the value at hand is in.
    path: String,
    depth: usize,
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    /// Coordinate system that the document declares.
    crs: Option<String>,
    /// Columns that the header has; none before it was told.
    told: Option<usize>,
    /// Why the reading was stopped, when it was not the document's fault.
    pub(super) failure: Option<NormaliseError>,
}

impl<'a> Flattener<'a> {
    /// Rows of a part; `number` is that of the last row of the part before.
    pub(super) fn new(part: &str, (geo, spec): (bool, &'a JsonSpec), number: u64, rows: &'a mut dyn Rows) -> Self {
        Self {
            part: part.to_owned(),
            geo,
            spec,
            attached: Attached::new(&spec.attachments),
            rows,
            number,
            line: None,
            names: Vec::new(),
            places: FxHashMap::default(),
            path: String::new(),
            depth: 0,
            bytes: Vec::new(),
            slots: Vec::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            crs: None,
            told: None,
            failure: None,
        }
    }

    /// Begins a row.
    pub(super) fn begin(&mut self, line: Option<u64>) {
        self.line = line;
        self.path.clear();
        self.depth = 0;
        self.bytes.clear();
        self.slots.clear();
        self.slots.resize(self.names.len(), Slot::Missing);
    }

    /// Hands the row on.
    pub(super) fn emit(&mut self) -> Result<(), NormaliseError> {
        self.attached.end_row();
        self.end_row(None)
    }

    /// Rejects what is no row.
    pub(super) fn refuse(&mut self, detail: String, raw: &[u8]) -> Result<(), NormaliseError> {
        self.begin(self.line);
        let text = String::from_utf8_lossy(raw);
        if !text.trim().is_empty() {
            let shown: String = text.trim().chars().take(1000).collect();
            self.text("#ligne", &shown);
        }
        self.end_row(Some(detail))
    }

    fn end_row(&mut self, refused: Option<String>) -> Result<(), NormaliseError> {
        self.number += 1;
        let Some(told) = self.told else {
            self.waiting_bytes += self.bytes.len();
            self.waiting.push(Waiting {
                number: self.number,
                line: self.line,
                bytes: std::mem::take(&mut self.bytes),
                slots: std::mem::take(&mut self.slots),
                refused,
            });
            let enough = self.waiting.len() >= GATHERED || self.waiting_bytes >= GATHERED_BYTES;
            return if enough { self.tell() } else { Ok(()) };
        };
        if told < self.names.len() {
            self.tell()?;
        }
        let row = RawRow { number: self.number, last_line: self.line, bytes: &self.bytes, slots: &self.slots };
        match refused {
            None => self.rows.row(&row),
            Some(detail) => self.rows.refuse(&row, UNREADABLE, detail),
        }
    }

    /// Tells the header, and hands on the rows that waited for it.
    fn tell(&mut self) -> Result<(), NormaliseError> {
        let header = Header::numbered(&self.part, self.names.clone(), false);
        self.rows.header(Header { grows: true, crs: self.crs.clone(), ..header })?;
        self.told = Some(self.names.len());
        for mut waiting in std::mem::take(&mut self.waiting) {
            waiting.slots.resize(self.names.len(), Slot::Missing);
            let Waiting { number, line, bytes, slots, refused } = &waiting;
            let row = RawRow { number: *number, last_line: *line, bytes, slots };
            match refused {
                None => self.rows.row(&row)?,
                Some(detail) => self.rows.refuse(&row, UNREADABLE, detail.clone())?,
            }
        }
        Ok(())
    }

    /// Ends the part; gives the number of its last row.
    pub(super) fn finish(mut self) -> Result<u64, NormaliseError> {
        if self.told.is_none() {
            self.tell()?;
        }
        if let Some(remark) = self.attached.remark(&self.part) {
            self.rows.remark(remark);
        }
        Ok(self.number)
    }

    /// The position of a column, new ones at the end.
    fn place(&mut self, name: &str) -> usize {
        if let Some(at) = self.places.get(name) {
            return *at;
        }
        let at = self.names.len();
        self.names.push(tidy(name));
        self.places.insert(name.to_owned(), at);
        self.slots.resize(at + 1, Slot::Missing);
        at
    }

    fn put(&mut self, name: &str, slot: Slot) {
        let at = self.place(name);
        if let Some(place) = self.slots.get_mut(at) {
            *place = slot;
        }
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        if self.attached.text(name, text) {
            return;
        }
        let from = self.bytes.len();
        self.bytes.extend_from_slice(text.as_bytes());
        self.put(name, Slot::At(from, from + text.len()));
    }

    fn typed(&mut self, name: &str, value: impl fmt::Display) {
        use std::io::Write as _;
        if self.attached.has(name) {
            self.attached.text(name, &value.to_string());
            return;
        }
        let from = self.bytes.len();
        let written = write!(self.bytes, "{value}");
        debug_assert!(written.is_ok(), "a buffer takes everything");
        self.put(name, Slot::Typed(from, self.bytes.len()));
    }

    /// Whether the document is GeoJSON.
    pub(super) fn is_geo(&self) -> bool {
        self.geo
    }

    /// Takes in which coordinate system the document declares; rows may have been handed on before.
    pub(super) fn declare_crs(&mut self, crs: &Value) -> Result<(), NormaliseError> {
        let member = |name: &str| crs.get("properties").and_then(|properties| properties.get(name));
        self.crs = match (member("name").and_then(Value::as_str), member("code")) {
            _ if crs.is_null() => None,
            (Some(name), _) => Some(name.to_owned()),
            (None, Some(code)) => {
                Some(format!("EPSG:{}", code.as_str().map_or_else(|| code.to_string(), str::to_owned)))
            }
            (None, None) => Some(crs.to_string().chars().take(200).collect()),
        };
        if self.told.is_some() { self.tell() } else { Ok(()) }
    }

    /// The name of the value at hand; none for a member of a feature that is no column.
    fn name(&self) -> Option<String> {
        match (self.geo, self.path.as_str()) {
            (true, "id") => Some("#id".to_owned()),
            (true, "type" | "bbox" | "properties" | "geometry") => None,
            (true, path) => Some(path.strip_prefix("properties.").unwrap_or(path).to_owned()),
            (false, path) => Some(path.to_owned()),
        }
    }

    fn list(&mut self, list: &[Value]) {
        if self.geo && self.path.starts_with("geometry.") {
            let point = match self.path.as_str() {
                "geometry.coordinates" => point_of(list),
                "geometry.geometries" => only_point(list),
                _ => None,
            };
            if let Some((longitude, latitude)) = point {
                self.typed("geometry.longitude", longitude);
                self.typed("geometry.latitude", latitude);
            }
            return;
        }
        if let Some(name) = self.name() {
            self.typed(&name, Value::Array(list.to_vec()));
        }
    }
}

/// The position that a list of coordinates is, or the only one that it holds.
fn point_of(list: &[Value]) -> Option<(f64, f64)> {
    match list {
        [Value::Array(only)] => point_of(only),
        [longitude, latitude, ..] => Some((number(longitude)?, number(latitude)?)),
        _ => None,
    }
}

/// Some producers write coordinates as texts.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The only point of a collection.
fn only_point(geometries: &[Value]) -> Option<(f64, f64)> {
    let mut points = geometries.iter().filter(|geometry| geometry.get("type").and_then(Value::as_str) == Some("Point"));
    let point = points.next().filter(|_| points.next().is_none())?;
    point_of(point.get("coordinates")?.as_array()?)
}

/// Reads one row; `false` when it is no object.
pub(super) struct RowSeed<'s, 'r> {
    pub(super) flat: &'s mut Flattener<'r>,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(Cells { flat: self.flat })
    }
}

/// Reads the value whose name is the flattener's path; `true` for an object.
struct Cells<'s, 'r> {
    flat: &'s mut Flattener<'r>,
}

impl<'de> DeserializeSeed<'de> for Cells<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Cells<'_, '_> {
    fn is_row(&self) -> bool {
        self.flat.depth == 0
    }

    /// Name of the column that the value is of.
    fn column(&self) -> Option<String> {
        if self.is_row() { None } else { self.flat.name() }
    }

    fn typed(self, value: impl fmt::Display) -> bool {
        if let Some(name) = self.column() {
            self.flat.typed(&name, value);
        }
        false
    }
}

impl<'de> Visitor<'de> for Cells<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        if self.flat.depth >= DEEPEST {
            return Err(A::Error::custom("objects are nested too deeply"));
        }
        let wrapping = self.flat.spec.wrapped && self.flat.depth == 1;
        if wrapping {
            // The member that leads here is the row's id, which the row has too.
            self.flat.path.clear();
        }
        let outer = self.flat.path.len();
        while let Some(name) = members.next_key::<std::borrow::Cow<'_, str>>()? {
            if outer > 0 {
                self.flat.path.push('.');
            }
            self.flat.path.push_str(&name);
            self.flat.depth += 1;
            members.next_value_seed(Cells { flat: &mut *self.flat })?;
            self.flat.depth -= 1;
            self.flat.path.truncate(outer);
        }
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        if self.is_row() {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(false);
        }
        let mut values = Vec::new();
        while let Some(value) = list.next_element::<Value>()? {
            values.push(value);
        }
        self.flat.list(&values);
        Ok(false)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<bool, E> {
        if let Some(name) = self.column() {
            self.flat.text(&name, text);
        }
        Ok(false)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<bool, E> {
        if let Some(name) = self.column().filter(|name| !self.flat.attached.has(name)) {
            let slot = if self.flat.spec.nulls_not_shown { Slot::Missing } else { Slot::Empty };
            self.flat.put(&name, slot);
        }
        Ok(false)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<bool, E> {
        Ok(self.typed(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<bool, E> {
        Ok(self.typed(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<bool, E> {
        Ok(self.typed(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<bool, E> {
        Ok(self.typed(value))
    }
}
