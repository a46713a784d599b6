//! The ways by which people are told.

use std::error::Error;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::entry::Entry;
use crate::config::env::Env;
use crate::config::pipeline::{AlarmSettings, Mail, MailSecurity};
use crate::id::DatasetId;
use crate::secret::SafeUrl;
use crate::source::notify;

/// Time that a mail server has for one alarm.
const MAIL_TIMEOUT: Duration = Duration::from_secs(30);

/// A way to tell people.
pub(super) enum Channel {
    Webhook(SafeUrl),
    Chat(SafeUrl),
    Mail(Mail),
}

/// The ways that a project has.
pub(super) fn channels(settings: &AlarmSettings) -> Vec<Channel> {
    let AlarmSettings { webhook, chat, mail, ping: _ } = settings.clone();
    let webhook = webhook.map(Channel::Webhook);
    webhook.into_iter().chain(chat.map(Channel::Chat)).chain(mail.map(Channel::Mail)).collect()
}

impl Channel {
    /// Its name in settings and records.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Chat(_) => "chat",
            Self::Mail(_) => "mail",
        }
    }

    /// Sends one alarm.
    pub(super) async fn send(
        &self,
        dataset: Option<&DatasetId>,
        entry: &Entry,
        env: &Env,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        match self {
            Self::Webhook(url) => Ok(notify(url, Some(&entry.json(dataset)), env).await?),
            Self::Chat(url) => {
                let text = format!("Essaim – {}", entry.line(dataset));
                Ok(notify(url, Some(&serde_json::json!({ "text": text })), env).await?)
            }
            Self::Mail(mail) => send_mail(mail, dataset, entry).await,
        }
    }
}

async fn send_mail(
    mail: &Mail,
    dataset: Option<&DatasetId>,
    entry: &Entry,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let line = entry.line(dataset);
    let mut message = Message::builder().from(mail.from.parse()?).subject(format!("Essaim – {line}"));
    for receiver in &mail.to {
        message = message.to(receiver.parse()?);
    }
    let at = entry.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let body = format!(
        "{line}\n\nSeen at {at}.\n`essaim runs list` shows what was done, `essaim runs show` what went wrong.\n"
    );
    let message = message.header(ContentType::TEXT_PLAIN).body(body)?;
    let mut transport = match mail.security {
        MailSecurity::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(&mail.server)?,
        MailSecurity::StartTls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&mail.server)?,
        MailSecurity::Plain => AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.server),
    };
    if let Some(port) = mail.port {
        transport = transport.port(port);
    }
    if let Some((user, password)) = &mail.login {
        transport = transport.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
    }
    transport.timeout(Some(MAIL_TIMEOUT)).build().send(message).await?;
    Ok(())
}
