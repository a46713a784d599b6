//! `format = "…"`: whether a date can be read by it.

use chrono::format::{Fixed, Item, Numeric, Parsed, StrftimeItems, parse};
use chrono::{NaiveDate, NaiveDateTime};

use crate::contract::{Column, Kind};
use crate::diagnostic::{Problems, Spanned};

/// Reports what is wrong with a format: the first thing only, since the others follow from it.
pub(super) fn check_format(format: &Spanned<String>, column: &Column, problems: &Problems) {
    let items = || StrftimeItems::new(&format.value);
    let problem = if !column.may_be(&[Kind::Date, Kind::DateTime]) {
        format
            .problem("pipeline::type_mismatch", "only dates have a format", "this column is not a date")
            .help("remove `format`, or declare the column `date` in its contract")
    } else if items().any(|item| matches!(item, Item::Error)) {
        format
            .problem("pipeline::bad_format", "the date format cannot be read", "here")
            .help("%Y year, %m month, %d day, %H:%M:%S time: %d/%m/%Y")
    } else if items().any(|item| has_zone(&item)) {
        format
            .problem("pipeline::bad_format", "a date of a table has no zone", "a zone or a timestamp")
            .help("leave the zone out of the format: times are those of the pipeline's time zone")
    } else if !gives_a_day(&format.value) {
        format
            .problem("pipeline::bad_format", "no date can be read by this format", "it does not tell a day")
            .help("year, month and day are needed: %d/%m/%Y; keep a year alone as `integer`, a month as `string`")
    } else {
        return;
    };
    problems.push(problem);
}

fn has_zone(item: &Item<'_>) -> bool {
    matches!(
        item,
        Item::Fixed(
            Fixed::TimezoneName
                | Fixed::TimezoneOffset
                | Fixed::TimezoneOffsetColon
                | Fixed::TimezoneOffsetColonZ
                | Fixed::TimezoneOffsetZ
                | Fixed::RFC2822
                | Fixed::RFC3339,
        ) | Item::Numeric(Numeric::Timestamp, _)
    )
}

/// Whether the day of a moment comes back from its own text. The moment has no part that another one could stand for.
fn gives_a_day(format: &str) -> bool {
    let Some(moment) = NaiveDate::from_ymd_opt(2023, 10, 27).and_then(|day| day.and_hms_opt(16, 38, 49)) else {
        return false;
    };
    read_back(moment, format) == Some(moment.date())
}

fn read_back(moment: NaiveDateTime, format: &str) -> Option<NaiveDate> {
    let text = moment.format(format).to_string();
    let mut parsed = Parsed::new();
    parse(&mut parsed, &text, StrftimeItems::new(format)).ok()?;
    parsed.to_naive_date().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::french("%d/%m/%Y", true)]
    #[case::one_digit("%-d/%-m/%y", true)]
    #[case::with_time("%Y-%m-%d %H:%M", true)]
    #[case::twelve_hours("%d.%m.%Y %I:%M %p", true)]
    #[case::names("%A %d %B %Y", true)]
    #[case::short("%F", true)]
    #[case::day_of_the_year("%Y-%j", true)]
    #[case::iso_week("%G-W%V-%u", true)]
    #[case::no_year("%d/%m", false)]
    #[case::no_day("%m/%Y", false)]
    #[case::a_year("%Y", false)]
    #[case::a_time("%H:%M:%S", false)]
    #[case::a_century("%d/%m/%C", false)]
    #[case::text("le jour", false)]
    #[case::digits_that_run_together("%d%m%-Y%H%M", true)]
    fn a_format_tells_a_day_or_not(#[case] format: &str, #[case] tells: bool) {
        assert_eq!(gives_a_day(format), tells);
    }
}
