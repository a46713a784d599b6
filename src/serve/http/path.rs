//! From the path of a request to what is asked for. What has no business outside has no name here: claims, files that are
//! being written, hidden ones, and every spelling that leads elsewhere than it says.

use crate::id::{DatasetId, ReleaseId};

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A page or file of the whole site.
    Page {
        /// Path from the root; empty for the root itself.
        path: String,
    },
    /// A page or file of a dataset, outside of its releases.
    DatasetPage {
        /// The dataset.
        dataset: DatasetId,
        /// Path below its folder; empty for the folder itself.
        path: String,
    },
    /// An entry of a dataset's log.
    LogEntry {
        /// The dataset.
        dataset: DatasetId,
        /// The entry's number.
        n: u64,
    },
    /// A file of a release.
    ReleaseFile {
        /// The dataset.
        dataset: DatasetId,
        /// The release; none for the current one.
        release: Option<ReleaseId>,
        /// Path below the release's folder; empty for the folder itself.
        path: String,
    },
}

/// Folders of a dataset that are served by the log, or not at all. They are compared without case: some disks do so too.
const BY_THE_LOG: [&str; 4] = ["claims", "log", "releases", "latest"];

/// The longest path that is looked at.
const LONGEST: usize = 1024;

/// Reads a path as it stands in a request; nothing when nothing can be there. A slash at the end asks for the folder.
pub(super) fn wanted(raw: &str) -> Option<Wanted> {
    if raw.len() > LONGEST {
        return None;
    }
    let path = decoded(raw.strip_prefix('/')?)?;
    let below = path.strip_suffix('/').unwrap_or(&path);
    if below.is_empty() {
        return (path.is_empty()).then(|| Wanted::Page { path: String::new() });
    }
    let parts: Vec<&str> = below.split('/').collect();
    if !parts.iter().all(|part| is_plain(part)) {
        return None;
    }
    let folder = path.ends_with('/');
    let rest = |from: usize| {
        let rest = parts.get(from..).unwrap_or_default().join("/");
        if folder && !rest.is_empty() { rest + "/" } else { rest }
    };
    let second = parts.get(1).copied().unwrap_or_default();
    match (parts[0].parse::<DatasetId>(), second) {
        (Ok(dataset), "releases") if parts.len() > 2 => {
            let release = parts[2].parse().ok()?;
            Some(Wanted::ReleaseFile { dataset, release: Some(release), path: rest(3) })
        }
        (Ok(dataset), "latest") => Some(Wanted::ReleaseFile { dataset, release: None, path: rest(2) }),
        (Ok(dataset), "log") if parts.len() == 3 && !folder => {
            Some(Wanted::LogEntry { dataset, n: log_number(parts[2])? })
        }
        _ if BY_THE_LOG.iter().any(|name| second.eq_ignore_ascii_case(name)) => None,
        (Ok(dataset), _) if parts.len() > 1 || folder => Some(Wanted::DatasetPage { dataset, path: rest(1) }),
        _ => Some(Wanted::Page { path: rest(0) }),
    }
}

/// The number of a log entry by its file name, in its one spelling.
fn log_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let number: u64 = digits.parse().ok()?;
    (digits == format!("{number:020}")).then_some(number)
}

/// A name that a published file may have. `name#1` is a file on its way, `.name` a hidden one, `name~` a copy of an editor.
fn is_plain(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
}

