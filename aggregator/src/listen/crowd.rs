//! How many connections there are: of one client, and of all. Whoever comes when it is full is turned away before anything is read.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use super::pace::Bucket;
use crate::access::attempts::network;

/// How many, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of all clients.
    pub connections: usize,
    /// Of one.
    pub client_connections: usize,
    /// Bytes of one, over all its connections; zero: as fast as it can.
    pub client_bytes_per_second: u64,
}

/// Who is turned away, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// There are too many of that client.
    #[error("it has {0} connections, limits.client_connections are as many")]
    Client(usize),
    /// There are too many.
    #[error("there are {0} connections, limits.connections are as many")]
    All(usize),
}

impl Full {
    /// As metrics name it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Client(_) => "client_connections",
            Self::All(_) => "connections",
        }
    }
}

/// Those of one door.
#[derive(Debug)]
pub struct Crowd {
    limits: Limits,
    present: Mutex<Present>,
}

#[derive(Debug, Default)]
struct Present {
    connections: usize,
    clients: HashMap<IpAddr, Client>,
}

#[derive(Debug)]
struct Client {
    connections: usize,
    bucket: Option<Arc<Bucket>>,
}

impl Crowd {
    /// Nobody yet.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, present: Mutex::default() })
    }

    /// One more connection of a client, if there is room.
    pub fn enter(self: &Arc<Self>, address: IpAddr, now: Instant) -> Result<Place, Full> {
        let address = network(address);
        let mut present = self.lock();
        if present.connections >= self.limits.connections {
            return Err(Full::All(present.connections));
        }
        if present.clients.len() >= 2 * self.limits.connections {
            present.clients.retain(|_, client| !client.is_forgettable(now));
        }
        let rate = self.limits.client_bytes_per_second;
        let client = present
            .clients
            .entry(address)
            .or_insert_with(|| Client { connections: 0, bucket: (rate > 0).then(|| Arc::new(Bucket::new(rate, now))) });
        if client.connections >= self.limits.client_connections {
            return Err(Full::Client(client.connections));
        }
        client.connections += 1;
        let bucket = client.bucket.clone();
        present.connections += 1;
        Ok(Place { crowd: Arc::clone(self), address, bucket })
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        self.present.lock().expect("no thread panics with the crowd in hand")
    }
}

impl Client {
    /// A client that comes and goes does not begin with a full bucket each time.
    fn is_forgettable(&self, now: Instant) -> bool {
        self.connections == 0 && self.bucket.as_ref().is_none_or(|bucket| bucket.is_full(now))
    }
}

/// The place of one connection; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    address: IpAddr,
    /// What the client may still say; none: anything.
    pub bucket: Option<Arc<Bucket>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = self.crowd.lock();
        present.connections -= 1;
        if let Some(client) = present.clients.get_mut(&self.address) {
            client.connections -= 1;
            if client.is_forgettable(Instant::now()) {
                present.clients.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_and_given_back() {
        let limits = Limits { connections: 5, client_connections: 2, client_bytes_per_second: 0 };
        let (crowd, now) = (Crowd::new(limits), Instant::now());
        let enter = |address: &str| crowd.enter(address.parse().unwrap(), now);
        let first = enter("10.0.0.1").unwrap();
        let _second = enter("::ffff:10.0.0.1").unwrap();
        assert_eq!(enter("10.0.0.1").unwrap_err(), Full::Client(2));
        // Whoever has a network has all its addresses.
        let network = [enter("2001:db8::1").unwrap(), enter("2001:db8::ffff:2").unwrap()];
        assert_eq!(enter("2001:db8::3").unwrap_err(), Full::Client(2));
        drop(first);
        let _again = enter("10.0.0.1").unwrap();
        let _fifth = enter("10.0.0.2").unwrap();
        assert_eq!(enter("10.0.0.3").unwrap_err(), Full::All(5));
        drop(network);
        assert!(enter("10.0.0.3").is_ok());
        assert_eq!(crowd.lock().clients.len(), 2);
    }

    #[test]
    fn who_said_too_much_is_remembered_until_that_is_past() {
        let limits = Limits { connections: 5, client_connections: 2, client_bytes_per_second: 10 };
        let (crowd, now) = (Crowd::new(limits), Instant::now());
        let address = "10.0.0.1".parse().unwrap();
        let place = crowd.enter(address, now).unwrap();
        assert!(!place.bucket.as_ref().unwrap().take(1000, now).is_zero());
        drop(place);
        let again = crowd.enter(address, now).unwrap();
        assert!(!again.bucket.as_ref().unwrap().take(1, now).is_zero());
    }
}
