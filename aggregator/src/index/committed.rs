//! A partition with its newest commit: what a search reads.

use std::sync::Arc;

use tantivy::Searcher;
use tantivy::store::StoreReader;

use super::partition::{Partition, PartitionError};

/// A partition with its newest commit.
pub struct Committed {
    /// The partition.
    pub partition: Arc<Partition>,
    /// Its newest commit.
    pub searcher: Searcher,
    /// One per segment of the searcher.
    pub stores: Vec<StoreReader>,
}

impl Committed {
    /// The newest commit of `partition`, merged or not.
    pub fn newest(partition: &Arc<Partition>) -> Result<Self, PartitionError> {
        let searcher = partition.searcher()?;
        // Payloads are compressed already, and the page cache holds them: no second cache.
        let stores = searcher.segment_readers().iter().map(|segment| segment.get_store_reader(0));
        let stores = stores.collect::<Result<_, _>>();
        let stores = stores.map_err(|error| PartitionError::Io { path: partition.path.clone(), error })?;
        Ok(Self { partition: Arc::clone(partition), searcher, stores })
    }
}
