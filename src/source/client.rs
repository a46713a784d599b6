//! The HTTP client of all connectors: documents got by GET, with attempts, redirects, limits and conditional requests.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use backon::BackoffBuilder as _;
use backon::ExponentialBuilder;
use reqwest::Client;
use reqwest::NoProxy;
use reqwest::Proxy;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use tokio::time::Instant;

use crate::config::pipeline::HttpSettings;
use crate::secret::SafeUrl;
use crate::source::PartInfo;
use crate::source::PartSink;
use crate::source::Validators;
use crate::source::error::HttpFault;
use crate::source::error::SourceError;
use crate::source::error::WaitingFor;
use crate::source::redirect::Way;

/// A server that asks for more patience than this does not get it.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(5);
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// Downloads documents, all of them with the same settings and credentials.
pub(super) struct HttpClient {
    settings: HttpSettings,
    headers: HeaderMap,
    client: Client,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Why an attempt ended: the server's side may be tried again, ours not.
enum Failure {
    Fault(HttpFault),
    Ours(SourceError),
}

impl From<HttpFault> for Failure {
    fn from(fault: HttpFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Ours(error)
    }
}

impl HttpClient {
    pub(super) fn new(settings: HttpSettings, env: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let refused = || SourceError::Header { name: name.clone() };
            let mut value = HeaderValue::from_str(value.expose()).ok().ok_or_else(refused)?;
            value.set_sensitive(true);
            headers.append(HeaderName::from_bytes(name.as_bytes()).ok().ok_or_else(refused)?, value);
        }
        let client = client(&settings, env).map_err(|error| SourceError::Client { source: error.without_url() })?;
        Ok(Self { settings, headers, client })
    }

    /// One part, with all its attempts: the only budget that there is.
    pub(super) async fn download(&self, name: &str, url: &SafeUrl, sink: &mut dyn PartSink) -> Result<(), SourceError> {
        let started = Instant::now();
        let deadline = started + self.settings.total_timeout;
        let mut delays = ExponentialBuilder::new()
            .with_min_delay(self.settings.first_delay)
            .with_max_delay(LONGEST_DELAY)
            .with_max_times(self.settings.attempts.saturating_sub(1) as usize)
            .with_jitter()
            .build();
        let mut attempts = 1;
        loop {
            let fault = match tokio::time::timeout_at(deadline, self.attempt(name, url, sink)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Failure::Ours(error))) => return Err(error),
                Ok(Err(Failure::Fault(fault))) => fault,
                Err(_) => HttpFault::Timeout { waiting_for: WaitingFor::Whole, limit: self.settings.total_timeout },
            };
            let delay = if fault.is_transient() { delays.next() } else { None };
            let delay = delay.map(|delay| fault.retry_after().unwrap_or(delay));
            let Some(delay) = delay.filter(|delay| Instant::now() + *delay < deadline) else {
                let (part, url, elapsed) = (name.to_owned(), url.to_string(), started.elapsed());
                return Err(SourceError::Download { part, url, attempts, elapsed, source: fault });
            };
            warn_of_retry(name, url, attempts, delay, &fault);
            tokio::time::sleep(delay).await;
            attempts += 1;
        }
    }

    async fn attempt(&self, name: &str, url: &SafeUrl, sink: &mut dyn PartSink) -> Result<(), Failure> {
        let shown = url.to_string();
        let known = sink.known(name, &shown);
        let (response, last) = self.follow(url, known.as_ref()).await?;
        match response.status() {
            StatusCode::NOT_MODIFIED if known.is_some() => Ok(sink.unchanged(name).await?),
            StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => {
                self.receive(part_info(name, shown, last, &response), response, sink).await
            }
            status => Err(HttpFault::Status { status: status.as_u16(), retry_after: retry_after(&response) }.into()),
        }
    }

    /// Sends the request, again for each redirect; gives the answer, and its address where redirects led to it.
    async fn follow(&self, url: &SafeUrl, known: Option<&Validators>) -> Result<(Response, Option<String>), HttpFault> {
        let mut way = Way::new(url.expose().clone());
        loop {
            let mut request = self.client.get(way.url().clone());
            if way.with_credentials() {
                request = request.headers(self.headers.clone());
            }
            if let Some(etag) = known.and_then(|known| known.etag.as_ref()) {
                request = request.header(header::IF_NONE_MATCH, etag);
            }
            if let Some(date) = known.and_then(|known| known.last_modified.as_ref()) {
                request = request.header(header::IF_MODIFIED_SINCE, date);
            }
            let response = match tokio::time::timeout(self.settings.idle_timeout, request.send()).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(self.exchange_fault(error)),
                Err(_) => return Err(self.timeout(WaitingFor::Answer)),
            };
            let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            match response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok()) {
                Some(location) if redirects => way.follow(location)?,
                _ => return Ok((response, way.last())),
            }
        }
    }

    async fn receive(&self, info: PartInfo, mut response: Response, sink: &mut dyn PartSink) -> Result<(), Failure> {
        let limit = self.settings.max_bytes;
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(HttpFault::TooLarge { limit }.into());
        }
        sink.begin(info).await?;
        let mut received: u64 = 0;
        loop {
            let bytes = match tokio::time::timeout(self.settings.idle_timeout, response.chunk()).await {
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Err(HttpFault::Cut { received, source: error.without_url() }.into()),
                Err(_) => return Err(self.timeout(WaitingFor::Bytes).into()),
            };
            received += bytes.len() as u64;
            if received > limit {
                return Err(HttpFault::TooLarge { limit }.into());
            }
            sink.write(bytes).await?;
        }
        Ok(sink.finish().await?)
    }

    /// The client's errors name the whole URL, which may hold secrets.
    fn exchange_fault(&self, error: reqwest::Error) -> HttpFault {
        let source = error.without_url();
        if source.is_connect() && source.is_timeout() {
            HttpFault::Timeout { waiting_for: WaitingFor::Connection, limit: self.settings.connect_timeout }
        } else if source.is_connect() {
            HttpFault::Connect { source }
        } else {
            HttpFault::Exchange { source }
        }
    }

    fn timeout(&self, waiting_for: WaitingFor) -> HttpFault {
        HttpFault::Timeout { waiting_for, limit: self.settings.idle_timeout }
    }
}

