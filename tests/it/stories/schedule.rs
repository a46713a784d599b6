//! Unattended: what `essaim schedule` does by itself, and what it tells.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::json;

use crate::harness::{Output, Project, Reply, Upstream};

const DATASET: &str = "lieux";

const PIPELINE: &str = "title = \"Lieux\"
description = \"Des lieux inventés.\"
licence = \"etalab-2.0\"
synthetic = true

[schedule]
cron = \"30 2 * * *\"

[source.lieux]
licence = \"etalab-2.0\"
file.path = \"seeds/lieux.csv\"

[table.lieux]
source = \"lieux\"
csv = {}

[publish]
tables = [\"lieux\"]
";

const SCHEMA: &str = r#"{"title": "Lieux", "description": "Des lieux inventés.", "primaryKey": "id", "fields": [
  {"name": "id", "type": "string", "title": "Identifiant", "description": "Identifiant.", "essaim": {"visibility": "public"}},
  {"name": "nom", "type": "string", "title": "Nom", "description": "Nom.", "essaim": {"visibility": "public"}}]}"#;

/// A small project with a schedule; `more` goes to `essaim.toml`.
fn scheduled(more: &str) -> Project {
    let project = Project::empty();
    project.write(
        "essaim.toml",
        format!(
            "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\
             [publisher]\nname = \"Essai\"\n{more}"
        ),
    );
    project.write("pipelines/lieux.toml", PIPELINE);
    project.write("schemas/lieux.schema.json", SCHEMA);
    project.write("seeds/lieux.csv", "id,nom\nL1,Un lieu\nL2,Un autre\n");
    project
}

/// The schedule was kept until some nights ago, so that a slot is due as soon as it starts.
fn asleep_since(project: &Project, day: &str) {
    let step = json!({
        "kind": "release", "token": 1, "attempt": "some nights ago", "at": format!("{day}T01:31:00Z"), "slot": null,
        "holder": {"host": "autre", "pid": 1, "space": null, "started": null}, "done": format!("{day}T01:30:00Z"),
    });
    project.write("data/private/leases/lieux/00000000000000000001.json", step.to_string());
}

/// A schedule that is kept.
struct Service {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Lines of stderr as they come.
    stderr: Receiver<String>,
    heard: String,
}

impl Service {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut all = vec!["schedule", "--every", "1", "--http", "127.0.0.1:0"];
        all.extend(arguments);
        let mut child = project.command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let (sender, stderr) = channel();
        std::thread::spawn(move || lines.for_each(|line| sender.send(line).unwrap_or_default()));
        Self { child, stdout, stderr, heard: String::new() }
    }

    /// The next line of stdout: one for each run.
    fn ran(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Reads stderr until a line holds a text.
    #[track_caller]
    fn until(&mut self, text: &str) -> String {
        while let Ok(line) = self.stderr.recv() {
            self.heard = format!("{}{line}\n", self.heard);
            if line.contains(text) {
                return line;
            }
        }
        panic!("`{text}` was never said:\n{}", self.heard);
    }

    /// Waits until it keeps the schedule; gives its address.
    fn ready(&mut self) -> String {
        let line = self.until("health and metrics");
        line.rsplit_once("http://").unwrap().1.trim_end_matches("/metrics").to_owned()
    }

    /// Ends it as a machine does that shuts down.
    fn end(self) -> Output {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.wait()
    }

    fn wait(mut self) -> Output {
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let rest = self.stderr.iter().map(|line| line + "\n");
        Output { code, stdout, stderr: self.heard + &rest.collect::<String>() }
    }
}

/// Runs of a project, newest first: outcome, and the slot or `asked`.
fn runs(project: &Project) -> Vec<(String, String)> {
    let listed = project.essaim(&["runs", "list"]).expect(0).stdout;
    let line = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        (cells[2].to_owned(), cells[5].to_owned())
    };
    listed.lines().map(line).collect()
}

#[test]
fn a_machine_that_was_asleep_catches_up_once_and_ends_cleanly() {
    let project = scheduled("");
    asleep_since(&project, "2026-01-10");
    let mut service = Service::start(&project, &[]);
    let line = service.ran();
    assert!(line.starts_with("lieux\tpublished\t"), "{line}");
    let output = service.end().expect(0);
    assert_eq!(output.stdout, "", "months asleep are one catch-up");
    assert!(output.stderr.ends_with("ended\n"), "{}", output.stderr);
    assert_eq!(runs(&project), [("published".to_owned(), "[TIME]".to_owned())]);
    let slot = project.record()["slot"].as_str().unwrap().to_owned();
    assert!(slot.ends_with("T01:30:00Z") || slot.ends_with("T00:30:00Z"), "{slot}");
    let log = project.json("data/public/lieux/log/00000000000000000001.json");
    assert_eq!(log["slot"], slot);
    assert_eq!(log["token"], 2);
    // Started again on the same day it has nothing to do.
    let mut again = Service::start(&project, &[]);
    again.ready();
    assert_eq!(again.end().expect(0).stdout, "");
}

