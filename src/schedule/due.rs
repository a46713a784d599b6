//! When a pipeline is due: a function of its expressions, its zone, what was done and the time, and of nothing else.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;

use crate::id::{DatasetId, Digest};

/// The slot that is due: the latest one after `done` that `now` has reached. Several missed slots are caught up once.
///
/// A time of the day that the clock skips in spring is due at the first moment after the gap; one that it shows twice in
/// autumn is due the first time.
pub fn due(crons: &[Cron], zone: Tz, done: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    crons.iter().filter_map(|cron| latest(cron, zone, done, now)).max()
}

fn latest(cron: &Cron, zone: Tz, done: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut last = None;
    let mut after = done;
    while let Some(slot) = following(cron, zone, after).filter(|slot| *slot <= now) {
        last = Some(slot);
        after = slot;
    }
    last
}

/// The first slot after a time.
pub fn next(crons: &[Cron], zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    crons.iter().filter_map(|cron| following(cron, zone, after)).min()
}

fn following(cron: &Cron, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // An expression that never comes true, such as 30 February, has no next time.
    let slot = cron.find_next_occurrence(&after.with_timezone(&zone), false).ok()?;
    Some(slot.with_timezone(&Utc)).filter(|slot| *slot > after)
}

/// How long after its slot a dataset begins: the same on every machine, other for every dataset and slot.
pub fn delay(dataset: &DatasetId, slot: DateTime<Utc>, jitter: Duration) -> Duration {
    let digest = Digest::of(format!("{dataset} {}", slot.timestamp()).as_bytes()).to_string();
    let head = digest.get(..8).and_then(|head| u32::from_str_radix(head, 16).ok()).unwrap_or_default();
    jitter.mul_f64(f64::from(head) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::{NaiveDate, TimeDelta, Timelike as _};
    use chrono_tz::Europe::Paris;

    use super::*;

    fn crons(expressions: &[&str]) -> Vec<Cron> {
        expressions.iter().map(|expression| expression.parse().unwrap()).collect()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// What a machine that asks every 30 s fires in a time, as pairs of slot and moment.
    fn fired(expressions: &[&str], from: &str, until: &str) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let (crons, mut now, until) = (crons(expressions), utc(from), utc(until));
        let mut done = now;
        let mut fired = Vec::new();
        while now < until {
            if let Some(slot) = due(&crons, Paris, done, now) {
                fired.push((slot, now));
                done = slot;
            }
            now += TimeDelta::seconds(30);
        }
        fired
    }

    #[test]
    fn a_year_of_half_past_two_in_paris_fires_once_a_night_across_both_changes() {
        let fired = fired(&["30 2 * * *"], "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        assert_eq!(fired.len(), 365);
        let local: Vec<_> = fired.iter().map(|(slot, _)| slot.with_timezone(&Paris)).collect();
        let days: BTreeSet<NaiveDate> = local.iter().map(DateTime::date_naive).collect();
        assert_eq!(days.len(), 365, "every night has its run");
        assert!(fired.iter().all(|(slot, moment)| *moment - *slot < TimeDelta::seconds(30)), "none waits");
        let spring = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap();
        for at in &local {
            let hour = if at.date_naive() == spring { (3, 0) } else { (2, 30) };
            assert_eq!((at.hour(), at.minute()), hour, "{at}");
        }
        // 02:30 of summer time, the first of the two.
        assert!(fired.iter().any(|(slot, _)| *slot == utc("2026-10-25T00:30:00Z")));
        assert!(!fired.iter().any(|(slot, _)| *slot == utc("2026-10-25T01:30:00Z")));
        assert!(fired.iter().any(|(slot, _)| *slot == utc("2026-03-29T01:00:00Z")));
    }

    #[test]
    fn after_three_days_asleep_there_is_one_catch_up_and_then_the_next_night() {
        let crons = crons(&["30 2 * * *"]);
        let (done, woken) = (utc("2026-11-20T01:30:00Z"), utc("2026-11-23T09:12:00Z"));
        let slot = due(&crons, Paris, done, woken).unwrap();
        assert_eq!(slot, utc("2026-11-23T01:30:00Z"));
        assert_eq!(due(&crons, Paris, slot, woken), None);
        assert_eq!(next(&crons, Paris, slot), Some(utc("2026-11-24T01:30:00Z")));
    }

    #[test]
    fn several_expressions_are_one_schedule() {
        let fired = fired(&["30 2 * * *", "0 14 * * 1"], "2026-11-22T12:00:00Z", "2026-11-24T12:00:00Z");
        let slots: Vec<_> = fired.iter().map(|(slot, _)| *slot).collect();
        let expected = ["2026-11-23T01:30:00Z", "2026-11-23T13:00:00Z", "2026-11-24T01:30:00Z"];
        assert_eq!(slots, expected.map(utc));
    }

    #[test]
    fn a_clock_that_goes_back_fires_nothing_twice() {
        let crons = crons(&["30 2 * * *"]);
        let done = utc("2026-11-23T01:30:00Z");
        assert_eq!(due(&crons, Paris, done, utc("2026-11-23T01:29:00Z")), None);
        assert_eq!(due(&crons, Paris, done, utc("2026-11-23T01:31:00Z")), None);
    }

    #[test]
    fn a_day_that_never_comes_is_never_due() {
        let crons = crons(&["30 2 30 2 *"]);
        assert_eq!(due(&crons, Paris, utc("2026-01-01T00:00:00Z"), utc("2027-01-01T00:00:00Z")), None);
        assert_eq!(next(&crons, Paris, utc("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn the_delay_is_the_same_everywhere_and_within_the_jitter() {
        let (dataset, other) = ("lieux".parse().unwrap(), "reponses".parse().unwrap());
        let (slot, jitter) = (utc("2026-11-23T01:30:00Z"), Duration::from_mins(10));
        assert_eq!(delay(&dataset, slot, jitter), delay(&dataset, slot, jitter));
        assert_ne!(delay(&dataset, slot, jitter), delay(&other, slot, jitter));
        let nights = (0..200).map(|night| delay(&dataset, slot + TimeDelta::days(night), jitter));
        let nights: Vec<Duration> = nights.collect();
        assert!(nights.iter().all(|delay| *delay <= jitter));
        assert!(nights.iter().any(|delay| *delay > jitter / 2) && nights.iter().any(|delay| *delay < jitter / 2));
        assert_eq!(delay(&dataset, slot, Duration::ZERO), Duration::ZERO);
    }
}
