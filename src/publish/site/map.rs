//! `map.svg`: the published places over the outlines of départements and régions, drawn without any script or tile.
//!
//! The outlines are those of the program (`seeds/cog/`, IGN Admin Express): a page is made of published files alone, and a
//! project's own geography is none. Metropolitan France and the five overseas départements each have a frame with its own
//! scale; a place outside all of them is counted, not drawn. Degrees are drawn with one stretch per frame, so that no
//! trigonometry stands between the same places and the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::publish::figure::escape;
use crate::territory::shipped_outlines;

/// Size of the drawing.
const WIDTH: u32 = 1000;
const HEIGHT: u32 = 820;

/// A part of the world and where it is drawn.
struct Frame {
    name: &'static str,
    west: f64,
    south: f64,
    east: f64,
    north: f64,
    /// Cosine of the middle latitude.
    stretch: f64,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

const fn inset(name: &'static str, [west, south, east, north]: [f64; 4], stretch: f64, at: u32) -> Frame {
    let top = 8.0 + 162.0 * at as f64;
    Frame { name, west, south, east, north, stretch, left: 8.0, top, width: 150.0, height: 150.0 }
}

/// The frames; the first has no border.
static FRAMES: [Frame; 6] = [
    Frame {
        name: "",
        west: -5.3,
        south: 41.25,
        east: 9.7,
        north: 51.2,
        stretch: 0.688_354_6,
        left: 172.0,
        top: 8.0,
        width: 820.0,
        height: 804.0,
    },
    inset("Guadeloupe", [-61.87, 15.78, -60.94, 16.56], 0.960_293_7, 0),
    inset("Martinique", [-61.27, 14.34, -60.77, 14.93], 0.967_709_3, 1),
    inset("Guyane", [-54.7, 2.0, -51.5, 5.95], 0.997_684_2, 2),
    inset("La Réunion", [55.16, -21.44, 55.9, -20.82], 0.932_953_5, 3),
    inset("Mayotte", [44.98, -13.05, 45.36, -12.6], 0.975_149_4, 4),
];

impl Frame {
    /// Units of the drawing per degree of latitude.
    fn scale(&self) -> f64 {
        // The name of an inset stands below its land.
        let height = if self.name.is_empty() { self.height } else { self.height - 26.0 };
        (self.width / ((self.east - self.west) * self.stretch)).min(height / (self.north - self.south))
    }