#[test]
fn a_schedule_begins_with_the_next_slot_and_says_which() {
    let project = scheduled("");
    let listed = project.essaim(&["schedule", "--list"]).expect(0).stdout;
    assert!(listed.starts_with("lieux\t[TIME]\t[DATE] 02:30 CE"), "{listed}");
    assert!(listed.trim_end().ends_with("(Europe/Paris)"), "{listed}");
    let mut service = Service::start(&project, &[]);
    let address = service.ready();
    let answer = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    while !answer("/healthz").starts_with("HTTP/1.1 200") {
        std::thread::yield_now();
    }
    let metrics = answer("/metrics");
    assert!(metrics.contains("essaim_next_run_timestamp_seconds{dataset=\"lieux\"} "), "{metrics}");
    assert!(metrics.trim_end().ends_with("# EOF"), "{metrics}");
    assert_eq!(service.end().expect(0).stdout, "");
    assert!(!project.path("data/public/lieux").exists(), "nothing was due");
    assert!(project.path("data/private/leases/lieux").exists(), "and the beginning is remembered");
}

#[test]
fn a_run_that_is_killed_is_run_again_at_the_next_start() {
    let mut project = scheduled("");
    asleep_since(&project, "2026-01-10");
    project.set("ESSAIM_FAULT", "kill:12");
    let output = Service::start(&project, &[]).wait();
    assert_eq!((output.code, output.stdout.as_str()), (-1, ""));
    project.set("ESSAIM_FAULT", "");
    let mut service = Service::start(&project, &[]);
    let line = service.ran();
    assert!(line.starts_with("lieux\tpublished\t"), "{line}");
    service.end().expect(0);
    project.essaim(&["releases", "verify"]).expect(0);
}

#[test]
fn two_machines_on_one_store_run_a_slot_once() {
    let project = scheduled("");
    asleep_since(&project, "2026-01-10");
    let outputs = [(); 3].map(|()| Service::start(&project, &[])).map(|mut service| {
        service.ready();
        service
    });
    // The first line that comes is from whoever was first; the others were seen to look at it as well.
    let settled = || runs(&project).len() == 1 && project.path("data/public/lieux/releases.json").exists();
    while !settled() {
        std::thread::yield_now();
    }
    let lines: Vec<String> = outputs.into_iter().map(|service| service.end().expect(0).stdout).collect();
    let ran: Vec<&String> = lines.iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(ran.len(), 1, "{lines:?}");
    assert_eq!(runs(&project).len(), 1);
}

#[test]
fn a_broken_edit_is_refused_and_the_project_before_stays_in_use() {
    let project = scheduled("");
    let mut service = Service::start(&project, &[]);
    service.ready();
    project.replace("pipelines/lieux.toml", "30 2 * * *", "30 26 * * *");
    let line = service.until("not in use");
    assert!(line.contains("the ones read before are"), "{line}");
    let raised = "data/private/alarms/00000000000000000001.json";
    while !project.path(raised).exists() {
        std::thread::yield_now();
    }
    let alarm = project.json(raised);
    assert_eq!(alarm["step"]["raised"]["concern"]["kind"], "project_broken");
    assert_eq!(alarm["step"]["raised"]["concern"]["code"], "pipeline::cron");
    project.replace("pipelines/lieux.toml", "30 26 * * *", "30 3 * * *");
    let cleared = project.path("data/private/alarms/00000000000000000002.json");
    while !cleared.exists() {
        std::thread::yield_now();
    }
    service.end().expect(0);
}

#[test]
fn a_failing_night_rings_once_and_the_first_good_one_rings_off() {
    let hook = Upstream::start(vec![Reply::ok(""); 8]);
    let project =
        scheduled(&format!("[alarm]\nwebhook = \"{}\"\nping = \"{}\"\n", hook.url("alarm"), hook.url("ping")));
    project.write("seeds/lieux.csv", "");
    let night = |day: &str| {
        // The night before is made undone, so that another slot is due.
        std::fs::remove_dir_all(project.path("data/private/leases")).unwrap_or_default();
        asleep_since(&project, day);
        let mut service = Service::start(&project, &[]);
        let line = service.ran();
        service.end().expect(0);
        line
    };
    assert_eq!(night("2026-01-10"), "lieux\tfailed\t-\n");
    assert_eq!(night("2026-01-11"), "lieux\tfailed\t-\n");
    project.write("seeds/lieux.csv", "id,nom\nL1,Un lieu\n");
    assert!(night("2026-01-12").starts_with("lieux\tpublished\t"));
    let asked: Vec<String> = hook.requests().into_iter().map(|request| request[0].clone()).collect();
    let expected = ["POST /alarm HTTP/1.1", "POST /alarm HTTP/1.1", "GET /ping HTTP/1.1"];
    assert_eq!(asked, expected, "one alarm for two bad nights, one recovery, one sign of life");
}

