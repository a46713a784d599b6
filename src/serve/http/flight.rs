//! Work that several ask for at the same time, done once for all of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OnceCell;

/// Where the outcome is put.
type Flight<T> = OnceCell<Arc<T>>;

/// What is under way, by key.
pub(super) struct Flights<T>(Mutex<HashMap<String, Weak<Flight<T>>>>);

impl<T> fmt::Debug for Flights<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flights")
    }
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Send + Sync> Flights<T> {
    /// Waits for what somebody else has begun under that key, or begins it. When it fails, or whoever began it leaves, the
    /// next who waits begins it again.
    pub(super) async fn join<E, F>(&self, key: &str, begin: impl FnOnce() -> F + Send) -> Result<Arc<T>, E>
    where
        E: Send,
        F: Future<Output = Result<T, E>> + Send,
    {
        let flight = self.of(key);
        let done = flight.get_or_try_init(|| async { begin().await.map(Arc::new) }).await?;
        Ok(Arc::clone(done))
    }

    fn of(&self, key: &str) -> Arc<Flight<T>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(key).and_then(Weak::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::new(OnceCell::new());
        flights.insert(key.to_owned(), Arc::downgrade(&flight));
        flight
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_who_ask_for_the_same_at_once_have_it_done_once() {
        let (flights, begun) = (Flights::<usize>::default(), AtomicUsize::new(0));
        let one = || {
            flights.join("rows", || async {
                tokio::task::yield_now().await;
                Ok::<usize, ()>(begun.fetch_add(1, Ordering::Relaxed))
            })
        };
        let all = futures::future::join_all((0..64).map(|_| one())).await;
        assert!(all.iter().all(|done| done.as_deref() == Ok(&0)));
        assert_eq!(begun.load(Ordering::Relaxed), 1);
        assert_eq!(one().await.as_deref(), Ok(&1), "what is done is not kept here");
    }

    #[tokio::test]
    async fn a_failure_is_of_who_began_and_the_next_one_tries() {
        let flights = Flights::<u8>::default();
        let (failed, done) = tokio::join!(
            flights.join("rows", || async { Err::<u8, &str>("busy") }),
            flights.join("rows", || async { Ok::<u8, &str>(1) })
        );
        assert_eq!((failed.unwrap_err(), *done.unwrap()), ("busy", 1));
    }
}
