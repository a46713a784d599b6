//! One turn after the other at each host, however many sources and pipelines ask it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

/// Requests under way at one host at the same time, bodies included.
const AT_ONCE: usize = 2;

/// Of the whole process: that several pipelines ask one host is no reason to ask it more often.
static HOSTS: LazyLock<Mutex<BTreeMap<String, Arc<Host>>>> = LazyLock::new(Mutex::default);

#[derive(Debug)]
struct Host {
    places: Arc<Semaphore>,
    /// When the next request may begin.
    next: tokio::sync::Mutex<Option<Instant>>,
}

/// A place at a host; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _place: Option<OwnedSemaphorePermit>,
}

/// Waits until the host of a URL may be asked: a place is free, and the pause since the last request began is over.
pub(super) async fn turn(url: &Url, pause: Duration) -> Turn {
    let host = host_of(url);
    // Never closed, so that there always is a place.
    let place = Arc::clone(&host.places).acquire_owned().await.ok();
    let mut next = host.next.lock().await;
    if let Some(next) = *next {
        tokio::time::sleep_until(next).await;
    }
    *next = Some(Instant::now() + pause);
    Turn { _place: place }
}

fn host_of(url: &Url) -> Arc<Host> {
    let name = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
    let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
    let host = hosts.entry(name).or_insert_with(|| {
        Arc::new(Host { places: Arc::new(Semaphore::new(AT_ONCE)), next: tokio::sync::Mutex::new(None) })
    });
    Arc::clone(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(3);

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn requests_to_one_host_keep_their_distance_and_others_do_not_wait() {
        let began = Instant::now();
        for at in 0..3_u32 {
            drop(turn(&url("https://wiki-a.example/x"), PAUSE).await);
            assert_eq!(began.elapsed().as_secs(), u64::from(at) * 3);
        }
        drop(turn(&url("https://wiki-b.example/x"), PAUSE).await);
        assert_eq!(began.elapsed().as_secs(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_third_request_waits_until_one_of_two_is_done() {
        let wiki = url("https://wiki-c.example/x");
        let (one, _two) = (turn(&wiki, Duration::ZERO).await, turn(&wiki, Duration::ZERO).await);
        let mut third = Box::pin(turn(&wiki, Duration::ZERO));
        assert!(futures::poll!(&mut third).is_pending());
        drop(one);
        third.await;
    }
}
