//! What a project's files mean, once [`compile`](super::compile) has found no mistake in them.
//!
//! Later layers take these as they are: names are resolved, contracts are there, code lists are loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use crate::contract::{Column, Contract, Visibility};
use crate::diagnostic::SourceFile;
use crate::id::{DatasetId, SourceId, TableName};

pub use super::alarm::{AlarmSettings, Mail, MailSecurity};
pub use super::check::{Check, Severity};
pub use super::coverage::{Period, Theme};
pub use super::gate::{OnFailure, SourceGate, TableGate, table_gate};
pub use super::reading::{
    Consent, CsvSpec, Derivation, Derived, Drift, Encoding, Explode, Geocode, JsonSpec, Keep, Layout, Lookup, Mapping,
    Match, OptionColumns, PLACE_COLUMNS, Place, ReaderSpec, RejectRule, RejectTable, SheetSpec, TableSpec, Ticks,
    YesWikiSpec,
};
pub use super::schedule::Schedule;
pub use super::sql::SqlLimits;
pub use super::table::REJECT_COLUMNS;
pub use super::testing::{Given, TestCase, TestRow, TestRows};
pub use super::web::{
    DataGouvSource, GeocoderSource, GogoCartoSource, GristSource, HttpSettings, HttpSource, KoboSource,
    LimeSurveySource, OdkSource, Paging, PagingStep, YesWikiSource,
};
pub use crate::secret::{SafeUrl, Secret};

/// Where a source's parts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// Files of a folder or of an object store.
    File(FileSource),
    /// Documents behind HTTP.
    Http(HttpSource),
    /// A form of a `YesWiki`.
    YesWiki(YesWikiSource),
    /// A table of a Grist document.
    Grist(GristSource),
    /// A resource of a dataset of data.gouv.fr.
    DataGouv(DataGouvSource),
    /// A `KoboToolbox` project.
    Kobo(KoboSource),
    /// A `GoGoCarto` map.
    GogoCarto(GogoCartoSource),
    /// A survey of a `LimeSurvey`.
    LimeSurvey(LimeSurveySource),
    /// A form of an ODK Central.
    Odk(OdkSource),
    /// A geocoder, which is asked about the rows of tables.
    Geocoder(GeocoderSource),
}

/// Files to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSource {
    /// Name of the part, and its path, pattern (`data/*.csv`) or URL of an object (`s3://bucket/data/*.csv`).
    ///
    /// The files of a pattern, sorted by path, become parts named after the files. A URL names objects as they are
    /// spelled in the bucket, without percent-encoding.
    pub parts: Vec<(String, String)>,
    /// Where relative paths start.
    pub base: PathBuf,
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
    /// What it must give.
    pub gate: SourceGate,
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

/// A declared cross-table: how often each option of questions is ticked in each group of rows.
#[derive(Debug, Clone)]
pub struct Crosstab {
    /// Its name in SQL.
    pub name: TableName,
    /// Table whose rows are counted.
    pub table: TableName,
    /// What that table promises.
    pub contract: Arc<Contract>,
    /// Indexes in the contract of the columns whose values make the groups; none is the whole table.
    pub by: Vec<usize>,
    /// Indexes in the contract of the closed columns that are counted.
    pub questions: Vec<usize>,
}

/// Columns of a cross-table, after those that its rows are grouped by.
pub const CROSSTAB_COLUMNS: [&str; 6] = ["question", "modalite", "rang", "n", "base", "ensemble"];

impl Crosstab {
    /// Columns whose values make the groups.
    pub fn by_columns(&self) -> impl Iterator<Item = &Column> {
        self.by.iter().map(|at| &self.contract.columns[*at])
    }

    /// Columns that are counted.
    pub fn question_columns(&self) -> impl Iterator<Item = &Column> {
        self.questions.iter().map(|at| &self.contract.columns[*at])
    }
}

/// A declared long table: one row for each option that a row of another table has.
#[derive(Debug, Clone)]
pub struct Long {
    /// Its name in SQL.
    pub name: TableName,
    /// Table whose options are listed.
    pub table: TableName,
    /// What that table promises.
    pub contract: Arc<Contract>,
    /// Indexes in the contract of the columns of several options.
    pub questions: Vec<usize>,
}

