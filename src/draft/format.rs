//! What kind of file it is, by its bytes.

use super::header;
use crate::config::pipeline::{CsvSpec, Encoding, JsonSpec, Layout, ReaderSpec, SheetSpec};
use crate::normalise::{Head, SheetHead};

/// A reader, and how a pipeline file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The reader.
    pub reader: ReaderSpec,
    /// Its line in the pipeline file, with one for the member of a ZIP that is read.
    pub line: String,
    /// Line of the header, from 1.
    pub header: u64,
}

/// Whether a file is a web page.
pub fn is_html(head: &Head) -> bool {
    let text = head.text.trim_start_matches('\u{feff}').trim_start();
    let starts = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    starts("<!doctype html") || starts("<html")
}

/// Chooses the sheet of a spreadsheet: of those that are shown the one with most filled cells, the first of them.
pub fn choose(sheets: &[SheetHead]) -> Option<(&SheetHead, Format)> {
    let sheet = sheets.iter().rev().max_by_key(|sheet| (sheet.shown && sheet.filled > 0, sheet.filled))?;
    // The one that is read where none is named.
    let first = sheets.iter().find(|sheet| sheet.shown).or(sheets.first());
    let named = first.is_none_or(|first| first.name != sheet.name).then(|| sheet.name.clone());
    let header = header::in_sheet(&sheet.first) as u64 + 1;
    let mut keys: Vec<String> = named.iter().map(|name| format!("sheet = {}", serde_json::json!(name))).collect();
    if header > 1 {
        keys.push(format!("header_row = {header}"));
    }
    let line = if keys.is_empty() { "sheet = {}".to_owned() } else { format!("sheet = {{ {} }}", keys.join(", ")) };
    let layout = Layout { header_row: header, ..Layout::default() };
    Some((sheet, Format { reader: ReaderSpec::Sheet(SheetSpec { sheet: named, layout }), line, header }))
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
    let of = |reader, line: &str| Format { reader, line: line.to_owned(), header: 1 };
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
            return of(
                ReaderSpec::Json(JsonSpec { rows: Vec::new(), lines: true, ..JsonSpec::default() }),
                "json = { lines = true }",
            );
        }
        // An object of objects has a row in each member.
        let Some(rows) = rows_of(start) else { return of(ReaderSpec::Json(JsonSpec::default()), "json = {}") };
        let line = format!("json = {{ rows = {} }}", serde_json::json!(rows.join(".")));
        return Format {
            reader: ReaderSpec::Json(JsonSpec { rows, lines: false, ..JsonSpec::default() }),
            line,
            header: 1,
        };
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

/// Cells of the first records, whatever is in quotes, and the line of each; the last record may be cut.
fn records(text: &str, delimiter: u8) -> (Vec<Vec<String>>, Vec<u64>) {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let records = reader.records().filter_map(Result::ok).take(40);
    let lined = records.map(|record| {
        let from = record.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or(0);
        // Blank lines above belong to no record.
        let blank = text.get(from..).map_or(0, |rest| rest.len() - rest.trim_start_matches(['\r', '\n']).len());
        let line = text.get(..from + blank).map_or(0, |above| above.matches('\n').count()) as u64 + 1;
        (record.iter().map(str::to_owned).collect(), line)
    });
    lined.unzip()
}

/// The delimiter that parts the first records most evenly, and the header among them.
fn csv(text: &str) -> Format {
    let score = |delimiter: char| {
        let (widths, times) = header::widths(&records(text, delimiter as u8).0);
        widths.first().filter(|width| **width > 1).map_or(0, |width| times * 100 + width)
    };
    let delimiter = ['|', ',', '\t', ';'].into_iter().max_by_key(|delimiter| score(*delimiter)).unwrap_or(',');
    let (records, lines) = records(text, delimiter as u8);
    let at = header::in_text(&records);
    let header = at as u64 + 1;
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
    Format { reader, line: line + " }", header: lines.get(at).copied().unwrap_or(1) }
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
    #[case::one_row_is_longer(
        b"id;nom;ville\n1;a;b\n2;c;d;e\n3;f;g\n",
        "csv = { encoding = \"detect\", delimiter = \";\" }"
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
    #[test]
    fn the_line_of_the_header_counts_blank_lines_and_line_feeds_in_quotes() {
        let of = |text: &str| detect(&Head { text: text.to_owned(), ..Head::default() }).header;
        assert_eq!(of("a,b\n1,2\n"), 1);
        assert_eq!(of("Titre,\r\n\r\nid,nom\r\n1,a\r\n2,b\r\n"), 3);
        assert_eq!(of("\"Titre\nlong\",\nid,nom\n1,a\n2,b\n"), 3);
    }

    #[test]
    fn the_sheet_with_most_filled_cells_is_read_unless_it_is_hidden() {
        let sheet = |name: &str, shown, lines: &[&str]| {
            let first: Vec<Vec<String>> =
                lines.iter().map(|line| line.split(';').map(str::to_owned).collect()).collect();
            SheetHead { name: name.to_owned(), shown, filled: first.iter().flatten().count() as u64, first }
        };
        let notes = sheet("LISEZMOI", true, &["À lire"]);
        let data = sheet("Données \"2024\"", true, &["Titre", "id;nom", "1;a", "2;b"]);
        let lists = sheet("listes", false, &["a;b;c;d;e;f;g;h;i"]);
        let line = |sheets: &[SheetHead]| choose(sheets).map(|(_, format)| format.line);
        let found = line(&[notes.clone(), lists.clone(), data.clone()]);
        assert_eq!(found.as_deref(), Some("sheet = { sheet = \"Données \\\"2024\\\"\", header_row = 2 }"));
        assert_eq!(line(&[lists, data]).as_deref(), Some("sheet = { header_row = 2 }"));
        assert_eq!(line(&[notes]).as_deref(), Some("sheet = {}"));
        assert_eq!(line(&[]), None);
    }

    #[test]
    fn web_pages_are_known() {
        let of = |text: &str| is_html(&Head { text: text.to_owned(), ..Head::default() });
        assert!(of("\n<!DOCTYPE HTML>\n") && of("<html lang=\"fr\">"));
        assert!(!of("id,html\n") && !of("é") && !of(""));
    }
}
