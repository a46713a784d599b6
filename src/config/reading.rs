//! How the bytes of a source become rows of a contract: readers, mappings, places, rules.
//!
//! A **source column** is named in these ways, wherever a mapping, a place, a rule or a derivation names one:
//! by its name in the source (blanks folded into one), `Name#2` for the second of several columns of one name, `#3` for
//! the third column whatever its name, and by the name of a [`Derived`] column. Of several names the first whose cell is
//! filled in the row at hand is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

use crate::contract::Contract;
use crate::contract::fold::is_invisible;
use crate::id::{SourceId, TableName};

/// How bytes are text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8, with or without byte order mark.
    #[default]
    Utf8,
    /// Windows-1252.
    Windows1252,
    /// UTF-16; little-endian unless a byte order mark says otherwise.
    Utf16,
    /// Found out from the bytes, with a remark: byte order mark, else UTF-16 by its zeros, else UTF-8, else Windows-1252.
    Detect,
}

/// Where the header and the rows of a grid are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Record of the header's last line, from 1; records above the header are skipped.
    pub header_row: u64,
    /// Lines of the header, from 1. The lines above the last one name groups of columns: `Group > Column`.
    pub header_rows: u64,
    /// Text with which the first filled cell of the first record after the rows begins; nothing from there on is a row.
    pub footer: Option<String>,
}

impl Default for Layout {
    fn default() -> Self {
        Self { header_row: 1, header_rows: 1, footer: None }
    }
}

/// How a CSV file is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvSpec {
    /// Byte between cells.
    pub delimiter: u8,
    /// Byte around cells that need it; 0 when none does.
    pub quote: u8,
    /// Encoding of the text.
    pub encoding: Encoding,
    /// Where header and rows are.
    pub layout: Layout,
}

impl Default for CsvSpec {
    fn default() -> Self {
        Self { delimiter: b',', quote: b'"', encoding: Encoding::Utf8, layout: Layout::default() }
    }
}

/// Where the rows of a JSON document are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonSpec {
    /// Names of the members that lead to the list of rows, outermost first; empty when the document is the list.
    ///
    /// Where an object stands in the list's place, each of its members is a row, and its name the column `#name`.
    pub rows: Vec<String>,
    /// Whether each line is a row (JSON lines).
    pub lines: bool,
    /// Whether `null` says that a question was not shown, as in `LimeSurvey`; else it is an empty answer.
    pub nulls_not_shown: bool,
    /// Whether a row may be wrapped in an object under its id, as older `LimeSurvey`s do.
    pub wrapped: bool,
    /// Columns that hold attachments, which are counted and not read.
    pub attachments: Vec<String>,
}

impl JsonSpec {
    /// What a `LimeSurvey` exports.
    pub fn lime_survey(attachments: Vec<String>) -> Self {
        Self { rows: vec!["responses".to_owned()], lines: false, nulls_not_shown: true, wrapped: true, attachments }
    }
}

/// Where the rows of a spreadsheet (XLSX, XLS, ODS) are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SheetSpec {
    /// Name of the sheet; the first visible one when absent.
    pub sheet: Option<String>,
    /// Where header and rows are.
    pub layout: Layout,
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

/// How snapshot parts become rows. Parts of the first five may be gzip; those of CSV, JSON, GeoJSON and Parquet may be
/// members of a ZIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderSpec {
    /// Every part is a CSV of the same layout.
    Csv(CsvSpec),
    /// Every part is JSON or JSON lines. Members of objects inside a row are columns `outer.inner`.
    Json(JsonSpec),
    /// Every part is a GeoJSON feature collection: columns are the properties by their names, `id`, `geometry.type`, and
    /// for points `geometry.longitude` and `geometry.latitude`.
    GeoJson,
    /// Every part is a spreadsheet.
    Sheet(SheetSpec),
    /// Every part is a Parquet file.
    Parquet,
    /// A YesWiki form.
    YesWiki(YesWikiSpec),
}

/// How a source column is made from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Derivation {
    /// The `nth` piece (from 1; from the end when negative) of the text between separators, trimmed.
    Take {
        /// Text between the pieces.
        separator: String,
        /// Which piece.
        nth: i32,
    },
    /// What the named groups of a regular expression match: a group `g` becomes the column `<name>.g`. A text that does
    /// not match gives empty columns. The expression was found sound when the project was compiled.
    Pattern(String),
    /// The position in a text: columns `<name>.latitude`, `<name>.longitude`, `<name>.altitude`, `<name>.accuracy`.
    ///
    /// Read are `48.85 2.35 0 12.5` (ODK, `KoboToolbox`) with blanks, `;` or `|` between, and, with the longitude first,
    /// `[2.35, 48.85, 0]` (GeoJSON) and `POINT (2.35 48.85)` (WKT).
    Point,
    /// The filled cells, joined.
    Join {
        /// Text between them.
        separator: String,
    },
}

