//! Decoded blocks of partitions, within a budget of bytes. Only blocks in which something was found are kept: what is looked at once
//! in passing displaces nothing.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tantivy::index::SegmentId;

use crate::block::columns::Columns;

/// A block for ever: segments do not change.
pub type Key = (SegmentId, u32);

/// See the module.
pub struct BlockCache(Cache<Key, Arc<Columns>, Bytes>);

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Columns>> for Bytes {
    fn weight(&self, _key: &Key, columns: &Arc<Columns>) -> u64 {
        columns.memory_bytes() as u64
    }
}

impl BlockCache {
    /// Holds about `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Self {
        // A block that was found something in has some 300 KiB.
        let blocks = usize::try_from(bytes_max >> 18).unwrap_or(usize::MAX).max(16);
        Self(Cache::with_weighter(blocks, bytes_max, Bytes))
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Columns>> {
        self.0.get(key)
    }

    pub fn insert(&self, key: Key, columns: &Arc<Columns>) {
        self.0.insert(key, Arc::clone(columns));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> u64 {
        self.0.weight()
    }
}
