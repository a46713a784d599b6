//! French establishment numbers.

use super::Unreadable;

/// What was mended in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::normalise) struct Mended {
    /// Blanks and points were removed.
    pub(in crate::normalise) blanks: bool,
    /// Zeros that a spreadsheet had dropped were put back in front.
    pub(in crate::normalise) zeros: bool,
}

/// La Poste's offices share one company number and follow a rule of their own.
const LA_POSTE: &[u8] = b"356000000";

/// Reads a number into `out`: 14 digits whose check holds.
pub(in crate::normalise) fn siret(text: &str, out: &mut String) -> Result<Mended, Unreadable> {
    out.clear();
    for c in text.chars() {
        match c {
            '0'..='9' => out.push(c),
            ' ' | '.' | '-' | '\u{a0}' | '\u{202f}' | '\u{2009}' => {}
            'e' | 'E' | '+' | ',' if text.starts_with(|c: char| c.is_ascii_digit()) => {
                return Err("notation_scientifique");
            }
            _ => return Err("siret_illisible"),
        }
    }
    let mended = Mended { blanks: out.len() != text.len(), zeros: matches!(out.len(), 12 | 13) };
    while mended.zeros && out.len() < 14 {
        out.insert(0, '0');
    }
    if out.len() != 14 {
        return Err("siret_longueur");
    }
    if checks(out.as_bytes()) { Ok(mended) } else { Err("siret_cle") }
}

/// Whether 14 digits pass their check: Luhn's, or for La Poste a sum that is a multiple of 5.
fn checks(digits: &[u8]) -> bool {
    if digits.starts_with(b"000000000") {
        return false;
    }
    let sum = |doubled: bool| -> u32 {
        let weigh = |(at, digit): (usize, &u8)| {
            let digit = u32::from(digit - b'0');
            if doubled && at % 2 == 0 { digit * 2 - if digit > 4 { 9 } else { 0 } } else { digit }
        };
        digits.iter().enumerate().map(weigh).sum()
    };
    sum(true) % 10 == 0 || (digits.starts_with(LA_POSTE) && sum(false) % 5 == 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("73282932000074", Ok(("73282932000074", false, false)))]
    #[case::spaces("732 829 320 00074", Ok(("73282932000074", true, false)))]
    #[case::no_break_spaces("732\u{a0}829\u{a0}320\u{a0}00074", Ok(("73282932000074", true, false)))]
    #[case::points("732.829.320.00074", Ok(("73282932000074", true, false)))]
    #[case::lost_zeros("5520135000016", Err("siret_cle"))]
    #[case::one_digit_wrong("73282932000075", Err("siret_cle"))]
    #[case::too_short("73282932", Err("siret_longueur"))]
    #[case::too_long("732829320000741", Err("siret_longueur"))]
    #[case::spreadsheet("7.32829E+13", Err("notation_scientifique"))]
    #[case::words("en cours", Err("siret_illisible"))]
    #[case::zeros_only("00000000000000", Err("siret_cle"))]
    #[case::an_office_of_la_poste("35600000009075", Ok(("35600000009075", false, false)))]
    #[case::not_even_la_poste("35600000009076", Err("siret_cle"))]
    fn numbers_must_pass_their_check(#[case] text: &str, #[case] value: Result<(&str, bool, bool), &str>) {
        let mut out = String::new();
        let read = siret(text, &mut out);
        assert_eq!(read.map(|mended| (out.as_str(), mended.blanks, mended.zeros)), value);
    }

    #[test]
    fn zeros_that_a_spreadsheet_dropped_are_put_back() {
        let (full, mut out) = (with_check("0055201350001"), String::new());
        let read = siret(full.trim_start_matches('0'), &mut out);
        assert_eq!((read, out), (Ok(Mended { blanks: false, zeros: true }), full));
    }

    /// 13 digits and the one that makes them pass.
    fn with_check(digits: &str) -> String {
        let all = (0..10).map(|last| format!("{digits}{last}"));
        all.into_iter().find(|number| checks(number.as_bytes())).unwrap()
    }

    proptest! {
        #[test]
        fn exactly_one_last_digit_passes(digits in "[1-9][0-9]{12}") {
            prop_assume!(!digits.starts_with("356000000"));
            let passing = (0..10).filter(|last| checks(format!("{digits}{last}").as_bytes())).count();
            prop_assert_eq!(passing, 1);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let mut out = String::new();
            prop_assert!(siret(&text, &mut out).is_err() || out.len() == 14);
        }
    }
}
