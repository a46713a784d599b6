//! Reading the CSV files of the official geography, record by record.

use csv_core::{ReadRecordResult, Reader};
use memchr::memchr_iter;

use super::TerritoryError;

/// Longest record that is accepted, in bytes; the longest of today has about 250.
const RECORD: usize = 16 * 1024;

/// Which bytes are ASCII letters or digits.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        plain[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    plain
};

/// An ASCII code of up to `N` letters and digits, held in place; zeros behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Code<const N: usize>([u8; N]);

impl<const N: usize> Code<N> {
    /// `None` unless the text has 1 to `N` ASCII letters or digits.
    pub(super) fn new(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    pub(super) fn from_bytes(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > N {
            return None;
        }
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(text) {
            if !PLAIN[usize::from(*from)] {
                return None;
            }
            *to = *from;
        }
        Some(Self(bytes))
    }

    pub(super) fn as_str(&self) -> &str {
        let len = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        std::str::from_utf8(&self.0[..len]).expect("codes are checked to be ASCII when made")
    }
}

impl Code<5> {
    /// One number for each code: the bytes less the bits that no letter or digit needs.
    pub(super) fn key(self) -> u32 {
        self.0.iter().fold(0, |key, byte| {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0' + 1,
                b'A'..=b'Z' => byte - b'A' + 11,
                b'a'..=b'z' => byte - b'a' + 37,
                _ => 0,
            };
            key << 6 | u32::from(digit)
        })
    }
}

/// One record: its fields by number.
pub(super) struct Record<'a> {
    file: &'static str,
    /// What of the file stands before it.
    before: &'a [u8],
    text: &'a str,
    /// Where each field ends in `text`, and how many bytes part it from the next one.
    ends: &'a [usize],
    parted: usize,
}

impl<'a> Record<'a> {
    /// The text of a field; empty when there is no such field.
    pub(super) fn get(&self, field: usize) -> &'a str {
        let start = if field == 0 { 0 } else { self.ends.get(field - 1).map_or(0, |end| end + self.parted) };
        self.ends.get(field).and_then(|end| self.text.get(start..*end)).unwrap_or_default()
    }

    /// The parts of a field that a vertical bar parts.
    pub(super) fn list(&self, field: usize) -> impl Iterator<Item = &'a [u8]> {
        let text = self.get(field).as_bytes();
        text.split(|byte| *byte == b'|').take(if text.is_empty() { 0 } else { usize::MAX })
    }

    pub(super) fn wrong(&self, reason: &'static str) -> TerritoryError {
        fault(self.file, self.before, reason)
    }

    /// A field that is a code.
    pub(super) fn code<const N: usize>(&self, field: usize) -> Result<Code<N>, TerritoryError> {
        Code::new(self.get(field)).ok_or_else(|| self.wrong("a code is empty, too long or not of letters and digits"))
    }

    /// A field that is a code or empty.
    pub(super) fn optional_code<const N: usize>(&self, field: usize) -> Result<Option<Code<N>>, TerritoryError> {
        if self.get(field).is_empty() { Ok(None) } else { self.code(field).map(Some) }
    }

    /// A field that is a count or empty.
    pub(super) fn count(&self, field: usize) -> Result<Option<u32>, TerritoryError> {
        self.number(field, |text| text.parse().ok())
    }

    /// A field that is a decimal number or empty.
    pub(super) fn decimal(&self, field: usize) -> Result<Option<f64>, TerritoryError> {
        self.number(field, |text| decimal(text).or_else(|| text.parse().ok()).filter(|number| number.is_finite()))
    }

    fn number<T>(&self, field: usize, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, TerritoryError> {
        let text = self.get(field);
        if text.is_empty() {
            return Ok(None);
        }
        parse(text).map(Some).ok_or_else(|| self.wrong("a number is not a number"))
    }
}

