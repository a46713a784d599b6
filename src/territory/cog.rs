//! The official geography in memory: communes, départements, régions, groupings, and the indices over them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::TerritoryError;
use super::fold;
use super::names::Names;
use super::outline::Outline;
use super::seeds::Seeds;
use super::table::{Code, Record, read};

/// INSEE code of a commune or of a part of one.
pub(super) type Insee = Code<5>;

/// What a row of `communes.csv` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A commune of today.
    Commune,
    /// An arrondissement of Paris, Lyon or Marseille.
    Arrondissement,
    /// A delegated commune: part of a commune of today.
    Deleguee,
    /// An associated commune: part of a commune of today.
    Associee,
}

/// A commune of today, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Commune {
    nom: Box<str>,
    code: Insee,
    departement: Code<3>,
    region: Code<3>,
    epci: Option<Code<9>>,
    parent: Option<Insee>,
    kind: Kind,
    population: Option<u32>,
    centre: Option<(f64, f64)>,
    /// Row of the commune of today: this one, or that of `parent`.
    today: u32,
}

impl Commune {
    /// INSEE code, five characters.
    pub fn code(&self) -> &str {
        self.code.as_str()
    }

    /// Official name, with its article.
    pub fn nom(&self) -> &str {
        &self.nom
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Code of its département.
    pub fn departement(&self) -> &str {
        self.departement.as_str()
    }

    /// Code of its région.
    pub fn region(&self) -> &str {
        self.region.as_str()
    }

    /// SIREN of the grouping that its commune of today belongs to.
    pub fn epci(&self) -> Option<&str> {
        self.epci.as_ref().map(Code::as_str)
    }

    /// INSEE code of the commune that it is a part of; `None` for a commune of today.
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_ref().map(Code::as_str)
    }

    /// Municipal population; unknown for delegated and associated communes.
    pub fn population(&self) -> Option<u32> {
        self.population
    }

    /// A centre inside its territory: WGS 84, degrees.
    pub fn longitude(&self) -> Option<f64> {
        self.centre.map(|(longitude, _)| longitude)
    }

    /// A centre inside its territory: WGS 84, degrees.
    pub fn latitude(&self) -> Option<f64> {
        self.centre.map(|(_, latitude)| latitude)
    }

    pub(super) fn centre(&self) -> Option<(f64, f64)> {
        self.centre
    }

    pub(super) fn today(&self) -> u32 {
        self.today
    }
}

macro_rules! territory {
    ($(#[$doc:meta])* $name:ident($length:literal) { $($(#[$getter_doc:meta])* $getter:ident),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            code: Code<$length>,
            nom: Box<str>,
            $($getter: Box<str>,)*
        }

        impl $name {
            /// Its code.
            pub fn code(&self) -> &str {
                self.code.as_str()
            }

            /// Official name.
            pub fn nom(&self) -> &str {
                &self.nom
            }

            $($(#[$getter_doc])*
            pub fn $getter(&self) -> &str {
                &self.$getter
            })*

            fn read(file: &'static str, header: &'static str, bytes: &[u8]) -> Result<Vec<Self>, TerritoryError> {
                let mut all = Vec::new();
                read(file, header, bytes, |record| {
                    let mut field = 1..;
                    let mut next = || field.next().map(|field| record.get(field)).unwrap_or_default().into();
                    all.push(Self { code: record.code(0)?, nom: next(), $($getter: next(),)* });
                    Ok(())
                })?;
                all.sort_unstable_by_key(|territory| territory.code);
                Ok(all)
            }
        }

        impl HasCode<$length> for $name {
            fn key(&self) -> Code<$length> {
                self.code
            }
        }
    };
}

/// Rows that are kept sorted by code.
trait HasCode<const N: usize> {
    fn key(&self) -> Code<N>;
}

territory!(
    /// A département, or an overseas territory that stands beside them.
    Departement(3) {
        /// Code of its région.
        region,
        /// `metro`, `drom` or `com`.
        zone,
        /// INSEE code of its main town.
        chef_lieu
    }
);
territory!(
    /// A région, or an overseas territory that stands beside them.
    Region(3) {
        /// `metro`, `drom` or `com`.
        zone,
        /// INSEE code of its main town.
        chef_lieu
    }
);
territory!(
    /// A grouping of communes with its own taxes; its code is a SIREN.
    Epci(9) {
        /// `CC`, `CA`, `CU`, `METRO` or `MET69`.
        nature,
        /// Municipal population, as written.
        population
    }
);

fn with_code<'a, const N: usize, T: HasCode<N>>(sorted: &'a [T], code: &str) -> Option<&'a T> {
    let code = Code::new(code)?;
    sorted.binary_search_by_key(&code, HasCode::key).ok().and_then(|at| sorted.get(at))
}

