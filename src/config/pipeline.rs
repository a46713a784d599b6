//! What a project's files mean, once [`compile`](super::compile) has found no mistake in them.
//!
//! Later layers take these as they are: names are resolved, contracts are there, code lists are loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::contract::{Contract, Visibility};
use crate::diagnostic::SourceFile;
use crate::id::{DatasetId, SourceId, TableName};

pub use crate::secret::{SafeUrl, Secret};

/// Where a source's parts come from.
#[derive(Debug, Clone)]
pub enum SourceKind {
    /// Files of a folder or of an object store.
    File(FileSource),
    /// Documents behind HTTP.
    Http(HttpSource),
}

/// Files to be read.
#[derive(Debug, Clone)]
pub struct FileSource {
    /// Name of the part, and its path, pattern (`data/*.csv`) or URL of an object (`s3://bucket/data/*.csv`).
    ///
    /// The files of a pattern, sorted by path, become parts named after the files. A URL names objects as they are
    /// spelled in the bucket, without percent-encoding.
    pub parts: Vec<(String, String)>,
    /// Where relative paths start.
    pub base: PathBuf,
}

/// Documents to be downloaded.
#[derive(Debug, Clone)]
pub struct HttpSource {
    /// Name and address of each part.
    pub parts: Vec<(String, SafeUrl)>,
    /// Headers sent along, all of them secret: they stay with the host of the part's address.
    pub headers: Vec<(String, Secret)>,
    /// Largest body of a part, decompressed.
    pub max_bytes: u64,
    /// Time limit for a connection.
    pub connect_timeout: Duration,
    /// Time limit for an answer to begin, and for each next piece of its body.
    pub idle_timeout: Duration,
    /// Time limit for a part, with all attempts and the waiting between them.
    pub total_timeout: Duration,
    /// Attempts for a part, the first included.
    pub attempts: u32,
    /// Wait before the second attempt; it doubles for each further one, with jitter.
    pub first_delay: Duration,
    /// Who we are, with a contact.
    pub user_agent: String,
}

impl Default for HttpSource {
    fn default() -> Self {
        Self {
            parts: Vec::new(),
            headers: Vec::new(),
            max_bytes: 2 << 30,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(2),
            total_timeout: Duration::from_hours(1),
            attempts: 5,
            first_delay: Duration::from_secs(1),
            user_agent: concat!("essaim/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// An upstream resource.
#[derive(Debug, Clone)]
pub struct Source {
    /// Name in the pipeline.
    pub id: SourceId,
    /// Title for people.
    pub title: String,
    /// SPDX licence identifier.
    pub licence: String,
    /// Who publishes it.
    pub publisher: Option<String>,
    /// Its page for people.
    pub homepage: Option<String>,
    /// How it is fetched.
    pub kind: SourceKind,
}

/// How the bytes of a CSV are text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without byte order mark.
    Utf8,
    /// Windows-1252.
    Windows1252,
}

/// How a CSV file is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvSpec {
    /// Byte between cells.
    pub delimiter: u8,
    /// Byte around cells that need it.
    pub quote: u8,
    /// Encoding of the text.
    pub encoding: Encoding,
    /// Line record of the header, from 1; records above it are skipped.
    pub header_row: u64,
}

/// Which parts of a snapshot hold the answers of a YesWiki Bazar form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YesWikiSpec {
    /// Form id; entries of other forms are rejected.
    pub form_id: String,
    /// Part with the form's definition.
    pub form: String,
    /// Part with the lists, when it was fetched.
    pub lists: Option<String>,
    /// Part with the entries.
    pub entries: String,
    /// Whether the entries were read with an administrator's key, so that nothing is masked.
    pub admin: bool,
}

/// How snapshot parts become rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderSpec {
    /// Every part is a CSV of the same layout.
    Csv(CsvSpec),
    /// A YesWiki form.
    YesWiki(YesWikiSpec),
}

/// How one column of a contract is filled from the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Index of the column in the contract.
    pub column: usize,
    /// Names of the source column; the first that the source has is read.
    pub from: Vec<String>,
    /// A value for every row, instead of a source column.
    pub constant: Option<String>,
    /// Decode HTML entities first.
    pub html: bool,
    /// Replace the value by its keyed digest: a public id that nobody can make from the value.
    pub keyed: bool,
    /// `strftime` formats of dates; none means ISO 8601.
    pub formats: Vec<String>,
    /// Whether numbers use a decimal comma (then `.` and spaces group digits).
    pub decimal_comma: bool,
    /// Text between the items of a multi-choice cell.
    pub separator: Option<String>,
    /// Index of the column that takes the free text of an item that is in no list (code `autre`).
    pub other: Option<usize>,
}

