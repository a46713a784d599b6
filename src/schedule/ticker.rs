//! The metronome.

use std::time::Duration;

use tokio_cron_scheduler::{Job, JobScheduler};

use super::ScheduleError;

/// Calls `tick` again and again until the scheduler that is given back is shut down.
pub async fn tick_every(
    period: Duration,
    tick: impl Fn() + Send + Sync + 'static,
) -> Result<JobScheduler, ScheduleError> {
    let scheduler = JobScheduler::new().await.map_err(ScheduleError::Ticker)?;
    let job = Job::new_repeated(period, move |_, _| tick());
    scheduler.add(job.map_err(ScheduleError::Ticker)?).await.map_err(ScheduleError::Ticker)?;
    scheduler.start().await.map_err(ScheduleError::Ticker)?;
    Ok(scheduler)
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike as _, TimeDelta, Utc};
    use chrono_tz::Europe::Paris;

    use super::*;
    use crate::schedule::due::next;

    /// When this fails, mvniekerk/tokio-cron-scheduler#107 is mended.
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the library reads the clock, so the test does")]
    async fn a_job_by_the_clock_of_the_library_is_an_hour_off_after_the_clock_changed() {
        let now = Utc::now();
        // A night on the other side of the next change.
        let summer = (4..=9).contains(&now.with_timezone(&Paris).month());
        let month = if summer { 1 } else { 7 };
        let job = Job::new_async_tz(format!("0 30 2 2 {month} *"), Paris, |_, _| Box::pin(async {}));
        let mut job = job.unwrap();
        // Its first time is computed rightly; that it has come, the next ones are computed by the offset of today.
        let mut data = job.job_data().unwrap();
        data.next_tick = u64::try_from(now.timestamp()).unwrap();
        job.set_job_data(data).unwrap();
        let mut scheduler = JobScheduler::new().await.unwrap();
        let id = scheduler.add(job).await.unwrap();
        scheduler.start().await.unwrap();
        let found = loop {
            let at = scheduler.next_tick_for_job(id).await.unwrap();
            if let Some(at) = at.filter(|at| *at > now + TimeDelta::days(1)) {
                break at;
            }
            tokio::task::yield_now().await;
        };
        scheduler.shutdown().await.unwrap();
        let right = next(&[format!("30 2 2 {month} *").parse().unwrap()], Paris, now).unwrap();
        assert_eq!((found - right).abs(), TimeDelta::hours(1), "found {found}, right {right}");
    }

    #[tokio::test]
    async fn it_ticks_until_it_is_shut_down() {
        let (sender, mut ticks) = tokio::sync::mpsc::unbounded_channel();
        let mut scheduler = tick_every(Duration::from_secs(1), move || {
            sender.send(()).ok();
        })
        .await
        .unwrap();
        for _ in 0..2 {
            ticks.recv().await.unwrap();
        }
        scheduler.shutdown().await.unwrap();
    }
}
