//! The aggregator's clock against ours, from the four timestamps of a ping (RFC 5905, section 8). Pure.

use std::collections::VecDeque;

/// The best of so many samples counts.
const SAMPLES: usize = 8;

/// Two clocks drift apart by no more than this: 500 parts in a million.
const DRIFT_PPM: u64 = 500;

/// One measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The aggregator's clock minus ours.
    pub offset_ns: i64,
    /// Half the round trip, and what the clocks may have drifted since; 0: not measured.
    pub uncertainty_ns: u64,
}

impl Sample {
    /// As it stands so long after it was taken.
    fn aged(self, age_ns: u64) -> Self {
        let drift = (u128::from(age_ns) * u128::from(DRIFT_PPM) / 1_000_000) as u64;
        Self { uncertainty_ns: self.uncertainty_ns.saturating_add(drift), ..self }
    }
}

/// The last samples.
#[derive(Debug, Default)]
pub struct Clock {
    /// Each with the time when it was taken, by a clock that nobody sets.
    samples: VecDeque<(Sample, u64)>,
}

impl Clock {
    /// `sent` and `returned` by our clock, `received` and `answered` by the aggregator's. `now` is the time by a clock that nobody
    /// sets.
    pub fn exchange(&mut self, sent: u64, received: u64, answered: u64, returned: u64, now: u64) {
        let difference = |a: u64, b: u64| a.wrapping_sub(b) as i64;
        let round_trip = difference(returned, sent).saturating_sub(difference(answered, received));
        if round_trip < 0 {
            // A clock was set between the stamps: they say nothing.
            return;
        }
        let offset = (i128::from(difference(received, sent)) + i128::from(difference(answered, returned))) / 2;
        let sample = Sample { offset_ns: offset as i64, uncertainty_ns: (round_trip.max(2) / 2) as u64 };
        let best = self.best(now);
        if sample.offset_ns.abs_diff(best.offset_ns) > sample.uncertainty_ns.saturating_add(best.uncertainty_ns) {
            // Both cannot be true of one clock: it was set in between.
            self.samples.clear();
        }
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((sample, now));
    }

    /// The sample that says most at `now`.
    pub fn best(&self, now: u64) -> Sample {
        let aged = self.samples.iter().map(|(sample, taken)| sample.aged(now.saturating_sub(*taken)));
        aged.min_by_key(|sample| sample.uncertainty_ns).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_round_trip_counts() {
        let mut clock = Clock::default();
        assert_eq!(clock.best(0), Sample::default());
        clock.exchange(1000, 6100, 6200, 1300, 0);
        assert_eq!(clock.best(0), Sample { offset_ns: 5000, uncertainty_ns: 100 });
        clock.exchange(2000, 9000, 9000, 8000, 0);
        assert_eq!(clock.best(0).uncertainty_ns, 100);
        for _ in 0..8 {
            clock.exchange(2000, 1000, 1000, 2400, 0);
        }
        assert_eq!(clock.best(0), Sample { offset_ns: -1200, uncertainty_ns: 200 });
    }

    #[test]
    fn a_clock_that_was_set_is_measured_anew() {
        let mut clock = Clock::default();
        clock.exchange(1000, 6100, 6200, 1300, 0);
        // Set back between the stamps of one exchange: the round trip would be negative.
        clock.exchange(1_000_000, 5_000, 5_000, 900_000, 0);
        assert_eq!(clock.best(0).offset_ns, 5000);
        clock.exchange(2000, 1000, 1000, 3000, 0);
        assert_eq!(clock.best(0), Sample { offset_ns: -1500, uncertainty_ns: 500 });
    }

    #[test]
    fn an_old_measurement_says_less() {
        let mut clock = Clock::default();
        clock.exchange(1000, 6100, 6200, 1300, 0);
        clock.exchange(2000, 9000, 9000, 8000, 1_000_000_000);
        assert_eq!(clock.best(1_000_000).uncertainty_ns, 100 + 500);
        assert_eq!(clock.best(1_000_000_000), Sample { offset_ns: 4000, uncertainty_ns: 3000 });
    }
}
