//! Looks at a document while it is moved on: what tells where the next page is, and no more of it.
//!
//! The bytes go to the snapshot, and beside it through a small queue to a parser on another thread. Whatever a document's
//! size, a few chunks of it are in memory.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::io::Read;

use async_trait::async_trait;
use bytes::Buf as _;
use bytes::Bytes;
use serde::de::DeserializeSeed;
use serde::de::Deserializer;
use serde::de::Error;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::source::PartInfo;
use crate::source::PartSink;
use crate::source::Validators;
use crate::source::error::SourceError;

/// Chunks between the download and the parser.
const QUEUE: usize = 4;
/// Byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads what is wanted of a document.
pub(super) type Parse<T> = Box<dyn FnOnce(Chunks) -> serde_json::Result<T> + Send>;

/// Moves a part on to another sink, if there is one, and reads it meanwhile.
///
/// It never asks whether a part has changed: an unchanged page would come without the place of the next one.
pub(super) struct ReadingSink<'a, T> {
    onward: Option<&'a mut dyn PartSink>,
    parser: Box<dyn Fn() -> Parse<T> + Send + Sync + 'a>,
    scan: Option<Scan<T>>,
}

struct Scan<T> {
    chunks: mpsc::Sender<Bytes>,
    outcome: JoinHandle<serde_json::Result<T>>,
}

impl<T> fmt::Debug for ReadingSink<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadingSink").finish_non_exhaustive()
    }
}

impl<'a, T: Send + 'static> ReadingSink<'a, T> {
    pub(super) fn new(onward: Option<&'a mut dyn PartSink>, parser: impl Fn() -> Parse<T> + Send + Sync + 'a) -> Self {
        Self { onward, parser: Box::new(parser), scan: None }
    }

    /// What was read of the document that was moved.
    pub(super) async fn outcome(self) -> serde_json::Result<T> {
        let Some(Scan { chunks, outcome }) = self.scan else {
            return Err(serde_json::Error::custom("there is no document"));
        };
        drop(chunks);
        outcome.await.unwrap_or_else(|error| Err(serde_json::Error::io(io::Error::other(error))))
    }
}

#[async_trait]
impl<T: Send + 'static> PartSink for ReadingSink<'_, T> {
    fn known(&self, _name: &str, _url: &str) -> Option<Validators> {
        None
    }

    async fn begin(&mut self, part: PartInfo) -> Result<(), SourceError> {
        let (chunks, receiver) = mpsc::channel(QUEUE);
        let parse = (self.parser)();
        let outcome = tokio::task::spawn_blocking(move || parse(Chunks { receiver, current: None, started: false }));
        self.scan = Some(Scan { chunks, outcome });
        match &mut self.onward {
            Some(onward) => onward.begin(part).await,
            None => Ok(()),
        }
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), SourceError> {
        if let Some(scan) = &self.scan
            && scan.chunks.send(bytes.clone()).await.is_err()
        {
            tracing::trace!("the parser has seen enough");
        }
        match &mut self.onward {
            Some(onward) => onward.write(bytes).await,
            None => Ok(()),
        }
    }

    async fn finish(&mut self) -> Result<(), SourceError> {
        match &mut self.onward {
            Some(onward) => onward.finish().await,
            None => Ok(()),
        }
    }

    async fn unchanged(&mut self, name: &str) -> Result<(), SourceError> {
        match &mut self.onward {
            Some(onward) => onward.unchanged(name).await,
            None => Ok(()),
        }
    }

    fn again(&mut self, name: &str) {
        if let Some(onward) = &mut self.onward {
            onward.again(name);
        }
    }
}

/// The chunks of a document as a reader, past its byte order mark.
#[derive(Debug)]
pub(super) struct Chunks {
    receiver: mpsc::Receiver<Bytes>,
    current: Option<Bytes>,
    started: bool,
}

impl Read for Chunks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.current.as_mut().filter(|chunk| !chunk.is_empty()) {
                Some(chunk) => {
                    let length = out.len().min(chunk.len());
                    chunk.copy_to_slice(out.get_mut(..length).unwrap_or_default());
                    return Ok(length);
                }
                None => {
                    let Some(mut chunk) = self.receiver.blocking_recv() else { return Ok(0) };
                    if !std::mem::replace(&mut self.started, true) && chunk.starts_with(MARK) {
                        chunk.advance(MARK.len());
                    }
                    self.current = Some(chunk);
                }
            }
        }
    }
}

