//! Takes the body of an answer in: limits, what it must not be, and where to go on after it broke off.

use bytes::Bytes;
use reqwest::Response;
use reqwest::header;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderValue;

use super::Failure;
use super::Turn;
use super::header_text;
use crate::config::pipeline::HttpSettings;
use crate::source::PartInfo;
use crate::source::PartSink;
use crate::source::error::HttpFault;
use crate::source::error::WaitingFor;

/// What a document must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Expected {
    /// Anything at all.
    Anything,
    /// Something that a reader reads: no page for people.
    Data,
    /// A JSON document, whole.
    Json,
}

/// An answer whose body is still to come.
pub(super) struct Answer {
    pub(super) response: Response,
    /// Where redirects led to, without secrets.
    pub(super) last: Option<String>,
    pub(super) turn: Turn,
}

/// What came of a document in attempts that broke off, and can be gone on with.
#[derive(Debug, Default)]
pub(super) struct Progress {
    received: u64,
    /// Of the answer that broke off: only the rest of that very document may follow.
    validator: Option<String>,
    ends: Ends,
}

/// The first bytes and the last one of a document, blanks and mark aside.
#[derive(Debug, Default)]
struct Ends {
    first: Vec<u8>,
    last: Option<u8>,
}

/// Bytes by which a page is told from data.
const HEAD: usize = 64;

impl Ends {
    fn see(&mut self, bytes: &[u8]) {
        if self.first.len() < HEAD {
            let begun = !self.first.is_empty();
            let text = bytes.iter().copied().skip_while(|byte| !begun && is_blank(*byte));
            self.first.extend(text.take(HEAD - self.first.len()));
        }
        self.last = bytes.iter().rev().copied().find(|byte| !is_blank(*byte)).or(self.last);
    }

    /// No reader reads HTML: a page tells that the address or the key is wrong, or the service away.
    fn is_page(&self) -> bool {
        let head = self.first.to_ascii_lowercase();
        head.starts_with(b"<!doctype html") || head.starts_with(b"<html") || head.starts_with(b"<head")
    }

    /// A document that begins like JSON and does not end like it was cut where no length told.
    fn is_cut_json(&self) -> bool {
        matches!(
            (self.first.first(), self.last),
            (Some(b'{'), Some(last)) if last != b'}'
        ) || matches!((self.first.first(), self.last), (Some(b'['), Some(last)) if last != b']')
    }
}

/// Blanks, and the bytes of a byte order mark.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, 0xef | 0xbb | 0xbf)
}

impl Progress {
    /// Headers that ask for the rest; none when there is nothing to go on from.
    pub(super) fn rest(&self) -> Option<HeaderMap> {
        let validator = HeaderValue::from_str(self.validator.as_deref()?).ok()?;
        let range = HeaderValue::from_str(&format!("bytes={}-", self.received)).ok()?;
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range);
        headers.insert(header::IF_RANGE, validator);
        // A range of a compressed body would be one of other bytes.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        (self.received > 0).then_some(headers)
    }

    /// Forgets what came.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Takes the body of an answer to a request for the whole document.
    pub(super) async fn whole(
        &mut self,
        answer: Answer,
        info: PartInfo,
        (settings, expected): (&HttpSettings, Expected),
        sink: &mut dyn PartSink,
    ) -> Result<(), Failure> {
        self.reset();
        check_encoding(&answer.response)?;
        let limit = settings.max_bytes;
        if answer.response.content_length().is_some_and(|length| length > limit) {
            return Err(HttpFault::TooLarge { limit }.into());
        }
        self.validator = strong_validator(&answer.response);
        sink.begin(info).await?;
        self.receive(answer, settings, expected, sink).await
    }

    /// Takes the rest of a document of which the beginning is there.
    pub(super) async fn partial(
        &mut self,
        answer: Answer,
        (settings, expected): (&HttpSettings, Expected),
        sink: &mut dyn PartSink,
    ) -> Result<(), Failure> {
        let from = header_text(&answer.response, header::CONTENT_RANGE).and_then(first_of_range);
        if self.received == 0 || from != Some(self.received) {
            self.reset();
            return Err(HttpFault::Range.into());
        }
        check_encoding(&answer.response)?;
        self.receive(answer, settings, expected, sink).await
    }

    async fn receive(
        &mut self,
        answer: Answer,
        settings: &HttpSettings,
        expected: Expected,
        sink: &mut dyn PartSink,
    ) -> Result<(), Failure> {
        let Answer { mut response, turn, .. } = answer;
        loop {
            let bytes = match tokio::time::timeout(settings.idle_timeout, response.chunk()).await {
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => {
                    return Err(HttpFault::Cut { received: self.received, source: error.without_url() }.into());
                }
                Err(_) => {
                    let (waiting_for, limit) = (WaitingFor::Bytes, settings.idle_timeout);
                    return Err(HttpFault::Timeout { waiting_for, limit }.into());
                }
            };
            self.take(bytes, settings.max_bytes, expected, sink).await?;
        }
        drop(turn);
        if expected == Expected::Json && self.ends.is_cut_json() {
            return Err(HttpFault::Unfinished { received: self.received }.into());
        }
        Ok(sink.finish().await?)
    }

    async fn take(
        &mut self,
        bytes: Bytes,
        limit: u64,
        expected: Expected,
        sink: &mut dyn PartSink,
    ) -> Result<(), Failure> {
        let length = bytes.len() as u64;
        if self.received + length > limit {
            return Err(HttpFault::TooLarge { limit }.into());
        }
        self.ends.see(&bytes);
        if expected != Expected::Anything && self.ends.is_page() {
            return Err(HttpFault::Page.into());
        }
        sink.write(bytes).await?;
        self.received += length;
        Ok(())
    }
}

