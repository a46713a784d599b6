use chrono::DateTime;
use rstest::rstest;

use super::*;
use crate::config::pipeline::SourceKind;
use crate::source::connector;
use crate::source::fetch;
use crate::store::StoreKey;

fn folder_with(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file).unwrap();
    }
    folder
}

async fn parts_of(base: &Path, part: &str, pattern: &str) -> Result<Vec<(String, String)>, SourceError> {
    let source = FileSource { parts: vec![(part.to_owned(), pattern.to_owned())], base: base.to_path_buf() };
    let connector = connector(&SourceKind::File(source), &BTreeMap::new())?;
    let private = tempfile::tempdir().unwrap();
    let store = Store::open("private", private.path(), &BTreeMap::new()).unwrap();
    let fetched = fetch(&store, &"source".parse().unwrap(), connector.as_ref(), DateTime::UNIX_EPOCH).await?;
    Ok(fetched.snapshot.parts.into_iter().map(|part| (part.name, part.url)).collect())
}

#[rstest]
#[case::one_file("data/b.csv", &["rows"])]
#[case::all("data/*.csv", &["a.csv", "b.csv", "c 2.csv"])]
#[case::one_character("data/?.csv", &["a.csv", "b.csv"])]
#[case::below("data/**/*.csv", &["a.csv", "b.csv", "c 2.csv", "z.csv"])]
#[case::brackets_in_a_name("data/[x].txt", &["rows"])]
#[tokio::test]
async fn files_come_sorted_and_named(#[case] pattern: &str, #[case] expected: &[&str]) {
    let folder = folder_with(&[
        "data/c 2.csv",
        "data/a.csv",
        "data/b.csv",
        "data/.hidden.csv",
        "data/sub/z.csv",
        "data/[x].txt",
    ]);
    let parts = parts_of(folder.path(), "rows", pattern).await.unwrap();
    let names: Vec<_> = parts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected);
    assert!(parts.iter().all(|(_, url)| url.starts_with("file:data/")), "{parts:?}");
}

#[tokio::test]
async fn a_folder_with_brackets_is_no_pattern() {
    let folder = folder_with(&["[ab]/x.csv", "[ab]/y.csv"]);
    let parts = parts_of(&folder.path().join("[ab]"), "rows", "*.csv").await.unwrap();
    assert_eq!(parts.len(), 2);
}

#[rstest]
#[case::file("data/missing.csv", "data/missing.csv`; check")]
#[case::pattern("data/*.xlsx", "data`; check")]
#[case::folder("other/*.csv", "other (no such folder)`; check")]
#[tokio::test]
async fn what_is_not_there_is_said_with_the_absolute_path(#[case] pattern: &str, #[case] end: &str) {
    let folder = folder_with(&["data/a.csv"]);
    let error = parts_of(folder.path(), "rows", pattern).await.unwrap_err().to_string();
    let start =
        format!("nothing matches `{pattern}` for the part `rows`: looked in `{}/{end}", folder.path().display());
    assert!(error.starts_with(&start), "{error}");
}

#[tokio::test]
async fn a_folder_is_not_a_file() {
    let folder = folder_with(&["data/a.csv"]);
    let error = parts_of(folder.path(), "rows", "data").await.unwrap_err();
    assert!(matches!(error, SourceError::ReadFile { .. }), "{error:?}");
}

#[tokio::test]
async fn a_broken_pattern_is_said() {
    let folder = folder_with(&[]);
    let error = parts_of(folder.path(), "rows", "data/***.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Pattern { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_url_is_a_local_path() {
    let folder = folder_with(&["data/a.csv"]);
    let url = Url::from_file_path(folder.path().join("data/a.csv")).unwrap();
    let parts = parts_of(Path::new("/"), "rows", url.as_str()).await.unwrap();
    assert_eq!(parts[0].0, "rows");
}

#[tokio::test]
async fn objects_of_a_bucket_are_matched_like_files() {
    let store = Store::open("memory://objects-like-files/data", Path::new("/"), &BTreeMap::new()).unwrap();
    for path in ["b.csv", "a.csv", "sub/c.csv", "a.json"] {
        store.put(&StoreKey::Page { path: path.into() }, path.into()).await.unwrap();
    }
    let parts = parts_of(Path::new("/"), "rows", "memory://objects-like-files/data/*.csv").await.unwrap();
    let expected = ["a.csv", "b.csv"].map(|name| (name.to_owned(), format!("memory://objects-like-files/data/{name}")));
    assert_eq!(parts, expected);
    let one = parts_of(Path::new("/"), "rows", "memory://objects-like-files/data/sub/c.csv").await.unwrap();
    assert_eq!(one, [("rows".to_owned(), "memory://objects-like-files/data/sub/c.csv".to_owned())]);
    let error = parts_of(Path::new("/"), "rows", "memory://objects-like-files/data/*.xlsx").await.unwrap_err();
    assert!(matches!(&error, SourceError::NothingFound { place, .. } if place == "memory://objects-like-files/data/"));
}

#[test]
fn the_environment_is_not_shown() {
    let source = FileSource { parts: Vec::new(), base: PathBuf::new() };
    let env = BTreeMap::from([("AWS_SECRET_ACCESS_KEY".to_owned(), "geheim".to_owned())]);
    assert!(!format!("{:?}", FileConnector::new(source, env)).contains("geheim"));
}
