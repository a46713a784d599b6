//! What is declared of sources behind HTTP, one type for each connector.

use std::time::Duration;

use crate::secret::{SafeUrl, Secret};

/// How documents are asked for, whatever connector asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Headers sent along, all of them secret: they stay with the host of the document's address.
    pub headers: Vec<(String, Secret)>,
    /// Largest body of a part, decompressed.
    pub max_bytes: u64,
    /// Time limit for a connection.
    pub connect_timeout: Duration,
    /// Time limit for an answer to begin.
    pub answer_timeout: Duration,
    /// Time limit for each next piece of a body.
    pub idle_timeout: Duration,
    /// Time limit for a part, with all attempts and the waiting between them.
    pub total_timeout: Duration,
    /// Attempts for a part, the first included.
    pub attempts: u32,
    /// Wait before the second attempt; it doubles for each further one, with jitter.
    pub first_delay: Duration,
    /// Pause between the beginnings of two requests to one host.
    pub pause: Duration,
    /// Who we are, with a contact.
    pub user_agent: String,
    /// Whether this machine and private networks may be called.
    pub private_addresses: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            headers: Vec::new(),
            max_bytes: 2 << 30,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_mins(2),
            idle_timeout: Duration::from_mins(2),
            total_timeout: Duration::from_hours(1),
            attempts: 5,
            first_delay: Duration::from_secs(1),
            pause: Duration::from_millis(100),
            user_agent: concat!("essaim/", env!("CARGO_PKG_VERSION")).to_owned(),
            private_addresses: false,
        }
    }
}

/// Documents to be downloaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpSource {
    /// Name and address of each part; with paging, the one address of the first page.
    pub parts: Vec<(String, SafeUrl)>,
    /// Whether pages for people are taken too; no reader reads them.
    pub pages: bool,
    /// How the next page is found, where the rows come in pages.
    pub paging: Option<Paging>,
    /// How they are asked for.
    pub settings: HttpSettings,
}

/// Rows that come page by page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging {
    /// How the next page is found.
    pub step: PagingStep,
    /// Members that lead to the list of a page's rows; none when the page is the list.
    pub rows: Option<Vec<String>>,
    /// Members that lead to the announced number of all rows, which those that came are held against.
    pub total: Option<Vec<String>>,
    /// More pages than these are a mistake of the server or of ours.
    pub max_pages: u64,
}

impl Paging {
    /// Paging in its plainest form.
    pub fn new(step: PagingStep) -> Self {
        Self { step, rows: None, total: None, max_pages: 10_000 }
    }
}

/// How the page after a page is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PagingStep {
    /// Its address stands in the page.
    Next {
        /// Members that lead to it.
        path: Vec<String>,
    },
    /// What to ask for stands in the page.
    Cursor {
        /// Members that lead to it.
        path: Vec<String>,
        /// Query parameter that takes it.
        parameter: String,
    },
    /// By the number of rows to be passed over, until a page has none.
    Offset {
        /// Query parameter that takes it.
        parameter: String,
    },
    /// By number, until a page has no rows.
    Page {
        /// Query parameter that takes it.
        parameter: String,
        /// Number of the first page.
        first: u64,
    },
}

/// A Bazar form of a `YesWiki`: the parts `form`, `lists` and `entries`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YesWikiSource {
    /// Base address of the wiki.
    pub url: SafeUrl,
    /// Id of the form.
    pub form_id: String,
    /// Whether the lists are fetched.
    pub lists: bool,
    /// Whether there is a key, which is then held against a closed route first.
    pub with_key: bool,
    /// How documents are asked for; the key is a header.
    pub settings: HttpSettings,
}

/// A table of a Grist document: the parts `columns` and `records`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GristSource {
    /// Base address of the service.
    pub url: SafeUrl,
    /// Id of the document.
    pub document: String,
    /// Id of the table.
    pub table: String,
    /// How documents are asked for; the key is a header.
    pub settings: HttpSettings,
}

/// A resource of a dataset of data.gouv.fr, or of another site of that software.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataGouvSource {
    /// Base address of the site.
    pub url: SafeUrl,
    /// Id or slug of the dataset.
    pub dataset: String,
    /// Id or title of the resource.
    pub resource: String,
    /// How documents are asked for. No credentials: files may lie anywhere.
    pub settings: HttpSettings,
}

/// A `KoboToolbox` project: the part `form`, and pages of submissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KoboSource {
    /// Base address of the server.
    pub url: SafeUrl,
    /// Id of the project.
    pub asset: String,
    /// How documents are asked for; the key is a header.
    pub settings: HttpSettings,
}

/// A survey of a `LimeSurvey`: the parts `survey`, `questions`, `question-<id>` and `responses-0001`…
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimeSurveySource {
    /// Address of its remote control.
    pub url: SafeUrl,
    /// Number of the survey.
    pub survey: u64,
    /// Account.
    pub user: Secret,
    /// Its password.
    pub password: Secret,
    /// Language of the labels; that of the survey without.
    pub language: Option<String>,
    /// Which responses: `all`, `complete` or `incomplete`.
    pub completion: String,
    /// Responses asked for at a time.
    pub page: usize,
    /// How documents are asked for.
    pub settings: HttpSettings,
}

/// A form of an ODK Central: the parts `fields`, `form`, `submissions-0001`… and those of its repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdkSource {
    /// Base address of the server.
    pub url: SafeUrl,
    /// Number of the project.
    pub project: u64,
    /// Id of the form.
    pub form: String,
    /// Address and password of the account; none for what everybody may read.
    pub account: Option<(Secret, Secret)>,
    /// Whether the account goes along with each request, without a session.
    pub basic: bool,
    /// Names of the repeats whose rows are fetched too.
    pub repeats: Vec<String>,
    /// Rows asked for at a time.
    pub page: u64,
    /// How documents are asked for.
    pub settings: HttpSettings,
}

/// A geocoder of the shape of the Géoplateforme's: the part `answers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeocoderSource {
    /// Base address of the service.
    pub url: SafeUrl,
    /// Addresses that go with one request.
    pub batch: usize,
    /// How it is asked. No credentials.
    pub settings: HttpSettings,
}

/// A `GoGoCarto` map: the parts `taxonomy` and `elements`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GogoCartoSource {
    /// Base address of the map.
    pub url: SafeUrl,
    /// Query that chooses among the elements.
    pub query: Option<String>,
    /// Whether the categories are fetched.
    pub taxonomy: bool,
    /// How documents are asked for.
    pub settings: HttpSettings,
}
