//! Settings of a session: the few that are harmless are accepted, every other is refused. None reaches the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion_postgres::pgwire::types::format::FormatOptions;

use super::failure::Failure;

/// Version of `PostgreSQL` whose catalogue is shown. What follows it is for people.
pub(super) const SERVER_VERSION: &str = concat!("15.0 (essaim ", env!("CARGO_PKG_VERSION"), ")");

/// What a setting may be.
#[derive(Clone, Copy)]
enum Rule {
    /// Always this, whatever is asked for is refused.
    Fixed,
    /// One of these; the first is what it becomes.
    OneOf(&'static [&'static str]),
    /// Anything up to 63 characters.
    Label,
    /// A whole number between two.
    Number(i64, i64),
    /// A duration.
    Time,
    /// The name of a time zone: accepted, and times are shown in UTC all the same.
    Zone,
    /// Names of which none changes what a table is called.
    Path,
}

/// A setting: its name as it is shown, its default, what it may be, whether clients are told.
struct Variable(&'static str, &'static str, Rule, bool);

const ON: Rule = Rule::OneOf(&["on", "true", "yes", "1"]);
const SWITCH: Rule = Rule::OneOf(&["off", "on", "false", "true", "0", "1"]);

static VARIABLES: [Variable; 30] = [
    Variable("application_name", "", Rule::Label, true),
    Variable("bytea_output", "hex", Rule::OneOf(&["hex"]), false),
    Variable("client_encoding", "UTF8", Rule::OneOf(&["UTF8", "UTF-8", "unicode"]), true),
    Variable(
        "client_min_messages",
        "notice",
        Rule::OneOf(&["notice", "debug", "log", "warning", "error", "panic", "fatal"]),
        false,
    ),
    Variable("DateStyle", "ISO, MDY", Rule::OneOf(&["ISO, MDY", "ISO", "ISO, DMY", "ISO, YMD", "ISO,MDY"]), true),
    Variable("default_transaction_isolation", "repeatable read", Rule::Label, false),
    Variable("default_transaction_read_only", "on", ON, true),
    Variable("extra_float_digits", "1", Rule::Number(-15, 3), false),
    Variable("idle_in_transaction_session_timeout", "0", Rule::Time, false),
    Variable("idle_session_timeout", "0", Rule::Time, false),
    Variable("in_hot_standby", "off", Rule::Fixed, true),
    Variable("integer_datetimes", "on", Rule::Fixed, true),
    Variable("IntervalStyle", "postgres", Rule::OneOf(&["postgres"]), true),
    Variable("is_superuser", "off", Rule::Fixed, true),
    Variable("jit", "off", SWITCH, false),
    Variable("lc_collate", "C", Rule::Fixed, false),
    Variable("lc_monetary", "C", Rule::Fixed, false),
    Variable("lock_timeout", "0", Rule::Time, false),
    Variable("max_identifier_length", "63", Rule::Fixed, false),
    Variable("row_security", "off", SWITCH, false),
    Variable("search_path", "\"$user\", public", Rule::Path, false),
    Variable("server_encoding", "UTF8", Rule::Fixed, true),
    Variable("server_version", SERVER_VERSION, Rule::Fixed, true),
    Variable("server_version_num", "150000", Rule::Fixed, false),
    Variable("session_authorization", "", Rule::Fixed, true),
    Variable("standard_conforming_strings", "on", ON, true),
    Variable("statement_timeout", "0", Rule::Time, false),
    Variable("TimeZone", "UTC", Rule::Zone, true),
    Variable("transaction_isolation", "repeatable read", Rule::Label, false),
    Variable("transaction_read_only", "on", ON, false),
];

/// What a session has set.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    set: BTreeMap<&'static str, String>,
}

/// What became of a setting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    /// Its name as clients know it.
    pub name: &'static str,
    pub value: String,
    /// Whether clients are told of it.
    pub reported: bool,
    /// Something to know about it.
    pub notice: Option<&'static str>,
}

impl Variables {
    /// Those of a session of a user.
    pub(super) fn of(user: &str) -> Self {
        Self { set: BTreeMap::from([("session_authorization", user.to_owned())]) }
    }

    /// Sets one, or puts it back.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<Changed, Failure> {
        let variable = find(name)?;
        let Variable(name, default, rule, reported) = *variable;
        let value = match value {
            None => None,
            Some(value) => Some(rule.check(name, value.trim())?),
        };
        let notice = (matches!(rule, Rule::Zone) && value.as_deref().is_some_and(|zone| zone != default))
            .then_some("times are shown in UTC");
        match value.filter(|_| notice.is_none()) {
            Some(value) => self.set.insert(name, value),
            None => self.set.remove(name),
        };
        Ok(Changed { name, value: self.value(variable), reported, notice })
    }

    /// Puts all back but who the user is.
    pub(super) fn reset(&mut self) {
        self.set.retain(|name, _| *name == "session_authorization");
    }

    /// The name of a setting as it is shown, and its value.
    pub(super) fn show(&self, name: &str) -> Result<(&'static str, String), Failure> {
        let variable = find(name)?;
        Ok((variable.0, self.value(variable)))
    }

    /// All settings, or those that clients are told of at their start.
    pub(super) fn all(&self, reported_only: bool) -> Vec<(&'static str, String)> {
        let shown = VARIABLES.iter().filter(|Variable(_, _, _, reported)| *reported || !reported_only);
        shown.map(|variable| (variable.0, self.value(variable))).collect()
    }

    /// How long a statement may take by the client's own wish.
    pub(super) fn statement_timeout(&self) -> Option<Duration> {
        let milliseconds = self.set.get("statement_timeout").and_then(|value| milliseconds(value))?;
        (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
    }

    /// How values are written as text.
    pub(super) fn format(&self) -> Arc<FormatOptions> {
        let mut options = FormatOptions::default();
        if let Some(digits) = self.set.get("extra_float_digits").and_then(|digits| digits.parse().ok()) {
            options.extra_float_digits = digits;
        }
        Arc::new(options)
    }

    fn value(&self, variable: &Variable) -> String {
        self.set.get(variable.0).cloned().unwrap_or_else(|| variable.1.to_owned())
    }
}

