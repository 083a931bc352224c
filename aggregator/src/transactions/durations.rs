//! How long transactions took, on a logarithmic scale: 32 steps for each power of two. A percentile is the middle of its step, at most
//! 1/64 (1.6 %) from the duration that it stands for; below 64 ns it is exact.

/// Steps of a power of two.
const STEPS: u64 = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// See the module. Only the powers of two between the shortest and the longest are there: a group of a few takes some hundred bytes.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    /// The step of the first count; of whole powers of two.
    first: usize,
    counts: Vec<u32>,
}

/// The step of a duration.
#[inline]
pub fn step(ns: u64) -> usize {
    // Below 2 * STEPS every step is one nanosecond wide.
    let shift = (u64::BITS - (ns | STEPS).leading_zeros() - 1) - STEP_BITS;
    (u64::from(shift) * STEPS + (ns >> shift)) as usize
}

/// The middle of a step.
fn middle(step: usize) -> u64 {
    let shift = (step as u64 / STEPS).saturating_sub(1);
    let first = (step as u64 - shift * STEPS) << shift;
    first + ((1 << shift) - 1) / 2
}

impl Durations {
    /// Counts one of this step.
    #[inline]
    pub fn add(&mut self, step: usize) {
        self.add_many(step, 1);
    }

    /// Counts so many of this step.
    #[inline]
    pub fn add_many(&mut self, step: usize, more: u32) {
        if step.wrapping_sub(self.first) >= self.counts.len() {
            self.widen(step, step + 1);
        }
        let count = &mut self.counts[step - self.first];
        *count = count.saturating_add(more);
    }

    /// Makes room for the steps from `begin` to before `end`.
    #[cold]
    fn widen(&mut self, begin: usize, end: usize) {
        let begin = begin / STEPS as usize * STEPS as usize;
        let end = end.next_multiple_of(STEPS as usize);
        if self.counts.is_empty() {
            self.first = begin;
        }
        if begin < self.first {
            self.counts.splice(..0, std::iter::repeat_n(0, self.first - begin));
            self.first = begin;
        }
        self.counts.resize(self.counts.len().max(end - self.first), 0);
    }

    /// Counts all that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        if other.counts.is_empty() {
            return;
        }
        self.widen(other.first, other.first + other.counts.len());
        for (count, other) in self.counts[other.first - self.first..].iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*other);
        }
    }

    /// For each of `shares`, rising fractions of one, what so many take at most (nearest rank); none when nothing was counted.
    pub fn percentiles<const N: usize>(&self, shares: [f64; N]) -> Option<[u64; N]> {
        let all: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        if all == 0 {
            return None;
        }
        let (mut place, mut below) = (0, u64::from(self.counts[0]));
        Some(shares.map(|share| {
            let rank = ((all as f64 * share).ceil() as u64).clamp(1, all);
            while below < rank {
                place += 1;
                below += u64::from(self.counts[place]);
            }
            middle(self.first + place)
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_step_is_within_a_sixty_fourth(bits in 0u32..64, low in any::<u64>()) {
            let ns = 1 << bits | low & ((1 << bits) - 1);
            let middle = middle(step(ns));
            prop_assert!(middle.abs_diff(ns) <= ns / 64, "{ns} became {middle}");
            prop_assert_eq!(step(middle), step(ns));
        }

        #[test]
        fn steps_rise(left in any::<u64>(), right in any::<u64>()) {
            prop_assert!((left <= right) <= (step(left) <= step(right)));
        }

        #[test]
        fn percentiles_are_near_the_sorted_ones(
            mut all in proptest::collection::vec(0u64..10_000_000_000, 1..200),
            split in any::<prop::sample::Index>(),
        ) {
            let (mut durations, mut more) = (Durations::default(), Durations::default());
            let split = split.index(all.len());
            all[..split].iter().for_each(|ns| durations.add(step(*ns)));
            all[split..].iter().for_each(|ns| more.add(step(*ns)));
            durations.merge(&more);
            all.sort_unstable();
            let shares = [0.5, 0.9, 0.99, 1.0];
            let found = durations.percentiles(shares).unwrap();
            for (share, found) in shares.into_iter().zip(found) {
                let wanted = all[(all.len() as f64 * share).ceil() as usize - 1];
                prop_assert!(found.abs_diff(wanted) <= wanted / 64, "{share}: {found} and {wanted}");
            }
        }
    }

    #[test]
    fn the_ends() {
        assert_eq!((step(0), middle(0)), (0, 0));
        assert_eq!(step(u64::MAX), 60 * STEPS as usize - 1);
        let mut durations = Durations::default();
        [u64::MAX, 0].into_iter().for_each(|ns| durations.add(step(ns)));
        assert_eq!(durations.percentiles([0.5]), Some([0]));
        assert_eq!(Durations::default().percentiles([0.5]), None);
    }
}