/// Columns that a point makes.
const POINT: [&str; 4] = ["latitude", "longitude", "altitude", "accuracy"];

/// A source column that is made from others before mappings are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Its name.
    pub name: String,
    /// Source columns: the first filled one, or for [`Derivation::Join`] all of them.
    pub from: Vec<String>,
    /// How.
    pub how: Derivation,
}

impl Derived {
    /// Names of the columns that it makes, with runs of blanks as one space.
    pub fn names(&self) -> Vec<String> {
        match &self.how {
            Derivation::Take { .. } | Derivation::Join { .. } => vec![spelled(&self.name)],
            Derivation::Point => POINT.iter().map(|member| spelled(&format!("{}.{member}", self.name))).collect(),
            Derivation::Pattern(pattern) => {
                let regex = Regex::new(pattern).ok();
                let groups = regex.iter().flat_map(|regex| regex.capture_names().flatten());
                groups.map(|group| spelled(&format!("{}.{group}", self.name))).collect()
            }
        }
    }
}

/// The name of a source column as names are compared: runs of blanks, no-break ones and line feeds included, are one
/// space; what is not seen is not there.
pub fn spelled(name: &str) -> String {
    let visible: String = name.chars().filter(|c| !is_invisible(*c)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Rows made of the items of one cell: a child table.
///
/// Each item is a row that has all source columns of its parent, the item in the exploded column's place, and the columns
/// `#item` (from 1). An item that is a JSON object has columns `<column>.<member>`. A parent without items gives no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explode {
    /// Source column with the items.
    pub column: String,
    /// Texts between items, any of them; a JSON list needs none.
    pub separators: Vec<String>,
}

/// Texts of a source and what stands in their place: a reviewable file in `seeds/lookups/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The file's name.
    pub name: String,
    /// By folded text (case, accents and blanks do not matter); an empty value stands for an empty cell.
    pub values: BTreeMap<String, String>,
}

/// Where the columns of a question with one column per option are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionColumns {
    /// Source columns of this name, in which `*` stands for an option's code, label or alias, or for anything when the
    /// cells hold the option.
    Pattern(String),
    /// Code of the option, and its source column.
    Named(Vec<(String, String)>),
}

/// Whether a name that a pipeline file has, or a pattern with one `*`, means a source column. Runs of blanks are one.
pub fn means(name: &str, column: &str) -> bool {
    let tidy = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (name, column) = (tidy(name), tidy(column));
    match name.split_once('*') {
        Some((start, end)) => {
            column.len() >= start.len() + end.len() && column.starts_with(start) && column.ends_with(end)
        }
        None => name == column,
    }
}

/// A question with one source column per option. A cell is ticked, not ticked, or is itself an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticks {
    /// The columns.
    pub columns: OptionColumns,
    /// Texts that tick the option of their column; folded before they are compared.
    pub ticked: Vec<String>,
    /// Texts that do not.
    pub unticked: Vec<String>,
}

/// How one column of a contract is filled from the source.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of a mapping, as its line in the file does")]
pub struct Mapping {
    /// Index of the column in the contract.
    pub column: usize,
    /// Source columns; the first filled one is read.
    pub from: Vec<String>,
    /// A value for every row, instead of a source column.
    pub constant: Option<String>,
    /// HTML to text: tags out, entities decoded.
    pub html: bool,
    /// Replace the value by its keyed digest: a public id that nobody can make from the value.
    pub keyed: bool,
    /// `strftime` formats of dates; none means ISO 8601.
    pub formats: Vec<String>,
    /// Whether numbers use a decimal comma (then `.` and spaces group digits).
    pub decimal_comma: bool,
    /// Whether numbers use either mark: a comma is decimal where there is one, a point elsewhere.
    pub decimal_either: bool,
    /// Units that may follow a number, and what one of each is in the unit of the contract.
    pub units: Vec<(String, f64)>,
    /// What stands in the place of the source's texts.
    pub lookup: Option<Arc<Lookup>>,
    /// Texts that mean that the question was not shown (`N/A`, `Non concerné`); folded before they are compared.
    pub not_shown: Vec<String>,
    /// Text between the items of a multi-choice cell. JSON lists and `PostgreSQL` arrays are known by themselves.
    pub separator: Option<String>,
    /// Whether options hold the separator too: the longest option is then taken first.
    pub labels: bool,
    /// Number of characters after which the tool cut options.
    pub cut_at: Option<usize>,
    /// One source column per option, instead of `from`.
    pub ticks: Option<Ticks>,
    /// Index of the column that takes the free text of an item that is in no list (code `autre`).
    pub other: Option<usize>,
    /// Source columns with the free text of the option `autre`; a filled one ticks it.
    pub other_from: Vec<String>,
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
    /// Code or name of the région.
    pub region: Vec<String>,
    /// Longitude, or easting in the coordinate system.
    pub longitude: Vec<String>,
    /// Latitude, or northing.
    pub latitude: Vec<String>,
    /// EPSG code of the coordinate system; WGS 84 when absent.
    pub crs: Option<u16>,
    /// Where rows without a point of their own are looked for.
    pub geocode: Option<Geocode>,
}

