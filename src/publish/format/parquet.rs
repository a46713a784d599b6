//! The Parquet file of a table, GeoParquet 1.1 where rows have a place.
//!
//! The same rows give the same bytes: batches come in one size, every setting that shapes the file is set here, and no
//! clock or map order has a say. Columns have plain Parquet types only, so the Arrow schema is not embedded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Float64Array, RecordBatch, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use serde_json::{Value, json};

use super::FormatOptions;
use super::error::FormatError;
use super::prepare::{Extent, Place, Prepared, public_key};
use super::shape::{self, Bounds};
use super::sink::{Sink, Sums};
use crate::contract::arrow::held_schema;
use crate::contract::{Contract, Kind};

/// Column of points, made from longitude and latitude.
const GEOMETRY: &str = "geometry";

/// Column of the boxes around places.
const BBOX: &str = "bbox";

/// Sides of a box, in the order of [`Bounds`].
const SIDES: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// A Parquet file being written.
pub(super) struct ParquetFile {
    writer: ArrowWriter<Sink>,
    path: PathBuf,
    schema: SchemaRef,
    place: Option<Place>,
}

impl ParquetFile {
    pub(super) fn create(
        path: &Path,
        contract: &Contract,
        place: Option<Place>,
        options: &FormatOptions,
    ) -> Result<Self, FormatError> {
        let schema = file_schema(contract, place)?;
        let properties = properties(contract, options)?;
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        match ArrowWriter::try_new_with_options(Sink::create(path)?, Arc::clone(&schema), options) {
            Ok(writer) => Ok(Self { writer, path: path.to_owned(), schema, place }),
            Err(source) => Err(FormatError::Parquet { path: path.to_owned(), source }),
        }
    }

    pub(super) fn write(&mut self, rows: &Prepared) -> Result<(), FormatError> {
        match self.with_places(rows).and_then(|batch| self.writer.write(&batch)) {
            Ok(()) => Ok(()),
            Err(source) => Err(self.failed(source)),
        }
    }

    fn failed(&self, source: ParquetError) -> FormatError {
        FormatError::Parquet { path: self.path.clone(), source }
    }

    fn with_places(&self, rows: &Prepared) -> Result<RecordBatch, ParquetError> {
        let mut columns = rows.batch.columns().to_vec();
        if let Some(place) = self.place {
            if let Place::Point { .. } = place {
                columns.push(points(&rows.places));
            }
            columns.push(boxes(&rows.places)?);
        }
        // Texts may be held as dictionaries: the file is the same.
        let schema = held_schema(&self.schema, &columns);
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    pub(super) fn finish(mut self, extent: &Extent) -> Result<Sums, FormatError> {
        if let Some(place) = self.place {
            let column = match place {
                Place::Point { .. } => GEOMETRY,
                Place::Shape { column } => self.schema.field(column).name(),
            };
            let geo = geo_metadata(column, extent).to_string();
            self.writer.append_key_value_metadata(KeyValue::new("geo".to_owned(), geo));
        }
        let path = self.path.clone();
        match self.writer.into_inner() {
            Ok(sink) => sink.finish(),
            Err(source) => Err(FormatError::Parquet { path, source }),
        }
    }
}

/// The public columns, and those of the place at the end.
fn file_schema(contract: &Contract, place: Option<Place>) -> Result<SchemaRef, FormatError> {
    let schema = contract.public_schema();
    let Some(place) = place else { return Ok(schema) };
    let mut added = Vec::new();
    if let Place::Point { .. } = place {
        added.push(Field::new(GEOMETRY, DataType::Binary, true));
    }
    added.push(Field::new(BBOX, DataType::Struct(box_fields()), true));
    if let Some(taken) = added.iter().find(|field| schema.field_with_name(field.name()).is_ok()) {
        return Err(FormatError::NameTaken { table: contract.name.to_string(), column: taken.name().clone() });
    }
    let fields = schema.fields().iter().map(|field| field.as_ref().clone()).chain(added);
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

fn box_fields() -> Fields {
    SIDES.iter().map(|side| Field::new(*side, DataType::Float64, false)).collect()
}

fn properties(contract: &Contract, options: &FormatOptions) -> Result<WriterProperties, FormatError> {
    let level = match ZstdLevel::try_new(options.zstd_level) {
        Ok(level) => level,
        Err(source) => return Err(FormatError::Level { level: options.zstd_level, source }),
    };
    let key = public_key(contract).into_iter().filter_map(|at| i32::try_from(at).ok());
    let sorting: Vec<SortingColumn> =
        key.map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false }).collect();
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(options.row_group_rows))
        .set_created_by(options.created_by.clone())
        .set_key_value_metadata(None)
        .set_sorting_columns(Some(sorting).filter(|sorting| !sorting.is_empty()));
    let shapes = contract.public_columns().filter(|column| column.kind == Kind::Geometry);
    for name in shapes.map(|column| column.name.as_str()).chain([GEOMETRY]) {
        builder = builder.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::None);
    }
    Ok(builder.build())
}

fn points(places: &[Option<Bounds>]) -> ArrayRef {
    let mut builder = BinaryBuilder::with_capacity(places.len(), places.len() * shape::POINT_BYTES);
    for place in places {
        builder.append_option(place.map(|[longitude, latitude, ..]| shape::point_wkb(longitude, latitude)));
    }
    Arc::new(builder.finish())
}

fn boxes(places: &[Option<Bounds>]) -> Result<ArrayRef, ParquetError> {
    let side = |at: usize| -> ArrayRef {
        Arc::new(places.iter().map(|place| place.map_or(0.0, |bounds| bounds[at])).collect::<Float64Array>())
    };
    let valid: NullBuffer = places.iter().map(Option::is_some).collect();
    let sides = (0..SIDES.len()).map(side).collect();
    Ok(Arc::new(StructArray::try_new(box_fields(), sides, Some(valid))?))
}

/// The `geo` entry of the footer. Without `crs` the coordinates are longitude and latitude (OGC:CRS84).
fn geo_metadata(column: &str, extent: &Extent) -> Value {
    let mut described = json!({
        "encoding": "WKB",
        "geometry_types": extent.types.iter().collect::<Vec<_>>(),
        "edges": "planar",
    });
    if extent.types.iter().any(|name| name.ends_with("Polygon")) {
        described["orientation"] = json!("counterclockwise");
    }
    if let Some(bounds) = extent.bounds {
        described["bbox"] = json!(bounds);
    }
    let sides: serde_json::Map<String, Value> =
        SIDES.iter().map(|side| ((*side).to_owned(), json!([BBOX, side]))).collect();
    described["covering"] = json!({ BBOX: sides });
    json!({ "version": "1.1.0", "primary_column": column, "columns": { column: described } })
}
