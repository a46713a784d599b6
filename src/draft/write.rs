//! The files of a drafted project.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::column::{Guess, Proposal, propose, slug};
use super::format::Format;
use crate::normalise::Look;

/// Columns that a place lookup fills.
const FILLED: [(&str, &str, &str); 12] = [
    ("code_insee", "string", "Code INSEE de la commune"),
    ("commune", "string", "Commune"),
    ("code_postal", "string", "Code postal"),
    ("code_departement", "string", "Code du département"),
    ("departement", "string", "Département"),
    ("code_region", "string", "Code de la région"),
    ("region", "string", "Région"),
    ("longitude", "number", "Longitude"),
    ("latitude", "number", "Latitude"),
    ("lieu_niveau", "string", "Niveau de localisation"),
    ("lieu_methode", "string", "Méthode de localisation"),
    ("lieu_confiance", "number", "Confiance de la localisation"),
];

/// A project as it was drafted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafted {
    /// Paths and contents of its files.
    pub files: Vec<(String, String)>,
    /// What was seen in each column.
    pub columns: Vec<Proposal>,
    /// Columns of the key.
    pub key: Vec<String>,
}

/// Drafts the project of a file: `name` names pipeline and table, `path` is where the file will be.
pub fn draft(name: &str, path: &str, format: &Format, look: &Look) -> Drafted {
    let table = slug(name);
    let mut columns: Vec<Proposal> = Vec::new();
    for (at, source) in look.columns.iter().enumerate().filter(|(_, source)| !source.is_empty()) {
        let cells: Vec<&str> = look.rows.iter().filter_map(|row| row.get(at)).map(String::as_str).collect();
        let base = slug(source);
        let taken = |name: &str| columns.iter().any(|column| column.name == name);
        let mut own = base.clone();
        let mut nth = 2;
        while taken(&own) {
            own = format!("{base}_{nth}");
            nth += 1;
        }
        columns.push(propose(source, own, &cells, look.rows.len()));
    }
    let key = key_of(&columns);
    let mut files = vec![
        ("essaim.toml".to_owned(), PROJECT.to_owned()),
        (".gitignore".to_owned(), "data/\n".to_owned()),
        (format!("pipelines/{}.toml", table.replace('_', "-")), pipeline(&table, path, format, &columns, &key)),
        (format!("schemas/{table}.schema.json"), schema(&table, &columns, &key)),
    ];
    for column in &columns {
        if let Guess::Code(options) = &column.guess {
            files.push((format!("seeds/codes/{table}_{}.csv", column.name), codes(options)));
        }
    }
    Drafted { files, columns, key }
}

/// The column that tells rows apart: one named like it, else any, else all that have no place of their own.
fn key_of(columns: &[Proposal]) -> Vec<String> {
    let unique = || columns.iter().filter(|column| column.unique && !column.personal && column.place.is_none());
    let named = unique()
        .find(|column| column.name.split('_').any(|word| matches!(word, "id" | "code" | "identifiant" | "gid")));
    match named.or_else(|| unique().next()) {
        Some(column) => vec![column.name.clone()],
        None => Vec::new(),
    }
}

/// Columns whose values the place lookup gives back under the same name.
fn is_filled(column: &Proposal) -> bool {
    column.place.is_some()
}

