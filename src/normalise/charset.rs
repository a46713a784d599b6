//! From the bytes of a part to UTF-8, as declared or as the bytes show.

use std::io::{self, Cursor, Read};

use encoding_rs::{CoderResult, Decoder, Encoding as Charset, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::config::pipeline::Encoding;

/// Bytes looked at to tell an encoding.
const LOOKED_AT: usize = 4096;
/// Bytes transcoded at once.
const BLOCK: usize = 64 << 10;
/// Byte order marks.
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";
const LITTLE_MARK: &[u8] = b"\xff\xfe";
const BIG_MARK: &[u8] = b"\xfe\xff";

/// What the bytes of a part are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// As declared; nothing was found out.
    Declared,
    /// UTF-8 by its byte order mark.
    Utf8,
    /// UTF-16, transcoded.
    Utf16,
    /// No mark: UTF-8 as long as it is, else Windows-1252. The reader decides as it goes.
    Open,
}

/// A part whose first bytes were read and are read again.
pub(super) type Peeked = io::Chain<Cursor<Vec<u8>>, Rest>;

/// What comes after the first bytes; a fault that was met on the way is met again in its place.
pub(super) struct Rest {
    fault: Option<io::Error>,
    input: Box<dyn Read + Send>,
}

impl Read for Rest {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.fault.take().map_or_else(|| self.input.read(out), Err)
    }
}

/// The first bytes of a part, at most `most`, and the whole part.
pub(super) fn peek(mut input: Box<dyn Read + Send>, most: usize) -> (Vec<u8>, Peeked) {
    let mut head = Vec::with_capacity(most);
    let fault = (&mut input).take(most as u64).read_to_end(&mut head).err();
    (head.clone(), Cursor::new(head).chain(Rest { fault, input }))
}

/// A part as UTF-8 without byte order mark. Bytes that are not UTF-8 pass where UTF-8 is declared or open.
pub(super) fn open(encoding: Encoding, input: Box<dyn Read + Send>) -> io::Result<(Box<dyn Read + Send>, Found)> {
    let (head, mut input) = peek(input, LOOKED_AT);
    let little = head.starts_with(LITTLE_MARK);
    let found = match encoding {
        Encoding::Detect if head.starts_with(UTF_8_MARK) => Found::Utf8,
        Encoding::Detect if little || head.starts_with(BIG_MARK) || looks_like_utf_16(&head).is_some() => Found::Utf16,
        Encoding::Detect => Found::Open,
        Encoding::Utf8 | Encoding::Windows1252 | Encoding::Utf16 => Found::Declared,
    };
    let wide = || match looks_like_utf_16(&head) {
        _ if head.starts_with(BIG_MARK) => UTF_16BE,
        Some(charset) if !little => charset,
        _ => UTF_16LE,
    };
    let reader: Box<dyn Read + Send> = match (encoding, found) {
        (Encoding::Windows1252, _) => Box::new(Transcoded::new(input, WINDOWS_1252)),
        (Encoding::Utf16, _) | (_, Found::Utf16) => Box::new(Transcoded::new(input, wide())),
        _ => {
            if head.starts_with(UTF_8_MARK) {
                input.read_exact(&mut [0; UTF_8_MARK.len()])?;
            }
            Box::new(input)
        }
    };
    Ok((reader, found))
}

/// UTF-16 without a mark has a zero in nearly every second byte when its text is Latin.
fn looks_like_utf_16(head: &[u8]) -> Option<&'static Charset> {
    let pairs = head.chunks_exact(2);
    let (mut first, mut second, all) = (0, 0, pairs.len());
    for pair in pairs {
        first += usize::from(pair[0] == 0);
        second += usize::from(pair[1] == 0);
    }
    match all {
        0 | 1 => None,
        _ if second * 10 > all * 7 && first * 10 < all => Some(UTF_16LE),
        _ if first * 10 > all * 7 && second * 10 < all => Some(UTF_16BE),
        _ => None,
    }
}

/// Bytes of another encoding, read as UTF-8.
struct Transcoded<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    at: usize,
    filled: usize,
    ended: bool,
}

impl<R: Read> Transcoded<R> {
    fn new(inner: R, charset: &'static Charset) -> Self {
        let decoder = charset.new_decoder_with_bom_removal();
        let text = vec![0; BLOCK * 3 + 16];
        Self { inner, decoder, raw: vec![0; BLOCK], text, at: 0, filled: 0, ended: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        let read = self.inner.read(&mut self.raw)?;
        self.ended = read == 0;
        let raw = self.raw.get(..read).unwrap_or(&[]);
        let (result, _, written, _) = self.decoder.decode_to_utf8(raw, &mut self.text, self.ended);
        debug_assert_eq!(result, CoderResult::InputEmpty, "there is room for three bytes a byte");
        (self.at, self.filled) = (0, written);
        Ok(())
    }
}

impl<R: Read> Read for Transcoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.filled && !self.ended {
            self.refill()?;
        }
        let ready = self.text.get(self.at..self.filled).unwrap_or(&[]);
        let taken = ready.len().min(out.len());
        if let (Some(out), Some(ready)) = (out.get_mut(..taken), ready.get(..taken)) {
            out.copy_from_slice(ready);
        }
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn utf_16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[rstest]
    #[case::a_mark(Encoding::Detect, b"\xef\xbb\xbf\xc3\xa9t\xc3\xa9".to_vec(), Found::Utf8)]
    #[case::a_declared_one_with_a_mark(Encoding::Utf8, b"\xef\xbb\xbf\xc3\xa9t\xc3\xa9".to_vec(), Found::Declared)]
    #[case::no_mark(Encoding::Detect, b"\xc3\xa9t\xc3\xa9".to_vec(), Found::Open)]
    #[case::windows(Encoding::Windows1252, b"\xe9t\xe9".to_vec(), Found::Declared)]
    #[case::little_endian(Encoding::Utf16, utf_16("été", false), Found::Declared)]
    #[case::little_endian_by_its_zeros(Encoding::Detect, utf_16("été", false), Found::Utf16)]
    #[case::big_endian_by_its_zeros(Encoding::Detect, utf_16("été", true), Found::Utf16)]
    #[case::big_endian_by_its_mark(Encoding::Utf16, [b"\xfe\xff".to_vec(), utf_16("été", true)].concat(), Found::Declared)]
    fn encodings_are_read(#[case] encoding: Encoding, #[case] bytes: Vec<u8>, #[case] expected: Found) {
        let (mut reader, found) = open(encoding, Box::new(Cursor::new(bytes))).unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), found), ("été", expected));
    }

    #[test]
    fn long_texts_are_transcoded_across_blocks() {
        let text: String = (0..100_000).map(|n| if n % 7 == 0 { '€' } else { 'a' }).collect();
        let (mut reader, _) = open(Encoding::Utf16, Box::new(Cursor::new(utf_16(&text, false)))).unwrap();
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert!(read == text);
    }
}
