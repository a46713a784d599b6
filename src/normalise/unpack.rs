//! Parts that are packed: gzip is known by its first bytes and unpacked on the way; the members of a ZIP become parts,
//! each unpacked when it is read.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::read::MultiGzDecoder;
use glob::Pattern;
use zip::ZipArchive;

use super::Part;
use super::charset::peek;
use super::error::NormaliseError;
use crate::id::TableName;

pub(super) const GZIP: &[u8] = b"\x1f\x8b";
pub(super) const ZIP: &[u8] = b"PK\x03\x04";
/// Most bytes of a part once it is unpacked, all members of a ZIP together.
const LARGEST: u64 = 16 << 30;

/// The parts that a pattern names; all without one.
pub(super) fn choose(parts: Vec<Part>, wanted: Option<&str>, table: &TableName) -> Result<Vec<Part>, NormaliseError> {
    let Some(pattern) = wanted else { return Ok(parts) };
    let known: Vec<String> = parts.iter().map(|(name, _)| name.clone()).collect();
    let chosen: Vec<Part> = parts.into_iter().filter(|(name, _)| matches(pattern, name)).collect();
    if chosen.is_empty() {
        let known = crate::diagnostic::quoted(&known.iter().map(String::as_str).collect::<Vec<_>>());
        return Err(NormaliseError::MissingPart { table: table.clone(), part: pattern.to_owned(), known });
    }
    Ok(chosen)
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern == name || Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(name))
}

/// What is made of parts that are ZIP files.
#[derive(Debug, Clone, Copy)]
pub(super) enum Zips<'a> {
    /// They are documents themselves, as spreadsheets are.
    Documents,
    /// Their members are parts: those that a pattern names, or all.
    Members(Option<&'a str>),
}

/// Unpacks gzip, and ZIP where it is said.
pub(super) fn unpack(parts: Vec<Part>, zips: Zips<'_>, table: &TableName) -> Result<Vec<Part>, NormaliseError> {
    let mut unpacked = Vec::with_capacity(parts.len());
    for (name, input) in parts {
        let (head, input) = peek(input, ZIP.len());
        match zips {
            _ if head.starts_with(GZIP) => {
                let limited = Limited { inner: MultiGzDecoder::new(input), left: LARGEST, what: Packed::Gzip };
                unpacked.push((name, Box::new(limited) as Box<dyn Read + Send>));
            }
            Zips::Members(wanted) if head.starts_with(ZIP) => {
                unpacked.extend(open_zip(&name, input, wanted, table, LARGEST)?);
            }
            _ => unpacked.push((name, Box::new(input))),
        }
    }
    Ok(unpacked)
}

/// Keeps a part in a temporary file, for readers that jump about.
pub(super) fn spool(mut input: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut input, &mut file)?;
    file.rewind()?;
    Ok(file)
}

/// A ZIP whose members are unpacked one after the other.
struct Zip {
    archive: ZipArchive<File>,
    /// Bytes that its members may still unpack to.
    left: u64,
    limit: u64,
}

/// A member of a ZIP. It is unpacked to a temporary file when it is read, which goes when the member does: the next one
/// takes its room.
struct Member {
    zip: Arc<Mutex<Zip>>,
    name: String,
    file: Option<File>,
}

impl Read for Member {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file {
            return file.read(out);
        }
        let mut zip = self.zip.lock().unwrap_or_else(PoisonError::into_inner);
        let Zip { archive, left, limit } = &mut *zip;
        let inner = archive.by_name(&self.name)?;
        let mut member = Limited { inner, left: *left, what: Packed::Zip { member: &self.name, limit: *limit } };
        let mut file = spool(&mut member)?;
        *left = member.left;
        let read = file.read(out)?;
        self.file = Some(file);
        Ok(read)
    }
}

/// Members of a ZIP, sorted by name.
fn open_zip(
    part: &str,
    input: impl Read,
    wanted: Option<&str>,
    table: &TableName,
    limit: u64,
) -> Result<Vec<Part>, NormaliseError> {
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| NormaliseError::Packed {
        table: table.clone(),
        part: part.to_owned(),
        source,
    };
    let file = spool(input).map_err(|error| broken(error.into()))?;
    let archive = ZipArchive::new(file).map_err(|error| broken(error.into()))?;
    let names = archive.file_names().collect::<Result<Vec<_>, _>>().map_err(|error| broken(error.into()))?;
    let mut names: Vec<String> =
        names.iter().filter(|name| !name.ends_with('/')).map(|name| name.clone().into_owned()).collect();
    names.sort_unstable();
    let chosen: Vec<String> =
        names.iter().filter(|name| wanted.is_none_or(|pattern| matches(pattern, name))).cloned().collect();
    if chosen.is_empty() {
        let known = crate::diagnostic::quoted(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let wanted = format!("{part}!{}", wanted.unwrap_or("*"));
        return Err(NormaliseError::MissingPart { table: table.clone(), part: wanted, known });
    }
    let zip = Arc::new(Mutex::new(Zip { archive, left: limit, limit }));
    let member = |name: String| {
        let (zip, part) = (Arc::clone(&zip), format!("{part}!{name}"));
        (part, Box::new(Member { zip, name, file: None }) as Box<dyn Read + Send>)
    };
    Ok(chosen.into_iter().map(member).collect())
}

/// What is being unpacked.
#[derive(Debug, Clone, Copy)]
enum Packed<'a> {
    Gzip,
    Zip { member: &'a str, limit: u64 },
}

impl Packed<'_> {
    /// It unpacks to more than it may.
    fn too_large(self) -> io::Error {
        let text = match self {
            Self::Gzip => format!("it unpacks to more than {}: look at what the source sends", size(LARGEST)),
            Self::Zip { member, limit } => format!(
                "with `{member}` the members of the ZIP unpack to more than {}: name those that are needed in `members`",
                size(limit)
            ),
        };
        io::Error::new(io::ErrorKind::FileTooLarge, text)
    }

    /// Says of a fault on the way what it is a fault of.
    fn cut(self, error: io::Error) -> io::Error {
        match self {
            Self::Gzip if error.kind() == io::ErrorKind::UnexpectedEof => {
                let text = "the gzip file ends in the middle: check that the download is whole";
                io::Error::new(io::ErrorKind::UnexpectedEof, text)
            }
            _ => error,
        }
    }
}

