//! How many connections are open, in all and from one address.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections and lets in no more than there is room for.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    inside: Arc<Mutex<Inside>>,
    most: usize,
    per_address: usize,
}

#[derive(Debug, Default)]
struct Inside {
    count: usize,
    turned_away: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    inside: Arc<Mutex<Inside>>,
    address: IpAddr,
}

/// Why there is no place.
#[derive(Debug)]
pub(super) enum Crowded {
    /// The server has as many connections as it takes. The client may be told while this is held.
    Server(usize, #[expect(dead_code, reason = "held until it is dropped")] Told),
    /// The address has.
    Address(usize, #[expect(dead_code, reason = "held until it is dropped")] Told),
    /// Even those who are told that there is no place are too many.
    Outside,
}

/// Someone who is told that there is no place.
#[derive(Debug)]
pub(super) struct Told(Arc<Mutex<Inside>>);

impl fmt::Display for Crowded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(most, _) => write!(f, "this server has its {most} connections"),
            Self::Address(most, _) => write!(f, "this address has its {most} connections"),
            Self::Outside => f.write_str("too many connections"),
        }
    }
}

impl Admission {
    pub(super) fn new(most: usize, per_address: usize) -> Self {
        Self { inside: Arc::default(), most, per_address }
    }

    /// Takes a place for an address.
    pub(super) fn admit(&self, address: IpAddr) -> Result<Place, Crowded> {
        let address = network(address);
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let own = inside.by_address.get(&address).copied().unwrap_or_default();
        let full = inside.count >= self.most;
        if !full && own < self.per_address {
            inside.count += 1;
            inside.by_address.insert(address, own + 1);
            return Ok(Place { inside: Arc::clone(&self.inside), address });
        }
        if inside.turned_away >= self.most {
            return Err(Crowded::Outside);
        }
        inside.turned_away += 1;
        let told = Told(Arc::clone(&self.inside));
        Err(if full { Crowded::Server(self.most, told) } else { Crowded::Address(self.per_address, told) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.count = inside.count.saturating_sub(1);
        if let Some(own) = inside.by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                inside.by_address.remove(&self.address);
            }
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.turned_away = inside.turned_away.saturating_sub(1);
    }
}

/// Who counts as one client: an address, or the network of one that can choose among many.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_until_it_is_left() {
        let admission = Admission::new(3, 2);
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = admission.admit(one).unwrap();
        let _second = admission.admit("::ffff:127.0.0.1".parse().unwrap()).unwrap();
        assert!(matches!(admission.admit(one), Err(Crowded::Address(2, _))));
        let _third = admission.admit(other).unwrap();
        let waiting: Vec<_> = (0..3).map(|_| admission.admit(other)).collect();
        assert!(waiting.iter().all(|refused| matches!(refused, Err(Crowded::Server(3, _)))));
        assert!(matches!(admission.admit(other), Err(Crowded::Outside)));
        drop((first, waiting));
        assert!(admission.admit(one).is_ok());
    }
    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let client = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(network(client("2001:db8:1:2:3::4")), network(client("2001:db8:1:2:ffff::9")));
        assert_ne!(network(client("2001:db8:1:2::1")), network(client("2001:db8:1:3::1")));
        assert_eq!(network(client("::ffff:192.0.2.7")), client("192.0.2.7"));
        let admission = Admission::new(3, 1);
        let _first = admission.admit(client("2001:db8:1:2::1")).unwrap();
        assert!(matches!(admission.admit(client("2001:db8:1:2::2")), Err(Crowded::Address(1, _))));
    }
}
