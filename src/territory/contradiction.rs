//! When an INSEE code and what stands beside it name two places.
//!
//! Codes are mostly written by a geocoder, postal codes and names by people, and either may be wrong. The code is not
//! believed before it was held against the rest:
//!
//! - postal code and name that agree on another commune, or a name within another département that the row names, are
//!   preferred, unless the point is nearer to the code's commune;
//! - a département (or région) that the row names, and its point in it, out of reach of the code's commune, refute the
//!   code: the row is placed in that département;
//! - whatever else does not agree is undecided: the code stands, with less confidence.
//!
//! Each of them is told in the corrections.

use super::cog::{Cog, Departement};
use super::fold::fold;
use super::lookup::{Asked, Found, POSTAL_AND_NAME, correct, insee_code, text};
use super::names::Name;
use super::position::{OUTLINE_KM, Point, haversine_km, in_france, reach_km};
use super::{Correction, Method, PlaceInput, rule};

/// Taken off what was preferred to the code, in hundredths.
const AGAINST_CODE: u8 = 20;
/// Confidence in a code that something contradicts.
const DOUBTED: u8 = 60;

/// What is left once the code was held against the rest.
pub(super) struct Weighed {
    /// The commune; none when the code was refuted and no other commune is named.
    pub(super) found: Option<Found>,
    /// Taken off the confidence in what the row is placed in instead, in hundredths.
    pub(super) less: u8,
}

/// Whom a witness speaks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Code,
    Other,
    Neither,
}

/// The code's commune, and what may be said of it.
struct Accused<'a> {
    /// Row of the commune of today.
    own: u32,
    /// Départements of the code, of yesterday and of today.
    mine: Vec<usize>,
    asked: &'a Asked,
    point: Option<Point>,
}

impl Cog {
    /// Holds the commune of a code against postal code, name, département and point of its row.
    pub(super) fn weigh(
        &self,
        found: Found,
        asked: &Asked,
        input: &PlaceInput<'_>,
        corrections: &mut Vec<Correction>,
    ) -> Weighed {
        let own = self.row(found.row).today();
        let code = text(input.insee).unwrap_or_default();
        let mut mine = insee_code(code).map(|code| self.departements_of_insee(code.as_str())).unwrap_or_default();
        mine.extend([found.row, own].iter().filter_map(|row| self.departement_at(self.row(*row).departement())));
        mine.sort_unstable();
        mine.dedup();
        let point = input.longitude.zip(input.latitude);
        let point = point.and_then(|(x, y)| [(x, y), (y, x)].into_iter().find(|point| in_france(*point)));
        let accused = Accused { own, mine, asked, point };
        let stated = self.stated(&accused);
        let elsewhere = !stated.is_empty() && !stated.iter().any(|at| accused.mine.contains(at));
        let misnamed = asked.name.as_ref().is_some_and(|name| !self.is_named(&accused, name));
        if !elsewhere && !misnamed {
            return Weighed { found: Some(found), less: 0 };
        }
        if let Some((row, less)) = self.other(&accused, &stated, elsewhere, misnamed) {
            if self.is_preferred(&accused, row) {
                corrections.clear();
                correct(corrections, rule::INSEE_REFUTED, code, self.row(self.row(row).today()).code());
                let method = if asked.postal.is_some() { Method::CodePostalEtNom } else { Method::NomEtDepartement };
                let confidence = POSTAL_AND_NAME - AGAINST_CODE - less;
                return Weighed { found: Some(Found { row, method, confidence }), less: 0 };
            }
            return self.doubted(found, input, corrections);
        }
        if elsewhere && self.is_refuted(&accused, &stated) {
            corrections.clear();
            correct(corrections, rule::INSEE_REFUTED, code, "");
            return Weighed { found: None, less: AGAINST_CODE };
        }
        if elsewhere || (misnamed && self.is_name_of_another(&accused, found.method)) {
            return self.doubted(found, input, corrections);
        }
        Weighed { found: Some(found), less: 0 }
    }

    fn doubted(&self, found: Found, input: &PlaceInput<'_>, corrections: &mut Vec<Correction>) -> Weighed {
        let given = [input.postal, input.commune, input.departement.or(input.region)];
        let given: Vec<&str> = given.into_iter().filter_map(text).collect();
        correct(corrections, rule::INSEE_DOUBTED, &given.join(" "), self.row(self.row(found.row).today()).code());
        Weighed { found: Some(Found { confidence: DOUBTED.min(found.confidence), ..found }), less: 0 }
    }

    /// Départements that the row states beside its code: by name, by région, else by a postal code that the code's
    /// commune does not have.
    fn stated(&self, accused: &Accused<'_>) -> Vec<usize> {
        let asked = accused.asked;
        match asked.postal {
            _ if !asked.departements.is_empty() => asked.departements.clone(),
            Some((postal, false)) if !self.rows_of_postal(postal).any(|row| self.row(row).today() == accused.own) => {
                self.departements_of_postal(postal)
            }
            _ => Vec::new(),
        }
    }

