//! LEB128 integers and zigzag, as protobuf writes them.

/// Appends `value`, 7 bits a byte, the lowest first.
#[inline]
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed value, small magnitudes short.
#[inline]
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, (value << 1 ^ value >> 63) as u64);
}

/// Takes one integer off the front of `input`; none when it ends early or is longer than 64 bits.
#[inline]
pub fn take(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (index, byte) in input.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            *input = &input[index + 1..];
            return (index < 9 || *byte <= 1).then_some(value);
        }
    }
    None
}

/// The reverse of [`put_signed`].
#[inline]
pub fn take_signed(input: &mut &[u8]) -> Option<i64> {
    take(input).map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Takes a length, then that many bytes.
pub fn take_bytes<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take(input)?).ok()?;
    let (bytes, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(bytes)
}

/// Appends a length, then the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn round_trip(unsigned in any::<u64>(), signed in any::<i64>(), bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut out = Vec::new();
            put(&mut out, unsigned);
            put_signed(&mut out, signed);
            put_bytes(&mut out, &bytes);
            let mut input = &out[..];
            prop_assert_eq!(take(&mut input), Some(unsigned));
            prop_assert_eq!(take_signed(&mut input), Some(signed));
            prop_assert_eq!(take_bytes(&mut input), Some(&bytes[..]));
            prop_assert!(input.is_empty());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let mut input = &bytes[..];
            while take_signed(&mut input).is_some() {}
            let _ = take_bytes(&mut &bytes[..]);
        }
    }
}
