//! Where a row is: the commune of today behind the codes and names that a source wrote, and a point for it.
//!
//! [`Cog`] holds the official geography (code officiel géographique). [`Cog::locate`] tries, in this order: the INSEE
//! code, the postal code with the name, the name with the département, the postal code alone. It never guesses between
//! homonyms, and holds a code against what stands beside it. It then checks the source's own point against the commune
//! and falls back to the commune's centre.
//!
//! Nothing here reads the network or a clock: the same seeds and the same input give the same [`Placement`]. What a
//! geocoder answered is such an input; `geocode.rs` says which of its answers are good enough.

mod angle;
mod cog;
pub mod columns;
mod contradiction;
mod crs;
mod error;
mod fold;
pub mod geocode;
mod level;
mod lookup;
mod names;
mod outline;
mod position;
mod seeds;
mod table;

pub use cog::{Cog, Commune, Departement, Epci, Kind, Region};
pub use crs::to_wgs84;
pub use error::TerritoryError;
pub use fold::fold;
pub use level::Level;
pub use position::haversine_km;
pub use seeds::{SeedFile, Seeds, shipped_outlines};

/// What a source says about a place. Texts may be blank, which is the same as absent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PlaceInput<'a> {
    /// INSEE code of the commune: of today, of an arrondissement, delegated or abolished.
    pub insee: Option<&'a str>,
    /// Postal code, CEDEX codes included.
    pub postal: Option<&'a str>,
    /// Name of the commune, in any spelling, HTML entities decoded.
    pub commune: Option<&'a str>,
    /// Code or name of the département.
    pub departement: Option<&'a str>,
    /// Code or name of the région.
    pub region: Option<&'a str>,
    /// WGS 84, degrees.
    pub longitude: Option<f64>,
    /// WGS 84, degrees.
    pub latitude: Option<f64>,
}

/// Where a row was found to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement<'a> {
    /// The commune of today; its kind is always [`Kind::Commune`].
    pub commune: Option<&'a Commune>,
    /// The arrondissement of Paris, Lyon or Marseille, when it is known.
    pub arrondissement: Option<&'a Commune>,
    /// The département, of the commune or alone.
    pub departement: Option<&'a Departement>,
    /// The région, of the commune, of the département or alone.
    pub region: Option<&'a Region>,
    /// What the row is placed in. Only a commune gives it a point that the source does not have.
    pub level: Level,
    /// How the commune was found.
    pub method: Method,
    /// How sure that is, from 0 to 1; 0 without a commune.
    pub confidence: f64,
    /// WGS 84, degrees; absent exactly when `position` is [`PositionOrigin::Aucune`].
    pub longitude: Option<f64>,
    /// WGS 84, degrees.
    pub latitude: Option<f64>,
    /// Where the point comes from.
    pub position: PositionOrigin,
    /// Great-circle distance in km from the source's own point (axes put right) to the centre of the arrondissement,
    /// the delegated commune or the commune, also when the point was refused for being too far.
    pub distance_km: Option<f64>,
    /// What was put right on the way, in the order in which it was done.
    pub corrections: Vec<Correction>,
}

/// Something that was put right by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// Stable code of the rule, one of [`rule`].
    pub rule: &'static str,
    /// As the source wrote it.
    pub before: String,
    /// As it is used; empty when the value was left out.
    pub after: String,
}

