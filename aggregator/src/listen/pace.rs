//! How fast a client may speak: so many bytes a second over all its connections. Who speaks faster is listened to later; nothing is lost.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What a client may still say. Holds as much as may be said in a second.
#[derive(Debug)]
pub struct Bucket {
    bytes_per_second: f64,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    bytes: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(bytes_per_second: u64, now: Instant) -> Self {
        let bytes_per_second = bytes_per_second as f64;
        Self { bytes_per_second, state: Mutex::new(State { bytes: bytes_per_second, at: now }) }
    }

    /// The client has said so much. Answers how long it is not listened to now.
    pub fn take(&self, bytes: usize, now: Instant) -> Duration {
        let mut state = self.state.lock().expect("no thread panics with a bucket in hand");
        *state = self.filled(*state, now);
        state.bytes -= bytes as f64;
        Duration::from_secs_f64((-state.bytes / self.bytes_per_second).max(0.0))
    }

    /// Whether nothing is known of the client that a new bucket would not know.
    pub fn is_full(&self, now: Instant) -> bool {
        let state = *self.state.lock().expect("no thread panics with a bucket in hand");
        self.filled(state, now).bytes >= self.bytes_per_second
    }

    fn filled(&self, state: State, now: Instant) -> State {
        let since = now.saturating_duration_since(state.at).as_secs_f64();
        State { bytes: (state.bytes + since * self.bytes_per_second).min(self.bytes_per_second), at: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_says_too_much_rests_until_it_is_in_the_past() {
        let begin = Instant::now();
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        let bucket = Bucket::new(1000, begin);
        assert_eq!(bucket.take(1000, at(0)), Duration::ZERO);
        assert!(!bucket.is_full(at(999)));
        assert_eq!(bucket.take(500, at(0)), Duration::from_millis(500));
        assert_eq!(bucket.take(500, at(500)), Duration::from_millis(500));
        assert_eq!(bucket.take(100, at(1100)), Duration::ZERO);
        // No more than a second is saved up.
        assert!(bucket.is_full(at(60_000)));
        assert_eq!(bucket.take(3000, at(60_000)), Duration::from_secs(2));
    }
}
