//! What kind of file it is, by its bytes.

use crate::config::pipeline::{CsvSpec, Encoding, JsonSpec, Layout, ReaderSpec, SheetSpec};
use crate::normalise::Head;

/// A reader, and how a pipeline file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The reader.
    pub reader: ReaderSpec,
    /// Its line in the pipeline file, with one for the member of a ZIP that is read.
    pub line: String,
}

/// Tells a file's format from its beginning.
pub fn detect(head: &Head) -> Format {
    let mut format = detect_unpacked(head);
    if let Some(member) = &head.member {
        format.line = format!("{}\nmembers = {}", format.line, serde_json::json!(member));
    }
    format
}

fn detect_unpacked(head: &Head) -> Format {
    let of = |reader, line: &str| Format { reader, line: line.to_owned() };
    let sheet = || of(ReaderSpec::Sheet(SheetSpec::default()), "sheet = {}");
    if head.bytes.starts_with(b"PAR1") {
        return of(ReaderSpec::Parquet, "parquet = {}");
    }
    if head.spreadsheet || head.bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return sheet();
    }
    let text = head.text.as_str();
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with('[') {
        return of(ReaderSpec::Json(JsonSpec::default()), "json = {}");
    }
    if start.starts_with('{') {
        if text.contains("\"FeatureCollection\"") {
            return of(ReaderSpec::GeoJson, "geojson = {}");
        }
        let lines =
            start.lines().take(3).filter(|line| line.starts_with('{') && line.trim_end().ends_with('}')).count();
        if lines >= 2 {
            return of(ReaderSpec::Json(JsonSpec { rows: Vec::new(), lines: true }), "json = { lines = true }");
        }
        // An object of objects has a row in each member.
        let Some(rows) = rows_of(start) else { return of(ReaderSpec::Json(JsonSpec::default()), "json = {}") };
        let line = format!("json = {{ rows = {} }}", serde_json::json!(rows.join(".")));
        return Format { reader: ReaderSpec::Json(JsonSpec { rows, lines: false }), line };
    }
    csv(text)
}

/// The way to the first list of objects in a JSON object that may be cut: the members that lead there, outermost first.
/// None when the first two members hold objects, which are rows themselves then.
fn rows_of(text: &str) -> Option<Vec<String>> {
    let (mut path, mut depth, mut key): (Vec<String>, usize, String) = (Vec::new(), 0, String::new());
    let (mut found, mut objects): (Vec<Vec<String>>, usize) = (Vec::new(), 0);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '"' => {
                let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let Some(Ok(text)) = texts.next() else { break };
                key = text;
                taken = texts.byte_offset();
            }
            '{' | '[' => {
                let is_list = c == '[' && rest.get(1..).is_some_and(|rest| rest.trim_start().starts_with('{'));
                let here: Vec<String> = path.iter().skip(1).chain([&key]).cloned().collect();
                if is_list && depth > 0 && !here.contains(&String::new()) {
                    found.push(here);
                }
                objects += usize::from(c == '{' && depth == 1);
                path.push(std::mem::take(&mut key));
                depth += 1;
            }
            '}' | ']' => {
                path.pop();
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        rest = rest.get(taken..).unwrap_or("");
    }
    let near = found.iter().position(|path| path.len() == 1);
    match near {
        Some(at) => Some(found.swap_remove(at)),
        None if objects > 1 => None,
        None => found.into_iter().next(),
    }
}

/// Cells of the first records, whatever is in quotes; the last record may be cut.
fn records(text: &str, delimiter: u8) -> Vec<Vec<String>> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let records = reader.records().filter_map(Result::ok).take(40);
    records.map(|record| record.iter().map(str::to_owned).collect()).collect()
}

/// The delimiter that parts the first records most evenly, and the first record with most of its cells filled.
fn csv(text: &str) -> Format {
    let score = |delimiter: char| {
        let counts: Vec<usize> = records(text, delimiter as u8).iter().map(Vec::len).collect();
        let most = counts.iter().copied().max().unwrap_or(1);
        if most < 2 { 0 } else { counts.iter().filter(|count| **count == most).count() * 100 + most }
    };
    let delimiter = ['|', ',', '\t', ';'].into_iter().max_by_key(|delimiter| score(*delimiter)).unwrap_or(',');
    let records = records(text, delimiter as u8);
    let most = records.iter().map(Vec::len).max().unwrap_or(1);
    let filled = |record: &[String]| record.iter().filter(|cell| !cell.trim().is_empty()).count() * 2 > most;
    let header = records.iter().position(|record| record.len() == most && filled(record)).unwrap_or(0) as u64 + 1;
    let layout = Layout { header_row: header, ..Layout::default() };
    let byte = u8::try_from(delimiter).unwrap_or(b',');
    let reader = ReaderSpec::Csv(CsvSpec { delimiter: byte, encoding: Encoding::Detect, layout, ..CsvSpec::default() });
    let mut line = "csv = { encoding = \"detect\"".to_owned();
    if delimiter != ',' {
        line = format!("{line}, delimiter = {:?}", delimiter.to_string());
    }
    if header > 1 {
        line = format!("{line}, header_row = {header}");
    }
    Format { reader, line: line + " }" }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::commas(b"id,nom\n1,a\n2,\"b, c\"\n".as_slice(), "csv = { encoding = \"detect\" }")]
    #[case::semicolons(b"id;nom;surface\n1;a;1,5\n2;b;2,5\n", "csv = { encoding = \"detect\", delimiter = \";\" }")]
    #[case::a_title_above(
        b"Liste des lieux;;\nid;nom;ville\n1;a;b\n",
        "csv = { encoding = \"detect\", delimiter = \";\", header_row = 2 }"
    )]
    #[case::tabs(b"id\tnom\n1\ta\n", "csv = { encoding = \"detect\", delimiter = \"\\t\" }")]
    #[case::json(b"[{\"id\": 1}]", "json = {}")]
    #[case::json_lines(b"{\"id\": 1}\n{\"id\": 2}\n", "json = { lines = true }")]
    #[case::json_with_rows_below(b"{\"total\": 2, \"lieux\": [{\"id\": 1}]}", "json = { rows = \"lieux\" }")]
    #[case::json_with_rows_far_below(
        b"{\"data\": {\"n\": [1], \"lieux\": [ {\"id\": 1}",
        "json = { rows = \"data.lieux\" }"
    )]
    #[case::json_with_a_row_in_each_member(b"{\"a\": {\"id\": 1, \"t\": [{}]}, \"b\": {\"id\"", "json = {}")]
    #[case::geojson(b"{\"type\": \"FeatureCollection\", \"features\": []}", "geojson = {}")]
    #[case::parquet(b"PAR1....", "parquet = {}")]
    fn formats_are_known_by_their_bytes(#[case] head: &[u8], #[case] line: &str) {
        let text = String::from_utf8_lossy(head).into_owned();
        assert_eq!(detect(&Head { bytes: head.to_vec(), text, ..Head::default() }).line, line);
    }

    #[test]
    fn the_member_of_a_zip_is_named() {
        let head = Head { text: "a,b\n1,2\n".to_owned(), member: Some("a \"b\".csv".to_owned()), ..Head::default() };
        assert_eq!(detect(&head).line, "csv = { encoding = \"detect\" }\nmembers = \"a \\\"b\\\".csv\"");
    }
}
