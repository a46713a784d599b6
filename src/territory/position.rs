//! The point of a row: the source's own when it stands the test, else the centre of the commune.

use super::cog::{Cog, Departement};
use super::rule;
use super::{Correction, PlaceInput, PositionOrigin};

/// Mean radius of the Earth, km (IUGG: (2a + b) / 3 of GRS 80).
const EARTH_KM: f64 = 6371.0088;

/// Boxes around the inhabited parts of France: west, south, east, north.
const FRANCE: [(f64, f64, f64, f64); 9] = [
    (-5.3, 41.2, 9.8, 51.3),        // mainland and Corsica
    (-63.3, 14.2, -60.7, 18.3),     // Guadeloupe, Martinique, Saint-Martin, Saint-Barthélemy
    (-54.8, 2.0, -51.4, 6.0),       // Guyane
    (55.0, -21.6, 56.0, -20.7),     // La Réunion
    (44.9, -13.2, 45.4, -12.5),     // Mayotte
    (-56.7, 46.6, -56.0, 47.3),     // Saint-Pierre-et-Miquelon
    (158.0, -23.5, 172.5, -17.5),   // Nouvelle-Calédonie
    (-155.0, -28.0, -134.0, -7.5),  // Polynésie française
    (-178.5, -14.7, -175.8, -12.9), // Wallis-et-Futuna
];

/// A point: WGS 84, degrees, longitude first.
pub(super) type Point = (f64, f64);

/// The point of a row, where it comes from, and how far the source's own was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Position {
    pub(super) point: Option<Point>,
    pub(super) origin: PositionOrigin,
    pub(super) distance_km: Option<f64>,
}

/// Great-circle distance in km between two points in degrees: the haversine formula (R. W. Sinnott, "Virtues of the
/// haversine", Sky and Telescope 68, 1984) on a sphere, within 0.5 % of the ellipsoid.
pub fn haversine_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let half_sine = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
    let cosines = from.1.to_radians().cos() * to.1.to_radians().cos();
    let h = half_sine(from.1, to.1) + cosines * half_sine(from.0, to.0);
    2.0 * EARTH_KM * h.sqrt().min(1.0).asin()
}

/// How far from its centre a point of a commune may be, in km. The largest commune of the mainland, Arles, reaches
/// 26 km from its centre; those of Guyane, up to 18,000 km², reach further.
pub(super) fn reach_km(departement: Option<&Departement>) -> f64 {
    if departement.is_some_and(|departement| departement.code() == "973") { 200.0 } else { 30.0 }
}

fn on_earth((longitude, latitude): Point) -> bool {
    longitude.abs() <= 180.0 && latitude.abs() <= 90.0
}

pub(super) fn in_france(point: Point) -> bool {
    FRANCE.iter().any(|within| is_within(point, within))
}

fn written(point: Option<Point>) -> String {
    point.map(|(longitude, latitude)| format!("{longitude},{latitude}")).unwrap_or_default()
}

/// A point this near to its commune's centre needs no other look, in km.
const NEAR_KM: f64 = 5.0;
/// How far from its simplified outline a département may reach, in km.
pub(super) const OUTLINE_KM: f64 = 5.0;

/// Why a point that is near enough to its commune, or has none, is refused all the same: it is outside of the
/// département, or of France.
fn doubt(cog: &Cog, point: Point, near: bool, departement: Option<&Departement>) -> Option<&'static str> {
    if near {
        return None;
    }
    let outlines = cog.outlines();
    let own = departement.and_then(|departement| outlines.get(departement.code()));
    if own.map_or(outlines.is_empty() || departement.is_some(), |own| own.is_near(point, OUTLINE_KM)) {
        return None;
    }
    let on_land = outlines.values().any(|outline| outline.is_near(point, OUTLINE_KM));
    // Saint-Pierre-et-Miquelon and the Pacific have no outline here.
    let drawn = FRANCE.iter().take(OUTLINED).any(|within| is_within(point, within));
    match (own, on_land) {
        (Some(_), true) => Some(rule::OTHER_DEPARTEMENT),
        (Some(_), false) => Some(rule::OFF_SHORE),
        (None, false) if drawn => Some(rule::OFF_SHORE),
        (None, _) => None,
    }
}

/// How many of the boxes of [`FRANCE`] have outlines.
const OUTLINED: usize = 5;

fn is_within((longitude, latitude): Point, (west, south, east, north): &(f64, f64, f64, f64)) -> bool {
    (*west..=*east).contains(&longitude) && (*south..=*north).contains(&latitude)
}

