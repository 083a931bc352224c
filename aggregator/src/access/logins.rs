//! Logins of browsers. A browser that has shown a token gets a random value in a cookie; what it stands for stays here, in memory, and
//! only as a hash of it. It ends after twelve hours in which nobody asked, after a week in any case, at logout, with its token, and
//! with the aggregator.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::principal::Principal;
use super::secret::{self, Hash};

/// Without a request.
pub const IDLE_MAX: Duration = Duration::from_secs(12 * 3_600);
/// In any case.
pub const AGE_MAX: Duration = Duration::from_secs(7 * 86_400);
/// So many are kept; beyond, the one that was idle longest goes.
pub const LOGINS_MAX: usize = 1_000;

/// Shared by all requests.
#[derive(Debug, Default)]
pub struct Logins {
    logins: Mutex<HashMap<Hash, Login>>,
}

#[derive(Debug)]
struct Login {
    principal: Principal,
    begun: Instant,
    asked: Instant,
}

impl Login {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.asked) >= IDLE_MAX || now.duration_since(self.begun) >= AGE_MAX
    }
}

impl Logins {
    /// Somebody has shown a token. Answers the value of the cookie.
    pub fn begin(&self, principal: Principal, now: Instant) -> Result<String, getrandom::Error> {
        let value = secret::random()?;
        let mut logins = self.lock();
        logins.retain(|_, login| !login.is_over(now));
        if logins.len() >= LOGINS_MAX
            && let Some(oldest) = logins.iter().min_by_key(|(_, login)| login.asked).map(|(hash, _)| *hash)
        {
            logins.remove(&oldest);
        }
        logins.insert(Hash::of(&value), Login { principal, begun: now, asked: now });
        Ok(value)
    }

    /// Whose login the value of a cookie is. Whether its token is still good is the door's to say.
    pub fn of(&self, value: &str, now: Instant) -> Option<(Hash, Principal)> {
        let hash = Hash::of(value);
        let mut logins = self.lock();
        let login = logins.get_mut(&hash)?;
        if login.is_over(now) {
            logins.remove(&hash);
            return None;
        }
        login.asked = now;
        Some((hash, login.principal.clone()))
    }

    /// Whether the login goes on. To look does not keep it going.
    pub fn is_open(&self, login: &Hash, now: Instant) -> bool {
        self.lock().get(login).is_some_and(|login| !login.is_over(now))
    }

    /// The value is worth nothing from now on.
    pub fn end(&self, value: &str) {
        self.lock().remove(&Hash::of(value));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Hash, Login>> {
        self.logins.lock().expect("no thread panics with the logins in hand")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Principal {
        Principal { name: name.into(), ..Principal::anybody() }
    }

    #[test]
    fn each_value_is_another_and_stands_for_its_login_until_it_ends() {
        let logins = Logins::default();
        let now = Instant::now();
        let [one, other] = ["one", "other"].map(|name| logins.begin(named(name), now).expect("random"));
        assert!(one != other && one.len() >= 43);
        let name = |value: &str| logins.of(value, now).map(|(_, principal)| principal.name);
        assert_eq!((name(&one), name(&other)), (Some("one".into()), Some("other".into())));
        assert_eq!(name("guessed"), None);
        let (hash, _) = logins.of(&one, now).expect("open");
        logins.end(&one);
        assert_eq!((name(&one), name(&other)), (None, Some("other".into())));
        assert!(!logins.is_open(&hash, now));
    }

    #[test]
    fn it_ends_when_nobody_asks_and_in_any_case_after_a_week() {
        let logins = Logins::default();
        let begin = Instant::now();
        let idle = logins.begin(named("idle"), begin).expect("random");
        let busy = logins.begin(named("busy"), begin).expect("random");
        let (idle_hash, _) = logins.of(&idle, begin).expect("open");
        let mut now = begin;
        while now + IDLE_MAX / 2 < begin + AGE_MAX {
            now += IDLE_MAX / 2;
            assert!(logins.of(&busy, now).is_some());
            assert_eq!(logins.is_open(&idle_hash, now), now < begin + IDLE_MAX);
        }
        assert!(logins.of(&busy, begin + AGE_MAX).is_none() && logins.of(&idle, now).is_none());
    }

    #[test]
    fn the_longest_idle_one_makes_room() {
        let logins = Logins::default();
        let begin = Instant::now();
        let values: Vec<String> = (0..LOGINS_MAX as u64)
            .map(|number| logins.begin(named("a"), begin + Duration::from_secs(number)).expect("random"))
            .collect();
        let now = begin + Duration::from_secs(LOGINS_MAX as u64);
        assert!(logins.of(&values[0], now).is_some());
        logins.begin(named("b"), now).expect("random");
        assert_eq!(logins.count(), LOGINS_MAX);
        assert!(logins.of(&values[0], now).is_some() && logins.of(&values[1], now).is_none());
    }
}
