//! The beginning of a file that no table is declared for yet, unpacked and decoded.

use std::fs::File;
use std::io::{self, Read, Seek as _};

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use super::charset;
use super::error::NormaliseError;
use super::unpack::{GZIP, ZIP};
use crate::config::pipeline::Encoding;
use crate::id::TableName;

/// Bytes that tell a format.
const LENGTH: u64 = 64 << 10;
/// Members of a ZIP by which a spreadsheet is known: of XLSX and XLSB, and of ODS.
const OF_SPREADSHEETS: [&str; 3] = ["xl/workbook.xml", "xl/workbook.bin", "content.xml"];
/// Endings of members that hold rows.
const OF_TABLES: [&str; 9] = [".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".geojson", ".parquet", ".psv"];

/// How a file begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Its first bytes, unpacked.
    pub bytes: Vec<u8>,
    /// The same as text, without byte order mark.
    pub text: String,
    /// Whether it is a spreadsheet in a ZIP.
    pub spreadsheet: bool,
    /// The member of a ZIP that it is.
    pub member: Option<String>,
    /// Other members that may hold rows.
    pub others: Vec<String>,
}

/// Looks at how a file begins: through gzip, and into the largest member of a ZIP that may hold rows. `part` is what errors
/// call it.
pub fn head(mut file: File, part: &str, table: &TableName) -> Result<Head, NormaliseError> {
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| NormaliseError::Packed {
        table: table.clone(),
        part: part.to_owned(),
        source,
    };
    let bytes = first(&mut file).map_err(|error| broken(error.into()))?;
    file.rewind().map_err(|error| broken(error.into()))?;
    if bytes.starts_with(GZIP) {
        let bytes = first(MultiGzDecoder::new(file)).map_err(|error| broken(error.into()))?;
        let spreadsheet = bytes.starts_with(ZIP);
        return Ok(Head { spreadsheet, ..decoded(bytes) });
    }
    if !bytes.starts_with(ZIP) {
        return Ok(decoded(bytes));
    }
    let mut archive = ZipArchive::new(file).map_err(|error| broken(error.into()))?;
    let names = archive.file_names().collect::<Result<Vec<_>, _>>().map_err(|error| broken(error.into()))?;
    let mut names: Vec<String> = names.into_iter().map(std::borrow::Cow::into_owned).collect();
    if names.iter().any(|name| OF_SPREADSHEETS.contains(&name.as_str())) {
        return Ok(Head { bytes, spreadsheet: true, ..Head::default() });
    }
    names.retain(|name| may_hold_rows(name));
    let mut sized: Vec<(u64, String)> = Vec::with_capacity(names.len());
    for name in names {
        let size = archive.by_name(&name).map_err(|error| broken(error.into()))?.size();
        sized.push((size, name));
    }
    sized.sort_unstable_by(|(one, a), (other, b)| other.cmp(one).then_with(|| a.cmp(b)));
    let mut names: Vec<String> = sized.into_iter().map(|(_, name)| name).collect();
    if names.is_empty() {
        let part = "*.csv, *.json, *.geojson, *.parquet".to_owned();
        return Err(NormaliseError::MissingPart { table: table.clone(), part, known: "none of them".to_owned() });
    }
    let member = names.remove(0);
    let bytes = first(archive.by_name(&member).map_err(|error| broken(error.into()))?);
    let bytes = bytes.map_err(|error| broken(error.into()))?;
    Ok(Head { member: Some(member), others: names, ..decoded(bytes) })
}

fn first(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(LENGTH).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Files that a system puts beside the others begin with a dot, or lie in a folder of its own.
fn may_hold_rows(name: &str) -> bool {
    let hidden = name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX");
    let lower = name.to_ascii_lowercase();
    !hidden && OF_TABLES.iter().any(|ending| lower.ends_with(ending))
}

fn decoded(bytes: Vec<u8>) -> Head {
    let input = Box::new(io::Cursor::new(bytes.clone()));
    let mut text = Vec::new();
    let opened = charset::open(Encoding::Detect, input).map(|(input, _)| input);
    let read = opened.and_then(|mut input| input.read_to_end(&mut text));
    let text = if read.is_ok() { text } else { bytes.clone() };
    Head { text: String::from_utf8_lossy(&text).into_owned(), bytes, ..Head::default() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn of(bytes: &[u8]) -> Result<Head, NormaliseError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        head(file, "p", &"t".parse().unwrap())
    }

    fn zipped(members: &[(&str, &str)]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, text) in members {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn gzip_is_looked_through() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all("id;été\n1;oui\n".as_bytes()).unwrap();
        assert_eq!(of(&packed.finish().unwrap()).unwrap().text, "id;été\n1;oui\n");
    }

    #[test]
    fn of_a_zip_the_largest_member_with_rows_is_looked_at() {
        let members =
            [("b.csv", "b"), ("LISEZ-MOI.md", "?"), ("__MACOSX/a.csv", "?"), (".x.csv", "?"), ("a.CSV", "a,b")];
        let head = of(&zipped(&members)).unwrap();
        assert_eq!((head.member.as_deref(), head.text.as_str()), (Some("a.CSV"), "a,b"));
        assert_eq!(head.others, ["b.csv"]);
    }

    #[test]
    fn a_spreadsheet_is_no_zip_of_tables_and_a_zip_without_tables_is_refused() {
        assert!(of(&zipped(&[("[Content_Types].xml", ""), ("xl/workbook.xml", "")])).unwrap().spreadsheet);
        assert!(matches!(of(&zipped(&[("a.pdf", "")])), Err(NormaliseError::MissingPart { .. })));
    }

    #[test]
    fn utf_16_is_text() {
        let bytes: Vec<u8> = "\u{feff}id;nom\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(of(&bytes).unwrap().text, "id;nom\n");
    }
}
