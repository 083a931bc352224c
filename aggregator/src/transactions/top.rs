//! The transactions that are shown: their order, where a page ends, and the first ones of many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::block::transactions::planes;
use crate::id::Canonical;

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Sort {
    /// What began last.
    Newest = 1,
    /// What began first.
    Oldest = 2,
    /// What took longest; among those of one duration, what began last. So with the others.
    Duration = 3,
    /// What has most errors.
    Errors = 4,
    /// What has most records.
    Records = 5,
}

impl Sort {
    /// Names of all.
    pub const NAMES: [(&str, Self); 5] = [
        ("newest", Self::Newest),
        ("oldest", Self::Oldest),
        ("duration", Self::Duration),
        ("errors", Self::Errors),
        ("records", Self::Records),
    ];

    /// Greater comes first.
    #[inline]
    pub fn rank(self, time: i64, number: u64) -> Rank {
        let time = planes::of_time(time);
        match self {
            Self::Newest => (time, 0),
            Self::Oldest => (!time, 0),
            Self::Duration | Self::Errors | Self::Records => (number, time),
        }
    }
}

/// What is compared before IDs are.
pub type Rank = (u64, u64);

/// The place of a transaction in the order; the greatest comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub rank: Rank,
    pub id: Canonical,
}

const VERSION: u8 = 1;

impl Key {
    /// As an opaque text, for the page behind it.
    pub fn cursor(&self, sort: Sort) -> String {
        let mut bytes = vec![VERSION, sort as u8];
        bytes.extend_from_slice(&self.rank.0.to_be_bytes());
        bytes.extend_from_slice(&self.rank.1.to_be_bytes());
        bytes.extend_from_slice(&self.id.term());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The reverse; none when it is no cursor of ours, or one of another order.
    pub fn of_cursor(text: &str, sort: Sort) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let rest = bytes.strip_prefix(&[VERSION, sort as u8])?;
        let (first, rest) = rest.split_first_chunk()?;
        let (second, term) = rest.split_first_chunk()?;
        let rank = (u64::from_be_bytes(*first), u64::from_be_bytes(*second));
        Some(Self { rank, id: Canonical::from_term(term)? })
    }
}

/// The first so many of all that are offered, behind a cursor, each with what says where it is.
pub struct Top<P> {
    limit: usize,
    after: Option<Key>,
    kept: BinaryHeap<Reverse<Kept<P>>>,
}

struct Kept<P> {
    key: Key,
    place: P,
}

impl<P> PartialEq for Kept<P> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<P> Eq for Kept<P> {}

impl<P> PartialOrd for Kept<P> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> Ord for Kept<P> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl<P> Top<P> {
    /// Keeps `limit`, behind `after`.
    pub fn new(limit: usize, after: Option<Key>) -> Self {
        Self { limit, after, kept: BinaryHeap::new() }
    }

    /// Between which ranks something is taken: nothing below the first, nothing above the second.
    #[inline]
    pub fn ranks(&self) -> (Rank, Rank) {
        let full = self.kept.peek().filter(|_| self.kept.len() >= self.limit);
        let lowest = full.map_or((0, 0), |Reverse(worst)| worst.key.rank);
        (lowest, self.after.as_ref().map_or((u64::MAX, u64::MAX), |after| after.rank))
    }

    /// Takes it if it is among the first.
    pub fn offer(&mut self, key: Key, place: P) {
        if self.limit == 0 || self.after.as_ref().is_some_and(|after| key >= *after) {
            return;
        }
        if self.kept.len() >= self.limit {
            if self.kept.peek().is_some_and(|Reverse(worst)| key <= worst.key) {
                return;
            }
            self.kept.pop();
        }
        self.kept.push(Reverse(Kept { key, place }));
    }

    /// Offers all that `other` has kept.
    pub fn merge(&mut self, other: Self) {
        other.kept.into_iter().for_each(|Reverse(kept)| self.offer(kept.key, kept.place));
    }

    /// In order.
    pub fn into_sorted(self) -> Vec<(Key, P)> {
        self.kept.into_sorted_vec().into_iter().map(|Reverse(kept)| (kept.key, kept.place)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(rank: u64, id: u128) -> Key {
        Key { rank: (rank, 0), id: Canonical::Number(id) }
    }

    #[test]
    fn pages_leave_nothing_out_and_repeat_nothing() {
        let all: Vec<Key> = (0..100).map(|number| key(number * 7 % 10, u128::from(number))).collect();
        let mut sorted = all.clone();
        sorted.sort_by(|left, right| right.cmp(left));
        for limit in [1, 7, 100, 1000] {
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let mut top = Top::new(limit, after.clone());
                all.iter().for_each(|key| top.offer(key.clone(), ()));
                let page = top.into_sorted();
                let Some((last, ())) = page.last() else { break };
                after = Some(last.clone());
                seen.extend(page.into_iter().map(|(key, ())| key));
            }
            assert_eq!(seen, sorted);
        }
    }

    #[test]
    fn cursors_come_back_and_belong_to_an_order() {
        for key in [key(5, 7), Key { rank: (u64::MAX, 1), id: Canonical::parse(b"req-17") }] {
            let cursor = key.cursor(Sort::Errors);
            assert_eq!(Key::of_cursor(&cursor, Sort::Errors), Some(key));
            assert_eq!(Key::of_cursor(&cursor, Sort::Newest), None);
        }
        for nonsense in ["", "AA", "nonsense", "AQQ"] {
            assert_eq!(Key::of_cursor(nonsense, Sort::Errors), None);
        }
    }
}
