//! Every path that we store something at, its media type and how long others may keep a copy.

use crate::id::DatasetId;
use crate::id::Digest;
use crate::id::ReleaseId;
use crate::id::RunId;
use crate::id::SourceId;
use crate::id::TableName;

/// One object of a store. No other place spells a stored path.
///
/// Numbers are written with 20 digits, so that the order of names is the order of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StoreKey {
    /// Private: the bytes of one part of a snapshot, as received.
    SnapshotPart {
        /// The source that it came from.
        source: SourceId,
        /// The digest of the bytes.
        digest: Digest,
    },
    /// Private: a snapshot, as the index of its parts.
    SnapshotIndex {
        /// The source.
        source: SourceId,
        /// The snapshot's number.
        n: u64,
    },
    /// Private: what the source of a table was like when it was last read: its columns, and what they held.
    SourceColumns {
        /// The dataset.
        dataset: DatasetId,
        /// The table.
        table: TableName,
    },
    /// Private: which snapshot of a source was last good for a dataset, and what it gave.
    SourceState {
        /// The dataset.
        dataset: DatasetId,
        /// The source.
        source: SourceId,
    },
    /// Private: the official geography that releases were made with, as one archive.
    Reference {
        /// Digest of its files.
        digest: Digest,
    },
    /// Private: what a run did.
    RunRecord {
        /// The run.
        run: RunId,
    },
    /// Private: a file beside a run's record, such as `rejects/structures.csv`.
    RunFile {
        /// The run.
        run: RunId,
        /// The path below the run's folder.
        name: String,
    },
    /// Private: publications of which nobody knows yet whether they read back through the public address.
    ReadBack {
        /// The dataset.
        dataset: DatasetId,
    },
    /// Private: a file of a release that is withdrawn.
    WithdrawnFile {
        /// The dataset.
        dataset: DatasetId,
        /// The release.
        release: ReleaseId,
        /// The path below the release's folder.
        path: String,
    },
    /// Private: the demand to erase a record, without its key: readers leave out what its keyed digests tell.
    Erasure {
        /// The dataset.
        dataset: DatasetId,
        /// The demand's number.
        n: u64,
    },
    /// Private: one step of a lease.
    Lease {
        /// The dataset that is leased.
        dataset: DatasetId,
        /// The step's number.
        n: u64,
    },
    /// Private: one entry of the alarms about a dataset, or about the project.
    Alarm {
        /// The dataset; none for the project.
        dataset: Option<DatasetId>,
        /// The entry's number.
        n: u64,
    },
    /// Public: who took a release id.
    Claim {
        /// The dataset.
        dataset: DatasetId,
        /// The id that was taken.
        release: ReleaseId,
    },
    /// Public: one entry of a dataset's log.
    LogEntry {
        /// The dataset.
        dataset: DatasetId,
        /// The entry's number, from 1.
        n: u64,
    },
    /// Public: a file of a release.
    ReleaseFile {
        /// The dataset.
        dataset: DatasetId,
        /// The release.
        release: ReleaseId,
        /// The path below the release's folder.
        path: String,
    },
    /// Public: what is in a release.
    Manifest {
        /// The dataset.
        dataset: DatasetId,
        /// The release.
        release: ReleaseId,
    },
    /// Public: the digests of a release's files, for `sha256sum -c`.
    Sums {
        /// The dataset.
        dataset: DatasetId,
        /// The release.
        release: ReleaseId,
    },
    /// Public, derived: all releases of a dataset, for machines.
    Releases {
        /// The dataset.
        dataset: DatasetId,
    },
    /// Public, derived: a copy of a file of the current release.
    Latest {
        /// The dataset.
        dataset: DatasetId,
        /// The path below `latest/`.
        path: String,
    },
    /// Public, derived: a page or file of a dataset that belongs to no release, such as `index.html` or `feed.atom`.
    DatasetPage {
        /// The dataset.
        dataset: DatasetId,
        /// The path below the dataset's folder.
        path: String,
    },
    /// Public, derived: a page or file of the whole site, such as `index.html` or `catalog.jsonld`.
    Page {
        /// The path below the store's root.
        path: String,
    },
}

