//! What the owner of a registry is told about it: a page for people and a CSV with every case, fit to be sent.
//!
//! Values appear of public columns only, and of these none that looks personal: see [`Visible`]. Both files are made while
//! the lists of a run are read: the page shows the first [`SHOWN`] cases of each list, the CSV has all of them.

mod list;
mod visible;
mod words;

use minijinja::context;
use serde::Serialize;

use super::page::environment;

pub use list::{At, Case, Cells, Kind, Listed, Lists};
pub use visible::Visible;

const TEMPLATE: &str = include_str!("../../../web/owner.html");

/// Cases of each list that are on the page.
pub const SHOWN: usize = 500;

/// The page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The template and what it is given do not fit.
    #[error("cannot draw the page for the owner of source `{name}`")]
    Page {
        /// The source.
        name: String,
        /// What the template engine says.
        source: minijinja::Error,
    },
    /// The CSV cannot be written.
    #[error("cannot write the list for the owner of a source")]
    Csv(#[source] csv::Error),
}

/// What is said above the lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// Name of the source, which is also that of the CSV.
    pub source: String,
    /// Its title.
    pub title: String,
    /// Who publishes it.
    pub owner: Option<String>,
    /// Its page.
    pub homepage: Option<String>,
    /// Day on which it was fetched.
    pub fetched: String,
    /// The files that were read, when there are several.
    pub parts: Vec<String>,
    /// Title of the dataset that is made of it.
    pub dataset: String,
    /// Who makes it.
    pub publisher: String,
    /// Address of who makes it.
    pub contact: Option<String>,
    /// Whether the data are made up.
    pub synthetic: bool,
}

/// What became of the rows that fill a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// Title of the table.
    pub title: String,
    /// Rows that were read.
    pub read: u64,
    /// Rows that are in the table.
    pub kept: u64,
    /// Rows that are not, duplicates left out.
    pub rejected: u64,
    /// Rows that another row of the same key stands for.
    pub duplicates: u64,
    /// How rows were placed: in words, and how many.
    pub placed: Vec<(&'static str, u64)>,
    /// What was found, list by list; none is empty.
    pub lists: Vec<Listed>,
}

/// The page.
pub fn html(letter: &Letter, tables: &[TableReport]) -> Result<String, OwnerError> {
    page(letter, tables).map_err(|source| OwnerError::Page { name: letter.source.clone(), source })
}

fn page(letter: &Letter, tables: &[TableReport]) -> Result<String, minijinja::Error> {
    let mut environment = environment("owner.html", TEMPLATE)?;
    environment.add_filter("s", |number: u64| if number > 1 { "s" } else { "" });
    environment.get_template("owner.html")?.render(context! { l => letter, tables, shown => SHOWN })
}

/// How a row was placed, in words; `method` is a code of [`territory`](crate::territory).
pub fn placed(method: &str) -> &'static str {
    words::placed(method)
}
