//! How many blocks the next slice has.
//!
//! Turns are given one after the other, so they have to be of like worth: a slice takes about [`SLICE_CPU`], whether its blocks are
//! counted in some microseconds each or are decompressed and gone through. The measure is the time of the processor: what a slice waits
//! for the others is not its own.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What a slice takes, about.
const SLICE_CPU: Duration = Duration::from_millis(20);
/// A slice has at most so many times the blocks of the one before: those were perhaps the cheap ones, and who has enough soon shall not have looked at
/// many more.
const GROWTH_MAX: usize = 2;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    blocks: usize,
    blocks_max: usize,
}

impl Pace {
    /// The first slice has `first` blocks, none has more than `blocks_max`.
    pub const fn new(first: usize, blocks_max: usize) -> Self {
        Self { blocks: first, blocks_max }
    }

    /// Blocks of the next slice.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The slice took so much.
    pub fn took(&mut self, cpu: Duration) {
        let affordable = self.blocks as u128 * SLICE_CPU.as_nanos() / cpu.as_nanos().max(1);
        let affordable = usize::try_from(affordable).unwrap_or(usize::MAX);
        self.blocks = affordable.min(self.blocks * GROWTH_MAX).clamp(1, self.blocks_max);
    }
}

/// Processor time of this thread.
pub fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_blocks_make_long_slices_and_dear_ones_short_ones() {
        let mut pace = Pace::new(4, 1_000);
        let blocks = |pace: &mut Pace, per_block: Duration| {
            let taken: Vec<usize> = std::iter::repeat_with(|| {
                let blocks = pace.blocks();
                pace.took(per_block * u32::try_from(blocks).unwrap());
                blocks
            })
            .take(6)
            .collect();
            taken
        };
        assert_eq!(blocks(&mut pace, Duration::from_micros(5)), [4, 8, 16, 32, 64, 128]);
        assert_eq!(blocks(&mut pace, Duration::from_millis(1)), [256, 20, 20, 20, 20, 20]);
        assert_eq!(blocks(&mut pace, Duration::from_millis(50)), [20, 1, 1, 1, 1, 1]);
        pace.took(Duration::ZERO);
        assert_eq!(pace.blocks(), 2);
        assert_eq!(blocks(&mut Pace::new(4, 6), Duration::ZERO), [4, 6, 6, 6, 6, 6]);
    }
}
