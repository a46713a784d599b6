//! A project in a temporary folder, and the binary that runs in it.

pub(crate) mod hostile;
pub(crate) mod s3;
pub(crate) mod sample;
mod upstream;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use upstream::{Reply, Upstream};

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a command said and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Output {
    /// Fails the test when the command did not end as it should.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Exit code, stdout and stderr together, for snapshots.
    pub fn snapshot(&self) -> String {
        let Self { code, stdout, stderr } = self;
        format!("exit code: {code}\n----- stdout -----\n{stdout}----- stderr -----\n{stderr}")
    }
}

/// A project of its own, a copy of the repository's.
pub struct Project {
    folder: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

impl Project {
    /// A copy of the shipped project: every file that a run reads.
    pub fn shipped() -> Self {
        let project = Self::empty();
        for name in ["essaim.toml", "pipelines", "schemas", "sql", "seeds"] {
            copy(&repository().join(name), &project.path(name));
        }
        project
    }

    /// A folder with nothing in it.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), env: BTreeMap::new() }
    }

    /// A file or folder of the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Text of a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes a file, with its folders.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces a text that stands once in a file.
    #[track_caller]
    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert_eq!(text.matches(from).count(), 1, "`{from}` should stand once in {name}");
        self.write(name, text.replace(from, to));
    }

    /// Sets an environment variable of the commands.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// A JSON file.
    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Changes a JSON file.
    pub fn edit_json(&self, name: &str, edit: impl FnOnce(&mut serde_json::Value)) {
        let mut json = self.json(name);
        edit(&mut json);
        self.write(name, serde_json::to_string(&json).unwrap());
    }

    /// Runs `essaim` in the project.
    pub fn essaim(&self, arguments: &[&str]) -> Output {
        let (output, _) = self.essaim_bytes(arguments);
        output
    }

    /// The same, with stdout as bytes too.
    pub fn essaim_bytes(&self, arguments: &[&str]) -> (Output, Vec<u8>) {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| self.filtered(&String::from_utf8_lossy(bytes));
        let code = output.status.code().unwrap_or(-1);
        (Output { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }, output.stdout)
    }

    /// The command, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_essaim"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| matches!(name.as_str(), "PATH" | "HOME" | "TMPDIR")))
            .envs(&self.env);
        command
    }

    /// Runs the pipelines; the test fails when the run does.
    #[track_caller]
    pub fn run(&self) -> Output {
        self.essaim(&["run"]).expect(0)
    }

    /// Texts that differ from run to run, replaced by names.
    fn filtered(&self, text: &str) -> String {
        let filters = [
            (r"\d{8}T\d{6}Z-[0-9a-f]{8}", "[RUN]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
            (r"\d{4}-\d\d-\d\d(\.\d+)?\b", "[DATE]$1"),
            (r"\b\d+\.\d\d s\b", "[SECONDS]"),
            (r"\b[0-9a-f]{64}\b", "[DIGEST]"),
            (r"127\.0\.0\.1:\d+", "[HOST]"),
        ];
        let folder = self.folder.path().to_string_lossy().into_owned();
        let mut text = text.replace(&folder, "[PROJECT]");
        for (pattern, name) in filters {
            text = regex::Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
        }
        text
    }

    /// Folder of the current release.
    pub fn latest(&self, dataset: &str) -> PathBuf {
        self.path(&format!("data/public/{dataset}/latest"))
    }

    /// Ids of the releases in the log, oldest first.
    pub fn releases(&self, dataset: &str) -> Vec<String> {
        let text = self.read(&format!("data/public/{dataset}/releases.json"));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let releases = json["releases"].as_array().unwrap();
        releases.iter().map(|release| release["release"].as_str().unwrap().to_owned()).collect()
    }

    /// Rows of a CSV of the current release, each as column and cell.
    pub fn csv(&self, dataset: &str, table: &str) -> Vec<BTreeMap<String, String>> {
        rows(&self.latest(dataset).join(format!("{table}.csv")))
    }

    /// Folder of the run that was recorded last.
    fn last_run(&self) -> PathBuf {
        let records =
            fs::read_dir(self.path("data/private/runs")).unwrap().map(|run| run.unwrap().path().join("record.json"));
        let newest = records.max_by_key(|record| fs::metadata(record).unwrap().modified().unwrap()).unwrap();
        newest.parent().unwrap().to_path_buf()
    }

    /// Record of the last run.
    pub fn record(&self) -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(self.last_run().join("record.json")).unwrap()).unwrap()
    }

    /// Text of a file beside the record of the last run.
    pub fn run_file(&self, name: &str) -> String {
        fs::read_to_string(self.last_run().join(name)).unwrap()
    }

    /// Rows of `rejects`, `unfit` or `corrections` of a table in the last run.
    pub fn ledger(&self, list: &str, table: &str) -> Vec<BTreeMap<String, String>> {
        let path = self.last_run().join(list).join(format!("{table}.csv"));
        if path.exists() { rows(&path) } else { Vec::new() }
    }

    /// Files of the public store with their bytes, `releases.json` and pages without what they say about freshness: every run tells
    /// of itself there, also one that published nothing.
    pub fn public(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.stored();
        files.retain(|name, _| name.starts_with("public/"));
        for (_, bytes) in files.iter_mut().filter(|(name, _)| name.ends_with("/releases.json")) {
            let mut json: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            json.as_object_mut().unwrap().retain(|member, _| !member.starts_with("freshness"));
            *bytes = serde_json::to_vec(&json).unwrap();
        }
        let freshness = regex::Regex::new(r#"(?s)<section class="freshness".*?</section>"#).unwrap();
        for (_, bytes) in files.iter_mut().filter(|(name, _)| name.ends_with("/index.html")) {
            let page = String::from_utf8(std::mem::take(bytes)).unwrap();
            *bytes = freshness.replace_all(&page, "").into_owned().into_bytes();
        }
        files
    }

    /// All files of the two stores but the steps of leases, which whoever changes a dataset leaves.
    pub fn stored_without_leases(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.stored();
        files.retain(|name, _| !name.starts_with("private/leases/"));
        files
    }

    /// All files of the two stores with their bytes, for before-and-after comparisons.
    pub fn stored(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        walk(&self.path("data"), &mut |path| {
            let name = path.strip_prefix(self.path("data")).unwrap().to_string_lossy().into_owned();
            files.insert(name, fs::read(path).unwrap());
        });
        files
    }
}

/// Rows of a CSV, each as column and cell.
pub fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// Calls for every file below a folder, in the order of their paths.
pub fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            walk(&path, visit);
        } else {
            visit(&path);
        }
    }
}

/// Copies a file or a folder.
pub fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// Python of the pinned environment, which `tests/run.sh` makes.
pub fn python_path() -> String {
    let home = std::env::var("HOME").unwrap();
    std::env::var("ESSAIM_TEST_PYTHON").unwrap_or_else(|_| format!("{home}/.cache/essaim-python/bin/python"))
}

/// Runs a script of `tests/python` in the pinned environment, which `tests/run.sh` makes.
#[track_caller]
pub fn python(script: &str, arguments: &[&Path]) -> String {
    let python = python_path();
    let script = repository().join("tests/python").join(script);
    let output = Command::new(&python).arg(&script).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("cannot start {python} ({error}): run tests/run.sh once, it makes it"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} failed\n{stdout}\n{stderr}", script.display());
    stdout
}
