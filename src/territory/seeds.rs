//! Where the official geography comes from: the project's `seeds/cog/`, or the copy in the program.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Cog, TerritoryError, outline};

/// A file of the geography, as it is in the program.
macro_rules! shipped {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../seeds/cog/", $name)).as_slice())
    };
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
