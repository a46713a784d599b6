//! `[schedule]` of a pipeline: when it runs by itself, and how old what it publishes may become.

use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::compile::Scope;
use crate::diagnostic::Spanned;
use crate::diagnostic::document::Fields;

/// When a pipeline runs by itself.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// Times, in the pipeline's zone; empty for a pipeline that only runs when somebody asks.
    pub crons: Vec<Cron>,
    /// Longest time that a run may wait after it is due, so that pipelines and machines do not all begin at once.
    pub jitter: Duration,
    /// Age of the last success above which the alarm rings.
    pub stale_after: Option<Duration>,
}

/// Reads `[schedule]`.
pub(super) fn schedule(top: &Fields<'_>, scope: &Scope<'_>) -> Schedule {
    let Some(fields) = top.table("schedule") else { return Schedule::default() };
    let texts = fields.texts("cron");
    if texts.is_empty() && fields.get("cron").is_none() {
        fields.missing("cron");
    }
    let crons = texts.iter().filter_map(|text| cron(text, scope)).collect();
    let jitter = duration(&fields, "jitter", scope).unwrap_or_default();
    let stale_after = duration(&fields, "stale_after", scope);
    fields.finish();
    Schedule { crons, jitter, stale_after }
}

/// One cron expression of five fields.
///
/// What names one hour is meant as a time of the day, and is kept over both changes of the clock. Croner does so for one
/// minute and one hour; with lists or steps it takes the same hours as intervals, which the clock skips in spring and
/// repeats in autumn. Those are refused: two expressions say it better.
fn cron(text: &Spanned<String>, scope: &Scope<'_>) -> Option<Cron> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = match parser.parse(&text.value) {
        Ok(cron) => cron,
        Err(error) => {
            scope.problems.push(
                text.problem(
                    "pipeline::cron",
                    format!("`{}` is no cron expression", text.value),
                    error.to_string().trim_end_matches('.').to_lowercase(),
                )
                .help("write minute, hour, day, month and weekday, such as \"30 2 * * *\" for 02:30 every night"),
            );
            return None;
        }
    };
    let mut fields = text.value.split_whitespace();
    let (minute, hour) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    let single = |field: &str| field.chars().all(|digit| digit.is_ascii_digit());
    let every_hour = hour.starts_with('*') || text.value.starts_with('@');
    let one_time = single(minute) && single(hour);
    if !(every_hour || one_time) {
        scope.problems.push(
            text.problem(
                "pipeline::cron",
                "several times of the day in one expression are skipped or run twice when the clock changes",
                "several minutes or hours",
            )
            .help("write one expression for each: cron = [\"30 2 * * *\", \"30 14 * * *\"]"),
        );
        return None;
    }
    Some(cron)
}

/// A length of time, such as `"10 min"`.
pub(super) fn duration(fields: &Fields<'_>, key: &'static str, scope: &Scope<'_>) -> Option<Duration> {
    let text = fields.text(key)?;
    let parsed = parse_duration(&text.value);
    if parsed.is_none() {
        scope.problems.push(
            text.problem("pipeline::duration", format!("`{}` is no length of time", text.value), "unknown")
                .help("write a number and s, min, h or d, such as \"90 s\", \"10 min\", \"36 h\", \"3 d\""),
        );
    }
    parsed
}

fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let seconds = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::seconds("90 s", Some(90))]
    #[case::minutes("10 min", Some(600))]
    #[case::hours("36h", Some(129_600))]
    #[case::days("3 d", Some(259_200))]
    #[case::no_unit("10", None)]
    #[case::other_unit("10 minutes", None)]
    #[case::negative("-1 h", None)]
    #[case::no_number("h", None)]
    #[case::too_much("99999999999999999999 d", None)]
    fn lengths_of_time(#[case] text: &str, #[case] seconds: Option<u64>) {
        assert_eq!(parse_duration(text).map(|duration| duration.as_secs()), seconds);
    }
}
