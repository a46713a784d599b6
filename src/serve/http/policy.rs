//! What a browser may do with an answer: headers that all answers have, and the content security policy.
//!
//! Pages of ours hold one style sheet each, in their head. The policy names it by its digest; nothing else that stands inline
//! has any effect, be it in a cell of somebody's data.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest as _, Sha256};

/// Bytes of a document in which its style sheet is looked for.
pub(super) const HEAD: usize = 64 << 10;

/// What all answers say.
const ALWAYS: [(HeaderName, &str); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        "Accept-Ranges, Content-Disposition, Content-Encoding, Content-Length, Content-Location, Content-Range, ETag, \
         Essaim-Releases, Last-Modified, Link, Location, Retry-After",
    ),
];

/// The policy of what is no document.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// Sets what every answer says, and the strictest policy where none was set.
pub(super) fn set(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING));
}

/// Whether a media type is one that a browser runs as a document.
pub(super) fn is_document(media_type: &str) -> bool {
    media_type.starts_with("text/html") || media_type.starts_with("image/svg+xml")
}

/// The policy of a document, by its first bytes: scripts, styles, pictures and data from here, and the style sheets that
/// stand in its head.
pub(super) fn of_document(head: &[u8]) -> HeaderValue {
    let mut styles = String::new();
    for style in inline_styles(&String::from_utf8_lossy(head)) {
        let digest = base64(&Sha256::digest(style.as_bytes()));
        write!(styles, " 'sha256-{digest}'").expect("writing to a String cannot fail");
    }
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' data: blob:; \
         connect-src 'self'; font-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'self'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(NOTHING))
}

/// What stands in `style` elements before the body of a document, letter by letter.
fn inline_styles(text: &str) -> Vec<&str> {
    let head = text.split_once("<body").map_or(text, |(head, _)| head);
    let after = head.split("<style>").skip(1);
    after.filter_map(|after| after.split_once("</style>")).map(|(style, _)| style).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = LETTERS[usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or(0)];
            text.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_its_standard() {
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(texts, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    #[test]
    fn a_style_in_the_head_is_named_by_its_digest_and_one_in_the_body_is_not() {
        let page = b"<html><head><style>p { color: red }</style></head><body><style>p { color: blue }</style></body>";
        let policy = of_document(page);
        let policy = policy.to_str().unwrap();
        let named = format!("'sha256-{}'", base64(&Sha256::digest(b"p { color: red }")));
        assert!(policy.contains(&format!("style-src 'self' {named};")), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