/// Chooses the point of a row. `centre` is the centre of the commune that was found, `departement` its département.
pub(super) fn choose(
    cog: &Cog,
    input: &PlaceInput<'_>,
    centre: Option<Point>,
    departement: Option<&Departement>,
    corrections: &mut Vec<Correction>,
) -> Position {
    let fallback = match centre {
        Some(_) => Position { point: centre, origin: PositionOrigin::CentreCommune, distance_km: None },
        None => Position { point: None, origin: PositionOrigin::Aucune, distance_km: None },
    };
    let Some(given) = input.longitude.zip(input.latitude) else { return fallback };
    let mut correct =
        |rule, after| corrections.push(Correction { rule, before: written(Some(given)), after: written(after) });
    if given.0.abs() < 1e-6 && given.1.abs() < 1e-6 {
        correct(rule::NULL_POINT, centre);
        return fallback;
    }
    let swapped = (given.1, given.0);
    let distance = |point| centre.filter(|_| on_earth(point)).map(|centre| haversine_km(point, centre));
    let fits = |point| match centre {
        Some(_) => distance(point).is_some_and(|km| km <= reach_km(departement)),
        None => in_france(point),
    };
    let doubtful = |point| doubt(cog, point, distance(point).is_some_and(|km| km <= NEAR_KM), departement);
    if fits(given) {
        let distance_km = distance(given);
        return match doubtful(given) {
            None => Position { point: Some(given), origin: PositionOrigin::Source, distance_km },
            Some(rule) => {
                correct(rule, centre);
                Position { distance_km, ..fallback }
            }
        };
    }
    if fits(swapped) && doubtful(swapped).is_none() {
        correct(rule::SWAPPED, Some(swapped));
        let distance_km = distance(swapped);
        return Position { point: Some(swapped), origin: PositionOrigin::SourceInversee, distance_km };
    }
    let turned = [(-given.0, given.1), (given.0, -given.1), (-given.1, given.0), (given.1, -given.0)];
    if let Some(point) = turned.into_iter().find(|point| centre.is_some() && fits(*point) && doubtful(*point).is_none())
    {
        correct(rule::WRONG_SIGN, Some(point));
        let distance_km = distance(point);
        return Position { point: Some(point), origin: PositionOrigin::SourceCorrigee, distance_km };
    }
    let distance_km = distance(given);
    correct(if distance_km.is_some() { rule::FAR_POINT } else { rule::OUT_OF_RANGE }, centre);
    Position { distance_km, ..fallback }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::territory::Seeds;

    fn cog() -> &'static Cog {
        static COG: std::sync::OnceLock<Cog> = std::sync::OnceLock::new();
        COG.get_or_init(|| Seeds::of(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).cog().unwrap())
    }

    const RENNES: Option<Point> = Some((-1.68186, 48.11158));

    #[rstest]
    #[case::paris_to_marseille((2.3522, 48.8566), (5.3698, 43.2965), 660.5)]
    #[case::nowhere((2.0, 47.0), (2.0, 47.0), 0.0)]
    #[case::one_degree_of_latitude((0.0, 45.0), (0.0, 46.0), 111.195)]
    #[case::antipodes((0.0, 0.0), (180.0, 0.0), 20_015.115)]
    fn distances_are_in_kilometres(#[case] from: Point, #[case] to: Point, #[case] km: f64) {
        assert!((haversine_km(from, to) - km).abs() < 0.1, "{}", haversine_km(from, to));
    }

    #[rstest]
    #[case::own_point((-1.68, 48.12), RENNES, "source", None, true)]
    #[case::swapped((48.12, -1.68), RENNES, "source_inversee", Some(rule::SWAPPED), true)]
    #[case::far((2.35, 48.85), RENNES, "centre_commune", Some(rule::FAR_POINT), true)]
    #[case::wrong_hemisphere((1.68, 48.12), RENNES, "source_corrigee", Some(rule::WRONG_SIGN), true)]
    #[case::swapped_and_turned((48.12, 1.68), RENNES, "source_corrigee", Some(rule::WRONG_SIGN), true)]
    #[case::zero((0.0, 0.0), RENNES, "centre_commune", Some(rule::NULL_POINT), false)]
    #[case::lambert_93((352_000.0, 6_789_000.0), RENNES, "centre_commune", Some(rule::OUT_OF_RANGE), false)]
    #[case::not_a_number((f64::NAN, 48.12), RENNES, "centre_commune", Some(rule::OUT_OF_RANGE), false)]
    #[case::infinite((f64::INFINITY, 48.12), RENNES, "centre_commune", Some(rule::OUT_OF_RANGE), false)]
    #[case::no_commune_in_france((-1.68, 48.12), None, "source", None, false)]
    #[case::no_commune_swapped((48.12, -1.68), None, "source_inversee", Some(rule::SWAPPED), false)]
    #[case::no_commune_in_noumea((166.44, -22.27), None, "source", None, false)]
    #[case::no_commune_in_brazil((-43.2, -22.9), None, "aucune", Some(rule::OUT_OF_RANGE), false)]
    fn points_are_tested(
        #[case] (longitude, latitude): Point,
        #[case] centre: Option<Point>,
        #[case] origin: &str,
        #[case] corrected: Option<&str>,
        #[case] measured: bool,
    ) {
        let input = PlaceInput { longitude: Some(longitude), latitude: Some(latitude), ..PlaceInput::default() };
        let mut corrections = Vec::new();
        let position = choose(cog(), &input, centre, centre.and(cog().departement("35")), &mut corrections);
        assert_eq!(position.origin.as_str(), origin);
        assert_eq!(corrections.first().map(|c| c.rule), corrected);
        assert_eq!(position.distance_km.is_some(), measured);
        assert_eq!(position.point.is_none(), origin == "aucune");
    }

    #[test]
    fn half_a_point_is_no_point() {
        let input = PlaceInput { longitude: Some(-1.68), ..PlaceInput::default() };
        let position = choose(cog(), &input, RENNES, cog().departement("35"), &mut Vec::new());
        assert_eq!((position.point, position.origin), (RENNES, PositionOrigin::CentreCommune));
    }

    #[test]
    fn communes_of_guyane_are_large() {
        let input = PlaceInput { longitude: Some(-54.03), latitude: Some(3.64), ..PlaceInput::default() };
        let position = choose(cog(), &input, Some((-53.42, 2.97)), cog().departement("973"), &mut Vec::new());
        assert_eq!(position.origin, PositionOrigin::Source);
    }
}
