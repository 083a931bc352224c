//! Which words a sealed block of the head may hold: a Bloom filter, because its list of words is gone once it is handed to the index.
//!
//! It says no only where no word was put in; one in about a hundred times it says yes to a word that is not there.

use std::hash::BuildHasher;

use super::tokens::SEPARATOR;

/// Bits for each word: with [`PROBES`] probes one percent of wrong answers.
const BITS_PER_WORD: usize = 10;
const PROBES: u32 = 4;

/// See the module.
#[derive(Debug)]
pub struct WordFilter {
    /// A power of two of bits.
    bits: Box<[u64]>,
    hasher: foldhash::fast::FixedState,
}

impl WordFilter {
    /// Of words, each followed by [`SEPARATOR`].
    pub fn of(words: &str) -> Self {
        let list = || words.as_bytes().split(|byte| *byte == SEPARATOR).filter(|word| !word.is_empty());
        let bits = (list().count() * BITS_PER_WORD).next_power_of_two().max(64);
        let hasher = foldhash::fast::FixedState::default();
        let mut filter = Self { bits: vec![0; bits / 64].into(), hasher };
        for word in list() {
            for bit in filter.places(word) {
                filter.bits[bit / 64] |= 1 << (bit % 64);
            }
        }
        filter
    }

    /// Whether the block may hold `word`, as the index spells it.
    pub fn may_hold(&self, word: &str) -> bool {
        self.places(word.as_bytes()).all(|bit| self.bits[bit / 64] >> (bit % 64) & 1 == 1)
    }

    fn places(&self, word: &[u8]) -> impl Iterator<Item = usize> + use<> {
        let hash = self.hasher.hash_one(word);
        // Two halves make as many hashes as are wanted (Kirsch and Mitzenmacher).
        let (first, step) = (hash as u32, (hash >> 32) as u32 | 1);
        let mask = self.bits.len() * 64 - 1;
        (0..PROBES).map(move |probe| first.wrapping_add(probe.wrapping_mul(step)) as usize & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_known_and_few_others() {
        let words: String = (0..5_000).map(|number| format!("word{number}\n")).collect();
        let filter = WordFilter::of(&words);
        assert!((0..5_000).all(|number| filter.may_hold(&format!("word{number}"))));
        let wrong = (0..10_000).filter(|number| filter.may_hold(&format!("other{number}"))).count();
        assert!(wrong < 500, "{wrong} of 10,000 words that are not there");
        assert!(!WordFilter::of("").may_hold("word"));
    }
}
