//! The GeoJSON of a table (RFC 7946): one feature a line.
//!
//! The box stands at the end of the document, because it is known only then.

use std::io::Write as _;
use std::path::Path;

use super::cell::{Cells, push, push_json_text};
use super::error::FormatError;
use super::prepare::Place;
use super::shape::{self, Bounds};
use super::sink::{Sink, Sums};
use crate::contract::{Contract, Kind};

/// Bytes that are gathered before they are handed on.
const GATHERED: usize = 1 << 16;

/// A GeoJSON file being written.
pub(super) struct GeoJsonFile {
    sink: Sink,
    place: Place,
    id: Option<usize>,
    properties: Vec<(usize, Vec<u8>)>,
    buffer: Vec<u8>,
    empty: bool,
}

impl GeoJsonFile {
    pub(super) fn create(path: &Path, contract: &Contract, place: Place) -> Result<Self, FormatError> {
        let id = match contract.primary_key.as_slice() {
            [name] => contract.public_columns().position(|column| {
                let names = matches!(column.kind, Kind::Text | Kind::Uri | Kind::Siret | Kind::Code | Kind::Integer);
                column.name == *name && names
            }),
            _ => None,
        };
        let properties = contract.public_columns().enumerate().filter(|(_, column)| column.kind != Kind::Geometry);
        let properties = properties.map(|(at, column)| {
            let mut key = Vec::new();
            push_json_text(&column.name, &mut key);
            key.push(b':');
            (at, key)
        });
        let buffer = b"{\"type\":\"FeatureCollection\",\"features\":[".to_vec();
        Ok(Self { sink: Sink::create(path)?, place, id, properties: properties.collect(), buffer, empty: true })
    }

    pub(super) fn write(&mut self, columns: &[Cells<'_>], places: &[Option<Bounds>]) -> Result<(), FormatError> {
        for (row, place) in places.iter().enumerate() {
            self.push_feature(columns, row, *place);
            if self.buffer.len() >= GATHERED {
                self.hand_on()?;
            }
        }
        Ok(())
    }

    fn push_feature(&mut self, columns: &[Cells<'_>], row: usize, place: Option<Bounds>) {
        let out = &mut self.buffer;
        out.extend_from_slice(if self.empty { b"\n" } else { b",\n" });
        self.empty = false;
        out.extend_from_slice(b"{\"type\":\"Feature\",");
        if let Some(id) = self.id.and_then(|at| columns.get(at)).filter(|id| !id.is_null(row)) {
            out.extend_from_slice(b"\"id\":");
            id.push_json(row, out);
            out.push(b',');
        }
        out.extend_from_slice(b"\"geometry\":");
        match (self.place, place) {
            (Place::Point { .. }, Some([longitude, latitude, ..])) => {
                shape::push_geojson_point(longitude, latitude, out);
            }
            (Place::Shape { column }, Some(_)) => columns[column].push_json(row, out),
            (_, None) => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"properties\":{");
        for (nth, (at, key)) in self.properties.iter().enumerate() {
            if nth > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key);
            columns[*at].push_json(row, out);
        }
        out.extend_from_slice(b"}}");
    }

    fn hand_on(&mut self) -> Result<(), FormatError> {
        if let Err(source) = self.sink.write_all(&self.buffer) {
            return Err(self.sink.failed(source));
        }
        self.buffer.clear();
        Ok(())
    }

    pub(super) fn finish(mut self, bounds: Option<Bounds>) -> Result<Sums, FormatError> {
        push(&mut self.buffer, format_args!("\n]"));
        if let Some(bounds) = bounds {
            self.buffer.extend_from_slice(b",\"bbox\":");
            shape::push_bounds(bounds, &mut self.buffer);
        }
        self.buffer.extend_from_slice(b"}\n");
        self.hand_on()?;
        self.sink.finish()
    }
}
