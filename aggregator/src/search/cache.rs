//! Decoded blocks of partitions, within a budget of bytes. Only blocks in which something was found are kept: what is looked at once
//! in passing displaces nothing. Beside them, and far smaller, tallies of those that a histogram has looked at.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tantivy::index::SegmentId;

use crate::block::columns::Columns;
use crate::block::tally::Tally;

/// A block for ever: segments do not change.
pub type Key = (SegmentId, u32);

/// See the module.
pub struct BlockCache {
    columns: Cache<Key, Arc<Columns>, Bytes>,
    tallies: Cache<Key, Arc<ServiceTally>, Bytes>,
}

/// The tally of a block, and the service of its records.
pub struct ServiceTally {
    pub service: Arc<str>,
    pub tally: Tally,
}

/// Tallies get this share of the bytes.
const TALLIES_SHARE: u64 = 8;

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Columns>> for Bytes {
    fn weight(&self, _key: &Key, columns: &Arc<Columns>) -> u64 {
        columns.memory_bytes() as u64
    }
}

impl Weighter<Key, Arc<ServiceTally>> for Bytes {
    fn weight(&self, _key: &Key, known: &Arc<ServiceTally>) -> u64 {
        (size_of::<ServiceTally>() + known.service.len() + known.tally.memory_bytes()) as u64
    }
}

impl BlockCache {
    /// Holds about `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Self {
        let of_tallies = bytes_max / TALLIES_SHARE;
        let of_columns = bytes_max - of_tallies;
        let items = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX).max(16);
        // A block that something was found in has some 300 KiB, a tally 256 bytes.
        Self {
            columns: Cache::with_weighter(items(of_columns >> 18), of_columns, Bytes),
            tallies: Cache::with_weighter(items(of_tallies >> 8), of_tallies, Bytes),
        }
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Columns>> {
        self.columns.get(key)
    }

    pub fn insert(&self, key: Key, columns: &Arc<Columns>) {
        self.columns.insert(key, Arc::clone(columns));
    }

    pub fn tally(&self, key: &Key) -> Option<Arc<ServiceTally>> {
        self.tallies.get(key)
    }

    pub fn insert_tally(&self, key: Key, tally: &Arc<ServiceTally>) {
        self.tallies.insert(key, Arc::clone(tally));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.columns.clear();
        self.tallies.clear();
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> u64 {
        self.columns.weight() + self.tallies.weight()
    }
}
