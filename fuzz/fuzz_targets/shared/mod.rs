//! A small project in memory, and one of its tables read from any bytes.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;

use essaim::config::compile::compile;
use essaim::config::load::ProjectFiles;
use essaim::config::pipeline::Project;
use essaim::diagnostic::{Problems, SourceFile};
use essaim::normalise::{Chunk, ChunkSink, Normaliser, SinkError};

const ESSAIM: &str = "[project]\npublic_url = \"https://donnees.example.org/\"\nkey = \"essaim-demonstration-key\"\n\
                      [publisher]\nname = \"Essai\"\n";

const SCHEMA: &str = r#"{"title": "T", "primaryKey": ["id"], "fields": [
  {"name": "id", "type": "string"},
  {"name": "texte", "type": "string", "constraints": {"pattern": "[a-z]*"}},
  {"name": "entier", "type": "integer", "constraints": {"minimum": 0}},
  {"name": "nombre", "type": "number"},
  {"name": "oui", "type": "boolean"},
  {"name": "jour", "type": "date"},
  {"name": "instant", "type": "datetime"},
  {"name": "siret", "type": "string", "format": "siret"},
  {"name": "lien", "type": "string", "format": "uri"},
  {"name": "choix", "type": "string", "essaim": {"codes": "l"}},
  {"name": "options", "type": "list", "essaim": {"codes": "l", "multi": true}},
  {"name": "autre", "type": "string"}]}"#;

const CODES: &str = "code,label,label_en,aliases\na,Un,One,un|1\nb,\"Deux, trois\",Two,\nautre,Autre,Other,\n";

/// Compiles a project whose pipeline file is `pipeline`; none when it has mistakes.
pub fn project(pipeline: &str) -> Option<Project> {
    let problems = Problems::new();
    let texts = [
        ("essaim.toml", ESSAIM),
        ("pipelines/t.toml", pipeline),
        ("schemas/t.schema.json", SCHEMA),
        ("seeds/codes/l.csv", CODES),
    ];
    let files = texts.map(|(path, text)| (path.to_owned(), SourceFile::new(path.to_owned(), text.to_owned())));
    let files = ProjectFiles { root: PathBuf::from("."), files: files.into() };
    let project = compile(&files, &BTreeMap::new(), &problems)?;
    problems.is_empty().then_some(project)
}

/// A pipeline that reads the table `t` with these lines.
#[allow(dead_code, reason = "each target uses what it needs")]
pub fn pipeline(table: &str) -> String {
    format!(
        "title = \"T\"\ndescription = \"T\"\nlicence = \"etalab-2.0\"\n[source.s]\nlicence = \"etalab-2.0\"\n\
         file.parts = {{ form = \"f\", lists = \"l\", entries = \"e\" }}\n[table.t]\nsource = \"s\"\n{table}\n[publish]\ntables = []\n"
    )
}

struct Counted(u64);

impl ChunkSink for Counted {
    fn take(&mut self, chunk: Chunk) -> Result<(), SinkError> {
        self.0 += chunk.batch.num_rows() as u64 + chunk.rejects.len() as u64;
        Ok(())
    }
}

/// Reads the first table from these parts: an error is fine, a panic is not, nor a row that is neither kept nor rejected.
#[allow(dead_code, reason = "each target uses what it needs")]
pub fn read(project: &Project, parts: &[(&str, &[u8])]) {
    let table = &project.pipelines[0].tables[0];
    let mut sink = Counted(0);
    let parts = parts.iter().map(|(name, bytes)| -> essaim::normalise::Part {
        ((*name).to_owned(), Box::new(Cursor::new(bytes.to_vec())))
    });
    if let Ok(summary) = Normaliser::new(table, &project.key).run(parts.collect(), &mut sink) {
        assert!(sink.0 >= summary.kept, "{} rows came, {} were kept", sink.0, summary.kept);
    }
}
