//! Folding of texts for comparison: case, accents, punctuation and blanks do not matter, unless a text is nothing else.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Whether a character is not seen and means nothing inside of a text: a byte order mark, a blank of no width, a hyphen
/// that only a line end would show. Joiners are none of them: they make letters and emoji of several.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{feff}' | '\u{200b}' | '\u{2060}' | '\u{ad}')
}

/// Lower case, without accents, with every run of blanks and punctuation as one space, trimmed.
///
/// `"  Économie  circulaire "` and `"economie-circulaire"` fold alike. A text of signs only keeps them, without blanks:
/// `"-"`, `"✔"` and `"?"` are values that real files have, and mean different things.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    let mut push = |c: char, out: &mut String| {
        if c.is_alphanumeric() || c == '+' {
            if gap && !out.is_empty() {
                out.push(' ');
            }
            gap = false;
            out.push(c);
        } else {
            gap = true;
        }
    };
    if text.is_ascii() {
        for byte in text.bytes() {
            push(char::from(byte.to_ascii_lowercase()), &mut out);
        }
        return if out.is_empty() { signs(text) } else { out };
    }
    let visible = |c: &char| !is_combining_mark(*c) && !is_invisible(*c);
    for c in text.nfkd().filter(visible).flat_map(char::to_lowercase) {
        match c {
            'œ' => "oe".chars().for_each(|c| push(c, &mut out)),
            'æ' => "ae".chars().for_each(|c| push(c, &mut out)),
            _ => push(c, &mut out),
        }
    }
    if out.is_empty() { signs(text) } else { out }
}

/// The signs of a text that has nothing else.
fn signs(text: &str) -> String {
    let plain = text.nfkd().filter(|c| !is_combining_mark(*c) && !c.is_whitespace() && !is_invisible(*c));
    plain.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::accents("Écologie Industrielle", "ecologie industrielle")]
    #[case::blanks("  mise\u{a0}en   réseau ", "mise en reseau")]
    #[case::punctuation("mise-en_réseau", "mise en reseau")]
    #[case::ligature("Œuvre", "oeuvre")]
    #[case::underscore("tiers_lieu", "tiers lieu")]
    #[case::invisible_characters("\u{feff}oui\u{200b}", "oui")]
    #[case::a_soft_hyphen("auto\u{ad}nome", "autonome")]
    #[case::blanks_only(" \u{a0} ", "")]
    #[case::a_dash(" - ", "-")]
    #[case::a_tick("✔", "✔")]
    #[case::a_tick_drawn_in_colour("✔\u{fe0f}", "✔")]
    #[case::signs_and_blanks("? ?", "??")]
    #[case::signs_beside_letters("✔ oui", "oui")]
    fn equal_in_meaning_folds_alike(#[case] text: &str, #[case] folded: &str) {
        assert_eq!(fold(text), folded);
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in ".*") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
