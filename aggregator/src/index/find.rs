//! The records of an ID, from one partition: a short stretch of the dictionary holds all that may be the same ID.

use std::sync::Arc;

use rayon::prelude::*;
use tantivy::postings::TermInfo;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, InvertedIndexReader, TERMINATED};

use super::committed::Committed;
use crate::block::container::{Corrupt, Unzstd};
use crate::block::decode::Payload;
use crate::block::encode;
use crate::block::transactions;
use crate::id::Canonical;
use crate::record::Record;

/// A search that failed.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Tantivy says so.
    #[error("read index: {0}")]
    Tantivy(#[from] tantivy::TantivyError),
    /// The file system says so.
    #[error("read index: {0}")]
    Io(#[from] std::io::Error),
    /// A block cannot be read.
    #[error("read block: {0}")]
    Block(#[from] Corrupt),
}

/// A block document of a partition.
#[derive(Clone, Copy)]
pub struct Hit<'a> {
    partition: &'a Committed,
    segment: usize,
    doc: DocId,
}

/// The blocks of partitions that hold one of `wanted`. Segments are looked into side by side, on the thread pool that this is called on:
/// what is not in the page cache is waited for at the same time.
pub fn hits<'a>(partitions: &'a [Arc<Committed>], wanted: &[Canonical]) -> Result<Vec<Hit<'a>>, FindError> {
    let hits: Result<Vec<_>, FindError> = segments(partitions)
        .into_par_iter()
        .map(|(partition, segment)| {
            let docs = blocks(partition, segment, wanted)?;
            Ok(docs.into_iter().map(move |doc| Hit { partition, segment, doc }))
        })
        .collect();
    Ok(hits?.into_iter().flatten().collect())
}

/// Every segment of partitions, with its place in its own.
fn segments(partitions: &[Arc<Committed>]) -> Vec<(&Committed, usize)> {
    let mut segments = Vec::new();
    for partition in partitions {
        segments.extend((0..partition.stores.len()).map(|segment| (&**partition, segment)));
    }
    segments
}

impl Hit<'_> {
    /// The records of the block that carry one of `wanted`.
    pub fn records(&self, wanted: &[Canonical], unzstd: &mut Unzstd) -> Result<Vec<Record>, FindError> {
        let document = self.partition.stores[self.segment].get_document_bytes(self.doc)?;
        Ok(Payload::open(stored_payload(&document))?.find(wanted, unzstd)?)
    }
}

/// The payload in a stored document. It is the only stored value, so that it ends where the document ends; its checksum
/// tells if that should ever be otherwise. Tantivy's own way to it copies the bytes one by one.
pub fn stored_payload(document: &[u8]) -> &[u8] {
    let begin = memchr::memmem::find(document, &encode::MAGIC).unwrap_or(0);
    &document[begin..]
}

/// The rows of transactions in a stored document, likewise.
pub fn stored_rows(document: &[u8]) -> &[u8] {
    let begin = memchr::memmem::find(document, &transactions::MAGIC).unwrap_or(0);
    &document[begin..]
}

/// Where the blocks of a partition are that hold one of `wanted`: segment and document.
pub fn places(partition: &Committed, wanted: &[Canonical]) -> Result<Vec<(usize, DocId)>, FindError> {
    let mut places = Vec::new();
    for segment in 0..partition.stores.len() {
        places.extend(blocks(partition, segment, wanted)?.into_iter().map(|doc| (segment, doc)));
    }
    Ok(places)
}

/// How many blocks of partitions hold `wanted`, looked for as [`hits`] does; those that were deleted are counted, too.
pub fn count(partitions: &[Arc<Committed>], wanted: &Canonical) -> Result<usize, FindError> {
    segments(partitions)
        .into_par_iter()
        .map(|(partition, segment)| {
            let mut count = 0;
            each_term(partition, segment, wanted, |_, term| {
                count += term.doc_freq as usize;
                Ok(())
            })?;
            Ok(count)
        })
        .sum()
}

/// The blocks of a segment that hold one of `wanted`, rising.
fn blocks(partition: &Committed, segment: usize, wanted: &[Canonical]) -> Result<Vec<DocId>, FindError> {
    let reader = partition.searcher.segment_reader(segment as u32);
    let mut docs = Vec::new();
    for id in wanted {
        each_term(partition, segment, id, |index, term| {
            let mut postings = index.read_postings_from_terminfo(term, IndexRecordOption::Basic)?;
            let mut doc = postings.doc();
            while doc != TERMINATED {
                if !reader.is_deleted(doc) {
                    docs.push(doc);
                }
                doc = postings.advance();
            }
            Ok(())
        })?;
    }
    docs.sort_unstable();
    docs.dedup();
    Ok(docs)
}

/// What a segment's dictionary holds of `wanted`, in whatever spelling.
fn each_term(
    partition: &Committed,
    segment: usize,
    wanted: &Canonical,
    mut take: impl FnMut(&InvertedIndexReader, &TermInfo) -> Result<(), FindError>,
) -> Result<(), FindError> {
    let index = partition.searcher.segment_reader(segment as u32).inverted_index(partition.partition.fields.ids)?;
    let (first, last) = wanted.term_range();
    let mut terms = index.terms().range().ge(first).le(last).into_stream()?;
    while terms.advance() {
        if Canonical::from_term(terms.key()).is_some_and(|stored| stored.same(wanted)) {
            take(&index, terms.value())?;
        }
    }
    Ok(())
}
