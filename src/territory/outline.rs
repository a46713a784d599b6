//! Outlines of départements and régions as ISO WKB, by code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use geo::geometry::{LineString, MultiPolygon, Polygon};
use geojson::{GeoJson, Value};

use super::TerritoryError;

/// Reads a GeoJSON of outlines with a property `code`; every outline becomes a multi-polygon.
pub fn load(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, TerritoryError> {
    let text =
        fs::read_to_string(path).map_err(|source| TerritoryError::Unreadable { path: path.to_owned(), source })?;
    let bad = |reason: String| TerritoryError::Outline { path: path.to_owned(), reason };
    let GeoJson::FeatureCollection(collection) = text.parse::<GeoJson>().map_err(|error| bad(error.to_string()))?
    else {
        return Err(bad("a FeatureCollection is expected".to_owned()));
    };
    let mut outlines = BTreeMap::new();
    for feature in collection.features {
        let code = feature.property("code").and_then(|code| code.as_str()).map(str::to_owned);
        let (Some(code), Some(geometry)) = (code, feature.geometry) else {
            return Err(bad("a feature without code or geometry".to_owned()));
        };
        let shape: MultiPolygon<f64> = match geometry.value {
            Value::Polygon(rings) => MultiPolygon::new(vec![polygon(&rings)]),
            Value::MultiPolygon(polygons) => polygons.iter().map(|rings| polygon(rings)).collect(),
            _ => return Err(bad(format!("the outline of `{code}` is no polygon"))),
        };
        let mut bytes = Vec::new();
        wkb::writer::write_geometry(&mut bytes, &shape, &wkb::writer::WriteOptions::default())
            .map_err(|error| bad(error.to_string()))?;
        outlines.insert(code, bytes);
    }
    Ok(outlines)
}

/// A polygon from its rings, the outer one first. Positions have at least two numbers.
fn polygon(rings: &[Vec<Vec<f64>>]) -> Polygon<f64> {
    let ring = |positions: &Vec<Vec<f64>>| -> LineString<f64> {
        positions.iter().filter_map(|position| Some((*position.first()?, *position.get(1)?))).collect()
    };
    let mut rings = rings.iter().map(ring);
    let outer = rings.next().unwrap_or_else(|| LineString::new(Vec::new()));
    Polygon::new(outer, rings.collect())
}
