//! `manifest.json`: what is in a release and where it came from. Keys and lists are in a fixed order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::compat::ContractChange;
use crate::id::{DatasetId, Digest, Hasher, ReleaseId};

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Path below the release's folder.
    pub path: String,
    /// Media type.
    pub media_type: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: Digest,
    /// Rows, of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// A column of a published table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnRecord {
    /// Name.
    pub name: String,
    /// Arrow type in the Parquet file.
    #[serde(rename = "type")]
    pub kind: String,
    /// Codes of a closed column.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub options: Option<Vec<String>>,
    /// Empty cells, when it is known how many.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub empty: Option<u64>,
    /// Whether its changes do not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub volatile: bool,
    /// Unit of its numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Whether no cell of it may be empty; manifests of the first versions say neither this nor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
}

/// What a row of a published table stands for: it decides what the changelog may tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowsOf {
    /// An entry of a source, or something made of such entries.
    Entries,
    /// Someone who answered and agreed to be shown. What an older manifest does not say is taken for this.
    #[default]
    Respondents,
    /// Several of those together.
    Groups,
    /// A number about all answers, protected when small.
    Cells,
}

/// A published table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// Name.
    pub name: String,
    /// Title.
    pub title: String,
    /// Rows.
    pub rows: u64,
    /// Rows whose numbers are withheld.
    pub secret_rows: u64,
    /// What a row stands for.
    #[serde(default)]
    pub rows_of: RowsOf,
    /// Primary key.
    pub key: Vec<String>,
    /// Columns in order.
    pub columns: Vec<ColumnRecord>,
}

fn copied() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references over")]
fn is_copied(latest: &bool) -> bool {
    *latest
}

/// A part of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Name.
    pub name: String,
    /// Address without secrets.
    pub url: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// A source and the snapshot that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Name in the pipeline.
    pub source: String,
    /// Title.
    pub title: String,
    /// SPDX licence identifier.
    pub licence: String,
    /// HMAC-SHA256 of the snapshot's digest under the project's key: a plain digest would confirm guesses.
    pub snapshot: String,
    /// When it was fetched, RFC 3339, UTC.
    pub fetched_at: String,
    /// Why an older snapshot than the last one was used: what was wrong with the last answer, a code without values.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_back: Option<String>,
    /// Its parts.
    pub parts: Vec<PartRecord>,
}

/// A check and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// Stable id.
    pub id: String,
    /// The table it is about.
    pub table: String,
    /// `block` or `warn`.
    pub severity: String,
    /// `pass` or `fail`.
    pub outcome: String,
    /// Rows that fail; withheld where they would tell how many respondents gave an answer.
    pub failing_rows: Option<u64>,
    /// Why the check was declared; empty when it follows from a contract.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub because: String,
}

/// What a rewritten release says of its erasure; nobody's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRecord {
    /// The release that it stands in for.
    pub replaces: ReleaseId,
    /// When the record was erased, RFC 3339, UTC.
    pub at: String,
    /// Why, in the words of who did it.
    pub reason: String,
}

/// What is in a release and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The dataset.
    pub dataset: DatasetId,
    /// The release.
    pub release: ReleaseId,
    /// Title of the dataset.
    pub title: String,
    /// Semantic version of the published contract.
    pub version: String,
    /// When it was issued, RFC 3339, UTC: the release's only clock.
    pub issued: String,
    /// Whether the survey's answers were invented.
    pub synthetic: bool,
    /// SPDX licence identifier.
    pub licence: String,
    /// Digest of what it says, clocks and ids left out.
    pub content: Digest,
    /// Digest of the texts and contracts that count as content.
    #[serde(default)]
    pub texts: Option<Digest>,
    /// The erasure that rewrote it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure: Option<ErasureRecord>,
    /// Whether `latest/` holds copies of its files while it is the current release.
    #[serde(default = "copied", skip_serializing_if = "is_copied")]
    pub latest: bool,
    /// Version of the program.
    pub engine: String,
    /// Digest of the project files that it was made with.
    pub project: Digest,
    /// Digest of the official geography that it was made with.
    #[serde(default)]
    pub reference: Option<Digest>,
    /// The release before.
    pub previous: Option<ReleaseId>,
    /// What changed in the published contract since then.
    #[serde(default)]
    pub contract_changes: Vec<ContractChange>,
    /// Tables, in the order of the pipeline.
    pub tables: Vec<TableRecord>,
    /// Every file but this one and `SHA256SUMS`, by path.
    pub files: Vec<FileRecord>,
    /// Sources.
    pub sources: Vec<SourceRecord>,
    /// Checks.
    pub checks: Vec<CheckRecord>,
    /// Rows read by table.
    pub read: BTreeMap<String, u64>,
    /// Rejected rows by table and reason.
    pub rejects: BTreeMap<String, BTreeMap<String, u64>>,
    /// Cells that did not fit their contract, by table.
    pub unfit_cells: BTreeMap<String, u64>,
    /// Automatic corrections by table and rule.
    pub corrections: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Manifest {
    /// What the release's folder holds: digest and size of every file by path, those of the manifest itself, of which
    /// `bytes` are the stored ones, and of the sums, too.
    pub fn contents(&self, bytes: &[u8]) -> BTreeMap<String, (Digest, u64)> {
        let mut files: BTreeMap<String, (Digest, u64)> =
            self.files.iter().map(|file| (file.path.clone(), (file.sha256, file.bytes))).collect();
        files.insert("manifest.json".to_owned(), (Digest::of(bytes), bytes.len() as u64));
        let sums = sums(files.iter().map(|(path, (digest, _))| (path.as_str(), digest)));
        files.insert("SHA256SUMS".to_owned(), (Digest::of(sums.as_bytes()), sums.len() as u64));
        files
    }
}

/// Digest of what a release says: canonical data files, contracts and texts. Parquet and spreadsheet copies are left
/// out: they hold the same rows, and bytes that depend on the version of a library.
pub fn content_digest(files: &[FileRecord], texts: &Digest) -> Digest {
    let canonical = |path: &str| {
        let (stem, extension) = path.rsplit_once('.').unwrap_or((path, ""));
        matches!(extension, "csv" | "geojson" | "svg") && !stem.ends_with(".excel-fr")
    };
    let mut lines: Vec<String> = files
        .iter()
        .filter(|file| canonical(&file.path))
        .map(|file| format!("{}  {}\n", file.sha256, file.path))
        .collect();
    lines.sort();
    let mut hasher = Hasher::default();
    for line in lines {
        hasher.update(line.as_bytes());
    }
    hasher.update(texts.to_string().as_bytes());
    hasher.finish()
}

/// `SHA256SUMS` as `sha256sum --check` reads it.
pub fn sums<'a>(files: impl IntoIterator<Item = (&'a str, &'a Digest)>) -> String {
    let mut lines: Vec<(&str, &Digest)> = files.into_iter().collect();
    lines.sort();
    lines.into_iter().fold(String::new(), |text, (path, digest)| text + &digest.to_string() + "  " + path + "\n")
}
