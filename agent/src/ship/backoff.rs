//! How long to wait before the next try: full jitter under a ceiling that doubles, so that a thousand agents do not come back
//! in step.

use std::time::Duration;

const CEILING_MIN: Duration = Duration::from_millis(100);
const CEILING_MAX: Duration = Duration::from_secs(5);
/// Never at once: a server that accepts and refuses would be asked in a tight loop.
const WAIT_MIN: Duration = Duration::from_millis(20);

/// One row of tries.
#[derive(Debug)]
pub struct Backoff {
    ceiling: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { ceiling: CEILING_MIN }
    }
}

impl Backoff {
    /// How long to wait now.
    pub fn wait(&mut self) -> Duration {
        let wait = self.ceiling.mul_f64(fastrand::f64()).max(WAIT_MIN);
        self.ceiling = (self.ceiling * 2).min(CEILING_MAX);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_limit() {
        let mut backoff = Backoff::default();
        assert!(backoff.wait() <= CEILING_MIN);
        for _ in 0..20 {
            assert!((WAIT_MIN..=CEILING_MAX).contains(&backoff.wait()));
        }
        assert_eq!(backoff.ceiling, CEILING_MAX);
    }
}
