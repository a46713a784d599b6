//! Confidence intervals of shares.

/// Standard normal quantile of a two-sided 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's score interval of the share `n / base` at 95 %, with finite-population correction.
///
/// The correction replaces the base by the effective size `base (N - 1) / (N - base)`: for a census (`base = N`) the
/// interval is the share itself.
///
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
/// American Statistical Association 22 (1927), 209-212; effective size as in W. G. Cochran, "Sampling Techniques"
/// (1977), section 2.
#[expect(clippy::cast_precision_loss, reason = "respondents are far fewer than 2^52")]
pub(super) fn wilson(n: u64, base: u64, population: u64) -> Option<(f64, f64)> {
    if base == 0 || n > base || population < base {
        return None;
    }
    let share = n as f64 / base as f64;
    if population == base {
        return Some((share, share));
    }
    let size = base as f64 * (population as f64 - 1.0) / (population - base) as f64;
    let z2 = Z * Z;
    let centre = (share + z2 / (2.0 * size)) / (1.0 + z2 / size);
    let half = Z / (1.0 + z2 / size) * (share * (1.0 - share) / size + z2 / (4.0 * size * size)).sqrt();
    Some(((centre - half).max(0.0), (centre + half).min(1.0)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    // Expected values: worked by hand from the formula in Wilson's article, section 4.
    #[rstest]
    #[case::infinite(40, 62, 1_000_000_000_000, 0.520_9, 0.752_8)]
    #[case::none(0, 62, 1_000_000_000_000, 0.0, 0.058_3)]
    #[case::census(40, 62, 62, 0.645_161, 0.645_161)]
    fn intervals_are_wilsons(
        #[case] n: u64,
        #[case] base: u64,
        #[case] population: u64,
        #[case] low: f64,
        #[case] high: f64,
    ) {
        let (a, b) = wilson(n, base, population).unwrap();
        assert!((a - low).abs() < 1e-3 && (b - high).abs() < 1e-3, "{a} {b}");
    }

    #[test]
    fn a_finite_population_narrows_the_interval() {
        let wide = wilson(40, 62, 1_000_000).unwrap();
        let narrow = wilson(40, 62, 100).unwrap();
        assert!(narrow.0 > wide.0 && narrow.1 < wide.1);
    }

    #[test]
    fn no_base_gives_no_interval() {
        assert_eq!(wilson(0, 0, 10), None);
    }
}