/// Codes of the rules behind [`Correction::rule`].
pub mod rule {
    /// The INSEE code had lost its leading zero, or had a lower-case `a` or `b`.
    pub const INSEE_FORM: &str = "code_insee_forme";
    /// A delegated, associated or abolished code gave way to today's.
    pub const FORMER_CODE: &str = "ancien_code";
    /// The INSEE code gave way to postal code, name, département and point, which agree on another place.
    pub const INSEE_REFUTED: &str = "code_insee_contredit";
    /// Something in the row contradicts the INSEE code, which stands: a suspicious place, for a person to look at.
    pub const INSEE_DOUBTED: &str = "code_insee_douteux";
    /// The postal code had lost its leading zero, or something stood beside it.
    pub const POSTAL_FORM: &str = "code_postal_forme";
    /// It is no French postal code: foreign, of another length, or the INSEE code of the commune.
    pub const POSTAL_UNREADABLE: &str = "code_postal_illisible";
    /// `CEDEX` and what follows was left out of the name.
    pub const CEDEX: &str = "cedex";
    /// Longitude and latitude were in each other's place.
    pub const SWAPPED: &str = "coordonnees_inversees";
    /// The point was 0, 0.
    pub const NULL_POINT: &str = "coordonnees_nulles";
    /// The point was not on Earth, or, without a commune, not in France.
    pub const OUT_OF_RANGE: &str = "coordonnees_hors_limites";
    /// The point was too far from the commune.
    pub const FAR_POINT: &str = "coordonnees_eloignees";
    /// The sign of the longitude or of the latitude was wrong.
    pub const WRONG_SIGN: &str = "signe_inverse";
    /// The point was in the sea, or in another country.
    pub const OFF_SHORE: &str = "coordonnees_hors_de_france";
    /// The point was in another département than the commune.
    pub const OTHER_DEPARTEMENT: &str = "coordonnees_autre_departement";
    /// The coordinates were written in degrees, minutes and seconds, or with a letter for the hemisphere.
    pub const SEXAGESIMAL: &str = "coordonnees_sexagesimales";
    /// The coordinates cannot be read, or there is one only.
    pub const UNREADABLE_POINT: &str = "coordonnees_illisibles";
    /// A région of before 2016 gave way to today's.
    pub const FORMER_REGION: &str = "ancienne_region";
}

/// How a commune was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// An INSEE code of today, arrondissements included.
    CodeInsee,
    /// The INSEE code of a delegated, associated or abolished commune.
    AncienCode,
    /// The postal code and the name together.
    CodePostalEtNom,
    /// The name, within a département.
    NomEtDepartement,
    /// A postal code of one commune only.
    CodePostalSeul,
    /// A département was named, and no commune or none that fits.
    DepartementSeul,
    /// The first digits of a postal code, beside no commune or none that fits.
    DepartementParCodePostal,
    /// A région was named, and no département or none that fits.
    RegionSeule,
    /// A point was given, and neither a code nor a name.
    PointSeul,
    /// A name was given and nothing that tells its département; one commune in France bears it.
    NomSansDepartement,
    /// The same, and several communes bear it.
    Homonymes,
    /// Something was given, and no commune fits.
    Introuvable,
    /// Neither a code, a name nor a point was given.
    NonRenseigne,
}

impl Method {
    /// Stable code, as published.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CodeInsee => "code_insee",
            Self::AncienCode => "ancien_code",
            Self::CodePostalEtNom => "code_postal_et_nom",
            Self::NomEtDepartement => "nom_et_departement",
            Self::CodePostalSeul => "code_postal_seul",
            Self::DepartementSeul => "departement_seul",
            Self::DepartementParCodePostal => "departement_par_code_postal",
            Self::RegionSeule => "region_seule",
            Self::PointSeul => "point_seul",
            Self::NomSansDepartement => "nom_sans_departement",
            Self::Homonymes => "homonymes",
            Self::Introuvable => "introuvable",
            Self::NonRenseigne => "non_renseigne",
        }
    }
}

/// Where a point comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PositionOrigin {
    /// The source's own point.
    Source,
    /// The source's own point, axes put right.
    SourceInversee,
    /// The source's own point, signs put right.
    SourceCorrigee,
    /// The centre of the arrondissement, the delegated commune or the commune.
    CentreCommune,
    /// There is no point.
    Aucune,
}

impl PositionOrigin {
    /// Stable code, as published.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::SourceInversee => "source_inversee",
            Self::SourceCorrigee => "source_corrigee",
            Self::CentreCommune => "centre_commune",
            Self::Aucune => "aucune",
        }
    }
}
