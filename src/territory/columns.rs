//! Places of whole batches: from the hidden columns that a source gave to the declared columns of a contract.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder, RecordBatch, StringArray, StringBuilder, UInt64Array};
use arrow::datatypes::{Field, Schema, SchemaRef, UInt64Type};
use arrow::error::ArrowError;

use super::{Cog, Correction, PlaceInput, Placement, angle, rule, to_wgs84};
use crate::config::pipeline::TableSpec;

/// Prefix of the columns that do not leave the stage between reading and storing.
pub const HIDDEN: &str = "__";
/// Column of the postal code: the source's own, where it is one.
const POSTAL: &str = "code_postal";

/// A place that was put right by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceCorrection {
    /// Row number in the source, from 1.
    pub row: u64,
    /// Rule that was applied.
    pub rule: &'static str,
    /// Before.
    pub before: String,
    /// After.
    pub after: String,
}

/// How the rows of a table are placed.
#[derive(Debug, Clone, Default)]
pub struct Placing<'a> {
    /// EPSG code of the source's coordinates; WGS 84 when absent.
    pub crs: Option<u16>,
    /// Columns that have the name of a place column and are filled from the source all the same.
    pub own: Vec<&'a str>,
}

impl<'a> Placing<'a> {
    /// As a table declares it.
    pub fn of(table: &'a TableSpec) -> Self {
        let own = table.mappings.iter().filter_map(|mapping| table.contract.columns.get(mapping.column));
        let own = own.map(|column| column.name.as_str()).collect();
        Self { crs: table.place.as_ref().and_then(|place| place.crs), own }
    }
}

/// A batch with its places filled.
#[derive(Debug)]
pub struct Placed {
    /// The batch, without hidden place columns.
    pub batch: RecordBatch,
    /// What was put right.
    pub corrections: Vec<PlaceCorrection>,
    /// Rows by method.
    pub methods: Vec<(&'static str, u64)>,
}

/// Schema of a batch once its places are filled: hidden place columns are gone.
pub fn placed_schema(staged: &Schema) -> SchemaRef {
    let kept = staged.fields().iter().filter(|field| !is_place_input(field.name()));
    Arc::new(Schema::new(kept.cloned().collect::<Vec<_>>()))
}

fn is_place_input(name: &str) -> bool {
    name.strip_prefix(HIDDEN).is_some_and(|rest| rest.starts_with("place_"))
}

/// The six texts that a source gave about the place of each row.
struct Inputs<'a> {
    insee: &'a StringArray,
    postal: &'a StringArray,
    commune: &'a StringArray,
    departement: &'a StringArray,
    region: &'a StringArray,
    longitude: &'a StringArray,
    latitude: &'a StringArray,
}

fn text(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row).trim()).filter(|text| !text.is_empty())
}

/// What the texts of a row's coordinates came to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Given {
    /// There are none.
    Nothing,
    /// There are some that give no point.
    Unreadable,
    /// A point, and whether it was written as people do.
    Point((f64, f64), bool),
}

impl<'a> Inputs<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let column = |name: &str| {
            let name = format!("{HIDDEN}place_{name}");
            let array = batch.column_by_name(&name);
            array
                .map(AsArray::as_string::<i32>)
                .ok_or_else(|| ArrowError::SchemaError(format!("column `{name}` is missing")))
        };
        Ok(Self {
            insee: column("code_insee")?,
            postal: column("code_postal")?,
            commune: column("commune")?,
            departement: column("departement")?,
            region: column("region")?,
            longitude: column("longitude")?,
            latitude: column("latitude")?,
        })
    }

    fn given(&self, row: usize, crs: Option<u16>) -> Given {
        let read = if crs.is_none() { angle::degrees } else { angle::number };
        match (text(self.longitude, row), text(self.latitude, row)) {
            (None, None) => Given::Nothing,
            (Some(longitude), Some(latitude)) => match (read(longitude), read(latitude)) {
                (Some(x), Some(y)) => Given::Point((x.value, y.value), x.rewritten || y.rewritten),
                _ => Given::Unreadable,
            },
            _ => Given::Unreadable,
        }
    }

    fn row(&self, row: usize, crs: Option<u16>) -> (PlaceInput<'a>, Given) {
        let given = self.given(row, crs);
        let point = match given {
            Given::Point(point, _) => Some(point),
            Given::Nothing | Given::Unreadable => None,
        };
        let point = point.map(|point| match crs {
            // What has no place in the system is kept, for the refusal to show it.
            Some(epsg) if point != (0.0, 0.0) => to_wgs84(epsg, point).unwrap_or(point),
            _ => point,
        });
        let input = PlaceInput {
            insee: text(self.insee, row),
            postal: text(self.postal, row),
            commune: text(self.commune, row),
            departement: text(self.departement, row),
            region: text(self.region, row),
            longitude: point.map(|(longitude, _)| longitude),
            latitude: point.map(|(_, latitude)| latitude),
        };
        (input, given)
    }

    /// Finds the place of a row, and says what of its coordinates was not taken as it is.
    fn locate<'c>(&self, cog: &'c Cog, row: usize, crs: Option<u16>) -> Placement<'c> {
        let (input, given) = self.row(row, crs);
        let mut placement = cog.locate(&input);
        let before = || [self.longitude, self.latitude].map(|array| text(array, row).unwrap_or_default()).join(" ; ");
        let written = |(x, y): (f64, f64)| format!("{},{}", round_degrees(x), round_degrees(y));
        let told = match given {
            Given::Nothing | Given::Point(_, false) => None,
            Given::Point(point, true) => Some((rule::SEXAGESIMAL, written(point))),
            Given::Unreadable => {
                let centre = placement.longitude.zip(placement.latitude);
                Some((rule::UNREADABLE_POINT, centre.map(written).unwrap_or_default()))
            }
        };
        placement.corrections.extend(told.map(|(rule, after)| Correction { rule, before: before(), after }));
        placement
    }

    /// The postal code of a row whose place is known, and says when it is not as the source has it.
    fn postal(&self, cog: &Cog, row: usize, placement: &mut Placement<'_>) -> Option<String> {
        let written = text(self.postal, row)?;
        let postal = cog.postal_of(written, placement);
        let same = |code: &String| written.chars().filter(|c| !c.is_whitespace()).eq(code.chars());
        let is_told = placement.corrections.iter().any(|correction| correction.rule == rule::POSTAL_FORM);
        let rule = match &postal {
            None => Some(rule::POSTAL_UNREADABLE),
            Some(code) if same(code) || is_told => None,
            Some(_) => Some(rule::POSTAL_FORM),
        };
        placement.corrections.extend(rule.map(|rule| Correction {
            rule,
            before: written.to_owned(),
            after: postal.clone().unwrap_or_default(),
        }));
        postal
    }
}