/// The path without percent signs: decoded once, so that what is encoded twice is no name.
fn decoded(raw: &str) -> Option<String> {
    if !raw.contains('%') {
        return Some(raw.to_owned());
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(raw.len()), raw.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let mut byte = [0];
            hex::decode_to_slice(after.get(..2)?, &mut byte).ok()?;
            bytes.push(byte[0]);
            rest = &after[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn dataset() -> DatasetId {
        "lieux".parse().unwrap()
    }

    fn page(path: &str) -> Wanted {
        Wanted::Page { path: path.to_owned() }
    }

    fn own(path: &str) -> Wanted {
        Wanted::DatasetPage { dataset: dataset(), path: path.to_owned() }
    }

    fn file(release: Option<&str>, path: &str) -> Wanted {
        let release = release.map(|release| release.parse().unwrap());
        Wanted::ReleaseFile { dataset: dataset(), release, path: path.to_owned() }
    }

    #[rstest]
    #[case::root("/", page(""))]
    #[case::page("/index.html", page("index.html"))]
    #[case::folder_without_slash("/lieux", page("lieux"))]
    #[case::folder("/lieux/", own(""))]
    #[case::folder_below("/lieux/en/", own("en/"))]
    #[case::dataset_page("/lieux/en/index.html", own("en/index.html"))]
    #[case::releases("/lieux/releases.json", own("releases.json"))]
    #[case::release_file("/lieux/releases/2026-11-22/lieux.csv", file(Some("2026-11-22"), "lieux.csv"))]
    #[case::file_in_a_folder(
        "/lieux/releases/2026-11-22.2/owner/lieux.csv",
        file(Some("2026-11-22.2"), "owner/lieux.csv")
    )]
    #[case::release_folder("/lieux/releases/2026-11-22/", file(Some("2026-11-22"), ""))]
    #[case::latest("/lieux/latest/lieux.csv", file(None, "lieux.csv"))]
    #[case::latest_folder("/lieux/latest/", file(None, ""))]
    #[case::plain_letters_encoded("/%6Cieux/latest/a%2Ecsv", file(None, "a.csv"))]
    #[case::log("/lieux/log/00000000000000000007.json", Wanted::LogEntry { dataset: dataset(), n: 7 })]
    fn paths_that_may_be_asked_for(#[case] path: &str, #[case] expected: Wanted) {
        assert_eq!(wanted(path), Some(expected));
    }

    #[rstest]
    #[case::claim("/lieux/claims/2026-11-22.json")]
    #[case::claim_encoded("/lieux/%63laims/2026-11-22.json")]
    #[case::claim_in_capitals("/lieux/CLAIMS/2026-11-22.json")]
    #[case::claims_of_a_folder_in_capitals("/Lieux/claims/2026-11-22.json")]
    #[case::releases_in_capitals("/lieux/Releases/2026-11-22/lieux.csv")]
    #[case::no_release("/lieux/releases/../claims/2026-11-22.json")]
    #[case::list_of_releases("/lieux/releases/")]
    #[case::list_of_the_log("/lieux/log/")]
    #[case::log_in_another_spelling("/lieux/log/7.json")]
    #[case::up("/../private/runs")]
    #[case::up_encoded("/%2e%2e/private")]
    #[case::up_encoded_twice("/%252e%252e/private")]
    #[case::slash_encoded("/lieux%2flatest%2f..%2f..%2fprivate")]
    #[case::backslash("/lieux\\latest")]
    #[case::backslash_encoded("/lieux%5clatest")]
    #[case::on_its_way("/lieux/latest/lieux.csv%231")]
    #[case::hidden("/.git/config")]
    #[case::hidden_below("/lieux/latest/.lieux.csv")]
    #[case::two_slashes("//lieux/latest/lieux.csv")]
    #[case::empty_part("/lieux//latest/lieux.csv")]
    #[case::here("/lieux/./latest/lieux.csv")]
    #[case::zero("/lieux/latest/lieux.csv%00")]
    #[case::broken_encoding("/lieux/%zz")]
    #[case::cut_encoding("/lieux/%2")]
    #[case::no_text("/lieux/%ff")]
    #[case::blank("/lieux/latest/a%20b.csv")]
    #[case::editor("/index.html~")]
    #[case::no_slash("index.html")]
    fn paths_where_nothing_can_be(#[case] path: &str) {
        assert_eq!(wanted(path), None);
    }

    proptest::proptest! {
        #[test]
        fn no_path_leads_out_of_the_store_or_to_a_claim(raw in "/[a-zA-Z0-9%./#~\\\\ -]{0,60}") {
            let path = match wanted(&raw) {
                Some(Wanted::Page { path } | Wanted::ReleaseFile { path, .. }) => path,
                Some(Wanted::DatasetPage { path, .. }) => {
                    let first = path.split('/').next().unwrap_or_default();
                    proptest::prop_assert!(!BY_THE_LOG.iter().any(|name| first.eq_ignore_ascii_case(name)), "{path}");
                    path
                }
                Some(Wanted::LogEntry { .. }) | None => return Ok(()),
            };
            let inside = |part: &str| is_plain(part) || part.is_empty();
            proptest::prop_assert!(path.trim_end_matches('/').split('/').all(inside), "{path}");
        }
    }
}
