//! The HTTP client of all connectors: attempts, redirects, limits, conditional requests, and manners towards servers.

mod address;
mod answer;
mod host;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backon::BackoffBuilder as _;
use backon::ExponentialBuilder;
use bytes::Bytes;
use reqwest::Client;
use reqwest::Method;
use reqwest::NoProxy;
use reqwest::Proxy;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use tokio::time::Instant;
use url::Url;

use self::address::AddressError;
use self::address::Resolver;
use self::address::private_host;
use self::answer::Answer;
use self::answer::Progress;
use self::answer::foreign_charset;
use self::host::Turn;
use crate::config::pipeline::HttpSettings;
use crate::secret;
use crate::secret::SafeUrl;
use crate::secret::Secret;
use crate::source::PartInfo;
use crate::source::PartSink;
use crate::source::Validators;
use crate::source::error::HttpFault;
use crate::source::error::SourceError;
use crate::source::error::WaitingFor;
use crate::source::redirect::Way;

pub(super) use self::answer::Expected;

/// A server that asks for more patience than this does not get it.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(5);
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// Downloads documents, all of them with the same settings and credentials.
#[derive(Clone)]
pub(super) struct HttpClient {
    settings: HttpSettings,
    headers: HeaderMap,
    /// What is sent and must be shown nowhere, not even when a server sends it back.
    secrets: Vec<Secret>,
    client: Client,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// How an address is asked.
pub(super) enum Ask {
    /// For its document.
    Get,
    /// With a body, which may hold secrets.
    Post {
        /// Media type of the body.
        media_type: String,
        /// The body.
        body: Bytes,
    },
    /// To end what is there.
    Delete,
}

impl Ask {
    /// A question in JSON.
    pub(super) fn json(body: &serde_json::Value) -> Self {
        Self::Post { media_type: "application/json".to_owned(), body: body.to_string().into() }
    }

    fn method(&self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post { .. } => Method::POST,
            Self::Delete => Method::DELETE,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post { .. } => "POST",
            Self::Delete => "DELETE",
        }
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
        match error {
            SourceError::Broken { received } => Self::Fault(HttpFault::Unfinished { received }),
            error => Self::Ours(error),
        }
    }
}

impl HttpClient {
    pub(super) fn new(settings: HttpSettings, env: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let client = client(&settings, env).map_err(|error| SourceError::Client { source: error.without_url() })?;
        let mut new = Self { settings: settings.clone(), headers: HeaderMap::new(), secrets: Vec::new(), client };
        for (name, value) in settings.headers {
            new = new.with_header(&name, &value)?;
        }
        Ok(new)
    }

    /// The same with one more header, which is secret.
    pub(super) fn with_header(mut self, name: &str, value: &Secret) -> Result<Self, SourceError> {
        let refused = || SourceError::Header { name: name.to_owned() };
        let mut sent = HeaderValue::from_str(value.expose()).ok().ok_or_else(refused)?;
        sent.set_sensitive(true);
        self.headers.append(HeaderName::from_bytes(name.as_bytes()).ok().ok_or_else(refused)?, sent);
        // `Bearer x` comes back as `x` too.
        let bare = value.expose().rsplit(' ').next().unwrap_or_default();
        self.secrets.extend([value.clone(), Secret::new(bare)]);
        Ok(self)
    }

    /// The same, aware of more that must be shown nowhere.
    pub(super) fn hiding(mut self, secrets: impl IntoIterator<Item = Secret>) -> Self {
        self.secrets.extend(secrets);
        self
    }

    /// What a server says, fit to be shown: without secrets, and not long.
    pub(super) fn quote(&self, text: &str) -> String {
        secret::without(text, &self.secrets).chars().take(200).collect()
    }

    /// One document, with all its attempts: the only budget that there is.
    pub(super) async fn download(&self, name: &str, url: &SafeUrl, sink: &mut dyn PartSink) -> Result<(), SourceError> {
        self.ask(name, url, &Ask::Get, Expected::Data, sink).await
    }

    /// The same for a document that must be JSON.
    pub(super) async fn download_json(
        &self,
        name: &str,
        url: &SafeUrl,
        sink: &mut dyn PartSink,
    ) -> Result<(), SourceError> {
        self.ask(name, url, &Ask::Get, Expected::Json, sink).await
    }

