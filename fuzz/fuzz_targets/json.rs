#![no_main]
//! Any bytes as JSON, JSON lines, GeoJSON and a YesWiki form.

mod shared;

use std::sync::LazyLock;

use essaim::config::pipeline::Project;
use libfuzzer_sys::fuzz_target;

const READERS: [&str; 5] = [
    "json = {}",
    "json = { rows = \"result.records\" }",
    "json = { lines = true }",
    "geojson = {}",
    "yeswiki = { form_id = \"1\", lists = \"lists\" }",
];

const FORM: &[u8] = br#"{"bn_id_nature": "1", "bn_label_nature": "F", "prepared": [
  {"id": "bf_titre", "type": "text", "label": "Nom", "read_acl": "*"},
  {"id": "options", "type": "checkbox", "label": "Options", "options": {"a": "Un", "b": "Deux, trois"}}]}"#;

static PROJECTS: LazyLock<Vec<Project>> = LazyLock::new(|| {
    READERS
        .iter()
        .map(|reader| shared::project(&shared::pipeline(reader)).expect("the readers are declared right"))
        .collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let project = &PROJECTS[usize::from(*first) % PROJECTS.len()];
    match first / 64 {
        0 => shared::read(project, &[("form", FORM), ("lists", b"{}"), ("entries", rest)]),
        1 => shared::read(project, &[("form", rest), ("lists", b"{}"), ("entries", b"{}")]),
        2 => shared::read(project, &[("form", FORM), ("lists", rest), ("entries", b"{}")]),
        _ => shared::read(project, &[("p", rest)]),
    }
});
