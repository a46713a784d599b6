//! `[alarm]` of `essaim.toml`: who is told when a scheduled run fails, and when it goes well again.

use url::Url;

use super::compile::Scope;
use super::env::resolve;
use crate::diagnostic::Spanned;
use crate::diagnostic::document::Fields;
use crate::secret::{SafeUrl, Secret};

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS from the first byte, port 465 by default.
    Tls,
    /// TLS after STARTTLS, which the server must offer; port 587 by default.
    StartTls,
    /// None: for a server on this machine; port 25 by default.
    Plain,
}

/// A mail server, and who receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Name of the server.
    pub server: String,
    /// Its port; the usual one of the protection when left out.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub security: MailSecurity,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// Sender, such as `Essaim <essaim@example.org>`.
    pub from: String,
    /// Receivers.
    pub to: Vec<String>,
}

/// Who is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlarmSettings {
    /// Receives each alarm as a JSON object.
    pub webhook: Option<SafeUrl>,
    /// Receives each alarm as `{"text": …}`, the form that Mattermost and Slack take. Its address is a secret.
    pub chat: Option<SafeUrl>,
    /// Is asked for after each scheduled run that went well: what watches it rings when nobody asks any more.
    pub ping: Option<SafeUrl>,
    /// Receives each alarm by e-mail.
    pub mail: Option<Mail>,
}

/// Reads `[alarm]`.
pub(super) fn alarm(top: &Fields<'_>, scope: &Scope<'_>) -> AlarmSettings {
    let Some(fields) = top.table("alarm") else { return AlarmSettings::default() };
    let settings = AlarmSettings {
        webhook: url(&fields, "webhook", scope),
        chat: url(&fields, "chat", scope),
        ping: url(&fields, "ping", scope),
        mail: fields.table("mail").and_then(|fields| mail(fields, scope)),
    };
    fields.finish();
    settings
}

fn url(fields: &Fields<'_>, key: &'static str, scope: &Scope<'_>) -> Option<SafeUrl> {
    let text = fields.text(key)?;
    let resolved = resolve(&text, scope.env, scope.problems)?;
    match Url::parse(&resolved).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
        Some(url) => Some(url.into()),
        None => {
            scope.problems.push(
                text.problem("alarm::url", format!("`{key}` is not a web address"), "here")
                    .help("write https://… in full; put a secret one into a variable: \"${env:ESSAIM_WEBHOOK}\""),
            );
            None
        }
    }
}

fn mail(fields: Fields<'_>, scope: &Scope<'_>) -> Option<Mail> {
    let resolved = |text: Option<Spanned<String>>| text.and_then(|text| resolve(&text, scope.env, scope.problems));
    let server = resolved(fields.required_text("server"));
    let port = fields.integer("port");
    let security = fields.text("security");
    let (user, password) = (fields.text("user"), fields.text("password"));
    let from = fields.required_text("from");
    let to = fields.texts("to");
    if fields.get("to").is_none() {
        fields.missing("to");
    }
    fields.finish();
    let security = match security.as_ref().map(|text| text.value.as_str()) {
        None | Some("starttls") => MailSecurity::StartTls,
        Some("tls") => MailSecurity::Tls,
        Some("none") => MailSecurity::Plain,
        Some(other) => {
            let text = security.as_ref()?;
            scope.problems.push(
                text.problem("alarm::security", format!("`{other}` is no protection of a connection"), "unknown")
                    .suggest(other, ["starttls", "tls", "none"]),
            );
            return None;
        }
    };
    if let (Some(user), None) | (None, Some(user)) = (&user, &password) {
        let problem = user.problem("alarm::login", "a login is a user and a password", "the other one is missing");
        scope.problems.push(problem.help("give both, or none"));
    }
    if let Some(password) = password.as_ref().filter(|password| !password.value.contains("${env:")) {
        scope.problems.push(
            password
                .problem("alarm::password", "a password stands in a project file", "everyone who reads it knows it")
                .help("write password = \"${env:ESSAIM_MAIL_PASSWORD}\" and set the variable"),
        );
    }
    let port = match port {
        None => None,
        Some(typed) => match u16::try_from(typed.value) {
            Ok(port) if port > 0 => Some(port),
            _ => {
                let problem = typed.problem("alarm::port", "a port is a number from 1 to 65535", "out of bounds");
                scope.problems.push(problem.help("leave it out for the usual one"));
                return None;
            }
        },
    };
    for text in to.iter().chain(&from).filter(|text| !text.value.contains('@')) {
        let problem = text.problem("alarm::address", format!("`{}` is no e-mail address", text.value), "here");
        scope.problems.push(problem.help("write it as name@example.org"));
    }
    let login = match (user, password) {
        (Some(user), Some(password)) => Some((resolved(Some(user))?, Secret::new(resolved(Some(password))?))),
        _ => None,
    };
    let to = to.into_iter().map(|text| text.value).collect();
    Some(Mail { server: server?, port, security, login, from: from?.value, to })
}
