//! Outlines of départements and régions as ISO WKB, by code.

use std::collections::BTreeMap;

use geo::geometry::{Coord, LineString, MultiPolygon, Polygon};
use geojson::{GeoJson, Value};

use super::TerritoryError;

/// Reads a GeoJSON of outlines with a property `code`; every outline becomes a multi-polygon, ISO WKB.
pub(super) fn wkb(file: &str, bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, TerritoryError> {
    let mut outlines = BTreeMap::new();
    for (code, shape) in polygons(file, bytes)? {
        let mut bytes = Vec::new();
        wkb::writer::write_geometry(&mut bytes, &shape, &wkb::writer::WriteOptions::default())
            .map_err(|error| TerritoryError::Outline { path: file.into(), reason: error.to_string() })?;
        outlines.insert(code, bytes);
    }
    Ok(outlines)
}

/// Reads the same, for asking whether points are in it.
pub(super) fn shapes(file: &str, bytes: &[u8]) -> Result<BTreeMap<String, Outline>, TerritoryError> {
    Ok(polygons(file, bytes)?.into_iter().map(|(code, shape)| (code, Outline::new(shape))).collect())
}

fn polygons(file: &str, bytes: &[u8]) -> Result<Vec<(String, MultiPolygon<f64>)>, TerritoryError> {
    let bad = |reason: String| TerritoryError::Outline { path: file.into(), reason };
    let text = std::str::from_utf8(bytes).map_err(|error| bad(error.to_string()))?;
    let GeoJson::FeatureCollection(collection) = text.parse::<GeoJson>().map_err(|error| bad(error.to_string()))?
    else {
        return Err(bad("a FeatureCollection is expected".to_owned()));
    };
    let mut outlines = Vec::new();
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
        outlines.push((code, shape));
    }
    Ok(outlines)
}

/// An outline and the box around it.
#[derive(Debug)]
pub(super) struct Outline {
    shape: MultiPolygon<f64>,
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

impl Outline {
    fn new(shape: MultiPolygon<f64>) -> Self {
        let mut outline = Self {
            west: f64::INFINITY,
            south: f64::INFINITY,
            east: f64::NEG_INFINITY,
            north: f64::NEG_INFINITY,
            shape: MultiPolygon::new(Vec::new()),
        };
        for position in shape.iter().flat_map(|polygon| &polygon.exterior().0) {
            outline.west = outline.west.min(position.x);
            outline.east = outline.east.max(position.x);
            outline.south = outline.south.min(position.y);
            outline.north = outline.north.max(position.y);
        }
        Self { shape, ..outline }
    }

    /// Whether a point (longitude, latitude) is in the outline, or at most `km` outside of it.
    pub(super) fn is_near(&self, (longitude, latitude): (f64, f64), km: f64) -> bool {
        let degrees = km / KM_PER_DEGREE;
        let flat = latitude.to_radians().cos().max(0.01);
        let around = (self.west - degrees / flat..=self.east + degrees / flat).contains(&longitude)
            && (self.south - degrees..=self.north + degrees).contains(&latitude);
        around
            && self.shape.iter().any(|polygon| {
                let ring = &polygon.exterior().0;
                contains(ring, longitude, latitude)
                    || ring.windows(2).any(|ends| distance_km(ends, (longitude, latitude), flat) <= km)
            })
    }
}

/// Kilometres of a degree of latitude.
const KM_PER_DEGREE: f64 = 111.195;

/// Whether a point is inside a ring: an odd number of edges lies to its east (ray casting).
fn contains(ring: &[Coord<f64>], x: f64, y: f64) -> bool {
    ring.windows(2).fold(false, |inside, ends| match ends {
        [a, b] if (a.y > y) != (b.y > y) && x < (b.x - a.x) * (y - a.y) / (b.y - a.y) + a.x => !inside,
        _ => inside,
    })
}

/// Distance of a point to an edge, in a plane that is true around the point.
fn distance_km(ends: &[Coord<f64>], (x, y): (f64, f64), flat: f64) -> f64 {
    let [a, b] = ends else { return f64::INFINITY };
    let (ax, ay) = ((a.x - x) * flat, a.y - y);
    let (dx, dy) = ((b.x - a.x) * flat, b.y - a.y);
    let length = dx * dx + dy * dy;
    let along = if length == 0.0 { 0.0 } else { (-(ax * dx + ay * dy) / length).clamp(0.0, 1.0) };
    (ax + along * dx).hypot(ay + along * dy) * KM_PER_DEGREE
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
