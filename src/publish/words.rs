//! How pages say numbers, sizes, times and causes, in either language.

/// A language of the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// The language of the data and of the pages at the top.
    French,
    /// The language of the pages in `en/`.
    English,
}

impl Language {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::French, Self::English];

    /// The tag for `lang`.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::French => "fr",
            Self::English => "en",
        }
    }

    /// The page of that language in a folder.
    pub(super) fn page(self) -> &'static str {
        match self {
            Self::French => "index.html",
            Self::English => "en/index.html",
        }
    }

    /// What is said in this language: French first, English second.
    pub(super) fn of(self, [french, english]: [&str; 2]) -> &str {
        match self {
            Self::French => french,
            Self::English => english,
        }
    }

    /// From a page of that language back to its folder.
    pub(super) fn up(self) -> &'static str {
        match self {
            Self::French => "",
            Self::English => "../",
        }
    }
}

/// A whole number with its thousands apart. What is no number stays as it is.
pub(super) fn number(language: Language, text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_owned();
    }
    let gap = match language {
        Language::French => '\u{202F}',
        Language::English => ',',
    };
    let mut written = if digits.len() < text.len() { "−".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push(gap);
        }
        written.push(digit);
    }
    written
}

/// A whole number as French writes it.
pub(super) fn whole(count: u64) -> String {
    number(Language::French, &count.to_string())
}

/// A size in powers of 1000, with one decimal, rounded half up.
pub(super) fn size(language: Language, bytes: u64) -> String {
    let (units, point) = match language {
        Language::French => (["Go", "Mo", "ko", "o"], ','),
        Language::English => (["GB", "MB", "kB", "B"], '.'),
    };
    let [giga, mega, kilo, one] = units;
    let wide = u128::from(bytes);
    for (unit, name) in [(1_000_000_000_u128, giga), (1_000_000, mega), (1_000, kilo)] {
        let tenths = (wide * 10 + unit / 2) / unit;
        if tenths >= 10 && wide >= 1000 {
            let whole = number(language, &(tenths / 10).to_string());
            return format!("{whole}{point}{}\u{A0}{name}", tenths % 10);
        }
    }
    format!("{bytes}\u{A0}{one}")
}

/// A percentage.
pub(super) fn percent(language: Language, text: &str) -> String {
    match language {
        Language::French => format!("{text}\u{A0}%"),
        Language::English => format!("{text}%"),
    }
}

/// A share between 0 and 1 as a whole percentage, rounded half up; none for what is no share.
pub(super) fn share(text: &str) -> Option<String> {
    let share: f64 = text.parse().ok()?;
    // A share such as 0.645 has no exact double: a hair is added so that halves go up as they do in the figures.
    (0.0..=1.0).contains(&share).then(|| format!("{:.0}", (share * 100.0 + 0.5 + 1e-9).floor()))
}

const MONTHS: [[&str; 2]; 12] = [
    ["janvier", "January"],
    ["février", "February"],
    ["mars", "March"],
    ["avril", "April"],
    ["mai", "May"],
    ["juin", "June"],
    ["juillet", "July"],
    ["août", "August"],
    ["septembre", "September"],
    ["octobre", "October"],
    ["novembre", "November"],
    ["décembre", "December"],
];

/// The day of a time in RFC 3339, in words. What is no such time stays as it is.
pub(super) fn day(language: Language, time: &str) -> String {
    let date = time.split('T').next().unwrap_or(time);
    let mut parts = date.splitn(3, '-').map(str::parse::<usize>);
    let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) = (parts.next(), parts.next(), parts.next()) else {
        return time.to_owned();
    };
    let Some(month) = month.checked_sub(1).and_then(|month| MONTHS.get(month)) else { return time.to_owned() };
    let first = if day == 1 && language == Language::French { "er" } else { "" };
    format!("{day}{first}\u{A0}{}\u{A0}{year}", language.of(*month))
}

/// A time in RFC 3339, UTC, to the minute.
pub(super) fn minute(language: Language, time: &str) -> String {
    let Some((_, rest)) = time.split_once('T') else { return time.to_owned() };
    let clock: Vec<&str> = rest.split(':').take(2).collect();
    let [hour, minute] = clock.as_slice() else { return time.to_owned() };
    let day = day(language, time);
    match language {
        Language::French => format!("{day} à {hour}\u{A0}h\u{A0}{minute} UTC"),
        Language::English => format!("{day}, {hour}:{minute} UTC"),
    }
}

/// A text cut where it is too long for a cell.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The name of a cause of changes in words, of which `word` gives those of each part: `project_or_source` is "projet ou
/// source". What a word says in brackets is left out.
pub(super) fn cause(language: Language, name: &str, word: impl Fn(&str) -> &'static str) -> String {
    let (or, and) = (language.of([" ou ", " or "]), language.of([" et ", " and "]));
    let short = |cause: &str| word(cause).split(" (").next().unwrap_or_default();
    let step = |step: &str| step.split("_or_").map(short).collect::<Vec<_>>().join(or);
    name.split("_and_").map(step).collect::<Vec<_>>().join(and)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::small("62", "62", "62")]
    #[case::thousands("34969", "34\u{202F}969", "34,969")]
    #[case::negative("-1000", "−1\u{202F}000", "−1,000")]
    #[case::decimal("0.25", "0.25", "0.25")]
    #[case::nothing("", "", "")]
    fn numbers_are_said_as_each_language_does(#[case] text: &str, #[case] french: &str, #[case] english: &str) {
        assert_eq!(number(Language::French, text), french);
        assert_eq!(number(Language::English, text), english);
    }

    #[rstest]
    #[case::bytes(999, "999\u{A0}o", "999\u{A0}B")]
    #[case::kilo(19_610, "19,6\u{A0}ko", "19.6\u{A0}kB")]
    #[case::next_unit(999_950, "1,0\u{A0}Mo", "1.0\u{A0}MB")]
    fn sizes_have_one_decimal(#[case] bytes: u64, #[case] french: &str, #[case] english: &str) {
        assert_eq!(size(Language::French, bytes), french);
        assert_eq!(size(Language::English, bytes), english);
    }

    #[rstest]
    #[case("0.9032258064516129", Some("90"))]
    #[case("0.645", Some("65"))]
    #[case("1", Some("100"))]
    #[case("0", Some("0"))]
    #[case("", None)]
    #[case("1.5", None)]
    fn shares_are_rounded_half_up(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(share(text).as_deref(), expected);
    }

    #[test]
    fn times_are_said_in_words_to_the_minute() {
        let spaced = |text: String| text.replace('\u{A0}', " ");
        let time = "2026-12-01T00:09:25Z";
        assert_eq!(spaced(minute(Language::French, time)), "1er décembre 2026 à 00 h 09 UTC");
        assert_eq!(spaced(minute(Language::English, time)), "1 December 2026, 00:09 UTC");
        assert_eq!(spaced(day(Language::French, "2026-08-22T00:09:25Z")), "22 août 2026");
        assert_eq!(minute(Language::French, "hier"), "hier");
        assert_eq!(day(Language::English, "2026-13-01"), "2026-13-01");
    }
}