fn find(name: &str) -> Result<&'static Variable, Failure> {
    let found = VARIABLES.iter().find(|variable| variable.0.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        Failure::new("42704", format!("there is no setting \"{name}\" here"))
            .hint("SHOW ALL lists the settings of a session; none of the engine can be changed")
    })
}

impl Rule {
    /// What the setting becomes.
    fn check(self, name: &str, value: &str) -> Result<String, Failure> {
        let refused = |why: &str| Failure::new("22023", format!("\"{name}\" cannot be \"{value}\": {why}"));
        match self {
            Self::Fixed => Err(Failure::new("55P02", format!("\"{name}\" cannot be changed"))),
            Self::OneOf(values) => match values.iter().find(|known| known.eq_ignore_ascii_case(value)) {
                // Of spellings of one thing the first is kept; of different things the one that was asked for.
                Some(_) if !matches!(name, "client_min_messages" | "jit" | "row_security") => {
                    Ok(values.first().map(|first| (*first).to_owned()).unwrap_or_default())
                }
                Some(known) => Ok((*known).to_owned()),
                None => Err(refused(&format!("it is {}", values.first().copied().unwrap_or_default()))),
            },
            Self::Label => Ok(value.chars().filter(|c| !c.is_control()).take(63).collect()),
            Self::Number(least, most) => match value.parse::<i64>() {
                Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
                _ => Err(refused(&format!("it is a number from {least} to {most}"))),
            },
            Self::Time => match milliseconds(value) {
                Some(milliseconds) => Ok(milliseconds.to_string()),
                None => Err(refused("it is a number of milliseconds, or one with ms, s, min, h or d")),
            },
            Self::Zone => match value.parse::<chrono_tz::Tz>() {
                Ok(chrono_tz::Tz::UTC | chrono_tz::Tz::Etc__UTC | chrono_tz::Tz::GMT) => Ok("UTC".to_owned()),
                Ok(zone) => Ok(zone.name().to_owned()),
                Err(_) => Err(refused("no time zone has this name")),
            },
            Self::Path => {
                let harmless = |part: &str| matches!(part, "" | "$user" | "public" | "pg_catalog");
                if value.split(',').all(|part| harmless(part.trim().trim_matches(['"', '\'']))) {
                    Ok(value.to_owned())
                } else {
                    Err(Failure::new("0A000", "a table is called by the name of its dataset and its own")
                        .hint("write dataset.table, or \"dataset@release\".table for an earlier release"))
                }
            }
        }
    }
}

fn milliseconds(value: &str) -> Option<u64> {
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at_checked(digits)?;
    let factor = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("client_encoding", "utf8", "UTF8")]
    #[case("DATESTYLE", "iso", "ISO, MDY")]
    #[case("application_name", "psql", "psql")]
    #[case("statement_timeout", "2s", "2000")]
    #[case("search_path", "\"$user\", public", "\"$user\", public")]
    #[case("timezone", "Etc/UTC", "UTC")]
    #[case("default_transaction_read_only", "on", "on")]
    #[case("client_min_messages", "warning", "warning")]
    #[case("extra_float_digits", "3", "3")]
    fn harmless_settings_are_accepted(#[case] name: &str, #[case] value: &str, #[case] expected: &str) {
        let mut variables = Variables::of("reader");
        variables.set(name, Some(value)).unwrap();
        assert_eq!(variables.show(name).unwrap().1, expected);
        variables.reset();
        assert_eq!(variables.show(name).unwrap(), Variables::of("reader").show(name).unwrap());
    }

    #[rstest]
    #[case("datafusion.runtime.memory_limit", "1T", "42704")]
    #[case("datafusion.execution.batch_size", "1", "42704")]
    #[case("allow_unsigned_extensions", "true", "42704")]
    #[case("default_transaction_read_only", "off", "22023")]
    #[case("transaction_read_only", "off", "22023")]
    #[case("session_authorization", "postgres", "55P02")]
    #[case("client_encoding", "LATIN1", "22023")]
    #[case("DateStyle", "German", "22023")]
    #[case("search_path", "lieux", "0A000")]
    #[case("statement_timeout", "-1", "22023")]
    #[case("TimeZone", "Mars/Olympus", "22023")]
    fn every_other_is_refused(#[case] name: &str, #[case] value: &str, #[case] code: &str) {
        assert_eq!(Variables::default().set(name, Some(value)).unwrap_err().code, code);
    }

    #[test]
    fn a_time_zone_is_accepted_and_the_client_told_that_times_stay_in_utc() {
        let mut variables = Variables::default();
        let changed = variables.set("timezone", Some("Europe/Paris")).unwrap();
        assert_eq!((changed.value.as_str(), changed.notice), ("UTC", Some("times are shown in UTC")));
    }
}