    /// The same for any request.
    pub(super) async fn ask(
        &self,
        name: &str,
        url: &SafeUrl,
        ask: &Ask,
        expected: Expected,
        sink: &mut dyn PartSink,
    ) -> Result<(), SourceError> {
        let started = Instant::now();
        let deadline = started + self.settings.total_timeout;
        let mut delays = ExponentialBuilder::new()
            .with_min_delay(self.settings.first_delay)
            .with_max_delay(LONGEST_DELAY)
            .with_max_times(self.settings.attempts.saturating_sub(1) as usize)
            .with_jitter()
            .build();
        let mut attempts = 1;
        let mut progress = Progress::default();
        loop {
            let attempt = self.attempt(name, url, (ask, expected), &mut progress, sink);
            let fault = match tokio::time::timeout_at(deadline, attempt).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Failure::Ours(error))) => return Err(error),
                Ok(Err(Failure::Fault(fault))) => fault,
                Err(_) => HttpFault::Timeout { waiting_for: WaitingFor::Whole, limit: self.settings.total_timeout },
            };
            let delay = if fault.is_transient() { delays.next() } else { None };
            let delay = delay.map(|delay| fault.retry_after().unwrap_or(delay));
            let Some(delay) = delay.filter(|delay| Instant::now() + *delay < deadline) else {
                let (part, url, method, elapsed) = (name.to_owned(), url.to_string(), ask.name(), started.elapsed());
                return Err(SourceError::Download { part, method, url, attempts, elapsed, source: fault });
            };
            warn_of_retry(name, url, attempts, delay, &fault);
            tokio::time::sleep(delay).await;
            sink.again(name);
            attempts += 1;
        }
    }

    async fn attempt(
        &self,
        name: &str,
        url: &SafeUrl,
        (ask, expected): (&Ask, Expected),
        progress: &mut Progress,
        sink: &mut dyn PartSink,
    ) -> Result<(), Failure> {
        let shown = url.to_string();
        let is_get = matches!(ask, Ask::Get);
        let rest = progress.rest().filter(|_| is_get);
        let known = if rest.is_none() && is_get { sink.known(name, &shown) } else { None };
        let resumed = rest.is_some();
        let conditions = rest.unwrap_or_else(|| known.as_ref().map(conditions).unwrap_or_default());
        let mut answer = self.follow(url, ask, &conditions).await?;
        let (last, how) = (answer.last.take(), (&self.settings, expected));
        match answer.response.status() {
            StatusCode::NOT_MODIFIED if known.is_some() => Ok(sink.unchanged(name).await?),
            StatusCode::PARTIAL_CONTENT if resumed => progress.partial(answer, how, sink).await,
            StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => {
                let info = self.part_info(name, url, last, &answer.response);
                if expected == Expected::Json
                    && let Some(charset) = foreign_charset(info.content_type.as_deref())
                {
                    tracing::warn!(source.part = name, %url, "`{name}` is JSON and says it is {charset}: read as its bytes are");
                }
                progress.whole(answer, info, how, sink).await
            }
            StatusCode::CREATED | StatusCode::NO_CONTENT if !matches!(ask, Ask::Get) => {
                let info = self.part_info(name, url, last, &answer.response);
                progress.whole(answer, info, how, sink).await
            }
            status => {
                progress.reset();
                let retry_after = retry_after(&answer.response);
                Err(HttpFault::Status { status: status.as_u16(), retry_after }.into())
            }
        }
    }

    /// Sends the request, again for each redirect; gives the answer, and its address where redirects led to it.
    async fn follow(&self, url: &SafeUrl, ask: &Ask, conditions: &HeaderMap) -> Result<Answer, HttpFault> {
        let mut way = Way::new(url);
        loop {
            if let Some(host) = private_host(way.url()).filter(|_| !self.settings.private_addresses) {
                return Err(HttpFault::Private { host });
            }
            let turn = host::turn(way.url(), self.settings.pause).await;
            let request = self.request(&way, ask).headers(conditions.clone());
            let response = match tokio::time::timeout(self.settings.answer_timeout, request.send()).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(self.exchange_fault(error, way.url())),
                Err(_) => {
                    let (waiting_for, limit) = (WaitingFor::Answer, self.settings.answer_timeout);
                    return Err(HttpFault::Timeout { waiting_for, limit });
                }
            };
            let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            match response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok()) {
                Some(location) if redirects => way.follow(location)?,
                _ => return Ok(Answer { response, last: way.last(), turn }),
            }
            // What is posted holds credentials, and is meant for who was named.
            if !way.with_credentials() && !matches!(ask, Ask::Get) {
                let to = way.last().unwrap_or_default();
                return Err(HttpFault::Redirect { to, reason: "what is sent would go to another host" });
            }
        }
    }

    fn request(&self, way: &Way, ask: &Ask) -> reqwest::RequestBuilder {
        let mut request = self.client.request(ask.method(), way.url().clone());
        if way.with_credentials() {
            request = request.headers(self.headers.clone());
        }
        match ask {
            Ask::Post { media_type, body } => request.header(header::CONTENT_TYPE, media_type).body(body.clone()),
            Ask::Get | Ask::Delete => request,
        }
    }

    /// The client's errors name the whole URL, which may hold secrets.
    fn exchange_fault(&self, error: reqwest::Error, url: &Url) -> HttpFault {
        let source = error.without_url();
        if source.is_connect() && source.is_timeout() {
            return HttpFault::Timeout { waiting_for: WaitingFor::Connection, limit: self.settings.connect_timeout };
        }
        match AddressError::cause_of(&source) {
            Some(AddressError::Private { host }) => return HttpFault::Private { host: host.clone() },
            Some(AddressError::Unknown { host, .. }) => return HttpFault::Unresolved { host: host.clone(), source },
            None => {}
        }
        if url.scheme() == "https" && is_about_tls(&source) {
            return HttpFault::Tls { source };
        }
        if source.is_connect() { HttpFault::Connect { source } } else { HttpFault::Exchange { source } }
    }

    /// What is written down of an answer. What a server sends back of our secrets is not.
    fn part_info(&self, name: &str, url: &SafeUrl, final_url: Option<String>, response: &Response) -> PartInfo {
        let secrets = [self.secrets.as_slice(), &url.secrets()].concat();
        let clean = |text: &String| secret::without(text, &secrets) == *text;
        let text = |name| header_text(response, name).map(str::to_owned).filter(clean);
        PartInfo {
            name: name.to_owned(),
            url: url.to_string(),
            final_url: final_url.map(|url| secret::without(&url, &secrets)),
            status: Some(response.status().as_u16()),
            content_type: text(header::CONTENT_TYPE),
            validators: Validators { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) },
        }
    }
}

