//! Tallies of documents of rows, within a budget of bytes: those that lists have asked for.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tantivy::index::SegmentId;

use super::tally::Tally;

/// A document for ever: segments do not change.
pub type Key = (SegmentId, u32);

/// See the module.
pub struct TallyCache(Cache<Key, Arc<Tally>, Bytes>);

/// A tally of a full document takes about so much.
const TALLY_BYTES_USUAL: u64 = 48 << 10;

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Tally>> for Bytes {
    fn weight(&self, _key: &Key, tally: &Arc<Tally>) -> u64 {
        tally.memory_bytes() as u64
    }
}

impl TallyCache {
    /// Holds about `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Self {
        let items = usize::try_from(bytes_max / TALLY_BYTES_USUAL).unwrap_or(usize::MAX).max(16);
        Self(Cache::with_weighter(items, bytes_max, Bytes))
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Tally>> {
        self.0.get(key)
    }

    pub fn insert(&self, key: Key, tally: &Arc<Tally>) {
        self.0.insert(key, Arc::clone(tally));
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> u64 {
        self.0.weight()
    }
}
