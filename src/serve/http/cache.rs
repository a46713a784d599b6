//! Small files in memory, within a bound: what is asked for often costs no store a request.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// What is kept, with the bytes that it takes.
struct Kept<T> {
    value: Arc<T>,
    bytes: AtomicUsize,
    used: AtomicU64,
}

/// Values by key, the least recently used of which leave when they take too many bytes together.
pub(super) struct Cache<T> {
    kept: RwLock<HashMap<String, Kept<T>>>,
    bytes: AtomicUsize,
    most: usize,
    clock: AtomicU64,
}

impl<T> fmt::Debug for Cache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("bytes", &self.bytes).field("most", &self.most).finish_non_exhaustive()
    }
}

/// What an entry takes beside its own bytes, about.
const OVERHEAD: usize = 2048;

impl<T> Cache<T> {
    /// An empty cache that may take so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { kept: RwLock::default(), bytes: AtomicUsize::new(0), most, clock: AtomicU64::new(0) }
    }

    /// What is kept under a key.
    pub(super) fn get(&self, key: &str) -> Option<Arc<T>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(key)?;
        found.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(Arc::clone(&found.value))
    }

    /// Keeps a value that takes so many bytes, in place of the one under its key.
    pub(super) fn put(&self, key: &str, value: &Arc<T>, bytes: usize) {
        let bytes = bytes + OVERHEAD + key.len();
        if bytes > self.most {
            return;
        }
        let used = AtomicU64::new(self.clock.fetch_add(1, Ordering::Relaxed));
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let new = Kept { value: Arc::clone(value), bytes: AtomicUsize::new(bytes), used };
        let old = kept.insert(key.to_owned(), new).map_or(0, |old| old.bytes.into_inner());
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_sub(old, Ordering::Relaxed);
        self.make_room(&mut kept);
    }

    /// A value that is kept takes more bytes than before.
    pub(super) fn grew(&self, key: &str, bytes: usize) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = kept.get(key) else { return };
        found.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.make_room(&mut kept);
    }

    fn make_room(&self, kept: &mut HashMap<String, Kept<T>>) {
        if self.bytes.load(Ordering::Relaxed) <= self.most {
            return;
        }
        let mut by_use: Vec<(u64, String)> =
            kept.iter().map(|(key, kept)| (kept.used.load(Ordering::Relaxed), key.clone())).collect();
        by_use.sort_unstable();
        // An eighth at once, so that the next ones find room without looking.
        let enough = self.most - self.most / 8;
        for (_, key) in by_use {
            if self.bytes.load(Ordering::Relaxed) <= enough {
                return;
            }
            if let Some(gone) = kept.remove(&key) {
                self.bytes.fetch_sub(gone.bytes.into_inner(), Ordering::Relaxed);
            }
        }
    }

    /// Bytes that are taken.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_leaves_first_and_the_bound_holds() {
        let cache = Cache::new(10 * (OVERHEAD + 1000));
        for at in 0..100 {
            cache.put(&format!("{at}"), &Arc::new(at), 900);
            cache.get("0");
            assert!(cache.bytes() <= 10 * (OVERHEAD + 1000), "{}", cache.bytes());
        }
        assert_eq!(cache.get("0").as_deref(), Some(&0), "it is asked for again and again");
        assert_eq!(cache.get("99").as_deref(), Some(&99));
        assert_eq!(cache.get("50"), None);
    }

    #[test]
    fn a_value_in_place_of_another_counts_once_and_one_that_grows_counts_more() {
        let cache = Cache::new(1 << 20);
        cache.put("a", &Arc::new(1), 1000);
        let bytes = cache.bytes();
        cache.put("a", &Arc::new(2), 1000);
        assert_eq!((cache.get("a").as_deref(), cache.bytes()), (Some(&2), bytes));
        cache.grew("a", 500);
        assert_eq!(cache.bytes(), bytes + 500);
        cache.put("too large", &Arc::new(3), 2 << 20);
        assert_eq!(cache.get("too large"), None);
    }
}
