//! Columns that say where a row is, and the coordinate system of their numbers.

use super::column::Proposal;
use crate::config::crs::KNOWN;
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
    (LONGITUDE, &["longitude", "lon", "long", "lng", "x", "bf longitude", "geometry longitude"]),
    (LATITUDE, &["latitude", "lat", "y", "bf latitude", "geometry latitude"]),
];

const LONGITUDE: &str = "longitude";
const LATITUDE: &str = "latitude";

/// Words of an axis, and words that may stand beside them in the name of a column.
const AXES: [(&str, [&str; 6]); 2] = [
    (LONGITUDE, ["x", "coordx", "longitude", "lon", "easting", "est"]),
    (LATITUDE, ["y", "coordy", "latitude", "lat", "northing", "nord"]),
];
const BESIDE: [&str; 18] = [
    "coord",
    "coordonnee",
    "coordonnees",
    "lambert",
    "lambert93",
    "lamb93",
    "l93",
    "rgf93",
    "93",
    "2",
    "ii",
    "etendu",
    "l2e",
    "wgs84",
    "wgs",
    "84",
    "epsg",
    "2154",
];

/// The key of a place that a column of this name gives.
pub(super) fn place_of(name: &str) -> Option<&'static str> {
    let folded = fold(name);
    let known = PLACES.iter().find(|(_, names)| names.contains(&folded.as_str())).map(|(place, _)| *place);
    known.or_else(|| {
        // `xl93` is `x l93`.
        let words: Vec<&str> = folded
            .split(' ')
            .flat_map(|word| match word.split_at_checked(1) {
                Some((axis @ ("x" | "y"), rest)) if BESIDE.contains(&rest) => vec![axis, rest],
                _ => vec![word],
            })
            .collect();
        let is_beside = |word: &str| BESIDE.contains(&word) || zone(word).is_some();
        let (beside, axis): (Vec<&str>, Vec<&str>) = words.into_iter().partition(|word| is_beside(word));
        let [axis] = axis.as_slice() else { return None };
        // `est` and `nord` alone are words.
        let found = AXES.iter().find(|(_, words)| words.contains(axis) && !beside.is_empty());
        found.map(|(place, _)| *place)
    })
}

/// EPSG code of a conic zone: `cc46` is 3946.
fn zone(word: &str) -> Option<u16> {
    let number: u16 = word.strip_prefix("cc")?.parse().ok()?;
    (42..=50).contains(&number).then_some(3900 + number)
}

