//! "Everything that my files held at time T has been acknowledged": how far T may go. Pure.
//!
//! A pass over the files at T notes how far each of them reached. When all of that is acknowledged, T is the watermark, and the next
//! pass may begin. **It never runs ahead**: bytes that a pass has not seen are behind no watermark, and the clock of the host, which
//! may be set at any time, decides nothing.

use std::time::{Duration, Instant};

/// When a pass began, by both clocks of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds since the epoch.
    pub time_ns: u64,
    /// By the clock that nobody sets.
    pub instant: Instant,
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

/// A host's clock against the aggregator's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The aggregator's minus the host's.
    pub offset_ns: i64,
    /// Give or take.
    pub uncertainty_ns: u64,
    /// When that was, by the aggregator's.
    pub aggregator_ns: u64,
}

/// Two clocks that count seconds drift apart by no more than this: 500 parts in a million.
const DRIFT_PPM: u32 = 500;

impl Anchor {
    /// What the host's clock is off at a moment.
    pub fn reading(&self, moment: Moment) -> Reading {
        let apart = moment.instant.max(self.instant) - moment.instant.min(self.instant);
        let width = nanoseconds(self.round_trip) + 2 * drift(apart) + 2;
        let aggregator_ns = self.at(moment.instant).saturating_add(width / 2);
        Reading {
            offset_ns: aggregator_ns.wrapping_sub(moment.time_ns).cast_signed(),
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

/// Follows one pass at a time.
#[derive(Debug, Default)]
pub struct Watermark {
    reached: Option<Moment>,
    /// The pass that is under way, or the last one.
    pass: Option<Moment>,
    /// Of the pass: files and the positions that have to be acknowledged.
    open: Vec<(usize, u64)>,
}

impl Watermark {
    /// Whether the last pass is through, and a new one may begin.
    pub fn wants_pass(&self) -> bool {
        self.open.is_empty()
    }

    /// A pass that began at `moment` found these files with bytes that are not acknowledged.
    pub fn pass(&mut self, moment: Moment, open: Vec<(usize, u64)>) {
        self.pass = Some(moment);
        self.open = open;
    }

    /// A file took the place of another one while the pass is under way: its bytes, too, may be older than the pass.
    pub fn also(&mut self, file: usize, position: u64) {
        if !self.open.is_empty() {
            self.open.push((file, position));
        }
    }

    /// Looks at what is acknowledged by now; `acked` answers none for a file that is let go. True: the watermark moved.
    pub fn advance(&mut self, acked: impl Fn(usize) -> Option<u64>) -> bool {
        self.open.retain(|(file, position)| acked(*file).is_some_and(|acked| acked < *position));
        let moves = self.open.is_empty() && self.pass != self.reached;
        if moves {
            self.reached = self.pass;
        }
        moves
    }

    /// The watermark; none yet.
    pub fn reached(&self) -> Option<Moment> {
        self.reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments() -> impl Fn(u64) -> Moment {
        let begin = Instant::now();
        move |second| Moment { time_ns: second, instant: begin + Duration::from_secs(second) }
    }

    fn reached(watermark: &Watermark) -> Option<u64> {
        watermark.reached().map(|moment| moment.time_ns)
    }

    #[test]
    fn it_moves_when_everything_of_the_pass_is_acknowledged() {
        let at = moments();
        let mut watermark = Watermark::default();
        assert!(!watermark.advance(|_| None));
        watermark.pass(at(10), vec![(1, 100), (2, 50), (3, 7)]);
        assert!(!watermark.wants_pass());
        assert!(!watermark.advance(|file| [None, Some(100), Some(49), None][file]));
        assert_eq!(reached(&watermark), None);
        assert!(watermark.advance(|_| Some(50)));
        assert_eq!(reached(&watermark), Some(10));
        watermark.pass(at(20), vec![]);
        assert!(watermark.advance(|_| None));
        assert_eq!(reached(&watermark), Some(20));
    }

    #[test]
    fn a_file_that_takes_the_place_of_another_is_waited_for() {
        let at = moments();
        let mut watermark = Watermark::default();
        watermark.pass(at(10), vec![(1, 100)]);
        watermark.also(2, 30);
        assert!(!watermark.advance(|file| [None, None, Some(0)][file]));
        assert!(watermark.advance(|_| Some(30)));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_hold_it() {
        let at = moments();
        let mut watermark = Watermark::default();
        watermark.pass(at(1000), vec![]);
        assert!(watermark.advance(|_| None));
        watermark.pass(Moment { time_ns: 10, ..at(1001) }, vec![]);
        assert!(watermark.advance(|_| None));
        assert_eq!(reached(&watermark), Some(10));
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
        // The host's clock is 100 s behind; the answer took 4 ms at most, and two seconds drift by 2 ms at most.
        let reading = anchor.reading(Moment { time_ns: 4_902_000_000_000, instant: begin + Duration::from_secs(102) });
        assert_eq!((reading.offset_ns, reading.uncertainty_ns), (100_002_000_001, 3_000_001));
        assert_eq!(reading.aggregator_ns, 5_002_002_000_001);
    }
}
