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

/// Shortest value that is looked for in what is shown: a shorter one would be found where it does not stand.
const SHORTEST: usize = 6;

/// A text without the values that must not be shown, however an address spells them.
pub fn without(text: &str, values: &[Secret]) -> String {
    let mut text = text.to_owned();
    for value in values.iter().map(Secret::expose).filter(|value| value.len() >= SHORTEST) {
        for spelled in spellings(value) {
            text = text.replace(&spelled, HIDDEN);
        }
    }
    text
}

/// A value as it is, as forms encode it, and as it looks in a path and in a query.
fn spellings(value: &str) -> Vec<String> {
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let percent = form.replace('+', "%20");
    let mut spellings = vec![value.to_owned(), form, percent];
    if let Ok(mut url) = Url::parse("https://a.example/") {
        url.set_query(Some(value));
        spellings.extend(url.query().map(str::to_owned));
        url.set_path(value);
        spellings.push(url.path().trim_start_matches('/').to_owned());
    }
    spellings.retain(|spelled| spelled.len() >= SHORTEST);
    spellings
}

/// A URL that shows neither its user and password nor the values of query keys that look like secrets, nor what else it is
/// told to hide in its path and query.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeUrl {
    url: Url,
    hidden: Vec<Secret>,
}

impl SafeUrl {
    /// The URL itself, to be called and not to be shown.
    pub fn expose(&self) -> &Url {
        &self.url
    }

    /// The same with more values that its path and query must not show.
    #[must_use]
    pub fn hiding(mut self, values: impl IntoIterator<Item = Secret>) -> Self {
        self.hidden.extend(values);
        self
    }

    /// Another URL that hides what this one does.
    #[must_use]
    pub fn at(&self, url: Url) -> Self {
        Self { url, hidden: self.hidden.clone() }
    }

    /// Everything in it that is not shown.
    pub fn secrets(&self) -> Vec<Secret> {
        let query = self.url.query_pairs().filter(|(name, _)| is_secret_name(name));
        let parts = [Some(self.url.username()), self.url.password()].into_iter().flatten();
        let spelled = parts.chain(self.url.query().into_iter().flat_map(|query| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .filter(|(name, _)| is_secret_name(name))
                .map(|(_, value)| value)
        }));
        let mut secrets: Vec<Secret> = spelled.map(Secret::new).collect();
        secrets.extend(query.map(|(_, value)| Secret::new(value)));
        secrets.extend(self.hidden.iter().cloned());
        secrets
    }
}

impl From<Url> for SafeUrl {
    fn from(url: Url) -> Self {
        Self { url, hidden: Vec::new() }
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        // Both fail only for URLs that cannot have a user; such a URL has none to hide.
        if !url.username().is_empty() && url.set_username("").is_err() {
            return f.write_str(HIDDEN);
        }
        if url.password().is_some() && url.set_password(None).is_err() {
            return f.write_str(HIDDEN);
        }
        // Text by text: YesWiki routes are queries such as `?api/forms/5`, which must stay as they are.
        let query = url.query().map(|query| without(&hide_values(query), &self.hidden));
        url.set_query(query.as_deref());
        if !self.hidden.is_empty() {
            let path = without(url.path(), &self.hidden);
            url.set_path(&path);
        }
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

    #[rstest]
    #[case::path("https://a.example/hook/gehe im-42/rows", "https://a.example/hook/***/rows")]
    #[case::query("https://a.example/?q=gehe+im-42&x=y", "https://a.example/?q=***&x=y")]
    #[case::as_it_looks("https://a.example/?q=gehe im-42", "https://a.example/?q=***")]
    #[case::encoded("https://a.example/?q=gehe%20im-42", "https://a.example/?q=***")]
    fn values_from_the_environment_are_not_shown(#[case] url: &str, #[case] shown: &str) {
        let url = SafeUrl::from(Url::parse(url).unwrap()).hiding([Secret::new("gehe im-42"), Secret::new("a")]);
        assert_eq!(url.to_string(), shown);
        assert_eq!(url.at(Url::parse("https://b.example/gehe%20im-42").unwrap()).to_string(), "https://b.example/***");
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("geheim");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.expose(), "geheim");
    }
}
