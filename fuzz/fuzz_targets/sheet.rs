#![no_main]
//! Any bytes as a spreadsheet, as Parquet, and as CSV inside gzip or ZIP.

mod shared;

use std::sync::LazyLock;

use essaim::config::pipeline::Project;
use libfuzzer_sys::fuzz_target;

const READERS: [&str; 4] = ["sheet = {}", "sheet = { header_row = 2, header_rows = 2 }", "parquet = {}", "csv = {}"];

static PROJECTS: LazyLock<Vec<Project>> = LazyLock::new(|| {
    READERS
        .iter()
        .map(|reader| shared::project(&shared::pipeline(reader)).expect("the readers are declared right"))
        .collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let name = ["p", "p.xlsx", "p.zip", "p.csv.gz"][usize::from(first / 64)];
    shared::read(&PROJECTS[usize::from(*first) % PROJECTS.len()], &[(name, rest)]);
});
