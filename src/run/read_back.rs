//! Reading a release back through its public address, as anybody would, and withdrawing it when it is not what was
//! published. What is published is put on a list before the commit, so that a run that dies is made good by the next.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tracing::error;

use super::error::RunError;
use super::{Job, Progress, RunOptions, chain, private_failed, store};
use crate::config::pipeline::{HttpSettings, HttpSource, ReadBack, SourceKind};
use crate::id::{Digest, Hasher};
use crate::publish::PublishError;
use crate::publish::commit::{json_bytes, log};
use crate::publish::withdraw::{Demand, Stores, withdraw};
use crate::release::{Manifest, ReleaseState, Withdrawal, states};
use crate::source::{HttpFault, PartInfo, PartSink, SourceError, Validators, connector};
use crate::store::{Store, StoreKey};

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

/// Publications of which nobody knows yet whether they read back, by the attempt that the log names.
async fn pending(private: &Store, key: &StoreKey) -> Result<Vec<String>, RunError> {
    let bytes = private.get(key).await.map_err(private_failed)?;
    // A damaged list is begun anew: what it named can still be looked at with `releases verify`.
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

fn key(job: Job<'_>) -> StoreKey {
    StoreKey::ReadBack { dataset: job.pipeline.id.clone() }
}

/// Writes down that something is about to be published, so that it is read back even when this process dies after it.
pub(super) async fn expect(job: Job<'_>, private: &Store, attempt: &str) -> Result<(), RunError> {
    if job.project.read_back != ReadBack::Url {
        return Ok(());
    }
    let key = key(job);
    let mut all = pending(private, &key).await?;
    all.push(attempt.to_owned());
    private.put(&key, json_bytes(&all)).await.map_err(private_failed)
}

/// Reads back what was published and not yet read back. A release that cannot be reached stays on the list.
pub(super) async fn settle(job: Job<'_>, options: &RunOptions, progress: &mut Progress<'_>) -> Result<(), RunError> {
    if job.project.read_back != ReadBack::Url {
        return Ok(());
    }
    let published = |source| RunError::Publish(Box::new(source));
    let (private, public) = (store(job, "private", options)?, store(job, "public", options)?);
    let key = key(job);
    let all = pending(&private, &key).await?;
    if all.is_empty() {
        return Ok(());
    }
    let entries = log(&public, &job.pipeline.id).await.map_err(published)?;
    let states = states(&entries);
    let (mut left, mut failure) = (Vec::new(), None);
    for attempt in all {
        let state = states.iter().find(|state| state.published.attempt == attempt && state.withdrawn.is_none());
        let Some(state) = state else { continue };
        if failure.is_some() {
            left.push(attempt);
            continue;
        }
        progress.step("read_back", "Reading back through the public address");
        if let Err(error) = read_back(job, options, Stores { public: &public, private: &private }, state).await {
            // A release that was withdrawn need not be looked at again.
            if !matches!(error, RunError::ReadBack { .. }) {
                left.push(attempt);
            }
            failure = Some(error);
        }
    }
    if left.is_empty() {
        private.delete(&key).await.map_err(private_failed)?;
    } else {
        private.put(&key, json_bytes(&left)).await.map_err(private_failed)?;
    }
    failure.map_or(Ok(()), Err)
}

/// Reads every file of a release through the public address. Withdraws the release when one cannot be read or differs.
async fn read_back(
    job: Job<'_>,
    options: &RunOptions,
    stores: Stores<'_>,
    state: &ReleaseState<'_>,
) -> Result<(), RunError> {
    let published = |source| RunError::Publish(Box::new(source));
    let (dataset, Some(release)) = (&job.pipeline.id, state.release()) else { return Ok(()) };
    let manifest = StoreKey::Manifest { dataset: dataset.clone(), release: release.clone() };
    let bytes = stores.public.get(&manifest).await;
    let bytes = bytes.map_err(|source| RunError::Store { which: "public", source: Box::new(source) })?;
    let bytes = bytes.unwrap_or_default();
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|source| {
        published(PublishError::Manifest { dataset: dataset.clone(), release: release.clone(), source })
    })?;
    let url = format!("{}{dataset}/releases/{release}/", job.project.public_url);
    let expected = manifest.contents(&bytes).into_iter().map(|(path, (digest, _))| (path, digest)).collect();
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
        dataset: dataset.clone(),
        release: release.clone(),
        reason: "La relecture par l’adresse publique a échoué.".to_owned(),
        attempt: format!("{}-withdraw", state.published.attempt),
        at: (options.clock)(),
    };
    withdraw(stores, &demand, Withdrawal::Damaged).await.map_err(published)?;
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
