//! Finding the commune of a row from codes and names.

use super::cog::{Cog, Commune, Insee, Kind};
use super::contradiction::Weighed;
use super::fold::fold;
use super::level::{Above, Level};
use super::names::Name;
use super::position;
use super::rule;
use super::{Correction, Method, PlaceInput, Placement};

// Confidence, in hundredths.
const SURE: u8 = 100;
const FORMER: u8 = 95;
pub(super) const POSTAL_AND_NAME: u8 = 95;
const NAME: u8 = 85;
/// The postal code is that of other communes.
const NAME_AGAINST_POSTAL: u8 = 70;
/// The name is in another département than the one that was given.
const NAME_AGAINST_DEPARTEMENT: u8 = 60;
const POSTAL: u8 = 70;
const POSTAL_AGAINST_NAME: u8 = 50;
/// Taken off for a part of a commune, and for a name that is not quite the official one.
const LESS: u8 = 5;

/// The row that was found: a commune of today, an arrondissement, a delegated or associated commune.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) row: u32,
    pub(super) method: Method,
    /// Hundredths.
    pub(super) confidence: u8,
}

/// What is left of an input once it is read.
pub(super) struct Asked {
    /// A postal code of five digits, and whether it had lost its zero.
    pub(super) postal: Option<(u32, bool)>,
    pub(super) name: Option<Name>,
    /// Places of the départements that the input names.
    pub(super) named: Vec<usize>,
    /// The same, or those of the région that it names.
    pub(super) departements: Vec<usize>,
}

pub(super) fn text(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|text| !text.is_empty())
}

