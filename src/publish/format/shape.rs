//! Shapes: read from WKB, brought into their published form, written as WKB, WKT and GeoJSON.
//!
//! The published form is the same in every file: plane coordinates with at most seven decimals (about 1 cm), outer rings
//! counterclockwise, holes clockwise.
//!
//! # Why not a crate for WKT and GeoJSON
//! Both are one walk over nested lists. Done here it allocates nothing and writes numbers as the CSV does; the crates
//! write some of them in scientific notation.

use geo::orient::{Direction, Orient};
use geo::{BoundingRect, Coord, CoordsIter, Geometry, HasDimensions, LineString, MapCoords, Polygon};
use geo_traits::Dimensions;
use geo_traits::GeometryTrait;
use geo_traits::to_geo::ToGeoGeometry;
use wkb::writer::WriteOptions;

use super::cell::push_number;

/// A box around places: west, south, east, north.
pub(super) type Bounds = [f64; 4];

/// Reads WKB; the error says what is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<Geometry<f64>, &'static str> {
    let Ok(shape) = wkb::reader::read_wkb(bytes) else { return Err("the shape is not readable WKB") };
    if shape.dim() != Dimensions::Xy {
        return Err("the shape has more than longitude and latitude");
    }
    shape.try_to_geometry().ok_or("the shape is empty")
}

/// The published form of a shape.
pub(super) fn publish(shape: &Geometry<f64>) -> Result<Geometry<f64>, &'static str> {
    if shape.is_empty() {
        return Err("the shape is empty");
    }
    if !shape.coords_iter().all(|at| in_range(at.x, at.y)) {
        return Err("the shape leaves the range of longitudes and latitudes");
    }
    Ok(oriented(shape.map_coords(|at| Coord { x: rounded(at.x), y: rounded(at.y) })))
}

fn oriented(shape: Geometry<f64>) -> Geometry<f64> {
    match shape {
        Geometry::Polygon(polygon) => Geometry::Polygon(polygon.orient(Direction::Default)),
        Geometry::MultiPolygon(polygons) => Geometry::MultiPolygon(polygons.orient(Direction::Default)),
        Geometry::GeometryCollection(parts) => Geometry::GeometryCollection(parts.into_iter().map(oriented).collect()),
        other => other,
    }
}

/// Whether these are degrees of longitude and latitude.
pub(super) fn in_range(longitude: f64, latitude: f64) -> bool {
    longitude.abs() <= 180.0 && latitude.abs() <= 90.0
}

/// Degrees with seven decimals: the nearest number that is written with no more.
pub(super) fn rounded(degrees: f64) -> f64 {
    (degrees * 1e7).round() / 1e7 + 0.0
}

/// Writes a shape as ISO WKB, little-endian.
pub(super) fn push_wkb(shape: &Geometry<f64>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    match wkb::writer::write_geometry(out, shape, &WriteOptions::default()) {
        Ok(()) => Ok(()),
        Err(_) => Err("the shape has too many points"),
    }
}

/// The box around a shape.
pub(super) fn bounds(shape: &Geometry<f64>) -> Option<Bounds> {
    shape.bounding_rect().map(|rect| [rect.min().x, rect.min().y, rect.max().x, rect.max().y])
}

/// The box around two boxes.
pub(super) fn around(a: Option<Bounds>, b: Bounds) -> Bounds {
    a.map_or(b, |a| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])])
}

/// What GeoParquet and GeoJSON call the kind of a shape.
pub(super) fn type_name(shape: &Geometry<f64>) -> &'static str {
    match shape {
        Geometry::Point(_) => "Point",
        Geometry::Line(_) | Geometry::LineString(_) => "LineString",
        Geometry::Polygon(_) | Geometry::Rect(_) | Geometry::Triangle(_) => "Polygon",
        Geometry::MultiPoint(_) => "MultiPoint",
        Geometry::MultiLineString(_) => "MultiLineString",
        Geometry::MultiPolygon(_) => "MultiPolygon",
        Geometry::GeometryCollection(_) => "GeometryCollection",
    }
}

/// How nested lists of positions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Wkt,
    GeoJson,
}

