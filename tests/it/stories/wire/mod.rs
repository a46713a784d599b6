//! What is published, asked for with the clients that people have: psql, drivers of PostgreSQL, ADBC.

mod drivers;
mod flight;
mod hostile;
mod limits;
mod psql;
mod tools;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::harness::Project;

const PIPELINE: &str = "title = \"Lieux\"
description = \"Des lieux inventés.\"
licence = \"etalab-2.0\"
synthetic = true

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
  {"name": "nom", "type": "string", "title": "Nom", "description": "Nom.", "essaim": {"visibility": "public"}},
  {"name": "places", "type": "integer", "title": "Places", "description": "Places.", "essaim": {"visibility": "public"}},
  {"name": "surface", "type": "number", "title": "Surface", "description": "Surface.", "essaim": {"visibility": "public"}},
  {"name": "ouvert", "type": "boolean", "title": "Ouvert", "description": "Ouvert.", "essaim": {"visibility": "public"}},
  {"name": "depuis", "type": "date", "title": "Depuis", "description": "Depuis.", "essaim": {"visibility": "public"}}]}"#;

/// What was cancelled may keep its thread for a moment, and what comes next then waits for its turn.
const PATIENT: &str = "[sql]\nwait = \"1 h\"\n";

/// Rows of the table in its first release; the second has one more.
const ROWS: usize = 1200;

/// The first day of the months of which rows tell.
fn row(n: usize) -> String {
    let cells = [
        format!("L{n:04}"),
        if n == 2 { "L'Été « à l'ombre »".to_owned() } else { format!("Lieu {n}") },
        if n == 3 { String::new() } else { (n * 10).to_string() },
        format!("{n}.5"),
        if n.is_multiple_of(2) { "oui" } else { "non" }.to_owned(),
        format!("2026-{:02}-01", n % 12 + 1),
    ];
    cells.join(",")
}

fn csv(rows: usize) -> String {
    let rows: Vec<String> = (1..=rows).map(row).collect();
    format!("id,nom,places,surface,ouvert,depuis\n{}\n", rows.join("\n"))
}

/// A project with two releases of one dataset, `lieux`; `more` goes to `essaim.toml`.
fn published(more: &str) -> Project {
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
    project.write("seeds/lieux.csv", csv(ROWS));
    project.run();
    project.write("seeds/lieux.csv", csv(ROWS + 1));
    project.run();
    project
}

/// A server of a project's releases; ended with it.
struct Served {
    child: Child,
    stderr: Receiver<String>,
    /// What was said before it listened.
    heard: String,
    /// Where each protocol listens.
    pg: String,
    flight: String,
}

impl Served {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--no-access-log"];
        all.extend(["--pg", "127.0.0.1:0", "--flight", "127.0.0.1:0"]);
        all.extend(arguments);
        let mut child = project.command(&all).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let (sender, stderr) = channel();
        std::thread::spawn(move || lines.for_each(|line| sender.send(line).unwrap_or_default()));
        let mut served = Self { child, stderr, heard: String::new(), pg: String::new(), flight: String::new() };
        served.pg = served.until("postgresql://");
        served.flight = served.until("grpc");
        served
    }

    /// Reads stderr until a line holds a text; gives the address after it.
    fn until(&mut self, text: &str) -> String {
        while let Ok(line) = self.stderr.recv() {
            self.heard = format!("{}{line}\n", self.heard);
            if line.contains(text) {
                let address = line.rsplit_once("://").unwrap().1;
                return address.split(['/', ' ']).next().unwrap().to_owned();
            }
        }
        panic!("`{text}` was never said:\n{}", self.heard);
    }

    fn pg_port(&self) -> u16 {
        self.pg.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Ends it as a machine does that shuts down; gives what it said last.
    fn end(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.stderr.iter().map(|line| line + "\n").collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself, as it was told.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
