//! Numbers as people read them, and the ticks of the axis.

use super::Language;
use super::Unit;

/// Above this a double no longer tells neighbouring whole numbers apart reliably; such a value is not drawn.
const LARGEST: f64 = 1e15;

/// `value` if it can be a length on the axis.
pub(super) fn drawable(value: f64) -> Option<f64> {
    (0.0..=LARGEST).contains(&value).then_some(value)
}

/// `value` with its unit, as `language` writes it: `1 234`, `87,1 %`; in English `1,234`, `87.1%`.
pub(super) fn spoken(value: f64, unit: Unit, language: Language) -> String {
    match unit {
        Unit::Count => decimal(value, 0, language),
        Unit::Percent => percent(decimal(value, 1, language), language),
    }
}

fn percent(number: String, language: Language) -> String {
    match language {
        Language::Fr => number + "\u{202F}%",
        Language::En => number + "%",
    }
}

/// At most one decimal, at least `least` of them, rounded half up.
fn decimal(value: f64, least: usize, language: Language) -> String {
    // The small excess undoes binary fractions just under a half: 87.05 is stored as 87.04999...
    let rounded = (value * 10.0 + 0.5 + 1e-7).floor() / 10.0;
    let text = format!("{rounded:.1}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let (group, mark) = match language {
        Language::Fr => ('\u{202F}', ','),
        Language::En => (',', '.'),
    };
    let mut written = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            written.push(group);
        }
        written.push(digit);
    }
    if least > 0 || fraction != "0" {
        written.push(mark);
        written.push_str(fraction);
    }
    written
}

/// An axis from zero: where its marks are and what they say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) end: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

/// An axis that holds `largest`, with about five round steps.
pub(super) fn axis(largest: f64, unit: Unit, language: Language) -> Axis {
    let floor = match unit {
        Unit::Count => 1.0,
        Unit::Percent if largest > 0.0 => 0.1,
        Unit::Percent => 20.0,
    };
    let step = round_step(largest / 5.0, floor);
    let mut ticks = Vec::new();
    let mut count = 0_u32;
    loop {
        let at = f64::from(count) * step;
        let text = decimal(at, 0, language);
        ticks.push((at, if unit == Unit::Percent { percent(text, language) } else { text }));
        let reached = at >= largest && count > 0;
        let full_scale = unit == Unit::Percent && largest <= 0.0 && at < 100.0;
        if (reached && !full_scale) || count >= 12 {
            return Axis { end: at, ticks };
        }
        count += 1;
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `wanted` and at least `floor`.
fn round_step(wanted: f64, floor: f64) -> f64 {
    let mut power = floor;
    if power >= 20.0 {
        return power;
    }
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if power * factor >= wanted {
                return power * factor;
            }
        }
        power *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(54.0 / 62.0 * 100.0, Unit::Percent, Language::Fr, "87,1\u{202F}%")]
    #[case(54.0 / 62.0 * 100.0, Unit::Percent, Language::En, "87.1%")]
    #[case(100.0, Unit::Percent, Language::Fr, "100,0\u{202F}%")]
    #[case::half_up(6.25, Unit::Percent, Language::En, "6.3%")]
    #[case::half_up_in_binary(87.05, Unit::Percent, Language::En, "87.1%")]
    #[case(56.0, Unit::Count, Language::Fr, "56")]
    #[case(1234.0, Unit::Count, Language::Fr, "1\u{202F}234")]
    #[case(1_234_567.0, Unit::Count, Language::En, "1,234,567")]
    #[case::weighted_count(12.34, Unit::Count, Language::Fr, "12,3")]
    fn numbers_are_written_as_the_language_does(
        #[case] value: f64,
        #[case] unit: Unit,
        #[case] language: Language,
        #[case] expected: &str,
    ) {
        assert_eq!(spoken(value, unit, language), expected);
    }

    #[rstest]
    #[case(0.0, Unit::Count, &["0", "1"])]
    #[case(3.0, Unit::Count, &["0", "1", "2", "3"])]
    #[case(56.0, Unit::Count, &["0", "20", "40", "60"])]
    #[case(87.1, Unit::Percent, &["0%", "20%", "40%", "60%", "80%", "100%"])]
    #[case(0.0, Unit::Percent, &["0%", "20%", "40%", "60%", "80%", "100%"])]
    #[case(0.4, Unit::Percent, &["0%", "0.1%", "0.2%", "0.3%", "0.4%"])]
    fn axes_start_at_zero_and_have_round_steps(#[case] largest: f64, #[case] unit: Unit, #[case] expected: &[&str]) {
        let axis = axis(largest, unit, Language::En);
        assert_eq!(axis.ticks.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), expected);
    }

    proptest! {
        #[test]
        fn an_axis_holds_its_largest_value(largest in 0.0..LARGEST) {
            let axis = axis(largest, Unit::Count, Language::Fr);
            prop_assert!(axis.end >= largest && axis.ticks.len() <= 7);
        }
    }
}