/// Every folder that we list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StoreFolder {
    /// The whole store.
    Root,
    /// Public: the scripts of the site, and their style.
    Assets,
    /// A source's snapshots, without their parts.
    Snapshots {
        /// The source.
        source: SourceId,
    },
    /// The parts of a source's snapshots.
    SnapshotParts {
        /// The source.
        source: SourceId,
    },
    /// All runs.
    Runs,
    /// A run's record and the files beside it.
    Run {
        /// The run.
        run: RunId,
    },
    /// The files of all releases of a dataset that are or were withdrawn.
    AllWithdrawn {
        /// The dataset.
        dataset: DatasetId,
    },
    /// The files of a release that is withdrawn.
    Withdrawn {
        /// The dataset.
        dataset: DatasetId,
        /// The release.
        release: ReleaseId,
    },
    /// The demands to erase records of a dataset.
    Erasures {
        /// The dataset.
        dataset: DatasetId,
    },
    /// The steps of a dataset's lease.
    Leases {
        /// The dataset.
        dataset: DatasetId,
    },
    /// The alarms about a dataset, or about the project.
    Alarms {
        /// The dataset; none for the project.
        dataset: Option<DatasetId>,
    },
    /// The claims of a dataset.
    Claims {
        /// The dataset.
        dataset: DatasetId,
    },
    /// A dataset's log.
    Log {
        /// The dataset.
        dataset: DatasetId,
    },
    /// All release folders of a dataset.
    Releases {
        /// The dataset.
        dataset: DatasetId,
    },
    /// The files of one release.
    Release {
        /// The dataset.
        dataset: DatasetId,
        /// The release.
        release: ReleaseId,
    },
    /// The copies of the current release.
    Latest {
        /// The dataset.
        dataset: DatasetId,
    },
}

const DAY: &str = "public, max-age=86400";
const SHORT: &str = "public, max-age=300, must-revalidate";
const NEVER: &str = "private, no-store";

impl StoreKey {
    /// The path inside its store.
    pub fn path(&self) -> String {
        match self {
            Self::SnapshotPart { source, digest } => format!("snapshots/{source}/parts/{digest}"),
            Self::SnapshotIndex { source, n } => format!("snapshots/{source}/{n:020}.json"),
            Self::SourceColumns { dataset, table } => format!("columns/{dataset}/{table}.json"),
            Self::SourceState { dataset, source } => format!("good/{dataset}/{source}.json"),
            Self::Reference { digest } => format!("reference/{digest}.zip"),
            Self::RunRecord { run } => format!("runs/{run}/record.json"),
            Self::RunFile { run, name } => format!("runs/{run}/{name}"),
            Self::ReadBack { dataset } => format!("read-back/{dataset}.json"),
            Self::WithdrawnFile { dataset, release, path } => format!("withdrawn/{dataset}/{release}/{path}"),
            Self::Erasure { dataset, n } => format!("erasures/{dataset}/{n:020}.json"),
            Self::Lease { dataset, n } => format!("leases/{dataset}/{n:020}.json"),
            Self::Alarm { dataset: Some(dataset), n } => format!("alarms/{dataset}/{n:020}.json"),
            Self::Alarm { dataset: None, n } => format!("alarms/{n:020}.json"),
            Self::Claim { dataset, release } => format!("{dataset}/claims/{release}.json"),
            Self::LogEntry { dataset, n } => format!("{dataset}/log/{n:020}.json"),
            Self::ReleaseFile { dataset, release, path } => format!("{dataset}/releases/{release}/{path}"),
            Self::Manifest { dataset, release } => format!("{dataset}/releases/{release}/manifest.json"),
            Self::Sums { dataset, release } => format!("{dataset}/releases/{release}/SHA256SUMS"),
            Self::Releases { dataset } => format!("{dataset}/releases.json"),
            Self::Latest { dataset, path } => format!("{dataset}/latest/{path}"),
            Self::DatasetPage { dataset, path } => format!("{dataset}/{path}"),
            Self::Page { path } => path.clone(),
        }
    }