/// Columns of a long table, after the key of the table whose options it lists.
pub const LONG_COLUMNS: [&str; 2] = ["question", "modalite"];

impl Long {
    /// Columns whose options are listed.
    pub fn question_columns(&self) -> impl Iterator<Item = &Column> {
        self.questions.iter().map(|at| &self.contract.columns[*at])
    }

    /// Columns of the key.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.contract.primary_key.iter().filter_map(|name| self.contract.column(name))
    }
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
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Pipeline {
    /// The dataset: the pipeline file's name.
    pub id: DatasetId,
    /// The pipeline file.
    pub file: Arc<SourceFile>,
    /// Title for people.
    pub title: String,
    /// What it holds.
    pub description: String,
    /// Version of the published contract.
    pub version: semver::Version,
    /// SPDX licence identifier of the release.
    pub licence: String,
    /// Whether the survey's answers were invented.
    pub synthetic: bool,
    /// Zone of its dates and of its release ids.
    pub time_zone: chrono_tz::Tz,
    /// When it runs by itself.
    pub schedule: Schedule,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Data themes that it belongs to.
    pub themes: Vec<Theme>,
    /// The time that its data speak of.
    pub period: Option<Period>,
    /// Notes of the dictionary: readings and thresholds of this project.
    pub notes: Vec<String>,
    /// Upstream resources.
    pub sources: Vec<Source>,
    /// Tables made from them.
    pub tables: Vec<TableSpec>,
    /// The questionnaire.
    pub questionnaire: Option<Questionnaire>,
    /// Cross-tables, in the order of the file.
    pub crosstabs: Vec<Crosstab>,
    /// Long tables, in the order of the file.
    pub longs: Vec<Long>,
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
    /// Whether each table has a CSV for spreadsheets set to French.
    pub excel_fr: bool,
    /// Whether the Parquet files of tables with places are GeoParquet.
    pub geoparquet: bool,
    /// Whether `latest/` holds copies of the files of the current release.
    pub latest: bool,
    /// Declared bounds of published tables.
    pub gates: BTreeMap<TableName, TableGate>,
    /// Figures.
    pub figures: Vec<FigureSpec>,
    /// Declared checks of the tables.
    pub checks: Vec<Check>,
    /// Cases that models are tested by.
    pub tests: Vec<TestCase>,
    /// What is declared and could not be read; empty in a project without mistakes.
    pub unread: Unread,
}

impl Pipeline {
    /// Whether the rows of a table are answers of people: that of the questionnaire, and those that ask for consent.
    pub fn is_survey(&self, table: &TableName) -> bool {
        let counted = self.questionnaire.as_ref().is_some_and(|questionnaire| questionnaire.table == *table);
        counted || self.tables.iter().any(|spec| spec.name == *table && spec.consent.is_some())
    }

    /// Cross-tables of answers of people.
    pub fn survey_crosstabs(&self) -> impl Iterator<Item = &Crosstab> {
        self.crosstabs.iter().filter(|crosstab| self.is_survey(&crosstab.table))
    }
}

impl Pipeline {
    /// Whether a table of a source, or one of rejects, has this name.
    pub(super) fn has_table(&self, name: &str) -> bool {
        let rejects = self.tables.iter().filter_map(|table| table.reject_table.as_ref()).map(|rejects| &rejects.table);
        self.tables.iter().map(|table| &table.name).chain(rejects).any(|table| table.as_str() == name)
    }
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

/// Through what a release is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadBack {
    /// The store, before the commit.
    #[default]
    Store,
    /// The store before the commit, and the public address after it.
    Url,
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
    /// Through what releases are read back.
    pub read_back: ReadBack,
    /// Key of public row ids and of snapshot citations.
    pub key: Secret,
    /// Who is told when something is wrong.
    pub alarm: AlarmSettings,
    /// What those who ask a server in SQL may use.
    pub sql: SqlLimits,
    /// Pipelines, by name.
    pub pipelines: Vec<Pipeline>,
}

/// The printed key of the shipped sample; a survey that is not synthetic is refused with it.
pub const DEMO_KEY: &str = "essaim-demonstration-key";
