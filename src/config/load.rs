//! Reads the files of a project: `essaim.toml`, `pipelines/`, `schemas/`, `sql/`, `seeds/codes/`, `tests/`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Problem, Problems, SourceFile};

/// Ending of a model's file.
const MODEL: &str = ".sql";

/// A project folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no project here.
    #[error("no `essaim.toml` in {}: run inside a project, or name one with --project", folder.display())]
    NoProject {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A file or folder is there and cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The files of a project, by their path from its folder, with `/`.
#[derive(Debug, Default)]
pub struct ProjectFiles {
    /// The folder.
    pub root: PathBuf,
    /// Text files.
    pub files: BTreeMap<String, Arc<SourceFile>>,
}

impl ProjectFiles {
    /// Files of a folder with an extension: their stem and the file.
    pub fn folder<'a>(
        &'a self,
        folder: &'a str,
        extension: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Arc<SourceFile>)> {
        self.files.iter().filter_map(move |(path, file)| {
            let name = path.strip_prefix(folder)?.strip_prefix('/')?;
            let stem = name.strip_suffix(extension)?;
            (!stem.contains('/')).then_some((stem, file))
        })
    }
}

/// Reads the files of the project in `root`.
pub fn load(root: &Path, problems: &Problems) -> Result<ProjectFiles, LoadError> {
    let mut project = ProjectFiles { root: root.to_owned(), files: BTreeMap::new() };
    if !root.join("essaim.toml").is_file() {
        return Err(LoadError::NoProject { folder: root.to_owned() });
    }
    read(root, "essaim.toml", &mut project, problems)?;
    for (folder, extension) in [
        ("pipelines", ".toml"),
        ("schemas", ".schema.json"),
        ("seeds/codes", ".csv"),
        ("seeds/lookups", ".csv"),
        ("tests", ".csv"),
    ] {
        for name in names(&root.join(folder))? {
            if name.ends_with(extension) {
                read(root, &format!("{folder}/{name}"), &mut project, problems)?;
            }
        }
    }
    for pipeline in names(&root.join("sql"))? {
        let folder = format!("sql/{pipeline}");
        if root.join(&folder).is_dir() {
            for name in names(&root.join(&folder))? {
                if name.ends_with(MODEL) {
                    read(root, &format!("{folder}/{name}"), &mut project, problems)?;
                }
            }
        }
    }
    Ok(project)
}

fn names(folder: &Path) -> Result<Vec<String>, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.map_err(unreadable)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read(root: &Path, path: &str, project: &mut ProjectFiles, problems: &Problems) -> Result<(), LoadError> {
    let full = root.join(path);
    let bytes = fs::read(&full).map_err(|source| LoadError::Unreadable { path: full, source })?;
    let file = match String::from_utf8(bytes) {
        Ok(text) => SourceFile::new(path, text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let lossy = SourceFile::new(path, String::from_utf8_lossy(error.as_bytes()).into_owned());
            problems.push(
                Problem::at("file::not_utf8", "the file is not UTF-8", &lossy, at..at + 1, "first byte that is not")
                    .help("save it as UTF-8"),
            );
            lossy
        }
    };
    project.files.insert(path.to_owned(), file);
    Ok(())
}
