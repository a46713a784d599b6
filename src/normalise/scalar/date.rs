//! Calendar dates and times in declared formats, or in ISO 8601.

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{Datelike as _, NaiveDate, NaiveTime, Timelike as _};

use super::Unreadable;

/// Days from the first day of year 1 to 1970-01-01.
const EPOCH: i32 = 719_163;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// A moment of the calendar, without zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    /// Days since 1970-01-01.
    days: i32,
    /// Microseconds since midnight; none when the text gives no time.
    micros: Option<i64>,
}

impl Moment {
    fn new(date: NaiveDate, micros: Option<i64>) -> Option<Self> {
        (1000..=9999).contains(&date.year()).then(|| Self { days: date.num_days_from_ce() - EPOCH, micros })
    }
}

/// One piece of a format whose pieces all have a fixed width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Byte(u8),
}

/// A declared format: a fast reading when its pieces have fixed widths, and the full one.
#[derive(Debug)]
struct Format {
    fixed: Vec<Piece>,
    items: Vec<Item<'static>>,
}

impl Format {
    fn new(format: &str) -> Self {
        let items = StrftimeItems::new(format).parse_to_owned().unwrap_or_default();
        Self { fixed: fixed_pieces(format).unwrap_or_default(), items }
    }

    fn read(&self, text: &[u8]) -> Option<Moment> {
        if !self.fixed.is_empty()
            && let Some((moment, rest)) = read_fixed(&self.fixed, text)
            && rest.is_empty()
        {
            return Some(moment);
        }
        self.read_slowly(std::str::from_utf8(text).ok()?)
    }

    /// Reads what needs all that `strftime` knows: one-digit days, names of months.
    fn read_slowly(&self, text: &str) -> Option<Moment> {
        if self.items.is_empty() {
            return None;
        }
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        let moved = parsed.offset().is_some() || parsed.timestamp().is_some() || parsed.second() == Some(60);
        if moved {
            return None;
        }
        let date = parsed.to_naive_date().ok()?;
        let micros = match parsed.hour_mod_12() {
            Some(_) => Some(micros_of(parsed.to_naive_time().ok()?)),
            None => None,
        };
        Moment::new(date, micros)
    }
}

fn micros_of(time: NaiveTime) -> i64 {
    i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(time.nanosecond() / 1_000)
}

/// The pieces of a format that has fixed widths only.
fn fixed_pieces(format: &str) -> Option<Vec<Piece>> {
    let format = format.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S");
    let mut pieces = Vec::new();
    let mut bytes = format.bytes();
    while let Some(byte) = bytes.next() {
        pieces.push(match byte {
            b'%' => match bytes.next()? {
                b'Y' => Piece::Year,
                b'm' => Piece::Month,
                b'd' => Piece::Day,
                b'H' => Piece::Hour,
                b'M' => Piece::Minute,
                b'S' => Piece::Second,
                _ => return None,
            },
            _ if byte.is_ascii() => Piece::Byte(byte),
            _ => return None,
        });
    }
    Some(pieces)
}

/// Takes `width` digits off the front.
fn digits(text: &[u8], width: usize) -> Option<(u32, &[u8])> {
    let (front, rest) = text.split_at_checked(width)?;
    let value = front.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))?;
    Some((value, rest))
}