/// The official geography (code officiel géographique) of one year.
pub struct Cog {
    communes: Vec<Commune>,
    departements: Vec<Departement>,
    regions: Vec<Region>,
    epci: Vec<Epci>,
    index: Index,
    departements_by_name: FxHashMap<String, usize>,
    /// Names by département, folded when a département is first asked for.
    names: Vec<OnceLock<Names>>,
    /// Where outlines come from; none without.
    seeds: Option<Seeds>,
    /// Outlines of the départements, read when a point is first doubted.
    outlines: OnceLock<BTreeMap<String, Outline>>,
}

/// Rows of `communes` by what can be asked for.
#[derive(Default)]
struct Index {
    /// By INSEE code of the row; a commune of today comes before its part of the same code.
    codes: FxHashMap<u32, u32>,
    /// By abolished INSEE code.
    former: FxHashMap<u32, u32>,
    /// Postal code in the upper half, row in the lower, in order; communes of today and arrondissements only.
    postal: Vec<u64>,
    /// By place in `departements`.
    departements: Vec<Vec<u32>>,
}

const COMMUNES: &str = "code,nom,type,departement,region,epci,parent,codes_postaux,population,anciens_codes,longitude,\
                        latitude";

impl Cog {
    /// Reads the content of the four files.
    pub fn parse(communes: &[u8], departements: &[u8], regions: &[u8], epci: &[u8]) -> Result<Self, TerritoryError> {
        let departements = Departement::read("departements.csv", "code,nom,region,zone,chef_lieu", departements)?;
        let regions = Region::read("regions.csv", "code,nom,zone,chef_lieu", regions)?;
        let epci = Epci::read("epci.csv", "code,nom,type,population", epci)?;
        let (communes, index) = read_communes(communes, &departements)?;
        let departements_by_name = departements.iter().enumerate().map(|(at, d)| (fold(&d.nom), at)).collect();
        let names = departements.iter().map(|_| OnceLock::new()).collect();
        let (seeds, outlines) = (None, OnceLock::new());
        Ok(Self { communes, departements, regions, epci, index, departements_by_name, names, seeds, outlines })
    }

    /// Doubts points that are far from the outline of their département.
    #[must_use]
    pub(super) fn with_outlines(self, seeds: Seeds) -> Self {
        Self { seeds: Some(seeds), ..self }
    }

    /// Outlines of the départements, by code; empty without [`Cog::with_outlines`], and where they cannot be read.
    pub(super) fn outlines(&self) -> &BTreeMap<String, Outline> {
        self.outlines.get_or_init(|| self.seeds.as_ref().and_then(|seeds| seeds.shapes().ok()).unwrap_or_default())
    }

    /// All rows: communes of today and their parts, by code.
    pub fn communes(&self) -> &[Commune] {
        &self.communes
    }

    /// Départements and the territories beside them, by code.
    pub fn departements(&self) -> &[Departement] {
        &self.departements
    }

    /// Régions and the territories beside them, by code.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Groupings, by SIREN.
    pub fn epci(&self) -> &[Epci] {
        &self.epci
    }

    /// What the holder of an INSEE code is today: a delegated, associated or abolished commune gives the commune that
    /// it is part of, an arrondissement itself. The code is taken as written; [`Cog::locate`] is more forgiving.
    pub fn commune(&self, code: &str) -> Option<&Commune> {
        let row = self.row(self.row_of_code(Insee::new(code)?).map(|(row, _)| row)?);
        if row.kind == Kind::Arrondissement { Some(row) } else { Some(self.row(row.today)) }
    }

    /// A département by its code.
    pub fn departement(&self, code: &str) -> Option<&Departement> {
        with_code(&self.departements, code)
    }

    /// A région by its code.
    pub fn region(&self, code: &str) -> Option<&Region> {
        with_code(&self.regions, code)
    }

    /// A grouping by its SIREN.
    pub fn epci_of(&self, siren: &str) -> Option<&Epci> {
        with_code(&self.epci, siren)
    }

    pub(super) fn row(&self, row: u32) -> &Commune {
        &self.communes[row as usize]
    }

