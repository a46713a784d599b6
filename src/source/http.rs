//! The `http` connector: declared documents, or one address that gives its rows page by page.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::config::pipeline::HttpSource;
use crate::source::Connector;
use crate::source::PartSink;
use crate::source::client::Ask;
use crate::source::client::Expected;
use crate::source::client::HttpClient;
use crate::source::error::SourceError;
use crate::source::paging;

/// Downloads an [`HttpSource`].
#[derive(Debug)]
pub(super) struct HttpConnector {
    source: HttpSource,
    client: HttpClient,
}

impl HttpConnector {
    pub(super) fn new(source: HttpSource, env: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let client = HttpClient::new(source.settings.clone(), env)?;
        Ok(Self { source, client })
    }
}

#[async_trait]
impl Connector for HttpConnector {
    async fn fetch(&self, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        for (name, url) in &self.source.parts {
            match &self.source.paging {
                None if self.source.pages => {
                    self.client.ask(name, url, &Ask::Get, Expected::Anything, parts).await?;
                }
                None => self.client.download(name, url, parts).await?,
                Some(paging) => paging::fetch(&self.client, url, paging, parts).await?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
