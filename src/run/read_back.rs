//! Reading a release back through its public address, as anybody would, and withdrawing it when it is not what was
//! published.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use tracing::error;

use super::error::RunError;
use super::{Job, RunOptions, chain};
use crate::config::pipeline::{HttpSource, SourceKind};
use crate::id::{Digest, Hasher, ReleaseId};
use crate::publish::commit::manifest_of;
use crate::publish::withdraw::{Demand, Stores, withdraw};
use crate::source::{PartInfo, PartSink, SourceError, Validators, connector};

/// What is wrong with a file that was read through the public address.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` has other bytes there than were published")]
struct Differs {
    path: String,
}

/// Takes digests of what is downloaded, and keeps nothing.
#[derive(Debug, Default)]
struct Digests {
    path: String,
    hasher: Hasher,
    found: BTreeMap<String, Digest>,
}

#[async_trait]
impl PartSink for Digests {
    fn known(&self, _name: &str, _url: &str) -> Option<Validators> {
        None
    }

    async fn begin(&mut self, part: PartInfo) -> Result<(), SourceError> {
        (self.path, self.hasher) = (part.name, Hasher::default());
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), SourceError> {
        self.hasher.update(&bytes);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), SourceError> {
        let digest = std::mem::take(&mut self.hasher).finish();
        self.found.insert(std::mem::take(&mut self.path), digest);
        Ok(())
    }

    async fn unchanged(&mut self, _name: &str) -> Result<(), SourceError> {
        Ok(())
    }
}

/// Reads every file of a release through the public address. Withdraws the release when one cannot be read or differs.
pub(super) async fn read_back(
    job: Job<'_>,
    options: &RunOptions,
    stores: Stores<'_>,
    release: &ReleaseId,
    attempt: &str,
) -> Result<(), RunError> {
    let published = |source| RunError::Publish(Box::new(source));
    let manifest = manifest_of(stores.public, &job.pipeline.id, release).await.map_err(published)?;
    let url = format!("{}{}/releases/{release}/", job.project.public_url, job.pipeline.id);
    let expected = manifest.files.iter().map(|file| (file.path.clone(), file.sha256)).collect();
    let Err(source) = compare(&url, &expected, &options.env).await else { return Ok(()) };
    let failure = RunError::ReadBack { release: release.clone(), url, source };
    error!(release.id = %release, "Release {release} is withdrawn: {}", chain(&failure).join(": "));
    let demand = Demand {
        dataset: job.pipeline.id.clone(),
        release: release.clone(),
        reason: "La relecture par l’adresse publique a échoué.".to_owned(),
        attempt: format!("{attempt}-withdraw"),
        at: (options.clock)(),
    };
    withdraw(stores, &demand).await.map_err(published)?;
    Err(failure)
}

async fn compare(
    url: &str,
    expected: &BTreeMap<String, Digest>,
    env: &BTreeMap<String, String>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut parts = Vec::new();
    for path in expected.keys() {
        parts.push((path.clone(), url::Url::parse(url)?.join(path)?.into()));
    }
    let source = SourceKind::Http(HttpSource { parts, ..HttpSource::default() });
    let mut digests = Digests::default();
    connector(&source, env)?.fetch(&mut digests).await?;
    match expected.iter().find(|(path, digest)| digests.found.get(*path) != Some(digest)) {
        Some((path, _)) => Err(Box::new(Differs { path: path.clone() })),
        None => Ok(()),
    }
}