fn size(bytes: u64) -> String {
    match bytes >> 30 {
        0 => format!("{bytes} bytes"),
        whole => format!("{whole} GiB"),
    }
}

/// Ends in an error rather than go on for ever: a few bytes can unpack to any size.
struct Limited<'a, R> {
    inner: R,
    left: u64,
    what: Packed<'a>,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out).map_err(|error| self.what.cut(error))?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| self.what.too_large())?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    fn part(name: &str, bytes: Vec<u8>) -> Part {
        (name.to_owned(), Box::new(Cursor::new(bytes)))
    }

    fn read(parts: Vec<Part>) -> Vec<(String, String)> {
        let text = |(name, mut input): Part| {
            let mut text = String::new();
            input.read_to_string(&mut text).unwrap();
            (name, text)
        };
        parts.into_iter().map(text).collect()
    }

    fn zipped(members: &[(&str, &str)]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in members {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn table() -> TableName {
        "t".parse().unwrap()
    }

    #[test]
    fn gzip_is_unpacked_and_other_parts_pass() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"a,b\n1,2\n").unwrap();
        let parts = vec![part("a.csv.gz", packed.finish().unwrap()), part("b.csv", b"x".to_vec())];
        let read = read(unpack(parts, Zips::Members(None), &table()).unwrap());
        let expected = [("a.csv.gz", "a,b\n1,2\n"), ("b.csv", "x")].map(|(name, text)| (name.into(), text.into()));
        assert_eq!(read, expected);
    }

    #[test]
    fn members_of_a_zip_are_parts_in_the_order_of_their_names() {
        let bytes = zipped(&[("b.csv", "2"), ("lisez-moi.txt", "?"), ("a.csv", "1")]);
        let read = read(unpack(vec![part("p.zip", bytes.clone())], Zips::Members(Some("*.csv")), &table()).unwrap());
        assert_eq!(read, [("p.zip!a.csv".to_owned(), "1".to_owned()), ("p.zip!b.csv".to_owned(), "2".to_owned())]);
        let error =
            unpack(vec![part("p.zip", bytes)], Zips::Members(Some("*.json")), &table()).err().unwrap().to_string();
        assert!(error.contains("`a.csv`") && error.contains("p.zip!*.json"), "{error}");
    }

    #[test]
    fn a_zip_that_was_cut_is_an_error_that_names_the_part() {
        let mut bytes = zipped(&[("a.csv", "1")]);
        bytes.truncate(bytes.len() / 2);
        let error = unpack(vec![part("p.zip", bytes)], Zips::Members(None), &table()).err().unwrap();
        assert!(matches!(error, NormaliseError::Packed { .. }) && error.to_string().contains("`p.zip`"), "{error}");
    }

    #[test]
    fn members_are_unpacked_one_after_the_other_when_they_are_read() {
        let bytes = zipped(&[("a.csv", "12345678"), ("b.csv", "1234567"), ("c.csv", "1")]);
        let members = open_zip("p.zip", Cursor::new(bytes), None, &table(), 16).unwrap();
        assert_eq!(read(members).len(), 3, "sixteen bytes in all");
    }

    #[test]
    fn members_that_unpack_to_more_than_the_limit_together_are_an_error_that_names_the_first_beyond_it() {
        let bytes = zipped(&[("a.csv", "12345678"), ("b.csv", "123456789")]);
        let mut members = open_zip("p.zip", Cursor::new(bytes), None, &table(), 16).unwrap().into_iter();
        let mut text = String::new();
        members.next().unwrap().1.read_to_string(&mut text).unwrap();
        let (name, mut second) = members.next().unwrap();
        let error = second.read_to_string(&mut text).unwrap_err().to_string();
        assert_eq!(name, "p.zip!b.csv");
        assert_eq!(
            error,
            "with `b.csv` the members of the ZIP unpack to more than 16 bytes: name those that are needed in `members`"
        );
    }

    #[test]
    fn a_gzip_that_was_cut_says_so() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        packed.write_all(&[b'x'; 1000]).unwrap();
        let mut bytes = packed.finish().unwrap();
        bytes.truncate(500);
        let (_, mut input) = unpack(vec![part("a.gz", bytes)], Zips::Members(None), &table()).unwrap().remove(0);
        let error = input.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "the gzip file ends in the middle: check that the download is whole");
    }
}
