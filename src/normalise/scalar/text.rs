//! Trimming and cleaning of text.

use std::borrow::Cow;

use crate::contract::fold::is_invisible;

/// Rule of the correction that takes out what is not seen.
pub(in crate::normalise) const NOISE: &str = "caracteres_de_controle";

/// The bytes without blanks at both ends, Unicode's blanks included, nor characters that are not seen there.
pub(in crate::normalise) fn trim(bytes: &[u8]) -> &[u8] {
    let inner = bytes.trim_ascii();
    match (inner.first(), inner.last()) {
        (Some(first), Some(last)) if plain(*first) && plain(*last) => inner,
        _ => std::str::from_utf8(inner).map_or(inner, |text| text.trim_matches(is_edge).as_bytes()),
    }
}

/// Whether a character says nothing at the end of a text. A joiner has nothing to join there.
fn is_edge(c: char) -> bool {
    c.is_whitespace() || is_invisible(c) || matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether a text begins or ends with something that is not seen, blanks left out.
pub(in crate::normalise) fn has_invisible_edge(bytes: &[u8]) -> bool {
    let inner = bytes.trim_ascii();
    let ends = [inner.first(), inner.last()].into_iter().flatten();
    if ends.copied().all(plain) {
        return false;
    }
    let Ok(text) = std::str::from_utf8(inner) else { return false };
    text.trim() != text.trim_matches(is_edge)
}

/// Whether a byte can neither be a blank that `trim_ascii` leaves nor a part of one.
fn plain(byte: u8) -> bool {
    byte.is_ascii() && byte != 0x0b
}

/// Whether a character is removed from texts: control characters other than tab and line ends, and what is not seen.
fn is_noise(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r')) || is_invisible(c)
}

/// The text without control characters and others that are not seen; borrowed when it has none.
pub(in crate::normalise) fn without_noise(text: &str) -> Cow<'_, str> {
    let suspect = |byte: &u8| {
        (*byte < 0x20 && !matches!(*byte, b'\t' | b'\n' | b'\r')) || matches!(*byte, 0x7f | 0xc2 | 0xe2 | 0xef)
    };
    if text.as_bytes().iter().any(suspect) && text.contains(is_noise) {
        Cow::Owned(text.chars().filter(|c| !is_noise(*c)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether a text has something that looks like a tag of HTML.
pub(in crate::normalise) fn has_tag(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'<', bytes).any(|at| {
        let opens = bytes.get(at + 1).is_some_and(|next| next.is_ascii_alphabetic() || matches!(next, b'/' | b'!'));
        opens && bytes.get(at..).is_some_and(|rest| rest.contains(&b'>'))
    })
}

/// The text of a piece of HTML: entities decoded, tags out, paragraphs and breaks as line feeds. As it was when it
/// cannot be read.
pub(in crate::normalise) fn without_tags(text: &str) -> String {
    let decorator = html2text::render::TrivialDecorator::new();
    let plain = html2text::config::with_decorator(decorator).string_from_read(text.as_bytes(), usize::from(u16::MAX));
    plain.unwrap_or_else(|_unreadable| text.to_owned())
}

/// The text with HTML entities decoded once; borrowed when it has none.
pub(in crate::normalise) fn without_entities(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', text.as_bytes()).is_some() {
        match html_escape::decode_html_entities(text) {
            Cow::Owned(decoded) if decoded != text => Cow::Owned(decoded),
            _ => Cow::Borrowed(text),
        }
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ascii_blanks(" \t a b \r\n", "a b")]
    #[case::no_break_space("\u{a0}a\u{202f}", "a")]
    #[case::an_accent_at_the_end(" été ", "été")]
    #[case::a_break_inside_stays("a\u{a0}b", "a\u{a0}b")]
    #[case::a_byte_order_mark("\u{feff}a", "a")]
    #[case::blanks_of_no_width("\u{200b} a\u{200c}\u{a0}\u{200d}", "a")]
    #[case::a_soft_hyphen("a\u{ad}", "a")]
    #[case::a_joined_emoji("👩\u{200d}🌾", "👩\u{200d}🌾")]
    #[case::nothing_that_is_seen("\u{feff}\u{200b}", "")]
    #[case::nothing_but_blanks(" \u{a0} ", "")]
    fn blanks_at_both_ends_go(#[case] text: &str, #[case] trimmed: &str) {
        assert_eq!(trim(text.as_bytes()), trimmed.as_bytes());
    }

    #[rstest]
    #[case::nul("a\0b", "ab")]
    #[case::c1("a\u{85}b\u{9c}", "ab")]
    #[case::a_byte_order_mark("a\u{feff}b", "ab")]
    #[case::a_blank_of_no_width("a\u{200b}b", "ab")]
    #[case::a_soft_hyphen("auto\u{ad}nome", "autonome")]
    #[case::a_joined_emoji_stays("👩\u{200d}🌾 – l’été", "👩\u{200d}🌾 – l’été")]
    #[case::line_feeds_and_tabs_stay("a\n\tb", "a\n\tb")]
    #[case::accents_stay("Â", "Â")]
    fn control_characters_go(#[case] text: &str, #[case] cleaned: &str) {
        assert_eq!(without_noise(text), cleaned);
    }

    #[rstest]
    #[case::named("France &amp; Monde", "France & Monde")]
    #[case::numbered("l&#039;eau &#x26; le feu", "l'eau & le feu")]
    #[case::only_once("&amp;lt;", "&lt;")]
    #[case::a_lone_ampersand("R&D; a & b", "R&D; a & b")]
    fn entities_are_decoded_once(#[case] text: &str, #[case] decoded: &str) {
        assert_eq!(without_entities(text), decoded);
    }

    proptest! {
        #[test]
        fn trimming_is_what_the_standard_library_does(text in "[ \t\u{a0}\u{3000}\u{b}aé]*") {
            prop_assert_eq!(trim(text.as_bytes()), text.trim().as_bytes());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            trim(&bytes);
            let text = String::from_utf8_lossy(&bytes);
            without_noise(&text);
            without_entities(&text);
        }
    }
}
