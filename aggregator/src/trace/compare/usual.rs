//! What others have of something, and whether that explains a value.

use super::{Class, Finding, Rank};
use crate::words::duration;

/// What is slower by less is not slow, whatever the others took.
const SLOWER_NS_MIN: u64 = 100_000_000;
/// Nor what is slower by less than this part of the whole: 1/10.
const SLOWER_PART: u64 = 10;
/// Slow is at least so many times what half of the others take.
const SLOWER_TIMES_MIN: f64 = 3.0;
/// What others have of something.
pub struct Usual {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
}

impl Usual {
    /// Of at least one value.
    pub fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let rank = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
        Self { p50: rank(50), p95: rank(95), p99: rank(99) }
    }

    /// Whether the spread of the others does not explain `here`: by ratio it is as far beyond nearly all of them as 95 of 100
    /// are from the median. `least` stands for less.
    pub fn is_beyond(&self, here: u64, least: u64, times_min: f64) -> bool {
        let p50 = self.p50.max(least) as f64;
        let spread = (self.p95 as f64 / p50).max(1.0);
        here as f64 > (self.p99 as f64 * spread).max(p50 * times_min)
    }

    /// In a transaction that took `whole_ns`.
    pub fn is_slow(&self, here_ns: u64, whole_ns: u64) -> bool {
        // Of what takes a millisecond or less the spread is chance.
        self.is_beyond(here_ns, 1_000_000, SLOWER_TIMES_MIN)
            && here_ns - self.p50 >= SLOWER_NS_MIN.max(whole_ns / SLOWER_PART)
    }

    /// What is slow makes slow whoever waits for it, by the same time, but by a smaller part of theirs.
    pub fn slow_rank(&self, here_ns: u64) -> Rank {
        Rank { class: Class::Slow, place: 0, surprise: here_ns as f64 / self.p50.max(1_000_000) as f64 }
    }

    pub fn justify(&self, finding: Finding) -> Finding {
        Finding { p50: Some(self.p50), p95: Some(self.p95), ..finding }
    }

    pub fn durations(&self, number: usize, verb: &str) -> String {
        let (p50, p95) = (duration(self.p50), duration(self.p95));
        format!("of {number} others half {verb} up to {p50}, and 95 % up to {p95}")
    }
}
