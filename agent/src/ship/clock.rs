//! The aggregator's clock, reckoned from its last answer to a ping with a clock that nobody sets, and ours against it. Pure.

use std::time::{Duration, Instant};

/// The aggregator's clock when it answered a ping, and when that answer was here. It had gone on by then: what is reckoned from it is
/// too early rather than too late.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    /// By the aggregator's clock, nanoseconds since the epoch.
    pub aggregator_ns: u64,
    /// When the answer arrived.
    pub instant: Instant,
    /// From the question to the answer.
    pub round_trip: Duration,
}

/// Our clock against the aggregator's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The aggregator's minus ours.
    pub offset_ns: i64,
    /// Give or take.
    pub uncertainty_ns: u64,
    /// When that was, by the aggregator's.
    pub aggregator_ns: u64,
}

/// Two clocks that count seconds drift apart by no more than this: 500 parts in a million.
const DRIFT_PPM: u32 = 500;

impl Anchor {
    /// What our clock is off: at `instant` it showed `time_ns`.
    pub fn reading(&self, time_ns: u64, instant: Instant) -> Reading {
        let apart = instant.max(self.instant) - instant.min(self.instant);
        let width = nanoseconds(self.round_trip) + 2 * drift(apart) + 2;
        let aggregator_ns = self.at(instant).saturating_add(width / 2);
        Reading {
            offset_ns: aggregator_ns.wrapping_sub(time_ns).cast_signed(),
            uncertainty_ns: width / 2,
            aggregator_ns,
        }
    }

    /// `instant` by the aggregator's clock, at its earliest.
    pub fn at(&self, instant: Instant) -> u64 {
        if instant >= self.instant {
            let since = instant - self.instant;
            self.aggregator_ns.saturating_add(nanoseconds(since) - drift(since))
        } else {
            let before = self.instant - instant;
            self.aggregator_ns.saturating_sub(nanoseconds(before) + drift(before))
        }
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn drift(span: Duration) -> u64 {
    nanoseconds(span * DRIFT_PPM / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aggregators_clock_is_reckoned_too_early_rather_than_too_late() {
        let begin = Instant::now();
        let anchor = Anchor {
            aggregator_ns: 5_000_000_000_000,
            instant: begin + Duration::from_secs(100),
            round_trip: Duration::from_millis(4),
        };
        assert_eq!(anchor.at(begin + Duration::from_secs(102)), 5_001_999_000_000);
        assert_eq!(anchor.at(begin), 4_899_950_000_000);
        // Our clock is 100 s behind; the answer took 4 ms at most, and two seconds drift by 2 ms at most.
        let reading = anchor.reading(4_902_000_000_000, begin + Duration::from_secs(102));
        assert_eq!((reading.offset_ns, reading.uncertainty_ns), (100_002_000_001, 3_000_001));
        assert_eq!(reading.aggregator_ns, 5_002_002_000_001);
    }
}
