//! What can go wrong between us and a source.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::id::Digest;
use crate::id::SourceId;
use crate::store::StoreError;

/// A source could not be fetched, or a snapshot not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or pattern leads to nothing.
    #[error("nothing matches `{pattern}`{}: looked in `{place}`; check the path in the pipeline file", of_part(part))]
    NothingFound {
        /// The part that was declared.
        part: String,
        /// What was declared for it.
        pattern: String,
        /// The absolute path or the store that was searched.
        place: String,
    },
    /// A pattern of file names cannot be read.
    #[error("`{pattern}`{} is not a pattern of file names", of_part(part))]
    Pattern {
        /// The part that was declared.
        part: String,
        /// What was declared for it.
        pattern: String,
        /// What is wrong.
        source: glob::PatternError,
    },
    /// A local file cannot be read.
    #[error("could not read `{}`{}", path.display(), of_part(part))]
    ReadFile {
        /// The part.
        part: String,
        /// The absolute path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A download failed for good.
    #[error("could not download{}: {method} {url} failed at attempt {attempts} after {}", the_part(part), seconds(*elapsed))]
    Download {
        /// The part.
        part: String,
        /// How it was asked for.
        method: &'static str,
        /// Where from, without secrets.
        url: String,
        /// How often it was tried.
        attempts: u32,
        /// Time since the first attempt began.
        elapsed: Duration,
        /// What went wrong at the last attempt.
        source: HttpFault,
    },
    /// The HTTP client could not be made.
    #[error("could not set up the HTTP client")]
    Client {
        /// What the client says.
        source: reqwest::Error,
    },
    /// A declared header cannot be sent.
    #[error("the header `{name}` has a name or a value that HTTP does not allow")]
    Header {
        /// Its name.
        name: String,
    },
    /// The key of a source is not accepted.
    #[error(
        "the key of the source is not accepted: GET {url} answered {}; check that the key is right and has not expired, and \
         that the web server in front passes the `Authorization` header on",
        status_text(*status)
    )]
    KeyRefused {
        /// What was asked for to find out, without secrets.
        url: String,
        /// The status code.
        status: u16,
    },
    /// A service does not let the account in.
    #[error(
        "the account is not let in: POST {url} answered {answer}; check name and password, and that the account is not locked"
    )]
    LoginRefused {
        /// Where it was tried, without secrets.
        url: String,
        /// What the service answers.
        answer: String,
    },
    /// A service answers with an error of its own.
    #[error("`{method}` at {url} answered: {answer}; {advice}")]
    Service {
        /// What was called.
        method: &'static str,
        /// Where, without secrets.
        url: String,
        /// What the service says, without secrets.
        answer: String,
        /// What to do.
        advice: &'static str,
    },
    /// The answer of a service cannot be read.
    #[error("what `{method}` at {url} answers cannot be read ({what}); {advice}")]
    UnreadAnswer {
        /// What was called.
        method: &'static str,
        /// Where, without secrets.
        url: String,
        /// What is wrong with it, without any of it.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// A document that is read while it comes ended too early. Downloads try again.
    #[error("the document ended too early, after {received} bytes")]
    Broken {
        /// Bytes that came.
        received: u64,
    },
    /// A page does not tell where the next one is.
    #[error("the part `{part}` from {url} is not the JSON document that says whether there are more pages")]
    UnreadPage {
        /// The part.
        part: String,
        /// Where from, without secrets.
        url: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The page after a page cannot be fetched.
    #[error("cannot go on after the part `{part}` from {url}: {reason}")]
    NextPage {
        /// The last part that was fetched.
        part: String,
        /// Where from, without secrets.
        url: String,
        /// Why not.
        reason: String,
    },
    /// Fewer or more rows came than the source says it has.
    #[error(
        "the pages up to `{part}` from {url} hold {collected} rows and announce {announced}; rows were left out, or added \
         meanwhile: try again, and check what the key may read"
    )]
    Incomplete {
        /// The last part.
        part: String,
        /// Where from, without secrets.
        url: String,
        /// Rows that the source says it has.
        announced: u64,
        /// Rows that came.
        collected: u64,
    },
    /// The description of a dataset cannot be read.
    #[error("what {url} answers is not the description of a dataset: {what}")]
    UnreadDataset {
        /// Where from, without secrets.
        url: String,
        /// What is wrong with it, without any of it.
        what: String,
    },
    /// A dataset has not exactly one resource of that id or title.
    #[error("the dataset at {url} has {found} of the id or title `{resource}`; it has {known}")]
    Resource {
        /// Where the dataset is described, without secrets.
        url: String,
        /// What was declared.
        resource: String,
        /// How many there are, in words.
        found: &'static str,
        /// The resources that there are.
        known: String,
    },
    /// Two parts of a snapshot have one name.
    #[error("two parts are named `{part}`; parts of a pattern bear the names of their files, which must differ")]
    DuplicatePart {
        /// The name.
        part: String,
    },
    /// A connector gave no part at all.
    #[error("the source `{source_id}` has no part")]
    NoParts {
        /// The source.
        source_id: SourceId,
    },
    /// A connector moved bytes outside a part: a defect of the connector.
    #[error("the connector of `{source_id}` moved bytes outside a part; this is a defect, please report it")]
    OutsidePart {
        /// The source.
        source_id: SourceId,
    },
    /// A snapshot has no such part.
    #[error("snapshot {number} of `{source_id}` has no part `{part}`; it has {known}")]
    UnknownPart {
        /// The source.
        source_id: SourceId,
        /// The snapshot's number.
        number: u64,
        /// The part that was asked for.
        part: String,
        /// The parts that there are.
        known: String,
    },
    /// The bytes of a part are gone.
    #[error("the bytes of the part `{part}` of snapshot {number} of `{source_id}` are gone; fetch the source again")]
    MissingBytes {
        /// The source.
        source_id: SourceId,
        /// The snapshot's number.
        number: u64,
        /// The part.
        part: String,
    },
    /// The bytes of a part are not those that were fetched.
    #[error(
        "the part `{part}` is damaged: its bytes have the digest {found}; move `{place}` away and fetch the source again"
    )]
    DamagedPart {
        /// The part.
        part: String,
        /// Its path in the private store.
        place: String,
        /// The digest of the bytes as fetched.
        expected: Digest,
        /// The digest of the bytes that are there.
        found: Digest,
    },
    /// The index of a snapshot cannot be read.
    #[error("the index of snapshot {number} of `{source_id}` cannot be read")]
    BadIndex {
        /// The source.
        source_id: SourceId,
        /// The snapshot's number.
        number: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The temporary copy of a part could not be written or read.
    #[error("could not use a temporary file{}; is the disk of the temporary folder full?", of_part(part))]
    TemporaryFile {
        /// The part.
        part: String,
        /// What the system says.
        source: io::Error,
    },
    /// A store failed while a source was fetched or a snapshot read.
    #[error("could not {action}")]
    Store {
        /// What was being done, a verb and its object.
        action: &'static str,
        /// What the store says.
        source: Box<StoreError>,
    },
}