/// Source columns that say where a row is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// INSEE code of the commune.
    pub code_insee: Vec<String>,
    /// Postal code.
    pub code_postal: Vec<String>,
    /// Name of the commune.
    pub commune: Vec<String>,
    /// Code or name of the département.
    pub departement: Vec<String>,
    /// Longitude in degrees, WGS 84.
    pub longitude: Vec<String>,
    /// Latitude in degrees, WGS 84.
    pub latitude: Vec<String>,
}

/// Columns that the place lookup fills, where the contract declares them.
pub const PLACE_COLUMNS: [&str; 16] = [
    "code_insee",
    "commune",
    "code_postal",
    "code_departement",
    "departement",
    "code_region",
    "region",
    "code_epci",
    "epci",
    "longitude",
    "latitude",
    "lieu_methode",
    "lieu_confiance",
    "lieu_distance_km",
    "position_origine",
    "code_arrondissement",
];

/// A declared rule that takes rows out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectRule {
    /// Source column that is looked at.
    pub column: String,
    /// Rows with one of these values are rejected.
    pub values: Vec<String>,
    /// True when it is the rows without one of these values that are rejected.
    pub negated: bool,
    /// Reason that is kept with the row.
    pub reason: String,
}

/// Which row of several with one key stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// The first in the source's order.
    First,
    /// The one with the greatest value in a column (by its index); the first of equals.
    Newest(usize),
}

/// What respondents agreed to; an absent answer is a no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Boolean column: the row may be shown, by name and place.
    pub row: String,
    /// Boolean column: the answers may stand beside the name.
    pub answers: String,
}

/// A table made from a source.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Name in SQL.
    pub name: TableName,
    /// Where its rows come from.
    pub source: SourceId,
    /// What it promises.
    pub contract: Arc<Contract>,
    /// How bytes become rows.
    pub reader: ReaderSpec,
    /// How columns are filled, in the order of the contract; place columns have none.
    pub mappings: Vec<Mapping>,
    /// Where rows are looked up.
    pub place: Option<Place>,
    /// Rows that are taken out.
    pub rejects: Vec<RejectRule>,
    /// Which of several rows with one primary key stays.
    pub keep: Keep,
    /// What respondents agreed to.
    pub consent: Option<Consent>,
}

/// What a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionKind {
    /// One option.
    Single,
    /// Several options.
    Multi,
    /// A grade on a scale of codes.
    Scale,
    /// A number.
    Number,
    /// Free text.
    Text,
    /// A place.
    Place,
}

/// Who counts in the base of a question's shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Everyone who took part; an empty answer counts as "no".
    Respondents,
    /// Everyone who was shown the question; an empty answer counts as "no".
    Asked,
    /// Those who answered the question.
    Answered,
}

/// A declared question.
#[derive(Debug, Clone)]
pub struct Question {
    /// Index of its column in the contract.
    pub column: usize,
    /// What it asks for.
    pub kind: QuestionKind,
    /// Who counts in its base.
    pub base: Base,
}

/// A declared grouping: a closed column, with its codes gathered where they are thin.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// Name.
    pub name: String,
    /// Index of its column in the contract.
    pub column: usize,
    /// Code or value, and the group it falls in; empty means as it is.
    pub recode: BTreeMap<String, String>,
}

/// The declared questionnaire of a pipeline.
#[derive(Debug, Clone)]
pub struct Questionnaire {
    /// Table of the answers, one row a respondent.
    pub table: TableName,
    /// Number of structures that were asked, when the survey knows it.
    pub population: Option<u64>,
    /// Closed and open questions.
    pub questions: Vec<Question>,
    /// Groupings that are computed, and not published.
    pub groupings: Vec<Grouping>,
}

/// One SELECT that builds one table.
#[derive(Debug, Clone)]
pub struct Model {
    /// The table: the file's name.
    pub name: TableName,
    /// The SQL.
    pub file: Arc<SourceFile>,
    /// What it promises; a model without contract stays inside.
    pub contract: Option<Arc<Contract>>,
    /// Whether it may read personal columns. It is then never published.
    pub personal: bool,
}

/// What the bars of a figure measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureUnit {
    /// Numbers of structures.
    Count,
    /// Shares between 0 and 1, drawn in per cent.
    Percent,
}