    /// Where a place is drawn, in whole units; none outside of the frame.
    fn at(&self, [longitude, latitude]: [f64; 2]) -> Option<(i32, i32)> {
        let inside = (self.west..=self.east).contains(&longitude) && (self.south..=self.north).contains(&latitude);
        inside.then(|| {
            let scale = self.scale();
            let margin = (self.width - (self.east - self.west) * self.stretch * scale) / 2.0;
            let x = self.left + margin + (longitude - self.west) * self.stretch * scale;
            let y = self.top + (self.north - latitude) * scale;
            (whole(x), whole(y))
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a place inside a frame is inside the drawing")]
fn whole(value: f64) -> i32 {
    value.round() as i32
}

/// Where a place is drawn, whichever frame it is in.
fn drawn_at(point: [f64; 2]) -> Option<(i32, i32)> {
    FRAMES.iter().find_map(|frame| frame.at(point))
}

#[derive(Deserialize)]
struct Collection {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    geometry: Option<Geometry>,
    #[serde(default)]
    properties: Option<Properties>,
}

#[derive(Deserialize)]
struct Geometry {
    #[serde(rename = "type")]
    kind: String,
    coordinates: serde_json::Value,
}

#[derive(Deserialize, Default)]
struct Properties {
    #[serde(default)]
    region: Option<String>,
}

/// The places of a published table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    pub(super) table: String,
    pub(super) title: String,
    /// Rows with a place that is drawn.
    pub(super) drawn: usize,
    /// Rows without a place, or with one outside of all frames.
    pub(super) elsewhere: usize,
    /// Rows by région, where the table says it.
    pub(super) regions: BTreeMap<String, u64>,
    /// Where something is drawn, each once.
    spots: BTreeSet<(i32, i32)>,
}

impl Layer {
    /// The places of a GeoJSON; none when it is not one of points.
    pub(super) fn parse(table: &str, title: &str, geojson: &[u8]) -> Option<Self> {
        let collection: Collection = serde_json::from_slice(geojson).ok()?;
        let mut layer = Self {
            table: table.to_owned(),
            title: title.to_owned(),
            drawn: 0,
            elsewhere: 0,
            regions: BTreeMap::new(),
            spots: BTreeSet::new(),
        };
        for feature in collection.features {
            if let Some(region) = feature.properties.unwrap_or_default().region {
                *layer.regions.entry(region).or_default() += 1;
            }
            let spot = match feature.geometry {
                Some(geometry) if geometry.kind == "Point" => point(&geometry.coordinates).and_then(drawn_at),
                Some(_) => return None,
                None => None,
            };
            match spot {
                Some(spot) => {
                    layer.spots.insert(spot);
                    layer.drawn += 1;
                }
                None => layer.elsewhere += 1,
            }
        }
        Some(layer)
    }
}

fn point(coordinates: &serde_json::Value) -> Option<[f64; 2]> {
    Some([coordinates.get(0)?.as_f64()?, coordinates.get(1)?.as_f64()?])
}

/// The outlines of a shipped file as the data of one path. Rings that a frame does not hold whole are left out.
fn outline(geojson: &[u8]) -> String {
    let mut path = String::new();
    let Ok(collection) = serde_json::from_slice::<Collection>(geojson) else { return path };
    for geometry in collection.features.into_iter().filter_map(|feature| feature.geometry) {
        let parsed = if geometry.kind == "MultiPolygon" {
            serde_json::from_value(geometry.coordinates)
        } else {
            serde_json::from_value(geometry.coordinates).map(|polygon| vec![polygon])
        };
        let polygons: Vec<Vec<Vec<[f64; 2]>>> = parsed.unwrap_or_default();
        for ring in polygons.iter().flatten() {
            let spots: Option<Vec<(i32, i32)>> = ring.iter().map(|point| drawn_at(*point)).collect();
            draw(&mut path, spots.unwrap_or_default());
        }
    }
    path
}

/// Adds a ring to a path: the first point, then steps.
fn draw(path: &mut String, mut spots: Vec<(i32, i32)>) {
    spots.dedup();
    let Some((&(mut x, mut y), rest)) = spots.split_first() else { return };
    // What is smaller than a unit would be a speck.
    if rest.len() < 3 {
        return;
    }
    write!(path, "M{x} {y}l").expect("a text takes what it is given");
    for (at, (next_x, next_y)) in rest.iter().enumerate() {
        let (dx, dy) = (next_x - x, next_y - y);
        let gap = if at > 0 && dx >= 0 { " " } else { "" };
        let between = if dy >= 0 { " " } else { "" };
        write!(path, "{gap}{dx}{between}{dy}").expect("a text takes what it is given");
        (x, y) = (*next_x, *next_y);
    }
    path.push('z');
}

/// Outlines of the départements and of the régions, drawn once.
fn outlines() -> &'static (String, String) {
    static OUTLINES: OnceLock<(String, String)> = OnceLock::new();
    OUTLINES.get_or_init(|| {
        let (departements, regions) = shipped_outlines();
        (outline(departements), outline(regions))
    })
}

const STYLE: &str = "\
.land{fill:#e6e9ed;stroke:#fff;stroke-width:1}\
.regions{fill:none;stroke:#79828c;stroke-width:1.5;stroke-linejoin:round}\
.frame{fill:none;stroke:#9aa2ab}\
text{fill:#3a3a3a;font:20px system-ui,'DejaVu Sans',Arial,sans-serif;text-anchor:middle}\
.spots{fill:none}\
.a{stroke:#0b4a94;stroke-linecap:round}\
.b{stroke:#a8410a;stroke-linecap:square}\
.c{stroke:#1d6b3a;stroke-linecap:round}\
.d{stroke:#6a2c8f;stroke-linecap:square}\
.spots .halo{stroke:#fff}\
@media (prefers-color-scheme:dark){\
.land{fill:#2b3036;stroke:#16181b}.regions{stroke:#8b949e}.frame{stroke:#5b636c}text{fill:#c6cacf}\
.a{stroke:#93c0ff}.b{stroke:#ffb27d}.c{stroke:#7fd6a0}.d{stroke:#d7a6f5}.spots .halo{stroke:#16181b}}";

/// Colours and shapes of the layers on a light ground. They stand in the drawing too, as those of everything else do: a server
/// may forbid style, and then the map has no dark form, and all else of it.
const LIGHT: [(&str, &str); 4] =
    [("#0b4a94", "round"), ("#a8410a", "square"), ("#1d6b3a", "round"), ("#6a2c8f", "square")];
const TEXT: &str = "fill=\"#3a3a3a\" font-size=\"20\" font-family=\"system-ui, 'DejaVu Sans', Arial, sans-serif\" text-anchor=\"middle\"";

/// The classes of layers in their order: colour and shape. A fifth layer looks like the first.
pub(super) const LOOKS: [&str; 4] = ["a", "b", "c", "d"];

/// The look of the layer at a place in the list.
pub(super) fn look(at: usize) -> &'static str {
    LOOKS[at % LOOKS.len()]
}

/// The drawing of all layers.
pub(super) fn svg(layers: &[Layer], title: &str, synthetic: bool) -> String {
    let title = escape(title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xml:lang=\"fr\" lang=\"fr\" role=\"img\" aria-labelledby=\"title\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\">\n\
         <title id=\"title\">Carte – {title}{}</title>\n<style>{STYLE}</style>\n",
        if synthetic { " (données synthétiques)" } else { "" },
    );
    let (departements, regions) = outlines();
    let mut line = |line: std::fmt::Arguments<'_>| {
        svg.write_fmt(line).expect("a text takes what it is given");
        svg.push('\n');
    };
    line(format_args!("<path class=\"land\" fill=\"#e6e9ed\" stroke=\"#fff\" d=\"{departements}\"/>"));
    line(format_args!(
        "<path class=\"regions\" fill=\"none\" stroke=\"#79828c\" stroke-width=\"1.5\" d=\"{regions}\"/>"
    ));
    for frame in FRAMES.iter().filter(|frame| !frame.name.is_empty()) {
        let (x, y, width, height) = (frame.left, frame.top, frame.width, frame.height);
        line(format_args!(
            "<rect class=\"frame\" fill=\"none\" stroke=\"#9aa2ab\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\"/>"
        ));
        line(format_args!("<text {TEXT} x=\"{}\" y=\"{}\">{}</text>", x + width / 2.0, y + height - 9.0, frame.name));
    }
    if synthetic {
        line(format_args!("<text {TEXT} x=\"810\" y=\"808\">Données synthétiques</text>"));
    }
    // The fewest places lie on top: they would not be seen below many.
    let mut order: Vec<(usize, &Layer)> = layers.iter().enumerate().collect();
    order.sort_by_key(|(_, layer)| std::cmp::Reverse(layer.spots.len()));
    for (at, layer) in order {
        let (look, id, spots) = (look(at), escape(&layer.table), dots(&layer.spots));
        let (colour, end) = LIGHT[at % LIGHT.len()];
        line(format_args!("<defs><path id=\"{id}\" d=\"{spots}\"/></defs>"));
        line(format_args!(
            "<g class=\"spots {look}\" fill=\"none\" stroke=\"{colour}\" stroke-linecap=\"{end}\"><use href=\"#{id}\" class=\"halo\" stroke=\"#fff\" stroke-width=\"12\"/>"
        ));
        line(format_args!("<use href=\"#{id}\" stroke-width=\"9\"/></g>"));
    }
    svg.push_str("</svg>\n");
    svg
}

/// Lines of no length, which wide ends make dots, each from the one before: fifty thousand places stay one short path.
fn dots(spots: &BTreeSet<(i32, i32)>) -> String {
    let (mut path, mut last) = (String::new(), (0, 0));
    for (x, y) in spots {
        write!(path, "m{} {}h0", x - last.0, y - last.1).expect("a text takes what it is given");
        last = (*x, *y);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(points: &[[f64; 2]]) -> Vec<u8> {
        let features: Vec<_> = points
            .iter()
            .map(|point| {
                serde_json::json!({
                    "type": "Feature",
                    "geometry": { "type": "Point", "coordinates": point },
                    "properties": { "region": "Bretagne" },
                })
            })
            .collect();
        serde_json::json!({ "type": "FeatureCollection", "features": features }).to_string().into_bytes()
    }

    #[test]
    fn places_of_the_mainland_and_overseas_are_drawn_and_others_counted() {
        let points =
            [[2.35, 48.85], [2.35, 48.85], [-61.5, 16.2], [55.5, -21.1], [45.2, -12.8], [-53.0, 4.0], [166.4, -22.3]];
        let layer = Layer::parse("lieux", "Lieux", &places(&points)).unwrap();
        assert_eq!((layer.drawn, layer.elsewhere, layer.spots.len()), (6, 1, 5));
        assert_eq!(layer.regions["Bretagne"], 7);
        let svg = svg(&[layer], "Lieux & <autres>", true);
        let parsed = roxmltree::Document::parse(&svg).unwrap();
        let spots = parsed.descendants().find(|node| node.attribute("id") == Some("lieux")).unwrap();
        assert_eq!(spots.attribute("d").unwrap().matches("h0").count(), 5);
        assert!(svg.contains("Lieux &amp; &lt;autres&gt; (données synthétiques)"));
    }

    #[test]
    fn every_departement_and_region_is_drawn_inside_the_drawing() {
        let (departements, regions) = outlines();
        assert!(departements.matches('M').count() >= 101, "{}", departements.matches('M').count());
        assert!(regions.matches('M').count() >= 18);
        for path in [departements, regions] {
            for start in path.split('M').skip(1) {
                let numbers: Vec<i32> = start.split(['l', ' ']).take(2).map(|number| number.parse().unwrap()).collect();
                assert!((0..=1000).contains(&numbers[0]) && (0..=820).contains(&numbers[1]), "{numbers:?}");
            }
        }
        let empty = svg(&[], "Rien", false);
        assert!(empty.len() < 100_000, "{} bytes of outlines", empty.len());
    }

    #[test]
    fn fifty_thousand_places_are_one_path_of_some_kilobytes() {
        let points: Vec<[f64; 2]> =
            (0..50_000_u32).map(|n| [-1.0 + f64::from(n % 250) * 0.02, 44.0 + f64::from(n / 250) * 0.02]).collect();
        let layer = Layer::parse("lieux", "Lieux", &places(&points)).unwrap();
        assert_eq!(layer.drawn, 50_000);
        let (svg, empty) = (svg(&[layer], "Lieux", false), svg(&[], "Lieux", false));
        assert!(svg.len() - empty.len() < 350_000, "{} bytes", svg.len());
    }

    #[test]
    fn areas_are_no_places() {
        let area = br#"{"features":[{"geometry":{"type":"Polygon","coordinates":[]},"properties":{}}]}"#;
        assert_eq!(Layer::parse("zones", "Zones", area), None);
        assert_eq!(Layer::parse("zones", "Zones", b"{"), None);
    }
}
