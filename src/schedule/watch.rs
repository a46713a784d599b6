//! The project files, read again when they change. A broken edit is refused: what was read before stays in use.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::env::Env;
use crate::config::load::{ProjectFiles, load};
use crate::diagnostic::Problems;
use crate::id::{Digest, Hasher};
use crate::run::project::{Loaded, NotLoaded, check};

/// The project in use, and what its files said when they were last looked at.
#[derive(Debug)]
pub(super) struct Watch {
    folder: PathBuf,
    loaded: Arc<Loaded>,
    seen: Digest,
    /// Code of the first mistake of an edit that is not in use.
    broken: Option<String>,
}

/// What a look at the files found.
#[derive(Debug)]
pub(super) enum Look {
    Same,
    Changed,
    Broken(NotLoaded),
}

impl Watch {
    /// Reads the project for the first time.
    pub(super) fn start(folder: PathBuf, env: &Env) -> Result<Self, NotLoaded> {
        let loaded = check(&folder, env)?;
        let seen = digest(&loaded.files);
        Ok(Self { folder, loaded: Arc::new(loaded), seen, broken: None })
    }

    /// The project in use.
    pub(super) fn project(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded)
    }

    /// The first mistake of an edit that is not in use.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Looks at the files, and takes them into use when they changed and hold no mistake.
    pub(super) fn look(&mut self, env: &Env) -> Look {
        let problems = Problems::new();
        let files = match load(&self.folder, &problems) {
            Ok(files) => files,
            Err(error) => return self.refuse(NotLoaded::Files(error), Digest::of(b"")),
        };
        let seen = digest(&files);
        if seen == self.seen {
            return Look::Same;
        }
        match check(&self.folder, env) {
            Ok(loaded) => {
                self.seen = digest(&loaded.files);
                self.loaded = Arc::new(loaded);
                self.broken = None;
                Look::Changed
            }
            Err(error) => self.refuse(error, seen),
        }
    }

    fn refuse(&mut self, error: NotLoaded, seen: Digest) -> Look {
        if self.seen == seen {
            return Look::Same;
        }
        self.seen = seen;
        self.broken = Some(match &error {
            NotLoaded::Mistakes(problems) => {
                problems.first().map_or_else(String::new, |problem| problem.code.to_string())
            }
            NotLoaded::Files(_) => "project::unreadable".to_owned(),
            NotLoaded::Engine(_) => "project::engine".to_owned(),
        });
        Look::Broken(error)
    }
}

fn digest(files: &ProjectFiles) -> Digest {
    let mut hasher = Hasher::default();
    for (path, file) in &files.files {
        for text in [path.as_str(), file.text.as_str()] {
            hasher.update(&text.len().to_le_bytes());
            hasher.update(text.as_bytes());
        }
    }
    hasher.finish()
}
