//! Where the official geography comes from: the project's `seeds/cog/`, or the copy in the program.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Cog, TerritoryError, outline};
use crate::id::{Digest, Hasher};

/// A file of the geography, as it is in the program.
macro_rules! shipped {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../seeds/cog/", $name)).as_slice())
    };
}

/// A file by its name.
pub type SeedFile = (&'static str, Cow<'static, [u8]>);

/// All of them, by name.
const FILES: [(&str, &[u8]); 6] = [
    shipped!("communes.csv"),
    shipped!("departements.csv"),
    shipped!("departements.geojson"),
    shipped!("epci.csv"),
    shipped!("regions.csv"),
    shipped!("regions.geojson"),
];

/// The outlines in the program, GeoJSON: of the départements and of the régions.
pub fn shipped_outlines() -> (&'static [u8], &'static [u8]) {
    let [_, _, (_, departements), _, _, (_, regions)] = FILES;
    (departements, regions)
}

/// The files, in a folder or in the program.
#[derive(Debug, Clone)]
pub struct Seeds {
    folder: Option<PathBuf>,
}

impl Seeds {
    /// Those of a project: its own when it has a `seeds/cog/communes.csv`, else those of the program.
    pub fn of(root: &Path) -> Self {
        let folder = root.join("seeds/cog");
        Self { folder: folder.join("communes.csv").is_file().then_some(folder) }
    }

    /// Those in a folder.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder) }
    }

    /// All files by name, without those that a project does not have.
    pub fn files(&self) -> Result<Vec<SeedFile>, TerritoryError> {
        let mut files = Vec::new();
        for file in FILES {
            match self.read(file) {
                Ok(bytes) => files.push((file.0, bytes)),
                Err(TerritoryError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// Digest of the names and bytes of all files.
    pub fn digest(&self) -> Result<Digest, TerritoryError> {
        let mut hasher = Hasher::default();
        for (name, bytes) in self.files()? {
            hasher.update(format!("{name}\n{}\n", Digest::of(&bytes)).as_bytes());
        }
        Ok(hasher.finish())
    }

    fn read(&self, (name, shipped): (&str, &'static [u8])) -> Result<Cow<'static, [u8]>, TerritoryError> {
        let Some(folder) = &self.folder else { return Ok(Cow::Borrowed(shipped)) };
        let path = folder.join(name);
        fs::read(&path).map(Cow::Owned).map_err(|source| TerritoryError::Unreadable { path, source })
    }

    /// Communes, départements, régions, EPCI.
    pub fn cog(&self) -> Result<Cog, TerritoryError> {
        let (communes, departements) = (self.read(shipped!("communes.csv"))?, self.read(shipped!("departements.csv"))?);
        let (regions, epci) = (self.read(shipped!("regions.csv"))?, self.read(shipped!("epci.csv"))?);
        Ok(Cog::parse(&communes, &departements, &regions, &epci)?.with_outlines(self.clone()))
    }

    /// Outlines of the départements as ISO WKB, by code.
    pub fn departements(&self) -> Result<BTreeMap<String, Vec<u8>>, TerritoryError> {
        outline::wkb("departements.geojson", &self.read(shipped!("departements.geojson"))?)
    }

    /// Outlines of the régions as ISO WKB, by code.
    pub fn regions(&self) -> Result<BTreeMap<String, Vec<u8>>, TerritoryError> {
        outline::wkb("regions.geojson", &self.read(shipped!("regions.geojson"))?)
    }

    /// Outlines of the départements, for asking whether a point is in them.
    pub(super) fn shapes(&self) -> Result<BTreeMap<String, outline::Outline>, TerritoryError> {
        outline::shapes("departements.geojson", &self.read(shipped!("departements.geojson"))?)
    }
}
