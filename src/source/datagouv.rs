//! The `datagouv` connector: one resource of a dataset of data.gouv.fr.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use url::Url;

use crate::config::pipeline::DataGouvSource;
use crate::source::Connector;
use crate::source::PartSink;
use crate::source::client::HttpClient;
use crate::source::client::below;
use crate::source::error::SourceError;
use crate::source::error::json_fault;
use crate::source::scan::ReadingSink;

/// Downloads a [`DataGouvSource`].
#[derive(Debug)]
pub(super) struct DataGouvConnector {
    source: DataGouvSource,
    client: HttpClient,
}

/// What is read of the description of a dataset.
#[derive(Deserialize)]
struct Dataset {
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    id: String,
    #[serde(default)]
    title: Option<String>,
    url: String,
}

impl DataGouvConnector {
    pub(super) fn new(source: DataGouvSource, env: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let client = HttpClient::new(source.settings.clone(), env)?;
        Ok(Self { source, client })
    }

    /// Today's address of the resource. The addresses of files carry the date of their upload, so they are asked for each
    /// time. The description is no part of the snapshot: it counts visits and changes every day.
    async fn resolve(&self) -> Result<Url, SourceError> {
        let DataGouvSource { url, dataset, resource, .. } = &self.source;
        let url = below(url, &["api", "1", "datasets", dataset, ""], None);
        let mut reading =
            ReadingSink::new(None, || Box::new(|chunks| serde_json::from_reader(std::io::BufReader::new(chunks))));
        self.client.download_json("the description of the dataset", &url, &mut reading).await?;
        let unread = |what| SourceError::UnreadDataset { url: url.to_string(), what };
        let dataset: Dataset = reading.outcome().await.map_err(|error| unread(json_fault(&error)))?;
        let of_id = dataset.resources.iter().find(|other| other.id.eq_ignore_ascii_case(resource));
        let titled: Vec<_> =
            dataset.resources.iter().filter(|other| other.title.as_deref().map(str::trim) == Some(resource)).collect();
        let only = if let [one] = titled.as_slice() { Some(*one) } else { None };
        let Some(chosen) = of_id.or(only) else {
            return Err(SourceError::Resource {
                url: url.to_string(),
                resource: resource.clone(),
                found: if titled.is_empty() { "no resource" } else { "several resources" },
                known: known(&dataset.resources),
            });
        };
        Url::parse(chosen.url.trim())
            .map_err(|error| unread(format!("the address of the resource `{}` cannot be read: {error}", chosen.id)))
    }
}

/// Ids and titles, for whoever has to choose among them.
fn known(resources: &[Resource]) -> String {
    let name = |resource: &Resource| format!("`{}` ({})", resource.id, resource.title.as_deref().unwrap_or("no title"));
    match resources {
        [] => "none".to_owned(),
        _ => resources.iter().map(name).collect::<Vec<_>>().join(", "),
    }
}

#[async_trait]
impl Connector for DataGouvConnector {
    async fn fetch(&self, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        let url = self.resolve().await?;
        self.client.download("", &url.into(), parts).await
    }
}

#[cfg(test)]
mod tests;
