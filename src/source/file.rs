//! The `file` connector: files on the local disk, or objects in a bucket.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use async_trait::async_trait;
use futures::Stream;
use futures::StreamExt as _;
use futures::TryStreamExt as _;
use glob::MatchOptions;
use glob::Pattern;
use url::Url;

use crate::config::pipeline::FileSource;
use crate::secret::SafeUrl;
use crate::source::Connector;
use crate::source::PartInfo;
use crate::source::PartSink;
use crate::source::error::SourceError;
use crate::store;
use crate::store::Store;
use crate::store::StoreFolder;

/// Hidden files must be asked for, and `*` does not cross folders.
const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Reads a [`FileSource`].
pub(super) struct FileConnector {
    source: FileSource,
    env: BTreeMap<String, String>,
}

impl fmt::Debug for FileConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment holds secrets.
        f.debug_struct("FileConnector").field("source", &self.source).finish_non_exhaustive()
    }
}

#[async_trait]
impl Connector for FileConnector {
    async fn fetch(&self, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        for (part, pattern) in &self.source.parts {
            match Url::parse(pattern) {
                Ok(url) if url.scheme() == "file" => match url.to_file_path() {
                    Ok(path) => self.fetch_local(part, &path.to_string_lossy(), parts).await?,
                    Err(()) => return Err(nothing_found(part, pattern, pattern)),
                },
                Ok(_) if pattern.contains("://") => self.fetch_objects(part, pattern, parts).await?,
                _ => self.fetch_local(part, pattern, parts).await?,
            }
        }
        Ok(())
    }
}

impl FileConnector {
    pub(super) fn new(source: FileSource, env: BTreeMap<String, String>) -> Self {
        Self { source, env }
    }

    async fn fetch_local(&self, part: &str, pattern: &str, sink: &mut dyn PartSink) -> Result<(), SourceError> {
        let base = std::path::absolute(&self.source.base).unwrap_or_else(|_| self.source.base.clone());
        let literal = base.join(pattern);
        // A file may have brackets in its name; only what is no file is a pattern.
        if literal.is_file() || !has_wildcard(pattern) {
            return self.move_file(part, part, pattern, &base, &literal, sink).await;
        }
        let found = matching_files(part, pattern, &base)?;
        if found.is_empty() {
            return Err(nothing_found(part, pattern, &literal_folder(&literal)));
        }
        for path in found {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.move_file(&name, part, pattern, &base, &path, sink).await?;
        }
        Ok(())
    }

    async fn move_file(
        &self,
        name: &str,
        part: &str,
        pattern: &str,
        base: &Path,
        path: &Path,
        sink: &mut dyn PartSink,
    ) -> Result<(), SourceError> {
        let failed = |source| SourceError::ReadFile { part: part.to_owned(), path: path.to_path_buf(), source };
        let file = match tokio::fs::File::open(path).await {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(nothing_found(part, pattern, &path.display().to_string()));
            }
            Err(error) => return Err(failed(error)),
        };
        sink.begin(info(name, &shown_path(base, path))).await?;
        copy(store::chunks(file).map_err(failed), sink).await?;
        sink.finish().await
    }

    async fn fetch_objects(&self, part: &str, url: &str, sink: &mut dyn PartSink) -> Result<(), SourceError> {
        let shown = Url::parse(url).map_or_else(|_| "…".to_owned(), |url| SafeUrl::from(url).to_string());
        let wildcard = url.find(['*', '[']);
        // The folder is all before the last slash that precedes a wildcard.
        let split = url.get(..wildcard.unwrap_or(url.len())).and_then(|literal| literal.rfind('/')).unwrap_or(0);
        let (folder, name) = (url.get(..=split).unwrap_or(url), url.get(split + 1..).unwrap_or(""));
        let failed = |source| SourceError::Store { action: "read a source from a store", source: Box::new(source) };
        let store = Store::open(folder, &self.source.base, &self.env).map_err(failed)?;
        let mut found = Vec::new();
        if wildcard.is_some() {
            let pattern = Pattern::new(name).map_err(bad_pattern(part, &shown))?;
            for (path, _) in store.list(&StoreFolder::Root).await.map_err(failed)? {
                if pattern.matches_with(&path, MATCHING) {
                    found.push((path.rsplit('/').next().unwrap_or(&path).to_owned(), path));
                }
            }
        } else {
            found.push((part.to_owned(), name.to_owned()));
        }
        if found.is_empty() {
            return Err(nothing_found(part, &shown, &store.url()));
        }
        for (name, path) in found {
            let Some(stream) = store.stream_path(&path).await.map_err(failed)? else {
                return Err(nothing_found(part, &shown, &store.url()));
            };
            sink.begin(info(&name, &format!("{}{path}", store.root_url()))).await?;
            copy(stream.map_err(failed), sink).await?;
            sink.finish().await?;
        }
        Ok(())
    }
}

async fn copy(
    bytes: impl Stream<Item = Result<bytes::Bytes, SourceError>> + Send,
    sink: &mut dyn PartSink,
) -> Result<(), SourceError> {
    let mut bytes = std::pin::pin!(bytes);
    while let Some(next) = bytes.next().await {
        sink.write(next?).await?;
    }
    Ok(())
}

fn matching_files(part: &str, pattern: &str, base: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let absolute = if Path::new(pattern).is_absolute() {
        pattern.to_owned()
    } else {
        format!("{}/{pattern}", Pattern::escape(&base.to_string_lossy()))
    };
    let matches = glob::glob_with(&absolute, MATCHING).map_err(bad_pattern(part, pattern))?;
    let mut found = Vec::new();
    for path in matches {
        let path = path.map_err(|error| SourceError::ReadFile {
            part: part.to_owned(),
            path: error.path().to_path_buf(),
            source: error.into(),
        })?;
        if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Files are named from the project's folder, so that a snapshot says the same on every machine.
fn shown_path(base: &Path, path: &Path) -> String {
    match path.strip_prefix(base) {
        Ok(inside) => format!("file:{}", inside.display()),
        Err(_) => format!("file://{}", path.display()),
    }
}

fn info(name: &str, url: &str) -> PartInfo {
    PartInfo { name: name.to_owned(), url: url.to_owned(), ..PartInfo::default() }
}

fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// The deepest folder of a pattern that holds no wildcard.
fn literal_folder(pattern: &Path) -> String {
    let folder: PathBuf =
        pattern.components().take_while(|part| !has_wildcard(&part.as_os_str().to_string_lossy())).collect();
    let missing = if folder.is_dir() { "" } else { " (no such folder)" };
    format!("{}{missing}", folder.display())
}

fn nothing_found(part: &str, pattern: &str, place: &str) -> SourceError {
    SourceError::NothingFound { part: part.to_owned(), pattern: pattern.to_owned(), place: place.to_owned() }
}

fn bad_pattern(part: &str, pattern: &str) -> impl FnOnce(glob::PatternError) -> SourceError {
    let (part, pattern) = (part.to_owned(), pattern.to_owned());
    move |source| SourceError::Pattern { part, pattern, source }
}

#[cfg(test)]
mod tests;