/// Which addresses are sent to a geocoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geocode {
    /// The source that is the geocoder.
    pub source: SourceId,
    /// Public columns of the contract, of which the first filled one is the address.
    pub address: Vec<String>,
}

/// Columns that the place lookup fills, where the contract declares them.
pub const PLACE_COLUMNS: [&str; 17] = [
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
    "lieu_niveau",
    "lieu_methode",
    "lieu_confiance",
    "lieu_distance_km",
    "position_origine",
    "code_arrondissement",
];

/// A declared rule that takes rows out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RejectRule {
    /// Source column that is looked at; of a rule with `unread` the column of the contract.
    pub column: String,
    /// Index of the column of the contract without a value of which a row is rejected, instead of the other ways.
    pub unread: Option<usize>,
    /// Rows with one of these values are rejected.
    pub values: Vec<String>,
    /// Rows whose cell this regular expression matches are rejected; found sound when the project was compiled.
    pub matches: Option<String>,
    /// True when it is the rows without one of these values, or that do not match, that are rejected.
    pub negated: bool,
    /// Reason that is kept with the row.
    pub reason: String,
    /// Whether the source may lack the column: it leaves out what it has nothing to say about.
    pub optional: bool,
}

/// Another row with the same key stays: the reason of a reject where a project has no word of its own.
pub const DUPLICATE: &str = "doublon";

/// Which row of several with one key stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// The first in the source's order.
    First,
    /// The one with the greatest value in a column (by its index); the first of equals.
    Newest(usize),
    /// The one with the smallest value in a column (by its index); the first of equals.
    Oldest(usize),
}

/// Rows of another table that rows belong to, such as the commune of a registry of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The other table; it is declared, and its source too, before this one.
    pub table: TableName,
    /// Ways to find a row of it, the surest first: source columns of this table, each with a column of the other.
    pub by: Vec<Vec<(String, String)>>,
    /// Indices of columns of this table's contract, each with the column of the other table that fills it.
    pub columns: Vec<(usize, String)>,
    /// Why a row that none is found for is rejected; it stays when absent.
    pub missing: Option<String>,
}

/// A table of the rows that are rejected, as their source has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectTable {
    /// Its name in SQL.
    pub table: TableName,
    /// Its columns beside the reason and the place in the source, each with the source column that fills it.
    pub columns: Vec<(String, String)>,
}

/// What a run does when a mapped column of the source is gone, renamed or of another type than in the snapshot before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drift {
    /// It stops, and the last good release stays.
    #[default]
    Stop,
    /// It goes on with empty cells, and warns.
    Nulls,
    /// It goes on; the record says what changed.
    Accept,
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
    /// Names of the parts that are read, as a pattern; all of them when absent.
    pub parts: Option<String>,
    /// Names of the members of a ZIP that are read, as a pattern (`*.csv`); all of them when absent.
    pub members: Option<String>,
    /// Rows made of the items of a cell.
    pub explode: Option<Explode>,
    /// Source columns made from others, in the order in which they are made.
    pub derived: Vec<Derived>,
    /// How columns are filled, in the order of the contract; place columns have none.
    pub mappings: Vec<Mapping>,
    /// Where rows are looked up.
    pub place: Option<Place>,
    /// Rows that are taken out.
    pub rejects: Vec<RejectRule>,
    /// Which of several rows with one primary key stays.
    pub keep: Keep,
    /// Why the others are rejected, where the project has a word of its own for it.
    pub duplicate: Option<String>,
    /// Rows of another table that its rows belong to.
    pub matched: Option<Match>,
    /// The table of the rows that are rejected.
    pub reject_table: Option<RejectTable>,
    /// What happens when the source changes its shape.
    pub drift: Drift,
    /// What respondents agreed to.
    pub consent: Option<Consent>,
}

impl TableSpec {
    /// Why rows are rejected that lose against another with their key.
    pub fn duplicate_reason(&self) -> &str {
        self.duplicate.as_deref().unwrap_or(DUPLICATE)
    }
}