/// Fills the place columns that a contract declares.
pub fn place(cog: &Cog, batch: &RecordBatch, placing: &Placing<'_>) -> Result<Placed, ArrowError> {
    let inputs = Inputs::of(batch)?;
    let rows = batch.column_by_name("__row").map(|rows| rows.as_primitive::<UInt64Type>().clone());
    let rows = rows.unwrap_or_else(|| (1..=batch.num_rows() as u64).collect::<UInt64Array>());
    let schema = placed_schema(&batch.schema());
    let mut placements: Vec<Placement<'_>> =
        (0..batch.num_rows()).map(|row| inputs.locate(cog, row, placing.crs)).collect();
    let is_asked = schema.column_with_name(POSTAL).is_some() && !placing.own.contains(&POSTAL);
    let postals: Vec<Option<String>> = if is_asked {
        placements.iter_mut().enumerate().map(|(row, placement)| inputs.postal(cog, row, placement)).collect()
    } else {
        Vec::new()
    };
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let given = batch.column_by_name(field.name()).cloned();
        let own = placing.own.contains(&field.name().as_str());
        columns.push(match filled(cog, field, &placements, &postals).filter(|_| !own) {
            Some(array) => array,
            None => given.ok_or_else(|| ArrowError::SchemaError(format!("column `{}` is missing", field.name())))?,
        });
    }
    let mut methods: Vec<(&'static str, u64)> = Vec::new();
    for placement in &placements {
        let method = placement.method.as_str();
        match methods.iter_mut().find(|(name, _)| *name == method) {
            Some((_, count)) => *count += 1,
            None => methods.push((method, 1)),
        }
    }
    let corrections = placements.iter().enumerate().flat_map(|(row, placement)| {
        let row = rows.value(row);
        placement.corrections.iter().map(move |correction| PlaceCorrection {
            row,
            rule: correction.rule,
            before: correction.before.clone(),
            after: correction.after.clone(),
        })
    });
    let corrections = corrections.collect();
    Ok(Placed { batch: RecordBatch::try_new(schema, columns)?, corrections, methods })
}

/// The array of a place column; `None` when the column is not one.
fn filled(cog: &Cog, field: &Field, placements: &[Placement<'_>], postals: &[Option<String>]) -> Option<ArrayRef> {
    let texts = |value: &dyn Fn(&Placement<'_>) -> Option<String>| -> Option<ArrayRef> {
        let mut builder = StringBuilder::new();
        for placement in placements {
            builder.append_option(value(placement));
        }
        Some(Arc::new(builder.finish()))
    };
    let numbers = |value: &dyn Fn(&Placement<'_>) -> Option<f64>| -> Option<ArrayRef> {
        let mut builder = Float64Builder::new();
        for placement in placements {
            builder.append_option(value(placement));
        }
        Some(Arc::new(builder.finish()))
    };
    match field.name().as_str() {
        "code_insee" => texts(&|p| p.commune.map(|c| c.code().to_owned())),
        "commune" => texts(&|p| p.commune.map(|c| c.nom().to_owned())),
        "code_arrondissement" => texts(&|p| p.arrondissement.map(|c| c.code().to_owned())),
        "code_departement" => texts(&|p| p.departement.map(|d| d.code().to_owned())),
        "departement" => texts(&|p| p.departement.map(|d| d.nom().to_owned())),
        "code_region" => texts(&|p| p.region.map(|r| r.code().to_owned())),
        "region" => texts(&|p| p.region.map(|r| r.nom().to_owned())),
        "code_epci" => texts(&|p| p.commune.and_then(|c| c.epci()).map(str::to_owned)),
        "epci" => texts(&|p| p.commune.and_then(|c| c.epci()).and_then(|e| cog.epci_of(e)).map(|e| e.nom().to_owned())),
        "longitude" => numbers(&|p| p.longitude.map(round_degrees)),
        "latitude" => numbers(&|p| p.latitude.map(round_degrees)),
        "lieu_niveau" => texts(&|p| Some(p.level.as_str().to_owned())),
        "lieu_methode" => texts(&|p| Some(p.method.as_str().to_owned())),
        "lieu_confiance" => numbers(&|p| Some(p.confidence)),
        "lieu_distance_km" => numbers(&|p| p.distance_km.map(|km| (km * 1000.0).round() / 1000.0)),
        "position_origine" => texts(&|p| Some(p.position.as_str().to_owned())),
        POSTAL => Some(Arc::new(StringArray::from_iter(postals))),
        _ => None,
    }
}

/// Six decimals: about 0.1 m.
fn round_degrees(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

#[cfg(test)]
#[path = "columns_tests.rs"]
mod tests;
