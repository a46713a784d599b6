//! What all files of a table have in common: rows as promised, in their published form, in order.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::cell;
use super::error::FormatError;
use super::shape::{self, Bounds};
use crate::contract::arrow::{Listed, held_schema, is_held_as};
use crate::contract::{Contract, Geometry};
use crate::quality::sequence::Sequence;

/// Where the place of a row stands among the public columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Two columns of degrees.
    Point { longitude: usize, latitude: usize },
    /// A column of shapes.
    Shape { column: usize },
}

impl Place {
    /// `None` when the table has no place, or one that is not public.
    pub(super) fn of(contract: &Contract) -> Option<Self> {
        let find = |name: &str| contract.public_columns().position(|column| column.name == name);
        match contract.geometry.as_ref()? {
            Geometry::Point { longitude, latitude } => {
                Some(Self::Point { longitude: find(longitude)?, latitude: find(latitude)? })
            }
            Geometry::Shape { column } => Some(Self::Shape { column: find(column)? }),
        }
    }
}

/// Positions of the primary key among the public columns; empty when part of it is not public.
pub(super) fn public_key(contract: &Contract) -> Vec<usize> {
    let find = |name: &String| contract.public_columns().position(|column| column.name == *name);
    contract.primary_key.iter().map(find).collect::<Option<_>>().unwrap_or_default()
}

/// The places of all rows together.
#[derive(Debug, Default)]
pub(super) struct Extent {
    pub(super) bounds: Option<Bounds>,
    pub(super) types: BTreeSet<&'static str>,
}

/// Rows in their published form.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) batch: RecordBatch,
    /// The first row's number, from 1.
    pub(super) first_row: u64,
    /// The box of each row's place; empty when the table has no place.
    pub(super) places: Vec<Option<Bounds>>,
}

/// Brings rows into their published form, and refuses what no file may hold.
#[derive(Debug)]
pub(super) struct Preparer<'c> {
    contract: &'c Contract,
    schema: SchemaRef,
    place: Option<Place>,
    /// Columns of the key, in whose order rows come; empty when part of it is not public.
    key: Vec<usize>,
    sequence: Sequence,
    taken: u64,
    rows: u64,
    extent: Extent,
}

impl<'c> Preparer<'c> {
    pub(super) fn new(contract: &'c Contract) -> Self {
        Self {
            contract,
            schema: contract.public_schema(),
            place: Place::of(contract),
            key: public_key(contract),
            sequence: Sequence::default(),
            taken: 0,
            rows: 0,
            extent: Extent::default(),
        }
    }

    /// Number of rows prepared, and where they are.
    pub(super) fn finish(self) -> (u64, Extent) {
        (self.rows, self.extent)
    }

    fn cell(&self, row: u64, column: usize, reason: &'static str) -> FormatError {
        let column = self.schema.field(column).name().clone();
        FormatError::Cell { table: self.contract.name.to_string(), row, column, reason }
    }

    fn rows_failed(&self, source: ArrowError) -> FormatError {
        FormatError::Rows { table: self.contract.name.to_string(), source }
    }

    fn mismatch(&self, expected: String, found: String) -> FormatError {
        FormatError::Shape { table: self.contract.name.to_string(), expected, found }
    }

    /// Rows as they come, under the contract's own schema.
    pub(super) fn conform(&mut self, batch: &RecordBatch) -> Result<RecordBatch, FormatError> {
        let found = batch.schema();
        if found.fields().len() != self.schema.fields().len() {
            let columns = |count: usize| format!("{count} columns");
            return Err(self.mismatch(columns(self.schema.fields().len()), columns(found.fields().len())));
        }
        for (at, (promised, found)) in self.schema.fields().iter().zip(found.fields()).enumerate() {
            if promised.name() != found.name() || !is_held_as(found.data_type(), promised.data_type()) {
                let say = |name: &str, kind: &DataType| format!("a column `{name}` of type {kind}");
                let expected = say(promised.name(), promised.data_type());
                return Err(self.mismatch(expected, say(found.name(), found.data_type())));
            }
            let cells = batch.column(at);
            if !promised.is_nullable()
                && cells.null_count() > 0
                && let Some(row) = (0..cells.len()).find(|row| cells.is_null(*row))
            {
                return Err(self.cell(self.taken + row as u64 + 1, at, "the contract requires a value"));
            }
        }
        self.taken += batch.num_rows() as u64;
        self.batch(batch.columns().to_vec())
    }

