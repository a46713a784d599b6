//! The `yeswiki` connector: a Bazar form, its lists and its entries.

use std::collections::BTreeMap;

use async_trait::async_trait;
use url::Url;

use crate::config::pipeline::SafeUrl;
use crate::config::pipeline::YesWikiSource;
use crate::source::Connector;
use crate::source::PartSink;
use crate::source::client::HttpClient;
use crate::source::error::HttpFault;
use crate::source::error::SourceError;
use crate::source::scan::ReadingSink;

/// A route that needs somebody to be logged in, whatever stands behind it.
const KEY_CHECK: &str = "api/triples/x";

/// Downloads a [`YesWikiSource`].
#[derive(Debug)]
pub(super) struct YesWikiConnector {
    source: YesWikiSource,
    client: HttpClient,
}

impl YesWikiConnector {
    pub(super) fn new(source: YesWikiSource, env: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let client = HttpClient::new(source.settings.clone(), env)?;
        Ok(Self { source, client })
    }

    /// The wiki routes by the beginning of the query, which works with and without URL rewriting.
    fn route(&self, route: &str) -> SafeUrl {
        let mut url: Url = self.source.url.expose().clone();
        url.set_query(Some(route));
        self.source.url.at(url)
    }

    /// A wrong key is not refused where everybody may read: the answer is that for strangers, with empty texts in the place
    /// of what they may not see. So it is held first against a route that is closed to strangers.
    async fn check_key(&self) -> Result<(), SourceError> {
        let url = self.route(KEY_CHECK);
        let mut unread = ReadingSink::new(None, || Box::new(|_| Ok(())));
        match self.client.download("the check of the key", &url, &mut unread).await {
            Err(SourceError::Download {
                source: HttpFault::Status { status: status @ (401 | 403), .. }, url, ..
            }) => Err(SourceError::KeyRefused { url, status }),
            outcome => outcome,
        }
    }
}

#[async_trait]
impl Connector for YesWikiConnector {
    async fn fetch(&self, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        if self.source.with_key {
            self.check_key().await?;
        }
        let form = &self.source.form_id;
        self.client.download_json("form", &self.route(&format!("api/forms/{form}")), parts).await?;
        if self.source.lists {
            self.client.download_json("lists", &self.route("BazaR/json&demand=lists"), parts).await?;
        }
        self.client.download_json("entries", &self.route(&format!("api/forms/{form}/entries")), parts).await
    }
}

#[cfg(test)]
mod tests;
