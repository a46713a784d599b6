//! Messages of the `PostgreSQL` protocol as they come in, and the stream on which answers go out.
//!
//! Incoming messages are read by our own reader: every length is checked before anything is kept, so that no client can
//! make the process hold more than the largest message. Outgoing ones are written by `pgwire`.

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio_util::codec::Decoder;
use tokio_util::sync::CancellationToken;

use super::failure::{Failure, Trouble};

/// Bytes that are gathered before they are sent.
const FLUSHED_AT: usize = 64 * 1024;

/// What a message names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Statement,
    Portal,
}

/// A message of a client after its start-up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Query(String),
    Parse {
        name: String,
        text: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe(Target, String),
    Execute {
        portal: String,
        rows: usize,
    },
    Close(Target, String),
    Flush,
    Sync,
    Terminate,
    /// A password, or data of a COPY: nobody asked for it.
    Stray,
}

/// Values for the parameters of a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bind {
    pub portal: String,
    pub statement: String,
    pub parameter_formats: Vec<i16>,
    pub parameters: Vec<Option<Bytes>>,
    pub result_formats: Vec<i16>,
}

/// Reads messages up to a length.
#[derive(Debug)]
pub(super) struct Messages {
    pub longest: usize,
}

impl Decoder for Messages {
    type Item = Message;
    type Error = Trouble;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Message>, Trouble> {
        let Some(header) = source.get(..5) else { return Ok(None) };
        let (kind, mut length) = (header.first().copied().unwrap_or_default(), header.get(1..).unwrap_or_default());
        let length = usize::try_from(length.get_i32()).unwrap_or(usize::MAX);
        if length < 4 {
            return Err(violation("a message says that it is shorter than its own length"));
        }
        if length > self.longest {
            let text = format!("a message of {length} bytes: at most {} are read", self.longest);
            return Err(Trouble::Refused(Failure::fatal("54000", text)));
        }
        if source.len() <= length {
            source.reserve(length + 1 - source.len());
            return Ok(None);
        }
        let mut message = source.split_to(length + 1).freeze();
        message.advance(5);
        read(kind, Fields(message)).map(Some)
    }
}

fn read(kind: u8, mut fields: Fields) -> Result<Message, Trouble> {
    Ok(match kind {
        b'Q' => Message::Query(fields.text()?),
        b'P' => {
            let (name, text) = (fields.text()?, fields.text()?);
            let types = fields.many(4, |fields| fields.number().map(i32::cast_unsigned))?;
            Message::Parse { name, text, types }
        }
        b'B' => Message::Bind(Bind {
            portal: fields.text()?,
            statement: fields.text()?,
            parameter_formats: fields.many(2, Fields::short)?,
            parameters: fields.many(4, Fields::value)?,
            result_formats: fields.many(2, Fields::short)?,
        }),
        b'D' => Message::Describe(fields.target()?, fields.text()?),
        b'C' => Message::Close(fields.target()?, fields.text()?),
        b'E' => {
            let portal = fields.text()?;
            Message::Execute { portal, rows: usize::try_from(fields.number()?).unwrap_or(0) }
        }
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'X' => Message::Terminate,
        b'p' | b'd' | b'c' | b'f' => Message::Stray,
        _ => return Err(violation(&format!("no message of the protocol begins with byte {kind}"))),
    })
}

fn violation(text: &str) -> Trouble {
    Trouble::Refused(Failure::fatal("08P01", text.to_owned()))
}

/// What is left of a message.
struct Fields(Bytes);

impl Fields {
    fn take(&mut self, length: usize) -> Result<Bytes, Trouble> {
        if length > self.0.len() {
            return Err(violation("a message ends before what it announces"));
        }
        Ok(self.0.split_to(length))
    }

    fn text(&mut self) -> Result<String, Trouble> {
        let Some(end) = self.0.iter().position(|byte| *byte == 0) else {
            return Err(violation("a text of a message has no end"));
        };
        let bytes = self.take(end)?;
        self.0.advance(1);
        String::from_utf8(bytes.to_vec())
            .map_err(|error| Trouble::Refused(Failure::fatal("22021", format!("a text is not UTF-8: {error}"))))
    }

    fn short(&mut self) -> Result<i16, Trouble> {
        Ok(self.take(2)?.get_i16())
    }

