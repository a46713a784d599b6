//! Web addresses.

use std::borrow::Cow;

use url::Url;

use super::Unreadable;

/// An address of the web as it was typed; owned when `https://` had to be put in front.
pub(in crate::normalise) fn uri(text: &str) -> Result<Cow<'_, str>, Unreadable> {
    if text.contains(char::is_whitespace) {
        return Err("adresse_avec_blanc");
    }
    if let Some((scheme, _)) = text.split_once("://") {
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err("adresse_non_http");
        }
        return if has_host(text, true) { Ok(Cow::Borrowed(text)) } else { Err("adresse_illisible") };
    }
    if text.contains('@') || text.starts_with("mailto:") || text.starts_with("tel:") {
        return Err("adresse_non_http");
    }
    let whole = format!("https://{text}");
    if has_host(&whole, false) { Ok(Cow::Owned(whole)) } else { Err("adresse_illisible") }
}

/// Whether an address has a host that the public web can know: letters after its last point, or, where a scheme makes
/// it an address for sure, an IP number.
fn has_host(text: &str, numbers: bool) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    match url.host() {
        Some(url::Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name.rsplit_once('.').is_some_and(|(rest, top)| {
                !rest.is_empty()
                    && (top.starts_with("xn--") || (top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic())))
            })
        }
        Some(_) => numbers,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::https("https://example.org/a?b#c", Ok("https://example.org/a?b#c"))]
    #[case::as_typed("HTTP://Example.org", Ok("HTTP://Example.org"))]
    #[case::accents("https://café.example/été", Ok("https://café.example/été"))]
    #[case::no_scheme("www.example.org", Ok("https://www.example.org"))]
    #[case::no_scheme_and_a_path("example.org/page", Ok("https://example.org/page"))]
    #[case::a_mail_address("a@example.org", Err("adresse_non_http"))]
    #[case::another_scheme("ftp://example.org", Err("adresse_non_http"))]
    #[case::a_script("javascript:alert(1)", Err("adresse_illisible"))]
    #[case::a_sentence("voir notre page", Err("adresse_avec_blanc"))]
    #[case::a_word("facebook", Err("adresse_illisible"))]
    #[case::a_number("12.5", Err("adresse_illisible"))]
    #[case::an_ip_number("http://192.0.2.1/", Ok("http://192.0.2.1/"))]
    #[case::no_host("https://", Err("adresse_illisible"))]
    #[case::two_addresses("https://a.org;https://b.org", Err("adresse_illisible"))]
    fn addresses_are_of_the_web(#[case] text: &str, #[case] value: Result<&str, &str>) {
        assert_eq!(uri(text).as_deref().map_err(|reason| *reason), value);
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_an_address(text in ".{0,40}") {
            if let Ok(address) = uri(&text) {
                let url = Url::parse(&address);
                prop_assert!(url.is_ok_and(|url| matches!(url.scheme(), "http" | "https")));
            }
        }
    }
}
