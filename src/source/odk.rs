//! The `odk` connector: a form of an ODK Central, its submissions and their repeats, by `OData`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use crate::config::pipeline::OdkSource;
use crate::config::pipeline::Paging;
use crate::config::pipeline::PagingStep;
use crate::secret::SafeUrl;
use crate::secret::Secret;
use crate::source::Connector;
use crate::source::PartSink;
use crate::source::client::Ask;
use crate::source::client::Expected;
use crate::source::client::HttpClient;
use crate::source::client::below;
use crate::source::error::HttpFault;
use crate::source::error::SourceError;
use crate::source::error::json_fault;
use crate::source::paging;
use crate::source::scan::Parse;
use crate::source::scan::ReadingSink;

/// The table of the submissions themselves.
const SUBMISSIONS: &str = "Submissions";

/// Downloads an [`OdkSource`].
#[derive(Debug)]
pub(super) struct OdkConnector {
    source: OdkSource,
    client: HttpClient,
}

/// What is read of a session.
#[derive(Deserialize)]
struct Session {
    token: String,
}

impl OdkConnector {
    pub(super) fn new(source: OdkSource, env: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let mut client = HttpClient::new(source.settings.clone(), env)?;
        if let Some((user, password)) = &source.account {
            client = client.hiding([user.clone(), password.clone()]);
        }
        Ok(Self { source, client })
    }

    /// A session with the account. It is asked for once: whoever tries passwords is locked out.
    async fn log_in(&self, user: &Secret, password: &Secret) -> Result<HttpClient, SourceError> {
        const METHOD: &str = "v1/sessions";
        let url = below(&self.source.url, &["v1", "sessions"], None);
        let ask = Ask::json(&json!({"email": user.expose(), "password": password.expose()}));
        let mut reading = ReadingSink::new(None, || {
            let parse: Parse<Session> = Box::new(|chunks| serde_json::from_reader(std::io::BufReader::new(chunks)));
            parse
        });
        match self.client.ask("the session", &url, &ask, Expected::Json, &mut reading).await {
            Err(SourceError::Download {
                source: HttpFault::Status { status: status @ (400 | 401 | 403), .. },
                url,
                ..
            }) => return Err(SourceError::LoginRefused { url, answer: status.to_string() }),
            outcome => outcome?,
        }
        let unread = |error| {
            let (url, what) = (url.to_string(), json_fault(&error));
            SourceError::UnreadAnswer { method: METHOD, url, what, advice: "is the address that of an ODK Central?" }
        };
        let Session { token } = reading.outcome().await.map_err(unread)?;
        self.client.clone().with_header("Authorization", &Secret::new(format!("Bearer {token}")))
    }

    async fn fetch_all(&self, client: &HttpClient, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        let OdkSource { form, repeats, .. } = &self.source;
        client.download_json("fields", &self.route(&[form, "fields"], Some("odata=true")), parts).await?;
        client.download("form", &self.route(&[&format!("{form}.xml")], None), parts).await?;
        self.table(client, "submissions", SUBMISSIONS, parts).await?;
        for repeat in repeats {
            self.table(client, repeat, &format!("{SUBMISSIONS}.{repeat}"), parts).await?;
        }
        Ok(())
    }

    /// One table of the form, page by page; what came is held against what is announced.
    async fn table(
        &self,
        client: &HttpClient,
        name: &str,
        table: &str,
        parts: &mut dyn PartSink,
    ) -> Result<(), SourceError> {
        let OdkSource { form, page, .. } = &self.source;
        let path = |name: &str| vec![name.to_owned()];
        let step = PagingStep::Next { path: path("@odata.nextLink") };
        let paging = Paging { rows: Some(path("value")), total: Some(path("@odata.count")), ..Paging::new(step) };
        let query = format!("$top={page}&$count=true");
        let first = self.route(&[&format!("{form}.svc"), table], Some(&query));
        paging::fetch_as(name, client, &first, &paging, parts).await
    }

    fn route(&self, path: &[&str], query: Option<&str>) -> SafeUrl {
        let project = self.source.project.to_string();
        let path = [&["v1", "projects", &project, "forms"], path].concat();
        below(&self.source.url, &path, query)
    }
}

#[async_trait]
impl Connector for OdkConnector {
    async fn fetch(&self, parts: &mut dyn PartSink) -> Result<(), SourceError> {
        let Some((user, password)) = &self.source.account else {
            return self.fetch_all(&self.client, parts).await;
        };
        if self.source.basic {
            let pair = format!("{}:{}", user.expose(), password.expose());
            let value = Secret::new(format!("Basic {}", base64(pair.as_bytes())));
            return self.fetch_all(&self.client.clone().with_header("Authorization", &value)?, parts).await;
        }
        let client = self.log_in(user, password).await?;
        let outcome = self.fetch_all(&client, parts).await;
        // What was fetched is good whatever becomes of the session, which ends by itself too.
        let url = below(&self.source.url, &["v1", "sessions", "current"], None);
        let mut unread = ReadingSink::new(None, || Box::new(|_| Ok(())));
        if client.ask("the end of the session", &url, &Ask::Delete, Expected::Anything, &mut unread).await.is_err() {
            tracing::debug!("the session was not ended");
        }
        outcome
    }
}

/// Base64 of a name and password.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for at in 0..4 {
            let letter = LETTERS.get((bits >> (18 - 6 * at) & 63) as usize).copied().unwrap_or_default();
            out.push(if at <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests;
