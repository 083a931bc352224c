//! The distinct words of a block, for the index.
//!
//! A word is a run of ASCII letters, digits, `_` and bytes of other scripts (0x80 and up), in lower case (ASCII only), cut
//! at [`WORD_BYTES_MAX`]. It is taken from the overlaid bytes, so that timestamps and transaction IDs are no words: those
//! are found by time and by ID. The index only narrows a search to blocks; the exact predicate runs on the raw line.

use std::hash::BuildHasher;

/// A longer word is indexed by its first bytes.
pub const WORD_BYTES_MAX: usize = 64;

/// Ends a stretch of a line that is looked at as a whole; no word contains one. Log lines repeat most of what stands
/// between two commas (`"level":"INFO"`): a stretch that was seen before is passed over, which halves the work.
const STRETCH_ENDS: [u8; 2] = [b',', b'\n'];

/// So many stretches are remembered. A power of two.
const STRETCHES: usize = 1 << 12;

/// Stands among the words of a block whose hidden times and IDs stand apart (`overlay::Hidden::Apart`); it is no word.
pub const APART: &str = "\u{1}";

/// Separates the words in [`Words::collect`]'s answer; it is in no word.
pub const SEPARATOR: u8 = b'\n';

/// Collects distinct words; keeps its tables from block to block.
#[derive(Default)]
pub struct Words {
    lower: Vec<u8>,
    /// Index into `entries` plus one; zero is empty. A power of two long.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    /// Hashes of stretches that were seen, each at its place. The seed is random, so that nobody can write a line that
    /// hides another one's words.
    seen: Vec<u64>,
    seed: foldhash::fast::RandomState,
}

#[derive(Clone, Copy)]
struct Entry {
    shape: Shape,
    hash: u32,
    at: u32,
}

/// A word's first and last eight bytes and its length: equal shapes of up to 16 bytes are equal words.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    first: u64,
    last: u64,
    length: u32,
}

impl Shape {
    /// `padded` is `lower` with at least 8 more bytes behind it.
    #[inline]
    fn of(padded: &[u8], at: usize, end: usize) -> Self {
        let load = |at: usize| u64::from_le_bytes(*padded[at..].first_chunk().expect("padded"));
        let length = end - at;
        let (first, last) = if length >= 8 {
            (load(at), load(end - 8))
        } else {
            let first = load(at) & ((1 << (8 * length)) - 1);
            (first, first)
        };
        Self { first, last, length: length as u32 }
    }

    /// Two multiplications (the constants are those of wyhash); what differs only in the middle of a long word collides,
    /// and is told apart by comparison.
    #[inline]
    fn hash(self) -> u32 {
        let mixed = u128::from(self.first ^ 0xa076_1d64_78bd_642f) * u128::from(self.last ^ 0xe703_7ed1_a0b4_28db);
        let folded = (mixed as u64 ^ (mixed >> 64) as u64 ^ u64::from(self.length)).wrapping_mul(0x8ebc_6af0_9c88_c6e3);
        (folded >> 32) as u32
    }
}

/// Bytes behind the last word, so that a whole chunk can always be loaded.
const PADDING: usize = CHUNK;
const CHUNK: usize = 64;

