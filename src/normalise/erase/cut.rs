//! Taking rows out of the bytes of a part, and leaving every other byte as it is.
//!
//! Lines of CSV and JSON lines go as lines, members of JSON as members; a gzip is packed anew. Spreadsheets, Parquet, ZIP
//! and UTF-16 cannot be cut: the part goes as a whole. Who cuts reads the part again and looks.

use std::io::{Read as _, Write as _};
use std::ops::Range;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::Hit;
use crate::config::pipeline::{Encoding, ReaderSpec};

const GZIP: &[u8] = b"\x1f\x8b";
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The bytes of a part without some rows of it; `None` when they cannot be taken out one by one.
pub fn cut(reader: &ReaderSpec, bytes: &[u8], hits: &[Hit]) -> Option<Vec<u8>> {
    if bytes.starts_with(GZIP) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(bytes).read_to_end(&mut plain).ok()?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(&cut(reader, &plain, hits)?).ok()?;
        return packed.finish().ok();
    }
    if hits.iter().any(|hit| hit.part.contains('!')) {
        return None;
    }
    let features = ["features".to_owned()];
    match reader {
        ReaderSpec::Csv(spec) if spec.encoding != Encoding::Utf16 => {
            lines(bytes, &hits.iter().map(|hit| hit.lines).collect::<Option<Vec<_>>>()?)
        }
        // Cells may hold line feeds that the document writes as `\n`: a row is the line that it ends at.
        ReaderSpec::Json(spec) if spec.lines => {
            lines(bytes, &hits.iter().map(|hit| hit.lines.map(|(_, last)| (last, last))).collect::<Option<Vec<_>>>()?)
        }
        ReaderSpec::Json(spec) => members(bytes, &spec.rows, Counted::Rows, hits),
        ReaderSpec::GeoJson => members(bytes, &features, Counted::Rows, hits),
        ReaderSpec::YesWiki(_) => members(bytes, &[], Counted::Entries, hits),
        ReaderSpec::Csv(_) | ReaderSpec::Sheet(_) | ReaderSpec::Parquet => None,
    }
}

/// Takes lines out, each range from its first to its last line.
fn lines(bytes: &[u8], out: &[(u64, u64)]) -> Option<Vec<u8>> {
    if bytes.contains(&0) {
        return None;
    }
    let mut kept = Vec::with_capacity(bytes.len());
    for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        if !out.iter().any(|(first, last)| (*first..=*last).contains(&number)) {
            kept.extend_from_slice(line);
        }
    }
    Some(kept)
}

/// Which members of a list or object are rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// All of a list; of an object those from the first object on.
    Rows,
    /// Entries of `YesWiki`.
    Entries,
}

/// Takes members out of the list, or object, that a path leads to.
fn members(bytes: &[u8], path: &[String], counted: Counted, hits: &[Hit]) -> Option<Vec<u8>> {
    let mut at = if bytes.starts_with(MARK) { MARK.len() } else { 0 };
    for name in path {
        let inside = list(bytes, at)?;
        at = inside.iter().find(|member| member.name.as_deref() == Some(name))?.value.start;
    }
    let all = list(bytes, at)?;
    let (mut nth, mut any) = (0, false);
    let mut keep = Vec::with_capacity(all.len());
    for member in &all {
        let value = bytes.get(member.value.clone())?;
        let counts = match counted {
            Counted::Rows => member.name.is_none() || any || value.starts_with(b"{"),
            Counted::Entries => {
                let entry: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(value).ok();
                entry.is_some_and(|entry| entry.contains_key("id_fiche"))
            }
        };
        any |= counts;
        nth += u64::from(counts);
        keep.push(!(counts && hits.iter().any(|hit| hit.nth == nth)));
    }
    let (first, last) = (all.first()?, all.last()?);
    let mut kept = bytes.get(..first.start)?.to_vec();
    let mut begun = false;
    for (at, member) in all.iter().enumerate().filter(|(at, _)| keep[*at]) {
        if begun {
            // What stands between a member and the one before it, comma included.
            kept.extend_from_slice(bytes.get(all.get(at.checked_sub(1)?)?.value.end..member.start)?);
        }
        kept.extend_from_slice(bytes.get(member.start..member.value.end)?);
        begun = true;
    }
    kept.extend_from_slice(bytes.get(last.value.end..)?);
    Some(kept)
}

/// A member of a list or object.
struct Member {
    name: Option<String>,
    /// Where it starts: at its name, if it has one.
    start: usize,
    value: Range<usize>,
}

