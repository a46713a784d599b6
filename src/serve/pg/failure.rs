//! What goes wrong, in the words of the `PostgreSQL` protocol.

use std::borrow::Cow;

use datafusion_postgres::pgwire::error::{ErrorInfo, PgWireError};
use datafusion_postgres::pgwire::messages::response::{ErrorResponse, NoticeResponse};

/// A refusal that the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// SQLSTATE.
    pub code: Cow<'static, str>,
    pub message: String,
    pub hint: Option<String>,
    /// Character of the client's text, counted from 1.
    pub position: Option<usize>,
    /// Whether the connection ends with it.
    pub fatal: bool,
}

/// Why a message was not answered as asked.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The client is told, and goes on unless it is fatal.
    Refused(Failure),
    /// The client is gone.
    Left,
    /// The client does not read what it asked for.
    Slow,
}

impl Failure {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into(), hint: None, position: None, fatal: false }
    }

    pub(super) fn fatal(code: &'static str, message: impl Into<String>) -> Self {
        Self { fatal: true, ..Self::new(code, message) }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same for a text of which the refused one begins after `characters`.
    pub(super) fn shifted(self, characters: usize) -> Self {
        Self { position: self.position.map(|position| position + characters), ..self }
    }

    pub(super) fn response(self) -> ErrorResponse {
        let severity = if self.fatal { "FATAL" } else { "ERROR" };
        let mut info = ErrorInfo::new(severity.to_owned(), self.code.into_owned(), self.message);
        info.severity_nonlocalized = Some(severity.to_owned());
        info.hint = self.hint;
        info.position = self.position.map(|position| position.to_string());
        info.into()
    }

    /// Something to know that stops nothing.
    pub(super) fn notice(message: &str) -> NoticeResponse {
        let mut info = ErrorInfo::new("NOTICE".to_owned(), "00000".to_owned(), message.to_owned());
        info.severity_nonlocalized = Some("NOTICE".to_owned());
        info.into()
    }
}

impl From<PgWireError> for Failure {
    fn from(error: PgWireError) -> Self {
        let info = ErrorInfo::from(error);
        Self {
            code: Cow::Owned(info.code),
            message: info.message,
            hint: info.hint,
            position: None,
            fatal: info.severity == "FATAL",
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(_: std::io::Error) -> Self {
        Self::Left
    }
}
