//! The promised shape of a table: columns, types, keys, code lists, visibility.
//!
//! A contract is a [Frictionless Table Schema](https://datapackage.org/standard/table-schema/) file under `schemas/`;
//! what the standard has no word for stands under one key per field, `"essaim": {…}`. What no contract declares public
//! is not published.

pub mod arrow;
pub mod codes;
pub mod constraint;
pub mod fold;
pub mod parse;

use std::sync::Arc;

use regex::Regex;

use crate::diagnostic::{SourceFile, Span};
use crate::id::TableName;

pub use codes::{Code, CodeList};
pub use constraint::{Broken, Scalar};

/// Who may see a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// In the releases.
    Public,
    /// Kept inside; may be counted and summed.
    Restricted,
    /// About a person: leaves the private store under no form.
    Personal,
    /// Not declared: kept inside, and a problem when it is asked for outside.
    Undeclared,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Free text.
    Text,
    /// Text that is a web address.
    Uri,
    /// A French establishment number: 14 digits with a Luhn check.
    Siret,
    /// A whole number, 64 bits.
    Integer,
    /// A number, 64-bit float.
    Number,
    /// Yes or no.
    Boolean,
    /// A calendar date.
    Date,
    /// Date and time, microseconds, in the pipeline's time zone.
    DateTime,
    /// One code of a code list.
    Code,
    /// Several codes of a code list.
    Codes,
    /// Several texts.
    Texts,
    /// A shape in WGS 84, as ISO WKB.
    Geometry,
}

/// One column of a contract.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of a column, as its line in the file does")]
pub struct Column {
    /// Name, in the files and in SQL.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Short title for people.
    pub title: String,
    /// The same in English, when the contract has it.
    pub title_en: Option<String>,
    /// What it means.
    pub description: String,
    /// A value as it would stand in the CSV.
    pub example: Option<String>,
    /// Unit of a number.
    pub unit: Option<String>,
    /// Who may see it.
    pub visibility: Visibility,
    /// A row without it is rejected.
    pub required: bool,
    /// No two rows share a value.
    pub unique: bool,
    /// A text must match this as a whole.
    pub pattern: Option<Regex>,
    /// Smallest value, on the scale of [`constraint`].
    pub minimum: Option<f64>,
    /// Largest value.
    pub maximum: Option<f64>,
    /// Values must be above the first and below the second.
    pub exclusive_bounds: (Option<f64>, Option<f64>),
    /// Fewest characters of a text, fewest items of a list.
    pub min_length: Option<usize>,
    /// Most characters of a text, most items of a list.
    pub max_length: Option<usize>,
    /// The only values that it may have; none when all are fine.
    pub allowed: Vec<Scalar>,
    /// Whether its source writes numbers with a decimal comma.
    pub decimal_comma: bool,
    /// Text between the items of a list in its source, when it is not `|`.
    pub delimiter: Option<String>,
    /// Codes of a closed column.
    pub codes: Option<Arc<CodeList>>,
    /// Codes that exclude all others, such as `aucun`.
    pub exclusive: Vec<String>,
    /// Texts read as true, when declared.
    pub true_values: Vec<String>,
    /// Texts read as false, when declared.
    pub false_values: Vec<String>,
    /// A column `<name>_statut` beside it tells `answered`, `empty`, `not_shown`, `masked` or `unknown`.
    pub status: bool,
    /// Its type or code list is written wrong, which is a problem of its own: what it holds is not known.
    pub doubtful: bool,
    /// Its changes are of no interest, such as those of a time of retrieval: the changelog leaves them out.
    pub volatile: bool,
    /// Where it is declared.
    pub span: Span,
}

impl Column {
    /// Whether the column holds one of these. One that is doubtful may hold anything: nothing more is said of it.
    pub fn may_be(&self, kinds: &[Kind]) -> bool {
        self.doubtful || kinds.contains(&self.kind)
    }

    /// Name of the column that holds the status of each cell.
    pub fn status_name(&self) -> String {
        format!("{}_statut", self.name)
    }
}

/// Name of the boolean column that says that a row of aggregates is withheld; it is filled after the model ran.
pub const SECRET: &str = "secret";

/// How cells of a table of aggregates are protected (design: small cells).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellRule {
    /// Column with the number of respondents behind the row.
    pub respondents: String,
    /// Column with the number of respondents asked, when there is one.
    pub base: Option<String>,
    /// Column whose equal values hold rows that add up, such as the options of a question; without it all rows do.
    pub group: Option<String>,
    /// Columns that become null when the row is secret.
    pub hides: Vec<String>,
    /// Columns that tell what the rows of a group add up to: null in the whole group when one of its rows is secret.
    pub totals: Vec<String>,
}

/// Columns that give a row its place on the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Geometry {
    /// Two columns in degrees, WGS 84.
    Point {
        /// Column of the longitude.
        longitude: String,
        /// Column of the latitude.
        latitude: String,
    },
    /// A column of shapes.
    Shape {
        /// That column.
        column: String,
    },
}

/// A foreign key: values of `columns` stand together in `reference_columns` of `reference`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Columns here.
    pub columns: Vec<String>,
    /// The other table.
    pub reference: String,
    /// Columns there, in the same order.
    pub reference_columns: Vec<String>,
    /// Where it is declared.
    pub span: Span,
}

/// The promised shape of one table.
#[derive(Debug, Clone)]
pub struct Contract {
    /// The table, as its file is named.
    pub name: TableName,
    /// Title for people.
    pub title: String,
    /// The same in English, when the contract has it.
    pub title_en: Option<String>,
    /// What a row is.
    pub description: String,
    /// Semantic version of the contract.
    pub version: String,
    /// Columns in published order.
    pub columns: Vec<Column>,
    /// Columns whose values together name a row; rows are published in their order.
    pub primary_key: Vec<String>,
    /// Columns in whose order rows are published that have no key.
    pub order: Vec<String>,
    /// Links to other tables.
    pub foreign_keys: Vec<ForeignKey>,
    /// Texts that mean "no value".
    pub missing_values: Vec<String>,
    /// How small cells are protected.
    pub cell: Option<CellRule>,
    /// The place of a row.
    pub geometry: Option<Geometry>,
    /// The file it was read from.
    pub file: Arc<SourceFile>,
}

impl Contract {
    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Columns that are in the releases, in order.
    pub fn public_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.visibility == Visibility::Public)
    }
}
