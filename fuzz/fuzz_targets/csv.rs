#![no_main]
//! Any bytes as CSV, in each encoding, with and without lines above and below the rows.

mod shared;

use std::sync::LazyLock;

use essaim::config::pipeline::Project;
use libfuzzer_sys::fuzz_target;

const READERS: [&str; 6] = [
    "csv = {}",
    "csv = { delimiter = \";\", encoding = \"windows-1252\" }",
    "csv = { delimiter = \"\\t\", encoding = \"detect\" }",
    "csv = { encoding = \"utf-16\" }",
    "csv = { header_row = 3, header_rows = 2, footer = \"Total\" }",
    "csv = { delimiter = \";\" }\nduplicates.newest = \"jour\"\n[table.t.columns]\n\
     nombre = { from = \"nombre\", decimal = \",\", units = { \"m²\" = 1, \"ha\" = 10000 } }\n\
     jour = { from = \"jour\", format = [\"%d/%m/%Y\", \"%Y-%m-%d\"] }\ntexte = { from = \"texte\", html = true }\n\
     options = { from = \"options\", separator = \", \", labels = true, other = \"autre\" }",
];

static PROJECTS: LazyLock<Vec<Project>> = LazyLock::new(|| {
    READERS
        .iter()
        .map(|reader| shared::project(&shared::pipeline(reader)).expect("the readers are declared right"))
        .collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    shared::read(&PROJECTS[usize::from(*first) % PROJECTS.len()], &[("p.csv", rest)]);
});