#[test]
fn what_is_published_and_grows_old_rings() {
    let hook = Upstream::start(vec![Reply::ok(""); 4]);
    let project = scheduled(&format!("[alarm]\nchat = \"{}\"\n", hook.url("chat")));
    project.replace("pipelines/lieux.toml", "cron = \"30 2 * * *\"", "cron = \"30 2 * * *\"\nstale_after = \"1 s\"");
    project.run();
    let service = Service::start(&project, &[]);
    while hook.requests().is_empty() {
        std::thread::yield_now();
    }
    service.end().expect(0);
    assert_eq!(hook.requests().len(), 1);
    let alarm = project.json("data/private/alarms/lieux/00000000000000000001.json");
    assert_eq!(alarm["step"]["raised"]["concern"]["kind"], "stale");
}

#[test]
fn a_project_without_a_schedule_is_told_how_to_write_one() {
    let project = scheduled("");
    project.replace("pipelines/lieux.toml", "[schedule]\ncron = \"30 2 * * *\"\n", "");
    let output = project.essaim(&["schedule"]).expect(2);
    assert!(output.stderr.contains("write `[schedule]` with `cron = \"30 2 * * *\"`"), "{}", output.stderr);
}

#[test]
fn what_runs_did_can_be_listed_shown_and_asked_in_sql() {
    let project = scheduled("");
    project.essaim(&["runs", "list"]).expect(0);
    project.run();
    project.write("seeds/lieux.csv", "id,nom\nL1,Un lieu\n,Sans clé\n");
    project.essaim(&["run", "--dry-run"]);
    let listed = project.essaim(&["runs", "list", "lieux", "--limit", "1"]).expect(0).stdout;
    assert_eq!(listed.lines().count(), 1);
    assert_eq!(runs(&project).len(), 2);
    let shown = project.essaim(&["runs", "show"]).expect(0).stdout;
    assert!(shown.starts_with("[RUN] of lieux\nasked for, started [TIME] on "), "{shown}");
    assert!(shown.contains("MB at most"), "steps tell their memory: {shown}");
    let record: serde_json::Value =
        serde_json::from_str(&project.essaim(&["runs", "show", "--json"]).expect(0).stdout).unwrap();
    assert_eq!(record["pipeline"], "lieux");
    let sql = "SELECT t.read, t.kept, r.reason, r.rows FROM run_tables t JOIN run_reasons r ON r.run = t.run \
               AND r.list = 'rejects'";
    let asked = project.essaim(&["query", "--runs", sql, "--format", "csv"]).expect(0).stdout;
    assert_eq!(asked, "read,kept,reason,rows\n2,1,cle_manquante,1\n");
    // Two runs of one second are in no order.
    let sql = "SELECT t.source, t.status, t.bytes, t.attempts FROM run_transfers t JOIN runs r ON r.run = t.run \
               WHERE r.outcome = 'published'";
    let asked = project.essaim(&["query", "--runs", sql, "--format", "csv"]).expect(0).stdout;
    assert_eq!(asked, "source,status,bytes,attempts\nlieux,,30,1\n");
    let outcomes = "SELECT outcome, count(*) AS n FROM runs GROUP BY outcome ORDER BY outcome";
    let asked = project.essaim(&["query", "--runs", outcomes, "--format", "csv"]).expect(0).stdout;
    assert!(asked.contains("published,1\n"), "{asked}");
}

#[test]
fn a_second_run_waits_for_the_first() {
    let project = scheduled("");
    let step = json!({
        "kind": "take", "token": 1, "attempt": "now", "at": "2026-01-10T01:30:00Z", "slot": null, "done": null,
        "holder": {"host": "autre", "pid": 12, "space": null, "started": null},
    });
    project.write("data/private/leases/lieux/00000000000000000001.json", step.to_string());
    let mut child = project.command(&["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let waiting = lines.find(|line| line.starts_with("Waiting")).unwrap();
    assert_eq!(waiting, "Waiting: process 12 of autre has been at `lieux` since 2026-01-10T01:30:00Z");
    let release = step.to_string().replace("\"take\"", "\"release\"").replace("\"now\"", "\"later\"");
    project.write("data/private/leases/lieux/00000000000000000002.json", release);
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(stdout.starts_with("lieux\tpublished\t"), "{stdout}");
    drop(lines);
    assert_eq!(project.releases(DATASET).len(), 1);
}
