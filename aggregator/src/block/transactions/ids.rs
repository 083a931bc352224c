//! The IDs of a document's rows, and what is known of an ID from 64 bits of it.

use crate::block::varint::take_bytes;
use crate::id::Canonical;

/// A number takes so many bytes in its column.
pub const NUMBER_BYTES: usize = size_of::<u128>();

/// 64 bits of an ID: equal for equal ones, and hardly ever for others. For filters in memory, never stored.
pub fn fingerprint(id: &Canonical) -> u64 {
    match id {
        Canonical::Number(number) => of_number(*number),
        Canonical::Text(text) => text.chunks(8).fold(text.len() as u64, |sum, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            mix(sum ^ u64::from_le_bytes(word))
        }),
    }
}

/// Most IDs are random in all of their bits, and some are counters.
fn of_number(number: u128) -> u64 {
    mix(number as u64 ^ ((number >> 64) as u64).rotate_left(23))
}

/// Spreads a difference over all bits: the high half of a product is folded onto the low one.
fn mix(word: u64) -> u64 {
    let product = u128::from(word ^ 0x2545_f491_4f6c_dd1d) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
    product as u64 ^ (product >> 64) as u64
}

/// See the module. The bytes are those of the column.
pub enum Ids<'a> {
    /// Every one is a number, in little-endian order.
    Numbers(&'a [u8]),
    /// Terms, each after its length.
    Terms(Vec<&'a [u8]>),
}

impl<'a> Ids<'a> {
    /// None when these are not `count` numbers.
    pub fn of_numbers(column: &'a [u8], count: usize) -> Option<Self> {
        (Some(column.len()) == count.checked_mul(NUMBER_BYTES)).then_some(Self::Numbers(column))
    }

    /// None when these are not `count` terms.
    pub fn of_terms(mut column: &'a [u8], count: usize) -> Option<Self> {
        let mut terms = Vec::new();
        for _ in 0..count {
            terms.push(take_bytes(&mut column)?);
        }
        Some(Self::Terms(terms))
    }

    /// The ID of a row; none when it makes no sense.
    pub fn get(&self, row: usize) -> Option<Canonical> {
        match self {
            Self::Numbers(column) => {
                let number = column.get(row * NUMBER_BYTES..)?.first_chunk::<NUMBER_BYTES>()?;
                Some(Canonical::Number(u128::from_le_bytes(*number)))
            }
            Self::Terms(terms) => Canonical::from_term(terms.get(row)?),
        }
    }

    /// Calls `each` with every row and its fingerprint.
    pub fn fingerprints(&self, mut each: impl FnMut(usize, u64)) {
        match self {
            Self::Numbers(column) => {
                for (row, number) in column.as_chunks::<NUMBER_BYTES>().0.iter().enumerate() {
                    each(row, of_number(u128::from_le_bytes(*number)));
                }
            }
            Self::Terms(terms) => {
                for (row, term) in terms.iter().enumerate() {
                    if let Some(id) = Canonical::from_term(term) {
                        each(row, fingerprint(&id));
                    }
                }
            }
        }
    }
}
