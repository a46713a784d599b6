//! Whole and decimal numbers as people and machines write them.

use super::Unreadable;

/// Longest number that is read, in bytes without group separators.
const LONGEST: usize = 60;

/// A number in plain notation: sign, digits, at most one point, an exponent perhaps.
struct Plain {
    bytes: [u8; LONGEST],
    len: usize,
    whole: bool,
}

impl Plain {
    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }

    fn text(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

/// Length in bytes of a group separator at the start of `rest`; 0 when there is none.
fn separator(rest: &[u8], comma: bool) -> usize {
    match rest {
        [b' ', ..] => 1,
        [b'.', ..] if comma => 1,
        [0xc2, 0xa0, ..] => 2,
        [0xe2, 0x80, 0xaf | 0x89, ..] => 3,
        _ => 0,
    }
}

/// Rewrites a number in plain notation. Groups must be of three digits.
fn plain(text: &[u8], comma: bool) -> Option<Plain> {
    let mut out = Plain { bytes: [0; LONGEST], len: 0, whole: true };
    let mut rest = match text {
        [b'-', rest @ ..] => {
            out.push(b'-')?;
            rest
        }
        [b'+', rest @ ..] => rest,
        _ => text,
    };
    let (mut group, mut grouped) = (0, false);
    loop {
        if let [digit @ b'0'..=b'9', tail @ ..] = rest {
            out.push(*digit)?;
            group += 1;
            rest = tail;
            continue;
        }
        let width = separator(rest, comma);
        if width == 0 {
            break;
        }
        if group == 0 || group > 3 || (grouped && group != 3) {
            return None;
        }
        (group, grouped) = (0, true);
        rest = rest.get(width..)?;
    }
    if group == 0 || (grouped && group != 3) {
        return None;
    }
    if let [mark, tail @ ..] = rest
        && *mark == if comma { b',' } else { b'.' }
    {
        out.whole = false;
        out.push(b'.')?;
        rest = digits(tail, &mut out)?;
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        out.whole = false;
        out.push(b'e')?;
        let tail = match tail {
            [sign @ (b'+' | b'-'), tail @ ..] => {
                out.push(*sign)?;
                tail
            }
            _ => tail,
        };
        rest = digits(tail, &mut out)?;
    }
    rest.is_empty().then_some(out)
}

/// Copies digits, at least one; gives what follows them.
fn digits<'a>(mut rest: &'a [u8], out: &mut Plain) -> Option<&'a [u8]> {
    let before = rest.len();
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        out.push(*digit)?;
        rest = tail;
    }
    (rest.len() < before).then_some(rest)
}

/// A whole number.
pub(in crate::normalise) fn integer(text: &[u8], comma: bool) -> Result<i64, Unreadable> {
    if text.len() <= 18
        && let Some(value) =
            text.iter().try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
        && !text.is_empty()
    {
        return Ok(value);
    }
    let plain = plain(text, comma).ok_or("nombre_illisible")?;
    if !plain.whole {
        return Err("nombre_non_entier");
    }
    plain.text().parse().map_or(Err("nombre_hors_limites"), Ok)
}

/// A number, never infinite and never "not a number".
pub(in crate::normalise) fn number(text: &[u8], comma: bool) -> Result<f64, Unreadable> {
    let plain = plain(text, comma).ok_or("nombre_illisible")?;
    match plain.text().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value + 0.0),
        _ => Err("nombre_hors_limites"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::digits("12", false, Ok(12))]
    #[case::signs("-7", false, Ok(-7))]
    #[case::plus("+7", false, Ok(7))]
    #[case::leading_zeros("007", false, Ok(7))]
    #[case::spaces_group("1 234 567", false, Ok(1_234_567))]
    #[case::no_break_spaces_group("1\u{a0}234\u{202f}567", false, Ok(1_234_567))]
    #[case::points_group_beside_a_decimal_comma("1.234", true, Ok(1_234))]
    #[case::a_fraction_is_no_whole_number("1.0", false, Err("nombre_non_entier"))]
    #[case::ragged_groups("12 34", false, Err("nombre_illisible"))]
    #[case::a_long_first_group("1234 567", false, Err("nombre_illisible"))]
    #[case::empty("", false, Err("nombre_illisible"))]
    #[case::a_sign_alone("-", false, Err("nombre_illisible"))]
    #[case::words("12 ans", false, Err("nombre_illisible"))]
    #[case::too_large("9223372036854775808", false, Err("nombre_hors_limites"))]
    #[case::largest("9223372036854775807", false, Ok(i64::MAX))]
    fn whole_numbers(#[case] text: &str, #[case] comma: bool, #[case] value: Result<i64, &str>) {
        assert_eq!(integer(text.as_bytes(), comma), value);
    }

    #[rstest]
    #[case::point("3.5", false, Ok(3.5))]
    #[case::comma("3,5", true, Ok(3.5))]
    #[case::an_undeclared_comma("3,5", false, Err("nombre_illisible"))]
    #[case::a_point_that_groups_nothing("3.5", true, Err("nombre_illisible"))]
    #[case::grouped("1 234,56", true, Ok(1234.56))]
    #[case::point_grouped("1.234,56", true, Ok(1234.56))]
    #[case::exponent("1e-05", false, Ok(1e-05))]
    #[case::not_a_number("NaN", false, Err("nombre_illisible"))]
    #[case::infinity("inf", false, Err("nombre_illisible"))]
    #[case::overflow("1e999", false, Err("nombre_hors_limites"))]
    #[case::half_written("3.", false, Err("nombre_illisible"))]
    #[case::no_whole_part(".5", false, Err("nombre_illisible"))]
    #[case::per_cent("85 %", false, Err("nombre_illisible"))]
    #[case::negative_zero("-0", false, Ok(0.0))]
    fn decimal_numbers(#[case] text: &str, #[case] comma: bool, #[case] value: Result<f64, &str>) {
        let read = number(text.as_bytes(), comma);
        assert_eq!(read, value);
        assert!(read.is_err() || !read.unwrap().is_sign_negative() || text.starts_with('-'));
    }

    proptest! {
        #[test]
        fn every_whole_number_reads_back(value in any::<i64>()) {
            prop_assert_eq!(integer(value.to_string().as_bytes(), false), Ok(value));
        }

        #[test]
        fn every_finite_number_reads_back(value in -1e15_f64..1e15) {
            prop_assert_eq!(number(value.to_string().as_bytes(), false), Ok(value));
            prop_assert_eq!(number(value.to_string().replace('.', ",").as_bytes(), true), Ok(value));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), comma in any::<bool>()) {
            prop_assert!(integer(&bytes, comma).is_err() || number(&bytes, comma).is_ok());
            prop_assert!(number(&bytes, comma).is_ok_and(f64::is_finite) || number(&bytes, comma).is_err());
        }
    }
}
