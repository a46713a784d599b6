//! Columns that say where a row is, and the coordinate system of their numbers.

use super::column::Proposal;
use crate::contract::fold::fold;

/// Place keys, and names that give them.
const PLACES: [(&str, &[&str]); 7] = [
    (
        "code_insee",
        &[
            "code insee",
            "insee",
            "citycode",
            "code commune",
            "codgeo",
            "depcom",
            "inseecom",
            "result citycode",
            "id geo",
            "code insee commune",
        ],
    ),
    ("code_postal", &["code postal", "cp", "codpost", "codepostal", "postcode", "zip", "bf code postal"]),
    ("commune", &["commune", "ville", "city", "localite", "nom commune", "nomcom", "nom de la commune", "bf ville"]),
    ("departement", &["departement", "code departement", "dep"]),
    ("region", &["region", "code region", "reg"]),
    (
        LONGITUDE,
        &[
            "longitude",
            "lon",
            "long",
            "lng",
            "x",
            "bf longitude",
            "geometry longitude",
            "x l93",
            "xl93",
            "x lambert93",
            "x lambert 93",
            "x lambert",
            "lambert x",
            "coord x",
            "coordx",
            "coordonnee x",
            "coordonnees x",
        ],
    ),
    (
        LATITUDE,
        &[
            "latitude",
            "lat",
            "y",
            "bf latitude",
            "geometry latitude",
            "y l93",
            "yl93",
            "y lambert93",
            "y lambert 93",
            "y lambert",
            "lambert y",
            "coord y",
            "coordy",
            "coordonnee y",
            "coordonnees y",
        ],
    ),
];

const LONGITUDE: &str = "longitude";
const LATITUDE: &str = "latitude";

/// The key of a place that a column of this name gives.
pub(super) fn place_of(name: &str) -> Option<&'static str> {
    let folded = fold(name);
    PLACES.iter().find(|(_, names)| names.contains(&folded.as_str())).map(|(place, _)| *place)
}

/// A coordinate system, and where the numbers of France are in it.
struct System {
    /// None for degrees, which need no word.
    epsg: Option<u16>,
    east: (f64, f64),
    north: (f64, f64),
}

/// In the order in which they are tried: their boxes do not overlap.
const SYSTEMS: [System; 4] = [
    System { epsg: None, east: (-180.0, 180.0), north: (-90.0, 90.0) },
    System { epsg: Some(2154), east: (0.0, 1_300_000.0), north: (6_000_000.0, 7_200_000.0) },
    System { epsg: Some(2975), east: (300_000.0, 400_000.0), north: (7_600_000.0, 7_730_000.0) },
    System { epsg: Some(27_572), east: (0.0, 1_200_000.0), north: (1_600_000.0, 2_700_000.0) },
];

/// Share of the coordinates that are in a system, in hundredths, for it to be proposed: some are wrong in every file.
const MOST: usize = 90;

fn number(text: &str) -> Option<f64> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).map(|c| if c == ',' { '.' } else { c }).collect();
    plain.parse::<f64>().ok().filter(|number| *number != 0.0)
}

fn is_within(cells: &[&str], (from, to): (f64, f64)) -> bool {
    let numbers: Vec<f64> = cells.iter().filter_map(|cell| number(cell)).collect();
    let within = numbers.iter().filter(|number| (from..=to).contains(*number)).count();
    within > 0 && within * 100 >= numbers.len() * MOST
}

/// The coordinate system of a table's points. Columns that are not coordinates of it give no place any more, nor does a
/// longitude without a latitude.
pub(super) fn settle(columns: &mut [Proposal], cells: impl Fn(&Proposal) -> Vec<String>) -> Option<u16> {
    let mut axes: [Vec<(usize, Vec<String>)>; 2] = [Vec::new(), Vec::new()];
    for (at, column) in columns.iter().enumerate() {
        match column.place {
            Some(LONGITUDE) => axes[0].push((at, cells(column))),
            Some(LATITUDE) => axes[1].push((at, cells(column))),
            _ => {}
        }
    }
    let within = |axis: &[(usize, Vec<String>)], bounds| -> Vec<usize> {
        let fits = |(_, cells): &&(usize, Vec<String>)| {
            is_within(&cells.iter().map(String::as_str).collect::<Vec<_>>(), bounds)
        };
        axis.iter().filter(fits).map(|(at, _)| *at).collect()
    };
    let found = SYSTEMS.iter().find_map(|system| {
        let (east, north) = (within(&axes[0], system.east), within(&axes[1], system.north));
        (!east.is_empty() && !north.is_empty()).then(|| (system.epsg, [east, north].concat()))
    });
    let (epsg, kept) = found.unwrap_or_default();
    for (at, _) in axes.iter().flatten().filter(|(at, _)| !kept.contains(at)) {
        columns[*at].place = None;
    }
    epsg
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::draft::column::Guess;

    fn column(name: &str, place: &'static str) -> Proposal {
        let name = name.to_owned();
        Proposal { source: name.clone(), name, guess: Guess::Text, personal: false, place: Some(place), unique: false }
    }

    #[rstest]
    #[case::degrees(&["-1.68", "48,11"], &["48.1", "47"], None, true)]
    #[case::lambert_93(&["394035,185458573", "0"], &["6700012,5", "0"], Some(2154), true)]
    #[case::reunion(&["338000"], &["7690000"], Some(2975), true)]
    #[case::lambert_2_extended(&["600 000"], &["2 428 000"], Some(27_572), true)]
    #[case::neither(&["600000"], &["12"], None, false)]
    #[case::empty(&[""], &[""], None, false)]
    fn systems_are_known_by_their_numbers(
        #[case] xs: &[&str],
        #[case] ys: &[&str],
        #[case] epsg: Option<u16>,
        #[case] placed: bool,
    ) {
        let mut columns = [column("x", LONGITUDE), column("y", LATITUDE)];
        let cells = |column: &Proposal| if column.name == "x" { xs } else { ys }.iter().map(|&c| c.into()).collect();
        assert_eq!(settle(&mut columns, cells), epsg);
        assert_eq!(columns.iter().all(|column| column.place.is_some()), placed);
        assert_eq!(columns.iter().any(|column| column.place.is_some()), placed);
    }

    #[test]
    fn degrees_go_before_projected_columns_and_half_a_point_is_none() {
        let mut columns =
            [column("lon", LONGITUDE), column("lat", LATITUDE), column("x", LONGITUDE), column("y", LATITUDE)];
        let cells = |column: &Proposal| {
            vec![
                match column.name.as_str() {
                    "lon" => "2.1",
                    "lat" => "48.1",
                    "x" => "394035",
                    _ => "6700012",
                }
                .to_owned(),
            ]
        };
        assert_eq!(settle(&mut columns, cells), None);
        assert_eq!(columns.map(|column| column.place.is_some()), [true, true, false, false]);
        let mut half = [column("lon", LONGITUDE)];
        assert_eq!(settle(&mut half, cells), None);
        assert_eq!(half[0].place, None);
    }
}
