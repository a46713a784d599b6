//! Who may end a statement from another connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Keys of all sessions that are open.
#[derive(Debug, Default)]
pub(super) struct Keys {
    taken: Mutex<HashMap<i32, Arc<Lock>>>,
}

#[derive(Debug)]
struct Lock {
    secret: i32,
    running: Mutex<CancellationToken>,
}

/// The key of one session; nobody can use it once it is dropped.
#[derive(Debug)]
pub(super) struct Key {
    pub process: i32,
    pub secret: i32,
    lock: Arc<Lock>,
    keys: Arc<Keys>,
}

impl Keys {
    /// A key that no other session has.
    pub(super) fn issue(self: &Arc<Self>) -> Key {
        let secret = rand::random();
        let lock = Arc::new(Lock { secret, running: Mutex::new(CancellationToken::new()) });
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let process = loop {
            let process = rand::random_range(1..i32::MAX);
            if !taken.contains_key(&process) {
                break process;
            }
        };
        taken.insert(process, Arc::clone(&lock));
        drop(taken);
        Key { process, secret, lock, keys: Arc::clone(self) }
    }

    /// Ends what a session is doing, if the secret is its own.
    pub(super) fn cancel(&self, process: i32, secret: i32) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = taken.get(&process).filter(|lock| lock.secret == secret) {
            lock.running.lock().unwrap_or_else(PoisonError::into_inner).cancel();
        }
    }
}

impl Key {
    /// Makes the key end what is done under a token, and nothing else.
    pub(super) fn guard(&self, token: CancellationToken) {
        *self.lock.running.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.keys.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.process);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_ends_only_what_is_running() {
        let keys = Arc::new(Keys::default());
        let key = keys.issue();
        let (first, second) = (CancellationToken::new(), CancellationToken::new());
        key.guard(first.clone());
        keys.cancel(key.process, key.secret.wrapping_add(1));
        assert!(!first.is_cancelled());
        key.guard(second.clone());
        keys.cancel(key.process, key.secret);
        assert!(!first.is_cancelled() && second.is_cancelled());
    }
}