    /// The media type to be served with the object.
    ///
    /// Crawlers decide by it how to read a file; a Parquet file served as bytes is taken for a zipped CSV.
    pub fn media_type(&self) -> &'static str {
        match self {
            Self::SnapshotPart { .. } | Self::WithdrawnFile { .. } => "application/octet-stream",
            Self::Reference { .. } => "application/zip",
            Self::Sums { .. } => "text/plain; charset=utf-8",
            Self::SnapshotIndex { .. }
            | Self::SourceColumns { .. }
            | Self::SourceState { .. }
            | Self::RunRecord { .. }
            | Self::ReadBack { .. }
            | Self::Erasure { .. }
            | Self::Lease { .. }
            | Self::Alarm { .. }
            | Self::Claim { .. }
            | Self::LogEntry { .. }
            | Self::Manifest { .. }
            | Self::Releases { .. } => "application/json",
            Self::RunFile { name: path, .. }
            | Self::ReleaseFile { path, .. }
            | Self::Latest { path, .. }
            | Self::DatasetPage { path, .. }
            | Self::Page { path } => media_type_of(path),
        }
    }

    /// The name under which a browser keeps a data file: it says of which dataset and release it is. Others are shown.
    pub fn content_disposition(&self) -> Option<String> {
        let (dataset, release, path) = match self {
            Self::ReleaseFile { dataset, release, path } => (dataset, release.as_str(), path),
            Self::Latest { dataset, path } => (dataset, "latest", path),
            _ => return None,
        };
        let (_, extension) = path.rsplit_once('.')?;
        let kept = matches!(extension, "csv" | "parquet" | "geojson" | "xlsx" | "pmtiles");
        kept.then(|| format!("attachment; filename=\"{dataset}-{release}-{}\"", path.replace('/', "-")))
    }

    /// How long others may keep a copy. A release may be withdrawn, so that none is ever `immutable`.
    pub fn cache_control(&self) -> &'static str {
        match self {
            Self::SnapshotPart { .. }
            | Self::SnapshotIndex { .. }
            | Self::SourceColumns { .. }
            | Self::SourceState { .. }
            | Self::Reference { .. }
            | Self::RunRecord { .. }
            | Self::RunFile { .. }
            | Self::ReadBack { .. }
            | Self::WithdrawnFile { .. }
            | Self::Erasure { .. }
            | Self::Lease { .. }
            | Self::Alarm { .. } => NEVER,
            Self::ReleaseFile { .. } | Self::Manifest { .. } | Self::Sums { .. } => DAY,
            Self::Claim { .. }
            | Self::LogEntry { .. }
            | Self::Releases { .. }
            | Self::Latest { .. }
            | Self::DatasetPage { .. }
            | Self::Page { .. } => SHORT,
        }
    }
}

impl StoreFolder {
    /// The path inside its store, without a slash at its end.
    pub fn path(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Assets => "assets".to_owned(),
            Self::Snapshots { source } => format!("snapshots/{source}"),
            Self::SnapshotParts { source } => format!("snapshots/{source}/parts"),
            Self::Runs => "runs".to_owned(),
            Self::Run { run } => format!("runs/{run}"),
            Self::AllWithdrawn { dataset } => format!("withdrawn/{dataset}"),
            Self::Withdrawn { dataset, release } => format!("withdrawn/{dataset}/{release}"),
            Self::Erasures { dataset } => format!("erasures/{dataset}"),
            Self::Leases { dataset } => format!("leases/{dataset}"),
            Self::Alarms { dataset: Some(dataset) } => format!("alarms/{dataset}"),
            Self::Alarms { dataset: None } => "alarms".to_owned(),
            Self::Claims { dataset } => format!("{dataset}/claims"),
            Self::Log { dataset } => format!("{dataset}/log"),
            Self::Releases { dataset } => format!("{dataset}/releases"),
            Self::Release { dataset, release } => format!("{dataset}/releases/{release}"),
            Self::Latest { dataset } => format!("{dataset}/latest"),
        }
    }
}