/// What stands at a path of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, or `null`.
    #[default]
    Nothing,
    /// A text, or a number as text.
    Text(String),
    /// A list or an object with so many members.
    Members(u64),
}

/// Finds what stands at some paths of a JSON document, without keeping anything else of it.
pub(super) fn find(input: impl Read, paths: &[Vec<String>]) -> serde_json::Result<Vec<Found>> {
    let found = RefCell::new(vec![Found::Nothing; paths.len()]);
    let wanted = paths.iter().map(Vec::as_slice).enumerate().collect();
    let mut json = serde_json::Deserializer::from_reader(io::BufReader::new(input));
    Walk { wanted, found: &found }.deserialize(&mut json)?;
    json.end()?;
    Ok(found.into_inner())
}

/// Walks along the members that lead to what is wanted.
struct Walk<'a> {
    /// Number of a path, and what is left of it from here.
    wanted: Vec<(usize, &'a [String])>,
    found: &'a RefCell<Vec<Found>>,
}

impl Walk<'_> {
    /// Puts down what stands here.
    fn here(&self, value: &Found) {
        let mut found = self.found.borrow_mut();
        for (at, rest) in &self.wanted {
            if let (true, Some(place)) = (rest.is_empty(), found.get_mut(*at)) {
                place.clone_from(value);
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut members = 0;
        while let Some(key) = map.next_key::<String>()? {
            members += 1;
            let below: Vec<_> = self
                .wanted
                .iter()
                .filter_map(|(at, rest)| {
                    rest.split_first().filter(|(name, _)| **name == key).map(|(_, rest)| (*at, rest))
                })
                .collect();
            if below.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(Walk { wanted: below, found: self.found })?;
            }
        }
        self.here(&Found::Members(members));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut members = 0;
        while items.next_element::<IgnoredAny>()?.is_some() {
            members += 1;
        }
        self.here(&Found::Members(members));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.here(&Found::Text(text.to_owned()));
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.here(&Found::Text(number.to_string()));
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.here(&Found::Text(number.to_string()));
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.here(&Found::Text(number.to_string()));
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    #[rstest]
    #[case::link(r#"{"next": "/p2", "results": []}"#, "next", Found::Text("/p2".to_owned()))]
    #[case::deep(r#"{"links": {"self": 1, "next": "/p2"}}"#, "links.next", Found::Text("/p2".to_owned()))]
    #[case::null(r#"{"next": null}"#, "next", Found::Nothing)]
    #[case::absent(r#"{"previous": "/p0"}"#, "next", Found::Nothing)]
    #[case::elsewhere(r#"{"rows": [{"next": "/p2"}]}"#, "next", Found::Nothing)]
    #[case::number(r#"{"count": 120}"#, "count", Found::Text("120".to_owned()))]
    #[case::rows(r#"{"results": [{"a": [1, 2]}, {}]}"#, "results", Found::Members(2))]
    #[case::object(r#"{"a": {"x": 1}, "b": {}}"#, "", Found::Members(2))]
    #[case::list("[1, 2, 3]", "", Found::Members(3))]
    #[case::marked("[]", "", Found::Members(0))]
    fn what_stands_at_a_path_is_found(#[case] json: &str, #[case] at: &str, #[case] expected: Found) {
        assert_eq!(find(json.as_bytes(), &[path(at)]).unwrap(), [expected]);
    }

    #[test]
    fn several_paths_are_found_in_one_reading() {
        let json = r#"{"count": 2, "next": "/p2", "results": [1, 2]}"#;
        let found = find(json.as_bytes(), &[path("next"), path("results"), path("count")]).unwrap();
        let text = |text: &str| Found::Text(text.to_owned());
        assert_eq!(found, [text("/p2"), Found::Members(2), text("2")]);
    }

    #[rstest]
    #[case::page_for_people("<!doctype html><title>Connexion</title>")]
    #[case::cut(r#"{"next": "/p2", "results": [1,"#)]
    #[case::more(r#"{"next": null} trailing"#)]
    #[case::nothing("")]
    fn what_is_not_one_json_document_is_an_error(#[case] text: &str) {
        assert!(find(text.as_bytes(), &[path("next")]).is_err());
    }
}
