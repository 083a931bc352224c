//! A host's clock: off by so much, sliding, and set now and then. Pure.

use fastrand::Rng;

const SECOND: i64 = 1_000_000_000;

/// What a host's clock shows.
pub struct HostClock {
    pieces: Vec<Piece>,
}

/// From a true time on.
#[derive(Clone)]
struct Piece {
    from_ns: i64,
    /// Its offset then.
    offset_ns: i64,
    /// How it slides, parts in a million.
    slide_ppm: i64,
    /// By how much it was set in all.
    set_ns: i64,
}

impl HostClock {
    /// Good: some milliseconds off, hardly sliding. Otherwise anything may happen between `begin_ns` and `end_ns`.
    pub fn new(random: &mut Rng, good: bool, begin_ns: i64, end_ns: i64) -> Self {
        let offset = if good { random.i64(-3_000_000..3_000_000) } else { random.i64(-40 * SECOND..40 * SECOND) };
        let slide = |random: &mut Rng| if good { random.i64(-5..=5) } else { random.i64(-300..=300) };
        let piece = |from_ns, slide_ppm| Piece { from_ns, offset_ns: offset, slide_ppm, set_ns: 0 };
        let mut pieces = vec![piece(i64::MIN / 2, 0), piece(begin_ns - 600 * SECOND, slide(random))];
        let sets = if good { 0 } else { random.usize(0..4) };
        let mut times: Vec<i64> = (0..sets).map(|_| random.i64(begin_ns..end_ns)).collect();
        times.sort_unstable();
        // Once between two measurements, and an agent may be away for two minutes.
        times.dedup_by(|later, earlier| *later - *earlier < 130 * SECOND);
        for time in times {
            let offset_ns = Self { pieces: pieces.clone() }.at(time) - time;
            // By less than that an agent does not notice, and stamps so close together are of no certain order.
            let most = if random.bool() { 3 * SECOND } else { 30_000_000 };
            let by = random.i64(100_000..most);
            let step = if random.bool() { by } else { -by };
            let set_ns = pieces.last().expect("there are two").set_ns + step;
            pieces.push(Piece { from_ns: time, offset_ns: offset_ns + step, slide_ppm: slide(random), set_ns });
        }
        Self { pieces }
    }

    /// What it shows at a true time.
    pub fn at(&self, time_ns: i64) -> i64 {
        let piece = self.piece(time_ns);
        let since = if piece.slide_ppm == 0 { 0 } else { i128::from(time_ns - piece.from_ns) };
        time_ns + piece.offset_ns + (since * i128::from(piece.slide_ppm) / 1_000_000) as i64
    }

    /// What it would show if it had never been set: as the system's other clock goes, which slides with it.
    pub fn unset_at(&self, time_ns: i64) -> i64 {
        self.at(time_ns) - self.piece(time_ns).set_ns
    }

    fn piece(&self, time_ns: i64) -> &Piece {
        self.pieces.iter().rev().find(|piece| piece.from_ns <= time_ns).expect("there is one for all times")
    }
}
