//! Reading a release back through its public address, as anybody would, and withdrawing it when it is not what was
//! published.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tracing::error;

use super::error::RunError;
use super::{Job, RunOptions, chain};
use crate::config::pipeline::{HttpSettings, HttpSource, SourceKind};
use crate::id::{Digest, Hasher, ReleaseId};
use crate::publish::commit::manifest_of;
use crate::publish::withdraw::{Demand, Stores, withdraw};
use crate::source::{HttpFault, PartInfo, PartSink, SourceError, Validators, connector};

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
    let source: Box<dyn std::error::Error + Send + Sync> = match compare(&url, &expected, &options.env).await {
        Ok(None) => return Ok(()),
        Ok(Some(differs)) => Box::new(differs),
        Err(error) if is_gone(&error) => Box::new(error),
        Err(error) => {
            return Err(RunError::ReadBackUnreachable { release: release.clone(), url, source: Box::new(error) });
        }
    };
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

/// Whether the server says that there is no such file. A server that does not answer says nothing about the release.
fn is_gone(error: &SourceError) -> bool {
    matches!(error, SourceError::Download { source: HttpFault::Status { status: 404 | 410, .. }, .. })
}

/// The first file that has other bytes there.
async fn compare(
    url: &str,
    expected: &BTreeMap<String, Digest>,
    env: &BTreeMap<String, String>,
) -> Result<Option<Differs>, SourceError> {
    let base = url::Url::parse(url).expect("a public URL, a dataset and a release make a URL");
    let part = |path: &String| {
        let url = base.join(path).expect("a path of a release can be joined to a URL");
        (path.clone(), url.into())
    };
    // Our own address, wherever it is; pages are among the files.
    let settings = HttpSettings { private_addresses: true, pause: Duration::ZERO, ..HttpSettings::default() };
    let parts = expected.keys().map(part).collect();
    let source = SourceKind::Http(HttpSource { parts, settings, pages: true, ..HttpSource::default() });
    let mut digests = Digests::default();
    connector(&source, env)?.fetch(&mut digests).await?;
    let differs = expected.iter().find(|(path, digest)| digests.found.get(*path) != Some(digest));
    Ok(differs.map(|(path, _)| Differs { path: path.clone() }))
}