    /// Row of an INSEE code, and whether the code was abolished.
    pub(super) fn row_of_code(&self, code: Insee) -> Option<(u32, bool)> {
        let current = self.index.codes.get(&code.key()).map(|row| (*row, false));
        current.or_else(|| self.index.former.get(&code.key()).map(|row| (*row, true)))
    }

    /// Rows of a postal code: communes of today and arrondissements.
    pub(super) fn rows_of_postal(&self, postal: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        let from = self.index.postal.partition_point(|entry| entry >> 32 < u64::from(postal));
        let rest = self.index.postal.get(from..).unwrap_or_default();
        let same = rest.iter().take_while(move |entry| **entry >> 32 == u64::from(postal));
        same.map(|entry| u32::try_from(entry & u64::from(u32::MAX)).expect("the lower half is 32 bits"))
    }

    /// Place of a département in `departements`, by its code.
    pub(super) fn departement_at(&self, code: &str) -> Option<usize> {
        let code = Code::new(code)?;
        self.departements.binary_search_by_key(&code, |d| d.code).ok()
    }

    /// Place of a département in `departements`, by its folded name.
    pub(super) fn departement_named(&self, folded: &str) -> Option<usize> {
        self.departements_by_name.get(folded).copied()
    }

    /// Names of the communes of a département and of their delegated and associated communes.
    pub(super) fn names(&self, departement: usize) -> &Names {
        self.names[departement].get_or_init(|| {
            let rows = self.index.departements[departement].iter();
            let rows = rows.map(|row| (*row, self.row(*row))).filter(|(_, c)| c.kind != Kind::Arrondissement);
            Names::new(rows.map(|(row, commune)| (row, commune.nom())))
        })
    }
}

impl fmt::Debug for Cog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [self.communes.len(), self.departements.len(), self.regions.len(), self.epci.len()];
        f.debug_struct("Cog").field("communes_departements_regions_epci", &counts).finish_non_exhaustive()
    }
}

fn read_communes(bytes: &[u8], departements: &[Departement]) -> Result<(Vec<Commune>, Index), TerritoryError> {
    // About 70 bytes a row: room for all rows at once.
    let expected = bytes.len() / 64;
    let mut communes: Vec<Commune> = Vec::with_capacity(expected);
    let mut index = Index { departements: vec![Vec::new(); departements.len()], ..Index::default() };
    index.codes.reserve(expected);
    let mut former: Vec<(u32, u32)> = Vec::new();
    read("communes.csv", COMMUNES, bytes, |record| {
        let row = u32::try_from(communes.len()).ok().ok_or_else(|| record.wrong("there are too many lines"))?;
        let commune = read_commune(record, row)?;
        let departement = departements.binary_search_by_key(&commune.departement, |d| d.code).ok();
        index.departements[departement.ok_or_else(|| record.wrong("the département is not known"))?].push(row);
        if commune.kind == Kind::Commune {
            index.codes.insert(commune.code.key(), row);
        } else {
            index.codes.entry(commune.code.key()).or_insert(row);
        }
        for postal in record.list(7) {
            let number = postal.iter().try_fold(0, |number: u64, byte| {
                let digit = byte.wrapping_sub(b'0');
                (digit < 10 && number < 10_000).then(|| number * 10 + u64::from(digit))
            });
            let postal = number.ok_or_else(|| record.wrong("a postal code is not a number of five digits"))?;
            index.postal.push(postal << 32 | u64::from(row));
        }
        for code in record.list(9) {
            let code = Insee::from_bytes(code).ok_or_else(|| record.wrong("an abolished code is not a code"))?;
            former.push((code.key(), row));
        }
        communes.push(commune);
        Ok(())
    })?;
    index.postal.sort_unstable();
    index.former = former.into_iter().collect();
    resolve_parents(&mut communes, &index)?;
    Ok((communes, index))
}

/// Points every part of a commune to the commune.
fn resolve_parents(communes: &mut [Commune], index: &Index) -> Result<(), TerritoryError> {
    for at in 0..communes.len() {
        let Some(parent) = communes[at].parent else { continue };
        let today = index.codes.get(&parent.key()).copied();
        let today = today.filter(|row| communes[*row as usize].kind == Kind::Commune);
        communes[at].today = today.ok_or(TerritoryError::Row {
            file: "communes.csv",
            line: at as u64 + 2,
            reason: "the parent is not a commune of today",
        })?;
    }
    Ok(())
}

