//! The header `Range`: which bytes of a file are asked for (RFC 9110, section 14).

use std::ops::Range;

/// What a request asks for of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it. Several ranges at once are answered so too, as are other units and what is no range.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// Bytes that are not there.
    Outside,
}

/// Reads the header for a file of `size` bytes.
pub(super) fn part(header: &str, size: u64) -> Part {
    let Some(spec) = header.trim().strip_prefix("bytes=") else { return Part::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Part::Whole };
    if spec.contains(',') {
        return Part::Whole;
    }
    let (first, last) = (first.trim(), last.trim());
    match (number(first), number(last)) {
        (Some(first), _) if last.is_empty() => within(first, size, size),
        (Some(first), Some(last)) if first <= last => within(first, last.saturating_add(1), size),
        (None, Some(last)) if first.is_empty() => match last {
            0 => Part::Outside,
            _ => within(size.saturating_sub(last), size, size),
        },
        _ => Part::Whole,
    }
}

fn within(first: u64, end: u64, size: u64) -> Part {
    if first < size { Part::Bytes(first..end.min(size)) } else { Part::Outside }
}

/// Digits alone: no sign, no blank. More of them than a number holds are the largest one.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::middle("bytes=2-4", Part::Bytes(2..5))]
    #[case::first_byte("bytes=0-0", Part::Bytes(0..1))]
    #[case::to_the_end("bytes=7-", Part::Bytes(7..10))]
    #[case::longer_than_the_file("bytes=7-100", Part::Bytes(7..10))]
    #[case::last_bytes("bytes=-3", Part::Bytes(7..10))]
    #[case::more_last_bytes_than_there_are("bytes=-30", Part::Bytes(0..10))]
    #[case::behind_the_end("bytes=10-", Part::Outside)]
    #[case::no_last_bytes("bytes=-0", Part::Outside)]
    #[case::more_digits_than_a_number_holds("bytes=99999999999999999999-", Part::Outside)]
    #[case::end_beyond_all_numbers("bytes=3-99999999999999999999", Part::Bytes(3..10))]
    #[case::backwards("bytes=4-2", Part::Whole)]
    #[case::several("bytes=0-1,4-5", Part::Whole)]
    #[case::other_unit("lines=0-1", Part::Whole)]
    #[case::signed("bytes=+1-2", Part::Whole)]
    #[case::nothing("bytes=-", Part::Whole)]
    #[case::words("bytes=a-b", Part::Whole)]
    #[case::negative("bytes=--1", Part::Whole)]
    fn ranges_of_ten_bytes(#[case] header: &str, #[case] expected: Part) {
        assert_eq!(part(header, 10), expected);
    }

    #[test]
    fn an_empty_file_has_no_bytes_to_ask_for() {
        assert_eq!(part("bytes=0-", 0), Part::Outside);
        assert_eq!(part("bytes=-5", 0), Part::Outside);
    }
}
