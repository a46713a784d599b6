//! `seeds/lookups/*.csv`: texts of sources and what stands in their place.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::load::ProjectFiles;
use crate::config::pipeline::Lookup;
use crate::contract::fold::fold;
use crate::diagnostic::{Problem, Problems, SourceFile};

/// Lookups by name.
pub(in crate::config) type Lookups = BTreeMap<String, (Arc<Lookup>, Arc<SourceFile>)>;

/// Reads all lookups of a project.
pub(in crate::config) fn lookups(files: &ProjectFiles, problems: &Problems) -> Lookups {
    let lists = files.folder("seeds/lookups", ".csv");
    let read = |(name, file): (&str, &Arc<SourceFile>)| {
        let lookup = lookup(name, file, problems)?;
        Some((name.to_owned(), (Arc::new(lookup), Arc::clone(file))))
    };
    lists.filter_map(read).collect()
}

fn lookup(name: &str, file: &Arc<SourceFile>, problems: &Problems) -> Option<Lookup> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file.text.as_bytes());
    let header = reader.headers().ok()?.clone();
    let find = |wanted: &str| header.iter().position(|name| name.trim() == wanted);
    let (Some(source), Some(value)) = (find("source"), find("value")) else {
        problems.push(
            Problem::at("lookup::header", "a lookup needs the columns `source` and `value`", file, 0..0, "header")
                .help("first line: source,value,note"),
        );
        return None;
    };
    let mut values = BTreeMap::new();
    for record in reader.records().filter_map(Result::ok) {
        let text = record.get(source).unwrap_or("");
        let value = record.get(value).unwrap_or("").trim().to_owned();
        let start = record.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or(0);
        if fold(text).is_empty() {
            continue;
        }
        if values.insert(fold(text), value).is_some() {
            problems.push(
                Problem::at(
                    "lookup::repeated",
                    format!("`{text}` stands twice"),
                    file,
                    start..start + text.len(),
                    "again",
                )
                .help("keep one line; case, accents and blanks do not matter"),
            );
        }
    }
    Some(Lookup { name: name.to_owned(), values })
}