/// Why one attempt of a download failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpFault {
    /// The server answered, but not with the document.
    #[error("the server answered {}; {}", status_text(*status), advice(*status))]
    Status {
        /// The status code.
        status: u16,
        /// How long the server asks us to wait.
        retry_after: Option<Duration>,
    },
    /// No connection came about.
    #[error("could not connect; check the address, the network and the proxy")]
    Connect {
        /// What the client says.
        source: reqwest::Error,
    },
    /// The name of the host leads to no address.
    #[error("no address is known for `{host}`; check the name, and that names can be resolved from here")]
    Unresolved {
        /// The host.
        host: String,
        /// What the client says.
        source: reqwest::Error,
    },
    /// The address is not one of the public network.
    #[error(
        "`{host}` is an address of this machine or of a private network; if the source is meant to be there, write \
         `private_addresses = true` under [network] in essaim.toml"
    )]
    Private {
        /// The host.
        host: String,
    },
    /// No encrypted connection came about.
    #[error(
        "no trustworthy encrypted connection came about; check the address, the server's certificate and the clock"
    )]
    Tls {
        /// What the client says.
        source: reqwest::Error,
    },
    /// The request could not be sent or its answer not be read.
    #[error("the request was not answered")]
    Exchange {
        /// What the client says.
        source: reqwest::Error,
    },
    /// Something took too long.
    #[error("waited more than {} for {waiting_for}", seconds(*limit))]
    Timeout {
        /// What did not come.
        waiting_for: WaitingFor,
        /// The time limit.
        limit: Duration,
    },
    /// The body ended too early.
    #[error("the answer was cut off after {received} bytes")]
    Cut {
        /// Bytes that came.
        received: u64,
        /// What the client says.
        source: reqwest::Error,
    },
    /// The body ended too early, and its length was not announced.
    #[error("the answer ended after {received} bytes, in the middle of its document")]
    Unfinished {
        /// Bytes that came.
        received: u64,
    },
    /// The rest of a document was asked for and something else came.
    #[error("the server sent another part of the document than was asked for")]
    Range,
    /// A page for people came.
    #[error(
        "the answer is a page for people, not data; open the address in a browser: it may be a login, an error or a \
         maintenance page"
    )]
    Page,
    /// The body is compressed in a way that was not asked for.
    #[error("the answer is encoded as `{encoding}`, which was not asked for; tell the source's operator")]
    Encoding {
        /// The content coding.
        encoding: String,
    },
    /// The body is longer than allowed.
    #[error("the answer is larger than the limit of {limit} bytes; raise `max_bytes` of the source if that is right")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// A redirect that is not followed.
    #[error("the server redirects to {to}, which is refused: {reason}")]
    Redirect {
        /// Where to.
        to: String,
        /// Why not.
        reason: &'static str,
    },
}

