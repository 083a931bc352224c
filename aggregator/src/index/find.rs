//! The records of an ID, from one partition: a short stretch of the dictionary holds all that may be the same ID.

use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, SegmentReader, TERMINATED};

use super::committed::Committed;
use super::schema::Fields;
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

/// The blocks of a partition that hold one of `wanted`.
pub fn hits<'a>(partition: &'a Committed, wanted: &[Canonical]) -> Result<Vec<Hit<'a>>, FindError> {
    let mut hits = Vec::new();
    for (segment, reader) in partition.searcher.segment_readers().iter().enumerate() {
        let docs = blocks(reader, &partition.partition.fields, wanted)?;
        hits.extend(docs.into_iter().map(|doc| Hit { partition, segment, doc }));
    }
    Ok(hits)
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
    Ok(hits(partition, wanted)?.into_iter().map(|hit| (hit.segment, hit.doc)).collect())
}

/// How many blocks of a partition hold one of `wanted`; those that were deleted are counted, too.
pub fn count(partition: &Committed, wanted: &Canonical) -> Result<usize, FindError> {
    let mut count = 0;
    for segment in partition.searcher.segment_readers() {
        let index = segment.inverted_index(partition.partition.fields.ids)?;
        let (first, last) = wanted.term_range();
        let mut terms = index.terms().range().ge(first).le(last).into_stream()?;
        while terms.advance() {
            if Canonical::from_term(terms.key()).is_some_and(|stored| stored.same(wanted)) {
                count += terms.value().doc_freq as usize;
            }
        }
    }
    Ok(count)
}

/// The blocks that hold one of `wanted`, rising.
fn blocks(segment: &SegmentReader, fields: &Fields, wanted: &[Canonical]) -> Result<Vec<DocId>, FindError> {
    let index = segment.inverted_index(fields.ids)?;
    let mut docs = Vec::new();
    for id in wanted {
        let (first, last) = id.term_range();
        let mut terms = index.terms().range().ge(first).le(last).into_stream()?;
        while terms.advance() {
            if !Canonical::from_term(terms.key()).is_some_and(|stored| stored.same(id)) {
                continue;
            }
            let mut postings = index.read_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            let mut doc = postings.doc();
            while doc != TERMINATED {
                if !segment.is_deleted(doc) {
                    docs.push(doc);
                }
                doc = postings.advance();
            }
        }
    }
    docs.sort_unstable();
    docs.dedup();
    Ok(docs)
}
