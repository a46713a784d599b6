//! The `grist` connector: the columns and the records of a table.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::config::pipeline::GristSource;
use crate::source::Connector;
use crate::source::PartSink;
use crate::source::client::HttpClient;
use crate::source::client::below;
use crate::source::error::SourceError;

/// Downloads a [`GristSource`].
#[derive(Debug)]
pub(super) struct GristConnector {
    source: GristSource,
    client: HttpClient,
}

impl GristConnector {
    pub(super) fn new(source: GristSource, env: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let client = HttpClient::new(source.settings.clone(), env)?;
        Ok(Self { source, client })
    }
}

#[async_trait]
impl Connector for GristConnector {
    async fn fetch(&self, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        let GristSource { url, document, table, .. } = &self.source;
        let columns = below(url, &["api", "docs", document, "tables", table, "columns"], None);
        self.client.download_json("columns", &columns, parts).await?;
        // Grist has no paging by offset: the table comes at once, in the order of its row ids.
        let records = below(url, &["api", "docs", document, "tables", table, "records"], Some("sort=id"));
        self.client.download_json("records", &records, parts).await
    }
}