fn read_commune(record: &Record<'_>, row: u32) -> Result<Commune, TerritoryError> {
    let kind = match record.get(2) {
        "COM" => Kind::Commune,
        "ARM" => Kind::Arrondissement,
        "COMD" => Kind::Deleguee,
        "COMA" => Kind::Associee,
        _ => return Err(record.wrong("the type is not COM, ARM, COMD or COMA")),
    };
    let parent = record.optional_code(6)?;
    if parent.is_some() == (kind == Kind::Commune) {
        return Err(record.wrong("a commune has a parent, or a part of one has none"));
    }
    Ok(Commune {
        nom: record.get(1).into(),
        code: record.code(0)?,
        departement: record.code(3)?,
        region: record.code(4)?,
        epci: record.optional_code(5)?,
        parent,
        kind,
        population: record.count(8)?,
        centre: record.decimal(10)?.zip(record.decimal(11)?),
        today: row,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn repository() -> std::path::PathBuf {
        std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn the_seeds_are_whole() {
        let cog = Seeds::of(&repository()).cog().unwrap();
        let of = |kind| cog.communes().iter().filter(|commune| commune.kind() == kind).count();
        let kinds = [Kind::Commune, Kind::Arrondissement, Kind::Deleguee, Kind::Associee].map(of);
        assert_eq!(kinds, [34_969, 45, 2_105, 471]);
        assert_eq!((cog.departements().len(), cog.regions().len(), cog.epci().len()), (109, 26, 1_255));
        for commune in cog.communes() {
            assert!(cog.departement(commune.departement()).is_some() && cog.region(commune.region()).is_some());
            assert!(commune.epci().is_none_or(|siren| cog.epci_of(siren).is_some()), "{}", commune.code());
        }
    }

    #[test]
    fn a_row_tells_what_it_is() {
        let cog = Seeds::of(&repository()).cog().unwrap();
        let rennes = cog.commune("35238").unwrap();
        assert_eq!((rennes.nom(), rennes.departement(), rennes.region()), ("Rennes", "35", "53"));
        assert_eq!(cog.epci_of(rennes.epci().unwrap()).unwrap().nom(), "Rennes Métropole");
        assert!(rennes.population().unwrap() > 200_000 && rennes.parent().is_none());
        assert_eq!(
            (cog.departement("2A").unwrap().nom(), cog.region("53").unwrap().nom()),
            ("Corse-du-Sud", "Bretagne")
        );
    }

    #[rstest]
    #[case::today("35238", Some("35238"))]
    #[case::arrondissement("75112", Some("75112"))]
    #[case::delegated("69152", Some("69149"))]
    #[case::abolished("01119", Some("01080"))]
    #[case::unknown("99999", None)]
    #[case::as_written_only("1053", None)]
    fn codes_lead_to_today(#[case] code: &str, #[case] today: Option<&str>) {
        let cog = Seeds::of(&repository()).cog().unwrap();
        assert_eq!(cog.commune(code).map(Commune::code), today);
    }

    #[rstest]
    #[case::kind("01001,A,XXX,01,84,,,,,,,", "the type is not COM, ARM, COMD or COMA")]
    #[case::departement("01001,A,COM,99,84,,,,,,,", "the département is not known")]
    #[case::orphan("01001,A,COMD,01,84,,01002,,,,,", "the parent is not a commune of today")]
    #[case::parent_missing("01001,A,COMD,01,84,,,,,,,", "a commune has a parent, or a part of one has none")]
    #[case::postal_code("01001,A,COM,01,84,,,2A000,,,,", "a postal code is not a number of five digits")]
    #[case::longitude("01001,A,COM,01,84,,,,,,x,46.0", "a number is not a number")]
    #[case::code("010-01,A,COM,01,84,,,,,,,", "a code is empty, too long or not of letters and digits")]
    fn lines_that_do_not_fit_are_refused(#[case] line: &str, #[case] reason: &str) {
        let departements = b"code,nom,region,zone,chef_lieu\n01,Ain,84,metro,01053\n";
        let communes = format!("{COMMUNES}\n{line}\n");
        let cog =
            Cog::parse(communes.as_bytes(), departements, b"code,nom,zone,chef_lieu\n", b"code,nom,type,population\n");
        assert_eq!(cog.unwrap_err().to_string(), format!("line 2 of `communes.csv`: {reason}"));
    }

    #[test]
    fn a_project_without_a_geography_has_that_of_the_program() {
        let cog = Seeds::of(std::path::Path::new("no/such/folder")).cog().unwrap();
        assert_eq!(cog.communes().len(), Seeds::of(&repository()).cog().unwrap().communes().len());
    }
}
