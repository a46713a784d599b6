//! `[network]` of essaim.toml: how the project calls others.

use std::time::Duration;

use url::Url;

use super::pipeline::HttpSettings;
use crate::diagnostic::document::Fields;

/// What holds for every source behind HTTP that does not say otherwise.
#[derive(Debug, Clone, Default)]
pub(super) struct Network {
    /// Whether this machine and private networks may be called.
    private_addresses: bool,
    /// Pause between two requests to one host.
    pause: Option<Duration>,
    /// Where whoever is called finds out who calls.
    contact: String,
}

impl Network {
    /// Reads the table, which may be missing; the contact is the publisher's address, else the public one.
    pub(super) fn read(top: &Fields<'_>, email: Option<&str>, public_url: &Url) -> Self {
        let mut network = Self {
            contact: email.map_or_else(|| public_url.to_string(), |email| format!("mailto:{email}")),
            ..Self::default()
        };
        if let Some(fields) = top.table("network") {
            network.private_addresses = fields.flag("private_addresses").unwrap_or(false);
            network.pause = fields.number("pause").and_then(seconds);
            network.contact = fields.text("contact").map_or(network.contact, |text| text.value);
            fields.finish();
        }
        network
    }

    /// Settings of a source that says nothing.
    pub(super) fn settings(&self) -> HttpSettings {
        let plain = HttpSettings::default();
        let user_agent = format!("{} (+{})", plain.user_agent, self.contact);
        let pause = self.pause.unwrap_or(plain.pause);
        HttpSettings { user_agent, pause, private_addresses: self.private_addresses, ..plain }
    }

    /// Settings of a source of a kind that is asked slowly, unless the project says how fast.
    pub(super) fn slow_settings(&self, pause: Duration) -> HttpSettings {
        HttpSettings { pause: self.pause.unwrap_or(pause), ..self.settings() }
    }
}

/// A time that a person wrote; none when it is no time to wait.
pub(super) fn seconds(number: f64) -> Option<Duration> {
    (0.0..1e6).contains(&number).then(|| Duration::from_secs_f64(number))
}