/// The media type of a file by its name.
pub fn media_type_of(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match name {
        "croissant.json" => return "application/ld+json",
        "csv-metadata.json" => return "application/csvm+json",
        _ => {}
    }
    match extension.to_ascii_lowercase().as_str() {
        "csv" => "text/csv; charset=utf-8",
        "parquet" => "application/vnd.apache.parquet",
        "geojson" => "application/geo+json",
        "json" => "application/json",
        "jsonld" => "application/ld+json",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pmtiles" => "application/vnd.pmtiles",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "atom" => "application/atom+xml; charset=utf-8",
        "xml" => "application/xml; charset=utf-8",
        "ttl" => "text/turtle; charset=utf-8",
        "yaml" | "yml" | "cff" => "application/yaml",
        "txt" | "sql" => "text/plain; charset=utf-8",
        "" if matches!(name, "LICENSE" | "README" | "SHA256SUMS") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn dataset() -> DatasetId {
        "cooperations-territoriales".parse().unwrap()
    }

    fn release() -> ReleaseId {
        "2026-11-22".parse().unwrap()
    }

    #[rstest]
    #[case::log(StoreKey::LogEntry { dataset: dataset(), n: 7 }, "cooperations-territoriales/log/00000000000000000007.json")]
    #[case::claim(StoreKey::Claim { dataset: dataset(), release: release() }, "cooperations-territoriales/claims/2026-11-22.json")]
    #[case::sums(StoreKey::Sums { dataset: dataset(), release: release() }, "cooperations-territoriales/releases/2026-11-22/SHA256SUMS")]
    #[case::latest(StoreKey::Latest { dataset: dataset(), path: "structures.csv".into() }, "cooperations-territoriales/latest/structures.csv")]
    #[case::index(StoreKey::SnapshotIndex { source: "communes".parse().unwrap(), n: 3 }, "snapshots/communes/00000000000000000003.json")]
    fn paths_are_those_of_the_design(#[case] key: StoreKey, #[case] path: &str) {
        assert_eq!(key.path(), path);
    }

    #[rstest]
    #[case::csv("a/structures.csv", "text/csv; charset=utf-8")]
    #[case::csv_for_excel("structures.excel-fr.csv", "text/csv; charset=utf-8")]
    #[case::parquet("structures.parquet", "application/vnd.apache.parquet")]
    #[case::geojson("structures.geojson", "application/geo+json")]
    #[case::figure("figure_1.svg", "image/svg+xml")]
    #[case::page("index.html", "text/html; charset=utf-8")]
    #[case::croissant("croissant.json", "application/ld+json")]
    #[case::csv_metadata("csv-metadata.json", "application/csvm+json")]
    #[case::citation("CITATION.cff", "application/yaml")]
    #[case::schema("schemas/structures.schema.json", "application/json")]
    #[case::licence("LICENSE", "text/plain; charset=utf-8")]
    #[case::other("a.bin", "application/octet-stream")]
    fn media_types_follow_the_name(#[case] path: &str, #[case] media_type: &str) {
        let key = StoreKey::ReleaseFile { dataset: dataset(), release: release(), path: path.into() };
        assert_eq!(key.media_type(), media_type);
    }

    #[test]
    fn a_downloaded_file_says_where_it_is_from_and_a_page_is_shown() {
        let file = |path: &str| StoreKey::ReleaseFile { dataset: dataset(), release: release(), path: path.into() };
        assert_eq!(
            file("structures.excel-fr.csv").content_disposition().as_deref(),
            Some("attachment; filename=\"cooperations-territoriales-2026-11-22-structures.excel-fr.csv\"")
        );
        assert_eq!(file("dictionary.html").content_disposition(), None);
        let latest = StoreKey::Latest { dataset: dataset(), path: "structures.parquet".into() };
        assert!(latest.content_disposition().unwrap().ends_with("-latest-structures.parquet\""));
    }

    #[test]
    fn no_copy_is_kept_for_ever() {
        let file = StoreKey::ReleaseFile { dataset: dataset(), release: release(), path: "a.csv".into() };
        assert_eq!(file.cache_control(), "public, max-age=86400");
        let log = StoreKey::LogEntry { dataset: dataset(), n: 1 };
        assert_eq!(log.cache_control(), "public, max-age=300, must-revalidate");
    }
}
