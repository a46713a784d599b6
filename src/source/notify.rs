//! Telling another service something: one request, tried a few times. Used for alarms and signs of life.

use std::collections::BTreeMap;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use reqwest::header;

use super::client::client;
use super::error::HttpFault;
use crate::config::pipeline::HttpSettings;
use crate::secret::SafeUrl;

/// Attempts in all.
const ATTEMPTS: usize = 3;

/// Asks for an address, or sends it a JSON object. Redirects are not followed: an alarm goes where it was sent.
pub async fn notify(
    url: &SafeUrl,
    json: Option<&serde_json::Value>,
    env: &BTreeMap<String, String>,
) -> Result<(), HttpFault> {
    // Whoever wrote the address of an alarm meant it, on a network of one's own too.
    let settings = HttpSettings { private_addresses: true, ..HttpSettings::default() };
    let client = client(&settings, env).map_err(|source| HttpFault::Exchange { source: source.without_url() })?;
    let mut delays = ExponentialBuilder::default()
        .with_min_delay(settings.first_delay)
        .with_max_times(ATTEMPTS - 1)
        .with_jitter()
        .build();
    loop {
        let mut request = match json {
            Some(json) => client
                .post(url.expose().clone())
                .header(header::CONTENT_TYPE, "application/json")
                .body(serde_json::to_vec(json).expect("a JSON value can be written")),
            None => client.get(url.expose().clone()),
        };
        request = request.timeout(settings.connect_timeout * 2);
        let fault = match request.send().await {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) => HttpFault::Status { status: response.status().as_u16(), retry_after: None },
            Err(error) => HttpFault::Exchange { source: error.without_url() },
        };
        match delays.next().filter(|_| fault.is_transient()) {
            Some(delay) => tokio::time::sleep(delay).await,
            None => return Err(fault),
        }
    }
}