/// Asks whether what is known has changed.
fn conditions(known: &Validators) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |name, value: Option<&String>| {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    };
    put(header::IF_NONE_MATCH, known.etag.as_ref());
    put(header::IF_MODIFIED_SINCE, known.last_modified.as_ref());
    headers
}

/// The client tells such an error by its words only.
fn is_about_tls(error: &reqwest::Error) -> bool {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let mut texts = causes.map(|cause| cause.to_string().to_ascii_lowercase());
    texts.any(|text| ["certificate", "tls", "handshake", "corrupt message"].iter().any(|word| text.contains(word)))
}

pub(super) fn client(settings: &HttpSettings, env: &BTreeMap<String, String>) -> reqwest::Result<Client> {
    let variable = |name: &str| {
        let value = env.get(name).or_else(|| env.get(&name.to_ascii_uppercase()));
        value.filter(|value| !value.is_empty())
    };
    let without = variable("no_proxy").and_then(|list| NoProxy::from_string(list));
    let proxies = ["http_proxy", "https_proxy", "all_proxy"].map(variable);
    let hosts = proxies.iter().flatten().filter_map(|proxy| Url::parse(proxy).ok()?.host_str().map(str::to_owned));
    let resolver = Resolver { private: settings.private_addresses, proxies: hosts.collect::<BTreeSet<_>>() };
    let mut builder = Client::builder()
        .user_agent(&settings.user_agent)
        .connect_timeout(settings.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(resolver))
        // Proxies come from the values passed in, not from the process.
        .no_proxy();
    let [http, https, all] = proxies;
    if let Some(proxy) = http {
        builder = builder.proxy(Proxy::http(proxy)?.no_proxy(without.clone()));
    }
    if let Some(proxy) = https {
        builder = builder.proxy(Proxy::https(proxy)?.no_proxy(without.clone()));
    }
    if let Some(proxy) = all {
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
    base.at(url)
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
