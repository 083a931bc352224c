//! Finding bytes, sixteen at a time. What is looked for in logs is near: a call of memchr for each find would cost more than
//! the search.

/// So many bytes are looked at in one step.
const CHUNK: usize = 16;
/// The places in so many bytes fit the bits of one number.
const BLOCK: usize = 64;

/// Where the first `"` or `\` is.
#[inline(always)]
pub fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    position(bytes, |chunk| any_of(chunk, [b'"', b'\\']))
}

/// Where the first `wanted` is.
#[inline(always)]
pub fn byte(bytes: &[u8], wanted: u8) -> Option<usize> {
    position(bytes, |chunk| any_of(chunk, [wanted]))
}

/// Whether `wanted` is one of the first sixteen bytes; false when there are fewer.
#[inline(always)]
pub fn is_in_first_chunk(bytes: &[u8], wanted: u8) -> bool {
    bytes.first_chunk().is_some_and(|chunk| any_of(chunk, [wanted]) != 0)
}

/// Hands `take` each place where one of `wanted` is, from the left to the right.
#[inline(always)]
pub fn each<const N: usize>(bytes: &[u8], wanted: [u8; N], mut take: impl FnMut(usize)) {
    let mut begin = 0;
    while begin < bytes.len() {
        let mut mask = mask_of_block(bytes, begin, wanted);
        while mask != 0 {
            take(begin + mask.trailing_zeros() as usize);
            mask &= mask - 1;
        }
        begin += BLOCK;
    }
}

/// How many hexadecimal digits and dashes `bytes` begins with.
#[inline(always)]
pub fn hex_or_dash_at_start(bytes: &[u8]) -> usize {
    position(bytes, |chunk| !hex_or_dash(chunk) & ALL).unwrap_or(bytes.len())
}

/// How many hexadecimal digits and dashes `bytes` ends with.
#[inline(always)]
pub fn hex_or_dash_at_end(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((before, chunk)) = rest.split_last_chunk() {
        let others = !hex_or_dash(chunk) & ALL;
        if others != 0 {
            // The highest bit is the last byte.
            return bytes.len() - before.len() - 1 - others.ilog2() as usize;
        }
        rest = before;
    }
    let others = rest.iter().rposition(|byte| !byte.is_ascii_hexdigit() && *byte != b'-');
    bytes.len() - others.map_or(0, |at| at + 1)
}

/// A bit for each byte that is a decimal digit.
#[inline(always)]
pub fn digits(chunk: &[u8; CHUNK]) -> u32 {
    within(chunk, &[(b'0', b'9', 0)])
}

/// One bit for each byte of a chunk.
const ALL: u32 = (1 << CHUNK) - 1;

/// Where the first byte is that `mask` has a bit for.
#[inline(always)]
fn position(bytes: &[u8], mask: impl Fn(&[u8; CHUNK]) -> u32) -> Option<usize> {
    let mut begin = 0;
    let mut rest = bytes;
    while let Some((chunk, behind)) = rest.split_first_chunk() {
        let found = mask(chunk);
        if found != 0 {
            // The remainder tells the compiler what it cannot know: it lies within the chunk.
            return Some(begin + found.trailing_zeros() as usize % CHUNK);
        }
        begin += CHUNK;
        rest = behind;
    }
    let found = match bytes.last_chunk() {
        _ if rest.is_empty() => return None,
        // The same bytes once more, and the new ones behind them.
        Some(chunk) => mask(chunk) >> (CHUNK - rest.len()),
        None => mask(&padded(rest)) & ((1 << rest.len()) - 1),
    };
    (found != 0).then(|| begin + found.trailing_zeros() as usize)
}

/// A bit for each of the bytes from `begin` on, as many as a block has at most, that is one of `wanted`.
#[inline(always)]
fn mask_of_block<const N: usize>(bytes: &[u8], begin: usize, wanted: [u8; N]) -> u64 {
    let of_chunk = |chunk| u64::from(any_of(chunk, wanted));
    let behind = &bytes[begin..];
    if let Some(block) = behind.first_chunk::<BLOCK>() {
        let (chunks, _) = block.as_chunks::<CHUNK>();
        return (0..).zip(chunks).fold(0, |mask, (at, chunk)| mask | of_chunk(chunk) << (at * CHUNK));
    }
    let (chunks, rest) = behind.as_chunks::<CHUNK>();
    let whole = (0..).zip(chunks).fold(0, |mask, (at, chunk)| mask | of_chunk(chunk) << (at * CHUNK));
    if rest.is_empty() {
        return whole;
    }
    let last = match bytes.last_chunk() {
        Some(chunk) => of_chunk(chunk) >> (CHUNK - rest.len()),
        None => of_chunk(&padded(rest)) & ((1 << rest.len()) - 1),
    };
    whole | last << (chunks.len() * CHUNK)
}

