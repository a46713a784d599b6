//! Reading the CSV files of the official geography, record by record.

use csv_core::{ReadRecordResult, Reader};

use super::TerritoryError;

/// Longest record that is accepted, in bytes; the longest of today has about 250.
const RECORD: usize = 16 * 1024;

/// A short ASCII code, held in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Code {
    bytes: [u8; 9],
    len: u8,
}

impl Code {
    /// `None` unless the text has 1 to 9 ASCII letters or digits.
    pub(super) fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; 9];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then_some(Self { bytes, len: u8::try_from(text.len()).ok()? })
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("codes are checked to be ASCII when made")
    }

    /// One integer for each code of up to eight bytes.
    pub(super) fn key(self) -> u64 {
        let mut key = [0; 8];
        key.copy_from_slice(&self.bytes[..8]);
        u64::from_le_bytes(key)
    }
}

/// One record: its fields by number.
pub(super) struct Record<'a> {
    file: &'static str,
    line: u64,
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Record<'a> {
    /// The text of a field; empty when there is no such field.
    pub(super) fn get(&self, field: usize) -> &'a str {
        let start = if field == 0 { 0 } else { self.ends.get(field - 1).copied().unwrap_or_default() };
        self.ends.get(field).and_then(|end| self.text.get(start..*end)).unwrap_or_default()
    }

    pub(super) fn wrong(&self, reason: &'static str) -> TerritoryError {
        TerritoryError::Row { file: self.file, line: self.line, reason }
    }

    /// A field that is a code.
    pub(super) fn code(&self, field: usize) -> Result<Code, TerritoryError> {
        Code::new(self.get(field)).ok_or_else(|| self.wrong("a code is not made of 1 to 9 letters and digits"))
    }

    /// A field that is a code or empty.
    pub(super) fn optional_code(&self, field: usize) -> Result<Option<Code>, TerritoryError> {
        if self.get(field).is_empty() { Ok(None) } else { self.code(field).map(Some) }
    }

    /// A field that is a number or empty.
    pub(super) fn number<T: std::str::FromStr>(&self, field: usize) -> Result<Option<T>, TerritoryError> {
        let text = self.get(field);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).ok().ok_or_else(|| self.wrong("a number is not a number"))
    }
}

/// Calls `each` for every record after the header, which must be `header`.
pub(super) fn read(
    file: &'static str,
    header: &'static str,
    bytes: &[u8],
    mut each: impl FnMut(&Record<'_>) -> Result<(), TerritoryError>,
) -> Result<(), TerritoryError> {
    let expected = || TerritoryError::Header { file, expected: header };
    let rest = bytes.strip_prefix(header.as_bytes()).ok_or_else(expected)?;
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
    let mut rest = rest.strip_prefix(b"\n").ok_or_else(expected)?;
    let width = header.split(',').count();
    let (mut buffer, mut ends) = (vec![0; RECORD], vec![0; width + 1]);
    let (mut reader, mut line) = (Reader::new(), 1);
    loop {
        line += 1;
        let fault = |reason| TerritoryError::Row { file, line, reason };
        let (mut written, mut fields) = (0, 0);
        loop {
            let (result, read, wrote, ended) = reader.read_record(rest, &mut buffer[written..], &mut ends[fields..]);
            (rest, written, fields) = (&rest[read..], written + wrote, fields + ended);
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(()),
                // What is read next is nothing, which tells the reader that the file is over.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => return Err(fault("the line is too long")),
                ReadRecordResult::OutputEndsFull => return Err(fault("the line has too many fields")),
            }
        }
        if fields != width {
            return Err(fault("the line has not as many fields as the header"));
        }
        let text = std::str::from_utf8(&buffer[..written]).ok().ok_or_else(|| fault("the line is not UTF-8"))?;
        each(&Record { file, line, text, ends: &ends[..fields] })?;
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn rows(bytes: &[u8]) -> Result<Vec<String>, TerritoryError> {
        let mut rows = Vec::new();
        read("x.csv", "a,b", bytes, |record| {
            rows.push(format!("{}|{}", record.get(0), record.get(1)));
            Ok(())
        })?;
        Ok(rows)
    }

    #[rstest]
    #[case::line_end(b"a,b\n1,2\n3,\n", &["1|2", "3|"])]
    #[case::no_last_line_end(b"a,b\n1,2", &["1|2"])]
    #[case::quoted(b"a,b\n\"1,5\",\"x \"\"y\"\"\"\n", &["1,5|x \"y\""])]
    #[case::carriage_returns(b"a,b\r\n1,2\r\n", &["1|2"])]
    #[case::empty(b"a,b\n", &[])]
    fn records_are_read(#[case] bytes: &[u8], #[case] expected: &[&str]) {
        assert_eq!(rows(bytes).unwrap(), expected);
    }

    #[rstest]
    #[case::other_columns(b"a,c\n1,2\n", "`x.csv` does not begin with the columns `a,b`")]
    #[case::more_columns(b"a,b,c\n1,2,3\n", "`x.csv` does not begin with the columns `a,b`")]
    #[case::field_missing(b"a,b\n1,2\n3\n", "line 3 of `x.csv`: the line has not as many fields as the header")]
    #[case::field_too_many(b"a,b\n1,2,3\n", "line 2 of `x.csv`: the line has not as many fields as the header")]
    #[case::fields_far_too_many(b"a,b\n1,2,3,4,5\n", "line 2 of `x.csv`: the line has too many fields")]
    #[case::other_encoding(b"a,b\n\xe9,2\n", "line 2 of `x.csv`: the line is not UTF-8")]
    fn what_does_not_fit_is_told_with_its_line(#[case] bytes: &[u8], #[case] message: &str) {
        assert_eq!(rows(bytes).unwrap_err().to_string(), message);
    }

    #[rstest]
    #[case::insee("2A004", true)]
    #[case::siren("200069193", true)]
    #[case::empty("", false)]
    #[case::long("2000691931", false)]
    #[case::accent("é", false)]
    fn codes_are_short_and_plain(#[case] text: &str, #[case] fits: bool) {
        assert_eq!(Code::new(text).map(|code| code.as_str().to_owned()), fits.then(|| text.to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let bytes = [b"a,b\n".as_slice(), &bytes].concat();
            drop(rows(&bytes));
        }
    }
}