/// The projected system that the name of a column tells.
fn system_named(name: &str) -> Option<u16> {
    let folded = fold(name);
    let has = |marks: &[&str]| marks.iter().any(|mark| folded.contains(mark));
    folded.split(' ').find_map(zone).or_else(|| {
        if has(&["l93", "lambert93", "lambert 93", "lamb93", "rgf93", "2154"]) {
            Some(2154)
        } else if has(&["l2e", "lambert 2", "lambert2", "lambert ii"]) {
            Some(27_572)
        } else {
            None
        }
    })
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

/// Columns with the positions of shapes.
const SHAPES: &str = "geometry.";
/// Numbers beyond this are no degrees.
const DEGREES: (f64, f64) = (-180.0, 180.0);

/// The coordinate system of a table's points: that in which their numbers are in France, else the one that the file
/// declares for its shapes, else the one that the names of columns tell. Columns that are not coordinates of it give no
/// place any more, nor does a longitude without a latitude.
pub(super) fn settle(
    columns: &mut [Proposal],
    declared: Option<u16>,
    cells: impl Fn(&Proposal) -> Vec<String>,
) -> Option<u16> {
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
    let are_shapes = |at: &usize| columns[*at].source.starts_with(SHAPES);
    let projected = |axis: &[(usize, Vec<String>)]| -> Vec<usize> {
        let mut kept: Vec<usize> = axis.iter().map(|(at, _)| *at).collect();
        let degrees = within(axis, DEGREES);
        kept.retain(|at| !degrees.contains(at));
        kept
    };
    let all = [projected(&axes[0]), projected(&axes[1])];
    let both = |keeps: &dyn Fn(&usize) -> bool| {
        let kept = all.each_ref().map(|axis| axis.iter().copied().filter(keeps).collect::<Vec<usize>>());
        (!kept[0].is_empty() && !kept[1].is_empty()).then(|| kept.concat())
    };
    let by_file = declared.filter(|epsg| KNOWN.iter().any(|(known, _)| known == epsg));
    let by_file = by_file.and_then(|epsg| Some((Some(epsg), both(&are_shapes)?)));
    let by_name = || {
        let mut named = columns.iter().filter(|column| column.place.is_some());
        let epsg = named.find_map(|column| system_named(&column.source))?;
        Some((Some(epsg), both(&|at| system_named(&columns[*at].source) == Some(epsg))?))
    };
    // What a file declares is about its shapes alone, and surer than the size of their numbers.
    let of_shapes = found.as_ref().is_none_or(|(_, kept)| kept.iter().any(are_shapes));
    let found = by_file.filter(|_| of_shapes).or(found).or_else(by_name);
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
        Proposal {
            source: name.clone(),
            name,
            guess: Guess::Text,
            personal: false,
            place: Some(place),
            unique: false,
            misfits: 0,
        }
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
        assert_eq!(settle(&mut columns, None, cells), epsg);
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
        assert_eq!(settle(&mut columns, None, cells), None);
        assert_eq!(columns.map(|column| column.place.is_some()), [true, true, false, false]);
        let mut half = [column("lon", LONGITUDE)];
        assert_eq!(settle(&mut half, None, cells), None);
        assert_eq!(half[0].place, None);
    }

    #[rstest]
    #[case::plain("x", Some(LONGITUDE), None)]
    #[case::lambert_93("X_L93", Some(LONGITUDE), Some(2154))]
    #[case::lambert_93_in_one_word("yl93", Some(LATITUDE), Some(2154))]
    #[case::lambert_93_first("Lambert 93 Y", Some(LATITUDE), Some(2154))]
    #[case::a_coordinate("coord_x_rgf93", Some(LONGITUDE), Some(2154))]
    #[case::lambert_2("y lambert ii étendu", Some(LATITUDE), Some(27_572))]
    #[case::a_zone("X CC46", Some(LONGITUDE), Some(3946))]
    #[case::degrees("lon_wgs84", Some(LONGITUDE), None)]
    #[case::a_word("est", None, None)]
    #[case::both("xy lambert", None, None)]
    fn names_of_coordinates_tell_the_axis_and_the_system(
        #[case] name: &str,
        #[case] place: Option<&str>,
        #[case] system: Option<u16>,
    ) {
        assert_eq!((place_of(name), system_named(name)), (place, system));
    }

    #[test]
    fn what_a_file_declares_for_its_shapes_is_taken() {
        let shapes = || [column("geometry.longitude", LONGITUDE), column("geometry.latitude", LATITUDE)];
        let cells =
            |column: &Proposal| vec![if column.name.ends_with("longitude") { "1652000" } else { "5180000" }.to_owned()];
        assert_eq!(settle(&mut shapes(), None, cells), None);
        assert_eq!(settle(&mut shapes(), Some(9999), cells), None, "no pipeline can name it");
        let mut columns = shapes();
        assert_eq!(settle(&mut columns, Some(3946), cells), Some(3946));
        assert!(columns.iter().all(|column| column.place.is_some()));
    }

    #[test]
    fn what_the_names_of_columns_say_is_taken_where_their_numbers_say_nothing() {
        let mut columns = [column("x_cc46", LONGITUDE), column("y_cc46", LATITUDE)];
        let cells =
            |column: &Proposal| vec![if column.name.starts_with('x') { "1652000" } else { "5180000" }.to_owned()];
        assert_eq!(settle(&mut columns, None, cells), Some(3946));
        assert!(columns.iter().all(|column| column.place.is_some()));
    }
}
