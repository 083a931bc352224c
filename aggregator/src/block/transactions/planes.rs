//! Whole numbers as planes of bytes: the lowest byte of every number, then the next one of every number, and so on. A column of times
//! or durations is nearly random in its low bytes and nearly constant in its high ones, so that zstd keeps the first as they are and
//! makes nothing of the others, and a reader puts numbers together many at a time.
//!
//! ```text
//! least:varint scale:varint width:u8
//! width planes of one byte per number: (number - least) / scale
//! ```

use crate::block::varint::{put, take};

/// With fewer rows than one in so many, each of them is put together by itself.
const PICKED_ONE_BY_ONE: usize = 4;
/// Units that numbers of nanoseconds often have in common.
const SCALES: [u64; 3] = [1_000_000_000, 1_000_000, 1_000];

/// Encodes `numbers`.
pub fn encode(numbers: &[u64]) -> Vec<u8> {
    let least = numbers.iter().copied().min().unwrap_or_default();
    let scale = SCALES.into_iter().find(|scale| numbers.iter().all(|number| (number - least) % scale == 0));
    let scale = scale.unwrap_or(1);
    let all = numbers.iter().fold(0, |all, number| all | ((number - least) / scale));
    let width = (u64::BITS - all.leading_zeros()).div_ceil(8);
    let mut out = Vec::with_capacity(numbers.len() * width as usize + 20);
    put(&mut out, least);
    put(&mut out, scale);
    out.push(width as u8);
    for plane in 0..width {
        out.extend(numbers.iter().map(|number| (((number - least) / scale) >> (8 * plane)) as u8));
    }
    out
}

/// What [`encode`] made. What adds up to more than 64 bits wraps around.
pub struct Planes {
    bytes: Vec<u8>,
    /// Where the first plane begins.
    begin: usize,
    count: usize,
    width: usize,
    scale: u64,
    least: u64,
}

impl Planes {
    /// None when these are not `count` numbers.
    pub fn open(bytes: Vec<u8>, count: usize) -> Option<Self> {
        let mut input = &bytes[..];
        let least = take(&mut input)?;
        let scale = take(&mut input)?;
        let (width, planes) = input.split_first()?;
        let width = usize::from(*width);
        if width > 8 || Some(planes.len()) != width.checked_mul(count) {
            return None;
        }
        let begin = bytes.len() - planes.len();
        Some(Self { bytes, begin, count, width, scale, least })
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    fn joined(&self, number: u64) -> u64 {
        number.wrapping_mul(self.scale).wrapping_add(self.least)
    }

    /// One number.
    pub fn get(&self, row: usize) -> u64 {
        assert!(row < self.count, "a row that is there");
        let bytes = (0..self.width).map(|plane| self.bytes[self.begin + plane * self.count + row]);
        self.joined(bytes.rev().fold(0, |number, byte| number << 8 | u64::from(byte)))
    }

    /// The numbers of some rows, in that order.
    pub fn pick(&self, rows: &[u32]) -> Vec<u64> {
        if rows.len() < self.count / PICKED_ONE_BY_ONE {
            return rows.iter().map(|row| self.get(*row as usize)).collect();
        }
        let all = self.all();
        if rows.len() == self.count { all } else { rows.iter().map(|row| all[*row as usize]).collect() }
    }

    /// All of them. There is a loop for each width: it goes through the planes once, and all at the same time.
    pub fn all(&self) -> Vec<u64> {
        match self.width {
            0 => vec![self.joined(0); self.count],
            1 => self.bytes[self.begin..].iter().map(|byte| self.joined(u64::from(*byte))).collect(),
            2 => self.join::<2>(),
            3 => self.join::<3>(),
            4 => self.join::<4>(),
            5 => self.join::<5>(),
            6 => self.join::<6>(),
            7 => self.join::<7>(),
            _ => self.join::<8>(),
        }
    }

    fn join<const WIDTH: usize>(&self) -> Vec<u64> {
        let planes: [&[u8]; WIDTH] =
            std::array::from_fn(|plane| &self.bytes[self.begin + plane * self.count..][..self.count]);
        let number = |row: usize| {
            let bytes = planes.iter().enumerate();
            bytes.fold(0, |number, (place, plane)| number | u64::from(plane[row]) << (8 * place))
        };
        (0..self.count).map(|row| self.joined(number(row))).collect()
    }
}

/// A time as a number that keeps the order.
pub fn of_time(time: i64) -> u64 {
    time as u64 ^ 1 << 63
}

/// The reverse of [`of_time`].
pub fn to_time(number: u64) -> i64 {
    (number ^ 1 << 63) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn round_trip(
            numbers in prop_oneof![
                proptest::collection::vec(any::<u64>(), 0..50),
                proptest::collection::vec((0u64..1 << 40).prop_map(|number| number * 1_000), 0..50),
                proptest::collection::vec(0u64..3, 0..50),
            ],
        ) {
            let planes = Planes::open(encode(&numbers), numbers.len()).expect("that many numbers");
            prop_assert_eq!(planes.all(), &numbers[..]);
            for step in [1, 2, 7] {
                let rows: Vec<u32> = (0..numbers.len() as u32).step_by(step).collect();
                let picked: Vec<u64> = numbers.iter().copied().step_by(step).collect();
                prop_assert_eq!(planes.pick(&rows), picked);
            }
        }

        #[test]
        fn times_keep_their_order(left in any::<i64>(), right in any::<i64>()) {
            prop_assert_eq!(left.cmp(&right), of_time(left).cmp(&of_time(right)));
            prop_assert_eq!(to_time(of_time(left)), left);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40), count in 0usize..20) {
            if let Some(planes) = Planes::open(bytes, count) {
                prop_assert_eq!(planes.all().len(), count);
            }
        }
    }

    #[test]
    fn what_numbers_have_in_common_takes_no_plane() {
        let time = of_time(1_795_608_000_000_000_000);
        assert!(encode(&[time; 1000]).len() < 20);
        assert!(encode(&[time, time + 250_000_000, time + 5_000_000]).len() < 20);
    }
}
