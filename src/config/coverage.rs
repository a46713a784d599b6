//! What a dataset is about, for those who search: data themes of the European list, and the time that the data speak of.

use chrono::NaiveDate;

use crate::diagnostic::document::Fields;
use crate::diagnostic::{Problems, Spanned};

/// A data theme of the European Union's list, by which DCAT catalogues are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Its code.
    pub code: &'static str,
    /// Its name in French.
    pub name: &'static str,
}

/// The time that data speak of; one of its ends may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// First day.
    pub from: Option<NaiveDate>,
    /// Last day.
    pub to: Option<NaiveDate>,
}

const fn theme(code: &'static str, name: &'static str) -> Theme {
    Theme { code, name }
}

/// <http://publications.europa.eu/resource/authority/data-theme>, without its term for provisional data.
const THEMES: [Theme; 13] = [
    theme("AGRI", "Agriculture, pêche, sylviculture et alimentation"),
    theme("ECON", "Économie et finances"),
    theme("EDUC", "Éducation, culture et sport"),
    theme("ENER", "Énergie"),
    theme("ENVI", "Environnement"),
    theme("GOVE", "Gouvernement et secteur public"),
    theme("HEAL", "Santé"),
    theme("INTR", "Questions internationales"),
    theme("JUST", "Justice, système juridique et sécurité publique"),
    theme("REGI", "Régions et villes"),
    theme("SOCI", "Population et société"),
    theme("TECH", "Science et technologie"),
    theme("TRAN", "Transports"),
];

/// Reads `themes`.
pub(super) fn themes(top: &Fields<'_>, problems: &Problems) -> Vec<Theme> {
    let mut themes: Vec<Theme> = Vec::new();
    for text in top.texts("themes") {
        match THEMES.iter().find(|theme| theme.code == text.value) {
            Some(theme) if themes.contains(theme) => problems.push(
                text.problem("pipeline::theme", format!("the theme `{}` stands twice", theme.code), "the second time")
                    .help("remove one of the two"),
            ),
            Some(theme) => themes.push(*theme),
            None => problems.push(
                text.problem(
                    "pipeline::theme",
                    format!("`{}` is no data theme of the European Union", text.value),
                    "unknown",
                )
                .suggest(&text.value, THEMES.iter().map(|theme| theme.code)),
            ),
        }
    }
    themes
}

/// Reads `period`.
pub(super) fn period(top: &Fields<'_>, problems: &Problems) -> Option<Period> {
    let fields = top.table("period")?;
    let (from, to) = (fields.text("from"), fields.text("to"));
    if from.is_none() && to.is_none() {
        fields.missing("from");
    }
    fields.finish();
    let period = Period {
        from: from.as_ref().and_then(|text| day(text, problems)),
        to: to.as_ref().and_then(|text| day(text, problems)),
    };
    if let (Period { from: Some(first), to: Some(last) }, Some(place)) = (period, to)
        && last < first
    {
        problems.push(
            place
                .problem("pipeline::period", format!("{last} is before {first}"), "the period ends before it begins")
                .help("write the first day as `from` and the last one as `to`"),
        );
    }
    Some(period)
}

fn day(text: &Spanned<String>, problems: &Problems) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(&text.value, "%Y-%m-%d").ok();
    // One spelling only: `2026-1-5` is a day for the parser, too.
    let day = day.filter(|day| day.to_string() == text.value);
    if day.is_none() {
        problems.push(
            text.problem("pipeline::period", format!("`{}` is no day", text.value), "unknown")
                .help("write year, month and day, such as \"2026-11-22\""),
        );
    }
    day
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::diagnostic::SourceFile;
    use crate::diagnostic::document::parse_toml;

    fn read(text: &str) -> (Vec<Theme>, Option<Period>, Vec<&'static str>) {
        let problems = Problems::default();
        let file = SourceFile::new("pipelines/lieux.toml", text);
        let root = parse_toml(&file, &problems);
        let top = root.fields(&problems).unwrap();
        let (themes, period) = (themes(&top, &problems), period(&top, &problems));
        top.finish();
        (themes, period, problems.into_sorted().iter().map(|problem| problem.code).collect())
    }

    #[test]
    fn themes_and_a_period_are_read_as_they_are_typed() {
        let (themes, period, problems) =
            read("themes = [\"SOCI\", \"REGI\"]\nperiod = { from = \"2026-01-05\", to = \"2026-10-31\" }\n");
        assert_eq!(themes.iter().map(|theme| theme.code).collect::<Vec<_>>(), ["SOCI", "REGI"]);
        let day = |month, day| NaiveDate::from_ymd_opt(2026, month, day);
        assert_eq!(period, Some(Period { from: day(1, 5), to: day(10, 31) }));
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[rstest]
    #[case::nothing("", &[])]
    #[case::open_end("period = { from = \"2026-01-05\" }", &[])]
    #[case::one_day("period = { from = \"2026-01-05\", to = \"2026-01-05\" }", &[])]
    #[case::unknown_theme("themes = [\"SOCIETY\"]", &["pipeline::theme"])]
    #[case::theme_twice("themes = [\"SOCI\", \"SOCI\"]", &["pipeline::theme"])]
    #[case::backwards("period = { from = \"2026-02-01\", to = \"2026-01-31\" }", &["pipeline::period"])]
    #[case::no_day("period = { from = \"2026-02-30\" }", &["pipeline::period"])]
    #[case::other_spelling("period = { from = \"2026-2-3\" }", &["pipeline::period"])]
    #[case::without_ends("period = {}", &["file::missing_key"])]
    #[case::unknown_key("period = { from = \"2026-01-05\", until = \"2026-02-01\" }", &["file::unknown_key"])]
    fn mistakes_are_named(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(read(text).2, expected);
    }
}
