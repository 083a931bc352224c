//! Attempts with a wrong secret, by address: so many a minute are answered and logged, further ones are turned away.
//!
//! Nobody guesses 256 random bits, so what is good is let in from wherever it comes, even while its address is turned away: behind a
//! proxy everybody has one address, and one client with an old token must not lock out the others. What is bounded is what wrong
//! attempts can do: fill the log, and keep a browser's login busy.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Wrong attempts of an address in a window that are answered as such.
pub const WRONG_MAX: u32 = 20;
/// The window.
pub const WINDOW: Duration = Duration::from_secs(60);
/// So many addresses are told apart; beyond, the window begins anew for all.
const ADDRESSES_MAX: usize = 10_000;

/// Shared by all requests.
#[derive(Debug, Default)]
pub struct Attempts {
    counts: Mutex<HashMap<IpAddr, Count>>,
}

#[derive(Debug)]
struct Count {
    begun: Instant,
    wrong: u32,
}

impl Attempts {
    /// Counts a wrong attempt. Answers how long it is until the next one is answered; none: this one is.
    pub fn wrong(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let mut counts = self.counts.lock().expect("no thread panics with the attempts in hand");
        if counts.len() >= ADDRESSES_MAX {
            counts.retain(|_, count| now.duration_since(count.begun) < WINDOW);
            if counts.len() >= ADDRESSES_MAX {
                counts.clear();
            }
        }
        let count = counts.entry(network(address)).or_insert(Count { begun: now, wrong: 0 });
        if now.duration_since(count.begun) >= WINDOW {
            *count = Count { begun: now, wrong: 0 };
        }
        count.wrong = count.wrong.saturating_add(1);
        (count.wrong > WRONG_MAX).then(|| WINDOW.saturating_sub(now.duration_since(count.begun)))
    }
}

/// Who has an address of IPv6 has a whole /64 of them.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_answered_in_a_window_by_address() {
        let attempts = Attempts::default();
        let begin = Instant::now();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().expect("an address"));
        for _ in 0..WRONG_MAX {
            assert_eq!(attempts.wrong(one, begin), None);
        }
        assert_eq!(attempts.wrong(one, begin + WINDOW / 2), Some(WINDOW / 2));
        assert_eq!(attempts.wrong(other, begin + WINDOW / 2), None);
        assert_eq!(attempts.wrong(one, begin + WINDOW), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_a_mapped_one_is_itself() {
        let network = |text: &str| network(text.parse().expect("an address")).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn many_addresses_take_no_more_than_so_much() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for number in 0..(ADDRESSES_MAX as u32 + 10) {
            attempts.wrong(IpAddr::from(number.to_be_bytes()), now);
        }
        assert!(attempts.counts.lock().expect("not poisoned").len() <= ADDRESSES_MAX);
    }
}