/// Writes a shape as WKT.
pub(super) fn push_wkt(shape: &Geometry<f64>, out: &mut Vec<u8>) {
    out.extend(type_name(shape).bytes().map(|byte| byte.to_ascii_uppercase()));
    out.push(b' ');
    if let Geometry::GeometryCollection(parts) = shape {
        Syntax::Wkt.list(out, parts, |out, part| push_wkt(part, out));
    } else {
        Syntax::Wkt.positions(shape, out);
    }
}

/// Writes a shape as a GeoJSON geometry object.
pub(super) fn push_geojson(shape: &Geometry<f64>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(type_name(shape).as_bytes());
    if let Geometry::GeometryCollection(parts) = shape {
        out.extend_from_slice(b"\",\"geometries\":");
        Syntax::GeoJson.list(out, parts, |out, part| push_geojson(part, out));
    } else {
        out.extend_from_slice(b"\",\"coordinates\":");
        Syntax::GeoJson.positions(shape, out);
    }
    out.push(b'}');
}

/// Writes a GeoJSON point.
pub(super) fn push_geojson_point(longitude: f64, latitude: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"Point\",\"coordinates\":");
    Syntax::GeoJson.position(Coord { x: longitude, y: latitude }, out);
    out.push(b'}');
}

impl Syntax {
    fn list<T>(self, out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, mut push: impl FnMut(&mut Vec<u8>, T)) {
        let (open, close) = if self == Self::Wkt { (b'(', b')') } else { (b'[', b']') };
        out.push(open);
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            push(out, item);
        }
        out.push(close);
    }

    fn position(self, at: Coord<f64>, out: &mut Vec<u8>) {
        if self == Self::GeoJson {
            self.list(out, [at.x, at.y], |out, number| push_number(number, out));
        } else {
            push_number(at.x, out);
            out.push(b' ');
            push_number(at.y, out);
        }
    }

    /// A point by itself stands in parentheses in WKT; in GeoJSON it is its position.
    fn point(self, at: Coord<f64>, out: &mut Vec<u8>) {
        if self == Self::GeoJson {
            self.position(at, out);
        } else {
            self.list(out, [at], |out, at| self.position(at, out));
        }
    }

    fn line(self, line: &LineString<f64>, out: &mut Vec<u8>) {
        self.list(out, line.coords(), |out, at| self.position(*at, out));
    }

    fn polygon(self, polygon: &Polygon<f64>, out: &mut Vec<u8>) {
        let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
        self.list(out, rings, |out, ring| self.line(ring, out));
    }

    fn positions(self, shape: &Geometry<f64>, out: &mut Vec<u8>) {
        match shape {
            Geometry::Point(point) => self.point(point.0, out),
            Geometry::Line(line) => self.line(&LineString::from(line), out),
            Geometry::LineString(line) => self.line(line, out),
            Geometry::Polygon(polygon) => self.polygon(polygon, out),
            Geometry::Rect(rect) => self.polygon(&rect.to_polygon(), out),
            Geometry::Triangle(triangle) => self.polygon(&triangle.to_polygon(), out),
            Geometry::MultiPoint(points) => self.list(out, points, |out, point| self.point(point.0, out)),
            Geometry::MultiLineString(lines) => self.list(out, lines, |out, line| self.line(line, out)),
            Geometry::MultiPolygon(polygons) => self.list(out, polygons, |out, polygon| self.polygon(polygon, out)),
            Geometry::GeometryCollection(_) => {}
        }
    }
}

/// Writes a box as a JSON array.
pub(super) fn push_bounds(bounds: Bounds, out: &mut Vec<u8>) {
    Syntax::GeoJson.list(out, bounds, |out, number| push_number(number, out));
}

/// Bytes of a point in WKB.
pub(super) const POINT_BYTES: usize = 21;

/// A point as ISO WKB, little-endian.
pub(super) fn point_wkb(longitude: f64, latitude: f64) -> [u8; POINT_BYTES] {
    let mut bytes = [0; POINT_BYTES];
    bytes[0] = 1;
    bytes[1] = 1;
    bytes[5..13].copy_from_slice(&longitude.to_le_bytes());
    bytes[13..].copy_from_slice(&latitude.to_le_bytes());
    bytes
}
