//! Which IDs there are rows of, as far as that is remembered: a commit marks the rows of those, and so a reader knows which few rows may
//! be parts of one transaction, without joining millions.
//!
//! A filter says of a new ID by mistake that it was seen, once in some hundreds of times; such a row is only looked at twice. An ID that
//! was forgotten, because millions of others came after it, counts as new: then its later row is listed as another transaction. There are
//! several filters, each twice as large as the one before until they are as large as they get, so that a small store takes little memory
//! and the oldest IDs can be forgotten without those after them. They are in memory alone; a start fills them from the rows on disk.

use std::sync::Arc;

use super::committed::Committed;
use super::find::{FindError, stored_rows};
use super::schema::kind;
use crate::block::container::Unzstd;
use crate::block::transactions;
use crate::block::transactions::ids::fingerprint;
use crate::id::Canonical;

/// Bits of an ID: with eight of them set, an ID is mistaken for one of a full filter once in some 600 times.
const BITS_PER_ID: usize = 16;
/// The first filter: 65,536 IDs.
const FILTER_BYTES_FIRST: usize = 128 << 10;
/// The largest one.
const FILTER_BYTES_MAX: usize = 4 << 20;
/// All of them: the last six million IDs at least.
const BYTES_MAX: usize = 16 << 20;

/// See the module.
#[derive(Default)]
pub struct Seen {
    /// The newest one takes what is inserted.
    filters: Vec<Filter>,
}

/// Eight words, in each of which an ID sets a bit: one cache line's half is all that is looked at. This is the split block filter of
/// Parquet (<https://parquet.apache.org/docs/file-format/bloomfilter/>).
struct Filter {
    blocks: Vec<[u32; 8]>,
    ids: usize,
}

const SALTS: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

impl Seen {
    /// What the newest rows of `partitions` name. A document that cannot be read is passed over: `verify` tells of it.
    pub fn load(partitions: &[Arc<Committed>]) -> Self {
        let mut seen = Self::default();
        let mut unzstd = Unzstd::default();
        // The newest day comes last, so that it is remembered longest.
        let skipped = partitions.len().saturating_sub(days_that_suffice(partitions));
        for committed in &partitions[skipped..] {
            if let Err(error) = seen.load_partition(committed, &mut unzstd) {
                tracing::warn!("read the transactions of {}: {error}", committed.partition.path.display());
            }
        }
        seen
    }

    fn load_partition(&mut self, committed: &Committed, unzstd: &mut Unzstd) -> Result<(), FindError> {
        for (reader, store) in committed.searcher.segment_readers().iter().zip(&committed.stores) {
            let kinds = reader.fast_fields().u64("kind")?;
            let is_rows = |doc: &u32| matches!(kinds.first(*doc), Some(kind::TRANSACTIONS | kind::CONTINUED));
            for doc in reader.doc_ids_alive().filter(is_rows) {
                let document = store.get_document_bytes(doc)?;
                self.load_rows(stored_rows(&document), unzstd)?;
            }
        }
        Ok(())
    }

    fn load_rows(&mut self, payload: &[u8], unzstd: &mut Unzstd) -> Result<(), FindError> {
        transactions::with_rows(payload, unzstd, |rows, _| {
            rows.ids()?.fingerprints(|_, fingerprint| self.insert_fingerprint(fingerprint));
            Ok(())
        })
    }

    /// It is remembered from now on.
    pub fn insert(&mut self, id: &Canonical) {
        self.insert_fingerprint(fingerprint(id));
    }

    fn insert_fingerprint(&mut self, fingerprint: u64) {
        if self.filters.last().is_none_or(Filter::is_full) {
            self.grow();
        }
        self.filters.last_mut().expect("there is one now").insert(fingerprint);
    }

    fn grow(&mut self) {
        let bytes = self.filters.last().map_or(FILTER_BYTES_FIRST, |last| FILTER_BYTES_MAX.min(last.bytes() * 2));
        while self.filters.iter().map(Filter::bytes).sum::<usize>() + bytes > BYTES_MAX {
            self.filters.remove(0);
        }
        self.filters.push(Filter { blocks: vec![[0; 8]; bytes / size_of::<[u32; 8]>()], ids: 0 });
    }

    /// Whether it may have been inserted; certainly so if it was, and is not forgotten.
    pub fn may_hold(&self, id: &Canonical) -> bool {
        let fingerprint = fingerprint(id);
        // What goes on mostly began a moment ago.
        self.filters.iter().rev().any(|filter| filter.may_hold(fingerprint))
    }
}

/// How many of the newest partitions hold as many rows as are remembered.
fn days_that_suffice(partitions: &[Arc<Committed>]) -> usize {
    let mut rows = 0;
    let rows_of = |committed: &Arc<Committed>| -> u64 {
        let segments = committed.searcher.segment_readers().iter();
        segments.map(|reader| transaction_rows(reader).unwrap_or(0)).sum()
    };
    let enough = (BYTES_MAX * 8 / BITS_PER_ID) as u64;
    partitions
        .iter()
        .rev()
        .take_while(|committed| {
            let is_wanted = rows < enough;
            rows += if is_wanted { rows_of(committed) } else { 0 };
            is_wanted
        })
        .count()
}

fn transaction_rows(reader: &tantivy::SegmentReader) -> tantivy::Result<u64> {
    let (kinds, rows) = (reader.fast_fields().u64("kind")?, reader.fast_fields().u64("records")?);
    let is_rows = |doc: &u32| kinds.first(*doc) != Some(kind::BLOCK);
    Ok(reader.doc_ids_alive().filter(is_rows).filter_map(|doc| rows.first(doc)).sum())
}

impl Filter {
    fn bytes(&self) -> usize {
        size_of_val(&self.blocks[..])
    }

    fn is_full(&self) -> bool {
        self.ids >= self.bytes() * 8 / BITS_PER_ID
    }

    fn block(&self, fingerprint: u64) -> usize {
        (((fingerprint >> 32) * self.blocks.len() as u64) >> 32) as usize
    }

    fn insert(&mut self, fingerprint: u64) {
        let block = self.block(fingerprint);
        for (word, bit) in self.blocks[block].iter_mut().zip(bits(fingerprint)) {
            *word |= bit;
        }
        self.ids += 1;
    }

    fn may_hold(&self, fingerprint: u64) -> bool {
        let block = &self.blocks[self.block(fingerprint)];
        block.iter().zip(bits(fingerprint)).all(|(word, bit)| word & bit != 0)
    }
}

fn bits(fingerprint: u64) -> [u32; 8] {
    SALTS.map(|salt| 1 << ((fingerprint as u32).wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u64) -> Canonical {
        Canonical::Number(u128::from(number))
    }

    #[test]
    fn what_was_inserted_is_held_and_hardly_anything_else() {
        let mut seen = Seen::default();
        (0..500_000).for_each(|id| seen.insert(&number(id)));
        assert!((0..500_000).all(|id| seen.may_hold(&number(id))));
        let mistaken = (500_000..600_000).filter(|id| seen.may_hold(&number(*id))).count();
        assert!(mistaken < 1_000, "{mistaken} of 100,000");
    }

    #[test]
    fn memory_is_bounded_and_the_newest_are_remembered() {
        let mut seen = Seen::default();
        let last = 9_000_000;
        (0..last).for_each(|id| seen.insert(&number(id)));
        assert!(seen.filters.iter().map(Filter::bytes).sum::<usize>() <= BYTES_MAX);
        assert!((last - 6_000_000..last).step_by(1_000).all(|id| seen.may_hold(&number(id))));
    }
}