/// The members of the list or object that starts at a byte.
fn list(bytes: &[u8], at: usize) -> Option<Vec<Member>> {
    let mut at = blank(bytes, at);
    let close = match bytes.get(at)? {
        b'[' => b']',
        b'{' => b'}',
        _ => return None,
    };
    let mut members = Vec::new();
    at = blank(bytes, at + 1);
    while *bytes.get(at)? != close {
        let start = at;
        let mut name = None;
        if close == b'}' {
            let end = value(bytes, at)?;
            name = serde_json::from_slice(bytes.get(at..end)?).ok()?;
            at = blank(bytes, end);
            if *bytes.get(at)? != b':' {
                return None;
            }
            at = blank(bytes, at + 1);
        }
        let end = value(bytes, at)?;
        members.push(Member { name, start, value: at..end });
        at = blank(bytes, end);
        if *bytes.get(at)? == b',' {
            at = blank(bytes, at + 1);
        }
    }
    Some(members)
}

/// The first byte from one on that is no blank.
fn blank(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Where the value that starts at a byte ends.
fn value(bytes: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut end = at;
    loop {
        match *bytes.get(end)? {
            b'"' => {
                end += 1;
                while *bytes.get(end)? != b'"' {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ if depth > 0 => {}
            // A number or a word ends where something else begins.
            _ => {
                let rest = bytes.get(end..)?;
                let long =
                    rest.iter().take_while(|byte| !matches!(**byte, b',' | b'}' | b']') && !byte.is_ascii_whitespace());
                return Some(end + long.count());
            }
        }
        end += 1;
        if depth == 0 {
            return Some(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::config::pipeline::{CsvSpec, JsonSpec, YesWikiSpec};

    fn hit(nth: u64, lines: Option<(u64, u64)>) -> Hit {
        Hit { part: "p".into(), nth, row: nth, lines, cells: Vec::new() }
    }

    fn json(rows: &[&str], lines: bool) -> ReaderSpec {
        ReaderSpec::Json(JsonSpec {
            rows: rows.iter().map(|name| (*name).to_owned()).collect(),
            lines,
            ..JsonSpec::default()
        })
    }

    fn wiki() -> ReaderSpec {
        let (form_id, form, entries) = ("1".into(), "form".into(), "entries".into());
        ReaderSpec::YesWiki(YesWikiSpec { form_id, form, lists: None, entries, admin: false })
    }

    #[rstest]
    #[case::first(r#"[ {"a": "x,]"}, {"a": 2} ]"#, 1, r#"[ {"a": 2} ]"#)]
    #[case::middle(r#"[1, {"b": [1, "\"}"]}, 3]"#, 2, "[1, 3]")]
    #[case::last("[1,2]", 2, "[1]")]
    #[case::only("[ 1 ]", 1, "[  ]")]
    fn a_member_goes_and_every_other_byte_stays(#[case] text: &str, #[case] nth: u64, #[case] left: &str) {
        let cut = cut(&json(&[], false), text.as_bytes(), &[hit(nth, None)]).unwrap();
        assert_eq!(String::from_utf8(cut).unwrap(), left);
    }

    #[test]
    fn rows_are_found_where_the_path_leads() {
        let text = "\u{feff}{\"n\": [9], \"data\": {\"l\": {\"note\": 1, \"a\": {}, \"b\": {\"c\": 2}}}}";
        let cut = cut(&json(&["data", "l"], false), text.as_bytes(), &[hit(2, None)]).unwrap();
        assert_eq!(
            String::from_utf8(cut).unwrap(),
            "\u{feff}{\"n\": [9], \"data\": {\"l\": {\"note\": 1, \"a\": {}}}}"
        );
    }

    #[test]
    fn entries_of_a_wiki_are_counted_without_its_messages() {
        let text = r#"{"0": {"error": "x"}, "A": {"id_fiche": "A"}, "B": {"id_fiche": "B"}}"#;
        let cut = cut(&wiki(), text.as_bytes(), &[hit(1, None)]).unwrap();
        assert_eq!(String::from_utf8(cut).unwrap(), r#"{"0": {"error": "x"}, "B": {"id_fiche": "B"}}"#);
    }

    #[test]
    fn lines_go_with_the_line_feeds_inside_their_cells() {
        let text = "id,n\r\n1,\"a\r\nb\"\r\n2,c\r\n";
        let csv = ReaderSpec::Csv(CsvSpec::default());
        assert_eq!(cut(&csv, text.as_bytes(), &[hit(1, Some((2, 3)))]).unwrap(), b"id,n\r\n2,c\r\n");
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        let left = cut(&csv, &packed.finish().unwrap(), &[hit(1, Some((2, 3)))]).unwrap();
        let mut plain = String::new();
        MultiGzDecoder::new(left.as_slice()).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, "id,n\r\n2,c\r\n");
    }

    #[rstest]
    #[case::sixteen_bits(ReaderSpec::Csv(CsvSpec { encoding: Encoding::Utf16, ..CsvSpec::default() }), b"a\0\n\0")]
    #[case::table(ReaderSpec::Parquet, b"PAR1")]
    #[case::broken(json(&[], false), b"[1, {")]
    fn what_cannot_be_cut_is_said(#[case] reader: ReaderSpec, #[case] bytes: &[u8]) {
        assert_eq!(cut(&reader, bytes, &[hit(1, Some((1, 1)))]), None);
    }
}
