//! Bytes with a length and a checksum, at a position.
//!
//! ```text
//! magic:u32 length:u32 synced:u64 crc:u32 payload[length]      all little-endian
//! ```
//!
//! The checksum (crc32c) covers position, length, synced and payload, so that a frame is valid at its own position alone.
//! `synced` is a position that was durable when the frame was written: a valid frame that says so proves that every byte
//! before that position had been there.

/// First bytes of a frame.
pub const MAGIC: [u8; 4] = *b"CWf1";
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 20;
/// No payload is longer: a batch of the largest size that does not compress at all, and its columns.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the payload.
    pub length: usize,
    /// Durable when this was written.
    pub synced: u64,
    crc: u32,
}

/// Appends a frame for `payload` that will stand at `position`.
pub fn put(out: &mut Vec<u8>, position: u64, synced: u64, payload: &[u8]) {
    assert!(payload.len() <= PAYLOAD_BYTES_MAX);
    let length = (payload.len() as u32).to_le_bytes();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&length);
    out.extend_from_slice(&synced.to_le_bytes());
    out.extend_from_slice(&checksum(position, length, synced, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// Reads a header; none when the bytes are no header.
pub fn header(bytes: &[u8]) -> Option<Header> {
    let bytes = bytes.first_chunk::<HEADER_BYTES>()?;
    let length = u32::from_le_bytes(bytes[4..8].try_into().expect("4 bytes")) as usize;
    (bytes[..4] == MAGIC && length <= PAYLOAD_BYTES_MAX).then(|| Header {
        length,
        synced: u64::from_le_bytes(bytes[8..16].try_into().expect("8 bytes")),
        crc: u32::from_le_bytes(bytes[16..20].try_into().expect("4 bytes")),
    })
}

impl Header {
    /// Whether `payload` at `position` is what this header was written for.
    pub fn fits(&self, position: u64, payload: &[u8]) -> bool {
        payload.len() == self.length
            && checksum(position, (self.length as u32).to_le_bytes(), self.synced, payload) == self.crc
    }

    /// Bytes of the whole frame.
    pub fn frame_bytes(&self) -> u64 {
        (HEADER_BYTES + self.length) as u64
    }
}

fn checksum(position: u64, length: [u8; 4], synced: u64, payload: &[u8]) -> u32 {
    let mut head = [0u8; 20];
    head[..8].copy_from_slice(&position.to_le_bytes());
    head[8..12].copy_from_slice(&length);
    head[12..].copy_from_slice(&synced.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&head), payload)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn round_trip(position in any::<u64>(), synced in any::<u64>(), payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            put(&mut out, position, synced, &payload);
            let header = header(&out).unwrap();
            prop_assert_eq!((header.length, header.synced), (payload.len(), synced));
            prop_assert!(header.fits(position, &out[HEADER_BYTES..]));
            prop_assert!(!header.fits(position.wrapping_add(1), &out[HEADER_BYTES..]));
        }

        #[test]
        fn a_changed_bit_is_noticed(payload in proptest::collection::vec(any::<u8>(), 0..60), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut out = Vec::new();
            put(&mut out, 5, 5, &payload);
            let at = at.index(out.len());
            out[at] ^= 1 << bit;
            let valid = header(&out).is_some_and(|header| out.get(HEADER_BYTES..).is_some_and(|payload| header.fits(5, payload)));
            prop_assert!(!valid);
        }
    }
}
