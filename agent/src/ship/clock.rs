//! The aggregator's clock against ours, from the four timestamps of a ping (RFC 5905, section 8). Pure.

use std::collections::VecDeque;

/// The best of so many samples counts.
const SAMPLES: usize = 8;

/// One measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The aggregator's clock minus ours.
    pub offset_ns: i64,
    /// Half the round trip; 0: not measured.
    pub uncertainty_ns: u64,
}

/// The last samples.
#[derive(Debug, Default)]
pub struct Clock {
    samples: VecDeque<Sample>,
}

impl Clock {
    /// `sent` and `returned` by our clock, `received` and `answered` by the aggregator's.
    pub fn exchange(&mut self, sent: u64, received: u64, answered: u64, returned: u64) {
        let difference = |a: u64, b: u64| a.wrapping_sub(b) as i64;
        let round_trip = difference(returned, sent).saturating_sub(difference(answered, received));
        if round_trip < 0 {
            // A clock was set between the stamps: they say nothing.
            return;
        }
        let offset = (i128::from(difference(received, sent)) + i128::from(difference(answered, returned))) / 2;
        let sample = Sample { offset_ns: offset as i64, uncertainty_ns: (round_trip.max(2) / 2) as u64 };
        let best = self.best();
        if sample.offset_ns.abs_diff(best.offset_ns) > sample.uncertainty_ns.saturating_add(best.uncertainty_ns) {
            // Both cannot be true of one clock: it was set in between.
            self.samples.clear();
        }
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// The sample with the shortest round trip.
    pub fn best(&self) -> Sample {
        self.samples.iter().copied().min_by_key(|sample| sample.uncertainty_ns).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_round_trip_counts() {
        let mut clock = Clock::default();
        assert_eq!(clock.best(), Sample::default());
        clock.exchange(1000, 6100, 6200, 1300);
        assert_eq!(clock.best(), Sample { offset_ns: 5000, uncertainty_ns: 100 });
        clock.exchange(2000, 9000, 9000, 8000);
        assert_eq!(clock.best().uncertainty_ns, 100);
        for _ in 0..8 {
            clock.exchange(2000, 1000, 1000, 2400);
        }
        assert_eq!(clock.best(), Sample { offset_ns: -1200, uncertainty_ns: 200 });
    }

    #[test]
    fn a_clock_that_was_set_is_measured_anew() {
        let mut clock = Clock::default();
        clock.exchange(1000, 6100, 6200, 1300);
        // Set back between the stamps of one exchange: the round trip would be negative.
        clock.exchange(1_000_000, 5_000, 5_000, 900_000);
        assert_eq!(clock.best().offset_ns, 5000);
        clock.exchange(2000, 1000, 1000, 3000);
        assert_eq!(clock.best(), Sample { offset_ns: -1500, uncertainty_ns: 500 });
    }
}
