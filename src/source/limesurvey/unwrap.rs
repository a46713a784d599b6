//! Takes the file out of `{"id": 1, "result": "<base64>", "error": null}` while the answer comes.

use async_trait::async_trait;
use bytes::Bytes;

use crate::source::PartInfo;
use crate::source::PartSink;
use crate::source::Validators;
use crate::source::error::SourceError;

/// Where the file begins.
const MEMBER: &[u8] = b"\"result\"";
/// Most bytes of an answer without a file.
const MOST: usize = 1 << 16;

/// Moves the file inside an answer on. Base64 is but the wrapping of the transport: what it holds are the bytes of the source.
pub(super) struct UnwrappingSink<'a> {
    onward: &'a mut dyn PartSink,
    info: Option<PartInfo>,
    state: State,
    /// The answer up to where its file begins; all of it when it has none.
    head: Vec<u8>,
    received: u64,
    decoder: Decoder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The beginning of the file has not come.
    Before,
    Inside,
    /// After the file.
    After,
    /// There is no file.
    Other,
}

impl<'a> UnwrappingSink<'a> {
    pub(super) fn new(onward: &'a mut dyn PartSink) -> Self {
        let (state, head, decoder) = (State::Before, Vec::new(), Decoder::default());
        Self { onward, info: None, state, head, received: 0, decoder }
    }

    /// The answer, when it has no file.
    pub(super) fn into_other(self) -> Option<Vec<u8>> {
        matches!(self.state, State::Other | State::Before).then_some(self.head)
    }

    /// Looks for the beginning of the file in what came so far; gives what follows it.
    fn begin_of_file(&mut self) -> Option<Vec<u8>> {
        let at = self.head.windows(MEMBER.len()).position(|window| window == MEMBER)? + MEMBER.len();
        let after = self.head.get(at..).unwrap_or_default();
        let blanks = after.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b':').count();
        match after.get(blanks)? {
            b'"' => {
                self.state = State::Inside;
                Some(after.get(blanks + 1..).unwrap_or_default().to_vec())
            }
            _ => {
                self.state = State::Other;
                None
            }
        }
    }

    async fn decode(&mut self, text: &[u8]) -> Result<(), SourceError> {
        let (bytes, ended) = self.decoder.take(text);
        if ended {
            self.state = State::After;
        }
        if bytes.is_empty() { Ok(()) } else { self.onward.write(bytes.into()).await }
    }
}

#[async_trait]
impl PartSink for UnwrappingSink<'_> {
    fn known(&self, _name: &str, _url: &str) -> Option<Validators> {
        None
    }

    async fn begin(&mut self, part: PartInfo) -> Result<(), SourceError> {
        self.info = Some(part);
        self.state = State::Before;
        self.head.clear();
        self.received = 0;
        self.decoder = Decoder::default();
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), SourceError> {
        self.received += bytes.len() as u64;
        match self.state {
            State::Inside => self.decode(&bytes).await,
            State::After => Ok(()),
            State::Before | State::Other => {
                let room = MOST.saturating_sub(self.head.len()).min(bytes.len());
                self.head.extend_from_slice(bytes.get(..room).unwrap_or_default());
                if self.state == State::Other {
                    return Ok(());
                }
                let Some(beginning) = self.begin_of_file() else { return Ok(()) };
                if let Some(info) = self.info.take() {
                    self.onward.begin(info).await?;
                }
                // What did not fit into the head belongs to the file.
                let rest = bytes.get(room..).unwrap_or_default();
                self.decode(&[beginning.as_slice(), rest].concat()).await
            }
        }
    }

    async fn finish(&mut self) -> Result<(), SourceError> {
        match self.state {
            State::Before | State::Other => Ok(()),
            State::After if self.decoder.is_whole() => self.onward.finish().await,
            State::Inside | State::After => Err(SourceError::Broken { received: self.received }),
        }
    }

    async fn unchanged(&mut self, name: &str) -> Result<(), SourceError> {
        self.onward.unchanged(name).await
    }

    fn again(&mut self, name: &str) {
        self.onward.again(name);
    }
}

/// Base64 in pieces, in a JSON text: `\/` stands for `/`.
#[derive(Debug, Default)]
struct Decoder {
    bits: u32,
    /// Letters that are in `bits`.
    letters: u32,
    padding: bool,
    broken: bool,
}

impl Decoder {
    /// Bytes of the next piece, and whether the text ended in it.
    fn take(&mut self, text: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
        for byte in text {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'"' => {
                    self.flush(&mut out);
                    return (out, true);
                }
                b'=' => {
                    self.padding = true;
                    continue;
                }
                b'\\' | b'\r' | b'\n' => continue,
                _ => {
                    self.broken = true;
                    continue;
                }
            };
            self.broken |= self.padding;
            self.bits = self.bits << 6 | u32::from(value);
            self.letters += 1;
            if self.letters == 4 {
                out.extend_from_slice(self.bits.to_be_bytes().get(1..).unwrap_or_default());
                (self.bits, self.letters) = (0, 0);
            }
        }
        (out, false)
    }

    /// The bytes of a last group that is not full.
    fn flush(&mut self, out: &mut Vec<u8>) {
        match self.letters {
            2 => out.extend(u8::try_from(self.bits >> 4 & 0xff)),
            3 => out.extend_from_slice((self.bits << 6).to_be_bytes().get(1..3).unwrap_or_default()),
            0 => {}
            _ => self.broken = true,
        }
        self.letters = 0;
    }

    fn is_whole(&self) -> bool {
        !self.broken
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing("", "")]
    #[case::whole_groups("VHJvaXMg", "Trois ")]
    #[case::two_bytes_over("w6k=", "é")]
    #[case::one_byte_over("YQ==", "a")]
    #[case::without_padding("YQ", "a")]
    #[case::slashes("Pz8\\/", "???")]
    #[case::lines("VHJv\\r\\naXMg", "Trois ")]
    fn base64_is_decoded_in_pieces_of_any_size(#[case] text: &str, #[case] expected: &str) {
        // In a JSON text a line end is two letters, which this one must not take for base64.
        let text = text.replace("\\r\\n", "");
        for size in 1..=text.len().max(1) {
            let mut decoder = Decoder::default();
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                out.extend(decoder.take(piece).0);
            }
            let (last, ended) = decoder.take(b"\", \"error\": null}");
            out.extend(last);
            assert!(ended && decoder.is_whole());
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[rstest]
    #[case::one_letter("QUJDR\"")]
    #[case::foreign("QU!D\"")]
    #[case::after_padding("YQ==YQ\"")]
    fn what_is_not_base64_is_found(#[case] text: &str) {
        let mut decoder = Decoder::default();
        assert!(decoder.take(text.as_bytes()).1);
        assert!(!decoder.is_whole());
    }
}
