//! What kind of file it is, by its bytes.

use crate::config::pipeline::{CsvSpec, Encoding, JsonSpec, Layout, ReaderSpec, SheetSpec};

/// A reader, and how a pipeline file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The reader.
    pub reader: ReaderSpec,
    /// Its line in the pipeline file.
    pub line: String,
}

/// Tells a file's format from its first bytes.
pub fn detect(head: &[u8]) -> Format {
    let has = |text: &[u8]| head.windows(text.len()).any(|window| window == text);
    let of = |reader, line: &str| Format { reader, line: line.to_owned() };
    let sheet = || of(ReaderSpec::Sheet(SheetSpec::default()), "sheet = {}");
    if head.starts_with(b"PAR1") {
        return of(ReaderSpec::Parquet, "parquet = {}");
    }
    if head.starts_with(b"\xd0\xcf\x11\xe0") || (head.starts_with(b"PK") && (has(b"xl/") || has(b"opendocument"))) {
        return sheet();
    }
    if head.starts_with(b"PK") && (has(b"[Content_Types].xml") || has(b"_rels/")) {
        return sheet();
    }
    let text = String::from_utf8_lossy(head);
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
        // The first list in the document holds the rows, most likely.
        let path = start.find("[{").or_else(|| start.find('[')).and_then(|at| start.get(..at)?.rsplit('"').nth(1));
        let name = path.unwrap_or("").to_owned();
        let line = format!("json = {{ rows = {name:?} }}");
        return Format { reader: ReaderSpec::Json(JsonSpec { rows: vec![name], lines: false }), line };
    }
    csv(&text)
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
    #[case::geojson(b"{\"type\": \"FeatureCollection\", \"features\": []}", "geojson = {}")]
    #[case::parquet(b"PAR1....", "parquet = {}")]
    fn formats_are_known_by_their_bytes(#[case] head: &[u8], #[case] line: &str) {
        assert_eq!(detect(head).line, line);
    }
}
