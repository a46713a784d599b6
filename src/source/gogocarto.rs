//! The `gogocarto` connector: the categories and the elements of a map.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::config::pipeline::GogoCartoSource;
use crate::source::Connector;
use crate::source::PartSink;
use crate::source::client::HttpClient;
use crate::source::client::below;
use crate::source::error::SourceError;

/// Downloads a [`GogoCartoSource`].
#[derive(Debug)]
pub(super) struct GogoCartoConnector {
    source: GogoCartoSource,
    client: HttpClient,
}

impl GogoCartoConnector {
    pub(super) fn new(source: GogoCartoSource, env: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let client = HttpClient::new(source.settings.clone(), env)?;
        Ok(Self { source, client })
    }
}

#[async_trait]
impl Connector for GogoCartoConnector {
    async fn fetch(&self, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        let GogoCartoSource { url, query, taxonomy, .. } = &self.source;
        if *taxonomy {
            self.client.download_json("taxonomy", &below(url, &["api", "taxonomy.json"], None), parts).await?;
        }
        let elements = below(url, &["api", "elements.json"], query.as_deref());
        self.client.download_json("elements", &elements, parts).await
    }
}