    /// Columns under the contract's schema. Texts may be held as a dictionary.
    fn batch(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch, FormatError> {
        let schema = held_schema(&self.schema, &columns);
        RecordBatch::try_new(schema, columns).map_err(|source| self.rows_failed(source))
    }

    /// The next rows in their published form.
    pub(super) fn prepare(&mut self, batch: &RecordBatch) -> Result<Prepared, FormatError> {
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (at, cells) in batch.columns().iter().enumerate() {
            columns.push(self.published(at, cells)?);
        }
        let places = self.places(&columns)?;
        let batch = self.batch(columns)?;
        let key: Vec<ArrayRef> = self.key.iter().map(|at| Arc::clone(batch.column(*at))).collect();
        let steps = self.sequence.take(&key).map_err(|source| self.rows_failed(source))?;
        if let Some(row) = steps.misplaced {
            let table = self.contract.name.to_string();
            return Err(FormatError::Order { table, row: self.rows + row as u64 + 1 });
        }
        let first_row = self.rows + 1;
        self.rows += batch.num_rows() as u64;
        Ok(Prepared { batch, first_row, places })
    }

    fn published(&self, at: usize, cells: &ArrayRef) -> Result<ArrayRef, FormatError> {
        match cells.data_type() {
            DataType::Utf8 => self.texts(at, cells),
            DataType::Dictionary(..) => {
                let empty = |listed: Listed<'_>| listed.texts.iter().any(|text| text == Some(""));
                if !Listed::of(cells).is_some_and(empty) {
                    return Ok(Arc::clone(cells));
                }
                let texts = cast(cells, &DataType::Utf8).map_err(|source| self.rows_failed(source))?;
                self.texts(at, &texts)
            }
            DataType::Float64 => self.numbers(at, cells),
            DataType::Binary => self.shapes(at, cells),
            DataType::Date32 => {
                let days = cells.as_primitive::<Date32Type>();
                self.each(at, days, |row| cell::date(days.value(row)).is_some(), "the year does not have four digits")?;
                Ok(Arc::clone(cells))
            }
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                let times = cells.as_primitive::<TimestampMicrosecondType>();
                let fits = |row| cell::date_time(times.value(row)).is_some();
                self.each(at, times, fits, "the year does not have four digits")?;
                Ok(Arc::clone(cells))
            }
            _ => Ok(Arc::clone(cells)),
        }
    }

    fn each(
        &self,
        at: usize,
        cells: &dyn Array,
        fits: impl Fn(usize) -> bool,
        reason: &'static str,
    ) -> Result<(), FormatError> {
        match (0..cells.len()).find(|row| cells.is_valid(*row) && !fits(*row)) {
            Some(row) => Err(self.cell(self.rows + row as u64 + 1, at, reason)),
            None => Ok(()),
        }
    }

    /// An empty text is no value: a CSV cannot tell them apart.
    fn texts(&self, at: usize, cells: &ArrayRef) -> Result<ArrayRef, FormatError> {
        let texts: &StringArray = cells.as_string();
        if texts.iter().all(|text| text != Some("")) {
            return Ok(Arc::clone(cells));
        }
        if !self.schema.field(at).is_nullable() {
            self.each(at, texts, |row| !texts.value(row).is_empty(), "the contract requires a value")?;
        }
        Ok(Arc::new(texts.iter().map(|text| text.filter(|text| !text.is_empty())).collect::<StringArray>()))
    }

    fn numbers(&self, at: usize, cells: &ArrayRef) -> Result<ArrayRef, FormatError> {
        let numbers = cells.as_primitive::<Float64Type>();
        self.each(at, numbers, |row| numbers.value(row).is_finite(), "the number is not finite")?;
        match self.place {
            Some(Place::Point { longitude, latitude }) if at == longitude || at == latitude => {
                let fits = |row| {
                    let degrees = numbers.value(row);
                    if at == longitude { shape::in_range(degrees, 0.0) } else { shape::in_range(0.0, degrees) }
                };
                self.each(at, numbers, fits, "the degrees are out of range")?;
                Ok(Arc::new(numbers.unary::<_, Float64Type>(shape::rounded)))
            }
            _ => Ok(Arc::clone(cells)),
        }
    }

    fn shapes(&self, at: usize, cells: &ArrayRef) -> Result<ArrayRef, FormatError> {
        let shapes: &BinaryArray = cells.as_binary();
        let mut builder = BinaryBuilder::with_capacity(shapes.len(), shapes.value_data().len());
        let mut bytes = Vec::new();
        for (row, cell) in shapes.iter().enumerate() {
            let Some(cell) = cell else {
                builder.append_null();
                continue;
            };
            bytes.clear();
            let written =
                shape::read(cell).and_then(|s| shape::publish(&s)).and_then(|s| shape::push_wkb(&s, &mut bytes));
            if let Err(reason) = written {
                return Err(self.cell(self.rows + row as u64 + 1, at, reason));
            }
            builder.append_value(&bytes);
        }
        Ok(Arc::new(builder.finish()))
    }

    /// The box of each row's place, taken into the extent.
    fn places(&mut self, columns: &[ArrayRef]) -> Result<Vec<Option<Bounds>>, FormatError> {
        let Some(place) = self.place else { return Ok(Vec::new()) };
        let places: Vec<Option<Bounds>> = match place {
            Place::Point { longitude, latitude } => {
                let degrees = |at: usize| columns[at].as_primitive_opt::<Float64Type>();
                let (Some(x), Some(y)) = (degrees(longitude), degrees(latitude)) else {
                    return Err(self.mismatch("a place in numbers".to_owned(), "other columns".to_owned()));
                };
                let places = points(x, y);
                if places.iter().any(Option::is_some) {
                    self.extent.types.insert("Point");
                }
                places
            }
            Place::Shape { column } => {
                let Some(shapes) = columns[column].as_binary_opt::<i32>() else {
                    return Err(self.mismatch("a column of shapes".to_owned(), "another column".to_owned()));
                };
                let types = &mut self.extent.types;
                let read = shapes.iter().map(|cell| {
                    let shape = shape::read(cell?).ok()?;
                    types.insert(shape::type_name(&shape));
                    shape::bounds(&shape)
                });
                read.collect()
            }
        };
        for place in places.iter().flatten() {
            self.extent.bounds = Some(shape::around(self.extent.bounds, *place));
        }
        Ok(places)
    }
}

fn points(longitudes: &Float64Array, latitudes: &Float64Array) -> Vec<Option<Bounds>> {
    let pairs = longitudes.iter().zip(latitudes);
    pairs.map(|(x, y)| x.zip(y).map(|(x, y)| [x, y, x, y])).collect()
}
