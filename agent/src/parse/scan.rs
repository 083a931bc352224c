//! Finding the end of a JSON string, sixteen bytes at a time. Strings in logs are short, so a call of memchr for each would
//! cost more than the search.

/// Where the first `"` or `\` at or after `from` is.
#[inline(always)]
pub fn quote_or_backslash(bytes: &[u8], mut from: usize) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{
            __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
        };
        while let Some(chunk) = bytes.get(from..).and_then(|rest| rest.first_chunk::<16>()) {
            // SAFETY: SSE2 is part of every x86_64; the load takes 16 bytes, which is what `chunk` has, at any alignment.
            let mask = unsafe {
                let block = _mm_loadu_si128(chunk.as_ptr().cast::<__m128i>());
                let quotes = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'"' as i8));
                let backslashes = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'\\' as i8));
                _mm_movemask_epi8(_mm_or_si128(quotes, backslashes))
            };
            if mask != 0 {
                return Some(from + mask.trailing_zeros() as usize);
            }
            from += 16;
        }
    }
    let rest = bytes.get(from..)?;
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_memchr(bytes in proptest::collection::vec(prop_oneof![5 => Just(b'a'), 1 => Just(b'"'), 1 => Just(b'\\')], 0..80), from in 0usize..90) {
            let expected = bytes.get(from..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)).map(|at| from + at);
            prop_assert_eq!(super::quote_or_backslash(&bytes, from), expected);
        }
    }
}