pub(super) fn client(settings: &HttpSettings, env: &BTreeMap<String, String>) -> reqwest::Result<Client> {
    let variable = |name: &str| {
        let value = env.get(name).or_else(|| env.get(&name.to_ascii_uppercase()));
        value.filter(|value| !value.is_empty())
    };
    let without = variable("no_proxy").and_then(|list| NoProxy::from_string(list));
    let mut builder = Client::builder()
        .user_agent(&settings.user_agent)
        .connect_timeout(settings.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        // Proxies come from the values passed in, not from the process.
        .no_proxy();
    if let Some(proxy) = variable("http_proxy") {
        builder = builder.proxy(Proxy::http(proxy)?.no_proxy(without.clone()));
    }
    if let Some(proxy) = variable("https_proxy") {
        builder = builder.proxy(Proxy::https(proxy)?.no_proxy(without.clone()));
    }
    if let Some(proxy) = variable("all_proxy") {
        builder = builder.proxy(Proxy::all(proxy)?.no_proxy(without));
    }
    builder.build()
}

/// The address of a resource below a service's base, with a query of its own.
pub(super) fn below(base: &SafeUrl, path: &[&str], query: Option<&str>) -> SafeUrl {
    let mut url = base.expose().clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url.set_query(query);
    url.into()
}

fn part_info(name: &str, url: String, final_url: Option<String>, response: &Response) -> PartInfo {
    let text = |name| header_text(response, name).map(str::to_owned);
    PartInfo {
        name: name.to_owned(),
        url,
        final_url,
        status: Some(response.status().as_u16()),
        content_type: text(header::CONTENT_TYPE),
        validators: Validators { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) },
    }
}

fn header_text(response: &Response, name: HeaderName) -> Option<&str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Seconds, or a date: that is measured against the server's own clock, which wrote it.
fn retry_after(response: &Response) -> Option<Duration> {
    let asked = header_text(response, header::RETRY_AFTER)?.trim();
    let wait = if let Ok(seconds) = asked.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = httpdate::parse_http_date(asked).ok()?;
        let now = httpdate::parse_http_date(header_text(response, header::DATE)?).ok()?;
        until.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

fn warn_of_retry(part: &str, url: &SafeUrl, attempt: u32, delay: Duration, fault: &HttpFault) {
    let wait_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    tracing::warn!(source.part = part, %url, attempt, wait_ms, cause = %fault, "Trying to download `{part}` again: {fault}");
}
