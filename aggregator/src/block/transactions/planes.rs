//! Whole numbers as planes of bytes: the lowest byte of every number, then the next one of every number, and so on. A column of times
//! or durations is nearly random in its low bytes and nearly constant in its high ones, so that zstd keeps the first as they are and
//! makes nothing of the others, and a reader puts numbers together many at a time.
//!
//! ```text
//! least:varint scale:varint width:u8
//! width planes of one byte per number: (number - least) / scale
//! ```

use crate::block::varint::{put, take};

/// Units that numbers of nanoseconds often have in common.
const SCALES: [u64; 3] = [1_000_000_000, 1_000_000, 1_000];

/// Encodes `numbers`.
pub fn encode(numbers: &[u64]) -> Vec<u8> {
    let least = numbers.iter().copied().min().unwrap_or_default();
    let scale = SCALES.into_iter().find(|scale| numbers.iter().all(|number| (number - least) % scale == 0));
    let scale = scale.unwrap_or(1);
    let all = numbers.iter().fold(0, |all, number| all | (number - least) / scale);
    let width = (u64::BITS - all.leading_zeros()).div_ceil(8);
    let mut out = Vec::with_capacity(numbers.len() * width as usize + 20);
    put(&mut out, least);
    put(&mut out, scale);
    out.push(width as u8);
    for plane in 0..width {
        out.extend(numbers.iter().map(|number| ((number - least) / scale >> (8 * plane)) as u8));
    }
    out
}

/// The reverse of [`encode`]; none when these are not `count` numbers. What adds up to more than 64 bits wraps around.
pub fn decode(mut input: &[u8], count: usize) -> Option<Vec<u64>> {
    let least = take(&mut input)?;
    let scale = take(&mut input)?;
    let (width, planes) = input.split_first()?;
    let width = usize::from(*width);
    if width > 8 || Some(planes.len()) != width.checked_mul(count) {
        return None;
    }
    let joined = |number: u64| number.wrapping_mul(scale).wrapping_add(least);
    Some(match width {
        0 => vec![joined(0); count],
        1 => planes.iter().map(|byte| joined(u64::from(*byte))).collect(),
        2 => join::<2>(planes, count, joined),
        3 => join::<3>(planes, count, joined),
        4 => join::<4>(planes, count, joined),
        5 => join::<5>(planes, count, joined),
        6 => join::<6>(planes, count, joined),
        7 => join::<7>(planes, count, joined),
        _ => join::<8>(planes, count, joined),
    })
}

/// A loop for each width: it goes through the planes once, and all at the same time.
fn join<const WIDTH: usize>(planes: &[u8], count: usize, joined: impl Fn(u64) -> u64) -> Vec<u64> {
    let planes: [&[u8]; WIDTH] = std::array::from_fn(|place| &planes[place * count..][..count]);
    let number = |row: usize| {
        let bytes = planes.iter().enumerate();
        bytes.fold(0, |number, (place, plane)| number | u64::from(plane[row]) << (8 * place))
    };
    (0..count).map(|row| joined(number(row))).collect()
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
            prop_assert_eq!(decode(&encode(&numbers), numbers.len()), Some(numbers));
        }

        #[test]
        fn times_keep_their_order(left in any::<i64>(), right in any::<i64>()) {
            prop_assert_eq!(left.cmp(&right), of_time(left).cmp(&of_time(right)));
            prop_assert_eq!(to_time(of_time(left)), left);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40), count in 0usize..20) {
            let _ = decode(&bytes, count);
        }
    }

    #[test]
    fn what_numbers_have_in_common_takes_no_plane() {
        let time = of_time(1_795_608_000_000_000_000);
        assert!(encode(&[time; 1000]).len() < 20);
        assert!(encode(&[time, time + 250_000_000, time + 5_000_000]).len() < 20);
    }
}