/// Fewer bytes than a chunk has, with zeros behind them.
#[inline(always)]
fn padded(bytes: &[u8]) -> [u8; CHUNK] {
    let mut padded = [0; CHUNK];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}

/// A bit for each byte that is one of `wanted`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn any_of<const N: usize>(chunk: &[u8; CHUNK], wanted: [u8; N]) -> u32 {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8, _mm_setzero_si128,
    };
    // SAFETY: SSE2 is part of every x86_64; the load takes 16 bytes, which is what `chunk` has, at any alignment.
    unsafe {
        let block = _mm_loadu_si128(chunk.as_ptr().cast::<__m128i>());
        let found = wanted.iter().fold(_mm_setzero_si128(), |found, byte| {
            _mm_or_si128(found, _mm_cmpeq_epi8(block, _mm_set1_epi8(*byte as i8)))
        });
        _mm_movemask_epi8(found) as u32
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn any_of<const N: usize>(chunk: &[u8; CHUNK], wanted: [u8; N]) -> u32 {
    bits(chunk, |byte| wanted.contains(&byte))
}

/// A bit for each byte that is a hexadecimal digit or a dash.
#[inline(always)]
fn hex_or_dash(chunk: &[u8; CHUNK]) -> u32 {
    /// What tells a small letter from a capital.
    const SMALL: u8 = 0x20;
    within(chunk, &[(b'0', b'9', 0), (b'a', b'f', SMALL), (b'-', b'-', 0)])
}

/// A bit for each byte that lies between the first two of `ranges`, both included, when the bits of the third are set in it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn within<const N: usize>(chunk: &[u8; CHUNK], ranges: &[(u8, u8, u8); N]) -> u32 {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
        _mm_setzero_si128, _mm_sub_epi8,
    };
    // SAFETY: as in `any_of`.
    unsafe {
        let block = _mm_loadu_si128(chunk.as_ptr().cast::<__m128i>());
        let found = ranges.iter().fold(_mm_setzero_si128(), |found, (first, last, set)| {
            let from_first = _mm_sub_epi8(_mm_or_si128(block, _mm_set1_epi8(*set as i8)), _mm_set1_epi8(*first as i8));
            // There is no comparison of unsigned bytes: what is at most the limit is the smaller one of the two.
            let smaller = _mm_min_epu8(from_first, _mm_set1_epi8((last - first) as i8));
            _mm_or_si128(found, _mm_cmpeq_epi8(smaller, from_first))
        });
        _mm_movemask_epi8(found) as u32
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn within<const N: usize>(chunk: &[u8; CHUNK], ranges: &[(u8, u8, u8); N]) -> u32 {
    bits(chunk, |byte| ranges.iter().any(|(first, last, set)| (*first..=*last).contains(&(byte | set))))
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn bits(chunk: &[u8; CHUNK], is: impl Fn(u8) -> bool) -> u32 {
    chunk.iter().enumerate().fold(0, |bits, (at, byte)| bits | u32::from(is(*byte)) << at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Long stretches of one kind, and all bytes in between.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            8 => Just(b'a'), 4 => b'0'..=b'9', 2 => Just(b'-'), 1 => Just(b'"'), 1 => Just(b'\\'), 1 => Just(0), 1 => any::<u8>()
        ];
        proptest::collection::vec(byte, 0..80)
    }

    proptest! {
        #[test]
        fn agrees_with_memchr(bytes in bytes()) {
            prop_assert_eq!(quote_or_backslash(&bytes), memchr::memchr2(b'"', b'\\', &bytes));
            for wanted in [0, b'"', b'a'] {
                prop_assert_eq!(byte(&bytes, wanted), memchr::memchr(wanted, &bytes));
                let first = bytes.get(..CHUNK).is_some_and(|first| first.contains(&wanted));
                prop_assert_eq!(is_in_first_chunk(&bytes, wanted), first);
            }
            let mut found = Vec::new();
            each(&bytes, [0, b'"', b'-'], |at| found.push(at));
            prop_assert_eq!(found, memchr::memchr3_iter(0, b'"', b'-', &bytes).collect::<Vec<_>>());
        }

        #[test]
        fn agrees_with_one_byte_after_the_other(bytes in bytes()) {
            let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || **byte == b'-';
            prop_assert_eq!(hex_or_dash_at_start(&bytes), bytes.iter().take_while(is_part).count());
            prop_assert_eq!(hex_or_dash_at_end(&bytes), bytes.iter().rev().take_while(is_part).count());
            if let Some(chunk) = bytes.first_chunk() {
                let bit = |(at, byte): (usize, &u8)| u32::from(byte.is_ascii_digit()) << at;
                prop_assert_eq!(digits(chunk), chunk.iter().enumerate().map(bit).sum::<u32>());
            }
        }
    }
}