/// A number of at most nine digits and a point, the way coordinates are written here. Both parts of the quotient are
/// exact, so the result is the same as that of the general way, in a fifth of its time.
fn decimal(text: &str) -> Option<f64> {
    const POWERS: [f64; 9] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() > 10 {
        return None;
    }
    let (mut number, mut point) = (0_u64, None);
    for (at, byte) in digits.bytes().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            number = number * 10 + u64::from(digit);
        } else if byte == b'.' && at > 0 && point.is_none() {
            point = Some(at + 1);
        } else {
            return None;
        }
    }
    let decimals = point.map_or(0, |point| digits.len() - point);
    let size = f64::from(u32::try_from(number).ok()?) / POWERS.get(decimals).filter(|_| !digits.is_empty())?;
    Some(if digits.len() < text.len() { -size } else { size })
}

fn fault(file: &'static str, before: &[u8], reason: &'static str) -> TerritoryError {
    TerritoryError::Row { file, line: 1 + memchr_iter(b'\n', before).count() as u64, reason }
}

/// Marks in `ends` where the fields of the first line of `rest` end. `None` when the line has quotes or carriage
/// returns, or no line feed: it needs the CSV reader.
fn plain_line(rest: &str, ends: &mut Vec<usize>) -> Option<usize> {
    ends.clear();
    for (at, byte) in rest.bytes().enumerate() {
        if byte > b',' {
            // Letters, digits and most marks.
            continue;
        }
        match byte {
            b',' => ends.push(at),
            b'\n' => {
                ends.push(at);
                return Some(at);
            }
            b'"' | b'\r' => return None,
            _ => {}
        }
    }
    None
}

/// Calls `each` for every record after the header, which must be `header`. Lines without quotes, which are all of
/// today's, need no more than their commas; others go through the CSV reader.
pub(super) fn read(
    file: &'static str,
    header: &'static str,
    bytes: &[u8],
    mut each: impl FnMut(&Record<'_>) -> Result<(), TerritoryError>,
) -> Result<(), TerritoryError> {
    let whole = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        fault(file, before, "the line is not UTF-8")
    })?;
    let rest = whole.strip_prefix(header).filter(|rest| rest.starts_with('\n') || rest.starts_with("\r\n"));
    let mut rest = rest.ok_or(TerritoryError::Header { file, expected: header })?;
    let width = header.split(',').count();
    let (mut ends, mut slow) = (Vec::with_capacity(width), None);
    loop {
        rest = rest.trim_start_matches(['\n', '\r']);
        if rest.is_empty() {
            return Ok(());
        }
        let before = bytes.get(..bytes.len() - rest.len()).unwrap_or_default();
        let (taken, text, parted) = if let Some(end) = plain_line(rest, &mut ends) {
            (end + 1, rest.get(..end).unwrap_or_default(), 1)
        } else {
            let record = slow.get_or_insert_with(Slow::new).record(rest, width, &mut ends);
            let (taken, text) = record.map_err(|reason| fault(file, before, reason))?;
            (taken, text, 0)
        };
        rest = rest.get(taken..).unwrap_or_default();
        if ends.len() != width {
            return Err(fault(file, before, "the line has not as many fields as the header"));
        }
        each(&Record { file, before, text, ends: &ends, parted })?;
    }
}

/// The CSV reader, for lines with quotes.
struct Slow {
    reader: Reader,
    text: Vec<u8>,
}

impl Slow {
    fn new() -> Self {
        Self { reader: Reader::new(), text: vec![0; RECORD] }
    }

