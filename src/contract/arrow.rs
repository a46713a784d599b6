//! Contracts as Arrow schemas: coded inside, plain when published.
//!
//! Inside, a [`Kind::Code`] is a dictionary of codes, and [`Kind::Codes`] is a 64-bit set whose bit *i* is the *i*-th
//! code of the list; the field's metadata names the codes. Published, both are UTF-8: a text, and a list of texts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::{Column, Contract, Kind};

/// Metadata key of a coded set: its codes, joined by `|`, lowest bit first.
pub const CODES_KEY: &str = "essaim.codes";

/// Statuses of a cell, in the order of their dictionary.
pub const STATUSES: [&str; 5] = ["answered", "empty", "not_shown", "masked", "unknown"];

/// Type of a text from a closed list inside the engine.
pub fn dictionary_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int16), Box::new(DataType::Utf8))
}

fn list_type() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))
}

/// A column of texts that stands as a dictionary: a text is looked at once, however many rows have it.
#[derive(Debug)]
pub struct Listed<'a> {
    /// The texts.
    pub texts: &'a StringArray,
    keys: Vec<usize>,
    nulls: Option<NullBuffer>,
}

impl<'a> Listed<'a> {
    /// `None` when the column is no dictionary of texts.
    pub fn of(column: &'a ArrayRef) -> Option<Self> {
        let coded = column.as_any_dictionary_opt()?;
        let texts = coded.values().as_string_opt::<i32>()?;
        // There is no key when there is no text: no row has one.
        let keys = if texts.is_empty() { vec![0; column.len()] } else { coded.normalized_keys() };
        Some(Self { texts, keys, nulls: column.logical_nulls() })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.keys.len()
    }

    /// Where the text of a row stands among the texts.
    pub fn key(&self, row: usize) -> Option<usize> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) { None } else { self.keys.get(row).copied() }
    }

    /// The text of a row.
    pub fn text(&self, row: usize) -> Option<&'a str> {
        self.key(row).map(|key| self.texts.value(key))
    }

    /// Whether every row has a text.
    pub fn is_full(&self) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.null_count() == 0)
    }
}

/// Whether cells of one type are those of another, but for the way in which texts are held.
pub fn is_held_as(found: &DataType, promised: &DataType) -> bool {
    let text = |kind: &DataType| matches!(kind, DataType::Dictionary(_, texts) if **texts == DataType::Utf8);
    found == promised || (text(found) && promised == &DataType::Utf8)
}

/// A schema with the types in which columns are held. What is held as something else keeps its promise, and is no such batch.
pub fn held_schema(promised: &SchemaRef, columns: &[ArrayRef]) -> SchemaRef {
    let mut pairs = promised.fields().iter().zip(columns);
    if pairs.all(|(field, column)| field.data_type() == column.data_type()) {
        return Arc::clone(promised);
    }
    let held = |(field, column): (&Arc<Field>, &ArrayRef)| {
        let known = is_held_as(column.data_type(), field.data_type());
        let kind = if known { column.data_type() } else { field.data_type() };
        field.as_ref().clone().with_data_type(kind.clone())
    };
    Arc::new(Schema::new(promised.fields().iter().zip(columns).map(held).collect::<Vec<_>>()))
}

impl Column {
    /// Type of the column inside the engine.
    pub fn coded_type(&self) -> DataType {
        match self.kind {
            _ if self.doubtful => self.plain_type(),
            Kind::Code => dictionary_type(),
            Kind::Codes => DataType::UInt64,
            _ => self.plain_type(),
        }
    }

    /// Type of the column in a release; null, which goes with every other in SQL, when it is not known.
    pub fn plain_type(&self) -> DataType {
        if self.doubtful {
            return DataType::Null;
        }
        match self.kind {
            Kind::Text | Kind::Uri | Kind::Siret | Kind::Code => DataType::Utf8,
            Kind::Integer => DataType::Int64,
            Kind::Number => DataType::Float64,
            Kind::Boolean => DataType::Boolean,
            Kind::Date => DataType::Date32,
            Kind::DateTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Codes | Kind::Texts => list_type(),
            Kind::Geometry => DataType::Binary,
        }
    }

    /// The field inside the engine, with its codes in the metadata when it is a set.
    pub fn coded_field(&self) -> Field {
        let field = Field::new(&self.name, self.coded_type(), !self.required);
        match (&self.kind, &self.codes) {
            (Kind::Codes, Some(list)) => {
                let codes = list.code_names().collect::<Vec<_>>().join("|");
                field.with_metadata(HashMap::from([(CODES_KEY.to_owned(), codes)]))
            }
            _ => field,
        }
    }

    /// The field in a release.
    pub fn plain_field(&self) -> Field {
        Field::new(&self.name, self.plain_type(), !self.required)
    }
}

impl Contract {
    /// Schema inside the engine: all columns, then the status columns.
    pub fn coded_schema(&self) -> SchemaRef {
        let columns = self.columns.iter().map(Column::coded_field);
        let statuses = self.columns.iter().filter(|column| column.status);
        let statuses = statuses.map(|column| Field::new(column.status_name(), dictionary_type(), false));
        Arc::new(Schema::new(columns.chain(statuses).collect::<Vec<_>>()))
    }

    /// Schema in SQL: all columns in their published types, then the status columns.
    pub fn plain_schema(&self) -> SchemaRef {
        let columns = self.columns.iter().map(Column::plain_field);
        let statuses = self.columns.iter().filter(|column| column.status);
        let statuses = statuses.map(|column| Field::new(column.status_name(), DataType::Utf8, false));
        Arc::new(Schema::new(columns.chain(statuses).collect::<Vec<_>>()))
    }

    /// Schema of the released table: public columns only, in order, and the point geometry where there is one is made
    /// by the writers.
    pub fn public_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.public_columns().map(Column::plain_field).collect::<Vec<_>>()))
    }
}
