//! The shipped sample, read a second time without the program: its answer sheet, its raw registry, its raw answers.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::repository;

/// The registry of tiers-lieux in `seeds/exemple`.
pub(crate) const REGISTRY: &str = "tiers-lieux.synthetique.csv";
/// The answers in `seeds/exemple`.
pub(crate) const ANSWERS: &str = "questionnaire.synthetique.entries.json";

/// What is said in `anomalies.json` about a file.
pub(crate) fn answer_sheet(file: &str) -> Value {
    let text = fs::read_to_string(repository().join("seeds/exemple/anomalies.json")).unwrap();
    let mut sheet: Value = serde_json::from_str(&text).unwrap();
    sheet["files"][file].take()
}

/// The rows of a file where something was planted.
pub(crate) fn planted(file: &str, kind: &str) -> Vec<Value> {
    let sheet = answer_sheet(file);
    let planted = &sheet["anomalies"][kind];
    let rows = planted["where"].as_array().unwrap_or_else(|| panic!("{file} has no `{kind}`")).clone();
    assert_eq!(planted["count"], rows.len());
    rows
}

/// Ids of those rows.
pub(crate) fn planted_ids(file: &str, kind: &str) -> Vec<String> {
    planted(file, kind).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// Bytes 0x80 to 0x9F of Windows-1252, as in the table of the WHATWG encoding standard.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Text from Windows-1252.
pub(crate) fn windows_1252(bytes: &[u8]) -> String {
    let decoded = bytes.iter().map(|byte| match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(*byte),
    });
    decoded.collect()
}

/// The registry as text.
pub(crate) fn registry_text() -> String {
    windows_1252(&fs::read(repository().join("seeds/exemple").join(REGISTRY)).unwrap())
}

/// Records of the registry in their order; those with a wrong number of cells keep the cells they have.
pub(crate) fn registry() -> Vec<BTreeMap<String, String>> {
    let text = registry_text();
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').flexible(true).from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let records = reader.records().map(|record| {
        let record = record.unwrap();
        header.iter().cloned().zip(record.iter().map(str::to_owned)).collect()
    });
    records.collect()
}

/// The answers with their page names, in their order.
pub(crate) fn answers() -> Vec<(String, Value)> {
    let text = fs::read_to_string(repository().join("seeds/exemple").join(ANSWERS)).unwrap();
    let Value::Object(entries) = serde_json::from_str(&text).unwrap() else { panic!("the answers are no object") };
    entries.into_iter().collect()
}

/// Whether an answer agrees to something.
pub(crate) fn agrees(answer: &Value, field: &str) -> bool {
    answer[field].as_str() == Some("oui")
}

/// Public id of an answer under the demonstration key: the first 64 bits of HMAC-SHA-256 over `reponses:` and its page name.
pub(crate) fn public_id(page: &str) -> String {
    use hmac::Mac as _;
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"essaim-demonstration-key").unwrap();
    mac.update(format!("reponses:{page}").as_bytes());
    hex::encode(&mac.finalize().into_bytes()[..8])
}