    /// The first record of `rest`: how many bytes it takes, its fields without anything between them, their ends.
    fn record(&mut self, rest: &str, width: usize, ends: &mut Vec<usize>) -> Result<(usize, &str), &'static str> {
        let rest = rest.as_bytes();
        self.reader.reset();
        ends.clear();
        ends.resize(width + 1, 0);
        let (mut taken, mut written, mut fields) = (0, 0, 0);
        loop {
            let (result, read, wrote, ended) =
                self.reader.read_record(&rest[taken..], &mut self.text[written..], &mut ends[fields..]);
            (taken, written, fields) = (taken + read, written + wrote, fields + ended);
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => break,
                // What is read next is nothing, which tells the reader that the file is over.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => return Err("the line is too long"),
                ReadRecordResult::OutputEndsFull => return Err("the line has too many fields"),
            }
        }
        ends.truncate(fields);
        let text = std::str::from_utf8(&self.text[..written]).expect("fields of a text are texts");
        Ok((taken, text))
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
    #[case::quoted_and_plain(b"a,b\n1,2\n\"3\n,\",4\n5,6\n", &["1|2", "3\n,|4", "5|6"])]
    #[case::blank_lines(b"a,b\n\n1,2\n\n", &["1|2"])]
    #[case::empty(b"a,b\n", &[])]
    fn records_are_read(#[case] bytes: &[u8], #[case] expected: &[&str]) {
        assert_eq!(rows(bytes).unwrap(), expected);
    }

    #[rstest]
    #[case::other_columns(b"a,c\n1,2\n", "`x.csv` does not begin with the columns `a,b`")]
    #[case::more_columns(b"a,b,c\n1,2,3\n", "`x.csv` does not begin with the columns `a,b`")]
    #[case::field_missing(b"a,b\n1,2\n3\n", "line 3 of `x.csv`: the line has not as many fields as the header")]
    #[case::field_too_many(b"a,b\n1,2,3\n", "line 2 of `x.csv`: the line has not as many fields as the header")]
    #[case::fields_far_too_many(b"a,b\n\"1\",2,3,4,5\n", "line 2 of `x.csv`: the line has too many fields")]
    #[case::after_a_long_record(
        b"a,b\n\"1\n\",2\n3\n",
        "line 4 of `x.csv`: the line has not as many fields as the header"
    )]
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
        assert_eq!(Code::<9>::new(text).map(|code| code.as_str().to_owned()), fits.then(|| text.to_owned()));
    }

    #[rstest]
    #[case::positive("48.11158", Some(48.11158))]
    #[case::negative("-1.68186", Some(-1.68186))]
    #[case::whole("2", Some(2.0))]
    #[case::long("2.123456789", None)]
    #[case::letters("1e5", None)]
    #[case::two_points("1.2.3", None)]
    #[case::point_first(".5", None)]
    #[case::sign_only("-", None)]
    #[case::empty("", None)]
    fn coordinates_are_read_fast(#[case] text: &str, #[case] number: Option<f64>) {
        assert_eq!(decimal(text), number);
    }

    #[test]
    fn keys_differ_when_codes_do() {
        let codes = ["01001", "1001", "10010", "2A004", "2a004", "2B004", "97411", "9741", "ZZZZZ"];
        let mut keys: Vec<u32> = codes.iter().map(|code| Code::<5>::new(code).unwrap().key()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), codes.len());
    }

    proptest::proptest! {
        #[test]
        fn fast_numbers_are_the_same_numbers(text in "-?[0-9]{1,3}\\.[0-9]{0,6}") {
            proptest::prop_assert_eq!(decimal(&text), text.parse().ok());
        }

        #[test]
        fn plain_and_quoted_lines_give_the_same(cells in proptest::collection::vec("[a-z é]{1,5}", 2..20)) {
            let pairs = || cells.chunks_exact(2).map(|pair| (&pair[0], &pair[1]));
            let plain: Vec<String> = pairs().map(|(a, b)| format!("{a},{b}\n")).collect();
            let quoted: Vec<String> = pairs().map(|(a, b)| format!("\"{a}\",{b}\n")).collect();
            let of = |lines: Vec<String>| rows(format!("a,b\n{}", lines.concat()).as_bytes()).unwrap();
            proptest::prop_assert_eq!(of(plain), of(quoted));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let bytes = [b"a,b\n".as_slice(), &bytes].concat();
            drop(rows(&bytes));
        }
    }
}