    fn number(&mut self) -> Result<i32, Trouble> {
        Ok(self.take(4)?.get_i32())
    }

    fn value(&mut self) -> Result<Option<Bytes>, Trouble> {
        match usize::try_from(self.number()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }

    fn target(&mut self) -> Result<Target, Trouble> {
        match self.take(1)?.get_u8() {
            b'S' => Ok(Target::Statement),
            b'P' => Ok(Target::Portal),
            _ => Err(violation("neither a statement nor a portal is named")),
        }
    }

    /// As many as the message says, each of at least `least` bytes.
    fn many<T>(&mut self, least: usize, one: impl Fn(&mut Self) -> Result<T, Trouble>) -> Result<Vec<T>, Trouble> {
        let count = usize::from(self.short()?.cast_unsigned());
        if count * least > self.0.len() {
            return Err(violation("a message ends before what it announces"));
        }
        (0..count).map(|_| one(self)).collect()
    }
}

/// Where answers go. A client that does not read them in time is given up.
#[derive(Debug)]
pub(super) struct Answers<W> {
    stream: W,
    buffer: BytesMut,
    patience: Duration,
    left: CancellationToken,
}

impl<W: AsyncWrite + Unpin + Send + Sync> Answers<W> {
    pub(super) fn new(stream: W, patience: Duration, left: CancellationToken) -> Self {
        Self { stream, buffer: BytesMut::new(), patience, left }
    }

    /// Writes a message; it is sent when enough is gathered, or by [`Self::flush`].
    pub(super) async fn send(&mut self, message: PgWireBackendMessage) -> Result<(), Trouble> {
        message.encode(&mut self.buffer).map_err(|error| Trouble::Refused(Failure::from(error)))?;
        if self.buffer.len() >= FLUSHED_AT { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn flush(&mut self) -> Result<(), Trouble> {
        let written = async {
            self.stream.write_all_buf(&mut self.buffer).await?;
            self.stream.flush().await
        };
        tokio::select! {
            written = tokio::time::timeout(self.patience, written) => match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Trouble::Left),
                Err(_) => Err(Trouble::Slow),
            },
            () = self.left.cancelled() => Err(Trouble::Left),
        }
    }

    /// The last words of a connection: sent whether or not the client still speaks.
    pub(super) async fn close(mut self) {
        let last = async {
            self.stream.write_all_buf(&mut self.buffer).await?;
            self.stream.shutdown().await
        };
        // Nobody is left to be told.
        drop(tokio::time::timeout(self.patience.min(Duration::from_secs(2)), last).await);
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut as _;
    use proptest::prelude::*;

    use super::*;

    fn decode(kind: u8, body: &[u8]) -> Result<Option<Message>, Trouble> {
        let mut bytes = BytesMut::new();
        bytes.put_u8(kind);
        bytes.put_i32(i32::try_from(body.len()).unwrap() + 4);
        bytes.put_slice(body);
        Messages { longest: 1000 }.decode(&mut bytes)
    }

    #[test]
    fn a_message_is_read_when_all_of_it_is_there() {
        let mut bytes = BytesMut::from(&b"Q\0\0\0\x0dSELECT"[..]);
        let mut messages = Messages { longest: 1000 };
        assert_eq!(messages.decode(&mut bytes).unwrap(), None);
        bytes.put_slice(b" 1\0S\0\0\0\x04");
        assert_eq!(messages.decode(&mut bytes).unwrap(), Some(Message::Query("SELECT 1".to_owned())));
        assert_eq!(messages.decode(&mut bytes).unwrap(), Some(Message::Sync));
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_before_it_is_read() {
        let mut bytes = BytesMut::from(&b"Q\x3f\xff\xff\xff"[..]);
        let refused = Messages { longest: 1000 }.decode(&mut bytes);
        assert!(matches!(refused, Err(Trouble::Refused(failure)) if failure.code == "54000" && failure.fatal));
    }

    #[test]
    fn more_parameters_than_bytes_are_refused() {
        assert!(matches!(decode(b'B', b"\0\0\xff\xff"), Err(Trouble::Refused(_))));
        assert!(matches!(decode(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0"), Err(Trouble::Refused(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_are_refused(
            kind in prop::sample::select(b"QPBDCEHSXpdcfZ\0".to_vec()),
            body in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let read = decode(kind, &body);
            prop_assert!(!matches!(read, Ok(None)));
        }
    }
}
