//! SQL over HTTP, asked of a real server.

mod answers;
mod confidentiality;
mod guard;
mod server;

use crate::harness::Project;

/// Rows of the table `lieux`.
const ROWS: usize = 20_000;

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
  {"name": "commune", "type": "string", "title": "Commune", "description": "Code.", "essaim": {"visibility": "public"}}]}"#;

/// A project with one table of many rows, published; `sql` goes to `[sql]` of `essaim.toml`.
pub(crate) fn published(sql: &str) -> Project {
    let project = Project::empty();
    project.write(
        "essaim.toml",
        format!(
            "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\
             [publisher]\nname = \"Essai\"\n[sql]\n{sql}\n"
        ),
    );
    project.write("pipelines/lieux.toml", PIPELINE);
    project.write("schemas/lieux.schema.json", SCHEMA);
    rows(&project, ROWS);
    project.run();
    project
}

/// Writes the source with so many rows.
fn rows(project: &Project, rows: usize) {
    let rows = (0..rows).map(|n| format!("L{n:05},Lieu numéro {n},{:05}\n", 13_000 + n % 100));
    project.write("seeds/lieux.csv", format!("id,nom,commune\n{}", rows.collect::<String>()));
}
