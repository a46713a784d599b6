//! How a connection begins: encryption, what the client says of itself, or a request to end another's statement.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::{Buf as _, BytesMut};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::startup::NegotiateProtocolVersion;
use datafusion_postgres::pgwire::tokio::TlsAcceptor;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::failure::Failure;

/// Longest first message, as in `PostgreSQL`.
const LONGEST: usize = 10_000;

const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
const CANCEL_REQUEST: i32 = 80_877_102;
const VERSION_3_0: i32 = 3 << 16;

/// The first byte of a TLS handshake that was not asked for before.
const TLS_HANDSHAKE: u8 = 0x16;

/// A stream in clear or encrypted.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for S {}

/// What a client came for.
pub(super) enum Opening {
    Session {
        stream: Box<dyn Stream>,
        parameters: BTreeMap<String, String>,
    },
    Cancel {
        process: i32,
        secret: i32,
    },
    /// It left, or was told why it cannot stay.
    Nothing,
}

/// Hears a client out.
pub(super) async fn open(tcp: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Opening> {
    tcp.set_nodelay(true)?;
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Ok(Opening::Nothing);
    }
    if first == [TLS_HANDSHAKE] {
        let Some(config) = tls else { return Ok(Opening::Nothing) };
        let stream = TlsAcceptor::from(Arc::clone(config)).accept(tcp).await?;
        let agreed = stream.get_ref().1.alpn_protocol() == Some(&b"postgresql"[..]);
        return if agreed { introduced(Box::new(stream), true).await } else { Ok(Opening::Nothing) };
    }
    let mut tcp = tcp;
    loop {
        let Some((code, body)) = packet(&mut tcp).await? else { return Ok(Opening::Nothing) };
        match (code, tls) {
            (SSL_REQUEST, Some(config)) => {
                // Nothing was read beyond the request, so nothing in clear can be taken for encrypted later.
                tcp.write_all(b"S").await?;
                let stream = TlsAcceptor::from(Arc::clone(config)).accept(tcp).await?;
                return introduced(Box::new(stream), true).await;
            }
            (SSL_REQUEST, None) | (GSS_REQUEST, _) => tcp.write_all(b"N").await?,
            _ => return introduction(Box::new(tcp), code, body, tls.is_none()).await,
        }
    }
}

async fn introduced(mut stream: Box<dyn Stream>, accepted: bool) -> io::Result<Opening> {
    match packet(&mut stream).await? {
        Some((code, body)) => introduction(stream, code, body, accepted).await,
        None => Ok(Opening::Nothing),
    }
}

/// What a client says of itself. `accepted` is whether the way it came is good enough.
async fn introduction(
    mut stream: Box<dyn Stream>,
    code: i32,
    mut body: BytesMut,
    accepted: bool,
) -> io::Result<Opening> {
    if code == CANCEL_REQUEST && body.len() == 8 {
        let (process, secret) = (body.get_i32(), body.get_i32());
        return Ok(Opening::Cancel { process, secret });
    }
    if code >> 16 != 3 {
        return turn_away(stream, Failure::fatal("0A000", "the protocol of PostgreSQL is spoken here, version 3.0"))
            .await;
    }
    if !accepted {
        let failure = Failure::fatal("28000", "connections to this server are encrypted").hint("sslmode=require");
        return turn_away(stream, failure).await;
    }
    let Some(parameters) = parameters(&body) else {
        return turn_away(stream, Failure::fatal("08P01", "the first message cannot be read")).await;
    };
    let unknown: Vec<String> = parameters.keys().filter(|name| name.starts_with("_pq_.")).cloned().collect();
    if code > VERSION_3_0 || !unknown.is_empty() {
        let mut answer = BytesMut::new();
        let negotiate = NegotiateProtocolVersion::new(VERSION_3_0, unknown);
        PgWireBackendMessage::NegotiateProtocolVersion(negotiate).encode(&mut answer).map_err(io::Error::other)?;
        stream.write_all(&answer).await?;
    }
    Ok(Opening::Session { stream, parameters })
}

/// Tells a client why it cannot stay.
pub(super) async fn turn_away(mut stream: Box<dyn Stream>, failure: Failure) -> io::Result<Opening> {
    let mut answer = BytesMut::new();
    PgWireBackendMessage::ErrorResponse(failure.response()).encode(&mut answer).map_err(io::Error::other)?;
    stream.write_all(&answer).await?;
    stream.shutdown().await?;
    Ok(Opening::Nothing)
}

/// A message without a kind: its code, and what follows.
async fn packet(stream: &mut (impl AsyncRead + Unpin + Send)) -> io::Result<Option<(i32, BytesMut)>> {
    let length = match stream.read_i32().await {
        Ok(length) => usize::try_from(length).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if !(8..=LONGEST).contains(&length) {
        return Ok(None);
    }
    let code = stream.read_i32().await?;
    let mut body = BytesMut::zeroed(length - 8);
    stream.read_exact(&mut body).await?;
    Ok(Some((code, body)))
}

/// Pairs of texts, ended by an empty one.
fn parameters(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut texts = body.split(|byte| *byte == 0).map(|text| std::str::from_utf8(text).ok());
    let mut parameters = BTreeMap::new();
    loop {
        let name = texts.next()??;
        if name.is_empty() {
            return Some(parameters);
        }
        parameters.insert(name.to_owned(), texts.next()??.to_owned());
    }
}

/// Settings in `options`: `-c name=value` and `--name=value`, with spaces behind backslashes.
pub(super) fn options(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut arguments = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        match c {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            ' ' if !escaped => arguments.push(String::new()),
            _ => {
                if let Some(last) = arguments.last_mut() {
                    last.push(c);
                }
            }
        }
        escaped = false;
    }
    let mut found = Vec::new();
    let mut arguments = arguments.into_iter().filter(|argument| !argument.is_empty());
    while let Some(argument) = arguments.next() {
        let setting = match (argument.as_str(), argument.strip_prefix("--"), argument.strip_prefix("-c")) {
            ("-c", _, _) => arguments.next().unwrap_or_default(),
            (_, Some(setting), _) | (_, None, Some(setting)) => setting.to_owned(),
            _ => String::new(),
        };
        match setting.split_once('=') {
            Some((name, value)) => found.push((name.replace('-', "_"), value.to_owned())),
            None => return Err(Failure::fatal("22023", format!("\"{argument}\" in options is no setting"))),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_pairs_that_end() {
        let read = parameters(b"user\0ada\0database\0\0\0").unwrap();
        assert_eq!(read.get("user").map(String::as_str), Some("ada"));
        assert_eq!(read.get("database").map(String::as_str), Some(""));
        assert_eq!(parameters(b"user\0ada"), None);
        assert_eq!(parameters(b"user\0\xff\0\0"), None);
    }

    #[test]
    fn options_are_settings() {
        let found = options(r"-c statement_timeout=5s --application-name=a\ b -cjit=off").unwrap();
        let expected = [("statement_timeout", "5s"), ("application_name", "a b"), ("jit", "off")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(options("-d 5").unwrap_err().code, "22023");
    }
}