    /// Whether a name is that of the code's commune, or of a part of it.
    fn is_named(&self, accused: &Accused<'_>, name: &Name) -> bool {
        let mut rows = accused.mine.iter().flat_map(|at| self.names(*at).find(name));
        rows.any(|(_, row)| self.row(row).today() == accused.own)
    }

    /// Another commune that the rest of the row agrees on.
    fn other(&self, accused: &Accused<'_>, stated: &[usize], elsewhere: bool, misnamed: bool) -> Option<(u32, u8)> {
        let name = accused.asked.name.as_ref().filter(|_| misnamed)?;
        let by_both = accused.asked.postal.and_then(|(postal, _)| self.named_with_postal(name, postal));
        let within = || if elsewhere { self.named_within(name, stated) } else { None };
        by_both.or_else(within).filter(|(row, _)| self.row(*row).today() != accused.own)
    }

    /// Whether another commune is believed rather than the code's.
    fn is_preferred(&self, accused: &Accused<'_>, other: u32) -> bool {
        let departement = self.departement_at(self.row(self.row(other).today()).departement());
        let named = &accused.asked.named;
        let said = |at: &usize| named.contains(at);
        let by_departement = match (departement.is_some_and(|at| said(&at)), accused.mine.iter().any(said)) {
            (true, false) => Side::Other,
            (false, true) => Side::Code,
            _ => Side::Neither,
        };
        match (self.side_of_point(accused, other), by_departement) {
            (Side::Other, _) | (Side::Neither, Side::Other | Side::Neither) => true,
            (Side::Neither, Side::Code) => false,
            // Two neighbours: the code and the point are of one hand, and all that people wrote speaks against them.
            (Side::Code, by_departement) => {
                by_departement == Side::Other && self.away_km(accused.point, other).is_some_and(|km| km <= NEIGHBOUR_KM)
            }
        }
    }

    fn side_of_point(&self, accused: &Accused<'_>, other: u32) -> Side {
        let within = |row: u32| {
            let reach = reach_km(self.departement(self.row(row).departement()));
            self.away_km(accused.point, row).filter(|km| *km <= reach)
        };
        match (within(accused.own), within(other)) {
            (own, Some(other)) if own.is_none_or(|own| other < own) => Side::Other,
            (Some(_), _) => Side::Code,
            _ => Side::Neither,
        }
    }

    /// Distance of a point to the centre of a row.
    fn away_km(&self, point: Option<Point>, row: u32) -> Option<f64> {
        Some(haversine_km(point?, self.row(row).centre()?))
    }

    /// Whether the point is in a stated département, and out of reach of the code's commune.
    fn is_refuted(&self, accused: &Accused<'_>, stated: &[usize]) -> bool {
        let Some(point) = accused.point else { return false };
        let departement: Option<&Departement> = self.departement(self.row(accused.own).departement());
        if self.away_km(accused.point, accused.own).is_none_or(|km| km <= reach_km(departement)) {
            return false;
        }
        let outlines = stated.iter().filter_map(|at| self.outlines().get(self.departements()[*at].code()));
        outlines.into_iter().any(|outline| outline.is_near(point, OUTLINE_KM))
    }

    /// Whether the name is that of another commune: of one of the code's own département, else of any in France. A quarter
    /// often bears the name of some commune far away: where postal code, département or point stand by the code, only a
    /// name that one commune alone bears speaks against it. An abolished commune has its name nowhere any more.
    fn is_name_of_another(&self, accused: &Accused<'_>, method: Method) -> bool {
        let Some(name) = accused.asked.name.as_ref().filter(|_| method == Method::CodeInsee) else { return false };
        if let Some((row, _)) = self.named_within(name, &accused.mine) {
            return self.row(row).today() != accused.own;
        }
        match self.bearers(name).as_slice() {
            [] => false,
            // `Cesson` for Cesson-Sévigné, though there is a Cesson elsewhere.
            _ if self.is_short_for(name, accused.own) => false,
            [_] => true,
            _ => !self.is_backed(accused),
        }
    }

    /// Whether a name is the beginning of that of a commune, or begins with it.
    fn is_short_for(&self, name: &Name, row: u32) -> bool {
        let own = fold(self.row(row).nom());
        let begins = |whole: &str, start: &str| whole.strip_prefix(start).is_some_and(|rest| rest.starts_with(' '));
        begins(&own, &name.folded) || begins(&name.folded, &own)
    }

    /// Whether something beside the code says that the row is where the code is.
    fn is_backed(&self, accused: &Accused<'_>) -> bool {
        let asked = accused.asked;
        let by_postal = asked
            .postal
            .is_some_and(|(postal, _)| self.rows_of_postal(postal).any(|row| self.row(row).today() == accused.own));
        let by_departement = asked.departements.iter().any(|at| accused.mine.contains(at));
        let reach = reach_km(self.departement(self.row(accused.own).departement()));
        by_postal || by_departement || self.away_km(accused.point, accused.own).is_some_and(|km| km <= reach)
    }
}

/// How far from the centre of a commune a point may be that a geocoder put into its neighbour, in km.
const NEIGHBOUR_KM: f64 = 10.0;