fn pipeline(table: &str, path: &str, format: &Format, columns: &[Proposal], key: &[String]) -> String {
    let mut out = format!(
        "# A draft of what {path} holds. Three steps from here to a release:\n\
         #   1. essaim check --sample 5           look at the first rows, raw beside typed, and correct this file\n\
         #   2. schemas/{table}.schema.json       say \"visibility\": \"public\" for what everyone may see; check the licence\n\
         #   3. [publish] tables = [\"{table}\"]    and essaim run\n\n\
         title = \"{table}\"\ndescription = \"À écrire : ce que contient ce jeu de données, et pour qui.\"\n\
         licence = \"etalab-2.0\"    # the licence of the release\n\n\
         [source.{source}]\nlicence = \"etalab-2.0\"    # the licence of the source: check it\nfile.path = {path:?}\n\n\
         [table.{table}]\nsource = \"{source}\"\n{line}\n",
        source = table.replace('_', "-"),
        line = format.line,
    );
    if key.is_empty() {
        let all: Vec<String> = columns.iter().map(|column| format!("{:?}", column.source)).collect();
        let _infallible = write!(
            out,
            "\n# No column tells the rows apart: all of them together do, until you know better.\n\
             [table.{table}.derive]\ncle = {{ from = [{}], join = \" | \" }}\n",
            all.join(", ")
        );
    }
    let _infallible = writeln!(out, "\n[table.{table}.columns]");
    if key.is_empty() {
        out.push_str("cle = { from = \"cle\", keyed = true }\n");
    }
    for column in columns.iter().filter(|column| !is_filled(column)) {
        let from = format!("{:?}", column.source);
        let line = match &column.guess {
            Guess::Number(true) => format!("{{ from = {from}, decimal = \",\" }}"),
            Guess::Date(Some(format)) => format!("{{ from = {from}, format = {format:?} }}"),
            _ => from,
        };
        let _infallible = writeln!(out, "{} = {line}", column.name);
    }
    let places: Vec<&Proposal> = columns.iter().filter(|column| is_filled(column)).collect();
    if !places.is_empty() {
        let _infallible = writeln!(out, "\n[table.{table}.place]");
        let mut told: Vec<&str> = Vec::new();
        for place in places.iter().filter_map(|column| column.place) {
            if !told.contains(&place) {
                told.push(place);
                let names: Vec<String> =
                    places.iter().filter(|c| c.place == Some(place)).map(|c| format!("{:?}", c.source)).collect();
                let _infallible = writeln!(out, "{place} = [{}]", names.join(", "));
            }
        }
    }
    out.push_str("\n[publish]\ntables = []\n");
    out
}

fn schema(table: &str, columns: &[Proposal], key: &[String]) -> String {
    let mut fields: Vec<Value> = Vec::new();
    if key.is_empty() {
        fields.push(json!({ "name": "cle", "type": "string", "title": "Clé", "constraints": { "required": true } }));
    }
    for column in columns.iter().filter(|column| !is_filled(column)) {
        let (kind, format) = match &column.guess {
            Guess::Text | Guess::Code(_) => ("string", None),
            Guess::Siret => ("string", Some("siret")),
            Guess::Uri => ("string", Some("uri")),
            Guess::Integer => ("integer", None),
            Guess::Number(_) => ("number", None),
            Guess::Boolean => ("boolean", None),
            Guess::Date(_) => ("date", None),
        };
        let mut field = json!({ "name": column.name, "type": kind, "title": column.source });
        if let Some(format) = format {
            field["format"] = format.into();
        }
        if key.contains(&column.name) {
            field["constraints"] = json!({ "required": true });
        }
        if column.personal {
            field["essaim"] = json!({ "visibility": "personal" });
        } else if matches!(column.guess, Guess::Code(_)) {
            field["essaim"] = json!({ "codes": format!("{table}_{}", column.name) });
        }
        fields.push(field);
    }
    if columns.iter().any(is_filled) {
        let taken: Vec<String> = columns.iter().filter(|c| !is_filled(c)).map(|c| c.name.clone()).collect();
        let filled = FILLED.iter().filter(|(name, ..)| !taken.iter().any(|taken| taken == name));
        fields.extend(filled.map(|(name, kind, title)| json!({ "name": name, "type": kind, "title": title })));
    }
    let key = if key.is_empty() { vec!["cle".to_owned()] } else { key.to_vec() };
    let lines: Vec<String> = fields.iter().map(|field| format!("    {field}")).collect();
    format!(
        "{{\n  \"name\": {table:?},\n  \"title\": {table:?},\n  \"primaryKey\": {},\n  \"fields\": [\n{}\n  ]\n}}\n",
        json!(key),
        lines.join(",\n")
    )
}

fn codes(options: &[String]) -> String {
    let mut out = "code,label,label_en,aliases\n".to_owned();
    let mut known: Vec<String> = Vec::new();
    for option in options {
        let base = slug(option);
        let mut code = base.clone();
        let mut nth = 2;
        while known.contains(&code) {
            code = format!("{base}_{nth}");
            nth += 1;
        }
        let label = if option.contains([',', '"', '\n']) {
            format!("\"{}\"", option.replace('"', "\"\""))
        } else {
            option.clone()
        };
        let _infallible = writeln!(out, "{code},{label},,");
        known.push(code);
    }
    out
}

const PROJECT: &str = r#"[project]
public_url = "https://donnees.example.org/"    # where the public store will be served
key = "essaim-demonstration-key"               # for your own data: key = "${env:ESSAIM_KEY}"

[publisher]
name = "À écrire"

[stores]
private = "data/private"
public = "data/public"
"#;