/// A bar chart of a table.
#[derive(Debug, Clone)]
pub struct FigureSpec {
    /// Table that it draws; also the file's name.
    pub table: TableName,
    /// Title.
    pub title: String,
    /// Column of the labels.
    pub label: String,
    /// Column of the values.
    pub value: String,
    /// What the values are.
    pub unit: FigureUnit,
    /// Text under the chart that gives the base; `{base}` stands for the number in the table's column `base`.
    pub base: String,
    /// Reading notes.
    pub notes: Vec<String>,
}

/// One dataset and how it is made.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The dataset: the pipeline file's name.
    pub id: DatasetId,
    /// The pipeline file.
    pub file: Arc<SourceFile>,
    /// Title for people.
    pub title: String,
    /// What it holds.
    pub description: String,
    /// Semantic version of the published contract.
    pub version: String,
    /// SPDX licence identifier of the release.
    pub licence: String,
    /// Whether the survey's answers were invented.
    pub synthetic: bool,
    /// Zone of its dates and of its release ids.
    pub time_zone: chrono_tz::Tz,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Notes of the dictionary: readings and thresholds of this project.
    pub notes: Vec<String>,
    /// Upstream resources.
    pub sources: Vec<Source>,
    /// Tables made from them.
    pub tables: Vec<TableSpec>,
    /// The questionnaire.
    pub questionnaire: Option<Questionnaire>,
    /// SQL models, by name.
    pub models: Vec<Model>,
    /// What the table `indicateurs` promises, when the project says so.
    pub indicators: Option<Arc<Contract>>,
    /// Tables of the releases, in order.
    pub published: Vec<TableName>,
    /// Published whole-sample tables that the complement rule of small cells spares.
    pub exempt: Vec<TableName>,
    /// Smallest number of respondents that may be shown.
    pub smallest_cell: u64,
    /// Figures.
    pub figures: Vec<FigureSpec>,
    /// What is declared and could not be read; empty in a project without mistakes.
    pub unread: Unread,
}

/// Names that are declared with a mistake. Nothing is known behind them, so that nothing about them is reported twice.
#[derive(Debug, Clone, Default)]
pub struct Unread {
    /// Sources.
    pub sources: BTreeSet<String>,
    /// Tables.
    pub tables: BTreeSet<String>,
}

/// The table `<table>_publiques`: rows that respondents agreed to show, with the answers that they agreed to show.
#[derive(Debug, Clone)]
pub struct ShownTable {
    /// Its name.
    pub name: TableName,
    /// Its columns: the public ones of the table, and its questions.
    pub contract: Contract,
    /// Columns that are empty where the answers may not be shown.
    pub answers: Vec<String>,
    /// What rows and answers are shown by.
    pub consent: Consent,
}

/// Name of the shown part of a table.
pub fn shown_name(table: &TableName) -> String {
    format!("{table}_publiques")
}

/// The shown part of a table, where it declares consent.
pub fn shown_table(pipeline: &Pipeline, table: &TableSpec) -> Option<ShownTable> {
    let consent = table.consent.clone()?;
    let name = shown_name(&table.name).parse().ok()?;
    let questions: Vec<&str> = pipeline
        .questionnaire
        .iter()
        .filter(|questionnaire| questionnaire.table == table.name)
        .flat_map(|questionnaire| &questionnaire.questions)
        .map(|question| table.contract.columns[question.column].name.as_str())
        .collect();
    let mut contract = Contract::clone(&table.contract);
    contract.columns.retain(|column| match column.visibility {
        Visibility::Public => true,
        Visibility::Restricted => questions.contains(&column.name.as_str()),
        Visibility::Personal | Visibility::Undeclared => false,
    });
    let mut answers = Vec::new();
    for column in &mut contract.columns {
        column.status = false;
        column.required &= column.visibility == Visibility::Public;
        if column.visibility == Visibility::Restricted {
            answers.push(column.name.clone());
        }
    }
    Some(ShownTable { name, contract, answers, consent })
}

/// Who publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// Name.
    pub name: String,
    /// Web page.
    pub url: Option<String>,
    /// Contact address of the organisation, not of a person.
    pub email: Option<String>,
}

/// A project whose files hold no mistake.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its folder.
    pub root: PathBuf,
    /// Who publishes.
    pub publisher: Publisher,
    /// URL of the private store.
    pub private_store: String,
    /// URL of the public store.
    pub public_store: String,
    /// Address under which the public store is served.
    pub public_url: Url,
    /// Key of public row ids and of snapshot citations.
    pub key: Secret,
    /// Pipelines, by name.
    pub pipelines: Vec<Pipeline>,
}

/// The printed key of the shipped sample; a survey that is not synthetic is refused with it.
pub const DEMO_KEY: &str = "essaim-demonstration-key";