/// What is wrong with a JSON document, without any of its text: a service may put a secret there.
pub(super) fn json_fault(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Io => "it could not be read to its end",
        serde_json::error::Category::Syntax => "it is not JSON",
        serde_json::error::Category::Data => "it has other members than expected",
        serde_json::error::Category::Eof => "it ends too early",
    };
    format!("{what}, line {}, column {}", error.line(), error.column())
}

/// What a time limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingFor {
    /// The connection.
    Connection,
    /// The first byte of an answer.
    Answer,
    /// The next bytes of the body.
    Bytes,
    /// The whole download with all its attempts.
    Whole,
}

impl std::fmt::Display for WaitingFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connection => "a connection",
            Self::Answer => "an answer",
            Self::Bytes => "the next bytes",
            Self::Whole => "the whole download, all attempts together",
        })
    }
}

impl SourceError {
    /// Whether the same call may well succeed a little later. The only basis for retries.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Download { source, .. } => source.is_transient(),
            Self::Store { source, .. } => source.is_transient(),
            _ => false,
        }
    }

    /// Whether the source answered, and what it answered is not what it should be.
    pub fn is_unreadable(&self) -> bool {
        match self {
            Self::Download { source, .. } => matches!(source, HttpFault::Page | HttpFault::Encoding { .. }),
            Self::UnreadPage { .. } | Self::UnreadAnswer { .. } | Self::UnreadDataset { .. } => true,
            _ => false,
        }
    }
}

impl HttpFault {
    /// Whether the same request may well succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            // A name server may be away for a moment too.
            Self::Connect { .. }
            | Self::Unresolved { .. }
            | Self::Cut { .. }
            | Self::Unfinished { .. }
            | Self::Range => true,
            // A certificate does not become right by waiting, all else may.
            Self::Tls { source } => !format!("{source:?}").to_ascii_lowercase().contains("certificate"),
            // An address that is no HTTP address stays one.
            Self::Exchange { source } => !source.is_builder(),
            Self::Timeout { waiting_for, .. } => *waiting_for != WaitingFor::Whole,
            Self::TooLarge { .. }
            | Self::Redirect { .. }
            | Self::Private { .. }
            | Self::Page
            | Self::Encoding { .. } => false,
        }
    }

    /// How long the server asks us to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn status_text(status: u16) -> String {
    match reqwest::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "check the credentials of the source and what they may read",
        404 | 410 => "check the address of the source",
        408 | 425 | 429 | 500..=599 => "this may pass: try again later, and tell the source's operator if it stays",
        _ => "open the address in a browser to see what it says",
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// A part in words; nothing for the only part of a source, which has no name.
fn the_part(part: &str) -> String {
    if part.is_empty() { String::new() } else { format!(" the part `{part}`") }
}

fn of_part(part: &str) -> String {
    if part.is_empty() { String::new() } else { format!(" for the part `{part}`") }
}
