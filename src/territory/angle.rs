//! Coordinates as people write them: decimal numbers, or degrees, minutes and seconds.

/// A coordinate as it was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Angle {
    /// Degrees, or metres of a projected system.
    pub(super) value: f64,
    /// Whether it was written with minutes or with a letter for its hemisphere.
    pub(super) rewritten: bool,
}

/// A coordinate with decimal point or comma, blanks between digits.
pub(super) fn number(text: &str) -> Option<Angle> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).map(|c| if c == ',' { '.' } else { c }).collect();
    let plain = plain.trim_end_matches('°');
    // Rust reads `inf` and `nan` as numbers.
    let value = plain.parse::<f64>().ok().filter(|value| value.is_finite())?;
    Some(Angle { value, rewritten: false })
}

/// The same, or degrees, minutes and seconds: `48°51'24,3"N`, `2° 21′ Est`, `O 1°33'`, `48.85 N`. Minutes and seconds are
/// below 60, only the last part has decimals, and a sign does not stand beside a letter.
pub(super) fn degrees(text: &str) -> Option<Angle> {
    if let Some(angle) = number(text) {
        return Some(angle);
    }
    let lower = text.trim().to_lowercase();
    let (body, negative) = without_hemisphere(&lower)?;
    let (body, signed) = match body.strip_prefix(['-', '−']) {
        Some(body) if negative.is_none() => (body.trim_start(), true),
        Some(_) => return None,
        None => (body, false),
    };
    let value = sexagesimal(body)?;
    let value = if negative.unwrap_or(signed) { -value } else { value };
    Some(Angle { value, rewritten: true })
}

/// What is left without the letter or the word of a hemisphere, and whether that one is negative.
fn without_hemisphere(text: &str) -> Option<(&str, Option<bool>)> {
    const WORDS: [(&str, bool); 9] = [
        ("nord", false),
        ("sud", true),
        ("ouest", true),
        ("est", false),
        ("n", false),
        ("s", true),
        ("e", false),
        ("o", true),
        ("w", true),
    ];
    let known = |word: &str| WORDS.iter().find(|(known, _)| *known == word).map(|(_, negative)| *negative);
    let is_letter = |c: char| c.is_alphabetic();
    let behind = text.trim_end_matches(is_letter);
    let before = text.trim_start_matches(is_letter);
    let tail = text.get(behind.len()..).unwrap_or_default();
    let head = text.get(..text.len() - before.len()).unwrap_or_default();
    match (head, tail) {
        ("", "") => Some((text, None)),
        ("", tail) => known(tail).map(|negative| (behind.trim_end(), Some(negative))),
        (head, "") => known(head).map(|negative| (before.trim_start(), Some(negative))),
        _ => None,
    }
}

/// Degrees, then perhaps minutes, then perhaps seconds.
fn sexagesimal(text: &str) -> Option<f64> {
    let mut parts: Vec<(&str, Mark)> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ','))).unwrap_or(rest.len());
        let (part, behind) = rest.split_at_checked(digits)?;
        let (mark, behind) = Mark::of(behind.trim_start());
        if part.is_empty() {
            return None;
        }
        parts.push((part, mark));
        rest = behind.trim_start();
    }
    let marks = [Mark::Degree, Mark::Minute, Mark::Second];
    let last = parts.len().checked_sub(1)?;
    if last >= marks.len() {
        return None;
    }
    let mut value = 0.0;
    for (nth, (part, mark)) in parts.iter().enumerate() {
        // The mark of the last part is often left out, and that of degrees when nothing follows.
        let fits = *mark == marks[nth] || (nth == last && *mark == Mark::None);
        let whole = part.bytes().all(|byte| byte.is_ascii_digit());
        let number: f64 = part.replace(',', ".").parse().ok()?;
        if !fits || (nth < last && !whole) || (nth > 0 && number >= 60.0) {
            return None;
        }
        value += number / [1.0, 60.0, 3600.0][nth];
    }
    (value <= 180.0).then_some(value)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Degree,
    Minute,
    Second,
    None,
}

impl Mark {
    /// The mark at the start of a text, and what follows it.
    fn of(text: &str) -> (Self, &str) {
        for two in ["''", "′′", "’’"] {
            if let Some(rest) = text.strip_prefix(two) {
                return (Self::Second, rest);
            }
        }
        let mut chars = text.chars();
        let mark = match chars.next() {
            Some('°' | 'º') => Self::Degree,
            Some('\'' | '′' | '’' | '´') => Self::Minute,
            Some('"' | '″' | '”' | '“') => Self::Second,
            _ => return (Self::None, text),
        };
        (mark, chars.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::decimal("48.8566", Some(48.8566))]
    #[case::comma("48,8566", Some(48.8566))]
    #[case::degree_sign("-1.68°", Some(-1.68))]
    #[case::grouped("652 469,02", Some(652_469.02))]
    #[case::minutes("48°51'N", Some(48.85))]
    #[case::seconds("48°51'24\"N", Some(48.856_666_7))]
    #[case::blanks_and_primes("2° 21′ 7,2″ E", Some(2.352))]
    #[case::two_apostrophes("2°21'07''E", Some(2.351_944_4))]
    #[case::west_in_french("1°33'O", Some(-1.55))]
    #[case::west_in_english("1°33' W", Some(-1.55))]
    #[case::a_word("1°33' Ouest", Some(-1.55))]
    #[case::letter_first("S 21°06'", Some(-21.1))]
    #[case::signed("-1°33'", Some(-1.55))]
    #[case::decimal_with_letter("48.85 N", Some(48.85))]
    #[case::decimal_minutes("48°51.5'", Some(48.858_333_3))]
    #[case::sign_and_letter("-1°33'O", None)]
    #[case::minutes_beyond("48°75'N", None)]
    #[case::decimals_of_degrees_and_minutes("48.5°30'", None)]
    #[case::no_marks("48 51 24", Some(485_124.0))]
    #[case::two_coordinates("48.85, 2.35", None)]
    #[case::words("voir le plan", None)]
    #[case::another_letter("48°51'K", None)]
    #[case::not_a_number("NaN", None)]
    #[case::no_digit("N", None)]
    #[case::empty("", None)]
    #[case::four_parts("1°2'3\"4", None)]
    #[case::beyond_the_earth("200°10'E", None)]
    fn coordinates_are_read(#[case] text: &str, #[case] expected: Option<f64>) {
        let found = degrees(text).map(|angle| angle.value);
        match (found, expected) {
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-6, "{found}"),
            (found, expected) => assert_eq!(found, expected),
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(text in "\\PC{0,20}|[0-9°'\"NSEO,. -]{0,16}") {
            let angle = degrees(&text);
            prop_assert!(angle.is_none_or(|angle| angle.value.is_finite()));
        }

        #[test]
        fn degrees_minutes_and_seconds_come_back(degrees_ in 0_u32..180, minutes in 0_u32..60, seconds in 0_u32..60) {
            let text = format!("{degrees_}° {minutes}' {seconds}\" S");
            let expected = -(f64::from(degrees_) + f64::from(minutes) / 60.0 + f64::from(seconds) / 3600.0);
            prop_assert!((degrees(&text).unwrap().value - expected).abs() < 1e-9);
        }
    }
}
