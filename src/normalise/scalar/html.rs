//! HTML that is parted before it is decoded.

use super::text::without_entities;

/// Longest entity, `&` and `;` included: `&CounterClockwiseContourIntegral;`.
const LONGEST: usize = 33;

/// The pieces of a text between separators, as its reader sees them: `;` at the end of an entity parts nothing, and an
/// entity that stands for a separator does. The pieces are not decoded yet.
pub(in crate::normalise) fn split<'t>(text: &'t str, separators: &[String]) -> Vec<&'t str> {
    let mut decoded = String::with_capacity(text.len());
    // Where each byte of the decoded text begins in the text.
    let mut origin = Vec::with_capacity(text.len() + 1);
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (shown, width) = first(rest);
        origin.resize(decoded.len() + shown.len(), at);
        decoded.push_str(&shown);
        at += width;
    }
    origin.push(text.len());
    let place = |at: usize| origin.get(at).copied().unwrap_or(text.len());
    let mut ranges: Vec<std::ops::Range<usize>> = std::iter::once(0..decoded.len()).collect();
    for separator in separators.iter().filter(|separator| !separator.is_empty()) {
        let parted = ranges.into_iter().flat_map(|range| {
            let (start, piece) = (range.start, decoded.get(range).unwrap_or(""));
            let mut from = 0;
            let mut parts = Vec::new();
            for (found, _) in piece.match_indices(separator.as_str()) {
                parts.push(start + from..start + found);
                from = found + separator.len();
            }
            parts.push(start + from..start + piece.len());
            parts
        });
        ranges = parted.collect();
    }
    ranges.into_iter().filter_map(|range| text.get(place(range.start)..place(range.end))).collect()
}

/// What the first entity or character of a text stands for, and its width.
fn first(text: &str) -> (std::borrow::Cow<'_, str>, usize) {
    let name = text.strip_prefix('&').unwrap_or("");
    let end = name.bytes().take(LONGEST).position(|byte| byte != b'#' && !byte.is_ascii_alphanumeric());
    if let Some(entity) = end.and_then(|end| text.get(..end + 2)).filter(|entity| entity.ends_with(';')) {
        let decoded = without_entities(entity);
        if decoded != entity {
            return (decoded, entity.len());
        }
    }
    let width = text.chars().next().map_or(1, char::len_utf8);
    (std::borrow::Cow::Borrowed(text.get(..width).unwrap_or(text)), width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::no_entity("a;b", &[";"], &["a", "b"])]
    #[case::an_entity_is_no_separator("Arts &amp; Co;L&#039;Atelier", &[";"], &["Arts &amp; Co", "L&#039;Atelier"])]
    #[case::an_entity_that_is_one("a&#59;b", &[";"], &["a", "b"])]
    #[case::a_longer_separator("a &amp; b", &[" & "], &["a", "b"])]
    #[case::no_entity_after_all("a &b; c", &[";"], &["a &b", " c"])]
    #[case::several_separators("a;b|c", &[";", "|"], &["a", "b", "c"])]
    #[case::letters("é;&eacute;", &[";"], &["é", "&eacute;"])]
    #[case::nothing("", &[";"], &[""])]
    fn pieces_are_those_that_a_reader_sees(#[case] text: &str, #[case] separators: &[&str], #[case] expected: &[&str]) {
        let separators: Vec<String> = separators.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(split(text, &separators), expected);
    }

    proptest! {
        #[test]
        fn the_decoded_pieces_are_the_pieces_of_the_decoded_text(text in "([a-zé;]|&amp;|&#59;|&eacute;|&){0,12}") {
            let separators = [";".to_owned()];
            let pieces: Vec<String> = split(&text, &separators).into_iter().map(|piece| without_entities(piece).into_owned()).collect();
            let whole = without_entities(&text);
            prop_assert_eq!(pieces, whole.split(';').map(str::to_owned).collect::<Vec<_>>());
        }
    }
}
