//! A small project in a folder or a bucket, for stories that run it very often.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;

use crate::harness::s3::{BUCKET, S3Server};
use crate::harness::{Project, copy};

/// Its dataset.
pub(super) const DATASET: &str = "lieux";
const SIGKILL: i32 = 9;

/// Where the stores are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Folder,
    Bucket,
}

/// A small project, its stores, and a copy of them to go back to.
pub(super) struct Bench {
    pub(super) project: Project,
    pub(super) server: Option<S3Server>,
    kept: tempfile::TempDir,
}

const ESSAIM: &str = r#"[project]
public_url = "https://donnees.example.org/"
key = "essaim-demonstration-key"

[publisher]
name = "Essaim (démonstration)"

[stores]
private = "data/private"
public = "data/public"
"#;

const PIPELINE: &str = r#"title = "Lieux"
description = "Des lieux inventés."
licence = "etalab-2.0"
synthetic = true

[source.lieux]
licence = "etalab-2.0"
file.path = "seeds/lieux.csv"

[table.lieux]
source = "lieux"
csv = {}

[publish]
tables = ["lieux"]
"#;

const SCHEMA: &str = r#"{"title": "Lieux", "description": "Des lieux inventés.", "primaryKey": "id", "fields": [
  {"name": "id", "type": "string", "title": "Identifiant", "description": "Identifiant.", "essaim": {"visibility": "public"}},
  {"name": "nom", "type": "string", "title": "Nom", "description": "Nom.", "essaim": {"visibility": "public"}}]}"#;

impl Bench {
    pub(super) fn new(place: Place) -> Self {
        let mut project = Project::empty();
        copy(&crate::harness::repository().join("seeds/cog"), &project.path("seeds/cog"));
        project.write("essaim.toml", ESSAIM);
        project.write("pipelines/lieux.toml", PIPELINE);
        project.write("schemas/lieux.schema.json", SCHEMA);
        let server = match place {
            Place::Folder => None,
            Place::Bucket => Some(S3Server::start()),
        };
        if let Some(server) = &server {
            server.env().into_iter().for_each(|(name, value)| project.set(name, &value));
            for name in ["private", "public"] {
                project.replace("essaim.toml", &format!("\"data/{name}\""), &format!("\"s3://{BUCKET}/{name}\""));
            }
        }
        let bench = Self { project, server, kept: tempfile::tempdir().unwrap() };
        bench.source(1);
        bench
    }

    /// The n-th state of the source.
    pub(super) fn source(&self, n: u32) {
        let rows: Vec<String> = (1..=20).map(|id| format!("{id},Lieu {id} état {n}\n")).collect();
        self.project.write("seeds/lieux.csv", format!("id,nom\n{}", rows.concat()));
    }

    /// The folder that holds both stores.
    pub(super) fn stores(&self) -> PathBuf {
        self.server.as_ref().map_or_else(|| self.project.path("data"), |server| server.folder().to_path_buf())
    }

    pub(super) fn keep(&self) {
        copy(&self.stores(), &self.kept.path().join("stores"));
    }

    pub(super) fn go_back(&self) {
        let stores = self.stores();
        if stores.exists() {
            fs::remove_dir_all(&stores).unwrap();
        }
        copy(&self.kept.path().join("stores"), &stores);
    }

    /// Releases that are shown, and those that are withdrawn.
    pub(super) fn listed(&self) -> BTreeMap<String, bool> {
        let output = self.project.command(&["releases", "list"]).output().unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        let line = |line: &str| {
            let release = line.split('\t').nth(1).unwrap().to_owned();
            (release, line.ends_with("withdrawn"))
        };
        listed.lines().map(line).collect()
    }

    /// How a command ends whose stores fail, once at the n-th point (`fail`) or from there on (`down`), and what it says.
    pub(super) fn failing_at(&self, kind: &str, n: u64, arguments: &[&str]) -> (i32, String) {
        let mut command = self.project.command(arguments);
        let output = command.env("ESSAIM_FAULT", format!("{kind}:{n}")).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// Whether a command was killed at its n-th point; it must succeed when it was not.
    pub(super) fn killed_at(&self, n: u64, arguments: &[&str]) -> bool {
        let mut command = self.project.command(arguments);
        let output = command.env("ESSAIM_FAULT", format!("kill:{n}")).output().unwrap();
        let killed = output.status.signal() == Some(SIGKILL);
        assert!(killed || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        killed
    }
}
