//! What a release says about itself: Table Schemas, `datapackage.json`, DCAT, Croissant, CSVW, `CITATION.cff`, licence notice,
//! README, and the page of its folder.
//!
//! Pure functions of a [`Context`]: the same release described at the same `issued` gives the same bytes.

mod citation;
mod croissant;
mod csvw;
mod datapackage;
mod dcat;
mod index;
mod readme;
mod table_schema;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use crate::config::pipeline::{Period, Publisher, Theme};
use crate::contract::Contract;
use crate::id::{DatasetId, ReleaseId, TableName};
use crate::publish::format::WrittenFile;
use crate::release::FileRecord;

pub use crate::config::licence::{licence_id, licence_text, licence_title, licence_url};
pub use citation::citation_file;
pub use croissant::croissant;
pub use csvw::csvw;
pub use datapackage::{datapackage, file_title, file_title_en};
pub use dcat::{Distribution, Offer, dcat, dcat_context, french, sha512};
pub use index::index;
pub(super) use index::{told, with_dataset};
pub use readme::{licence_notice, readme};
pub use table_schema::table_schema;

/// What is said of a release in more than one of its files.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// The dataset.
    pub dataset: &'a DatasetId,
    /// Title for people.
    pub title: &'a str,
    /// What the dataset holds.
    pub description: &'a str,
    /// Semantic version of the published contract.
    pub version: String,
    /// SPDX identifier of the release's licence.
    pub licence: &'a str,
    /// Whether the answers were invented.
    pub synthetic: bool,
    /// Words to find it by.
    pub keywords: &'a [String],
    /// Data themes that it belongs to.
    pub themes: &'a [Theme],
    /// The time that its data speak of.
    pub period: Option<Period>,
    /// The release.
    pub release: &'a ReleaseId,
    /// When it was issued: RFC 3339, the only clock of a release.
    pub issued: &'a str,
    /// Who publishes.
    pub publisher: &'a Publisher,
    /// Where the data came from.
    pub sources: Vec<Citation<'a>>,
    /// Contracts of the published tables, in order.
    pub tables: Vec<&'a Contract>,
    /// Address of the dataset's page.
    pub homepage: &'a str,
    /// Address of the release's folder, with `/` at its end.
    pub release_url: &'a str,
    /// Address of the folder with the current release, with `/` at its end.
    pub latest_url: &'a str,
    /// Data files that are no table's: the figures, the dictionary, and what changed since the release before.
    pub others: &'a [FileRecord],
}

/// A source as it is cited.
#[derive(Debug, Clone, Copy)]
pub struct Citation<'a> {
    /// Title for people.
    pub title: &'a str,
    /// Who publishes it.
    pub publisher: Option<&'a str>,
    /// Its page for people.
    pub homepage: Option<&'a str>,
    /// SPDX identifier of its licence.
    pub licence: &'a str,
}

/// A table that was written, with its files.
#[derive(Debug, Clone, Copy)]
pub struct TableFiles<'a> {
    /// What it promises.
    pub contract: &'a Contract,
    /// Its files.
    pub files: &'a [WrittenFile],
}

/// What a file is for people that is no table's.
pub fn other_title(file: &FileRecord) -> &'static str {
    match file.path.as_str() {
        "changes.parquet" => "Changements depuis l’édition précédente, un par ligne (Parquet)",
        "changes.json" => "Changements depuis l’édition précédente, comptés par table et par cause (JSON)",
        "changes.html" => "Changements depuis l’édition précédente, page à lire (HTML)",
        path if ends_in(path, "svg") => "Figure de la table du même nom, à agrandir sans perte (SVG)",
        path if ends_in(path, "png") => "Figure de la table du même nom, pour un diaporama ou un texte (PNG)",
        _ => "Dictionnaire des tables et des colonnes (CSV)",
    }
}

fn ends_in(path: &str, extension: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|found| found == extension)
}

/// Address of the page of a release. `homepage` is that of the dataset, with `/` at its end.
pub(super) fn page_url(homepage: &str, release: &str) -> String {
    format!("{homepage}versions/{release}/")
}