/// What a client that asked for gzip did not decode was sent in a coding that nobody asked for.
fn check_encoding(response: &Response) -> Result<(), HttpFault> {
    match header_text(response, header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.trim().is_empty() && !encoding.trim().eq_ignore_ascii_case("identity") => {
            Err(HttpFault::Encoding { encoding: encoding.chars().take(40).collect() })
        }
        _ => Ok(()),
    }
}

/// By which a server knows the very same bytes again. A date does not tell two changes of one second apart.
fn strong_validator(response: &Response) -> Option<String> {
    let ranges = header_text(response, header::ACCEPT_RANGES).is_some_and(|units| units.trim() == "bytes");
    header_text(response, header::ETAG).filter(|etag| ranges && etag.starts_with('"')).map(str::to_owned)
}

/// The first byte of `bytes 8-99/100`.
fn first_of_range(text: &str) -> Option<u64> {
    text.trim().strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// Whether a media type declares a charset that JSON cannot have.
pub(super) fn foreign_charset(content_type: Option<&str>) -> Option<String> {
    let parameters = content_type?.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let charset = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset")).map(|(_, value)| value);
    let charset = charset.map(|value| value.trim().trim_matches('"').to_ascii_lowercase()).next()?;
    (!matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii" | "ascii")).then_some(charset)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::page(&["\u{feff}\n <!DOCTYPE html><title>"], true, false)]
    #[case::page_in_pieces(&[" ", "<HT", "ML>"], true, false)]
    #[case::xml(&["<?xml version=\"1.0\"?><h:html>"], false, false)]
    #[case::json(&["{\"a\": [1", "]}\n"], false, false)]
    #[case::cut_object(&["{\"a\": [1]", " "], false, true)]
    #[case::cut_list(&["[1, 2"], false, true)]
    #[case::csv(&["id;nom\n"], false, false)]
    #[case::nothing(&[], false, false)]
    fn the_ends_of_a_document_tell_what_it_is(#[case] pieces: &[&str], #[case] page: bool, #[case] cut: bool) {
        let mut ends = Ends::default();
        for piece in pieces {
            ends.see(piece.as_bytes());
        }
        assert_eq!((ends.is_page(), ends.is_cut_json()), (page, cut));
    }

    #[rstest]
    #[case("application/json", None)]
    #[case("application/json; charset=UTF-8", None)]
    #[case("application/json; charset=\"utf-8\"", None)]
    #[case("text/html; x=y; Charset=ISO-8859-1", Some("iso-8859-1"))]
    fn a_charset_that_json_cannot_have_is_found(#[case] media_type: &str, #[case] expected: Option<&str>) {
        assert_eq!(foreign_charset(Some(media_type)).as_deref(), expected);
    }

    #[rstest]
    #[case("bytes 8-99/100", Some(8))]
    #[case("bytes 8-99/*", Some(8))]
    #[case("bytes */100", None)]
    #[case("items 8-99/100", None)]
    fn the_beginning_of_a_range_is_read(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(first_of_range(text), expected);
    }
}
