//! Statements that clients keep: a bounded number, for a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;

use crate::engine::ScalarValue;
use crate::serve::sql::Prepared;

/// A name that nobody guesses.
type Handle = [u8; 16];

/// A statement and the values that were bound to it last.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub prepared: Prepared,
    pub values: Vec<ScalarValue>,
    address: IpAddr,
    used: Instant,
}

/// All statements that are kept.
#[derive(Debug)]
pub(super) struct Statements {
    kept: Mutex<HashMap<Handle, Kept>>,
    most: usize,
    per_address: usize,
    forgotten: Duration,
}

impl Statements {
    pub(super) fn new(most: usize, per_address: usize, forgotten: Duration) -> Self {
        Self { kept: Mutex::default(), most, per_address, forgotten }
    }

    /// Keeps a statement of an address.
    pub(super) fn keep(&self, address: IpAddr, prepared: Prepared) -> Result<Handle, Status> {
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, one| now.duration_since(one.used) < self.forgotten);
        let own = || kept.iter().filter(|(_, one)| one.address == address);
        if own().count() >= self.per_address
            && let Some(oldest) = own().min_by_key(|(_, one)| one.used).map(|(handle, _)| *handle)
        {
            kept.remove(&oldest);
        }
        if kept.len() >= self.most {
            return Err(Status::resource_exhausted("no more statements are kept: use them without preparing them"));
        }
        let handle = rand::random();
        kept.insert(handle, Kept { prepared, values: Vec::new(), address, used: now });
        Ok(handle)
    }

    /// A statement that was kept.
    pub(super) fn find(&self, handle: &[u8]) -> Result<Kept, Status> {
        self.with(handle, |kept| kept.clone())
    }

    /// Binds values to it.
    pub(super) fn bind(&self, handle: &[u8], values: Vec<ScalarValue>) -> Result<(), Status> {
        self.with(handle, |kept| kept.values = values)
    }

    /// Forgets it; whether it was known does not matter.
    pub(super) fn forget(&self, handle: &[u8]) {
        if let Ok(handle) = Handle::try_from(handle) {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&handle);
        }
    }

    fn with<T>(&self, handle: &[u8], act: impl FnOnce(&mut Kept) -> T) -> Result<T, Status> {
        let unknown = || Status::not_found("this statement is not kept, or no longer: prepare it again");
        let handle = Handle::try_from(handle).ok().ok_or_else(unknown)?;
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |one: &&mut Kept| now.duration_since(one.used) < self.forgotten;
        let found = kept.get_mut(&handle).filter(fresh).ok_or_else(unknown)?;
        found.used = now;
        Ok(act(found))
    }
}