impl Words {
    /// The distinct words of `raw` and [`APART`], each followed by [`SEPARATOR`]. Invalid UTF-8 is replaced. `lengths` are those of the records in
    /// it: no word goes on into the next record, even if there is no line feed between them.
    pub fn collect(&mut self, raw: &[u8], lengths: &[u32]) -> String {
        self.lower.clear();
        self.lower.extend(raw.iter().map(u8::to_ascii_lowercase));
        self.lower.extend([0; PADDING]);
        self.entries.clear();
        self.slots.clear();
        self.slots.resize(1 << 14, 0);
        self.seen.clear();
        self.seen.resize(STRETCHES, 0);
        let lower = std::mem::take(&mut self.lower);
        let mut from = 0;
        for to in unterminated(raw, lengths).chain([raw.len()]) {
            let mut begin = from;
            let ends = memchr::memchr2_iter(STRETCH_ENDS[0], STRETCH_ENDS[1], &lower[from..to]).map(|end| from + end);
            for end in ends.chain([to]) {
                if self.is_new(&lower[begin..end]) {
                    each_word(&lower, begin, end, |at, end| self.insert(&lower, at, end.min(at + WORD_BYTES_MAX)));
                }
                begin = end + 1;
            }
            from = to;
        }
        let bytes: usize = self.entries.iter().map(|entry| entry.shape.length as usize + 1).sum();
        let mut out = Vec::with_capacity(bytes + APART.len() + 1);
        out.extend_from_slice(APART.as_bytes());
        out.push(SEPARATOR);
        for entry in &self.entries {
            out.extend_from_slice(&lower[entry.at as usize..(entry.at + entry.shape.length) as usize]);
            out.push(SEPARATOR);
        }
        self.lower = lower;
        String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    fn is_new(&mut self, stretch: &[u8]) -> bool {
        // Zero marks an empty place.
        let hash = self.seed.hash_one(stretch) | 1;
        let place = &mut self.seen[(hash >> 32) as usize & (STRETCHES - 1)];
        *place != hash && {
            *place = hash;
            true
        }
    }

    #[inline]
    fn insert(&mut self, lower: &[u8], at: usize, end: usize) {
        let shape = Shape::of(lower, at, end);
        let hash = shape.hash();
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] {
                0 => break,
                index => {
                    let entry = &self.entries[index as usize - 1];
                    let known = entry.at as usize;
                    if entry.shape == shape && (end - at <= 16 || lower[known..known + end - at] == lower[at..end]) {
                        return;
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
        self.entries.push(Entry { shape, hash, at: at as u32 });
        self.slots[slot] = self.entries.len() as u32;
        if self.entries.len() * 2 > self.slots.len() {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots.clear();
        self.slots.resize(mask + 1, 0);
        for (index, entry) in self.entries.iter().enumerate() {
            let mut slot = entry.hash as usize & mask;
            while self.slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = index as u32 + 1;
        }
    }
}

/// Where records end without a line feed; few do.
fn unterminated<'a>(raw: &'a [u8], lengths: &'a [u32]) -> impl Iterator<Item = usize> + 'a {
    let ends = lengths.iter().scan(0, |at, length| {
        *at += *length as usize;
        Some(*at)
    });
    ends.filter(|end| raw[..*end].last() != Some(&b'\n'))
}

/// Whether `byte`, in lower case, is part of a word.
#[inline]
pub fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Calls `word(begin, end)` for every run of word bytes in `padded[begin..end]`; [`PADDING`] bytes stand behind `end`.
fn each_word(padded: &[u8], begin: usize, end: usize, mut word: impl FnMut(usize, usize)) {
    let mut word_begin = None;
    let mut inside = 0u64;
    for base in (begin..end).step_by(CHUNK) {
        let mut mask = word_mask(padded[base..].first_chunk().expect("padded"));
        if end - base < CHUNK {
            mask &= (1 << (end - base)) - 1;
        }
        // A bit where a word begins or ends: this byte differs from the one before it.
        let mut edges = mask ^ (mask << 1 | inside);
        inside = mask >> 63;
        while edges != 0 {
            let at = base + edges.trailing_zeros() as usize;
            edges &= edges - 1;
            match word_begin.take() {
                None => word_begin = Some(at),
                Some(from) => word(from, at),
            }
        }
    }
    if let Some(from) = word_begin {
        word(from, end);
    }
}

/// One bit per byte: is it a word byte?
#[cfg(target_arch = "x86_64")]
#[inline]
fn word_mask(chunk: &[u8; 64]) -> u64 {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi8, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };
    // SSE2 compares signed bytes alone: a range is moved to the bottom of the signed values, then it is one comparison.
    let mut mask = 0u64;
    for index in 0..4 {
        // SAFETY: SSE2 is part of every x86-64, and the 16 bytes at 16 * index lie inside the chunk.
        let bits = unsafe {
            let bytes = _mm_loadu_si128(chunk.as_ptr().add(16 * index).cast::<__m128i>());
            let in_range = |low: u8, width: u8| {
                let moved = _mm_add_epi8(bytes, _mm_set1_epi8((0x80u8.wrapping_sub(low)) as i8));
                _mm_cmplt_epi8(moved, _mm_set1_epi8((0x80u8.wrapping_add(width)) as i8))
            };
            let letters = _mm_or_si128(in_range(b'a', 26), in_range(b'A', 26));
            let others = _mm_or_si128(in_range(b'0', 10), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'_' as i8)));
            // The sign bit of a byte is what movemask reads: bytes from 0x80 count by themselves.
            _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letters, others), bytes))
        };
        mask |= u64::from(bits as u32 & 0xffff) << (16 * index);
    }
    mask
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn word_mask(chunk: &[u8; 64]) -> u64 {
    chunk.iter().enumerate().fold(0, |mask, (index, byte)| mask | u64::from(is_word_byte(*byte)) << index)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn naive(raw: &[u8]) -> BTreeSet<String> {
        raw.split(|byte| !is_word_byte(*byte))
            .filter(|word| !word.is_empty())
            .map(|word| {
                String::from_utf8_lossy(&word[..word.len().min(WORD_BYTES_MAX)].to_ascii_lowercase()).into_owned()
            })
            .collect()
    }

    fn collected(raw: &[u8]) -> Vec<String> {
        let words = Words::default().collect(raw, &[raw.len() as u32]);
        let mut words = words.split_terminator('\n').map(String::from);
        assert_eq!(words.next().as_deref(), Some(APART));
        words.collect()
    }

    #[test]
    fn words_of_a_line() {
        let words = collected(
            "{\"level\":\"ERROR\",\"user_id\":42,\"msg\":\"Überweisung fehlgeschlagen: level 7\"}".as_bytes(),
        );
        assert_eq!(words, ["level", "error", "user_id", "42", "msg", "Überweisung", "fehlgeschlagen", "7"]);
    }

    #[test]
    fn words_end_with_their_record() {
        let words = Words::default().collect(b"cut\nthe record,goes on", &[4, 4, 3, 11]);
        assert_eq!(words, format!("{APART}\ncut\nthe\nrec\nord\ngoes\non\n"));
    }

    proptest! {
        #[test]
        fn as_the_naive_split_says(raw in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b','), Just(b'a'), Just(b'Z'), Just(b'0')], 0..400)) {
            let words = collected(&raw);
            let distinct: BTreeSet<_> = words.iter().cloned().collect();
            prop_assert_eq!(&distinct, &naive(&raw));
        }

        #[test]
        fn many_distinct_words(count in 0u32..40_000) {
            let raw: String = (0..count).map(|number| format!("w{number} ")).collect();
            prop_assert_eq!(collected(raw.as_bytes()).len(), count as usize);
        }
    }
}
