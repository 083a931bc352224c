//! This host's clock; the aggregator's, reckoned from its last answer to a ping with a clock that nobody sets; and the one against the other.

use std::time::{Duration, Instant, SystemTime};

/// Nanoseconds since the Unix epoch.
pub fn now_ns() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}

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

/// Tells when our clock is set. The clock that nobody sets is slewed with it, so that the two go on side by side until it is.
#[derive(Debug)]
pub struct Steadiness {
    era: u64,
    /// What both showed when the era began.
    begun: Option<Look>,
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// By our clock, nanoseconds since the epoch.
    pub time_ns: u64,
    /// By the clock that nobody sets.
    pub instant: Instant,
    /// So far apart the two may have been read.
    pub within: Duration,
}

/// Looks of one era may disagree by so much.
const STEADY: Duration = Duration::from_micros(50);
/// Readings of both clocks are repeated until they are so close together, and so often at most.
const LOOK_WITHIN: Duration = Duration::from_micros(10);
const LOOKS_MAX: u32 = 5;

/// Two clocks that count seconds drift apart by no more than this: 500 parts in a million.
const DRIFT_PPM: u32 = 500;

impl Look {
    /// Now.
    pub fn now() -> Self {
        let look = || {
            let instant = Instant::now();
            let time_ns = now_ns();
            Self { time_ns, instant, within: instant.elapsed() }
        };
        let mut best = look();
        for _ in 1..LOOKS_MAX {
            if best.within <= LOOK_WITHIN {
                break;
            }
            best = std::cmp::min_by_key(best, look(), |look| look.within);
        }
        best
    }
}

impl Steadiness {
    /// Eras are counted from `first` on: another number with each start of the agent, and not zero.
    pub fn new(first: u64) -> Self {
        Self { era: first.max(1), begun: None }
    }

    /// The era of this look: another one than before if our clock was set in between.
    pub fn era(&mut self, look: Look) -> u64 {
        let begun = *self.begun.get_or_insert(look);
        let shown = i128::from(look.time_ns) - i128::from(begun.time_ns);
        let passed = i128::from(nanoseconds(look.instant.saturating_duration_since(begun.instant)));
        let within = nanoseconds(STEADY + begun.within + look.within);
        if shown.abs_diff(passed) > u128::from(within) {
            self.era = self.era.wrapping_add(1).max(1);
            self.begun = Some(look);
        }
        self.era
    }
}

impl Anchor {
    /// What our clock is off.
    pub fn reading(&self, look: Look) -> Reading {
        let Look { time_ns, instant, .. } = look;
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

    fn look(begin: Instant, second: u64, time_ns: u64) -> Look {
        Look { time_ns, instant: begin + Duration::from_secs(second), within: Duration::from_micros(1) }
    }

    #[test]
    fn an_era_ends_when_our_clock_is_set_and_not_when_it_slides() {
        let begin = Instant::now();
        let mut steadiness = Steadiness::new(7);
        assert_eq!(steadiness.era(look(begin, 0, 1_000_000_000_000)), 7);
        assert_eq!(steadiness.era(look(begin, 3600, 4_600_000_050_000)), 7);
        // A tenth of a millisecond: less than any answer over a network tells.
        assert_eq!(steadiness.era(look(begin, 3601, 4_600_999_900_000)), 8);
        assert_eq!(steadiness.era(look(begin, 3602, 4_601_999_900_000)), 8);
        assert_eq!(steadiness.era(look(begin, 3603, 4_700_000_000_000)), 9);
        // Two readings that were interrupted tell less.
        let interrupted = Look { within: Duration::from_secs(1), ..look(begin, 3604, 4_700_900_000_000) };
        assert_eq!(steadiness.era(interrupted), 9);
        assert_eq!(Steadiness::new(0).era(look(begin, 0, 0)), 1, "0 says that nobody looks");
        let now = Look::now();
        assert!(now.time_ns > 1_700_000_000_000_000_000);
    }

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
        let reading = anchor.reading(look(begin, 102, 4_902_000_000_000));
        assert_eq!((reading.offset_ns, reading.uncertainty_ns), (100_002_000_001, 3_000_001));
        assert_eq!(reading.aggregator_ns, 5_002_002_000_001);
    }
}