/// A change of the published contract, in French and in English; none for a code that is not known.
pub(super) fn contract_change(code: &str) -> Option<[&'static str; 2]> {
    Some(match code {
        "table_gone" => ["table supprimée", "table removed"],
        "table_added" => ["table ajoutée", "table added"],
        "key_changed" => ["clé modifiée", "key changed"],
        "column_gone" => ["colonne supprimée", "column removed"],
        "column_added" => ["colonne ajoutée", "column added"],
        "type_changed" => ["type modifié", "type changed"],
        "option_gone" => ["modalité supprimée", "option removed"],
        "option_added" => ["modalité ajoutée", "option added"],
        "codes_gone" => ["liste de modalités supprimée", "list of options removed"],
        "codes_added" => ["liste de modalités ajoutée", "list of options added"],
        "unit_changed" => ["unité modifiée", "unit changed"],
        "required_dropped" => ["peut désormais être vide", "may be empty from now on"],
        "required_added" => ["n’est plus jamais vide", "is never empty any more"],
        _ => return None,
    })
}

/// Path of a table's schema below the release's folder.
pub fn schema_path(table: &TableName) -> String {
    format!("schemas/{table}.schema.json")
}

impl Context<'_> {
    /// The title, which says so when the data are synthetic.
    pub fn full_title(&self) -> String {
        if self.synthetic { format!("{} (données synthétiques)", self.title) } else { self.title.to_owned() }
    }

    /// The description, which says so when the data are synthetic.
    pub fn full_description(&self) -> String {
        if self.synthetic { format!("{SYNTHETIC} {}", self.description) } else { self.description.to_owned() }
    }

    /// The page of the release, which stays when the release is withdrawn: what is cited.
    pub fn page_url(&self) -> String {
        page_url(self.homepage, self.release.as_str())
    }

    /// Who publishes, what, which edition, under which licence, and where it stays.
    pub fn citation(&self) -> String {
        let licence = licence_title(self.licence).unwrap_or(self.licence);
        let (publisher, title) = (&self.publisher.name, self.full_title());
        format!("{publisher}, « {title} », édition {}, {licence}, {}", self.release, self.page_url())
    }

    /// The day of issue.
    fn day(&self) -> &str {
        self.issued.split('T').next().unwrap_or(self.issued)
    }

    fn published(&self, table: &str) -> Option<&Contract> {
        self.tables.iter().copied().find(|contract| contract.name.as_str() == table)
    }
}

/// What is said before everything else of invented data.
pub(super) const SYNTHETIC: &str =
    "Données synthétiques : les réponses sont inventées et ne décrivent aucune structure réelle.";

/// Its words, and that it is synthetic; the standard wants at least one.
fn keywords(context: &Context<'_>) -> Vec<String> {
    let mut words = context.keywords.to_vec();
    if context.synthetic {
        words.push("données synthétiques".to_owned());
    }
    if words.is_empty() {
        words.push(context.dataset.to_string());
    }
    words
}

/// An organisation as schema.org has it.
fn organisation(publisher: &Publisher) -> Value {
    let mut organisation = json!({ "@type": "Organization", "name": publisher.name });
    if let Some(url) = &publisher.url {
        organisation["url"] = json!(url);
    }
    if let Some(email) = &publisher.email {
        organisation["email"] = json!(email);
    }
    organisation
}

/// A period as schema.org has it: two days with `/` between, `..` for an open end.
fn interval(period: Period) -> String {
    let day = |day: Option<chrono::NaiveDate>| day.map_or_else(|| "..".to_owned(), |day| day.to_string());
    format!("{}/{}", day(period.from), day(period.to))
}

/// The address of the licence, which is one that data.gouv.fr knows where there is one.
fn licence_address(spdx: &str) -> String {
    licence_url(spdx).map_or_else(|| format!("https://spdx.org/licenses/{spdx}.html"), str::to_owned)
}

/// A media type without its parameters.
fn bare(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or(media_type)
}

fn licence_entry(spdx: &str) -> Value {
    let mut entry = json!({ "name": spdx });
    if let Some(title) = licence_title(spdx) {
        entry["title"] = json!(title);
    }
    if let Some(url) = licence_url(spdx) {
        entry["path"] = json!(url);
    }
    entry
}

fn source_entries(context: &Context<'_>) -> Value {
    let entries = context.sources.iter().map(|source| {
        let title = source.publisher.map_or_else(|| source.title.to_owned(), |by| format!("{}, {by}", source.title));
        let mut entry = json!({ "title": title });
        if let Some(homepage) = source.homepage {
            entry["path"] = json!(homepage);
        }
        entry["licenses"] = json!([licence_entry(source.licence)]);
        entry
    });
    entries.collect()
}

/// Appends a sentence to a text.
fn push_sentence(text: &mut String, sentence: &str) {
    if !text.is_empty() {
        if !text.ends_with(['.', '!', '?', '…']) {
            text.push('.');
        }
        text.push(' ');
    }
    text.push_str(sentence);
}
