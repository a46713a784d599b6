//! Where a redirect may lead, and what goes along.
//!
//! The HTTP client's own policy drops `Authorization` on the way to another host, but no other header; here every
//! declared header counts as a secret.

use url::Url;

use crate::secret::SafeUrl;
use crate::source::error::HttpFault;

/// Redirects followed for one document.
const LIMIT: usize = 5;

/// The way of one request: where it is, and whether the source's credentials still go along.
#[derive(Debug)]
pub(super) struct Way {
    /// Where it began; says what must not be shown.
    start: SafeUrl,
    url: Url,
    with_credentials: bool,
    followed: usize,
}

impl Way {
    pub(super) fn new(start: &SafeUrl) -> Self {
        Self { start: start.clone(), url: start.expose().clone(), with_credentials: true, followed: 0 }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Once another host was passed, credentials stay away for good, also on the way back.
    pub(super) fn with_credentials(&self) -> bool {
        self.with_credentials
    }

    /// Where the way ends, without secrets, once a redirect was followed.
    pub(super) fn last(&self) -> Option<String> {
        (self.followed > 0).then(|| self.shown(&self.url))
    }

    /// Goes where `location` points.
    pub(super) fn follow(&mut self, location: &str) -> Result<(), HttpFault> {
        let Ok(mut next) = self.url.join(location) else {
            return Err(HttpFault::Redirect { to: self.shown(&self.url), reason: "its new address cannot be read" });
        };
        let to = self.shown(&next);
        let refuse = |reason| HttpFault::Redirect { to, reason };
        if self.followed == LIMIT {
            return Err(refuse("more than 5 redirects"));
        }
        if !matches!(next.scheme(), "http" | "https") {
            return Err(refuse("only http and https are followed"));
        }
        if self.url.scheme() == "https" && next.scheme() == "http" {
            return Err(refuse("it would leave https"));
        }
        // An upgrade to https on the standard ports stays with the same host.
        let same_host = next.host_str() == self.url.host_str();
        let upgraded = self.url.scheme() == "http"
            && next.scheme() == "https"
            && next.port().is_none()
            && self.url.port().is_none();
        let same = same_host && (upgraded || next.port_or_known_default() == self.url.port_or_known_default());
        let (user, password) = if same && self.with_credentials {
            (self.url.username().to_owned(), self.url.password().map(str::to_owned))
        } else {
            self.with_credentials = false;
            (String::new(), None)
        };
        if next.set_username(&user).is_err() || next.set_password(password.as_deref()).is_err() {
            return Err(refuse("its new address cannot be read"));
        }
        self.followed += 1;
        self.url = next;
        Ok(())
    }

    /// Without its query: what a server puts there may be a secret that no rule knows.
    fn shown(&self, url: &Url) -> String {
        let mut url = url.clone();
        url.set_query(None);
        self.start.at(url).to_string()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn way(url: &str) -> Way {
        Way::new(&Url::parse(url).unwrap().into())
    }

    #[rstest]
    #[case::same_host("https://a.example/x", "/y", "https://a.example/y", true)]
    #[case::user_stays("https://u:p@a.example/x", "https://a.example/y", "https://u:p@a.example/y", true)]
    #[case::upgrade("http://u:p@a.example/x", "https://a.example/y", "https://u:p@a.example/y", true)]
    #[case::other_host("https://u:p@a.example/x", "https://b.example/y", "https://b.example/y", false)]
    #[case::other_port("https://a.example/x", "https://a.example:8443/y", "https://a.example:8443/y", false)]
    #[case::foreign_user("https://a.example/x", "https://u:p@b.example/y", "https://b.example/y", false)]
    #[case::query_route(
        "http://a.example/?BazaR/json&id=5",
        "?api/forms/5/entries",
        "http://a.example/?api/forms/5/entries",
        true
    )]
    fn credentials_stay_with_their_host(#[case] from: &str, #[case] to: &str, #[case] at: &str, #[case] with: bool) {
        let mut way = way(from);
        way.follow(to).unwrap();
        assert_eq!((way.url().as_str(), way.with_credentials()), (at, with));
    }

    #[test]
    fn credentials_do_not_come_back() {
        let mut way = way("https://u:p@a.example/");
        way.follow("https://b.example/").unwrap();
        way.follow("https://a.example/").unwrap();
        assert_eq!((way.url().as_str(), way.with_credentials()), ("https://a.example/", false));
    }

    #[rstest]
    #[case::downgrade("http://a.example/", "it would leave https")]
    #[case::file("file:///etc/passwd", "only http and https are followed")]
    #[case::unreadable("https://[", "its new address cannot be read")]
    fn some_redirects_are_refused(#[case] to: &str, #[case] why: &str) {
        let fault = way("https://a.example/").follow(to).unwrap_err();
        assert!(matches!(fault, HttpFault::Redirect { reason, .. } if reason == why), "{fault:?}");
        assert!(!fault.is_transient());
    }
}