impl Cog {
    /// Finds the commune and the point of a row. Never fails: what is not found is said in [`Placement::method`].
    pub fn locate(&self, input: &PlaceInput<'_>) -> Placement<'_> {
        let mut corrections = Vec::new();
        let insee = text(input.insee);
        let asked = self.read(input);
        let Weighed { found, less } = match insee.and_then(|insee| self.by_code(insee, &mut corrections)) {
            Some(found) => self.weigh(found, &asked, input, &mut corrections),
            None => Weighed { found: self.by_name_or_postal(&asked, input, &mut corrections), less: 0 },
        };
        let row = found.map(|found| self.row(found.row));
        let commune = row.map(|row| self.row(row.today()));
        let arrondissement = row.and_then(|row| match row.kind() {
            Kind::Arrondissement => Some(row),
            Kind::Commune => self.arrondissement(row.code(), &asked).map(|row| self.row(row)),
            Kind::Deleguee | Kind::Associee => None,
        });
        // A code that was refuted says nothing of the département either.
        let believed = if less > 0 { PlaceInput { insee: None, ..*input } } else { *input };
        let above = if commune.is_none() { self.above_of(&believed, &asked, &mut corrections) } else { None };
        let departement = commune.and_then(|commune| self.departement(commune.departement()));
        let departement = departement.or_else(|| above.and_then(|above| above.departement));
        let region = departement.and_then(|departement| self.region(departement.region()));
        let region = region.or_else(|| above.and_then(|above| above.region));
        let level = match (commune, departement, region) {
            (Some(_), ..) => Level::Commune,
            (None, Some(_), _) => Level::Departement,
            (None, None, Some(_)) => Level::Region,
            (None, None, None) => Level::Aucun,
        };
        let centre = [arrondissement, row, commune].into_iter().flatten().find_map(Commune::centre);
        let position = position::choose(self, input, centre, departement, &mut corrections);
        let absent = self.absent(&asked, input, position.point.is_some());
        Placement {
            commune,
            arrondissement,
            departement,
            region,
            level,
            method: found.map(|found| found.method).or(above.map(|above| above.method)).unwrap_or(absent),
            confidence: found
                .map(|found| found.confidence)
                .or(above.map(|above| above.confidence.saturating_sub(less)))
                .map_or(0.0, |hundredths| f64::from(hundredths) / 100.0),
            longitude: position.point.map(|(longitude, _)| longitude),
            latitude: position.point.map(|(_, latitude)| latitude),
            position: position.origin,
            distance_km: position.distance_km,
            corrections,
        }
    }

    /// Why a row without any place has none.
    fn absent(&self, asked: &Asked, input: &PlaceInput<'_>, drawn: bool) -> Method {
        let beside =
            [input.insee, input.postal, input.departement, input.region].into_iter().any(|it| text(it).is_some());
        let point = input.longitude.zip(input.latitude).is_some_and(|point| point != (0.0, 0.0));
        if !beside && text(input.commune).is_none() {
            return match (drawn, point) {
                (true, _) => Method::PointSeul,
                (false, true) => Method::Introuvable,
                (false, false) => Method::NonRenseigne,
            };
        }
        match asked.name.as_ref().filter(|_| !beside).map(|name| self.bearers(name).len()) {
            Some(1) => Method::NomSansDepartement,
            Some(2..) => Method::Homonymes,
            Some(0) | None => Method::Introuvable,
        }
    }

    /// Communes of today, in all of France, that bear a name exactly, or else nearly.
    pub(super) fn bearers(&self, name: &Name) -> Vec<u32> {
        let all = (0..self.departements().len()).flat_map(|at| self.names(at).find(name));
        let communes: Vec<(u8, u32)> = all.filter(|(_, row)| self.row(*row).kind() == Kind::Commune).collect();
        let nearest = communes.iter().map(|(far, _)| *far).min();
        communes.into_iter().filter(|(far, _)| Some(*far) == nearest).map(|(_, row)| row).collect()
    }

    /// The postal code of a row on five digits, once its place is known; none when what the source has is none.
    ///
    /// Four digits have lost a zero only where the place says so: else they are those of another country. Five digits of no
    /// commune are those of a CEDEX, unless they are the INSEE code of the row's own commune.
    pub(super) fn postal_of(&self, written: &str, placement: &Placement<'_>) -> Option<String> {
        let (postal, padded) = postal_code(written)?;
        let departement = placement.departement.and_then(|departement| self.departement_at(departement.code()));
        if padded && !departement.is_some_and(|at| self.departements_of_postal(postal).contains(&at)) {
            return None;
        }
        let code = format!("{postal:05}");
        let known = self.rows_of_postal(postal).next().is_some();
        let insee = || self.row_of_code(Insee::new(&code)?).map(|(row, _)| self.row(self.row(row).today()).code());
        let typed = !known && placement.commune.is_some_and(|commune| insee() == Some(commune.code()));
        (!typed).then_some(code)
    }

    /// What is left to say of a row without a commune.
    fn above_of(&self, input: &PlaceInput<'_>, asked: &Asked, corrections: &mut Vec<Correction>) -> Option<Above<'_>> {
        let by_insee = text(input.insee).and_then(insee_code).map(|code| self.departements_of_insee(code.as_str()));
        // Four digits beside a name that is not in France: a Belgian or Swiss postal code.
        let postal = asked.postal.filter(|(_, padded)| !padded || asked.name.is_none());
        let by_postal = postal.map(|(postal, _)| self.departements_of_postal(postal)).unwrap_or_default();
        let by_postal = if by_postal.is_empty() { by_insee.unwrap_or_default() } else { by_postal };
        let region = text(input.region);
        self.above(&asked.named, text(input.departement), region, &by_postal, corrections)
    }

    /// The département of an INSEE code, from its first characters.
    pub(super) fn departements_of_insee(&self, code: &str) -> Vec<usize> {
        let length = if code.starts_with("97") || code.starts_with("98") { 3 } else { 2 };
        code.get(..length).and_then(|code| self.departement_at(code)).into_iter().collect()
    }

    fn read(&self, input: &PlaceInput<'_>) -> Asked {
        let name = text(input.commune).map(Name::parse);
        let leading = name.as_ref().and_then(|name| name.postal).map(|postal| (postal, false));
        let postal = text(input.postal).and_then(postal_code).or(leading);
        let named = text(input.departement).map(|text| self.departements_of(text)).unwrap_or_default();
        let mut departements = named.clone();
        if departements.is_empty()
            && let Some(region) = text(input.region).and_then(|text| self.region_of(text, &mut Vec::new()))
        {
            let within = self.departements().iter().enumerate().filter(|(_, d)| d.region() == region.code());
            departements = within.map(|(at, _)| at).collect();
        }
        Asked { postal, name: name.filter(|name| !name.folded.is_empty()), named, departements }
    }

    fn by_code(&self, text: &str, corrections: &mut Vec<Correction>) -> Option<Found> {
        let code = insee_code(text)?;
        let (row, abolished) = self.row_of_code(code)?;
        if code.as_str() != text {
            correct(corrections, rule::INSEE_FORM, text, code.as_str());
        }
        let commune = self.row(row);
        if !abolished && matches!(commune.kind(), Kind::Commune | Kind::Arrondissement) {
            return Some(Found { row, method: Method::CodeInsee, confidence: SURE });
        }
        correct(corrections, rule::FORMER_CODE, code.as_str(), self.row(commune.today()).code());
        Some(Found { row, method: Method::AncienCode, confidence: FORMER })
    }

    fn by_name_or_postal(
        &self,
        asked: &Asked,
        input: &PlaceInput<'_>,
        corrections: &mut Vec<Correction>,
    ) -> Option<Found> {
        let found = asked.name.as_ref().and_then(|name| self.by_name(name, asked));
        let found = found.or_else(|| self.by_postal(asked))?;
        if let Some((postal, true)) = asked.postal {
            correct(corrections, rule::POSTAL_FORM, text(input.postal).unwrap_or_default(), &format!("{postal:05}"));
        }
        if let (Some(name), Some(raw)) = (&asked.name, text(input.commune))
            && name.cedex
            && found.method != Method::CodePostalSeul
        {
            correct(corrections, rule::CEDEX, raw, self.row(found.row).nom());
        }
        Some(found)
    }

    fn by_name(&self, name: &Name, asked: &Asked) -> Option<Found> {
        let postal = asked.postal.map(|(postal, _)| postal);
        if let Some(postal) = postal
            && let Some((row, less)) = self.named_with_postal(name, postal)
        {
            return Some(Found { row, method: Method::CodePostalEtNom, confidence: POSTAL_AND_NAME - less });
        }
        let known = postal.is_some_and(|postal| self.rows_of_postal(postal).next().is_some());
        let base = if known { NAME_AGAINST_POSTAL } else { NAME };
        let method = Method::NomEtDepartement;
        if let Some((row, less)) = self.named_within(name, &asked.departements) {
            return Some(Found { row, method, confidence: base - less });
        }
        let given = !asked.departements.is_empty();
        let base = if given { NAME_AGAINST_DEPARTEMENT } else { base };
        let nearby = postal.map(|postal| self.departements_of_postal(postal)).unwrap_or_default();
        if let Some((row, less)) = self.named_within(name, &nearby) {
            return Some(Found { row, method, confidence: base - less });
        }
        // "Lyon 3e" says which département it is in; a plain "Paris" does not rule out a hamlet elsewhere.
        if given || postal.is_some() {
            return None;
        }
        let row = self.row_of_number(name.arrondissement?)?;
        Some(Found { row: self.row(row).today(), method, confidence: NAME })
    }

    /// A row whose name this is and whose commune of today has the postal code.
    pub(super) fn named_with_postal(&self, name: &Name, postal: u32) -> Option<(u32, u8)> {
        let today = self.rows_of_postal(postal);
        let mut departements: Vec<usize> =
            today.clone().filter_map(|row| self.departement_at(self.row(row).departement())).collect();
        departements.sort_unstable();
        departements.dedup();
        let found = departements.iter().flat_map(|at| self.names(*at).find(name));
        self.only_one(found.filter(|(_, row)| today.clone().any(|at| at == self.row(*row).today())))
    }

    /// A row whose name this is within some départements.
    pub(super) fn named_within(&self, name: &Name, departements: &[usize]) -> Option<(u32, u8)> {
        self.only_one(departements.iter().flat_map(|at| self.names(*at).find(name)))
    }

    /// The one row that is meant, and what to take off the confidence: of the nearest names the only commune of today,
    /// or else the parts of one and the same commune. Homonyms give nothing.
    fn only_one(&self, found: impl Iterator<Item = (u8, u32)>) -> Option<(u32, u8)> {
        let mut found: Vec<(u8, u32)> = found.collect();
        let nearest = found.iter().map(|(far, _)| *far).min()?;
        found.retain(|(far, _)| *far == nearest);
        let less = if nearest > 0 { LESS } else { 0 };
        let mut communes = found.iter().filter(|(_, row)| self.row(*row).kind() == Kind::Commune);
        match (communes.next(), communes.next()) {
            (Some((_, row)), None) => Some((*row, less)),
            (Some(_), Some(_)) => None,
            (None, _) => {
                let (_, first) = *found.first()?;
                let same = found.iter().all(|(_, row)| self.row(*row).today() == self.row(first).today());
                same.then_some((first, less + LESS))
            }
        }
    }

    /// A postal code of one commune only.
    fn by_postal(&self, asked: &Asked) -> Option<Found> {
        let (postal, padded) = asked.postal?;
        let named = asked.name.is_some();
        if padded && named {
            // Four digits beside a name that is not in France: a Belgian or Swiss postal code.
            return None;
        }
        let mut communes = self.rows_of_postal(postal).map(|row| self.row(row).today());
        let row = communes.next().filter(|first| communes.all(|row| row == *first))?;
        let departement = self.departement_at(self.row(row).departement());
        if !asked.departements.is_empty() && !departement.is_some_and(|at| asked.departements.contains(&at)) {
            return None;
        }
        let confidence = if named { POSTAL_AGAINST_NAME } else { POSTAL };
        Some(Found { row, method: Method::CodePostalSeul, confidence })
    }

    /// The arrondissement of Paris, Lyon or Marseille that the postal code or the name gives; none when they differ.
    fn arrondissement(&self, city: &str, asked: &Asked) -> Option<u32> {
        if !matches!(city, "75056" | "69123" | "13055") {
            return None;
        }
        let within = |row: &u32| {
            let row = self.row(*row);
            row.kind() == Kind::Arrondissement && row.parent() == Some(city)
        };
        let mut rows = asked.postal.into_iter().flat_map(|(postal, _)| self.rows_of_postal(postal)).filter(within);
        let by_postal = rows.next().filter(|_| rows.next().is_none());
        let by_name = asked.name.as_ref().and_then(|name| name.arrondissement);
        let by_name = by_name.and_then(|code| self.row_of_number(code)).filter(within);
        match (by_postal, by_name) {
            (Some(postal), Some(name)) if postal != name => None,
            (postal, name) => postal.or(name),
        }
    }

    fn row_of_number(&self, code: u32) -> Option<u32> {
        self.row_of_code(Insee::new(&code.to_string())?).map(|(row, _)| row)
    }

    /// Départements from a code or a name: `2a`, `1`, `Finistère`, `69 - Rhône`, `Seine St Denis (93)`; `20` is both of
    /// Corsica.
    fn departements_of(&self, text: &str) -> Vec<usize> {
        let folded = fold(text);
        if let Some(at) = self.departement_named(&folded) {
            return vec![at];
        }
        let mut words = folded.split(' ');
        let (first, last) = (words.next(), words.next_back());
        let code = [first, last].into_iter().flatten().find_map(|word| match word {
            "20" => Some(["2A", "2B"].iter().filter_map(|code| self.departement_at(code)).collect()),
            word if word.len() == 1 => self.departement_at(&format!("0{word}")).map(|at| vec![at]),
            word => self.departement_at(&word.to_ascii_uppercase()).map(|at| vec![at]),
        });
        code.unwrap_or_default()
    }

    /// Départements that a postal code can be in, from its first digits.
    pub(super) fn departements_of_postal(&self, postal: u32) -> Vec<usize> {
        let codes: [Option<String>; 2] = match postal / 1000 {
            20 => match postal / 100 {
                200 | 201 => [Some("2A".to_owned()), None],
                202 | 206 => [Some("2B".to_owned()), None],
                _ => [Some("2A".to_owned()), Some("2B".to_owned())],
            },
            97 | 98 => [Some(format!("{:03}", postal / 100)), None],
            _ => [Some(format!("{:02}", postal / 1000)), None],
        };
        codes.iter().flatten().filter_map(|code| self.departement_at(code)).collect()
    }
}

pub(super) fn correct(corrections: &mut Vec<Correction>, rule: &'static str, before: &str, after: &str) {
    corrections.push(Correction { rule, before: before.to_owned(), after: after.to_owned() });
}

/// An INSEE code of five characters: a lost leading zero is put back, `2a` becomes `2A`.
pub(super) fn insee_code(text: &str) -> Option<Insee> {
    match text.len() {
        5 => Insee::new(&text.to_ascii_uppercase()),
        4 if text.bytes().all(|b| b.is_ascii_digit()) => Insee::new(&format!("0{text}")),
        _ => None,
    }
}

/// A postal code at the start of a text (`75012`, `75 012`, `F-75012`, `69421 CEDEX 03`), and whether it had lost its
/// leading zero.
fn postal_code(text: &str) -> Option<(u32, bool)> {
    let text = text.trim_start_matches(['F', 'R', 'f', 'r', '-']);
    let dense: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let digits = dense.bytes().take_while(u8::is_ascii_digit).count();
    let padded = digits == 4 && dense.len() == 4;
    if digits != 5 && !padded {
        return None;
    }
    dense.get(..digits)?.parse().ok().map(|postal| (postal, padded))
}

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
