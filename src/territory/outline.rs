//! Outlines of départements and régions as ISO WKB, by code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use geo::geometry::{Geometry, MultiPolygon};
use geojson::GeoJson;

use super::TerritoryError;

/// Reads a GeoJSON of outlines with a property `code`; every outline becomes a multi-polygon.
pub fn load(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, TerritoryError> {
    let text = fs::read_to_string(path).map_err(|source| TerritoryError::Unreadable { path: path.to_owned(), source })?;
    let bad = |reason: String| TerritoryError::Outline { path: path.to_owned(), reason };
    let GeoJson::FeatureCollection(collection) = text.parse::<GeoJson>().map_err(|error| bad(error.to_string()))? else {
        return Err(bad("a FeatureCollection is expected".to_owned()));
    };
    let mut outlines = BTreeMap::new();
    for feature in collection.features {
        let code = feature.property("code").and_then(|code| code.as_str()).map(str::to_owned);
        let (Some(code), Some(geometry)) = (code, feature.geometry) else {
            return Err(bad("a feature without code or geometry".to_owned()));
        };
        let shape = Geometry::<f64>::try_from(geometry).map_err(|error| bad(error.to_string()))?;
        let shape = match shape {
            Geometry::Polygon(polygon) => MultiPolygon::new(vec![polygon]),
            Geometry::MultiPolygon(shape) => shape,
            _ => return Err(bad(format!("the outline of `{code}` is no polygon"))),
        };
        let mut bytes = Vec::new();
        wkb::writer::write_geometry(&mut bytes, &shape, &wkb::writer::WriteOptions::default())
            .map_err(|error| bad(error.to_string()))?;
        outlines.insert(code, bytes);
    }
    Ok(outlines)
}
