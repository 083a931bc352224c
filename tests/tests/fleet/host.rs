//! A host's clock: off by so much, sliding, and set now and then. Pure.

use fastrand::Rng;

const SECOND: i64 = 1_000_000_000;

/// What a host's clock shows.
pub struct HostClock {
    /// From these true times on: its offset then, and how it slides, parts in a million.
    pieces: Vec<(i64, i64, i64)>,
}

impl HostClock {
    /// Good: some milliseconds off, hardly sliding. Otherwise anything may happen between `begin_ns` and `end_ns`.
    pub fn new(random: &mut Rng, good: bool, begin_ns: i64, end_ns: i64) -> Self {
        let offset = if good { random.i64(-3_000_000..3_000_000) } else { random.i64(-40 * SECOND..40 * SECOND) };
        let slide = |random: &mut Rng| if good { random.i64(-5..=5) } else { random.i64(-300..=300) };
        let mut pieces = vec![(i64::MIN / 2, offset, 0), (begin_ns - 600 * SECOND, offset, slide(random))];
        let sets = if good { 0 } else { random.usize(0..4) };
        let mut times: Vec<i64> = (0..sets).map(|_| random.i64(begin_ns..end_ns)).collect();
        times.sort_unstable();
        // Once between two measurements, and an agent may be away for two minutes.
        times.dedup_by(|later, earlier| *later - *earlier < 130 * SECOND);
        for time in times {
            let before = Self { pieces: pieces.clone() }.at(time) - time;
            let step =
                if random.bool() { random.i64(-3 * SECOND..3 * SECOND) } else { random.i64(-30_000_000..30_000_000) };
            pieces.push((time, before + step, slide(random)));
        }
        Self { pieces }
    }

    /// What it shows at a true time.
    pub fn at(&self, time_ns: i64) -> i64 {
        let piece = self.pieces.iter().rev().find(|(from, ..)| *from <= time_ns).expect("there is one for all times");
        let (from, offset, slide) = *piece;
        let since = if slide == 0 { 0 } else { i128::from(time_ns - from) };
        time_ns + offset + (since * i128::from(slide) / 1_000_000) as i64
    }
}
