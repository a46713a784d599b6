//! The coordinate system that a file declares for its shapes, held against the one that the pipeline names.
//!
//! GeoJSON of before 2016 may declare one (member `crs`); today's is always WGS 84, and says nothing.

use super::chunk::Remark;
use super::error::NormaliseError;
use super::row::Header;
use crate::config::crs::{KNOWN, WGS_84};
use crate::config::pipeline::TableSpec;

/// Columns with the positions of shapes.
const SHAPES: &str = "geometry.";

/// What a text names.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    /// Longitude and latitude, as WGS 84 has them.
    Wgs84,
    /// The system of an EPSG code.
    Epsg(u16),
    /// Something else.
    Other,
}

/// Reads `urn:ogc:def:crs:EPSG::2154`, `EPSG:2154`, `http://www.opengis.net/def/crs/EPSG/0/2154`, and CRS84 in these ways.
fn named(text: &str) -> Named {
    let upper = text.trim().to_uppercase();
    if upper.ends_with("CRS84") {
        return Named::Wgs84;
    }
    let code = upper.contains("EPSG").then(|| upper.rsplit([':', '/', '#']).next()).flatten();
    match code.and_then(|code| code.parse().ok()) {
        Some(code) if WGS_84.contains(&code) => Named::Wgs84,
        Some(code) => Named::Epsg(code),
        None => Named::Other,
    }
}

/// The EPSG code of a system that a file declares, where it needs to be named.
pub(super) fn epsg(declared: &str) -> Option<u16> {
    match named(declared) {
        Named::Epsg(code) => Some(code),
        Named::Wgs84 | Named::Other => None,
    }
}

/// Holds the declaration against the pipeline. An error when positions would be read in another system than the file's
/// and the pipeline names none; a remark when it names another one, or nothing reads positions.
pub(super) fn check(table: &TableSpec, header: &Header) -> Result<Option<Remark>, NormaliseError> {
    let Some(declared) = &header.crs else { return Ok(None) };
    let place = table.place.as_ref();
    let reads = |names: &[String]| names.iter().any(|name| name.starts_with(SHAPES));
    let placed = place.is_some_and(|place| reads(&place.longitude) || reads(&place.latitude));
    let written = place.and_then(|place| place.crs);
    let (code, title) = match named(declared) {
        Named::Wgs84 if written.is_none_or(|code| WGS_84.contains(&code)) => return Ok(None),
        Named::Wgs84 => (Some(4326), Some("WGS 84")),
        Named::Epsg(code) if written == Some(code) => return Ok(None),
        Named::Epsg(code) => (Some(code), KNOWN.iter().find(|(known, _)| *known == code).map(|(_, title)| *title)),
        Named::Other => (None, None),
    };
    if let (true, Some(code), None) = (placed, code, written) {
        let what_to_do = match title {
            Some(title) => format!("that is {title}: write `crs = \"EPSG:{code}\"` in `[table.{}.place]`", table.name),
            None => format!(
                "no pipeline can name that one yet: have the file made in WGS 84, or write in `[table.{}.place]` which \
                 system its numbers are in, `crs = \"EPSG:4326\"` perhaps",
                table.name
            ),
        };
        let (table, part, declared) = (table.name.clone(), header.part.clone(), declared.clone());
        return Err(NormaliseError::OtherCrs { table, part, declared, what_to_do });
    }
    let used = written.map_or_else(|| "WGS 84".to_owned(), |code| format!("EPSG:{code}, comme le projet le dit"));
    let detail = format!("Le fichier déclare le système de coordonnées « {declared} » ; il est lu en {used}.");
    Ok(Some(Remark { part: header.part.clone(), code: "systeme_de_coordonnees".to_owned(), detail }))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::urn("urn:ogc:def:crs:EPSG::2154", Named::Epsg(2154))]
    #[case::urn_with_version("urn:ogc:def:crs:EPSG:6.9:2975", Named::Epsg(2975))]
    #[case::short("epsg:3857", Named::Epsg(3857))]
    #[case::address("http://www.opengis.net/def/crs/EPSG/0/2154", Named::Epsg(2154))]
    #[case::crs84("urn:ogc:def:crs:OGC:1.3:CRS84", Named::Wgs84)]
    #[case::wgs84("urn:ogc:def:crs:EPSG::4326", Named::Wgs84)]
    #[case::a_frame_within_centimetres("EPSG:4171", Named::Wgs84)]
    #[case::a_name("Lambert93", Named::Other)]
    #[case::nothing("", Named::Other)]
    fn names_of_systems_are_understood(#[case] text: &str, #[case] expected: Named) {
        assert_eq!(named(text), expected);
    }
}
