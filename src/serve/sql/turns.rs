//! Turns: how many statements run at once, how many of one client, and how many wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Refusal, SqlLimits};
use crate::serve::admission::network;

/// Who is running or waiting.
#[derive(Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    clients: Mutex<HashMap<IpAddr, Seat>>,
    per_client: usize,
    /// Of one client, running and waiting.
    present: usize,
    wait: Duration,
}

/// One client's statements.
#[derive(Debug)]
struct Seat {
    running: Arc<Semaphore>,
    present: usize,
}

/// The right to run one statement; it ends with it.
#[derive(Debug)]
pub(super) struct Turn {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _presence: Presence,
}

/// Being there, running or waiting.
#[derive(Debug)]
struct Presence {
    turns: Arc<Turns>,
    client: IpAddr,
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut clients = self.turns.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = clients.get_mut(&self.client) {
            seat.present -= 1;
            if seat.present == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

impl Turns {
    pub(super) fn new(limits: &SqlLimits) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(limits.at_once)),
            clients: Mutex::default(),
            per_client: limits.at_once_per_client,
            present: limits.at_once_per_client + limits.waiting_per_client,
            wait: limits.wait,
        })
    }

    /// Waits for a turn; refuses when too many of that client wait already, or when it takes too long.
    pub(super) async fn turn(self: &Arc<Self>, address: IpAddr) -> Result<Turn, Refusal> {
        let client = network(address);
        let own = {
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            let seat = clients
                .entry(client)
                .or_insert_with(|| Seat { running: Arc::new(Semaphore::new(self.per_client)), present: 0 });
            if seat.present >= self.present {
                return Err(Refusal::TooManyOfClient { most: self.present });
            }
            seat.present += 1;
            Arc::clone(&seat.running)
        };
        let presence = Presence { turns: Arc::clone(self), client };
        let both = async { (own.acquire_owned().await, Arc::clone(&self.all).acquire_owned().await) };
        match tokio::time::timeout(self.wait, both).await {
            Ok((Ok(own), Ok(all))) => Ok(Turn { _all: all, _own: own, _presence: presence }),
            // Nobody closes the semaphores.
            Ok(_) => Err(Refusal::Internal),
            Err(_) => Err(Refusal::Busy { waited: self.wait }),
        }
    }

    /// Statements that run now.
    pub(super) fn running(&self, at_once: usize) -> usize {
        at_once.saturating_sub(self.all.available_permits())
    }

    /// Clients that run or wait now.
    #[cfg(test)]
    fn clients(&self) -> usize {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(at_once: usize, per_client: usize, waiting: usize) -> Arc<Turns> {
        let limits = SqlLimits {
            at_once,
            at_once_per_client: per_client,
            waiting_per_client: waiting,
            wait: Duration::from_secs(5),
            ..SqlLimits::default()
        };
        Turns::new(&limits)
    }

    fn client(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_waits_for_its_own_statements_and_others_go_on() {
        let turns = turns(10, 2, 8);
        let greedy = client("192.0.2.1");
        let held = (turns.turn(greedy).await.unwrap(), turns.turn(greedy).await.unwrap());
        assert!(matches!(turns.turn(greedy).await, Err(Refusal::Busy { .. })));
        assert!(turns.turn(client("192.0.2.2")).await.is_ok());
        drop(held);
        assert!(turns.turn(greedy).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_too_many_waiting_is_refused_at_once() {
        let turns = turns(10, 1, 1);
        let greedy = client("192.0.2.1");
        let held = turns.turn(greedy).await.unwrap();
        let waiting = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.turn(greedy).await }
        });
        tokio::task::yield_now().await;
        let before = tokio::time::Instant::now();
        assert!(matches!(turns.turn(greedy).await, Err(Refusal::TooManyOfClient { most: 2 })));
        assert_eq!(before.elapsed(), Duration::ZERO);
        drop(held);
        assert!(waiting.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_remembered_once_all_is_over() {
        let turns = turns(1, 2, 8);
        let turn = turns.turn(client("2001:db8::1")).await.unwrap();
        assert_eq!((turns.clients(), turns.running(1)), (1, 1));
        assert!(matches!(turns.turn(client("2001:db8::2")).await, Err(Refusal::Busy { .. })));
        drop(turn);
        assert_eq!((turns.clients(), turns.running(1)), (0, 0));
    }
}
