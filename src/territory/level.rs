//! How far down a row is placed: a commune, a département, a région, or nowhere.

use super::cog::{Cog, Departement, Region};
use super::fold::fold;
use super::rule;
use super::{Correction, Method};

/// What a row is placed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// A commune.
    Commune,
    /// A département and no more.
    Departement,
    /// A région and no more.
    Region,
    /// Nothing.
    Aucun,
}

impl Level {
    /// Stable code, as published.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commune => "commune",
            Self::Departement => "departement",
            Self::Region => "region",
            Self::Aucun => "aucun",
        }
    }
}

/// Names that people write for the régions of today: folded, without the article.
const NAMES: [(&str, &str); 20] = [
    ("paca", "93"),
    ("provence alpes cote dazur", "93"),
    ("sud", "93"),
    ("region sud", "93"),
    ("sud provence alpes cote d azur", "93"),
    ("idf", "11"),
    ("aura", "84"),
    ("ara", "84"),
    ("auvergne et rhone alpes", "84"),
    ("centre", "24"),
    ("cvl", "24"),
    ("bfc", "27"),
    ("bourgogne et franche comte", "27"),
    ("pdl", "52"),
    ("pays de loire", "52"),
    ("hdf", "32"),
    ("occitanie pyrenees mediterranee", "76"),
    ("naq", "75"),
    ("bzh", "53"),
    ("ge", "44"),
];

/// Régions before the reform of 2016, and those of today that they are in (loi n° 2015-29 of 16 January 2015).
const FORMER: [(&str, &str); 16] = [
    ("alsace", "44"),
    ("champagne ardenne", "44"),
    ("lorraine", "44"),
    ("aquitaine", "75"),
    ("limousin", "75"),
    ("poitou charentes", "75"),
    ("auvergne", "84"),
    ("rhone alpes", "84"),
    ("bourgogne", "27"),
    ("franche comte", "27"),
    ("languedoc roussillon", "76"),
    ("midi pyrenees", "76"),
    ("nord pas de calais", "32"),
    ("picardie", "32"),
    ("basse normandie", "28"),
    ("haute normandie", "28"),
];

// Confidence, in hundredths.
const NAMED: u8 = 90;
const BY_POSTAL: u8 = 80;

/// A place above the communes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Above<'a> {
    pub(super) departement: Option<&'a Departement>,
    pub(super) region: Option<&'a Region>,
    pub(super) method: Method,
    /// Hundredths.
    pub(super) confidence: u8,
}

impl Cog {
    /// The région of a code, of a name of today, of one that people use, or of one before 2016.
    pub(super) fn region_of(&self, text: &str, corrections: &mut Vec<Correction>) -> Option<&Region> {
        let folded = fold(text);
        let plain = ["la ", "le ", "region ", "les "].iter().find_map(|word| folded.strip_prefix(word));
        let spellings = [Some(folded.as_str()), plain];
        let matches = |name: &str| spellings.iter().flatten().any(|spelling| *spelling == name);
        let official = self.regions().iter().find(|region| {
            let name = fold(region.nom());
            matches(&name) || name.strip_prefix("la ").is_some_and(matches)
        });
        if let Some(region) = official.or_else(|| self.region(text.trim())) {
            return Some(region);
        }
        if let Some((_, code)) = NAMES.iter().find(|(name, _)| matches(name)) {
            return self.region(code);
        }
        let (_, code) = FORMER.iter().find(|(name, _)| matches(name))?;
        let region = self.region(code)?;
        corrections.push(Correction {
            rule: rule::FORMER_REGION,
            before: text.to_owned(),
            after: region.nom().to_owned(),
        });
        Some(region)
    }

    /// The département or région of a row whose commune was not found.
    pub(super) fn above(
        &self,
        departements: &[usize],
        departement: Option<&str>,
        region: Option<&str>,
        by_postal: &[usize],
        corrections: &mut Vec<Correction>,
    ) -> Option<Above<'_>> {
        let of = |departement: &'_ Departement, method, confidence| {
            let departement = self.departement(departement.code());
            let region = departement.and_then(|departement| self.region(departement.region()));
            Some(Above { departement, region, method, confidence })
        };
        let all = self.departements();
        if let [at] = departements {
            return of(&all[*at], Method::DepartementSeul, NAMED);
        }
        if let [at] = by_postal {
            return of(&all[*at], Method::DepartementParCodePostal, BY_POSTAL);
        }
        if let Some(text) = region {
            if let Some(region) = self.region_of(text, corrections) {
                return Some(Above {
                    departement: None,
                    region: Some(region),
                    method: Method::RegionSeule,
                    confidence: NAMED,
                });
            }
            if let Some(at) = self.departement_named(&fold(text)) {
                return of(&all[at], Method::DepartementSeul, NAMED);
            }
        }
        let region = departement.and_then(|text| self.region_of(text, corrections))?;
        Some(Above { departement: None, region: Some(region), method: Method::RegionSeule, confidence: NAMED })
    }
}