/// Reads fixed pieces off the front; gives what follows them.
fn read_fixed<'a>(pieces: &[Piece], mut text: &'a [u8]) -> Option<(Moment, &'a [u8])> {
    let (mut year, mut month, mut day) = (0, 0, 0);
    let (mut hour, mut minute, mut second, mut timed) = (0, 0, 0, false);
    for piece in pieces {
        let (field, width) = match piece {
            Piece::Year => (&mut year, 4),
            Piece::Month => (&mut month, 2),
            Piece::Day => (&mut day, 2),
            Piece::Hour => {
                timed = true;
                (&mut hour, 2)
            }
            Piece::Minute => (&mut minute, 2),
            Piece::Second => (&mut second, 2),
            Piece::Byte(byte) => {
                text = text.split_first().filter(|(first, _)| *first == byte)?.1;
                continue;
            }
        };
        (*field, text) = digits(text, width)?;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let time = NaiveTime::from_hms_opt(hour, minute, second)?;
    Some((Moment::new(date, timed.then(|| micros_of(time)))?, text))
}

/// Reads dates in the formats that a mapping declares; in ISO 8601 when it declares none.
#[derive(Debug)]
pub(in crate::normalise) struct Dates {
    /// Declared formats; ISO 8601 when there is none.
    formats: Vec<Format>,
    iso: [Vec<Piece>; 3],
}

impl Dates {
    /// A reader of `strftime` formats.
    pub(in crate::normalise) fn new(formats: &[String]) -> Self {
        let iso = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"];
        Self {
            formats: formats.iter().map(|format| Format::new(format)).collect(),
            iso: iso.map(|format| fixed_pieces(format).unwrap_or_default()),
        }
    }

    /// Reads a text; one that was written from a date of the source is ISO 8601 whatever was declared.
    fn read(&self, text: &[u8], typed: bool) -> Option<Moment> {
        if !typed && !self.formats.is_empty() {
            return self.formats.iter().find_map(|format| format.read(text));
        }
        let [date, with_t, with_blank] = &self.iso;
        match text.get(10) {
            None => read_fixed(date, text).filter(|(_, rest)| rest.is_empty()).map(|(moment, _)| moment),
            Some(mark) => {
                let pieces = if *mark == b'T' { with_t } else { with_blank };
                let (moment, rest) = read_fixed(pieces, text)?;
                Some(Moment { micros: Some(moment.micros? + fraction(rest)?), ..moment })
            }
        }
    }

    /// Days since 1970-01-01. A text with a time gives its day.
    pub(in crate::normalise) fn date(&self, text: &[u8], typed: bool) -> Result<i32, Unreadable> {
        self.read(text, typed).map(|moment| moment.days).ok_or("date_illisible")
    }

    /// Microseconds since 1970-01-01 in the source's own zone. Only a declared format, or a date of the source, may leave
    /// the time out, which then is midnight.
    pub(in crate::normalise) fn date_time(&self, text: &[u8], typed: bool) -> Result<i64, Unreadable> {
        let moment = self.read(text, typed).ok_or("date_illisible")?;
        let micros = match moment.micros {
            None if self.formats.is_empty() && !typed => return Err("heure_manquante"),
            micros => micros.unwrap_or(0),
        };
        Ok(i64::from(moment.days) * DAY + micros)
    }
}

/// Microseconds of a fraction of a second, `.` and one to nine digits; 0 for nothing.
fn fraction(rest: &[u8]) -> Option<i64> {
    match rest {
        [] => Some(0),
        [b'.', tail @ ..] if (1..=9).contains(&tail.len()) => {
            let (value, _) = digits(tail, tail.len())?;
            Some(i64::from(value) * 10_i64.pow(9 - u32::try_from(tail.len()).ok()?) / 1_000)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn days(year: i32, month: u32, day: u32) -> i32 {
        NaiveDate::from_ymd_opt(year, month, day).unwrap().num_days_from_ce() - EPOCH
    }

    #[rstest]
    #[case::iso(&[], "2026-11-22", Ok(days(2026, 11, 22)))]
    #[case::the_day_of_a_time(&[], "2026-11-22 20:19:12", Ok(days(2026, 11, 22)))]
    #[case::leap_day(&[], "2024-02-29", Ok(days(2024, 2, 29)))]
    #[case::no_such_day(&[], "2023-02-29", Err("date_illisible"))]
    #[case::before_1970(&[], "1901-07-01", Ok(days(1901, 7, 1)))]
    #[case::zero_date(&[], "0000-00-00", Err("date_illisible"))]
    #[case::before_year_1000(&[], "0201-01-01", Err("date_illisible"))]
    #[case::short(&[], "2026-1-2", Err("date_illisible"))]
    #[case::declared(&["%d/%m/%Y"], "01/02/2024", Ok(days(2024, 2, 1)))]
    #[case::declared_with_single_digits(&["%d/%m/%Y"], "1/2/2024", Ok(days(2024, 2, 1)))]
    #[case::months_are_not_days(&["%d/%m/%Y"], "02/13/2024", Err("date_illisible"))]
    #[case::iso_is_not_read_when_another_format_is_declared(&["%d/%m/%Y"], "2024-02-01", Err("date_illisible"))]
    #[case::second_format(&["%Y-%m-%d", "%d/%m/%Y"], "01/02/2024", Ok(days(2024, 2, 1)))]
    #[case::name_of_a_month(&["%d %b %Y"], "01 Feb 2024", Ok(days(2024, 2, 1)))]
    #[case::five_digit_years(&["%d/%m/%Y"], "01/02/20244", Err("date_illisible"))]
    #[case::something_after(&["%d/%m/%Y"], "01/02/2024 x", Err("date_illisible"))]
    #[case::unreadable_format(&["%Q"], "2024", Err("date_illisible"))]
    fn dates_are_real_ones(#[case] formats: &[&str], #[case] text: &str, #[case] value: Result<i32, &str>) {
        let formats: Vec<String> = formats.iter().map(|format| (*format).to_owned()).collect();
        assert_eq!(Dates::new(&formats).date(text.as_bytes(), false), value);
    }

    #[rstest]
    #[case::blank(&[], "1970-01-02 00:00:01", Ok(DAY + 1_000_000))]
    #[case::t(&[], "1970-01-02T00:00:01", Ok(DAY + 1_000_000))]
    #[case::fraction(&[], "1970-01-02T00:00:01.25", Ok(DAY + 1_250_000))]
    #[case::before_1970(&[], "1969-12-31 23:59:59", Ok(-1_000_000))]
    #[case::no_such_hour(&[], "1970-01-02 24:00:00", Err("date_illisible"))]
    #[case::leap_second(&[], "1970-01-01 23:59:60", Err("date_illisible"))]
    #[case::a_zone_is_not_guessed(&[], "1970-01-02T00:00:01Z", Err("date_illisible"))]
    #[case::no_time(&[], "1970-01-02", Err("heure_manquante"))]
    #[case::declared_without_time(&["%d/%m/%Y"], "02/01/1970", Ok(DAY))]
    #[case::declared(&["%d/%m/%Y %H:%M:%S"], "02/01/1970 00:00:01", Ok(DAY + 1_000_000))]
    #[case::declared_without_seconds(&["%d/%m/%Y - %H:%M"], "02/01/1970 - 00:01", Ok(DAY + 60_000_000))]
    #[case::a_declared_zone_has_no_meaning_here(&["%Y-%m-%dT%H:%M:%S%z"], "1970-01-02T00:00:01+0200", Err("date_illisible"))]
    fn times_are_of_the_sources_own_zone(
        #[case] formats: &[&str],
        #[case] text: &str,
        #[case] value: Result<i64, &str>,
    ) {
        let formats: Vec<String> = formats.iter().map(|format| (*format).to_owned()).collect();
        assert_eq!(Dates::new(&formats).date_time(text.as_bytes(), false), value);
    }

    proptest! {
        #[test]
        fn every_day_reads_back(day in -354_285_i32..2_932_897) {
            let date = NaiveDate::from_num_days_from_ce_opt(day + EPOCH).unwrap();
            prop_assert_eq!(Dates::new(&[]).date(date.format("%Y-%m-%d").to_string().as_bytes(), false), Ok(day));
            let french = Dates::new(&["%d/%m/%Y".to_owned()]);
            prop_assert_eq!(french.date(date.format("%d/%m/%Y").to_string().as_bytes(), false), Ok(day));
        }

        #[test]
        fn no_bytes_and_no_format_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40), format in "(%[a-zA-Z]|.){0,6}") {
            for dates in [Dates::new(&[]), Dates::new(&[format])] {
                prop_assert!(dates.date_time(&bytes, false).is_err() || dates.date(&bytes, false).is_ok());
            }
        }
    }
}
