//! Addresses and values that may hold secrets, and never show them.

use std::fmt;

use url::Url;

/// Shown in place of what is secret.
const HIDDEN: &str = "***";

/// Parts of the names of query values that are secret.
const SECRET_NAMES: [&str; 10] =
    ["token", "key", "secret", "passw", "pwd", "sig", "auth", "credential", "session", "jwt"];

/// A value that is used and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, to be sent and not to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A URL that shows neither its user and password nor the values of query keys that look like secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeUrl(Url);

impl SafeUrl {
    /// The URL itself, to be called and not to be shown.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl From<Url> for SafeUrl {
    fn from(url: Url) -> Self {
        Self(url)
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        // Both fail only for URLs that cannot have a user; such a URL has none to hide.
        if !url.username().is_empty() && url.set_username("").is_err() {
            return f.write_str(HIDDEN);
        }
        if url.password().is_some() && url.set_password(None).is_err() {
            return f.write_str(HIDDEN);
        }
        // Text by text: YesWiki routes are queries such as `?api/forms/5`, which must stay as they are.
        let query = url.query().map(hide_values);
        url.set_query(query.as_deref());
        url.set_fragment(None);
        url.fmt(f)
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn hide_values(query: &str) -> String {
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret_name(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    };
    query.split('&').map(hide).collect::<Vec<_>>().join("&")
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("https://a.example/b?c=d&e", "https://a.example/b?c=d&e")]
    #[case::yeswiki(
        "https://a.example/w/?api/forms/5/entries&fields=a,b",
        "https://a.example/w/?api/forms/5/entries&fields=a,b"
    )]
    #[case::user("https://me:geheim@a.example/", "https://a.example/")]
    #[case::user_only("https://geheim@a.example/", "https://a.example/")]
    #[case::token("https://a.example/?id=1&access_token=geheim", "https://a.example/?id=1&access_token=***")]
    #[case::upper_case("https://a.example/?API-KEY=geheim&x=y", "https://a.example/?API-KEY=***&x=y")]
    #[case::signature("https://a.example/?X-Amz-Signature=geheim", "https://a.example/?X-Amz-Signature=***")]
    #[case::fragment("https://a.example/#token=geheim", "https://a.example/")]
    fn urls_are_shown_without_secrets(#[case] url: &str, #[case] shown: &str) {
        let url = SafeUrl::from(Url::parse(url).unwrap());
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), shown);
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("geheim");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.expose(), "geheim");
    }
}
