//! The `kobo` connector: the form and the submissions of a `KoboToolbox` project, by version 2 of its API.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::config::pipeline::KoboSource;
use crate::config::pipeline::Paging;
use crate::config::pipeline::PagingStep;
use crate::source::Connector;
use crate::source::PartSink;
use crate::source::client::HttpClient;
use crate::source::client::below;
use crate::source::error::SourceError;
use crate::source::paging;

/// The largest page that servers give; asked for more they give no more, and without a limit 100 rows. In a declared order,
/// so that pages do not overlap: `sort={"_id":1}`.
const ALL_ROWS: &str = "format=json&limit=1000&start=0&sort=%7B%22_id%22%3A1%7D";

/// Downloads a [`KoboSource`].
#[derive(Debug)]
pub(super) struct KoboConnector {
    source: KoboSource,
    client: HttpClient,
}

impl KoboConnector {
    pub(super) fn new(source: KoboSource, env: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let client = HttpClient::new(source.settings.clone(), env)?;
        Ok(Self { source, client })
    }
}

#[async_trait]
impl Connector for KoboConnector {
    async fn fetch(&self, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        let KoboSource { url, asset, .. } = &self.source;
        let form = below(url, &["api", "v2", "assets", asset, ""], Some("format=json"));
        self.client.download_json("form", &form, parts).await?;
        let path = |name: &str| vec![name.to_owned()];
        let step = PagingStep::Next { path: path("next") };
        let paging = Paging { rows: Some(path("results")), total: Some(path("count")), ..Paging::new(step) };
        let rows = below(url, &["api", "v2", "assets", asset, "data", ""], Some(ALL_ROWS));
        paging::fetch(&self.client, &rows, &paging, parts).await
    }
}
